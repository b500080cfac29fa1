/* What Go cannot say to us3.h by itself: macros that initialise, and functions that are called back. */
#ifndef US3_GO_BRIDGE_H
#define US3_GO_BRIDGE_H

#include <stdint.h>
#include <us3.h>

us3_result us3_go_result(void);
us3_config us3_go_config(void);
us3_upload_request us3_go_request(void);
us3_file_info us3_go_file_info(void);
us3_progress us3_go_progress(void);

/* Which Go functions an upload calls. */
enum { US3_GO_READS = 1, US3_GO_TELLS_PROGRESS = 2 };

/* us3_upload_start with callbacks into Go. `hooks` is a cgo.Handle; it is made into a pointer here, because
 * Go's collector must never see a pointer that is none. */
us3_status us3_go_upload_start(us3_client *client, const us3_upload_request *request, int calls, uintptr_t hooks,
                               us3_task **task, us3_result *result);
us3_status us3_go_set_logger(int32_t level, uintptr_t logger);

/* Whether this thread runs a Go function that the library has called. */
int us3_go_in_callback(void);

/* A copy in C memory, or NULL when there is no memory. Go's own C.CBytes would end the process. */
void *us3_go_copy(const void *bytes, size_t len);

/* Overwrites a string before it is freed: it may be a key. */
void us3_go_wipe_and_free(char *string);

#endif
