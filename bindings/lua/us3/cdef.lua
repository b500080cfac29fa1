-- Generated from include/us3.h by scripts/lua-cdef.sh: run make bindings.

require("ffi").cdef[[
enum us3_status
 {
 US3_OK = 0,
 US3_INVALID_ARGUMENT = 1,
 US3_INVALID_CONFIG = 2,
 US3_INVALID_POLICY = 3,
 US3_FILE_ERROR = 4,
 US3_FILE_CHANGED = 5,
 US3_NETWORK_ERROR = 6,
 US3_TIMEOUT = 7,
 US3_CANCELLED = 8,
 US3_SERVICE_ERROR = 9,
 US3_CALLBACK_FAILED = 10,
 US3_INTEGRITY_ERROR = 11,
 US3_PROTOCOL_ERROR = 12,
 US3_PENDING = 13,
 US3_WOULD_DEADLOCK = 14,
 US3_FORKED = 15,
 US3_INTERNAL_ERROR = 16,
};
typedef int32_t us3_status;
enum us3_object_state
 {
 US3_OBJECT_NOT_STORED = 0,
 US3_OBJECT_STORED = 1,
 US3_OBJECT_UNKNOWN = 2,
};
typedef int32_t us3_object_state;
enum us3_callback_state
 {
 US3_CALLBACK_NOT_REQUESTED = 0,
 US3_CALLBACK_DELIVERED = 1,
 US3_CALLBACK_NOT_DELIVERED = 2,
 US3_CALLBACK_UNKNOWN = 3,
 US3_CALLBACK_REPLY_REFUSED = 4,
};
typedef int32_t us3_callback_state;
typedef struct us3_result {
 size_t struct_size;
 int32_t status;
 int32_t http_status;
 int32_t ret_code;
 int32_t os_error;
 int32_t object_state;
 int32_t callback_state;
 uint32_t attempts;
 uint64_t bytes_sent;
 char *err_msg;
 char *session_id;
 char *etag;
 char *upload_id;
 char *body;
 size_t body_len;
 uint32_t parts_resumed;
 char *note;
} us3_result;
typedef struct us3_config {
 size_t struct_size;
 const char *public_key;
 const char *private_key;
 const char *security_token;
 const char *bucket_name;
 const char *file_host;
 const char *endpoint;
 bool verify_upload_md5;
 bool verify_etag;
 uint32_t connect_timeout_ms;
 uint32_t idle_timeout_ms;
 uint32_t response_timeout_ms;
 uint32_t max_retries;
 uint32_t worker_threads;
 uint32_t max_concurrent_uploads;
 const char *proxy;
 const char *ca_file;
 bool use_env_proxy;
 bool callback_at_least_once;
 uint32_t settle_timeout_ms;
} us3_config;
typedef struct us3_client us3_client;
typedef struct us3_multipart us3_multipart;
typedef struct us3_task us3_task;
typedef struct us3_queue us3_queue;
typedef struct us3_header {
 const char *name;
 const char *value;
} us3_header;
typedef struct us3_progress {
 size_t struct_size;
 uint64_t total;
 uint64_t sent;
 uint64_t acknowledged;
 uint32_t parts_done;
 uint32_t parts_total;
 uint32_t attempts;
 uint64_t elapsed_ms;
} us3_progress;
typedef int64_t (*us3_read_fn)(void *user_data,
 void *buffer,
 size_t capacity);
typedef int32_t (*us3_progress_fn)(const us3_progress *progress,
 void *user_data);
typedef void (*us3_complete_fn)(us3_task *task,
 const us3_result *result,
 void *user_data);
typedef struct us3_unfinished {
 size_t struct_size;
 const char *key;
 const char *upload_id;
 int64_t started;
 const char *storage_class;
} us3_unfinished;
typedef int32_t (*us3_unfinished_fn)(const struct us3_unfinished *upload,
 void *user_data);
typedef struct us3_start {
 size_t struct_size;
 us3_queue *queue;
 us3_complete_fn on_complete;
 void *user_data;
 uint64_t timeout_ms;
} us3_start;
enum us3_mode
 {
 US3_MODE_AUTO = 0,
 US3_MODE_PUT = 1,
 US3_MODE_MPUT = 2,
};
typedef int32_t us3_mode;
typedef struct us3_upload_request {
 size_t struct_size;
 int32_t mode;
 const char *file_path;
 const void *data;
 size_t data_len;
 us3_read_fn read;
 void *read_user_data;
 const char *key;
 const char *mime_type;
 const char *policy_json;
 int32_t jobs;
 const char *storage_class;
 const us3_header *metadata;
 size_t metadata_len;
 const char *resume_path;
 uint64_t timeout_ms;
 us3_progress_fn on_progress;
 us3_complete_fn on_complete;
 void *user_data;
 us3_queue *queue;
} us3_upload_request;
typedef struct us3_file_info {
 size_t struct_size;
 uint64_t size;
 int64_t last_modified;
 char *etag;
 char *mime_type;
} us3_file_info;
enum us3_log_level
 {
 US3_LOG_OFF = 0,
 US3_LOG_ERROR = 1,
 US3_LOG_WARN = 2,
 US3_LOG_INFO = 3,
 US3_LOG_DEBUG = 4,
 US3_LOG_TRACE = 5,
};
typedef int32_t us3_log_level;
typedef void (*us3_log_fn)(int32_t level,
 const char *line,
 void *user_data);
const char *us3_version(void);
const char *us3_status_name(int32_t status);
const char *us3_object_state_name(int32_t object_state);
const char *us3_callback_state_name(int32_t callback_state);
void us3_string_free(char *string);
void us3_result_init(us3_result *result);
void us3_result_clear(us3_result *result);
char *us3_result_describe(const us3_result *result);
void us3_config_init(us3_config *config);
us3_status us3_client_new(const us3_config *config,
 us3_client **out_client,
 us3_result *result);
us3_status us3_client_from_file(const char *json_path,
 us3_client **out_client,
 us3_result *result);
void us3_client_free(us3_client *client);
us3_status us3_delete_file(us3_client *client,
 const char *key,
 us3_result *result);
us3_status us3_delete_file_start(us3_client *client,
 const char *key,
 const us3_start *start,
 us3_task **out_task,
 us3_result *result);
void us3_upload_request_init(us3_upload_request *request);
us3_status us3_upload(us3_client *client,
 const us3_upload_request *request,
 us3_result *result);
us3_status us3_upload_start(us3_client *client,
 const us3_upload_request *request,
 us3_task **out_task,
 us3_result *result);
us3_status us3_put_file_with_policy(us3_client *client,
 const char *file_path,
 const char *key,
 const char *mime_type,
 const char *policy_json,
 us3_result *result);
us3_status us3_mput_with_policy(us3_client *client,
 const char *file_path,
 const char *key,
 const char *mime_type,
 const char *policy_json,
 us3_result *result);
us3_status us3_async_mput_with_policy(us3_client *client,
 const char *file_path,
 const char *key,
 const char *mime_type,
 const char *policy_json,
 us3_result *result);
us3_status us3_async_upload_with_policy(us3_client *client,
 const char *file_path,
 const char *key,
 const char *mime_type,
 int32_t jobs,
 const char *policy_json,
 us3_result *result);
void us3_progress_init(us3_progress *progress);
void us3_start_init(us3_start *start);
us3_status us3_task_wait(us3_task *task,
 int64_t timeout_ms,
 us3_result *result);
us3_status us3_task_cancel(us3_task *task);
us3_status us3_task_progress(const us3_task *task,
 us3_progress *progress);
int us3_task_fd(us3_task *task);
void *us3_task_user_data(const us3_task *task);
us3_status us3_task_file_info(us3_task *task,
 us3_file_info *info);
us3_multipart *us3_task_multipart(us3_task *task);
void us3_task_free(us3_task *task);
us3_status us3_queue_new(us3_queue **out_queue,
 us3_result *result);
int us3_queue_fd(us3_queue *queue);
us3_status us3_queue_next(us3_queue *queue,
 int64_t timeout_ms,
 us3_task **out_task,
 us3_result *result);
void us3_queue_free(us3_queue *queue);
us3_status us3_initiate_multipart_upload(us3_client *client,
 const char *key,
 const char *mime_type,
 us3_multipart **out_multipart,
 us3_result *result);
const char *us3_multipart_upload_id(const us3_multipart *multipart);
uint64_t us3_multipart_part_size(const us3_multipart *multipart);
uint64_t us3_multipart_part_len(const us3_multipart *multipart,
 uint32_t part_number);
us3_status us3_upload_part(us3_multipart *multipart,
 uint32_t part_number,
 const void *data,
 size_t len,
 us3_result *result);
us3_status us3_finish_multipart_upload_with_policy(us3_multipart *multipart,
 const char *policy_json,
 us3_result *result);
us3_status us3_abort_multipart_upload(us3_multipart *multipart,
 us3_result *result);
void us3_multipart_free(us3_multipart *multipart);
us3_status us3_initiate_multipart_upload_start(us3_client *client,
 const char *key,
 const char *mime_type,
 const us3_start *start,
 us3_task **out_task,
 us3_result *result);
us3_status us3_upload_part_start(us3_multipart *multipart,
 uint32_t part_number,
 const void *data,
 size_t len,
 const us3_start *start,
 us3_task **out_task,
 us3_result *result);
us3_status us3_finish_multipart_upload_with_policy_start(us3_multipart *multipart,
 const char *policy_json,
 const us3_start *start,
 us3_task **out_task,
 us3_result *result);
us3_status us3_abort_multipart_upload_start(us3_multipart *multipart,
 const us3_start *start,
 us3_task **out_task,
 us3_result *result);
us3_status us3_list_uploads(us3_client *client,
 const char *prefix,
 us3_unfinished_fn on_unfinished,
 void *user_data,
 us3_result *result);
us3_status us3_list_uploads_start(us3_client *client,
 const char *prefix,
 us3_unfinished_fn on_unfinished,
 void *user_data,
 const us3_start *start,
 us3_task **out_task,
 us3_result *result);
us3_status us3_multipart_open(us3_client *client,
 const char *key,
 const char *upload_id,
 us3_multipart **out_multipart,
 us3_result *result);
us3_status us3_multipart_open_start(us3_client *client,
 const char *key,
 const char *upload_id,
 const us3_start *start,
 us3_task **out_task,
 us3_result *result);
us3_status us3_abort_upload(us3_client *client,
 const char *key,
 const char *upload_id,
 us3_result *result);
us3_status us3_abort_upload_start(us3_client *client,
 const char *key,
 const char *upload_id,
 const us3_start *start,
 us3_task **out_task,
 us3_result *result);
void us3_file_info_init(us3_file_info *info);
void us3_file_info_clear(us3_file_info *info);
us3_status us3_head_file(us3_client *client,
 const char *key,
 us3_file_info *info,
 us3_result *result);
us3_status us3_head_file_start(us3_client *client,
 const char *key,
 const us3_start *start,
 us3_task **out_task,
 us3_result *result);
char *us3_policy_build(const char *url,
 const char *body,
 const char *body_type,
 const us3_header *vars,
 size_t vars_len,
 us3_result *result);
us3_status us3_policy_check(const char *policy_json,
 us3_result *result);
us3_status us3_set_logger(int32_t level,
 us3_log_fn logger,
 void *user_data);
]]

