/* Clients, results and files for the tests of support.h. */
#define _POSIX_C_SOURCE 200809L

#include "support.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *env(const char *name)
{
    const char *value = getenv(name);

    if (value == NULL) {
        check_fail(__FILE__, __LINE__, "%s is not set: start this program through tests/c/run.sh", name);
        check_abandon();
    }
    return value;
}

char *format(const char *format, ...)
{
    va_list args;
    char *text;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    text = arena_alloc((size_t)len + 1);
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return text;
}

/* ---- clients ----------------------------------------------------------------------------- */

us3_config config_for(const char *endpoint)
{
    us3_config config = US3_CONFIG_INIT;

    config.public_key = TEST_PUBLIC_KEY;
    config.private_key = TEST_PRIVATE_KEY;
    config.bucket_name = TEST_BUCKET;
    config.endpoint = endpoint;
    return config;
}

us3_client *client_for(const char *endpoint)
{
    us3_config config = config_for(endpoint);

    return client_with(&config);
}

us3_client *client_with(const us3_config *config)
{
    us3_result result = US3_RESULT_INIT;
    us3_client *client = NULL;

    CHECK_STATUS(US3_OK, us3_client_new(config, &client, &result), &result);
    REQUIRE(client != NULL);
    us3_result_clear(&result);
    return client;
}

us3_client *emulator_client(void)
{
    return client_for(env("US3_TEST_ENDPOINT"));
}

us3_client *fake_client(const fake_service *fake)
{
    us3_config config = config_for(fake_url(fake));

    config.max_retries = 0;
    config.settle_timeout_ms = 200;
    return client_with(&config);
}

/* ---- results ------------------------------------------------------------------------------ */

/* No message may ever show a secret. */
static void check_discreet(const char *file, int line, const us3_result *result)
{
    char *text = us3_result_describe(result);

    if (text == NULL)
        check_fail(file, line, "us3_result_describe gives NULL");
    else if (strstr(text, TEST_PRIVATE_KEY) != NULL || strstr(text, "Authorization: ") != NULL)
        check_fail(file, line, "a secret is shown: %s", text);
    us3_string_free(text);
}

void check_status(const char *file, int line, const char *what, int32_t expected, int32_t returned, const us3_result *result)
{
    if (returned != expected)
        check_fail(file, line, "%s: expected %s, is %s: %s", what, us3_status_name(expected), us3_status_name(returned),
                   result->err_msg == NULL ? "(no message)" : result->err_msg);
    if (returned != result->status)
        check_fail(file, line, "%s: returned %s, but the result says %s", what, us3_status_name(returned),
                   us3_status_name(result->status));
    if ((returned == US3_OK) != (result->err_msg == NULL))
        check_fail(file, line, "%s: %s with the message %s", what, us3_status_name(returned),
                   result->err_msg == NULL ? "NULL" : result->err_msg);
    if (returned != US3_OK)
        check_discreet(file, line, result);
}

void check_refused(const char *file, int line, const char *what, int32_t expected, const char *part, int32_t returned,
                   us3_result *result)
{
    check_status(file, line, what, expected, returned, result);
    check_has(file, line, what, result->err_msg, part);
    us3_result_clear(result);
}

/* ---- files -------------------------------------------------------------------------------- */

char *test_path(const char *name)
{
    return format("%s/%s", env("US3_TEST_DIR"), name);
}

unsigned char *test_bytes(size_t size, uint32_t seed)
{
    /* One byte more, so that no bytes are a pointer too. */
    unsigned char *bytes = arena_alloc(size + 1);
    uint32_t x = seed * 2654435761u + 1;

    for (size_t i = 0; i < size; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        bytes[i] = (unsigned char)(x >> 24);
    }
    return bytes;
}

static char *write_file(const char *name, const void *bytes, size_t size)
{
    char *path = test_path(name);
    FILE *file = fopen(path, "wb");

    REQUIRE(file != NULL);
    REQUIRE(fwrite(bytes, 1, size, file) == size);
    REQUIRE(fclose(file) == 0);
    return path;
}

char *test_file(const char *name, size_t size, uint32_t seed)
{
    unsigned char *bytes = test_bytes(size, seed);
    char *path = write_file(name, bytes, size);

    arena_drop(bytes);
    return path;
}

char *test_text_file(const char *name, const char *text)
{
    return write_file(name, text, strlen(text));
}

char *read_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text;
    long size;

    REQUIRE(file != NULL);
    REQUIRE(fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0 && fseek(file, 0, SEEK_SET) == 0);
    text = arena_alloc((size_t)size + 1);
    REQUIRE(fread(text, 1, (size_t)size, file) == (size_t)size);
    text[size] = '\0';
    fclose(file);
    return text;
}

/* ---- the process -------------------------------------------------------------------------------- */

int running_threads(void)
{
    char *status = NULL, *line;
    size_t capacity = 0;
    FILE *file = fopen("/proc/self/status", "r");
    int count = -1;

    REQUIRE(file != NULL);
    while (getline(&status, &capacity, file) > 0)
        if ((line = strstr(status, "Threads:")) != NULL)
            count = atoi(line + 8);
    fclose(file);
    free(status);
    return count;
}

/* ThreadSanitizer has threads of its own in this process, and starts another one after a fork. */
#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define THREADS_OF_THE_TOOL 2
#endif
#endif
#ifndef THREADS_OF_THE_TOOL
#define THREADS_OF_THE_TOOL 0
#endif

void await_threads(int count)
{
    const struct timespec moment = {0, 1000000};

    /* The harness ends a test that waits in vain. */
    while (running_threads() > count + THREADS_OF_THE_TOOL)
        nanosleep(&moment, NULL);
}
