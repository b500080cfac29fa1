//! Functions that upload: each fills in a request, and then waits for the upload or starts it.

use std::ffi::c_char;
use std::ptr;

use crate::client::Client;
use crate::error::{Report, Result};
use crate::operation::task::{Caller, Task};
use crate::runtime::own_threads;
use crate::runtime::panics;

use super::callback::UserData;
use super::client::{enter, us3_client};
use super::guard::guard;
use super::handle::InUse;
use super::input;
use super::queue::place_in;
use super::request::{us3_mode, us3_upload_request};
use super::result::us3_result;
use super::status::us3_status;
use super::structs::{self, PublicStruct};
use super::task_handle::{Brings, Ready, Ties, us3_task};

/// Uploads a file, memory or a stream as one object, and waits for the end: us3_upload_start and
/// us3_task_wait in one call. The request's callbacks run on library threads; the last of them
/// returns before this function returns.
///
/// @param client   the client
/// @param request  initialised and filled in; borrowed until the call returns
/// @param result   NULL, or receives the outcome of the upload. With a policy, body is the reply of
///                 the callback service
///
/// Any thread. Blocks until the object is stored and the callback service has answered, or until
/// the upload has failed.
///
/// @return one of
/// - US3_OK: the object is stored and, with a policy, the callback was delivered
/// - US3_INVALID_ARGUMENT: a pointer is NULL; not exactly one of file_path, data and read is given;
///   mode, key, mime_type, storage_class or metadata has an invalid value; resume_path or
///   US3_MODE_PUT cannot be combined with the source; or the content is over 512 MiB with
///   US3_MODE_PUT
/// - US3_INVALID_POLICY: the policy is "" or wrong; err_msg says where
/// - US3_FILE_ERROR: the file is missing, unreadable, a directory or otherwise not a regular file,
///   or the number of bytes in it is not its size; resume_path cannot be written, or another upload
///   uses it; or read returned a negative number
/// - US3_FILE_CHANGED: the file changed while it was sent; nothing is stored. Renaming, linking,
///   unlinking or new permissions are no change of the content: the library reads the file once
///   more to make sure. With verify_etag off, a PutFile has nothing to compare with, and such a
///   file counts as changed
/// - US3_SERVICE_ERROR: the service refused
/// - US3_CALLBACK_FAILED: stored, but the callback failed; see "ERROR CODES"
/// - US3_NETWORK_ERROR, US3_TIMEOUT: object_state and callback_state say what is known
/// - US3_CANCELLED: on_progress cancelled it
/// - US3_INTEGRITY_ERROR: stored, but with other bytes than were sent
/// - US3_WOULD_DEADLOCK: called in a callback
/// - US3_PROTOCOL_ERROR, US3_FORKED, US3_INTERNAL_ERROR
///
/// A multipart upload that fails is aborted, unless resume_path is set. result.upload_id names the
/// upload if it was kept, if its last step failed, or if the abort failed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_upload(
    client: *mut us3_client,
    request: *const us3_upload_request,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe {
        guard(result, || {
            let client = enter(client)?;
            let request = structs::read("request", request)?;
            run(client, &request)
        })
    }
}

/// Starts an upload and returns at once, without waiting for the network, the disk or the read
/// function. Any number of uploads may be started: max_concurrent_uploads of them run; the others
/// wait in a queue, in the order in which they were started.
///
/// The end is told in four ways, in this order: on_complete is called; then us3_task_wait
/// returns; then the descriptor of us3_task_fd becomes readable; then the task is in its queue. Use as
/// many of them as you like.
///
/// @param client    the client
/// @param request   initialised and filled in. The struct and its strings are copied. What data
///                  points at is not copied: do not change or free it before the end of the upload
/// @param out_task  receives the task, or NULL on failure. It is written before the first callback.
///                  Free it with us3_task_free, at any time
/// @param result    NULL, or receives the outcome of starting the upload
///
/// Any thread, callbacks included. Does not block.
///
/// @return US3_OK; US3_INVALID_ARGUMENT (as us3_upload, or out_task is NULL); US3_INVALID_POLICY;
/// US3_FORKED; US3_INTERNAL_ERROR. After a failure there is no task, and no callback is called.
/// Everything else that can happen to the upload is reported at its end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_upload_start(
    client: *mut us3_client,
    request: *const us3_upload_request,
    out_task: *mut *mut us3_task,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return; what it lends
    // to the upload, until its end is told.
    unsafe {
        if !out_task.is_null() {
            out_task.write(ptr::null_mut());
        }
        guard(result, || {
            let client = enter(client)?;
            let request = structs::read("request", request)?;
            input::not_null("out_task", out_task)?;
            start(client, &request, out_task)
        })
    }
}

/// PutFileWithPolicy: uploads a file with one request; then the callback runs.
///
/// @param client       the client
/// @param file_path    path of a regular file of at most 512 MiB, bytes
/// @param key          the object's key, 1 to 1023 bytes of UTF-8
/// @param mime_type    the content type; NULL or "" to detect it
/// @param policy_json  the put policy; NULL for no callback, "" is US3_INVALID_POLICY
/// @param result       NULL, or receives the outcome of the upload; body is the reply of the
///                     callback service
///
/// Any thread. Blocks.
///
/// @return as us3_upload. A larger file is US3_INVALID_ARGUMENT before anything is sent
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_put_file_with_policy(
    client: *mut us3_client,
    file_path: *const c_char,
    key: *const c_char,
    mime_type: *const c_char,
    policy_json: *const c_char,
    result: *mut us3_result,
) -> us3_status {
    let request = us3_upload_request {
        mode: us3_mode::US3_MODE_PUT as i32,
        file_path,
        key,
        mime_type,
        policy_json,
        ..us3_upload_request::INIT
    };
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe { upload_file(client, &request, result) }
}

