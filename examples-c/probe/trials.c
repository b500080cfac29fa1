/* The trials: see trials.h, and docs/assumptions.md for what each shows. */
#define _POSIX_C_SOURCE 200809L

#include "trials.h"
#include "bucket.h"
#include "listener.h"
#include "report.h"
#include "sign.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NEEDS_CALLBACK "needs CALLBACK"

static const struct trials *given;
/* Whether US3 reaches the callback service, and why not. */
static bool called_back;
static const char *why_no_callback = NEEDS_CALLBACK;

/* Whether an answer says nothing of the service's rules: it is under pressure, or a gateway spoke. */
static bool is_inconclusive(const struct answer *answer)
{
    return answer->status == 0 || answer->status == 408 || answer->status == 429 ||
           (answer->status >= 500 && answer->status != 599);
}

/* ---- policies ------------------------------------------------------------------------------------ */

/* The callback's address in a trial. */
static const char *address_for(const char *name)
{
    return called_back ? say("%s/%s", given->callback, name) : given->dead_callback;
}

static const char *policy_to(const char *url)
{
    return say("{\"callbackUrl\":\"%s\",\"callbackBody\":\"{}\",\"callbackBodyType\":\"application/json\"}", url);
}

static void log_call(int row, const char *name)
{
    const struct call *call = last_call(name);

    if (call != NULL)
        log_text(row, "What the callback service received", say("%s\n%s", call->head, call->body));
}

/* PutFile with a callback for the trial of this name. */
static const struct answer *put_calling(int row, const char *what, const char *name, const char *key)
{
    const struct answer *answer = put(row, what, key, policy_to(say("%s/%s", given->callback, name)));

    log_call(row, name);
    return answer;
}

/* ---- A4, and whether anything works at all -------------------------------------------------------- */

/* Seconds since 1970 of a date of HTTP; -1 if it is none. */
static long long seconds_of(const char *date)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int day, year, hour, minute, second;
    char month[4];
    const char *found;

    if (date == NULL || sscanf(date, "%*3s, %d %3s %d %d:%d:%d GMT", &day, month, &year, &hour, &minute, &second) != 6)
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

/* An upload, and HEAD on another connection right after its answer. */
static bool try_head(const char *name)
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

/* ---- callbacks arrive: A9, and HEAD within the callback for A4 -------------------------------------- */

static void judge_etag(const char *what, const struct answer *answer)
{
    char *etag = answer->status == 200 ? header_of(answer->head, "ETag") : NULL;

    if (answer->status != 200)
        note(A9, "%s was answered %s", what, in_short(answer));
    else
        judge(A9, etag != NULL, "%s with a policy: 200, ETag %s", what, etag == NULL ? "missing" : etag);
}

/* What the first upload with a policy shows: whether callbacks come, and the ETag. */
static void try_callback(void)
{
    const struct answer *answer = put_calling(A9, "PutFile with a policy", "a9", new_key("a9"));

    called_back = calls_of("a9") > 0;
    if (!called_back) {
        why_no_callback = say("US3 did not reach CALLBACK: PutFile with a policy was answered %s", in_short(answer));
        not_tried(A9, "%s", why_no_callback);
    }
    if (!called_back || given->settings->no_requests_by_hand != NULL)
        return;
    judge_etag("PutFile", answer);
    if (answer->status != 200)
        not_tried(A9, "the callback ran, but there was no success");
}

static const char *key_within_callback;

/* Called on the listener's thread. */
static const struct answer *look(const char *name)
{
    if (strcmp(name, "a4") != 0)
        return NULL;
    return head(A4, "HeadFile while the callback waits for its answer", key_within_callback);
}

static void try_head_within_callback(void)
{
    const struct call *call;

    key_within_callback = new_key("a4-callback");
    put_calling(A4, "PutFile with a policy", "a4", key_within_callback);
    call = last_call("a4");
    if (call == NULL || call->looked == NULL)
        note(A4, "no callback came to look from");
    else if (call->looked->status == 200 || call->looked->status == 404)
        judge(A4, call->looked->status == 200, "HEAD within the callback: %d", call->looked->status);
    else
        note(A4, "HEAD within the callback: %s", in_short(call->looked));
}

/* ---- A6: 599 ---------------------------------------------------------------------------------------- */

