/* The report: see report.h. */
#define _POSIX_C_SOURCE 200809L

#include "report.h"
#include "mask.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_BODY = 2000, SHOWN_IN_TABLE = 2000, SHOWN_ERR_MSG = 120 };

enum verdict { NOT_TRIED, HOLDS, BROKEN };

static struct row {
    const char *assumes;
    enum verdict verdict;
    const char *why_not;
    struct text seen, exchanges;
    int count;
} rows[ROWS + 1] = {
    [A1] = {.assumes = "400/-148653, 400/-15036, 401/-148643, 403/-148643, 400/-148660, 404/-30010 and 403/-148658 come before "
                       "the policy: nothing is stored, no callback runs"},
    [A2] = {.assumes = "a request runs, if it runs at all, within F after its last byte"},
    [A3] = {.assumes = "an error of the callback service, in the form of RetCode and ErrMsg, leaves the object where it is"},
    [A4] = {.assumes = "HEAD shows an object as soon as its upload was answered or its callback sent; `Last-Modified` and "
                       "`Date` are within 2 s"},
    [A5] = {.assumes = "a second finish of a finished upload is answered 404"},
    [A6] = {.assumes = "599 in the form of RetCode and ErrMsg is only sent when the object is stored"},
    [A7] = {.assumes = "the query of `callbackUrl` reaches the callback service as it was written"},
    [A8] = {.assumes = "Content-Disposition, Cache-Control and Content-Encoding are kept and come back with HEAD"},
    [A9] = {.assumes = "a success with a policy carries an ETag"},
    [A10] = {.assumes = "the text of a policy may have blanks between its members"},
};

static int logged;
static int64_t longest_ms;
/* The thread of the callback service logs as well. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- what was seen ------------------------------------------------------------------------- */

static char *in_table(const char *said)
{
    struct text text = {0};

    append_visible(&text, said, strlen(said), "\r\n\t");
    return masked_part(kept(&text), SHOWN_IN_TABLE);
}

#define FORMATTED(format, into)                              \
    do {                                                     \
        va_list arguments;                                   \
        va_start(arguments, format);                         \
        (into) = in_table(say_arguments(format, arguments)); \
        va_end(arguments);                                   \
    } while (0)

static void add_seen(int row, const char *text)
{
    append_format(&rows[row].seen, "%s%s", rows[row].seen.len == 0 ? "" : "; ", text);
}

void note(int row, const char *format, ...)
{
    char *text;

    FORMATTED(format, text);
    add_seen(row, text);
}

void judge(int row, bool held, const char *format, ...)
{
    char *text;

    FORMATTED(format, text);
    add_seen(row, held ? text : say("**%s**", text));
    if (rows[row].verdict != BROKEN)
        rows[row].verdict = held ? HOLDS : BROKEN;
}

void not_tried(int row, const char *format, ...)
{
    char *text;

    FORMATTED(format, text);
    if (rows[row].why_not == NULL)
        rows[row].why_not = text;
}

bool is_broken(int row)
{
    return rows[row].verdict == BROKEN;
}

bool is_form(const struct answer *answer, long *ret_code, char **err_msg)
{
    if (answer->status == 0 || answer->body == NULL || !json_number(answer->body, "RetCode", ret_code))
        return false;
    *err_msg = json_string(answer->body, "ErrMsg", 1);
    return *err_msg != NULL;
}

char *in_short(const struct answer *answer)
{
    struct text visible = {0};
    long ret_code;
    char *err_msg;

    if (answer->status == 0)
        return say("no answer: %s", answer->why == NULL ? "unknown" : masked(answer->why));
    if (is_form(answer, &ret_code, &err_msg)) {
        append_visible(&visible, err_msg, strlen(err_msg), "");
        return say("%d / %ld \"%s\"", answer->status, ret_code, masked_part(kept(&visible), SHOWN_ERR_MSG));
    }
    return say("%d", answer->status);
}

/* ---- what went over the wire ---------------------------------------------------------------- */

