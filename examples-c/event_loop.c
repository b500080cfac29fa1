/* Thousands of operations at once in a program with one thread, an event loop, and one descriptor for all of them.
 *
 *   event_loop CONFIG FILE PREFIX [COUNT]      COUNT operations (default 1000)
 *
 * Uploads FILE as PREFIX0, PREFIX1 … Each upload is followed by two operations on what it stored: HeadFile, to
 * compare its size, and DeleteFile. Starting an operation never blocks. All ends come through one us3_queue, whose
 * descriptor waits in epoll beside the sockets and timers that a real program has; here a timer stands for them. The
 * same goes for libuv (uv_poll_t), libev, nginx and the rest.
 *
 * Linux, for epoll and timerfd:
 *
 *   cc -std=c99 -Iinclude examples-c/event_loop.c -Lbuild/lib -lus3 -o event_loop
 */
#define _POSIX_C_SOURCE 200809L

#include <us3.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { TICK_MS = 100, EVENTS = 64 };

/* What one object goes through. It is the user_data of its task. */
struct object {
    char key[512];
    enum { UPLOADING, LOOKING, DELETING } step;
};

struct loop {
    int epoll, timer;
    us3_client *client;
    us3_queue *queue;
    const char *file;
    uint64_t size; /* of the file */
    int running, ended, failed, ticks;
};

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- the loop ------------------------------------------------------------------------------ */

static void watch(struct loop *loop, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};

    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        fail("epoll_ctl");
}

static void set_up(struct loop *loop)
{
    struct itimerspec every = {{0, TICK_MS * 1000000}, {0, TICK_MS * 1000000}};

    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (loop->epoll < 0 || loop->timer < 0 || timerfd_settime(loop->timer, 0, &every, NULL) != 0)
        fail("timerfd");
    watch(loop, loop->timer);
    watch(loop, us3_queue_fd(loop->queue));
}

/* Whatever else the program has to do. */
static void tick(struct loop *loop)
{
    uint64_t times;

    if (read(loop->timer, &times, sizeof times) == (ssize_t)sizeof times)
        loop->ticks++;
}

/* ---- operations ---------------------------------------------------------------------------- */

static void report_failure(struct loop *loop, const char *key, const us3_result *result)
{
    char *text = us3_result_describe(result);

    loop->failed++;
    fprintf(stderr, "%s: %s\n", key, text == NULL ? "no memory" : text);
    us3_string_free(text);
}

static us3_status start_upload(struct loop *loop, struct object *object, us3_task **task, us3_result *result)
{
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;

    request.file_path = loop->file;
    request.key = object->key;
    request.queue = loop->queue;
    request.user_data = object;
    return us3_upload_start(loop->client, &request, task, result);
}

/* Starts the object's step. The task is known by the queue from here on. */
static void start(struct loop *loop, struct object *object)
{
    us3_start how = US3_START_INIT;
    us3_result result = US3_RESULT_INIT;
    us3_status status;
    us3_task *task;

    how.queue = loop->queue;
    how.user_data = object;
    switch (object->step) {
    case UPLOADING:
        status = start_upload(loop, object, &task, &result);
        break;
    case LOOKING:
        status = us3_head_file_start(loop->client, object->key, &how, &task, &result);
        break;
    default:
        status = us3_delete_file_start(loop->client, object->key, &how, &task, &result);
    }
    if (status == US3_OK)
        loop->running++;
    else
        report_failure(loop, object->key, &result);
    us3_result_clear(&result);
}

static void check_size(struct loop *loop, const char *key, us3_task *task)
{
    us3_file_info info = US3_FILE_INFO_INIT;

    if (us3_task_file_info(task, &info) != US3_OK || info.size != loop->size) {
        loop->failed++;
        fprintf(stderr, "%s has %" PRIu64 " bytes\n", key, info.size);
    }
    us3_file_info_clear(&info);
}

/* The task has ended: nothing here blocks. */
static void conclude(struct loop *loop, us3_task *task)
{
    struct object *object = us3_task_user_data(task);
    us3_result result = US3_RESULT_INIT;
    bool ok = us3_task_wait(task, 0, &result) == US3_OK;

    loop->running--;
    loop->ended++;
    if (!ok)
        report_failure(loop, object->key, &result);
    else if (object->step == LOOKING)
        check_size(loop, object->key, task);
    us3_result_clear(&result);
    us3_task_free(task);
    if (ok && object->step != DELETING) {
        object->step++;
        start(loop, object);
    }
}

static void run(struct loop *loop)
{
    struct epoll_event events[EVENTS];
    us3_task *task;

    while (loop->running > 0) {
        int count = epoll_wait(loop->epoll, events, EVENTS, -1);

        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == loop->timer)
                tick(loop);
            else
                while (us3_queue_next(loop->queue, 0, &task, NULL) == US3_OK)
                    conclude(loop, task);
        }
    }
}

static bool connect_with(struct loop *loop, const char *config)
{
    us3_result result = US3_RESULT_INIT;
    bool ok = us3_client_from_file(config, &loop->client, &result) == US3_OK &&
              us3_queue_new(&loop->queue, &result) == US3_OK;

    if (!ok)
        fprintf(stderr, "%s\n", result.err_msg);
    us3_result_clear(&result);
    return ok;
}

int main(int argc, char **argv)
{
    struct loop loop = {0};
    struct stat about;
    struct object *objects;
    int count;

    if (argc < 4 || argc > 5) {
        fprintf(stderr, "usage: event_loop CONFIG FILE PREFIX [COUNT]\n");
        return 2;
    }
    loop.file = argv[2];
    if (stat(loop.file, &about) != 0)
        fail(loop.file);
    loop.size = (uint64_t)about.st_size;
    /* Three operations to an object. */
    count = ((argc == 5 ? atoi(argv[4]) : 1000) + 2) / 3;
    objects = calloc((size_t)count + 1, sizeof *objects);
    if (objects == NULL || !connect_with(&loop, argv[1]))
        return 1;
    set_up(&loop);
    for (int i = 0; i < count; i++) {
        snprintf(objects[i].key, sizeof objects[i].key, "%s%d", argv[3], i);
        start(&loop, &objects[i]);
    }
    run(&loop);
    printf("%d operations on %d objects, %d failed; meanwhile the timer ticked %d times\n", loop.ended, count, loop.failed,
           loop.ticks);
    us3_client_free(loop.client);
    us3_queue_free(loop.queue);
    free(objects);
    close(loop.timer);
    close(loop.epoll);
    return loop.failed == 0 ? 0 : 1;
}
