/**
 * @file us3.h
 * @brief Uploads to UCloud US3 object storage, with upload callbacks
 *
 * libus3 uploads files, memory and streams to a US3 bucket. Once an object is stored, US3 can call
 * a service of yours: an upload callback, which a put policy asks for. The library runs inside your
 * process: it does not print, exit or raise signals, and changes nothing that belongs to the
 * process.
 *
 * Link with -lus3. This header is the manual. It compiles as C99, C17 and C++17.
 *
 *
 * AN EXAMPLE
 *
 *     #include <stdio.h>
 *     #include <us3.h>
 *
 *     int main(void)
 *     {
 *         const char *policy = "{\"callbackUrl\":\"http://example.com/uploaded\","
 *                              "\"callbackBody\":\"{\\\"file\\\":\\\"a.jpg\\\"}\","
 *                              "\"callbackBodyType\":\"application/json\"}";
 *         us3_client *client;
 *         us3_result result = US3_RESULT_INIT;
 *         us3_status status = us3_client_from_file("config.json", &client, &result);
 *         if (status == US3_OK) {
 *             status = us3_async_upload_with_policy(client, "a.jpg", "photos/a.jpg", NULL, 20,
 *                                                   policy, &result);
 *         }
 *         if (status == US3_OK) {
 *             printf("stored, and the callback answered %s\n", result.body);
 *         } else {
 *             char *text = us3_result_describe(&result);
 *             fprintf(stderr, "%s\n", text);
 *             us3_string_free(text);
 *         }
 *         us3_result_clear(&result);
 *         us3_client_free(client);
 *         return status == US3_OK ? 0 : 1;
 *     }
 *
 *
 * CONVENTIONS
 *
 * Status and result. A function that can fail returns a us3_status. Its last parameter is a
 * us3_result *, which may be NULL. The function fills the result with everything that is known:
 * what failed, on which file, key or URL, whether the object is stored, and whether the callback
 * ran. After a failure, every handle that the function would have made is NULL.
 *
 * Structs begin with struct_size: the size of the struct in the header that the caller was compiled
 * with. Initialise each struct with its US3_..._INIT macro:
 *
 *     us3_config config = US3_CONFIG_INIT;
 *
 * A host that cannot use macros calls the us3_..._init function. That function initialises only the
 * members of the first release, so that it never writes beyond the end of an older host's struct.
 * Members that an older struct lacks have their default. A newer struct is accepted as long as the
 * members that the library does not know are zero. An impossible struct_size (zero, too small, over
 * 64 KiB) is US3_INVALID_ARGUMENT. This detects most structs that were never initialised, but not
 * all.
 *
 * Ownership. What you pass in stays yours. The library copies it, or uses it only until the call
 * returns. The exception is what a task borrows until its end: us3_upload_request and
 * us3_upload_part_start say what that is. Strings in a us3_result or us3_file_info belong to the
 * struct; the next call that gets the struct frees them, and so does the struct's clear function. A
 * char * that a function returns is yours: free it with us3_string_free. A const char * that a
 * function returns is not yours. A handle from ..._new, ..._from_file, ..._start, us3_initiate_... or
 * us3_multipart_open is freed with the ..._free function of its type. Every clear and free function
 * accepts NULL.
 *
 * Strings are UTF-8 and end with a NUL. File paths are bytes and end with a NUL. A required string
 * that is NULL, or any string that is not UTF-8, is US3_INVALID_ARGUMENT; err_msg names the
 * parameter and the offset. Strings from the library are UTF-8. A NUL that the service sent in a
 * string is replaced; only body has exactly the bytes that the service sent.
 *
 * Enums are received as int32_t and checked. A bool is true when it has any value but 0.
 *
 * Threads. Any number of threads may use a us3_client, a us3_task or a us3_queue at once, and call
 * us3_upload_part on one us3_multipart at once. Only one thread at a time may use a struct of
 * yours. A thread must not be cancelled (pthread_cancel) during a call. Freeing a handle waits for
 * the calls in progress on it; no new call may begin once freeing has begun. In a callback, freeing
 * does not wait: what is still in use is freed later.
 *
 * Callbacks. A callback is a function of yours that the library calls. Callbacks run on threads of
 * the library, on which all signals are blocked. One upload makes one call at a time, except that
 * its read function may run at the same time as its on_progress. Callbacks of different uploads run
 * at the same time. A callback may block, and may wait for another callback: each running callback
 * has a thread of its own, so that it delays no other upload. If the system refuses to start
 * another thread, a callback waits until another callback returns or a thread can be started, which
 * is tried every 100 ms; if the library has no such thread at all, the callback runs on a thread
 * that drives sockets. In a callback, a library function that blocks returns US3_WOULD_DEADLOCK;
 * starting, cancelling and freeing are allowed. A callback must return: no longjmp and no C++
 * exception may leave it.
 *
 * Blocking. "Blocks" means: waits for the network or the disk, within the time limits of
 * us3_config. Threads of the client do the work. Your thread only waits, except that it may open
 * the file. Every function that blocks for the network has a twin named ..._start, which does not
 * block: it returns a us3_task, whose end is reported as at us3_upload_start. At most
 * max_concurrent_uploads of these tasks run at once, beside as many uploads; the others wait in a
 * queue. Lists of unfinished uploads are not counted.
 *
 * fork(). A client does not work in a forked child: with a handle of the parent, every call that
 * can fail returns US3_FORKED, and freeing the handle only releases memory. Make a new client in
 * the child. The parent is not affected.
 *
 * dlclose() is allowed once every client is freed. The library's code stays mapped.
 *
 *
 * UPLOAD CALLBACKS
 *
 * A put policy is JSON, at most 4096 bytes in its encoded form:
 *
 *     {"callbackUrl":"https://example.com/path","callbackBody":"{\"Name\":\"Alice\", \"Age\":20}",
 *      "callbackBodyType":"application/json"}
 *
 * US3 stores the object, then POSTs callbackBody to callbackUrl with that content type. Without
 * callbackBodyType, it POSTs to callbackUrl with callbackBody as the query. US3 replaces $(x:name)
 * with the string of that name in callbackVar:
 *
 *     {"callbackUrl":"http://example.com/path","callbackBody":"Name=$(x:name)&Age=$(x:age)",
 *      "callbackVar":{"x:name":"Alice","x:age":"20"}}
 *
 * Your service must answer with JSON and Content-Type: application/json, within
 * response_timeout_ms. Its answer is us3_result.body. us3_policy_build writes such JSON for you.
 *
 * With policy_json NULL there is no callback. "" is US3_INVALID_POLICY, so that a setting left
 * empty by mistake does not silently drop a callback.
 *
 * OUTCOMES AND RETRIES
 *
 * Retries. Requests that are safe to repeat (initiate, parts, abort, list, head, delete, and
 * PutFile and finish without a policy) are sent again when the connection fails, a time limit
 * passes, or the service answers 408, 429, 500, 502, 503 or 504. This happens at most max_retries
 * times. The pause before each retry is random; its upper bound grows to 10 seconds. Retry-After
 * can make it longer, up to 60 seconds. A connection that the service closed while it was idle is
 * replaced at once; max_retries does not count that. With max_retries 0 no request is sent twice.
 *
 * Requests with a policy. Such a request goes over a connection that is new or was used within the
 * last second. It is sent again only when it did not run: there was no connection, its body was not
 * sent to the end, or the service answered an error with RetCode and ErrMsg and HeadFile then
 * showed no new object. The library never makes a callback fire twice, unless
 * callback_at_least_once allows it.
 *
 * Lost answers. A broken connection, a time limit and a gateway's page prove nothing: the service
 * may still be executing the request. The library then asks with HeadFile, and for a finish also
 * with ListParts, for up to settle_timeout_ms, and reports what it found. An object belongs to this
 * call when it has the ETag of the content and is not older than the request, by the service's own
 * clock. What cannot be known is UNKNOWN.
 *
 *     status               object_state  callback_state  what happened, and what to do
 *     US3_OK               STORED        DELIVERED       success (NOT_REQUESTED without a policy)
 *     US3_CALLBACK_FAILED  STORED        NOT_DELIVERED   US3 did not reach the callback service:
 *                                                        repair it, and notify it yourself
 *     US3_CALLBACK_FAILED  STORED        REPLY_REFUSED   the callback ran, but US3 refused its reply:
 *                                                        do not repeat it; correct the reply
 *     US3_CALLBACK_FAILED  STORED        UNKNOWN         the callback service answered an error or
 *                                                        closed the connection: ask it
 *     US3_INTEGRITY_ERROR  STORED        any             other bytes are stored than were sent:
 *                                                        delete the object and upload again
 *     any other            STORED        UNKNOWN         the answer was lost, but the object is
 *                                                        stored: ask the callback service
 *     any other            NOT_STORED    NOT_DELIVERED   correct what err_msg names, upload again
 *     any other            UNKNOWN       UNKNOWN         the service may still be executing the
 *                                                        request, or cannot be asked: call
 *                                                        us3_head_file later
 *
 * Without a policy callback_state is NOT_REQUESTED. note says so when there was no ETag to compare
 * the content with.
 *
 * A multipart upload that fails is aborted. If the upload still exists or may exist, upload_id
 * names it. There are four reasons: its finish may still run; a us3_multipart can finish it again;
 * resume_path keeps it; or the abort failed, which err_msg says. By its upload_id,
 * us3_abort_upload aborts an upload and us3_multipart_open continues it. us3_list_uploads finds
 * uploads whose upload_id nobody knows.
 *
 *
 * ERROR CODES
 *
 * The service's error answers, as they appear in us3_result.http_status, ret_code and err_msg. The
 * library passes every code on unchanged. us3_result_describe explains them in words.
 *
 *     HTTP  RetCode   ErrMsg                            what to do
 *     400   -148653   bucket not exists                 check bucket_name and file_host
 *     400   -15036    check md5 failed                  the content changed on the way: upload again
 *     401   -148643   no authorization found            set the keys; a proxy may drop the header
 *     403   -148643   invalid signature                 check public_key and private_key
 *     400   -148660   invalid put policy                check the policy with us3_policy_check
 *     599   20003     send request error: Post ...      see below
 *     599   20008     expect json, but received ...     let the callback service answer with
 *                                                     Content-Type: application/json
 *     599   20008     expect json, but the response     let the callback service answer strict JSON
 *                     body is not a strict json string
 *
 * A 599 with RetCode and ErrMsg, to a request with a policy, means that the object is stored:
 * US3_CALLBACK_FAILED. RetCode 20003: US3 did not reach the callback service if ErrMsg ends in a
 * failed dial to callbackUrl; otherwise the callback may have run. RetCode 20008: the callback ran.
 * A 599 without RetCode and ErrMsg comes from a gateway and proves nothing.
 */

