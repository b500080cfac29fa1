/* One plain HTTP request on a connection of its own: see http.h. */
#define _POSIX_C_SOURCE 200809L

#include "http.h"
#include "mask.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

enum { CONNECT_TIMEOUT_MS = 10000, TICK_MS = 50, MAX_ANSWER = 1 << 20, SHOWN_NO_HTTP = 100 };

static const char too_large[] = "the answer is larger than 1 MiB";

volatile sig_atomic_t interrupts;

int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void pause_ms(int64_t ms, int until_interrupts)
{
    for (int64_t end = now_ms() + ms; now_ms() < end && interrupts < until_interrupts;)
        poll(NULL, 0, end - now_ms() < TICK_MS ? (int)(end - now_ms()) : TICK_MS);
}

bool ready(int fd, short events, int64_t deadline)
{
    struct pollfd polled = {.fd = fd, .events = events};

    while (now_ms() < deadline && interrupts < 2)
        if (poll(&polled, 1, TICK_MS) > 0)
            return true;
    return false;
}

/* Why a socket was not ready. */
static const char *impatience(const char *late)
{
    return interrupts >= 2 ? "interrupted" : late;
}

/* ---- the connection ------------------------------------------------------------------------ */

static int dial(const struct addrinfo *address, const char **why)
{
    int fd = socket(address->ai_family, SOCK_STREAM, 0), error = 0;
    socklen_t len = sizeof error;

    if (fd < 0) {
        *why = say("socket: %s", strerror(errno));
        return -1;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
        return fd;
    if (errno != EINPROGRESS)
        error = errno;
    else if (!ready(fd, POLLOUT, now_ms() + CONNECT_TIMEOUT_MS))
        error = ETIMEDOUT;
    else
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error == 0)
        return fd;
    *why = say("connect: %s", strerror(error));
    close(fd);
    return -1;
}

static int open_connection(const char *host, const char *port, const char **why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int error = getaddrinfo(host, port, &hints, &found), fd = -1;

    if (error != 0) {
        *why = say("%s: %s", host, gai_strerror(error));
        return -1;
    }
    for (struct addrinfo *address = found; address != NULL && fd < 0; address = address->ai_next)
        fd = dial(address, why);
    freeaddrinfo(found);
    return fd;
}

static bool send_all(int fd, const char *bytes, size_t len, int64_t deadline, const char **why)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        } else if (errno != EAGAIN && errno != EINTR) {
            *why = say("send: %s", strerror(errno));
            return false;
        } else if (!ready(fd, POLLOUT, deadline)) {
            *why = impatience("the request could not be sent in time");
            return false;
        }
    }
    return true;
}

/* ---- the answer ---------------------------------------------------------------------------- */

/* Reads more; false at the end of the connection, which `why` explains unless it was a clean one. */
static bool read_more(int fd, struct text *text, int64_t deadline, const char **why)
{
    char chunk[16384];
    ssize_t n;

    if (text->len > MAX_ANSWER) {
        *why = too_large;
        return false;
    }
    if (!ready(fd, POLLIN, deadline)) {
        *why = impatience("no answer in time");
        return false;
    }
    n = recv(fd, chunk, sizeof chunk, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n < 0)
        *why = say("receive: %s", strerror(errno));
    if (n <= 0)
        return false;
    append(text, chunk, (size_t)n);
    return true;
}

char *header_of(const char *head, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, len) == 0 && line[2 + len] == ':') {
            const char *value = line + 3 + len + strspn(line + 3 + len, " \t");
            return say_part(value, strcspn(value, "\r\n"));
        }
    return NULL;
}

/* What came of an answer so far. */
struct arrival {
    struct text text;
    /* 0 while the head is not whole. */
    int status;
    /* Where the body begins in `text`. */
    size_t body_begin;
    /* Where the next chunk begins in `text`, and what was in those before. */
    size_t chunk_begin;
    struct text joined;
    /* Why it is no answer, or ended; NULL if it goes on or ended in good order. */
    const char *why;
};

/* A number of digits alone, at the beginning of a line or value; false, and why, if it is none, or larger than an answer
 * may be. */
static bool read_length(const char *text, int base, const char *not_a_number, size_t *length, const char **why)
{
    size_t digits = strspn(text, base == 16 ? "0123456789abcdefABCDEF" : "0123456789");
    char digit[2] = {0};

    *length = 0;
    if (digits == 0 || (text[digits] != '\0' && strchr(" \t;\r\n", text[digits]) == NULL)) {
        *why = not_a_number;
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        digit[0] = text[i];
        *length = *length * (size_t)base + strtoul(digit, NULL, base);
        if (*length > MAX_ANSWER) {
            *why = too_large;
            return false;
        }
    }
    return true;
}

