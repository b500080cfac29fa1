/* The probe's own callback service: it writes down what US3 sends, and answers as the trial wants it. */
#ifndef PROBE_LISTENER_H
#define PROBE_LISTENER_H

#include "http.h"

/* A callback that came. */
struct call {
    /* The trial it was for: the last segment of the path. */
    const char *name;
    const char *query;
    /* Request line and headers, and the body. */
    const char *head, *body;
    /* What `look` saw before the callback was answered. */
    const struct answer *looked;
    const struct call *earlier;
};

/* Called before the callback of a trial is answered, on the listener's thread. */
typedef const struct answer *(*look_fn)(const char *name);

/* Listens on ADDRESS:PORT; callbacks have a path that ends in /SECRET/NAME, others are answered 404. NULL and a message
 * if that fails; else "http://ADDRESS:PORT". */
char *listener_open(const char *address, const char *secret, look_fn look);
/* How many callbacks of a trial came, and the last of them. */
int calls_of(const char *name);
const struct call *last_call(const char *name);
void listener_close(void);

#endif
