/* Every operation as a task: what it brings, what it borrows, how it is cancelled and freed. */
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include "fake_service.h"
#include "operations.h"
#include "support.h"
#include "tasks.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static us3_start told_by(struct told *told)
{
    us3_start how = US3_START_INIT;

    how.on_complete = tell_complete;
    how.user_data = told;
    return how;
}

/* Waits for the end, checks that it was told once, and frees the task. */
static void ends(us3_status expected, us3_task *task, struct told *told)
{
    us3_result result = US3_RESULT_INIT;

    CHECK(us3_task_user_data(task) == told);
    CHECK_STATUS(expected, us3_task_wait(task, 60000, &result), &result);
    CHECK(task_is_readable(task, 60000));
    CHECK_INT(1, told->completed);
    CHECK_INT(expected, told->status);
    us3_task_free(task);
    us3_result_clear(&result);
}

/* ---- each of them ---------------------------------------------------------------------------- */

static void a_multipart_upload_in_tasks(void)
{
    us3_client *client = emulator_client();
    size_t part = 4 * MIB, size = 2 * part + 7;
    unsigned char *bytes = test_bytes(size, 1);
    struct told initiated = TOLD_INIT, finished = TOLD_INIT, sent[3] = {TOLD_INIT, TOLD_INIT, TOLD_INIT};
    us3_start how = told_by(&initiated);
    us3_multipart *upload;
    us3_task *tasks[3], *task;

    REQUIRE(us3_initiate_multipart_upload_start(client, "stepwise", "text/x-steps", &how, &task, NULL) == US3_OK);
    CHECK_INT(US3_OK, us3_task_wait(task, -1, NULL));
    upload = us3_task_multipart(task);
    REQUIRE(upload != NULL);
    CHECK(us3_task_multipart(task) == NULL); /* it was taken */
    CHECK_INT(part, us3_multipart_part_size(upload));
    ends(US3_OK, task, &initiated);

    for (uint32_t i = 0; i < 3; i++) {
        how = told_by(&sent[i]);
        CHECK_INT(US3_OK, us3_upload_part_start(upload, i, bytes + i * part, i < 2 ? part : 7, &how, &tasks[i], NULL));
    }
    for (int i = 0; i < 3; i++)
        ends(US3_OK, tasks[i], &sent[i]);
    how = told_by(&finished);
    REQUIRE(us3_finish_multipart_upload_with_policy_start(upload, NULL, &how, &task, NULL) == US3_OK);
    ends(US3_OK, task, &finished);
    us3_multipart_free(upload);
    CHECK_STORED("stepwise", bytes, size);
    us3_client_free(client);
}

static void head_and_delete(void)
{
    us3_client *client = emulator_client();
    struct told told[4] = {TOLD_INIT, TOLD_INIT, TOLD_INIT, TOLD_INIT};
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
    us3_file_info info = US3_FILE_INFO_INIT;
    us3_start how;
    us3_task *task;

    request.key = "looked-at";
    request.data = "hello";
    request.data_len = 5;
    request.mime_type = "text/x-look";
    CHECK_INT(US3_OK, us3_upload(client, &request, NULL));

    how = told_by(&told[0]);
    REQUIRE(us3_head_file_start(client, "looked-at", &how, &task, NULL) == US3_OK);
    CHECK_INT(US3_OK, us3_task_wait(task, -1, NULL));
    for (int i = 0; i < 2; i++) {
        CHECK_INT(US3_OK, us3_task_file_info(task, &info));
        CHECK(info.size == 5 && info.etag != NULL && info.last_modified > 0);
        CHECK_STR("text/x-look", info.mime_type);
    }
    ends(US3_OK, task, &told[0]);

    how = told_by(&told[1]);
    REQUIRE(us3_delete_file_start(client, "looked-at", &how, &task, NULL) == US3_OK);
    CHECK_INT(US3_OK, us3_task_wait(task, -1, NULL));
    CHECK_INT(US3_INVALID_ARGUMENT, us3_task_file_info(task, &info));
    CHECK(us3_task_multipart(task) == NULL);
    ends(US3_OK, task, &told[1]);
    CHECK(!object_exists("looked-at"));

    how = told_by(&told[2]);
    REQUIRE(us3_head_file_start(client, "looked-at", &how, &task, NULL) == US3_OK);
    CHECK_INT(US3_SERVICE_ERROR, us3_task_wait(task, -1, NULL));
    CHECK_INT(US3_SERVICE_ERROR, us3_task_file_info(task, &info));
    CHECK(info.etag == NULL && info.size == 0); /* its initial values */
    ends(US3_SERVICE_ERROR, task, &told[2]);
    how = told_by(&told[3]);
    REQUIRE(us3_delete_file_start(client, "looked-at", &how, &task, NULL) == US3_OK);
    ends(US3_SERVICE_ERROR, task, &told[3]);
    us3_file_info_clear(&info);
    us3_client_free(client);
}

