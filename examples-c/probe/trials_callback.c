/* Trials that are about callbacks and policies: A1, A3, A6, A7, A9, A10, and HEAD within a callback for A4. */
#define _POSIX_C_SOURCE 200809L

#include "bucket.h"
#include "listener.h"
#include "report.h"
#include "steps.h"
#include "text.h"

#include <string.h>

/* ---- callbacks arrive: A9, and HEAD within the callback for A4 -------------------------------------- */

void judge_etag(const char *what, const struct answer *answer)
{
    char *etag = answer->status == 200 ? header_of(answer->head, "ETag") : NULL;

    if (answer->status != 200)
        note(A9, "%s was answered %s", what, in_short(answer));
    else
        judge(A9, etag != NULL, "%s with a policy: 200, ETag %s", what, etag == NULL ? "missing" : etag);
}

void try_callback(void)
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

look_fn look_within_callback(void)
{
    return look;
}

void try_head_within_callback(void)
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

void try_all_599(void)
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

void try_blanks(void)
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

void try_callback_errors(void)
{
    try_callback_error("a3-400");
    try_callback_error("a3-500");
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

void try_queries(void)
{
    /* What a server may sort, decode, join or drop when it writes a query anew. */
    static const char written[] = "z=1&a=2&a=1&e=&n&p=%2f%2F%20+%E4%B8%AD&u=-._~!*():@/?,;$";
    const char *url = say("%s/a7?%s", given->callback, written);

    note(A7, "written: `%s`", written);
    try_query("with callbackBodyType", "a7", policy_to(url), written, false);
    url = say("%s/a7-query?%s", given->callback, written);
    try_query("without", "a7-query", say("{\"callbackUrl\":\"%s\",\"callbackBody\":\"body=1\"}", url), written, true);
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

void try_refusals(void)
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

void count_late_callbacks(void)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (calls_of(refusals[i]) > 0 && !is_broken(A1))
            judge(A1, false, "a callback came after the refusal of %s", refusals[i]);
}

