/* What a request is signed with: SHA-1, HMAC and base64. */
#ifndef PROBE_SIGN_H
#define PROBE_SIGN_H

#include <stddef.h>

/* base64( HMAC-SHA1( key, text ) ), as the Authorization header wants it. */
char *signature_of(const char *private_key, const char *text);
/* base64url, padded, as a policy travels. */
char *base64url(const void *bytes, size_t len);
/* base64 without padding, of either alphabet. */
char *base64(const void *bytes, size_t len);
/* The ETag of an object of at most 4 MiB. */
char *etag_of(const void *bytes, size_t len);

#endif
