/* The report: a row for each assumption, and what went over the wire for it. */
#ifndef PROBE_REPORT_H
#define PROBE_REPORT_H

#include "http.h"
#include "text.h"

enum { A1 = 1, A2, A3, A4, A5, A6, A7, A8, A9, A10, ROWS = A10 };

/* Says what was seen, without a verdict. */
void note(int row, const char *format, ...) PROBE_PRINTF(2, 3);
/* Says what was seen, and whether the assumption held in it. One time that it did not is enough. */
void judge(int row, bool held, const char *format, ...) PROBE_PRINTF(3, 4);
/* Why the assumption could not be tried; means nothing once it was judged. The first reason counts. */
void not_tried(int row, const char *format, ...) PROBE_PRINTF(2, 3);
bool is_broken(int row);

/* All that is shown here is masked before it is cut: see mask.h.
 *
 * Writes down a request and its answer, or a callback that came. Of row 0, only that there was one. */
void log_exchange(int row, const char *what, const char *request, const char *policy, const struct answer *answer);
void log_text(int row, const char *what, const char *text);

/* How many requests there were, and the longest time from a last byte to an answer. */
int exchanges_logged(void);
int64_t longest_answer_ms(void);

/* The table, without secrets; `header` and `end` are said before and after it. How many assumptions are broken. */
int report_print(const char *header, const char *end, const char *why_the_rest_was_not_tried);

/* An answer in few words: "200", "400 / -15036", "no answer: …". */
char *in_short(const struct answer *answer);
/* An error of the service's form, {"RetCode":…,"ErrMsg":…}, of any status. */
bool is_form(const struct answer *answer, long *ret_code, char **err_msg);

#endif
