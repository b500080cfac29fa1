/* A multipart upload driven by hand: parts in any order, what is refused, finishing again, aborting. */
#define _POSIX_C_SOURCE 200809L

#include "fake_service.h"
#include "operations.h"
#include "support.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void send_part(us3_multipart *upload, uint32_t number, const unsigned char *bytes, size_t len)
{
    us3_result result = US3_RESULT_INIT;

    CHECK_STATUS(US3_OK, us3_upload_part(upload, number, bytes, len, &result), &result);
    CHECK(result.etag != NULL && result.etag[0] != '"');
    us3_result_clear(&result);
}

static void finish(us3_multipart *upload)
{
    us3_result result = US3_RESULT_INIT;

    CHECK_STATUS(US3_OK, us3_finish_multipart_upload_with_policy(upload, NULL, &result), &result);
    CHECK_INT(US3_OBJECT_STORED, result.object_state);
    us3_result_clear(&result);
}

static void the_handle_tells_its_id_and_part_size(void)
{
    us3_client *client = emulator_client();
    us3_multipart *upload;
    us3_result result = US3_RESULT_INIT;

    CHECK_STATUS(US3_OK, us3_initiate_multipart_upload(client, "told", NULL, &upload, &result), &result);
    CHECK_INT(4 * MIB, us3_multipart_part_size(upload));
    CHECK(us3_multipart_upload_id(upload) != NULL);
    CHECK_STR(us3_multipart_upload_id(upload), result.upload_id);
    CHECK_INT(US3_OBJECT_NOT_STORED, result.object_state);
    CHECK_STATUS(US3_OK, us3_abort_multipart_upload(upload, &result), &result);
    us3_result_clear(&result);
    us3_multipart_free(upload);
    us3_client_free(client);
}

static void parts_in_any_order_and_again(void)
{
    us3_client *client = emulator_client();
    us3_multipart *upload = initiate(client, "any-order");
    size_t part = 4 * MIB, size = 2 * part + 5;
    unsigned char *bytes = test_bytes(size, 1), *other = test_bytes(part, 2);

    send_part(upload, 2, bytes + 2 * part, 5);
    send_part(upload, 0, other, part);
    send_part(upload, 1, bytes + part, part);
    send_part(upload, 0, bytes, part); /* the last one sent counts */
    finish(upload);
    CHECK_STORED("any-order", bytes, size);
    us3_multipart_free(upload);
    us3_client_free(client);
}

struct sender {
    us3_multipart *upload;
    const unsigned char *bytes;
    uint32_t number;
    pthread_t thread;
};

static void *send_one(void *arg)
{
    struct sender *sender = arg;

    send_part(sender->upload, sender->number, sender->bytes + sender->number * 4 * MIB, 4 * MIB);
    return NULL;
}

static void parts_from_many_threads(void)
{
    us3_client *client = emulator_client();
    us3_multipart *upload = initiate(client, "threads");
    unsigned char *bytes = test_bytes(32 * MIB, 4);
    struct sender senders[8];

    for (uint32_t i = 0; i < 8; i++) {
        senders[i] = (struct sender){.upload = upload, .bytes = bytes, .number = i};
        REQUIRE(pthread_create(&senders[i].thread, NULL, send_one, &senders[i]) == 0);
    }
    for (int i = 0; i < 8; i++)
        pthread_join(senders[i].thread, NULL);
    finish(upload);
    CHECK_STORED("threads", bytes, 32 * MIB);
    us3_multipart_free(upload);
    us3_client_free(client);
}

