/* The five operations end to end: what is stored, what is called back, what is reported. */
#include "operations.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t sizes[] = {0, 1, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 20 * MIB + 3};
enum { SIZES = sizeof sizes / sizeof *sizes };

/* Exactly one callback arrived under `path`, with the page's content; its reply is the result's body. */
static void check_callback(const char *path, bool json, const us3_result *result)
{
    char *target = format("\"path\":\"/callback/%s\"", path);
    char *record = last_callback_with(target);

    CHECK_INT(1, callbacks_with(target));
    REQUIRE(record != NULL);
    CHECK_HAS(record, "\"method\":\"POST\"");
    if (json) {
        CHECK_HAS(record, "\"content_type\":\"application/json\"");
        CHECK_HAS(record, "\"body\":\"{\\\"Name\\\":\\\"Alice\\\", \\\"Age\\\":20}\"");
        CHECK_HAS(record, "\"query\":\"\"");
    } else {
        CHECK_HAS(record, "\"query\":\"Name=Alice&Age=20\"");
        CHECK_HAS(record, "\"body\":\"\"");
    }
    CHECK_STR(record, result->body);
    CHECK_INT(strlen(record), result->body_len);
}

static void check_report(const us3_result *result, size_t size, int32_t callback_state)
{
    CHECK_INT(200, result->http_status);
    CHECK_INT(0, result->ret_code);
    CHECK_INT(0, result->os_error);
    CHECK_INT(US3_OBJECT_STORED, result->object_state);
    CHECK_INT(callback_state, result->callback_state);
    CHECK_INT(1, result->attempts);
    CHECK(result->err_msg == NULL);
    CHECK(result->etag != NULL && strlen(result->etag) == 32);
    if (size > 0) /* by hand, the last call is the finish, which carries no content */
        CHECK(result->bytes_sent == size || result->bytes_sent == 0);
}

/* HeadFile agrees; DeleteFile removes the object. */
static void check_and_delete(us3_client *client, const char *key, size_t size, const char *etag)
{
    us3_result result = US3_RESULT_INIT;
    us3_file_info info = US3_FILE_INFO_INIT;

    CHECK_STATUS(US3_OK, us3_head_file(client, key, &info, &result), &result);
    CHECK_INT(size, info.size);
    CHECK_STR(etag, info.etag);
    CHECK(info.last_modified > 1500000000);
    CHECK_STATUS(US3_OK, us3_delete_file(client, key, &result), &result);
    CHECK(!object_exists(key));
    us3_file_info_clear(&info);
    us3_result_clear(&result);
}

/* By hand there is no part to send, and so nothing to finish. */
static bool impossible(const struct operation *op, size_t size)
{
    return op == &operations[FINISH] && size == 0;
}

static void one_operation(const struct operation *op, bool json)
{
    us3_client *client = emulator_client();
    us3_result result = US3_RESULT_INIT;

    emulator_reset();
    for (int i = 0; i < SIZES; i++) {
        char *name = format("%s-%s-%zu", op->name, json ? "json" : "query", sizes[i]);
        char *file = test_file(name, sizes[i], (uint32_t)i);
        unsigned char *bytes = test_bytes(sizes[i], (uint32_t)i);
        char *policy = json ? json_policy(name) : query_policy(name);

        if (!impossible(op, sizes[i])) {
            CHECK_STATUS(US3_OK, op->run(client, file, name, policy, &result), &result);
            check_report(&result, sizes[i], US3_CALLBACK_DELIVERED);
            check_callback(name, json, &result);
            CHECK_STORED(name, bytes, sizes[i]);
            CHECK(op->in_parts && sizes[i] > 0 ? result.upload_id != NULL : result.upload_id == NULL);
            check_and_delete(client, name, sizes[i], result.etag);
        }
        arena_drop(bytes);
        CHECK_INT(0, remove(file));
    }
    CHECK_INT(0, pending_uploads());
    us3_result_clear(&result);
    us3_client_free(client);
}

static void put_file_with_a_json_callback(void) { one_operation(&operations[PUT_FILE], true); }
static void put_file_with_a_query_callback(void) { one_operation(&operations[PUT_FILE], false); }
static void mput_with_a_json_callback(void) { one_operation(&operations[MPUT], true); }
static void mput_with_a_query_callback(void) { one_operation(&operations[MPUT], false); }
static void async_mput_with_a_json_callback(void) { one_operation(&operations[ASYNC_MPUT], true); }
static void async_mput_with_a_query_callback(void) { one_operation(&operations[ASYNC_MPUT], false); }
static void async_upload_with_a_json_callback(void) { one_operation(&operations[ASYNC_UPLOAD], true); }
static void async_upload_with_a_query_callback(void) { one_operation(&operations[ASYNC_UPLOAD], false); }
static void finish_with_a_json_callback(void) { one_operation(&operations[FINISH], true); }
static void finish_with_a_query_callback(void) { one_operation(&operations[FINISH], false); }

/* us3_upload: memory and files, in each mode, with metadata and a storage class. */
static void one_request(us3_client *client, us3_upload_request request, size_t size)
{
    static const us3_header metadata[] = {{"color", "blue"}};
    us3_result result = US3_RESULT_INIT;
    unsigned char *bytes = test_bytes(size, 9);
    char *state;

    request.key = format("request-%d-%zu", (int)request.mode, size);
    request.policy_json = json_policy(request.key);
    request.metadata = metadata;
    request.metadata_len = 1;
    request.storage_class = "IA";
    CHECK_STATUS(US3_OK, us3_upload(client, &request, &result), &result);
    check_report(&result, size, US3_CALLBACK_DELIVERED);
    CHECK_STORED(request.key, bytes, size);
    state = emulator_state();
    CHECK_HAS(state, "\"storage_class\":\"IA\",\"metadata\":{\"color\":\"blue\"}");
    check_and_delete(client, request.key, size, result.etag);
    us3_result_clear(&result);
    arena_drop(state);
    arena_drop(bytes);
}

