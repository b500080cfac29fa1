/* What is found out about an upload whose answer is lost, or says nothing for sure. */
#define _POSIX_C_SOURCE 200809L

#include "operations.h"
#include "support.h"

#include <time.h>

#define POLICY "{\"callbackUrl\":\"http://h/\"}"
#define HELLO_ETAG "AQAAAKr0xh3cxeii2r7eDztILNmuqUNN"
#define OTHER_ETAG "AQAAANo5o-5eaw0yVb_vlWAYkK_YBwlx"
#define NOON "Date: Mon, 02 Jan 2023 12:00:00 GMT\r\n"

/* Answers to HEAD, at noon. */
static const char absent[] = "HTTP/1.1 404 Not Found\r\n" NOON "Content-Length: 0\r\n\r\n";
static const char ours[] = "HTTP/1.1 200 OK\r\n" NOON
                           "Last-Modified: Mon, 02 Jan 2023 12:00:00 GMT\r\nETag: " HELLO_ETAG "\r\nContent-Length: 0\r\n\r\n";
static const char older[] = "HTTP/1.1 200 OK\r\n" NOON
                            "Last-Modified: Mon, 02 Jan 2023 11:00:00 GMT\r\nETag: " HELLO_ETAG "\r\nContent-Length: 0\r\n\r\n";
static const char of_unknown_age[] = "HTTP/1.1 200 OK\r\n" NOON "ETag: " HELLO_ETAG "\r\nContent-Length: 0\r\n\r\n";
static const char another[] = "HTTP/1.1 200 OK\r\n" NOON
                              "Last-Modified: Mon, 02 Jan 2023 12:00:00 GMT\r\nETag: " OTHER_ETAG "\r\nContent-Length: 0\r\n\r\n";
static const char forbidden[] = "HTTP/1.1 403 Forbidden\r\n" NOON "Content-Length: 0\r\n\r\n";
static const char without_etag[] = "HTTP/1.1 200 OK\r\n" NOON
                                   "Last-Modified: Mon, 02 Jan 2023 12:00:00 GMT\r\nContent-Length: 0\r\n\r\n";

/* PutFile of "hello", answered by `put`; HEAD by `head`. */
struct exchange {
    const char *put, *head, *policy;
    uint32_t max_retries, settle_timeout_ms;
};

static us3_status run(const struct exchange *exchange, us3_result *result, int *puts, int *heads)
{
    fake_service *fake = fake_start();
    us3_config config = config_for(fake_url(fake));
    us3_client *client;
    us3_status status;

    config.max_retries = exchange->max_retries;
    config.settle_timeout_ms = exchange->settle_timeout_ms;
    client = client_with(&config);
    fake_set(fake, FAKE_PUT, exchange->put);
    fake_set(fake, FAKE_HEAD, exchange->head);
    status = us3_put_file_with_policy(client, test_text_file("f", "hello"), "k", NULL, exchange->policy, result);
    us3_client_free(client);
    *puts = fake_count(fake, FAKE_PUT);
    *heads = fake_count(fake, FAKE_HEAD);
    fake_stop(fake);
    return status;
}

/* With a policy, and without another try. */
static void check(const char *put, const char *head, int32_t status, int32_t object, int32_t callback, us3_result *result)
{
    struct exchange exchange = {put, head, POLICY, 3, 100};
    int puts, heads;

    CHECK_STATUS(status, run(&exchange, result, &puts, &heads), result);
    CHECK_INT(object, result->object_state);
    CHECK_INT(callback, result->callback_state);
    CHECK_INT(1, puts);
    CHECK(heads >= 1);
}

static intmax_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (intmax_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void a_lost_answer_tells_what_head_tells_and_no_more(void)
{
    static const struct {
        const char *head;
        int32_t object;
        const char *says;
    } rows[] = {
        {ours, US3_OBJECT_STORED, "ask the callback service"},
        {absent, US3_OBJECT_UNKNOWN, "may still be at work"},
        {older, US3_OBJECT_UNKNOWN, "from before"},
        {of_unknown_age, US3_OBJECT_UNKNOWN, "how old"},
        {another, US3_OBJECT_UNKNOWN, "not provably this one"},
        {forbidden, US3_OBJECT_UNKNOWN, "403"},
        {FAKE_CLOSE, US3_OBJECT_UNKNOWN, "HEAD was not answered"},
    };
    us3_result result = US3_RESULT_INIT;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check(FAKE_CLOSE, rows[i].head, US3_NETWORK_ERROR, rows[i].object, US3_CALLBACK_UNKNOWN, &result);
        CHECK_HAS(result.err_msg, rows[i].says);
    }
    us3_result_clear(&result);
}

