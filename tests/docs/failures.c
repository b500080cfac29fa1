/* Meets each failure of docs/errors.md for real, and prints it as a user reads it: its name, then the
 * paragraph of us3_result_describe. Fails when a failure does not have its status, or a status none.
 *
 *   failures       with ENDPOINT and HTTPS_URL (an emulator with the rules of failures.rules), CALLBACK_URL and
 *                  REFUSED_URL (where nobody listens) in the environment, in an empty folder
 */
#define _POSIX_C_SOURCE 200809L

#include <us3.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MIB = 1 << 20, POLICY_SIZE = 512 };

static us3_result result = US3_RESULT_INIT;
static us3_client *client;
static char policy[POLICY_SIZE];

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    if (value == NULL) {
        fprintf(stderr, "failures: %s is not set\n", name);
        exit(2);
    }
    return value;
}

static us3_config config_of(const char *endpoint)
{
    us3_config config = US3_CONFIG_INIT;

    config.public_key = "demo-public-key";
    config.private_key = "demo-private-key";
    config.bucket_name = "demo";
    config.endpoint = endpoint;
    config.max_retries = 0;
    config.settle_timeout_ms = 200;
    return config;
}

static us3_status put_file_with(const us3_config *config, const char *path, const char *key, const char *policy_json)
{
    us3_client *other = NULL;
    us3_status status = us3_client_new(config, &other, &result);

    if (status == US3_OK)
        status = us3_put_file_with_policy(other, path, key, NULL, policy_json, &result);
    us3_client_free(other);
    return status;
}

static us3_status put_with(const us3_config *config, const char *key, const char *policy_json)
{
    return put_file_with(config, "video.mp4", key, policy_json);
}

static us3_status put(const char *key, const char *policy_json)
{
    return us3_put_file_with_policy(client, "video.mp4", key, NULL, policy_json, &result);
}

static us3_status put_to(const char *endpoint)
{
    us3_config config = config_of(endpoint);

    return put_with(&config, "1.mp4", NULL);
}

/* Over a new connection, which therefore does not break because it was idle. */
static us3_status put_afresh(const char *key, const char *policy_json)
{
    us3_config config = config_of(variable("ENDPOINT"));

    return put_with(&config, key, policy_json);
}

static const char *policy_to(const char *url)
{
    snprintf(policy, sizeof policy, "{\"callbackUrl\":\"%s\",\"callbackBody\":\"key=1.mp4\"}", url);
    return policy;
}

/* A callback service that the emulator itself plays: failures.rules has its answers. */
static const char *policy_to_service(const char *name)
{
    char url[POLICY_SIZE / 2];

    snprintf(url, sizeof url, "%s/service/%s", variable("ENDPOINT"), name);
    return policy_to(url);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
        exit(2);
}

/* ---- the failures, in the order of the statuses -------------------------------------------------- */

static us3_status null_key(void)
{
    return us3_put_file_with_policy(client, "video.mp4", NULL, NULL, NULL, &result);
}

static us3_status dots_in_the_key(void)
{
    return put("videos/../1.mp4", NULL);
}

static us3_status too_large_for_one_request(void)
{
    write_file("large", "");
    if (truncate("large", (off_t)513 * MIB) != 0)
        exit(2);
    return us3_put_file_with_policy(client, "large", "large", NULL, NULL, &result);
}

static us3_status uninitialised_struct(void)
{
    us3_upload_request request;

    memset(&request, 0, sizeof request);
    return us3_upload(client, &request, &result);
}

static us3_status no_bucket_name(void)
{
    us3_config config = config_of(variable("ENDPOINT"));
    us3_client *other;

    config.bucket_name = NULL;
    return us3_client_new(&config, &other, &result);
}

static us3_status config_with(const char *text)
{
    us3_client *other;

    write_file("config.json", text);
    return us3_client_from_file("config.json", &other, &result);
}

static us3_status config_is_not_json(void)
{
    return config_with("{\n  \"public_key\": \"p\"\n  \"private_key\": \"q\"\n}\n");
}

static us3_status config_of_another_type(void)
{
    return config_with("{\"public_key\": \"p\", \"private_key\": \"q\", \"bucket_name\": \"demo\",\n"
                       " \"file_host\": \"cn-bj.ufileos.com\", \"max_retries\": \"3\"}\n");
}

static us3_status empty_policy(void)
{
    return put("1.mp4", "");
}

static us3_status undefined_variable(void)
{
    return us3_policy_check("{\"callbackUrl\":\"http://example.com/\",\"callbackBody\":\"name=$(x:name)\"}", &result);
}

static us3_status policy_without_url(void)
{
    return us3_policy_check("{\"callbackBody\":\"a=b\"}", &result);
}

