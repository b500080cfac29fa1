/* The trials: one or more for each assumption. */
#ifndef PROBE_TRIALS_H
#define PROBE_TRIALS_H

#include "listener.h"
#include "settings.h"

#include <stdbool.h>

struct trials {
    const struct settings *settings;
    /* Where US3 reaches the probe's callback service, without the last segment; NULL: nowhere. */
    const char *callback;
    /* Where nobody is reached. */
    const char *dead_callback;
    /* A bucket that does not exist. */
    const char *missing_bucket;
    /* F of A2. */
    long bound_ms;
};

/* What the callback service does before it answers. */
look_fn look_within_callback(void);

/* Tries everything, until the user asks to stop. False when the service cannot be used at all. */
bool try_everything(const struct trials *trials);

#endif
