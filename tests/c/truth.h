/* What a run was told about its uploads, compared with what the emulator holds and the callback service received.
 *
 * Each key and each policy of a run has a number of its own, so that any number of threads can note results and the
 * comparison finds every object, unfinished upload and callback again. */
#ifndef TRUTH_H
#define TRUTH_H

#include <us3.h>

#include <stdbool.h>
#include <stddef.h>

/* An object that a run uploads: what it should hold, and what results said of it. */
struct object;

/* Content is taken from these bytes. */
enum { TRUTH_POOL = 1 << 20 };
const unsigned char *truth_pool(void);

/* Another object, with `size` bytes of the pool from `offset` on; NULL when a run has had enough of them. */
struct object *truth_object(size_t offset, size_t size);
const char *object_key(const struct object *);
/* The number of another policy, -1 when a run has had enough of them; and its JSON, to be freed. */
int truth_policy(void);
char *truth_policy_json(int policy);

/* What became of an upload of the object, with this policy, or -1 without one. */
void truth_result(struct object *, int policy, const us3_result *result);
/* The upload of the object has a deadline: it may have to give up before it knows what it has begun. */
void truth_hurried(struct object *);
/* A call deletes the object, or may have. */
void truth_deleting(struct object *);
/* This upload of the object is left unfinished on purpose. */
void truth_left(struct object *, const char *upload_id);

/* Once all is quiet: waits for what the emulator still does, and compares. */
void truth_compare(void);

#endif
