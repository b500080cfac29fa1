/* Everything from everywhere: threads and callbacks that start, wait, cancel, free, ask, finish again, abort, and free
 * clients that are at work; then what each was told is compared with what the servers hold (truth.h).
 *
 *   US3_STRESS_SECONDS  how long, 4 if it is not set, at most 600
 *   US3_STRESS_SEED     repeats the choices of the run that printed this seed
 *
 * The emulator fails now and then, in every way that a result must tell apart.
 *
 * emulator options: --part-size 131072
 * emulator options: --rule {"call":"part","probability":0.03,"seed":1,"at":{"body":70000},"fault":"reset"}
 * emulator options: --rule {"call":"put","policy":false,"probability":0.03,"seed":2,"at":"after_executing","fault":"reset"}
 * emulator options: --rule {"call":"put","policy":true,"probability":0.05,"seed":3,"at":"after_executing","fault":"reset"}
 * emulator options: --rule {"call":"put","probability":0.03,"seed":4,"at":{"body":500},"fault":"close"}
 * emulator options: --rule {"call":"finish","probability":0.05,"seed":5,"at":"after_executing","fault":"reset"}
 * emulator options: --rule {"call":"finish","probability":0.05,"seed":6,"fault":{"answer":{"status":503}}}
 * emulator options: --rule {"call":"finish","probability":0.05,"seed":7,"at":"after_body","fault":{"gateway":{"status":502}},"detached":20}
 * emulator options: --rule {"call":"abort","probability":0.05,"seed":8,"fault":{"answer":{"status":503}}}
 * emulator options: --rule {"call":"callback","probability":0.05,"seed":9,"fault":"reset"}
 */
#define _POSIX_C_SOURCE 200809L

#include "support.h"
#include "truth.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 16, CLIENTS = 3, TASKS = 24, FILES = 6, DEEPEST = 3, PART = 128 * 1024 };

/* A client that may be replaced at any time; the last who uses it frees it. */
struct shared_client {
    us3_client *client;
    int uses;
};

/* A started upload that several threads use; the last of them frees its handle. */
struct shared_task {
    us3_task *task;
    struct upload *upload;
    int uses;
};

/* What callbacks of an upload do; the bits of struct upload.does. */
enum {
    FREE_IN_PROGRESS = 1 << 0,
    FREE_IN_COMPLETE = 1 << 1,
    CANCEL_IN_PROGRESS = 1 << 2,
    START_ANOTHER = 1 << 3,
    CANCEL_ANOTHER = 1 << 4,
    REPLACE_CLIENT = 1 << 5,
    BLOCK_IN_VAIN = 1 << 6,
    TAKE_TIME = 1 << 7,
    FAIL_TO_READ = 1 << 8,
    SHARE = 1 << 9, /* its handle is for all threads, and not for its callbacks to free */
};

struct upload {
    pthread_mutex_t lock;
    struct object *object;
    int policy, does, depth;
    size_t offset, size, read_so_far;
    uint64_t random; /* of its on_complete */
    us3_task *task;  /* once it is known to the thread that started it */
    bool taken, freed_in_progress;
    int completed;
    int32_t status, object_state, callback_state;
    struct upload *next;
};

static struct world {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct shared_client *clients[CLIENTS];
    struct shared_task *tasks[TASKS];
    struct upload *uploads;
    int started, completed, clients_made;
    bool over;
    char *files[FILES];
    size_t file_sizes[FILES];
} world = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* ---- chance ----------------------------------------------------------------------------------- */

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static int below(uint64_t *state, int limit)
{
    return (int)((random_next(state) >> 33) % (uint64_t)limit);
}

static bool one_in(uint64_t *state, int times)
{
    return below(state, times) == 0;
}

static uint64_t seeded(uint64_t seed, uint64_t number)
{
    uint64_t state = (seed + 1) * UINT64_C(0x9E3779B97F4A7C15) + number * UINT64_C(0xBF58476D1CE4E5B9) + 1;

    random_next(&state);
    return state;
}

static bool is_over(void)
{
    bool over;

    pthread_mutex_lock(&world.lock);
    over = world.over;
    pthread_mutex_unlock(&world.lock);
    return over;
}

/* ---- clients ---------------------------------------------------------------------------------- */

