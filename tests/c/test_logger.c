/* The log: one line for each event, as much as was asked for, without a secret, safe to change. */
#define _DEFAULT_SOURCE

#include "operations.h"
#include "support.h"
#include "tasks.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_LINES = 1000 };

struct lines {
    pthread_mutex_t lock;
    int count;
    int32_t levels[MOST_LINES];
    char *text[MOST_LINES];
};

static struct lines lines = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void keep(int32_t level, const char *line, void *user_data)
{
    struct lines *kept = user_data;

    pthread_mutex_lock(&kept->lock);
    if (kept->count < MOST_LINES) {
        kept->levels[kept->count] = level;
        kept->text[kept->count++] = format("%s", line);
    }
    pthread_mutex_unlock(&kept->lock);
}

/* Lines of this level, or of all (0), that contain each of two texts. */
static int lines_with(int32_t level, const char *part, const char *other)
{
    int count = 0;

    pthread_mutex_lock(&lines.lock);
    for (int i = 0; i < lines.count; i++)
        count += (level == 0 || lines.levels[i] == level) && strstr(lines.text[i], part) != NULL &&
                 strstr(lines.text[i], other) != NULL;
    pthread_mutex_unlock(&lines.lock);
    return count;
}

static int lines_so_far(void)
{
    return lines_with(0, "", "");
}

static void forget(void)
{
    pthread_mutex_lock(&lines.lock);
    lines.count = 0;
    pthread_mutex_unlock(&lines.lock);
}

static void upload_parts(us3_client *client, const char *key)
{
    struct told told = TOLD_INIT;
    unsigned char *bytes = test_bytes(9 * MIB, 1);
    us3_upload_request request = request_for(key, bytes, 9 * MIB, &told);

    request.mode = US3_MODE_MPUT;
    CHECK_INT(US3_OK, us3_upload(client, &request, NULL));
    arena_drop(bytes);
}

/* ---- what is logged -------------------------------------------------------------------------- */

static void one_line_for_each_event(void)
{
    us3_client *client = emulator_client();
    us3_result result = US3_RESULT_INIT;

    CHECK_INT(US3_OK, us3_set_logger(US3_LOG_DEBUG, keep, &lines));
    upload_parts(client, "a \"key\"");
    CHECK_INT(7, lines_so_far());
    CHECK_INT(1, lines_with(US3_LOG_INFO, "Upload begins key=\"a \\\"key\\\"\"", "mode=Multipart policy=false"));
    CHECK_INT(1, lines_with(US3_LOG_INFO, "Upload ends key=", "attempts=1 bytes=9437184 ms="));
    CHECK_INT(1, lines_with(US3_LOG_DEBUG, "InitiateMultipartUpload key=", " attempt=1 ms="));
    for (int part = 0; part < 3; part++)
        CHECK_INT(1, lines_with(US3_LOG_DEBUG, "UploadPart key=", format(" part=%d attempt=1 ms=", part)));
    CHECK_INT(1, lines_with(US3_LOG_DEBUG, "FinishMultipartUpload", " http=200 session=\""));

    forget();
    CHECK_STATUS(US3_SERVICE_ERROR, us3_delete_file(client, "no-such-key", &result), &result);
    CHECK_INT(1, lines_so_far());
    CHECK_INT(1, lines_with(US3_LOG_WARN, format("ret_code=%d", (int)result.ret_code), "status=ServiceError error=\""));
    CHECK_INT(1, lines_with(US3_LOG_WARN, result.session_id, " http=404"));
    us3_result_clear(&result);
    us3_client_free(client);
}

static void each_try_is_an_event(void)
{
    fake_service *fake = fake_start();
    us3_client *client = client_for(fake_url(fake));

    fake_set(fake, FAKE_DELETE, fake_answer(503, "X-SessionId: s-1\r\n", "{\"RetCode\":-5,\"ErrMsg\":\"two\\nlines\"}"));
    us3_set_logger(US3_LOG_WARN, keep, &lines);
    CHECK_INT(US3_SERVICE_ERROR, us3_delete_file(client, "k", NULL));
    CHECK_INT(4, lines_so_far());
    for (int attempt = 1; attempt <= 4; attempt++)
        CHECK_INT(1, lines_with(US3_LOG_WARN, format("DeleteFile key=\"k\" attempt=%d ", attempt), "http=503 ret_code=-5 session=\"s-1\""));
    for (int i = 0; i < lines.count; i++)
        CHECK(strchr(lines.text[i], '\n') == NULL);
    us3_client_free(client);
    fake_stop(fake);
}

static void as_much_as_was_asked_for(void)
{
    static const int expected[] = {0, 0, 0, 2, 7, 7};
    us3_client *client = emulator_client();

    for (int32_t level = US3_LOG_OFF; level <= US3_LOG_TRACE; level++) {
        forget();
        CHECK_INT(US3_OK, us3_set_logger(level, keep, &lines));
        upload_parts(client, "levels");
        CHECK_INT(expected[level], lines_so_far());
    }
    /* A failure of an upload. */
    forget();
    us3_set_logger(US3_LOG_ERROR, keep, &lines);
    CHECK_INT(US3_FILE_ERROR, us3_mput_with_policy(client, "/no/such/file", "k", NULL, NULL, NULL));
    CHECK_INT(1, lines_so_far());
    CHECK_INT(1, lines_with(US3_LOG_ERROR, "Upload ends key=\"k\"", "/no/such/file"));
    forget();
    CHECK_INT(US3_OK, us3_set_logger(US3_LOG_TRACE, NULL, NULL));
    upload_parts(client, "levels");
    CHECK_INT(US3_OK, us3_set_logger(US3_LOG_TRACE, keep, &lines));
    CHECK_INT(US3_OK, us3_set_logger(US3_LOG_OFF, keep, &lines));
    upload_parts(client, "levels");
    CHECK_INT(0, lines_so_far());
    us3_client_free(client);
}