static us3_status no_such_file(void)
{
    return us3_put_file_with_policy(client, "no-such-file", "1.mp4", NULL, NULL, &result);
}

static us3_status a_folder(void)
{
    return us3_mput_with_policy(client, ".", "1.mp4", NULL, NULL, &result);
}

static us3_status no_config_file(void)
{
    us3_client *other;

    return us3_client_from_file("/etc/no-such/config.json", &other, &result);
}

static int32_t append_to_file(const us3_progress *progress, void *path)
{
    FILE *file = fopen(path, "a");

    (void)progress;
    if (file == NULL || fputs("more", file) < 0 || fclose(file) != 0)
        exit(2);
    return 0;
}

/* It says that it has no byte. */
static us3_status file_without_a_size(void)
{
    us3_config config = config_of(variable("ENDPOINT"));

    return put_file_with(&config, "/proc/cpuinfo", "cpuinfo", NULL);
}

static us3_status file_changes(void)
{
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
    char path[] = "growing.log";

    write_file(path, "");
    if (truncate(path, (off_t)9 * MIB) != 0)
        exit(2);
    request.file_path = path;
    request.key = "slow/growing.log";
    request.mode = US3_MODE_MPUT;
    request.jobs = 1;
    request.on_progress = append_to_file;
    request.user_data = path;
    return us3_upload(client, &request, &result);
}

static us3_status nobody_listens(void)
{
    return put_to(variable("REFUSED_URL"));
}

static us3_status unknown_host(void)
{
    us3_config config = config_of(NULL);

    config.file_host = "cn-bj.no-such-region.invalid";
    return put_with(&config, "1.mp4", NULL);
}

static us3_status plain_text_instead_of_tls(void)
{
    char url[100];

    snprintf(url, sizeof url, "https%s", variable("ENDPOINT") + strlen("http"));
    return put_to(url);
}

static us3_status untrusted_certificate(void)
{
    return put_to(variable("HTTPS_URL"));
}

static us3_status connection_breaks(void)
{
    return put_afresh("breaks/1.mp4", NULL);
}

static us3_status answer_is_lost(void)
{
    return put_afresh("lost/1.mp4", policy_to(variable("CALLBACK_URL")));
}

static us3_status no_answer_in_time(void)
{
    us3_config config = config_of(variable("ENDPOINT"));

    config.response_timeout_ms = 1000;
    return put_with(&config, "stall/1.mp4", NULL);
}

static us3_status nothing_can_be_sent(void)
{
    us3_config config = config_of(variable("ENDPOINT"));

    config.idle_timeout_ms = 1000;
    return put_file_with(&config, "film.mp4", "stuck/film.mp4", NULL);
}

static us3_status deadline_passes(void)
{
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;

    request.file_path = "video.mp4";
    request.key = "stall/1.mp4";
    request.timeout_ms = 1000;
    return us3_upload(client, &request, &result);
}

static int32_t cancel(const us3_progress *progress, void *user_data)
{
    (void)progress;
    (void)user_data;
    return 1;
}

static us3_status cancelled(void)
{
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;

    request.file_path = "film.mp4";
    request.key = "slow/film.mp4";
    request.mode = US3_MODE_MPUT;
    request.jobs = 1;
    request.on_progress = cancel;
    return us3_upload(client, &request, &result);
}

static us3_status wrong_private_key(void)
{
    us3_config config = config_of(variable("ENDPOINT"));

    config.private_key = "of-another-account";
    return put_with(&config, "1.mp4", NULL);
}

static us3_status no_authorization(void)
{
    return put("dropped-header/1.mp4", NULL);
}

static us3_status no_such_bucket(void)
{
    us3_config config = config_of(variable("ENDPOINT"));

    config.bucket_name = "dmeo";
    return put_with(&config, "1.mp4", NULL);
}

static us3_status policy_refused(void)
{
    return put("refused-policy/1.mp4", policy_to(variable("CALLBACK_URL")));
}

static us3_status damaged_on_its_way(void)
{
    return put("md5/1.mp4", NULL);
}

static us3_status no_such_object(void)
{
    us3_file_info info = US3_FILE_INFO_INIT;
    us3_status status = us3_head_file(client, "no-such-object", &info, &result);

    us3_file_info_clear(&info);
    return status;
}

static us3_status service_is_busy(void)
{
    us3_config config = config_of(variable("ENDPOINT"));

    config.max_retries = 1;
    return put_with(&config, "busy/1.mp4", NULL);
}

static us3_status finish_fails(void)
{
    return us3_async_mput_with_policy(client, "video.mp4", "finish/1.mp4", NULL, NULL, &result);
}

