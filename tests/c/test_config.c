/* Configuration: the struct, and the JSON file of the page's example. */
#define _POSIX_C_SOURCE 200809L

#include "operations.h"
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the struct -------------------------------------------------------------------------------- */

static void refused(const us3_config *config, const char *names)
{
    us3_result result = US3_RESULT_INIT;
    us3_client *client = (us3_client *)&result;

    CHECK_REFUSED(US3_INVALID_CONFIG, names, us3_client_new(config, &client, &result), &result);
    CHECK(client == NULL);
}

static void members_that_must_be_there(void)
{
    us3_config good = config_for("http://127.0.0.1:1"), config;
    static const char *const not_set[] = {NULL, ""};

    for (int i = 0; i < 2; i++) {
        config = good;
        config.public_key = not_set[i];
        refused(&config, "public_key");
        config = good;
        config.private_key = not_set[i];
        refused(&config, "private_key");
        config = good;
        config.bucket_name = not_set[i];
        refused(&config, "bucket_name");
        config = good;
        config.endpoint = not_set[i];
        refused(&config, "file_host");
    }
}

static void addresses_that_are_none(void)
{
    static const char *const bad[] = {"ftp://h", "http://", "http://h:99999", "http://h/path?query", "h ost", "http://h\r\nX: y", "\xFF"};
    us3_config config = config_for(NULL);

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        config.endpoint = bad[i];
        refused(&config, "endpoint");
    }
    config.endpoint = NULL;
    config.file_host = "ftp://h";
    refused(&config, "file_host");
}

static void keys_that_make_no_header(void)
{
    us3_config config = config_for("http://127.0.0.1:1");

    config.public_key = "a\r\nb";
    refused(&config, "public_key");
    config = config_for("http://127.0.0.1:1");
    config.security_token = "a\nb";
    refused(&config, "security_token");
    config = config_for("http://127.0.0.1:1");
    config.private_key = "\xFF";
    refused(&config, "private_key");
    config = config_for("http://127.0.0.1:1");
    config.bucket_name = "a/b";
    refused(&config, "bucket_name");
}

static void a_ca_file_that_is_none(void)
{
    us3_config config = config_for("https://127.0.0.1:1");
    us3_result result = US3_RESULT_INIT;
    us3_client *client = NULL;

    config.ca_file = test_path("no-such-file.pem");
    CHECK_REFUSED(US3_FILE_ERROR, "no-such-file.pem", us3_client_new(&config, &client, &result), &result);
    config.ca_file = test_text_file("empty.pem", "nothing to trust\n");
    CHECK_REFUSED(US3_INVALID_CONFIG, "empty.pem", us3_client_new(&config, &client, &result), &result);
}

/* 0 and a day are taken, more is none. */
static void time_limits_have_a_range(void)
{
    us3_config config = config_for("http://127.0.0.1:1");

    config.settle_timeout_ms = 86400001;
    refused(&config, "settle_timeout_ms");
    config.settle_timeout_ms = UINT32_MAX;
    refused(&config, "settle_timeout_ms");
    config.settle_timeout_ms = 86400000;
    us3_client_free(client_with(&config));
    config.settle_timeout_ms = 0;
    us3_client_free(client_with(&config));
}

/* The struct is copied: it may be overwritten while the client lives. */
static void the_struct_is_copied(void)
{
    char *endpoint = format("%s", env("US3_TEST_ENDPOINT")), key[] = TEST_PRIVATE_KEY;
    us3_config config = config_for(endpoint);
    us3_result result = US3_RESULT_INIT;
    us3_client *client;

    config.private_key = key;
    client = client_with(&config);
    memset(endpoint, 'x', strlen(endpoint));
    memset(key, 'x', sizeof key);
    memset(&config, 0xFF, sizeof config);
    CHECK_STATUS(US3_OK, us3_put_file_with_policy(client, test_text_file("f", "x"), "copied", NULL, NULL, &result), &result);
    us3_result_clear(&result);
    us3_client_free(client);
}

/* ---- the file ----------------------------------------------------------------------------------- */

