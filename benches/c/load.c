/* How long the dynamic linker takes to load the library, as an FFI host does:
 *
 *   load LIBRARY      prints "load_ms TIME" */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <stdio.h>
#include <time.h>

static double milliseconds(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
    double begun = milliseconds(), ended;
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;

    ended = milliseconds();
    if (library == NULL)
        return fprintf(stderr, "load: %s\n", argc > 1 ? dlerror() : "no library named"), 1;
    printf("load_ms %.3f\n", ended - begun);
    return 0;
}
