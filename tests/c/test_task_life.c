/* Tasks and clients freed in any order, what callbacks may call, and a fork with a task. */
#define _POSIX_C_SOURCE 200809L

#include "support.h"
#include "tasks.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct link {
    us3_client *client;
    struct told *told;
};

/* ---- freeing --------------------------------------------------------------------------------- */

struct waiter {
    pthread_t thread;
    us3_task *task;
    pthread_barrier_t *waiting;
};

static void *wait_for_the_end(void *arg)
{
    struct waiter *waiter = arg;

    /* A short wait, so that every thread has used the task before it is freed. */
    CHECK_INT(US3_PENDING, us3_task_wait(waiter->task, 0, NULL));
    pthread_barrier_wait(waiter->waiting);
    CHECK_INT(US3_OK, us3_task_wait(waiter->task, -1, NULL));
    return NULL;
}

static void *release_soon(void *arg)
{
    struct timespec soon = {0, 200000000};

    nanosleep(&soon, NULL);
    fake_release(arg);
    return NULL;
}

static void freed_while_others_wait(void)
{
    enum { WAITERS = 8 };
    fake_service *fake = stalling_service(FAKE_PUT);
    us3_client *client = fake_client(fake);
    struct told told = TOLD_INIT;
    us3_upload_request request = request_for("k", "x", 1, &told);
    struct timespec moment = {0, 100000000};
    struct waiter waiters[WAITERS];
    pthread_barrier_t waiting;
    pthread_t releaser;
    us3_task *task = start(client, &request);

    pthread_barrier_init(&waiting, NULL, WAITERS + 1);
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (struct waiter){.task = task, .waiting = &waiting};
        REQUIRE(pthread_create(&waiters[i].thread, NULL, wait_for_the_end, &waiters[i]) == 0);
    }
    pthread_barrier_wait(&waiting);
    nanosleep(&moment, NULL); /* until they are within the call */
    REQUIRE(pthread_create(&releaser, NULL, release_soon, fake) == 0);
    us3_task_free(task);
    CHECK_INT(1, told.completed);
    CHECK(told.task == NULL); /* it was being freed */
    for (int i = 0; i < WAITERS; i++)
        pthread_join(waiters[i].thread, NULL);
    pthread_join(releaser, NULL);
    us3_client_free(client);
    fake_stop(fake);
}

static void freeing_the_client_waits_for_its_uploads(void)
{
    enum { TASKS = 10 };
    fake_service *fake = stalling_service(FAKE_PUT);
    us3_client *client = fake_client(fake);
    struct told told = TOLD_INIT;
    us3_upload_request request = request_for("k", "x", 1, &told);
    us3_task *tasks[TASKS];
    pthread_t releaser;

    for (int i = 0; i < TASKS; i++)
        tasks[i] = start(client, &request);
    REQUIRE(pthread_create(&releaser, NULL, release_soon, fake) == 0);
    us3_client_free(client);
    CHECK_INT(TASKS, told.completed);
    for (int i = 0; i < TASKS; i++) {
        CHECK_INT(US3_OK, us3_task_wait(tasks[i], -1, NULL));
        CHECK(task_is_readable(tasks[i], 0));
        us3_task_free(tasks[i]);
    }
    pthread_join(releaser, NULL);
    fake_stop(fake);
}

/* A host that is in a hurry. */
static void cancelled_uploads_let_the_client_go(void)
{
    enum { TASKS = 50 };
    fake_service *fake = stalling_service(FAKE_PUT);
    us3_client *client = fake_client(fake);
    struct told told = TOLD_INIT;
    us3_upload_request request = request_for("k", "x", 1, &told);
    us3_task *tasks[TASKS];

    for (int i = 0; i < TASKS; i++)
        tasks[i] = start(client, &request);
    for (int i = 0; i < TASKS; i++)
        us3_task_cancel(tasks[i]);
    us3_client_free(client);
    CHECK_INT(TASKS, told.completed);
    for (int i = 0; i < TASKS; i++) {
        CHECK_INT(US3_CANCELLED, us3_task_wait(tasks[i], -1, NULL));
        us3_task_free(tasks[i]);
    }
    fake_stop(fake);
}

static void free_the_client(us3_task *task, const us3_result *result, void *user_data)
{
    struct link *link = user_data;

    us3_task_free(task);
    us3_client_free(link->client);
    tell_complete(task, result, link->told);
}

