//! Turns the host's C callbacks into closures that the engine calls.

use std::ffi::c_void;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::ptr;
use std::sync::Arc;

use crate::content::Reader;
use crate::operation::task::{OnComplete, OnProgress};

use super::lease::Loan;
use super::progress::us3_progress;
use super::result::us3_result;
use super::structs::OutStruct;
use super::task_handle::{Ties, us3_task};
pub(super) use super::user_data::UserData;

/// A source. Writes the next bytes of the content to buffer, at most capacity, and returns their
/// number. Fewer bytes than capacity do not mean the end. Returns 0 at the end, and is not called
/// again. When a read fails, return -errno: a negative number ends the upload with US3_FILE_ERROR
/// and that errno in os_error.
///
/// Called on library threads, one call at a time. It may block for any time. The upload does not
/// end, not even when it is cancelled, before a call in progress has returned. After the end of the
/// upload it is not called again.
pub type us3_read_fn = Option<
    unsafe extern "C" fn(user_data: *mut c_void, buffer: *mut c_void, capacity: usize) -> i64,
>;

/// Receives the progress of an upload: at most every 100 ms while it runs, and once at its end. Any
/// return value but 0 cancels the upload, as us3_task_cancel does. progress is valid during the
/// call.
pub type us3_progress_fn =
    Option<unsafe extern "C" fn(progress: *const us3_progress, user_data: *mut c_void) -> i32>;

/// Tells what became of an operation, exactly once. task is the handle that its ..._start gave, which
/// may be freed here. It is valid during the call, also when another callback frees it meanwhile. It
/// is NULL if us3_task_free was called before, or if the upload was begun with us3_upload. result is
/// the library's, valid during the call; never clear it.
pub type us3_complete_fn = Option<
    unsafe extern "C" fn(task: *mut us3_task, result: *const us3_result, user_data: *mut c_void),
>;

/// # Safety
/// `call` may be called as the header says, with `user_data`, until the end of the upload.
pub(super) unsafe fn on_progress(call: us3_progress_fn, user_data: UserData) -> Option<OnProgress> {
    let call = call?;
    Some(Box::new(move |progress| {
        let progress = us3_progress::of(progress);
        // SAFETY: our caller's promise.
        match unsafe { call(&progress, user_data.get()) } {
            0 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    }))
}

/// # Safety
/// `call` may be called as the header says, with the user_data of `ties`, once.
pub(super) unsafe fn on_complete(call: us3_complete_fn, ties: &Ties) -> Option<OnComplete> {
    let call = call?;
    let (task_slot, user_data) = (ties.on_complete.clone(), ties.user_data);
    Some(Box::new(move |outcome| {
        let mut result = us3_result::of(outcome);
        // Keeps the handle alive during the call: a callback of another upload may free it meanwhile.
        let task = task_slot.take();
        let handle = task.as_ref().map_or(ptr::null(), Arc::as_ptr).cast_mut();
        // SAFETY: our caller's promise.
        unsafe { call(handle, &result, user_data.get()) };
        drop(task);
        // SAFETY: its strings were made just above.
        unsafe { result.release() };
    }))
}

/// # Safety
/// `call` may be called as the header says, with `user_data`, until the loan has returned.
pub(super) unsafe fn reader(
    call: unsafe extern "C" fn(*mut c_void, *mut c_void, usize) -> i64,
    user_data: UserData,
    loan: Loan,
) -> Reader {
    Reader::new(HostReader {
        call,
        user_data,
        _loan: loan,
    })
}

struct HostReader {
    call: unsafe extern "C" fn(*mut c_void, *mut c_void, usize) -> i64,
    user_data: UserData,
    _loan: Loan,
}

impl Read for HostReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.as_mut_ptr().cast();
        // SAFETY: the buffer is as long as we say; the rest is the promise to `reader`.
        let count = unsafe { (self.call)(self.user_data.get(), room, buffer.len()) };
        usize::try_from(count).map_err(|_| {
            let code = i32::try_from(count.unsigned_abs()).unwrap_or(i32::MAX);
            io::Error::from_raw_os_error(code)
        })
    }
}
