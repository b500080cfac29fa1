/* What the emulator and the callback service saw: see support.h. */
#define _POSIX_C_SOURCE 200809L

#include "http.h"
#include "sign.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- objects ------------------------------------------------------------------------------ */

static struct http_reply get_object(const char *key)
{
    char signature[29];
    char *path = url_encode(key);
    char *url = format("%s/%s", env("US3_TEST_ENDPOINT"), path);
    char *text = format("GET\n\n\n\n/%s/%s", TEST_BUCKET, key);
    char *headers;
    struct http_reply reply;

    hmac_sha1_base64(TEST_PRIVATE_KEY, text, signature);
    headers = format("Authorization: UCloud %s:%s\r\n", TEST_PUBLIC_KEY, signature);
    reply = http_request("GET", url, headers);
    return reply;
}

void check_stored(const char *file, int line, const char *key, const unsigned char *bytes, size_t size)
{
    struct http_reply reply = get_object(key);

    if (reply.status != 200)
        check_fail(file, line, "%s: not stored: %d %s", key, reply.status, reply.body);
    else if (reply.body_len != size)
        check_fail(file, line, "%s: stored are %zu bytes, not %zu", key, reply.body_len, size);
    else if (memcmp(reply.body, bytes, size) != 0)
        check_fail(file, line, "%s: other bytes are stored", key);
    http_reply_free(&reply);
}

bool object_exists(const char *key)
{
    struct http_reply reply = get_object(key);
    int status = reply.status;

    REQUIRE(status == 200 || status == 404);
    http_reply_free(&reply);
    return status == 200;
}

/* ---- the emulator's state ------------------------------------------------------------------ */

static struct http_reply control(const char *method, const char *path)
{
    char *url = format("%s%s", env("US3_TEST_CONTROL"), path);
    struct http_reply reply = http_request(method, url, "");

    REQUIRE(reply.status == 200);
    return reply;
}

void emulator_reset(void)
{
    struct http_reply reply = control("POST", "/reset");

    http_reply_free(&reply);
}

void emulator_tell(const char *path, const char *json)
{
    struct http_reply reply = http_post(format("%s%s", env("US3_TEST_CONTROL"), path), json);

    REQUIRE(reply.status == 200);
    http_reply_free(&reply);
}

char *emulator_state(void)
{
    struct http_reply reply = control("GET", "/state");
    char *state = arena_copy(reply.body);

    http_reply_free(&reply);
    return state;
}

intmax_t emulator_number(const char *name)
{
    char *state = emulator_state();
    char *member = format("\"%s\":", name);
    const char *at = strstr(state, member);
    intmax_t number;

    REQUIRE(at != NULL);
    number = strtoimax(at + strlen(member), NULL, 10);
    arena_drop(state);
    return number;
}

/* The end of a JSON array whose first bracket is at `text`. */
static const char *array_end(const char *text)
{
    int depth = 0;
    bool quoted = false;

    for (; *text != '\0'; text++) {
        if (quoted && *text == '\\')
            text++;
        else if (*text == '"')
            quoted = !quoted;
        else if (!quoted && (*text == '[' || *text == '{'))
            depth++;
        else if (!quoted && (*text == ']' || *text == '}') && --depth == 0)
            return text;
    }
    return text;
}

int emulator_count(const char *array, const char *text)
{
    char *state = emulator_state();
    char *member = format("\"%s\":[", array);
    char *at = strstr(state, member);
    int count = 0;

    REQUIRE(at != NULL);
    at += strlen(member) - 1;
    *(char *)array_end(at) = '\0';
    while ((at = strstr(at, text)) != NULL) {
        count++;
        at += strlen(text);
    }
    arena_drop(state);
    return count;
}

int pending_uploads(void)
{
    return emulator_count("uploads", "\"upload_id\":");
}

int requests_seen(const char *call)
{
    return emulator_count("requests", format("\"call\":\"%s\"", call));
}

/* ---- callbacks ----------------------------------------------------------------------------- */

/* The callback service writes a line for each before it answers: when an upload has returned, the
 * record of its callback is there. */
static int find_callbacks(const char *part, char **last)
{
    char *log = read_text(env("US3_TEST_CALLBACKS"));
    int count = 0;
    char *rest;

    for (char *line = strtok_r(log, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        if (strstr(line, part) != NULL && line[0] == '{') {
            count++;
            arena_drop(*last);
            *last = arena_copy(line);
        }
    arena_drop(log);
    return count;
}

int callbacks_with(const char *part)
{
    char *last = NULL;
    int count = find_callbacks(part, &last);

    arena_drop(last);
    return count;
}

char *last_callback_with(const char *part)
{
    char *last = NULL;

    find_callbacks(part, &last);
    return last;
}

char *json_policy(const char *path)
{
    return format("{\"callbackUrl\":\"%s/%s\","
                  "\"callbackBody\":\"{\\\"Name\\\":\\\"Alice\\\", \\\"Age\\\":20}\","
                  "\"callbackBodyType\": \"application/json\"}",
                  env("US3_TEST_CALLBACK"), path);
}

char *query_policy(const char *path)
{
    return format("{\"callbackUrl\":\"%s/%s\","
                  "\"callbackBody\":\"Name=$(x:name)&Age=$(x:age)\","
                  "\"callbackVar\":{\"x:name\": \"Alice\",\"x:age\": \"20\"}}",
                  env("US3_TEST_CALLBACK"), path);
}
