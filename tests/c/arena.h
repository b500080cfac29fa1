/* Memory of a test's own, given back when the test ends. What the helpers return lives there, so that a
 * leak checker that complains means the library, or a test that forgets to free what the library made.
 *
 *     CHECK_STORED(format("key-%d", i), test_bytes(size, 1), size);      nothing to free
 */
#ifndef ARENA_H
#define ARENA_H

#include <stddef.h>

/* Never NULL: the process ends without memory. Any thread. */
void *arena_alloc(size_t size);
char *arena_copy(const char *text);
/* Gives back one block before the end of the test, because it is large. NULL is fine. */
void arena_drop(void *block);
/* Gives back everything; check.c does it. */
void arena_clear(void);

#endif
