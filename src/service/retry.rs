//! Sending again: what is safe, how often, and after which pause.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use retry_policies::policies::ExponentialBackoff;
use retry_policies::{Jitter, RetryDecision, RetryPolicy};

use super::{Call, Failure, Payload, Ran, Reply, Service};
use crate::events;
use crate::operation::Operation;
use crate::policy::PutPolicy;

/// First pause at most, doubled for each failure. Full jitter: the real pause is a random part of it.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A service may ask for more; it does not get to hold an upload longer at a time.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

/// When a request may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replay {
    /// Running it twice is as good as once.
    Safe,
    /// Only when it provably did not run: it carries a policy, and a callback must not fire twice.
    IfNotRun,
}

impl Service {
    /// Sends a request, again if need be; the body is produced anew for each try.
    ///
    /// The failure is that of the last try, but what may have run counts over all of them.
    pub(super) async fn call(
        &self,
        call: &Call<'_>,
        payload: impl Fn() -> Payload,
        operation: &Arc<Operation>,
    ) -> Result<Reply, Failure> {
        let mut failures = 0;
        let mut ran = Ran::No;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let event = events::Request::begins(call.operation, call.key, &call.query, attempt);
            let sent = self.send(call, payload(), operation).await;
            let facts = sent.as_ref().map(|reply| || reply.report());
            event.ends(facts.map_err(|failure| &failure.error));
            let mut failure = match sent {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            ran = ran.max(failure.ran);
            failure.ran = ran;
            if !may_replay(&failure, self.replay(call.policy)) {
                return Err(failure);
            }
            // An idle connection that the service had closed says nothing about this request: the
            // next one is tried at once. They run out, and a new one is not stale.
            if !failure.stale {
                let Some(pause) = self.pause(&failure, failures) else {
                    return Err(failure);
                };
                failures += 1;
                if let Err(why) = operation.work(tokio::time::sleep(pause)).await {
                    failure.error.set_status(why.status());
                    failure.error.add(why);
                    return Err(failure);
                }
            }
            operation.count_resend();
        }
    }

    /// How a request with or without a policy may be sent again.
    pub(super) fn replay(&self, policy: Option<&PutPolicy>) -> Replay {
        if policy.is_none() || self.config().callback_at_least_once {
            Replay::Safe
        } else {
            Replay::IfNotRun
        }
    }

    /// How long to wait after so many failures; None to give up.
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

fn may_replay(failure: &Failure, replay: Replay) -> bool {
    let allowed = match replay {
        Replay::Safe => true,
        Replay::IfNotRun => matches!(failure.ran, Ran::No | Ran::Refused),
    };
    failure.transient && allowed
}
