/* The operations of the page behind one signature, so that a test can go through all of them. */
#ifndef OPERATIONS_H
#define OPERATIONS_H

#include <us3.h>

#include <stdbool.h>

struct operation {
    const char *name;
    us3_status (*run)(us3_client *, const char *file_path, const char *key, const char *policy, us3_result *);
    /* Content that is not empty goes in parts. */
    bool in_parts;
};

/* In the order of the page; the last is a multipart upload by hand, the file read part by part. */
enum { PUT_FILE, MPUT, ASYNC_MPUT, ASYNC_UPLOAD, FINISH, OPERATIONS };
extern const struct operation operations[OPERATIONS];

/* Initiates an upload for a test that drives it; the test ends without one. */
us3_multipart *initiate(us3_client *client, const char *key);

#endif
