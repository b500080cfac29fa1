/* What an upload needs does not grow with the file: memory, threads, descriptors.
 *
 * Against the sink of the benchmarks, which keeps nothing: what is uploaded here would fill a disk. */
#define _POSIX_C_SOURCE 200809L

#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define GIB ((off_t)1 << 30)

/* For what is kept of each part until the upload is finished, its ETag and its digest, and for chance: of 7 GiB in
 * parts of 4 MiB that is 1 MiB; and how many chunks are in flight at once, is chance. A buffer for each part would
 * be a thousand times as much. */
enum { ALLOWED_KIB = 4096, ALLOWED_SLOW_KIB = 32768 };

/* As many blocks as a file system likes to give: none. */
static char *sparse_file(const char *name, off_t size)
{
    char *path = test_path(name);
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);

    REQUIRE(fd >= 0);
    REQUIRE(ftruncate(fd, size) == 0);
    close(fd);
    return path;
}

/* A line of /proc/self/status, in KiB. */
static long own_memory(const char *name)
{
    FILE *status = fopen("/proc/self/status", "r");
    char line[256];
    long kib = -1;

    REQUIRE(status != NULL);
    while (fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            kib = atol(line + strlen(name) + 1);
    fclose(status);
    REQUIRE(kib > 0);
    return kib;
}

/* How much the most memory ever used is above that of an idle client, in KiB. */
static long growth_of(const char *path, int32_t mode)
{
    us3_client *client = client_for(env("US3_TEST_SINK"));
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
    us3_result result = US3_RESULT_INIT;
    long before = own_memory("VmRSS");

    request.mode = mode;
    request.file_path = path;
    request.key = "large";
    CHECK_STATUS(US3_OK, us3_upload(client, &request, &result), &result);
    us3_result_clear(&result);
    us3_client_free(client);
    return own_memory("VmHWM") - before;
}

/* The same in a process of its own: the most that a process ever used is not forgotten. */
static long growth(off_t size, int32_t mode)
{
    char *path = sparse_file("sparse", size);
    int ends[2], status;
    long kib = -1;
    pid_t pid;

    REQUIRE(pipe(ends) == 0);
    pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        kib = growth_of(path, mode);
        if (write(ends[1], &kib, sizeof kib) != (ssize_t)sizeof kib)
            check_fail(__FILE__, __LINE__, "the pipe is closed");
        check_leave_fork();
    }
    close(ends[1]);
    CHECK(read(ends[0], &kib, sizeof kib) == (ssize_t)sizeof kib);
    close(ends[0]);
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK_INT(0, status);
    unlink(path);
    return kib;
}

static void compare(off_t small, off_t large, int32_t mode, long most_kib)
{
    long one = growth(small, mode), other = growth(large, mode);
    long allowed = check_slow() ? ALLOWED_SLOW_KIB : ALLOWED_KIB;

    printf("      %ld KiB for %lld MiB, %ld KiB for %lld MiB\n", one, (long long)small >> 20, other,
           (long long)large >> 20);
    CHECK(other <= one + allowed);
    if (!check_slow())
        CHECK(other <= most_kib);
}

/* 10 parts at a time, each with a few chunks of 256 KiB. The small file has more parts than that, too. */
static void parts_of_a_large_file(void)
{
    off_t small = check_slow() ? GIB / 16 : GIB, large = check_slow() ? GIB / 4 : 8 * GIB;

    compare(small, large, US3_MODE_MPUT, 16384);
}

static void one_put_of_a_large_file(void)
{
    off_t unit = check_slow() ? GIB / 64 : GIB / 16;

    compare(unit, 8 * unit, US3_MODE_PUT, 8192);
}

int main(void)
{
    RUN(parts_of_a_large_file);
    RUN(one_put_of_a_large_file);
    return check_done();
}
