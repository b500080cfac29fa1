/**
 * @file us3.h
 * @brief Uploads to UCloud US3 object storage, with upload callbacks
 *
 * libus3 uploads files and memory to a bucket of US3, and has US3 call a service of yours once the
 * object is stored (an upload callback, asked for with a put policy). It is a library inside your
 * process: it does not print, exit, raise signals, or change anything that belongs to the process.
 *
 * Link with -lus3. This header is the manual; it is C99, C17 and C++17.
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
 * Status and result. A function that can fail returns a us3_status and takes a us3_result * last,
 * which may be NULL. With one, it tells everything that is known: why, on what, whether the
 * object is stored, whether the callback ran. A handle that a function makes is NULL after every
 * failure.
 *
 * Structs begin with struct_size, the size that the caller was compiled with, and are initialised
 * with their US3_..._INIT macro:
 *
 *     us3_config config = US3_CONFIG_INIT;
 *
 * A host that cannot use macros calls the us3_..._init function. It knows the members of the first
 * release only, so that it never writes beyond the struct of a host that is older than the
 * library. Members that a caller's older struct does not have get their default. A caller's newer
 * struct is accepted as long as the members that the library does not know are zero. A struct_size
 * that no struct can have (zero, too small, over 64 KiB) is US3_INVALID_ARGUMENT; a struct that
 * was never initialised is usually found out that way, but not always.
 *
 * Ownership. What you pass in stays yours. It is copied, or used until the call returns and not
 * longer; what a task borrows until its end is said at us3_upload_request and us3_upload_part_start.
 * Strings within a us3_result or us3_file_info belong to the struct: its next call, or its clear
 * function, frees them. A char * that a function returns is yours: us3_string_free it. A
 * const char * is not. What a function of the name ..._new, ..._from_file, ..._start or
 * us3_initiate_... gives you is freed by the ..._free of its type. Each clear and free function
 * accepts NULL.
 *
 * Strings are UTF-8 and end with a NUL; file paths are bytes and end with a NUL. A string that must
 * be there is refused with US3_INVALID_ARGUMENT when it is NULL, or not UTF-8; err_msg names the
 * parameter and the offset. Strings of the library are UTF-8. A NUL that the service had in
 * one is replaced; only body is handed on byte for byte.
 *
 * Enums are received as int32_t, and checked. A true bool is any value but 0.
 *
 * Threads. A us3_client, a us3_task and a us3_queue may be used by any number of threads at once, and a
 * us3_multipart for us3_upload_part as well. A struct of yours may be used by one thread at a time. A
 * thread must not be cancelled (pthread_cancel) while it is in a call.
 * Freeing something waits for the calls in progress on it, but no call may begin after that. In a
 * callback, freeing does not wait; what is still in use ends by itself.
 *
 * Callbacks. Functions of yours that the library calls run on threads of the library, on which all
 * signals are blocked. What one upload calls comes one call at a time, except that its read function
 * may run at the same time as its on_progress; different uploads call at the same time. They
 * may take their time, and wait for each other: each one that runs has a thread to itself, so that no
 * other upload waits for it, and there are as many threads as functions that have not returned. While
 * the system refuses the process another thread, a function waits until one of these returns or a
 * thread can be started, which is tried every 100 ms; without any such thread it runs on one that
 * drives sockets. A function that blocks returns US3_WOULD_DEADLOCK when a callback calls it;
 * starting, cancelling and freeing are allowed. They must return: no longjmp and no C++ exception
 * may leave them.
 *
 * Blocking. "Blocks" means: waits for the network or the disk, as long as the time limits of
 * us3_config allow. The work is done by threads of the client; yours waits, and may open the file.
 * Everything that blocks exists as a function of the name ..._start, which does the same without
 * blocking: it makes a us3_task, whose end is told as said at us3_upload_start. Of such tasks, uploads and
 * lists not counted, max_concurrent_uploads run at once, the others wait for their turn.
 *
 * fork(). A client does not survive into the child: every call that can fail returns US3_FORKED for
 * a handle of the parent, and freeing it only releases memory. Make a new client in the child. The
 * parent notices nothing.
 *
 * dlclose() is allowed once every client is freed. The code stays in memory.
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
 * callbackBodyType, it POSTs to callbackUrl with callbackBody as the query, in which $(x:name)
 * stands for a string of callbackVar:
 *
 *     {"callbackUrl":"http://example.com/path","callbackBody":"Name=$(x:name)&Age=$(x:age)",
 *      "callbackVar":{"x:name":"Alice","x:age":"20"}}
 *
 * Your service must answer with JSON and Content-Type: application/json, within
 * response_timeout_ms. Its answer is us3_result.body. us3_policy_build writes such JSON for you.
 *
 * policy_json NULL is an upload without a callback. "" is US3_INVALID_POLICY: an empty setting must
 * not drop a callback in silence.
 *
 * WHAT BECAME OF IT
 *
 * Requests that are safe to repeat (initiate, parts, abort, list, head, delete, and PutFile and finish
 * without a policy) are sent again when the connection fails, a limit passes, or the service
 * answers 408, 429, 500, 502, 503 or 504: max_retries times, after pauses that grow to at most
 * 10 seconds and are random, or as long as Retry-After asks, at most 60 seconds. A connection that
 * the service closed while it was idle is replaced at once; max_retries does not count that. With max_retries
 * 0 nothing that was sent is sent again.
 *
 * A request that carries a policy goes over a connection that is new or was used within the last
 * second, and is sent again only when it did not run: there was no connection, its body was not
 * through, or the service answered an error with RetCode and ErrMsg and HeadFile then showed no new
 * object. A callback never fires twice because of the library, unless callback_at_least_once asks
 * for it.
 *
 * A connection that breaks, a time limit and a gateway's page prove nothing: the service may still be
 * at work. The library then asks with HeadFile, and for a finish with ListParts, for
 * settle_timeout_ms, and says what it found. An object is this call's when its ETag says so and it
 * is not older than the request, by the service's own clock. What cannot be known is UNKNOWN.
 *
 *     status               object_state  callback_state  you may
 *     US3_OK               STORED        DELIVERED       go on (NOT_REQUESTED without a policy)
 *     US3_CALLBACK_FAILED  STORED        NOT_DELIVERED   the callback service was not reached: repair
 *                                                        it, and tell it yourself
 *     US3_CALLBACK_FAILED  STORED        REPLY_REFUSED   it ran, and US3 refused its reply: do not
 *                                                        repeat it; let it answer JSON
 *     US3_CALLBACK_FAILED  STORED        UNKNOWN         it answered an error, or broke off: ask it
 *     US3_INTEGRITY_ERROR  STORED        any             other bytes are stored than were sent:
 *                                                        delete the object and upload again
 *     any other            STORED        UNKNOWN         the object is there, the answer was lost: ask
 *                                                        the callback service
 *     any other            NOT_STORED    NOT_DELIVERED   correct what err_msg names, upload again
 *     any other            UNKNOWN       UNKNOWN         the service may still be at work, or cannot
 *                                                        be asked: us3_head_file later
 *
 * Without a policy callback_state is NOT_REQUESTED. note says when nothing could be compared.
 *
 * A multipart upload that fails is aborted. One that still exists, or may, is named in upload_id: its
 * finish may still run, a us3_multipart can finish it again, resume_path keeps it, or aborting it failed,
 * which err_msg says. us3_abort_upload aborts it by its name, us3_multipart_open goes on with it, and
 * us3_list_uploads finds those that nobody knows the name of.
 *
 *
 * ERROR CODES
 *
 * What the service answers, in us3_result as http_status, ret_code and within err_msg. Every code
 * is handed on as it came; us3_result_describe says the same in words.
 *
 *     HTTP  RetCode   ErrMsg                            what to do
 *     400   -148653   bucket not exists                 check bucket_name and file_host
 *     400   -15036    check md5 failed                  it changed on its way: upload again
 *     401   -148643   no authorization found            set the keys; a proxy may drop the header
 *     403   -148643   invalid signature                 check public_key and private_key
 *     400   -148660   invalid put policy                check the policy with us3_policy_check
 *     599   20003     send request error: Post ...      it was not reached, or broke off: see below
 *     599   20008     expect json, but received ...     it must answer as application/json
 *     599   20008     expect json, but the response     it must answer strict JSON
 *                     body is not a strict json string
 *
 * A 599 of this form, to a request with a policy, says that the object is stored: US3_CALLBACK_FAILED.
 * "It" is the callback service: with 20003 it was not reached if ErrMsg ends in a failed dial to
 * callbackUrl, else it may have run; with 20008 it ran. A 599 in another form is a gateway's, and says
 * nothing.
 */