static void a_part_of_the_wrong_size(void)
{
    us3_client *client = emulator_client();
    us3_result result = US3_RESULT_INIT;
    unsigned char *bytes = test_bytes(4 * MIB + 1, 1);
    us3_multipart *upload;

    emulator_reset();
    upload = initiate(client, "wrong-size");
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "4194304", us3_upload_part(upload, 0, bytes, 4 * MIB + 1, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "4194304", us3_upload_part(upload, 0, bytes, SIZE_MAX / 2, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "empty", us3_upload_part(upload, 0, bytes, 0, &result), &result);
    CHECK_INT(0, requests_seen("part"));

    /* Only the last part may be short: neither can a short part get a successor, … */
    send_part(upload, 0, bytes, 5);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "part 0", us3_upload_part(upload, 1, bytes, 5, &result), &result);
    send_part(upload, 0, bytes, 4 * MIB);
    send_part(upload, 1, bytes, 5);
    /* … nor can one that has a successor be replaced by a short one. */
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "part 0", us3_upload_part(upload, 0, bytes, 5, &result), &result);
    CHECK_INT(3, requests_seen("part"));
    finish(upload);
    us3_multipart_free(upload);
    us3_client_free(client);
}

static void a_part_number_out_of_range(void)
{
    us3_client *client = emulator_client();
    us3_multipart *upload = initiate(client, "number");
    us3_result result = US3_RESULT_INIT;

    CHECK_REFUSED(US3_INVALID_ARGUMENT, "part numbers", us3_upload_part(upload, UINT32_MAX, "x", 1, &result), &result);
    CHECK_INT(0, result.attempts);
    CHECK_STATUS(US3_OK, us3_abort_multipart_upload(upload, &result), &result);
    us3_result_clear(&result);
    us3_multipart_free(upload);
    us3_client_free(client);
}

static void a_part_missing_at_the_finish(void)
{
    us3_client *client = emulator_client();
    us3_multipart *upload = initiate(client, "missing");
    us3_result result = US3_RESULT_INIT;
    unsigned char *bytes = test_bytes(4 * MIB, 1);

    CHECK_REFUSED(US3_INVALID_ARGUMENT, "part", us3_finish_multipart_upload_with_policy(upload, NULL, &result), &result);
    send_part(upload, 0, bytes, 4 * MIB);
    send_part(upload, 2, bytes, 5);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "part 1", us3_finish_multipart_upload_with_policy(upload, NULL, &result), &result);
    send_part(upload, 1, bytes, 4 * MIB);
    finish(upload);
    us3_multipart_free(upload);
    us3_client_free(client);
}

static void nothing_works_after_the_end(void)
{
    us3_client *client = emulator_client();
    us3_multipart *done = initiate(client, "done"), *aborted = initiate(client, "aborted");
    us3_multipart *ended[] = {done, aborted};
    us3_result result = US3_RESULT_INIT;

    send_part(done, 0, (const unsigned char *)"x", 1);
    finish(done);
    CHECK_STATUS(US3_OK, us3_abort_multipart_upload(aborted, &result), &result);
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(US3_INVALID_ARGUMENT, us3_upload_part(ended[i], 0, "x", 1, &result), &result);
        CHECK_STATUS(US3_INVALID_ARGUMENT, us3_finish_multipart_upload_with_policy(ended[i], NULL, &result), &result);
        CHECK_STATUS(US3_INVALID_ARGUMENT, us3_abort_multipart_upload(ended[i], &result), &result);
        CHECK(us3_multipart_upload_id(ended[i]) != NULL);
        us3_multipart_free(ended[i]);
    }
    CHECK_STORED("done", (const unsigned char *)"x", 1);
    us3_result_clear(&result);
    us3_client_free(client);
}

static void abort_leaves_nothing_pending(void)
{
    us3_client *client = emulator_client();
    us3_result result = US3_RESULT_INIT;
    us3_multipart *upload;

    emulator_reset();
    upload = initiate(client, "given-up");
    send_part(upload, 0, (const unsigned char *)"x", 1);
    CHECK_INT(1, pending_uploads());
    CHECK_STATUS(US3_OK, us3_abort_multipart_upload(upload, &result), &result);
    CHECK_INT(0, pending_uploads());
    CHECK(!object_exists("given-up"));
    us3_result_clear(&result);
    us3_multipart_free(upload);
    us3_client_free(client);
}

/* Freeing the handle is no abort: the upload stays with the service. */
static void free_leaves_the_upload(void)
{
    us3_client *client = emulator_client();

    emulator_reset();
    us3_multipart_free(initiate(client, "left"));
    CHECK_INT(1, pending_uploads());
    us3_client_free(client);
}

