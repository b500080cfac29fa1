//! `us3_task`: a started upload.

use std::ffi::c_int;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Report, Status};
use crate::runtime::own_threads;

use super::catch::catch_or;
use super::guard::guard;
use super::progress::us3_progress;
use super::result::us3_result;
use super::status::us3_status;
use super::structs::Slot;
use super::task_handle::{enter, us3_task};

/// Waits for the end of an upload.
///
/// @param task        the task
/// @param timeout_ms  milliseconds to wait at most; 0: return at once; negative: no limit
/// @param result      NULL, or receives the outcome of the upload, at each call
///
/// Any thread, any number of times. Blocks for the given time at most. In a callback only a
/// timeout_ms of 0 is allowed.
///
/// @return as us3_upload; US3_PENDING (it has not ended yet); US3_INVALID_ARGUMENT also if task is
/// NULL; US3_CANCELLED (it was cancelled); US3_WOULD_DEADLOCK (called in a callback); US3_FORKED;
/// US3_INTERNAL_ERROR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_task_wait(
    task: *mut us3_task,
    timeout_ms: i64,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe {
        guard(result, || {
            let task = enter(task)?;
            let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
            task.wait(timeout)
                .unwrap_or_else(|| Err(pending(timeout_ms)))
        })
    }
}

/// Cancels an upload: within 100 ms the library stops sending, and a multipart upload is aborted,
/// unless resume_path is set. Then the end is reported as for every upload: with US3_CANCELLED, or
/// with the upload's outcome if it had ended before. Cancelling again changes nothing.
///
/// @param task  the task
///
/// Any thread, callbacks included. Does not block: it does not wait for the end.
///
/// @return US3_OK; US3_INVALID_ARGUMENT (task is NULL); US3_FORKED; US3_INTERNAL_ERROR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_task_cancel(task: *mut us3_task) -> us3_status {
    // SAFETY: NULL, or a task that the host does not free before we return.
    unsafe {
        guard(ptr::null_mut(), || {
            enter(task)?.cancel();
            Ok(Report::default())
        })
    }
}

/// Reads the progress of an upload.
///
/// @param task      the task
/// @param progress  initialised; receives the progress
///
/// Any thread, callbacks included. Does not block.
///
/// @return US3_OK; US3_INVALID_ARGUMENT (task or progress is NULL, a struct_size makes no sense);
/// US3_FORKED; US3_INTERNAL_ERROR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_task_progress(
    task: *const us3_task,
    progress: *mut us3_progress,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe {
        guard(ptr::null_mut(), || {
            let task = enter(task)?;
            let slot = Slot::open("progress", progress)?;
            slot.fill(us3_progress::of(&task.progress()));
            Ok(Report::default())
        })
    }
}

/// A descriptor that becomes readable when the upload has ended, for poll, epoll and event loops.
/// Only poll it; never read from it.
///
/// @param task  the task; NULL is allowed
/// @return the descriptor, the same at each call. It belongs to the task: never close it, and
///         remove it from the event loop before us3_task_free closes it. -1 if task is NULL, if the
///         process has no descriptor left, or in a forked child.
///
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_task_fd(task: *mut us3_task) -> c_int {
    catch_or(-1, || {
        // SAFETY: NULL, or a task that the host does not free before we return.
        let Ok(task) = (unsafe { enter(task) }) else {
            return -1;
        };
        task.descriptor().unwrap_or(-1)
    })
}

/// Waits for the end of an upload and frees its handle. To be quick, cancel the upload first. In a
/// callback, including on_complete of the same task, it does not wait: the upload continues without
/// a handle, and its end is reported as usual. Once this call has begun, on_complete receives NULL
/// instead of the handle.
///
/// @param task  NULL is allowed and ignored
///
/// Any thread, once. Other threads may still be waiting in us3_task_wait; their calls return at the
/// end of the upload. Blocks until the upload has ended, except in a callback. In a forked child it
/// only releases memory. May be called before or after the client is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_task_free(task: *mut us3_task) {
    catch_or((), || {
        if task.is_null() {
            return;
        }
        // SAFETY: made by start with Arc; the host frees it once and uses it no more.
        let task = unsafe { Arc::from_raw(task) };
        // From now on, on_complete receives NULL.
        drop(task.task_slot.take());
        if let Ok(running) = task.handle.enter() {
            if own_threads::check_may_block().is_ok() {
                running.wait(None);
            }
            running.close_descriptor();
        }
    });
}

fn pending(timeout_ms: i64) -> Error {
    let message = format!("the upload has not ended yet; waited {timeout_ms} ms for it");
    Error::new(Status::Pending, message)
}