/// MPutWithPolicy: uploads a file in parts, one at a time; then the callback runs.
///
/// @param client       the client
/// @param file_path    path of a regular file, bytes
/// @param key          the object's key, 1 to 1023 bytes of UTF-8
/// @param mime_type    the content type; NULL or "" to detect it
/// @param policy_json  the put policy; NULL for no callback, "" is US3_INVALID_POLICY
/// @param result       NULL, or receives the outcome of the upload; body is the reply of the
///                     callback service
///
/// Any thread. Blocks.
///
/// @return as us3_upload
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_mput_with_policy(
    client: *mut us3_client,
    file_path: *const c_char,
    key: *const c_char,
    mime_type: *const c_char,
    policy_json: *const c_char,
    result: *mut us3_result,
) -> us3_status {
    let request = us3_upload_request {
        mode: us3_mode::US3_MODE_MPUT as i32,
        file_path,
        key,
        mime_type,
        policy_json,
        jobs: 1,
        ..us3_upload_request::INIT
    };
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe { upload_file(client, &request, result) }
}

/// AsyncMPutWithPolicy: uploads a file in parts, 10 at a time; then the callback runs. The name is
/// the vendor's: "async" means that the parts are sent concurrently. The call itself waits for the
/// end.
///
/// @param client       the client
/// @param file_path    path of a regular file, bytes
/// @param key          the object's key, 1 to 1023 bytes of UTF-8
/// @param mime_type    the content type; NULL or "" to detect it
/// @param policy_json  the put policy; NULL for no callback, "" is US3_INVALID_POLICY
/// @param result       NULL, or receives the outcome of the upload; body is the reply of the
///                     callback service
///
/// Any thread. Blocks.
///
/// @return as us3_upload
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_async_mput_with_policy(
    client: *mut us3_client,
    file_path: *const c_char,
    key: *const c_char,
    mime_type: *const c_char,
    policy_json: *const c_char,
    result: *mut us3_result,
) -> us3_status {
    let request = us3_upload_request {
        mode: us3_mode::US3_MODE_MPUT as i32,
        file_path,
        key,
        mime_type,
        policy_json,
        jobs: ASYNC_MPUT_JOBS,
        ..us3_upload_request::INIT
    };
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe { upload_file(client, &request, result) }
}

/// AsyncUploadWithPolicy: uploads a file in parts, `jobs` at a time; then the callback runs.
///
/// @param client       the client
/// @param file_path    path of a regular file, bytes
/// @param key          the object's key, 1 to 1023 bytes of UTF-8
/// @param mime_type    the content type; NULL or "" to detect it
/// @param jobs         parts in flight at once: below 1 is 1, above 256 is 256
/// @param policy_json  the put policy; NULL for no callback, "" is US3_INVALID_POLICY
/// @param result       NULL, or receives the outcome of the upload; body is the reply of the
///                     callback service
///
/// Any thread. Blocks.
///
/// @return as us3_upload
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_async_upload_with_policy(
    client: *mut us3_client,
    file_path: *const c_char,
    key: *const c_char,
    mime_type: *const c_char,
    jobs: i32,
    policy_json: *const c_char,
    result: *mut us3_result,
) -> us3_status {
    let request = us3_upload_request {
        mode: us3_mode::US3_MODE_MPUT as i32,
        file_path,
        key,
        mime_type,
        policy_json,
        jobs,
        ..us3_upload_request::INIT
    };
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe { upload_file(client, &request, result) }
}

/// AsyncMPutWithPolicy of the vendor's SDKs.
const ASYNC_MPUT_JOBS: i32 = 10;

/// What the named operations have in common: their source is a file, and must be there.
///
/// # Safety
/// As for [`run`]; `client` and `result` as the header asks.
unsafe fn upload_file(
    client: *mut us3_client,
    request: &us3_upload_request,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: our caller's promise.
    unsafe {
        guard(result, || {
            let client = enter(client)?;
            input::not_null("file_path", request.file_path)?;
            run(client, request)
        })
    }
}

/// Runs the upload to its end; when it returns, nothing of the host's is used any more.
///
/// # Safety
/// As for [`us3_upload_request::prepare`], until this returns.
unsafe fn run(client: InUse<Client>, request: &us3_upload_request) -> Result<Report> {
    own_threads::check_may_block()?;
    let ties = Ties::new(None, UserData(request.user_data));
    // SAFETY: our caller's promise; the end is waited for in every case.
    let (task, start) = unsafe { request.prepare(client, &ties, Caller::Waits) }?;
    let task = Joined(task);
    start.run();
    task.0.wait(None).unwrap_or_else(|| Err(panics::died()))
}

/// A task whose end is waited for before anything of the host's is given up.
struct Joined(Task);

impl Drop for Joined {
    fn drop(&mut self) {
        self.0.wait(None);
    }
}

/// Makes the task, tells the host of it, and sets it going.
///
/// # Safety
/// As for [`us3_upload_request::prepare`]; `out_task` may be written.
unsafe fn start(
    client: InUse<Client>,
    request: &us3_upload_request,
    out_task: *mut *mut us3_task,
) -> Result<Report> {
    // SAFETY: our caller's promise.
    let place = unsafe { place_in(request.queue) }?;
    let ties = Ties::new(place, UserData(request.user_data));
    // SAFETY: our caller's promise.
    let (task, starter) = unsafe { request.prepare(client, &ties, Caller::GoesOn) }?;
    let ready = Ready {
        task,
        starter,
        brings: Brings::Nothing,
    };
    // SAFETY: our caller's promise.
    unsafe { ready.launch(ties, out_task) };
    Ok(Report::default())
}
