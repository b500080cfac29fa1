//! Unfinished uploads of the bucket, found by a list and used by key and upload id.

use std::ffi::{CString, c_char, c_void};
use std::ops::ControlFlow;
use std::ptr;

use crate::client::{OnUnfinished, Unfinished};
use crate::error::{Error, Result};

use super::callback::UserData;
use super::client::{enter, us3_client};
use super::file_info::UNKNOWN_DATE;
use super::guard::{guard, guard_new};
use super::input;
use super::multipart::us3_multipart;
use super::result::us3_result;
use super::start::{guard_start, us3_start};
use super::status::us3_status;
use super::task_handle::{Brings, Ready, us3_task};

/// An unfinished upload, as us3_list_uploads reports it. Later versions may have more members.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct us3_unfinished {
    /// sizeof(us3_unfinished) of the library.
    pub struct_size: usize,
    /// The key that the upload was begun with.
    pub key: *const c_char,
    /// The upload id.
    pub upload_id: *const c_char,
    /// The time when the upload was begun, in seconds since 1970-01-01 UTC; -1 if the service does not
    /// say.
    pub started: i64,
    /// NULL if the service does not say.
    pub storage_class: *const c_char,
}

/// Receives one unfinished upload. Return 0 for the next one; any other value ends the list, which is
/// then a success. upload and its strings are valid during the call. Called on library threads, one
/// call at a time, before the end of the operation is reported. It may block.
pub type us3_unfinished_fn =
    Option<unsafe extern "C" fn(upload: *const us3_unfinished, user_data: *mut c_void) -> i32>;

/// GetMultiUploadId: lists every upload of the bucket that was neither finished nor aborted, page by
/// page. The vendor charges for such uploads, and a bucket that has one cannot be deleted.
///
/// @param client         the client
/// @param prefix         the beginning of the keys, at most 1023 bytes; NULL or "" for all uploads
/// @param on_unfinished  called for each upload
/// @param user_data      passed to on_unfinished
/// @param result         NULL, or receives the outcome of the call
///
/// Any thread. Blocks.
///
/// @return one of
/// - US3_OK: on_unfinished was called for all uploads, or has ended the list
/// - US3_INVALID_ARGUMENT: client or on_unfinished is NULL, prefix is too long or not UTF-8
/// - US3_SERVICE_ERROR: refused; the token needs the LIST right
/// - US3_NETWORK_ERROR, US3_TIMEOUT: on_unfinished may have been called for some uploads
/// - US3_PROTOCOL_ERROR: an answer is no list of uploads, or does not say where the next page begins
/// - US3_WOULD_DEADLOCK, US3_FORKED, US3_INTERNAL_ERROR
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_list_uploads(
    client: *mut us3_client,
    prefix: *const c_char,
    on_unfinished: us3_unfinished_fn,
    user_data: *mut c_void,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return, and everything has ended.
    unsafe {
        guard(result, || {
            let client = enter(client)?;
            let prefix = input::optional_text("prefix", prefix)?.unwrap_or_default();
            client.list_uploads(prefix, on_upload(on_unfinished, UserData(user_data))?)
        })
    }
}

/// Starts GetMultiUploadId. on_unfinished is called with the user_data of this call, not that of start,
/// until the end of the task.
///
/// @param client         the client
/// @param prefix         as for us3_list_uploads; copied
/// @param on_unfinished  called for each upload
/// @param user_data      passed to on_unfinished
/// @param start          NULL for the defaults, or initialised
/// @param out_task       receives the task, or NULL on failure. Free it with us3_task_free
/// @param result         NULL, or receives the outcome of this call; the task has its own
///
/// Any thread, callbacks included. Does not block.
///
/// @return US3_OK; US3_INVALID_ARGUMENT (client, on_unfinished or out_task is NULL, a struct_size makes no sense,
/// prefix is too long or not UTF-8); US3_FORKED; US3_INTERNAL_ERROR. Every other failure is the outcome of the task.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_list_uploads_start(
    client: *mut us3_client,
    prefix: *const c_char,
    on_unfinished: us3_unfinished_fn,
    user_data: *mut c_void,
    start: *const us3_start,
    out_task: *mut *mut us3_task,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return; its functions may be called until the end.
    unsafe {
        let enter = || enter(client);
        guard_start(start, out_task, result, enter, |client, start| {
            let prefix = input::optional_text("prefix", prefix)?.unwrap_or_default();
            let on_upload = on_upload(on_unfinished, UserData(user_data))?;
            let how = start.how(client.clone(), None);
            let list = client.prepare_list_uploads(prefix, on_upload, how)?;
            Ok(Ready::of(list, |_| Brings::Nothing))
        })
    }
}

