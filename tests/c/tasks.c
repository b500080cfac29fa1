/* The notes of tasks.h. */
#define _POSIX_C_SOURCE 200809L

#include "tasks.h"
#include "support.h"

#include <poll.h>

int32_t tell_progress(const us3_progress *progress, void *user_data)
{
    struct told *told = user_data;
    bool cancel;

    pthread_mutex_lock(&told->lock);
    told->progressed++;
    told->progressed_after_completion += told->completed > 0;
    told->last = *progress;
    cancel = told->cancel;
    pthread_mutex_unlock(&told->lock);
    return cancel;
}

void tell_complete(us3_task *task, const us3_result *result, void *user_data)
{
    struct told *told = user_data;

    pthread_mutex_lock(&told->lock);
    told->task = task;
    told->status = result->status;
    told->at_once++;
    if (told->at_once > told->most_at_once)
        told->most_at_once = told->at_once;
    pthread_cond_broadcast(&told->changed);
    while (told->closed)
        pthread_cond_wait(&told->changed, &told->lock);
    told->at_once--;
    told->completed++;
    pthread_cond_broadcast(&told->changed);
    pthread_mutex_unlock(&told->lock);
}

static int so_far(struct told *told, const int *number)
{
    int now;

    pthread_mutex_lock(&told->lock);
    now = *number;
    pthread_mutex_unlock(&told->lock);
    return now;
}

int completed_so_far(struct told *told)
{
    return so_far(told, &told->completed);
}

int progressed_so_far(struct told *told)
{
    return so_far(told, &told->progressed);
}

static void wait_for(struct told *told, const int *number, int times)
{
    pthread_mutex_lock(&told->lock);
    while (*number < times)
        pthread_cond_wait(&told->changed, &told->lock);
    pthread_mutex_unlock(&told->lock);
}

void told_complete(struct told *told, int times)
{
    wait_for(told, &told->completed, times);
}

void told_at_once(struct told *told, int times)
{
    wait_for(told, &told->at_once, times);
}

void told_open(struct told *told)
{
    pthread_mutex_lock(&told->lock);
    told->closed = false;
    pthread_cond_broadcast(&told->changed);
    pthread_mutex_unlock(&told->lock);
}

us3_upload_request request_for(const char *key, const void *data, size_t len, struct told *told)
{
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;

    request.key = key;
    request.data = data;
    request.data_len = len;
    request.on_progress = tell_progress;
    request.on_complete = tell_complete;
    request.user_data = told;
    return request;
}

us3_task *start(us3_client *client, const us3_upload_request *request)
{
    us3_result result = US3_RESULT_INIT;
    us3_task *task = NULL;

    CHECK_STATUS(US3_OK, us3_upload_start(client, request, &task, &result), &result);
    REQUIRE(task != NULL);
    us3_result_clear(&result);
    return task;
}

bool task_is_readable(us3_task *task, int timeout_ms)
{
    struct pollfd poller = {.fd = us3_task_fd(task), .events = POLLIN};

    REQUIRE(poller.fd >= 0);
    return poll(&poller, 1, timeout_ms) == 1 && (poller.revents & POLLIN) != 0;
}

fake_service *stalling_service(enum fake_call call)
{
    fake_service *fake = fake_start();

    fake_set(fake, call, FAKE_STALL);
    return fake;
}
