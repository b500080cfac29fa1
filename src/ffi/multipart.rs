//! `us3_multipart`: an upload that the host drives part by part.

use std::ffi::{CString, c_char, c_void};
use std::ptr;
use std::sync::Arc;

use crate::client::Client;
use crate::error::Result;
use crate::upload::Multipart;

use super::catch::catch_or;
use super::client::{enter as enter_client, us3_client};
use super::guard::{guard, guard_new};
use super::handle::{Handle, InUse};
use super::input;
use super::memory;
use super::owner::{Handed, take_back};
use super::policy::policy;
use super::result::us3_result;
use super::status::us3_status;

/// A multipart upload that the host drives part by part. Any number of threads may send parts of
/// one upload at once. It belongs to the client that made it.
pub struct us3_multipart(Handle<DrivenUpload>);

impl Handed for us3_multipart {
    type Owner = Box<Self>;
}

/// What the handle holds, in the order in which it goes.
pub(super) struct DrivenUpload {
    pub(super) engine: Multipart,
    upload_id: CString,
    part_size: u64,
    // Keeps the engine's threads running until the upload is dropped.
    _client: Arc<Client>,
}

/// InitiateMultipartUpload: begins a multipart upload. Send the parts with us3_upload_part. Then
/// call us3_finish_multipart_upload_with_policy, or us3_abort_multipart_upload to discard the
/// parts. At the end call us3_multipart_free.
///
/// @param client         the client
/// @param key            the object's key, 1 to 1023 bytes of UTF-8
/// @param mime_type      the content type; NULL or "" to detect it from the key's extension
/// @param out_multipart  receives the upload, or NULL on failure. Free it with us3_multipart_free
/// @param result         NULL, or receives the outcome of the call
///
/// Any thread. Blocks.
///
/// @return US3_OK; US3_INVALID_ARGUMENT (client, key or out_multipart is NULL, the key or the type
/// is invalid); US3_SERVICE_ERROR; US3_NETWORK_ERROR; US3_TIMEOUT; US3_PROTOCOL_ERROR (the answer
/// has no upload id or no usable part size); US3_FORKED; US3_INTERNAL_ERROR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_initiate_multipart_upload(
    client: *mut us3_client,
    key: *const c_char,
    mime_type: *const c_char,
    out_multipart: *mut *mut us3_multipart,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe {
        guard_new("out_multipart", out_multipart, result, || {
            let client = enter_client(client)?;
            let key = input::text("key", key)?;
            let mime_type = input::optional_text("mime_type", mime_type)?;
            let (engine, report) = client.initiate(key, mime_type)?;
            Ok((us3_multipart::new(engine, client.share()), report))
        })
    }
}

/// The upload id: the service's name for a multipart upload.
///
/// @param multipart  the upload; NULL is allowed
/// @return the upload id. It belongs to the handle: never free it, and do not use it after
///         us3_multipart_free. NULL if multipart is NULL.
///
/// Any thread. Does not block. Works in a forked child.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_multipart_upload_id(multipart: *const us3_multipart) -> *const c_char {
    catch_or(ptr::null(), || {
        // SAFETY: NULL or an upload that the host has not freed.
        let upload = unsafe { multipart.as_ref() };
        upload.map_or(ptr::null(), |upload| upload.0.peek().upload_id.as_ptr())
    })
}

/// The part size that the service requires. Every part but the last has exactly this size; the last
/// part may be smaller.
///
/// @param multipart  the upload; NULL is allowed
/// @return bytes, usually 4194304; 0 if multipart is NULL
///
/// Any thread. Does not block. Works in a forked child.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_multipart_part_size(multipart: *const us3_multipart) -> u64 {
    catch_or(0, || {
        // SAFETY: NULL or an upload that the host has not freed.
        let upload = unsafe { multipart.as_ref() };
        upload.map_or(0, |upload| upload.0.peek().part_size)
    })
}

/// Bytes of a part that the service has: of those that were sent, or, of an upload that was opened, listed.
///
/// @param multipart    the upload; NULL is allowed
/// @param part_number  from 0
/// @return bytes; 0 if it has no part of this number, if multipart is NULL, and in a forked child
///
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_multipart_part_len(
    multipart: *const us3_multipart,
    part_number: u32,
) -> u64 {
    catch_or(0, || {
        // SAFETY: NULL or an upload that the host does not free before we return.
        let upload = unsafe { enter(multipart) };
        let len = upload.map(|upload| upload.engine.part_len(part_number));
        len.ok().flatten().unwrap_or(0)
    })
}

