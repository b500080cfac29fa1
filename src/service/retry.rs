//! Retries: which requests may be sent again, how often, and after which pause.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use retry_policies::policies::ExponentialBackoff;
use retry_policies::{Jitter, RetryDecision, RetryPolicy};

use super::{Call, Failure, Payload, Reply, Service};
use crate::operation::Operation;
use crate::operation::events;
use crate::protocol::verdict::{Known, may_send_again};

/// The upper bound of the first pause, doubled after each failure. Backoff with full jitter: the pause is a
/// random part of the bound.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The longest pause that Retry-After can cause.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

/// The attempts of one request.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    begun: u32,
    /// The failures that count for `max_retries`.
    failures: u32,
}

impl Service {
    /// Sends a request that is safe to repeat, with retries. The body is produced again for each attempt.
    /// The failure is that of the last attempt.
    pub(super) async fn call(
        &self,
        call: &Call<'_>,
        payload: impl Fn() -> Payload,
        operation: &Arc<Operation>,
    ) -> Result<Reply, Failure> {
        let mut tries = Tries::default();
        let mut lost = false;
        loop {
            let sent = self.try_once(call, payload(), &mut tries, operation).await;
            let mut failure = match sent {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            failure.lost_before = lost;
            lost |= failure.verdict.known != Known::NotRun;
            if !self
                .wait_to_retry(&mut failure, true, &mut tries, operation)
                .await
            {
                return Err(failure);
            }
        }
    }

    /// Sends a request without a body once. It is sent again only if an idle connection broke.
    pub(super) async fn call_once(
        &self,
        call: &Call<'_>,
        operation: &Arc<Operation>,
    ) -> Result<Reply, Failure> {
        let mut tries = Tries::default();
        loop {
            let sent = self
                .try_once(call, Payload::none(), &mut tries, operation)
                .await;
            match sent {
                Err(failure) if self.replaces_connection(&failure) => operation.count_resend(),
                sent => return sent,
            }
        }
    }

    /// Sends a request once.
    pub(super) async fn try_once(
        &self,
        call: &Call<'_>,
        payload: Payload,
        tries: &mut Tries,
        operation: &Arc<Operation>,
    ) -> Result<Reply, Failure> {
        tries.begun += 1;
        let event =
            events::RequestEvent::begins(call.operation, call.key, &call.query, tries.begun);
        let sent = self.send(call, payload, operation).await;
        let facts = sent.as_ref().map(|reply| || reply.report());
        event.ends(facts.map_err(|failure| &failure.error));
        sent
    }

    /// Decides whether to send a request again; if so, waits for the pause first. `twice`: running twice
    /// does no harm, or the host allows it.
    pub(crate) async fn wait_to_retry(
        &self,
        failure: &mut Failure,
        twice: bool,
        tries: &mut Tries,
        operation: &Operation,
    ) -> bool {
        if !may_send_again(failure.verdict, twice) {
            return false;
        }
        if !self.replaces_connection(failure) {
            let Some(pause) = self.pause(failure, tries.failures) else {
                return false;
            };
            tries.failures += 1;
            if let Err(why) = operation.work(tokio::time::sleep(pause)).await {
                failure.error.set_status(why.status());
                failure.error.add(why);
                return false;
            }
        }
        operation.count_resend();
        true
    }

    /// Whether to try the next connection at once: an idle connection broke, because the service had closed
    /// it. That says nothing about this request. It cannot repeat for ever: the idle connections run out,
    /// and a new one is not stale.
    fn replaces_connection(&self, failure: &Failure) -> bool {
        failure.stale && self.config().max_retries > 0
    }

    /// The pause after this number of failures; None to give up.
    fn pause(&self, failure: &Failure, failures: u32) -> Option<Duration> {
        let policy = ExponentialBackoff::builder()
            .retry_bounds(FIRST_PAUSE, LONGEST_PAUSE)
            .jitter(Jitter::Full)
            .build_with_max_retries(self.config().max_retries);
        let now = SystemTime::now();
        let RetryDecision::Retry { execute_after } = policy.should_retry(now, failures) else {
            return None;
        };
        let backoff = execute_after.duration_since(now).unwrap_or_default();
        let asked = failure
            .retry_after
            .unwrap_or_default()
            .min(LONGEST_RETRY_AFTER);
        Some(backoff.max(asked))
    }
}
