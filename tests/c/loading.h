/* The library loaded at run time, as hosts do that are not linked with it. */
#ifndef LOADING_H
#define LOADING_H

#include <us3.h>

/* What a program looks up. */
struct api {
    void *handle;
    us3_status (*client_new)(const us3_config *, us3_client **, us3_result *);
    void (*client_free)(us3_client *);
    us3_status (*upload)(us3_client *, const us3_upload_request *, us3_result *);
    us3_status (*upload_start)(us3_client *, const us3_upload_request *, us3_task **, us3_result *);
    us3_status (*task_wait)(us3_task *, int64_t, us3_result *);
    void (*task_free)(us3_task *);
};

/* The function of that name; the test ends without it. `function` points at a pointer to it. */
void look_up(void *library, const char *name, void *function);
/* A second copy beside the one that this program is linked with, which the loader takes for another
 * library since it is another file. */
const char *copy_of_the_library(void);
/* `mode` is RTLD_LOCAL or RTLD_GLOBAL. */
struct api load(const char *path, int mode);

#endif
