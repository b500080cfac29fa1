//! The service and the threads that drive it, shared by a client and all that it hands out.

use std::cell::Cell;
use std::future::Future;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::config::Config;
use crate::error::{CallbackState, Error, ObjectState, Report, Result, Status};
use crate::operation::Operation;
use crate::service::Service;
use crate::task::{Task, Watch};

/// Threads that read and hash files and resolve names; they end when idle.
const BLOCKING_THREADS: usize = 32;

/// What every operation works with.
pub(crate) struct Engine {
    pub(crate) service: Service,
    /// Uploads that may run at once.
    slots: Semaphore,
    threads: Handle,
}

impl Engine {
    /// Checks the configuration and starts the threads. The runtime must outlive every use.
    pub(crate) fn start(config: Config) -> Result<(Arc<Self>, Runtime)> {
        let origin = config.check()?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(config.worker_threads)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("us3")
            .on_thread_start(begin_thread)
            .enable_all()
            .build()
            .map_err(|cause| Error::file("cannot start the library's threads", &cause))?;
        let slots = Semaphore::new(config.max_concurrent_uploads);
        let engine = Self {
            service: Service::new(config, origin)?,
            slots,
            threads: runtime.handle().clone(),
        };
        Ok((Arc::new(engine), runtime))
    }

    /// Runs an operation on the library's threads and waits. The host's thread only sleeps: its
    /// stack may be small, and its signals are its own.
    pub(crate) fn wait<T, F>(&self, run: impl FnOnce(Arc<Operation>) -> F) -> Result<T>
    where
        T: Facts + Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        may_block()?;
        let operation = Arc::new(Operation::begin(None));
        let running = run(operation.clone());
        let (tell, told) = mpsc::sync_channel(1);
        self.threads.spawn(async move {
            let _ = tell.send(running.await);
        });
        let mut result = told.recv().unwrap_or_else(|_| Err(died()));
        let report = match &mut result {
            Ok(value) => value.report_mut(),
            Err(error) => error.report_mut(),
        };
        operation.complete(report);
        result
    }

    /// Starts an upload on the library's threads. Never blocks.
    pub(crate) fn launch<F>(
        &self,
        timeout: Option<Duration>,
        watch: Watch,
        run: impl FnOnce(Arc<Operation>) -> F,
    ) -> Task
    where
        F: Future<Output = Result<Report>> + Send + 'static,
    {
        let operation = Arc::new(Operation::begin(timeout));
        let (task, driver) = Task::new(operation.clone(), watch, run(operation));
        self.threads.spawn(driver);
        task
    }

    /// Waits for its turn among the uploads, and holds it until dropped.
    pub(crate) async fn slot(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed, so that there is always a permit to wait for.
        self.slots.acquire().await.ok()
    }
}

/// The sender was dropped without a word: its task panicked, or the threads are gone.
pub(crate) fn died() -> Error {
    let mut error = Error::new(
        Status::InternalError,
        "the operation ended without a result: its client was freed, or libus3 has a bug; whether it reached the service is unknown",
    );
    error.report_mut().object = ObjectState::Unknown;
    error.report_mut().callback = CallbackState::Unknown;
    error
}

thread_local! {
    /// Whether this is one of our own threads, on which the host's callbacks run.
    static OURS: Cell<bool> = const { Cell::new(false) };
}

/// Refuses to block on a thread that others wait for.
pub(crate) fn may_block() -> Result<()> {
    if !OURS.get() {
        return Ok(());
    }
    Err(Error::new(
        Status::WouldDeadlock,
        "a blocking function of libus3 was called from within one of its callbacks; start the upload with us3_upload_start, or call from another thread",
    ))
}

/// A result that has a report to complete.
pub(crate) trait Facts {
    fn report_mut(&mut self) -> &mut Report;
}

impl Facts for Report {
    fn report_mut(&mut self) -> &mut Report {
        self
    }
}

impl<T> Facts for (T, Report) {
    fn report_mut(&mut self) -> &mut Report {
        &mut self.1
    }
}

fn begin_thread() {
    OURS.set(true);
    leave_signals_to_the_host();
}

/// A write to a dead socket raises SIGPIPE, which by default kills the host, and a handler of the
/// host must not run on our threads. Faults of the thread itself stay deliverable.
fn leave_signals_to_the_host() {
    let mut blocked = SigSet::all();
    for fault in [
        Signal::SIGSEGV,
        Signal::SIGBUS,
        Signal::SIGFPE,
        Signal::SIGILL,
        Signal::SIGABRT,
        Signal::SIGTRAP,
    ] {
        blocked.remove(fault);
    }
    // It can only fail for an unknown `how`, which thread_block does not pass.
    let _ = blocked.thread_block();
}
