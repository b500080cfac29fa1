/* One client, many host threads. */
#define _POSIX_C_SOURCE 200809L

#include "operations.h"
#include "support.h"

#include <pthread.h>
#include <stdlib.h>

enum { THREADS = 32, ROUNDS = 4 };

struct host {
    pthread_t thread;
    us3_client *client;
    int number;
};

/* Uploads with every operation in turn, under keys and callbacks of its own. */
static void *use_client(void *arg)
{
    struct host *host = arg;
    us3_result result = US3_RESULT_INIT;
    size_t size = 100 * KIB + (size_t)host->number;
    char *file = test_file(format("thread-%d", host->number), size, (uint32_t)host->number);
    unsigned char *bytes = test_bytes(size, (uint32_t)host->number);

    for (int round = 0; round < ROUNDS; round++) {
        char *key = format("thread-%d-round-%d", host->number, round);
        const struct operation *op = &operations[(host->number + round) % OPERATIONS];
        CHECK_STATUS(US3_OK, op->run(host->client, file, key, query_policy(key), &result), &result);
        CHECK_HAS(result.body, format("/callback/%s\"", key));
        CHECK_STORED(key, bytes, size);
        CHECK_STATUS(US3_FILE_ERROR, us3_mput_with_policy(host->client, "/no/such/file", key, NULL, NULL, &result), &result);
        CHECK_INT(1, callbacks_with(format("/callback/%s\"", key)));
        CHECK_STATUS(US3_OK, us3_delete_file(host->client, key, &result), &result);
    }
    us3_result_clear(&result);
    return NULL;
}

static void thirty_two_threads_share_a_client(void)
{
    us3_client *client = emulator_client();
    struct host hosts[THREADS];

    emulator_reset();
    for (int i = 0; i < THREADS; i++) {
        hosts[i] = (struct host){.client = client, .number = i};
        REQUIRE(pthread_create(&hosts[i].thread, NULL, use_client, &hosts[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(hosts[i].thread, NULL);
    CHECK_INT(THREADS * ROUNDS, emulator_count("callbacks", "\"sequence\":"));
    CHECK_INT(0, pending_uploads());
    us3_client_free(client);
}

static void *make_and_free(void *arg)
{
    struct host *host = arg;
    us3_result result = US3_RESULT_INIT;
    char *file = test_text_file(format("many-%d", host->number), "hello");

    for (int round = 0; round < ROUNDS; round++) {
        us3_client *client = emulator_client();
        char *key = format("many-%d", host->number);
        CHECK_STATUS(US3_OK, us3_put_file_with_policy(client, file, key, NULL, NULL, &result), &result);
        us3_client_free(client);
    }
    us3_result_clear(&result);
    return NULL;
}

static void clients_come_and_go_in_many_threads(void)
{
    struct host hosts[THREADS];

    for (int i = 0; i < THREADS; i++) {
        hosts[i] = (struct host){.number = i};
        REQUIRE(pthread_create(&hosts[i].thread, NULL, make_and_free, &hosts[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(hosts[i].thread, NULL);
}

/* A handle may be freed after its client: it keeps what it needs. */
static void a_multipart_outlives_its_client(void)
{
    us3_client *client = emulator_client();
    us3_multipart *upload = initiate(client, "outlives");
    us3_result result = US3_RESULT_INIT;

    us3_client_free(client);
    CHECK_STATUS(US3_OK, us3_upload_part(upload, 0, "x", 1, &result), &result);
    CHECK_STATUS(US3_OK, us3_finish_multipart_upload_with_policy(upload, NULL, &result), &result);
    CHECK_STORED("outlives", (const unsigned char *)"x", 1);
    us3_result_clear(&result);
    us3_multipart_free(upload);
}

int main(void)
{
    RUN(thirty_two_threads_share_a_client);
    RUN(clients_come_and_go_in_many_threads);
    RUN(a_multipart_outlives_its_client);
    return check_done();
}
