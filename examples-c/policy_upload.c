/* Uploads with a callback: the five WithPolicy operations, one after the other.
 *
 *   policy_upload CONFIG FILE CALLBACK_URL [QUERY_CALLBACK_URL]
 *   policy_upload --callback-down CONFIG FILE DEAD_URL
 *
 * CONFIG is the JSON file with the keys, the bucket and its host. CALLBACK_URL must be reachable
 * from US3, and answer JSON; callback_service.c is such a service. PutFile and MPut send their
 * callback as a JSON body to CALLBACK_URL; the others send theirs as a URL query to
 * QUERY_CALLBACK_URL, which is CALLBACK_URL when left out. Each object is deleted again.
 *
 * --callback-down shows what a program sees when nobody listens at the callback's URL: the object
 * is stored, and the result says so, with RetCode 20003. It succeeds when that is what happens.
 *
 *   cc -std=c99 -Iinclude examples-c/policy_upload.c -Lbuild/lib -lus3 -o policy_upload
 */
#include <us3.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { JOBS = 20 };

/* What every operation below needs. */
struct job {
    us3_client *client;
    const char *file_path;
    char key[64];
    char *json_policy, *query_policy;
};

static const char *or_dash(const char *text)
{
    return text == NULL || *text == '\0' ? "-" : text;
}

/* Prints what an operation reported, and releases it. On failure, the library's own account. */
static bool report(const char *operation, us3_result *result)
{
    bool ok = result->status == US3_OK;

    printf("\n%s\n", operation);
    if (ok) {
        printf("  status  %s, HTTP %" PRId32 "\n", us3_status_name(result->status), result->http_status);
        printf("  ETag    %s\n", or_dash(result->etag));
        printf("  reply   %s\n", or_dash(result->body));
    } else {
        char *text = us3_result_describe(result);
        printf("%s\n", or_dash(text));
        us3_string_free(text);
    }
    us3_result_clear(result);
    return ok;
}

static bool delete_object(const struct job *job)
{
    us3_result result = US3_RESULT_INIT;

    if (us3_delete_file(job->client, job->key, &result) != US3_OK)
        return report("DeleteFile", &result);
    us3_result_clear(&result);
    return true;
}

/* Reports an upload, and deletes the object if there is one: a failed callback leaves it stored. */
static bool conclude(const struct job *job, const char *operation, us3_result *result)
{
    bool stored = result->object_state == US3_OBJECT_STORED;
    bool ok = report(operation, result);

    return (!stored || delete_object(job)) && ok;
}

/* ---- the four operations that take a file ------------------------------------------------ */

static bool put_file(const struct job *job)
{
    us3_result result = US3_RESULT_INIT;

    us3_put_file_with_policy(job->client, job->file_path, job->key, NULL, job->json_policy, &result);
    return conclude(job, "PutFileWithPolicy", &result);
}

static bool mput(const struct job *job)
{
    us3_result result = US3_RESULT_INIT;

    us3_mput_with_policy(job->client, job->file_path, job->key, NULL, job->json_policy, &result);
    return conclude(job, "MPutWithPolicy, one part at a time", &result);
}

static bool async_mput(const struct job *job)
{
    us3_result result = US3_RESULT_INIT;

    us3_async_mput_with_policy(job->client, job->file_path, job->key, NULL, job->query_policy, &result);
    return conclude(job, "AsyncMPutWithPolicy, 10 parts at a time", &result);
}

static bool async_upload(const struct job *job)
{
    us3_result result = US3_RESULT_INIT;

    us3_async_upload_with_policy(job->client, job->file_path, job->key, NULL, JOBS, job->query_policy, &result);
    return conclude(job, "AsyncUploadWithPolicy, 20 parts at a time", &result);
}

/* ---- a multipart upload by hand ----------------------------------------------------------- */

/* Sends what one read brought as one part. */
static bool upload_part(us3_multipart *upload, uint32_t number, const void *part, size_t len)
{
    us3_result result = US3_RESULT_INIT;

    if (us3_upload_part(upload, number, part, len, &result) != US3_OK)
        return report("UploadPart", &result);
    us3_result_clear(&result);
    return true;
}

/* Sends the file as parts 0, 1, 2 … of the size that the service asks for. */
static bool upload_parts(us3_multipart *upload, FILE *file)
{
    size_t part_size = (size_t)us3_multipart_part_size(upload);
    void *part = malloc(part_size);
    uint32_t number = 0;
    size_t len;
    bool ok = part != NULL;

    while (ok && (len = fread(part, 1, part_size, file)) > 0)
        ok = upload_part(upload, number++, part, len);
    free(part);
    if (part == NULL || ferror(file)) {
        fprintf(stderr, "policy_upload: the file could not be read to its end\n");
        return false;
    }
    return ok;
}

