/* Services that do not behave like US3: each answer is a clear error, and costs neither the host's
 * memory nor its life. */
#define _POSIX_C_SOURCE 200809L

#include "operations.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* PutFile against this answer. */
static us3_status put(const char *answer, us3_result *result, uint64_t *bytes_sent)
{
    fake_service *fake = fake_start();
    us3_client *client = fake_client(fake);
    char *file = test_text_file("plain.txt", "hello");
    us3_status status;

    fake_set(fake, FAKE_PUT, answer);
    status = us3_put_file_with_policy(client, file, "the-key", NULL, NULL, result);
    us3_client_free(client);
    if (bytes_sent != NULL)
        *bytes_sent = fake_seen(fake).bytes_sent;
    fake_stop(fake);
    return status;
}

/* An initiate with this answer to it, from each operation that begins with one. */
static void check_initiate(const char *answer, const char *names)
{
    fake_service *fake = fake_start();
    us3_client *client = fake_client(fake);
    char *file = test_text_file("plain.txt", "hello");
    us3_result result = US3_RESULT_INIT;

    fake_set(fake, FAKE_INITIATE, answer);
    for (int op = MPUT; op < OPERATIONS; op++) {
        CHECK_STATUS(US3_PROTOCOL_ERROR, operations[op].run(client, file, "the-key", NULL, &result), &result);
        CHECK_HAS(result.err_msg, names);
        CHECK_HAS(result.err_msg, "the-key");
        CHECK_INT(US3_OBJECT_NOT_STORED, result.object_state);
    }
    CHECK_INT(0, fake_count(fake, FAKE_PART));
    CHECK_INT(0, fake_count(fake, FAKE_FINISH));
    us3_result_clear(&result);
    us3_client_free(client);
    fake_stop(fake);
}

static void an_answer_that_is_no_http(void)
{
    static const char *const garbage[] = {
        "\x16\x03\x01\x02\x03 this is no HTTP\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n", "SSH-2.0-OpenSSH\r\n",
        "<html>hello</html>",
    };
    us3_result result = US3_RESULT_INIT;

    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++)
        CHECK_REFUSED(US3_PROTOCOL_ERROR, "the-key", put(garbage[i], &result, NULL), &result);
}

static void a_connection_that_closes(void)
{
    us3_result result = US3_RESULT_INIT;
    fake_service *fake = fake_start();
    us3_client *client = fake_client(fake);

    CHECK_REFUSED(US3_NETWORK_ERROR, "the-key", put(FAKE_CLOSE, &result, NULL), &result);
    CHECK_REFUSED(US3_NETWORK_ERROR, "the-key", put("HTTP/1.1 200 OK\r\nETag: \"x", &result, NULL), &result);
    CHECK_REFUSED(US3_NETWORK_ERROR, "the-key", put("\r\n\r\n", &result, NULL), &result);

    fake_hang_up(fake);
    CHECK_REFUSED(US3_NETWORK_ERROR, "the-key",
                  us3_put_file_with_policy(client, test_file("big", 9 * MIB, 1), "the-key", NULL, NULL, &result), &result);
    us3_client_free(client);
    fake_stop(fake);
}

static void an_error_page_in_html(void)
{
    char *page = fake_answer(502, "Content-Type: text/html\r\n", "<html><h1>Bad Gateway</h1></html>");
    us3_result result = US3_RESULT_INIT;

    CHECK_STATUS(US3_SERVICE_ERROR, put(page, &result, NULL), &result);
    CHECK_INT(502, result.http_status);
    CHECK_INT(0, result.ret_code);
    CHECK_HAS(result.err_msg, "502");
    CHECK_HAS(result.body, "Bad Gateway");
    us3_result_clear(&result);
}

static void an_error_without_a_body(void)
{
    us3_result result = US3_RESULT_INIT;

    CHECK_STATUS(US3_SERVICE_ERROR, put(fake_answer(503, "", ""), &result, NULL), &result);
    CHECK_INT(503, result.http_status);
    CHECK_HAS(result.err_msg, "503");
    CHECK(result.body == NULL);
    us3_result_clear(&result);
}

static void error_bodies_of_odd_json(void)
{
    static const char *const bodies[] = {
        "[]", "null", "7", "\"text\"", "{\"RetCode\":\"text\",\"ErrMsg\":7}", "{\"RetCode\":99999999999999999999}", "{\"RetCode\":1e400}",
        "{\"ErrMsg\":null}", "{\"RetCode\":-1,\"ErrMsg\":\"a\\u0000b\"}", "{\"RetCode\":-1,\"ErrMsg\":\"", "\xFF\xFE",
    };
    us3_result result = US3_RESULT_INIT;

    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        CHECK_STATUS(US3_SERVICE_ERROR, put(fake_answer(400, "", bodies[i]), &result, NULL), &result);
        CHECK_INT(400, result.http_status);
        CHECK_STR(bodies[i], result.body);
    }
    us3_result_clear(&result);
}

