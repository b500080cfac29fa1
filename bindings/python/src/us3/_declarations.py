"""Generated from include/us3.h by generate.py: run make bindings."""

from ctypes import (
    CFUNCTYPE, POINTER, Structure, c_bool, c_char, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32,
    c_uint64, c_void_p,
)
from typing import Any, Dict, List, Tuple

US3_VERSION_MAJOR = 0
US3_VERSION_MINOR = 1
US3_VERSION_PATCH = 0
US3_OK = 0
US3_INVALID_ARGUMENT = 1
US3_INVALID_CONFIG = 2
US3_INVALID_POLICY = 3
US3_FILE_ERROR = 4
US3_FILE_CHANGED = 5
US3_NETWORK_ERROR = 6
US3_TIMEOUT = 7
US3_CANCELLED = 8
US3_SERVICE_ERROR = 9
US3_CALLBACK_FAILED = 10
US3_INTEGRITY_ERROR = 11
US3_PROTOCOL_ERROR = 12
US3_PENDING = 13
US3_WOULD_DEADLOCK = 14
US3_FORKED = 15
US3_INTERNAL_ERROR = 16
US3_OBJECT_NOT_STORED = 0
US3_OBJECT_STORED = 1
US3_OBJECT_UNKNOWN = 2
US3_CALLBACK_NOT_REQUESTED = 0
US3_CALLBACK_DELIVERED = 1
US3_CALLBACK_NOT_DELIVERED = 2
US3_CALLBACK_UNKNOWN = 3
US3_CALLBACK_REPLY_REFUSED = 4
US3_MODE_AUTO = 0
US3_MODE_PUT = 1
US3_MODE_MPUT = 2
US3_LOG_OFF = 0
US3_LOG_ERROR = 1
US3_LOG_WARN = 2
US3_LOG_INFO = 3
US3_LOG_DEBUG = 4
US3_LOG_TRACE = 5

us3_status = c_int32

us3_object_state = c_int32

us3_callback_state = c_int32


class us3_result(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("status", c_int32),
        ("http_status", c_int32),
        ("ret_code", c_int32),
        ("os_error", c_int32),
        ("object_state", c_int32),
        ("callback_state", c_int32),
        ("attempts", c_uint32),
        ("bytes_sent", c_uint64),
        ("err_msg", POINTER(c_char)),
        ("session_id", POINTER(c_char)),
        ("etag", POINTER(c_char)),
        ("upload_id", POINTER(c_char)),
        ("body", POINTER(c_char)),
        ("body_len", c_size_t),
        ("parts_resumed", c_uint32),
        ("note", POINTER(c_char)),
    ]


class us3_config(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("public_key", c_char_p),
        ("private_key", c_char_p),
        ("security_token", c_char_p),
        ("bucket_name", c_char_p),
        ("file_host", c_char_p),
        ("endpoint", c_char_p),
        ("verify_upload_md5", c_bool),
        ("verify_etag", c_bool),
        ("connect_timeout_ms", c_uint32),
        ("idle_timeout_ms", c_uint32),
        ("response_timeout_ms", c_uint32),
        ("max_retries", c_uint32),
        ("worker_threads", c_uint32),
        ("max_concurrent_uploads", c_uint32),
        ("proxy", c_char_p),
        ("ca_file", c_char_p),
        ("use_env_proxy", c_bool),
        ("callback_at_least_once", c_bool),
        ("settle_timeout_ms", c_uint32),
    ]


class us3_client(Structure):
    """Opaque."""


class us3_multipart(Structure):
    """Opaque."""


class us3_task(Structure):
    """Opaque."""


class us3_queue(Structure):
    """Opaque."""


class us3_header(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("value", c_char_p),
    ]


class us3_progress(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("total", c_uint64),
        ("sent", c_uint64),
        ("acknowledged", c_uint64),
        ("parts_done", c_uint32),
        ("parts_total", c_uint32),
        ("attempts", c_uint32),
        ("elapsed_ms", c_uint64),
    ]

us3_read_fn = CFUNCTYPE(c_int64, c_void_p, c_void_p, c_size_t)

us3_progress_fn = CFUNCTYPE(c_int32, POINTER(us3_progress), c_void_p)

us3_complete_fn = CFUNCTYPE(None, POINTER(us3_task), POINTER(us3_result), c_void_p)


class us3_unfinished(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("key", c_char_p),
        ("upload_id", c_char_p),
        ("started", c_int64),
        ("storage_class", c_char_p),
    ]