static us3_client *from_file(const char *json)
{
    us3_result result = US3_RESULT_INIT;
    us3_client *client = NULL;

    CHECK_STATUS(US3_OK, us3_client_from_file(test_text_file("config.json", json), &client, &result), &result);
    REQUIRE(client != NULL);
    us3_result_clear(&result);
    return client;
}

static void file_refused(const char *json, const char *names, const char *line)
{
    us3_result result = US3_RESULT_INIT;
    us3_client *client = (us3_client *)&result;
    char *path = test_text_file("config.json", json);

    CHECK_STATUS(US3_INVALID_CONFIG, us3_client_from_file(path, &client, &result), &result);
    CHECK(client == NULL);
    CHECK_HAS(result.err_msg, names);
    CHECK_HAS(result.err_msg, path);
    if (line != NULL)
        CHECK_HAS(result.err_msg, line);
    us3_result_clear(&result);
}

/* The vendor's example, with an endpoint to reach the emulator, works and uploads. */
static void the_page_s_example(void)
{
    char *json = format("{\n"
                        "    \"说明\":\"comments are members too\",\n"
                        "    \"public_key\":\"%s\",\n"
                        "    \"private_key\":\"%s\",\n"
                        "    \"bucket_name\":\"%s\",\n"
                        "    \"file_host\":\"cn-bj.ufileos.com\",\n"
                        "    \"bucket_host\":\"api.ucloud.cn\",\n"
                        "    \"verfiy_upload_md5\": false,\n"
                        "    \"endpoint\":\"%s\"\n"
                        "}\n",
                        TEST_PUBLIC_KEY, TEST_PRIVATE_KEY, TEST_BUCKET, env("US3_TEST_ENDPOINT"));
    us3_client *client = from_file(json);
    us3_result result = US3_RESULT_INIT;

    CHECK_STATUS(US3_OK, us3_put_file_with_policy(client, test_text_file("f", "x"), "page", NULL, NULL, &result), &result);
    CHECK_STORED("page", (const unsigned char *)"x", 1);
    us3_result_clear(&result);
    us3_client_free(client);
}

/* An upload with this member: does a Content-MD5 go with it? */
static int sends_md5(const char *member)
{
    char *json = format("{\"public_key\":\"%s\",\"private_key\":\"%s\",\"bucket_name\":\"%s\",\"endpoint\":\"%s\"%s}",
                        TEST_PUBLIC_KEY, TEST_PRIVATE_KEY, TEST_BUCKET, env("US3_TEST_ENDPOINT"), member);
    us3_client *client = from_file(json);
    us3_result result = US3_RESULT_INIT;

    emulator_reset();
    CHECK_STATUS(US3_OK, us3_put_file_with_policy(client, test_text_file("f", "x"), "md5", NULL, NULL, &result), &result);
    us3_result_clear(&result);
    us3_client_free(client);
    return emulator_count("requests", "\"content-md5\"");
}

static void both_spellings_of_verify(void)
{
    CHECK_INT(0, sends_md5(""));
    CHECK_INT(0, sends_md5(",\"verfiy_upload_md5\":false"));
    CHECK_INT(1, sends_md5(",\"verfiy_upload_md5\":true"));
    CHECK_INT(1, sends_md5(",\"verify_upload_md5\":true"));
}

static void every_other_member(void)
{
    us3_client_free(from_file("{\"public_key\":\"a\",\"private_key\":\"b\",\"bucket_name\":\"c\",\"file_host\":\"https://h.example\","
                              "\"security_token\":\"t\",\"verify_etag\":false,\"connect_timeout_ms\":1,\"idle_timeout_ms\":2,"
                              "\"response_timeout_ms\":3,\"settle_timeout_ms\":4,\"max_retries\":0,\"worker_threads\":1,\"max_concurrent_uploads\":5,"
                              "\"proxy\":\"http://127.0.0.1:3128\",\"use_env_proxy\":false,\"callback_at_least_once\":true}"));
}

static void missing_members_are_named(void)
{
    file_refused("{}", "public_key", NULL);
    file_refused("{\"public_key\":\"a\"}", "private_key", NULL);
    file_refused("{\"public_key\":\"a\",\"private_key\":\"b\"}", "bucket_name", NULL);
    file_refused("{\"public_key\":\"a\",\"private_key\":\"b\",\"bucket_name\":\"c\"}", "file_host", NULL);
}

