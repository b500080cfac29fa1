/* A process that is refused threads and large blocks of memory: whatever the library cannot get, it says so,
 * and lives. (A small block that cannot be had ends the process, as it does in most programs; Linux hardly ever
 * refuses one.) */
#define _DEFAULT_SOURCE

#include "operations.h"
#include "support.h"
#include "tasks.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLIENTS = 24 };

/* Bytes of address space that the process has now. */
static size_t address_space(void)
{
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    REQUIRE(file != NULL && fscanf(file, "%zu", &pages) == 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Small blocks come from the heap, which keeps enough of them; large ones and stacks are asked of the system. */
static void keep_small_blocks(void)
{
    static void *blocks[1024];

    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, (int)(128 * KIB));
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    for (int i = 0; i < 1024; i++)
        REQUIRE((blocks[i] = malloc(64 * KIB)) != NULL);
    for (int i = 0; i < 1024; i++)
        free(blocks[i]);
}

/* No more than this beyond what there is; SIZE_MAX for what there was. */
static void limit_memory(size_t more)
{
    static rlim_t before;
    struct rlimit limit;

    REQUIRE(getrlimit(RLIMIT_AS, &limit) == 0);
    if (before == 0)
        before = limit.rlim_cur;
    limit.rlim_cur = more == SIZE_MAX ? before : address_space() + more;
    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
}

static void check_said(us3_status status, const us3_result *result)
{
    CHECK_INT(status, result->status);
    CHECK(status == US3_OK || (result->err_msg != NULL && result->err_msg[0] != '\0'));
}

/* Makes clients and uploads with each; whatever fails has a reason. With memory again, all is well. */
static void upload_with_many(const char *file, size_t more)
{
    us3_config config = config_for(env("US3_TEST_ENDPOINT"));
    us3_client *clients[CLIENTS] = {NULL};
    us3_result result = US3_RESULT_INIT;

    config.max_retries = 0;
    keep_small_blocks();
    limit_memory(more);
    for (int i = 0; i < CLIENTS; i++) {
        check_said(us3_client_new(&config, &clients[i], &result), &result);
        CHECK((result.status == US3_OK) == (clients[i] != NULL));
    }
    for (int i = 0; i < CLIENTS && clients[i] != NULL; i++) {
        check_said(us3_put_file_with_policy(clients[i], file, "k", NULL, NULL, &result), &result);
        check_said(us3_async_mput_with_policy(clients[i], file, "k", NULL, NULL, &result), &result);
    }
    limit_memory(SIZE_MAX);
    for (int i = 0; i < CLIENTS && clients[i] != NULL; i++) {
        CHECK_STATUS(US3_OK, us3_put_file_with_policy(clients[i], file, "k", NULL, NULL, &result), &result);
        us3_client_free(clients[i]);
    }
    us3_result_clear(&result);
}

static void threads_and_large_blocks_are_refused(void)
{
    static const size_t more[] = {0, 1, 2, 3, 5, 8, 12, 16, 24, 32, 64, 128, 256};
    char *file = test_file("f", 9 * MIB, 1);

    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        int status;
        pid_t pid = fork();

        REQUIRE(pid >= 0);
        if (pid == 0) {
            upload_with_many(file, more[i] * MIB);
            check_leave_fork();
        }
        REQUIRE(waitpid(pid, &status, 0) == pid);
        CHECK_INT(0, status);
    }
}

/* Waits for the end in a process that is refused the thread for on_complete, and then is not. */
static void wait_for_a_thread(void)
{
    us3_client *client = emulator_client();
    struct told slow = TOLD_INIT, told = TOLD_INIT;
    us3_upload_request request = request_for("slow", "x", 1, &slow), other = request_for("other", "x", 1, &told);
    us3_task *first, *second;

    request.on_progress = other.on_progress = NULL;
    slow.closed = true;
    keep_small_blocks();
    first = start(client, &request);
    told_at_once(&slow, 1);
    limit_memory(0);
    second = start(client, &other);
    CHECK_INT(US3_PENDING, us3_task_wait(second, 500, NULL));
    CHECK_INT(0, completed_so_far(&told));
    limit_memory(SIZE_MAX);
    CHECK_INT(US3_OK, us3_task_wait(second, 60000, NULL));
    CHECK_INT(1, completed_so_far(&told));
    CHECK_INT(0, completed_so_far(&slow));
    told_open(&slow);
    us3_task_free(first);
    us3_task_free(second);
    us3_client_free(client);
}

/* A slow function holds up others only as long as the process may have no more threads. */
static void on_complete_gets_a_thread_as_soon_as_there_may_be_one(void)
{
    int status;
    pid_t pid = fork();

    REQUIRE(pid >= 0);
    if (pid == 0) {
        wait_for_a_thread();
        check_leave_fork();
    }
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK_INT(0, status);
}

int main(void)
{
    RUN(threads_and_large_blocks_are_refused);
    RUN(on_complete_gets_a_thread_as_soon_as_there_may_be_one);
    return check_done();
}
