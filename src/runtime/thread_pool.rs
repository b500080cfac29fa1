//! An elastic thread pool: a job gets an idle thread or a new one, so no job waits for another unless the
//! system refuses to start a thread. A thread ends after 10 s without work.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::runtime::own_threads;
use crate::runtime::panics;
use crate::runtime::sync::{self, Builder, Condvar, JoinHandle, Mutex, MutexGuard};

/// How long a thread waits for work before it ends.
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
    /// Threads that will take another job, now or after their current one.
    serving: usize,
    threads: Vec<JoinHandle<()>>,
    closed: bool,
}

impl ThreadPool {
    /// Starts no thread. All threads will have this name.
    pub(crate) fn new(name: &'static str) -> Self {
        Self(Arc::new(Shared {
            name,
            state: Mutex::default(),
            work: Condvar::new(),
        }))
    }

    /// Lets the threads finish their jobs, and waits for their end. Must not be called on one of them.
    pub(crate) fn close(&self) {
        let threads = {
            let mut state = self.0.lock();
            state.closed = true;
            std::mem::take(&mut state.threads)
        };
        self.0.work.notify_all();
        for thread in threads {
            // The thread cannot have panicked: it catches the panics of its jobs.
            let _ = thread.join();
        }
    }

    /// Begins a job on a thread of its own, if one is idle or can be started.
    ///
    /// # Errors The job itself, if there is no thread that could run it.
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

    /// Tries again to start threads for queued jobs.
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

    /// Starts a thread. False if the system refuses.
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
    /// A thread is there for the job.
    HasThread,
    /// No thread could be started. The first free thread takes the job, unless [`ThreadPool::start_missing_threads`] starts one before.
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