static struct shared_client *make_client(uint64_t *random)
{
    us3_config config = config_for(env("US3_TEST_ENDPOINT"));
    struct shared_client *shared = malloc(sizeof(*shared));

    REQUIRE(shared != NULL);
    config.max_concurrent_uploads = (uint32_t)(1 + below(random, 6));
    config.worker_threads = (uint32_t)(1 + below(random, 3));
    config.max_retries = (uint32_t)below(random, 4);
    config.settle_timeout_ms = 300;
    config.verify_upload_md5 = one_in(random, 3);
    *shared = (struct shared_client){client_with(&config), 1};
    return shared;
}

static struct shared_client *use_client(uint64_t *random)
{
    struct shared_client *shared;

    pthread_mutex_lock(&world.lock);
    shared = world.clients[below(random, CLIENTS)];
    shared->uses++;
    pthread_mutex_unlock(&world.lock);
    return shared;
}

static void leave_client(struct shared_client *shared)
{
    int uses;

    pthread_mutex_lock(&world.lock);
    uses = --shared->uses;
    pthread_mutex_unlock(&world.lock);
    if (uses > 0)
        return;
    us3_client_free(shared->client);
    free(shared);
}

/* The former client is freed while its uploads run. */
static void replace_client(uint64_t *random)
{
    struct shared_client *fresh = make_client(random), *former;
    int place = below(random, CLIENTS);

    pthread_mutex_lock(&world.lock);
    former = world.clients[place];
    world.clients[place] = fresh;
    world.clients_made++;
    pthread_mutex_unlock(&world.lock);
    leave_client(former);
}

/* ---- tasks that all threads use ---------------------------------------------------------------- */

static struct shared_task *use_task(uint64_t *random)
{
    struct shared_task *shared;

    pthread_mutex_lock(&world.lock);
    shared = world.tasks[below(random, TASKS)];
    if (shared != NULL)
        shared->uses++;
    pthread_mutex_unlock(&world.lock);
    return shared;
}

static void leave_task(struct shared_task *shared)
{
    int uses;

    if (shared == NULL)
        return;
    pthread_mutex_lock(&world.lock);
    uses = --shared->uses;
    pthread_mutex_unlock(&world.lock);
    if (uses > 0)
        return;
    us3_task_free(shared->task);
    free(shared);
}

static void share_task(us3_task *task, struct upload *upload, uint64_t *random)
{
    struct shared_task *shared = malloc(sizeof(*shared)), *former;
    int place = below(random, TASKS);

    REQUIRE(shared != NULL);
    *shared = (struct shared_task){task, upload, 1};
    pthread_mutex_lock(&world.lock);
    former = world.tasks[place];
    world.tasks[place] = shared;
    pthread_mutex_unlock(&world.lock);
    leave_task(former);
}

static void cancel_any(uint64_t *random)
{
    struct shared_task *shared = use_task(random);

    if (shared != NULL)
        CHECK_INT(US3_OK, us3_task_cancel(shared->task));
    leave_task(shared);
}

/* ---- uploads ----------------------------------------------------------------------------------- */

static size_t any_size(uint64_t *random)
{
    switch (below(random, 8)) {
    case 0:
        return 0;
    case 1:
        return (size_t)below(random, 5 * PART);
    case 2:
        return (size_t)(PART * (1 + below(random, 3)));
    default:
        return (size_t)below(random, 4096);
    }
}

static int any_behaviour(uint64_t *random)
{
    static const int choices[] = {FREE_IN_PROGRESS, FREE_IN_COMPLETE, CANCEL_IN_PROGRESS, START_ANOTHER, CANCEL_ANOTHER,
                                  REPLACE_CLIENT, BLOCK_IN_VAIN, TAKE_TIME, FAIL_TO_READ};
    enum { CHOICES = sizeof choices / sizeof *choices };
    int does = one_in(random, 2) ? SHARE : 0;

    for (int i = 0; i < CHOICES; i++)
        if (one_in(random, choices[i] == REPLACE_CLIENT ? 40 : 6))
            does |= choices[i];
    return does;
}

/* NULL when the run has had enough. */
static struct upload *make_upload(uint64_t *random, int depth)
{
    struct upload *upload = calloc(1, sizeof(*upload));