static void a_redirect_is_not_followed(void)
{
    fake_service *elsewhere = fake_start();
    us3_result result = US3_RESULT_INIT;
    static const int statuses[] = {301, 302, 303, 307, 308};

    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        char *location = format("Location: %s/other\r\n", fake_url(elsewhere));
        us3_status status = put(fake_answer(statuses[i], location, ""), &result, NULL);
        CHECK(status == US3_PROTOCOL_ERROR || status == US3_SERVICE_ERROR);
        CHECK_INT(statuses[i], result.http_status);
        CHECK_HAS(result.err_msg, "redirect");
        /* Whoever redirects may stand before a service that has taken the request. */
        CHECK_INT(US3_OBJECT_UNKNOWN, result.object_state);
    }
    CHECK_INT(0, fake_seen(elsewhere).connections);
    us3_result_clear(&result);
    fake_stop(elsewhere);
}

/* ---- ETags ------------------------------------------------------------------------------------ */

static void a_part_without_an_etag(void)
{
    fake_service *fake = fake_start();
    us3_client *client = fake_client(fake);
    char *file = test_text_file("plain.txt", "hello");
    us3_result result = US3_RESULT_INIT;

    fake_set(fake, FAKE_PART, fake_answer(200, "", "{\"PartNumber\":0}"));
    for (int op = MPUT; op < OPERATIONS; op++) {
        CHECK_STATUS(US3_PROTOCOL_ERROR, operations[op].run(client, file, "the-key", NULL, &result), &result);
        CHECK_HAS(result.err_msg, "ETag");
    }
    CHECK_INT(0, fake_count(fake, FAKE_FINISH));
    us3_result_clear(&result);
    us3_client_free(client);
    fake_stop(fake);
}

/* ETags of the forms that the library computes, but of other content. */
static void an_etag_of_something_else(void)
{
    char *wrong = fake_answer(200, "ETag: \"AQAAANo5o-5eaw0yVb_vlWAYkK_YBwlx\"\r\n", "");
    fake_service *fake = fake_start();
    us3_client *client = fake_client(fake);
    char *file = test_text_file("plain.txt", "hello");
    us3_result result = US3_RESULT_INIT;

    fake_set(fake, FAKE_PUT, wrong);
    fake_set(fake, FAKE_PART, wrong);
    CHECK_STATUS(US3_INTEGRITY_ERROR, us3_put_file_with_policy(client, file, "the-key", NULL, NULL, &result), &result);
    CHECK_HAS(result.err_msg, "AQAAANo5o-5eaw0yVb_vlWAYkK_YBwlx");
    CHECK_HAS(result.err_msg, "AQAAAKr0xh3cxeii2r7eDztILNmuqUNN"); /* that of "hello" */
    CHECK_STATUS(US3_INTEGRITY_ERROR, us3_mput_with_policy(client, file, "the-key", NULL, NULL, &result), &result);
    CHECK_INT(1, fake_count(fake, FAKE_ABORT));
    us3_result_clear(&result);
    us3_client_free(client);
    fake_stop(fake);
}

static void verify_etag_turns_it_off(void)
{
    char *wrong = fake_answer(200, "ETag: \"AQAAANo5o-5eaw0yVb_vlWAYkK_YBwlx\"\r\n", "");
    fake_service *fake = fake_start();
    us3_config config = config_for(fake_url(fake));
    us3_result result = US3_RESULT_INIT;
    us3_client *client;

    config.verify_etag = false;
    client = client_with(&config);
    fake_set(fake, FAKE_PUT, wrong);
    CHECK_STATUS(US3_OK, us3_put_file_with_policy(client, test_text_file("f", "hello"), "k", NULL, NULL, &result), &result);
    CHECK_STR("AQAAANo5o-5eaw0yVb_vlWAYkK_YBwlx", result.etag);
    us3_result_clear(&result);
    us3_client_free(client);
    fake_stop(fake);
}

/* ---- initiate ----------------------------------------------------------------------------------- */

