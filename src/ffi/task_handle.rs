//! The value behind a us3_task. The host and on_complete share it, and the last owner frees it.

use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::error::Result;
use crate::operation::task::Task;

use super::handle::{Handle, InUse};
use super::input;

/// A started upload. Any number of threads may use it at once.
pub struct us3_task {
    pub(super) handle: ManuallyDrop<Handle<Task>>,
    pub(super) task_slot: TaskSlot,
}

impl us3_task {
    /// A handle that `task_slot` also refers to.
    pub(super) fn new(task: Task, task_slot: &TaskSlot) -> Arc<Self> {
        let task = Arc::new(Self {
            handle: ManuallyDrop::new(Handle::new(task)),
            task_slot: task_slot.clone(),
        });
        task_slot.keep(task.clone());
        task
    }
}

/// Runs when neither the host nor on_complete uses the handle any more.
impl Drop for us3_task {
    fn drop(&mut self) {
        // SAFETY: taken here and nowhere else. The memory of the task goes after it, since the calls in progress, which
        // this waits for, have begun with reading it.
        unsafe { ManuallyDrop::take(&mut self.handle) }.free();
    }
}

/// The slot for the task handle that on_complete receives. It is empty until the handle is made, which
/// happens after on_complete is built, and again after on_complete or us3_task_free has taken the handle.
/// Lock-free, because us3_task_free takes it in a forked child too, where a lock may stay locked for ever.
#[derive(Clone, Default)]
pub(super) struct TaskSlot(Arc<AtomicPtr<us3_task>>);

impl TaskSlot {
    fn keep(&self, task: Arc<us3_task>) {
        let before = self
            .0
            .swap(Arc::into_raw(task).cast_mut(), Ordering::AcqRel);
        debug_assert!(before.is_null(), "a handle is made once");
    }

    pub(super) fn take(&self) -> Option<Arc<us3_task>> {
        let task = self.0.swap(ptr::null_mut(), Ordering::AcqRel);
        // SAFETY: what is not NULL was put in by keep, and nobody else can take it out now.
        (!task.is_null()).then(|| unsafe { Arc::from_raw(task) })
    }
}

/// A call on the host's task.
///
/// # Safety
/// `task` is NULL or a task that is not freed before this returns.
pub(super) unsafe fn enter(task: *const us3_task) -> Result<InUse<Task>> {
    input::not_null("task", task)?;
    // SAFETY: not NULL, so our caller promises a task.
    unsafe { &*task }.handle.enter()
}

// The header promises that any number of threads may use a task at once.
const _: () = {
    const fn shared_by_threads<T: Send + Sync>() {}
    shared_by_threads::<us3_task>();
};
