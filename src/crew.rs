//! Threads for work that may take its time. Each piece gets an idle thread or a new one, and a thread without
//! work ends after a while: so no piece waits for another, and what is not used costs nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::panics;
use crate::threads;

/// A thread without work ends after this long.
const IDLE: Duration = Duration::from_secs(10);

pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// The threads; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Crew(Arc<Shared>);

struct Shared {
    name: &'static str,
    state: Mutex<State>,
    work: Condvar,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
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

impl Crew {
    /// No thread yet; the name is that of all of them.
    pub(crate) fn new(name: &'static str) -> Self {
        Self(Arc::new(Shared {
            name,
            state: Mutex::default(),
            work: Condvar::new(),
        }))
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

    /// Begins a piece of work.
    ///
    /// # Errors
    /// The work itself, when the process may have no thread for it.
    pub(crate) fn begin(&self, job: impl FnOnce() + Send + 'static) -> Result<(), Job> {
        let job: Job = Box::new(job);
        let mut state = self.0.lock();
        if state.jobs.len() < state.idle {
            state.jobs.push_back(job);
            self.0.work.notify_one();
            return Ok(());
        }
        let shared = self.0.clone();
        let started = thread::Builder::new()
            .name(shared.name.to_owned())
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
            Err(_) => return Err(job),
        }
        Ok(())
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
