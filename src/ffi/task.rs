//! `us3_task`: an operation that runs while the host does something else.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::time::Duration;

use crate::error::{Error, Report, Status};
use crate::runtime::own_threads;

use super::catch::catch_or;
use super::file_info::us3_file_info;
use super::guard::guard;
use super::multipart::us3_multipart;
use super::owner::{hand_over, take_back};
use super::progress::us3_progress;
use super::result::us3_result;
use super::status::us3_status;
use super::structs::Slot;
use super::task_handle::{Brings, enter, us3_task};

/// Waits for the end of a task.
///
/// @param task        the task
/// @param timeout_ms  milliseconds to wait at most; 0 only looks; negative: for ever
/// @param result      NULL, or receives the outcome of the operation, at every call
///
/// Any thread, any number of times. Blocks for the given time at most. In a callback only a
/// timeout_ms of 0 is allowed.
///
/// @return what us3_upload, or the function that blocks, returns; US3_PENDING (it has not ended yet); US3_INVALID_ARGUMENT also if
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
            let task = &enter(task)?.task;
            let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
            task.wait(timeout)
                .unwrap_or_else(|| Err(pending(timeout_ms)))
        })
    }
}

/// Cancels a task: within 100 ms no more of it is sent, and what an upload has begun in parts is
/// aborted, unless resume_path is set. Then the end is told as always, with US3_CANCELLED, or with what
/// became of the operation if it was over already. A part, a finish or an abort that is cancelled
/// leaves its us3_multipart as a failure does. Cancelling again changes nothing.
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
            enter(task)?.task.cancel();
            Ok(Report::default())
        })
    }
}

/// Reports the progress of an upload or a part. Other tasks have only attempts and elapsed_ms.
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
            slot.fill(us3_progress::of(&task.task.progress()));
            Ok(Report::default())
        })
    }
}

/// A descriptor that becomes readable when the task has ended, for poll, epoll, and event loops
/// that are made of them. Only poll it: there is nothing to be read from it.
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
        task.task.descriptor().unwrap_or(-1)
    })
}

/// Returns the user_data of the us3_upload_request or us3_start that the task was started with.
///
/// @param task  the task; NULL is allowed
/// @return the user_data; NULL if task is NULL
///
/// Any thread. Does not block. Works in a forked child.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_task_user_data(task: *const us3_task) -> *mut c_void {
    catch_or(ptr::null_mut(), || {
        // SAFETY: NULL, or a task that the host has not freed.
        let task = unsafe { task.as_ref() };
        task.map_or(ptr::null_mut(), us3_task::user_data)
    })
}

/// Returns what HeadFile reported, for a task of us3_head_file_start.
///
/// @param task  the task
/// @param info  initialised; its old strings are freed. After a failure it has its initial values
///
/// Any thread, any number of times, also in on_complete. Does not block.
///
/// @return US3_OK; US3_PENDING (the task has not ended); after a failure of the task its status;
/// US3_INVALID_ARGUMENT (also if a pointer is NULL, a struct_size makes no sense, or the task is another operation's);
/// US3_FORKED; US3_INTERNAL_ERROR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_task_file_info(
    task: *mut us3_task,
    info: *mut us3_file_info,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe {
        guard(ptr::null_mut(), || {
            let started = enter(task)?;
            let slot = Slot::open("info", info)?;
            let Brings::FileInfo(brought) = &started.brings else {
                return Err(Error::argument("task is not one of us3_head_file_start"));
            };
            match brought.look() {
                Some(info) => slot.fill(us3_file_info::of(&info)),
                None => {
                    return started
                        .task
                        .wait(Some(Duration::ZERO))
                        .unwrap_or_else(|| Err(pending(0)));
                }
            }
            Ok(Report::default())
        })
    }
}

/// Returns the upload of a task of us3_initiate_multipart_upload_start or us3_multipart_open_start,
/// once. The upload is then yours.
///
/// @param task  the task; NULL is allowed
/// @return the upload, to be freed with us3_multipart_free. NULL if the task has not ended or has failed, if
///         the upload was taken before, if the task is NULL or another operation's, and in a forked child
///
/// Any thread, also in on_complete. Does not block. An upload that nobody takes stays with the
/// service: the upload_id of the task's result names it. Until it is taken or its task is freed, the
/// client's threads live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_task_multipart(task: *mut us3_task) -> *mut us3_multipart {
    catch_or(ptr::null_mut(), || {
        // SAFETY: NULL, or a task that the host does not free before we return.
        let Ok(started) = (unsafe { enter(task) }) else {
            return ptr::null_mut();
        };
        let Brings::Multipart(brought, client) = &started.brings else {
            return ptr::null_mut();
        };
        let upload = brought
            .take()
            .map(|upload| us3_multipart::new(upload, client.clone()));
        upload.map_or(ptr::null_mut(), |upload| hand_over(Box::new(upload)))
    })
}

/// Waits for the end of a task and frees its handle. To be quick, cancel it first. In a
/// callback, on_complete of the same task included, it does not wait: the operation goes on without
/// a handle, and its end is told as always. From the beginning of this call on, on_complete is told
/// NULL instead of the handle, and no queue hands it out.
///
/// @param task  NULL is allowed and ignored
///
/// Any thread, once; other threads may still be waiting in us3_task_wait, and are told the end.
/// Blocks until the operation has ended, except in a callback. In a forked child it only releases
/// memory. May be called before or after the client is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_task_free(task: *mut us3_task) {
    catch_or((), || {
        // SAFETY: made by Ready::launch; the host frees it once and uses it no more.
        let Some(task) = (unsafe { take_back(task) }) else {
            return;
        };
        if let Some(running) = task.let_go() {
            if own_threads::check_may_block().is_ok() {
                running.task.wait(None);
            }
            running.task.close_descriptor();
        }
    });
}

fn pending(timeout_ms: i64) -> Error {
    let message = format!("the task has not ended yet; waited {timeout_ms} ms for it");
    Error::new(Status::Pending, message)
}