/* Undoes the chunks of a body; false while the last one is not there. */
static bool join_chunks(struct arrival *arrival)
{
    for (;;) {
        const char *line = arrival->text.bytes + arrival->chunk_begin, *end = arrival->text.bytes + arrival->text.len;
        const char *line_end = memchr(line, '\n', (size_t)(end - line));
        size_t size, there = line_end == NULL ? 0 : (size_t)(end - line_end) - 1;

        if (line_end == NULL || !read_length(line, 16, "the answer has a chunk without a length", &size, &arrival->why))
            return false;
        if (there < 2 || size > there - 2)
            return false;
        if (size == 0)
            return true;
        if (memcmp(line_end + 1 + size, "\r\n", 2) != 0) {
            arrival->why = "the answer has a chunk that is longer than its length";
            return false;
        }
        append(&arrival->joined, line_end + 1, size);
        arrival->chunk_begin = (size_t)(line_end + 1 + size + 2 - arrival->text.bytes);
    }
}

/* The body, once all of it has come; NULL before. `ended`: nothing more will come. */
static const char *whole_body(const char *head, struct arrival *arrival, bool ended, size_t *len)
{
    const char *length = header_of(head, "Content-Length"), *coding = header_of(head, "Transfer-Encoding");
    size_t there = arrival->text.len - arrival->body_begin;

    if (coding != NULL) {
        if (!join_chunks(arrival))
            return NULL;
        *len = arrival->joined.len;
        return kept(&arrival->joined);
    }
    if (length == NULL && !ended)
        return NULL;
    *len = there;
    if (length != NULL && !read_length(length, 10, "the answer's Content-Length is no number", len, &arrival->why))
        return NULL;
    return there < *len ? NULL : say_part(arrival->text.bytes + arrival->body_begin, *len);
}

/* Where the head of the final answer begins, behind those that only say "go on"; NULL while it is not whole. */
static const char *final_head(const char *bytes)
{
    const char *end;

    while ((end = strstr(bytes, "\r\n\r\n")) != NULL && strncmp(bytes, "HTTP/1.1 1", 10) == 0)
        bytes = end + 4;
    return end == NULL ? NULL : bytes;
}

/* The status of a status line; 0 if it is none. */
static int status_of(const char *line)
{
    if (strncmp(line, "HTTP/1.", 7) != 0 || strcspn(line, " ") != 8 || strspn(line + 9, "0123456789") != 3)
        return 0;
    return atoi(line + 9);
}

/* The head, once all of it has come; NULL before, and if it is no HTTP. */
static const char *whole_head(struct arrival *arrival)
{
    const char *begin = final_head(arrival->text.bytes), *head;

    if (begin == NULL)
        return NULL;
    arrival->body_begin = arrival->chunk_begin = (size_t)(strstr(begin, "\r\n\r\n") + 4 - arrival->text.bytes);
    head = say_part(begin, (size_t)(arrival->text.bytes + arrival->body_begin - 2 - begin));
    arrival->status = status_of(head);
    if (arrival->status != 0)
        return head;
    arrival->why = say("what came is no HTTP: %s", masked_part(head, SHOWN_NO_HTTP));
    return NULL;
}

/* Takes what has come for the answer, once it is whole. `ended`: nothing more will come. */
static void take(struct arrival *arrival, bool is_head, bool ended, struct answer *answer)
{
    size_t len = 0;

    if (answer->head == NULL)
        answer->head = whole_head(arrival);
    if (answer->head == NULL)
        return;
    answer->body = is_head || arrival->status == 204 || arrival->status == 304 ? say_part("", 0)
                                                                               : whole_body(answer->head, arrival, ended, &len);
    if (answer->body == NULL)
        return;
    answer->body_len = len;
    answer->status = arrival->status;
}

static void read_answer(int fd, struct answer *answer, bool is_head, int64_t last_byte, int64_t deadline)
{
    struct arrival arrival = {.why = NULL};
    bool open = true;

    append(&arrival.text, "", 0);
    while (open && answer->status == 0 && arrival.why == NULL) {
        size_t before = arrival.text.len;
        open = read_more(fd, &arrival.text, deadline, &arrival.why);
        if (before == 0 && arrival.text.len > 0)
            answer->answered_ms = now_ms() - last_byte;
        if (arrival.why == NULL)
            take(&arrival, is_head, !open, answer);
    }
    if (answer->status == 0 && answer->why == NULL)
        answer->why = arrival.why != NULL     ? arrival.why
                      : arrival.text.len == 0 ? "the connection was closed without an answer"
                                              : "the connection was closed within the answer";
    free(arrival.text.bytes);
    free(arrival.joined.bytes);
}

struct answer *http_exchange(const char *host, const char *port, const char *bytes, size_t len, bool is_head, bool cut,
                             int64_t timeout_ms)
{
    struct answer *answer = keep(sizeof *answer);
    int64_t begin = now_ms();
    int fd = open_connection(host, port, &answer->why);

    if (fd < 0)
        return answer;
    answer->sent = send_all(fd, bytes, len, now_ms() + timeout_ms, &answer->why);
    /* A service may refuse before it has read everything: what it said counts. */
    if (!cut)
        read_answer(fd, answer, is_head, now_ms(), now_ms() + timeout_ms);
    else if (answer->sent)
        answer->why = "the probe closed the connection after the last byte";
    close(fd);
    answer->took_ms = now_ms() - begin;
    return answer;
}