#ifndef US3_H
#define US3_H

/* Generated from src/ffi by build.rs. Change it there. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// The version that this header is of; us3_version() is that of the library that is loaded.
#define US3_VERSION "0.1.0"
/// Its first number: of the soname, and of what fits together.
#define US3_VERSION_MAJOR 0
/// Its second number.
#define US3_VERSION_MINOR 1
/// Its third number.
#define US3_VERSION_PATCH 0

/* ==== Status and states ======================================================================= */

/// How a call ended. What every fallible function returns, and what us3_result.status repeats.
/// The numbers never change; more may be added, so treat a number you do not know as a failure.
enum us3_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /// Done.
    US3_OK = 0,
    /// A parameter is NULL, not UTF-8, out of range, or a struct_size makes no sense. Nothing was
    /// sent. A mistake in the calling program.
    US3_INVALID_ARGUMENT = 1,
    /// A member of the configuration is missing or wrong. Nothing was sent.
    US3_INVALID_CONFIG = 2,
    /// The put policy is not one that US3 would accept. Nothing was sent.
    US3_INVALID_POLICY = 3,
    /// A file cannot be opened or read, us3_result.os_error is the errno; or it has no true size.
    US3_FILE_ERROR = 4,
    /// The file changed while it was being uploaded; the upload was given up.
    US3_FILE_CHANGED = 5,
    /// The service could not be reached (name, connection, TLS), or the connection broke.
    US3_NETWORK_ERROR = 6,
    /// A time limit of the configuration, or the request's timeout_ms, passed.
    US3_TIMEOUT = 7,
    /// The host cancelled.
    US3_CANCELLED = 8,
    /// The service, or a gateway before it, answered an error: see http_status, ret_code, err_msg and
    /// session_id; object_state tells what is stored.
    US3_SERVICE_ERROR = 9,
    /// The object is stored, but its upload callback is not known to have succeeded: see callback_state.
    /// Uploading again would store it twice and may call back twice: ask or repair the callback
    /// service, then decide.
    US3_CALLBACK_FAILED = 10,
    /// The checksum of what the service stored differs from that of what was sent.
    US3_INTEGRITY_ERROR = 11,
    /// The service's answer makes no sense: something other than US3 may be answering.
    US3_PROTOCOL_ERROR = 12,
    /// Not finished yet. Not a failure.
    US3_PENDING = 13,
    /// A blocking function was called from within a callback of the library.
    US3_WOULD_DEADLOCK = 14,
    /// The handle was made before fork(), in the parent: this process must make its own.
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
    /// The answer was lost, the service may still be at work, or it cannot be asked. us3_head_file may
    /// tell later.
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
    /// It may have run: ask the callback service.
    US3_CALLBACK_UNKNOWN = 3,
    /// It ran, and US3 refused its reply, which was no JSON or not said to be JSON (599 / 20008).
    /// Treat a number that you do not know as US3_CALLBACK_UNKNOWN.
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

/// What became of a call. Initialise it once, pass it to any number of calls, one after the
/// other, and clear it at the end. Each call first frees what it holds from the call before.
/// One thread at a time may use a us3_result; give each thread its own.
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
    /// Bytes of content that left, including those that were sent again.
    uint64_t bytes_sent;
    /// What failed, on what, why, and what to do: one line for a log. NULL on success.
    char *err_msg;
    /// X-SessionId of the service's last answer: quote it to support. NULL if there was none.
    char *session_id;
    /// The object's (or part's) ETag, without quotes. NULL if unknown.
    char *etag;
    /// The multipart upload that the call was about, NULL if there was none. After a failure it is
    /// set only if the upload still exists with the service, or may.
    char *upload_id;
    /// The service's last answer, as it came, with a NUL behind it; NULL if it was empty. On the
    /// success of a call with a policy it is the reply of the callback service.
    char *body;
    /// Bytes in body, the final NUL not counted.
    size_t body_len;
    /// Parts that an earlier run of a resumable upload had sent, and that were not sent again.
    uint32_t parts_resumed;
    /// What else is worth knowing, on success too, such as why a resumable upload started afresh.
    /// NULL if there is nothing.
    char *note;
} us3_result;

/// A us3_result before its first call.
#define US3_RESULT_INIT \
    {sizeof(us3_result), 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL}

/* ==== Configuration =========================================================================== */

