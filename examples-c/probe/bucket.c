/* Requests to the service, and what they may have left in the bucket: see bucket.h. */
#define _POSIX_C_SOURCE 200809L

#include "bucket.h"
#include "mask.h"
#include "report.h"
#include "sign.h"
#include "text.h"

#include <inttypes.h>
#include <string.h>

static const struct settings *settings;
static us3_client *client;
static const char *prefix;
/* F of A2. */
static int64_t bound_ms;

/* More than F, so that an answer that comes too late is seen. */
enum { MORE_THAN_F_MS = 10000 };

/* Of an answer that lists uploads, 100 of which were asked for: a hostile one must not take a long time to read. */
enum { MOST_LISTED = 1000 };

/* What is to be removed at the end. */
static struct trace {
    const char *key;
    /* NULL: it is an object. */
    const char *upload_id;
    /* Nobody knows what became of a request for it, which ended then. */
    bool may_come;
    int64_t ended_ms;
    /* Removed, or not there and never will be. */
    bool gone;
    struct trace *next;
} *traces;

void bucket_use(const struct settings *used, us3_client *with, const char *keys, int64_t bound)
{
    settings = used;
    client = with;
    prefix = keys;
    bound_ms = bound;
}

/* ---- what is left behind --------------------------------------------------------------------- */

static void trace(const char *key, const char *upload_id)
{
    struct trace *new = keep(sizeof *new);

    new->key = key;
    new->upload_id = upload_id;
    new->next = traces;
    traces = new;
}

const char *new_key(const char *name)
{
    char *key = say("%s%s", prefix, name);

    trace(key, NULL);
    return key;
}

void track_upload(const char *key, const char *upload_id)
{
    for (const struct trace *trace = traces; trace != NULL; trace = trace->next)
        if (trace->upload_id != NULL && strcmp(trace->upload_id, upload_id) == 0)
            return;
    trace(key, upload_id);
}

static void set_may_come(const char *key, bool may_come)
{
    for (struct trace *trace = traces; trace != NULL; trace = trace->next)
        if (trace->upload_id == NULL && strcmp(trace->key, key) == 0)
            trace->may_come = may_come, trace->ended_ms = now_ms();
}

void settled(const char *key)
{
    set_may_come(key, false);
}

const char *content_of(const char *key)
{
    return say("An object of the libus3 probe, to be deleted: %s\n", key);
}

/* ---- requests by hand ------------------------------------------------------------------------- */

static char *encoded(const char *text, bool slash_too)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
    struct text url = {0};

    for (; *text != '\0'; text++) {
        if (strchr(plain, *text) != NULL || (*text == '/' && !slash_too))
            append(&url, text, 1);
        else
            append_format(&url, "%%%02X", (unsigned)(unsigned char)*text);
    }
    return kept(&url);
}

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

/* Its signature is hidden from now on. */
static char *authorization(const struct request *request, const char *bucket, const char *type, const char *policy)
{
    const char *key = request->private_key != NULL ? request->private_key : settings->private_key;
    const char *text = say("%s\n%s\n%s\n\n/%s/%s%s", request->method, or_empty(request->content_md5), type, bucket,
                           request->key, policy);
    char *signature = signature_of(key, text);

    hide(signature);
    return say("UCloud %s:%s%s%s", settings->public_key, signature, *policy == '\0' ? "" : ":", policy);
}

