/* Results and the other structs: their life, their sizes of other releases, and their words. */
#include "operations.h"
#include "support.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* ---- life ---------------------------------------------------------------------------------------- */

static void init_and_the_macros_agree(void)
{
    us3_result result, result_macro = US3_RESULT_INIT;
    us3_config config, config_macro = US3_CONFIG_INIT;
    us3_upload_request request, request_macro = US3_UPLOAD_REQUEST_INIT;
    us3_file_info info, info_macro = US3_FILE_INFO_INIT;
    us3_progress progress, progress_macro = US3_PROGRESS_INIT;

    us3_result_init(&result);
    CHECK_INT(sizeof(us3_result), result.struct_size);
    CHECK_INT(result_macro.status, result.status);
    CHECK(result.err_msg == NULL && result.body == NULL && result.etag == NULL && result.upload_id == NULL && result.session_id == NULL);

    us3_config_init(&config);
    CHECK_INT(sizeof(us3_config), config.struct_size);
    CHECK(config.public_key == NULL && config.ca_file == NULL && config.endpoint == NULL);
    CHECK_INT(config_macro.verify_etag, config.verify_etag);
    CHECK_INT(config_macro.max_retries, config.max_retries);
    CHECK_INT(config_macro.verify_upload_md5, config.verify_upload_md5);
    CHECK_INT(0, config_macro.settle_timeout_ms);
    CHECK_INT(0, config.settle_timeout_ms);

    us3_upload_request_init(&request);
    CHECK_INT(sizeof(us3_upload_request), request.struct_size);
    CHECK_INT(request_macro.mode, request.mode);
    CHECK_INT(request_macro.jobs, request.jobs);
    CHECK(request.key == NULL && request.data == NULL && request.metadata == NULL);
    CHECK(request.read == NULL && request.on_progress == NULL && request.on_complete == NULL && request.user_data == NULL);

    us3_progress_init(&progress);
    CHECK_INT(sizeof(us3_progress), progress.struct_size);
    CHECK_INT(progress_macro.total, progress.total);

    us3_file_info_init(&info);
    CHECK_INT(sizeof(us3_file_info), info.struct_size);
    CHECK_INT(info_macro.last_modified, info.last_modified);
    CHECK(info.etag == NULL && info.mime_type == NULL);
}

static void clearing_twice_is_harmless(void)
{
    us3_result result = US3_RESULT_INIT;

    us3_policy_check("{}", &result);
    CHECK(result.err_msg != NULL);
    us3_result_clear(&result);
    CHECK(result.err_msg == NULL);
    CHECK_INT(US3_OK, result.status);
    CHECK_INT(sizeof(us3_result), result.struct_size);
    us3_result_clear(&result);
    us3_result_clear(&result);
}

/* Nothing of one call shows in the next. */
static void one_result_for_many_calls(void)
{
    us3_client *client = emulator_client();
    us3_result result = US3_RESULT_INIT;
    char *file = test_text_file("f", "hello");

    for (int i = 0; i < 20; i++) {
        CHECK_STATUS(US3_FILE_ERROR, us3_put_file_with_policy(client, "/no/such/file", "k", NULL, NULL, &result), &result);
        CHECK(result.os_error != 0 && result.etag == NULL && result.body == NULL);
        CHECK_STATUS(US3_OK, us3_put_file_with_policy(client, file, "k", NULL, json_policy("reused"), &result), &result);
        CHECK(result.os_error == 0 && result.etag != NULL && result.body != NULL && result.err_msg == NULL);
        CHECK_STATUS(US3_SERVICE_ERROR, us3_delete_file(client, "no-such-key", &result), &result);
        CHECK(result.etag == NULL);
        CHECK_INT(US3_CALLBACK_NOT_REQUESTED, result.callback_state);
    }
    us3_result_clear(&result);
    us3_client_free(client);
}