return {
    US3_VERSION_MAJOR = 0,
    US3_VERSION_MINOR = 1,
    US3_VERSION_PATCH = 0,
    US3_OK = 0,
    US3_INVALID_ARGUMENT = 1,
    US3_INVALID_CONFIG = 2,
    US3_INVALID_POLICY = 3,
    US3_FILE_ERROR = 4,
    US3_FILE_CHANGED = 5,
    US3_NETWORK_ERROR = 6,
    US3_TIMEOUT = 7,
    US3_CANCELLED = 8,
    US3_SERVICE_ERROR = 9,
    US3_CALLBACK_FAILED = 10,
    US3_INTEGRITY_ERROR = 11,
    US3_PROTOCOL_ERROR = 12,
    US3_PENDING = 13,
    US3_WOULD_DEADLOCK = 14,
    US3_FORKED = 15,
    US3_INTERNAL_ERROR = 16,
    US3_OBJECT_NOT_STORED = 0,
    US3_OBJECT_STORED = 1,
    US3_OBJECT_UNKNOWN = 2,
    US3_CALLBACK_NOT_REQUESTED = 0,
    US3_CALLBACK_DELIVERED = 1,
    US3_CALLBACK_NOT_DELIVERED = 2,
    US3_CALLBACK_UNKNOWN = 3,
    US3_CALLBACK_REPLY_REFUSED = 4,
    US3_MODE_AUTO = 0,
    US3_MODE_PUT = 1,
    US3_MODE_MPUT = 2,
    US3_LOG_OFF = 0,
    US3_LOG_ERROR = 1,
    US3_LOG_WARN = 2,
    US3_LOG_INFO = 3,
    US3_LOG_DEBUG = 4,
    US3_LOG_TRACE = 5,
}
