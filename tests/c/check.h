/* A minimal test harness: checks that print where and what, and one child process for each test.
 *
 * Each test runs in a fork of its own, made before the library is used: a crash or a hang is one
 * failed test and not the end of the others, and no test sees what another left behind.
 *
 *     static void empty_keys_are_refused(void) { …; CHECK_INT(1, n); }
 *     int main(void) { RUN(empty_keys_are_refused); return check_done(); }
 *
 * CHECK_… notes a failure and goes on; REQUIRE ends the test. Include it from one file only of a
 * program's tests; helpers that need to fail a test use check_fail through support.h.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longer than any test needs on a slow machine; a test that is still running has hung. */
enum { CHECK_TIMEOUT_S = 120 };

/* Whether a tool that watches memory or threads makes everything many times slower (US3_TEST_SLOW is set):
 * limits are ten times as long, and tests of what takes much content may use less. */
bool check_slow(void);
/* Ends a process that a test has forked, with status 0 if no check failed. */
void check_leave_fork(void)
#ifdef __GNUC__
    __attribute__((noreturn))
#endif
    ;

/* Notes a failure. The format is printf's. */
void check_fail(const char *file, int line, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 3, 4)))
#endif
    ;
/* Ends the running test; it fails. */
void check_abandon(void)
#ifdef __GNUC__
    __attribute__((noreturn))
#endif
    ;
/* The running test cannot be done here, and why: a failure when REQUIRE_ALL=1, otherwise said loudly. */
void check_missing(const char *what, const char *why);
/* Failures of the running test so far. */
int check_failures(void);
void check_int(const char *file, int line, const char *what, intmax_t expected, intmax_t actual);
void check_str(const char *file, int line, const char *what, const char *expected, const char *actual);
void check_has(const char *file, int line, const char *what, const char *text, const char *part);
void check_run(const char *name, void (*test)(void));
/* The exit code of main. */
int check_done(void);

#define CHECK(condition) \
    do { \
        if (!(condition)) \
            check_fail(__FILE__, __LINE__, "not true: %s", #condition); \
    } while (0)
#define REQUIRE(condition) \
    do { \
        if (!(condition)) { \
            check_fail(__FILE__, __LINE__, "not true, cannot go on: %s", #condition); \
            check_abandon(); \
        } \
    } while (0)
#define CHECK_INT(expected, actual) check_int(__FILE__, __LINE__, #actual, (intmax_t)(expected), (intmax_t)(actual))
#define CHECK_STR(expected, actual) check_str(__FILE__, __LINE__, #actual, (expected), (actual))
/* `text` contains `part`, upper and lower case being the same. */
#define CHECK_HAS(text, part) check_has(__FILE__, __LINE__, #text, (text), (part))
#define RUN(test) check_run(#test, test)

#endif
