/* us3_queue: the ends of many tasks in their order, behind one descriptor; freed tasks, freed queues. */
#define _POSIX_C_SOURCE 200809L

#include "fake_service.h"
#include "operations.h"
#include "support.h"
#include "tasks.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static us3_queue *new_queue(void)
{
    us3_queue *queue;

    REQUIRE(us3_queue_new(&queue, NULL) == US3_OK && queue != NULL);
    return queue;
}

static bool queue_is_readable(us3_queue *queue, int timeout_ms)
{
    struct pollfd poller = {.fd = us3_queue_fd(queue), .events = POLLIN};

    REQUIRE(poller.fd >= 0);
    return poll(&poller, 1, timeout_ms) == 1 && (poller.revents & POLLIN) != 0;
}

static us3_start on_queue(us3_queue *queue, void *user_data)
{
    us3_start how = US3_START_INIT;

    how.queue = queue;
    how.user_data = user_data;
    return how;
}

static us3_task *head_on(us3_queue *queue, us3_client *client, void *user_data)
{
    us3_start how = on_queue(queue, user_data);
    us3_task *task;

    REQUIRE(us3_head_file_start(client, "absent", &how, &task, NULL) == US3_OK);
    return task;
}

static us3_task *next_of(us3_queue *queue)
{
    us3_task *task;

    REQUIRE(us3_queue_next(queue, 60000, &task, NULL) == US3_OK && task != NULL);
    return task;
}

/* ---- handing out ------------------------------------------------------------------------------ */

/* Uploads and other operations, of two clients, each handed out once when it has ended. */
static void tasks_of_any_clients_and_operations(void)
{
    enum { TASKS = 100 };
    us3_client *clients[2] = {emulator_client(), emulator_client()};
    us3_queue *queue = new_queue();
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
    bool ended[TASKS] = {false};
    us3_result result = US3_RESULT_INIT;
    us3_task *task;

    CHECK(!queue_is_readable(queue, 0));
    request.key = "queued";
    request.data = "x";
    request.data_len = 1;
    request.queue = queue;
    for (int i = 0; i < TASKS; i++) {
        request.user_data = &ended[i];
        if (i % 4 < 2)
            REQUIRE(us3_upload_start(clients[i % 2], &request, &task, NULL) == US3_OK);
        else
            head_on(queue, clients[i % 2], &ended[i]);
    }
    for (int i = 0; i < TASKS; i++) {
        CHECK(queue_is_readable(queue, 60000));
        REQUIRE(us3_queue_next(queue, 0, &task, &result) == US3_OK);
        bool *flag = us3_task_user_data(task);
        CHECK(!*flag);
        *flag = true;
        CHECK_INT((flag - ended) % 4 < 2 ? US3_OK : US3_SERVICE_ERROR, us3_task_wait(task, 0, NULL));
        us3_task_free(task);
    }
    CHECK(!queue_is_readable(queue, 0));
    CHECK_REFUSED(US3_PENDING, "no task", us3_queue_next(queue, 0, &task, &result), &result);
    CHECK(task == NULL);
    us3_queue_free(queue);
    us3_client_free(clients[0]);
    us3_client_free(clients[1]);
}

static void in_the_order_of_their_ends(void)
{
    fake_service *fake = stalling_service(FAKE_PUT);
    us3_client *stalled = fake_client(fake), *client = emulator_client();
    us3_queue *queue = new_queue();
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
    us3_task *last, *first, *second, *task;

    request.key = "k";
    request.data = "x";
    request.data_len = 1;
    request.queue = queue;
    REQUIRE(us3_upload_start(stalled, &request, &last, NULL) == US3_OK);
    first = head_on(queue, client, NULL);
    CHECK_INT(US3_SERVICE_ERROR, us3_task_wait(first, -1, NULL));
    second = head_on(queue, client, NULL);
    CHECK(next_of(queue) == first);
    CHECK(next_of(queue) == second);
    CHECK_INT(US3_PENDING, us3_queue_next(queue, 20, &task, NULL));
    fake_release(fake);
    CHECK(next_of(queue) == last);
    us3_task_free(first);
    us3_task_free(second);
    us3_task_free(last);
    us3_queue_free(queue);
    us3_client_free(stalled);
    us3_client_free(client);
    fake_stop(fake);
}

/* When the client is freed, every end is in the queue, and the tasks need no client. */
static void the_ends_outlive_the_client(void)
{
    enum { TASKS = 40 };
    us3_client *client = emulator_client();
    us3_queue *queue = new_queue();

    for (int i = 0; i < TASKS; i++)
        head_on(queue, client, NULL);
    us3_client_free(client);
    for (int i = 0; i < TASKS; i++) {
        us3_task *task;
        REQUIRE(us3_queue_next(queue, 0, &task, NULL) == US3_OK);
        CHECK_INT(US3_SERVICE_ERROR, us3_task_wait(task, 0, NULL));
        us3_task_free(task);
    }
    us3_queue_free(queue);
}