#ifndef US3_H
#define US3_H

/* Generated from src/ffi by build.rs. Change it there. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// The version of this header. us3_version() returns the version of the loaded library.
#define US3_VERSION "0.1.0"
/// The first number of the version, which is also in the soname.
#define US3_VERSION_MAJOR 0
/// The second number of the version.
#define US3_VERSION_MINOR 1
/// The third number of the version.
#define US3_VERSION_PATCH 0

/* ==== Status and states ======================================================================= */

/// How a call ended: what every function that can fail returns, and the value of us3_result.status.
/// The numbers never change. More may be added, so treat a number that you do not know as a
/// failure.
enum us3_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /// Done.
    US3_OK = 0,
    /// A mistake in the calling program: a parameter is NULL, not UTF-8 or out of range, or a
    /// struct_size is impossible. Nothing was sent.
    US3_INVALID_ARGUMENT = 1,
    /// A member of the configuration is missing or wrong. Nothing was sent.
    US3_INVALID_CONFIG = 2,
    /// The put policy is not one that US3 would accept. Nothing was sent.
    US3_INVALID_POLICY = 3,
    /// A file cannot be opened or read (us3_result.os_error is the errno), or its size is not the
    /// number of bytes in it.
    US3_FILE_ERROR = 4,
    /// The file changed while it was being uploaded. The upload was aborted.
    US3_FILE_CHANGED = 5,
    /// The service could not be reached (name, connection, TLS), or the connection broke.
    US3_NETWORK_ERROR = 6,
    /// A time limit of the configuration, or the request's timeout_ms, passed.
    US3_TIMEOUT = 7,
    /// The host cancelled.
    US3_CANCELLED = 8,
    /// The service, or a gateway in front of it, answered an error: see http_status, ret_code,
    /// err_msg and session_id. object_state says whether the object is stored.
    US3_SERVICE_ERROR = 9,
    /// The object is stored, but its upload callback failed or may have failed: see callback_state.
    /// Do not just upload again, because the callback may then run twice: first ask or repair the
    /// callback service.
    US3_CALLBACK_FAILED = 10,
    /// The checksum of the stored bytes differs from the checksum of the bytes that were sent.
    US3_INTEGRITY_ERROR = 11,
    /// The service's answer makes no sense: something other than US3 may be answering.
    US3_PROTOCOL_ERROR = 12,
    /// Not finished yet. Not a failure.
    US3_PENDING = 13,
    /// A blocking function was called from within a callback of the library.
    US3_WOULD_DEADLOCK = 14,
    /// The handle belongs to the parent process, which made it before fork(). Make a new one in
    /// this process.
    US3_FORKED = 15,
    /// A mistake in the library itself. Please report it, with err_msg.
    US3_INTERNAL_ERROR = 16,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum us3_status us3_status;
#else
typedef int32_t us3_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/// Whether the call left the object in the bucket: the values of us3_result.object_state.
enum us3_object_state
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /// This call did not store the object. (An older object under the same key is still there.)
    US3_OBJECT_NOT_STORED = 0,
    /// The object is stored.
    US3_OBJECT_STORED = 1,
    /// Unknown: the answer was lost, and the service may still be executing the request or cannot
    /// be asked. Ask later with us3_head_file.
    US3_OBJECT_UNKNOWN = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum us3_object_state us3_object_state;
#else
typedef int32_t us3_object_state;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/// Whether the upload callback ran: the values of us3_result.callback_state.
enum us3_callback_state
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /// The call carried no policy.
    US3_CALLBACK_NOT_REQUESTED = 0,
    /// The callback service answered; its reply is us3_result.body.
    US3_CALLBACK_DELIVERED = 1,
    /// The callback did not run.
    US3_CALLBACK_NOT_DELIVERED = 2,
    /// The callback may have run: ask the callback service.
    US3_CALLBACK_UNKNOWN = 3,
    /// The callback ran, but US3 refused its reply, because the body or the Content-Type was not
    /// JSON (599 / 20008). Treat a number that you do not know as US3_CALLBACK_UNKNOWN.
    US3_CALLBACK_REPLY_REFUSED = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum us3_callback_state us3_callback_state;
#else
typedef int32_t us3_callback_state;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/* ==== Results ================================================================================= */

/// The outcome of a call. Initialise a us3_result once, pass it to any number of calls, one after
/// the other, and clear it at the end. Each call first frees the strings of the previous call. Only
/// one thread at a time may use a us3_result: give each thread its own.
typedef struct us3_result {
    /// sizeof(us3_result), set by the initialiser.
    size_t struct_size;
    /// The us3_status that the call returned.
    int32_t status;
    /// HTTP status of the service's last answer, 0 if there was none.
    int32_t http_status;
    /// RetCode of the service's last answer, 0 if there was none. See "ERROR CODES".
    int32_t ret_code;
    /// errno of the system call that failed, 0 if none did.
    int32_t os_error;
    /// A us3_object_state: whether this call left the object in the bucket.
    int32_t object_state;
    /// A us3_callback_state: whether the upload callback ran.
    int32_t callback_state;
    /// 1 + the requests that had to be sent again; 0 if nothing was sent.
    uint32_t attempts;
    /// Bytes of content that were sent, including those that were sent again.
    uint64_t bytes_sent;
    /// One line for a log: what failed, on which file, key or URL, why, and what to do. NULL on
    /// success.
    char *err_msg;
    /// X-SessionId of the service's last answer: quote it to support. NULL if there was none.
    char *session_id;
    /// The object's (or part's) ETag, without quotes. NULL if unknown.
    char *etag;
    /// The id of the multipart upload that the call was about; NULL if there was none. After a
    /// failure it is set only if the upload still exists at the service, or may exist.
    char *upload_id;
    /// The body of the service's last answer, unchanged, followed by a NUL; NULL if it was empty.
    /// After a successful call with a policy, it is the reply of the callback service.
    char *body;
    /// Bytes in body, the final NUL not counted.
    size_t body_len;
    /// Parts that an earlier run of a resumable upload had sent and that this run did not send
    /// again.
    uint32_t parts_resumed;
    /// Further information, also on success, such as why a resumable upload started from the
    /// beginning. NULL if there is none.
    char *note;
} us3_result;

/// The initial value of a us3_result.
#define US3_RESULT_INIT \
    {sizeof(us3_result), 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL}

/* ==== Configuration =========================================================================== */

/// The configuration of a client. us3_client_new copies everything, so the struct and its strings
/// may be changed or freed afterwards. Strings are UTF-8; NULL or "" means "not set".
typedef struct us3_config {
    /// sizeof(us3_config), set by the initialiser.
    size_t struct_size;
    /// Required. The public key of the API or token.
    const char *public_key;
    /// Required. The private key that belongs to public_key. Never logged; wiped when the client is
    /// freed.
    const char *private_key;
    /// The token of temporary (STS) credentials. Leave it unset with permanent keys.
    const char *security_token;
    /// Required. The bucket.
    const char *bucket_name;
    /// The region's host, e.g. "cn-bj.ufileos.com". Requests go to http://bucket.file_host. It may
    /// begin with a scheme: "https://cn-bj.ufileos.com". Either file_host or endpoint is required.
    const char *file_host;
    /// A custom domain, e.g. "https://files.example.com" or "http://127.0.0.1:8080". Requests go to
    /// exactly this address, without the bucket in front. It takes precedence over file_host.
    const char *endpoint;
    /// Send a Content-MD5 with PutFile and each part, which the service checks. Default false. With
    /// PutFile the file must then be read twice.
    bool verify_upload_md5;
    /// Compare the ETag that the service answers with the one computed while the bytes were
    /// sent; a difference is US3_INTEGRITY_ERROR. Default true.
    bool verify_etag;
    /// Milliseconds to connect, TLS included: 1 to 86400000 (24 h). 0 is the default, 10000.
    uint32_t connect_timeout_ms;
    /// Milliseconds that may pass without one byte of a request being sent: 1 to 86400000. 0 is the
    /// default, 30000. Time in which the library waits for the source, such as a slow disk, does
    /// not count.
    uint32_t idle_timeout_ms;
    /// Milliseconds from the end of a request's body to the beginning of the answer, and again from
    /// there to the end of the answer. An upload callback runs in the first period. 1 to 86400000;
    /// 0 is the default, 60000.
    uint32_t response_timeout_ms;
    /// How often a request that is safe to repeat is sent again after a failure; see "OUTCOMES AND
    /// RETRIES". 0 means never. The initialiser sets the default, 3.
    uint32_t max_retries;
    /// Threads of the client that do the work, 1 to 256. 0 is the default, 2.
    uint32_t worker_threads;
    /// Uploads of the client that run at the same time; further uploads wait in a queue. 1 to 4096;
    /// 0 is the default, 32.
    uint32_t max_concurrent_uploads;
    /// A proxy, e.g. "http://10.0.0.1:3128". Not set: none.
    const char *proxy;
    /// Path (bytes, not necessarily UTF-8) of a PEM file with the certificates to trust. Not set:
    /// the system's certificates are trusted.
    const char *ca_file;
    /// If proxy is not set, take the proxy from the environment (HTTP_PROXY and so on). Default
    /// false.
    bool use_env_proxy;
    /// What to do when the answer to a request with a policy is lost. False, the default: the
    /// request is not repeated, because the callback may have run; the result is
    /// US3_CALLBACK_UNKNOWN. True: the request is repeated, so that no callback is missed, but a
    /// callback may run twice.
    bool callback_at_least_once;
    /// When the answer to a PutFile or finish is lost, the library asks with HeadFile and ListParts
    /// whether it was executed, for this many milliseconds. It asks at least once, and the last
    /// request may take 10 seconds more. 0 is the default, 5000.
    uint32_t settle_timeout_ms;
} us3_config;

