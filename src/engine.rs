//! The service, the threads and the queue, shared by a client and the tasks and multipart uploads that it
//! makes.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::config::Config;
use crate::content::hashing::Hashing;
use crate::error::{Report, Result};
use crate::operation::Operation;
use crate::operation::prepared::{Brought, Prepared};
use crate::operation::queue::Queue;
use crate::operation::task::{Caller, How, Task, TaskStarter, Watched};
use crate::protocol::etag::BatchHasher;
use crate::runtime::event_loops::{EventLoops, LoadBalancer};
use crate::runtime::host_threads::HostThreads;
use crate::runtime::own_threads;
use crate::runtime::sync::unpoisoned;
use crate::service::Service;

/// What every operation uses.
pub(crate) struct Engine {
    pub(crate) service: Service,
    /// The uploads that run and those that wait.
    pub(crate) queue: Queue,
    /// The same for other operations that are started. They have a queue of their own, because what an
    /// upload waits for may be one of them.
    small: Queue,
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
    /// Checks the configuration and starts the threads. The returned [`Threads`] must outlive every use
    /// of the engine.
    pub(crate) fn start(config: Config) -> Result<(Arc<Self>, Threads)> {
        let origin = config.check()?;
        let (event_loops, balancer) = EventLoops::start(config.worker_threads)?;
        let host = HostThreads::new();
        let hashing = Hashing::new(BatchHasher::default());
        let at_once = config.max_concurrent_uploads;
        let engine = Self {
            service: Service::new(config, origin, balancer.for_other_work())?,
            queue: Queue::new(at_once),
            small: Queue::new(at_once),
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

    /// Prepares an operation other than an upload; messages name it by `what` and `key`. If a thread of
    /// the host waits for it, it runs at once, because the number of such threads is the bound. Of
    /// started operations at most `max_concurrent_uploads` run at once. Does not block.
    pub(crate) fn prepare_small<T, F>(
        self: &Arc<Self>,
        (what, key): (&'static str, &str),
        how: How,
        work: impl FnOnce(Run) -> F + Send + 'static,
    ) -> Prepared<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<(T, Report)>> + Send + 'static,
    {
        let turn = match how.caller {
            Caller::Waits => None,
            Caller::GoesOn => Some((self.small.join(), key.to_owned())),
        };
        let value = Brought::default();
        let bring = value.clone();
        let (task, starter) = self.prepare(how.timeout, how.watched, async move |run: Run| {
            let _turn = match turn {
                None => None,
                Some((permit, key)) => {
                    let turn = run.operation.work(permit.granted()).await;
                    turn.map_err(|error| error.about(&format_args!("{what} {key}")))?
                }
            };
            let (value, report) = boxed(work, run).await?;
            bring.put(value);
            Ok(report)
        });
        Prepared {
            task,
            starter,
            value,
        }
    }

    fn run(self: &Arc<Self>, operation: Arc<Operation>) -> Run {
        let engine = self.clone();
        Run { engine, operation }
    }

    /// Prepares what is to run on the library's threads: the host's thread only sleeps, since its stack
    /// may be small, and its signals are its own. Never blocks.
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