us3_unfinished_fn = CFUNCTYPE(c_int32, POINTER(us3_unfinished), c_void_p)


class us3_start(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("queue", POINTER(us3_queue)),
        ("on_complete", us3_complete_fn),
        ("user_data", c_void_p),
        ("timeout_ms", c_uint64),
    ]

us3_mode = c_int32


class us3_upload_request(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("mode", c_int32),
        ("file_path", c_char_p),
        ("data", c_void_p),
        ("data_len", c_size_t),
        ("read", us3_read_fn),
        ("read_user_data", c_void_p),
        ("key", c_char_p),
        ("mime_type", c_char_p),
        ("policy_json", c_char_p),
        ("jobs", c_int32),
        ("storage_class", c_char_p),
        ("metadata", POINTER(us3_header)),
        ("metadata_len", c_size_t),
        ("resume_path", c_char_p),
        ("timeout_ms", c_uint64),
        ("on_progress", us3_progress_fn),
        ("on_complete", us3_complete_fn),
        ("user_data", c_void_p),
        ("queue", POINTER(us3_queue)),
    ]


class us3_file_info(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("size", c_uint64),
        ("last_modified", c_int64),
        ("etag", POINTER(c_char)),
        ("mime_type", POINTER(c_char)),
    ]

us3_log_level = c_int32

us3_log_fn = CFUNCTYPE(None, c_int32, c_char_p, c_void_p)

