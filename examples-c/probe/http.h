/* One plain HTTP request on a connection of its own. */
#ifndef PROBE_HTTP_H
#define PROBE_HTTP_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How often the user has asked to stop. After the first time no new trial begins; after the second no answer is
 * waited for. */
extern volatile sig_atomic_t interrupts;

/* What became of a request. */
struct answer {
    /* 0: no answer; `why` says why. */
    int status;
    const char *why;
    /* The status line and headers as they came. */
    const char *head;
    /* The body, with a NUL behind it. */
    const char *body;
    size_t body_len;
    /* From the last byte of the request to the first of the answer. */
    int64_t answered_ms;
    /* From the beginning to the end of the request. */
    int64_t took_ms;
    /* Whether all of the request had left. */
    bool sent;
};

/* Milliseconds of a clock that never goes back. */
int64_t now_ms(void);
/* Waits; shorter when the user has asked to stop so often. */
void pause_ms(int64_t ms, int until_interrupts);
/* The socket is ready for `events` of poll(2) before the deadline. */
bool ready(int fd, short events, int64_t deadline);

/* Sends the bytes to http://host:port and reads the answer. `is_head`: the answer has no body. `cut`: the connection is
 * closed when all bytes have left, and no answer is read. Nothing that is returned needs to be freed. */
struct answer *http_exchange(const char *host, const char *port, const char *bytes, size_t len, bool is_head, bool cut,
                             int64_t timeout_ms);

/* The value of a header of an answer or request; NULL without one. */
char *header_of(const char *head, const char *name);

#endif