static void initiate_answers_nonsense(void)
{
    check_initiate(fake_answer(200, "", ""), "initiate");
    check_initiate(fake_answer(200, "", "<html></html>"), "upload id");
    check_initiate(fake_answer(200, "", "[]"), "initiate");
    check_initiate(fake_answer(200, "", "{}"), "UploadId");
    check_initiate(fake_answer(200, "", "{\"BlkSize\":4194304}"), "UploadId");
    check_initiate(fake_answer(200, "", "{\"UploadId\":\"\",\"BlkSize\":4194304}"), "UploadId");
    check_initiate(fake_answer(200, "", "{\"UploadId\":7,\"BlkSize\":4194304}"), "UploadId");
    check_initiate(fake_answer(200, "", "{\"UploadId\":\"u\"}"), "BlkSize");
    check_initiate(fake_answer(200, "", "{\"UploadId\":\"u\",\"BlkSize\":0}"), "BlkSize");
    check_initiate(fake_answer(200, "", "{\"UploadId\":\"u\",\"BlkSize\":-1}"), "BlkSize");
    check_initiate(fake_answer(200, "", "{\"UploadId\":\"u\",\"BlkSize\":\"4194304\"}"), "BlkSize");
    check_initiate(fake_answer(200, "", "{\"UploadId\":\"u\",\"BlkSize\":1099511627776}"), "BlkSize");
    check_initiate(fake_answer(200, "", "{\"UploadId\":\"u\",\"BlkSize\":99999999999999999999999}"), "BlkSize");
}

/* ---- answers without end -------------------------------------------------------------------------- */

static long peak_memory_kib(void)
{
    struct rusage usage;

    REQUIRE(getrusage(RUSAGE_SELF, &usage) == 0);
    return usage.ru_maxrss;
}

/* Of 1 GiB, the library must not read much, and keep less. The sockets' buffers take some too. */
static void check_bounded(const char *answer, us3_status first, us3_status second)
{
    us3_result result = US3_RESULT_INIT;
    uint64_t sent;
    us3_status status;
    long before = peak_memory_kib();

    status = put(answer, &result, &sent);
    CHECK(status == first || status == second);
    CHECK_STATUS(status, result.status, &result);
    CHECK_HAS(result.err_msg, "the-key");
    CHECK(sent < 64 * MIB);
    CHECK(peak_memory_kib() - before < 64 * 1024);
    us3_result_clear(&result);
}

static void headers_without_end(void)
{
    check_bounded(FAKE_ENDLESS_HEADERS, US3_PROTOCOL_ERROR, US3_PROTOCOL_ERROR);
    check_bounded(FAKE_ENDLESS_LINE, US3_PROTOCOL_ERROR, US3_PROTOCOL_ERROR);
}

static void a_body_without_end(void)
{
    check_bounded(FAKE_ENDLESS_BODY, US3_PROTOCOL_ERROR, US3_PROTOCOL_ERROR);
    check_bounded(FAKE_ENDLESS_ERROR, US3_PROTOCOL_ERROR, US3_SERVICE_ERROR);
}

static void endless_answers_to_the_other_calls(void)
{
    fake_service *fake = fake_start();
    us3_client *client = fake_client(fake);
    us3_file_info info = US3_FILE_INFO_INIT;
    us3_result result = US3_RESULT_INIT;
    char *file = test_text_file("plain.txt", "hello");

    fake_set(fake, FAKE_INITIATE, FAKE_ENDLESS_BODY);
    fake_set(fake, FAKE_DELETE, FAKE_ENDLESS_HEADERS);
    fake_set(fake, FAKE_HEAD, FAKE_ENDLESS_HEADERS);
    fake_set(fake, FAKE_ABORT, FAKE_ENDLESS_HEADERS);
    CHECK_STATUS(US3_PROTOCOL_ERROR, us3_abort_upload(client, "k", "upload-id", &result), &result);
    CHECK_STATUS(US3_PROTOCOL_ERROR, us3_mput_with_policy(client, file, "k", NULL, NULL, &result), &result);
    CHECK_STATUS(US3_PROTOCOL_ERROR, us3_delete_file(client, "k", &result), &result);
    CHECK_STATUS(US3_PROTOCOL_ERROR, us3_head_file(client, "k", &info, &result), &result);
    us3_result_clear(&result);
    us3_client_free(client);
    CHECK(fake_seen(fake).bytes_sent < 128 * MIB);
    fake_stop(fake);
}

int main(void)
{
    RUN(an_answer_that_is_no_http);
    RUN(a_connection_that_closes);
    RUN(an_error_page_in_html);
    RUN(an_error_without_a_body);
    RUN(error_bodies_of_odd_json);
    RUN(a_redirect_is_not_followed);
    RUN(a_part_without_an_etag);
    RUN(an_etag_of_something_else);
    RUN(verify_etag_turns_it_off);
    RUN(initiate_answers_nonsense);
    RUN(headers_without_end);
    RUN(a_body_without_end);
    RUN(endless_answers_to_the_other_calls);
    return check_done();
}
