/* What the probe shows has no secret in it, also where the service repeats one in another spelling. */
#ifndef PROBE_MASK_H
#define PROBE_MASK_H

#include "text.h"

/* From now on this text, of four bytes or more, is a secret. It is not copied. Any thread, as all of these. */
void hide(const char *secret);

/* The same text without any of the secrets: as they are, percent-encoded, escaped as in JSON, C or HTML, once or several
 * times, or in base64. What is to be cut is masked first: a piece of a secret is not found any more. */
char *masked(const char *text);
/* The same; of what is longer, about the first `most` bytes and "…". */
char *masked_part(const char *text, size_t most);

/* One line on standard error, masked; control characters are escaped. */
void tell(const char *format, ...) PROBE_PRINTF(1, 2);

#endif