static void every_call_works_without_a_result(void)
{
    us3_client *client = emulator_client();
    us3_file_info info = US3_FILE_INFO_INIT;
    char *file = test_text_file("f", "hello");
    us3_multipart *upload = NULL;

    for (int op = 0; op <= ASYNC_UPLOAD; op++)
        CHECK_INT(US3_OK, operations[op].run(client, file, "no-result", NULL, NULL));
    CHECK_INT(US3_OK, us3_head_file(client, "no-result", &info, NULL));
    CHECK_INT(5, info.size);
    CHECK_INT(US3_OK, us3_delete_file(client, "no-result", NULL));
    CHECK_INT(US3_SERVICE_ERROR, us3_delete_file(client, "no-result", NULL));
    CHECK_INT(US3_OK, us3_initiate_multipart_upload(client, "no-result", NULL, &upload, NULL));
    CHECK_INT(US3_OK, us3_upload_part(upload, 0, "x", 1, NULL));
    CHECK_INT(US3_OK, us3_finish_multipart_upload_with_policy(upload, NULL, NULL));
    CHECK_INT(US3_INVALID_POLICY, us3_policy_check("", NULL));
    us3_multipart_free(upload);
    CHECK_INT(US3_OK, us3_initiate_multipart_upload(client, "no-result", NULL, &upload, NULL));
    CHECK_INT(US3_OK, us3_abort_upload(client, "no-result", us3_multipart_upload_id(upload), NULL));
    CHECK_INT(US3_SERVICE_ERROR, us3_abort_upload(client, "no-result", us3_multipart_upload_id(upload), NULL));
    us3_multipart_free(upload);
    us3_file_info_clear(&info);
    us3_client_free(client);
}

/* ---- struct_size ----------------------------------------------------------------------------------- */

/* No struct has these sizes. */
static const size_t nonsense[] = {0, 1, sizeof(size_t) - 1, sizeof(size_t), 65537, SIZE_MAX};
enum { NONSENSE = sizeof nonsense / sizeof *nonsense };

static void sizes_that_no_struct_has(void)
{
    us3_client *client = emulator_client(), *other = NULL;
    us3_result result = US3_RESULT_INIT;

    for (int i = 0; i < NONSENSE; i++) {
        us3_config config = config_for("http://127.0.0.1:1");
        us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
        us3_file_info info = US3_FILE_INFO_INIT;
        us3_progress progress = US3_PROGRESS_INIT;
        us3_result odd = US3_RESULT_INIT;
        us3_task *task;

        config.struct_size = request.struct_size = info.struct_size = progress.struct_size = odd.struct_size = nonsense[i];
        request.key = "k";
        request.data = "x";
        request.data_len = 1;
        CHECK_REFUSED(US3_INVALID_ARGUMENT, "struct_size", us3_client_new(&config, &other, &result), &result);
        CHECK(other == NULL);
        CHECK_REFUSED(US3_INVALID_ARGUMENT, "struct_size", us3_upload(client, &request, &result), &result);
        CHECK_REFUSED(US3_INVALID_ARGUMENT, "struct_size", us3_upload_start(client, &request, &task, &result), &result);
        CHECK(task == NULL);
        request.struct_size = sizeof request;
        REQUIRE(us3_upload_start(client, &request, &task, NULL) == US3_OK);
        CHECK_INT(US3_INVALID_ARGUMENT, us3_task_progress(task, &progress));
        CHECK_INT(US3_INVALID_ARGUMENT, us3_task_wait(task, 0, &odd));
        us3_task_free(task);
        CHECK_REFUSED(US3_INVALID_ARGUMENT, "struct_size", us3_head_file(client, "k", &info, &result), &result);
        CHECK_INT(US3_INVALID_ARGUMENT, us3_delete_file(client, "k", &odd));
        CHECK_INT(US3_INVALID_ARGUMENT, us3_policy_check("{\"callbackUrl\":\"http://h/\"}", &odd));
        us3_result_clear(&odd); /* knows that it is none, and leaves it */
        us3_file_info_clear(&info);
        us3_string_free(us3_result_describe(&odd));
    }
    us3_client_free(client);
}

/* An older caller's struct ends earlier. What lies behind it is the caller's. */
static void an_older_result(void)
{
    struct {
        us3_result result;
        unsigned char behind[64];
    } memory;
    const size_t size = offsetof(us3_result, upload_id);
    unsigned char *bytes = (unsigned char *)&memory;

    memset(&memory, 0xA5, sizeof memory);
    memset(&memory, 0, size);
    memory.result.struct_size = size;
    CHECK_INT(US3_INVALID_POLICY, us3_policy_check("{}", &memory.result));
    CHECK_INT(US3_INVALID_POLICY, memory.result.status);
    CHECK_HAS(memory.result.err_msg, "callbackUrl");
    for (size_t i = size; i < sizeof memory; i++)
        CHECK(bytes[i] == 0xA5);
    us3_string_free(us3_result_describe(&memory.result));
    us3_result_clear(&memory.result);
    CHECK_INT(size, memory.result.struct_size);
    for (size_t i = size; i < sizeof memory; i++)
        CHECK(bytes[i] == 0xA5);
}