const struct answer *send_request(int row, const char *what, const struct request *request)
{
    const char *bucket = request->bucket != NULL ? request->bucket : settings->bucket;
    const char *host = settings->bucket_in_host ? say("%s.%s", bucket, settings->host) : settings->host;
    const char *policy = request->policy == NULL ? "" : base64url(request->policy, strlen(request->policy));
    const char *body = or_empty(request->body), *type = request->body == NULL ? "" : "text/plain";
    const char *name = *host == '[' ? say_part(host + 1, strlen(host) - 2) : host;
    struct text text = {0};
    long ret_code;
    char *err_msg;

    append_format(&text, "%s /%s%s%s HTTP/1.1\r\nHost: %s%s%s\r\n", request->method, encoded(request->key, false),
                  request->query == NULL ? "" : "?", or_empty(request->query), host,
                  strcmp(settings->port, "80") == 0 ? "" : ":", strcmp(settings->port, "80") == 0 ? "" : settings->port);
    append_format(&text, "Authorization: %s\r\n", authorization(request, bucket, type, policy));
    if (settings->security_token != NULL)
        append_format(&text, "SecurityToken: %s\r\n", settings->security_token);
    if (*type != '\0')
        append_format(&text, "Content-Type: %s\r\n", type);
    if (request->content_md5 != NULL)
        append_format(&text, "Content-MD5: %s\r\n", request->content_md5);
    append_format(&text, "%sContent-Length: %zu\r\nConnection: close\r\n\r\n%s", or_empty(request->headers), strlen(body), body);

    const char *bytes = kept(&text);
    bool is_head = strcmp(request->method, "HEAD") == 0;
    bool stores = request->bucket == NULL && strcmp(request->method, "GET") != 0 && !is_head;
    const struct answer *answer =
        http_exchange(name, settings->port, bytes, strlen(bytes), is_head, request->cut, bound_ms + MORE_THAN_F_MS);
    bool is_known = answer->status / 100 == 2 || is_form(answer, &ret_code, &err_msg);
    if (stores && answer->sent && !is_known)
        set_may_come(request->key, true);
    log_exchange(row, what, bytes, request->policy, answer);
    return answer;
}

/* ---- requests with libus3 ---------------------------------------------------------------------- */

/* What libus3 tells of an answer. */
static struct answer *answer_of(const us3_result *result)
{
    struct answer *answer = keep(sizeof *answer);
    struct text shown = {0};

    answer->sent = result->attempts > 0;
    answer->status = result->http_status;
    answer->why = say("%s", or_empty(result->err_msg));
    append_format(&shown, "HTTP %" PRId32 ", as libus3 tells it\r\n", result->http_status);
    if (result->session_id != NULL)
        append_format(&shown, "X-SessionId: %s\r\n", result->session_id);
    if (result->etag != NULL)
        append_format(&shown, "ETag: \"%s\"\r\n", result->etag);
    append_format(&shown, "(%s, %s, %s)\r\n", us3_status_name(result->status), us3_object_state_name(result->object_state),
                  us3_callback_state_name(result->callback_state));
    answer->head = kept(&shown);
    answer->body = say_part(or_empty(result->body), result->body_len);
    answer->body_len = result->body_len;
    return answer;
}

static const struct answer *put_with_library(int row, const char *what, const char *key, const char *policy)
{
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
    us3_result result = US3_RESULT_INIT;
    const struct answer *answer;

    request.mode = US3_MODE_PUT;
    request.key = key;
    request.data = content_of(key);
    request.data_len = strlen(request.data);
    request.mime_type = "text/plain";
    request.policy_json = policy;
    /* The body may repeat the request's signature; libus3 itself takes it out of its messages only. */
    authorization(&(struct request){.method = "PUT", .key = key}, settings->bucket, request.mime_type,
                  policy == NULL ? "" : base64url(policy, strlen(policy)));
    us3_upload(client, &request, &result);
    answer = answer_of(&result);
    if (result.object_state == US3_OBJECT_UNKNOWN)
        set_may_come(key, true);
    log_exchange(row, what, say("us3_upload %s\n", key), policy, answer);
    us3_result_clear(&result);
    return answer;
}

static const struct answer *head_with_library(int row, const char *what, const char *key)
{
    us3_file_info info = US3_FILE_INFO_INIT;
    us3_result result = US3_RESULT_INIT;
    struct answer *answer;

    us3_head_file(client, key, &info, &result);
    answer = answer_of(&result);
    if (info.etag != NULL)
        answer->head = say("HTTP %d, as libus3 tells it\r\nETag: \"%s\"\r\nContent-Length: %" PRIu64 "\r\n", answer->status,
                           info.etag, info.size);
    log_exchange(row, what, say("us3_head_file %s\n", key), NULL, answer);
    us3_file_info_clear(&info);
    us3_result_clear(&result);
    return answer;
}

const struct answer *put(int row, const char *what, const char *key, const char *policy)
{
    struct request request = {.method = "PUT", .key = key, .body = content_of(key), .policy = policy};

    if (settings->no_requests_by_hand != NULL)
        return put_with_library(row, what, key, policy);
    return send_request(row, what, &request);
}

const struct answer *head(int row, const char *what, const char *key)
{
    struct request request = {.method = "HEAD", .key = key};

    if (settings->no_requests_by_hand != NULL)
        return head_with_library(row, what, key);
    return send_request(row, what, &request);
}

