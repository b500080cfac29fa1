/* The trials: see trials.h, and docs/assumptions.md for what each shows. */
#define _POSIX_C_SOURCE 200809L

#include "trials.h"
#include "bucket.h"
#include "listener.h"
#include "mask.h"
#include "report.h"
#include "steps.h"
#include "text.h"

const struct trials *given;
bool called_back;
const char *why_no_callback = "needs CALLBACK";

bool is_inconclusive(const struct answer *answer)
{
    return answer->status == 0 || answer->status == 408 || answer->status == 429 ||
           (answer->status >= 500 && answer->status != 599);
}

/* ---- policies ------------------------------------------------------------------------------------ */

const char *address_for(const char *name)
{
    return called_back ? say("%s/%s", given->callback, name) : given->dead_callback;
}

const char *policy_to(const char *url)
{
    return say("{\"callbackUrl\":\"%s\",\"callbackBody\":\"{}\",\"callbackBodyType\":\"application/json\"}", url);
}

void log_call(int row, const char *name)
{
    const struct call *call = last_call(name);

    if (call != NULL)
        log_text(row, "What the callback service received", say("%s\n%s", call->head, call->body));
}

const struct answer *put_calling(int row, const char *what, const char *name, const char *key)
{
    const struct answer *answer = put(row, what, key, policy_to(say("%s/%s", given->callback, name)));

    log_call(row, name);
    return answer;
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

/* A step of the probe, and whether it needs callbacks, or requests by hand. */
static const struct step {
    void (*try)(void);
    bool needs_callback, by_hand;
    int row;
} steps[] = {
    {try_second_head, false, true, A4},
    {try_callback, true, false, A9},
    {try_head_within_callback, true, true, A4},
    {try_all_599, false, false, A6},
    {try_blanks, false, true, A10},
    {try_callback_errors, true, false, A3},
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

bool try_everything(const struct trials *trials)
{
    given = trials;
    tell("trying the service");
    if (!try_head("a4-1"))
        return false;
    say_what_needs_hands();
    for (const struct step *step = steps; step < steps + sizeof steps / sizeof *steps && interrupts == 0; step++) {
        bool reachable = given->callback != NULL && (called_back || step->try == try_callback);
        if (step->by_hand && given->settings->no_requests_by_hand != NULL)
            continue;
        if (step->needs_callback && !reachable) {
            if (step->row != A4)
                not_tried(step->row, "%s", why_no_callback);
            continue;
        }
        tell("A%d", step->row);
        step->try();
    }
    if (given->settings->no_requests_by_hand == NULL && interrupts == 0)
        judge_times();
    count_late_callbacks();
    return true;
}
