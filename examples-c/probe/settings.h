/* What the probe needs to know of a configuration that the library has accepted. */
#ifndef PROBE_SETTINGS_H
#define PROBE_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

struct settings {
    const char *public_key, *private_key, *security_token, *bucket;
    /* Where requests go: host and port, and whether the bucket is put before the host. */
    const char *host, *port;
    bool bucket_in_host;
    /* Why a plain HTTP request by hand cannot get there; NULL if it can. */
    const char *no_requests_by_hand;
    int64_t response_timeout_ms;
};

/* Reads the file; NULL, and a message, if that fails. */
struct settings *settings_read(const char *path);

#endif
