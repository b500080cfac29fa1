/* Arguments that no call can work with: NULL, text that is not UTF-8, keys and headers that are none. */
#define _POSIX_C_SOURCE 200809L

#include "http.h"
#include "operations.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

#define NOT_UTF8 "a\xFF\xFE"

/* ---- NULL ---------------------------------------------------------------------------------- */

static void every_clear_and_free_accepts_null(void)
{
    us3_result_init(NULL);
    us3_result_clear(NULL);
    us3_config_init(NULL);
    us3_upload_request_init(NULL);
    us3_file_info_init(NULL);
    us3_progress_init(NULL);
    us3_file_info_clear(NULL);
    us3_client_free(NULL);
    us3_multipart_free(NULL);
    us3_task_free(NULL);
    us3_string_free(NULL);
    us3_string_free(us3_result_describe(NULL));
    CHECK(us3_multipart_upload_id(NULL) == NULL);
    CHECK_INT(0, us3_multipart_part_size(NULL));
}

static void null_for_what_makes_a_client(void)
{
    us3_config config = config_for("http://127.0.0.1:1");
    us3_result result = US3_RESULT_INIT;
    us3_client *client = (us3_client *)&config;

    CHECK_REFUSED(US3_INVALID_ARGUMENT, "config", us3_client_new(NULL, &client, &result), &result);
    CHECK(client == NULL);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "client", us3_client_new(&config, NULL, &result), &result);
    client = (us3_client *)&config;
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "json_path", us3_client_from_file(NULL, &client, &result), &result);
    CHECK(client == NULL);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "client", us3_client_from_file("config.json", NULL, &result), &result);
    CHECK_INT(US3_INVALID_ARGUMENT, us3_client_new(NULL, NULL, NULL));
    CHECK_INT(US3_INVALID_ARGUMENT, us3_client_from_file(NULL, NULL, NULL));
}

static void null_for_the_file_operations(void)
{
    us3_client *client = emulator_client();
    us3_result result = US3_RESULT_INIT;

    for (int i = 0; i <= ASYNC_UPLOAD; i++) {
        const struct operation *op = &operations[i];
        CHECK_REFUSED(US3_INVALID_ARGUMENT, "client", op->run(NULL, "f", "k", NULL, &result), &result);
        CHECK_REFUSED(US3_INVALID_ARGUMENT, "file_path", op->run(client, NULL, "k", NULL, &result), &result);
        CHECK_REFUSED(US3_INVALID_ARGUMENT, "key", op->run(client, "f", NULL, NULL, &result), &result);
        CHECK_INT(US3_INVALID_ARGUMENT, op->run(NULL, NULL, NULL, NULL, NULL));
    }
    us3_client_free(client);
}

