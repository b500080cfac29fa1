//! The steps of an upload that the host drives part by part, as tasks.

use std::ffi::{c_char, c_void};

use super::client::{enter as enter_client, us3_client};
use super::input;
use super::lease::loan;
use super::memory;
use super::multipart::{enter, us3_multipart};
use super::policy::policy;
use super::result::us3_result;
use super::start::{guard_start, us3_start};
use super::status::us3_status;
use super::task_handle::{Brings, Ready, us3_task};

/// Starts InitiateMultipartUpload. us3_task_multipart returns the upload after the end of the task.
///
/// @param client     the client
/// @param key        as for us3_initiate_multipart_upload; copied
/// @param mime_type  as for us3_initiate_multipart_upload; copied
/// @param start      NULL for the defaults, or initialised
/// @param out_task   receives the task, or NULL on failure. Free it with us3_task_free
/// @param result     NULL, or receives the outcome of this call; the task has its own
///
/// Any thread, callbacks included. Does not block.
///
/// @return US3_OK; US3_INVALID_ARGUMENT (client, key or out_task is NULL, a struct_size makes no
/// sense, the key or the type is invalid); US3_FORKED; US3_INTERNAL_ERROR. Every other failure is the
/// outcome of the task.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_initiate_multipart_upload_start(
    client: *mut us3_client,
    key: *const c_char,
    mime_type: *const c_char,
    start: *const us3_start,
    out_task: *mut *mut us3_task,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return; on_complete may be called until the end.
    unsafe {
        let enter = || enter_client(client);
        guard_start(start, out_task, result, enter, |client, start| {
            let key = input::text("key", key)?;
            let mime_type = input::optional_text("mime_type", mime_type)?;
            let how = start.how(client.clone(), None);
            let initiate = client.prepare_initiate(key, mime_type, how)?;
            let brings = |upload| Brings::Multipart(upload, client.share());
            Ok(Ready::of(initiate, brings))
        })
    }
}

/// Starts UploadPart. data is borrowed until the end of the task, also if the task is cancelled: do not
/// change or free it before on_complete is called, or us3_task_wait returns anything but US3_PENDING,
/// or a queue returns the task. us3_task_free and us3_multipart_free wait for that end, except in a
/// callback: if a task without on_complete is freed there, nothing reports when the library has stopped
/// reading data.
///
/// @param multipart    the upload
/// @param part_number  as for us3_upload_part
/// @param data         the part's bytes, not copied
/// @param len          bytes at data: us3_multipart_part_size, or less for the last part
/// @param start        NULL for the defaults, or initialised
/// @param out_task     receives the task, or NULL on failure. Free it with us3_task_free
/// @param result       NULL, or receives the outcome of this call; the task has its own
///
/// Any thread, callbacks included. Does not block.
///
/// @return US3_OK; US3_INVALID_ARGUMENT (multipart, data or out_task is NULL, a struct_size makes no
/// sense, len or part_number is out of range, a part of this number is on its way, the upload is finished or aborted,
/// or being so); US3_FORKED; US3_INTERNAL_ERROR. Every other failure is the outcome of the task.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_upload_part_start(
    multipart: *mut us3_multipart,
    part_number: u32,
    data: *const c_void,
    len: usize,
    start: *const us3_start,
    out_task: *mut *mut us3_task,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return; data and on_complete until the end.
    unsafe {
        let enter = || enter(multipart);
        guard_start(start, out_task, result, enter, |upload, start| {
            input::not_null("data", data)?;
            input::fits_in_memory::<u8>("data", len)?;
            let (loan, returned) = loan();
            let part = memory::lend_until_returned(data.cast(), len, loan);
            let how = start.how(upload.clone(), Some(returned));
            let sending = upload.engine.prepare_part(part_number, part, how)?;
            Ok(Ready::of(sending, |_| Brings::Nothing))
        })
    }
}

/// Starts FinishMultipartUploadWithPolicy.
///
/// @param multipart    the upload; no other call or task may be in progress on it
/// @param policy_json  as for us3_finish_multipart_upload_with_policy; copied
/// @param start        NULL for the defaults, or initialised
/// @param out_task     receives the task, or NULL on failure. Free it with us3_task_free
/// @param result       NULL, or receives the outcome of this call; the task has its own
///
/// Any thread, callbacks included. Does not block.
///
/// @return US3_OK; US3_INVALID_ARGUMENT (multipart or out_task is NULL, a struct_size makes no sense, a
/// part is missing or on its way, a part that is not the last is smaller than the part size, or the
/// upload is finished or aborted, or being so); US3_INVALID_POLICY; US3_FORKED; US3_INTERNAL_ERROR.
/// Every other failure is the outcome of the task.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_finish_multipart_upload_with_policy_start(
    multipart: *mut us3_multipart,
    policy_json: *const c_char,
    start: *const us3_start,
    out_task: *mut *mut us3_task,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return; on_complete may be called until the end.
    unsafe {
        let enter = || enter(multipart);
        guard_start(start, out_task, result, enter, |upload, start| {
            let policy = policy("policy_json", policy_json)?;
            let how = start.how(upload.clone(), None);
            let finishing = upload.engine.prepare_finish(policy, how)?;
            Ok(Ready::of(finishing, |_| Brings::Nothing))
        })
    }
}

/// Starts AbortMultipartUpload.
///
/// @param multipart  the upload, still to be freed with us3_multipart_free; no other call or task may be
///                   in progress on it
/// @param start      NULL for the defaults, or initialised
/// @param out_task   receives the task, or NULL on failure. Free it with us3_task_free
/// @param result     NULL, or receives the outcome of this call; the task has its own
///
/// Any thread, callbacks included. Does not block.
///
/// @return US3_OK; US3_INVALID_ARGUMENT (multipart or out_task is NULL, a struct_size makes no sense, a
/// part is on its way, or the upload is finished or aborted, or being so); US3_FORKED;
/// US3_INTERNAL_ERROR. Every other failure is the outcome of the task.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_abort_multipart_upload_start(
    multipart: *mut us3_multipart,
    start: *const us3_start,
    out_task: *mut *mut us3_task,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return; on_complete may be called until the end.
    unsafe {
        let enter = || enter(multipart);
        guard_start(start, out_task, result, enter, |upload, start| {
            let how = start.how(upload.clone(), None);
            let aborting = upload.engine.prepare_abort(how)?;
            Ok(Ready::of(aborting, |_| Brings::Nothing))
        })
    }
}
