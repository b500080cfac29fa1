//! The service, the threads and the queue, shared by a client and the tasks and multipart uploads that it
//! makes.

use std::future::Future;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::config::Config;
use crate::content::hashing::Hashing;
use crate::error::{Report, Result};
use crate::operation::Operation;
use crate::operation::queue::Queue;
use crate::operation::task::{Task, TaskStarter, Watched};
use crate::protocol::etag::BatchHasher;
use crate::runtime::event_loops::{EventLoops, LoadBalancer};
use crate::runtime::host_threads::HostThreads;
use crate::runtime::own_threads;
use crate::runtime::panics;
use crate::runtime::sync::unpoisoned;
use crate::service::Service;

/// What every operation uses.
pub(crate) struct Engine {
    pub(crate) service: Service,
    /// The uploads that run and those that wait.
    pub(crate) queue: Queue,
    balancer: LoadBalancer,
    /// The threads on which the host's own code runs.
    pub(crate) host: HostThreads,
    pub(crate) hashing: Hashing,
}

/// One operation on an engine.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) engine: Arc<Engine>,
    pub(crate) operation: Arc<Operation>,
}

impl Run {
    pub(crate) fn service(&self) -> &Service {
        &self.engine.service
    }

    pub(crate) fn config(&self) -> &Config {
        self.engine.service.config()
    }
}

/// Boxes the future of an operation on the library's thread: it takes tens of kilobytes.
async fn boxed<F: Future>(work: impl FnOnce(Run) -> F, run: Run) -> F::Output {
    Box::pin(work(run)).await
}

/// Owns the threads: dropping it stops them and waits for their end. None once that has begun.
pub(crate) struct Threads(Option<RunningThreads>);

struct RunningThreads {
    event_loops: EventLoops,
    host: HostThreads,
    hashing: Hashing,
}

impl Engine {
    /// Checks the configuration and starts the threads. The returned [`Threads`] must outlive every use of
    /// the engine.
    pub(crate) fn start(config: Config) -> Result<(Arc<Self>, Threads)> {
        let origin = config.check()?;
        let (event_loops, balancer) = EventLoops::start(config.worker_threads)?;
        let host = HostThreads::new();
        let hashing = Hashing::new(BatchHasher::default());
        let queue = Queue::new(config.max_concurrent_uploads);
        let engine = Self {
            service: Service::new(config, origin, balancer.for_other_work())?,
            queue,
            balancer,
            host: host.clone(),
            hashing: hashing.clone(),
        };
        let threads = RunningThreads {
            event_loops,
            host,
            hashing,
        };
        Ok((Arc::new(engine), Threads(Some(threads))))
    }

    /// Runs an operation on the library's threads and waits for it. The host's thread only sleeps: its
    /// stack may be small, and its signal mask belongs to the host.
    pub(crate) fn wait<T, F>(
        self: &Arc<Self>,
        work: impl FnOnce(Run) -> F + Send + 'static,
    ) -> Result<T>
    where
        T: Reports + Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        own_threads::check_may_block()?;
        let operation = Arc::new(Operation::begin(None, Duration::ZERO));
        let running = boxed(work, self.run(operation.clone()));
        let (tell, told) = mpsc::sync_channel(1);
        self.balancer.assign().spawn(async move {
            let _ = tell.send(running.await);
        });
        let mut result = told.recv().unwrap_or_else(|_| Err(panics::died()));
        let report = match &mut result {
            Ok(value) => value.report_mut(),
            Err(error) => error.report_mut(),
        };
        operation.complete(report);
        result
    }

    fn run(self: &Arc<Self>, operation: Arc<Operation>) -> Run {
        let engine = self.clone();
        Run { engine, operation }
    }

    /// Prepares an upload that is to run on the library's threads. Never blocks.
    pub(crate) fn prepare<F>(
        self: &Arc<Self>,
        timeout: Option<Duration>,
        watched: Watched,
        work: impl FnOnce(Run) -> F + Send + 'static,
    ) -> (Task, TaskStarter)
    where
        F: Future<Output = Result<Report>> + Send + 'static,
    {
        let reserve = self.service.config().settle_timeout;
        let operation = Arc::new(Operation::begin(timeout, reserve));
        let running = boxed(work, self.run(operation.clone()));
        let (task, driver) = Task::new(operation, self.host.clone(), watched, running);
        (task, TaskStarter::new(self.balancer.assign(), driver))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        let Some(running) = self.0.take() else {
            return;
        };
        if !own_threads::is_own_thread() {
            return running.end();
        }
        // A thread cannot wait for its own end.
        let running = Arc::new(Mutex::new(Some(running)));
        let shared = running.clone();
        let end = move || {
            own_threads::mark_as_own_thread();
            take(&shared).map(RunningThreads::end)
        };
        let started = thread::Builder::new().name("us3-end".to_owned()).spawn(end);
        if started.is_err()
            && let Some(running) = take(&running)
        {
            // Nobody waits for the threads any more; they end by themselves.
            running.event_loops.end_in_background();
        }
    }
}

impl RunningThreads {
    /// Stops the threads and waits for their end.
    fn end(self) {
        drop(self.event_loops);
        self.host.close();
        self.hashing.close();
    }
}

fn take(running: &Mutex<Option<RunningThreads>>) -> Option<RunningThreads> {
    unpoisoned(running.lock()).take()
}

/// A result whose report can be completed.
pub(crate) trait Reports {
    fn report_mut(&mut self) -> &mut Report;
}

impl Reports for Report {
    fn report_mut(&mut self) -> &mut Report {
        self
    }
}

impl<T> Reports for (T, Report) {
    fn report_mut(&mut self) -> &mut Report {
        &mut self.1
    }
}
