//! An object that was there before does not pass for the one that was sent.

use std::time::Duration;

use us3::error::CallbackState;
use us3_emulator::{Call, Fault, Place, Rule, Shape};

use crate::support::bench::{Bench, KEY, succeeded};
use crate::support::{content, emulator_with};
use crate::truth::STORING;
use crate::truth::honest::{NOTHING, STORED, UNKNOWN, failed};

const AN_HOUR: Duration = Duration::from_secs(3600);

/// A service that has held this content, or other content as long, for an hour.
fn with_an_older(same: bool) -> Bench {
    let bench = Bench::with_blocks(1);
    let mut older = bench.content.clone();
    if !same {
        older.reverse();
    }
    bench.emulator.put_object(KEY, &older, AN_HOUR);
    bench
}

#[test]
fn an_older_object_does_not_settle_a_lost_answer() {
    for same in [true, false] {
        for (mode, call) in STORING {
            let bench = with_an_older(same);
            let lost = Rule::on(call, Fault::Reset).at(Place::AfterBody);
            bench.emulator.rule(lost);
            let result = bench.client().upload(bench.request_with_policy(mode, 1));
            failed(result, UNKNOWN);
            assert_eq!((bench.count(call), bench.fired()), (1, 0), "{call}");
        }
    }
}

#[test]
fn an_older_object_does_not_make_a_refusal_a_failed_callback() {
    for same in [true, false] {
        for (mode, call) in STORING {
            let bench = with_an_older(same);
            bench
                .emulator
                .rule(Rule::on(call, Fault::error(400, 17, "no")));
            let result = bench.client().upload(bench.request_with_policy(mode, 1));
            failed(result, NOTHING);
            assert_eq!((bench.count(call), bench.fired()), (1, 0), "{call}");
        }
    }
}

#[test]
fn an_older_object_does_not_keep_a_refused_request_from_being_sent_again() {
    for (mode, call) in STORING {
        let bench = with_an_older(true);
        let busy = Fault::error(503, -1, "too many requests");
        bench.emulator.rule(Rule::on(call, busy).nth(1));
        let result = bench.client().upload(bench.request_with_policy(mode, 1));
        assert_eq!(succeeded(result).callback, CallbackState::Delivered);
        assert_eq!((bench.count(call), bench.fired()), (2, 1), "{call}");
    }
}

#[test]
fn an_object_that_replaced_an_older_one_is_found() {
    for same in [true, false] {
        for (mode, call) in STORING {
            let bench = with_an_older(same);
            let lost = Rule::on(call, Fault::Reset).at(Place::AfterExecuting);
            bench.emulator.rule(lost);
            let result = bench.client().upload(bench.request_with_policy(mode, 1));
            failed(result, STORED);
            assert_eq!((bench.count(call), bench.fired()), (1, 1), "{call}");
        }
    }
}

#[test]
fn a_first_upload_of_another_content_by_somebody_else_is_not_ours() {
    for (mode, call) in STORING {
        let bench = Bench::with_blocks(1);
        let lost = Rule::on(call, Fault::Reset).at(Place::AfterBody);
        bench.emulator.rule(lost);
        let other = content(bench.content.len() + 1);
        bench.emulator.put_object(KEY, &other, Duration::ZERO);
        let result = bench.client().upload(bench.request_with_policy(mode, 1));
        failed(result, UNKNOWN);
        assert_eq!(bench.count(Call::Head).min(1), 1, "{call}: nobody looked");
    }
}

/// JSON, but no answer of the service: it has done nothing.
fn empty_success() -> Fault {
    let shape = Shape {
        body: Some("{}".to_owned()),
        ..Shape::default()
    };
    Fault::answer(shape.header("Content-Type", "application/json"))
}

#[test]
fn an_older_object_does_not_confirm_a_success_without_an_etag() {
    for same in [true, false] {
        for (mode, call) in STORING {
            let bench = with_an_older(same);
            let rule = Rule::on(call, empty_success()).at(Place::AfterBody);
            bench.emulator.rule(rule);
            let result = bench.client().upload(bench.request_with_policy(mode, 1));
            failed(result, UNKNOWN);
            assert_eq!((bench.count(call), bench.fired()), (1, 0), "{call}");
        }
    }
}

#[test]
fn the_age_of_an_object_is_told_by_the_clock_of_the_service() {
    for clock_skew_s in [-7200, 7200] {
        for (mode, call) in STORING {
            let mut bench = Bench::with_blocks(1);
            bench.emulator = emulator_with(|options| options.clock_skew_s = clock_skew_s);
            let lost = Rule::on(call, Fault::Reset).at(Place::AfterExecuting);
            bench.emulator.rule(lost);
            let result = bench.client().upload(bench.request_with_policy(mode, 1));
            failed(result, STORED);
        }
    }
}
