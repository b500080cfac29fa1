//! Threads on which the host's own code runs: its callbacks and its readers.
//!
//! They are not the threads that drive sockets or read files, because the host may take its time:
//! a callback that sleeps holds up its own upload and no other. Each call gets an idle thread or a
//! new one; there are never more than a few for each upload that runs.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

use crate::panics;
use crate::threads;

/// A thread without work ends after this long.
const IDLE: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

/// The threads; clones share them.
#[derive(Clone)]
pub(crate) struct HostThreads(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    turns: Semaphore,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Threads that wait for a job.
    idle: usize,
    /// Threads that will look for a job again.
    serving: usize,
    threads: Vec<JoinHandle<()>>,
    closed: bool,
}

impl HostThreads {
    /// No thread yet. `turns` bounds what [`Self::call_in_turn`] runs at once.
    pub(crate) fn new(turns: usize) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::default(),
            work: Condvar::new(),
            turns: Semaphore::new(turns),
        }))
    }

    /// Runs the host's code and waits for it; None when it panicked. Once begun, it runs to its end
    /// even when nobody waits any more.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (tell, told) = oneshot::channel();
        self.submit(Box::new(move || {
            let _ = tell.send(call());
        }));
        told.await.ok()
    }

    /// The same for calls of which there may be any number at once.
    pub(crate) async fn call_in_turn<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        // Never closed, so that there is always a turn to wait for.
        let _turn = self.0.turns.acquire().await.ok();
        self.call(call).await
    }

    /// Lets the threads run what they have, and waits for their end. Not from one of them.
    pub(crate) fn close(&self) {
        let threads = {
            let mut state = self.0.lock();
            state.closed = true;
            std::mem::take(&mut state.threads)
        };
        self.0.work.notify_all();
        for thread in threads {
            // It cannot have panicked: it catches what its jobs do.
            let _ = thread.join();
        }
    }

    fn submit(&self, job: Job) {
        let mut state = self.0.lock();
        if state.jobs.len() < state.idle {
            state.jobs.push_back(job);
            self.0.work.notify_one();
            return;
        }
        let shared = self.0.clone();
        let started = thread::Builder::new()
            .name("us3-host".to_owned())
            .spawn(move || serve(&shared));
        match started {
            Ok(thread) => {
                state.jobs.push_back(job);
                state.serving += 1;
                state.threads.retain(|thread| !thread.is_finished());
                state.threads.push(thread);
            }
            // The process has all the threads it may have: as soon as one of ours is free, then.
            Err(_) if state.serving > 0 => {
                state.jobs.push_back(job);
            }
            Err(_) => {
                drop(state);
                let _ = panics::catch(job);
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn serve(shared: &Shared) {
    threads::begin();
    let mut state = shared.lock();
    loop {
        if let Some(job) = state.jobs.pop_front() {
            drop(state);
            let _ = panics::catch(job);
            state = shared.lock();
            continue;
        }
        if state.closed {
            break;
        }
        state.idle += 1;
        let woken = shared.work.wait_timeout(state, IDLE);
        let (woken, waited) = woken.unwrap_or_else(|poisoned| poisoned.into_inner());
        state = woken;
        state.idle -= 1;
        if waited.timed_out() && state.jobs.is_empty() {
            break;
        }
    }
    state.serving -= 1;
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