static void aborts(void)
{
    us3_client *client = emulator_client();
    us3_multipart *first = initiate(client, "aborted"), *second = initiate(client, "aborted");
    struct told told = TOLD_INIT, by_name = TOLD_INIT;
    us3_start how = told_by(&told);
    us3_task *task;

    REQUIRE(us3_abort_multipart_upload_start(first, &how, &task, NULL) == US3_OK);
    ends(US3_OK, task, &told);
    how = told_by(&by_name);
    REQUIRE(us3_abort_upload_start(client, "aborted", us3_multipart_upload_id(second), &how, &task, NULL) == US3_OK);
    ends(US3_OK, task, &by_name);
    CHECK_INT(0, pending_uploads());
    CHECK_INT(US3_INVALID_ARGUMENT, us3_abort_multipart_upload(first, NULL));
    us3_multipart_free(first);
    us3_multipart_free(second);
    us3_client_free(client);
}

/* NULL is the defaults: nobody is told but who waits. */
static void started_with_the_defaults(void)
{
    us3_client *client = emulator_client();
    us3_multipart *upload = initiate(client, "defaults");
    us3_task *task;

    REQUIRE(us3_upload_part_start(upload, 0, "x", 1, NULL, &task, NULL) == US3_OK);
    CHECK(us3_task_user_data(task) == NULL);
    CHECK_INT(US3_OK, us3_task_wait(task, -1, NULL));
    us3_task_free(task);
    REQUIRE(us3_abort_multipart_upload_start(upload, NULL, &task, NULL) == US3_OK);
    us3_task_free(task);
    CHECK_INT(0, pending_uploads());
    us3_multipart_free(upload);
    us3_client_free(client);
}

/* An upload that nobody takes is named, and can be aborted by that name; its client goes with its task. */
static void an_upload_that_nobody_takes(void)
{
    us3_client *client = emulator_client(), *other = emulator_client();
    us3_result result = US3_RESULT_INIT;
    int before = running_threads();
    us3_client *third = emulator_client();
    us3_task *task;

    REQUIRE(us3_initiate_multipart_upload_start(third, "left", NULL, NULL, &task, NULL) == US3_OK);
    CHECK_STATUS(US3_OK, us3_task_wait(task, -1, &result), &result);
    REQUIRE(result.upload_id != NULL);
    us3_client_free(third);
    us3_task_free(task);
    await_threads(before);
    CHECK_INT(US3_OK, us3_abort_upload(other, "left", result.upload_id, NULL));
    CHECK_INT(0, pending_uploads());
    us3_result_clear(&result);
    us3_client_free(client);
    us3_client_free(other);
}

static void take_in_complete(us3_task *task, const us3_result *result, void *user_data)
{
    us3_multipart **upload = user_data;

    CHECK_INT(US3_OK, result->status);
    *upload = us3_task_multipart(task);
    us3_task_free(task);
}

static void on_complete_takes_what_a_task_brings(void)
{
    us3_client *client = emulator_client();
    us3_multipart *upload = NULL;
    us3_start how = US3_START_INIT;
    us3_task *task;

    how.on_complete = take_in_complete;
    how.user_data = &upload;
    REQUIRE(us3_initiate_multipart_upload_start(client, "taken", NULL, &how, &task, NULL) == US3_OK);
    us3_client_free(client); /* waits for on_complete; the upload keeps what it needs */
    REQUIRE(upload != NULL);
    CHECK_INT(US3_OK, us3_abort_multipart_upload(upload, NULL));
    us3_multipart_free(upload);
}

/* ---- what is borrowed ------------------------------------------------------------------------ */