static void answers_of_gateways_prove_nothing(void)
{
    static const int statuses[] = {200, 302, 403, 404, 429, 500, 502, 503, 504, 599};
    us3_result result = US3_RESULT_INIT;

    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        char *page = fake_answer(statuses[i], "Content-Type: text/html\r\n", "<html>hello</html>");
        bool makes_no_sense = statuses[i] < 400;
        check(page, absent, makes_no_sense ? US3_PROTOCOL_ERROR : US3_SERVICE_ERROR, US3_OBJECT_UNKNOWN, US3_CALLBACK_UNKNOWN,
              &result);
        CHECK_INT(statuses[i], result.http_status);
    }
    us3_result_clear(&result);
}

/* The callback service may answer in the service's form: HEAD decides whose answer it is. */
static void an_error_in_the_form_is_settled_by_one_head(void)
{
    struct exchange exchange = {fake_answer(400, "", "{\"RetCode\":17,\"ErrMsg\":\"no\"}"), ours, POLICY, 3, 5000};
    us3_result result = US3_RESULT_INIT;
    int puts, heads;

    CHECK_STATUS(US3_CALLBACK_FAILED, run(&exchange, &result, &puts, &heads), &result);
    CHECK_INT(US3_OBJECT_STORED, result.object_state);
    CHECK_INT(US3_CALLBACK_UNKNOWN, result.callback_state);
    CHECK_STR(HELLO_ETAG, result.etag);
    CHECK_INT(1, puts);
    CHECK_INT(1, heads);

    exchange.head = absent;
    CHECK_STATUS(US3_SERVICE_ERROR, run(&exchange, &result, &puts, &heads), &result);
    CHECK_INT(US3_OBJECT_NOT_STORED, result.object_state);
    CHECK_INT(US3_CALLBACK_NOT_DELIVERED, result.callback_state);
    CHECK_INT(1, puts);
    CHECK_INT(1, heads);

    /* Refused, and it may pass: only now is it sent again. */
    exchange.put = fake_answer(503, "", "{\"RetCode\":17,\"ErrMsg\":\"busy\"}");
    exchange.max_retries = 1;
    CHECK_STATUS(US3_SERVICE_ERROR, run(&exchange, &result, &puts, &heads), &result);
    CHECK_INT(US3_OBJECT_NOT_STORED, result.object_state);
    CHECK_INT(2, puts);
    us3_result_clear(&result);
}

static void without_a_policy_a_lost_answer_is_made_good(void)
{
    struct exchange exchange = {FAKE_CLOSE, ours, NULL, 0, 100};
    us3_result result = US3_RESULT_INIT;
    int puts, heads;

    CHECK_STATUS(US3_OK, run(&exchange, &result, &puts, &heads), &result);
    CHECK_INT(US3_OBJECT_STORED, result.object_state);
    CHECK_INT(US3_CALLBACK_NOT_REQUESTED, result.callback_state);
    CHECK_STR(HELLO_ETAG, result.etag);
    CHECK_INT(1, puts);
    us3_result_clear(&result);
}

static void a_success_without_an_etag_is_looked_at_once(void)
{
    char *json = fake_answer(200, "Content-Type: application/json\r\n", "{\"job\":1}");
    us3_result result = US3_RESULT_INIT;

    check(json, ours, US3_OK, US3_OBJECT_STORED, US3_CALLBACK_DELIVERED, &result);
    CHECK_STR(HELLO_ETAG, result.etag);
    CHECK(result.note == NULL);
    CHECK_STR("{\"job\":1}", result.body);

    check(json, another, US3_INTEGRITY_ERROR, US3_OBJECT_STORED, US3_CALLBACK_DELIVERED, &result);
    CHECK_HAS(result.err_msg, OTHER_ETAG);

    check(json, absent, US3_PROTOCOL_ERROR, US3_OBJECT_UNKNOWN, US3_CALLBACK_UNKNOWN, &result);
    us3_result_clear(&result);
}

static void a_note_says_that_nothing_could_be_compared(void)
{
    char *json = fake_answer(200, "Content-Type: application/json\r\n", "{}");
    us3_result result = US3_RESULT_INIT;
    char *text;

    check(json, forbidden, US3_OK, US3_OBJECT_STORED, US3_CALLBACK_DELIVERED, &result);
    CHECK_HAS(result.note, "no ETag to compare");
    CHECK_HAS(result.note, "403");
    text = us3_result_describe(&result);
    CHECK_HAS(text, result.note);
    us3_string_free(text);

    check(json, without_etag, US3_OK, US3_OBJECT_STORED, US3_CALLBACK_DELIVERED, &result);
    CHECK_HAS(result.note, "no ETag to compare");
    us3_result_clear(&result);
}

