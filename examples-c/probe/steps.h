/* What the files of the trials share: the steps, and what more than one of them needs. */
#ifndef PROBE_STEPS_H
#define PROBE_STEPS_H

#include "http.h"
#include "trials.h"

extern const struct trials *given;
/* Whether US3 reaches the callback service, which try_callback finds out, and why not. */
extern bool called_back;
extern const char *why_no_callback;

/* Whether an answer says nothing of the service's rules: it is under pressure, or a gateway spoke. */
bool is_inconclusive(const struct answer *answer);
/* The callback's address in a trial; where nobody is reached if US3 does not reach the callback service. */
const char *address_for(const char *name);
/* A compact policy for this address. */
const char *policy_to(const char *url);
/* Writes down the last callback of a trial. */
void log_call(int row, const char *name);
/* PutFile with a callback for the trial of this name. */
const struct answer *put_calling(int row, const char *what, const char *name, const char *key);

/* ---- trials_upload.c ----------------------------------------------------------------------------- */

/* An upload, and HEAD on another connection right after its answer. False if the service cannot be used. */
bool try_head(const char *name);
void try_second_head(void);
void try_headers_of_put(void);
void try_multipart(void);
void try_cut_off(void);
/* At the end: the slowest of all answers. */
void judge_times(void);

/* ---- trials_callback.c --------------------------------------------------------------------------- */

/* The first upload with a policy: whether callbacks come, and the ETag. */
void try_callback(void);
/* Whether a success with a policy has an ETag. */
void judge_etag(const char *what, const struct answer *answer);
void try_head_within_callback(void);
void try_all_599(void);
void try_blanks(void);
void try_callback_errors(void);
void try_queries(void);
void try_refusals(void);
/* At the end: callbacks that came later than the answer. */
void count_late_callbacks(void);

#endif