struct taker {
    pthread_t thread;
    us3_queue *queue;
    int taken;
};

static void *take_all(void *arg)
{
    struct taker *taker = arg;
    us3_status status;
    us3_task *task;

    while ((status = us3_queue_next(taker->queue, -1, &task, NULL)) == US3_OK) {
        CHECK_INT(US3_SERVICE_ERROR, us3_task_wait(task, 0, NULL));
        us3_task_free(task);
        __atomic_fetch_add(&taker->taken, 1, __ATOMIC_SEQ_CST);
    }
    CHECK_INT(US3_CANCELLED, status); /* the queue is being freed */
    return NULL;
}

static void many_threads_take_from_one_queue(void)
{
    enum { THREADS = 4, TASKS = 200 };
    us3_client *client = emulator_client();
    us3_queue *queue = new_queue();
    struct taker takers[THREADS];
    int taken = 0;

    for (int i = 0; i < THREADS; i++) {
        takers[i] = (struct taker){.queue = queue};
        REQUIRE(pthread_create(&takers[i].thread, NULL, take_all, &takers[i]) == 0);
    }
    for (int i = 0; i < TASKS; i++)
        head_on(queue, client, NULL);
    us3_client_free(client);
    while (taken < TASKS) {
        taken = 0;
        for (int i = 0; i < THREADS; i++)
            taken += __atomic_load_n(&takers[i].taken, __ATOMIC_SEQ_CST);
    }
    us3_queue_free(queue);
    for (int i = 0; i < THREADS; i++)
        pthread_join(takers[i].thread, NULL);
    CHECK_INT(TASKS, taken);
}

/* ---- costs ----------------------------------------------------------------------------------- */

static int open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;

    REQUIRE(folder != NULL);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

/* Sockets aside, of which there are as many as may run at once. */
static void any_number_of_tasks_costs_one_descriptor(void)
{
    enum { AT_ONCE = 4 };
    int tasks = check_slow() ? 1000 : 10000, before, most = 0;
    us3_config config = config_for(env("US3_TEST_ENDPOINT"));
    us3_queue *queue = new_queue();
    us3_client *client;

    config.max_concurrent_uploads = AT_ONCE;
    client = client_with(&config);
    before = open_descriptors();
    for (int i = 0; i < tasks; i++)
        head_on(queue, client, NULL);
    for (int i = 0; i < tasks; i++) {
        us3_task_free(next_of(queue));
        if (i % 100 == 0 && open_descriptors() - before > most)
            most = open_descriptors() - before;
    }
    CHECK(most <= AT_ONCE);
    us3_client_free(client);
    us3_queue_free(queue);
}

static void a_process_without_descriptors(void)
{
    struct rlimit none = {0, 0}, before;
    us3_queue *queue = (us3_queue *)&none;
    us3_result result = US3_RESULT_INIT;

    REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
    none.rlim_max = before.rlim_max;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
    us3_status status = us3_queue_new(&queue, &result);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK_INT(US3_INTERNAL_ERROR, status);
    CHECK(queue == NULL && result.os_error != 0);
    CHECK_HAS(result.err_msg, "descriptor");
    us3_result_clear(&result);
}

/* ---- freeing --------------------------------------------------------------------------------- */

static void a_freed_task_is_never_handed_out(void)
{
    us3_client *client = emulator_client();
    us3_queue *queue = new_queue();
    us3_task *freed[3], *kept, *task;

    for (int round = 0; round < 20; round++) {
        freed[0] = head_on(queue, client, NULL);
        us3_task_free(freed[0]); /* before its end, or after it */
        freed[1] = head_on(queue, client, NULL);
        kept = head_on(queue, client, NULL);
        freed[2] = head_on(queue, client, NULL);
        for (int i = 1; i < 3; i++)
            CHECK_INT(US3_SERVICE_ERROR, us3_task_wait(freed[i], -1, NULL));
        CHECK(queue_is_readable(queue, 60000));
        us3_task_free(freed[1]);
        us3_task_free(freed[2]);
        CHECK(next_of(queue) == kept);
        CHECK(!queue_is_readable(queue, 0));
        CHECK_INT(US3_PENDING, us3_queue_next(queue, 0, &task, NULL));
        us3_task_free(kept);
    }
    us3_queue_free(queue);
    us3_client_free(client);
}

static void free_it(us3_task *task, const us3_result *result, void *user_data)
{
    (void)result;
    (void)user_data;
    us3_task_free(task);
}

static void freed_in_on_complete_it_is_not_handed_out(void)
{
    us3_client *client = emulator_client();
    us3_queue *queue = new_queue();
    us3_start how = on_queue(queue, NULL);
    us3_task *task;

    how.on_complete = free_it;
    for (int i = 0; i < 50; i++)
        REQUIRE(us3_head_file_start(client, "absent", &how, &task, NULL) == US3_OK);
    us3_client_free(client);
    CHECK_INT(US3_PENDING, us3_queue_next(queue, 0, &task, NULL));
    us3_queue_free(queue);
}

