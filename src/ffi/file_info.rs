//! `us3_file_info`: the answer of HeadFile.

use std::ffi::c_char;
use std::ptr;

use crate::client::FileInfo;

use super::catch::catch_or;
use super::client::{enter, us3_client};
use super::guard::guard;
use super::input;
use super::memory;
use super::result::us3_result;
use super::start::{guard_start, us3_start};
use super::status::us3_status;
use super::structs::{self, OutStruct, PublicStruct, Slot, member_ends};
use super::task_handle::{Brings, Ready, us3_task};

/// The answer of HeadFile: the properties of an object. Initialise it once, use it for any number
/// of calls, clear it at the end. Only one thread at a time may use it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct us3_file_info {
    /// sizeof(us3_file_info), set by the initialiser.
    pub struct_size: usize,
    /// Bytes.
    pub size: u64,
    /// Seconds since 1970-01-01 UTC; -1 if the service does not say.
    pub last_modified: i64,
    /// The ETag, without quotes; NULL if the service does not say.
    pub etag: *mut c_char,
    /// The content type; NULL if the service does not say.
    pub mime_type: *mut c_char,
}

/// Initialises a us3_file_info, as US3_FILE_INFO_INIT does. It frees nothing, so use it only on a
/// struct that holds no strings.
///
/// @param info  NULL is allowed and ignored
///
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_file_info_init(info: *mut us3_file_info) {
    // SAFETY: NULL, or memory for a us3_file_info: the header asks the host for it.
    catch_or((), || unsafe { structs::init(info) });
}

/// Frees the strings of a us3_file_info and sets it back to its initial values. The struct can be
/// used again. Clearing it twice is harmless.
///
/// @param info  initialised; NULL is allowed and ignored
///
/// Any thread, while no other thread uses the struct. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_file_info_clear(info: *mut us3_file_info) {
    // SAFETY: NULL, or an initialised struct that only this thread uses: the header asks for it.
    catch_or((), || unsafe { structs::clear(info) });
}

/// HeadFile: asks for an object's size, date, ETag and type.
///
/// @param client  the client
/// @param key     the object's key, 1 to 1023 bytes of UTF-8
/// @param info    initialised; its old strings are freed. After a failure it has its initial values
/// @param result  NULL, or receives the outcome of the call
///
/// Any thread. Blocks.
///
/// @return US3_OK; US3_INVALID_ARGUMENT (client, key or info is NULL, a struct_size makes no sense,
/// the key is invalid); US3_SERVICE_ERROR (refused; http_status is 404 if there is no such
/// object); US3_NETWORK_ERROR; US3_TIMEOUT; US3_PROTOCOL_ERROR; US3_FORKED; US3_INTERNAL_ERROR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_head_file(
    client: *mut us3_client,
    key: *const c_char,
    info: *mut us3_file_info,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe {
        guard(result, || {
            let slot = Slot::open("info", info)?;
            let client = enter(client)?;
            let (info, report) = client.head(input::text("key", key)?)?;
            slot.fill(us3_file_info::of(&info));
            Ok(report)
        })
    }
}

/// Starts HeadFile. us3_task_file_info tells what it has learnt.
///
/// @param client    the client
/// @param key       as for us3_head_file; copied
/// @param start     NULL for the defaults, or initialised
/// @param out_task  receives the task, or NULL on failure. Free it with us3_task_free
/// @param result    NULL, or receives the outcome of this call; the task has its own
///
/// Any thread, callbacks included. Does not block.
///
/// @return US3_OK; US3_INVALID_ARGUMENT (client, key or out_task is NULL, a struct_size makes no
/// sense, the key is invalid); US3_FORKED; US3_INTERNAL_ERROR. Every other failure is the outcome of the task.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_head_file_start(
    client: *mut us3_client,
    key: *const c_char,
    start: *const us3_start,
    out_task: *mut *mut us3_task,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return; on_complete may be called until the end.
    unsafe {
        let enter = || enter(client);
        guard_start(start, out_task, result, enter, |client, start| {
            let key = input::text("key", key)?;
            let head = client.prepare_head(key, start.how(client.clone(), None))?;
            Ok(Ready::of(head, Brings::FileInfo))
        })
    }
}

impl us3_file_info {
    pub(super) fn of(info: &FileInfo) -> Self {
        Self {
            size: info.size,
            last_modified: info.last_modified.unwrap_or(UNKNOWN_DATE),
            etag: memory::optional_string(info.etag.as_deref()),
            mime_type: memory::optional_string(info.mime_type.as_deref()),
            ..Self::INIT
        }
    }
}

/// Not 0, which is a date.
pub(super) const UNKNOWN_DATE: i64 = -1;

// SAFETY: repr(C), struct_size first, only integers and pointers, ends by the macro.
unsafe impl PublicStruct for us3_file_info {
    const NAME: &'static str = "us3_file_info";
    const INIT: Self = Self {
        struct_size: size_of::<Self>(),
        size: 0,
        last_modified: UNKNOWN_DATE,
        etag: ptr::null_mut(),
        mime_type: ptr::null_mut(),
    };
    const SMALLEST: usize = Self::MEMBER_ENDS[1];
    const MEMBER_ENDS: &'static [usize] = member_ends!(us3_file_info {
        struct_size,
        size,
        last_modified,
        etag,
        mime_type,
    });
}

impl OutStruct for us3_file_info {
    unsafe fn release(&mut self) {
        for string in [&mut self.etag, &mut self.mime_type] {
            // SAFETY: NULL or made by `memory`, once: our caller's promise.
            unsafe { memory::free(*string) };
            *string = ptr::null_mut();
        }
    }
}
