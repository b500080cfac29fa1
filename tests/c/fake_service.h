/* A hand-made service that answers what a test tells it: a US3 with faults, or a callback service.
 *
 * It reads each request to its end, finds out which call it is, and sends the answer set for that
 * call, byte for byte. It runs on threads of the test's own process.
 */
#ifndef FAKE_SERVICE_H
#define FAKE_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

enum fake_call {
    FAKE_PUT,
    FAKE_INITIATE,
    FAKE_PART,
    FAKE_FINISH,
    FAKE_ABORT,
    FAKE_HEAD,
    FAKE_DELETE,
    FAKE_OTHER, /* a callback's POST among them */
    FAKE_CALLS
};

/* Answers that are no text. */
extern const char FAKE_CLOSE[];           /* the connection closes, nothing is sent */
extern const char FAKE_RESET[];           /* with the request half read, the connection is closed and reset */
extern const char FAKE_STALL[];           /* nothing, until fake_release or fake_stop */
extern const char FAKE_ENDLESS_HEADERS[]; /* 1 GiB of header lines */
extern const char FAKE_ENDLESS_LINE[];    /* one header line of 1 GiB */
extern const char FAKE_ENDLESS_BODY[];    /* 200, and a body of 1 GiB */
extern const char FAKE_ENDLESS_ERROR[];   /* 400, and a chunked body without end */

typedef struct fake_service fake_service;

/* Every call has a good answer until it is given another. The ETag of all is "fake". */
fake_service *fake_start(void);
/* Ends the listener and every connection, and waits for them. */
void fake_stop(fake_service *);
/* http://127.0.0.1:port */
const char *fake_url(const fake_service *);
/* `answer` must outlive the service. */
void fake_set(fake_service *, enum fake_call, const char *answer);
/* Sends the calls that stall their good answers, and those that come later. */
void fake_release(fake_service *);
/* Accepts connections and closes them at once. */
void fake_hang_up(fake_service *);
/* Parts are answered only once `count` of them wait together, or with an error after 20 s. */
void fake_hold_parts(fake_service *, int count);

/* Requests seen. */
int fake_count(fake_service *, enum fake_call);
int fake_count_all(fake_service *);

struct fake_seen {
    /* Connections accepted. */
    int connections;
    /* The most parts that were under way at the same time. */
    int most_parts;
    /* Whether some part waited in vain for as many others as fake_hold_parts asked for. */
    bool waited_in_vain;
    /* Bytes sent in answers. */
    uint64_t bytes_sent;
};
struct fake_seen fake_seen(fake_service *);

/* The head of the last request of this kind, in the arena; NULL without one. */
char *fake_last_head(fake_service *, enum fake_call);
/* Its body as a string, likewise; at most 64 KiB of it is kept. */
char *fake_last_body(fake_service *, enum fake_call);

/* A whole answer, with its Content-Length, in the arena. `headers` end with "\r\n" each, or are "". */
char *fake_answer(int http_status, const char *headers, const char *body);

#endif
