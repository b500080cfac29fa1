/* Hosts that are no easy place for a guest. Each test fails without the cure that it is about. */
#define _DEFAULT_SOURCE /* kill, usleep, and POSIX as it is */

#include "operations.h"
#include "support.h"
#include "tasks.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void upload_something(us3_client *client, const char *key)
{
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
    us3_result result = US3_RESULT_INIT;
    size_t size = 300 * KIB;
    unsigned char *bytes = test_bytes(size, 1);

    request.key = key;
    request.data = bytes;
    request.data_len = size;
    request.mode = US3_MODE_MPUT;
    CHECK_STATUS(US3_OK, us3_upload(client, &request, &result), &result);
    us3_result_clear(&result);
    arena_drop(bytes);
}

/* ---- fork ------------------------------------------------------------------------------------ */

static void worker(us3_client *parents, us3_task *running, int number)
{
    us3_client *client = emulator_client();
    us3_result result = US3_RESULT_INIT;

    for (int i = 0; i < 5; i++)
        upload_something(client, format("worker-%d-%d", number, i));
    CHECK_STATUS(US3_FORKED, us3_delete_file(parents, "k", &result), &result);
    CHECK_STATUS(US3_FORKED, us3_abort_upload(parents, "k", "upload-id", &result), &result);
    CHECK_STATUS(US3_FORKED, us3_task_wait(running, -1, &result), &result);
    us3_task_free(running);
    us3_client_free(parents);
    us3_result_clear(&result);
    us3_client_free(client);
    check_leave_fork();
}

/* A server that makes a client, then forks its workers, each of which makes its own, while an
 * upload of the parent is under way. */
static void a_prefork_server(void)
{
    enum { WORKERS = 6 };
    fake_service *fake = stalling_service(FAKE_PUT);
    us3_client *slow = fake_client(fake), *client = emulator_client();
    struct told told = TOLD_INIT;
    us3_upload_request request = request_for("k", "x", 1, &told);
    us3_task *task = start(slow, &request);
    pid_t pids[WORKERS];
    int status;

    upload_something(client, "parent-before");
    for (int i = 0; i < WORKERS; i++) {
        pids[i] = fork();
        REQUIRE(pids[i] >= 0);
        if (pids[i] == 0)
            worker(slow, task, i);
        upload_something(client, format("parent-%d", i));
    }
    for (int i = 0; i < WORKERS; i++) {
        REQUIRE(waitpid(pids[i], &status, 0) == pids[i]);
        CHECK_INT(0, status);
    }
    fake_release(fake);
    CHECK_INT(US3_OK, us3_task_wait(task, -1, NULL));
    us3_task_free(task);
    us3_client_free(slow);
    us3_client_free(client);
    fake_stop(fake);
}

/* ---- signals --------------------------------------------------------------------------------- */

static pthread_t host_thread;
static volatile sig_atomic_t handled, handled_elsewhere;

static void handle(int signal)
{
    (void)signal;
    handled++;
    if (!pthread_equal(pthread_self(), host_thread))
        handled_elsewhere++;
}

/* A handler of the host may use what only its own threads have. */
static void signals_are_handled_by_the_host_s_threads(void)
{
    us3_client *client = emulator_client();
    struct told told = TOLD_INIT;
    unsigned char *bytes = test_bytes(32 * MIB, 1);
    us3_upload_request request = request_for("signals", bytes, 32 * MIB, &told);
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    us3_task *task;
    sigset_t usr1;

    host_thread = pthread_self();
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
    request.mode = US3_MODE_MPUT;
    task = start(client, &request);
    /* Blocked here while they are sent: they go to another thread, if one takes them. */
    for (int i = 0; i < 100; i++) {
        pthread_sigmask(SIG_BLOCK, &usr1, NULL);
        REQUIRE(kill(getpid(), SIGUSR1) == 0);
        usleep(1000);
        pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
    }
    CHECK_INT(US3_OK, us3_task_wait(task, -1, NULL));
    CHECK_INT(100, handled);
    CHECK_INT(0, handled_elsewhere);
    us3_task_free(task);
    us3_client_free(client);
    arena_drop(bytes);
}

