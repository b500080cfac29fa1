//! What is stored is compared with what was sent, also where the answer has no ETag: HEAD is asked for it.

use std::net::TcpListener;

use us3::error::{CallbackState, Status};
use us3_emulator::{Call, EtagFault, Fault, Rights, Rule, Shape};

use crate::support::bench::{Bench, KEY, succeeded};
use crate::support::json_policy;
use crate::truth::STORING;
use crate::truth::honest::{UNKNOWN, failed};

/// The emulator's own answer with another ETag.
fn etag(fault: EtagFault) -> Fault {
    Fault::alter(Shape {
        etag: Some(fault),
        ..Shape::default()
    })
}

/// For both requests: a success without an ETag.
fn without_an_etag(
    check: impl Fn(&Bench, us3::error::Result<us3::error::Report>),
    head: Option<Fault>,
) {
    for (mode, call) in STORING {
        let bench = Bench::with_blocks(1);
        bench
            .emulator
            .rule(Rule::on(call, etag(EtagFault::Missing)));
        if let Some(fault) = &head {
            bench.emulator.rule(Rule::on(Call::Head, fault.clone()));
        }
        let result = bench.client().upload(bench.request_with_policy(mode, 1));
        assert_eq!((bench.count(call), bench.fired()), (1, 1), "{call}");
        check(&bench, result);
    }
}

#[test]
fn a_success_without_an_etag_gets_the_one_that_head_tells() {
    let check = |bench: &Bench, result| {
        let report = succeeded(result);
        let stored = bench.emulator.object(KEY).expect("object").etag;
        assert_eq!(report.etag, Some(stored));
        assert_eq!(report.note, None);
        assert_eq!(report.callback, CallbackState::Delivered);
    };
    without_an_etag(check, None);
}

#[test]
fn a_success_without_an_etag_is_none_when_head_tells_another() {
    let check = |_: &Bench, result: us3::error::Result<_>| {
        let error = result.expect_err("another object");
        assert_eq!(error.status(), Status::IntegrityError, "{error}");
    };
    without_an_etag(check, Some(etag(EtagFault::Wrong)));
}

#[test]
fn a_success_without_an_etag_is_lost_when_head_finds_nothing() {
    let check = |_: &Bench, result| {
        failed(result, UNKNOWN);
    };
    without_an_etag(check, Some(Fault::status(404)));
}

#[test]
fn a_success_without_an_etag_that_cannot_be_compared_says_so() {
    for (mode, call) in STORING {
        let bench = Bench::with_blocks(1);
        bench
            .emulator
            .rule(Rule::on(call, etag(EtagFault::Missing)));
        bench.emulator.set_rights(Rights {
            read: false,
            ..Rights::ALL
        });
        let result = bench.client().upload(bench.request_with_policy(mode, 1));
        let report = succeeded(result);
        assert_eq!(report.callback, CallbackState::Delivered);
        let note = report.note.expect("a note");
        assert!(note.contains("READ"), "{note}");
    }
}

/// For both requests: a callback service that does not listen.
fn after_a_599(check: impl Fn(&Bench, us3::error::Error), head: Option<Fault>) {
    for (mode, _) in STORING {
        let bench = Bench::with_blocks(1);
        if let Some(fault) = &head {
            bench.emulator.rule(Rule::on(Call::Head, fault.clone()));
        }
        let silent = TcpListener::bind("127.0.0.1:0").and_then(|taken| taken.local_addr());
        let mut request = bench.request_with_policy(mode, 1);
        request.policy = Some(json_policy(silent.expect("address")));
        let error = bench.client().upload(request).expect_err("599");
        assert_eq!(error.report().callback, CallbackState::NotDelivered);
        check(&bench, error);
    }
}

#[test]
fn after_a_599_the_etag_of_what_is_stored_is_told() {
    let check = |bench: &Bench, error: us3::error::Error| {
        let stored = bench.emulator.object(KEY).expect("object").etag;
        assert_eq!(error.status(), Status::CallbackFailed, "{error}");
        assert_eq!(error.report().etag, Some(stored), "{error}");
    };
    after_a_599(check, None);
}

#[test]
fn after_a_599_the_object_that_the_host_is_to_keep_is_compared() {
    let check = |_: &Bench, error: us3::error::Error| {
        assert_eq!(error.status(), Status::IntegrityError, "{error}");
    };
    after_a_599(check, Some(etag(EtagFault::Wrong)));
}
