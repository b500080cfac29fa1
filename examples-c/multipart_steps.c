/* A multipart upload by hand: parts from several threads, then the finish, and the finish again.
 *
 *   multipart_steps CONFIG FILE KEY CALLBACK_URL
 *
 * Each thread takes the number of the next part, reads that part of the file and sends it; the order
 * in which parts arrive does not matter. Then the parts are joined and US3 calls back. The first
 * finish fails on purpose, with a policy that asks for a variable nobody has defined: the upload and
 * its parts are still there, so that the second finish, with a better policy, sends no part again.
 *
 *   cc -std=c99 -Iinclude examples-c/multipart_steps.c -Lbuild/lib -lus3 -lpthread -o multipart_steps
 */
#define _POSIX_C_SOURCE 200809L

#include <us3.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

enum { THREADS = 4 };

/* What the threads share. */
struct job {
    us3_multipart *upload;
    int file;
    size_t part_size;
    pthread_mutex_t lock;
    uint32_t next_part;
    bool failed;
};

static bool report(const char *what, us3_result *result)
{
    char *text = us3_result_describe(result);

    printf("%s: %s\n", what, text == NULL ? "no memory" : text);
    us3_string_free(text);
    return result->status == US3_OK;
}

/* ---- parts --------------------------------------------------------------------------------- */

/* The bytes of a part; fewer than its size only at the end of the file. -1 when reading fails. */
static ssize_t read_part(const struct job *job, uint32_t number, char *part)
{
    size_t len = 0;
    ssize_t count = 1;

    while (len < job->part_size && count > 0) {
        off_t offset = (off_t)number * (off_t)job->part_size + (off_t)len;
        count = pread(job->file, part + len, job->part_size - len, offset);
        len += count > 0 ? (size_t)count : 0;
    }
    return count < 0 ? -1 : (ssize_t)len;
}

/* The number of the next part; false when another thread has failed. */
static bool take_number(struct job *job, uint32_t *number)
{
    bool go_on;

    pthread_mutex_lock(&job->lock);
    go_on = !job->failed;
    *number = job->next_part++;
    pthread_mutex_unlock(&job->lock);
    return go_on;
}

static void give_up(struct job *job)
{
    pthread_mutex_lock(&job->lock);
    job->failed = true;
    pthread_mutex_unlock(&job->lock);
}

static void *send_parts(void *arg)
{
    struct job *job = arg;
    us3_result result = US3_RESULT_INIT; /* each thread has its own */
    char *part = malloc(job->part_size);
    uint32_t number;
    ssize_t len = part == NULL ? -1 : 0;

    while (part != NULL && take_number(job, &number) && (len = read_part(job, number, part)) > 0)
        if (us3_upload_part(job->upload, number, part, (size_t)len, &result) != US3_OK) {
            report("UploadPart", &result);
            give_up(job);
        }
    if (len < 0)
        give_up(job);
    us3_result_clear(&result);
    free(part);
    return NULL;
}

static bool send_all_parts(struct job *job)
{
    pthread_t threads[THREADS];
    int started = 0;

    while (started < THREADS && pthread_create(&threads[started], NULL, send_parts, job) == 0)
        started++;
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    return started > 0 && !job->failed;
}

/* ---- the finish ---------------------------------------------------------------------------- */

static bool finish(us3_multipart *upload, const char *url)
{
    static const us3_header vars[] = {{"x:name", "Alice"}};
    char wrong[1024];
    us3_result result = US3_RESULT_INIT;
    char *right = us3_policy_build(url, "Name=$(x:name)", NULL, vars, 1, &result);
    bool ok;

    snprintf(wrong, sizeof wrong, "{\"callbackUrl\":\"%s\",\"callbackBody\":\"Name=$(x:name)\"}", url);
    if (us3_finish_multipart_upload_with_policy(upload, wrong, &result) == US3_OK)
        printf("The first finish was to fail, but did not.\n");
    else
        report("First finish", &result);
    /* NOT_STORED: the upload is there as it was. STORED would be the end, whatever the status. */
    ok = result.object_state == US3_OBJECT_NOT_STORED &&
         us3_finish_multipart_upload_with_policy(upload, right, &result) == US3_OK;
    ok = report("Second finish", &result) && ok;
    us3_string_free(right);
    us3_result_clear(&result);
    return ok;
}

static bool upload(us3_client *client, int file, const char *key, const char *url)
{
    struct job job = {.file = file, .lock = PTHREAD_MUTEX_INITIALIZER};
    us3_result result = US3_RESULT_INIT;
    bool ok;

    if (us3_initiate_multipart_upload(client, key, NULL, &job.upload, &result) != US3_OK) {
        report("InitiateMultipartUpload", &result);
        us3_result_clear(&result);
        return false;
    }
    job.part_size = (size_t)us3_multipart_part_size(job.upload);
    printf("Upload %s, in parts of %zu bytes\n", us3_multipart_upload_id(job.upload), job.part_size);
    ok = send_all_parts(&job) && finish(job.upload, url);
    /* Parts of an upload that is neither finished nor aborted stay, and cost. */
    if (!ok && us3_abort_multipart_upload(job.upload, &result) != US3_OK)
        report("AbortMultipartUpload", &result);
    us3_result_clear(&result);
    us3_multipart_free(job.upload);
    return ok;
}

int main(int argc, char **argv)
{
    us3_result result = US3_RESULT_INIT;
    us3_client *client = NULL;
    bool ok = false;
    int file;

    if (argc != 5) {
        fprintf(stderr, "usage: multipart_steps CONFIG FILE KEY CALLBACK_URL\n");
        return 2;
    }
    file = open(argv[2], O_RDONLY | O_CLOEXEC);
    if (file < 0)
        perror(argv[2]);
    else if (us3_client_from_file(argv[1], &client, &result) != US3_OK)
        report("us3_client_from_file", &result);
    else
        ok = upload(client, file, argv[3], argv[4]);
    us3_result_clear(&result);
    us3_client_free(client);
    if (file >= 0)
        close(file);
    return ok ? 0 : 1;
}
