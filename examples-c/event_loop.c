/* Many uploads at once in a program with one thread and an event loop.
 *
 *   event_loop CONFIG FILE PREFIX [COUNT]      uploads FILE as PREFIX0, PREFIX1 … (default 100)
 *
 * Starting an upload never blocks. Each task has a descriptor that becomes readable when the upload
 * has ended, so that it waits in epoll beside the sockets and timers that a real program has; here a
 * timer stands for them. The same goes for libuv (uv_poll_t), libev, nginx and the rest.
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
#include <sys/timerfd.h>
#include <unistd.h>

enum { TICK_MS = 100, EVENTS = 64 };

/* One upload on its way. */
struct upload {
    char key[512];
    us3_task *task;
};

struct loop {
    int epoll, timer;
    struct upload *uploads;
    int count, running, failed, ticks;
};

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- the loop ------------------------------------------------------------------------------ */

static void watch(struct loop *loop, int fd, void *what)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = what}};

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
    watch(loop, loop->timer, NULL);
}

/* Whatever else the program has to do. */
static void tick(struct loop *loop)
{
    uint64_t times;

    if (read(loop->timer, &times, sizeof times) == (ssize_t)sizeof times)
        loop->ticks++;
}

/* ---- uploads ------------------------------------------------------------------------------- */

static void report_failure(struct loop *loop, const char *key, const us3_result *result)
{
    char *text = us3_result_describe(result);

    loop->failed++;
    fprintf(stderr, "%s: %s\n", key, text == NULL ? "no memory" : text);
    us3_string_free(text);
}

static void start(struct loop *loop, us3_client *client, const char *file, struct upload *upload)
{
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
    us3_result result = US3_RESULT_INIT;

    request.file_path = file;
    request.key = upload->key;
    if (us3_upload_start(client, &request, &upload->task, &result) == US3_OK) {
        watch(loop, us3_task_fd(upload->task), upload);
        loop->running++;
    } else {
        report_failure(loop, upload->key, &result);
    }
    us3_result_clear(&result);
}

/* The upload has ended: this wait returns at once. */
static void conclude(struct loop *loop, struct upload *upload)
{
    us3_result result = US3_RESULT_INIT;

    if (us3_task_wait(upload->task, 0, &result) != US3_OK)
        report_failure(loop, upload->key, &result);
    us3_result_clear(&result);
    /* Before the task is freed, which closes its descriptor. */
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, us3_task_fd(upload->task), NULL);
    us3_task_free(upload->task);
    upload->task = NULL;
    loop->running--;
}

static void run(struct loop *loop)
{
    struct epoll_event events[EVENTS];

    while (loop->running > 0) {
        int count = epoll_wait(loop->epoll, events, EVENTS, -1);

        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                tick(loop);
            else
                conclude(loop, events[i].data.ptr);
        }
    }
}

static us3_client *connect_with(const char *config)
{
    us3_result result = US3_RESULT_INIT;
    us3_client *client;

    if (us3_client_from_file(config, &client, &result) != US3_OK)
        fprintf(stderr, "%s\n", result.err_msg);
    us3_result_clear(&result);
    return client;
}

int main(int argc, char **argv)
{
    struct loop loop = {0};
    us3_client *client;

    if (argc < 4 || argc > 5) {
        fprintf(stderr, "usage: event_loop CONFIG FILE PREFIX [COUNT]\n");
        return 2;
    }
    loop.count = argc == 5 ? atoi(argv[4]) : 100;
    loop.uploads = calloc((size_t)loop.count + 1, sizeof *loop.uploads);
    client = connect_with(argv[1]);
    if (client == NULL || loop.uploads == NULL)
        return 1;
    set_up(&loop);
    for (int i = 0; i < loop.count; i++) {
        snprintf(loop.uploads[i].key, sizeof loop.uploads[i].key, "%s%d", argv[3], i);
        start(&loop, client, argv[2], &loop.uploads[i]);
    }
    run(&loop);
    printf("%d of %d uploads stored; meanwhile the timer ticked %d times\n", loop.count - loop.failed, loop.count,
           loop.ticks);
    us3_client_free(client);
    free(loop.uploads);
    close(loop.timer);
    close(loop.epoll);
    return loop.failed == 0 ? 0 : 1;
}
