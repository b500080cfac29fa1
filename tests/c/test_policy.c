/* Put policies: what is refused before anything is sent, and what is built. */
#include "http.h"
#include "operations.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

struct bad_policy {
    const char *json;
    /* What the message must name. */
    const char *names;
};

static const struct bad_policy bad_policies[] = {
    {"", "empty"},
    {"   ", "policy"},
    {"nonsense", "JSON"},
    {"{\"callbackUrl\":\"http://h/\"", "JSON"},
    {"{'callbackUrl':'http://h/'}", "JSON"},
    {"[]", "object"},
    {"[{\"callbackUrl\":\"http://h/\"}]", "object"},
    {"\"http://h/\"", "object"},
    {"null", "object"},
    {"{}", "callbackUrl"},
    {"{\"callbackBody\":\"a=b\"}", "callbackUrl"},
    {"{\"callbackUrl\":\"\"}", "callbackUrl"},
    {"{\"callbackUrl\":7}", "callbackUrl"},
    {"{\"callbackUrl\":null}", "callbackUrl"},
    {"{\"callbackUrl\":\"ftp://h/\"}", "callbackUrl"},
    {"{\"callbackUrl\":\"h/path\"}", "callbackUrl"},
    {"{\"callbackUrl\":\"http://\"}", "callbackUrl"},
    {"{\"callbackUrl\":\"http://h/\",\"callbackBody\":\"a=$(x:a)\",\"callbackVar\":{\"x:a\":1}}", "x:a"},
    {"{\"callbackUrl\":\"http://h/\",\"callbackBody\":\"a=$(x:a)\",\"callbackVar\":{\"x:a\":null}}", "x:a"},
    {"{\"callbackUrl\":\"http://h/\",\"callbackBody\":\"a=$(x:a)\",\"callbackVar\":[\"x:a\"]}", "callbackVar"},
    {"{\"callbackUrl\":\"http://h/\",\"callbackBody\":\"a=$(x:a)\"}", "x:a"},
    {"{\"callbackUrl\":\"http://h/\",\"callbackBody\":\"a=$(x:b)\",\"callbackVar\":{\"x:a\":\"1\"}}", "x:b"},
    {"{\"callbackUrl\":\"http://h/\"} trailing", "JSON"},
    {"{\"callbackUrl\":\"http://h/\"}{}", "JSON"},
};
enum { BAD_POLICIES = sizeof bad_policies / sizeof *bad_policies };

/* A policy whose compact JSON has `size` bytes. */
static char *policy_of_size(size_t size)
{
    static const char start[] = "{\"callbackUrl\":\"http://h/\",\"callbackBody\":\"", end[] = "\"}";
    char *json = arena_alloc(size + 1);

    memset(json, 'b', size);
    memcpy(json, start, sizeof start - 1);
    memcpy(json + size - (sizeof end - 1), end, sizeof end);
    return json;
}

static void bad_policies_are_refused(void)
{
    us3_result result = US3_RESULT_INIT;

    for (int i = 0; i < BAD_POLICIES; i++)
        CHECK_REFUSED(US3_INVALID_POLICY, bad_policies[i].names, us3_policy_check(bad_policies[i].json, &result), &result);
}

static void no_operation_sends_anything_with_a_bad_policy(void)
{
    us3_client *client = emulator_client();
    char *file = test_text_file("plain.txt", "hello");
    us3_result result = US3_RESULT_INIT;

    emulator_reset();
    for (int op = 0; op <= ASYNC_UPLOAD; op++)
        for (int i = 0; i < BAD_POLICIES; i++) {
            CHECK_STATUS(US3_INVALID_POLICY, operations[op].run(client, file, "k", bad_policies[i].json, &result), &result);
            CHECK_HAS(result.err_msg, bad_policies[i].names);
            CHECK_INT(US3_OBJECT_NOT_STORED, result.object_state);
            CHECK_INT(0, result.attempts);
        }
    CHECK_INT(0, emulator_count("requests", "\"sequence\":"));
    us3_result_clear(&result);
    us3_client_free(client);
}

static void finish_refuses_a_bad_policy_and_keeps_the_upload(void)
{
    us3_client *client = emulator_client();
    us3_multipart *upload = initiate(client, "finish-policy");
    us3_result result = US3_RESULT_INIT;
    char *good = json_policy("finish-policy");

    CHECK_STATUS(US3_OK, us3_upload_part(upload, 0, "hello", 5, &result), &result);
    for (int i = 0; i < BAD_POLICIES; i++)
        CHECK_REFUSED(US3_INVALID_POLICY, bad_policies[i].names,
                      us3_finish_multipart_upload_with_policy(upload, bad_policies[i].json, &result), &result);
    CHECK_INT(0, requests_seen("finish"));
    CHECK_STATUS(US3_OK, us3_finish_multipart_upload_with_policy(upload, good, &result), &result);
    CHECK_STORED("finish-policy", (const unsigned char *)"hello", 5);
    CHECK_INT(1, callbacks_with("/finish-policy\""));
    us3_result_clear(&result);
    us3_multipart_free(upload);
    us3_client_free(client);
}

static void a_policy_has_4096_encoded_bytes_at_most(void)
{
    us3_result result = US3_RESULT_INIT;
    char *largest = policy_of_size(3072), *too_large = policy_of_size(3073); /* base64: 4096 and 4100 */

    CHECK_STATUS(US3_OK, us3_policy_check(largest, &result), &result);
    CHECK_REFUSED(US3_INVALID_POLICY, "4096", us3_policy_check(too_large, &result), &result);
    /* Blanks between members are not sent. */
    too_large = policy_of_size(3072);
    too_large = format("{          %s", too_large + 1);
    CHECK_STATUS(US3_OK, us3_policy_check(too_large, &result), &result);
    us3_result_clear(&result);
}