static void wrong_types_are_named_with_their_line(void)
{
    file_refused("{\n\"public_key\":7}", "public_key", "line 2");
    file_refused("{\"public_key\":\"a\",\n\n\"private_key\":[]}", "private_key", "line 3");
    file_refused("{\"public_key\":\"a\",\"private_key\":\"b\",\"bucket_name\":\"c\",\"file_host\":\"h\",\n\"max_retries\":\"3\"}", "max_retries", "line 2");
    file_refused("{\"public_key\":\"a\",\"private_key\":\"b\",\"bucket_name\":\"c\",\"file_host\":\"h\",\n\"max_retries\":-1}", "max_retries", "line 2");
    file_refused("{\"public_key\":\"a\",\"private_key\":\"b\",\"bucket_name\":\"c\",\"file_host\":\"h\",\n\"settle_timeout_ms\":\"5 s\"}", "settle_timeout_ms", "line 2");
    file_refused("{\"public_key\":\"a\",\"private_key\":\"b\",\"bucket_name\":\"c\",\"file_host\":\"h\",\n\"verify_etag\":\"yes\"}", "verify_etag", "line 2");
    file_refused("{\"public_key\":\"a\",\"private_key\":\"b\",\"bucket_name\":\"c\",\"file_host\":\"h\",\n\"verfiy_upload_md5\":1}", "verfiy_upload_md5", "line 2");
}

static void files_that_are_no_json(void)
{
    file_refused("", "JSON", NULL);
    file_refused("public_key = a", "JSON", "line 1");
    file_refused("{\n\"public_key\":\"a\",\n", "JSON", "line");
    file_refused("[]", "object", NULL);
    file_refused("{\"public_key\":\"\xFF\"}", "UTF-8", NULL);
}

static void files_that_are_none(void)
{
    us3_result result = US3_RESULT_INIT;
    us3_client *client = NULL;

    CHECK_STATUS(US3_FILE_ERROR, us3_client_from_file(test_path("no-config.json"), &client, &result), &result);
    CHECK_INT(ENOENT, result.os_error);
    CHECK_HAS(result.err_msg, "no-config.json");
    CHECK_STATUS(US3_FILE_ERROR, us3_client_from_file(env("US3_TEST_DIR"), &client, &result), &result);
    CHECK_STATUS(US3_INVALID_ARGUMENT, us3_client_from_file("", &client, &result), &result);
    us3_result_clear(&result);
}

/* A message about a file with keys in it must not quote them. */
static void no_message_shows_a_key(void)
{
    us3_result result = US3_RESULT_INIT;
    us3_client *client = NULL;
    char *path = test_text_file("config.json", "{\"public_key\":\"a\",\"private_key\":[\"" TEST_PRIVATE_KEY "\"]}");

    CHECK_STATUS(US3_INVALID_CONFIG, us3_client_from_file(path, &client, &result), &result);
    CHECK(result.err_msg != NULL && strstr(result.err_msg, "nobody-may-see") == NULL);
    path = test_text_file("config.json", "{\"public_key\":\"a\",\"private_key\":\"" TEST_PRIVATE_KEY "\" oops}");
    CHECK_STATUS(US3_INVALID_CONFIG, us3_client_from_file(path, &client, &result), &result);
    CHECK(result.err_msg != NULL && strstr(result.err_msg, "nobody-may-see") == NULL);
    us3_result_clear(&result);
}

int main(void)
{
    RUN(members_that_must_be_there);
    RUN(addresses_that_are_none);
    RUN(keys_that_make_no_header);
    RUN(a_ca_file_that_is_none);
    RUN(time_limits_have_a_range);
    RUN(the_struct_is_copied);
    RUN(the_page_s_example);
    RUN(both_spellings_of_verify);
    RUN(every_other_member);
    RUN(missing_members_are_named);
    RUN(wrong_types_are_named_with_their_line);
    RUN(files_that_are_no_json);
    RUN(files_that_are_none);
    RUN(no_message_shows_a_key);
    return check_done();
}
