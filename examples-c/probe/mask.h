/* Secrets are taken out of the report, also where the service repeats them in another spelling. */
#ifndef PROBE_MASK_H
#define PROBE_MASK_H

/* From now on this text is a secret. Any thread. */
void hide(const char *secret);
/* The same text without any of the secrets, as they are, percent-encoded, escaped as in JSON or HTML, or in base64. */
char *masked(const char *text);

#endif