static void null_for_the_object_calls(void)
{
    us3_client *client = emulator_client();
    us3_file_info info = US3_FILE_INFO_INIT;
    us3_result result = US3_RESULT_INIT;

    CHECK_REFUSED(US3_INVALID_ARGUMENT, "client", us3_delete_file(NULL, "k", &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "key", us3_delete_file(client, NULL, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "client", us3_head_file(NULL, "k", &info, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "key", us3_head_file(client, NULL, &info, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "info", us3_head_file(client, "k", NULL, &result), &result);
    us3_client_free(client);
}

static void null_for_the_multipart_calls(void)
{
    us3_client *client = emulator_client();
    us3_result result = US3_RESULT_INIT;
    us3_multipart *upload = (us3_multipart *)client;

    CHECK_REFUSED(US3_INVALID_ARGUMENT, "client", us3_initiate_multipart_upload(NULL, "k", NULL, &upload, &result), &result);
    CHECK(upload == NULL);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "key", us3_initiate_multipart_upload(client, NULL, NULL, &upload, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "multipart", us3_initiate_multipart_upload(client, "k", NULL, NULL, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "multipart", us3_upload_part(NULL, 0, "x", 1, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "multipart", us3_finish_multipart_upload_with_policy(NULL, NULL, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "multipart", us3_abort_multipart_upload(NULL, &result), &result);

    CHECK_REFUSED(US3_INVALID_ARGUMENT, "client", us3_abort_upload(NULL, "k", "u", &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "key", us3_abort_upload(client, NULL, "u", &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "upload_id", us3_abort_upload(client, "k", NULL, &result), &result);
    CHECK_INT(US3_INVALID_ARGUMENT, us3_abort_upload(NULL, NULL, NULL, NULL));

    upload = initiate(client, "null-parts");
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "data", us3_upload_part(upload, 0, NULL, 1, &result), &result);
    CHECK_STATUS(US3_OK, us3_abort_multipart_upload(upload, &result), &result);
    us3_multipart_free(upload);
    us3_result_clear(&result);
    us3_client_free(client);
}

static void null_for_a_request(void)
{
    us3_client *client = emulator_client();
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
    us3_header header = {NULL, "v"};
    us3_result result = US3_RESULT_INIT;

    CHECK_REFUSED(US3_INVALID_ARGUMENT, "request", us3_upload(client, NULL, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "client", us3_upload(NULL, &request, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "key", (request.data = "x", us3_upload(client, &request, &result)), &result);
    request.key = "k";
    request.data = NULL;
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "file_path", us3_upload(client, &request, &result), &result);
    request.data_len = 1;
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "data", us3_upload(client, &request, &result), &result);
    request.data = "x";
    request.metadata_len = 1;
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "metadata", us3_upload(client, &request, &result), &result);
    request.metadata = &header;
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "metadata", us3_upload(client, &request, &result), &result);
    header = (us3_header){"n", NULL};
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "metadata", us3_upload(client, &request, &result), &result);
    us3_client_free(client);
}

static void null_for_the_task_calls(void)
{
    us3_client *client = emulator_client();
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
    us3_progress progress = US3_PROGRESS_INIT;
    us3_result result = US3_RESULT_INIT;
    us3_task *task = (us3_task *)client;

    request.key = "k";
    request.data = "x";
    request.data_len = 1;
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "client", us3_upload_start(NULL, &request, &task, &result), &result);
    CHECK(task == NULL);
    task = (us3_task *)client;
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "request", us3_upload_start(client, NULL, &task, &result), &result);
    CHECK(task == NULL);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "out_task", us3_upload_start(client, &request, NULL, &result), &result);
    CHECK_INT(US3_INVALID_ARGUMENT, us3_upload_start(NULL, NULL, NULL, NULL));
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "task", us3_task_wait(NULL, 0, &result), &result);
    CHECK_INT(US3_INVALID_ARGUMENT, us3_task_wait(NULL, -1, NULL));
    CHECK_INT(US3_INVALID_ARGUMENT, us3_task_cancel(NULL));
    CHECK_INT(US3_INVALID_ARGUMENT, us3_task_progress(NULL, &progress));
    CHECK_INT(-1, us3_task_fd(NULL));
    REQUIRE(us3_upload_start(client, &request, &task, NULL) == US3_OK);
    CHECK_INT(US3_INVALID_ARGUMENT, us3_task_progress(task, NULL));
    us3_task_free(task);
    us3_client_free(client);
}

static void null_for_the_policy_calls(void)
{
    us3_header no_name = {NULL, "v"}, no_value = {"x:a", NULL};
    us3_result result = US3_RESULT_INIT;

    CHECK_REFUSED(US3_INVALID_ARGUMENT, "policy_json", us3_policy_check(NULL, &result), &result);
    CHECK(us3_policy_build(NULL, "b", NULL, NULL, 0, &result) == NULL);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "url", result.status, &result);
    CHECK(us3_policy_build("http://h/", NULL, NULL, NULL, 0, &result) == NULL);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "body", result.status, &result);
    CHECK(us3_policy_build("http://h/", "b", NULL, NULL, 1, &result) == NULL);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "vars", result.status, &result);
    CHECK(us3_policy_build("http://h/", "b", NULL, &no_name, 1, &result) == NULL);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "vars", result.status, &result);
    CHECK(us3_policy_build("http://h/", "b", NULL, &no_value, 1, &result) == NULL);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "vars", result.status, &result);
    CHECK(us3_policy_build(NULL, NULL, NULL, NULL, 0, NULL) == NULL);
}

