//! The threads that drive sockets and timers.
//!
//! Each thread has its own single-threaded runtime. If the system refuses to start a thread, a runtime with
//! several threads waits for ever; a runtime with one thread fails at once.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

use crate::error::{Error, Result, Status};
use crate::runtime::own_threads;
use crate::runtime::panics;

/// Threads for blocking work (files, host names, checkpoints) of all event loops together, and at least for each event
/// loop. They start on demand and exit when idle.
const BLOCKING_THREADS: usize = 32;
const LEAST_BLOCKING_THREADS: usize = 8;

/// Owns the threads: dropping it stops them and waits for their end.
pub(crate) struct EventLoops(Vec<Runtime>);

/// Assigns each piece of work to the event loop that has the fewest. The piece stays there, and its connection too, so
/// nothing is woken on another thread.
#[derive(Clone)]
pub(crate) struct LoadBalancer(Arc<[EventLoop]>);

struct EventLoop {
    handle: Handle,
    /// Number of pieces of work that are assigned to it.
    pieces: AtomicUsize,
}

/// The assignment of a piece of work to an event loop, until it is dropped.
pub(crate) struct Assignment {
    balancer: LoadBalancer,
    index: usize,
}

impl EventLoops {
    /// Starts this number of threads, or none.
    pub(crate) fn start(count: usize) -> Result<(Self, LoadBalancer)> {
        let blocking = (BLOCKING_THREADS / count).max(LEAST_BLOCKING_THREADS);
        let runtimes = (0..count).map(|_| start_one(blocking));
        let runtimes: Vec<Runtime> = runtimes.collect::<Result<_>>()?;
        let handles = runtimes.iter().map(|one| one.handle().clone());
        let balancer = LoadBalancer::over(handles);
        Ok((Self(runtimes), balancer))
    }

    /// Stops the threads without waiting for them.
    pub(crate) fn end_in_background(self) {
        self.0.into_iter().for_each(Runtime::shutdown_background);
    }
}

impl LoadBalancer {
    fn over(handles: impl Iterator<Item = Handle>) -> Self {
        let target = |handle| EventLoop {
            handle,
            pieces: AtomicUsize::new(0),
        };
        Self(handles.map(target).collect())
    }

    /// The same threads, with separate counters for another kind of work.
    pub(crate) fn for_other_work(&self) -> Self {
        Self::over(self.0.iter().map(|target| target.handle.clone()))
    }

    /// Assigns the next piece of work to the event loop that has the fewest.
    pub(crate) fn assign(&self) -> Assignment {
        let targets = self.0.iter().enumerate();
        let least = targets.min_by_key(|(_, target)| target.pieces.load(Relaxed));
        let index = least.map_or(0, |(index, _)| index);
        self.0[index].pieces.fetch_add(1, Relaxed);
        Assignment {
            balancer: self.clone(),
            index,
        }
    }
}

impl Assignment {
    fn target(&self) -> &EventLoop {
        &self.balancer.0[self.index]
    }

    /// The event loop of the assignment.
    pub(crate) fn handle(&self) -> &Handle {
        &self.target().handle
    }

    /// Runs the piece of work there. The assignment ends with it.
    pub(crate) fn spawn<T: Send + 'static>(
        self,
        piece: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let handle = self.handle().clone();
        handle.spawn(async move {
            let _assignment = self;
            piece.await
        })
    }
}

impl Drop for Assignment {
    fn drop(&mut self) {
        self.target().pieces.fetch_sub(1, Relaxed);
    }
}

fn start_one(blocking: usize) -> Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder
        .worker_threads(1)
        .max_blocking_threads(blocking)
        .thread_name("us3")
        .on_thread_start(own_threads::mark_as_own_thread)
        .enable_all();
    // The runtime panics when it cannot start a thread.
    match catch_unwind(AssertUnwindSafe(|| builder.build())) {
        Ok(Ok(runtime)) => Ok(runtime),
        Ok(Err(cause)) => Err(no_threads(&cause.to_string(), cause.raw_os_error())),
        Err(panic) => Err(no_threads(&panics::message(panic), None)),
    }
}

fn no_threads(why: &str, os_error: Option<i32>) -> Error {
    let mut error = Error::new(
        Status::InternalError,
        format!("cannot start the library's threads: {why}; check the limits of the process"),
    );
    error.report_mut().os_error = os_error.unwrap_or(0);
    error
}
