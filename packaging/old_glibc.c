/* Lets libus3.so run on a glibc that is older than the one it is built with.
 *
 * glibc 2.32 to 2.34 moved functions from libpthread and libdl to libc, and gave stat64, lstat64 and fstat64
 * symbols of their own. Whoever links with a newer glibc gets the new symbol versions, although the functions are the same;
 * the loader of an older glibc refuses the library for that. Here each is defined, hidden in the library, by way
 * of its old version, which every glibc still has. scripts/old-glibc.sh compiles this for libus3.so alone:
 * libus3.a takes what the program's own linker finds.
 *
 * x86-64 only: other machines have other versions.
 */
#include <stddef.h>

#pragma GCC visibility push(hidden)

/* FORWARD(result, name, version, (parameters), (arguments)) */
#define FORWARD(result, name, version, parameters, arguments) \
    __asm__(".symver old_" #name ", " #name "@" version); \
    __attribute__((visibility("default"))) extern result old_##name parameters; \
    result name parameters; \
    result name parameters { return old_##name arguments; }

typedef unsigned long thread;

FORWARD(int, pthread_create, "GLIBC_2.2.5", (thread *t, const void *attr, void *(*f)(void *), void *arg), (t, attr, f, arg))
FORWARD(int, pthread_join, "GLIBC_2.2.5", (thread t, void **value), (t, value))
FORWARD(int, pthread_detach, "GLIBC_2.2.5", (thread t), (t))
FORWARD(int, pthread_key_create, "GLIBC_2.2.5", (unsigned *key, void (*destroy)(void *)), (key, destroy))
FORWARD(int, pthread_key_delete, "GLIBC_2.2.5", (unsigned key), (key))
FORWARD(int, pthread_setspecific, "GLIBC_2.2.5", (unsigned key, const void *value), (key, value))
FORWARD(int, pthread_sigmask, "GLIBC_2.2.5", (int how, const void *set, void *old), (how, set, old))
FORWARD(int, pthread_attr_setstacksize, "GLIBC_2.2.5", (void *attr, size_t size), (attr, size))
FORWARD(int, pthread_setname_np, "GLIBC_2.12", (thread t, const char *name), (t, name))
FORWARD(void *, dlsym, "GLIBC_2.2.5", (void *handle, const char *name), (handle, name))

FORWARD(int, __xstat64, "GLIBC_2.2.5", (int version, const char *path, void *buf), (version, path, buf))
FORWARD(int, __lxstat64, "GLIBC_2.2.5", (int version, const char *path, void *buf), (version, path, buf))
FORWARD(int, __fxstat64, "GLIBC_2.2.5", (int version, int fd, void *buf), (version, fd, buf))

/* The layout of struct stat64 that the kernel has on x86-64. */
enum { STAT_VERSION = 1 };

int stat64(const char *path, void *buf);
int stat64(const char *path, void *buf) { return __xstat64(STAT_VERSION, path, buf); }

int lstat64(const char *path, void *buf);
int lstat64(const char *path, void *buf) { return __lxstat64(STAT_VERSION, path, buf); }

int fstat64(int fd, void *buf);
int fstat64(int fd, void *buf) { return __fxstat64(STAT_VERSION, fd, buf); }
