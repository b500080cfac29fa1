/* Requests to the service, and what they may have left in the bucket. */
#ifndef PROBE_BUCKET_H
#define PROBE_BUCKET_H

#include "http.h"
#include "settings.h"

#include <us3.h>

/* A request by hand. All members but the method and the key may be left out. */
struct request {
    const char *method, *key, *query;
    /* "Name: value\r\n", again and again. */
    const char *headers;
    const char *content_md5;
    const char *body;
    /* As it is sent: nothing is checked or compacted. */
    const char *policy;
    /* Others than those of the configuration. */
    const char *bucket, *private_key;
    /* Leave when all bytes have left, without waiting for the answer. */
    bool cut;
};

/* Once, before everything else here. Keys begin with `prefix`; a request is waited for
 * somewhat longer than `bound_ms`, F of A2. */
void bucket_use(const struct settings *settings, us3_client *client, const char *prefix, int64_t bound_ms);

/* A key of the probe's own. The object is deleted at the end. */
const char *new_key(const char *name);
/* The content of the object: small, and not the same for two keys. */
const char *content_of(const char *key);

/* Sends a request and writes it down in a row of the report. */
const struct answer *send_request(int row, const char *what, const struct request *request);
/* PutFile and HeadFile: by hand or, where that is not possible, with libus3, which shows no headers. */
const struct answer *put(int row, const char *what, const char *key, const char *policy);
const struct answer *head(int row, const char *what, const char *key);

/* The upload is aborted at the end unless it is gone. */
void track_upload(const char *key, const char *upload_id);
/* An object whose request ended without an answer was seen: nothing more will come. */
void settled(const char *key);

/* Deletes and aborts. What may still come, because nobody knows what became of its request, is waited for until F has
 * passed, or the user asks to stop for the second time. Says in one sentence what was done, and whether nothing is left. */
bool bucket_clean_up(char **said);

#endif