static us3_status finish_is_lost(void)
{
    return us3_async_mput_with_policy(client, "video.mp4", "finish-lost/1.mp4", NULL, policy_to(variable("CALLBACK_URL")), &result);
}

static us3_status a_gateway_answers(void)
{
    return put("gateway/1.mp4", policy_to(variable("CALLBACK_URL")));
}

static us3_status a_redirect(void)
{
    /* As with not_http, the body is not through. */
    return us3_put_file_with_policy(client, "film.mp4", "redirect/1.mp4", NULL, NULL, &result);
}

static us3_status callback_refused(void)
{
    return put("1.mp4", policy_to(variable("REFUSED_URL")));
}

static us3_status callback_breaks_off(void)
{
    return put("1.mp4", policy_to_service("breaks"));
}

static us3_status callback_answers_text(void)
{
    return put("1.mp4", policy_to_service("text"));
}

static us3_status callback_answers_no_json(void)
{
    return put("1.mp4", policy_to_service("not-json"));
}

static us3_status callback_answers_an_error(void)
{
    return put("1.mp4", policy_to_service("error"));
}

static us3_status other_etag(void)
{
    return put("etag/1.mp4", NULL);
}

static us3_status damaged_part(void)
{
    return us3_mput_with_policy(client, "video.mp4", "part/1.mp4", NULL, NULL, &result);
}

static us3_status not_http(void)
{
    /* More than a busy machine's sockets hold before the answer is read: the body is not through, then. */
    return us3_put_file_with_policy(client, "film.mp4", "garbage/1.mp4", NULL, NULL, &result);
}

static us3_status a_web_page(void)
{
    return us3_mput_with_policy(client, "video.mp4", "web-page/1.mp4", NULL, NULL, &result);
}

static us3_status not_finished_yet(void)
{
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
    us3_task *task = NULL;
    us3_status status;

    request.file_path = "video.mp4";
    request.key = "stall/1.mp4";
    if (us3_upload_start(client, &request, &task, &result) != US3_OK)
        return result.status;
    status = us3_task_wait(task, 0, &result);
    us3_task_cancel(task);
    us3_task_free(task);
    return status;
}

static void ask_again(us3_task *task, const us3_result *told, void *status)
{
    us3_file_info info = US3_FILE_INFO_INIT;

    (void)task;
    (void)told;
    *(us3_status *)status = us3_head_file(client, "1.mp4", &info, &result);
    us3_file_info_clear(&info);
}

static us3_status blocking_in_a_callback(void)
{
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
    us3_status status = US3_OK;

    request.file_path = "video.mp4";
    request.key = "1.mp4";
    request.on_complete = ask_again;
    request.user_data = &status;
    us3_upload(client, &request, NULL);
    return status;
}

/* The child has the parent's result; it prints for itself. */
static us3_status in_a_forked_child(void)
{
    int status = 0;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        char *text;
        status = put("1.mp4", NULL);
        text = us3_result_describe(&result);
        printf("%s\n", text);
        us3_string_free(text);
        exit(status);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        exit(2);
    us3_result_clear(&result);
    return WEXITSTATUS(status);
}

/* Nobody can make one; this is how it reads. */
static us3_status mistake_in_the_library(void)
{
    static char message[] = "libus3 made a mistake; please report it, with this message: …";

    us3_result_clear(&result);
    result.status = US3_INTERNAL_ERROR;
    result.err_msg = message;
    return US3_INTERNAL_ERROR;
}