/// The defaults. Set public_key, private_key, bucket_name, and file_host or endpoint.
#define US3_CONFIG_INIT \
    {sizeof(us3_config), NULL, NULL, NULL, NULL, NULL, NULL, false, true, 0, 0, 0, 3, 0, 0, \
     NULL, NULL, false, false, 0}

/* ==== Handles ================================================================================= */

/// A client of one bucket: configuration, connections and the threads that do the work. Any number
/// of threads may use one client at once. Share one client, because it reuses its connections.
typedef struct us3_client us3_client;

/// A multipart upload that the host drives part by part. Any number of threads may send parts of
/// one upload at once. It belongs to the client that made it.
typedef struct us3_multipart us3_multipart;

/// A started operation: an upload, or any other that has a function of the name ..._start. Any number of
/// threads may use it at once.
typedef struct us3_task us3_task;

/// A queue of tasks that have ended. It accepts any number of tasks, of any operations and clients. Any
/// number of threads may use it at once.
typedef struct us3_queue us3_queue;

/* ==== Requests and answers ==================================================================== */

/// A name and a value: a piece of metadata, or a variable of a policy. Both are required and UTF-8;
/// a value may be "".
typedef struct us3_header {
    /// The name.
    const char *name;
    /// The value.
    const char *value;
} us3_header;

/// The value of us3_progress.total while the total is unknown.
#define US3_TOTAL_UNKNOWN UINT64_MAX

/// The progress of an upload. It owns nothing and needs no clearing.
typedef struct us3_progress {
    /// sizeof(us3_progress), set by the initialiser.
    size_t struct_size;
    /// Bytes of content in all; US3_TOTAL_UNKNOWN before the source is opened, and for a stream
    /// until it has ended.
    uint64_t total;
    /// Bytes of content that were sent. When a request fails, the bytes that it had sent are
    /// subtracted.
    uint64_t sent;
    /// Bytes of content that the service has confirmed.
    uint64_t acknowledged;
    /// Parts that the service has confirmed; a PutFile is one part.
    uint32_t parts_done;
    /// Parts in all; 0 while unknown.
    uint32_t parts_total;
    /// 1 + the requests that had to be sent again; 0 before the first.
    uint32_t attempts;
    /// Milliseconds since the upload was started, including the time in the queue.
    uint64_t elapsed_ms;
} us3_progress;

/// The initial value of a us3_progress.
#define US3_PROGRESS_INIT {sizeof(us3_progress), 0, 0, 0, 0, 0, 0, 0}

/// A source. Writes the next bytes of the content to buffer, at most capacity, and returns their
/// number. Fewer bytes than capacity do not mean the end. Returns 0 at the end, and is not called
/// again. When a read fails, return -errno: a negative number ends the upload with US3_FILE_ERROR
/// and that errno in os_error.
///
/// Called on library threads, one call at a time. It may block for any time. The upload does not
/// end, not even when it is cancelled, before a call in progress has returned. After the end of the
/// upload it is not called again.
typedef int64_t (*us3_read_fn)(void *user_data,
                               void *buffer,
                               size_t capacity);

/// Receives the progress of an upload: at most every 100 ms while it runs, and once at its end. Any
/// return value but 0 cancels the upload, as us3_task_cancel does. progress is valid during the
/// call.
typedef int32_t (*us3_progress_fn)(const us3_progress *progress,
                                   void *user_data);

/// Tells what became of an operation, exactly once. task is the handle that its ..._start gave, which
/// may be freed here. It is valid during the call, also when another callback frees it meanwhile. It
/// is NULL if us3_task_free was called before, or if the upload was begun with us3_upload. result is
/// the library's, valid during the call; never clear it.
typedef void (*us3_complete_fn)(us3_task *task,
                                const us3_result *result,
                                void *user_data);

/// An unfinished upload, as us3_list_uploads reports it. Later versions may have more members.
typedef struct us3_unfinished {
    /// sizeof(us3_unfinished) of the library.
    size_t struct_size;
    /// The key that the upload was begun with.
    const char *key;
    /// The upload id.
    const char *upload_id;
    /// The time when the upload was begun, in seconds since 1970-01-01 UTC; -1 if the service does not
    /// say.
    int64_t started;
    /// NULL if the service does not say.
    const char *storage_class;
} us3_unfinished;

/// Receives one unfinished upload. Return 0 for the next one; any other value ends the list, which is
/// then a success. upload and its strings are valid during the call. Called on library threads, one
/// call at a time, before the end of the operation is reported. It may block.
typedef int32_t (*us3_unfinished_fn)(const struct us3_unfinished *upload,
                                     void *user_data);

/// Options of a started operation. The struct is borrowed until the call returns.
typedef struct us3_start {
    /// sizeof(us3_start), set by the initialiser.
    size_t struct_size;
    /// The queue that returns the task after its end. NULL: none.
    us3_queue *queue;
    /// Called once at the end of the operation, if it was started. NULL: not called.
    us3_complete_fn on_complete;
    /// The argument of on_complete, and what us3_task_user_data returns.
    void *user_data;
    /// Milliseconds for the whole operation, including waiting in the queue of started operations and
    /// retries. After that time: US3_TIMEOUT. 0: only the limits of us3_config apply.
    uint64_t timeout_ms;
} us3_start;

/// The defaults.
#define US3_START_INIT {sizeof(us3_start), NULL, NULL, NULL, 0}

/// How the content travels: the values of us3_upload_request.mode.
enum us3_mode
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /// One PutFile up to 16 MiB. Multipart above that, or with a resume_path.
    US3_MODE_AUTO = 0,
    /// One PutFile, at most 512 MiB.
    US3_MODE_PUT = 1,
    /// Multipart, except that an empty object is sent with one PutFile.
    US3_MODE_MPUT = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum us3_mode us3_mode;
#else
typedef int32_t us3_mode;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/// The parameters of an upload. Strings are UTF-8, except file_path and resume_path. The library
/// uses the struct and its strings only until the call returns. It uses what data, user_data and
/// read_user_data point at until the end of the upload: until on_complete is called, or until
/// us3_upload or us3_task_wait returns (anything but US3_PENDING).
typedef struct us3_upload_request {
    /// sizeof(us3_upload_request), set by the initialiser.
    size_t struct_size;
    /// A us3_mode. Default US3_MODE_AUTO.
    int32_t mode;
    /// The path (bytes) of the file to upload. Exactly one of file_path, data and read is not NULL.
    /// It must be a regular file whose size is the number of bytes in it. A file that is generated
    /// while it is read, as in /proc, /sys and some FUSE file systems, is not: send it as a stream.
    /// A relative path is resolved when the upload is started.
    const char *file_path;
    /// The memory to upload. It is not copied: do not change or free it before the end of the
    /// upload. For an empty object, pass any pointer but NULL, and a data_len of 0.
    const void *data;
    /// Bytes at data. 0 if data is NULL.
    size_t data_len;
    /// The function that reads the content to upload: a stream of unknown length. It cannot be
    /// combined with US3_MODE_PUT or resume_path. With US3_MODE_AUTO, a stream of less than 4 MiB
    /// is sent with one PutFile.
    us3_read_fn read;
    /// Passed to read.
    void *read_user_data;
    /// Required. The object's key, 1 to 1023 bytes, without "." and ".." segments.
    const char *key;
    /// The content type. NULL or "": detected by content, then by the file's extension.
    const char *mime_type;
    /// The put policy, see "UPLOAD CALLBACKS". NULL: no callback. "" is US3_INVALID_POLICY.
    const char *policy_json;
    /// Parts of a multipart upload in flight at once: below 1 is 1, above 256 is 256. Default 10.
    /// The upload's memory is at most this many parts (of usually 4 MiB).
    int32_t jobs;
    /// "STANDARD", "IA" or "ARCHIVE". NULL or "": the default of the bucket.
    const char *storage_class;
    /// An array of metadata_len elements, stored with the object as X-Ufile-Meta-NAME: VALUE. Names
    /// consist of letters, digits and "-". At most 8 KiB in all. NULL if there are none.
    const us3_header *metadata;
    /// Elements of metadata.
    size_t metadata_len;
    /// The path (bytes) of a checkpoint file; NULL or "" for none. With a checkpoint, a multipart
    /// upload that fails is kept, and the next upload with the same checkpoint and object sends
    /// only the parts that the service does not have yet. If the file's content, mime_type,
    /// storage_class or metadata have changed, that upload starts from the beginning, and
    /// result.note says so; the note also names the old upload if it could not be aborted. The
    /// checkpoint is created when the upload begins, is readable by its owner only, contains no
    /// secret, and is removed when the object is stored. It requires file_path, and cannot be
    /// combined with US3_MODE_PUT. Only one upload at a time may use it; for others it is
    /// US3_FILE_ERROR. It is replaced atomically, through a temporary file with the name
    /// resume_path + ".us3-tmp". If resume_path holds something that is not a checkpoint, that file
    /// is renamed to resume_path + ".damaged". If one of these names is taken, a number is added;
    /// if it is the name of file_path: US3_INVALID_ARGUMENT. A symbolic link is followed: its
    /// target must be a checkpoint, otherwise US3_FILE_ERROR. In a folder that others may write to,
    /// such as /tmp or a group's folder, or that belongs to another user, a link or file of another
    /// user except root is US3_FILE_ERROR; use a folder of your own.
    const char *resume_path;
    /// Milliseconds for the whole upload, including retries and clean-up; 0 for no limit. An upload
    /// that takes longer is US3_TIMEOUT.
    uint64_t timeout_ms;
    /// Called with the progress of the upload. NULL: not called.
    us3_progress_fn on_progress;
    /// Called once at the end of the upload, before us3_upload returns. It is not called when
    /// us3_upload or us3_upload_start refused the request with US3_INVALID_ARGUMENT. NULL: not
    /// called.
    us3_complete_fn on_complete;
    /// What on_progress and on_complete are called with, and us3_task_user_data returns.
    void *user_data;
    /// The queue that returns the task after its end. NULL: none. us3_upload makes no task and ignores
    /// it.
    us3_queue *queue;
} us3_upload_request;

