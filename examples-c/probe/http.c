/* One plain HTTP request on a connection of its own: see http.h. */
#define _POSIX_C_SOURCE 200809L

#include "http.h"
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

enum { CONNECT_TIMEOUT_MS = 10000, TICK_MS = 50, MAX_ANSWER = 1 << 20 };

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
        *why = "the answer is larger than 1 MiB";
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

/* Undoes the chunks of a body; false while the last one is not there. */
static bool join_chunks(const char *bytes, size_t len, struct text *body)
{
    const char *at = bytes, *end = bytes + len;

    for (;;) {
        const char *line = memchr(at, '\n', (size_t)(end - at));
        size_t size = line == NULL ? 0 : strtoul(at, NULL, 16);
        if (line == NULL || size + 2 > (size_t)(end - line - 1))
            return false;
        if (size == 0)
            return true;
        append(body, line + 1, size);
        at = line + 1 + size + 2;
    }
}

/* The body, once all of it is in `text`; NULL before. `ended`: nothing more will come. */
static const char *whole_body(const char *head, const struct text *text, size_t begin, bool ended, size_t *len)
{
    char *length = header_of(head, "Content-Length"), *coding = header_of(head, "Transfer-Encoding");
    struct text body = {0};

    *len = text->len - begin;
    if (coding != NULL) {
        bool whole = join_chunks(text->bytes + begin, *len, &body);
        *len = body.len;
        const char *joined = kept(&body);
        return whole ? joined : NULL;
    }
    if (length == NULL)
        return ended ? say_part(text->bytes + begin, *len) : NULL;
    if (*len < strtoul(length, NULL, 10))
        return NULL;
    *len = strtoul(length, NULL, 10);
    return say_part(text->bytes + begin, *len);
}

/* Where the head of the final answer begins, behind those that only say "go on"; NULL while it is not whole. */
static const char *final_head(const char *bytes)
{
    const char *end;

    while ((end = strstr(bytes, "\r\n\r\n")) != NULL && strncmp(bytes, "HTTP/1.1 1", 10) == 0)
        bytes = end + 4;
    return end == NULL ? NULL : bytes;
}

static void read_answer(int fd, struct answer *answer, bool is_head, int64_t last_byte, int64_t deadline)
{
    struct text text = {0};
    const char *head = NULL;
    bool open = true;

    append(&text, "", 0);
    while (answer->status == 0) {
        size_t before = text.len;
        if (!open)
            break;
        open = read_more(fd, &text, deadline, &answer->why);
        if (before == 0 && text.len > 0)
            answer->answered_ms = now_ms() - last_byte;
        head = final_head(text.bytes);
        if (head == NULL)
            continue;
        size_t begin = (size_t)(strstr(head, "\r\n\r\n") + 4 - text.bytes);
        const char *copy = say_part(head, (size_t)(text.bytes + begin - 2 - head));
        int status = strncmp(copy, "HTTP/1.", 7) == 0 ? atoi(copy + 9) : 0;
        if (status == 0) {
            answer->why = say("what came is no HTTP: %.100s", copy);
            break;
        }
        answer->head = copy;
        answer->body = is_head || status == 204 || status == 304
                           ? say_part("", 0)
                           : whole_body(copy, &text, begin, !open && answer->why == NULL, &answer->body_len);
        if (answer->body != NULL)
            answer->status = status;
    }
    if (answer->status == 0 && answer->why == NULL)
        answer->why = text.len == 0 ? "the connection was closed without an answer"
                                    : "the connection was closed within the answer";
    free(text.bytes);
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
