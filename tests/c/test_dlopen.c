/* The library loaded at run time, and loaded twice. */
#define _DEFAULT_SOURCE

#include "loading.h"
#include "support.h"
#include "tasks.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static us3_client *make_client(const struct api *api)
{
    us3_config config = config_for(env("US3_TEST_ENDPOINT"));
    us3_client *client = NULL;

    REQUIRE(api->client_new(&config, &client, NULL) == US3_OK);
    return client;
}

static void *load_upload_unload(void *path)
{
    struct api api = load(path, RTLD_LOCAL);
    us3_client *client = make_client(&api);
    struct told told = TOLD_INIT;
    us3_upload_request request = request_for("loaded", "hello", 5, &told);
    us3_task *task;

    CHECK_INT(US3_OK, api.upload(client, &request, NULL));
    REQUIRE(api.upload_start(client, &request, &task, NULL) == US3_OK);
    CHECK_INT(US3_OK, api.task_wait(task, -1, NULL));
    api.task_free(task);
    api.client_free(client);
    CHECK_INT(2, told.completed);
    CHECK_INT(0, dlclose(api.handle));
    return NULL;
}

static void loaded_and_unloaded_often(void)
{
    char *path = (char *)copy_of_the_library();

    for (int round = 0; round < (check_slow() ? 50 : 200); round++)
        load_upload_unload(path);
}

/* What the library keeps for a thread is cleared up when the thread ends, after the dlclose. */
static void loaded_and_unloaded_by_threads_that_end(void)
{
    enum { THREADS = 4 };
    char *path = (char *)copy_of_the_library();
    pthread_t threads[THREADS];

    for (int round = 0; round < (check_slow() ? 12 : 50); round++) {
        for (int i = 0; i < THREADS; i++)
            REQUIRE(pthread_create(&threads[i], NULL, load_upload_unload, path) == 0);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
    }
    /* Nothing of it runs any more, so that this would unmap it; but its code is to stay. */
    REQUIRE(dlclose(dlopen(path, RTLD_NOW)) == 0);
    CHECK(dlopen(path, RTLD_NOW | RTLD_NOLOAD) != NULL);
}

struct unloading {
    struct api api;
    us3_client *client;
    struct told *told;
};

static void free_everything(us3_task *task, const us3_result *result, void *user_data)
{
    struct unloading *unloading = user_data;

    unloading->api.task_free(task);
    unloading->api.client_free(unloading->client);
    tell_complete(task, result, unloading->told);
}

/* The callback that frees the client is the last the host hears of the library, whose threads are
 * still about to end: their code must stay. */
static void unloaded_while_its_threads_end(void)
{
    const char *path = copy_of_the_library();

    for (int round = 0; round < 50; round++) {
        struct told told = TOLD_INIT;
        struct unloading unloading = {load(path, RTLD_LOCAL), NULL, &told};
        us3_upload_request request = request_for("unloading", "x", 1, NULL);
        us3_task *task;

        unloading.client = make_client(&unloading.api);
        request.on_progress = NULL;
        request.on_complete = free_everything;
        request.user_data = &unloading;
        REQUIRE(unloading.api.upload_start(unloading.client, &request, &task, NULL) == US3_OK);
        told_complete(&told, 1);
        CHECK_INT(0, dlclose(unloading.api.handle));
    }
    await_threads(1);
}

static void count_lines(int32_t level, const char *line, void *user_data)
{
    (void)level, (void)line;
    ++*(int *)user_data;
}

/* Two copies in one process do not know of each other, nor does the log of one of the other. */
static void two_copies_at_once(void)
{
    struct api other = load(copy_of_the_library(), RTLD_GLOBAL);
    us3_client *ours = emulator_client(), *theirs = make_client(&other);
    struct told told = TOLD_INIT;
    us3_upload_request request = request_for("both", "hello", 5, &told);
    us3_task *task;
    int logged = 0;

    CHECK_INT(US3_OK, us3_set_logger(US3_LOG_INFO, count_lines, &logged));
    CHECK_INT(US3_OK, other.upload(theirs, &request, NULL));
    CHECK_INT(0, logged);
    CHECK_INT(US3_OK, us3_upload(ours, &request, NULL));
    CHECK_INT(2, logged);
    CHECK_INT(US3_OK, us3_set_logger(US3_LOG_OFF, NULL, NULL));
    CHECK((void (*)(us3_client *))us3_client_free != other.client_free);
    for (int i = 0; i < 10; i++) {
        CHECK_INT(US3_OK, us3_upload(ours, &request, NULL));
        CHECK_INT(US3_OK, other.upload(theirs, &request, NULL));
        REQUIRE(other.upload_start(theirs, &request, &task, NULL) == US3_OK);
        CHECK_INT(US3_OK, us3_upload(ours, &request, NULL));
        other.task_free(task);
    }
    CHECK_INT(42, told.completed);
    other.client_free(theirs);
    us3_client_free(ours);
    CHECK_INT(0, dlclose(other.handle));
}

int main(void)
{
    RUN(loaded_and_unloaded_often);
    RUN(loaded_and_unloaded_by_threads_that_end);
    RUN(unloaded_while_its_threads_end);
    RUN(two_copies_at_once);
    return check_done();
}