/// The defaults. Set key, and one of file_path, data and read.
#define US3_UPLOAD_REQUEST_INIT \
    {sizeof(us3_upload_request), US3_MODE_AUTO, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, 10, \
     NULL, NULL, 0, NULL, 0, NULL, NULL, NULL, NULL}

/// The answer of HeadFile: the properties of an object. Initialise it once, use it for any number
/// of calls, clear it at the end. Only one thread at a time may use it.
typedef struct us3_file_info {
    /// sizeof(us3_file_info), set by the initialiser.
    size_t struct_size;
    /// Bytes.
    uint64_t size;
    /// Seconds since 1970-01-01 UTC; -1 if the service does not say.
    int64_t last_modified;
    /// The ETag, without quotes; NULL if the service does not say.
    char *etag;
    /// The content type; NULL if the service does not say.
    char *mime_type;
} us3_file_info;

/// The initial value of a us3_file_info.
#define US3_FILE_INFO_INIT {sizeof(us3_file_info), 0, -1, NULL, NULL}

/// How much is logged: the values of the level parameters of us3_set_logger and us3_log_fn. Each
/// level includes the levels above it.
enum us3_log_level
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /// Nothing.
    US3_LOG_OFF = 0,
    /// Uploads that failed.
    US3_LOG_ERROR = 1,
    /// Also requests that failed, whether they are sent again or not.
    US3_LOG_WARN = 2,
    /// Also the beginning and end of each upload.
    US3_LOG_INFO = 3,
    /// Also each request.
    US3_LOG_DEBUG = 4,
    /// Also whatever later versions add.
    US3_LOG_TRACE = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum us3_log_level us3_log_level;
#else
typedef int32_t us3_log_level;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/// Receives a line of the log: an event, followed by its details as name=value, such as
///
///   UploadPart key="a.jpg" part=3 attempt=2 ms=41 http=200 session="b0c3..."
///
/// level is a us3_log_level. line is UTF-8 without a line break, valid during the call; it contains
/// no private key, signature or token. The threads that drive the library's sockets call this
/// function, several of them at once: it must be quick, and must not block.
typedef void (*us3_log_fn)(int32_t level,
                           const char *line,
                           void *user_data);

