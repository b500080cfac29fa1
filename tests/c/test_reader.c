/* Streams: content that comes from a function of the host, of a length that nobody knows before.
 *
 * The rule is in force until the first emulator_reset.
 *
 * emulator options: --part-size 65536 --rule {"call":"part","nth":3,"times":2,"at":{"body":30000},"fault":"reset"}
 */
#define _POSIX_C_SOURCE 200809L

#include "support.h"
#include "tasks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PART = 64 << 10, FIRST = 4 << 20 };

/* A stream that a test makes, and what the library did with it. */
struct stream {
    const unsigned char *bytes;
    size_t size, given, longest; /* longest: bytes for each call; 0 for as many as fit */
    size_t fails_at;             /* where reading fails; 0 for never */
    int64_t code;                /* what it then returns */
    int calls, now, most, ends;
    bool closed, waiting; /* closed: calls wait */
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

static struct stream stream_of(const unsigned char *bytes, size_t size)
{
    struct stream stream = {.bytes = bytes, .size = size};

    pthread_mutex_init(&stream.lock, NULL);
    pthread_cond_init(&stream.changed, NULL);
    return stream;
}

static int64_t give(struct stream *stream, void *buffer, size_t capacity)
{
    size_t count = stream->size - stream->given;

    if (stream->fails_at > 0 && stream->given >= stream->fails_at)
        return stream->code;
    if (count > capacity)
        count = capacity;
    if (stream->longest > 0 && count > stream->longest)
        count = stream->longest;
    memcpy(buffer, stream->bytes + stream->given, count);
    stream->given += count;
    stream->ends += count == 0;
    return (int64_t)count;
}

static size_t given_so_far(struct stream *stream)
{
    size_t given;

    pthread_mutex_lock(&stream->lock);
    given = stream->given;
    pthread_mutex_unlock(&stream->lock);
    return given;
}

static int64_t read_stream(void *user_data, void *buffer, size_t capacity)
{
    struct stream *stream = user_data;
    int64_t count;

    pthread_mutex_lock(&stream->lock);
    stream->calls++;
    if (++stream->now > stream->most)
        stream->most = stream->now;
    CHECK(capacity > 0);
    while (stream->closed) {
        stream->waiting = true;
        pthread_cond_broadcast(&stream->changed);
        pthread_cond_wait(&stream->changed, &stream->lock);
    }
    count = give(stream, buffer, capacity);
    stream->now--;
    pthread_mutex_unlock(&stream->lock);
    return count;
}

static us3_upload_request request_from(struct stream *stream, const char *key, struct told *told)
{
    us3_upload_request request = request_for(key, NULL, 0, told);

    request.read = read_stream;
    request.read_user_data = stream;
    return request;
}

/* ---- sizes ----------------------------------------------------------------------------------- */

static void upload_a_stream(us3_client *client, int32_t mode, size_t size, size_t longest, int32_t jobs)
{
    unsigned char *bytes = test_bytes(size, 1);
    struct stream stream = stream_of(bytes, size);
    struct told told = TOLD_INIT;
    us3_upload_request request = request_from(&stream, "stream", &told);
    us3_result result = US3_RESULT_INIT;
    bool put = size == 0 || (mode == US3_MODE_AUTO && size < FIRST);

    emulator_reset();
    stream.longest = longest;
    request.mode = mode;
    request.jobs = jobs;
    request.policy_json = json_policy("stream");
    CHECK_STATUS(US3_OK, us3_upload(client, &request, &result), &result);
    CHECK_STORED("stream", bytes, size);
    CHECK_INT(put ? 1 : 0, requests_seen("put"));
    CHECK_INT(put ? 0 : (size + PART - 1) / PART, requests_seen("part"));
    CHECK_INT(1, emulator_count("callbacks", "\"sequence\":"));
    CHECK_INT(1, stream.most);
    CHECK_INT(1, stream.ends); /* not asked again behind the end */
    CHECK(told.last.total == size && told.last.acknowledged == size && told.last.sent == size);
    CHECK_INT(put ? 1 : (size + PART - 1) / PART, told.last.parts_total);
    CHECK_INT(told.last.parts_total, told.last.parts_done);
    us3_result_clear(&result);
    arena_drop(bytes);
}

static void streams_of_every_size(void)
{
    static const size_t sizes[] = {0, 1, 1000, PART - 1, PART, PART + 1, 3 * PART, FIRST - 1, FIRST, FIRST + 1, 2 * FIRST + 12345};
    us3_client *client = emulator_client();

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        upload_a_stream(client, US3_MODE_AUTO, sizes[i], 0, 10);
        upload_a_stream(client, US3_MODE_MPUT, sizes[i], 0, 3);
    }
    us3_client_free(client);
}

