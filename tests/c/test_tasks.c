/* Uploads that run while the host does something else: their end in every way, cancelling, freeing. */
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include "support.h"
#include "tasks.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* ---- the end --------------------------------------------------------------------------------- */

static void the_end_is_told_in_every_way(void)
{
    us3_client *client = emulator_client();
    struct told told = TOLD_INIT;
    size_t size = 9 * MIB;
    unsigned char *bytes = test_bytes(size, 1);
    us3_upload_request request = request_for("every-way", bytes, size, &told);
    us3_result result = US3_RESULT_INIT;
    us3_progress progress = US3_PROGRESS_INIT;
    us3_task *task;

    request.mode = US3_MODE_MPUT;
    task = start(client, &request);
    CHECK(task_is_readable(task, 60000));
    CHECK_INT(1, told.completed);
    CHECK(told.task == task);
    CHECK_INT(US3_OK, told.status);
    CHECK_INT(0, told.progressed_after_completion);
    CHECK(told.progressed >= 1);
    CHECK(told.last.total == size && told.last.sent == size && told.last.acknowledged == size);
    CHECK(told.last.parts_done == 3 && told.last.parts_total == 3 && told.last.attempts == 1);
    /* At most every 100 ms, and once at the end. */
    CHECK((uint64_t)told.progressed <= told.last.elapsed_ms / 100 + 1);
    for (int i = 0; i < 3; i++) {
        CHECK_STATUS(US3_OK, us3_task_wait(task, i - 1, &result), &result);
        CHECK(result.etag != NULL && result.bytes_sent == size);
    }
    CHECK_INT(US3_OK, us3_task_progress(task, &progress));
    CHECK(progress.acknowledged == size && progress.parts_done == 3);
    CHECK(task_is_readable(task, 0));
    CHECK_STORED("every-way", bytes, size);
    us3_task_free(task);
    us3_result_clear(&result);
    us3_client_free(client);
}

static void a_wait_that_is_too_short(void)
{
    fake_service *fake = stalling_service(FAKE_PUT);
    us3_client *client = fake_client(fake);
    struct told told = TOLD_INIT;
    us3_upload_request request = request_for("k", "x", 1, &told);
    us3_result result = US3_RESULT_INIT;
    us3_task *task = start(client, &request);

    CHECK_REFUSED(US3_PENDING, "not ended", us3_task_wait(task, 0, &result), &result);
    CHECK_REFUSED(US3_PENDING, "50 ms", us3_task_wait(task, 50, &result), &result);
    CHECK_INT(US3_PENDING, us3_task_wait(task, 1, NULL));
    CHECK(!task_is_readable(task, 0));
    CHECK_INT(0, completed_so_far(&told));
    fake_release(fake);
    CHECK_STATUS(US3_OK, us3_task_wait(task, INT64_MAX, &result), &result);
    CHECK_INT(1, told.completed);
    us3_result_clear(&result);
    us3_task_free(task);
    us3_client_free(client);
    fake_stop(fake);
}

/* One descriptor for a task, made when it is asked for, at any time. */
static void the_descriptor(void)
{
    us3_client *client = emulator_client();
    struct told told = TOLD_INIT;
    us3_upload_request request = request_for("k", "x", 1, &told);
    us3_task *task = start(client, &request), *late = start(client, &request);
    int fd = us3_task_fd(task);

    CHECK(fd >= 0 && us3_task_fd(task) == fd);
    CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(task_is_readable(task, 60000));
    CHECK_INT(US3_OK, us3_task_wait(late, -1, NULL));
    CHECK(us3_task_fd(late) != fd && task_is_readable(late, 0));
    us3_task_free(task);
    us3_task_free(late);
    CHECK(fcntl(fd, F_GETFD) == -1);
    us3_client_free(client);
}

/* Its number is not watched any more by an epoll that was told of it, however early it is freed. */
static void a_freed_task_is_out_of_epoll(void)
{
    us3_client *client = emulator_client();
    struct told told = TOLD_INIT;
    us3_upload_request request = request_for("k", "x", 1, &told);
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    REQUIRE(epoll >= 0);
    for (int round = 0; round < 200; round++) {
        us3_task *task = start(client, &request);
        struct epoll_event event = {.events = EPOLLIN};
        REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, us3_task_fd(task), &event) == 0);
        REQUIRE(epoll_wait(epoll, &event, 1, 60000) == 1);
        us3_task_free(task);
        REQUIRE(epoll_wait(epoll, &event, 1, 0) == 0);
    }
    close(epoll);
    us3_client_free(client);
}