static const struct failure {
    const char *name;
    int32_t status;
    us3_status (*meet)(void);
} failures[] = {
    {"a parameter is NULL", US3_INVALID_ARGUMENT, null_key},
    {"`.` or `..` in the key", US3_INVALID_ARGUMENT, dots_in_the_key},
    {"PutFile of more than 512 MiB", US3_INVALID_ARGUMENT, too_large_for_one_request},
    {"a struct without its initialiser", US3_INVALID_ARGUMENT, uninitialised_struct},
    {"no bucket_name", US3_INVALID_CONFIG, no_bucket_name},
    {"config.json is not JSON", US3_INVALID_CONFIG, config_is_not_json},
    {"a member of another type", US3_INVALID_CONFIG, config_of_another_type},
    {"an empty policy", US3_INVALID_POLICY, empty_policy},
    {"a variable that is not defined", US3_INVALID_POLICY, undefined_variable},
    {"no callbackUrl", US3_INVALID_POLICY, policy_without_url},
    {"no such file", US3_FILE_ERROR, no_such_file},
    {"a folder", US3_FILE_ERROR, a_folder},
    {"no configuration file", US3_FILE_ERROR, no_config_file},
    {"a file of /proc", US3_FILE_ERROR, file_without_a_size},
    {"the file grows meanwhile", US3_FILE_CHANGED, file_changes},
    {"nobody listens", US3_NETWORK_ERROR, nobody_listens},
    {"the host name is unknown", US3_NETWORK_ERROR, unknown_host},
    {"https to a port that speaks http", US3_NETWORK_ERROR, plain_text_instead_of_tls},
    {"a certificate that nobody trusts", US3_NETWORK_ERROR, untrusted_certificate},
    {"the connection breaks", US3_NETWORK_ERROR, connection_breaks},
    {"the answer is lost", US3_NETWORK_ERROR, answer_is_lost},
    {"the answer to a finish is lost", US3_NETWORK_ERROR, finish_is_lost},
    {"no answer in time", US3_TIMEOUT, no_answer_in_time},
    {"nothing can be sent", US3_TIMEOUT, nothing_can_be_sent},
    {"timeout_ms passes", US3_TIMEOUT, deadline_passes},
    {"cancelled", US3_CANCELLED, cancelled},
    {"wrong private key", US3_SERVICE_ERROR, wrong_private_key},
    {"no authorization", US3_SERVICE_ERROR, no_authorization},
    {"no such bucket", US3_SERVICE_ERROR, no_such_bucket},
    {"the service refuses the policy", US3_SERVICE_ERROR, policy_refused},
    {"damaged on its way", US3_SERVICE_ERROR, damaged_on_its_way},
    {"no such object", US3_SERVICE_ERROR, no_such_object},
    {"the service is busy", US3_SERVICE_ERROR, service_is_busy},
    {"the finish fails", US3_SERVICE_ERROR, finish_fails},
    {"a gateway answers", US3_SERVICE_ERROR, a_gateway_answers},
    {"the callback service is down", US3_CALLBACK_FAILED, callback_refused},
    {"the callback service breaks off", US3_CALLBACK_FAILED, callback_breaks_off},
    {"the callback service answers text", US3_CALLBACK_FAILED, callback_answers_text},
    {"the callback service answers no JSON", US3_CALLBACK_FAILED, callback_answers_no_json},
    {"the callback service answers an error", US3_CALLBACK_FAILED, callback_answers_an_error},
    {"other bytes are stored", US3_INTEGRITY_ERROR, other_etag},
    {"a part is damaged", US3_INTEGRITY_ERROR, damaged_part},
    {"not HTTP", US3_PROTOCOL_ERROR, not_http},
    {"a web page answers", US3_PROTOCOL_ERROR, a_web_page},
    {"a redirect", US3_PROTOCOL_ERROR, a_redirect},
    {"not finished yet", US3_PENDING, not_finished_yet},
    {"a blocking call in a callback", US3_WOULD_DEADLOCK, blocking_in_a_callback},
    {"after fork()", US3_FORKED, in_a_forked_child},
    {"a mistake in libus3", US3_INTERNAL_ERROR, mistake_in_the_library},
};
enum { FAILURES = sizeof failures / sizeof *failures };

/* Prints one; whether it is as it must be. */
static bool meet(const struct failure *failure)
{
    us3_status status;
    char *text;

    printf("%s\n", failure->name);
    status = failure->meet();
    if (status != US3_FORKED) {
        text = us3_result_describe(&result);
        printf("%s\n", text);
        us3_string_free(text);
    }
    printf("\n");
    if (status == failure->status)
        return true;
    fprintf(stderr, "failures: %s: %s, not %s\n", failure->name, us3_status_name(status),
            us3_status_name(failure->status));
    return false;
}

static bool every_status_has_one(void)
{
    bool all = true;

    for (int32_t status = 1; strcmp(us3_status_name(status), "US3_UNKNOWN_STATUS") != 0; status++) {
        int met = 0;
        for (int i = 0; i < FAILURES; i++)
            met += failures[i].status == status;
        if (met == 0) {
            fprintf(stderr, "failures: none is %s\n", us3_status_name(status));
            all = false;
        }
    }
    return all;
}

int main(void)
{
    us3_config config = config_of(variable("ENDPOINT"));
    bool good = every_status_has_one();

    write_file("video.mp4", "");
    write_file("film.mp4", "");
    if (truncate("video.mp4", 5 * MIB) != 0 || truncate("film.mp4", 40 * MIB) != 0)
        return 2;
    if (us3_client_new(&config, &client, &result) != US3_OK) {
        fprintf(stderr, "failures: %s\n", result.err_msg);
        return 2;
    }
    for (int i = 0; i < FAILURES; i++)
        good &= meet(&failures[i]);
    memset(&result, 0, sizeof result); /* the last one is a literal */
    us3_client_free(client);
    return good ? 0 : 1;
}
