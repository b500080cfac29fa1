//! An elastic thread pool for work that may take its time. Each job gets an idle thread or a new one, so no job waits
//! for another while the process may have threads; a thread that was idle for a while ends.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::runtime::own_threads;
use crate::runtime::panics;
use crate::runtime::sync::{self, Builder, Condvar, JoinHandle, Mutex, MutexGuard};

/// A thread without work ends after this long.
const IDLE: Duration = Duration::from_secs(10);

pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// The threads; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct ThreadPool(Arc<Shared>);

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
    /// Threads that were started and have not looked for a job yet.
    starting: usize,
    /// Threads that will look for a job again.
    serving: usize,
    threads: Vec<JoinHandle<()>>,
    closed: bool,
}

impl ThreadPool {
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

    /// Begins a job, on a thread of its own if the process may have one.
    ///
    /// # Errors
    /// The job itself, when there is no thread at all that could run it.
    pub(crate) fn submit(&self, job: impl FnOnce() + Send + 'static) -> Result<Submitted, Job> {
        let job: Job = Box::new(job);
        let mut state = self.0.lock();
        if state.jobs.len() < state.idle {
            state.jobs.push_back(job);
            self.0.work.notify_one();
            return Ok(Submitted::HasThread);
        }
        if self.start_thread(&mut state) {
            state.jobs.push_back(job);
            return Ok(Submitted::HasThread);
        }
        if state.serving > 0 {
            state.jobs.push_back(job);
            return Ok(Submitted::Queued);
        }
        Err(job)
    }

    /// Starts threads for jobs that are queued, as far as the process may have some by now.
    pub(crate) fn start_missing_threads(&self) {
        let mut state = self.0.lock();
        let without_thread = state.jobs.len().saturating_sub(state.idle + state.starting);
        for _ in 0..without_thread {
            if !self.start_thread(&mut state) {
                return;
            }
        }
    }

    #[cfg(us3_loom)]
    pub(crate) fn let_time_pass(&self) {
        self.0.work.let_time_pass(&self.0.lock());
    }

    /// Whether the process may have another thread.
    fn start_thread(&self, state: &mut State) -> bool {
        let shared = self.0.clone();
        let started = Builder::new()
            .name(shared.name.to_owned())
            .spawn(move || serve(&shared));
        let Ok(thread) = started else {
            return false;
        };
        state.starting += 1;
        state.serving += 1;
        state.threads.retain(|thread| !sync::is_finished(thread));
        state.threads.push(thread);
        true
    }
}

/// How a job was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Submitted {
    /// A thread is there for it.
    HasThread,
    /// The process may have no more threads: the first that is free takes it, unless [`ThreadPool::start_missing_threads`] gets it another.
    Queued,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        sync::lock(&self.state)
    }
}

fn serve(shared: &Shared) {
    own_threads::mark_as_own_thread();
    let mut state = shared.lock();
    state.starting -= 1;
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
        let (woken, waited) = sync::unpoisoned(woken);
        state = woken;
        state.idle -= 1;
        if waited.timed_out() && state.jobs.is_empty() {
            break;
        }
    }
    state.serving -= 1;
}
