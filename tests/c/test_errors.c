/* The documented errors of the service, and what a failed callback means. */
#include "http.h"
#include "operations.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

#define POLICY "{\"callbackUrl\":\"http://h/\"}"

struct row {
    int http_status, ret_code;
    const char *message;
    /* With a policy. */
    int32_t callback;
};

static const struct row rows[] = {
    /* The page's table. */
    {400, -148653, "bucket not exists", US3_CALLBACK_NOT_DELIVERED},
    {400, -15036, "check md5 failed", US3_CALLBACK_NOT_DELIVERED},
    {401, -148643, "no authorization found", US3_CALLBACK_NOT_DELIVERED},
    {403, -148643, "invalid signature", US3_CALLBACK_NOT_DELIVERED},
    {400, -148660, "invalid put policy", US3_CALLBACK_NOT_DELIVERED},
    {599, 20003, "send request error: Post http://h/: dial tcp 1.2.3.4:80: getsockopt: connection refused", US3_CALLBACK_NOT_DELIVERED},
    {599, 20008, "expect json, but received text/plain; charset=utf-8", US3_CALLBACK_REPLY_REFUSED},
    {599, 20008, "expect json, but the response body is not a strict json string", US3_CALLBACK_REPLY_REFUSED},
    /* Of a failed dial, only one to the policy's own address proves that nothing was sent: the first may have redirected. */
    {599, 20003, "send request error: Post http://h/: dial tcp: lookup h: no such host", US3_CALLBACK_NOT_DELIVERED},
    {599, 20003, "send request error: Post https://1.2.3.4:5/: dial tcp 1.2.3.4:5: getsockopt: connection refused", US3_CALLBACK_UNKNOWN},
    {599, 20003, "send request error: Post http://h/: EOF", US3_CALLBACK_UNKNOWN},
    {599, 20003, "send request error: Post http://h/: read tcp 1.2.3.4:80: connection reset by peer", US3_CALLBACK_UNKNOWN},
    {599, 20003, "send request error: Post http://h/: net/http: request canceled (Client.Timeout exceeded while awaiting headers)", US3_CALLBACK_UNKNOWN},
    {599, 1, "something new", US3_CALLBACK_UNKNOWN},
};
enum { ROWS = sizeof rows / sizeof *rows, REFUSED_CALLBACK = 5 };

/* What the service holds after the answer: 599 says that the object is stored. */
static char *head_of(const struct row *row)
{
    return row->http_status == 599 ? fake_answer(200, "ETag: \"fake\"\r\n", "") : fake_answer(404, "", "");
}

static void check_row(const struct row *row, int32_t status, const us3_result *result)
{
    bool stored = row->http_status == 599;

    CHECK_STATUS(stored ? US3_CALLBACK_FAILED : US3_SERVICE_ERROR, status, result);
    CHECK_INT(row->http_status, result->http_status);
    CHECK_INT(row->ret_code, result->ret_code);
    CHECK_HAS(result->err_msg, row->message);
    CHECK_INT(stored ? US3_OBJECT_STORED : US3_OBJECT_NOT_STORED, result->object_state);
    CHECK_INT(row->callback, result->callback_state);
    CHECK_STR(stored ? "fake" : NULL, result->etag);
    CHECK_STR("session-1", result->session_id);
    CHECK_INT(1, result->attempts);
}

/* What a person reads names everything a person needs. */
static void check_described(const struct row *row, const us3_result *result)
{
    char *text = us3_result_describe(result);

    CHECK_HAS(text, us3_status_name(result->status));
    CHECK_HAS(text, row->message);
    CHECK_HAS(text, format("%d", row->http_status));
    CHECK_HAS(text, format("%d", row->ret_code));
    CHECK_HAS(text, "session-1");
    us3_string_free(text);
}

static char *answer_of(const struct row *row)
{
    return fake_answer(row->http_status, "X-SessionId: session-1\r\nContent-Type: application/json\r\n",
                       format("{\"RetCode\":%d,\"ErrMsg\":\"%s\"}", row->ret_code, row->message));
}

static void every_row_at_put_file(void)
{
    char *file = test_text_file("plain.txt", "hello");
    us3_result result = US3_RESULT_INIT;

    for (int i = 0; i < ROWS; i++) {
        fake_service *fake = fake_start();
        us3_client *client = fake_client(fake);
        fake_set(fake, FAKE_PUT, answer_of(&rows[i]));
        fake_set(fake, FAKE_HEAD, head_of(&rows[i]));
        check_row(&rows[i], us3_put_file_with_policy(client, file, "k", NULL, POLICY, &result), &result);
        check_described(&rows[i], &result);
        /* Never again by itself: a callback must not fire twice. */
        CHECK_INT(1, fake_count(fake, FAKE_PUT));
        us3_client_free(client);
        fake_stop(fake);
    }
    us3_result_clear(&result);
}