/* ---- cleaning up -------------------------------------------------------------------------------- */

/* Uploads whose id no answer told, by their prefix; written down in this row. Says why if they cannot be listed. */
static const char *find_uploads(int row)
{
    struct request request = {.method = "GET", .key = "", .query = say("muploadid&prefix=%s&limit=100", encoded(prefix, true))};
    const struct answer *answer;
    const char *at;

    if (settings->no_requests_by_hand != NULL)
        return NULL; /* none was begun */
    answer = send_request(row, "The unfinished uploads under the probe's prefix, before the end", &request);
    if (answer->status != 200)
        return say("the unfinished uploads under %s cannot be listed (%s)", prefix, in_short(answer));
    at = json_member(answer->body, "DataSet", 1);
    for (int listed = 0; listed < MOST_LISTED && at != NULL && (at = strchr(at, '{')) != NULL; listed++) {
        const char *id = json_string(at, "UploadId", 1), *key = json_string(at, "FileName", 1);
        at++;
        if (id != NULL && key != NULL && strncmp(key, prefix, strlen(prefix)) == 0)
            track_upload(key, id);
    }
    return NULL;
}

/* What is wrong afterwards; NULL if nothing is. */
static const char *remove_trace(struct trace *trace, int *removed)
{
    us3_result result = US3_RESULT_INIT;
    const char *wrong = NULL;
    us3_status status = trace->upload_id == NULL ? us3_delete_file(client, trace->key, &result)
                                                 : us3_abort_upload(client, trace->key, trace->upload_id, &result);

    if (status == US3_OK) {
        ++*removed;
        trace->may_come = false;
    } else if (result.http_status != 404) {
        wrong = say("%s %s is still there: %s", trace->upload_id == NULL ? "the object" : "an upload of", trace->key,
                    or_empty(result.err_msg));
    }
    trace->gone = wrong == NULL && !trace->may_come;
    us3_result_clear(&result);
    return wrong;
}

static bool may_come(const struct trace *trace)
{
    return trace->may_come && !trace->gone && now_ms() < trace->ended_ms + bound_ms;
}

static bool may_any_come(void)
{
    for (const struct trace *trace = traces; trace != NULL; trace = trace->next)
        if (may_come(trace))
            return true;
    return false;
}

/* What is left, and how much was removed. */
struct cleaning {
    int objects, uploads;
    struct text wrong;
};

static void say_wrong(struct cleaning *cleaning, const char *wrong)
{
    if (wrong != NULL)
        append_format(&cleaning->wrong, "; %s", wrong);
}

static void remove_all(struct cleaning *cleaning, int row)
{
    say_wrong(cleaning, find_uploads(row));
    for (struct trace *trace = traces; trace != NULL; trace = trace->next)
        if (!trace->gone)
            say_wrong(cleaning, remove_trace(trace, trace->upload_id == NULL ? &cleaning->objects : &cleaning->uploads));
}

/* Removes what comes late, and what failed to be removed before. */
static void await_and_remove(struct cleaning *cleaning)
{
    int64_t pause = 100;
    bool more;

    tell("waiting for objects that may still come, at most %" PRId64 " s; Ctrl-C%s leaves without them", (bound_ms + 999) / 1000,
         interrupts > 0 ? "" : " twice");
    /* The last time after F. */
    do {
        more = may_any_come() && interrupts < 2;
        pause_ms(more ? pause : 0, 2);
        pause = pause < 1000 ? pause * 2 : 2000;
        kept(&cleaning->wrong);
        remove_all(cleaning, 0);
    } while (more);
    for (const struct trace *trace = traces; trace != NULL; trace = trace->next)
        if (may_come(trace))
            say_wrong(cleaning, say("the object %s may still appear: nobody knows what became of its request", trace->key));
}

bool bucket_clean_up(char **said)
{
    struct cleaning cleaning = {0};

    remove_all(&cleaning, A5);
    if (may_any_come())
        await_and_remove(&cleaning);
    bool clean = cleaning.wrong.len == 0;
    *said = say("%d objects deleted, %d uploads aborted%s", cleaning.objects, cleaning.uploads,
                clean ? ", nothing left behind" : kept(&cleaning.wrong));
    return clean;
}