/// Opens an unfinished upload, whichever call or process began it, with the parts that the service
/// lists (ListParts). us3_multipart_part_len returns the length of each part that the service has. Send
/// the missing parts; any part can be sent again. Then finish or abort the upload, and free the handle.
/// No other thread or process may use the upload at the same time.
///
/// ListParts does not report the part size. With two or more parts it is the size of the largest one.
/// Otherwise it is 4194304, or the size of the only part if that is larger. At the finish, the object's
/// ETag is compared if every part but the last has 4194304 bytes.
///
/// The process that began the upload may have sent a finish that is still running. So a finish of an
/// opened upload that fails has object_state US3_OBJECT_UNKNOWN, unless the object is found. Do not
/// send a finish with a policy before response_timeout_ms and 10 seconds have passed since the other
/// one, because the callback could run twice.
///
/// @param client         the client, of the bucket that the upload is in
/// @param key            the key that the upload was begun with, 1 to 1023 bytes of UTF-8
/// @param upload_id      the upload id, 1 to 1024 visible ASCII characters
/// @param out_multipart  receives the upload, or NULL on failure. Free it with us3_multipart_free
/// @param result         NULL, or receives the outcome of the call
///
/// Any thread. Blocks.
///
/// @return one of
/// - US3_OK
/// - US3_INVALID_ARGUMENT: a pointer is NULL, key or upload_id has an invalid value, or the upload was
///   begun with another key
/// - US3_SERVICE_ERROR: refused; http_status is 404 if the service knows no such upload, 403 if the token
///   lacks the LIST right, which us3_abort_upload does not need
/// - US3_NETWORK_ERROR; US3_TIMEOUT; US3_PROTOCOL_ERROR (an answer is no list of parts, or the list is incomplete)
/// - US3_WOULD_DEADLOCK, US3_FORKED, US3_INTERNAL_ERROR
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_multipart_open(
    client: *mut us3_client,
    key: *const c_char,
    upload_id: *const c_char,
    out_multipart: *mut *mut us3_multipart,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe {
        guard_new("out_multipart", out_multipart, result, || {
            let client = enter(client)?;
            let key = input::text("key", key)?;
            let (upload, report) = client.open(key, input::text("upload_id", upload_id)?)?;
            Ok((us3_multipart::new(upload, client.share()), report))
        })
    }
}

/// Starts ListParts to open an unfinished upload. us3_task_multipart returns the opened upload.
///
/// @param client     the client, of the bucket that the upload is in
/// @param key        as for us3_multipart_open; copied
/// @param upload_id  as for us3_multipart_open; copied
/// @param start      NULL for the defaults, or initialised
/// @param out_task   receives the task, or NULL on failure. Free it with us3_task_free
/// @param result     NULL, or receives the outcome of this call; the task has its own
///
/// Any thread, callbacks included. Does not block.
///
/// @return US3_OK; US3_INVALID_ARGUMENT (client, key, upload_id or out_task is NULL, a struct_size
/// makes no sense, key or upload_id has an invalid value); US3_FORKED; US3_INTERNAL_ERROR. Every
/// other failure is the outcome of the task.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_multipart_open_start(
    client: *mut us3_client,
    key: *const c_char,
    upload_id: *const c_char,
    start: *const us3_start,
    out_task: *mut *mut us3_task,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return; on_complete may be called until the end.
    unsafe {
        let enter = || enter(client);
        guard_start(start, out_task, result, enter, |client, start| {
            let key = input::text("key", key)?;
            let upload_id = input::text("upload_id", upload_id)?;
            let how = start.how(client.clone(), None);
            let open = client.prepare_open(key, upload_id, how)?;
            let brings = |upload| Brings::Multipart(upload, client.share());
            Ok(Ready::of(open, brings))
        })
    }
}