/* Bytes as they can be shown within a fence of Markdown. */
static void append_shown(struct text *text, const char *bytes, size_t len)
{
    struct text visible = {0};

    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '`')
            append_format(&visible, "\\x60");
        else if (bytes[i] != '\r')
            append_visible(&visible, bytes + i, 1, "\n\t");
    }
    /* Masked after that, so that what was dropped hides no secret, and before the cut. */
    size_t whole = visible.len;
    const char *shown = masked_part(kept(&visible), SHOWN_BODY);
    append_format(text, "%s", shown);
    if (whole > SHOWN_BODY && strcmp(shown + strlen(shown) - strlen("…"), "…") == 0)
        append_format(text, " (%zu bytes)", len);
    if (text->len > 0 && text->bytes[text->len - 1] != '\n')
        append(text, "\n", 1);
}

static struct text *begin_entry(int row, const char *what)
{
    struct text *text = &rows[row].exchanges;

    pthread_mutex_lock(&lock);
    append_format(text, "%d. %s\n\n```text\n", ++rows[row].count, what);
    return text;
}

static void end_entry(struct text *text)
{
    append_format(text, "```\n\n");
    pthread_mutex_unlock(&lock);
}

void log_exchange(int row, const char *what, const char *request, const char *policy, const struct answer *answer)
{
    struct text *text;

    pthread_mutex_lock(&lock);
    logged++;
    if (answer->status != 0 && answer->answered_ms > longest_ms)
        longest_ms = answer->answered_ms;
    pthread_mutex_unlock(&lock);
    if (row == 0)
        return;
    text = begin_entry(row, what);
    append_shown(text, request, strlen(request));
    if (policy != NULL)
        append_format(text, "(policy: %s)\n", masked(policy));
    append_format(text, "\n");
    if (answer->head != NULL)
        append_shown(text, answer->head, strlen(answer->head));
    if (answer->body_len > 0) {
        append_format(text, "\n");
        append_shown(text, answer->body, answer->body_len);
    }
    if (answer->status == 0)
        append_format(text, "(no answer: %s)\n", answer->why == NULL ? "unknown" : masked(answer->why));
    else
        append_format(text, "(answered %" PRId64 " ms after the last byte)\n", answer->answered_ms);
    end_entry(text);
}

void log_text(int row, const char *what, const char *shown)
{
    struct text *text = begin_entry(row, what);

    append_shown(text, shown, strlen(shown));
    end_entry(text);
}

int exchanges_logged(void)
{
    return logged;
}

int64_t longest_answer_ms(void)
{
    return longest_ms;
}

/* ---- the table ------------------------------------------------------------------------------ */

/* A cell of a table cannot have a line break or a bar. */
static void append_cell(struct text *text, const char *cell)
{
    append_format(text, " ");
    for (; *cell != '\0'; cell++) {
        if (*cell == '|')
            append(text, "\\", 1);
        append(text, *cell == '\n' || *cell == '\r' ? " " : cell, 1);
    }
    append_format(text, " |");
}

static char *verdict_of(const struct row *row, const char *why_the_rest)
{
    if (row->verdict == HOLDS)
        return say("holds");
    if (row->verdict == BROKEN)
        return say("**BROKEN**");
    return say("not tried: %s", row->why_not != NULL ? row->why_not : why_the_rest);
}

int report_print(const char *header, const char *end, const char *why_the_rest_was_not_tried)
{
    struct text text = {0};
    int broken = 0;

    append_format(&text, "%s\n| | libus3 assumes | seen | verdict |\n|---|---|---|---|\n", header);
    for (int i = A1; i <= ROWS; i++) {
        append_format(&text, "| A%d |", i);
        append_cell(&text, rows[i].assumes);
        append_cell(&text, rows[i].seen.len == 0 ? "-" : rows[i].seen.bytes);
        append_cell(&text, verdict_of(&rows[i], why_the_rest_was_not_tried));
        append_format(&text, "\n");
        broken += rows[i].verdict == BROKEN;
    }
    append_format(&text, "\n%s\n", end);
    for (int i = A1; i <= ROWS; i++)
        if (rows[i].count > 0)
            append_format(&text, "\n## A%d\n\n%s", i, rows[i].exchanges.bytes);
    fputs(masked(kept(&text)), stdout);
    for (int i = A1; i <= ROWS; i++) {
        free(rows[i].seen.bytes);
        free(rows[i].exchanges.bytes);
    }
    return broken;
}
