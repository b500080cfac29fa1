/* The harness of check.h: counts failures, and runs each test in a child process. */
#define _POSIX_C_SOURCE 200809L

#include "check.h"
#include "arena.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int failed_checks; /* of the running test */
static int failed_tests;

void check_fail(const char *file, int line, const char *format, ...)
{
    va_list args;

    pthread_mutex_lock(&lock);
    failed_checks++;
    fprintf(stderr, "%s:%d: ", file, line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    pthread_mutex_unlock(&lock);
}

void check_abandon(void)
{
    fflush(NULL);
    _exit(1);
}

bool check_slow(void)
{
    return getenv("US3_TEST_SLOW") != NULL;
}

void check_leave_fork(void)
{
    int status = failed_checks == 0 ? 0 : 1;

    fflush(NULL);
    /* What only the parent's other threads knew of is lost in a fork, as any leak checker finds. Another
     * program in this one's place has nothing to check; until then every access was. */
    if (check_slow())
        execlp(status == 0 ? "true" : "false", "leave", (char *)NULL);
    exit(status);
}

void check_missing(const char *what, const char *why)
{
    const char *required = getenv("REQUIRE_ALL"), *list = getenv("US3_NOT_TESTED");
    FILE *file;

    if (required != NULL && strcmp(required, "1") == 0) {
        check_fail(what, 0, "cannot be tested here: %s", why);
        return;
    }
    fprintf(stderr, "*** NOT TESTED: %s: %s\n", what, why);
    /* What run.sh says again at its end. */
    if (list != NULL && (file = fopen(list, "a")) != NULL) {
        fprintf(file, "*** NOT TESTED: %s: %s\n", what, why);
        fclose(file);
    }
}

int check_failures(void)
{
    return failed_checks;
}

void check_int(const char *file, int line, const char *what, intmax_t expected, intmax_t actual)
{
    if (expected != actual)
        check_fail(file, line, "%s: expected %jd, is %jd", what, expected, actual);
}

void check_str(const char *file, int line, const char *what, const char *expected, const char *actual)
{
    if (expected == actual || (expected != NULL && actual != NULL && strcmp(expected, actual) == 0))
        return;
    check_fail(file, line, "%s: expected %s, is %s", what, expected == NULL ? "NULL" : expected,
               actual == NULL ? "NULL" : actual);
}

static bool contains(const char *text, const char *part)
{
    size_t len = strlen(part);

    for (; *text != '\0'; text++)
        if (strncasecmp(text, part, len) == 0)
            return true;
    return len == 0;
}

void check_has(const char *file, int line, const char *what, const char *text, const char *part)
{
    if (text == NULL || !contains(text, part))
        check_fail(file, line, "%s: expected something with \"%s\", is %s", what, part, text == NULL ? "NULL" : text);
}

static bool is_word_of(const char *word, const char *list)
{
    size_t len = strlen(word);

    for (const char *at = list; at != NULL && (at = strstr(at, word)) != NULL; at += len)
        if ((at == list || at[-1] == ' ') && (at[len] == '\0' || at[len] == ' '))
            return true;
    return false;
}

static void child(void (*test)(void))
{
    alarm(check_slow() ? 10 * CHECK_TIMEOUT_S : CHECK_TIMEOUT_S);
    test();
    arena_clear();
    /* exit, not _exit: a host's exit handlers run too, whatever threads the library still has. */
    exit(failed_checks == 0 ? 0 : 1);
}

void check_run(const char *name, void (*test)(void))
{
    const char *only = getenv("CHECK_ONLY");
    int status = 0;
    pid_t pid;

    if (only != NULL && strstr(name, only) == NULL)
        return;
    if (is_word_of(name, getenv("CHECK_WITHOUT"))) {
        printf("left out %s\n", name);
        return;
    }
    fflush(NULL);
    pid = fork();
    if (pid == 0)
        child(test);
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        perror("check_run");
        exit(2);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        printf("ok    %s\n", name);
    } else {
        failed_tests++;
        printf("FAIL  %s", name);
        if (WIFSIGNALED(status))
            printf(" (ended by signal %d: %s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
        printf("\n");
    }
    fflush(stdout);
}

int check_done(void)
{
    return failed_tests == 0 ? 0 : 1;
}