/* Whether there was a 599 of the service's form. */
static bool try_599(const char *what, const char *name, const char *url)
{
    const char *key = new_key(name);
    const struct answer *answer = put(A6, what, key, policy_to(url)), *seen;
    long ret_code;
    char *err_msg;

    log_call(A6, name);
    if (answer->status != 599 || !is_form(answer, &ret_code, &err_msg)) {
        note(A6, "%s: %s, which is no 599 of this form", what, in_short(answer));
        return false;
    }
    seen = head(A6, "HeadFile", key);
    if (seen->status == 200 || seen->status == 404)
        judge(A6, seen->status == 200, "%s: 599 / %ld, then HEAD: %d", what, ret_code, seen->status);
    else
        note(A6, "%s: 599 / %ld, then HEAD: %s", what, ret_code, in_short(seen));
    return true;
}

static void try_all_599(void)
{
    bool any = try_599("a callback to nobody", "a6-dead", given->dead_callback);

    if (called_back && interrupts == 0) {
        any = try_599("a callback service that answers text/plain", "a6-type", address_for("a6-type")) || any;
        any = try_599("a callback service that answers no JSON", "a6-json", address_for("a6-json")) || any;
    } else {
        note(A6, "replies that US3 refuses are not tried (%s)", why_no_callback);
    }
    if (!any)
        not_tried(A6, "no 599 in the form of RetCode and ErrMsg came");
}

/* ---- A10: blanks -------------------------------------------------------------------------------------- */

static void try_blanks(void)
{
    const char *url = address_for("a10");
    const char *spaced = say("{ \"callbackUrl\": \"%s\",\n  \"callbackBody\": \"{}\", \"callbackBodyType\": \"application/json\" }", url);
    const struct answer *compact = put(A10, "PutFile with a compact policy", new_key("a10-compact"), policy_to(url));
    const struct answer *blanks = put(A10, "The same policy with blanks and a line feed", new_key("a10-blanks"), spaced);

    log_call(A10, "a10");
    note(A10, "compact: %s", in_short(compact));
    if (compact->status != 200 && compact->status != 599)
        not_tried(A10, "the compact policy was not accepted either");
    else if (is_inconclusive(blanks))
        not_tried(A10, "with blanks: %s", in_short(blanks));
    else
        judge(A10, blanks->status == compact->status, "with blanks: %s", in_short(blanks));
}

/* ---- A3: an error of the callback service -------------------------------------------------------------- */

static void try_callback_error(const char *name)
{
    const char *key = new_key(name);
    const struct answer *answer = put_calling(A3, say("PutFile whose callback service answers %s", name + 3), name, key), *seen;

    if (calls_of(name) == 0) {
        note(A3, "no callback came (%s)", in_short(answer));
        not_tried(A3, "no callback came");
        return;
    }
    seen = head(A3, "HeadFile", key);
    if (seen->status == 200 || seen->status == 404)
        judge(A3, seen->status == 200, "the callback service answered %s, the upload %s, then HEAD: %d", name + 3, in_short(answer),
              seen->status);
    else
        note(A3, "HEAD: %s", in_short(seen));
}

/* ---- A7: the query of callbackUrl ----------------------------------------------------------------------- */

static void try_query(const char *what, const char *name, const char *policy, const char *written, bool goes_on)
{
    const struct answer *answer = put(A7, what, new_key(name), policy);
    const struct call *call = last_call(name);

    log_call(A7, name);
    if (call == NULL) {
        note(A7, "%s: no callback came (%s)", what, in_short(answer));
        not_tried(A7, "no callback came");
    } else if (goes_on) {
        judge(A7, strncmp(call->query, written, strlen(written)) == 0, "%s: `%s`", what, call->query);
    } else {
        judge(A7, strcmp(call->query, written) == 0, "%s: `%s`", what, call->query);
    }
}

