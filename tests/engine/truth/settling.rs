//! Finding out what became of a lost answer, within its bounds.

use std::time::{Duration, Instant};

use us3::error::Status;
use us3::operation::task::Watch;
use us3::upload::Mode;
use us3_emulator::{Call, EtagFault, Fault, Place, Rule, Shape};

use crate::support::bench::{Bench, PATIENCE, succeeded};
use crate::truth::STORING;
use crate::truth::honest::{STORED, UNKNOWN, agrees, failed};

/// The service is silent, once it has stored the object and sent the callback.
fn silent(call: Call) -> Rule {
    Rule::on(call, Fault::stall()).at(Place::AfterExecuting)
}

/// When the first request of a call came, after the first of another.
fn between(bench: &Bench, from: Call, to: Call) -> Duration {
    let at = |call| bench.requests(call).first().expect("a request").started_ms;
    Duration::from_millis(at(to) - at(from))
}

#[test]
fn of_a_deadline_a_quarter_or_the_settle_timeout_is_kept_for_settling() {
    for (settle_ms, kept_ms) in [(100, 100), (60_000, 500)] {
        let bench = Bench::new(1000);
        bench.emulator.rule(silent(Call::Put));
        let client = bench.client_with(|config| {
            config.response_timeout = PATIENCE;
            config.settle_timeout = Duration::from_millis(settle_ms);
        });
        let mut request = bench.request_with_policy(Mode::Put, 1);
        request.timeout = Some(Duration::from_millis(2000));
        let error = failed(client.upload(request), STORED);
        assert_eq!(error.status(), Status::Timeout, "{error}");
        let asked = between(&bench, Call::Put, Call::Head);
        let at = Duration::from_millis(2000 - kept_ms);
        let tolerance = Duration::from_millis(90);
        assert!(asked + tolerance > at, "{asked:?}");
        assert!(asked < at + 2 * tolerance, "{asked:?}");
    }
}

#[test]
fn a_cancelled_upload_still_asks_once_what_became_of_it() {
    for (mode, call) in STORING {
        let bench = Bench::with_blocks(1);
        let rule = bench.emulator.rule(silent(call));
        let client = bench.client_with(|config| {
            config.response_timeout = PATIENCE;
            config.settle_timeout = PATIENCE;
        });
        let task = client.start(bench.request_with_policy(mode, 1), Watch::default());
        bench.stalled(rule, 1);
        task.cancel();
        let error = failed(task.wait(Some(PATIENCE / 2)).expect("an end"), STORED);
        assert_eq!(error.status(), Status::Cancelled, "{error}");
        assert_eq!(bench.count(Call::Head), 1, "{error}");
    }
}

/// Cancels an upload once the service has so many HEADs; how long it took to end, and the result.
fn cancelled_while_it_settles(bench: &Bench, call: Call, mode: Mode, heads: usize) {
    let lost = Rule::on(call, Fault::Reset).at(Place::AfterBody);
    bench.emulator.rule(lost);
    let client = bench.client_with(|config| {
        config.response_timeout = PATIENCE;
        config.settle_timeout = 3 * PATIENCE;
    });
    let task = client.start(bench.request_with_policy(mode, 1), Watch::default());
    let asked = bench.emulator.wait_until(PATIENCE, |state| {
        let seen = state.requests.iter();
        seen.filter(|request| request.call == Call::Head).count() >= heads
    });
    asked.expect("HEAD");
    let cancelled = Instant::now();
    task.cancel();
    let result = task.wait(Some(3 * PATIENCE)).expect("an end");
    let took = cancelled.elapsed();
    failed(result, UNKNOWN);
    assert!(took < PATIENCE / 4, "{took:?}");
    assert_eq!(bench.count(call), 1);
}

#[test]
fn cancelling_while_the_library_settles_ends_it_at_once() {
    for (mode, call) in STORING {
        let bench = Bench::with_blocks(1);
        cancelled_while_it_settles(&bench, call, mode, 3);
    }
}

#[test]
fn cancelling_while_head_is_not_answered_ends_it_at_once() {
    for (mode, call) in STORING {
        let bench = Bench::with_blocks(1);
        bench.emulator.rule(Rule::on(Call::Head, Fault::stall()));
        cancelled_while_it_settles(&bench, call, mode, 1);
    }
}

#[test]
fn one_head_is_begun_however_short_the_settle_timeout_is() {
    for (mode, call) in STORING {
        let bench = Bench::with_blocks(1);
        let lost = Rule::on(call, Fault::Reset).at(Place::AfterExecuting);
        bench.emulator.rule(lost);
        let client = bench.client_with(|config| config.settle_timeout = Duration::from_millis(1));
        let result = client.upload(bench.request_with_policy(mode, 1));
        agrees(&bench, &result);
        failed(result, STORED);
        assert_eq!(bench.count(Call::Head), 1, "{call}");
    }
}

#[test]
fn a_lost_answer_is_asked_about_for_no_longer_than_the_settle_timeout() {
    for (mode, call) in STORING {
        let bench = Bench::with_blocks(1);
        let lost = Rule::on(call, Fault::Reset).at(Place::AfterBody);
        bench.emulator.rule(lost);
        let client = bench.client_with(|config| config.settle_timeout = Duration::from_secs(1));
        let started = Instant::now();
        failed(client.upload(bench.request_with_policy(mode, 1)), UNKNOWN);
        let took = started.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?}");
        assert!(bench.count(Call::Head) > 1, "{call}: it looked only once");
    }
}

#[test]
fn cancelling_while_head_is_asked_for_the_etag_ends_it_at_once() {
    for (mode, call) in STORING {
        let bench = Bench::with_blocks(1);
        let no_etag = Fault::alter(Shape {
            etag: Some(EtagFault::Missing),
            ..Shape::default()
        });
        bench.emulator.rule(Rule::on(call, no_etag));
        let rule = bench.emulator.rule(Rule::on(Call::Head, Fault::stall()));
        let client = bench.client_with(|config| config.response_timeout = PATIENCE);
        let task = client.start(bench.request_with_policy(mode, 1), Watch::default());
        bench.stalled(rule, 1);
        let cancelled = Instant::now();
        task.cancel();
        let report = succeeded(task.wait(Some(PATIENCE)).expect("an end"));
        let took = cancelled.elapsed();
        assert!(took < PATIENCE / 4, "{took:?}");
        assert!(report.note.is_some(), "{call}");
    }
}
