//! `us3_task`: an upload that runs while the host does something else.

use std::ffi::c_int;
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use crate::client::Caller;
use crate::error::{Error, Report, Result, Status};
use crate::operation::task::Task;
use crate::runtime::own_threads;

use super::callback::Promised;
use super::client::{enter as enter_client, us3_client};
use super::guard::{guard, guard_value};
use super::handle::{Handle, InUse};
use super::input;
use super::progress::us3_progress;
use super::request::us3_upload_request;
use super::result::us3_result;
use super::status::us3_status;
use super::structs::{self, Slot};

/// A started upload. Any number of threads may use it at once.
pub struct us3_task {
    handle: ManuallyDrop<Handle<Task>>,
    promised: Promised,
}

/// Starts an upload and returns at once, without waiting for the network, the disk or the read
/// function. Any number of uploads may be started: max_concurrent_uploads of them run, the others
/// wait for their turn, in the order in which they were started.
///
/// The end is told in three ways, in this order: on_complete is called; then us3_task_wait
/// returns; then the descriptor of us3_task_fd becomes readable. Use as many of them as you like.
///
/// @param client    the client
/// @param request   initialised and filled in. The struct and its strings are copied; what data
///                  points at is not: leave it as it is until the end is told
/// @param out_task  receives the task, or NULL on failure; it is written before the first callback.
///                  Free it with us3_task_free, at any time
/// @param result    NULL, or receives what became of starting the upload
///
/// Any thread, callbacks included. Does not block.
///
/// @return US3_OK; US3_INVALID_ARGUMENT (as us3_upload, or out_task is NULL); US3_INVALID_POLICY;
/// US3_FORKED; US3_INTERNAL_ERROR. After a failure there is no task, and nothing is called. What
/// else can become of the upload is told at its end.
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
            let client = enter_client(client)?;
            let request = structs::read("request", request)?;
            input::not_null("out_task", out_task)?;
            start(client, &request, out_task)
        })
    }
}

/// Waits for the end of an upload.
///
/// @param task        the task
/// @param timeout_ms  milliseconds to wait at most; 0 only looks; negative: for ever
/// @param result      NULL, or receives what became of the upload, each time anew
///
/// Any thread, any number of times. Blocks for the given time at most. In a callback only a
/// timeout_ms of 0 is possible.
///
/// @return what us3_upload returns; US3_PENDING (it has not ended yet); US3_INVALID_ARGUMENT also if
/// task is NULL; US3_CANCELLED (it was cancelled); US3_WOULD_DEADLOCK (called in a callback);
/// US3_FORKED; US3_INTERNAL_ERROR.
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

/// Cancels an upload: within 100 ms no more of it is sent, and a multipart upload is aborted, unless
/// resume_path is set. Then the end is told as always, with US3_CANCELLED, or with what became of
/// the upload if it was over already. Cancelling again changes nothing.
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

/// Tells how far an upload is.
///
/// @param task      the task
/// @param progress  initialised; receives how far it is
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

/// A descriptor that becomes readable when the upload has ended, for poll, epoll, and event loops
/// that are made of them. Only poll it: there is nothing to be read from it.
///
/// @param task  the task; NULL is allowed
/// @return the descriptor, each time the same. It belongs to the task: never close it, and take it
///         out of the event loop before us3_task_free closes it. -1 if task is NULL, if the process
///         has no descriptor left, or in a forked child.
///
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_task_fd(task: *mut us3_task) -> c_int {
    guard_value(-1, || {
        // SAFETY: NULL, or a task that the host does not free before we return.
        let Ok(task) = (unsafe { enter(task) }) else {
            return -1;
        };
        task.descriptor().unwrap_or(-1)
    })
}

/// Waits for the end of an upload and frees its handle. To be quick, cancel it first. In a
/// callback, on_complete of the same task included, it does not wait: the upload goes on without
/// a handle, and its end is told as always. From the beginning of this call on, on_complete is told
/// NULL instead of the handle.
///
/// @param task  NULL is allowed and ignored
///
/// Any thread, once; other threads may still be waiting in us3_task_wait, and are told the end.
/// Blocks until the upload has ended, except in a callback. In a forked child it only releases
/// memory. May be called before or after the client is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_task_free(task: *mut us3_task) {
    guard_value((), || {
        if task.is_null() {
            return;
        }
        // SAFETY: made by start with Arc; the host frees it once and uses it no more.
        let task = unsafe { Arc::from_raw(task) };
        // What on_complete is told, unless it has been called already.
        drop(task.promised.take());
        if let Ok(running) = task.handle.enter() {
            if own_threads::may_block().is_ok() {
                running.wait(None);
            }
            running.close_descriptor();
        }
    });
}

/// Once neither the host nor on_complete uses the handle any more.
impl Drop for us3_task {
    fn drop(&mut self) {
        // SAFETY: taken here and nowhere else. The memory of the task goes after it, since the calls in progress, which
        // this waits for, have begun with reading it.
        unsafe { ManuallyDrop::take(&mut self.handle) }.free();
    }
}

/// Makes the task, tells the host of it, and sets it going.
///
/// # Safety
/// As for [`us3_upload_request::prepare`]; `out_task` may be written.
unsafe fn start(
    client: InUse<crate::client::Client>,
    request: &us3_upload_request,
    out_task: *mut *mut us3_task,
) -> Result<Report> {
    let promised = Promised::default();
    // SAFETY: our caller's promise.
    let (task, start) = unsafe { request.prepare(client, &promised, Caller::GoesOn) }?;
    let task = Arc::new(us3_task {
        handle: ManuallyDrop::new(Handle::new(task)),
        promised: promised.clone(),
    });
    promised.keep(task.clone());
    // SAFETY: our caller's promise. From here on nothing fails.
    unsafe { out_task.write(Arc::into_raw(task).cast_mut()) };
    start.go();
    Ok(Report::default())
}

fn pending(timeout_ms: i64) -> Error {
    let message = format!("the upload has not ended yet; waited {timeout_ms} ms for it");
    Error::new(Status::Pending, message)
}

/// A call on the host's task.
///
/// # Safety
/// `task` is NULL or a task that is not freed before this returns.
unsafe fn enter(task: *const us3_task) -> Result<InUse<Task>> {
    input::not_null("task", task)?;
    // SAFETY: not NULL, so our caller promises a task.
    unsafe { &*task }.handle.enter()
}

// The header promises that any number of threads may use a task at once.
const _: () = {
    const fn shared_by_threads<T: Send + Sync>() {}
    shared_by_threads::<us3_task>();
};
