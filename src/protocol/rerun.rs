//! How long the next run must wait before it sends a finish again that a killed process may have sent.

use std::time::Duration;

use super::CLOCKS_APART;

/// A2: how long the service may still execute a request after response_timeout_ms has passed.
const GATEWAYS: Duration = Duration::from_secs(10);

/// F, the time after its last byte in which a request runs, if it runs at all (A2).
pub fn longest_run(response_timeout: Duration) -> Duration {
    response_timeout + GATEWAYS
}

/// How long an earlier finish may still run; zero when it cannot.
///
/// - `at`: the service's Date when the finish was sent, in seconds since 1970. None if no answer had a Date.
/// - `lasts`: the longest time from then to the end of the finish: connecting, sending, and F.
/// - `now`: the service's Date now.
/// - `since_start`: the time since this run began. The finish was sent before that.
pub fn may_still_run(
    at: Option<u64>,
    lasts: Duration,
    now: Option<u64>,
    since_start: Duration,
) -> Duration {
    let from_start = lasts.saturating_sub(since_start);
    let by_date = at.zip(now).map(|(at, now)| {
        let lasts = lasts.saturating_add(CLOCKS_APART);
        let over = at.saturating_add(lasts.as_secs());
        Duration::from_secs(over.saturating_sub(now))
    });
    by_date.map_or(from_start, |by_date| by_date.min(from_start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_ends_by_the_services_clock_or_by_ours_whichever_is_sooner() {
        let lasts = Duration::from_secs(70);
        for (at, now, since_start, left) in [
            // Without a Date on either side: from the start of this run.
            (None, None, 0, 70),
            (None, Some(1000), 30, 40),
            (Some(1000), None, 69, 1),
            (None, None, 70, 0),
            (None, None, 500, 0),
            // By the service's clock: until 1073.
            (Some(1000), Some(1000), 0, 70),
            (Some(1000), Some(1010), 0, 63),
            (Some(1000), Some(1072), 0, 1),
            (Some(1000), Some(1073), 0, 0),
            (Some(1000), Some(9999), 0, 0),
            // A clock that was set back does not make the upload wait for ever.
            (Some(5000), Some(1000), 0, 70),
            (Some(5000), Some(1000), 70, 0),
        ] {
            let told = may_still_run(at, lasts, now, Duration::from_secs(since_start));
            assert_eq!(told.as_secs(), left, "{at:?} {now:?} {since_start}");
        }
    }

    #[test]
    fn a_request_runs_no_longer_than_its_answer_is_awaited_and_ten_seconds() {
        assert_eq!(longest_run(Duration::from_secs(60)).as_secs(), 70);
    }
}
