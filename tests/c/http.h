/* A minimal HTTP client over sockets: how the tests ask the emulator what it stored and saw. */
#ifndef HTTP_H
#define HTTP_H

#include <stddef.h>

struct http_reply {
    int status;
    /* Status line and headers, a string. */
    char *head;
    /* The body; a NUL stands behind it. */
    char *body;
    size_t body_len;
};

/* A connection to the host and port of an http:// URL with a port. */
int http_connect(const char *url);
/* A request without a body to an http:// URL with a port. `headers` end with "\r\n" each. The test
 * ends when there is no answer. */
struct http_reply http_request(const char *method, const char *url, const char *headers);
/* The value of a header, in the arena; NULL without one. */
char *http_header(const struct http_reply *reply, const char *name);
/* A POST with a body, likewise. */
struct http_reply http_post(const char *url, const char *body);
void http_reply_free(struct http_reply *reply);

/* Percent-encodes everything but letters, digits and "-_.~/"; in the arena. */
char *url_encode(const char *text);
/* http://127.0.0.1:port of a port at which nobody listens, nor will while the test runs. */
char *refusing_url(void);

#endif
