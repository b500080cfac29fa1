/* A service that cannot be reached: refused, unknown, or not the one that its certificate should name. */
#define _POSIX_C_SOURCE 200809L

#include "http.h"
#include "operations.h"
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Each operation fails with this status, names the address and the reason, and knows that nothing happened. */
static void unreachable(us3_config config, int32_t status, const char *address, const char *reason)
{
    us3_client *client;
    us3_result result = US3_RESULT_INIT;
    us3_file_info info = US3_FILE_INFO_INIT;
    char *file = test_text_file("plain.txt", "hello");

    config.max_retries = 0;
    client = client_with(&config);
    for (int op = 0; op < OPERATIONS; op++) {
        CHECK_STATUS(status, operations[op].run(client, file, "k", "{\"callbackUrl\":\"http://h/\"}", &result), &result);
        CHECK_HAS(result.err_msg, address);
        CHECK_HAS(result.err_msg, reason);
        CHECK_INT(0, result.http_status);
        CHECK_INT(US3_OBJECT_NOT_STORED, result.object_state);
        CHECK(result.upload_id == NULL);
        if (op != FINISH) /* by hand, the initiate fails, which has no policy */
            CHECK_INT(US3_CALLBACK_NOT_DELIVERED, result.callback_state);
    }
    CHECK_REFUSED(status, address, us3_delete_file(client, "k", &result), &result);
    CHECK_REFUSED(status, address, us3_head_file(client, "k", &info, &result), &result);
    us3_client_free(client);
}

static void a_connection_that_is_refused(void)
{
    us3_config config = config_for(refusing_url());
    us3_result result = US3_RESULT_INIT;
    us3_client *client;

    unreachable(config, US3_NETWORK_ERROR, strrchr(config.endpoint, ':'), "refused");
    config.max_retries = 0;
    client = client_with(&config);
    CHECK_STATUS(US3_NETWORK_ERROR, us3_delete_file(client, "k", &result), &result);
    CHECK_INT(ECONNREFUSED, result.os_error);
    us3_result_clear(&result);
    us3_client_free(client);
}

static void a_name_that_does_not_resolve(void)
{
    us3_config config = config_for(NULL);

    unreachable(config_for("http://no-such-host.invalid"), US3_NETWORK_ERROR, "no-such-host.invalid", "does not resolve");
    config.file_host = "no-such-host.invalid";
    unreachable(config, US3_NETWORK_ERROR, "demo.no-such-host.invalid", "does not resolve");
}

static void a_certificate_that_is_not_trusted(void)
{
    unreachable(config_for(env("US3_TEST_TLS")), US3_NETWORK_ERROR, "127.0.0.1", "certificate");
    /* … and what to do about it. */
    unreachable(config_for(env("US3_TEST_TLS")), US3_NETWORK_ERROR, "127.0.0.1", "ca_file");
}

/* With its issuer as ca_file, and under its name, the same server is trusted. */
static void ca_file_makes_it_trusted(void)
{
    us3_config config = config_for(format("https://localhost%s", strrchr(env("US3_TEST_TLS"), ':')));
    us3_result result = US3_RESULT_INIT;
    us3_client *client;

    config.ca_file = env("US3_TEST_CA");
    config.max_retries = 0;
    client = client_with(&config);
    for (int op = 0; op < OPERATIONS; op++) {
        CHECK_STATUS(US3_OK, operations[op].run(client, test_text_file("f", "over TLS"), "tls", NULL, &result), &result);
        CHECK_INT(US3_OBJECT_STORED, result.object_state);
    }
    us3_result_clear(&result);
    us3_client_free(client);
}

/* The certificate is for localhost only. */
static void a_certificate_for_another_name(void)
{
    us3_config config = config_for(env("US3_TEST_TLS"));
    us3_result result = US3_RESULT_INIT;
    us3_client *client;

    config.ca_file = env("US3_TEST_CA");
    config.max_retries = 0;
    client = client_with(&config);
    CHECK_REFUSED(US3_NETWORK_ERROR, "certificate", us3_delete_file(client, "k", &result), &result);
    us3_client_free(client);
}

/* An https address at which something else than TLS answers. */
static void a_server_without_tls(void)
{
    us3_config config = config_for(env("US3_TEST_ENDPOINT"));
    char *port = strrchr(env("US3_TEST_ENDPOINT"), ':') + 1;

    config.endpoint = format("https://127.0.0.1:%s", port);
    unreachable(config, US3_NETWORK_ERROR, port, "TLS");
}

/* A host's environment may hold a proxy that is meant for others. */
static void the_environment_s_proxy_is_left_alone(void)
{
    us3_client *client;
    us3_result result = US3_RESULT_INIT;
    char *proxy = refusing_url();

    REQUIRE(setenv("http_proxy", proxy, 1) == 0 && setenv("HTTP_PROXY", proxy, 1) == 0);
    REQUIRE(setenv("all_proxy", proxy, 1) == 0 && setenv("ALL_PROXY", proxy, 1) == 0);
    client = emulator_client();
    CHECK_STATUS(US3_OK, us3_put_file_with_policy(client, test_text_file("f", "x"), "proxy", NULL, NULL, &result), &result);
    us3_result_clear(&result);
    us3_client_free(client);
}

int main(void)
{
    RUN(a_connection_that_is_refused);
    RUN(a_name_that_does_not_resolve);
    RUN(a_certificate_that_is_not_trusted);
    RUN(ca_file_makes_it_trusted);
    RUN(a_certificate_for_another_name);
    RUN(a_server_without_tls);
    RUN(the_environment_s_proxy_is_left_alone);
    return check_done();
}