/* ---- text that is not UTF-8 ----------------------------------------------------------------- */

static void text_that_is_not_utf8(void)
{
    us3_client *client = emulator_client();
    char *file = test_text_file("plain.txt", "hello");
    us3_header header = {NOT_UTF8, "v"};
    us3_result result = US3_RESULT_INIT;
    us3_file_info info = US3_FILE_INFO_INIT;
    us3_multipart *upload = NULL;

    CHECK_REFUSED(US3_INVALID_ARGUMENT, "key", us3_put_file_with_policy(client, file, NOT_UTF8, NULL, NULL, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "mime_type", us3_mput_with_policy(client, file, "k", NOT_UTF8, NULL, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "policy_json", us3_async_mput_with_policy(client, file, "k", NULL, NOT_UTF8, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "UTF-8", us3_async_upload_with_policy(client, file, NOT_UTF8, NULL, 2, NULL, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "UTF-8", us3_delete_file(client, NOT_UTF8, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "UTF-8", us3_head_file(client, NOT_UTF8, &info, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "UTF-8", us3_initiate_multipart_upload(client, NOT_UTF8, NULL, &upload, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "key is not UTF-8", us3_abort_upload(client, NOT_UTF8, "u", &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "upload_id is not UTF-8", us3_abort_upload(client, "k", NOT_UTF8, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "UTF-8", us3_policy_check(NOT_UTF8, &result), &result);
    CHECK(us3_policy_build("http://h/", NOT_UTF8, NULL, NULL, 0, &result) == NULL);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "body", result.status, &result);
    CHECK(us3_policy_build("http://h/", "b", NULL, &header, 1, &result) == NULL);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "vars", result.status, &result);
    us3_client_free(client);
}

static void a_request_with_text_that_is_not_utf8(void)
{
    us3_client *client = emulator_client();
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
    us3_header header = {"name", NOT_UTF8};
    us3_result result = US3_RESULT_INIT;

    request.data = "x";
    request.data_len = 1;
    request.key = "k";
    request.storage_class = NOT_UTF8;
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "storage_class", us3_upload(client, &request, &result), &result);
    request.storage_class = NULL;
    request.metadata = &header;
    request.metadata_len = 1;
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "metadata", us3_upload(client, &request, &result), &result);
    us3_client_free(client);
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* A key of `size` bytes in two segments, since some systems limit a name. */
static char *long_key(size_t size)
{
    char *key = arena_alloc(size + 1);

    memset(key, 'k', size);
    key[size / 2] = '/';
    key[size] = '\0';
    return key;
}

static void keys_have_1_to_1023_bytes(void)
{
    us3_client *client = emulator_client();
    char *file = test_text_file("plain.txt", "hello");
    us3_result result = US3_RESULT_INIT;
    us3_multipart *upload = NULL;
    us3_file_info info = US3_FILE_INFO_INIT;
    char *longest = long_key(1023), *too_long = long_key(1024);

    for (int i = 0; i <= ASYNC_UPLOAD; i++) {
        CHECK_REFUSED(US3_INVALID_ARGUMENT, "key", operations[i].run(client, file, "", NULL, &result), &result);
        CHECK_REFUSED(US3_INVALID_ARGUMENT, "1023", operations[i].run(client, file, too_long, NULL, &result), &result);
        CHECK_STATUS(US3_OK, operations[i].run(client, file, longest, NULL, &result), &result);
        CHECK_STORED(longest, (const unsigned char *)"hello", 5);
    }
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "key", us3_delete_file(client, "", &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "1023", us3_delete_file(client, too_long, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "1023", us3_head_file(client, too_long, &info, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "key", us3_initiate_multipart_upload(client, "", NULL, &upload, &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "1023", us3_initiate_multipart_upload(client, too_long, NULL, &upload, &result), &result);
    us3_client_free(client);
}

/* Anything else could not have come from the service: it is another thing's name, or was cut or joined. */
static void upload_ids_are_1_to_1024_visible_ascii_characters(void)
{
    static const char *const bad[] = {" ", "a b", "a\tb", "id\r\n", "id\r\nX-Evil: 1", "\x01", "\x7F", "\xC3\xA9"};
    us3_client *client = emulator_client();
    us3_result result = US3_RESULT_INIT;
    char *longest = arena_alloc(1025), *too_long = arena_alloc(1026);

    memset(longest, 'u', 1024);
    longest[1024] = '\0';
    memset(too_long, 'u', 1025);
    too_long[1025] = '\0';
    emulator_reset();
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "upload_id is empty", us3_abort_upload(client, "k", "", &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "1024", us3_abort_upload(client, "k", too_long, &result), &result);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_REFUSED(US3_INVALID_ARGUMENT, "upload_id has the character", us3_abort_upload(client, "k", bad[i], &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "key", us3_abort_upload(client, "", "u", &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "1023", us3_abort_upload(client, long_key(1024), "u", &result), &result);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "segment", us3_abort_upload(client, "a/..", "u", &result), &result);
    CHECK_INT(0, requests_seen("abort") + requests_seen("delete"));
    /* The service is asked about the others; it knows none of them. */
    CHECK_REFUSED(US3_SERVICE_ERROR, "404", us3_abort_upload(client, "k", longest, &result), &result);
    CHECK_REFUSED(US3_SERVICE_ERROR, "404", us3_abort_upload(client, "k", "a/b?c&d=%~!", &result), &result);
    CHECK_INT(2, requests_seen("abort"));
    us3_client_free(client);
}

static void dot_segments_are_refused(void)
{
    static const char *const bad[] = {".", "..", "./a", "../a", "a/.", "a/..", "a/./b", "a/../b", "/..", "a//../b"};
    static const char *const good[] = {"...", ".a", "a.", "..a", "a..b", "a/.../b", "a/.b/c."};
    us3_client *client = emulator_client();
    char *file = test_text_file("plain.txt", "hello");
    us3_result result = US3_RESULT_INIT;

    emulator_reset();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_REFUSED(US3_INVALID_ARGUMENT, "segment", us3_put_file_with_policy(client, file, bad[i], NULL, NULL, &result), &result);
    CHECK_INT(0, requests_seen("put"));
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        CHECK_STATUS(US3_OK, us3_put_file_with_policy(client, file, good[i], NULL, NULL, &result), &result);
        CHECK_STORED(good[i], (const unsigned char *)"hello", 5);
    }
    us3_result_clear(&result);
    us3_client_free(client);
}

/* ---- what goes into headers ------------------------------------------------------------------ */

static void line_breaks_in_a_mime_type(void)
{
    static const char *const bad[] = {"text/plain\r\nX-Evil: 1", "text/plain\n", "a\rb", "text/\x01plain", "text/plain\x7F"};
    us3_client *client = emulator_client();
    char *file = test_text_file("plain.txt", "hello");
    us3_result result = US3_RESULT_INIT;
    us3_multipart *upload = NULL;

    emulator_reset();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_REFUSED(US3_INVALID_ARGUMENT, "mime_type", us3_put_file_with_policy(client, file, "k", bad[i], NULL, &result), &result);
        CHECK_REFUSED(US3_INVALID_ARGUMENT, "mime_type", us3_mput_with_policy(client, file, "k", bad[i], NULL, &result), &result);
        CHECK_REFUSED(US3_INVALID_ARGUMENT, "mime_type", us3_initiate_multipart_upload(client, "k", bad[i], &upload, &result), &result);
    }
    CHECK_INT(0, requests_seen("put") + requests_seen("initiate"));
    us3_client_free(client);
}

static us3_status upload_with_metadata(us3_client *client, const us3_header *headers, size_t count, us3_result *result)
{
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;

    request.key = "metadata";
    request.data = "x";
    request.data_len = 1;
    request.metadata = headers;
    request.metadata_len = count;
    return us3_upload(client, &request, result);
}

static void metadata_that_makes_no_header(void)
{
    static const us3_header bad[] = {{"name", "a\r\nX-Evil: 1"}, {"name", "a\nb"}, {"na\r\nme", "v"}, {"", "v"},
                                     {"na me", "v"}, {"na:me", "v"}, {"n\xC3\xA4me", "v"}, {"na_me", "v"}};
    static const us3_header good[] = {{"Color-1", "blue"}, {"empty", ""}};
    us3_client *client = emulator_client();
    us3_result result = US3_RESULT_INIT;
    us3_header big = {"big", NULL};
    char *state;

    emulator_reset();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_REFUSED(US3_INVALID_ARGUMENT, "metadata", upload_with_metadata(client, &bad[i], 1, &result), &result);
    big.value = long_key(8 * KIB + 1);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "metadata", upload_with_metadata(client, &big, 1, &result), &result);
    CHECK_INT(0, requests_seen("put"));

    CHECK_STATUS(US3_OK, upload_with_metadata(client, good, 2, &result), &result);
    state = emulator_state();
    CHECK_HAS(state, "\"metadata\":{\"color-1\":\"blue\"");
    us3_result_clear(&result);
    us3_client_free(client);
}

static int64_t never_read(void *user_data, void *buffer, size_t capacity)
{
    (void)user_data, (void)buffer, (void)capacity;
    check_fail(__FILE__, __LINE__, "read, although the request was refused");
    return 0;
}

static void requests_that_contradict_themselves(void)
{
    us3_client *client = emulator_client();
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
    us3_result result = US3_RESULT_INIT;
    static const int32_t modes[] = {-1, 3, INT32_MAX, INT32_MIN};

    request.key = "k";
    request.data = "x";
    request.data_len = 1;
    request.file_path = "f";
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "file_path", us3_upload(client, &request, &result), &result);
    request.file_path = NULL;
    request.read = never_read;
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "only one", us3_upload(client, &request, &result), &result);
    request.data = NULL;
    request.data_len = 0;
    request.mode = US3_MODE_PUT;
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "one PutFile", us3_upload(client, &request, &result), &result);
    request.mode = US3_MODE_AUTO;
    request.resume_path = "checkpoint";
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "resume_path", us3_upload(client, &request, &result), &result);
    request.resume_path = NULL;
    request.read = NULL;
    request.data = "x";
    request.data_len = 1;
    request.storage_class = "COLD";
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "storage_class", us3_upload(client, &request, &result), &result);
    request.storage_class = NULL;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        request.mode = modes[i];
        CHECK_REFUSED(US3_INVALID_ARGUMENT, "mode", us3_upload(client, &request, &result), &result);
    }
    us3_client_free(client);
}

int main(void)
{
    RUN(every_clear_and_free_accepts_null);
    RUN(null_for_what_makes_a_client);
    RUN(null_for_the_file_operations);
    RUN(null_for_the_object_calls);
    RUN(null_for_the_multipart_calls);
    RUN(null_for_a_request);
    RUN(null_for_the_task_calls);
    RUN(null_for_the_policy_calls);
    RUN(text_that_is_not_utf8);
    RUN(a_request_with_text_that_is_not_utf8);
    RUN(keys_have_1_to_1023_bytes);
    RUN(upload_ids_are_1_to_1024_visible_ascii_characters);
    RUN(dot_segments_are_refused);
    RUN(line_breaks_in_a_mime_type);
    RUN(metadata_that_makes_no_header);
    RUN(requests_that_contradict_themselves);
    return check_done();
}