static void every_row_at_the_finish(void)
{
    char *file = test_text_file("plain.txt", "hello");
    us3_result result = US3_RESULT_INIT;

    for (int i = 0; i < ROWS; i++)
        for (int op = MPUT; op < OPERATIONS; op++) {
            fake_service *fake = fake_start();
            us3_client *client = fake_client(fake);
            bool refused = rows[i].http_status != 599;
            fake_set(fake, FAKE_FINISH, answer_of(&rows[i]));
            fake_set(fake, FAKE_HEAD, head_of(&rows[i]));
            check_row(&rows[i], operations[op].run(client, file, "k", POLICY, &result), &result);
            CHECK_INT(1, fake_count(fake, FAKE_FINISH));
            /* A refused upload still exists: it is aborted, unless a handle can finish it again. After 599 it has ended. */
            CHECK_INT(refused && op != FINISH, fake_count(fake, FAKE_ABORT));
            CHECK_STR(refused && op == FINISH ? "fake-upload" : NULL, result.upload_id);
            us3_client_free(client);
            fake_stop(fake);
        }
    us3_result_clear(&result);
}

/* 599 is final even for a client that may retry. */
static void a_failed_callback_is_never_retried(void)
{
    fake_service *fake = fake_start();
    us3_config config = config_for(fake_url(fake));
    us3_result result = US3_RESULT_INIT;
    us3_client *client;

    config.max_retries = 5;
    client = client_with(&config);
    fake_set(fake, FAKE_PUT, answer_of(&rows[REFUSED_CALLBACK]));
    fake_set(fake, FAKE_HEAD, head_of(&rows[REFUSED_CALLBACK]));
    check_row(&rows[REFUSED_CALLBACK], us3_put_file_with_policy(client, test_text_file("f", "x"), "k", NULL, POLICY, &result), &result);
    CHECK_INT(1, fake_count(fake, FAKE_PUT));
    us3_result_clear(&result);
    us3_client_free(client);
    fake_stop(fake);
}

/* ---- those that the emulator really answers ---------------------------------------------------- */

static void check_real(us3_client *client, const char *policy, int http_status, int ret_code, const char *message,
                       int32_t callback)
{
    char *file = test_text_file("plain.txt", "hello");
    us3_result result = US3_RESULT_INIT;

    for (int op = 0; op < OPERATIONS; op++) {
        bool stored = http_status == 599;
        char *key = format("real-%d", op);
        CHECK_STATUS(stored ? US3_CALLBACK_FAILED : US3_SERVICE_ERROR, operations[op].run(client, file, key, policy, &result), &result);
        CHECK_INT(http_status, result.http_status);
        CHECK_INT(ret_code, result.ret_code);
        CHECK_HAS(result.err_msg, message);
        CHECK(result.session_id != NULL);
        CHECK_INT(stored ? US3_OBJECT_STORED : US3_OBJECT_NOT_STORED, result.object_state);
        CHECK_INT(callback, result.callback_state);
        CHECK_INT(stored, object_exists(key));
    }
    us3_result_clear(&result);
    CHECK_INT(0, pending_uploads());
}

static void a_bucket_that_does_not_exist(void)
{
    us3_config config = config_for(env("US3_TEST_ENDPOINT"));
    us3_client *client;

    emulator_reset();
    config.bucket_name = "missing"; /* run.sh tells the emulator about it */
    client = client_with(&config);
    check_real(client, NULL, 400, -148653, "bucket not exists", US3_CALLBACK_NOT_REQUESTED);
    us3_client_free(client);
}

static void a_wrong_private_key(void)
{
    us3_config config = config_for(env("US3_TEST_ENDPOINT"));
    us3_client *client;

    emulator_reset();
    config.private_key = "some-other-key";
    client = client_with(&config);
    check_real(client, NULL, 403, -148643, "invalid signature", US3_CALLBACK_NOT_REQUESTED);
    us3_client_free(client);
}

static void a_callback_service_that_is_down(void)
{
    us3_client *client = emulator_client();

    emulator_reset();
    check_real(client, format("{\"callbackUrl\":\"%s/\",\"callbackBody\":\"a=b\"}", refusing_url()), 599, 20003, "connection refused",
               US3_CALLBACK_NOT_DELIVERED);
    us3_client_free(client);
}

/* The emulator's callback goes to a service of ours that answers like this. */
static void callback_answered_with(const char *answer, const char *message)
{
    us3_client *client = emulator_client();
    fake_service *fake = fake_start();

    emulator_reset();
    fake_set(fake, FAKE_OTHER, answer);
    check_real(client, format("{\"callbackUrl\":\"%s/\",\"callbackBody\":\"a=b\"}", fake_url(fake)), 599, 20008, message,
               US3_CALLBACK_REPLY_REFUSED);
    CHECK_INT(OPERATIONS, fake_count(fake, FAKE_OTHER));
    us3_client_free(client);
    fake_stop(fake);
}

static void a_callback_reply_of_the_wrong_type(void)
{
    callback_answered_with(fake_answer(200, "Content-Type: text/plain; charset=utf-8\r\n", "{}"),
                           "expect json, but received text/plain; charset=utf-8");
}

static void a_callback_reply_that_is_no_json(void)
{
    callback_answered_with(fake_answer(200, "Content-Type: application/json\r\n", "hello"),
                           "expect json, but the response body is not a strict json string");
}

int main(void)
{
    RUN(every_row_at_put_file);
    RUN(every_row_at_the_finish);
    RUN(a_failed_callback_is_never_retried);
    RUN(a_bucket_that_does_not_exist);
    RUN(a_wrong_private_key);
    RUN(a_callback_service_that_is_down);
    RUN(a_callback_reply_of_the_wrong_type);
    RUN(a_callback_reply_that_is_no_json);
    return check_done();
}
