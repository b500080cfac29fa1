/* Aborts the unfinished multipart uploads that nobody goes on with: they are charged for, and keep a bucket from being
 * deleted.
 *
 *   sweep CONFIG [--abort] [--hours N] [PREFIX]
 *
 * Without --abort it only lists them. Those that were begun less than N hours ago (default 24) may still be at work and
 * are left alone, as are those of which the service does not say when they were begun. The token needs the rights LIST,
 * and DELETE to abort.
 *
 *   cc -std=c99 -Iinclude examples-c/sweep.c -Lbuild/lib -lus3 -o sweep
 */
#define _POSIX_C_SOURCE 200809L

#include <us3.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct upload {
    char *key, *upload_id;
    struct upload *next;
};

struct sweep {
    const char *config, *prefix;
    bool abort;
    int64_t before; /* younger uploads are left alone */
    struct upload *old, **end;
    int found, young, failed;
    bool no_memory;
};

static void report(const char *what, const us3_result *result)
{
    char *text = us3_result_describe(result);

    fprintf(stderr, "%s: %s\n", what, text == NULL ? "no memory" : text);
    us3_string_free(text);
}

/* Called on a library thread, where nothing may block: the uploads are only noted here, and aborted afterwards. */
static int32_t note(const us3_unfinished *unfinished, void *user_data)
{
    struct sweep *sweep = user_data;
    struct upload *upload;

    sweep->found++;
    if (unfinished->started < 0 || unfinished->started > sweep->before) {
        sweep->young++;
        return 0;
    }
    upload = calloc(1, sizeof *upload);
    if (upload != NULL) {
        upload->key = strdup(unfinished->key);
        upload->upload_id = strdup(unfinished->upload_id);
        *sweep->end = upload;
        sweep->end = &upload->next;
    }
    sweep->no_memory = upload == NULL || upload->key == NULL || upload->upload_id == NULL;
    return sweep->no_memory;
}

static void conclude(struct sweep *sweep, us3_client *client, const struct upload *upload)
{
    us3_result result = US3_RESULT_INIT;

    if (!sweep->abort) {
        printf("would abort %s of %s\n", upload->upload_id, upload->key);
    } else if (us3_abort_upload(client, upload->key, upload->upload_id, &result) == US3_OK) {
        printf("aborted %s of %s\n", upload->upload_id, upload->key);
    } else if (result.http_status == 404) {
        printf("gone meanwhile: %s of %s\n", upload->upload_id, upload->key);
    } else {
        sweep->failed++;
        report(upload->key, &result);
    }
    us3_result_clear(&result);
}

static bool run(struct sweep *sweep, us3_client *client)
{
    us3_result result = US3_RESULT_INIT;
    us3_status status = us3_list_uploads(client, sweep->prefix, note, sweep, &result);
    int old = 0;

    if (sweep->no_memory)
        fprintf(stderr, "no memory\n");
    else if (status != US3_OK)
        report("the list of unfinished uploads", &result);
    us3_result_clear(&result);
    if (status != US3_OK || sweep->no_memory)
        return false;
    for (const struct upload *upload = sweep->old; upload != NULL; upload = upload->next, old++)
        conclude(sweep, client, upload);
    printf("%d unfinished uploads, %d of them young; %d %s\n", sweep->found, sweep->young, old - sweep->failed,
           sweep->abort ? "aborted" : "to abort with --abort");
    return sweep->failed == 0;
}

static bool read_arguments(struct sweep *sweep, int argc, char **argv)
{
    double hours = 24;
    int at = 2;

    if (argc < 2)
        return false;
    sweep->config = argv[1];
    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
        if (strcmp(argv[at], "--abort") == 0) {
            sweep->abort = true;
        } else if (strcmp(argv[at], "--hours") == 0 && at + 1 < argc) {
            char *end;
            hours = strtod(argv[++at], &end);
            if (*end != '\0' || end == argv[at] || !(hours >= 0))
                return false;
        } else {
            return false;
        }
    }
    sweep->prefix = at < argc ? argv[at++] : NULL;
    sweep->before = (int64_t)((double)time(NULL) - hours * 3600);
    return at == argc;
}

int main(int argc, char **argv)
{
    struct sweep sweep = {0};
    us3_result result = US3_RESULT_INIT;
    us3_client *client = NULL;
    bool ok;

    sweep.end = &sweep.old;
    if (!read_arguments(&sweep, argc, argv)) {
        fprintf(stderr, "usage: sweep CONFIG [--abort] [--hours N] [PREFIX]\n");
        return 2;
    }
    if (us3_client_from_file(sweep.config, &client, &result) != US3_OK)
        report(sweep.config, &result);
    us3_result_clear(&result);
    ok = client != NULL && run(&sweep, client);
    us3_client_free(client);
    while (sweep.old != NULL) {
        struct upload *next = sweep.old->next;
        free(sweep.old->key);
        free(sweep.old->upload_id);
        free(sweep.old);
        sweep.old = next;
    }
    return ok ? 0 : 1;
}
