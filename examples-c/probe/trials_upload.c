/* Trials that are about uploads alone: A2, A4, A5, A8. */
#define _POSIX_C_SOURCE 200809L

#include "bucket.h"
#include "report.h"
#include "steps.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- A4, and whether anything works at all -------------------------------------------------------- */

/* Seconds since 1970 of a date of HTTP; -1 if it is none. */
static long long seconds_of(const char *date)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int day, year, hour, minute, second;
    char month[4];
    const char *found;

    if (date == NULL || sscanf(date, "%*3s, %2d %3s %4d %2d:%2d:%2d GMT", &day, month, &year, &hour, &minute, &second) != 6)
        return -1;
    found = strstr(months, month);
    if (found == NULL)
        return -1;
    /* Days from the civil calendar: the year begins in March, so that leap days are last. */
    long long m = (found - months) / 3 + 1, y = year - (m <= 2);
    long long days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + day - 1 - 719468;
    return ((days * 24 + hour) * 60 + minute) * 60 + second;
}

/* `Date` of the upload's answer was within the second in which the object was stored, or up to `took_ms` later. */
static void compare_clocks(const struct answer *upload, const struct answer *seen)
{
    char *date = header_of(upload->head, "Date"), *modified = header_of(seen->head, "Last-Modified");
    long long stored = seconds_of(modified), answered = seconds_of(date);

    if (stored < 0 || answered < 0)
        judge(A4, false, "no usable dates (Date: %s, Last-Modified: %s)", date == NULL ? "-" : date, modified == NULL ? "-" : modified);
    else
        judge(A4, stored <= answered + 2 && stored >= answered - (upload->took_ms + 999) / 1000 - 2,
              "Last-Modified − Date = %lld s", stored - answered);
}

bool try_head(const char *name)
{
    const char *key = new_key(name);
    const struct answer *upload = put(A4, "PutFile", key, NULL), *seen;

    if (upload->status != 200) {
        not_tried(A4, "PutFile was answered %s", in_short(upload));
        return false;
    }
    seen = head(A4, "HeadFile right after the answer", key);
    if (seen->status != 200 && seen->status != 404) {
        not_tried(A4, "HeadFile was answered %s", in_short(seen));
        return false;
    }
    if (given->settings->no_requests_by_hand != NULL)
        return true;
    judge(A4, seen->status == 200, "HEAD right after the answer: %d", seen->status);
    if (seen->status == 200)
        compare_clocks(upload, seen);
    return true;
}

void try_second_head(void)
{
    try_head("a4-2");
}

/* ---- A5, A8, A9: a multipart upload by hand --------------------------------------------------------------- */

#define DISPOSITION "attachment; filename=\"probe.txt\""
#define CACHE "max-age=60"
#define ENCODING "gzip"

static const char kept_headers[] = "Content-Disposition: " DISPOSITION "\r\nCache-Control: " CACHE "\r\nContent-Encoding: " ENCODING "\r\n";

static void judge_headers(const char *what, const struct answer *seen)
{
    static const char *const sent[][2] = {
        {"Content-Disposition", DISPOSITION}, {"Cache-Control", CACHE}, {"Content-Encoding", ENCODING}};

    if (seen->status != 200) {
        note(A8, "%s: HEAD: %s", what, in_short(seen));
        return;
    }
    for (size_t i = 0; i < sizeof sent / sizeof *sent; i++) {
        char *came = header_of(seen->head, sent[i][0]);
        judge(A8, came != NULL && strcmp(came, sent[i][1]) == 0, "%s: %s %s", what, sent[i][0],
              came == NULL ? "is missing" : strcmp(came, sent[i][1]) == 0 ? "came back" : say("is `%s`", came));
    }
}

void try_headers_of_put(void)
{
    const char *key = new_key("a8");
    struct request request = {.method = "PUT", .key = key, .body = content_of(key), .headers = kept_headers};
    const struct answer *answer = send_request(A8, "PutFile with these headers", &request);

    if (answer->status == 200)
        judge_headers("PutFile", head(A8, "HeadFile", key));
    else
        note(A8, "PutFile was answered %s", in_short(answer));
}

