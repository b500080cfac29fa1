//! An upload that runs while the host does something else.
//!
//! The end is told three ways, in this order: the last progress and `on_complete`, on a library
//! thread; then whoever waits; then the descriptor. Once a wait has returned, no callback runs
//! any more.

use std::future::Future;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsRawFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use nix::sys::eventfd::{EfdFlags, EventFd};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::engine;
use crate::error::{Report, Result};
use crate::operation::{Operation, Progress};

/// How often progress is reported.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// A wait without a timeout sleeps this long at a time.
const FOREVER: Duration = Duration::from_secs(3600);

/// Called on a library thread, one call at a time; `Break` cancels the upload.
pub type OnProgress = Box<dyn FnMut(&Progress) -> ControlFlow<()> + Send>;

/// Called on a library thread, exactly once, whatever happens.
pub type OnComplete = Box<dyn FnOnce(&Result<Report>) + Send>;

/// What the host wants to be told while an upload runs.
#[derive(Default)]
pub struct Watch {
    /// At most every 100 ms and once at the end.
    pub on_progress: Option<OnProgress>,
    /// At the end, after the last progress.
    pub on_complete: Option<OnComplete>,
}

/// A started upload. Dropping it lets the upload go on.
pub struct Task {
    shared: Arc<Shared>,
}

struct Shared {
    operation: Arc<Operation>,
    end: Mutex<End>,
    ended: Condvar,
}

#[derive(Default)]
struct End {
    result: Option<Result<Report>>,
    /// Made when somebody asks for it: descriptors are scarce.
    descriptor: Option<EventFd>,
}

impl Task {
    /// What is to run, and the handle to it. The future must be driven to its end, or dropped,
    /// which ends the task with an error.
    pub(crate) fn new(
        operation: Arc<Operation>,
        watch: Watch,
        running: impl Future<Output = Result<Report>> + Send + 'static,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let shared = Arc::new(Shared {
            operation,
            end: Mutex::default(),
            ended: Condvar::new(),
        });
        let completion = Completion {
            shared: shared.clone(),
            on_complete: watch.on_complete,
            result: None,
        };
        let driver = drive(completion, watch.on_progress, running);
        (Self { shared }, driver)
    }

    /// Waits for the end; None when it does not come in time. Without a timeout, for ever.
    ///
    /// # Errors
    /// Those of the upload; `WouldDeadlock` on a library thread, unless the timeout is zero.
    pub fn wait(&self, timeout: Option<Duration>) -> Option<Result<Report>> {
        if timeout != Some(Duration::ZERO)
            && let Err(error) = engine::may_block()
        {
            return Some(Err(error));
        }
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut end = self.shared.lock();
        while end.result.is_none() {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return None;
            }
            end = self.shared.sleep(end, left.unwrap_or(FOREVER));
        }
        end.result.clone()
    }

    /// Ends the upload as soon as possible; it then ends with `Cancelled`, unless it was over
    /// before. From any thread, any number of times.
    pub fn cancel(&self) {
        self.shared.operation.cancel();
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.shared.operation.progress()
    }

    /// A descriptor that polls readable once the upload is over. It belongs to the task.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn descriptor(&self) -> io::Result<RawFd> {
        let mut end = self.shared.lock();
        if end.descriptor.is_none() {
            let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
            let descriptor = EventFd::from_value_and_flags(0, flags)?;
            if end.result.is_some() {
                descriptor.write(1)?;
            }
            end.descriptor = Some(descriptor);
        }
        let descriptor = end.descriptor.as_ref().map(AsRawFd::as_raw_fd);
        descriptor.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Shared {
    /// Sleeps until something changes, or for that long.
    fn sleep<'a>(&self, end: MutexGuard<'a, End>, longest: Duration) -> MutexGuard<'a, End> {
        let woken = self.ended.wait_timeout(end, longest);
        woken.unwrap_or_else(|poisoned| poisoned.into_inner()).0
    }

    fn lock(&self) -> MutexGuard<'_, End> {
        self.end
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Tells everybody of the end, exactly once: when it is dropped, however that comes about.
struct Completion {
    shared: Arc<Shared>,
    on_complete: Option<OnComplete>,
    result: Option<Result<Report>>,
}

impl Drop for Completion {
    fn drop(&mut self) {
        let mut result = self.result.take().unwrap_or_else(|| Err(engine::died()));
        let report = match &mut result {
            Ok(report) => report,
            Err(error) => error.report_mut(),
        };
        self.shared.operation.complete(report);
        if let Some(on_complete) = self.on_complete.take() {
            // A panic of the host's must not keep the others from being told.
            let _ = catch_unwind(AssertUnwindSafe(|| on_complete(&result)));
        }
        let mut end = self.shared.lock();
        end.result = Some(result);
        self.shared.ended.notify_all();
        if let Some(descriptor) = &end.descriptor {
            // It cannot be full: it is written once.
            let _ = descriptor.write(1);
        }
    }
}

async fn drive(
    mut completion: Completion,
    on_progress: Option<OnProgress>,
    running: impl Future<Output = Result<Report>>,
) {
    let operation = completion.shared.operation.clone();
    let result = match on_progress {
        Some(on_progress) => reported(running, on_progress, operation).await,
        None => running.await,
    };
    completion.result = Some(result);
    if completion.on_complete.is_some() {
        // The host may take its time there; the threads that drive sockets may not.
        let _ = spawn_blocking(move || drop(completion)).await;
    }
}

/// Runs to the end; then reports once more and not again.
async fn reported(
    running: impl Future<Output = Result<Report>>,
    on_progress: OnProgress,
    operation: Arc<Operation>,
) -> Result<Report> {
    let (end, ended) = oneshot::channel::<()>();
    let reporter = tokio::spawn(report(on_progress, operation, ended));
    let result = running.await;
    drop(end);
    let _ = reporter.await;
    result
}

async fn report(
    mut on_progress: OnProgress,
    operation: Arc<Operation>,
    mut ended: oneshot::Receiver<()>,
) {
    loop {
        let over = tokio::select! {
            _ = &mut ended => true,
            () = sleep(PROGRESS_INTERVAL) => false,
        };
        let progress = operation.progress();
        let call = move || (on_progress(&progress), on_progress);
        let Ok((wish, back)) = spawn_blocking(call).await else {
            // It panicked, or the threads are gone.
            return;
        };
        on_progress = back;
        if over {
            return;
        }
        if wish.is_break() {
            operation.cancel();
        }
    }
}