/* The upload cannot be completed. Its parts would stay, and cost, if it were not aborted. */
static bool give_up(us3_multipart *upload)
{
    us3_result result = US3_RESULT_INIT;

    if (us3_abort_multipart_upload(upload, &result) != US3_OK)
        report("AbortMultipartUpload", &result);
    us3_result_clear(&result);
    return false;
}

/* Uploads the parts and joins them. */
static bool drive(const struct job *job, us3_multipart *upload, FILE *file)
{
    us3_result result = US3_RESULT_INIT;

    if (!upload_parts(upload, file))
        return give_up(upload);
    us3_finish_multipart_upload_with_policy(upload, job->query_policy, &result);
    if (result.status != US3_OK && result.object_state == US3_OBJECT_NOT_STORED) {
        report("FinishMultipartUploadWithPolicy", &result);
        return give_up(upload);
    }
    return conclude(job, "FinishMultipartUploadWithPolicy, parts sent by hand", &result);
}

static bool multipart_by_hand(const struct job *job)
{
    us3_result result = US3_RESULT_INIT;
    us3_multipart *upload = NULL;
    FILE *file = fopen(job->file_path, "rb");
    bool ok;

    if (file == NULL) {
        perror(job->file_path);
        return false;
    }
    if (us3_initiate_multipart_upload(job->client, job->key, NULL, &upload, &result) != US3_OK) {
        fclose(file);
        return report("InitiateMultipartUpload", &result);
    }
    us3_result_clear(&result);
    ok = drive(job, upload, file);
    us3_multipart_free(upload);
    fclose(file);
    return ok;
}

/* ---- a callback service that is down ------------------------------------------------------ */

static bool callback_down(const struct job *job)
{
    us3_result result = US3_RESULT_INIT;
    bool expected;

    us3_put_file_with_policy(job->client, job->file_path, job->key, NULL, job->json_policy, &result);
    expected = result.status == US3_CALLBACK_FAILED && result.object_state == US3_OBJECT_STORED &&
               result.ret_code == 20003;
    conclude(job, "PutFileWithPolicy, with the callback service down", &result);
    return expected;
}

/* ---- setting up ---------------------------------------------------------------------------- */

/* With a body type: a POST whose body is the callback body. */
static char *json_policy(const char *url, us3_result *result)
{
    return us3_policy_build(url, "{\"Name\":\"Alice\", \"Age\":20}", "application/json", NULL, 0, result);
}

/* Without: a POST whose URL query is the callback body, with its variables filled in by US3. */
static char *query_policy(const char *url, us3_result *result)
{
    static const us3_header vars[] = {{"x:name", "Alice"}, {"x:age", "20"}};

    return us3_policy_build(url, "Name=$(x:name)&Age=$(x:age)", NULL, vars, 2, result);
}

static bool prepare(struct job *job, const char *config, const char *json_url, const char *query_url)
{
    us3_result result = US3_RESULT_INIT;

    /* A key of its own, since the object is deleted afterwards. */
    snprintf(job->key, sizeof job->key, "libus3-example-%" PRIdMAX, (intmax_t)time(NULL));
    job->json_policy = json_policy(json_url, &result);
    if (job->json_policy == NULL)
        return report("us3_policy_build", &result);
    job->query_policy = query_policy(query_url, &result);
    if (job->query_policy == NULL)
        return report("us3_policy_build", &result);
    if (us3_client_from_file(config, &job->client, &result) != US3_OK)
        return report("us3_client_from_file", &result);
    us3_result_clear(&result);
    return true;
}

static void release(struct job *job)
{
    us3_client_free(job->client);
    us3_string_free(job->json_policy);
    us3_string_free(job->query_policy);
}

int main(int argc, char **argv)
{
    bool down = argc > 1 && strcmp(argv[1], "--callback-down") == 0;
    char **args = argv + (down ? 2 : 1);
    int count = argc - (down ? 2 : 1);
    struct job job = {0};
    bool ok;

    if (count < 3 || count > (down ? 3 : 4)) {
        fprintf(stderr, "usage: policy_upload CONFIG FILE CALLBACK_URL [QUERY_CALLBACK_URL]\n"
                        "       policy_upload --callback-down CONFIG FILE DEAD_URL\n");
        return 2;
    }
    job.file_path = args[1];
    ok = prepare(&job, args[0], args[2], count == 4 ? args[3] : args[2]);
    if (ok && down)
        ok = callback_down(&job);
    else if (ok)
        ok = put_file(&job) && mput(&job) && async_mput(&job) && async_upload(&job) && multipart_by_hand(&job);
    release(&job);
    return ok ? 0 : 1;
}
