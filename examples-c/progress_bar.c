/* An upload with a progress bar, which Ctrl-C cancels cleanly.
 *
 *   progress_bar CONFIG FILE KEY        CONFIG is the JSON file with the keys, the bucket and its host
 *   … | progress_bar CONFIG - KEY       standard input, of whatever length
 *
 * The upload runs on threads of the library; this program's one thread draws, ten times a second.
 * Ctrl-C cancels: what was uploaded of a large file is given up, so that nothing is left in the
 * bucket. A second Ctrl-C ends the program at once.
 *
 *   cc -std=c99 -Iinclude examples-c/progress_bar.c -Lbuild/lib -lus3 -o progress_bar
 */
#define _POSIX_C_SOURCE 200809L

#include <us3.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WIDTH = 40, DRAW_MS = 100 };

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

static void catch_ctrl_c(void)
{
    struct sigaction action = {0};

    action.sa_handler = interrupt;
    action.sa_flags = (int)SA_RESETHAND;
    sigaction(SIGINT, &action, NULL);
}

/* ---- drawing ------------------------------------------------------------------------------- */

/* Bytes per second, smoothed: the bar should not jump. */
struct speed {
    uint64_t sent, elapsed_ms;
    double value;
};

static void measure(struct speed *speed, const us3_progress *now)
{
    double seconds = (double)(now->elapsed_ms - speed->elapsed_ms) / 1000;
    double value;

    if (seconds < 0.05)
        return;
    /* A request that failed takes back what it had sent. */
    value = now->sent > speed->sent ? (double)(now->sent - speed->sent) / seconds : 0;
    speed->value = speed->elapsed_ms == 0 ? value : 0.9 * speed->value + 0.1 * value;
    speed->sent = now->sent;
    speed->elapsed_ms = now->elapsed_ms;
}

static void draw_bar(double share)
{
    char bar[WIDTH + 1];
    int full = (int)(share * WIDTH);

    memset(bar, ' ', WIDTH);
    memset(bar, '=', (size_t)full);
    bar[WIDTH] = '\0';
    fprintf(stderr, "[%s] %3d%%", bar, (int)(share * 100));
}

static void draw_time_left(const us3_progress *now, const struct speed *speed)
{
    uint64_t seconds;

    if (speed->value < 1)
        return;
    seconds = (uint64_t)((double)(now->total - now->sent) / speed->value);
    fprintf(stderr, "  %" PRIu64 ":%02" PRIu64 " left", seconds / 60, seconds % 60);
}

static void draw(const us3_progress *now, const struct speed *speed)
{
    fprintf(stderr, "\r");
    if (now->total == US3_TOTAL_UNKNOWN)
        fprintf(stderr, "%10.1f MB", (double)now->sent / 1e6);
    else
        draw_bar(now->total == 0 ? 1 : (double)now->sent / (double)now->total);
    fprintf(stderr, "  %7.1f MB/s", speed->value / 1e6);
    if (now->total != US3_TOTAL_UNKNOWN)
        draw_time_left(now, speed);
    fprintf(stderr, "   ");
    fflush(stderr);
}

/* ---- uploading ----------------------------------------------------------------------------- */

/* A us3_read_fn: the library calls it on a thread of its own. */
static int64_t read_standard_input(void *user_data, void *buffer, size_t capacity)
{
    ssize_t count = read(STDIN_FILENO, buffer, capacity);

    (void)user_data;
    return count >= 0 ? count : -errno;
}

/* Draws until the upload has ended, and returns what became of it. */
static us3_status watch(us3_task *task, us3_result *result)
{
    us3_progress now = US3_PROGRESS_INIT;
    struct speed speed = {0};
    us3_status status;

    while ((status = us3_task_wait(task, DRAW_MS, result)) == US3_PENDING) {
        us3_task_progress(task, &now);
        measure(&speed, &now);
        draw(&now, &speed);
        if (interrupted)
            us3_task_cancel(task);
    }
    us3_task_progress(task, &now);
    measure(&speed, &now);
    draw(&now, &speed);
    fprintf(stderr, "\n");
    return status;
}

static us3_status upload(us3_client *client, const char *file, const char *key, us3_result *result)
{
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
    us3_task *task;
    us3_status status;

    request.key = key;
    if (strcmp(file, "-") == 0)
        request.read = read_standard_input;
    else
        request.file_path = file;
    status = us3_upload_start(client, &request, &task, result);
    if (status != US3_OK)
        return status;
    status = watch(task, result);
    us3_task_free(task);
    return status;
}

int main(int argc, char **argv)
{
    us3_result result = US3_RESULT_INIT;
    us3_client *client;
    us3_status status;

    if (argc != 4) {
        fprintf(stderr, "usage: progress_bar CONFIG FILE KEY\n");
        return 2;
    }
    catch_ctrl_c();
    status = us3_client_from_file(argv[1], &client, &result);
    if (status == US3_OK)
        status = upload(client, argv[2], argv[3], &result);
    if (status == US3_OK) {
        printf("stored as %s, ETag %s\n", argv[3], result.etag);
    } else if (status == US3_CANCELLED) {
        printf("cancelled\n");
    } else {
        char *text = us3_result_describe(&result);
        fprintf(stderr, "%s\n", text == NULL ? "no memory" : text);
        us3_string_free(text);
    }
    us3_result_clear(&result);
    us3_client_free(client);
    return status == US3_OK ? 0 : status == US3_CANCELLED ? 130 : 1;
}
