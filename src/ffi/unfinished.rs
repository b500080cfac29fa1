//! Unfinished uploads of the bucket, which their names are enough for.

use std::ffi::c_char;

use super::client::{enter, us3_client};
use super::guard::guard;
use super::input;
use super::result::us3_result;
use super::start::{guard_start, us3_start};
use super::status::us3_status;
use super::task_handle::{Brings, Ready, us3_task};

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
/// @param result     NULL, or receives what became of the call; upload_id is the upload's if it
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

/// Starts the same.
///
/// @param client     the client, of the bucket that the upload is in
/// @param key        as for us3_abort_upload; copied
/// @param upload_id  as for us3_abort_upload; copied
/// @param start      NULL for the defaults, or initialised
/// @param out_task   receives the task, or NULL on failure. Free it with us3_task_free
/// @param result     NULL, or receives what became of starting it
///
/// Any thread, callbacks included. Does not block.
///
/// @return US3_OK; US3_INVALID_ARGUMENT (client, key, upload_id or out_task is NULL, a struct_size
/// makes no sense, key or upload_id has an invalid value); US3_FORKED; US3_INTERNAL_ERROR. Everything
/// else is told at the end.
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