    REQUIRE(upload != NULL);
    pthread_mutex_init(&upload->lock, NULL);
    upload->size = any_size(random);
    upload->offset = (size_t)below(random, TRUTH_POOL - 5 * PART);
    upload->object = truth_object(upload->offset, upload->size);
    upload->policy = one_in(random, 2) ? truth_policy() : -1;
    upload->does = any_behaviour(random);
    upload->depth = depth;
    upload->random = random_next(random) | 1;
    if (upload->object == NULL) {
        free(upload);
        return NULL;
    }
    pthread_mutex_lock(&world.lock);
    upload->next = world.uploads;
    world.uploads = upload;
    world.started++;
    pthread_mutex_unlock(&world.lock);
    return upload;
}

/* Its handle, for whoever is the first to ask for it in order to free it. */
static us3_task *take_task(struct upload *upload, us3_task *given)
{
    us3_task *task = NULL;

    pthread_mutex_lock(&upload->lock);
    if (!upload->taken && (upload->does & SHARE) == 0) {
        task = upload->task != NULL ? upload->task : given;
        upload->taken = task != NULL;
    }
    pthread_mutex_unlock(&upload->lock);
    return task;
}

static void start_upload(uint64_t *random, int depth);

static int64_t read_pool(void *user_data, void *buffer, size_t capacity)
{
    struct upload *upload = user_data;
    size_t left = upload->size - upload->read_so_far, len = left < capacity ? left : capacity;

    if ((upload->does & FAIL_TO_READ) != 0 && upload->read_so_far > 1000)
        return -EIO;
    if (len > 5000)
        len = 5000;
    memcpy(buffer, truth_pool() + upload->offset + upload->read_so_far, len);
    upload->read_so_far += len;
    return (int64_t)len;
}

static int32_t on_progress(const us3_progress *progress, void *user_data)
{
    struct upload *upload = user_data;

    CHECK(progress->acknowledged <= progress->sent || progress->sent == 0);
    if ((upload->does & FREE_IN_PROGRESS) != 0) {
        us3_task *task = take_task(upload, NULL);
        if (task != NULL) {
            us3_task_free(task);
            pthread_mutex_lock(&upload->lock);
            upload->freed_in_progress = true;
            pthread_mutex_unlock(&upload->lock);
        }
    }
    return (upload->does & CANCEL_IN_PROGRESS) != 0;
}

/* The handle that on_complete is given can be used, or is NULL because it was freed before. */
static void check_given_task(struct upload *upload, us3_task *task)
{
    us3_progress progress = US3_PROGRESS_INIT;

    pthread_mutex_lock(&upload->lock);
    if (upload->freed_in_progress)
        CHECK(task == NULL);
    if (task != NULL && upload->task != NULL)
        CHECK(task == upload->task);
    pthread_mutex_unlock(&upload->lock);
    if (task == NULL)
        return;
    CHECK_INT(US3_OK, us3_task_progress(task, &progress));
    CHECK_INT(US3_PENDING, us3_task_wait(task, 0, NULL));
}

static void block_in_vain(uint64_t *random)
{
    struct shared_client *shared = use_client(random);

    CHECK_INT(US3_WOULD_DEADLOCK, us3_delete_file(shared->client, "stress", NULL));
    leave_client(shared);
}

static void act_on_completion(struct upload *upload)
{
    static const struct timespec moment = {0, 3000000};

    if ((upload->does & TAKE_TIME) != 0)
        nanosleep(&moment, NULL);
    if ((upload->does & CANCEL_ANOTHER) != 0)
        cancel_any(&upload->random);
    if ((upload->does & BLOCK_IN_VAIN) != 0)
        block_in_vain(&upload->random);
    if ((upload->does & REPLACE_CLIENT) != 0 && !is_over())
        replace_client(&upload->random);
    if ((upload->does & START_ANOTHER) != 0 && upload->depth < DEEPEST && !is_over())
        start_upload(&upload->random, upload->depth + 1);
}

static void on_complete(us3_task *task, const us3_result *result, void *user_data)
{
    struct upload *upload = user_data;

    check_given_task(upload, task);
    act_on_completion(upload);
    truth_result(upload->object, upload->policy, result);
    pthread_mutex_lock(&upload->lock);
    upload->completed++;
    upload->status = result->status;
    upload->object_state = result->object_state;
    upload->callback_state = result->callback_state;
    pthread_mutex_unlock(&upload->lock);
    if ((upload->does & FREE_IN_COMPLETE) != 0 && task != NULL)
        us3_task_free(take_task(upload, task));
    pthread_mutex_lock(&world.lock);
    world.completed++;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.lock);
}

