/* The notes and the comparison of truth.h. */
#define _POSIX_C_SOURCE 200809L

#include "truth.h"
#include "support.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST = 50000, NAMES = 8, ID_LEN = 64 };

struct object {
    char key[32];
    size_t offset, size;
    int results, stored, not_stored;
    bool deleting, hurried, id_lost;
    int named;
    char names[NAMES][ID_LEN];
    char last[200]; /* the last result, for the message of a failure */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct object *objects[MOST];
static int object_count;
static int policies[MOST]; /* the callback_state that was told; NOTHING_TOLD without a result */
static int policy_count;

enum { NOTHING_TOLD = -1 };

/* ---- notes ----------------------------------------------------------------------------------- */

static unsigned char pool[TRUTH_POOL];
static pthread_once_t filled = PTHREAD_ONCE_INIT;

static void fill_pool(void)
{
    uint32_t state = 1;

    for (size_t i = 0; i < TRUTH_POOL; i++) {
        state = state * 1664525U + 1013904223U;
        pool[i] = (unsigned char)(state >> 24);
    }
}

const unsigned char *truth_pool(void)
{
    pthread_once(&filled, fill_pool);
    return pool;
}

struct object *truth_object(size_t offset, size_t size)
{
    struct object *object = calloc(1, sizeof(*object));

