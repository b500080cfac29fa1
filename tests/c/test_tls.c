/* TLS within a process that has signals and a TLS library of its own.
 *
 * The rule is in force until the first emulator_reset.
 *
 * emulator options: --rule {"call":"put","at":{"body":3000000},"fault":"reset"} --rule {"call":"part","at":{"body":3000000},"fault":"reset"}
 */
#define _DEFAULT_SOURCE

#include "http.h"
#include "loading.h"
#include "operations.h"
#include "support.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Under its name, with its issuer as ca_file. */
static us3_client *tls_client(void)
{
    us3_config config = config_for(format("https://localhost%s", strrchr(env("US3_TEST_TLS"), ':')));

    config.ca_file = env("US3_TEST_CA");
    config.max_retries = 0;
    return client_with(&config);
}

/* As without TLS (test_guest.c): the alert and the rest of the records go to a dead socket. */
static void sigpipe_does_not_reach_the_host(void)
{
    us3_client *client = tls_client();
    us3_result result = US3_RESULT_INIT;
    char *file = test_file("large", 64 * MIB, 1);

    REQUIRE(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    for (int i = 0; i < (check_slow() ? 3 : 10); i++) {
        CHECK_STATUS(US3_NETWORK_ERROR, us3_put_file_with_policy(client, file, "k", NULL, NULL, &result), &result);
        CHECK_INT(US3_OBJECT_NOT_STORED, result.object_state);
        CHECK_STATUS(US3_NETWORK_ERROR, us3_async_mput_with_policy(client, file, "k", NULL, NULL, &result), &result);
    }
    CHECK(requests_seen("put") > 0 && requests_seen("part") > 0);
    us3_result_clear(&result);
    us3_client_free(client);
}

/* ---- a host's own OpenSSL -------------------------------------------------------------------- */

/* What the host uses of OpenSSL 3 or 1.1, whose headers need not be there. */
struct openssl {
    const void *(*client_method)(void);
    void *(*ctx_new)(const void *method);
    void (*ctx_free)(void *ctx);
    int (*load_ca)(void *ctx, const char *file, const char *folder);
    void (*set_verify)(void *ctx, int mode, void *callback);
    void *(*session_new)(void *ctx);
    void (*session_free)(void *session);
    int (*set_host)(void *session, const char *name);
    int (*set_fd)(void *session, int fd);
    int (*connect)(void *session);
    int (*write)(void *session, const void *data, int len);
    int (*read)(void *session, void *data, int len);
};

/* With its symbols for everybody, as if the host were linked with it. False without OpenSSL. */
static bool load_openssl(struct openssl *ssl)
{
    void *library = dlopen("libssl.so.3", RTLD_NOW | RTLD_GLOBAL);

    if (library == NULL)
        library = dlopen("libssl.so.1.1", RTLD_NOW | RTLD_GLOBAL);
    if (library == NULL)
        return false;
    look_up(library, "TLS_client_method", &ssl->client_method);
    look_up(library, "SSL_CTX_new", &ssl->ctx_new);
    look_up(library, "SSL_CTX_free", &ssl->ctx_free);
    look_up(library, "SSL_CTX_load_verify_locations", &ssl->load_ca);
    look_up(library, "SSL_CTX_set_verify", &ssl->set_verify);
    look_up(library, "SSL_new", &ssl->session_new);
    look_up(library, "SSL_free", &ssl->session_free);
    look_up(library, "SSL_set1_host", &ssl->set_host);
    look_up(library, "SSL_set_fd", &ssl->set_fd);
    look_up(library, "SSL_connect", &ssl->connect);
    look_up(library, "SSL_write", &ssl->write);
    look_up(library, "SSL_read", &ssl->read);
    return true;
}

/* The host asks the same service by itself, and checks its certificate. */
static void ask_with_openssl(const struct openssl *ssl)
{
    static const char request[] = "HEAD /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    char answer[9] = "";
    void *ctx = ssl->ctx_new(ssl->client_method());
    void *session;
    int fd = http_connect(format("http%s", strchr(env("US3_TEST_TLS"), ':')));

    REQUIRE(ctx != NULL);
    CHECK_INT(1, ssl->load_ca(ctx, env("US3_TEST_CA"), NULL));
    ssl->set_verify(ctx, 1, NULL);
    session = ssl->session_new(ctx);
    REQUIRE(session != NULL);
    CHECK_INT(1, ssl->set_host(session, "localhost"));
    CHECK_INT(1, ssl->set_fd(session, fd));
    CHECK_INT(1, ssl->connect(session));
    CHECK_INT(sizeof request - 1, ssl->write(session, request, sizeof request - 1));
    CHECK_INT(8, ssl->read(session, answer, 8));
    CHECK_STR("HTTP/1.1", answer);
    ssl->session_free(session);
    ssl->ctx_free(ctx);
    close(fd);
}

static void *upload_over_tls(void *client)
{
    char *file = test_file("f", 300 * KIB, 1);

    for (int i = 0; i < 20; i++) {
        us3_result result = US3_RESULT_INIT;
        CHECK_STATUS(US3_OK, us3_put_file_with_policy(client, file, "beside", NULL, NULL, &result), &result);
        us3_result_clear(&result);
    }
    return NULL;
}

/* Both have TLS libraries, and a second libus3 offers its symbols to everybody. */
static void beside_openssl_and_another_copy(void)
{
    struct openssl ssl;
    us3_config config = config_for(env("US3_TEST_ENDPOINT"));
    us3_client *client = NULL, *other = NULL;
    struct api copy;
    pthread_t uploader;

    if (!load_openssl(&ssl)) {
        const char *require_all = getenv("REQUIRE_ALL");
        CHECK(require_all == NULL || strcmp(require_all, "1") != 0);
        fprintf(stderr, "*** NOT TESTED: beside OpenSSL: it is not here (Debian: apt-get install libssl3)\n");
        return;
    }
    emulator_reset();
    copy = load(copy_of_the_library(), RTLD_GLOBAL);
    CHECK((void (*)(us3_client *))us3_client_free != copy.client_free);
    REQUIRE(copy.client_new(&config, &other, NULL) == US3_OK);
    client = tls_client();
    REQUIRE(pthread_create(&uploader, NULL, upload_over_tls, client) == 0);
    for (int i = 0; i < 20; i++)
        ask_with_openssl(&ssl);
    pthread_join(uploader, NULL);
    copy.client_free(other);
    us3_client_free(client);
}

int main(void)
{
    RUN(sigpipe_does_not_reach_the_host);
    RUN(beside_openssl_and_another_copy);
    return check_done();
}
