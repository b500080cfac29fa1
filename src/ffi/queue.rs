//! `us3_queue`: returns tasks in the order in which they ended, and has one descriptor for all of them.

use std::ffi::c_int;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Report, Result, Status};
use crate::operation::ends::{EndQueue, Next, Place};
use crate::runtime::own_threads;

use super::catch::catch_or;
use super::guard::{guard, guard_new};
use super::handle::{Handle, InUse};
use super::input;
use super::owner::{Handed, take_back};
use super::result::us3_result;
use super::status::us3_status;
use super::task_handle::us3_task;

/// A queue of tasks that have ended. It accepts any number of tasks, of any operations and clients. Any
/// number of threads may use it at once.
pub struct us3_queue(Handle<EndQueue<Arc<us3_task>>>);

impl Handed for us3_queue {
    type Owner = Box<Self>;
}

/// Makes a queue. The member queue of us3_start and us3_upload_request names the queue of a task. Such a
/// task uses no descriptor of its own, unless us3_task_fd asks for one.
///
/// @param out_queue  receives the queue, or NULL on failure. Free it with us3_queue_free
/// @param result     NULL, or receives the outcome of the call
///
/// Any thread. Does not block.
///
/// @return US3_OK; US3_INVALID_ARGUMENT (out_queue is NULL); US3_INTERNAL_ERROR (also if the process has
/// no descriptor left; os_error then has the cause).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_queue_new(
    out_queue: *mut *mut us3_queue,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe {
        guard_new("out_queue", out_queue, result, || {
            Ok((us3_queue(Handle::new(EndQueue::new()?)), Report::default()))
        })
    }
}

/// A descriptor that is readable while the queue holds tasks that have ended, for poll, epoll and event
/// loops. Only poll it; us3_queue_next takes the tasks out.
///
/// @param queue  the queue; NULL is allowed
/// @return the descriptor, each time the same. It belongs to the queue: never close it, and take it out of the
///         event loop before us3_queue_free closes it. -1 if queue is NULL, or in a forked child.
///
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_queue_fd(queue: *mut us3_queue) -> c_int {
    catch_or(-1, || {
        // SAFETY: NULL, or a queue that the host does not free before we return.
        let Ok(queue) = (unsafe { enter(queue) }) else {
            return -1;
        };
        queue.descriptor().unwrap_or(-1)
    })
}

/// Takes a task that has ended out of the queue: the one that ended first. The queue returns each task
/// once, after its on_complete has returned. It never returns a task after us3_task_free was called on
/// it; so let only the threads that call us3_queue_next free the tasks of a queue. us3_task_wait with a
/// timeout_ms of 0 then gives the outcome of the task, us3_task_user_data the user_data that it was
/// started with, and us3_task_free frees it.
///
/// @param queue       the queue
/// @param timeout_ms  milliseconds to wait at most; 0 only looks; negative: for ever
/// @param out_task    receives the task, the handle that the starting call returned, or NULL on failure
/// @param result      NULL, or receives the outcome of this call, not of the task
///
/// Any thread. Blocks for the given time at most. In a callback only a timeout_ms of 0 is possible.
///
/// @return US3_OK; US3_PENDING (no task has ended yet); US3_INVALID_ARGUMENT (queue or out_task is NULL);
/// US3_CANCELLED (the queue is being freed); US3_WOULD_DEADLOCK (called in a callback); US3_FORKED;
/// US3_INTERNAL_ERROR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_queue_next(
    queue: *mut us3_queue,
    timeout_ms: i64,
    out_task: *mut *mut us3_task,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe {
        if !out_task.is_null() {
            out_task.write(ptr::null_mut());
        }
        guard(result, || {
            let queue = enter(queue)?;
            input::not_null("out_task", out_task)?;
            let task = next(&queue, timeout_ms)?;
            // The host's own reference keeps it: it was not freed when it was taken out.
            out_task.write(Arc::as_ptr(&task).cast_mut());
            Ok(Report::default())
        })
    }
}

/// Frees a queue. Its tasks continue without it; their ends are reported by on_complete, us3_task_wait
/// and us3_task_fd. Threads that wait in us3_queue_next return US3_CANCELLED.
///
/// @param queue  NULL is allowed and ignored
///
/// Any thread, once; no call may begin on the queue after that, and none may start a task on it. Does
/// not wait for tasks. In a forked child it only releases memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_queue_free(queue: *mut us3_queue) {
    catch_or((), || {
        // SAFETY: made by guard_new; the host frees it once and uses it no more.
        let Some(queue) = (unsafe { take_back(queue) }) else {
            return;
        };
        if let Ok(open) = queue.0.enter() {
            open.close();
        }
        queue.0.free();
    });
}

/// A call on the host's queue.
///
/// # Safety
/// `queue` is NULL or a queue that is not freed before this returns.
unsafe fn enter(queue: *const us3_queue) -> Result<InUse<EndQueue<Arc<us3_task>>>> {
    input::not_null("queue", queue)?;
    // SAFETY: not NULL, so our caller promises a queue.
    unsafe { &*queue }.0.enter()
}

/// A place for a task that is to be started with this queue; none without one.
///
/// # Safety
/// As for [`enter`].
pub(super) unsafe fn place_in(queue: *const us3_queue) -> Result<Option<Place<Arc<us3_task>>>> {
    if queue.is_null() {
        return Ok(None);
    }
    // SAFETY: our caller's promise.
    unsafe { enter(queue) }.map(|queue| Some(queue.join()))
}

fn next(queue: &EndQueue<Arc<us3_task>>, timeout_ms: i64) -> Result<Arc<us3_task>> {
    if timeout_ms != 0 {
        own_threads::check_may_block()?;
    }
    let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
    let (status, message) = match queue.next(timeout) {
        Next::End(task) => return Ok(task),
        Next::None => {
            let waited =
                format!("no task of the queue has ended yet; waited {timeout_ms} ms for one");
            (Status::Pending, waited)
        }
        Next::Closed => (Status::Cancelled, "the queue is being freed".to_owned()),
    };
    Err(Error::new(status, message))
}

// The header promises that any number of threads may use a queue at once.
const _: () = {
    const fn shared_by_threads<T: Send + Sync>() {}
    shared_by_threads::<us3_queue>();
};