static void an_older_progress(void)
{
    us3_client *client = emulator_client();
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
    us3_progress progress = US3_PROGRESS_INIT;
    us3_task *task;

    request.key = "k";
    request.data = "x";
    request.data_len = 1;
    REQUIRE(us3_upload_start(client, &request, &task, NULL) == US3_OK);
    CHECK_INT(US3_OK, us3_task_wait(task, -1, NULL));
    memset(&progress, 0xA5, sizeof progress);
    progress.struct_size = offsetof(us3_progress, acknowledged);
    CHECK_INT(US3_OK, us3_task_progress(task, &progress));
    CHECK_INT(1, progress.sent);
    CHECK_INT(offsetof(us3_progress, acknowledged), progress.struct_size);
    CHECK(progress.acknowledged == 0xA5A5A5A5A5A5A5A5u && progress.elapsed_ms == 0xA5A5A5A5A5A5A5A5u);
    us3_task_free(task);
    us3_client_free(client);
}

static void an_older_config_request_and_info(void)
{
    us3_config config = config_for(env("US3_TEST_ENDPOINT"));
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
    us3_file_info info = US3_FILE_INFO_INIT;
    us3_result result = US3_RESULT_INIT;
    us3_client *client;

    /* Behind the older struct lies what would be an error if it were read. */
    memset((char *)&config + offsetof(us3_config, proxy), 0x7F, sizeof config - offsetof(us3_config, proxy));
    config.struct_size = offsetof(us3_config, proxy);
    client = client_with(&config);
    request.key = "older";
    request.data = "hello";
    request.data_len = 5;
    memset((char *)&request + offsetof(us3_upload_request, storage_class), 0x7F,
           sizeof request - offsetof(us3_upload_request, storage_class));
    request.struct_size = offsetof(us3_upload_request, storage_class);
    CHECK_STATUS(US3_OK, us3_upload(client, &request, &result), &result);
    info.struct_size = offsetof(us3_file_info, etag);
    info.etag = (char *)"untouched";
    CHECK_STATUS(US3_OK, us3_head_file(client, "older", &info, &result), &result);
    CHECK_INT(5, info.size);
    CHECK_STR("untouched", info.etag);
    us3_file_info_clear(&info);
    CHECK_STR("untouched", info.etag);
    us3_result_clear(&result);
    us3_client_free(client);
}

/* A newer caller's struct is longer; as long as its new members ask for nothing, it is fine. */
static void newer_structs(void)
{
    struct {
        us3_result now;
        void *later[8];
    } result = {US3_RESULT_INIT, {0}};
    struct {
        us3_config now;
        void *later[8];
    } config = {config_for(env("US3_TEST_ENDPOINT")), {0}};
    struct {
        us3_upload_request now;
        void *later[8];
    } request = {US3_UPLOAD_REQUEST_INIT, {0}};
    us3_client *client = NULL;

    result.now.struct_size = sizeof result;
    config.now.struct_size = sizeof config;
    request.now.struct_size = sizeof request;
    CHECK_STATUS(US3_OK, us3_client_new(&config.now, &client, &result.now), &result.now);
    request.now.key = "newer";
    request.now.data = "x";
    request.now.data_len = 1;
    CHECK_STATUS(US3_OK, us3_upload(client, &request.now, &result.now), &result.now);
    CHECK_INT(sizeof result, result.now.struct_size);
    /* A member that this library does not know, and that asks for something. */
    request.later[0] = "something";
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "struct_size", us3_upload(client, &request.now, &result.now), &result.now);
    us3_client_free(client);
}

/* ---- words ----------------------------------------------------------------------------------------- */

static void describe_is_one_line_of_sense(void)
{
    us3_client *client = emulator_client();
    us3_result result = US3_RESULT_INIT;
    char *text;

    CHECK_STATUS(US3_SERVICE_ERROR, us3_delete_file(client, "no/such", &result), &result);
    text = us3_result_describe(&result);
    CHECK_HAS(text, "US3_SERVICE_ERROR");
    CHECK_HAS(text, "404");
    CHECK_HAS(text, result.session_id);
    CHECK(strchr(text, '\n') == NULL);
    us3_string_free(text);

    CHECK_STATUS(US3_OK, us3_put_file_with_policy(client, test_text_file("f", "x"), "k", NULL, json_policy("described"), &result), &result);
    text = us3_result_describe(&result);
    CHECK_HAS(text, "US3_OK");
    CHECK_HAS(text, "stored");
    us3_string_free(text);

    us3_result_clear(&result);
    text = us3_result_describe(&result);
    CHECK_HAS(text, "US3_OK");
    us3_string_free(text);
    us3_client_free(client);
}

