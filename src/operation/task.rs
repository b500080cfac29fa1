//! An operation that runs while the host does something else.
//!
//! The end is told four ways, in this order: the last progress and `on_complete`, on a library
//! thread; then whoever waits; then the descriptor; then the queue of ends. Once a wait has returned, no callback runs
//! any more.

use std::any::Any;
use std::future::Future;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::RawFd;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::error::{Report, Result, report_of_mut};
use crate::operation::end::EndSignal;
use crate::operation::{Operation, Progress};
use crate::runtime::event_loops::Assignment;
use crate::runtime::host_threads::HostThreads;
use crate::runtime::own_threads;
use crate::runtime::panics;

/// How often progress is reported.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// Called on a library thread, one call at a time; `Break` cancels the upload.
pub type OnProgress = Box<dyn FnMut(&Progress) -> ControlFlow<()> + Send>;

/// Called on a library thread, exactly once, also after a panic.
pub type OnComplete = Box<dyn FnOnce(&Result<Report>) + Send>;

/// Resolves once the library holds nothing any more of what the host lent to an operation.
pub(crate) type Returned = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Called once, on a library thread.
pub(crate) type Told = Box<dyn FnOnce() + Send>;

/// What the host wants to be told while an operation runs.
#[derive(Default)]
pub struct Watch {
    /// At most every 100 ms while an upload runs (not while it waits for its turn), and once at
    /// the end.
    pub on_progress: Option<OnProgress>,
    /// Called at the end, after the last progress.
    pub on_complete: Option<OnComplete>,
}

/// The callbacks, and what the end waits for.
#[derive(Default)]
pub(crate) struct Watched {
    pub(crate) watch: Watch,
    /// The end is not reported before this resolves.
    pub(crate) returned: Option<Returned>,
    /// Called when everybody else was told. It may not block.
    pub(crate) told: Option<Told>,
    /// Dropped when everybody was told.
    pub(crate) keep: Option<Box<dyn Any + Send>>,
}

/// What the thread that asks for an operation does meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    Waits,
    GoesOn,
}

/// How an operation is to run: who waits for it, how long it may last, and who is told.
pub(crate) struct How {
    pub(crate) caller: Caller,
    /// None: as long as the limits of each request allow.
    pub(crate) timeout: Option<Duration>,
    pub(crate) watched: Watched,
}

impl How {
    /// The thread that asks for it waits until it has ended.
    pub(crate) fn waited_for() -> Self {
        Self {
            caller: Caller::Waits,
            timeout: None,
            watched: Watched::default(),
        }
    }
}

impl From<Watch> for Watched {
    fn from(watch: Watch) -> Self {
        Self {
            watch,
            ..Self::default()
        }
    }
}

/// A started operation. Dropping it lets the operation go on.
pub struct Task {
    shared: Arc<Shared>,
}

struct Shared {
    operation: Arc<Operation>,
    end: EndSignal<Result<Report>>,
}

impl Task {
    /// Makes a task and its starter. Dropping the starter, or the future before its end, ends the task with
    /// an error.
    pub(crate) fn new(
        operation: Arc<Operation>,
        host: HostThreads,
        watched: Watched,
        running: impl Future<Output = Result<Report>> + Send + 'static,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let shared = Arc::new(Shared {
            operation,
            end: EndSignal::new(),
        });
        let completion = Completion {
            shared: shared.clone(),
            on_complete: watched.watch.on_complete,
            result: None,
            told: watched.told,
            _keep: watched.keep,
        };
        let (on_progress, returned) = (watched.watch.on_progress, watched.returned);
        let driver = drive(completion, host, on_progress, returned, running);
        (Self { shared }, driver)
    }

    /// Waits for the end; None if it does not come in time. Without a timeout it waits for ever.
    ///
    /// # Errors
    /// Those of the operation; `WouldDeadlock` on a library thread, unless the timeout is zero.
    pub fn wait(&self, timeout: Option<Duration>) -> Option<Result<Report>> {
        if timeout != Some(Duration::ZERO)
            && let Err(error) = own_threads::check_may_block()
        {
            return Some(Err(error));
        }
        self.shared.end.wait(timeout)
    }

    /// Ends the operation as soon as possible; it then ends with `Cancelled`, unless it was over
    /// before. From any thread, any number of times.
    pub fn cancel(&self) {
        self.shared.operation.cancel();
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.shared.operation.progress()
    }

    /// A descriptor that polls readable once the operation is over. It belongs to the task.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn descriptor(&self) -> io::Result<RawFd> {
        self.shared.end.descriptor()
    }

    /// Closes the descriptor at once, even if others still hold the task: after the host has freed the
    /// task, its event loop must not see the descriptor.
    pub(crate) fn close_descriptor(&self) {
        self.shared.end.close_descriptor();
    }
}

impl Drop for Task {
    /// The thread that reported the end may not have dropped its reference to the task yet.
    fn drop(&mut self) {
        self.close_descriptor();
    }
}