/* When the end of a cancelled part is told, nobody looks at its data any more, whoever waits for that end. */
static void data_of_a_part_is_given_back(void)
{
    enum { ROUNDS = 24 };
    us3_client *client = emulator_client();
    size_t size = 4 * MIB;

    for (int round = 0; round < ROUNDS; round++) {
        struct told told = TOLD_INIT;
        us3_start how = told_by(&told);
        void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        us3_multipart *upload = initiate(client, "given-back");
        us3_progress progress = US3_PROGRESS_INIT;
        us3_task *task;

        REQUIRE(data != MAP_FAILED);
        memset(data, round, size);
        REQUIRE(us3_upload_part_start(upload, 0, data, size, &how, &task, NULL) == US3_OK);
        while (round % 2 == 0 && progress.sent == 0 && us3_task_wait(task, 0, NULL) == US3_PENDING)
            CHECK_INT(US3_OK, us3_task_progress(task, &progress));
        us3_task_cancel(task);
        switch (round % 3) {
        case 0:
            told_complete(&told, 1);
            break;
        case 1:
            us3_task_free(task);
            task = NULL;
            break;
        default:
            us3_multipart_free(upload);
            upload = NULL;
        }
        REQUIRE(munmap(data, size) == 0);
        us3_task_free(task);
        us3_multipart_free(upload);
        CHECK_INT(1, told.completed);
        CHECK(told.status == US3_CANCELLED || told.status == US3_OK);
    }
    us3_client_free(client);
}

static void strings_are_copied(void)
{
    fake_service *fake = stalling_service(FAKE_DELETE);
    us3_client *client = fake_client(fake);
    char key[] = "copied";
    us3_start how = US3_START_INIT;
    us3_task *task;

    REQUIRE(us3_delete_file_start(client, key, &how, &task, NULL) == US3_OK);
    memset(key, 'Z', sizeof key);
    memset(&how, 0x7F, sizeof how);
    fake_release(fake);
    CHECK_INT(US3_OK, us3_task_wait(task, -1, NULL));
    CHECK_HAS(fake_last_head(fake, FAKE_DELETE), "DELETE /copied ");
    us3_task_free(task);
    us3_client_free(client);
    fake_stop(fake);
}

/* ---- one upload, many tasks ------------------------------------------------------------------- */

static void what_is_under_way_is_not_started_again(void)
{
    fake_service *fake = stalling_service(FAKE_PART);
    us3_client *client = fake_client(fake);
    us3_multipart *upload = initiate(client, "k");
    us3_result result = US3_RESULT_INIT;
    us3_task *part, *other = (us3_task *)client;

    REQUIRE(us3_upload_part_start(upload, 0, "x", 1, NULL, &part, NULL) == US3_OK);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "being sent already",
                  us3_upload_part_start(upload, 0, "x", 1, NULL, &other, &result), &result);
    CHECK(other == NULL);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "still sends part 0",
                  us3_finish_multipart_upload_with_policy_start(upload, NULL, NULL, &other, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "still sends part 0",
                  us3_abort_multipart_upload_start(upload, NULL, &other, &result), &result);
    us3_task_cancel(part);
    CHECK_INT(US3_CANCELLED, us3_task_wait(part, -1, NULL));
    us3_task_free(part);

    /* A part that was cancelled can be sent again. */
    fake_release(fake);
    CHECK_INT(US3_OK, us3_upload_part(upload, 0, "x", 1, NULL));
    fake_set(fake, FAKE_FINISH, FAKE_STALL);
    REQUIRE(us3_finish_multipart_upload_with_policy_start(upload, NULL, NULL, &part, NULL) == US3_OK);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "being finished", us3_upload_part(upload, 0, "x", 1, &result), &result);
    us3_task_cancel(part);
    CHECK_STATUS(US3_CANCELLED, us3_task_wait(part, -1, &result), &result);
    us3_task_free(part);
    CHECK_INT(US3_OK, us3_abort_multipart_upload(upload, NULL));
    us3_result_clear(&result);
    us3_multipart_free(upload);
    us3_client_free(client);
    fake_stop(fake);
}

