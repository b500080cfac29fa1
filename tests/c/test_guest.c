/* The library is a guest: whatever happens, the host's process stays as it was. */
#define _POSIX_C_SOURCE 200809L

#include "operations.h"
#include "support.h"
#include "tasks.h"

#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int64_t read_nothing(void *user_data, void *buffer, size_t capacity)
{
    (void)user_data, (void)buffer, (void)capacity;
    return 0;
}

/* Started uploads: one that is cancelled, one of a stream. */
static void keep_tasks_busy(us3_client *client)
{
    struct told told = TOLD_INIT;
    unsigned char *bytes = test_bytes(8 * MIB, 1);
    us3_upload_request request = request_for("task", bytes, 8 * MIB, &told);
    us3_task *cancelled = start(client, &request), *stream;

    us3_task_cancel(cancelled);
    request.data = NULL;
    request.data_len = 0;
    request.read = read_nothing;
    stream = start(client, &request);
    CHECK(task_is_readable(stream, 60000));
    CHECK_INT(US3_OK, us3_task_wait(stream, -1, NULL));
    us3_task_free(stream);
    us3_task_free(cancelled);
    arena_drop(bytes);
}

/* Successes and failures of many kinds. */
static void keep_busy(void)
{
    us3_client *client = emulator_client();
    fake_service *closing = fake_start(), *garbage = fake_start();
    us3_client *closed = fake_client(closing), *confused = fake_client(garbage);
    us3_result result = US3_RESULT_INIT;
    char *file = test_file("busy", 300 * KIB, 1);

    fake_hang_up(closing);
    fake_set(garbage, FAKE_PUT, "garbage\r\n\r\n");
    for (int op = 0; op < OPERATIONS; op++) {
        CHECK_STATUS(US3_OK, operations[op].run(client, file, "busy", json_policy("busy"), &result), &result);
        CHECK(operations[op].run(closed, file, "busy", NULL, &result) != US3_OK);
        if (op <= ASYNC_UPLOAD)
            CHECK(operations[op].run(client, "/no/such/file", "", "{", &result) != US3_OK);
    }
    CHECK(us3_put_file_with_policy(confused, file, "busy", NULL, NULL, &result) != US3_OK);
    us3_result_clear(&result);
    keep_tasks_busy(client);
    us3_client_free(client);
    us3_client_free(closed);
    us3_client_free(confused);
    fake_stop(closing);
    fake_stop(garbage);
}

/* A write to a connection that the service has reset raises SIGPIPE, whose default ends the
 * process. The harness sees a process that a signal ends. */
