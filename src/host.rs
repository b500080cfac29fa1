//! Threads on which the host's own code runs: its callbacks and its readers.
//!
//! They are not the threads that drive sockets or read files, because the host may take its time:
//! a callback that sleeps holds up its own upload and no other. There are never more than a few for each
//! upload that runs.

use std::sync::Arc;

use tokio::sync::{Semaphore, oneshot};

use crate::crew::Crew;
use crate::panics;

/// The threads; clones share them.
#[derive(Clone)]
pub(crate) struct HostThreads {
    crew: Crew,
    turns: Arc<Semaphore>,
}

impl HostThreads {
    /// No thread yet. `turns` bounds what [`Self::call_in_turn`] runs at once.
    pub(crate) fn new(turns: usize) -> Self {
        Self {
            crew: Crew::new("us3-host"),
            turns: Arc::new(Semaphore::new(turns)),
        }
    }

    /// Runs the host's code and waits for it; None when it panicked. Once begun, it runs to its end
    /// even when nobody waits any more.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (tell, told) = oneshot::channel();
        let begun = self.crew.begin(move || {
            let _ = tell.send(call());
        });
        if let Err(job) = begun {
            // Without a thread for it, here and now.
            let _ = panics::catch(job);
        }
        told.await.ok()
    }

    /// The same for calls of which there may be any number at once.
    pub(crate) async fn call_in_turn<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        // Never closed, so that there is always a turn to wait for.
        let _turn = self.turns.acquire().await.ok();
        self.call(call).await
    }

    /// Lets the threads run what they have, and waits for their end. Not from one of them.
    pub(crate) fn close(&self) {
        self.crew.close();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn slow_calls_hold_up_no_other() {
        let threads = HostThreads::new(1);
        let (release, held) = mpsc::channel::<()>();
        let slow = tokio::spawn({
            let threads = threads.clone();
            async move { threads.call(move || held.recv().is_ok()).await }
        });
        for n in 0..100 {
            assert_eq!(threads.call(move || n).await, Some(n));
        }
        release.send(()).expect("it waits");
        assert_eq!(slow.await.expect("task"), Some(true));
        threads.close();
    }

    #[tokio::test]
    async fn a_panic_is_told_and_the_thread_goes_on() {
        let threads = HostThreads::new(1);
        assert_eq!(threads.call(|| panic!("on purpose")).await, None::<()>);
        assert_eq!(threads.call_in_turn(|| 1).await, Some(1));
        threads.close();
    }
}
