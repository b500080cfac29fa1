/* A callback service: what US3 calls once an object is stored.
 *
 *   callback_service [--listen ADDRESS:PORT]        default 127.0.0.1:0, any free port
 *
 * It prints one line with its URL when it is ready, then one line of JSON for each callback, and
 * answers each callback with that same JSON. US3 hands the answer on to the uploader, whose
 * us3_result holds it in `body`. Two rules make an answer acceptable to US3: the Content-Type is
 * application/json, and the body is JSON. Breaking either is RetCode 20008 at the uploader.
 *
 * A put policy with callbackBodyType arrives as a POST with a body of that type; one without it
 * arrives as a POST whose URL query is the callbackBody. This program shows both as they came.
 *
 * C99 and POSIX sockets, one callback at a time: enough for a demonstration and for tests. A
 * production service would check who calls, and stand behind TLS.
 */
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* macOS: no such flag; a caller that hangs up ends this program there */
#endif

enum { MAX_REQUEST = 1 << 20, READ_TIMEOUT_S = 10 };

/* A callback, cut out of the request's own bytes. */
struct callback {
    const char *method, *path, *query, *content_type;
    const char *body;
    size_t body_len;
};

/* A string that grows. */
struct text {
    char *bytes;
    size_t len, capacity;
};

static void fail(const char *what)
{
    fprintf(stderr, "callback_service: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- JSON ------------------------------------------------------------------------------- */

static void append(struct text *text, const char *bytes, size_t len)
{
    if (text->len + len + 1 > text->capacity) {
        text->capacity = 2 * (text->len + len + 1);
        text->bytes = realloc(text->bytes, text->capacity);
        if (text->bytes == NULL)
            fail("memory");
    }
    memcpy(text->bytes + text->len, bytes, len);
    text->len += len;
    text->bytes[text->len] = '\0';
}

static void append_str(struct text *text, const char *str)
{
    append(text, str, strlen(str));
}

/* How many bytes the UTF-8 character at `s` has; 0 when it is none. */
static size_t utf8_len(const unsigned char *s, size_t len)
{
    size_t want = s[0] < 0x80 ? 1 : s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    unsigned long point = want == 1 ? s[0] : s[0] & (0x7Fu >> want);
    static const unsigned long smallest[] = {0, 0, 0x80, 0x800, 0x10000};

    if (want > len || (s[0] >= 0x80 && s[0] < 0xC2) || s[0] > 0xF4)
        return 0;
    for (size_t i = 1; i < want; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
        point = point << 6 | (s[i] & 0x3Fu);
    }
    if (point < smallest[want] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
        return 0;
    return want;
}

/* Appends a JSON string. Bytes that are no UTF-8 are shown as the Latin-1 characters they may be. */
static void append_json(struct text *text, const char *str, size_t len)
{
    const unsigned char *s = (const unsigned char *)str;
    char escaped[8];

    append(text, "\"", 1);
    for (size_t i = 0; i < len;) {
        size_t n = utf8_len(s + i, len - i);
        if (n == 0 || s[i] < 0x20 || s[i] == 0x7F) {
            snprintf(escaped, sizeof escaped, "\\u%04x", s[i]);
            append_str(text, escaped);
            n = 1;
        } else {
            if (s[i] == '"' || s[i] == '\\')
                append(text, "\\", 1);
            append(text, str + i, n);
        }
        i += n;
    }
    append(text, "\"", 1);
}

static void append_member(struct text *text, const char *name, const char *value, size_t len)
{
    append(text, ",", text->bytes[text->len - 1] == '{' ? 0 : 1);
    append_json(text, name, strlen(name));
    append(text, ":", 1);
    append_json(text, value, len);
}

/* {"received":{"method":…,"path":…,"query":…,"content_type":…,"body":…}} */
static void describe(const struct callback *callback, struct text *json)
{
    append_str(json, "{\"received\":{");
    append_member(json, "method", callback->method, strlen(callback->method));
    append_member(json, "path", callback->path, strlen(callback->path));
    append_member(json, "query", callback->query, strlen(callback->query));
    append_member(json, "content_type", callback->content_type, strlen(callback->content_type));
    append_member(json, "body", callback->body, callback->body_len);
    append_str(json, "}}");
}

/* ---- HTTP ------------------------------------------------------------------------------- */

/* Where a header's value begins in the request's head; NULL without one. */
static char *find_header(char *head, const char *name)
{
    size_t len = strlen(name);

    for (char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':')
            return line + len + 1 + strspn(line + len + 1, " \t");
    }
    return NULL;
}

/* Reads from the connection until `text` holds `want` bytes, or a whole head when `want` is 0. */
static bool read_until(int connection, struct text *text, size_t want)
{
    char chunk[16384];

    while (want == 0 ? strstr(text->bytes, "\r\n\r\n") == NULL : text->len < want) {
        ssize_t n = recv(connection, chunk, sizeof chunk, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || text->len + (size_t)n > MAX_REQUEST)
            return false;
        append(text, chunk, (size_t)n);
    }
    return true;
}

static void send_all(int connection, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(connection, bytes, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* the caller hung up; there is nobody left to tell */
        bytes += n;
        len -= (size_t)n;
    }
}

static void answer(int connection, const char *status, const struct text *json)
{
    char head[256];
    int len = snprintf(head, sizeof head,
                       "HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
                       "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                       status, json->len);

    send_all(connection, head, (size_t)len);
    send_all(connection, json->bytes, json->len);
}

/* Cuts "POST /path?query HTTP/1.1" into its pieces. */
static bool parse_request_line(char *head, struct callback *callback)
{
    char *target = strchr(head, ' ');
    char *version = target == NULL ? NULL : strchr(target + 1, ' ');
    char *query;

    if (version == NULL)
        return false;
    *target++ = '\0';
    *version = '\0';
    query = strchr(target, '?');
    if (query != NULL)
        *query++ = '\0';
    callback->method = head;
    callback->path = target;
    callback->query = query == NULL ? "" : query;
    return true;
}

static bool read_callback(int connection, struct text *request, struct callback *callback)
{
    char *length, *type;
    size_t head_len, body_len = 0;

    append(request, "", 0);
    if (!read_until(connection, request, 0))
        return false;
    head_len = (size_t)(strstr(request->bytes, "\r\n\r\n") - request->bytes) + 4;
    request->bytes[head_len - 2] = '\0'; /* the head is a string of its own from here on */
    length = find_header(request->bytes, "Content-Length");
    if (length != NULL)
        body_len = (size_t)strtoul(length, NULL, 10);
    if (body_len > MAX_REQUEST || !read_until(connection, request, head_len + body_len))
        return false;

    /* The buffer no longer moves: now the pieces can be cut out of it. */
    callback->body = request->bytes + head_len;
    callback->body_len = body_len;
    callback->content_type = "";
    type = find_header(request->bytes, "Content-Type");
    if (type != NULL) {
        *strstr(type, "\r\n") = '\0';
        callback->content_type = type;
    }
    return parse_request_line(request->bytes, callback);
}

static void serve(int connection)
{
    struct timeval patience = {READ_TIMEOUT_S, 0};
    struct text request = {0}, json = {0};
    struct callback callback = {0};

    /* One caller at a time: a silent one must not keep the others out for ever. */
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (!read_callback(connection, &request, &callback)) {
        append_str(&json, "{\"error\":\"this is no HTTP request that a callback service expects\"}");
        answer(connection, "400 Bad Request", &json);
    } else {
        describe(&callback, &json);
        printf("%s\n", json.bytes);
        fflush(stdout);
        answer(connection, "200 OK", &json);
    }
    free(request.bytes);
    free(json.bytes);
}

/* ---- the listener ----------------------------------------------------------------------- */

static struct sockaddr_in parse_address(const char *text)
{
    struct sockaddr_in address = {0};
    const char *colon = strrchr(text, ':');
    char host[INET_ADDRSTRLEN] = "";
    long port = colon == NULL ? -1 : strtol(colon + 1, NULL, 10);

    if (colon != NULL && (size_t)(colon - text) < sizeof host)
        memcpy(host, text, (size_t)(colon - text));
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)port);
    if (port < 0 || port > 65535 || inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        fprintf(stderr, "callback_service: %s is no IPv4 address and port such as 127.0.0.1:8080\n", text);
        exit(2);
    }
    return address;
}

static int listen_on(struct sockaddr_in address)
{
    char host[INET_ADDRSTRLEN];
    socklen_t len = sizeof address;
    int yes = 1;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    if (listener < 0)
        fail("socket");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0)
        fail("bind");
    if (listen(listener, 128) != 0)
        fail("listen");
    if (getsockname(listener, (struct sockaddr *)&address, &len) != 0)
        fail("getsockname");
    inet_ntop(AF_INET, &address.sin_addr, host, sizeof host);
    printf("http://%s:%d/callback\n", host, ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int main(int argc, char **argv)
{
    const char *listen_address = "127.0.0.1:0";
    int listener;

    if (argc == 3 && strcmp(argv[1], "--listen") == 0) {
        listen_address = argv[2];
    } else if (argc != 1) {
        fprintf(stderr, "usage: callback_service [--listen ADDRESS:PORT]\n");
        return 2;
    }
    listener = listen_on(parse_address(listen_address));
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        if (connection < 0) {
            if (errno == EINTR || errno == ECONNABORTED)
                continue;
            fail("accept");
        }
        serve(connection);
        close(connection);
    }
}