/* The host is told to keep the object, so it must be the right one. */
static void after_599_the_object_is_compared(void)
{
    char *refused = fake_answer(599, "", "{\"RetCode\":20008,\"ErrMsg\":\"expect json, but received text/plain\"}");
    us3_result result = US3_RESULT_INIT;

    check(refused, ours, US3_CALLBACK_FAILED, US3_OBJECT_STORED, US3_CALLBACK_REPLY_REFUSED, &result);
    CHECK_STR(HELLO_ETAG, result.etag);
    check(refused, another, US3_INTEGRITY_ERROR, US3_OBJECT_STORED, US3_CALLBACK_REPLY_REFUSED, &result);
    check(refused, forbidden, US3_CALLBACK_FAILED, US3_OBJECT_STORED, US3_CALLBACK_REPLY_REFUSED, &result);
    CHECK_HAS(result.note, "not compared");
    check(refused, absent, US3_PROTOCOL_ERROR, US3_OBJECT_UNKNOWN, US3_CALLBACK_UNKNOWN, &result);
    us3_result_clear(&result);
}

static void settle_timeout_ms_bounds_the_questions(void)
{
    struct exchange exchange = {FAKE_CLOSE, absent, POLICY, 3, 1000};
    us3_result result = US3_RESULT_INIT;
    int puts, heads, few;
    intmax_t began = now_ms();

    CHECK_STATUS(US3_NETWORK_ERROR, run(&exchange, &result, &puts, &heads), &result);
    CHECK(now_ms() - began >= 500);
    CHECK(heads >= 3);

    /* The least still asks once. */
    exchange.settle_timeout_ms = 1;
    CHECK_STATUS(US3_NETWORK_ERROR, run(&exchange, &result, &puts, &few), &result);
    CHECK(few >= 1 && few < heads);
    us3_result_clear(&result);
}

static void a_deadline_leaves_time_to_find_out(void)
{
    fake_service *fake = fake_start();
    us3_client *client = client_for(fake_url(fake));
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
    us3_result result = US3_RESULT_INIT;

    fake_set(fake, FAKE_PUT, FAKE_STALL);
    fake_set(fake, FAKE_HEAD, ours);
    request.file_path = test_text_file("f", "hello");
    request.key = "k";
    request.policy_json = POLICY;
    request.timeout_ms = 2000;
    CHECK_STATUS(US3_TIMEOUT, us3_upload(client, &request, &result), &result);
    CHECK_INT(US3_OBJECT_STORED, result.object_state);
    CHECK_INT(US3_CALLBACK_UNKNOWN, result.callback_state);
    us3_result_clear(&result);
    us3_client_free(client);
    fake_stop(fake);
}

/* It ends after the round of questions that runs, not after settle_timeout_ms. */
static void cancelling_ends_the_questions(void)
{
    fake_service *fake = fake_start();
    us3_config config = config_for(fake_url(fake));
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
    us3_result result = US3_RESULT_INIT;
    us3_client *client;
    us3_task *task = NULL;

    config.settle_timeout_ms = 3600000;
    client = client_with(&config);
    fake_set(fake, FAKE_PUT, FAKE_CLOSE);
    request.file_path = test_text_file("f", "hello");
    request.key = "k";
    request.policy_json = POLICY;
    CHECK_STATUS(US3_OK, us3_upload_start(client, &request, &task, &result), &result);
    while (fake_count(fake, FAKE_HEAD) < 2)
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    us3_task_cancel(task);
    CHECK_STATUS(US3_NETWORK_ERROR, us3_task_wait(task, 60000, &result), &result);
    CHECK_INT(US3_OBJECT_UNKNOWN, result.object_state);
    us3_result_clear(&result);
    us3_task_free(task);
    us3_client_free(client);
    fake_stop(fake);
}

/* Sending again what was sent is the host's decision, also over a connection that was idle too long. */
static void without_retries_nothing_is_sent_again(void)
{
    fake_service *fake = fake_start();
    us3_client *client = fake_client(fake);
    us3_result result = US3_RESULT_INIT;
    char *file = test_text_file("f", "hello");

    fake_set(fake, FAKE_PUT, fake_answer(200, "ETag: \"" HELLO_ETAG "\"\r\n", ""));
    CHECK_STATUS(US3_OK, us3_put_file_with_policy(client, file, "k", NULL, NULL, &result), &result);
    fake_set(fake, FAKE_PUT, FAKE_CLOSE);
    CHECK_STATUS(US3_NETWORK_ERROR, us3_put_file_with_policy(client, file, "k", NULL, NULL, &result), &result);
    CHECK_INT(2, fake_count(fake, FAKE_PUT));
    CHECK_INT(1, result.attempts);
    us3_result_clear(&result);
    us3_client_free(client);
    fake_stop(fake);
}

int main(void)
{
    RUN(a_lost_answer_tells_what_head_tells_and_no_more);
    RUN(answers_of_gateways_prove_nothing);
    RUN(an_error_in_the_form_is_settled_by_one_head);
    RUN(without_a_policy_a_lost_answer_is_made_good);
    RUN(a_success_without_an_etag_is_looked_at_once);
    RUN(a_note_says_that_nothing_could_be_compared);
    RUN(after_599_the_object_is_compared);
    RUN(settle_timeout_ms_bounds_the_questions);
    RUN(a_deadline_leaves_time_to_find_out);
    RUN(cancelling_ends_the_questions);
    RUN(without_retries_nothing_is_sent_again);
    return check_done();
}
