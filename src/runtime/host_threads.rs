//! Threads on which the host's own code runs: its callbacks and its readers.
//!
//! They are not the threads that drive sockets or read files, because the host may take its time. Each call that runs has
//! a thread to itself: a callback that sleeps, or waits for another callback, holds up its own upload and no other.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::runtime::panics;
use crate::runtime::thread_pool::{Submitted, ThreadPool};

/// How often a call that waits for a thread asks the process for one.
const RETRY: Duration = Duration::from_millis(100);

/// The threads; clones share them.
#[derive(Clone)]
pub(crate) struct HostThreads(ThreadPool);

impl HostThreads {
    /// No thread yet.
    pub(crate) fn new() -> Self {
        Self(ThreadPool::new("us3-host"))
    }

    /// Runs the host's code and waits for it; None when it panicked. Once begun, it runs to its end
    /// even when nobody waits any more. While the process may have no more threads, it waits for one that is
    /// free, or for a thread that the process may have again; if there is none at all, it runs here and now.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (tell, mut told) = oneshot::channel();
        let begun = self.0.submit(move || {
            let _ = tell.send(call());
        });
        match begun {
            Ok(Submitted::HasThread) => {}
            Ok(Submitted::Queued) => loop {
                // The threads that there are may wait for this call.
                tokio::select! {
                    answer = &mut told => return answer.ok(),
                    () = sleep(RETRY) => self.0.start_missing_threads(),
                }
            },
            Err(job) => {
                let _ = panics::catch(job);
            }
        }
        told.await.ok()
    }

    /// Lets the threads run what they have, and waits for their end. Not from one of them.
    pub(crate) fn close(&self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn slow_calls_hold_up_no_other() {
        let threads = HostThreads::new();
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
        let threads = HostThreads::new();
        assert_eq!(threads.call(|| panic!("on purpose")).await, None::<()>);
        assert_eq!(threads.call(|| 1).await, Some(1));
        threads.close();
    }
}