static void us3_upload_from_memory_and_file(void)
{
    us3_client *client = emulator_client();

    emulator_reset();
    for (int i = 0; i < SIZES; i++)
        for (int32_t mode = US3_MODE_AUTO; mode <= US3_MODE_MPUT; mode++) {
            us3_upload_request memory = US3_UPLOAD_REQUEST_INIT, file = US3_UPLOAD_REQUEST_INIT;
            memory.mode = file.mode = mode;
            memory.data = test_bytes(sizes[i], 9);
            memory.data_len = sizes[i];
            one_request(client, memory, sizes[i]);
            arena_drop((void *)memory.data);
            file.file_path = test_file("request", sizes[i], 9);
            one_request(client, file, sizes[i]);
        }
    CHECK_INT(0, pending_uploads());
    us3_client_free(client);
}

static void odd_keys(void)
{
    static const char *const keys[] = {
        "with spaces in it", "\xE4\xB8\xAD\xE6\x96\x87/\xE6\x96\x87\xE4\xBB\xB6.txt", "a+b", "a?b=c", "a#b", "100%", "a&b", "a=b",
        "~a", "+ ? # % & = ~", "\"quoted\"", "it's", "a%2Fb", "%", "%%", "%zz", "/leading", "//two", "trailing/", "a//b",
        "a:b@c", "a;b,c", "a\\b", "[a]{b}", "<a>|b", "a^b`c", "a*b!", "tab\there", "\xF0\x9F\x98\x80", "?uploads", "a?uploadId=1",
    };
    us3_client *client = emulator_client();
    us3_result result = US3_RESULT_INIT;
    char *file = test_file("odd", 1234, 5);
    unsigned char *bytes = test_bytes(1234, 5);

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        for (int op = 0; op < OPERATIONS; op++) {
            char *path = format("odd-%zu-%d", i, op);
            char *policy = query_policy(path);
            CHECK_STATUS(US3_OK, operations[op].run(client, file, keys[i], policy, &result), &result);
            CHECK_STORED(keys[i], bytes, 1234);
            check_callback(path, false, &result);
            check_and_delete(client, keys[i], 1234, result.etag);
        }
    us3_result_clear(&result);
    us3_client_free(client);
}

static void head_and_delete_of_nothing(void)
{
    us3_client *client = emulator_client();
    us3_file_info info = US3_FILE_INFO_INIT;
    us3_result result = US3_RESULT_INIT;

    CHECK_STATUS(US3_SERVICE_ERROR, us3_head_file(client, "no/such/object", &info, &result), &result);
    CHECK_INT(404, result.http_status);
    CHECK_HAS(result.err_msg, "no/such/object");
    CHECK_INT(0, info.size);
    CHECK(info.etag == NULL && info.mime_type == NULL);
    CHECK_STATUS(US3_SERVICE_ERROR, us3_delete_file(client, "no/such/object", &result), &result);
    CHECK_INT(404, result.http_status);
    CHECK_HAS(result.err_msg, "no/such/object");
    us3_result_clear(&result);
    us3_client_free(client);
}

/* The service checks a Content-MD5; that it is sent shows in what the emulator saw. */
static void content_md5_goes_with_the_content_only(void)
{
    us3_config config = config_for(env("US3_TEST_ENDPOINT"));
    us3_result result = US3_RESULT_INIT;
    char *file = test_file("md5", 9 * MIB, 2);
    us3_client *client;

    config.verify_upload_md5 = true;
    client = client_with(&config);
    emulator_reset();
    for (int op = 0; op < OPERATIONS; op++)
        CHECK_STATUS(US3_OK, operations[op].run(client, file, "md5", NULL, &result), &result);
    CHECK_STORED("md5", test_bytes(9 * MIB, 2), 9 * MIB);
    /* One PutFile, and three parts of each of the four others; not initiate, not finish. */
    CHECK_INT(1 + 4 * 3, emulator_count("requests", "\"content-md5\""));
    us3_result_clear(&result);
    us3_client_free(client);

    client = emulator_client();
    emulator_reset();
    CHECK_STATUS(US3_OK, us3_put_file_with_policy(client, file, "md5", NULL, NULL, &result), &result);
    CHECK_INT(0, emulator_count("requests", "\"content-md5\""));
    us3_result_clear(&result);
    us3_client_free(client);
}

int main(void)
{
    RUN(put_file_with_a_json_callback);
    RUN(put_file_with_a_query_callback);
    RUN(mput_with_a_json_callback);
    RUN(mput_with_a_query_callback);
    RUN(async_mput_with_a_json_callback);
    RUN(async_mput_with_a_query_callback);
    RUN(async_upload_with_a_json_callback);
    RUN(async_upload_with_a_query_callback);
    RUN(finish_with_a_json_callback);
    RUN(finish_with_a_query_callback);
    RUN(us3_upload_from_memory_and_file);
    RUN(odd_keys);
    RUN(head_and_delete_of_nothing);
    RUN(content_md5_goes_with_the_content_only);
    return check_done();
}