/* A policy that the library refuses. */
static void finish_again_after_a_bad_policy(void)
{
    us3_client *client = emulator_client();
    us3_result result = US3_RESULT_INIT;
    us3_multipart *upload;
    char *good = json_policy("again");

    emulator_reset();
    upload = initiate(client, "again");
    send_part(upload, 0, (const unsigned char *)"hello", 5);
    CHECK_REFUSED(US3_INVALID_POLICY, "callbackUrl",
                  us3_finish_multipart_upload_with_policy(upload, "{\"callbackUrl\":\"ftp://h/\"}", &result), &result);
    CHECK_INT(1, pending_uploads());
    CHECK_STATUS(US3_OK, us3_finish_multipart_upload_with_policy(upload, good, &result), &result);
    CHECK_INT(US3_CALLBACK_DELIVERED, result.callback_state);
    CHECK_INT(1, callbacks_with("/callback/again\""));
    CHECK_INT(1, requests_seen("part"));
    CHECK_STORED("again", (const unsigned char *)"hello", 5);
    CHECK_INT(0, pending_uploads());
    us3_result_clear(&result);
    us3_multipart_free(upload);
    us3_client_free(client);
}

/* A finish that the service refuses keeps the upload, and another policy may do. */
static void finish_again_after_a_refusal(void)
{
    fake_service *fake = fake_start();
    us3_client *client = fake_client(fake);
    us3_result result = US3_RESULT_INIT;
    us3_multipart *upload = initiate(client, "again");

    fake_set(fake, FAKE_FINISH, fake_answer(400, "", "{\"RetCode\":-148660,\"ErrMsg\":\"invalid put policy\"}"));
    send_part(upload, 0, (const unsigned char *)"hello", 5);
    CHECK_STATUS(US3_SERVICE_ERROR,
                 us3_finish_multipart_upload_with_policy(upload, "{\"callbackUrl\":\"http://h/1\"}", &result), &result);
    CHECK_INT(-148660, result.ret_code);
    CHECK_STR(us3_multipart_upload_id(upload), result.upload_id);
    CHECK_INT(US3_OBJECT_NOT_STORED, result.object_state);
    CHECK_INT(US3_CALLBACK_NOT_DELIVERED, result.callback_state);

    fake_set(fake, FAKE_FINISH, fake_answer(200, "ETag: \"e\"\r\n", "{\"reply\":true}"));
    CHECK_STATUS(US3_OK, us3_finish_multipart_upload_with_policy(upload, "{\"callbackUrl\":\"http://h/2\"}", &result), &result);
    CHECK_STR("{\"reply\":true}", result.body);
    CHECK_INT(1, fake_count(fake, FAKE_PART));
    CHECK_INT(0, fake_count(fake, FAKE_ABORT));
    us3_result_clear(&result);
    us3_multipart_free(upload);
    us3_client_free(client);
    fake_stop(fake);
}

/* The ETags go into the finish in the order of the part numbers, as the service gave them. */
static void the_finish_names_the_parts_in_order(void)
{
    fake_service *fake = fake_start();
    us3_client *client = fake_client(fake);
    us3_multipart *upload = initiate(client, "order");
    unsigned char *bytes = test_bytes(64 * KIB, 1);
    static const uint32_t numbers[] = {2, 0, 1};

    for (int i = 0; i < 3; i++) {
        char *etag = format("ETag: part-%u\r\n", (unsigned)numbers[i]);
        fake_set(fake, FAKE_PART, fake_answer(200, etag, ""));
        send_part(upload, numbers[i], bytes, numbers[i] == 2 ? 5 : 64 * KIB);
    }
    finish(upload);
    CHECK_STR("part-0,part-1,part-2", fake_last_body(fake, FAKE_FINISH));
    us3_multipart_free(upload);
    us3_client_free(client);
    fake_stop(fake);
}

/* A failed part ends the whole upload: it is aborted, and the part's failure is the one reported,
 * whatever the abort then meets. */