static void tasks_go_on_without_their_queue(void)
{
    enum { TASKS = 20 };
    fake_service *fake = stalling_service(FAKE_DELETE);
    us3_client *client = fake_client(fake), *other = emulator_client();
    us3_queue *queue = new_queue();
    us3_task *tasks[TASKS], *ended = head_on(queue, other, NULL);
    us3_start how = on_queue(queue, NULL);
    int fd = us3_queue_fd(queue);

    for (int i = 0; i < TASKS; i++)
        REQUIRE(us3_delete_file_start(client, "k", &how, &tasks[i], NULL) == US3_OK);
    CHECK(queue_is_readable(queue, 60000));
    while (fake_count(fake, FAKE_DELETE) < TASKS) /* no connection is made any more, which could get its number */
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    us3_queue_free(queue);
    CHECK(fcntl(fd, F_GETFD) == -1);
    fake_release(fake);
    for (int i = 0; i < TASKS; i++) {
        CHECK_INT(US3_OK, us3_task_wait(tasks[i], -1, NULL));
        us3_task_free(tasks[i]);
    }
    CHECK_INT(US3_SERVICE_ERROR, us3_task_wait(ended, 0, NULL));
    us3_task_free(ended);
    us3_client_free(client);
    us3_client_free(other);
    fake_stop(fake);
}

/* ---- misuse ---------------------------------------------------------------------------------- */

static void null_and_nonsense(void)
{
    us3_queue *queue = new_queue();
    us3_task *task = (us3_task *)queue;
    us3_result result = US3_RESULT_INIT;

    CHECK_INT(US3_INVALID_ARGUMENT, us3_queue_new(NULL, NULL));
    CHECK_INT(-1, us3_queue_fd(NULL));
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "queue", us3_queue_next(NULL, 0, &task, &result), &result);
    CHECK(task == NULL);
    CHECK_REFUSED(US3_INVALID_ARGUMENT, "out_task", us3_queue_next(queue, 0, NULL, &result), &result);
    us3_queue_free(NULL);
    us3_queue_free(queue);
}

static void wait_in_complete(us3_task *task, const us3_result *result, void *user_data)
{
    us3_queue *queue = user_data;
    us3_task *other;

    (void)task;
    (void)result;
    CHECK_INT(US3_WOULD_DEADLOCK, us3_queue_next(queue, -1, &other, NULL));
    CHECK_INT(US3_PENDING, us3_queue_next(queue, 0, &other, NULL));
}

static void a_callback_may_only_look(void)
{
    us3_client *client = emulator_client();
    us3_queue *queue = new_queue();
    us3_start how = on_queue(queue, queue);
    us3_task *task;

    how.on_complete = wait_in_complete;
    REQUIRE(us3_head_file_start(client, "absent", &how, &task, NULL) == US3_OK);
    CHECK(next_of(queue) == task); /* after on_complete */
    us3_task_free(task);
    us3_queue_free(queue);
    us3_client_free(client);
}

static void a_forked_child_has_no_queue(void)
{
    us3_client *client = emulator_client();
    us3_queue *queue = new_queue();
    us3_task *task = head_on(queue, client, NULL), *other;
    us3_result result = US3_RESULT_INIT;
    int status;
    pid_t pid;

    CHECK(queue_is_readable(queue, 60000));
    pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        us3_client *own = emulator_client();
        us3_start how = on_queue(queue, NULL);

        CHECK_REFUSED(US3_FORKED, "fork", us3_queue_next(queue, 0, &other, &result), &result);
        CHECK_INT(-1, us3_queue_fd(queue));
        CHECK_REFUSED(US3_FORKED, "fork", us3_head_file_start(own, "k", &how, &other, &result), &result);
        us3_client_free(own);
        us3_task_free(task);
        us3_queue_free(queue);
        us3_client_free(client);
        check_leave_fork();
    }
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK_INT(0, status);
    CHECK(next_of(queue) == task);
    us3_task_free(task);
    us3_queue_free(queue);
    us3_client_free(client);
}

int main(void)
{
    RUN(tasks_of_any_clients_and_operations);
    RUN(in_the_order_of_their_ends);
    RUN(the_ends_outlive_the_client);
    RUN(many_threads_take_from_one_queue);
    RUN(any_number_of_tasks_costs_one_descriptor);
    RUN(a_process_without_descriptors);
    RUN(a_freed_task_is_never_handed_out);
    RUN(freed_in_on_complete_it_is_not_handed_out);
    RUN(tasks_go_on_without_their_queue);
    RUN(null_and_nonsense);
    RUN(a_callback_may_only_look);
    RUN(a_forked_child_has_no_queue);
    return check_done();
}
