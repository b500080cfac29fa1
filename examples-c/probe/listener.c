/* The probe's own callback service: see listener.h. One callback at a time, like examples-c/callback_service.c. */
#define _POSIX_C_SOURCE 200809L

#include "listener.h"
#include "mask.h"
#include "text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

enum { PATIENCE_MS = 5000, MAX_REQUEST = 1 << 16 };

/* What is answered in some trials; a JSON object in all others. */
static const struct reply {
    const char *name, *status, *type, *body;
} replies[] = {
    {"a3-400", "400 Bad Request", "application/json", "{\"RetCode\":-1,\"ErrMsg\":\"an error of the probe\"}"},
    {"a3-500", "500 Internal Server Error", "application/json", "{\"RetCode\":-1,\"ErrMsg\":\"an error of the probe\"}"},
    {"a6-type", "200 OK", "text/plain", "{}"},
    {"a6-json", "200 OK", "application/json", "this is no JSON"},
    {"", "200 OK", "application/json", "{\"probe\":\"callback received\"}"},
};

static int listening = -1;
static const char *path_secret;
static look_fn look_before_answering;
static pthread_t thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const struct call *calls;
static bool stopping;

static bool is_stopping(void)
{
    pthread_mutex_lock(&lock);
    bool stop = stopping;
    pthread_mutex_unlock(&lock);
    return stop;
}

/* ---- one callback ---------------------------------------------------------------------------- */

static bool receive(int fd, struct text *text, int64_t deadline)
{
    char chunk[4096];
    ssize_t n;

    if (text->len > MAX_REQUEST || !ready(fd, POLLIN, deadline))
        return false;
    n = recv(fd, chunk, sizeof chunk, 0);
    if (n > 0)
        append(text, chunk, (size_t)n);
    return n > 0;
}

/* Request line, headers and body of one request. */
static bool read_request(int fd, char **head, char **body)
{
    int64_t deadline = now_ms() + PATIENCE_MS;
    struct text text = {0};
    char *end, *length;
    size_t body_len, begin;
    bool open = true;

    append(&text, "", 0);
    while ((end = strstr(text.bytes, "\r\n\r\n")) == NULL && open)
        open = receive(fd, &text, deadline);
    if (end == NULL) {
        free(text.bytes);
        return false;
    }
    begin = (size_t)(end - text.bytes) + 4;
    *head = say_part(text.bytes, begin - 2);
    length = header_of(*head, "Content-Length");
    body_len = length == NULL ? 0 : strtoul(length, NULL, 10);
    while (open && text.len - begin < body_len)
        open = receive(fd, &text, deadline);
    *body = say_part(text.bytes + begin, text.len - begin);
    free(text.bytes);
    return open;
}

static void answer_with(int fd, const struct reply *reply)
{
    const char *bytes = say("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                            reply->status, reply->type, strlen(reply->body), reply->body);

    send(fd, bytes, strlen(bytes), MSG_NOSIGNAL);
}

/* The callback that a request is; NULL if it is somebody else's request. */
static struct call *recognise(const char *head, const char *body)
{
    size_t target_begin = strcspn(head, " "), len = strlen(path_secret);
    const char *target = head[target_begin] == ' ' ? head + target_begin + 1 : "";
    char *path = say_part(target, strcspn(target, " ?\r")), *name = strstr(path, path_secret);
    struct call *call = keep(sizeof *call);

    if (name == NULL || name[len] != '/')
        return NULL;
    target += strlen(path);
    call->name = name + len + 1;
    call->query = *target == '?' ? say_part(target + 1, strcspn(target + 1, " \r")) : "";
    call->head = head;
    call->body = body;
    return call;
}

static void serve(int fd)
{
    static const struct reply foreign = {"", "404 Not Found", "text/plain", "this is the callback service of a probe\n"};
    const struct reply *reply = replies;
    char *head, *body;
    struct call *call;

    if (!read_request(fd, &head, &body))
        return;
    call = recognise(head, body);
    if (call == NULL) {
        answer_with(fd, &foreign);
        return;
    }
    call->looked = look_before_answering(call->name);
    pthread_mutex_lock(&lock);
    call->earlier = calls;
    calls = call;
    pthread_mutex_unlock(&lock);
    while (*reply->name != '\0' && strcmp(reply->name, call->name) != 0)
        reply++;
    answer_with(fd, reply);
}

static void *serve_all(void *nothing)
{
    while (!is_stopping()) {
        /* A short wait: the end of the probe is noticed between two of them. */
        if (!ready(listening, POLLIN, now_ms() + 100))
            continue;
        int fd = accept(listening, NULL, NULL);
        if (fd >= 0) {
            serve(fd);
            close(fd);
        }
    }
    return nothing;
}

/* ---- the listener ---------------------------------------------------------------------------- */

static bool listen_on(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    const char *colon = strrchr(text, ':');
    long port = colon == NULL ? -1 : strtol(colon + 1, NULL, 10);
    const char *host = colon == NULL ? "" : say_part(text, (size_t)(colon - text));
    int yes = 1;

    address.sin_port = htons((unsigned short)port);
    if (port < 0 || port > 65535 || inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        tell("--listen %s: write an IPv4 address and a port, such as 0.0.0.0:8000", text);
        return false;
    }
    listening = socket(AF_INET, SOCK_STREAM, 0);
    if (listening >= 0)
        setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (listening >= 0 && bind(listening, (struct sockaddr *)&address, sizeof address) == 0 && listen(listening, 16) == 0)
        return true;
    tell("--listen %s: %s", text, strerror(errno));
    return false;
}

/* Signals of the user are for the main thread. */
static bool start_thread(void)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, NULL, serve_all, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        tell("a thread cannot be started: %s", strerror(error));
    return error == 0;
}

char *listener_open(const char *address, const char *secret, look_fn look)
{
    struct sockaddr_in bound;
    socklen_t len = sizeof bound;
    char host[INET_ADDRSTRLEN];

    path_secret = secret;
    look_before_answering = look;
    if (!listen_on(address) || getsockname(listening, (struct sockaddr *)&bound, &len) != 0 || !start_thread()) {
        if (listening >= 0)
            close(listening);
        listening = -1;
        return NULL;
    }
    inet_ntop(AF_INET, &bound.sin_addr, host, sizeof host);
    return say("http://%s:%d", host, ntohs(bound.sin_port));
}

const struct call *last_call(const char *name)
{
    pthread_mutex_lock(&lock);
    const struct call *call = calls;
    pthread_mutex_unlock(&lock);
    while (call != NULL && strcmp(call->name, name) != 0)
        call = call->earlier;
    return call;
}

int calls_of(const char *name)
{
    int count = 0;

    pthread_mutex_lock(&lock);
    for (const struct call *call = calls; call != NULL; call = call->earlier)
        count += strcmp(call->name, name) == 0;
    pthread_mutex_unlock(&lock);
    return count;
}

void listener_close(void)
{
    if (listening < 0)
        return;
    pthread_mutex_lock(&lock);
    stopping = true;
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
    close(listening);
}
