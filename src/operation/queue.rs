//! The queue of a client's uploads: `max_concurrent_uploads` of them run, the others wait in order.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// Uploads that may run at once.
pub(crate) struct Queue(Arc<Semaphore>);

/// An upload's place in the queue.
pub(crate) enum Turn {
    /// None never: the semaphore is not closed.
    Come(Option<OwnedSemaphorePermit>),
    Queued(BoxFuture<'static, Result<OwnedSemaphorePermit, AcquireError>>),
}

impl Queue {
    pub(crate) fn new(running: usize) -> Self {
        Self(Arc::new(Semaphore::new(running)))
    }

    /// A place behind those that have one already.
    pub(crate) fn join(&self) -> Turn {
        // One that is given back goes to who waits first, so one that is free means that nobody waits.
        if let Ok(permit) = self.0.clone().try_acquire_owned() {
            return Turn::Come(Some(permit));
        }
        let mut queued = self.0.clone().acquire_owned().boxed();
        // The first look is what takes the place.
        match (&mut queued).now_or_never() {
            Some(permit) => Turn::Come(permit.ok()),
            None => Turn::Queued(queued),
        }
    }
}

impl Turn {
    /// Whether it need not be waited for.
    pub(crate) fn has_come(&self) -> bool {
        matches!(self, Self::Come(_))
    }

    /// Waits for the turn, which lasts until the permit is dropped.
    pub(crate) async fn come(self) -> Option<OwnedSemaphorePermit> {
        match self {
            Self::Come(permit) => permit,
            Self::Queued(queued) => queued.await.ok(),
        }
    }
}
