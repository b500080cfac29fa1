/* What an upload tells while it runs and at its end, noted down for a test. */
#ifndef TASKS_H
#define TASKS_H

#include "fake_service.h"

#include <us3.h>

#include <pthread.h>
#include <stdbool.h>

struct told {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int progressed, completed, progressed_after_completion, at_once, most_at_once;
    us3_progress last;
    us3_task *task;      /* the one that on_complete was given */
    int32_t status;      /* of its result */
    bool cancel, closed; /* on_progress cancels; on_complete waits until it is opened */
};

#define TOLD_INIT {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER}

/* For the request, with a struct told as user_data. */
int32_t tell_progress(const us3_progress *progress, void *told);
void tell_complete(us3_task *task, const us3_result *result, void *told);
/* How often on_complete and on_progress were called so far. */
int completed_so_far(struct told *told);
int progressed_so_far(struct told *told);
/* Waits until on_complete was called so often. */
void told_complete(struct told *told, int times);
/* Waits until on_complete is being called so often at once, which needs `closed`. */
void told_at_once(struct told *told, int times);
void told_open(struct told *told);

/* A request for these bytes, with both callbacks. */
us3_upload_request request_for(const char *key, const void *data, size_t len, struct told *told);
/* The test ends when it cannot be started. */
us3_task *start(us3_client *client, const us3_upload_request *request);
/* Whether its descriptor polls readable within this time. */
bool task_is_readable(us3_task *task, int timeout_ms);
/* A service that takes requests of this kind, and does not answer until fake_release. */
fake_service *stalling_service(enum fake_call call);

#endif