/* A failure is told as a success is. */
static void failures_are_told(void)
{
    us3_client *client = emulator_client();
    struct told told = TOLD_INIT;
    us3_upload_request request = request_for("k", NULL, 0, &told);
    us3_result result = US3_RESULT_INIT;
    us3_task *task;

    request.file_path = "/no/such/file";
    task = start(client, &request);
    CHECK_STATUS(US3_FILE_ERROR, us3_task_wait(task, -1, &result), &result);
    CHECK(result.os_error != 0);
    CHECK_INT(US3_FILE_ERROR, told.status);
    us3_task_free(task);

    us3_result_clear(&result);
    us3_client_free(client);
}

static void a_deadline(void)
{
    fake_service *fake = stalling_service(FAKE_PUT);
    us3_client *client = fake_client(fake);
    struct told told = TOLD_INIT;
    us3_upload_request request = request_for("k", "x", 1, &told);
    us3_task *task;

    request.timeout_ms = 200;
    task = start(client, &request);
    CHECK_INT(US3_TIMEOUT, us3_task_wait(task, -1, NULL));
    CHECK_INT(US3_TIMEOUT, told.status);
    CHECK(told.last.elapsed_ms >= 100 && told.last.elapsed_ms < 5000);
    us3_task_free(task);
    us3_client_free(client);
    fake_stop(fake);
}

/* ---- starting -------------------------------------------------------------------------------- */

/* What cannot be started has no task, and nothing is called. */
static void a_start_that_is_refused(void)
{
    us3_client *client = emulator_client();
    struct told told = TOLD_INIT;
    us3_upload_request good = request_for("k", "x", 1, &told), request;
    us3_result result = US3_RESULT_INIT;
    us3_task *task = (us3_task *)client;

    request = good;
    request.key = "a/../b";
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "segment", us3_upload_start(client, &request, &task, &result), &result);
    CHECK(task == NULL);
    request = good;
    request.policy_json = "";
    task = (us3_task *)client;
    CHECK_REFUSED(US3_INVALID_POLICY, "empty", us3_upload_start(client, &request, &task, &result), &result);
    CHECK(task == NULL);
    request = good;
    request.storage_class = "COLD";
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "storage_class", us3_upload_start(client, &request, &task, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "storage_class", us3_upload(client, &request, &result), &result);
    us3_client_free(client);
    CHECK_INT(0, told.completed + told.progressed);
}

/* The host's strings are its own again as soon as the upload is started. */
static void everything_but_data_is_copied(void)
{
    fake_service *fake = stalling_service(FAKE_PUT);
    us3_client *client = fake_client(fake);
    struct told told = TOLD_INIT;
    char key[] = "copied", type[] = "text/plain", class[] = "IA", name[] = "color", value[] = "blue";
    us3_header header = {name, value};
    us3_upload_request request = request_for(key, "x", 1, &told);
    us3_task *task;
    char *head;

    request.mime_type = type;
    request.storage_class = class;
    request.metadata = &header;
    request.metadata_len = 1;
    task = start(client, &request);
    memset(key, 'Z', sizeof key);
    memset(type, 'Z', sizeof type);
    memset(class, 'Z', sizeof class);
    memset(name, 'Z', sizeof name);
    memset(value, 'Z', sizeof value);
    memset(&header, 0x7F, sizeof header);
    memset(&request, 0x7F, sizeof request);
    fake_release(fake);
    CHECK_INT(US3_OK, us3_task_wait(task, -1, NULL));
    head = fake_last_head(fake, FAKE_PUT);
    CHECK_HAS(head, "PUT /copied ");
    CHECK_HAS(head, "text/plain");
    CHECK_HAS(head, ": IA\r\n");
    CHECK_HAS(head, "color: blue\r\n");
    us3_task_free(task);
    us3_client_free(client);
    fake_stop(fake);
}

/* When the end of a cancelled upload is told, nobody looks at its data any more. */
static void data_is_given_back(void)
{
    enum { ROUNDS = 20 };
    size_t size = 64 * MIB;
    us3_client *client = emulator_client();

    for (int round = 0; round < ROUNDS; round++) {
        struct told told = TOLD_INIT;
        us3_progress progress = US3_PROGRESS_INIT;
        void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        us3_upload_request request = request_for("given-back", data, size, &told);
        us3_task *task;

        REQUIRE(data != MAP_FAILED);
        request.mode = round % 2 == 0 ? US3_MODE_PUT : US3_MODE_MPUT;
        task = start(client, &request);
        while (progress.sent == 0 && us3_task_wait(task, 0, NULL) == US3_PENDING)
            CHECK_INT(US3_OK, us3_task_progress(task, &progress));
        us3_task_cancel(task);
        if (round % 4 < 2) {
            told_complete(&told, 1);
            REQUIRE(munmap(data, size) == 0);
            us3_task_free(task);
        } else {
            us3_task_free(task);
            REQUIRE(munmap(data, size) == 0);
        }
        CHECK_INT(US3_CANCELLED, told.status);
    }
    us3_client_free(client);
}