/* A status that an upload of a run may have. */
static void check_possible(const us3_result *result)
{
    switch (result->status) {
    case US3_OK:
    case US3_FILE_ERROR:
    case US3_SERVICE_ERROR:
    case US3_CALLBACK_FAILED:
    case US3_NETWORK_ERROR:
    case US3_TIMEOUT:
    case US3_CANCELLED:
    case US3_PROTOCOL_ERROR:
        break;
    default:
        check_fail(__FILE__, __LINE__, "%s: %s", us3_status_name(result->status), result->err_msg);
    }
    if (result->status == US3_OK)
        CHECK_INT(US3_OBJECT_STORED, result->object_state);
}

/* What a wait brought is what on_complete was told, once. */
static void check_end(struct upload *upload, const us3_result *result)
{
    check_possible(result);
    pthread_mutex_lock(&upload->lock);
    CHECK_INT(1, upload->completed);
    CHECK_INT(upload->status, result->status);
    CHECK_INT(upload->object_state, result->object_state);
    CHECK_INT(upload->callback_state, result->callback_state);
    pthread_mutex_unlock(&upload->lock);
}

/* Memory or a stream. */
static void choose_source(struct upload *upload, us3_upload_request *request, uint64_t *random)
{
    request->data = truth_pool() + upload->offset;
    request->data_len = upload->size;
    if (one_in(random, 3)) {
        request->data = NULL;
        request->data_len = 0;
        request->read = read_pool;
        request->read_user_data = upload;
    }
}

static us3_upload_request make_request(struct upload *upload, char *policy, uint64_t *random)
{
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;

    request.key = object_key(upload->object);
    request.policy_json = policy;
    request.on_progress = one_in(random, 2) ? on_progress : NULL;
    request.on_complete = on_complete;
    request.user_data = upload;
    request.jobs = 1 + below(random, 6);
    request.mode = one_in(random, 2) ? US3_MODE_MPUT : US3_MODE_AUTO;
    request.timeout_ms = one_in(random, 6) ? (uint64_t)(1 + below(random, 300)) : 0;
    if (request.timeout_ms > 0)
        truth_hurried(upload->object);
    choose_source(upload, &request, random);
    return request;
}

static char *policy_of(const struct upload *upload)
{
    return upload->policy < 0 ? NULL : truth_policy_json(upload->policy);
}

static void start_upload(uint64_t *random, int depth)
{
    struct upload *upload = make_upload(random, depth);
    us3_result result = US3_RESULT_INIT;
    struct shared_client *shared;
    us3_upload_request request;
    us3_task *task = NULL;
    char *policy;

    if (upload == NULL)
        return;
    policy = policy_of(upload);
    request = make_request(upload, policy, random);
    shared = use_client(random);
    CHECK_STATUS(US3_OK, us3_upload_start(shared->client, &request, &task, &result), &result);
    leave_client(shared);
    us3_result_clear(&result);
    free(policy);
    pthread_mutex_lock(&upload->lock);
    upload->task = task;
    pthread_mutex_unlock(&upload->lock);
    if ((upload->does & SHARE) != 0)
        share_task(task, upload, random);
}

/* ---- what threads do ----------------------------------------------------------------------------- */

static void upload_and_wait(uint64_t *random)
{
    struct upload *upload = make_upload(random, DEEPEST);
    us3_result result = US3_RESULT_INIT;
    struct shared_client *shared;
    us3_upload_request request;
    char *policy;

    if (upload == NULL)
        return;
    policy = policy_of(upload);
    request = make_request(upload, policy, random);
    shared = use_client(random);
    us3_upload(shared->client, &request, &result);
    check_end(upload, &result);
    if (one_in(random, 4)) {
        truth_deleting(upload->object);
        us3_delete_file(shared->client, request.key, &result);
        CHECK(result.status == US3_OK || result.http_status == 404 || result.status == US3_NETWORK_ERROR);
    }
    leave_client(shared);
    us3_result_clear(&result);
    free(policy);
}