static void try_queries(void)
{
    /* What a server may sort, decode, join or drop when it writes a query anew. */
    static const char written[] = "z=1&a=2&a=1&e=&n&p=%2f%2F%20+%E4%B8%AD&u=-._~!*():@/?,;$";
    const char *url = say("%s/a7?%s", given->callback, written);

    note(A7, "written: `%s`", written);
    try_query("with callbackBodyType", "a7", policy_to(url), written, false);
    url = say("%s/a7-query?%s", given->callback, written);
    try_query("without", "a7-query", say("{\"callbackUrl\":\"%s\",\"callbackBody\":\"body=1\"}", url), written, true);
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

static void try_headers_of_put(void)
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

static void try_multipart(void)
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

/* ---- A1: answers that come before the policy ---------------------------------------------------------------- */

static bool comes_before_the_policy(int status, long ret_code)
{
    static const struct {
        int status;
        long ret_code;
    } pairs[] = {{400, -148653}, {400, -15036}, {401, -148643}, {403, -148643}, {400, -148660}, {404, -30010}, {403, -148658}};

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (pairs[i].status == status && pairs[i].ret_code == ret_code)
            return true;
    return false;
}

static void try_refusal(const char *what, const char *name, struct request request)
{
    const char *key = new_key(name);
    const struct answer *answer, *seen;
    long ret_code;
    char *err_msg;

    request.method = "PUT";
    request.key = key;
    request.body = content_of(key);
    if (request.policy == NULL)
        request.policy = policy_to(address_for(name));
    answer = send_request(A1, what, &request);
    log_call(A1, name);
    if (!is_form(answer, &ret_code, &err_msg) || !comes_before_the_policy(answer->status, ret_code)) {
        note(A1, "%s: %s, none of these", what, in_short(answer));
        return;
    }
    seen = head(A1, "HeadFile", key);
    if (seen->status != 200 && seen->status != 404)
        note(A1, "%s: %s, then HEAD: %s", what, in_short(answer), in_short(seen));
    else if (seen->status == 404 && calls_of(name) == 0 && !called_back)
        note(A1, "%s: %s, then HEAD: 404", what, in_short(answer));
    else
        judge(A1, seen->status == 404 && calls_of(name) == 0, "%s: %s, callbacks: %d, then HEAD: %d", what, in_short(answer),
              calls_of(name), seen->status);
}

static const char *const refusals[] = {"a1-signature", "a1-bucket", "a1-md5", "a1-policy"};

static void try_refusals(void)
{
    const char *whole = policy_to(address_for("a1-policy"));

    try_refusal("wrong signature", refusals[0], (struct request){.private_key = "a-private-key-of-nobody"});
    try_refusal("wrong bucket", refusals[1], (struct request){.bucket = given->missing_bucket});
    try_refusal("wrong Content-MD5", refusals[2], (struct request){.content_md5 = "00000000000000000000000000000000"});
    /* Without its last brace it is no JSON. */
    try_refusal("a policy that is cut off", refusals[3], (struct request){.policy = say_part(whole, strlen(whole) - 1)});
    if (!called_back)
        not_tried(A1, "%s to count callbacks", why_no_callback);
    not_tried(A1, "none of these answers came");
}

/* At the end: a callback that came later than its answer. */
static void count_late_callbacks(void)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (calls_of(refusals[i]) > 0 && !is_broken(A1))
            judge(A1, false, "a callback came after the refusal of %s", refusals[i]);
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

static void try_cut_off(void)
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

static void judge_times(void)
{
    int64_t longest = longest_answer_ms();

    judge(A2, longest <= given->bound_ms, "the slowest of all answers came %" PRId64 " ms after the last byte; F is %ld ms", longest,
          given->bound_ms);
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

/* A step of the probe, and whether it needs callbacks, or requests by hand. */
static void try_a3(void)
{
    try_callback_error("a3-400");
    try_callback_error("a3-500");
}

static void try_more_heads(void)
{
    try_head("a4-2");
}

static const struct step {
    void (*try)(void);
    bool needs_callback, by_hand;
    int row;
} steps[] = {
    {try_more_heads, false, true, A4},
    {try_callback, true, false, A9},
    {try_head_within_callback, true, true, A4},
    {try_all_599, false, false, A6},
    {try_blanks, false, true, A10},
    {try_a3, true, false, A3},
    {try_queries, true, false, A7},
    {try_headers_of_put, false, true, A8},
    {try_multipart, false, true, A5},
    {try_refusals, false, true, A1},
    {try_cut_off, false, true, A2},
};

/* Assumptions that only requests by hand can try. */
static void say_what_needs_hands(void)
{
    static const int by_hand[] = {A1, A2, A4, A5, A8, A9, A10};

    for (size_t i = 0; given->settings->no_requests_by_hand != NULL && i < sizeof by_hand / sizeof *by_hand; i++)
        not_tried(by_hand[i], "%s", given->settings->no_requests_by_hand);
}

look_fn look_within_callback(void)
{
    return look;
}

bool try_everything(const struct trials *trials)
{
    given = trials;
    fprintf(stderr, "probe: trying the service\n");
    if (!try_head("a4-1"))
        return false;
    say_what_needs_hands();
    called_back = false;
    for (const struct step *step = steps; step < steps + sizeof steps / sizeof *steps && interrupts == 0; step++) {
        bool reachable = given->callback != NULL && (called_back || step->try == try_callback);
        if (step->by_hand && given->settings->no_requests_by_hand != NULL)
            continue;
        if (step->needs_callback && !reachable) {
            if (step->row != A4)
                not_tried(step->row, "%s", why_no_callback);
            continue;
        }
        fprintf(stderr, "probe: A%d\n", step->row);
        step->try();
    }
    if (given->settings->no_requests_by_hand == NULL && interrupts == 0)
        judge_times();
    count_late_callbacks();
    return true;
}