/* A callback cannot wait for the end of its own thread: somebody else ends what is left. */
static void a_callback_frees_its_client(void)
{
    fake_service *fake = stalling_service(FAKE_PUT);
    struct told told = TOLD_INIT, other = TOLD_INIT;
    int threads = running_threads();
    us3_client *client = fake_client(fake), *second = emulator_client();
    struct link link = {client, &told}, across = {second, &told};
    us3_upload_request request = request_for("k", "x", 1, &other);
    us3_task *task = start(client, &request);

    request.on_complete = free_the_client;
    request.user_data = &link;
    request.on_progress = NULL;
    request.mode = US3_MODE_MPUT; /* is not held up */
    start(client, &request);
    told_complete(&told, 1);
    CHECK_INT(0, completed_so_far(&other));
    /* The same for the client of somebody else. */
    request.user_data = &across;
    start(second, &request);
    told_complete(&told, 2);
    /* The other upload goes on to its end. */
    fake_release(fake);
    CHECK_INT(US3_OK, us3_task_wait(task, -1, NULL));
    us3_task_free(task);
    CHECK_INT(1, other.completed);
    /* And all that is left of the two clients ends. */
    fake_stop(fake);
    await_threads(threads - 1);
}

/* ---- freed in a callback, before on_complete or while it runs ------------------------------------ */

/* An upload whose handle a callback frees. */
struct freed {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    us3_task *task;
    bool freed, completing, told_null;
    struct told *told;
};

#define FREED_INIT(notes) \
    {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .told = (notes)}

static void note(struct freed *freed, bool *what)
{
    pthread_mutex_lock(&freed->lock);
    *what = true;
    pthread_cond_broadcast(&freed->changed);
    pthread_mutex_unlock(&freed->lock);
}

static void await(struct freed *freed, const bool *what)
{
    pthread_mutex_lock(&freed->lock);
    while (!*what)
        pthread_cond_wait(&freed->changed, &freed->lock);
    pthread_mutex_unlock(&freed->lock);
}

static void free_once(struct freed *freed)
{
    us3_task *task;

    pthread_mutex_lock(&freed->lock);
    task = freed->task;
    freed->task = NULL;
    pthread_mutex_unlock(&freed->lock);
    us3_task_free(task);
    note(freed, &freed->freed);
}

static void start_freed(us3_client *client, const us3_upload_request *request, struct freed *freed)
{
    /* Its callbacks see the handle only once it is there. */
    pthread_mutex_lock(&freed->lock);
    freed->task = start(client, request);
    pthread_mutex_unlock(&freed->lock);
}

static void tell_freed(us3_task *task, const us3_result *result, void *user_data)
{
    struct freed *freed = user_data;

    freed->told_null = task == NULL;
    tell_complete(task, result, freed->told);
}

static int32_t free_in_progress(const us3_progress *progress, void *user_data)
{
    struct freed *freed = user_data;

    free_once(freed);
    return tell_progress(progress, freed->told);
}

static int64_t free_in_read(void *user_data, void *buffer, size_t capacity)
{
    (void)buffer, (void)capacity;
    free_once(user_data);
    return 0;
}

static void free_in_complete(us3_task *task, const us3_result *result, void *user_data)
{
    (void)task, (void)result;
    free_once(user_data);
}

static void free_in_log(int32_t level, const char *line, void *user_data)
{
    (void)level;
    if (strstr(line, "freed-in-log") != NULL)
        free_once(user_data);
}

static us3_upload_request request_freed(const char *key, struct freed *freed)
{
    us3_upload_request request = request_for(key, "x", 1, freed->told);

    request.on_progress = NULL;
    request.on_complete = tell_freed;
    request.user_data = freed;
    return request;
}

static void freed_in_on_progress(void)
{
    us3_client *client = emulator_client();
    struct told told = TOLD_INIT;
    struct freed freed = FREED_INIT(&told);
    us3_upload_request request = request_freed("freed-in-progress", &freed);

    request.on_progress = free_in_progress;
    start_freed(client, &request, &freed);
    told_complete(&told, 1);
    us3_client_free(client);
    CHECK(freed.told_null);
    CHECK_INT(US3_OK, told.status);
}

static void freed_in_its_read_function(void)
{
    us3_client *client = emulator_client();
    struct told told = TOLD_INIT;
    struct freed freed = FREED_INIT(&told);
    us3_upload_request request = request_freed("freed-in-read", &freed);

    request.data = NULL;
    request.data_len = 0;
    request.read = free_in_read;
    request.read_user_data = &freed;
    start_freed(client, &request, &freed);
    told_complete(&told, 1);
    us3_client_free(client);
    CHECK(freed.told_null);
    CHECK_INT(US3_OK, told.status);
}

static void freed_in_a_log_function(void)
{
    us3_client *client = emulator_client();
    struct told told = TOLD_INIT;
    struct freed freed = FREED_INIT(&told);
    us3_upload_request request = request_freed("freed-in-log", &freed);

    CHECK_INT(US3_OK, us3_set_logger(US3_LOG_DEBUG, free_in_log, &freed));
    start_freed(client, &request, &freed);
    told_complete(&told, 1);
    us3_client_free(client);
    CHECK_INT(US3_OK, us3_set_logger(US3_LOG_OFF, NULL, NULL));
    CHECK(freed.told_null);
    CHECK_INT(US3_OK, told.status);
}