/// Starts a task. Dropping it without a start ends the task with an error.
pub(crate) struct TaskStarter {
    assignment: Assignment,
    driver: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl TaskStarter {
    pub(crate) fn new(
        assignment: Assignment,
        driver: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        let driver = Box::pin(driver);
        Self { assignment, driver }
    }

    /// Runs the task. Never blocks.
    pub(crate) fn run(self) {
        self.assignment.spawn(self.driver);
    }
}

/// Reports the end exactly once: when it is dropped, for whatever reason.
struct Completion {
    shared: Arc<Shared>,
    on_complete: Option<OnComplete>,
    result: Option<Result<Report>>,
    told: Option<Told>,
    _keep: Option<Box<dyn Any + Send>>,
}

impl Drop for Completion {
    fn drop(&mut self) {
        let mut result = self.result.take().unwrap_or_else(|| Err(panics::died()));
        self.shared.operation.complete(report_of_mut(&mut result));
        if let Some(on_complete) = self.on_complete.take() {
            // A panic in the host's callback must not prevent the other reports.
            let _ = panics::catch(|| on_complete(&result));
        }
        self.shared.end.tell(result);
        if let Some(told) = self.told.take() {
            told();
        }
    }
}

async fn drive(
    mut completion: Completion,
    host: HostThreads,
    on_progress: Option<OnProgress>,
    returned: Option<Returned>,
    running: impl Future<Output = Result<Report>>,
) {
    let operation = completion.shared.operation.clone();
    let running = whatever_happens(running);
    completion.result = Some(match on_progress {
        Some(on_progress) => reported(running, on_progress, host.clone(), operation).await,
        None => running.await,
    });
    if let Some(returned) = returned {
        returned.await;
    }
    if completion.on_complete.is_some() {
        host.call(move || drop(completion)).await;
    }
}

/// A panic also ends the task.
async fn whatever_happens(running: impl Future<Output = Result<Report>>) -> Result<Report> {
    let caught = AssertUnwindSafe(running).catch_unwind().await;
    caught.unwrap_or_else(|payload| Err(panics::error(payload)))
}

/// Runs to the end and reports the progress meanwhile, for the last time at the end.
async fn reported(
    running: impl Future<Output = Result<Report>>,
    on_progress: OnProgress,
    host: HostThreads,
    operation: Arc<Operation>,
) -> Result<Report> {
    let (end, ended) = oneshot::channel::<()>();
    let reporter = tokio::spawn(report(on_progress, host, operation, ended));
    let result = running.await;
    drop(end);
    let _ = reporter.await;
    result
}

async fn report(
    mut on_progress: OnProgress,
    host: HostThreads,
    operation: Arc<Operation>,
    mut ended: oneshot::Receiver<()>,
) {
    let mut running = false;
    loop {
        let over = tokio::select! {
            _ = &mut ended => true,
            () = operation.wait_for_turn(), if !running => {
                running = true;
                continue;
            }
            () = sleep(PROGRESS_INTERVAL), if running => false,
        };
        let progress = operation.progress();
        let call = move || (on_progress(&progress), on_progress);
        let Some((wish, back)) = host.call(call).await else {
            // It panicked.
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::error::Status;

    #[tokio::test]
    async fn a_panic_while_it_runs_is_told_once_and_everywhere() {
        let (tell, told) = mpsc::channel();
        let (lent, returned) = oneshot::channel::<()>();
        let watch = Watch {
            on_complete: Some(Box::new(move |result| {
                let error = result.as_ref().expect_err("it panicked");
                tell.send(error.status()).expect("test");
            })),
            ..Watch::default()
        };
        let watched = Watched {
            returned: Some(Box::pin(async { drop(returned.await) })),
            ..watch.into()
        };
        let host = HostThreads::new();
        let operation = Arc::new(Operation::begin(None, Duration::ZERO));
        let running = async move {
            let _lent = lent;
            tokio::task::yield_now().await;
            panic!("on purpose")
        };
        let (task, driver) = Task::new(operation, host.clone(), watched, running);
        driver.await;
        let result = task.wait(Some(Duration::ZERO)).expect("it is over");
        assert_eq!(result.unwrap_err().status(), Status::InternalError);
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [Status::InternalError]);
        host.close();
    }

    #[test]
    fn a_task_that_is_never_run_is_told_as_well() {
        let (tell, told) = mpsc::channel();
        let watch = Watch {
            on_complete: Some(Box::new(move |result| {
                tell.send(result.is_err()).expect("test");
            })),
            ..Watch::default()
        };
        let operation = Arc::new(Operation::begin(None, Duration::ZERO));
        let running = std::future::pending();
        let (task, driver) = Task::new(operation, HostThreads::new(), watch.into(), running);
        drop(driver);
        assert!(task.wait(None).expect("it is over").is_err());
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [true]);
    }
}