static void no_secret_is_logged(void)
{
    us3_config config = config_for(env("US3_TEST_ENDPOINT"));
    fake_service *fake = fake_start();
    us3_client *clients[3];
    char *file = test_file("f", 100 * KIB, 1);

    us3_set_logger(US3_LOG_TRACE, keep, &lines);
    config.security_token = "token-nobody-may-see";
    clients[0] = client_with(&config);
    config.endpoint = fake_url(fake);
    clients[1] = client_with(&config);
    config.endpoint = "http://127.0.0.1:1";
    clients[2] = client_with(&config);
    fake_set(fake, FAKE_PUT, "garbage\r\n\r\n");
    for (int i = 0; i < 3; i++) {
        for (int op = 0; op <= ASYNC_UPLOAD; op++)
            operations[op].run(clients[i], file, "k", json_policy("logged"), NULL);
        us3_client_free(clients[i]);
    }
    CHECK(lines_so_far() > 20);
    for (int i = 0; i < lines.count; i++) {
        CHECK(strstr(lines.text[i], TEST_PRIVATE_KEY) == NULL);
        CHECK(strstr(lines.text[i], "token-nobody-may-see") == NULL);
        CHECK(strstr(lines.text[i], "UCloud ") == NULL);
        CHECK(strstr(lines.text[i], "uthorization") == NULL);
    }
    fake_stop(fake);
}

static void levels_that_are_none(void)
{
    static const int32_t none[] = {-1, 6, INT32_MAX, INT32_MIN};

    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        CHECK_INT(US3_INVALID_ARGUMENT, us3_set_logger(none[i], keep, &lines));
    CHECK_INT(US3_OK, us3_set_logger(US3_LOG_OFF, NULL, NULL));
}

/* ---- changing it ----------------------------------------------------------------------------- */

enum { ALIVE = 0x11CE, DEAD = 0xDEAD };

static void look(int32_t level, const char *line, void *user_data)
{
    (void)level;
    CHECK_INT(ALIVE, *(volatile int *)user_data);
    CHECK(line[0] != '\0');
}

static bool done;

static void *change_loggers(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) {
        int *state = malloc(sizeof *state);
        REQUIRE(state != NULL);
        *state = ALIVE;
        CHECK_INT(US3_OK, us3_set_logger(US3_LOG_TRACE, look, state));
        usleep(1000);
        CHECK_INT(US3_OK, us3_set_logger(US3_LOG_OFF, NULL, NULL));
        /* Nobody looks at it any more. */
        *(volatile int *)state = DEAD;
        free(state);
    }
    return NULL;
}

static void changed_while_uploads_run(void)
{
    us3_client *client = emulator_client();
    pthread_t changer;

    REQUIRE(pthread_create(&changer, NULL, change_loggers, NULL) == 0);
    for (int i = 0; i < 30; i++)
        upload_parts(client, "changing");
    __atomic_store_n(&done, true, __ATOMIC_RELEASE);
    pthread_join(changer, NULL);
    us3_client_free(client);
}

struct curious {
    us3_client *client;
    int calls;
};

static void call_back(int32_t level, const char *line, void *user_data)
{
    struct curious *curious = user_data;

    (void)level, (void)line;
    curious->calls++;
    CHECK_INT(US3_WOULD_DEADLOCK, us3_set_logger(US3_LOG_OFF, NULL, NULL));
    CHECK_INT(US3_WOULD_DEADLOCK, us3_delete_file(curious->client, "k", NULL));
}

static void within_the_logger(void)
{
    struct curious curious = {emulator_client(), 0};

    CHECK_INT(US3_OK, us3_set_logger(US3_LOG_DEBUG, call_back, &curious));
    CHECK_INT(US3_SERVICE_ERROR, us3_delete_file(curious.client, "no-such-key", NULL));
    CHECK_INT(1, curious.calls);
    us3_client_free(curious.client);
}

/* The memory of a child has whatever the parent's logger was doing at the fork. */
static void a_forked_child_sets_its_own(void)
{
    us3_client *client = emulator_client();
    pthread_t changer;
    int status;

    REQUIRE(pthread_create(&changer, NULL, change_loggers, NULL) == 0);
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork();
        REQUIRE(pid >= 0);
        if (pid == 0) {
            us3_client *own = emulator_client();
            CHECK_INT(US3_OK, us3_set_logger(US3_LOG_INFO, keep, &lines));
            upload_parts(own, "child");
            us3_client_free(own);
            CHECK_INT(2, lines_so_far());
            check_leave_fork();
        }
        upload_parts(client, "parent");
        REQUIRE(waitpid(pid, &status, 0) == pid);
        CHECK_INT(0, status);
    }
    __atomic_store_n(&done, true, __ATOMIC_RELEASE);
    pthread_join(changer, NULL);
    us3_client_free(client);
}

int main(void)
{
    RUN(one_line_for_each_event);
    RUN(each_try_is_an_event);
    RUN(as_much_as_was_asked_for);
    RUN(no_secret_is_logged);
    RUN(levels_that_are_none);
    RUN(changed_while_uploads_run);
    RUN(within_the_logger);
    RUN(a_forked_child_sets_its_own);
    return check_done();
}
