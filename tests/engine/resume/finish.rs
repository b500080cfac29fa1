//! Finishes that failed or were lost: sent again only where nothing can happen twice.

use us3::error::{CallbackState, Error, ObjectState, Status};
use us3::upload::UploadRequest;
use us3_emulator::{Call, Fault, Place, Rule};

use crate::resume::first_run::{PARTS, WHOLE, delivered, fail_by, upload_id};
use crate::support::bench::{Bench, told};

#[test]
fn a_refused_finish_keeps_the_upload_and_no_part_is_sent_again() {
    let bench = Bench::with_parts(WHOLE);
    let client = bench.client();
    let refused = Fault::error(403, -148643, "invalid signature");
    let error = fail_by(&bench, &client, Rule::on(Call::Finish, refused));
    assert_eq!(error.report().upload_id, Some(upload_id(&bench)));
    assert_eq!(error.report().callback, CallbackState::NotDelivered);
    assert!(bench.checkpoint().exists());
    let report = delivered(&bench, client.upload(bench.resumable()));
    assert_eq!(report.parts_resumed as usize, PARTS);
    assert_eq!(report.bytes_sent, 0);
    assert_eq!(bench.count(Call::Part), PARTS);
}

/// The finish runs, its answer is lost, and nothing can be found out.
fn lose_finish(bench: &Bench, request: UploadRequest) -> Error {
    let lost = Rule::on(Call::Finish, Fault::Reset).at(Place::AfterExecuting);
    for rule in [
        lost,
        Rule::on(Call::Head, Fault::Reset),
        Rule::on(Call::List, Fault::Reset),
    ] {
        bench.emulator.rule(rule);
    }
    let error = bench.client().upload(request).expect_err("lost");
    bench.emulator.clear_rules();
    bench.idle();
    error
}

#[test]
fn after_a_lost_finish_the_next_run_does_not_fire_again() {
    let bench = Bench::with_blocks(WHOLE);
    let error = lose_finish(&bench, bench.resumable());
    assert_eq!(error.report().object, ObjectState::Unknown, "{error}");
    assert_eq!(error.report().callback, CallbackState::Unknown);
    assert_eq!(bench.fired(), 1);
    assert!(bench.checkpoint().exists());

    let error = bench.client().upload(bench.resumable()).expect_err("told");
    assert_eq!(error.report().object, ObjectState::Stored, "{error}");
    assert_eq!(error.report().callback, CallbackState::Unknown);
    assert_eq!(bench.fired(), 1);
    assert_eq!(bench.count(Call::Part), PARTS);
    bench.assert_stored();
    assert!(!bench.checkpoint().exists());
}

#[test]
fn without_a_policy_the_next_run_after_a_lost_finish_succeeds() {
    let bench = Bench::with_blocks(WHOLE);
    let mut request = bench.resumable();
    request.policy = None;
    let error = lose_finish(&bench, request.clone());
    assert_eq!(error.report().object, ObjectState::Unknown, "{error}");
    assert_eq!(error.report().callback, CallbackState::NotRequested);
    let result = bench.client().upload(request);
    assert!(result.is_ok(), "{}", told(&result));
    assert_eq!(bench.count(Call::Part), PARTS);
    assert_eq!(bench.count(Call::Initiate), 1);
    bench.assert_stored();
    assert!(!bench.checkpoint().exists());
}

#[test]
fn a_finish_lost_before_it_ran_is_sent_by_the_next_run() {
    let bench = Bench::with_parts(WHOLE);
    let lost = Rule::on(Call::Finish, Fault::Reset).at(Place::AfterBody);
    for rule in [
        lost,
        Rule::on(Call::Head, Fault::Reset),
        Rule::on(Call::List, Fault::Reset),
    ] {
        bench.emulator.rule(rule);
    }
    let error = bench.client().upload(bench.resumable()).expect_err("lost");
    assert_eq!(error.report().object, ObjectState::Unknown, "{error}");
    assert_eq!(bench.fired(), 0);
    bench.emulator.clear_rules();
    bench.idle();
    let report = delivered(&bench, bench.client().upload(bench.resumable()));
    assert_eq!(report.parts_resumed as usize, PARTS);
    assert_eq!(bench.count(Call::Part), PARTS);
}

/// The service has taken the upload apart, and has not put the object together yet.
#[test]
fn a_finish_that_may_still_run_is_not_repeated() {
    let bench = Bench::with_parts(WHOLE);
    lose_finish(&bench, bench.resumable());
    assert_eq!(bench.fired(), 1);
    // The next run comes while the object is not there yet.
    bench
        .emulator
        .rule(Rule::on(Call::Head, Fault::status(404)).nth(1));
    let result = bench.client().upload(bench.resumable());
    assert_eq!(bench.fired(), 1, "{}", told(&result));
    let error = result.expect_err("told");
    assert_ne!(error.report().object, ObjectState::NotStored, "{error}");
    assert_eq!(error.report().callback, CallbackState::Unknown, "{error}");
}

#[test]
fn a_failed_callback_ends_the_upload_and_its_checkpoint() {
    let bench = Bench::with_parts(2);
    let client = bench.client();
    let error = fail_by(&bench, &client, Rule::on(Call::Callback, Fault::Reset));
    assert_eq!(error.status(), Status::CallbackFailed, "{error}");
    assert_eq!(error.report().object, ObjectState::Stored);
    assert_eq!(error.report().upload_id, None);
    assert!(!bench.checkpoint().exists());
    bench.assert_stored();
}