/// What a client is made from. Everything is copied by us3_client_new: it may be changed or freed
/// afterwards. Strings are UTF-8; NULL or "" is "not set".
typedef struct us3_config {
    /// sizeof(us3_config), set by the initialiser.
    size_t struct_size;
    /// Required. The public key of the API or token.
    const char *public_key;
    /// Required. The private key that belongs to it. Never logged; wiped when the client is freed.
    const char *private_key;
    /// The token of temporary (STS) credentials; not set with permanent keys.
    const char *security_token;
    /// Required. The bucket.
    const char *bucket_name;
    /// Region host, e.g. "cn-bj.ufileos.com"; requests go to http://bucket.file_host. It may
    /// carry a scheme: "https://cn-bj.ufileos.com". Either file_host or endpoint is required.
    const char *file_host;
    /// A custom domain, e.g. "https://files.example.com" or "http://127.0.0.1:8080", that requests
    /// go to as it is, without the bucket in front. Wins over file_host.
    const char *endpoint;
    /// Send a Content-MD5, for the service to check, with PutFile and each part. Default false.
    /// Costs a second reading of the file with PutFile.
    bool verify_upload_md5;
    /// Compare the ETag that the service answers with the one computed while the bytes were
    /// sent; a difference is US3_INTEGRITY_ERROR. Default true.
    bool verify_etag;
    /// Milliseconds to connect, TLS included: 1 to 86400000 (24 h). 0 is the default, 10000.
    uint32_t connect_timeout_ms;
    /// Milliseconds in which no byte of a request can be sent: 1 to 86400000. 0 is the default, 30000.
    /// Waiting for the source, such as a slow disk, does not count.
    uint32_t idle_timeout_ms;
    /// Milliseconds between the end of a request's body and the beginning of the answer, and again
    /// for the whole answer. An upload callback runs in the first. 1 to 86400000; 0 is
    /// the default, 60000.
    uint32_t response_timeout_ms;
    /// How often a request that can safely be repeated is sent again after a failure; see "WHAT
    /// BECAME OF IT". Taken as it is: 0 is never. The initialiser sets the default, 3.
    uint32_t max_retries;
    /// Threads of the client that do the work, 1 to 256. 0 is the default, 2.
    uint32_t worker_threads;
    /// Uploads of the client that run at the same time; further ones wait for their turn.
    /// 1 to 4096; 0 is the default, 32.
    uint32_t max_concurrent_uploads;
    /// A proxy, e.g. "http://10.0.0.1:3128". Not set: none.
    const char *proxy;
    /// Path (bytes, not necessarily UTF-8) of a PEM file with the certificates to trust instead of
    /// the system's. Not set: the system's.
    const char *ca_file;
    /// Take the proxy from the environment (HTTP_PROXY and so on) if none is set here. Default
    /// false.
    bool use_env_proxy;
    /// When the answer to a request with a policy is lost, the library does not repeat it by
    /// itself, because the callback may have run: it reports US3_CALLBACK_UNKNOWN. True repeats
    /// it, so that a callback may run twice but is not missed. Default false.
    bool callback_at_least_once;
    /// Milliseconds to find out, by HeadFile and ListParts, what became of a PutFile or finish whose
    /// answer was lost. At least one question is asked, and the last may take 10 seconds more. 0 is
    /// the default, 5000.
    uint32_t settle_timeout_ms;
} us3_config;

/// The defaults; public_key, private_key, bucket_name, and file_host or endpoint, are to be set.
#define US3_CONFIG_INIT \
    {sizeof(us3_config), NULL, NULL, NULL, NULL, NULL, NULL, false, true, 0, 0, 0, 3, 0, 0, \
     NULL, NULL, false, false, 0}

/* ==== Handles ================================================================================= */

/// A client of one bucket: configuration, connections and the threads that do the work. Any number
/// of threads may use one client at once, and should: it keeps connections for reuse.
typedef struct us3_client us3_client;

/// A multipart upload that the host drives part by part. Any number of threads may send parts of
/// one upload at once. It belongs to the client that it was made with.
typedef struct us3_multipart us3_multipart;

/// A started operation: an upload, or any other that has a function of the name ..._start. Any number of
/// threads may use it at once.
typedef struct us3_task us3_task;

/// Collects the ends of tasks: of any number, of any operations, of any clients. Any number of threads may
/// use it at once.
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

/// us3_progress.total while nobody knows it.
#define US3_TOTAL_UNKNOWN UINT64_MAX

/// How far an upload is. It owns nothing, and needs no clearing.
typedef struct us3_progress {
    /// sizeof(us3_progress), set by the initialiser.
    size_t struct_size;
    /// Bytes of content in all; US3_TOTAL_UNKNOWN before the source is opened, and of a stream
    /// until it has ended.
    uint64_t total;
    /// Bytes of content that left. A request that failed takes back what it had sent.
    uint64_t sent;
    /// Bytes of content that the service has confirmed.
    uint64_t acknowledged;
    /// Parts that the service has confirmed; a PutFile is one part.
    uint32_t parts_done;
    /// Parts in all; 0 while unknown.
    uint32_t parts_total;
    /// 1 + the requests that had to be sent again; 0 before the first.
    uint32_t attempts;
    /// Milliseconds since the upload was started, the time in the queue included.
    uint64_t elapsed_ms;
} us3_progress;

/// A us3_progress before its first call.
#define US3_PROGRESS_INIT {sizeof(us3_progress), 0, 0, 0, 0, 0, 0, 0}

/// A source: writes the next bytes of the content to buffer, at most capacity, and returns how
/// many; fewer than capacity do not mean the end. Returns 0 at the end, and is not called again. A
/// negative number ends the upload: US3_FILE_ERROR, with the number's opposite as os_error, so
/// that -errno is what to return when a read failed.
///
/// Called on library threads, one call at a time; it may block as long as it likes. No call is in
/// progress and none comes once the end of the upload was told, which is therefore told no earlier
/// than a call in progress returns, also of an upload that was cancelled.
typedef int64_t (*us3_read_fn)(void *user_data,
                               void *buffer,
                               size_t capacity);

/// Tells how far an upload is, at most every 100 ms while it runs and once at its end. Whatever it
/// returns but 0 cancels the upload, as us3_task_cancel does. progress is valid during the call.
typedef int32_t (*us3_progress_fn)(const us3_progress *progress,
                                   void *user_data);

/// Tells what became of an operation, exactly once. task is the handle that its ..._start gave, which
/// may be freed here. It is valid during the call, also when another callback frees it meanwhile. It
/// is NULL if us3_task_free was called before, or if the upload was begun with us3_upload. result is
/// the library's, valid during the call; never clear it.
typedef void (*us3_complete_fn)(us3_task *task,
                                const us3_result *result,
                                void *user_data);

/// An unfinished upload, as us3_list_uploads tells of it. Later versions may have more members.
typedef struct us3_unfinished {
    /// sizeof(us3_unfinished) of the library.
    size_t struct_size;
    /// The key that it was begun with.
    const char *key;
    /// The service's name for it.
    const char *upload_id;
    /// When it was begun, in seconds since 1970-01-01 UTC; -1 if the service does not say.
    int64_t started;
    /// NULL if the service does not say.
    const char *storage_class;
} us3_unfinished;

/// Tells of an unfinished upload. Whatever it returns but 0 ends the list, which is a success. upload and its
/// strings are valid during the call. Called on library threads, one call at a time, before the end is told; it may
/// take its time.
typedef int32_t (*us3_unfinished_fn)(const struct us3_unfinished *upload,
                                     void *user_data);