static void a_host_that_blocks_all_signals(void)
{
    us3_client *client;
    sigset_t all, before, after;

    sigfillset(&all);
    REQUIRE(pthread_sigmask(SIG_SETMASK, &all, NULL) == 0);
    REQUIRE(pthread_sigmask(SIG_BLOCK, NULL, &before) == 0);
    client = emulator_client();
    upload_something(client, "all-blocked");
    us3_client_free(client);
    REQUIRE(pthread_sigmask(SIG_BLOCK, NULL, &after) == 0);
    for (int i = 1; i < 65; i++)
        CHECK(sigismember(&before, i) == sigismember(&after, i));
}

/* ---- threads --------------------------------------------------------------------------------- */

static void *live_on_little(void *arg)
{
    us3_client *client = emulator_client();
    struct told told = TOLD_INIT;
    us3_upload_request request = request_for("small-stack", "x", 1, &told);
    us3_file_info info = US3_FILE_INFO_INIT;
    us3_result result = US3_RESULT_INIT;
    us3_task *task = start(client, &request);

    CHECK_INT(US3_OK, us3_task_wait(task, -1, NULL));
    us3_task_free(task);
    for (int op = 0; op < OPERATIONS; op++)
        CHECK_INT(US3_OK, operations[op].run(client, arg, "small-stack", json_policy("small-stack"), &result));
    CHECK_INT(US3_OK, us3_head_file(client, "small-stack", &info, &result));
    CHECK_INT(US3_OK, us3_delete_file(client, "small-stack", &result));
    CHECK_INT(US3_SERVICE_ERROR, us3_delete_file(client, "small-stack", &result));
    us3_string_free(us3_result_describe(&result));
    us3_file_info_clear(&info);
    us3_result_clear(&result);
    us3_client_free(client);
    return NULL;
}

/* All that is deep happens on the library's own threads. */
static void a_thread_with_a_stack_of_64_kib(void)
{
    char *file = test_file("f", 300 * KIB, 1);
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_attr_init(&attributes);
    REQUIRE(pthread_attr_setstacksize(&attributes, 64 * KIB) == 0);
    for (int i = 0; i < 5; i++) {
        REQUIRE(pthread_create(&thread, &attributes, live_on_little, file) == 0);
        pthread_join(thread, NULL);
    }
}

struct caller {
    pthread_t thread;
    us3_client *client;
};

static void *call(void *arg)
{
    struct caller *caller = arg;
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;

    request.key = "k";
    request.data = "x";
    request.data_len = 1;
    CHECK_INT(US3_OK, us3_upload(caller->client, &request, NULL));
    return NULL;
}

static void *release_soon(void *arg)
{
    usleep(200000);
    fake_release(arg);
    return NULL;
}

/* Whoever frees a client waits for the calls of others. */
static void a_client_freed_while_others_upload(void)
{
    enum { CALLERS = 8 };
    fake_service *fake = stalling_service(FAKE_PUT);
    us3_client *client = fake_client(fake);
    struct caller callers[CALLERS];
    pthread_t releaser;

    for (int i = 0; i < CALLERS; i++) {
        callers[i].client = client;
        REQUIRE(pthread_create(&callers[i].thread, NULL, call, &callers[i]) == 0);
    }
    while (fake_count(fake, FAKE_PUT) < CALLERS)
        usleep(1000);
    REQUIRE(pthread_create(&releaser, NULL, release_soon, fake) == 0);
    us3_client_free(client);
    for (int i = 0; i < CALLERS; i++)
        pthread_join(callers[i].thread, NULL);
    pthread_join(releaser, NULL);
    fake_stop(fake);
}

/* ---- what belongs to the process ------------------------------------------------------------- */

