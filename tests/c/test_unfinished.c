/* Uploads that were left behind: listed page by page, opened again with their parts, finished or aborted by name. */
#define _POSIX_C_SOURCE 200809L

#include "fake_service.h"
#include "operations.h"
#include "support.h"
#include "tasks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- listing ---------------------------------------------------------------------------------- */

struct listed {
    int count, most;
    char keys[300][64], ids[300][64];
    int64_t earliest;
    us3_client *client;
};

static int32_t note(const us3_unfinished *upload, void *user_data)
{
    struct listed *listed = user_data;

    REQUIRE(listed->count < 300 && upload->struct_size == sizeof *upload);
    snprintf(listed->keys[listed->count], sizeof listed->keys[0], "%s", upload->key);
    snprintf(listed->ids[listed->count], sizeof listed->ids[0], "%s", upload->upload_id);
    if (listed->count == 0 || upload->started < listed->earliest)
        listed->earliest = upload->started;
    CHECK_STR("STANDARD", upload->storage_class);
    return ++listed->count == listed->most;
}

static void leave(us3_client *client, const char *key)
{
    us3_multipart *upload;

    REQUIRE(us3_initiate_multipart_upload(client, key, NULL, &upload, NULL) == US3_OK);
    us3_multipart_free(upload);
}

/* More than two pages, some of one key, all of them once; what they tell is enough to abort them. */
static void every_upload_is_told_of_once(void)
{
    enum { UPLOADS = 230 };
    us3_client *client = emulator_client();
    struct listed *listed = calloc(1, sizeof *listed);
    int64_t before = (int64_t)time(NULL);
    us3_result result = US3_RESULT_INIT;

    emulator_reset();
    for (int i = 0; i < UPLOADS; i++)
        leave(client, i % 2 == 0 ? "the same" : format("left/%d", i));
    CHECK_STATUS(US3_OK, us3_list_uploads(client, NULL, note, listed, &result), &result);
    CHECK_INT(UPLOADS, listed->count);
    CHECK(listed->earliest >= before - 2 && listed->earliest <= (int64_t)time(NULL) + 2);
    for (int i = 0; i < UPLOADS; i++)
        CHECK_INT(US3_OK, us3_abort_upload(client, listed->keys[i], listed->ids[i], NULL));
    CHECK_INT(0, pending_uploads());
    listed->count = 0;
    CHECK_STATUS(US3_OK, us3_list_uploads(client, "", note, listed, &result), &result);
    CHECK_INT(0, listed->count);
    us3_result_clear(&result);
    us3_client_free(client);
    free(listed);
}

static void a_prefix_and_an_early_end(void)
{
    us3_client *client = emulator_client();
    struct listed *listed = calloc(1, sizeof *listed);
    struct told told = TOLD_INIT;
    us3_start how = US3_START_INIT;
    us3_task *task;

    emulator_reset();
    for (int i = 0; i < 6; i++)
        leave(client, format("%s/a & b=%d", i % 2 == 0 ? "x y" : "z", i));
    CHECK_INT(US3_OK, us3_list_uploads(client, "x y/a &", note, listed, NULL));
    CHECK_INT(3, listed->count);
    *listed = (struct listed){.most = 2};
    CHECK_INT(US3_OK, us3_list_uploads(client, "", note, listed, NULL));
    CHECK_INT(2, listed->count);

    *listed = (struct listed){0};
    how.on_complete = tell_complete;
    how.user_data = &told;
    REQUIRE(us3_list_uploads_start(client, "z", note, listed, &how, &task, NULL) == US3_OK);
    CHECK_INT(US3_OK, us3_task_wait(task, -1, NULL));
    CHECK_INT(3, listed->count);
    CHECK_INT(1, told.completed);
    us3_task_free(task);
    us3_client_free(client);
    free(listed);
}

/* Its function runs on a library thread, where nothing may block, but everything may be started. */
static int32_t abort_there(const us3_unfinished *upload, void *user_data)
{
    struct listed *listed = user_data;
    us3_task *task;

    CHECK_INT(US3_WOULD_DEADLOCK, us3_abort_upload(listed->client, upload->key, upload->upload_id, NULL));
    CHECK_INT(US3_OK, us3_abort_upload_start(listed->client, upload->key, upload->upload_id, NULL, &task, NULL));
    us3_task_free(task);
    listed->count++;
    return 0;
}

static void uploads_are_aborted_while_they_are_listed(void)
{
    us3_client *client = emulator_client();
    struct listed *listed = calloc(1, sizeof *listed);

    emulator_reset();
    for (int i = 0; i < 120; i++)
        leave(client, format("swept/%d", i));
    listed->client = client;
    CHECK_INT(US3_OK, us3_list_uploads(client, "swept/", abort_there, listed, NULL));
    CHECK_INT(120, listed->count);
    us3_client_free(client);
    CHECK_INT(0, pending_uploads());
    free(listed);
}