static void upload_a_file(uint64_t *random)
{
    int file = below(random, FILES), policy = truth_policy();
    struct object *object = truth_object(0, world.file_sizes[file]);
    us3_result result = US3_RESULT_INIT;
    struct shared_client *shared;
    char *json;

    if (object == NULL || policy < 0)
        return;
    json = truth_policy_json(policy);
    shared = use_client(random);
    if (one_in(random, 2))
        us3_put_file_with_policy(shared->client, world.files[file], object_key(object), NULL, json, &result);
    else
        us3_async_upload_with_policy(shared->client, world.files[file], object_key(object), NULL, 4, json, &result);
    check_possible(&result);
    truth_result(object, policy, &result);
    leave_client(shared);
    us3_result_clear(&result);
    free(json);
}

static bool send_parts(us3_multipart *multipart, size_t offset, size_t size, uint64_t *random, us3_result *result)
{
    int parts = (int)((size + PART - 1) / PART), first = below(random, parts);

    for (int i = 0; i < parts; i++) {
        int part = (first + i) % parts;
        size_t begin = (size_t)part * PART, len = size - begin < PART ? size - begin : PART;
        if (us3_upload_part(multipart, (uint32_t)part, truth_pool() + offset + begin, len, result) != US3_OK)
            return false;
        if (one_in(random, 5))
            i--; /* again */
    }
    return true;
}

/* Finishes, again after a failure that left the upload in existence; true when nothing is left to be done. */
static bool finish(us3_multipart *multipart, struct object *object, uint64_t *random, us3_result *result)
{
    for (int attempt = 0; attempt < 3; attempt++) {
        int policy = one_in(random, 4) ? -1 : truth_policy();
        char *json = policy < 0 ? NULL : truth_policy_json(policy);

        us3_finish_multipart_upload_with_policy(multipart, json, result);
        free(json);
        truth_result(object, policy, result);
        check_possible(result);
        if (result->object_state == US3_OBJECT_STORED)
            return true;
    }
    return false;
}

static void upload_by_hand(uint64_t *random)
{
    size_t size = 1 + (size_t)below(random, 4 * PART), offset = (size_t)below(random, TRUTH_POOL - 4 * PART);
    struct object *object = truth_object(offset, size);
    struct shared_client *shared = use_client(random);
    us3_result result = US3_RESULT_INIT;
    us3_multipart *multipart = NULL;

    if (object != NULL &&
        us3_initiate_multipart_upload(shared->client, object_key(object), NULL, &multipart, &result) == US3_OK) {
        char *upload_id = arena_copy(us3_multipart_upload_id(multipart));
        bool sent = send_parts(multipart, offset, size, random, &result);
        bool abort = one_in(random, 4), by_name = one_in(random, 2);

        if (one_in(random, 3)) {
            leave_client(shared); /* the handle outlives it */
            shared = use_client(random);
        }
        if (!sent || abort || !finish(multipart, object, random, &result)) {
            truth_left(object, upload_id);
            if (by_name)
                us3_abort_upload(shared->client, object_key(object), upload_id, &result);
            else
                us3_abort_multipart_upload(multipart, &result);
        }
        arena_drop(upload_id);
    }
    us3_multipart_free(multipart);
    leave_client(shared);
    us3_result_clear(&result);
}

static void wait_for_task(struct shared_task *shared, int64_t timeout_ms)
{
    us3_result result = US3_RESULT_INIT;

    if (us3_task_wait(shared->task, timeout_ms, &result) != US3_PENDING)
        check_end(shared->upload, &result);
    us3_result_clear(&result);
}

static void poll_task(struct shared_task *shared, int timeout_ms)
{
    struct pollfd polled = {.fd = us3_task_fd(shared->task), .events = POLLIN};

    CHECK(polled.fd >= 0);
    if (poll(&polled, 1, timeout_ms) == 1)
        CHECK(us3_task_wait(shared->task, 0, NULL) != US3_PENDING);
}

static void ask_progress(struct shared_task *shared)
{
    us3_progress progress = US3_PROGRESS_INIT;

    CHECK_INT(US3_OK, us3_task_progress(shared->task, &progress));
}

