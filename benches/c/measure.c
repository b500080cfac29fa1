/* Runs a program and writes what it cost:
 *
 *   measure OUT PROGRAM [ARGUMENT…]      OUT becomes "wall cpu peak status": seconds, seconds, KiB, exit status
 *
 * A program of its own because the kernel counts into a child's peak memory what its parent had when it
 * forked: this one has next to nothing. */
#define _GNU_SOURCE

#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    struct rusage used;
    double begun, wall;
    int status;
    pid_t child;
    FILE *out;

    if (argc < 3)
        return fprintf(stderr, "usage: measure OUT PROGRAM [ARGUMENT...]\n"), 2;
    begun = now();
    child = vfork();
    if (child == 0) {
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &used) != child)
        return perror("measure"), 1;
    wall = now() - begun;
    out = fopen(argv[1], "w");
    if (out == NULL)
        return perror(argv[1]), 1;
    fprintf(out, "%.6f %.6f %ld %d\n", wall, seconds(used.ru_utime) + seconds(used.ru_stime), used.ru_maxrss,
            WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return fclose(out) != 0;
}