# Name: type of the result, types of the parameters.
FUNCTIONS: Dict[str, Tuple[Any, List[Any]]] = {
    "us3_version": (c_char_p, []),
    "us3_status_name": (c_char_p, [c_int32]),
    "us3_object_state_name": (c_char_p, [c_int32]),
    "us3_callback_state_name": (c_char_p, [c_int32]),
    "us3_string_free": (None, [POINTER(c_char)]),
    "us3_result_init": (None, [POINTER(us3_result)]),
    "us3_result_clear": (None, [POINTER(us3_result)]),
    "us3_result_describe": (POINTER(c_char), [POINTER(us3_result)]),
    "us3_config_init": (None, [POINTER(us3_config)]),
    "us3_client_new": (us3_status, [POINTER(us3_config), POINTER(POINTER(us3_client)), POINTER(us3_result)]),
    "us3_client_from_file": (us3_status, [c_char_p, POINTER(POINTER(us3_client)), POINTER(us3_result)]),
    "us3_client_free": (None, [POINTER(us3_client)]),
    "us3_delete_file": (us3_status, [POINTER(us3_client), c_char_p, POINTER(us3_result)]),
    "us3_delete_file_start": (us3_status, [POINTER(us3_client), c_char_p, POINTER(us3_start), POINTER(POINTER(us3_task)), POINTER(us3_result)]),
    "us3_upload_request_init": (None, [POINTER(us3_upload_request)]),
    "us3_upload": (us3_status, [POINTER(us3_client), POINTER(us3_upload_request), POINTER(us3_result)]),
    "us3_upload_start": (us3_status, [POINTER(us3_client), POINTER(us3_upload_request), POINTER(POINTER(us3_task)), POINTER(us3_result)]),
    "us3_put_file_with_policy": (us3_status, [POINTER(us3_client), c_char_p, c_char_p, c_char_p, c_char_p, POINTER(us3_result)]),
    "us3_mput_with_policy": (us3_status, [POINTER(us3_client), c_char_p, c_char_p, c_char_p, c_char_p, POINTER(us3_result)]),
    "us3_async_mput_with_policy": (us3_status, [POINTER(us3_client), c_char_p, c_char_p, c_char_p, c_char_p, POINTER(us3_result)]),
    "us3_async_upload_with_policy": (us3_status, [POINTER(us3_client), c_char_p, c_char_p, c_char_p, c_int32, c_char_p, POINTER(us3_result)]),
    "us3_progress_init": (None, [POINTER(us3_progress)]),
    "us3_start_init": (None, [POINTER(us3_start)]),
    "us3_task_wait": (us3_status, [POINTER(us3_task), c_int64, POINTER(us3_result)]),
    "us3_task_cancel": (us3_status, [POINTER(us3_task)]),
    "us3_task_progress": (us3_status, [POINTER(us3_task), POINTER(us3_progress)]),
    "us3_task_fd": (c_int, [POINTER(us3_task)]),
    "us3_task_user_data": (c_void_p, [POINTER(us3_task)]),
    "us3_task_file_info": (us3_status, [POINTER(us3_task), POINTER(us3_file_info)]),
    "us3_task_multipart": (POINTER(us3_multipart), [POINTER(us3_task)]),
    "us3_task_free": (None, [POINTER(us3_task)]),
    "us3_queue_new": (us3_status, [POINTER(POINTER(us3_queue)), POINTER(us3_result)]),
    "us3_queue_fd": (c_int, [POINTER(us3_queue)]),
    "us3_queue_next": (us3_status, [POINTER(us3_queue), c_int64, POINTER(POINTER(us3_task)), POINTER(us3_result)]),
    "us3_queue_free": (None, [POINTER(us3_queue)]),
    "us3_initiate_multipart_upload": (us3_status, [POINTER(us3_client), c_char_p, c_char_p, POINTER(POINTER(us3_multipart)), POINTER(us3_result)]),
    "us3_multipart_upload_id": (c_char_p, [POINTER(us3_multipart)]),
    "us3_multipart_part_size": (c_uint64, [POINTER(us3_multipart)]),
    "us3_multipart_part_len": (c_uint64, [POINTER(us3_multipart), c_uint32]),
    "us3_upload_part": (us3_status, [POINTER(us3_multipart), c_uint32, c_void_p, c_size_t, POINTER(us3_result)]),
    "us3_finish_multipart_upload_with_policy": (us3_status, [POINTER(us3_multipart), c_char_p, POINTER(us3_result)]),
    "us3_abort_multipart_upload": (us3_status, [POINTER(us3_multipart), POINTER(us3_result)]),
    "us3_multipart_free": (None, [POINTER(us3_multipart)]),
    "us3_initiate_multipart_upload_start": (us3_status, [POINTER(us3_client), c_char_p, c_char_p, POINTER(us3_start), POINTER(POINTER(us3_task)), POINTER(us3_result)]),
    "us3_upload_part_start": (us3_status, [POINTER(us3_multipart), c_uint32, c_void_p, c_size_t, POINTER(us3_start), POINTER(POINTER(us3_task)), POINTER(us3_result)]),
    "us3_finish_multipart_upload_with_policy_start": (us3_status, [POINTER(us3_multipart), c_char_p, POINTER(us3_start), POINTER(POINTER(us3_task)), POINTER(us3_result)]),
    "us3_abort_multipart_upload_start": (us3_status, [POINTER(us3_multipart), POINTER(us3_start), POINTER(POINTER(us3_task)), POINTER(us3_result)]),
    "us3_list_uploads": (us3_status, [POINTER(us3_client), c_char_p, us3_unfinished_fn, c_void_p, POINTER(us3_result)]),
    "us3_list_uploads_start": (us3_status, [POINTER(us3_client), c_char_p, us3_unfinished_fn, c_void_p, POINTER(us3_start), POINTER(POINTER(us3_task)), POINTER(us3_result)]),
    "us3_multipart_open": (us3_status, [POINTER(us3_client), c_char_p, c_char_p, POINTER(POINTER(us3_multipart)), POINTER(us3_result)]),
    "us3_multipart_open_start": (us3_status, [POINTER(us3_client), c_char_p, c_char_p, POINTER(us3_start), POINTER(POINTER(us3_task)), POINTER(us3_result)]),
    "us3_abort_upload": (us3_status, [POINTER(us3_client), c_char_p, c_char_p, POINTER(us3_result)]),
    "us3_abort_upload_start": (us3_status, [POINTER(us3_client), c_char_p, c_char_p, POINTER(us3_start), POINTER(POINTER(us3_task)), POINTER(us3_result)]),
    "us3_file_info_init": (None, [POINTER(us3_file_info)]),
    "us3_file_info_clear": (None, [POINTER(us3_file_info)]),
    "us3_head_file": (us3_status, [POINTER(us3_client), c_char_p, POINTER(us3_file_info), POINTER(us3_result)]),
    "us3_head_file_start": (us3_status, [POINTER(us3_client), c_char_p, POINTER(us3_start), POINTER(POINTER(us3_task)), POINTER(us3_result)]),
    "us3_policy_build": (POINTER(c_char), [c_char_p, c_char_p, c_char_p, POINTER(us3_header), c_size_t, POINTER(us3_result)]),
    "us3_policy_check": (us3_status, [c_char_p, POINTER(us3_result)]),
    "us3_set_logger": (us3_status, [c_int32, us3_log_fn, c_void_p]),
}
