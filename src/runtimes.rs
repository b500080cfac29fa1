//! The threads that drive sockets and timers.
//!
//! Each has a runtime of its own. A runtime of several threads that the system refuses one of them
//! waits for the others for ever; a runtime that is refused its only thread just fails.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{Error, Result, Status};
use crate::{panics, threads};

/// Threads that read and hash files and resolve names, in all; they end when idle.
const BLOCKING_THREADS: usize = 32;

/// Owns the threads: dropping it ends them and waits for that.
pub(crate) struct Runtimes(Vec<Runtime>);

/// Where work may run; each piece goes to the next thread.
#[derive(Clone)]
pub(crate) struct Spread(Arc<Targets>);

struct Targets {
    handles: Vec<Handle>,
    next: AtomicUsize,
}

impl Runtimes {
    /// Starts so many threads, or none.
    pub(crate) fn start(count: usize) -> Result<(Self, Spread)> {
        let blocking = BLOCKING_THREADS.div_ceil(count);
        let runtimes = (0..count).map(|_| start_one(blocking));
        let runtimes: Vec<Runtime> = runtimes.collect::<Result<_>>()?;
        let targets = Targets {
            handles: runtimes.iter().map(|one| one.handle().clone()).collect(),
            next: AtomicUsize::new(0),
        };
        Ok((Self(runtimes), Spread(Arc::new(targets))))
    }

    /// Ends the threads without waiting for them.
    pub(crate) fn end_in_background(self) {
        self.0.into_iter().for_each(Runtime::shutdown_background);
    }
}

impl Spread {
    /// The next thread.
    pub(crate) fn next(&self) -> &Handle {
        let turn = self.0.next.fetch_add(1, Relaxed);
        &self.0.handles[turn % self.0.handles.len()]
    }
}

fn start_one(blocking: usize) -> Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder
        .worker_threads(1)
        .max_blocking_threads(blocking)
        .thread_name("us3")
        .on_thread_start(threads::begin)
        .enable_all();
    // It panics when it gets no thread.
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
