//! The pool of idle connections.
//!
//! hyper-util has a pool too, but it races a new connection against one that is about to become idle, and
//! so opens more connections than an upload has parts in flight. Here a request takes an idle connection or
//! makes a new one, and gives it back before the next request of the same part slot begins.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use http::Uri;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::client::legacy::connect::Connection as _;
use tokio::task::JoinHandle;
use tokio::time::Sleep;

use super::body::Body;
use super::connector::{BoxError, Connector};
use super::socket::SocketControl;
use crate::runtime::event_loops::{Assignment, LoadBalancer};
use crate::runtime::sync::unpoisoned;

/// The longest idle time of a connection. It is shorter than the idle limit of common servers, so that a
/// connection that the service is about to close is not used. An older connection closes when the pool is
/// used next.
pub(super) const LONGEST_IDLE: Duration = Duration::from_secs(15);

/// The largest header of an answer; larger than any reasonable one. Also the size of hyper's buffer.
const MAX_HEADER: usize = 128 << 10;

/// How long to wait until hyper's connection is ready again after its answer was read. It needs a moment,
/// but never this long.
const LONGEST_HANDOVER: Duration = Duration::from_millis(100);

/// One connection, for one request at a time.
pub(super) struct PooledConnection {
    pub(super) sender: SendRequest<Body>,
    pub(super) socket: SocketControl,
    /// The connection has carried a request before, so the service may have closed it since.
    pub(super) reused: bool,
    /// The timer that watches the connection's requests. It is reused, because setting a new timer wakes
    /// the thread that drives it, while a running timer costs nothing.
    pub(super) timer: Pin<Box<Sleep>>,
    _task: AbortOnDrop<hyper::Result<()>>,
}

/// Aborts the connection's task when dropped: the task may hold content of a request, and must not outlive
/// the request.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Idle {
    connection: PooledConnection,
    since: Instant,
}

/// The connections to one service.
pub(super) struct Pool {
    connector: Connector,
    /// Where they go.
    service: Uri,
    /// An upload is one piece of work; its connections spread over the threads.
    balancer: LoadBalancer,
    idle: Mutex<Vec<Idle>>,
}

impl Pool {
    pub(super) fn new(connector: Connector, service: Uri, balancer: LoadBalancer) -> Self {
        Self {
            connector,
            service,
            balancer,
            idle: Mutex::default(),
        }
    }

    /// The connection that was idle for the shortest time, and no longer than `longest_idle`, or
    /// a new one.
    pub(super) async fn take(&self, longest_idle: Duration) -> Result<PooledConnection, BoxError> {
        let idle = self
            .usable()
            .pop_if(|idle| idle.since.elapsed() <= longest_idle);
        match idle {
            Some(idle) => Ok(idle.connection),
            // Boxed, because connecting is rare and large, and every future has room for the largest future that it
            // awaits.
            None => Box::pin(self.connect()).await,
        }
    }

    /// Takes back a connection whose answer was read to its end.
    pub(super) async fn give_back(&self, mut connection: PooledConnection) {
        let ready = tokio::time::timeout(LONGEST_HANDOVER, connection.sender.ready()).await;
        if matches!(ready, Ok(Ok(()))) {
            connection.reused = true;
            let since = Instant::now();
            self.usable().push(Idle { connection, since });
        }
    }

    /// The idle connections. Drops those that are closed or were idle for too long.
    fn usable(&self) -> MutexGuard<'_, Vec<Idle>> {
        let mut idle = unpoisoned(self.idle.lock());
        idle.retain(|idle| {
            !idle.connection.sender.is_closed() && idle.since.elapsed() < LONGEST_IDLE
        });
        idle
    }

    async fn connect(&self) -> Result<PooledConnection, BoxError> {
        let (connector, service) = (self.connector.clone(), self.service.clone());
        let assignment = self.balancer.assign();
        let handle = assignment.handle().clone();
        let connecting = handle.spawn(connect(connector, service, assignment));
        match (&mut AbortOnDrop(connecting).0).await {
            Ok(connected) => connected,
            Err(failed) if failed.is_panic() => resume_unwind(failed.into_panic()),
            Err(failed) => Err(failed.into()),
        }
    }
}

/// Makes a connection. Its task runs on the current event loop.
async fn connect(
    connector: Connector,
    service: Uri,
    assignment: Assignment,
) -> Result<PooledConnection, BoxError> {
    let io = connector.connect(service).await?;
    let mut extensions = http::Extensions::new();
    io.connected().get_extras(&mut extensions);
    let socket = extensions
        .remove::<SocketControl>()
        .ok_or("a socket without its control")?;
    let mut http = http1::Builder::new();
    let (sender, connection) = http.max_buf_size(MAX_HEADER).handshake(io).await?;
    let driver = AbortOnDrop(assignment.spawn(socket.clone().drive(connection)));
    Ok(PooledConnection {
        sender,
        socket,
        reused: false,
        timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
        _task: driver,
    })
}
