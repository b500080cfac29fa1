//! Sends one request and reads its answer: the only place that does so.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Request;

use super::body::{Body, Delivery, Payload};
use super::call::{Call, What, signature_of};
use super::cause::Cause;
use super::in_flight::InFlight;
use super::pool::{self, Pool};
use super::secrets::Secrets;
use super::{Failure, Reply, Service};
use crate::error::Error;
use crate::operation::Operation;
use crate::protocol::verdict::{self, End, Known};

/// The longest idle time of a connection for a request that must not run twice. When a connection breaks
/// that was idle for longer, nobody can tell whether the request ran.
const FRESH: Duration = Duration::from_secs(1);

/// What carries requests: connections, and in tests a service in memory.
pub(crate) trait Wire: Send + Sync {
    /// Sends a request once and reads its answer. Tells as well whether the whole body had left by then.
    fn exchange<'a>(
        &'a self,
        what: What<'a>,
        request: Request<Body>,
        delivery: &'a Delivery,
        operation: &'a Operation,
    ) -> BoxFuture<'a, Exchanged>;
}

/// An answer, or that there is none.
pub(crate) type Exchanged = std::result::Result<(Reply, bool), Failure>;

impl Wire for Pool {
    fn exchange<'a>(
        &'a self,
        what: What<'a>,
        request: Request<Body>,
        delivery: &'a Delivery,
        operation: &'a Operation,
    ) -> BoxFuture<'a, Exchanged> {
        Box::pin(over_a_connection(self, what, request, delivery, operation))
    }
}

async fn over_a_connection(
    pool: &Pool,
    what: What<'_>,
    mut request: Request<Body>,
    delivery: &Delivery,
    operation: &Operation,
) -> Exchanged {
    let What(service, call) = what;
    let config = service.config();
    // Nothing is sent again after a stale connection when the host wants no second try.
    let once = call.policy.is_some() || config.max_retries == 0;
    let longest_idle = if once { FRESH } else { pool::LONGEST_IDLE };
    loop {
        let connection = operation.work(pool.take(longest_idle)).await;
        let connection = connection.map_err(|why| Failure::unsent(why.about(&what)))?;
        let mut connection = connection.map_err(|error| {
            let cause = Cause::connecting(&*error);
            Failure::judged(cause.error(&what), call.evidence(false, cause.end))
        })?;
        let in_flight = InFlight::begin(&connection, delivery);
        let response = tokio::select! {
            biased;
            why = call.given_up(operation) => return Err(in_flight.gave_up(call, why.about(&what), End::GivenUp)),
            response = connection.sender.try_send_request(request) => response,
            why = in_flight.stalled(config, connection.timer.as_mut()) => return Err(in_flight.gave_up(call, why.about(&what), End::TimedOut)),
        };
        let response = match response {
            Ok(response) => response,
            Err(mut refused) => match refused.take_message() {
                // Closed while it was idle; not a byte of the request was sent.
                Some(again) if connection.reused => {
                    request = again;
                    continue;
                }
                _ => return Err(in_flight.failed(call, &what, refused.error())),
            },
        };
        let reply = tokio::select! {
            reply = in_flight.read(response, config.response_timeout) => reply,
            why = call.given_up(operation) => return Err(in_flight.gave_up(call, why.about(&what), End::GivenUp)),
        };
        let (over, through) = (in_flight.is_over(&reply), delivery.is_complete());
        // Before the connection carries another request.
        drop(in_flight);
        if over {
            pool.give_back(connection).await;
        }
        return Ok((reply, through));
    }
}

impl Service {
    /// Sends a request once and reads its answer. A 2xx answer is returned as it is.
    pub(super) async fn send(
        &self,
        call: &Call<'_>,
        payload: Payload,
        operation: &Arc<Operation>,
    ) -> std::result::Result<Reply, Failure> {
        operation.count_request();
        let (body, delivery) = Body::new(payload, operation.clone());
        let result = self.exchange(call, body, &delivery, operation).await;
        if result.is_err() {
            delivery.take_back();
        }
        result
    }

    async fn exchange(
        &self,
        call: &Call<'_>,
        body: Body,
        delivery: &Delivery,
        operation: &Operation,
    ) -> std::result::Result<Reply, Failure> {
        let what = What(self, call);
        let request = self.request(call, body).map_err(Failure::unsent)?;
        let own = signature_of(&request);
        let answered = self.wire.exchange(what, request, delivery, operation);
        let (mut reply, through) = answered.await?;
        let own = Secrets::new(&[&own]);
        reply.hide_secrets(&[&self.secrets, &own], &self.public);
        self.judge(call, &what, reply, through)
    }

    fn judge(
        &self,
        call: &Call<'_>,
        what: &dyn Display,
        reply: Reply,
        through: bool,
    ) -> std::result::Result<Reply, Failure> {
        let own_url = |url: &str| call.policy.is_some_and(|policy| policy.calls(url));
        let evidence = call.evidence(through, End::Answered(reply.answer(own_url)));
        if verdict::judge(&evidence).known == Known::Done {
            return Ok(reply);
        }
        let error = match (reply.is_success(), &reply.incomplete) {
            (false, _) => reply.error(what, evidence.policy, |text| self.masked(text, call)),
            (true, _) if !through => reply.protocol_error(what, "before the request was through"),
            (true, Some(why)) => reply.protocol_error(what, why),
            (true, None) if reply.is_page() => {
                reply.protocol_error(what, "with a page that is not US3's")
            }
            (true, None) => reply.protocol_error(what, "not with JSON"),
        };
        Err(Failure {
            retry_after: reply.retry_after(),
            gone: reply.says_upload_is_gone(),
            page: reply.is_page(),
            ..Failure::judged(error, evidence)
        })
    }

    /// The error for an answer that makes no sense.
    pub(super) fn protocol_error(
        &self,
        call: &Call<'_>,
        reply: &Reply,
        why: impl Display,
    ) -> Error {
        let why = self.masked(&why.to_string(), call);
        reply.protocol_error(&What(self, call), why)
    }
}