static void freeing_an_upload_waits_for_its_tasks(void)
{
    enum { PARTS = 8 };
    us3_client *client = emulator_client();
    us3_multipart *upload = initiate(client, "freed-early");
    struct told told = TOLD_INIT;
    us3_start how = told_by(&told);
    unsigned char *bytes = test_bytes(4 * MIB, 3);
    us3_task *tasks[PARTS];

    for (uint32_t i = 0; i < PARTS; i++)
        REQUIRE(us3_upload_part_start(upload, i, bytes, 4 * MIB, &how, &tasks[i], NULL) == US3_OK);
    us3_multipart_free(upload);
    CHECK_INT(PARTS, told.completed);
    us3_client_free(client);
    for (int i = 0; i < PARTS; i++) {
        CHECK_INT(US3_OK, us3_task_wait(tasks[i], 0, NULL));
        us3_task_free(tasks[i]);
    }
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void so_many_run_at_once_as_uploads_may(void)
{
    enum { TASKS = 60 };
    us3_config config = config_for(env("US3_TEST_ENDPOINT"));
    us3_task *tasks[TASKS];
    us3_client *client;

    emulator_reset();
    config.max_concurrent_uploads = 3;
    client = client_with(&config);
    for (int i = 0; i < TASKS; i++)
        REQUIRE(us3_head_file_start(client, format("absent-%d", i), NULL, &tasks[i], NULL) == US3_OK);
    for (int i = 0; i < TASKS; i++) {
        CHECK_INT(US3_SERVICE_ERROR, us3_task_wait(tasks[i], -1, NULL));
        us3_task_free(tasks[i]);
    }
    CHECK_INT(TASKS, requests_seen("head"));
    CHECK(emulator_number("max_connections_open") <= 3);
    us3_client_free(client);
}

/* A small operation never waits behind uploads that wait for it. */
static void uploads_hold_up_no_other_task(void)
{
    fake_service *fake = stalling_service(FAKE_PUT);
    us3_config config = config_for(fake_url(fake));
    struct told told = TOLD_INIT;
    us3_upload_request request = request_for("k", "x", 1, &told);
    us3_task *upload, *other;
    us3_client *client;

    config.max_concurrent_uploads = 1;
    client = client_with(&config);
    upload = start(client, &request);
    REQUIRE(us3_delete_file_start(client, "k", NULL, &other, NULL) == US3_OK);
    CHECK_INT(US3_OK, us3_task_wait(other, 60000, NULL));
    CHECK_INT(US3_PENDING, us3_task_wait(upload, 0, NULL));
    us3_task_free(other);
    fake_release(fake);
    us3_task_free(upload);
    us3_client_free(client);
    fake_stop(fake);
}

static void deadlines_and_cancelling(void)
{
    fake_service *fake = stalling_service(FAKE_HEAD);
    us3_config config = config_for(fake_url(fake));
    us3_start how = US3_START_INIT;
    us3_result result = US3_RESULT_INIT;
    us3_file_info info = US3_FILE_INFO_INIT;
    us3_task *late, *queued, *cancelled;
    us3_client *client;

    config.max_concurrent_uploads = 1;
    client = client_with(&config);
    how.timeout_ms = 200;
    REQUIRE(us3_head_file_start(client, "late", &how, &late, NULL) == US3_OK);
    REQUIRE(us3_head_file_start(client, "queued", &how, &queued, NULL) == US3_OK);
    REQUIRE(us3_delete_file_start(client, "cancelled", NULL, &cancelled, NULL) == US3_OK);
    CHECK_INT(US3_PENDING, us3_task_file_info(late, &info));
    us3_task_cancel(cancelled);
    CHECK_REFUSED(US3_CANCELLED, "DeleteFile cancelled: cancelled by the host", us3_task_wait(cancelled, -1, &result),
                  &result);
    CHECK_REFUSED(US3_TIMEOUT, "did not end within 200 ms", us3_task_wait(late, -1, &result), &result);
    CHECK_REFUSED(US3_TIMEOUT, "HeadFile", us3_task_wait(queued, -1, &result), &result);
    us3_task_free(late);
    us3_task_free(queued);
    us3_task_free(cancelled);
    us3_client_free(client);
    CHECK_INT(0, fake_count(fake, FAKE_DELETE));
    fake_stop(fake);
}

/* ---- misuse ---------------------------------------------------------------------------------- */

static void a_start_that_is_refused(void)
{
    us3_client *client = emulator_client();
    us3_multipart *upload = initiate(client, "refused");
    struct told told = TOLD_INIT;
    us3_start how = told_by(&told), garbage = told_by(&told);
    us3_result result = US3_RESULT_INIT;
    us3_file_info info = US3_FILE_INFO_INIT;
    us3_task *task = (us3_task *)client;

    garbage.struct_size = 3;
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "struct_size", us3_head_file_start(client, "k", &garbage, &task, &result), &result);
    CHECK(task == NULL);
    task = (us3_task *)client;
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "client", us3_head_file_start(NULL, "k", &how, &task, &result), &result);
    CHECK(task == NULL);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "key", us3_head_file_start(client, NULL, &how, &task, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "out_task", us3_head_file_start(client, "k", &how, NULL, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "segment", us3_head_file_start(client, "a/../b", &how, &task, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "key", us3_delete_file_start(client, "", &how, &task, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "out_task", us3_delete_file_start(client, "k", &how, NULL, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "key", us3_initiate_multipart_upload_start(client, NULL, NULL, &how, &task, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "UTF-8", us3_initiate_multipart_upload_start(client, "k", "a\xFF", &how, &task, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "upload_id", us3_abort_upload_start(client, "k", "", &how, &task, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "multipart", us3_upload_part_start(NULL, 0, "x", 1, &how, &task, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "data", us3_upload_part_start(upload, 0, NULL, 1, &how, &task, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "empty", us3_upload_part_start(upload, 0, "x", 0, &how, &task, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "negative", us3_upload_part_start(upload, 0, "x", (size_t)-1, &how, &task, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "out_task", us3_upload_part_start(upload, 0, "x", 1, &how, NULL, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "no part", us3_finish_multipart_upload_with_policy_start(upload, NULL, &how, &task, &result), &result);
    CHECK_REFUSED(US3_INVALID_POLICY, "empty", us3_finish_multipart_upload_with_policy_start(upload, "", &how, &task, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "multipart", us3_abort_multipart_upload_start(NULL, &how, &task, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "out_task", us3_abort_multipart_upload_start(upload, &how, NULL, &result), &result);
    CHECK(task == NULL);
    CHECK_INT(US3_INVALID_ARGUMENT, us3_task_file_info(NULL, &info));
    CHECK(us3_task_multipart(NULL) == NULL && us3_task_user_data(NULL) == NULL);
    us3_start_init(NULL);
    us3_start_init(&garbage);
    CHECK(garbage.struct_size == sizeof garbage && garbage.on_complete == NULL);
    /* Nothing of what was refused is still under way. */
    CHECK_INT(US3_OK, us3_abort_multipart_upload(upload, &result));
    us3_result_clear(&result);
    us3_multipart_free(upload);
    us3_client_free(client);
    CHECK_INT(0, told.completed);
}

static void freed_before_its_end(void)
{
    us3_client *client = emulator_client();
    struct told told = TOLD_INIT;
    us3_start how = told_by(&told);
    us3_task *task;

    for (int i = 0; i < 100; i++) {
        REQUIRE(us3_head_file_start(client, "absent", &how, &task, NULL) == US3_OK);
        us3_task_free(task);
        CHECK_INT(i + 1, told.completed);
    }
    us3_client_free(client);
}

static void a_forked_child_starts_nothing(void)
{
    fake_service *fake = stalling_service(FAKE_PART);
    us3_client *client = fake_client(fake);
    us3_multipart *upload = initiate(client, "k");
    us3_result result = US3_RESULT_INIT;
    us3_file_info info = US3_FILE_INFO_INIT;
    us3_task *part, *begun, *other;
    int status;
    pid_t pid;

    REQUIRE(us3_initiate_multipart_upload_start(client, "other", NULL, NULL, &begun, NULL) == US3_OK);
    CHECK_INT(US3_OK, us3_task_wait(begun, -1, NULL));
    REQUIRE(us3_upload_part_start(upload, 0, "x", 1, NULL, &part, NULL) == US3_OK);
    pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        CHECK_REFUSED(US3_FORKED, "fork", us3_head_file_start(client, "k", NULL, &other, &result), &result);
        CHECK_REFUSED(US3_FORKED, "fork", us3_upload_part_start(upload, 1, "x", 1, NULL, &other, &result), &result);
        CHECK_INT(US3_FORKED, us3_task_file_info(part, &info));
        CHECK(us3_task_multipart(begun) == NULL);
        us3_task_free(part);
        us3_task_free(begun);
        us3_multipart_free(upload);
        us3_client_free(client);
        check_leave_fork();
    }
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK_INT(0, status);
    fake_release(fake);
    CHECK_INT(US3_OK, us3_task_wait(part, -1, NULL));
    us3_task_free(part);
    us3_task_free(begun);
    us3_multipart_free(upload);
    us3_client_free(client);
    fake_stop(fake);
}

int main(void)
{
    RUN(a_multipart_upload_in_tasks);
    RUN(head_and_delete);
    RUN(aborts);
    RUN(started_with_the_defaults);
    RUN(an_upload_that_nobody_takes);
    RUN(on_complete_takes_what_a_task_brings);
    RUN(data_of_a_part_is_given_back);
    RUN(strings_are_copied);
    RUN(what_is_under_way_is_not_started_again);
    RUN(freeing_an_upload_waits_for_its_tasks);
    RUN(so_many_run_at_once_as_uploads_may);
    RUN(uploads_hold_up_no_other_task);
    RUN(deadlines_and_cancelling);
    RUN(a_start_that_is_refused);
    RUN(freed_before_its_end);
    RUN(a_forked_child_starts_nothing);
    return check_done();
}