/* A short read is not the end: parts are filled all the same. */
static void short_reads(void)
{
    us3_client *client = emulator_client();

    upload_a_stream(client, US3_MODE_MPUT, 5 * PART + 7, 1000, 2);
    upload_a_stream(client, US3_MODE_AUTO, FIRST + 3 * PART + 1, 4096, 1);
    upload_a_stream(client, US3_MODE_AUTO, 777, 1, 1);
    us3_client_free(client);
}

/* A request that failed is sent again from memory: nobody can read a stream twice. */
static void parts_are_sent_again(void)
{
    size_t size = 5 * PART + 1;
    us3_client *client = emulator_client();
    unsigned char *bytes = test_bytes(size, 1);
    struct stream stream = stream_of(bytes, size);
    struct told told = TOLD_INIT;
    us3_upload_request request = request_from(&stream, "again", &told);
    us3_result result = US3_RESULT_INIT;

    request.mode = US3_MODE_MPUT;
    CHECK_STATUS(US3_OK, us3_upload(client, &request, &result), &result);
    CHECK_INT(3, result.attempts);
    CHECK(result.bytes_sent > size);
    CHECK_INT(size, told.last.sent); /* what failed was taken back */
    CHECK_STORED("again", bytes, size);
    us3_result_clear(&result);
    us3_client_free(client);
    arena_drop(bytes);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* While the service answers no part, no more is read than the parts that may be under way. */
static void memory_is_bounded(void)
{
    enum { JOBS = 3, PARTS = 200 };
    fake_service *fake = stalling_service(FAKE_PART);
    us3_client *client = fake_client(fake);
    unsigned char *bytes = test_bytes((size_t)PARTS * PART, 1);
    struct stream stream = stream_of(bytes, (size_t)PARTS * PART);
    struct told told = TOLD_INIT;
    us3_upload_request request = request_from(&stream, "bounded", &told);
    struct timespec moment = {0, 300000000};
    us3_task *task;

    request.mode = US3_MODE_MPUT;
    request.jobs = JOBS;
    task = start(client, &request);
    while (fake_count(fake, FAKE_PART) < JOBS)
        nanosleep(&moment, NULL);
    nanosleep(&moment, NULL);
    /* The first piece is read at once, to find out whether it is all. */
    CHECK(given_so_far(&stream) <= FIRST + (size_t)JOBS * PART);
    CHECK_INT(JOBS, fake_count(fake, FAKE_PART));
    fake_release(fake);
    CHECK_INT(US3_OK, us3_task_wait(task, -1, NULL));
    CHECK_INT(PARTS, fake_count(fake, FAKE_PART));
    us3_task_free(task);
    us3_client_free(client);
    fake_stop(fake);
    arena_drop(bytes);
}

/* ---- failures -------------------------------------------------------------------------------- */

static void fails_at(us3_client *client, int32_t mode, size_t at, int64_t code, int32_t os_error)
{
    unsigned char *bytes = test_bytes(2 * FIRST, 1);
    struct stream stream = stream_of(bytes, 2 * FIRST);
    struct told told = TOLD_INIT;
    us3_upload_request request = request_from(&stream, "broken", &told);
    us3_result result = US3_RESULT_INIT;

    stream.fails_at = at;
    stream.longest = 1000;
    stream.code = code;
    request.mode = mode;
    CHECK_STATUS(US3_FILE_ERROR, us3_upload(client, &request, &result), &result);
    CHECK_INT(os_error, result.os_error);
    CHECK_HAS(result.err_msg, format("at byte %zu", stream.given));
    CHECK_INT(US3_OBJECT_NOT_STORED, result.object_state);
    CHECK_INT(0, pending_uploads());
    CHECK(!object_exists("broken"));
    us3_result_clear(&result);
    arena_drop(bytes);
}

static void a_read_that_fails(void)
{
    us3_client *client = emulator_client();

    emulator_reset();
    fails_at(client, US3_MODE_AUTO, 1, -EIO, EIO);
    CHECK_INT(0, requests_seen("initiate"));
    fails_at(client, US3_MODE_MPUT, FIRST + 2 * PART + 5, -ECONNRESET, ECONNRESET);
    CHECK_INT(1, requests_seen("abort"));
    fails_at(client, US3_MODE_MPUT, FIRST + 1, -EINTR, EINTR);
    fails_at(client, US3_MODE_MPUT, FIRST + 1, -1000000, 1000000);
    fails_at(client, US3_MODE_MPUT, FIRST + 1, INT64_MIN, INT32_MAX);
    us3_client_free(client);
}

static int64_t boast(void *user_data, void *buffer, size_t capacity)
{
    (void)user_data, (void)buffer;
    return (int64_t)capacity + 1;
}

static void a_count_that_cannot_be(void)
{
    us3_client *client = emulator_client();
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
    us3_result result = US3_RESULT_INIT;

    request.key = "k";
    request.read = boast;
    CHECK_REFUSED(US3_FILE_ERROR, "bytes into", us3_upload(client, &request, &result), &result);
    us3_client_free(client);
}

/* ---- cancelling ------------------------------------------------------------------------------ */

/* The end of a cancelled upload waits for the call in progress, and no other comes. */
static void no_read_behind_the_end(void)
{
    us3_client *client = emulator_client();
    unsigned char *bytes = test_bytes(2 * FIRST, 1);
    struct stream stream = stream_of(bytes, 2 * FIRST);
    struct told told = TOLD_INIT;
    us3_upload_request request = request_from(&stream, "cancelled", &told);
    us3_task *task;
    int calls;

    stream.closed = true;
    stream.longest = 10;
    task = start(client, &request);
    pthread_mutex_lock(&stream.lock);
    while (!stream.waiting)
        pthread_cond_wait(&stream.changed, &stream.lock);
    pthread_mutex_unlock(&stream.lock);
    us3_task_cancel(task);
    CHECK_INT(US3_PENDING, us3_task_wait(task, 300, NULL));
    CHECK_INT(0, completed_so_far(&told));
    pthread_mutex_lock(&stream.lock);
    calls = stream.calls;
    stream.closed = false;
    pthread_cond_broadcast(&stream.changed);
    pthread_mutex_unlock(&stream.lock);
    CHECK_INT(US3_CANCELLED, us3_task_wait(task, -1, NULL));
    /* No further call, although there was much left to read. */
    CHECK_INT(calls, stream.calls);
    CHECK_INT(0, stream.now);
    us3_task_free(task);
    us3_client_free(client);
    arena_drop(bytes);
}

static void cancelled_in_the_middle(void)
{
    us3_client *client = emulator_client();
    size_t size = 64 * MIB;
    unsigned char *bytes = test_bytes(size, 1);

    emulator_reset();
    for (int round = 0; round < 10; round++) {
        struct stream *stream = malloc(sizeof *stream);
        struct told told = TOLD_INIT;
        us3_progress progress = US3_PROGRESS_INIT;
        us3_upload_request request;
        us3_task *task;

        REQUIRE(stream != NULL);
        *stream = stream_of(bytes, size);
        request = request_from(stream, "middle", &told);
        request.jobs = 1 + round;
        task = start(client, &request);
        while (progress.acknowledged == 0)
            CHECK_INT(US3_OK, us3_task_progress(task, &progress));
        CHECK(progress.total == US3_TOTAL_UNKNOWN && progress.parts_total == 0);
        us3_task_cancel(task);
        CHECK_INT(US3_CANCELLED, us3_task_wait(task, -1, NULL));
        memset(stream, 0x7F, sizeof *stream);
        free(stream);
        us3_task_free(task);
    }
    CHECK_INT(0, pending_uploads());
    us3_client_free(client);
    arena_drop(bytes);
}

/* More streams that wait than there are threads for files: files are uploaded all the same. */
static void waiting_streams_hold_up_no_file(void)
{
    enum { STREAMS = 40 };
    us3_config config = config_for(env("US3_TEST_ENDPOINT"));
    struct told told = TOLD_INIT;
    us3_upload_request request = request_from(NULL, "waiting", &told);
    us3_task *tasks[STREAMS];
    struct stream own[STREAMS];
    us3_client *client;

    config.max_concurrent_uploads = 2 * STREAMS;
    client = client_with(&config);
    for (int i = 0; i < STREAMS; i++) {
        own[i] = stream_of((const unsigned char *)"", 0);
        own[i].closed = true;
        request.read_user_data = &own[i];
        tasks[i] = start(client, &request);
    }
    for (int i = 0; i < STREAMS; i++) {
        pthread_mutex_lock(&own[i].lock);
        while (!own[i].waiting)
            pthread_cond_wait(&own[i].changed, &own[i].lock);
        pthread_mutex_unlock(&own[i].lock);
    }
    CHECK_INT(US3_OK, us3_mput_with_policy(client, test_file("f", MIB, 1), "file", NULL, NULL, NULL));
    for (int i = 0; i < STREAMS; i++) {
        pthread_mutex_lock(&own[i].lock);
        own[i].closed = false;
        pthread_cond_broadcast(&own[i].changed);
        pthread_mutex_unlock(&own[i].lock);
        CHECK_INT(US3_OK, us3_task_wait(tasks[i], -1, NULL));
        us3_task_free(tasks[i]);
    }
    CHECK_INT(STREAMS, told.completed);
    us3_client_free(client);
}

int main(void)
{
    RUN(parts_are_sent_again);
    RUN(streams_of_every_size);
    RUN(short_reads);
    RUN(memory_is_bounded);
    RUN(a_read_that_fails);
    RUN(a_count_that_cannot_be);
    RUN(no_read_behind_the_end);
    RUN(cancelled_in_the_middle);
    RUN(waiting_streams_hold_up_no_file);
    return check_done();
}