static void sigpipe_does_not_reach_the_host(void)
{
    fake_service *fake = fake_start();
    us3_client *client = fake_client(fake);
    us3_result result = US3_RESULT_INIT;
    char *file = test_file("large", 64 * MIB, 1);
    struct sigaction before, after;

    REQUIRE(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    REQUIRE(sigaction(SIGPIPE, NULL, &before) == 0);
    fake_set(fake, FAKE_PUT, FAKE_RESET);
    fake_set(fake, FAKE_PART, FAKE_RESET);
    for (int i = 0; i < 20; i++) {
        CHECK(us3_put_file_with_policy(client, file, "k", NULL, NULL, &result) != US3_OK);
        CHECK(us3_async_mput_with_policy(client, file, "k", NULL, NULL, &result) != US3_OK);
    }
    REQUIRE(sigaction(SIGPIPE, NULL, &after) == 0);
    CHECK(after.sa_handler == before.sa_handler);
    us3_result_clear(&result);
    us3_client_free(client);
    fake_stop(fake);
}

static void nothing_is_printed(void)
{
    char *path = test_path("output");
    int output = open(path, O_CREAT | O_RDWR | O_TRUNC, 0600);
    int saved_out = dup(STDOUT_FILENO), saved_err = dup(STDERR_FILENO);
    struct stat about;

    REQUIRE(output >= 0 && saved_out >= 0 && saved_err >= 0);
    fflush(NULL);
    REQUIRE(dup2(output, STDOUT_FILENO) >= 0 && dup2(output, STDERR_FILENO) >= 0);
    keep_busy();
    fflush(NULL);
    REQUIRE(dup2(saved_out, STDOUT_FILENO) >= 0 && dup2(saved_err, STDERR_FILENO) >= 0);
    REQUIRE(fstat(output, &about) == 0);
    if (about.st_size != 0)
        check_fail(__FILE__, __LINE__, "printed: %s", read_text(path));
}

extern char **environ;

/* All variables in their order. */
static char *environment(void)
{
    char *text = format("%s", "");

    for (char **variable = environ; *variable != NULL; variable++) {
        char *longer = format("%s%s\n", text, *variable);
        arena_drop(text);
        text = longer;
    }
    return text;
}

static void the_process_stays_as_it_was(void)
{
    char cwd_before[4096], cwd_after[4096];
    char *locale = format("%s", setlocale(LC_ALL, NULL)), *variables = environment();
    struct sigaction before[65], after;
    sigset_t mask_before, mask_after;
    mode_t mask = umask(027);

    REQUIRE(getcwd(cwd_before, sizeof cwd_before) != NULL);
    for (int i = 1; i < 65; i++)
        sigaction(i, NULL, &before[i]);
    REQUIRE(sigprocmask(SIG_BLOCK, NULL, &mask_before) == 0);
    keep_busy();
    for (int i = 1; i < 65; i++)
        if (sigaction(i, NULL, &after) == 0)
            CHECK(after.sa_handler == before[i].sa_handler && after.sa_flags == before[i].sa_flags);
    REQUIRE(sigprocmask(SIG_BLOCK, NULL, &mask_after) == 0);
    for (int i = 1; i < 65; i++)
        CHECK(sigismember(&mask_before, i) == sigismember(&mask_after, i));
    CHECK_INT(027, umask(mask));
    REQUIRE(getcwd(cwd_after, sizeof cwd_after) != NULL);
    CHECK_STR(cwd_before, cwd_after);
    CHECK_STR(locale, setlocale(LC_ALL, NULL));
    CHECK_STR(variables, environment());
}

static int open_descriptors(void)
{
    int count = 0;

    for (int fd = 0; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            count++;
    return count;
}

static void a_freed_client_leaves_no_thread_and_no_descriptor(void)
{
    int fds, running;

    keep_busy(); /* what is made once and kept may be made now */
    fds = open_descriptors();
    running = running_threads();
    for (int i = 0; i < 5; i++)
        keep_busy();
    CHECK_INT(fds, open_descriptors());
    CHECK_INT(running, running_threads());
}

/* The child of a fork has none of the client's threads: it is told, and can free what it has. */
static void a_forked_child_is_told(void)
{
    us3_client *client = emulator_client();
    us3_multipart *upload = initiate(client, "forked");
    us3_result result = US3_RESULT_INIT;
    char *file = test_text_file("f", "hello");
    int status;
    pid_t pid;

    CHECK_STATUS(US3_OK, us3_put_file_with_policy(client, file, "forked", NULL, NULL, &result), &result);
    pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        us3_client *own;
        CHECK_STATUS(US3_FORKED, us3_put_file_with_policy(client, file, "forked", NULL, NULL, &result), &result);
        CHECK_STATUS(US3_FORKED, us3_upload_part(upload, 0, "x", 1, &result), &result);
        CHECK_STATUS(US3_FORKED, us3_delete_file(client, "forked", &result), &result);
        us3_multipart_free(upload);
        us3_client_free(client);
        own = emulator_client();
        CHECK_STATUS(US3_OK, us3_put_file_with_policy(own, file, "forked", NULL, NULL, &result), &result);
        us3_client_free(own);
        us3_result_clear(&result);
        check_leave_fork();
    }
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK_INT(0, status);
    CHECK_STATUS(US3_OK, us3_put_file_with_policy(client, file, "forked", NULL, NULL, &result), &result);
    CHECK_STATUS(US3_OK, us3_abort_multipart_upload(upload, &result), &result);
    us3_multipart_free(upload);
    us3_result_clear(&result);
    us3_client_free(client);
}

int main(void)
{
    RUN(sigpipe_does_not_reach_the_host);
    RUN(nothing_is_printed);
    RUN(the_process_stays_as_it_was);
    RUN(a_freed_client_leaves_no_thread_and_no_descriptor);
    RUN(a_forked_child_is_told);
    return check_done();
}
