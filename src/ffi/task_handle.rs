//! What is behind a us3_task: the host, on_complete and the queue share it, and the last of them frees it.

use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::client::{Client, FileInfo};
use crate::error::Result;
use crate::operation::ends::Place;
use crate::operation::prepared::{Brought, Prepared};
use crate::operation::task::{Task, TaskStarter, Told};
use crate::upload::Multipart;

use super::handle::{Handle, InUse};
use super::input;
use super::owner::{Handed, hand_over};
use super::user_data::UserData;

/// A started operation: an upload, or any other that has a function of the name ..._start. Any number of
/// threads may use it at once.
pub struct us3_task {
    handle: ManuallyDrop<Handle<Started>>,
    ties: Ties,
}

impl Handed for us3_task {
    type Owner = Arc<Self>;
}

/// What the handle holds.
pub(super) struct Started {
    pub(super) task: Task,
    pub(super) brings: Brings,
}

/// What an operation brings besides its result.
pub(super) enum Brings {
    Nothing,
    FileInfo(Brought<FileInfo>),
    /// With the client whose threads the upload needs.
    Multipart(Brought<Multipart>, Arc<Client>),
}

/// Where a task's handle is wanted besides with the host.
#[derive(Clone)]
pub(super) struct Ties {
    /// For on_complete.
    pub(super) on_complete: TaskSlot,
    /// For the queue.
    queued: Option<Queued>,
    pub(super) user_data: UserData,
}

/// The handle of a task that has not ended, and its place in the queue.
#[derive(Clone)]
struct Queued {
    task_slot: TaskSlot,
    place: Arc<Place<Arc<us3_task>>>,
}

impl Ties {
    /// Of a task that is to be started, with its place in a queue.
    pub(super) fn new(place: Option<Place<Arc<us3_task>>>, user_data: UserData) -> Self {
        let queued = place.map(|place| Queued {
            task_slot: TaskSlot::default(),
            place: Arc::new(place),
        });
        Self {
            on_complete: TaskSlot::default(),
            queued,
            user_data,
        }
    }

    /// What puts the task into the queue at its end.
    pub(super) fn told(&self) -> Option<Told> {
        let Queued { task_slot, place } = self.queued.clone()?;
        Some(Box::new(move || {
            if let Some(task) = task_slot.take() {
                place.tell(task);
            }
        }))
    }

    fn keep(&self, task: &Arc<us3_task>) {
        self.on_complete.keep(task.clone());
        if let Some(queued) = &self.queued {
            queued.task_slot.keep(task.clone());
        }
    }

    /// on_complete is told NULL from now on.
    fn let_go(&self) {
        drop(self.on_complete.take());
        if let Some(queued) = &self.queued {
            drop(queued.task_slot.take());
        }
    }

    /// The queue does not hand the task out from now on.
    fn leave_queue(&self) {
        if let Some(queued) = &self.queued {
            queued.place.withdraw();
        }
    }
}

/// An operation that is ready to run.
pub(super) struct Ready {
    pub(super) task: Task,
    pub(super) starter: TaskStarter,
    pub(super) brings: Brings,
}

impl Ready {
    /// One that brings nothing, or what `brings` makes of it.
    pub(super) fn of<T>(prepared: Prepared<T>, brings: impl FnOnce(Brought<T>) -> Brings) -> Self {
        Self {
            brings: brings(prepared.value),
            task: prepared.task,
            starter: prepared.starter,
        }
    }

    /// Makes the handle, tells the host of it, and sets the operation going. Nothing fails.
    ///
    /// # Safety
    /// `out_task` may be written.
    pub(super) unsafe fn launch(self, ties: Ties, out_task: *mut *mut us3_task) {
        let started = Started {
            task: self.task,
            brings: self.brings,
        };
        let task = Arc::new(us3_task {
            handle: ManuallyDrop::new(Handle::new(started)),
            ties,
        });
        task.ties.keep(&task);
        // SAFETY: our caller's promise.
        unsafe { out_task.write(hand_over(task)) };
        self.starter.run();
    }
}

impl us3_task {
    /// The user_data of the host.
    pub(super) fn user_data(&self) -> *mut c_void {
        self.ties.user_data.0
    }

    /// The host frees the handle: nobody else is given it from now on. The task, unless this is a forked child.
    pub(super) fn let_go(&self) -> Option<InUse<Started>> {
        self.ties.let_go();
        let started = self.handle.enter().ok()?;
        self.ties.leave_queue();
        Some(started)
    }
}

/// Once neither the host nor on_complete nor the queue uses the handle any more.
impl Drop for us3_task {
    fn drop(&mut self) {
        // SAFETY: taken here and nowhere else. The memory of the task goes after it, since the calls in progress, which
        // this waits for, have begun with reading it.
        unsafe { ManuallyDrop::take(&mut self.handle) }.free();
    }
}

/// The task handle that on_complete, or the queue, is to be given: empty until the handle is made, which comes after
/// on_complete is built, and again once one of them or us3_task_free has taken it. Lock-free, because
/// us3_task_free also takes it in a forked child, where a lock may be held for ever.
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
pub(super) unsafe fn enter(task: *const us3_task) -> Result<InUse<Started>> {
    input::not_null("task", task)?;
    // SAFETY: not NULL, so our caller promises a task.
    unsafe { &*task }.handle.enter()
}

// The header promises that any number of threads may use a task at once.
const _: () = {
    const fn shared_by_threads<T: Send + Sync>() {}
    shared_by_threads::<us3_task>();
};