static void the_largest_policy_travels(void)
{
    us3_client *client = emulator_client();
    char *file = test_text_file("plain.txt", "hello");
    us3_result result = US3_RESULT_INIT;
    char *filler = arena_alloc(2801), *policy;

    memset(filler, 'b', 2800);
    filler[2800] = '\0';
    policy = us3_policy_build(format("%s/largest", env("US3_TEST_CALLBACK")), filler, "text/plain", NULL, 0, &result);
    CHECK_STATUS(US3_OK, result.status, &result);
    CHECK_STATUS(US3_OK, us3_put_file_with_policy(client, file, "largest", NULL, policy, &result), &result);
    CHECK_INT(1, callbacks_with(filler));
    us3_string_free(policy);
    us3_result_clear(&result);
    us3_client_free(client);
}

static void good_policies_pass(void)
{
    static const char *const good[] = {
        /* The page's own two. */
        "{\"callbackUrl\":\"https://ip:80/path\",\"callbackBody\":\"{\\\"Name\\\":\\\"Alice\\\", \\\"Age\\\":20}\","
        "\"callbackBodyType\": \"application/json\"}",
        "{\"callbackUrl\":\"http://ip:80/path\",\"callbackBody\":\"Name=$(x:name)&Age=$(x:age)\","
        "\"callbackVar\":{\"x:name\": \"Alice\",\"x:age\": \"20\"}}",
        /* Members that the library does not know, blanks, and a body without variables. */
        " {\n\t\"callbackUrl\" : \"http://h/\" , \"callbackBody\":\"a=b\", \"more\":[1,2.50,{\"x\":null}] } \r\n",
        "{\"callbackUrl\":\"http://h/\",\"callbackBody\":\"\xE4\xB8\xAD=$(x:\xE4\xB8\xAD)\",\"callbackVar\":{\"x:\xE4\xB8\xAD\":\"v\"}}",
    };
    us3_result result = US3_RESULT_INIT;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CHECK_STATUS(US3_OK, us3_policy_check(good[i], &result), &result);
    us3_result_clear(&result);
}

static void a_built_policy_is_escaped_and_passes(void)
{
    static const us3_header vars[] = {{"x:name", "A\"lice\\ \xE4\xB8\xAD"}, {"x:age", "20"}};
    us3_result result = US3_RESULT_INIT;
    char *query = us3_policy_build("http://h/cb", "Name=$(x:name)&Age=$(x:age)", NULL, vars, 2, &result);
    char *json = us3_policy_build("https://h/cb", "{\"a\":\"b\"}", "application/json", NULL, 0, &result);

    CHECK_HAS(query, "\"x:name\":\"A\\\"lice\\\\ \xE4\xB8\xAD\"");
    CHECK(query != NULL && strstr(query, "callbackBodyType") == NULL);
    CHECK_STATUS(US3_OK, us3_policy_check(query, &result), &result);
    CHECK_HAS(json, "\"callbackBody\":\"{\\\"a\\\":\\\"b\\\"}\"");
    CHECK_HAS(json, "\"callbackBodyType\":\"application/json\"");
    CHECK_STATUS(US3_OK, us3_policy_check(json, &result), &result);
    us3_string_free(query);
    us3_string_free(json);
    us3_result_clear(&result);
}

static void what_cannot_be_built(void)
{
    us3_result result = US3_RESULT_INIT;

    CHECK(us3_policy_build("ftp://h/", "b", NULL, NULL, 0, &result) == NULL);
    CHECK_REFUSED(US3_INVALID_POLICY, "callbackUrl", result.status, &result);
    CHECK(us3_policy_build("", "b", NULL, NULL, 0, &result) == NULL);
    CHECK_REFUSED(US3_INVALID_POLICY, "callbackUrl", result.status, &result);
    CHECK(us3_policy_build("http://h/", "a=$(x:a)", NULL, NULL, 0, &result) == NULL);
    CHECK_REFUSED(US3_INVALID_POLICY, "x:a", result.status, &result);
}

/* An empty setting must not drop a callback in silence; NULL is what asks for none. */
static void null_is_no_callback(void)
{
    us3_client *client = emulator_client();
    char *file = test_text_file("plain.txt", "hello");
    us3_result result = US3_RESULT_INIT;

    emulator_reset();
    for (int op = 0; op < OPERATIONS; op++) {
        CHECK_STATUS(US3_OK, operations[op].run(client, file, "no-callback", NULL, &result), &result);
        CHECK_INT(US3_CALLBACK_NOT_REQUESTED, result.callback_state);
        CHECK_INT(US3_OBJECT_STORED, result.object_state);
    }
    CHECK_INT(0, emulator_count("callbacks", "\"sequence\":"));
    us3_result_clear(&result);
    us3_client_free(client);
}

int main(void)
{
    RUN(bad_policies_are_refused);
    RUN(no_operation_sends_anything_with_a_bad_policy);
    RUN(finish_refuses_a_bad_policy_and_keeps_the_upload);
    RUN(a_policy_has_4096_encoded_bytes_at_most);
    RUN(the_largest_policy_travels);
    RUN(good_policies_pass);
    RUN(a_built_policy_is_escaped_and_passes);
    RUN(what_cannot_be_built);
    RUN(null_is_no_callback);
    return check_done();
}