    REQUIRE(object != NULL && offset + size <= TRUTH_POOL);
    object->offset = offset;
    object->size = size;
    pthread_mutex_lock(&lock);
    if (object_count == MOST) {
        pthread_mutex_unlock(&lock);
        free(object);
        return NULL;
    }
    snprintf(object->key, sizeof object->key, "stress-%d", object_count);
    objects[object_count++] = object;
    pthread_mutex_unlock(&lock);
    return object;
}

const char *object_key(const struct object *object)
{
    return object->key;
}

int truth_policy(void)
{
    int number = -1;

    pthread_mutex_lock(&lock);
    if (policy_count < MOST) {
        number = policy_count++;
        policies[number] = NOTHING_TOLD;
    }
    pthread_mutex_unlock(&lock);
    return number;
}

char *truth_policy_json(int policy)
{
    static const char *form = "{\"callbackUrl\":\"%s/stress/%d/\",\"callbackBody\":\"{}\",\"callbackBodyType\":\"application/json\"}";
    size_t size = strlen(form) + strlen(env("US3_TEST_CALLBACK")) + 16;
    char *json = malloc(size);

    REQUIRE(json != NULL);
    snprintf(json, size, form, env("US3_TEST_CALLBACK"), policy);
    return json;
}

static void add_name(struct object *object, const char *upload_id)
{
    if (upload_id == NULL)
        return;
    REQUIRE(object->named < NAMES && strlen(upload_id) < ID_LEN);
    strcpy(object->names[object->named++], upload_id);
}

void truth_result(struct object *object, int policy, const us3_result *result)
{
    pthread_mutex_lock(&lock);
    object->results++;
    object->stored += result->object_state == US3_OBJECT_STORED;
    object->not_stored += result->object_state == US3_OBJECT_NOT_STORED;
    add_name(object, result->upload_id);
    snprintf(object->last, sizeof object->last, "%s, object %d, callback %d: %s", us3_status_name(result->status),
             result->object_state, result->callback_state, result->err_msg == NULL ? "" : result->err_msg);
    /* Only the answer names an upload, and the deadline left no time to wait for it. */
    object->id_lost |= object->hurried && result->err_msg != NULL &&
                       strstr(result->err_msg, "InitiateMultipartUpload") != NULL;
    if (policy >= 0) {
        CHECK_INT(NOTHING_TOLD, policies[policy]);
        policies[policy] = result->callback_state;
    } else {
        CHECK_INT(US3_CALLBACK_NOT_REQUESTED, result->callback_state);
    }
    pthread_mutex_unlock(&lock);
}

void truth_hurried(struct object *object)
{
    pthread_mutex_lock(&lock);
    object->hurried = true;
    pthread_mutex_unlock(&lock);
}

void truth_deleting(struct object *object)
{
    pthread_mutex_lock(&lock);
    object->deleting = true;
    pthread_mutex_unlock(&lock);
}

void truth_left(struct object *object, const char *upload_id)
{
    pthread_mutex_lock(&lock);
    add_name(object, upload_id);
    pthread_mutex_unlock(&lock);
}

/* ---- the comparison --------------------------------------------------------------------------- */

/* The emulator's state once it is done with what was sent before its client gave up. */
static char *quiet_state(void)
{
    const struct timespec moment = {0, 10000000};
    char *state = emulator_state();

    while (strstr(state, "\"in_flight\":0,\"detached\":0,") == NULL) {
        nanosleep(&moment, NULL);
        arena_drop(state);
        state = emulator_state();
    }
    return state;
}

/* Counts by number what stands behind each `prefix` from `text` to `end`. */
static int *count_numbers(const char *text, const char *end, const char *prefix)
{
    int *counts = arena_alloc(MOST * sizeof(*counts));

    memset(counts, 0, MOST * sizeof(*counts));
    while ((text = strstr(text, prefix)) != NULL && text < end) {
        long number = strtol(text + strlen(prefix), NULL, 10);
        REQUIRE(number >= 0 && number < MOST);
        counts[number]++;
        text += strlen(prefix);
    }
    return counts;
}

/* An array of the state, from its bracket on, and where the next begins. */
static char *member(char *state, const char *name)
{
    char *at = strstr(state, format("\"%s\":[", name));

    REQUIRE(at != NULL);
    return at;
}

static void compare_object(const struct object *object, bool exists)
{
    if (exists)
        CHECK_STORED(object->key, truth_pool() + object->offset, object->size);
    if (object->deleting)
        return;
    if (object->stored > 0 && !exists)
        check_fail(__FILE__, __LINE__, "%s was reported stored, and is not there; %s", object->key, object->last);
    if (object->not_stored == object->results && exists)
        check_fail(__FILE__, __LINE__, "%s was reported not stored, and is there; %s", object->key, object->last);
}

static void compare_objects(char *state)
{
    int *stored = count_numbers(member(state, "objects"), member(state, "uploads"), "\"key\":\"stress-");

    for (int i = 0; i < object_count; i++)
        compare_object(objects[i], stored[i] > 0);
    arena_drop(stored);
}

static bool is_named(const struct object *object, const char *upload_id, size_t len)
{
    for (int i = 0; i < object->named; i++)
        if (strlen(object->names[i]) == len && strncmp(object->names[i], upload_id, len) == 0)
            return true;
    return false;
}

static void compare_unfinished(char *state)
{
    const char *id_member = "\"upload_id\":\"", *key_member = "\"key\":\"stress-";
    char *end = member(state, "requests"), *at = member(state, "uploads");

    while ((at = strstr(at, id_member)) != NULL && at < end) {
        const char *id = at + strlen(id_member), *key = strstr(id, key_member);
        size_t len = strcspn(id, "\"");
        long number;

        REQUIRE(key != NULL);
        number = strtol(key + strlen(key_member), NULL, 10);
        REQUIRE(number >= 0 && number < object_count);
        if (!objects[number]->id_lost && !is_named(objects[number], id, len))
            check_fail(__FILE__, __LINE__, "%s: upload %.*s is unfinished, and no result named it; %s",
                       objects[number]->key, (int)len, id, objects[number]->last);
        at += len;
    }
}

static void compare_callback(int policy, int ran)
{
    bool right;

    switch (policies[policy]) {
    case US3_CALLBACK_DELIVERED:
    case US3_CALLBACK_REPLY_REFUSED:
        right = ran == 1;
        break;
    case US3_CALLBACK_UNKNOWN:
        right = ran <= 1;
        break;
    default: /* NOT_DELIVERED; or nothing was sent */
        right = ran == 0;
        break;
    }
    if (!right)
        check_fail(__FILE__, __LINE__, "callback %d ran %d times; callback_state is %d", policy, ran, policies[policy]);
}

static void compare_callbacks(void)
{
    char *log = read_text(env("US3_TEST_CALLBACKS"));
    int *ran = count_numbers(log, log + strlen(log), "/callback/stress/");

    for (int i = 0; i < policy_count; i++)
        compare_callback(i, ran[i]);
    arena_drop(ran);
    arena_drop(log);
}

void truth_compare(void)
{
    char *state = quiet_state();

    compare_objects(state);
    compare_unfinished(state);
    compare_callbacks();
    arena_drop(state);
    for (int i = 0; i < object_count; i++)
        free(objects[i]);
    object_count = 0;
    policy_count = 0;
}