static void a_failed_part_aborts(int abort_status, bool upload_is_left)
{
    fake_service *fake = fake_start();
    us3_client *client = fake_client(fake);
    us3_result result = US3_RESULT_INIT;
    char *file = test_file("failing", 5 * 64 * KIB, 1);

    fake_set(fake, FAKE_PART, fake_answer(400, "", "{\"RetCode\":-15036,\"ErrMsg\":\"check md5 failed\"}"));
    fake_set(fake, FAKE_ABORT, fake_answer(abort_status, "", ""));
    for (int op = MPUT; op <= ASYNC_UPLOAD; op++) {
        CHECK_STATUS(US3_SERVICE_ERROR, operations[op].run(client, file, "failing", NULL, &result), &result);
        CHECK_INT(-15036, result.ret_code);
        CHECK_HAS(result.err_msg, "check md5 failed");
        CHECK_STR(upload_is_left ? "fake-upload" : NULL, result.upload_id);
        CHECK_INT(op, fake_count(fake, FAKE_ABORT));
    }
    CHECK_INT(0, fake_count(fake, FAKE_FINISH));
    us3_result_clear(&result);
    us3_client_free(client);
    fake_stop(fake);
}

static void a_failed_part_aborts_the_upload(void)
{
    a_failed_part_aborts(204, false);
}

static void a_failed_abort_hides_nothing(void)
{
    a_failed_part_aborts(500, true);
}

static void a_refused_finish_is_aborted_once(void)
{
    fake_service *fake = fake_start();
    us3_client *client = fake_client(fake);
    us3_result result = US3_RESULT_INIT;
    char *file = test_file("failing", 5 * 64 * KIB, 1);

    fake_set(fake, FAKE_FINISH, fake_answer(400, "", "{\"RetCode\":-1,\"ErrMsg\":\"not today\"}"));
    for (int op = MPUT; op <= ASYNC_UPLOAD; op++) {
        CHECK_STATUS(US3_SERVICE_ERROR, operations[op].run(client, file, "failing", NULL, &result), &result);
        CHECK_HAS(result.err_msg, "not today");
        CHECK_INT(US3_OBJECT_NOT_STORED, result.object_state);
        CHECK(result.upload_id == NULL);
        CHECK_INT(op, fake_count(fake, FAKE_ABORT));
    }
    us3_result_clear(&result);
    us3_client_free(client);
    fake_stop(fake);
}

/* ---- aborting by name ----------------------------------------------------------------------------- */

/* Begun by one client, which is gone; aborted by another, by what the result of it said. */
static void an_upload_that_was_left_is_aborted_by_its_name(void)
{
    static const char key[] = "left/behind ?&.bin";
    us3_client *client = emulator_client();
    us3_result result = US3_RESULT_INIT;
    us3_multipart *upload;

    emulator_reset();
    CHECK_STATUS(US3_OK, us3_initiate_multipart_upload(client, key, NULL, &upload, &result), &result);
    send_part(upload, 0, (const unsigned char *)"x", 1);
    us3_multipart_free(upload);
    us3_client_free(client);
    CHECK_INT(1, pending_uploads());

    client = emulator_client();
    char *id = format("%s", result.upload_id);
    /* The name may be the string of the result that is filled. */
    CHECK_STATUS(US3_OK, us3_abort_upload(client, key, result.upload_id, &result), &result);
    CHECK_STR(id, result.upload_id);
    CHECK_INT(US3_OBJECT_NOT_STORED, result.object_state);
    CHECK_INT(US3_CALLBACK_NOT_REQUESTED, result.callback_state);
    CHECK_INT(0, pending_uploads());
    CHECK_INT(1, requests_seen("abort"));
    us3_result_clear(&result);
    us3_client_free(client);
}