/* Begins an upload of one part; NULL, and the reason in the rows that need it, if that fails. */
static char *begin_upload(const char *key, char **part_etag)
{
    struct request begin = {.method = "POST", .key = key, .query = "uploads", .headers = kept_headers};
    const struct answer *answer = send_request(A5, "InitiateMultipartUpload", &begin);
    char *id = answer->status == 200 ? json_string(answer->body, "UploadId", 1) : NULL;

    if (id == NULL) {
        not_tried(A5, "InitiateMultipartUpload was answered %s", in_short(answer));
        return NULL;
    }
    track_upload(key, id);
    struct request part = {.method = "PUT", .key = key, .query = say("partNumber=0&uploadId=%s", id), .body = content_of(key)};
    answer = send_request(A5, "UploadPart", &part);
    *part_etag = answer->status == 200 ? header_of(answer->head, "ETag") : NULL;
    if (*part_etag == NULL) {
        not_tried(A5, "UploadPart was answered %s", in_short(answer));
        return NULL;
    }
    (*part_etag) += **part_etag == '"';
    (*part_etag)[strcspn(*part_etag, "\"")] = '\0';
    return id;
}

void try_multipart(void)
{
    const char *key = new_key("a5");
    char *part_etag, *id = begin_upload(key, &part_etag);
    struct request finish = {.method = "POST", .key = key};
    const struct answer *answer;

    if (id == NULL)
        return;
    finish.query = say("uploadId=%s", id);
    finish.body = part_etag;
    finish.policy = called_back ? policy_to(address_for("a9-finish")) : NULL;
    answer = send_request(A5, "FinishMultipartUpload", &finish);
    log_call(A5, "a9-finish");
    if (called_back)
        judge_etag("FinishMultipartUpload", answer);
    if (answer->status != 200) {
        not_tried(A5, "FinishMultipartUpload was answered %s", in_short(answer));
        return;
    }
    judge_headers("multipart", head(A8, "HeadFile of a multipart upload that began with these headers", key));
    finish.policy = NULL;
    answer = send_request(A5, "FinishMultipartUpload again", &finish);
    if (is_inconclusive(answer))
        not_tried(A5, "the second finish: %s", in_short(answer));
    else
        judge(A5, answer->status == 404, "the second finish: %s", in_short(answer));
    answer = head(A5, "HeadFile", key);
    note(A5, "then HEAD: %s", in_short(answer));
}

/* ---- A2: how late a request can run ---------------------------------------------------------------------------- */

/* How long the object of a request that was cut off is waited for: F, and then long enough to see it come too late. */
static int64_t patience_after_cut(void)
{
    return given->bound_ms + (given->bound_ms > 10000 ? given->bound_ms : 10000);
}

/* Asks until the object is there; when it was there and when it was last seen to be absent, -1 for never. */
static const struct answer *await_object(const char *key, int64_t since, int64_t *there_at, int64_t *absent_at)
{
    struct request request = {.method = "HEAD", .key = key};
    const struct answer *seen;
    int64_t pause = 50, asked_at;

    *there_at = *absent_at = -1;
    do {
        asked_at = now_ms() - since;
        seen = send_request(0, "HeadFile", &request);
        *there_at = seen->status == 200 ? now_ms() - since : -1;
        *absent_at = seen->status == 404 ? asked_at : *absent_at;
        if (seen->status == 200)
            break;
        pause_ms(pause, 1);
        pause = pause < 1000 ? pause * 2 : 2000;
    } while (interrupts == 0 && asked_at < patience_after_cut());
    return seen;
}

void try_cut_off(void)
{
    const char *key = new_key("a2");
    struct request request = {.method = "PUT", .key = key, .body = content_of(key), .cut = true};
    const struct answer *answer = send_request(A2, "PutFile whose connection is closed after its last byte", &request), *seen;
    int64_t there_at, absent_at, since = now_ms();

    if (!answer->sent) {
        not_tried(A2, "the request could not be sent: %s", in_short(answer));
        return;
    }
    seen = await_object(key, since, &there_at, &absent_at);
    if (seen->status == 200)
        settled(key);
    if (seen->status == 200)
        judge(A2, absent_at <= given->bound_ms, "cut off: there %" PRId64 " ms after the last byte%s", there_at,
              absent_at < 0 ? "" : say(", absent at %" PRId64 " ms", absent_at));
    else if (seen->status == 404 && interrupts == 0)
        judge(A2, true, "cut off: not there %" PRId64 " ms after the last byte, so it did not run", absent_at);
    else
        note(A2, "cut off: HEAD: %s", in_short(seen));
}

void judge_times(void)
{
    int64_t longest = longest_answer_ms();

    judge(A2, longest <= given->bound_ms, "the slowest of all answers came %" PRId64 " ms after the last byte; F is %ld ms", longest,
          given->bound_ms);
}

