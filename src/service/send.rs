//! Sends one request and reads its answer: the only place that does so.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use super::body::{Body, Delivery, Payload};
use super::call::{Call, What};
use super::cause::Cause;
use super::in_flight::InFlight;
use super::{Failure, Reply, Service, pool};
use crate::error::Error;
use crate::operation::Operation;
use crate::protocol::verdict::{self, End, Known};

/// The longest idle time of a connection for a request that must not run twice. When a connection breaks
/// that was idle for longer, nobody can tell whether the request ran.
const FRESH: Duration = Duration::from_secs(1);

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
        let mut request = self.request(call, body).map_err(Failure::unsent)?;
        // With `max_retries` 0 nothing is sent again, not even after a stale connection.
        let once = call.policy.is_some() || self.config.max_retries == 0;
        let longest_idle = if once { FRESH } else { pool::LONGEST_IDLE };
        loop {
            let connection = operation
                .work(self.pool.take(&self.root, longest_idle))
                .await;
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
                why = in_flight.stalled(&self.config, connection.timer.as_mut()) => return Err(in_flight.gave_up(call, why.about(&what), End::TimedOut)),
            };
            let response = match response {
                Ok(response) => response,
                Err(mut refused) => match refused.take_message() {
                    // The connection was closed while it was idle; no byte of the request was sent.
                    Some(again) if connection.reused => {
                        request = again;
                        continue;
                    }
                    _ => return Err(in_flight.failed(call, &what, refused.error())),
                },
            };
            let mut reply = tokio::select! {
                reply = in_flight.read(response, self.config.response_timeout) => reply,
                why = call.given_up(operation) => return Err(in_flight.gave_up(call, why.about(&what), End::GivenUp)),
            };
            let (over, through) = (in_flight.is_over(&reply), delivery.is_complete());
            // Decided before the connection carries another request.
            drop(in_flight);
            if over {
                self.pool.give_back(connection).await;
            }
            let own = self.secrets_of(call);
            reply.hide_secrets(&[&self.secrets, &own], &self.public);
            return self.judge(call, &what, reply, through);
        }
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
