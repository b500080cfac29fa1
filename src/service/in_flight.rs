//! A request in flight: detects stalls, and how the request ends.

use std::fmt::Display;
use std::pin::Pin;
use std::time::{Duration, Instant};

use http::Response;
use hyper::body::Incoming;
use tokio::time::Sleep;

use super::body::Delivery;
use super::cause::Cause;
use super::pool::PooledConnection;
use super::reply::Reply;
use super::socket::SocketControl;
use super::{Call, Failure};
use crate::config::Config;
use crate::error::{Error, Status};
use crate::protocol::verdict::End;

/// A request from its first byte to its end.
pub(super) struct InFlight<'a> {
    socket: SocketControl,
    /// The connection has carried a request before.
    reused: bool,
    delivery: &'a Delivery,
    started: Instant,
}

impl<'a> InFlight<'a> {
    pub(super) fn begin(connection: &PooledConnection, delivery: &'a Delivery) -> Self {
        delivery.begin();
        connection.socket.carry(Some(delivery.clone()));
        Self {
            socket: connection.socket.clone(),
            reused: connection.reused,
            delivery,
            started: Instant::now(),
        }
    }

    /// Waits until a time limit has passed, and says which one. Time in which the body waits for its own
    /// source, such as a slow disk, does not count: the network is not stalled. A timer of an earlier
    /// request may still run on this connection; it only causes an additional check.
    pub(super) async fn stalled(&self, config: &Config, mut timer: Pin<&mut Sleep>) -> Error {
        let mut complete_since = None;
        let mut since = self.started;
        loop {
            let complete = self.delivery.is_complete();
            if complete && complete_since.is_none() {
                complete_since = Some(Instant::now());
            }
            since = since.max(self.socket.last_written());
            since = complete_since.map_or(since, |complete| since.max(complete));
            if self.delivery.awaits_source() {
                since = Instant::now();
            }
            let limit = if complete {
                config.response_timeout
            } else {
                config.idle_timeout
            };
            let due = since + limit;
            if Instant::now() >= due {
                return waited_for(complete, limit);
            }
            // Short sleeps, because the limit changes at the end of the body, and to notice a slow source.
            let longest = config.response_timeout.min(config.idle_timeout) / 8;
            let nap = due.saturating_duration_since(Instant::now()).min(longest);
            if timer.is_elapsed() {
                let look_again = Instant::now() + nap.max(Duration::from_millis(1));
                timer.as_mut().reset(look_again.into());
            }
            timer.as_mut().await;
        }
    }

    /// Stops the connection, then says whether the whole body was sent.
    fn stop(&self) -> bool {
        self.socket.hang_up();
        self.delivery.is_complete()
    }

    /// Gives the request up: no further byte is sent.
    pub(super) fn gave_up(&self, call: &Call<'_>, why: Error, end: End) -> Failure {
        let through = self.stop();
        Failure::judged(why, call.evidence(through, end))
    }

    /// Reads the answer. An answer that comes before the whole body was sent is a refusal: no more of the
    /// body is sent, and the connection cannot be reused.
    pub(super) async fn read(&self, response: Response<Incoming>, limit: Duration) -> Reply {
        self.socket.park_unless(|| self.delivery.is_complete());
        let (head, incoming) = response.into_parts();
        let reply = Reply::read(head, incoming, limit).await;
        if !self.is_over(&reply) {
            self.socket.hang_up();
        }
        reply
    }

    /// Whether request and answer are complete, so that the connection can be reused.
    pub(super) fn is_over(&self, reply: &Reply) -> bool {
        self.delivery.is_complete() && !self.socket.is_parked() && reply.incomplete.is_none()
    }

    /// The connection broke, or what came over it is not HTTP.
    pub(super) fn failed(
        &self,
        call: &Call<'_>,
        what: &dyn Display,
        cause: &hyper::Error,
    ) -> Failure {
        let through = self.stop();
        if let Some(error) = self.delivery.source_error() {
            return Failure::judged(error, call.evidence(through, End::Unreadable));
        }
        let cause = Cause::exchanging(cause);
        let through = through && !cause.unsent;
        let evidence = call.evidence(through, cause.end);
        let mut failure = Failure::judged(cause.error(what), evidence);
        failure.stale = self.reused && cause.end == End::Broken;
        failure
    }
}

/// Later events of the connection do not concern this request.
impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.socket.carry(None);
    }
}

fn waited_for(answer: bool, limit: Duration) -> Error {
    let ms = limit.as_millis();
    let waited = if answer {
        format!("the request was sent, but no answer came within {ms} ms (response_timeout_ms)")
    } else {
        format!("no byte could be sent for {ms} ms (idle_timeout_ms)")
    };
    Error::new(Status::Timeout, waited)
}