static void chain(us3_task *task, const us3_result *result, void *user_data);

struct link {
    us3_client *client;
    struct told *told;
    int left;
};

static void start_link(struct link *link)
{
    us3_upload_request request = request_for("chain", "x", 1, NULL);

    request.on_progress = NULL;
    request.on_complete = chain;
    request.user_data = link;
    start(link->client, &request);
}

/* Frees the task and starts the next, as an event loop would. */
static void chain(us3_task *task, const us3_result *result, void *user_data)
{
    struct link *link = user_data;

    CHECK_INT(US3_OK, result->status);
    us3_task_free(task);
    if (--link->left > 0)
        start_link(link);
    else
        tell_complete(NULL, result, link->told);
}

static void callbacks_start_and_free(void)
{
    struct told told = TOLD_INIT;
    struct link link = {emulator_client(), &told, 20};

    start_link(&link);
    told_complete(&told, 1);
    us3_client_free(link.client);
}

/* ---- cancelling ------------------------------------------------------------------------------ */

struct canceller {
    pthread_t thread;
    us3_task *task;
};

static void *cancel_and_wait(void *arg)
{
    struct canceller *canceller = arg;
    us3_result result = US3_RESULT_INIT;

    CHECK_INT(US3_OK, us3_task_cancel(canceller->task));
    CHECK_STATUS(US3_CANCELLED, us3_task_wait(canceller->task, -1, &result), &result);
    us3_result_clear(&result);
    return NULL;
}