static void a_list_that_is_not_whole_is_no_success(void)
{
    static const char *const bodies[] = {
        "{\"RetCode\":0,\"DataSet\":[],\"IsTruncated\":true,\"NextMarker\":\"\"}",
        "{\"RetCode\":0,\"DataSet\":[],\"IsTruncated\":true,\"NextMarker\":\"a\",\"UploadIdMarker\":\"1\"}",
        "{\"RetCode\":0}",
        "<html>",
    };
    struct listed *listed = calloc(1, sizeof *listed);
    us3_result result = US3_RESULT_INIT;

    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        fake_service *fake = fake_start();
        us3_client *client = fake_client(fake);

        fake_set(fake, FAKE_OTHER, fake_answer(200, "", bodies[i]));
        CHECK_REFUSED(US3_PROTOCOL_ERROR, "GetMultiUploadId", us3_list_uploads(client, "", note, listed, &result), &result);
        us3_client_free(client);
        fake_stop(fake);
    }
    CHECK_INT(0, listed->count);
    free(listed);
}

static void what_cannot_be_listed(void)
{
    us3_client *client = emulator_client();
    struct listed *listed = calloc(1, sizeof *listed);
    us3_result result = US3_RESULT_INIT;
    us3_task *task = (us3_task *)client;
    char prefix[1025];

    memset(prefix, 'p', sizeof prefix - 1);
    prefix[sizeof prefix - 1] = '\0';
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "client", us3_list_uploads(NULL, "", note, listed, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "on_unfinished", us3_list_uploads(client, "", NULL, NULL, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "prefix", us3_list_uploads(client, prefix, note, listed, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "UTF-8", us3_list_uploads(client, "\xFF", note, listed, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "on_unfinished",
                  us3_list_uploads_start(client, "", NULL, NULL, NULL, &task, &result), &result);
    CHECK(task == NULL);
    emulator_tell("/rights", "[\"write\"]");
    CHECK_STATUS(US3_SERVICE_ERROR, us3_list_uploads(client, "", note, listed, &result), &result);
    CHECK_INT(403, result.http_status);
    emulator_reset();
    CHECK_INT(0, listed->count);
    us3_result_clear(&result);
    us3_client_free(client);
    free(listed);
}

/* ---- opening ---------------------------------------------------------------------------------- */

/* An upload of which these parts were sent, left behind; its name, in the arena. */
static char *left_with(us3_client *client, const char *key, const unsigned char *bytes, size_t size, unsigned parts)
{
    us3_multipart *upload = initiate(client, key);
    char *name = format("%s", us3_multipart_upload_id(upload));

    for (uint32_t i = 0; (size_t)i * 4 * MIB < size; i++) {
        size_t at = (size_t)i * 4 * MIB, len = size - at < 4 * MIB ? size - at : 4 * MIB;
        if ((parts >> i & 1) != 0)
            REQUIRE(us3_upload_part(upload, i, bytes + at, len, NULL) == US3_OK);
    }
    us3_multipart_free(upload);
    return name;
}

/* Another client goes on: it sends what is missing, and the object is whole, whatever was there. */
static void what_is_missing_is_sent_and_finished(void)
{
    size_t size = 9 * MIB;
    us3_client *client = emulator_client(), *other = emulator_client();
    unsigned char *bytes = test_bytes(size, 1);
    us3_result result = US3_RESULT_INIT;

    for (unsigned parts = 0; parts < 8; parts++) {
        const char *key = format("opened-%u", parts);
        char *name = left_with(client, key, bytes, size, parts);
        us3_multipart *upload;

        CHECK_STATUS(US3_OK, us3_multipart_open(other, key, name, &upload, &result), &result);
        REQUIRE(upload != NULL);
        CHECK_STR(name, us3_multipart_upload_id(upload));
        CHECK_STR(name, result.upload_id);
        CHECK_INT(4 * MIB, us3_multipart_part_size(upload));
        for (uint32_t i = 0; i < 3; i++) {
            size_t at = (size_t)i * 4 * MIB, len = i < 2 ? 4 * MIB : 1 * MIB;
            bool there = (parts >> i & 1) != 0;
            CHECK_INT(there ? len : 0, us3_multipart_part_len(upload, i));
            if (!there)
                CHECK_STATUS(US3_OK, us3_upload_part(upload, i, bytes + at, len, &result), &result);
            CHECK_INT(len, us3_multipart_part_len(upload, i));
        }
        CHECK_INT(0, us3_multipart_part_len(upload, 3));
        CHECK_STATUS(US3_OK, us3_finish_multipart_upload_with_policy(upload, NULL, &result), &result);
        CHECK_INT(US3_OBJECT_STORED, result.object_state);
        CHECK(result.note == NULL);
        us3_multipart_free(upload);
        CHECK_STORED(key, bytes, size);
    }
    us3_result_clear(&result);
    us3_client_free(client);
    us3_client_free(other);
}

/* Of parts that somebody else has sent the object's ETag is known all the same. */
static void the_etag_of_an_opened_upload_is_compared(void)
{
    size_t size = 9 * MIB;
    us3_client *client = emulator_client();
    unsigned char *bytes = test_bytes(size, 1);
    char *name = left_with(client, "compared", bytes, size, 7);
    us3_result result = US3_RESULT_INIT;
    us3_multipart *upload;

    REQUIRE(us3_multipart_open(client, "compared", name, &upload, NULL) == US3_OK);
    emulator_tell("/rules", "{\"call\":\"finish\",\"fault\":{\"alter\":{\"etag\":\"wrong\"}}}");
    CHECK_STATUS(US3_INTEGRITY_ERROR, us3_finish_multipart_upload_with_policy(upload, NULL, &result), &result);
    us3_multipart_free(upload);
    us3_result_clear(&result);
    us3_client_free(client);
    emulator_reset();
}

static void opened_and_aborted(void)
{
    us3_client *client = emulator_client();
    unsigned char *bytes = test_bytes(4 * MIB, 1);
    char *name = left_with(client, "opened", bytes, 4 * MIB, 1);
    us3_multipart *upload;
    us3_task *task;

    REQUIRE(us3_multipart_open_start(client, "opened", name, NULL, &task, NULL) == US3_OK);
    CHECK_INT(US3_OK, us3_task_wait(task, -1, NULL));
    upload = us3_task_multipart(task);
    REQUIRE(upload != NULL);
    us3_task_free(task);
    CHECK_INT(US3_OK, us3_abort_multipart_upload(upload, NULL));
    us3_multipart_free(upload);
    CHECK_INT(0, pending_uploads());
    us3_client_free(client);
}

static void what_cannot_be_opened(void)
{
    us3_client *client = emulator_client();
    char *name = left_with(client, "mine", NULL, 0, 0);
    us3_result result = US3_RESULT_INIT;
    us3_multipart *upload = (us3_multipart *)client;
    us3_task *task = (us3_task *)client;

    CHECK_REFUSED(US3_INVALID_ARGUMENT, "another key", us3_multipart_open(client, "other", name, &upload, &result), &result);
    CHECK(upload == NULL);
    CHECK_STATUS(US3_SERVICE_ERROR, us3_multipart_open(client, "mine", "unknown", &upload, &result), &result);
    CHECK_INT(404, result.http_status);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "client", us3_multipart_open(NULL, "k", "u", &upload, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "key", us3_multipart_open(client, NULL, "u", &upload, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "upload_id", us3_multipart_open(client, "k", "", &upload, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "multipart", us3_multipart_open(client, "k", "u", NULL, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "upload_id", us3_multipart_open_start(client, "k", "a b", NULL, &task, &result),
                  &result);
    CHECK(task == NULL);
    CHECK_INT(0, us3_multipart_part_len(NULL, 0));
    emulator_tell("/rights", "[\"write\",\"delete\"]");
    CHECK_STATUS(US3_SERVICE_ERROR, us3_multipart_open(client, "mine", name, &upload, &result), &result);
    CHECK_INT(403, result.http_status);
    CHECK_STATUS(US3_OK, us3_abort_upload(client, "mine", name, &result), &result);
    emulator_reset();
    us3_result_clear(&result);
    us3_client_free(client);
}

/* What is absent from a list that breaks off would be missing in the object. */
static void a_list_of_parts_that_is_not_whole_opens_nothing(void)
{
    fake_service *fake = fake_start();
    us3_client *client = fake_client(fake);
    us3_result result = US3_RESULT_INIT;
    us3_multipart *upload;

    fake_set(fake, FAKE_OTHER, fake_answer(200, "", "{\"Parts\":[{\"PartNum\":0,\"Etag\":\"e\",\"Size\":1}],\"IsTruncated\":true}"));
    CHECK_REFUSED(US3_PROTOCOL_ERROR, "does not say where", us3_multipart_open(client, "k", "u", &upload, &result), &result);
    CHECK(upload == NULL);
    us3_client_free(client);
    fake_stop(fake);
}

int main(void)
{
    RUN(every_upload_is_told_of_once);
    RUN(a_prefix_and_an_early_end);
    RUN(uploads_are_aborted_while_they_are_listed);
    RUN(a_list_that_is_not_whole_is_no_success);
    RUN(what_cannot_be_listed);
    RUN(what_is_missing_is_sent_and_finished);
    RUN(the_etag_of_an_opened_upload_is_compared);
    RUN(opened_and_aborted);
    RUN(what_cannot_be_opened);
    RUN(a_list_of_parts_that_is_not_whole_opens_nothing);
    return check_done();
}