/// Aborts an unfinished multipart upload by its name, so that the service forgets its parts. It is for
/// an upload without a us3_multipart: one that a failed finish, a resume_path that nobody will use
/// again, or a killed process left behind. Its name is the us3_result.upload_id of what left it.
///
/// A finish that may still be running, which is object_state US3_OBJECT_UNKNOWN, should not be aborted
/// lightly: it may complete meanwhile, and the abort undoes nothing of it. Ask us3_head_file first.
///
/// @param client     the client, of the bucket that the upload is in
/// @param key        the key that the upload was begun with, 1 to 1023 bytes of UTF-8
/// @param upload_id  the service's name for the upload, 1 to 1024 visible ASCII characters
/// @param result     NULL, or receives the outcome of the call; upload_id is the upload's if it
///                   succeeded
///
/// Any thread. Blocks.
///
/// @return one of
/// - US3_OK: aborted, by this try or by an earlier one of this call whose answer was lost
/// - US3_INVALID_ARGUMENT: client, key or upload_id is NULL, key or upload_id has an invalid value; nothing was
///   sent
/// - US3_SERVICE_ERROR: refused; http_status is 404 if the service knows no such upload, because it was
///   finished or aborted before, or the name is wrong
/// - US3_NETWORK_ERROR, US3_TIMEOUT: it may be aborted or not; call it again
/// - US3_PROTOCOL_ERROR, US3_WOULD_DEADLOCK, US3_FORKED, US3_INTERNAL_ERROR
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_abort_upload(
    client: *mut us3_client,
    key: *const c_char,
    upload_id: *const c_char,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe {
        guard(result, || {
            let client = enter(client)?;
            let key = input::text("key", key)?;
            client.abort_upload(key, input::text("upload_id", upload_id)?)
        })
    }
}

/// Starts AbortMultipartUpload for an upload without a us3_multipart.
///
/// @param client     the client, of the bucket that the upload is in
/// @param key        as for us3_abort_upload; copied
/// @param upload_id  as for us3_abort_upload; copied
/// @param start      NULL for the defaults, or initialised
/// @param out_task   receives the task, or NULL on failure. Free it with us3_task_free
/// @param result     NULL, or receives the outcome of this call; the task has its own
///
/// Any thread, callbacks included. Does not block.
///
/// @return US3_OK; US3_INVALID_ARGUMENT (client, key, upload_id or out_task is NULL, a struct_size
/// makes no sense, key or upload_id has an invalid value); US3_FORKED; US3_INTERNAL_ERROR. Every
/// other failure is the outcome of the task.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_abort_upload_start(
    client: *mut us3_client,
    key: *const c_char,
    upload_id: *const c_char,
    start: *const us3_start,
    out_task: *mut *mut us3_task,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return; on_complete may be called until the end.
    unsafe {
        let enter = || enter(client);
        guard_start(start, out_task, result, enter, |client, start| {
            let key = input::text("key", key)?;
            let upload_id = input::text("upload_id", upload_id)?;
            let how = start.how(client.clone(), None);
            let abort = client.prepare_abort_upload(key, upload_id, how)?;
            Ok(Ready::of(abort, |_| Brings::Nothing))
        })
    }
}

/// # Safety
/// `call` may be called as the header says, with `user_data`, until the end is told.
unsafe fn on_upload(call: us3_unfinished_fn, user_data: UserData) -> Result<OnUnfinished> {
    let Some(call) = call else {
        return Err(Error::argument("on_unfinished is NULL"));
    };
    Ok(Box::new(move |upload: &Unfinished| {
        let key = text(&upload.key);
        let upload_id = text(&upload.upload_id);
        let storage_class = upload.storage_class.as_deref().map(text);
        let upload = us3_unfinished {
            struct_size: size_of::<us3_unfinished>(),
            key: key.as_ptr(),
            upload_id: upload_id.as_ptr(),
            started: upload.started.unwrap_or(UNKNOWN_DATE),
            storage_class: storage_class
                .as_ref()
                .map_or(ptr::null(), |text| text.as_ptr()),
        };
        // SAFETY: our caller's promise.
        match unsafe { call(&upload, user_data.get()) } {
            0 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    }))
}

/// A text of the service's, in which a NUL would cut off the rest.
fn text(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default()
}
