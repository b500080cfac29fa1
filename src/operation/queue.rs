//! The queue of a client's uploads: `max_concurrent_uploads` of them run; the others wait in order.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// The number of uploads that may run at once.
pub(crate) struct Queue(Arc<Semaphore>);

/// An upload's place in the queue.
pub(crate) enum Permit {
    /// None never: the semaphore is not closed.
    Granted(Option<OwnedSemaphorePermit>),
    Waiting(BoxFuture<'static, Result<OwnedSemaphorePermit, AcquireError>>),
}

impl Queue {
    pub(crate) fn new(running: usize) -> Self {
        Self(Arc::new(Semaphore::new(running)))
    }

    /// Adds an upload at the end of the queue.
    pub(crate) fn join(&self) -> Permit {
        // A released permit goes to the first waiter, so a free permit means that nobody waits.
        if let Ok(permit) = self.0.clone().try_acquire_owned() {
            return Permit::Granted(Some(permit));
        }
        let mut queued = self.0.clone().acquire_owned().boxed();
        // The first poll joins the queue.
        match (&mut queued).now_or_never() {
            Some(permit) => Permit::Granted(permit.ok()),
            None => Permit::Waiting(queued),
        }
    }
}

impl Permit {
    /// Whether the upload may run at once.
    pub(crate) fn is_granted(&self) -> bool {
        matches!(self, Self::Granted(_))
    }

    /// Waits until the upload may run. It counts as running until the permit is dropped.
    pub(crate) async fn granted(self) -> Option<OwnedSemaphorePermit> {
        match self {
            Self::Granted(permit) => permit,
            Self::Waiting(queued) => queued.await.ok(),
        }
    }
}
