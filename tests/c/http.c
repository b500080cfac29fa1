/* The HTTP client of http.h: one request on one connection, which the server closes. */
#define _POSIX_C_SOURCE 200809L

#include "http.h"
#include "check.h"
#include "support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

int http_connect(const char *url)
{
    struct sockaddr_in address = {0};
    char host[64];
    int port, fd;

    REQUIRE(sscanf(url, "http://%63[^:/]:%d", host, &port) == 2);
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)port);
    REQUIRE(inet_pton(AF_INET, host, &address.sin_addr) == 1);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(fd >= 0);
    REQUIRE(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

static char *read_all(int fd, size_t *len)
{
    size_t capacity = 64 * KIB;
    char *bytes = malloc(capacity);
    ssize_t n;

    REQUIRE(bytes != NULL);
    *len = 0;
    while ((n = recv(fd, bytes + *len, capacity - *len - 1, 0)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        REQUIRE(n > 0);
        *len += (size_t)n;
        if (capacity - *len < 2) {
            capacity *= 2;
            bytes = realloc(bytes, capacity);
            REQUIRE(bytes != NULL);
        }
    }
    bytes[*len] = '\0';
    return bytes;
}

/* Undoes the chunks, in place. */
static void join_chunks(struct http_reply *reply)
{
    char *from = reply->body, *to = reply->body, *after;
    size_t size;

    while ((size = strtoul(from, &after, 16)) > 0) {
        from = after + strcspn(after, "\n") + 1;
        memmove(to, from, size);
        to += size;
        from += size + 2;
    }
    *to = '\0';
    reply->body_len = (size_t)(to - reply->body);
}

static struct http_reply http_send(const char *method, const char *url, const char *headers, const char *sent)
{
    struct http_reply reply = {0};
    char *request, *bytes, *end, *coding;
    const char *host = url + strlen("http://");
    int host_len = (int)strcspn(host, "/");
    size_t len;
    int fd = http_connect(url);

    request = format("%s %s HTTP/1.1\r\nHost: %.*s\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n%s", method,
                     host[host_len] == '\0' ? "/" : host + host_len, host_len, host, strlen(sent), headers, sent);
    REQUIRE(send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request));
    bytes = read_all(fd, &len);
    close(fd);
    if (sscanf(bytes, "HTTP/1.1 %d", &reply.status) != 1)
        check_fail(__FILE__, __LINE__, "%s %s was answered with %zu bytes: %.200s", method, url, len, bytes);
    REQUIRE(reply.status != 0);
    end = strstr(bytes, "\r\n\r\n");
    REQUIRE(end != NULL);
    *end = '\0';
    reply.head = bytes;
    reply.body = end + 4;
    reply.body_len = len - (size_t)(reply.body - bytes);
    coding = http_header(&reply, "Transfer-Encoding");
    if (coding != NULL)
        join_chunks(&reply);
    return reply;
}

struct http_reply http_request(const char *method, const char *url, const char *headers)
{
    return http_send(method, url, headers, "");
}

struct http_reply http_post(const char *url, const char *body)
{
    return http_send("POST", url, "", body);
}

char *http_header(const struct http_reply *reply, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = strstr(reply->head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, len) == 0 && line[2 + len] == ':') {
            const char *value = line + 3 + len + strspn(line + 3 + len, " ");
            return format("%.*s", (int)strcspn(value, "\r"), value);
        }
    return NULL;
}

void http_reply_free(struct http_reply *reply)
{
    free(reply->head); /* the body is behind it */
    memset(reply, 0, sizeof *reply);
}

char *url_encode(const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~/";
    char *url = arena_alloc(3 * strlen(text) + 1);
    char *to = url;

    for (; *text != '\0'; text++) {
        if (strchr(plain, *text) != NULL)
            *to++ = *text;
        else
            to += sprintf(to, "%%%02X", (unsigned)(unsigned char)*text);
    }
    *to = '\0';
    return url;
}

char *refusing_url(void)
{
    struct sockaddr_in address = {0};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    /* Bound, but nobody listens: connections are refused. The descriptor stays open with the test. */
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0);
    REQUIRE(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    return format("http://127.0.0.1:%d", ntohs(address.sin_port));
}
