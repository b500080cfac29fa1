/* See bridge.h. */
#include "_cgo_export.h"

#include <stdlib.h>
#include <string.h>

/* How many Go functions this thread is in: a function that starts an upload may cause a line of the log. */
static __thread int in_callback;

int us3_go_in_callback(void)
{
    return in_callback;
}

us3_result us3_go_result(void)
{
    us3_result result = US3_RESULT_INIT;
    return result;
}

us3_config us3_go_config(void)
{
    us3_config config = US3_CONFIG_INIT;
    return config;
}

us3_upload_request us3_go_request(void)
{
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
    return request;
}

us3_file_info us3_go_file_info(void)
{
    us3_file_info info = US3_FILE_INFO_INIT;
    return info;
}

us3_progress us3_go_progress(void)
{
    us3_progress progress = US3_PROGRESS_INIT;
    return progress;
}

/* ---- from the library into Go --------------------------------------------------------------- */

static int64_t read_source(void *user_data, void *buffer, size_t capacity)
{
    int64_t count;

    in_callback++;
    count = us3GoRead((uintptr_t)user_data, buffer, capacity);
    in_callback--;
    return count;
}

static int32_t tell_progress(const us3_progress *progress, void *user_data)
{
    int32_t stop;

    in_callback++;
    stop = us3GoProgress((us3_progress *)progress, (uintptr_t)user_data);
    in_callback--;
    return stop;
}

static void log_line(int32_t level, const char *line, void *user_data)
{
    in_callback++;
    us3GoLog(level, (char *)line, (uintptr_t)user_data);
    in_callback--;
}

/* ---- from Go into the library --------------------------------------------------------------- */

us3_status us3_go_upload_start(us3_client *client, const us3_upload_request *request, int calls, uintptr_t hooks,
                               us3_task **task, us3_result *result)
{
    us3_upload_request hooked = *request;

    if (calls & US3_GO_READS) {
        hooked.read = read_source;
        hooked.read_user_data = (void *)hooks;
    }
    if (calls & US3_GO_TELLS_PROGRESS) {
        hooked.on_progress = tell_progress;
        hooked.user_data = (void *)hooks;
    }
    return us3_upload_start(client, &hooked, task, result);
}

us3_status us3_go_set_logger(int32_t level, uintptr_t logger)
{
    return us3_set_logger(level, logger == 0 ? NULL : log_line, (void *)logger);
}

/* ---- memory --------------------------------------------------------------------------------- */

void *us3_go_copy(const void *bytes, size_t len)
{
    void *copy = malloc(len == 0 ? 1 : len);

    if (copy != NULL && len != 0)
        memcpy(copy, bytes, len);
    return copy;
}

void us3_go_wipe_and_free(char *string)
{
    volatile char *byte;

    if (string == NULL)
        return;
    for (byte = string; *byte != '\0'; byte++)
        *byte = 'x';
    free(string);
}