/// UploadPart: sends one part. Parts may be sent in any order, from any number of threads, and
/// again: the last one sent under a number counts.
///
/// @param multipart    the upload
/// @param part_number  0 for the first part; when the upload is finished, no number may be missing
/// @param data         the part's bytes. They are not copied: do not change them before the call
///                     returns
/// @param len          bytes at data: us3_multipart_part_size, or less for the last part
/// @param result       NULL, or receives the outcome of the call; etag is the part's
///
/// Any thread. Blocks.
///
/// @return US3_OK; US3_INVALID_ARGUMENT (multipart or data is NULL, len or part_number is out of
/// range, the upload is finished or aborted); US3_SERVICE_ERROR; US3_NETWORK_ERROR; US3_TIMEOUT;
/// US3_INTEGRITY_ERROR (the service stored other bytes); US3_PROTOCOL_ERROR (the answer has no
/// ETag); US3_FORKED; US3_INTERNAL_ERROR. A failure does not change the upload: the part can be
/// sent again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_upload_part(
    multipart: *mut us3_multipart,
    part_number: u32,
    data: *const c_void,
    len: usize,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe {
        guard(result, || {
            let upload = enter(multipart)?;
            input::not_null("data", data)?;
            input::fits_in_memory::<u8>("data", len)?;
            memory::lend(data.cast(), len, |part| {
                upload.engine.upload_part(part_number, part)
            })
        })
    }
}

/// FinishMultipartUploadWithPolicy: joins the parts into the object, in the order of their numbers;
/// then the callback runs. After a failure, if the upload still exists, it can be called again,
/// with the same or another policy; no part needs to be sent again.
///
/// @param multipart    the upload
/// @param policy_json  the put policy; NULL for no callback, "" is US3_INVALID_POLICY
/// @param result       NULL, or receives the outcome of the call; body is the reply of the callback
///                     service, or, without a policy, the service's answer
///
/// Any thread, while no other thread has a call in progress on this upload. Blocks until the
/// callback service has answered.
///
/// @return one of
/// - US3_OK: the object is stored and, with a policy, the callback was delivered
/// - US3_INVALID_ARGUMENT: multipart is NULL, a part is missing, a part that is not the last is
///   smaller than the part size, or the upload is finished or aborted
/// - US3_INVALID_POLICY: the policy is "" or wrong; err_msg says where
/// - US3_SERVICE_ERROR: the service or a gateway answered an error; object_state says whether the
///   object is stored, and upload_id is set if the upload still exists or may exist
/// - US3_CALLBACK_FAILED: stored, but the callback failed; see "ERROR CODES"
/// - US3_NETWORK_ERROR, US3_TIMEOUT: object_state and callback_state say what is known
/// - US3_INTEGRITY_ERROR: stored, but with other bytes than were sent
/// - US3_PROTOCOL_ERROR, US3_FORKED, US3_INTERNAL_ERROR
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_finish_multipart_upload_with_policy(
    multipart: *mut us3_multipart,
    policy_json: *const c_char,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe {
        guard(result, || {
            let upload = enter(multipart)?;
            upload.engine.finish(policy("policy_json", policy_json)?)
        })
    }
}

/// AbortMultipartUpload: aborts an upload; the service discards its parts.
///
/// @param multipart  the upload. It must still be freed with us3_multipart_free
/// @param result     NULL, or receives the outcome of the call
///
/// Any thread, while no other thread has a call in progress on this upload. Blocks.
///
/// @return US3_OK; US3_INVALID_ARGUMENT (multipart is NULL, or the upload is finished or aborted);
/// US3_SERVICE_ERROR; US3_NETWORK_ERROR; US3_TIMEOUT; US3_PROTOCOL_ERROR; US3_FORKED;
/// US3_INTERNAL_ERROR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_abort_multipart_upload(
    multipart: *mut us3_multipart,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe { guard(result, || enter(multipart)?.engine.abort()) }
}

/// Frees the handle, after the calls that other threads have in progress on it and the tasks that were
/// started with it. An upload that was neither finished nor aborted stays with the service, where its
/// parts are charged for.
///
/// @param multipart  NULL is allowed and ignored
///
/// Any thread, once. Blocks until the calls in progress and the tasks have ended, except in a callback. In a
/// forked child it only releases memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_multipart_free(multipart: *mut us3_multipart) {
    catch_or((), || {
        // SAFETY: made by guard_new; the host frees it once and uses it no more.
        if let Some(multipart) = unsafe { take_back(multipart) } {
            multipart.0.free();
        }
    });
}

impl us3_multipart {
    pub(super) fn new(engine: Multipart, client: Arc<Client>) -> Self {
        // An id with a NUL cannot be: it went through the service's JSON and our URLs.
        let upload_id = CString::new(engine.upload_id()).unwrap_or_default();
        Self(Handle::new(DrivenUpload {
            upload_id,
            part_size: engine.part_size(),
            engine,
            _client: client,
        }))
    }
}

/// A call on the host's upload.
///
/// # Safety
/// `multipart` is NULL or an upload that is not freed before this returns.
pub(super) unsafe fn enter(multipart: *const us3_multipart) -> Result<InUse<DrivenUpload>> {
    input::not_null("multipart", multipart)?;
    // SAFETY: not NULL, so our caller promises an upload.
    unsafe { &*multipart }.0.enter()
}

// The header promises that any number of threads may send parts of an upload at once.
const _: () = {
    const fn shared_by_threads<T: Send + Sync>() {}
    shared_by_threads::<Multipart>();
};