#ifdef __cplusplus
extern "C" {
#endif

/* ==== The library ============================================================================= */

/**
 * The version of the loaded library. It may be newer than US3_VERSION, the version of this header.
 *
 * @return a string such as "1.2.3". Static: never free it. Never NULL.
 *
 * Any thread. Does not block.
 */
const char *us3_version(void);

/**
 * The name of a status, for logs.
 *
 * @param status  a us3_status; any number is allowed
 * @return "US3_OK" and so on, or "US3_UNKNOWN_STATUS". Static: never free it. Never NULL.
 *
 * Any thread. Does not block.
 */
const char *us3_status_name(int32_t status);

/**
 * The name of an object state, for logs.
 *
 * @param object_state  a us3_object_state, such as us3_result.object_state; any number is allowed
 * @return "US3_OBJECT_STORED" and so on, or "US3_UNKNOWN_OBJECT_STATE". Static: never free it. Never
 *         NULL.
 *
 * Any thread. Does not block.
 */
const char *us3_object_state_name(int32_t object_state);

/**
 * The name of a callback state, for logs.
 *
 * @param callback_state  a us3_callback_state, such as us3_result.callback_state; any number is
 *                        allowed
 * @return "US3_CALLBACK_DELIVERED" and so on, or "US3_UNKNOWN_CALLBACK_STATE". Static: never free
 *         it. Never NULL.
 *
 * Any thread. Does not block.
 */
const char *us3_callback_state_name(int32_t callback_state);

/**
 * Frees a string that a function of the library returned as `char *`.
 *
 * @param string  the string to free; NULL is allowed and ignored
 *
 * Do not use it for the strings in a us3_result or us3_file_info: they belong to the struct, and
 * its clear function frees them. Do not use it for strings returned as `const char *`.
 *
 * Any thread. Does not block.
 */
void us3_string_free(char *string);

/* ==== Working with results ==================================================================== */

/**
 * Initialises a result, as US3_RESULT_INIT does. It frees nothing, so use it only on a result that
 * holds no strings.
 *
 * @param result  NULL is allowed and ignored
 *
 * Any thread. Does not block.
 */
void us3_result_init(us3_result *result);

/**
 * Frees the strings of a result and sets it back to its initial values. The result can be used
 * again. Clearing it twice is harmless.
 *
 * @param result  initialised; NULL is allowed and ignored
 *
 * Any thread, while no other thread uses the result. Does not block.
 */
void us3_result_clear(us3_result *result);

/**
 * Describes the outcome of a call in one readable paragraph: status, message, HTTP status,
 * RetCode, session id, whether the object is stored, whether the callback ran, and what to do. For
 * logs and for people; programs should use the members.
 *
 * @param result  the result of any call, successful or not; a result that the host filled in
 *                itself is allowed
 * @return one line of UTF-8, to be freed with us3_string_free. NULL only if memory ran out.
 *
 * Any thread, while no other thread changes the result. Does not block.
 */
char *us3_result_describe(const us3_result *result);

/* ==== Making and freeing a client ============================================================= */

/**
 * Initialises a configuration with the defaults, as US3_CONFIG_INIT does.
 *
 * @param config  NULL is allowed and ignored
 *
 * Any thread. Does not block.
 */
void us3_config_init(us3_config *config);

/**
 * Makes a client. Sends nothing: wrong keys show with the first request.
 *
 * @param config      initialised and filled in; copied
 * @param out_client  receives the client, or NULL on failure. Free it with us3_client_free
 * @param result      NULL, or receives the outcome of the call
 *
 * Any thread. Does not block on the network; reads ca_file or, with https, the certificates
 * of the system.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (config or out_client is NULL, a struct_size makes no
 * sense); US3_INVALID_CONFIG (a member is missing, malformed or not UTF-8); US3_FILE_ERROR
 * (ca_file cannot be read); US3_INTERNAL_ERROR (for example when no thread can be started).
 */
us3_status us3_client_new(const us3_config *config,
                          us3_client **out_client,
                          us3_result *result);

/**
 * Makes a client from a JSON file. The format is that of the vendor's SDKs:
 *
 *   {
 *       "public_key": "...", "private_key": "...",
 *       "bucket_name": "demo", "file_host": "cn-bj.ufileos.com",
 *       "verfiy_upload_md5": false
 *   }
 *
 * The members have the same names as those of us3_config. "verfiy_upload_md5" is the vendor's
 * spelling; "verify_upload_md5" is accepted too. "bucket_host" and unknown members are ignored.
 *
 * @param json_path   path of the file, bytes
 * @param out_client  receives the client, or NULL on failure. Free it with us3_client_free
 * @param result      NULL, or receives the outcome of the call
 *
 * Any thread. Does not block on the network; reads the file.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (json_path is NULL or empty, out_client is NULL);
 * US3_FILE_ERROR (the file or its ca_file cannot be read); US3_INVALID_CONFIG (not JSON, a member
 * missing or of the wrong type: err_msg names it with the line); US3_INTERNAL_ERROR.
 */
us3_status us3_client_from_file(const char *json_path,
                                us3_client **out_client,
                                us3_result *result);

/**
 * Frees a client: waits for its started uploads and for the calls in progress on it, closes its
 * connections and ends its threads. To be quick, cancel the uploads first. Free the client's
 * us3_multipart handles first, because its threads run until the last of these is freed. A
 * us3_task may be freed before or after the client. No call on the client may begin once freeing
 * has begun.
 *
 * @param client  NULL is allowed and ignored
 *
 * Any thread, once. Blocks until all uploads and calls have ended and every on_complete has
 * returned, however long that takes. In a callback it does not wait: another thread completes the
 * freeing after the last upload has ended. In a forked child it only releases memory.
 */
void us3_client_free(us3_client *client);

/**
 * Deletes an object.
 *
 * @param client  the client
 * @param key     the object's key, 1 to 1023 bytes of UTF-8
 * @param result  NULL, or receives the outcome of the call
 *
 * Any thread. Blocks.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (client or key is NULL, the key is invalid);
 * US3_SERVICE_ERROR (refused; http_status is 404 if there is no such object); US3_NETWORK_ERROR;
 * US3_TIMEOUT; US3_PROTOCOL_ERROR; US3_FORKED; US3_INTERNAL_ERROR.
 */
us3_status us3_delete_file(us3_client *client,
                           const char *key,
                           us3_result *result);

/**
 * Starts DeleteFile.
 *
 * @param client    the client
 * @param key       as for us3_delete_file; copied
 * @param start     NULL for the defaults, or initialised
 * @param out_task  receives the task, or NULL on failure. Free it with us3_task_free
 * @param result    NULL, or receives the outcome of this call; the task has its own
 *
 * Any thread, callbacks included. Does not block.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (client, key or out_task is NULL, a struct_size makes no
 * sense, the key is invalid); US3_FORKED; US3_INTERNAL_ERROR. Every other failure is the outcome of the task.
 */
us3_status us3_delete_file_start(us3_client *client,
                                 const char *key,
                                 const us3_start *start,
                                 us3_task **out_task,
                                 us3_result *result);

/* ==== Uploading =============================================================================== */

/**
 * Initialises a request with the defaults, as US3_UPLOAD_REQUEST_INIT does.
 *
 * @param request  NULL is allowed and ignored
 *
 * Any thread. Does not block.
 */
void us3_upload_request_init(us3_upload_request *request);

/**
 * Uploads a file, memory or a stream as one object, and waits for the end: us3_upload_start and
 * us3_task_wait in one call. The request's callbacks run on library threads; the last of them
 * returns before this function returns.
 *
 * @param client   the client
 * @param request  initialised and filled in; borrowed until the call returns
 * @param result   NULL, or receives the outcome of the upload. With a policy, body is the reply of
 *                 the callback service
 *
 * Any thread. Blocks until the object is stored and the callback service has answered, or until
 * the upload has failed.
 *
 * @return one of
 * - US3_OK: the object is stored and, with a policy, the callback was delivered
 * - US3_INVALID_ARGUMENT: a pointer is NULL; not exactly one of file_path, data and read is given;
 *   mode, key, mime_type, storage_class or metadata has an invalid value; resume_path or
 *   US3_MODE_PUT cannot be combined with the source; or the content is over 512 MiB with
 *   US3_MODE_PUT
 * - US3_INVALID_POLICY: the policy is "" or wrong; err_msg says where
 * - US3_FILE_ERROR: the file is missing, unreadable, a directory or otherwise not a regular file,
 *   or the number of bytes in it is not its size; resume_path cannot be written, or another upload
 *   uses it; or read returned a negative number
 * - US3_FILE_CHANGED: the file changed while it was sent; nothing is stored. Renaming, linking,
 *   unlinking or new permissions are no change of the content: the library reads the file once
 *   more to make sure. With verify_etag off, a PutFile has nothing to compare with, and such a
 *   file counts as changed
 * - US3_SERVICE_ERROR: the service refused
 * - US3_CALLBACK_FAILED: stored, but the callback failed; see "ERROR CODES"
 * - US3_NETWORK_ERROR, US3_TIMEOUT: object_state and callback_state say what is known
 * - US3_CANCELLED: on_progress cancelled it
 * - US3_INTEGRITY_ERROR: stored, but with other bytes than were sent
 * - US3_WOULD_DEADLOCK: called in a callback
 * - US3_PROTOCOL_ERROR, US3_FORKED, US3_INTERNAL_ERROR
 *
 * A multipart upload that fails is aborted, unless resume_path is set. result.upload_id names the
 * upload if it was kept, if its last step failed, or if the abort failed.
 */
us3_status us3_upload(us3_client *client,
                      const us3_upload_request *request,
                      us3_result *result);

/**
 * Starts an upload and returns at once, without waiting for the network, the disk or the read
 * function. Any number of uploads may be started: max_concurrent_uploads of them run; the others
 * wait in a queue, in the order in which they were started.
 *
 * The end is told in four ways, in this order: on_complete is called; then us3_task_wait
 * returns; then the descriptor of us3_task_fd becomes readable; then the task is in its queue. Use as
 * many of them as you like.
 *
 * @param client    the client
 * @param request   initialised and filled in. The struct and its strings are copied. What data
 *                  points at is not copied: do not change or free it before the end of the upload
 * @param out_task  receives the task, or NULL on failure. It is written before the first callback.
 *                  Free it with us3_task_free, at any time
 * @param result    NULL, or receives the outcome of starting the upload
 *
 * Any thread, callbacks included. Does not block.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (as us3_upload, or out_task is NULL); US3_INVALID_POLICY;
 * US3_FORKED; US3_INTERNAL_ERROR. After a failure there is no task, and no callback is called.
 * Everything else that can happen to the upload is reported at its end.
 */
us3_status us3_upload_start(us3_client *client,
                            const us3_upload_request *request,
                            us3_task **out_task,
                            us3_result *result);

/**
 * PutFileWithPolicy: uploads a file with one request; then the callback runs.
 *
 * @param client       the client
 * @param file_path    path of a regular file of at most 512 MiB, bytes
 * @param key          the object's key, 1 to 1023 bytes of UTF-8
 * @param mime_type    the content type; NULL or "" to detect it
 * @param policy_json  the put policy; NULL for no callback, "" is US3_INVALID_POLICY
 * @param result       NULL, or receives the outcome of the upload; body is the reply of the
 *                     callback service
 *
 * Any thread. Blocks.
 *
 * @return as us3_upload. A larger file is US3_INVALID_ARGUMENT before anything is sent
 */
us3_status us3_put_file_with_policy(us3_client *client,
                                    const char *file_path,
                                    const char *key,
                                    const char *mime_type,
                                    const char *policy_json,
                                    us3_result *result);

/**
 * MPutWithPolicy: uploads a file in parts, one at a time; then the callback runs.
 *
 * @param client       the client
 * @param file_path    path of a regular file, bytes
 * @param key          the object's key, 1 to 1023 bytes of UTF-8
 * @param mime_type    the content type; NULL or "" to detect it
 * @param policy_json  the put policy; NULL for no callback, "" is US3_INVALID_POLICY
 * @param result       NULL, or receives the outcome of the upload; body is the reply of the
 *                     callback service
 *
 * Any thread. Blocks.
 *
 * @return as us3_upload
 */
us3_status us3_mput_with_policy(us3_client *client,
                                const char *file_path,
                                const char *key,
                                const char *mime_type,
                                const char *policy_json,
                                us3_result *result);

/**
 * AsyncMPutWithPolicy: uploads a file in parts, 10 at a time; then the callback runs. The name is
 * the vendor's: "async" means that the parts are sent concurrently. The call itself waits for the
 * end.
 *
 * @param client       the client
 * @param file_path    path of a regular file, bytes
 * @param key          the object's key, 1 to 1023 bytes of UTF-8
 * @param mime_type    the content type; NULL or "" to detect it
 * @param policy_json  the put policy; NULL for no callback, "" is US3_INVALID_POLICY
 * @param result       NULL, or receives the outcome of the upload; body is the reply of the
 *                     callback service
 *
 * Any thread. Blocks.
 *
 * @return as us3_upload
 */
us3_status us3_async_mput_with_policy(us3_client *client,
                                      const char *file_path,
                                      const char *key,
                                      const char *mime_type,
                                      const char *policy_json,
                                      us3_result *result);

/**
 * AsyncUploadWithPolicy: uploads a file in parts, `jobs` at a time; then the callback runs.
 *
 * @param client       the client
 * @param file_path    path of a regular file, bytes
 * @param key          the object's key, 1 to 1023 bytes of UTF-8
 * @param mime_type    the content type; NULL or "" to detect it
 * @param jobs         parts in flight at once: below 1 is 1, above 256 is 256
 * @param policy_json  the put policy; NULL for no callback, "" is US3_INVALID_POLICY
 * @param result       NULL, or receives the outcome of the upload; body is the reply of the
 *                     callback service
 *
 * Any thread. Blocks.
 *
 * @return as us3_upload
 */
us3_status us3_async_upload_with_policy(us3_client *client,
                                        const char *file_path,
                                        const char *key,
                                        const char *mime_type,
                                        int32_t jobs,
                                        const char *policy_json,
                                        us3_result *result);

/* ==== Tasks: doing something else meanwhile =================================================== */

/**
 * Initialises a us3_progress, as US3_PROGRESS_INIT does.
 *
 * @param progress  NULL is allowed and ignored
 *
 * Any thread. Does not block.
 */
void us3_progress_init(us3_progress *progress);

/**
 * Initialises a us3_start with the defaults, as US3_START_INIT does.
 *
 * @param start  NULL is allowed and ignored
 *
 * Any thread. Does not block.
 */
void us3_start_init(us3_start *start);

/**
 * Waits for the end of a task.
 *
 * @param task        the task
 * @param timeout_ms  milliseconds to wait at most; 0 only looks; negative: for ever
 * @param result      NULL, or receives the outcome of the operation, at every call
 *
 * Any thread, any number of times. Blocks for the given time at most. In a callback only a
 * timeout_ms of 0 is allowed.
 *
 * @return what us3_upload, or the function that blocks, returns; US3_PENDING (it has not ended yet); US3_INVALID_ARGUMENT also if
 * task is NULL; US3_CANCELLED (it was cancelled); US3_WOULD_DEADLOCK (called in a callback);
 * US3_FORKED; US3_INTERNAL_ERROR.
 */
us3_status us3_task_wait(us3_task *task,
                         int64_t timeout_ms,
                         us3_result *result);

/**
 * Cancels a task: within 100 ms no more of it is sent, and what an upload has begun in parts is
 * aborted, unless resume_path is set. Then the end is told as always, with US3_CANCELLED, or with what
 * became of the operation if it was over already. A part, a finish or an abort that is cancelled
 * leaves its us3_multipart as a failure does. Cancelling again changes nothing.
 *
 * @param task  the task
 *
 * Any thread, callbacks included. Does not block: it does not wait for the end.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (task is NULL); US3_FORKED; US3_INTERNAL_ERROR.
 */
us3_status us3_task_cancel(us3_task *task);

/**
 * Reports the progress of an upload or a part. Other tasks have only attempts and elapsed_ms.
 *
 * @param task      the task
 * @param progress  initialised; receives the progress
 *
 * Any thread, callbacks included. Does not block.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (task or progress is NULL, a struct_size makes no sense);
 * US3_FORKED; US3_INTERNAL_ERROR.
 */
us3_status us3_task_progress(const us3_task *task,
                             us3_progress *progress);

/**
 * A descriptor that becomes readable when the task has ended, for poll, epoll, and event loops
 * that are made of them. Only poll it: there is nothing to be read from it.
 *
 * @param task  the task; NULL is allowed
 * @return the descriptor, the same at each call. It belongs to the task: never close it, and
 *         remove it from the event loop before us3_task_free closes it. -1 if task is NULL, if the
 *         process has no descriptor left, or in a forked child.
 *
 * Any thread. Does not block.
 */
int us3_task_fd(us3_task *task);

/**
 * Returns the user_data of the us3_upload_request or us3_start that the task was started with.
 *
 * @param task  the task; NULL is allowed
 * @return the user_data; NULL if task is NULL
 *
 * Any thread. Does not block. Works in a forked child.
 */
void *us3_task_user_data(const us3_task *task);

/**
 * Returns what HeadFile reported, for a task of us3_head_file_start.
 *
 * @param task  the task
 * @param info  initialised; its old strings are freed. After a failure it has its initial values
 *
 * Any thread, any number of times, also in on_complete. Does not block.
 *
 * @return US3_OK; US3_PENDING (the task has not ended); after a failure of the task its status;
 * US3_INVALID_ARGUMENT (also if a pointer is NULL, a struct_size makes no sense, or the task is another operation's);
 * US3_FORKED; US3_INTERNAL_ERROR.
 */
us3_status us3_task_file_info(us3_task *task,
                              us3_file_info *info);

/**
 * Returns the upload of a task of us3_initiate_multipart_upload_start or us3_multipart_open_start,
 * once. The upload is then yours.
 *
 * @param task  the task; NULL is allowed
 * @return the upload, to be freed with us3_multipart_free. NULL if the task has not ended or has failed, if
 *         the upload was taken before, if the task is NULL or another operation's, and in a forked child
 *
 * Any thread, also in on_complete. Does not block. An upload that nobody takes stays with the
 * service: the upload_id of the task's result names it. Until it is taken or its task is freed, the
 * client's threads live.
 */
us3_multipart *us3_task_multipart(us3_task *task);

/**
 * Waits for the end of a task and frees its handle. To be quick, cancel it first. In a
 * callback, on_complete of the same task included, it does not wait: the operation goes on without
 * a handle, and its end is told as always. From the beginning of this call on, on_complete is told
 * NULL instead of the handle, and no queue hands it out.
 *
 * @param task  NULL is allowed and ignored
 *
 * Any thread, once; other threads may still be waiting in us3_task_wait, and are told the end.
 * Blocks until the operation has ended, except in a callback. In a forked child it only releases
 * memory. May be called before or after the client is freed.
 */
void us3_task_free(us3_task *task);

/* ==== One descriptor for any number of tasks ================================================== */

/**
 * Makes a queue. The member queue of us3_start and us3_upload_request names the queue of a task. Such a
 * task uses no descriptor of its own, unless us3_task_fd asks for one.
 *
 * @param out_queue  receives the queue, or NULL on failure. Free it with us3_queue_free
 * @param result     NULL, or receives the outcome of the call
 *
 * Any thread. Does not block.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (out_queue is NULL); US3_INTERNAL_ERROR (also if the process has
 * no descriptor left; os_error then has the cause).
 */
us3_status us3_queue_new(us3_queue **out_queue,
                         us3_result *result);

/**
 * A descriptor that is readable while the queue holds tasks that have ended, for poll, epoll and event
 * loops. Only poll it; us3_queue_next takes the tasks out.
 *
 * @param queue  the queue; NULL is allowed
 * @return the descriptor, each time the same. It belongs to the queue: never close it, and take it out of the
 *         event loop before us3_queue_free closes it. -1 if queue is NULL, or in a forked child.
 *
 * Any thread. Does not block.
 */
int us3_queue_fd(us3_queue *queue);

/**
 * Takes a task that has ended out of the queue: the one that ended first. The queue returns each task
 * once, after its on_complete has returned. It never returns a task after us3_task_free was called on
 * it; so let only the threads that call us3_queue_next free the tasks of a queue. us3_task_wait with a
 * timeout_ms of 0 then gives the outcome of the task, us3_task_user_data the user_data that it was
 * started with, and us3_task_free frees it.
 *
 * @param queue       the queue
 * @param timeout_ms  milliseconds to wait at most; 0 only looks; negative: for ever
 * @param out_task    receives the task, the handle that the starting call returned, or NULL on failure
 * @param result      NULL, or receives the outcome of this call, not of the task
 *
 * Any thread. Blocks for the given time at most. In a callback only a timeout_ms of 0 is possible.
 *
 * @return US3_OK; US3_PENDING (no task has ended yet); US3_INVALID_ARGUMENT (queue or out_task is NULL);
 * US3_CANCELLED (the queue is being freed); US3_WOULD_DEADLOCK (called in a callback); US3_FORKED;
 * US3_INTERNAL_ERROR.
 */
us3_status us3_queue_next(us3_queue *queue,
                          int64_t timeout_ms,
                          us3_task **out_task,
                          us3_result *result);

/**
 * Frees a queue. Its tasks continue without it; their ends are reported by on_complete, us3_task_wait
 * and us3_task_fd. Threads that wait in us3_queue_next return US3_CANCELLED.
 *
 * @param queue  NULL is allowed and ignored
 *
 * Any thread, once; no call may begin on the queue after that, and none may start a task on it. Does
 * not wait for tasks. In a forked child it only releases memory.
 */
void us3_queue_free(us3_queue *queue);

/* ==== Uploading part by part ================================================================== */

/**
 * InitiateMultipartUpload: begins a multipart upload. Send the parts with us3_upload_part. Then
 * call us3_finish_multipart_upload_with_policy, or us3_abort_multipart_upload to discard the
 * parts. At the end call us3_multipart_free.
 *
 * @param client         the client
 * @param key            the object's key, 1 to 1023 bytes of UTF-8
 * @param mime_type      the content type; NULL or "" to detect it from the key's extension
 * @param out_multipart  receives the upload, or NULL on failure. Free it with us3_multipart_free
 * @param result         NULL, or receives the outcome of the call
 *
 * Any thread. Blocks.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (client, key or out_multipart is NULL, the key or the type
 * is invalid); US3_SERVICE_ERROR; US3_NETWORK_ERROR; US3_TIMEOUT; US3_PROTOCOL_ERROR (the answer
 * has no upload id or no usable part size); US3_FORKED; US3_INTERNAL_ERROR.
 */
us3_status us3_initiate_multipart_upload(us3_client *client,
                                         const char *key,
                                         const char *mime_type,
                                         us3_multipart **out_multipart,
                                         us3_result *result);

/**
 * The upload id: the service's name for a multipart upload.
 *
 * @param multipart  the upload; NULL is allowed
 * @return the upload id. It belongs to the handle: never free it, and do not use it after
 *         us3_multipart_free. NULL if multipart is NULL.
 *
 * Any thread. Does not block. Works in a forked child.
 */
const char *us3_multipart_upload_id(const us3_multipart *multipart);

/**
 * The part size that the service requires. Every part but the last has exactly this size; the last
 * part may be smaller.
 *
 * @param multipart  the upload; NULL is allowed
 * @return bytes, usually 4194304; 0 if multipart is NULL
 *
 * Any thread. Does not block. Works in a forked child.
 */
uint64_t us3_multipart_part_size(const us3_multipart *multipart);

/**
 * Bytes of a part that the service has: of those that were sent, or, of an upload that was opened, listed.
 *
 * @param multipart    the upload; NULL is allowed
 * @param part_number  from 0
 * @return bytes; 0 if it has no part of this number, if multipart is NULL, and in a forked child
 *
 * Any thread. Does not block.
 */
uint64_t us3_multipart_part_len(const us3_multipart *multipart,
                                uint32_t part_number);

/**
 * UploadPart: sends one part. Parts may be sent in any order, from any number of threads, and
 * again: the last one sent under a number counts.
 *
 * @param multipart    the upload
 * @param part_number  0 for the first part; when the upload is finished, no number may be missing
 * @param data         the part's bytes. They are not copied: do not change them before the call
 *                     returns
 * @param len          bytes at data: us3_multipart_part_size, or less for the last part
 * @param result       NULL, or receives the outcome of the call; etag is the part's
 *
 * Any thread. Blocks.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (multipart or data is NULL, len or part_number is out of
 * range, the upload is finished or aborted); US3_SERVICE_ERROR; US3_NETWORK_ERROR; US3_TIMEOUT;
 * US3_INTEGRITY_ERROR (the service stored other bytes); US3_PROTOCOL_ERROR (the answer has no
 * ETag); US3_FORKED; US3_INTERNAL_ERROR. A failure does not change the upload: the part can be
 * sent again.
 */
us3_status us3_upload_part(us3_multipart *multipart,
                           uint32_t part_number,
                           const void *data,
                           size_t len,
                           us3_result *result);

/**
 * FinishMultipartUploadWithPolicy: joins the parts into the object, in the order of their numbers;
 * then the callback runs. After a failure, if the upload still exists, it can be called again,
 * with the same or another policy; no part needs to be sent again.
 *
 * @param multipart    the upload
 * @param policy_json  the put policy; NULL for no callback, "" is US3_INVALID_POLICY
 * @param result       NULL, or receives the outcome of the call; body is the reply of the callback
 *                     service, or, without a policy, the service's answer
 *
 * Any thread, while no other thread has a call in progress on this upload. Blocks until the
 * callback service has answered.
 *
 * @return one of
 * - US3_OK: the object is stored and, with a policy, the callback was delivered
 * - US3_INVALID_ARGUMENT: multipart is NULL, a part is missing, a part that is not the last is
 *   smaller than the part size, or the upload is finished or aborted
 * - US3_INVALID_POLICY: the policy is "" or wrong; err_msg says where
 * - US3_SERVICE_ERROR: the service or a gateway answered an error; object_state says whether the
 *   object is stored, and upload_id is set if the upload still exists or may exist
 * - US3_CALLBACK_FAILED: stored, but the callback failed; see "ERROR CODES"
 * - US3_NETWORK_ERROR, US3_TIMEOUT: object_state and callback_state say what is known
 * - US3_INTEGRITY_ERROR: stored, but with other bytes than were sent
 * - US3_PROTOCOL_ERROR, US3_FORKED, US3_INTERNAL_ERROR
 */
us3_status us3_finish_multipart_upload_with_policy(us3_multipart *multipart,
                                                   const char *policy_json,
                                                   us3_result *result);

/**
 * AbortMultipartUpload: aborts an upload; the service discards its parts.
 *
 * @param multipart  the upload. It must still be freed with us3_multipart_free
 * @param result     NULL, or receives the outcome of the call
 *
 * Any thread, while no other thread has a call in progress on this upload. Blocks.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (multipart is NULL, or the upload is finished or aborted);
 * US3_SERVICE_ERROR; US3_NETWORK_ERROR; US3_TIMEOUT; US3_PROTOCOL_ERROR; US3_FORKED;
 * US3_INTERNAL_ERROR.
 */
us3_status us3_abort_multipart_upload(us3_multipart *multipart,
                                      us3_result *result);

/**
 * Frees the handle, after the calls that other threads have in progress on it and the tasks that were
 * started with it. An upload that was neither finished nor aborted stays with the service, where its
 * parts are charged for.
 *
 * @param multipart  NULL is allowed and ignored
 *
 * Any thread, once. Blocks until the calls in progress and the tasks have ended, except in a callback. In a
 * forked child it only releases memory.
 */
void us3_multipart_free(us3_multipart *multipart);

/**
 * Starts InitiateMultipartUpload. us3_task_multipart returns the upload after the end of the task.
 *
 * @param client     the client
 * @param key        as for us3_initiate_multipart_upload; copied
 * @param mime_type  as for us3_initiate_multipart_upload; copied
 * @param start      NULL for the defaults, or initialised
 * @param out_task   receives the task, or NULL on failure. Free it with us3_task_free
 * @param result     NULL, or receives the outcome of this call; the task has its own
 *
 * Any thread, callbacks included. Does not block.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (client, key or out_task is NULL, a struct_size makes no
 * sense, the key or the type is invalid); US3_FORKED; US3_INTERNAL_ERROR. Every other failure is the
 * outcome of the task.
 */
us3_status us3_initiate_multipart_upload_start(us3_client *client,
                                               const char *key,
                                               const char *mime_type,
                                               const us3_start *start,
                                               us3_task **out_task,
                                               us3_result *result);

/**
 * Starts UploadPart. data is borrowed until the end of the task, also if the task is cancelled: do not
 * change or free it before on_complete is called, or us3_task_wait returns anything but US3_PENDING,
 * or a queue returns the task. us3_task_free and us3_multipart_free wait for that end, except in a
 * callback: if a task without on_complete is freed there, nothing reports when the library has stopped
 * reading data.
 *
 * @param multipart    the upload
 * @param part_number  as for us3_upload_part
 * @param data         the part's bytes, not copied
 * @param len          bytes at data: us3_multipart_part_size, or less for the last part
 * @param start        NULL for the defaults, or initialised
 * @param out_task     receives the task, or NULL on failure. Free it with us3_task_free
 * @param result       NULL, or receives the outcome of this call; the task has its own
 *
 * Any thread, callbacks included. Does not block.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (multipart, data or out_task is NULL, a struct_size makes no
 * sense, len or part_number is out of range, a part of this number is on its way, the upload is finished or aborted,
 * or being so); US3_FORKED; US3_INTERNAL_ERROR. Every other failure is the outcome of the task.
 */
us3_status us3_upload_part_start(us3_multipart *multipart,
                                 uint32_t part_number,
                                 const void *data,
                                 size_t len,
                                 const us3_start *start,
                                 us3_task **out_task,
                                 us3_result *result);

/**
 * Starts FinishMultipartUploadWithPolicy.
 *
 * @param multipart    the upload; no other call or task may be in progress on it
 * @param policy_json  as for us3_finish_multipart_upload_with_policy; copied
 * @param start        NULL for the defaults, or initialised
 * @param out_task     receives the task, or NULL on failure. Free it with us3_task_free
 * @param result       NULL, or receives the outcome of this call; the task has its own
 *
 * Any thread, callbacks included. Does not block.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (multipart or out_task is NULL, a struct_size makes no sense, a
 * part is missing or on its way, a part that is not the last is smaller than the part size, or the
 * upload is finished or aborted, or being so); US3_INVALID_POLICY; US3_FORKED; US3_INTERNAL_ERROR.
 * Every other failure is the outcome of the task.
 */
us3_status us3_finish_multipart_upload_with_policy_start(us3_multipart *multipart,
                                                         const char *policy_json,
                                                         const us3_start *start,
                                                         us3_task **out_task,
                                                         us3_result *result);

/**
 * Starts AbortMultipartUpload.
 *
 * @param multipart  the upload, still to be freed with us3_multipart_free; no other call or task may be
 *                   in progress on it
 * @param start      NULL for the defaults, or initialised
 * @param out_task   receives the task, or NULL on failure. Free it with us3_task_free
 * @param result     NULL, or receives the outcome of this call; the task has its own
 *
 * Any thread, callbacks included. Does not block.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (multipart or out_task is NULL, a struct_size makes no sense, a
 * part is on its way, or the upload is finished or aborted, or being so); US3_FORKED;
 * US3_INTERNAL_ERROR. Every other failure is the outcome of the task.
 */
us3_status us3_abort_multipart_upload_start(us3_multipart *multipart,
                                            const us3_start *start,
                                            us3_task **out_task,
                                            us3_result *result);

/* ==== Unfinished uploads ====================================================================== */

/**
 * GetMultiUploadId: lists every upload of the bucket that was neither finished nor aborted, page by
 * page. The vendor charges for such uploads, and a bucket that has one cannot be deleted.
 *
 * @param client         the client
 * @param prefix         the beginning of the keys, at most 1023 bytes; NULL or "" for all uploads
 * @param on_unfinished  called for each upload
 * @param user_data      passed to on_unfinished
 * @param result         NULL, or receives the outcome of the call
 *
 * Any thread. Blocks.
 *
 * @return one of
 * - US3_OK: on_unfinished was called for all uploads, or has ended the list
 * - US3_INVALID_ARGUMENT: client or on_unfinished is NULL, prefix is too long or not UTF-8
 * - US3_SERVICE_ERROR: refused; the token needs the LIST right
 * - US3_NETWORK_ERROR, US3_TIMEOUT: on_unfinished may have been called for some uploads
 * - US3_PROTOCOL_ERROR: an answer is no list of uploads, or does not say where the next page begins
 * - US3_WOULD_DEADLOCK, US3_FORKED, US3_INTERNAL_ERROR
 */
us3_status us3_list_uploads(us3_client *client,
                            const char *prefix,
                            us3_unfinished_fn on_unfinished,
                            void *user_data,
                            us3_result *result);

/**
 * Starts GetMultiUploadId. on_unfinished is called with the user_data of this call, not that of start,
 * until the end of the task.
 *
 * @param client         the client
 * @param prefix         as for us3_list_uploads; copied
 * @param on_unfinished  called for each upload
 * @param user_data      passed to on_unfinished
 * @param start          NULL for the defaults, or initialised
 * @param out_task       receives the task, or NULL on failure. Free it with us3_task_free
 * @param result         NULL, or receives the outcome of this call; the task has its own
 *
 * Any thread, callbacks included. Does not block.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (client, on_unfinished or out_task is NULL, a struct_size makes no sense,
 * prefix is too long or not UTF-8); US3_FORKED; US3_INTERNAL_ERROR. Every other failure is the outcome of the task.
 */
us3_status us3_list_uploads_start(us3_client *client,
                                  const char *prefix,
                                  us3_unfinished_fn on_unfinished,
                                  void *user_data,
                                  const us3_start *start,
                                  us3_task **out_task,
                                  us3_result *result);

/**
 * Opens an unfinished upload, whichever call or process began it, with the parts that the service
 * lists (ListParts). us3_multipart_part_len returns the length of each part that the service has. Send
 * the missing parts; any part can be sent again. Then finish or abort the upload, and free the handle.
 * No other thread or process may use the upload at the same time.
 *
 * ListParts does not report the part size. With two or more parts it is the size of the largest one.
 * Otherwise it is 4194304, or the size of the only part if that is larger. At the finish, the object's
 * ETag is compared if every part but the last has 4194304 bytes.
 *
 * The process that began the upload may have sent a finish that is still running. So a finish of an
 * opened upload that fails has object_state US3_OBJECT_UNKNOWN, unless the object is found. Do not
 * send a finish with a policy before response_timeout_ms and 10 seconds have passed since the other
 * one, because the callback could run twice.
 *
 * @param client         the client, of the bucket that the upload is in
 * @param key            the key that the upload was begun with, 1 to 1023 bytes of UTF-8
 * @param upload_id      the upload id, 1 to 1024 visible ASCII characters
 * @param out_multipart  receives the upload, or NULL on failure. Free it with us3_multipart_free
 * @param result         NULL, or receives the outcome of the call
 *
 * Any thread. Blocks.
 *
 * @return one of
 * - US3_OK
 * - US3_INVALID_ARGUMENT: a pointer is NULL, key or upload_id has an invalid value, or the upload was
 *   begun with another key
 * - US3_SERVICE_ERROR: refused; http_status is 404 if the service knows no such upload, 403 if the token
 *   lacks the LIST right, which us3_abort_upload does not need
 * - US3_NETWORK_ERROR; US3_TIMEOUT; US3_PROTOCOL_ERROR (an answer is no list of parts, or the list is incomplete)
 * - US3_WOULD_DEADLOCK, US3_FORKED, US3_INTERNAL_ERROR
 */
us3_status us3_multipart_open(us3_client *client,
                              const char *key,
                              const char *upload_id,
                              us3_multipart **out_multipart,
                              us3_result *result);

/**
 * Starts ListParts to open an unfinished upload. us3_task_multipart returns the opened upload.
 *
 * @param client     the client, of the bucket that the upload is in
 * @param key        as for us3_multipart_open; copied
 * @param upload_id  as for us3_multipart_open; copied
 * @param start      NULL for the defaults, or initialised
 * @param out_task   receives the task, or NULL on failure. Free it with us3_task_free
 * @param result     NULL, or receives the outcome of this call; the task has its own
 *
 * Any thread, callbacks included. Does not block.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (client, key, upload_id or out_task is NULL, a struct_size
 * makes no sense, key or upload_id has an invalid value); US3_FORKED; US3_INTERNAL_ERROR. Every
 * other failure is the outcome of the task.
 */
us3_status us3_multipart_open_start(us3_client *client,
                                    const char *key,
                                    const char *upload_id,
                                    const us3_start *start,
                                    us3_task **out_task,
                                    us3_result *result);

/**
 * Aborts an unfinished multipart upload by its name, so that the service forgets its parts. It is for
 * an upload without a us3_multipart: one that a failed finish, a resume_path that nobody will use
 * again, or a killed process left behind. Its name is the us3_result.upload_id of what left it.
 *
 * A finish that may still be running, which is object_state US3_OBJECT_UNKNOWN, should not be aborted
 * lightly: it may complete meanwhile, and the abort undoes nothing of it. Ask us3_head_file first.
 *
 * @param client     the client, of the bucket that the upload is in
 * @param key        the key that the upload was begun with, 1 to 1023 bytes of UTF-8
 * @param upload_id  the service's name for the upload, 1 to 1024 visible ASCII characters
 * @param result     NULL, or receives the outcome of the call; upload_id is the upload's if it
 *                   succeeded
 *
 * Any thread. Blocks.
 *
 * @return one of
 * - US3_OK: aborted, by this try or by an earlier one of this call whose answer was lost
 * - US3_INVALID_ARGUMENT: client, key or upload_id is NULL, key or upload_id has an invalid value; nothing was
 *   sent
 * - US3_SERVICE_ERROR: refused; http_status is 404 if the service knows no such upload, because it was
 *   finished or aborted before, or the name is wrong
 * - US3_NETWORK_ERROR, US3_TIMEOUT: it may be aborted or not; call it again
 * - US3_PROTOCOL_ERROR, US3_WOULD_DEADLOCK, US3_FORKED, US3_INTERNAL_ERROR
 */
us3_status us3_abort_upload(us3_client *client,
                            const char *key,
                            const char *upload_id,
                            us3_result *result);

/**
 * Starts AbortMultipartUpload for an upload without a us3_multipart.
 *
 * @param client     the client, of the bucket that the upload is in
 * @param key        as for us3_abort_upload; copied
 * @param upload_id  as for us3_abort_upload; copied
 * @param start      NULL for the defaults, or initialised
 * @param out_task   receives the task, or NULL on failure. Free it with us3_task_free
 * @param result     NULL, or receives the outcome of this call; the task has its own
 *
 * Any thread, callbacks included. Does not block.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (client, key, upload_id or out_task is NULL, a struct_size
 * makes no sense, key or upload_id has an invalid value); US3_FORKED; US3_INTERNAL_ERROR. Every
 * other failure is the outcome of the task.
 */
us3_status us3_abort_upload_start(us3_client *client,
                                  const char *key,
                                  const char *upload_id,
                                  const us3_start *start,
                                  us3_task **out_task,
                                  us3_result *result);

/* ==== Objects ================================================================================= */

/**
 * Initialises a us3_file_info, as US3_FILE_INFO_INIT does. It frees nothing, so use it only on a
 * struct that holds no strings.
 *
 * @param info  NULL is allowed and ignored
 *
 * Any thread. Does not block.
 */
void us3_file_info_init(us3_file_info *info);

/**
 * Frees the strings of a us3_file_info and sets it back to its initial values. The struct can be
 * used again. Clearing it twice is harmless.
 *
 * @param info  initialised; NULL is allowed and ignored
 *
 * Any thread, while no other thread uses the struct. Does not block.
 */
void us3_file_info_clear(us3_file_info *info);

/**
 * HeadFile: asks for an object's size, date, ETag and type.
 *
 * @param client  the client
 * @param key     the object's key, 1 to 1023 bytes of UTF-8
 * @param info    initialised; its old strings are freed. After a failure it has its initial values
 * @param result  NULL, or receives the outcome of the call
 *
 * Any thread. Blocks.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (client, key or info is NULL, a struct_size makes no sense,
 * the key is invalid); US3_SERVICE_ERROR (refused; http_status is 404 if there is no such
 * object); US3_NETWORK_ERROR; US3_TIMEOUT; US3_PROTOCOL_ERROR; US3_FORKED; US3_INTERNAL_ERROR.
 */
us3_status us3_head_file(us3_client *client,
                         const char *key,
                         us3_file_info *info,
                         us3_result *result);

/**
 * Starts HeadFile. us3_task_file_info tells what it has learnt.
 *
 * @param client    the client
 * @param key       as for us3_head_file; copied
 * @param start     NULL for the defaults, or initialised
 * @param out_task  receives the task, or NULL on failure. Free it with us3_task_free
 * @param result    NULL, or receives the outcome of this call; the task has its own
 *
 * Any thread, callbacks included. Does not block.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (client, key or out_task is NULL, a struct_size makes no
 * sense, the key is invalid); US3_FORKED; US3_INTERNAL_ERROR. Every other failure is the outcome of the task.
 */
us3_status us3_head_file_start(us3_client *client,
                               const char *key,
                               const us3_start *start,
                               us3_task **out_task,
                               us3_result *result);

/* ==== Put policies ============================================================================ */

/**
 * Builds a put policy, with all strings escaped as JSON requires.
 *
 * @param url        where US3 sends the callback: an http or https URL
 * @param body       what US3 sends; it replaces $(x:name) with the variable x:name
 * @param body_type  the content type of body, e.g. "application/json": US3 then POSTs body to url.
 *                   NULL or "": US3 POSTs to url with body as the query
 * @param vars       vars_len variables for $(x:name), with names such as "x:name"; NULL if none
 * @param vars_len   elements of vars
 * @param result     NULL, or receives the outcome of the call
 * @return the policy as compact JSON, for policy_json of the uploads; free it with
 *         us3_string_free. NULL on failure.
 *
 * Any thread. Does not block.
 *
 * result.status is US3_OK; US3_INVALID_ARGUMENT (url or body is NULL, vars is NULL and vars_len is
 * not 0, a text is not UTF-8); US3_INVALID_POLICY (not an http URL, a variable in body that is
 * not in vars, more than 4096 bytes once encoded); US3_INTERNAL_ERROR (also if memory ran out).
 */
char *us3_policy_build(const char *url,
                       const char *body,
                       const char *body_type,
                       const us3_header *vars,
                       size_t vars_len,
                       us3_result *result);

/**
 * Checks a put policy, as every upload does before it sends anything: the policy must be a JSON
 * object; callbackUrl must be an http or https URL; the values of callbackVar must be strings;
 * each $(x:name) of callbackBody must be defined; the encoded policy must have at most 4096 bytes.
 *
 * @param policy_json  the policy
 * @param result       NULL, or receives the outcome of the call; err_msg says what is wrong, and
 *                     where
 *
 * Any thread. Does not block.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (policy_json is NULL or not UTF-8); US3_INVALID_POLICY;
 * US3_INTERNAL_ERROR.
 */
us3_status us3_policy_check(const char *policy_json,
                            us3_result *result);

/* ==== The log ================================================================================= */

/**
 * Sets the logger for all clients of the process. Without a logger nothing is logged, at almost no
 * cost. The logger may be changed or switched off at any time, also while uploads run.
 *
 * @param level      a us3_log_level: lines up to this level are passed on
 * @param logger     the function that receives the lines; NULL is the same as US3_LOG_OFF
 * @param user_data  passed to logger
 *
 * Any thread, but not in the logger. Waits for calls of the previous logger that are in progress:
 * after this function has returned, the previous logger is not called again. A forked child logs
 * nothing until it calls this function itself.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (level is out of range; or libus3 is part of a Rust program
 * that has set its own logger, which then receives the log); US3_WOULD_DEADLOCK (called in the
 * logger); US3_INTERNAL_ERROR.
 */
us3_status us3_set_logger(int32_t level,
                          us3_log_fn logger,
                          void *user_data);

#ifdef __cplusplus
}
#endif

#endif