/* A finish whose answer is lost may still run: its upload is left alone, and named. */
static void a_lost_finish_is_aborted_by_the_name_in_its_result(void)
{
    fake_service *fake = fake_start();
    us3_client *client = fake_client(fake);
    us3_result result = US3_RESULT_INIT;
    char *file = test_file("failing", 5 * 64 * KIB, 1);

    fake_set(fake, FAKE_FINISH, FAKE_CLOSE);
    for (int op = MPUT; op < OPERATIONS; op++) {
        CHECK_STATUS(US3_NETWORK_ERROR, operations[op].run(client, file, "failing", NULL, &result), &result);
        CHECK_INT(US3_OBJECT_UNKNOWN, result.object_state);
        CHECK_STR("fake-upload", result.upload_id);
        CHECK_INT(op - MPUT, fake_count(fake, FAKE_ABORT));
        CHECK_INT(US3_OK, us3_abort_upload(client, "failing", result.upload_id, NULL));
        CHECK_HAS(fake_last_head(fake, FAKE_ABORT), "DELETE /failing?uploadId=fake-upload ");
    }
    us3_result_clear(&result);
    us3_client_free(client);
    fake_stop(fake);
}

/* Whether it ran is not known: it is no success, and no upload is said to exist. */
static void an_abort_whose_answer_is_lost_is_no_success(void)
{
    fake_service *fake = fake_start();
    us3_client *client = fake_client(fake);
    us3_result result = US3_RESULT_INIT;

    fake_set(fake, FAKE_ABORT, FAKE_CLOSE);
    CHECK_STATUS(US3_NETWORK_ERROR, us3_abort_upload(client, "k", "fake-upload", &result), &result);
    CHECK(result.upload_id == NULL);
    CHECK_INT(1, fake_count(fake, FAKE_ABORT));
    us3_result_clear(&result);
    us3_client_free(client);
    fake_stop(fake);
}

/* A typing mistake, another key's upload, one that is aborted already: none is a success. */
static void an_upload_that_the_service_does_not_know_is_404(void)
{
    us3_client *client = emulator_client();
    us3_result result = US3_RESULT_INIT;
    us3_multipart *upload;

    emulator_reset();
    upload = initiate(client, "known");
    const char *id = us3_multipart_upload_id(upload);
    CHECK_STATUS(US3_SERVICE_ERROR, us3_abort_upload(client, "known", format("%sx", id), &result), &result);
    CHECK_INT(404, result.http_status);
    CHECK_HAS(result.err_msg, "AbortMultipartUpload");
    CHECK_HAS(result.err_msg, format("/known?uploadId=%sx", id));
    CHECK(result.upload_id == NULL);
    CHECK_STATUS(US3_SERVICE_ERROR, us3_abort_upload(client, "other", id, &result), &result);
    CHECK_INT(404, result.http_status);
    CHECK_INT(1, pending_uploads());
    CHECK_STATUS(US3_OK, us3_abort_upload(client, "known", id, &result), &result);
    CHECK_STATUS(US3_SERVICE_ERROR, us3_abort_upload(client, "known", id, &result), &result);
    CHECK_INT(404, result.http_status);
    us3_result_clear(&result);
    us3_multipart_free(upload);
    us3_client_free(client);
}

int main(void)
{
    RUN(the_handle_tells_its_id_and_part_size);
    RUN(parts_in_any_order_and_again);
    RUN(parts_from_many_threads);
    RUN(a_part_of_the_wrong_size);
    RUN(a_part_number_out_of_range);
    RUN(a_part_missing_at_the_finish);
    RUN(nothing_works_after_the_end);
    RUN(abort_leaves_nothing_pending);
    RUN(free_leaves_the_upload);
    RUN(finish_again_after_a_bad_policy);
    RUN(finish_again_after_a_refusal);
    RUN(the_finish_names_the_parts_in_order);
    RUN(a_failed_part_aborts_the_upload);
    RUN(a_failed_abort_hides_nothing);
    RUN(a_refused_finish_is_aborted_once);
    RUN(an_upload_that_was_left_is_aborted_by_its_name);
    RUN(a_lost_finish_is_aborted_by_the_name_in_its_result);
    RUN(an_abort_whose_answer_is_lost_is_no_success);
    RUN(an_upload_that_the_service_does_not_know_is_404);
    return check_done();
}