/// How an operation is started. The struct is borrowed until the call returns.
typedef struct us3_start {
    /// sizeof(us3_start), set by the initialiser.
    size_t struct_size;
    /// Where the task is to be handed out at its end. NULL: nowhere.
    us3_queue *queue;
    /// Called once at the end of an operation that was started. NULL: not told.
    us3_complete_fn on_complete;
    /// What on_complete is called with, and us3_task_user_data returns.
    void *user_data;
    /// Milliseconds for the whole operation, its turn and retries included; 0 for no limit but those of
    /// us3_config. When they have passed: US3_TIMEOUT.
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
    /// Multipart. An empty object is one PutFile all the same.
    US3_MODE_MPUT = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum us3_mode us3_mode;
#else
typedef int32_t us3_mode;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/// Everything that an upload can want. Strings are UTF-8, except file_path and resume_path.
/// Everything in it is borrowed until the call returns, except what data points at, and what
/// user_data and read_user_data stand for: until the end of the upload, which is when on_complete
/// is called, or us3_upload or us3_task_wait returns (anything but US3_PENDING).
typedef struct us3_upload_request {
    /// sizeof(us3_upload_request), set by the initialiser.
    size_t struct_size;
    /// A us3_mode. Default US3_MODE_AUTO.
    int32_t mode;
    /// The source, if it is a file: its path, bytes. A regular file that has its size: what is made
    /// while it is read, as in /proc, /sys and some FUSE, is sent as a stream. Exactly one of
    /// file_path, data and read is not NULL. A relative path means what it means when the upload is
    /// started.
    const char *file_path;
    /// The source, if it is memory: never copied, so leave it as it is until the end of the upload.
    /// For an empty object, any pointer but NULL, with a data_len of 0.
    const void *data;
    /// Bytes at data. 0 if data is NULL.
    size_t data_len;
    /// The source, if it is a stream, whose length nobody knows yet. It does not go with
    /// US3_MODE_PUT or resume_path. With US3_MODE_AUTO, a stream of less than 4 MiB is one PutFile.
    us3_read_fn read;
    /// What read is called with.
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
    /// "STANDARD", "IA" or "ARCHIVE". NULL or "": the bucket's.
    const char *storage_class;
    /// metadata_len pieces of metadata, kept with the object as X-Ufile-Meta-NAME: VALUE. Names
    /// are letters, digits and "-"; 8 KiB in all. NULL if there are none.
    const us3_header *metadata;
    /// Elements of metadata.
    size_t metadata_len;
    /// A checkpoint file, bytes; NULL or "" for none. With one, an upload in parts that fails is
    /// kept, and the next one with the same checkpoint and object sends only what the service does
    /// not have yet. If the file's content, mime_type, storage_class or metadata are others than
    /// before, it starts afresh, and result.note says so; it names an old upload that could not be
    /// aborted. The checkpoint is made when the upload begins, readable by its owner only, holds no
    /// secret, and is removed when the object is stored. It goes with file_path, and not with
    /// US3_MODE_PUT. One upload at a time may use it: US3_FILE_ERROR to others.
    /// It is replaced as a whole, by way of a temporary file beside it, resume_path with ".us3-tmp".
    /// What is there and is no checkpoint is kept as resume_path with ".damaged". If a file has such a
    /// name already it stays, and a number is added; if it is file_path: US3_INVALID_ARGUMENT.
    /// A symbolic link stays: the file that it leads to is the checkpoint, or US3_FILE_ERROR if it is
    /// anything else. A link or file of another user but root is US3_FILE_ERROR in a folder that others
    /// may write to, such as /tmp or a group's, or that is another user's; better name a folder of
    /// your own.
    const char *resume_path;
    /// Milliseconds for the whole upload, retries and clean-up included; 0 for no limit. When they
    /// have passed: US3_TIMEOUT.
    uint64_t timeout_ms;
    /// Called to tell how far the upload is. NULL: not told.
    us3_progress_fn on_progress;
    /// Called once at the end of an upload that began, before us3_upload returns; not when that
    /// or us3_upload_start refused the request with US3_INVALID_ARGUMENT. NULL: not told.
    us3_complete_fn on_complete;
    /// What on_progress and on_complete are called with, and us3_task_user_data returns.
    void *user_data;
    /// Where the task is to be handed out at its end. NULL: nowhere. us3_upload, which makes no task, does not use it.
    us3_queue *queue;
} us3_upload_request;

/// The defaults; key, and one of file_path, data and read, are to be set.
#define US3_UPLOAD_REQUEST_INIT \
    {sizeof(us3_upload_request), US3_MODE_AUTO, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, 10, \
     NULL, NULL, 0, NULL, 0, NULL, NULL, NULL, NULL}

/// What HeadFile tells of an object. Initialise it once, use it for any number of calls, clear it
/// at the end. One thread at a time may use it.
typedef struct us3_file_info {
    /// sizeof(us3_file_info), set by the initialiser.
    size_t struct_size;
    /// Bytes.
    uint64_t size;
    /// Seconds since 1970-01-01 UTC; -1 if the service does not say.
    int64_t last_modified;
    /// Without quotes; NULL if the service does not say.
    char *etag;
    /// The content type; NULL if the service does not say.
    char *mime_type;
} us3_file_info;

/// A us3_file_info before its first call.
#define US3_FILE_INFO_INIT {sizeof(us3_file_info), 0, -1, NULL, NULL}

/// How much is logged: the level that us3_set_logger and a us3_log_fn are given.
enum us3_log_level
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /// Nothing.
    US3_LOG_OFF = 0,
    /// Uploads that failed.
    US3_LOG_ERROR = 1,
    /// And requests that failed, whether they are sent again or not.
    US3_LOG_WARN = 2,
    /// And uploads that begin and end.
    US3_LOG_INFO = 3,
    /// And each request.
    US3_LOG_DEBUG = 4,
    /// And whatever else later versions have to say.
    US3_LOG_TRACE = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum us3_log_level us3_log_level;
#else
typedef int32_t us3_log_level;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/// Takes a line of the log: an event, then what is known of it as name=value, such as
///
///   UploadPart key="a.jpg" part=3 attempt=2 ms=41 http=200 session="b0c3..."
///
/// level is a us3_log_level. line is UTF-8 without a line break, valid during the call; it holds no
/// private key, signature or token. Called on the threads that drive the library's sockets, by
/// several of them at once: it must be quick, and nothing that blocks may be called in it.
typedef void (*us3_log_fn)(int32_t level,
                           const char *line,
                           void *user_data);

#ifdef __cplusplus
extern "C" {
#endif

/* ==== The library ============================================================================= */

/**
 * The version of the library that is loaded, which may be newer than US3_VERSION, the one this
 * header is of.
 *
 * @return such as "1.2.3". Static: never free it. Never NULL.
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
 * @param string  what was returned; NULL is allowed and ignored
 *
 * Not for the strings within a us3_result or us3_file_info: those belong to the struct, and its
 * clear function frees them. Not for strings returned as `const char *`.
 *
 * Any thread. Does not block.
 */
void us3_string_free(char *string);

/* ==== Working with results ==================================================================== */

/**
 * Initialises a result, as US3_RESULT_INIT does. It frees nothing: use it on fresh memory only.
 *
 * @param result  NULL is allowed and ignored
 *
 * Any thread. Does not block.
 */
void us3_result_init(us3_result *result);

/**
 * Frees what a result holds and sets it back to its initial values. It can be used again, and
 * clearing it twice is harmless.
 *
 * @param result  initialised; NULL is allowed and ignored
 *
 * Any thread, while no other uses the result. Does not block.
 */
void us3_result_clear(us3_result *result);

/**
 * Says what became of a call in one readable paragraph: status, message, HTTP status, RetCode,
 * session id, whether the object is stored, whether the callback ran, and what to do. For logs
 * and for people; programs look at the members.
 *
 * @param result  of any call, successful or not, also one that the host filled in itself
 * @return one line of UTF-8, to be freed with us3_string_free. NULL only if memory ran out.
 *
 * Any thread, while no other changes the result. Does not block.
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
 * @param result      NULL, or receives what became of the call
 *
 * Any thread. Does not block on the network; reads ca_file or, with https, the certificates
 * of the system.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (config or out_client is NULL, a struct_size makes no
 * sense); US3_INVALID_CONFIG (a member is missing, malformed or not UTF-8); US3_FILE_ERROR
 * (ca_file cannot be read); US3_INTERNAL_ERROR (also when no thread can be started).
 */
us3_status us3_client_new(const us3_config *config,
                          us3_client **out_client,
                          us3_result *result);

/**
 * Makes a client from a JSON file, such as the vendor's SDKs use:
 *
 *   {
 *       "public_key": "...", "private_key": "...",
 *       "bucket_name": "demo", "file_host": "cn-bj.ufileos.com",
 *       "verfiy_upload_md5": false
 *   }
 *
 * Members have the names of us3_config's; "verfiy_upload_md5" is the vendor's spelling, both
 * are understood; "bucket_host" and unknown members are ignored.
 *
 * @param json_path   path of the file, bytes
 * @param out_client  receives the client, or NULL on failure. Free it with us3_client_free
 * @param result      NULL, or receives what became of the call
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
 * Frees a client: waits for the uploads that were started and for the calls that other threads have
 * in progress on it, closes its connections and ends its threads. To be quick, cancel the uploads
 * first. Free its us3_multipart handles first: the threads live until the last of them is freed. A
 * us3_task may be freed before or after. No call may begin on the client once it is being freed.
 *
 * @param client  NULL is allowed and ignored
 *
 * Any thread, once. Blocks until uploads and calls have ended and each on_complete has returned,
 * however long it takes. In a callback it does not wait: a thread of its own ends what is left when
 * the last upload has ended. In a forked child it only releases memory.
 */
void us3_client_free(us3_client *client);

/**
 * Deletes an object.
 *
 * @param client  the client
 * @param key     the object's key, 1 to 1023 bytes of UTF-8
 * @param result  NULL, or receives what became of the call
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
 * @param result    NULL, or receives what became of starting it
 *
 * Any thread, callbacks included. Does not block.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (client, key or out_task is NULL, a struct_size makes no
 * sense, the key is invalid); US3_FORKED; US3_INTERNAL_ERROR. Everything else is told at the end.
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
 * Uploads a file, memory or a stream as one object, whatever the request asks for, and waits for the
 * end: us3_upload_start and us3_task_wait in one. Its callbacks are called on library threads, the
 * last of them before it returns.
 *
 * @param client   the client
 * @param request  initialised and filled in; borrowed until the call returns
 * @param result   NULL, or receives what became of the upload. With a policy, body is the reply
 *                 of the callback service
 *
 * Any thread. Blocks until the object is stored and the callback answered, or the upload failed.
 *
 * @return one of
 * - US3_OK: stored, and the callback, if there was a policy, delivered
 * - US3_INVALID_ARGUMENT: a pointer is NULL, not exactly one of file_path, data and read is given,
 *   mode, key, mime_type, storage_class or metadata has an invalid value, resume_path or US3_MODE_PUT do not
 *   go with the source, or the content is over 512 MiB with US3_MODE_PUT
 * - US3_INVALID_POLICY: the policy is "" or wrong; err_msg says where
 * - US3_FILE_ERROR: the file is missing, unreadable, a directory, or otherwise not a regular file,
 *   or holds more or less than its size says; or resume_path cannot be written, or another upload
 *   uses it; or read returned a negative number
 * - US3_FILE_CHANGED: the file changed while it was sent; nothing is stored. A file that was only
 *   renamed, linked, unlinked or given other permissions has not changed: it is read once more to
 *   find that out. With verify_etag off, a PutFile cannot, and such a file counts as changed
 * - US3_SERVICE_ERROR: the service refused
 * - US3_CALLBACK_FAILED: stored, but the callback failed; see "ERROR CODES"
 * - US3_NETWORK_ERROR, US3_TIMEOUT: object_state and callback_state tell what is known
 * - US3_CANCELLED: on_progress cancelled it
 * - US3_INTEGRITY_ERROR: stored, but not what was sent
 * - US3_WOULD_DEADLOCK: called in a callback
 * - US3_PROTOCOL_ERROR, US3_FORKED, US3_INTERNAL_ERROR
 *
 * A multipart upload that fails is aborted, unless resume_path is set. If it was kept, its last
 * step failed, or aborting it did, result.upload_id names it.
 */
us3_status us3_upload(us3_client *client,
                      const us3_upload_request *request,
                      us3_result *result);

/**
 * Starts an upload and returns at once, without waiting for the network, the disk or the read
 * function. Any number of uploads may be started: max_concurrent_uploads of them run, the others
 * wait for their turn, in the order in which they were started.
 *
 * The end is told in four ways, in this order: on_complete is called; then us3_task_wait
 * returns; then the descriptor of us3_task_fd becomes readable; then the task is in its queue. Use as
 * many of them as you like.
 *
 * @param client    the client
 * @param request   initialised and filled in. The struct and its strings are copied; what data
 *                  points at is not: leave it as it is until the end is told
 * @param out_task  receives the task, or NULL on failure; it is written before the first callback.
 *                  Free it with us3_task_free, at any time
 * @param result    NULL, or receives what became of starting the upload
 *
 * Any thread, callbacks included. Does not block.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (as us3_upload, or out_task is NULL); US3_INVALID_POLICY;
 * US3_FORKED; US3_INTERNAL_ERROR. After a failure there is no task, and nothing is called. What
 * else can become of the upload is told at its end.
 */
us3_status us3_upload_start(us3_client *client,
                            const us3_upload_request *request,
                            us3_task **out_task,
                            us3_result *result);

/**
 * PutFileWithPolicy: uploads a file with one request, then the callback runs.
 *
 * @param client       the client
 * @param file_path    path of a regular file of at most 512 MiB, bytes
 * @param key          the object's key, 1 to 1023 bytes of UTF-8
 * @param mime_type    the content type; NULL or "" to detect it
 * @param policy_json  the put policy; NULL for no callback, "" is US3_INVALID_POLICY
 * @param result       NULL, or receives what became of the upload; body is the callback's reply
 *
 * Any thread. Blocks.
 *
 * @return what us3_upload returns; a larger file is US3_INVALID_ARGUMENT before anything is
 *         sent
 */
us3_status us3_put_file_with_policy(us3_client *client,
                                    const char *file_path,
                                    const char *key,
                                    const char *mime_type,
                                    const char *policy_json,
                                    us3_result *result);

/**
 * MPutWithPolicy: uploads a file in parts, one at a time, then the callback runs.
 *
 * @param client       the client
 * @param file_path    path of a regular file, bytes
 * @param key          the object's key, 1 to 1023 bytes of UTF-8
 * @param mime_type    the content type; NULL or "" to detect it
 * @param policy_json  the put policy; NULL for no callback, "" is US3_INVALID_POLICY
 * @param result       NULL, or receives what became of the upload; body is the callback's reply
 *
 * Any thread. Blocks.
 *
 * @return what us3_upload returns
 */
us3_status us3_mput_with_policy(us3_client *client,
                                const char *file_path,
                                const char *key,
                                const char *mime_type,
                                const char *policy_json,
                                us3_result *result);

/**
 * AsyncMPutWithPolicy: uploads a file in parts, 10 at a time, then the callback runs. The name is
 * the vendor's: "async" is what the parts are to each other; the call waits for the end.
 *
 * @param client       the client
 * @param file_path    path of a regular file, bytes
 * @param key          the object's key, 1 to 1023 bytes of UTF-8
 * @param mime_type    the content type; NULL or "" to detect it
 * @param policy_json  the put policy; NULL for no callback, "" is US3_INVALID_POLICY
 * @param result       NULL, or receives what became of the upload; body is the callback's reply
 *
 * Any thread. Blocks.
 *
 * @return what us3_upload returns
 */
us3_status us3_async_mput_with_policy(us3_client *client,
                                      const char *file_path,
                                      const char *key,
                                      const char *mime_type,
                                      const char *policy_json,
                                      us3_result *result);

/**
 * AsyncUploadWithPolicy: uploads a file in parts, `jobs` at a time, then the callback runs.
 *
 * @param client       the client
 * @param file_path    path of a regular file, bytes
 * @param key          the object's key, 1 to 1023 bytes of UTF-8
 * @param mime_type    the content type; NULL or "" to detect it
 * @param jobs         parts in flight at once: below 1 is 1, above 256 is 256
 * @param policy_json  the put policy; NULL for no callback, "" is US3_INVALID_POLICY
 * @param result       NULL, or receives what became of the upload; body is the callback's reply
 *
 * Any thread. Blocks.
 *
 * @return what us3_upload returns
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
 * @param result      NULL, or receives what became of the operation, each time anew
 *
 * Any thread, any number of times. Blocks for the given time at most. In a callback only a
 * timeout_ms of 0 is possible.
 *
 * @return what us3_upload, or the function that blocks, returns; US3_PENDING (it has not ended yet); US3_INVALID_ARGUMENT also if
 * task is NULL; US3_CANCELLED (it was cancelled); US3_WOULD_DEADLOCK (called in a callback);
 * US3_FORKED; US3_INTERNAL_ERROR.
 */
us3_status us3_task_wait(us3_task *task,
                         int64_t timeout_ms,
                         us3_result *result);

/**
 * Cancels a task: within 100 ms no more of it is sent, and what an upload has begun in parts is aborted, unless
 * resume_path is set. Then the end is told as always, with US3_CANCELLED, or with what became of
 * the operation if it was over already. A part, a finish or an abort that is cancelled leaves its
 * us3_multipart as a failure does. Cancelling again changes nothing.
 *
 * @param task  the task
 *
 * Any thread, callbacks included. Does not block: it does not wait for the end.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (task is NULL); US3_FORKED; US3_INTERNAL_ERROR.
 */
us3_status us3_task_cancel(us3_task *task);

/**
 * Tells how far an upload is, or a part. Other tasks have attempts and elapsed_ms only.
 *
 * @param task      the task
 * @param progress  initialised; receives how far it is
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
 * @return the descriptor, each time the same. It belongs to the task: never close it, and take it
 *         out of the event loop before us3_task_free closes it. -1 if task is NULL, if the process
 *         has no descriptor left, or in a forked child.
 *
 * Any thread. Does not block.
 */
int us3_task_fd(us3_task *task);

/**
 * The user_data of the request, or of the us3_start, that the task was started with.
 *
 * @param task  the task; NULL is allowed
 * @return what was given; NULL if task is NULL
 *
 * Any thread. Does not block. Works in a forked child.
 */
void *us3_task_user_data(const us3_task *task);

/**
 * What a task of us3_head_file_start has learnt.
 *
 * @param task  the task
 * @param info  initialised; what it held is freed. Holds its initial values after a failure
 *
 * Any thread, any number of times, also in on_complete. Does not block.
 *
 * @return US3_OK; US3_PENDING (nothing is known yet); after a failure of the task its status;
 * US3_INVALID_ARGUMENT (also if a pointer is NULL, a struct_size makes no sense, or the task is another operation's);
 * US3_FORKED; US3_INTERNAL_ERROR.
 */
us3_status us3_task_file_info(us3_task *task,
                              us3_file_info *info);

/**
 * Takes the upload that a task of us3_initiate_multipart_upload_start has begun, or one of
 * us3_multipart_open_start has opened.
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
 * Makes a queue for the ends of tasks. A task is on the queue that was given as the member queue when it
 * was started. It needs no descriptor of its own then.
 *
 * @param out_queue  receives the queue, or NULL on failure. Free it with us3_queue_free
 * @param result     NULL, or receives what became of the call
 *
 * Any thread. Does not block.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (out_queue is NULL); US3_INTERNAL_ERROR (also when the process has
 * no descriptor left, which os_error tells).
 */
us3_status us3_queue_new(us3_queue **out_queue,
                         us3_result *result);

/**
 * A descriptor that is readable while the queue has ends, for poll, epoll, and event loops that are made of them. Only
 * poll it: us3_queue_next takes the ends out.
 *
 * @param queue  the queue; NULL is allowed
 * @return the descriptor, each time the same. It belongs to the queue: never close it, and take it out of the
 *         event loop before us3_queue_free closes it. -1 if queue is NULL, or in a forked child.
 *
 * Any thread. Does not block.
 */
int us3_queue_fd(us3_queue *queue);

/**
 * Takes the next task that has ended out of the queue, in the order of their ends. Each task is handed out once, after
 * its on_complete has returned, and not any more once us3_task_free was called. Then us3_task_wait with a timeout_ms of 0
 * tells what became of it, us3_task_user_data whose it is, and us3_task_free frees it, as always.
 *
 * @param queue       the queue
 * @param timeout_ms  milliseconds to wait at most; 0 only looks; negative: for ever
 * @param out_task    receives the task, which stays the host's, or NULL on failure
 * @param result      NULL, or receives what became of this call: not of the task
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
 * Frees a queue. Its tasks go on without it, and their ends are told in the other ways. Threads that wait in
 * us3_queue_next return US3_CANCELLED.
 *
 * @param queue  NULL is allowed and ignored
 *
 * Any thread, once; no call may begin on the queue after that, and none may start a task on it. Does not wait for tasks.
 * In a forked child it only releases memory.
 */
void us3_queue_free(us3_queue *queue);

/* ==== Uploading part by part ================================================================== */

/**
 * InitiateMultipartUpload: begins a multipart upload. Send the parts with us3_upload_part, then
 * call us3_finish_multipart_upload_with_policy, or us3_abort_multipart_upload to give it up; then
 * us3_multipart_free.
 *
 * @param client         the client
 * @param key            the object's key, 1 to 1023 bytes of UTF-8
 * @param mime_type      the content type; NULL or "" to detect it by the key's extension
 * @param out_multipart  receives the upload, or NULL on failure. Free it with us3_multipart_free
 * @param result         NULL, or receives what became of the call
 *
 * Any thread. Blocks.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (client, key or out_multipart is NULL, the key or the type
 * is invalid); US3_SERVICE_ERROR; US3_NETWORK_ERROR; US3_TIMEOUT; US3_PROTOCOL_ERROR (the answer
 * has no upload id or no sensible part size); US3_FORKED; US3_INTERNAL_ERROR.
 */
us3_status us3_initiate_multipart_upload(us3_client *client,
                                         const char *key,
                                         const char *mime_type,
                                         us3_multipart **out_multipart,
                                         us3_result *result);

/**
 * The service's name for an upload.
 *
 * @param multipart  the upload; NULL is allowed
 * @return the upload id. It belongs to the handle: never free it, and do not use it after
 *         us3_multipart_free. NULL if multipart is NULL.
 *
 * Any thread. Does not block. Works in a forked child.
 */
const char *us3_multipart_upload_id(const us3_multipart *multipart);

/**
 * The size of each part but the last, which may be smaller, as the service demands it.
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
 * @param part_number  from 0, without gaps when the upload is finished
 * @param data         the part's bytes, not copied: leave them as they are until the call returns
 * @param len          bytes at data: us3_multipart_part_size, or less for the last part
 * @param result       NULL, or receives what became of the call; etag is the part's
 *
 * Any thread. Blocks.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (multipart or data is NULL, len or part_number is out of
 * range, the upload is finished or aborted); US3_SERVICE_ERROR; US3_NETWORK_ERROR; US3_TIMEOUT;
 * US3_INTEGRITY_ERROR (the service stored something else); US3_PROTOCOL_ERROR (the answer has no
 * ETag); US3_FORKED; US3_INTERNAL_ERROR. A failure leaves the upload as it was: the part can be
 * sent again.
 */
us3_status us3_upload_part(us3_multipart *multipart,
                           uint32_t part_number,
                           const void *data,
                           size_t len,
                           us3_result *result);

/**
 * FinishMultipartUploadWithPolicy: joins the parts to the object, in the order of their numbers;
 * then the callback runs. After a failure that left the upload in existence it can be called
 * again, with the same or another policy: no part is sent twice.
 *
 * @param multipart    the upload
 * @param policy_json  the put policy; NULL for no callback, "" is US3_INVALID_POLICY
 * @param result       NULL, or receives what became of the call; body is the callback's reply, or,
 *                     without a policy, the service's answer
 *
 * Any thread, while no other has a call in progress on this upload. Blocks until the callback
 * answered.
 *
 * @return one of
 * - US3_OK: stored, and the callback, if there was a policy, delivered
 * - US3_INVALID_ARGUMENT: multipart is NULL, a part is missing, a part that is not the last is
 *   smaller than the part size, or the upload is finished or aborted
 * - US3_INVALID_POLICY: the policy is "" or wrong; err_msg says where
 * - US3_SERVICE_ERROR: the service or a gateway answered an error; object_state tells what is stored,
 *   and upload_id is set if the upload still exists, or may
 * - US3_CALLBACK_FAILED: stored, but the callback failed; see "ERROR CODES"
 * - US3_NETWORK_ERROR, US3_TIMEOUT: object_state and callback_state tell what is known
 * - US3_INTEGRITY_ERROR: stored, but not what was sent
 * - US3_PROTOCOL_ERROR, US3_FORKED, US3_INTERNAL_ERROR
 */
us3_status us3_finish_multipart_upload_with_policy(us3_multipart *multipart,
                                                   const char *policy_json,
                                                   us3_result *result);

/**
 * AbortMultipartUpload: gives an upload up, so that the service forgets its parts.
 *
 * @param multipart  the upload, still to be freed with us3_multipart_free
 * @param result     NULL, or receives what became of the call
 *
 * Any thread, while no other has a call in progress on this upload. Blocks.
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
 * Starts InitiateMultipartUpload. us3_task_multipart takes the upload that it has begun.
 *
 * @param client     the client
 * @param key        as for us3_initiate_multipart_upload; copied
 * @param mime_type  as for us3_initiate_multipart_upload; copied
 * @param start      NULL for the defaults, or initialised
 * @param out_task   receives the task, or NULL on failure. Free it with us3_task_free
 * @param result     NULL, or receives what became of starting it
 *
 * Any thread, callbacks included. Does not block.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (client, key or out_task is NULL, a struct_size makes no
 * sense, the key or the type is invalid); US3_FORKED; US3_INTERNAL_ERROR. Everything else is told at
 * the end.
 */
us3_status us3_initiate_multipart_upload_start(us3_client *client,
                                               const char *key,
                                               const char *mime_type,
                                               const us3_start *start,
                                               us3_task **out_task,
                                               us3_result *result);

/**
 * Starts UploadPart. data is borrowed until the end of the task, which is when on_complete is called, or
 * us3_task_wait returns (anything but US3_PENDING), also of a task that was cancelled: leave it as it
 * is until then. us3_task_free and us3_multipart_free wait for that end, except in a callback: a task
 * that is freed there, and has no on_complete, never tells when data is yours again.
 *
 * @param multipart    the upload
 * @param part_number  as for us3_upload_part
 * @param data         the part's bytes, not copied
 * @param len          bytes at data: us3_multipart_part_size, or less for the last part
 * @param start        NULL for the defaults, or initialised
 * @param out_task     receives the task, or NULL on failure. Free it with us3_task_free
 * @param result       NULL, or receives what became of starting it
 *
 * Any thread, callbacks included. Does not block.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (multipart, data or out_task is NULL, a struct_size makes no
 * sense, len or part_number is out of range, a part of this number is on its way, the upload is finished or aborted,
 * or being so); US3_FORKED; US3_INTERNAL_ERROR. Everything else is told at the end.
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
 * @param result       NULL, or receives what became of starting it
 *
 * Any thread, callbacks included. Does not block.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (multipart or out_task is NULL, a struct_size makes no sense, a
 * part is missing or on its way, a part that is not the last is smaller than the part size, or the
 * upload is finished or aborted, or being so); US3_INVALID_POLICY; US3_FORKED; US3_INTERNAL_ERROR.
 * Everything else is told at the end.
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
 * @param result     NULL, or receives what became of starting it
 *
 * Any thread, callbacks included. Does not block.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (multipart or out_task is NULL, a struct_size makes no sense, a
 * part is on its way, or the upload is finished or aborted, or being so); US3_FORKED;
 * US3_INTERNAL_ERROR. Everything else is told at the end.
 */
us3_status us3_abort_multipart_upload_start(us3_multipart *multipart,
                                            const us3_start *start,
                                            us3_task **out_task,
                                            us3_result *result);

/* ==== Unfinished uploads ====================================================================== */

/**
 * GetMultiUploadId: tells of every upload of the bucket that was neither finished nor aborted, page by page until
 * there are no more. Such uploads are charged for, and keep the bucket from being deleted.
 *
 * @param client         the client
 * @param prefix         of keys, at most 1023 bytes; NULL or "" for all uploads
 * @param on_unfinished  called for each of them
 * @param user_data      what on_unfinished is called with
 * @param result         NULL, or receives what became of the call
 *
 * Any thread. Blocks.
 *
 * @return one of
 * - US3_OK: on_unfinished was told of all uploads, or has ended the list
 * - US3_INVALID_ARGUMENT: client or on_unfinished is NULL, prefix is too long or not UTF-8
 * - US3_SERVICE_ERROR: refused; the token needs the right LIST
 * - US3_NETWORK_ERROR, US3_TIMEOUT: some may have been told of
 * - US3_PROTOCOL_ERROR: the answer is no such list, or one that goes on without saying where
 * - US3_WOULD_DEADLOCK, US3_FORKED, US3_INTERNAL_ERROR
 */
us3_status us3_list_uploads(us3_client *client,
                            const char *prefix,
                            us3_unfinished_fn on_unfinished,
                            void *user_data,
                            us3_result *result);

/**
 * Starts the same. on_unfinished is called with its own user_data until the end is told.
 *
 * @param client         the client
 * @param prefix         as for us3_list_uploads; copied
 * @param on_unfinished  called for each upload
 * @param user_data      what on_unfinished is called with
 * @param start          NULL for the defaults, or initialised
 * @param out_task       receives the task, or NULL on failure. Free it with us3_task_free
 * @param result         NULL, or receives what became of starting it
 *
 * Any thread, callbacks included. Does not block.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (client, on_unfinished or out_task is NULL, a struct_size makes no sense,
 * prefix is too long or not UTF-8); US3_FORKED; US3_INTERNAL_ERROR. Everything else is told at the end.
 */
us3_status us3_list_uploads_start(us3_client *client,
                                  const char *prefix,
                                  us3_unfinished_fn on_unfinished,
                                  void *user_data,
                                  const us3_start *start,
                                  us3_task **out_task,
                                  us3_result *result);

/**
 * Adopts an unfinished upload, whichever call or process has begun it, with the parts that the service lists
 * (ListParts): us3_multipart_part_len tells which. Any part can be sent, also again; then finish or abort it,
 * and free it. Nobody else may be at work on the upload.
 *
 * The service does not tell the part size. It is the larger one of two parts, else 4194304, or that of the only part if it
 * is larger. The object's ETag is compared at the finish if all parts have 4194304 bytes, the last excepted.
 *
 * A finish that may still be running, which is object_state US3_OBJECT_UNKNOWN, must not be repeated with a
 * policy before response_timeout_ms and 10 seconds have passed: its callback could run twice.
 *
 * @param client         the client, of the bucket that the upload is in
 * @param key            the key that the upload was begun with, 1 to 1023 bytes of UTF-8
 * @param upload_id      the service's name for the upload, 1 to 1024 visible ASCII characters
 * @param out_multipart  receives the upload, or NULL on failure. Free it with us3_multipart_free
 * @param result         NULL, or receives what became of the call
 *
 * Any thread. Blocks.
 *
 * @return one of
 * - US3_OK
 * - US3_INVALID_ARGUMENT: a pointer is NULL, key or upload_id has an invalid value, or the upload was
 *   begun with another key
 * - US3_SERVICE_ERROR: refused; http_status is 404 if the service knows no such upload, 403 if the token has not
 *   the right LIST: us3_abort_upload works without it
 * - US3_NETWORK_ERROR; US3_TIMEOUT; US3_PROTOCOL_ERROR (the answer is no list of parts, or not a whole one)
 * - US3_WOULD_DEADLOCK, US3_FORKED, US3_INTERNAL_ERROR
 */
us3_status us3_multipart_open(us3_client *client,
                              const char *key,
                              const char *upload_id,
                              us3_multipart **out_multipart,
                              us3_result *result);

/**
 * Starts the same. us3_task_multipart takes the upload.
 *
 * @param client     the client, of the bucket that the upload is in
 * @param key        as for us3_multipart_open; copied
 * @param upload_id  as for us3_multipart_open; copied
 * @param start      NULL for the defaults, or initialised
 * @param out_task   receives the task, or NULL on failure. Free it with us3_task_free
 * @param result     NULL, or receives what became of starting it
 *
 * Any thread, callbacks included. Does not block.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (client, key, upload_id or out_task is NULL, a struct_size
 * makes no sense, key or upload_id has an invalid value); US3_FORKED; US3_INTERNAL_ERROR. Everything
 * else is told at the end.
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
 * @param result     NULL, or receives what became of the call; upload_id is the upload's if it
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
 * Starts the same.
 *
 * @param client     the client, of the bucket that the upload is in
 * @param key        as for us3_abort_upload; copied
 * @param upload_id  as for us3_abort_upload; copied
 * @param start      NULL for the defaults, or initialised
 * @param out_task   receives the task, or NULL on failure. Free it with us3_task_free
 * @param result     NULL, or receives what became of starting it
 *
 * Any thread, callbacks included. Does not block.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (client, key, upload_id or out_task is NULL, a struct_size
 * makes no sense, key or upload_id has an invalid value); US3_FORKED; US3_INTERNAL_ERROR. Everything
 * else is told at the end.
 */
us3_status us3_abort_upload_start(us3_client *client,
                                  const char *key,
                                  const char *upload_id,
                                  const us3_start *start,
                                  us3_task **out_task,
                                  us3_result *result);

/* ==== Objects ================================================================================= */

/**
 * Initialises a us3_file_info, as US3_FILE_INFO_INIT does. It frees nothing: use it on fresh
 * memory only.
 *
 * @param info  NULL is allowed and ignored
 *
 * Any thread. Does not block.
 */
void us3_file_info_init(us3_file_info *info);

/**
 * Frees what a us3_file_info holds and sets it back to its initial values. It can be used again,
 * and clearing it twice is harmless.
 *
 * @param info  initialised; NULL is allowed and ignored
 *
 * Any thread, while no other uses it. Does not block.
 */
void us3_file_info_clear(us3_file_info *info);

/**
 * HeadFile: asks for an object's size, date, ETag and type.
 *
 * @param client  the client
 * @param key     the object's key, 1 to 1023 bytes of UTF-8
 * @param info    initialised; what it held is freed. Holds its initial values after a failure
 * @param result  NULL, or receives what became of the call
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
 * @param result    NULL, or receives what became of starting it
 *
 * Any thread, callbacks included. Does not block.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (client, key or out_task is NULL, a struct_size makes no
 * sense, the key is invalid); US3_FORKED; US3_INTERNAL_ERROR. Everything else is told at the end.
 */
us3_status us3_head_file_start(us3_client *client,
                               const char *key,
                               const us3_start *start,
                               us3_task **out_task,
                               us3_result *result);

/* ==== Put policies ============================================================================ */

/**
 * Builds a put policy, with everything escaped as it must be.
 *
 * @param url        where US3 sends the callback: an http or https URL
 * @param body       what it sends; $(x:name) stands for the variable x:name
 * @param body_type  the content type of body, e.g. "application/json": US3 then POSTs body to url.
 *                   NULL or "": US3 POSTs to url with body as the query
 * @param vars       vars_len variables for $(x:name), with names such as "x:name"; NULL if none
 * @param vars_len   elements of vars
 * @param result     NULL, or receives what became of the call
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
 * Checks a put policy as the uploads do before they send anything: a JSON object, callbackUrl an
 * http or https URL, the values of callbackVar strings, each $(x:name) of callbackBody defined, at
 * most 4096 bytes once encoded.
 *
 * @param policy_json  the policy
 * @param result       NULL, or receives what became of the call; err_msg says what is wrong where
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
 * Sets where the library's log goes, for all clients of the process; off until it is set, when it
 * costs next to nothing. It may be changed or switched off at any time, also while uploads run.
 *
 * @param level      a us3_log_level: lines up to this one are passed on
 * @param logger     the function that takes them; NULL is the same as US3_LOG_OFF
 * @param user_data  what it is called with. When this call returns, the function that was set
 *                   before is not running any more, and is not called again
 *
 * Any thread, but not in the logger. Waits for calls of the former logger that are in progress. A
 * forked child logs nothing until it calls this itself.
 *
 * @return US3_OK; US3_INVALID_ARGUMENT (level is out of range; or libus3 is part of a Rust program that
 * has set its own logger, to which the log then goes); US3_WOULD_DEADLOCK (called in the logger);
 * US3_INTERNAL_ERROR.
 */
us3_status us3_set_logger(int32_t level,
                          us3_log_fn logger,
                          void *user_data);

#ifdef __cplusplus
}
#endif

#endif
