//! Threads on which the host's code runs: its callbacks and its read functions.
//!
//! They are not the threads that drive sockets or read files, because the host's code may block. Each
//! running call has its own thread: a callback that sleeps, or waits for another callback, delays its own
//! upload and no other.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::runtime::panics;
use crate::runtime::thread_pool::{Submitted, ThreadPool};

/// How often a call without a thread tries to start one.
const RETRY: Duration = Duration::from_millis(100);

/// The threads; clones share them.
#[derive(Clone)]
pub(crate) struct HostThreads(ThreadPool);

impl HostThreads {
    /// Starts no thread.
    pub(crate) fn new() -> Self {
        Self(ThreadPool::new("us3-host"))
    }

    /// Runs the host's code and waits for it; None if it panicked. Once begun, the code runs to its end
    /// even if the caller stops waiting. If no thread can be started, the code waits until a thread is free
    /// or can be started; if there is no thread at all, it runs on the current thread.
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
                // The busy threads may be waiting for this very call, so another thread is tried again and
                // again.
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

    /// Lets the threads finish their jobs, and waits for their end. Must not be called on one of them.
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
