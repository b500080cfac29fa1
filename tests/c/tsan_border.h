/* The border between the tests and the library, for ThreadSanitizer: stands in for what it wraps.
 *
 * The library is not compiled for ThreadSanitizer, which therefore does not see by what its threads agree.
 * This tells it what us3.h promises, and no more: what was written before an upload is started is there for
 * its callbacks; what a callback wrote is there for the next callback of the same upload, and for whoever has
 * waited. Callbacks of one upload that run at the same time, or after its end, are races as before. */
#ifndef TSAN_BORDER_H
#define TSAN_BORDER_H

#include <us3.h>

#include <stdlib.h>

void __tsan_acquire(void *address);
void __tsan_release(void *address);

/* One upload: what the test gave, behind what the library is given. */
struct border {
    us3_progress_fn on_progress;
    us3_complete_fn on_complete;
    us3_read_fn read;
    void *user_data, *read_user_data;
};

/* Whoever waits joins what any callback has written. */
static inline void *border_end(void)
{
    return (void *)(uintptr_t)us3_task_wait;
}

static inline void border_waited(void)
{
    __tsan_acquire(border_end());
}

static inline void border_enter(struct border *upload)
{
    __tsan_acquire(upload);
}

static inline void border_leave(struct border *upload)
{
    __tsan_release(upload);
    __tsan_release(border_end());
}

static inline int32_t border_on_progress(const us3_progress *progress, void *user_data)
{
    struct border *upload = user_data;
    border_enter(upload);
    int32_t answer = upload->on_progress(progress, upload->user_data);
    border_leave(upload);
    return answer;
}

static inline int64_t border_read(void *user_data, void *buffer, size_t capacity)
{
    struct border *upload = user_data;
    border_enter(upload);
    int64_t answer = upload->read(upload->read_user_data, buffer, capacity);
    border_leave(upload);
    return answer;
}

/* The last of an upload. */
static inline void border_on_complete(us3_task *task, const us3_result *result, void *user_data)
{
    struct border *upload = user_data;
    border_enter(upload);
    if (upload->on_complete)
        upload->on_complete(task, result, upload->user_data);
    border_leave(upload);
    free(upload);
}

/* Anything but a whole request of today goes to the library as it is. */
static inline struct border *border_of(const us3_upload_request *request, us3_upload_request *ours)
{
    if (!request || request->struct_size != sizeof(*request))
        return NULL;
    struct border *upload = malloc(sizeof(*upload));
    *upload = (struct border){request->on_progress, request->on_complete, request->read,
                              request->user_data, request->read_user_data};
    *ours = *request;
    ours->on_progress = request->on_progress ? border_on_progress : NULL;
    ours->on_complete = border_on_complete;
    ours->read = request->read ? border_read : NULL;
    ours->user_data = upload;
    ours->read_user_data = upload;
    __tsan_release(upload);
    return upload;
}

static inline int32_t border_upload(us3_client *client, const us3_upload_request *request,
                                    us3_result *result)
{
    us3_upload_request ours;
    struct border *upload = border_of(request, &ours);
    int32_t status = us3_upload(client, upload ? &ours : request, result);
    border_waited();
    return status;
}

static inline int32_t border_upload_start(us3_client *client, const us3_upload_request *request,
                                          us3_task **task, us3_result *result)
{
    us3_upload_request ours;
    struct border *upload = border_of(request, &ours);
    return us3_upload_start(client, upload ? &ours : request, task, result);
}

static inline int32_t border_task_wait(us3_task *task, int64_t timeout_ms, us3_result *result)
{
    int32_t status = us3_task_wait(task, timeout_ms, result);
    if (status != US3_PENDING)
        border_waited();
    return status;
}

static inline void border_task_free(us3_task *task)
{
    us3_task_free(task);
    border_waited();
}

static inline void border_client_free(us3_client *client)
{
    us3_client_free(client);
    border_waited();
}

static inline int32_t border_delete_file(us3_client *client, const char *key, us3_result *result)
{
    int32_t status = us3_delete_file(client, key, result);
    border_waited();
    return status;
}

/* The logger: called by several threads at once, which know what was there before it was set. */
struct border_logger {
    us3_log_fn log;
    void *user_data;
};

static inline void border_log(int32_t level, const char *line, void *user_data)
{
    struct border_logger *logger = user_data;
    __tsan_acquire(logger);
    logger->log(level, line, logger->user_data);
    __tsan_release(border_end());
}

/* Never freed: the library alone knows when the last call with it ends. */
static inline int32_t border_set_logger(int32_t level, us3_log_fn log, void *user_data)
{
    struct border_logger *logger = malloc(sizeof(*logger));
    *logger = (struct border_logger){log, user_data};
    __tsan_release(logger);
    int32_t status = us3_set_logger(level, log ? border_log : NULL, logger);
    border_waited();
    return status;
}

#define us3_upload border_upload
#define us3_upload_start border_upload_start
#define us3_task_wait border_task_wait
#define us3_task_free border_task_free
#define us3_client_free border_client_free
#define us3_delete_file border_delete_file
#define us3_set_logger border_set_logger

#endif