static void freed_in_on_complete_of_another_upload(void)
{
    fake_service *fake = stalling_service(FAKE_PUT);
    us3_client *client = fake_client(fake);
    struct told told = TOLD_INIT;
    struct freed freed = FREED_INIT(&told);
    us3_upload_request request = request_freed("freed-by-another", &freed), other = request_freed("other", &freed);

    start_freed(client, &request, &freed);
    other.mode = US3_MODE_MPUT; /* is not held up */
    other.on_complete = free_in_complete;
    us3_task_free(start(client, &other));
    await(&freed, &freed.freed);
    fake_release(fake);
    told_complete(&told, 1);
    us3_client_free(client);
    CHECK(freed.told_null);
    CHECK_INT(US3_OK, told.status);
    fake_stop(fake);
}

/* Blocks of the sizes that a freed handle may have had, filled with what is no handle. */
static void overwrite_freed_memory(void)
{
    enum { BLOCKS = 64 };
    void *blocks[BLOCKS];

    for (size_t i = 0; i < BLOCKS; i++) {
        REQUIRE((blocks[i] = malloc(8 + 8 * (i / 4))) != NULL);
        memset(blocks[i], 0xEE, 8 + 8 * (i / 4));
    }
    for (size_t i = 0; i < BLOCKS; i++)
        free(blocks[i]);
}

static void free_what_completes(us3_task *task, const us3_result *result, void *user_data)
{
    struct freed *freed = user_data;

    (void)task, (void)result;
    await(freed, &freed->completing);
    us3_task_free(freed->task);
    overwrite_freed_memory();
    note(freed, &freed->freed);
}

static void use_what_is_freed(us3_task *task, const us3_result *result, void *user_data)
{
    struct freed *freed = user_data;
    us3_progress progress = US3_PROGRESS_INIT;

    CHECK(task != NULL);
    note(freed, &freed->completing);
    await(freed, &freed->freed);
    CHECK_INT(US3_OK, us3_task_progress(task, &progress));
    CHECK(progress.parts_done == 1);
    CHECK_INT(US3_OK, us3_task_cancel(task));
    CHECK_INT(US3_PENDING, us3_task_wait(task, 0, NULL));
    tell_complete(task, result, freed->told);
}

/* on_complete may use the handle that it was given until it returns. */
static void freed_elsewhere_while_on_complete_runs(void)
{
    us3_client *client = emulator_client();
    struct told told = TOLD_INIT;
    struct freed freed = FREED_INIT(&told);
    us3_upload_request request = request_freed("freed-meanwhile", &freed), other = request_freed("other", &freed);

    request.on_complete = use_what_is_freed;
    start_freed(client, &request, &freed);
    other.on_complete = free_what_completes;
    us3_task_free(start(client, &other));
    told_complete(&told, 1);
    us3_client_free(client);
    CHECK_INT(US3_OK, told.status);
}

/* ---- callbacks ------------------------------------------------------------------------------- */

struct inside {
    us3_client *client;
    us3_multipart *multipart;
    us3_task *other;
    char *file;
    struct told *told;
};

static void call_what_blocks(const struct inside *inside)
{
    us3_client *client = inside->client;
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
    us3_file_info info = US3_FILE_INFO_INIT;
    us3_result result = US3_RESULT_INIT;
    us3_multipart *multipart = NULL;
    char *file = inside->file;

    request.key = "k";
    request.data = "x";
    request.data_len = 1;
    CHECK_REFUSED(US3_WOULD_DEADLOCK, "callback", us3_upload(client, &request, &result), &result);
    CHECK_REFUSED(US3_WOULD_DEADLOCK, "callback", us3_put_file_with_policy(client, file, "k", NULL, NULL, &result), &result);
    CHECK_REFUSED(US3_WOULD_DEADLOCK, "callback", us3_mput_with_policy(client, file, "k", NULL, NULL, &result), &result);
    CHECK_REFUSED(US3_WOULD_DEADLOCK, "callback", us3_async_mput_with_policy(client, file, "k", NULL, NULL, &result), &result);
    CHECK_REFUSED(US3_WOULD_DEADLOCK, "callback", us3_async_upload_with_policy(client, file, "k", NULL, 2, NULL, &result), &result);
    CHECK_REFUSED(US3_WOULD_DEADLOCK, "callback", us3_initiate_multipart_upload(client, "k", NULL, &multipart, &result), &result);
    CHECK_REFUSED(US3_WOULD_DEADLOCK, "callback", us3_upload_part(inside->multipart, 0, "x", 1, &result), &result);
    CHECK_REFUSED(US3_WOULD_DEADLOCK, "callback", us3_abort_multipart_upload(inside->multipart, &result), &result);
    CHECK_REFUSED(US3_WOULD_DEADLOCK, "callback", us3_abort_upload(client, "k", "upload-id", &result), &result);
    CHECK_REFUSED(US3_WOULD_DEADLOCK, "callback", us3_delete_file(client, "k", &result), &result);
    CHECK_REFUSED(US3_WOULD_DEADLOCK, "callback", us3_head_file(client, "k", &info, &result), &result);
    CHECK_REFUSED(US3_WOULD_DEADLOCK, "callback", us3_task_wait(inside->other, -1, &result), &result);
    CHECK_REFUSED(US3_WOULD_DEADLOCK, "callback", us3_task_wait(inside->other, 1, &result), &result);
    CHECK_REFUSED(US3_PENDING, "not ended", us3_task_wait(inside->other, 0, &result), &result);
}

