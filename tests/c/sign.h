/* The signature of a request, by a reading of the protocol that shares nothing with the library. */
#ifndef SIGN_H
#define SIGN_H

#include <stddef.h>

/* base64(HMAC-SHA1(key, text)), into 29 bytes. */
void hmac_sha1_base64(const char *key, const char *text, char out[29]);

#endif