static void use_any_task(uint64_t *random)
{
    struct shared_task *shared = use_task(random);

    if (shared == NULL)
        return;
    switch (below(random, 6)) {
    case 0:
        CHECK_INT(US3_OK, us3_task_cancel(shared->task));
        break;
    case 1:
        wait_for_task(shared, -1);
        break;
    case 2:
        poll_task(shared, below(random, 20));
        break;
    case 3:
        ask_progress(shared);
        break;
    default:
        wait_for_task(shared, below(random, 20));
        break;
    }
    leave_task(shared);
}

static void ignore_line(int32_t level, const char *line, void *user_data)
{
    (void)level, (void)line, (void)user_data;
}

static void *do_anything(void *seed)
{
    uint64_t *random = seed;

    while (!is_over()) {
        int what = below(random, 100);
        if (what < 30)
            start_upload(random, 0);
        else if (what < 70)
            use_any_task(random);
        else if (what < 80)
            upload_and_wait(random);
        else if (what < 86)
            upload_a_file(random);
        else if (what < 94)
            upload_by_hand(random);
        else if (what < 97)
            replace_client(random);
        else
            us3_set_logger(below(random, US3_LOG_TRACE + 1), ignore_line, NULL);
    }
    return NULL;
}

/* ---- the run ------------------------------------------------------------------------------------- */

static void make_world(uint64_t seed)
{
    uint64_t random = seeded(seed, THREADS);

    for (int i = 0; i < FILES; i++) {
        FILE *file;
        world.files[i] = test_path(format("stress-file-%d", i));
        world.file_sizes[i] = any_size(&random);
        file = fopen(world.files[i], "wb");
        REQUIRE(file != NULL);
        REQUIRE(fwrite(truth_pool(), 1, world.file_sizes[i], file) == world.file_sizes[i] && fclose(file) == 0);
    }
    for (int i = 0; i < CLIENTS; i++)
        world.clients[i] = make_client(&random);
}

/* Frees what is left, in any order, and waits for every end. */
static void end_world(void)
{
    for (int i = 0; i < TASKS; i++) {
        leave_task(world.tasks[i]);
        world.tasks[i] = NULL;
    }
    pthread_mutex_lock(&world.lock);
    while (world.completed < world.started)
        pthread_cond_wait(&world.changed, &world.lock);
    pthread_mutex_unlock(&world.lock);
    /* A callback may have shared a task until just now. */
    for (int i = 0; i < TASKS; i++)
        leave_task(world.tasks[i]);
    for (int i = 0; i < CLIENTS; i++)
        leave_client(world.clients[i]);
    for (struct upload *upload = world.uploads, *next; upload != NULL; upload = next) {
        next = upload->next;
        CHECK_INT(1, upload->completed);
        us3_task_free(take_task(upload, NULL));
        free(upload);
    }
    us3_set_logger(US3_LOG_OFF, NULL, NULL);
}

static unsigned long long number_of(const char *variable, unsigned long long otherwise)
{
    const char *text = getenv(variable);

    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static void everything_from_everywhere(void)
{
    struct timespec now, duration = {(time_t)number_of("US3_STRESS_SECONDS", 4), 0};
    uint64_t seed, randoms[THREADS];
    pthread_t threads[THREADS];
    int before = running_threads();

    clock_gettime(CLOCK_REALTIME, &now);
    seed = number_of("US3_STRESS_SEED", (unsigned long long)now.tv_sec * 1000 + (unsigned long long)now.tv_nsec / 1000000);
    printf("US3_STRESS_SEED=%" PRIu64 "\n", seed);
    fflush(stdout);
    alarm((unsigned)duration.tv_sec + (check_slow() ? 10 : 1) * CHECK_TIMEOUT_S);
    make_world(seed);
    for (int i = 0; i < THREADS; i++) {
        randoms[i] = seeded(seed, (uint64_t)i);
        REQUIRE(pthread_create(&threads[i], NULL, do_anything, &randoms[i]) == 0);
    }
    nanosleep(&duration, NULL);
    pthread_mutex_lock(&world.lock);
    world.over = true;
    pthread_mutex_unlock(&world.lock);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    end_world();
    await_threads(before);
    printf("%d uploads, %d clients replaced\n", world.started, world.clients_made);
    truth_compare();
}

int main(void)
{
    RUN(everything_from_everywhere);
    return check_done();
}