/* A path means what it meant when the upload was started, though the upload waits for its turn. */
static void a_changed_working_directory(void)
{
    fake_service *fake = stalling_service(FAKE_PUT);
    us3_config config = config_for(fake_url(fake));
    struct told told = TOLD_INIT;
    us3_upload_request first = request_for("k", "x", 1, &told), second = request_for("relative", NULL, 0, &told);
    us3_result result = US3_RESULT_INIT;
    us3_task *task, *waiting;
    us3_client *client;

    test_text_file("relative", "hello");
    REQUIRE(chdir(env("US3_TEST_DIR")) == 0);
    config.max_concurrent_uploads = 1;
    client = client_with(&config);
    task = start(client, &first);
    second.file_path = "relative";
    second.mode = US3_MODE_MPUT;
    second.resume_path = "checkpoint";
    waiting = start(client, &second);
    REQUIRE(chdir("/") == 0);
    fake_release(fake);
    CHECK_STATUS(US3_OK, us3_task_wait(waiting, -1, &result), &result);
    CHECK_INT(US3_OK, us3_task_wait(task, -1, NULL));
    CHECK(access("/checkpoint", F_OK) != 0);
    us3_result_clear(&result);
    us3_task_free(task);
    us3_task_free(waiting);
    us3_client_free(client);
    fake_stop(fake);
}

static void a_strange_locale_and_umask(void)
{
    us3_client *client;
    mode_t before = umask(0777);

    setlocale(LC_ALL, "");
    setlocale(LC_ALL, "C.UTF-8");
    client = emulator_client();
    upload_something(client, "strange-\xC3\xA4");
    us3_client_free(client);
    CHECK_INT(0777, umask(before));
}

static rlim_t limit_descriptors(rlim_t limit)
{
    struct rlimit now;
    rlim_t before;

    REQUIRE(getrlimit(RLIMIT_NOFILE, &now) == 0);
    before = now.rlim_cur;
    now.rlim_cur = limit;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &now) == 0);
    return before;
}

/* Without descriptors every call says so; with them again, all is well. */
static void no_descriptor_left(void)
{
    enum { CLIENTS = 24 };
    us3_client *clients[CLIENTS], *late = NULL;
    char *file = test_file("f", 100 * KIB, 1);
    us3_result result = US3_RESULT_INIT;
    struct told told = TOLD_INIT;
    us3_upload_request request = request_for("k", "x", 1, &told);
    rlim_t before;
    us3_task *task;

    for (int i = 0; i < CLIENTS; i++)
        clients[i] = emulator_client();
    before = limit_descriptors(3);
    for (int i = 0; i < CLIENTS; i++) {
        CHECK_STATUS(US3_FILE_ERROR, us3_put_file_with_policy(clients[i], file, "k", NULL, NULL, &result), &result);
        CHECK_INT(EMFILE, result.os_error);
        task = start(clients[i], &request);
        CHECK_INT(-1, us3_task_fd(task));
        CHECK_STATUS(US3_NETWORK_ERROR, us3_task_wait(task, -1, &result), &result);
        us3_task_free(task);
    }
    CHECK(us3_client_new(&(us3_config)US3_CONFIG_INIT, &late, &result) != US3_OK);
    CHECK(late == NULL);
    limit_descriptors(before);
    for (int i = 0; i < CLIENTS; i++) {
        upload_something(clients[i], "again");
        us3_client_free(clients[i]);
    }
    us3_result_clear(&result);
}

int main(void)
{
    RUN(a_prefork_server);
    RUN(signals_are_handled_by_the_host_s_threads);
    RUN(a_host_that_blocks_all_signals);
    RUN(a_thread_with_a_stack_of_64_kib);
    RUN(a_client_freed_while_others_upload);
    RUN(a_changed_working_directory);
    RUN(a_strange_locale_and_umask);
    RUN(no_descriptor_left);
    return check_done();
}