static int32_t block_in_progress(const us3_progress *progress, void *user_data)
{
    const struct inside *inside = user_data;

    call_what_blocks(inside);
    return tell_progress(progress, inside->told);
}

static void block_in_complete(us3_task *task, const us3_result *result, void *user_data)
{
    const struct inside *inside = user_data;

    call_what_blocks(inside);
    tell_complete(task, result, inside->told);
}

static int64_t block_in_read(void *user_data, void *buffer, size_t capacity)
{
    (void)buffer, (void)capacity;
    call_what_blocks(user_data);
    return 0;
}

static void blocking_within_callbacks_is_refused(void)
{
    fake_service *fake = stalling_service(FAKE_PUT);
    us3_client *stalled = fake_client(fake), *client = emulator_client();
    struct told told = TOLD_INIT, other = TOLD_INIT;
    us3_upload_request request = request_for("k", "x", 1, &other);
    struct inside inside = {client, NULL, start(stalled, &request), test_text_file("inside", "x"), &told};
    us3_result result = US3_RESULT_INIT;

    us3_initiate_multipart_upload(client, "inside", NULL, &inside.multipart, NULL);
    request.user_data = &inside;
    request.on_progress = block_in_progress;
    request.on_complete = block_in_complete;
    request.data = NULL;
    request.data_len = 0;
    request.read = block_in_read;
    request.read_user_data = &inside;
    CHECK_STATUS(US3_OK, us3_upload(client, &request, &result), &result);
    CHECK_INT(1, told.completed);
    CHECK(told.task == NULL);
    CHECK(told.progressed >= 1);
    CHECK_STATUS(US3_OK, us3_abort_multipart_upload(inside.multipart, &result), &result);
    us3_result_clear(&result);
    us3_multipart_free(inside.multipart);
    fake_release(fake);
    us3_task_free(inside.other);
    us3_client_free(client);
    us3_client_free(stalled);
    fake_stop(fake);
}

/* ---- fork ------------------------------------------------------------------------------------ */

static void a_forked_child_has_no_task(void)
{
    fake_service *fake = stalling_service(FAKE_PUT);
    us3_client *client = fake_client(fake);
    struct told told = TOLD_INIT;
    us3_upload_request request = request_for("k", "x", 1, &told);
    us3_progress progress = US3_PROGRESS_INIT;
    us3_result result = US3_RESULT_INIT;
    us3_task *task = start(client, &request), *other;
    int status;
    pid_t pid = fork();

    REQUIRE(pid >= 0);
    if (pid == 0) {
        CHECK_REFUSED(US3_FORKED, "fork", us3_task_wait(task, -1, &result), &result);
        CHECK_REFUSED(US3_FORKED, "fork", us3_upload_start(client, &request, &other, &result), &result);
        CHECK(other == NULL);
        CHECK_INT(US3_FORKED, us3_task_cancel(task));
        CHECK_INT(US3_FORKED, us3_task_progress(task, &progress));
        CHECK_INT(-1, us3_task_fd(task));
        us3_task_free(task);
        us3_client_free(client);
        CHECK_INT(0, completed_so_far(&told));
        check_leave_fork();
    }
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK_INT(0, status);
    fake_release(fake);
    CHECK_INT(US3_OK, us3_task_wait(task, -1, NULL));
    us3_task_free(task);
    us3_client_free(client);
    fake_stop(fake);
}

int main(void)
{
    RUN(freed_while_others_wait);
    RUN(freeing_the_client_waits_for_its_uploads);
    RUN(cancelled_uploads_let_the_client_go);
    RUN(a_callback_frees_its_client);
    RUN(freed_in_on_progress);
    RUN(freed_in_its_read_function);
    RUN(freed_in_a_log_function);
    RUN(freed_in_on_complete_of_another_upload);
    RUN(freed_elsewhere_while_on_complete_runs);
    RUN(blocking_within_callbacks_is_refused);
    RUN(a_forked_child_has_no_task);
    return check_done();
}