static void cancelled_by_many_threads(void)
{
    enum { THREADS = 16 };
    fake_service *fake = stalling_service(FAKE_PUT);
    us3_client *client = fake_client(fake);
    struct told told = TOLD_INIT;
    us3_upload_request request = request_for("k", "x", 1, &told);
    struct canceller cancellers[THREADS];
    us3_task *task = start(client, &request);

    for (int i = 0; i < THREADS; i++) {
        cancellers[i].task = task;
        REQUIRE(pthread_create(&cancellers[i].thread, NULL, cancel_and_wait, &cancellers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(cancellers[i].thread, NULL);
    CHECK_INT(1, told.completed);
    CHECK_INT(US3_CANCELLED, told.status);
    CHECK_INT(US3_OK, us3_task_cancel(task));
    us3_task_free(task);
    us3_client_free(client);
    fake_stop(fake);
}

static void cancelled_by_progress(void)
{
    us3_client *client = emulator_client();
    struct told told = TOLD_INIT;
    unsigned char *bytes = test_bytes(512 * MIB, 1);
    us3_upload_request request = request_for("cancelled", bytes, 512 * MIB, &told);
    us3_result result = US3_RESULT_INIT;

    told.cancel = true;
    request.mode = US3_MODE_MPUT;
    request.jobs = 2;
    emulator_reset();
    CHECK_STATUS(US3_CANCELLED, us3_upload(client, &request, &result), &result);
    CHECK_INT(US3_OBJECT_NOT_STORED, result.object_state);
    CHECK(result.upload_id == NULL);
    /* None of either, where it was cancelled before the upload was begun. */
    CHECK_INT(requests_seen("initiate"), requests_seen("abort"));
    CHECK_INT(0, pending_uploads());
    CHECK(!object_exists("cancelled"));
    CHECK_INT(1, told.completed);
    us3_result_clear(&result);
    us3_client_free(client);
    arena_drop(bytes);
}

static void cancelling_what_is_over_changes_nothing(void)
{
    us3_client *client = emulator_client();
    struct told told = TOLD_INIT;
    us3_upload_request request = request_for("over", "x", 1, &told);
    us3_task *task = start(client, &request);

    CHECK_INT(US3_OK, us3_task_wait(task, -1, NULL));
    CHECK_INT(US3_OK, us3_task_cancel(task));
    CHECK_INT(US3_OK, us3_task_wait(task, -1, NULL));
    us3_task_free(task);
    us3_client_free(client);
}

/* ---- the queue ------------------------------------------------------------------------------- */

static void uploads_wait_their_turn(void)
{
    enum { TASKS = 60 };
    us3_config config = config_for(env("US3_TEST_ENDPOINT"));
    struct told told = TOLD_INIT;
    us3_task *tasks[TASKS];
    us3_client *client;

    emulator_reset();
    config.max_concurrent_uploads = 3;
    client = client_with(&config);
    for (int i = 0; i < TASKS; i++) {
        us3_upload_request request = request_for(format("queued-%d", i), "x", 1, &told);
        tasks[i] = start(client, &request);
    }
    for (int i = 0; i < TASKS; i++)
        CHECK_INT(US3_OK, us3_task_wait(tasks[i], -1, NULL));
    CHECK_INT(TASKS, told.completed);
    CHECK_INT(TASKS, requests_seen("put"));
    CHECK(emulator_number("max_connections_open") <= 3);
    for (int i = 0; i < TASKS; i++)
        us3_task_free(tasks[i]);
    us3_client_free(client);
}

static void started_first_comes_first(void)
{
    enum { TASKS = 20 };
    us3_config config = config_for(env("US3_TEST_ENDPOINT"));
    struct told told = TOLD_INIT;
    us3_task *tasks[TASKS];
    us3_client *client;
    const char *at;

    emulator_reset();
    config.max_concurrent_uploads = 1;
    client = client_with(&config);
    for (int i = 0; i < TASKS; i++) {
        us3_upload_request request = request_for(format("turn-%d", i), "x", 1, &told);
        tasks[i] = start(client, &request);
    }
    us3_client_free(client);
    CHECK_INT(TASKS, told.completed);
    at = strstr(emulator_state(), "\"requests\":");
    for (int i = 0; i < TASKS && at != NULL; i++)
        at = strstr(at, format("\"turn-%d\"", i));
    CHECK(at != NULL);
    for (int i = 0; i < TASKS; i++)
        us3_task_free(tasks[i]);
}

/* One that waits for its turn is cancelled without ever having been sent. */
static void cancelled_in_the_queue(void)
{
    fake_service *fake = stalling_service(FAKE_PUT);
    us3_config config = config_for(fake_url(fake));
    struct told told = TOLD_INIT, queued = TOLD_INIT;
    us3_upload_request request = request_for("k", "x", 1, &told), second = request_for("k", "x", 1, &queued);
    us3_result result = US3_RESULT_INIT;
    us3_task *first, *waiting;
    us3_client *client;

    config.max_concurrent_uploads = 1;
    client = client_with(&config);
    first = start(client, &request);
    waiting = start(client, &second);
    CHECK_INT(US3_PENDING, us3_task_wait(waiting, 250, NULL));
    CHECK_INT(0, progressed_so_far(&queued)); /* nothing to tell yet */
    us3_task_cancel(waiting);
    CHECK_STATUS(US3_CANCELLED, us3_task_wait(waiting, -1, &result), &result);
    CHECK_INT(0, result.attempts);
    fake_release(fake);
    CHECK_INT(US3_OK, us3_task_wait(first, -1, NULL));
    CHECK_INT(1, fake_count(fake, FAKE_PUT));
    us3_result_clear(&result);
    us3_task_free(first);
    us3_task_free(waiting);
    us3_client_free(client);
    fake_stop(fake);
}

/* Whatever callbacks of some uploads wait for, the others go on. */
static void slow_callbacks_hold_up_no_other_upload(void)
{
    enum { SLOW = 32 };
    us3_client *client = emulator_client();
    char *file = test_file("others", 1 * MIB, 1);
    struct told told = TOLD_INIT;
    us3_upload_request request = request_for("slow", "x", 1, &told);
    us3_task *tasks[SLOW];

    told.closed = true;
    for (int i = 0; i < SLOW; i++)
        tasks[i] = start(client, &request);
    told_at_once(&told, SLOW);
    CHECK_INT(US3_OK, us3_put_file_with_policy(client, file, "other", NULL, NULL, NULL));
    CHECK_INT(US3_PENDING, us3_task_wait(tasks[0], 0, NULL));
    told_open(&told);
    for (int i = 0; i < SLOW; i++)
        us3_task_free(tasks[i]);
    CHECK_INT(SLOW, told.completed);
    us3_client_free(client);
}

static us3_client *client_of_few_uploads(uint32_t at_once)
{
    us3_config config = config_for(env("US3_TEST_ENDPOINT"));

    config.max_concurrent_uploads = at_once;
    return client_with(&config);
}

/* The end of an upload is told in every way while as many slow functions run as uploads may, and more. */
static void slow_on_complete_functions_hold_up_no_other_end(void)
{
    enum { AT_ONCE = 2, SLOW = 5 };
    us3_client *client = client_of_few_uploads(AT_ONCE);
    struct told told = TOLD_INIT, quick = TOLD_INIT;
    us3_upload_request request = request_for("slow", "x", 1, &told), other = request_for("quick", "x", 1, &quick);
    us3_task *tasks[SLOW], *task;

    told.closed = true;
    for (int i = 0; i < SLOW; i++)
        tasks[i] = start(client, &request);
    told_at_once(&told, SLOW);
    task = start(client, &other);
    CHECK_INT(US3_OK, us3_task_wait(task, 60000, NULL));
    CHECK(task_is_readable(task, 60000));
    CHECK_INT(US3_OK, us3_upload(client, &other, NULL));
    CHECK_INT(2, completed_so_far(&quick));
    for (int i = 0; i < SLOW; i++)
        CHECK_INT(US3_PENDING, us3_task_wait(tasks[i], 0, NULL));
    told_open(&told);
    for (int i = 0; i < SLOW; i++)
        us3_task_free(tasks[i]);
    us3_task_free(task);
    us3_client_free(client);
}

/* An upload whose on_complete starts the next one and waits for its end. */
struct nested {
    us3_client *client;
    struct told *told, *all;
    int level;
};

enum { NESTED = 5 };

static void wait_for_the_next(us3_task *task, const us3_result *result, void *user_data)
{
    struct nested *nested = user_data;
    struct told told = TOLD_INIT;
    struct nested next = {nested->client, &told, nested->all, nested->level + 1};
    us3_upload_request request = request_for("nested", "x", 1, NULL);

    if (next.level < NESTED) {
        request.on_progress = NULL;
        request.on_complete = wait_for_the_next;
        request.user_data = &next;
        us3_task_free(start(nested->client, &request));
        told_complete(&told, 1);
        CHECK_INT(US3_OK, told.status);
    }
    tell_complete(task, result, nested->all);
    tell_complete(task, result, nested->told);
}

static void on_complete_functions_may_wait_for_other_uploads(void)
{
    struct told told = TOLD_INIT, all = TOLD_INIT;
    struct nested first = {client_of_few_uploads(1), &told, &all, 0};
    us3_upload_request request = request_for("nested", "x", 1, NULL);

    request.on_progress = NULL;
    request.on_complete = wait_for_the_next;
    request.user_data = &first;
    CHECK_INT(US3_OK, us3_upload(first.client, &request, NULL));
    CHECK_INT(NESTED, all.completed);
    us3_client_free(first.client);
}

static void *open_soon(void *told)
{
    struct timespec soon = {0, 200000000};

    nanosleep(&soon, NULL);
    told_open(told);
    return NULL;
}

static void freeing_the_client_waits_for_slow_on_complete_functions(void)
{
    enum { SLOW = 5 };
    us3_client *client = client_of_few_uploads(2);
    struct told told = TOLD_INIT;
    us3_upload_request request = request_for("slow", "x", 1, &told);
    us3_task *tasks[SLOW];
    pthread_t opener;

    told.closed = true;
    for (int i = 0; i < SLOW; i++)
        tasks[i] = start(client, &request);
    told_at_once(&told, SLOW);
    REQUIRE(pthread_create(&opener, NULL, open_soon, &told) == 0);
    us3_client_free(client);
    CHECK_INT(SLOW, told.completed);
    for (int i = 0; i < SLOW; i++)
        us3_task_free(tasks[i]);
    pthread_join(opener, NULL);
}

int main(void)
{
    RUN(the_end_is_told_in_every_way);
    RUN(a_wait_that_is_too_short);
    RUN(the_descriptor);
    RUN(a_freed_task_is_out_of_epoll);
    RUN(failures_are_told);
    RUN(a_deadline);
    RUN(a_start_that_is_refused);
    RUN(everything_but_data_is_copied);
    RUN(data_is_given_back);
    RUN(callbacks_start_and_free);
    RUN(cancelled_by_many_threads);
    RUN(cancelled_by_progress);
    RUN(cancelling_what_is_over_changes_nothing);
    RUN(uploads_wait_their_turn);
    RUN(started_first_comes_first);
    RUN(cancelled_in_the_queue);
    RUN(slow_callbacks_hold_up_no_other_upload);
    RUN(slow_on_complete_functions_hold_up_no_other_end);
    RUN(on_complete_functions_may_wait_for_other_uploads);
    RUN(freeing_the_client_waits_for_slow_on_complete_functions);
    return check_done();
}
