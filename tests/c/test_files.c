/* Files that cannot be uploaded, and how that is said. */
#define _POSIX_C_SOURCE 200809L

#include "operations.h"
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

/* Each operation that takes a file refuses it, names it, and sends nothing. */
static void refused_by_all(const char *path, int32_t os_error)
{
    us3_client *client = emulator_client();
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
    us3_result result = US3_RESULT_INIT;

    emulator_reset();
    for (int i = 0; i <= ASYNC_UPLOAD; i++) {
        CHECK_STATUS(US3_FILE_ERROR, operations[i].run(client, path, "k", NULL, &result), &result);
        CHECK_HAS(result.err_msg, path);
        CHECK_INT(US3_OBJECT_NOT_STORED, result.object_state);
        if (os_error != 0)
            CHECK_INT(os_error, result.os_error);
    }
    request.file_path = path;
    request.key = "k";
    CHECK_REFUSED(US3_FILE_ERROR, path, us3_upload(client, &request, &result), &result);
    CHECK_INT(0, emulator_count("requests", "\"sequence\":"));
    us3_client_free(client);
}

static void a_missing_file(void)
{
    refused_by_all(test_path("there-is-no-such-file"), ENOENT);
    refused_by_all(test_path("no-such-folder/file"), ENOENT);
}

static void a_directory(void)
{
    us3_client *client = emulator_client();
    us3_result result = US3_RESULT_INIT;

    refused_by_all(env("US3_TEST_DIR"), 0);
    CHECK_REFUSED(US3_FILE_ERROR, "directory",
                  us3_put_file_with_policy(client, env("US3_TEST_DIR"), "k", NULL, NULL, &result), &result);
    us3_client_free(client);
}

/* Opening a FIFO without a writer would wait for ever: the harness ends a test that hangs. */
static void a_fifo_does_not_hang(void)
{
    char *path = test_path("fifo");

    REQUIRE(mkfifo(path, 0600) == 0);
    refused_by_all(path, 0);
}

static void a_device(void)
{
    refused_by_all("/dev/null", 0);
}

/* Root may read everything. So that this is tested for root too, it is done as nobody. */
static void an_unreadable_file(void)
{
    char *path = test_file("unreadable", 5, 1);

    REQUIRE(chmod(path, 0) == 0);
    if (geteuid() == 0) {
        REQUIRE(chmod(env("US3_TEST_DIR"), 0755) == 0);
        REQUIRE(setgid(NOBODY) == 0);
        REQUIRE(setuid(NOBODY) == 0);
    }
    REQUIRE(access(path, R_OK) != 0 && errno == EACCES);
    refused_by_all(path, EACCES);
}

static void an_empty_path(void)
{
    us3_client *client = emulator_client();
    us3_result result = US3_RESULT_INIT;

    for (int i = 0; i <= ASYNC_UPLOAD; i++) {
        us3_status status = operations[i].run(client, "", "k", NULL, &result);
        CHECK(status == US3_FILE_ERROR || status == US3_INVALID_ARGUMENT);
        CHECK_HAS(result.err_msg, "file_path");
    }
    us3_result_clear(&result);
    us3_client_free(client);
}

static char *sparse_file(const char *name, off_t size)
{
    char *path = test_text_file(name, "");

    REQUIRE(truncate(path, size) == 0);
    return path;
}

static void put_file_takes_512_mib_at_most(void)
{
    us3_client *client = emulator_client();
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
    us3_result result = US3_RESULT_INIT;
    char *path = sparse_file("large", ((off_t)512 << 20) + 1);

    emulator_reset();
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "MPutWithPolicy",
                  us3_put_file_with_policy(client, path, "k", NULL, NULL, &result), &result);
    request.mode = US3_MODE_PUT;
    request.file_path = path;
    request.key = "k";
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "512 MiB", us3_upload(client, &request, &result), &result);
    CHECK_INT(0, emulator_count("requests", "\"sequence\":"));
    us3_client_free(client);
}

/* A path is bytes; only keys are text. */
static void a_path_need_not_be_utf8(void)
{
    us3_client *client = emulator_client();
    us3_result result = US3_RESULT_INIT;
    unsigned char *bytes = test_bytes(1000, 7);
    char *path = test_file("\xFF\xFE name", 1000, 7);

    CHECK_STATUS(US3_OK, us3_put_file_with_policy(client, path, "odd-path", NULL, NULL, &result), &result);
    CHECK_STORED("odd-path", bytes, 1000);
    REQUIRE(unlink(path) == 0);
    CHECK_REFUSED(US3_FILE_ERROR, "name", us3_put_file_with_policy(client, path, "odd-path", NULL, NULL, &result), &result);
    us3_client_free(client);
}

/* A link is what it points to; one to nothing is missing. */
static void symbolic_links(void)
{
    us3_client *client = emulator_client();
    us3_result result = US3_RESULT_INIT;
    char *link = test_path("link"), *broken = test_path("broken-link");

    REQUIRE(symlink(test_file("linked", 1000, 3), link) == 0);
    REQUIRE(symlink(test_path("nothing"), broken) == 0);
    CHECK_STATUS(US3_OK, us3_mput_with_policy(client, link, "linked", NULL, NULL, &result), &result);
    CHECK_STORED("linked", test_bytes(1000, 3), 1000);
    us3_result_clear(&result);
    refused_by_all(broken, ENOENT);
    us3_client_free(client);
}

static void content_types_are_detected(void)
{
    static const struct {
        const char *name, *text, *type;
    } cases[] = {
        {"note.txt", "hello world", "text/plain"},
        {"no-extension", "hello world", "text/plain; charset=utf-8"},
        {"picture", "\x89PNG\r\n\x1A\n\0", "image/png"},
        {"page.html", "<p>hello</p>", "text/html"},
        {"blob", "\xFF\xFE\xFD\x01\x02", "application/octet-stream"},
    };
    us3_client *client = emulator_client();
    us3_file_info info = US3_FILE_INFO_INIT;
    us3_result result = US3_RESULT_INIT;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = test_text_file(cases[i].name, cases[i].text);
        for (int op = 0; op <= ASYNC_UPLOAD; op++) {
            CHECK_STATUS(US3_OK, operations[op].run(client, path, "typed", NULL, &result), &result);
            CHECK_STATUS(US3_OK, us3_head_file(client, "typed", &info, &result), &result);
            CHECK_HAS(info.mime_type, cases[i].type);
        }
        CHECK_STATUS(US3_OK, us3_put_file_with_policy(client, path, "typed", "image/x-own", NULL, &result), &result);
        CHECK_STATUS(US3_OK, us3_head_file(client, "typed", &info, &result), &result);
        CHECK_STR("image/x-own", info.mime_type);
    }
    us3_file_info_clear(&info);
    us3_result_clear(&result);
    us3_client_free(client);
}

int main(void)
{
    RUN(a_missing_file);
    RUN(a_directory);
    RUN(a_fifo_does_not_hang);
    RUN(a_device);
    RUN(an_unreadable_file);
    RUN(an_empty_path);
    RUN(put_file_takes_512_mib_at_most);
    RUN(a_path_need_not_be_utf8);
    RUN(symbolic_links);
    RUN(content_types_are_detected);
    return check_done();
}