/* Also a result that a host filled in itself, with whatever it found. */
static void describe_takes_any_result(void)
{
    us3_result result = US3_RESULT_INIT;
    static const int32_t numbers[] = {-1, 16, 17, 599, INT32_MAX, INT32_MIN};

    result.err_msg = (char *)"bytes \xFF\xFE that are no text";
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char *text;
        result.status = result.http_status = result.ret_code = result.object_state = result.callback_state = numbers[i];
        text = us3_result_describe(&result);
        CHECK(text != NULL && text[0] != '\0');
        us3_string_free(text);
    }
}

static void statuses_have_names(void)
{
    static const char *const names[] = {
        "US3_OK", "US3_INVALID_ARGUMENT", "US3_INVALID_CONFIG", "US3_INVALID_POLICY", "US3_FILE_ERROR", "US3_FILE_CHANGED",
        "US3_NETWORK_ERROR", "US3_TIMEOUT", "US3_CANCELLED", "US3_SERVICE_ERROR", "US3_CALLBACK_FAILED", "US3_INTEGRITY_ERROR",
        "US3_PROTOCOL_ERROR", "US3_PENDING", "US3_WOULD_DEADLOCK", "US3_FORKED", "US3_INTERNAL_ERROR",
    };

    for (int32_t i = 0; i < 17; i++)
        CHECK_STR(names[i], us3_status_name(i));
    CHECK_INT(16, US3_INTERNAL_ERROR);
    CHECK_STR("US3_UNKNOWN_STATUS", us3_status_name(-1));
    CHECK_STR("US3_UNKNOWN_STATUS", us3_status_name(17));
    CHECK_STR("US3_UNKNOWN_STATUS", us3_status_name(INT32_MAX));
}

static void every_state_has_its_name(void)
{
    static const int32_t unknown[] = {-1, 5, INT32_MAX, INT32_MIN};

    CHECK_STR("US3_OBJECT_NOT_STORED", us3_object_state_name(US3_OBJECT_NOT_STORED));
    CHECK_STR("US3_OBJECT_STORED", us3_object_state_name(US3_OBJECT_STORED));
    CHECK_STR("US3_OBJECT_UNKNOWN", us3_object_state_name(US3_OBJECT_UNKNOWN));
    CHECK_STR("US3_UNKNOWN_OBJECT_STATE", us3_object_state_name(US3_OBJECT_UNKNOWN + 1));
    CHECK_STR("US3_CALLBACK_NOT_REQUESTED", us3_callback_state_name(US3_CALLBACK_NOT_REQUESTED));
    CHECK_STR("US3_CALLBACK_DELIVERED", us3_callback_state_name(US3_CALLBACK_DELIVERED));
    CHECK_STR("US3_CALLBACK_NOT_DELIVERED", us3_callback_state_name(US3_CALLBACK_NOT_DELIVERED));
    CHECK_STR("US3_CALLBACK_UNKNOWN", us3_callback_state_name(US3_CALLBACK_UNKNOWN));
    CHECK_STR("US3_CALLBACK_REPLY_REFUSED", us3_callback_state_name(US3_CALLBACK_REPLY_REFUSED));
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        CHECK_STR("US3_UNKNOWN_OBJECT_STATE", us3_object_state_name(unknown[i]));
        CHECK_STR("US3_UNKNOWN_CALLBACK_STATE", us3_callback_state_name(unknown[i]));
    }
}

static void the_version_is_the_header_s(void)
{
    CHECK_STR(US3_VERSION, us3_version());
    CHECK_STR(format("%d.%d.%d", US3_VERSION_MAJOR, US3_VERSION_MINOR, US3_VERSION_PATCH), us3_version());
}

int main(void)
{
    RUN(init_and_the_macros_agree);
    RUN(clearing_twice_is_harmless);
    RUN(one_result_for_many_calls);
    RUN(every_call_works_without_a_result);
    RUN(sizes_that_no_struct_has);
    RUN(an_older_result);
    RUN(an_older_progress);
    RUN(an_older_config_request_and_info);
    RUN(newer_structs);
    RUN(describe_is_one_line_of_sense);
    RUN(describe_takes_any_result);
    RUN(statuses_have_names);
    RUN(every_state_has_its_name);
    RUN(the_version_is_the_header_s);
    return check_done();
}
