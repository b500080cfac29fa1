//! Whether a result agrees with itself, and with the service.

use us3::error::{CallbackState, Error, ObjectState, Report, Result};

use crate::support::bench::{Bench, KEY, told};

pub type States = (ObjectState, CallbackState);

pub const STORED: States = (ObjectState::Stored, CallbackState::Unknown);
pub const UNKNOWN: States = (ObjectState::Unknown, CallbackState::Unknown);
pub const NOTHING: States = (ObjectState::NotStored, CallbackState::NotDelivered);

/// The states of a result. No callback runs without its object.
pub fn states(result: &Result<Report>) -> States {
    let report = match result {
        Ok(report) => report,
        Err(error) => error.report(),
    };
    let states = (report.object, report.callback);
    let nothing_ran = matches!(
        report.callback,
        CallbackState::NotDelivered | CallbackState::NotRequested
    );
    assert!(
        report.object != ObjectState::NotStored || nothing_ran,
        "{states:?}: {}",
        told(result)
    );
    states
}

/// The error of an upload that failed with these states.
pub fn failed(result: Result<Report>, expected: States) -> Error {
    assert_eq!(states(&result), expected, "{}", told(&result));
    let told = told(&result);
    result.expect_err(&told)
}

/// Holds a result against an emulator at which nothing runs any more.
pub fn agrees(bench: &Bench, result: &Result<Report>) {
    bench.idle();
    let stored = bench.emulator.object(KEY).is_some();
    let fired = bench.fired();
    let (object, callback) = states(result);
    let told = told(result);
    assert!(fired <= 1, "{fired} callbacks: {told}");
    match object {
        ObjectState::Stored => assert!(stored, "it is not stored: {told}"),
        ObjectState::NotStored => assert!(!stored, "it is stored: {told}"),
        ObjectState::Unknown => {}
    }
    match callback {
        CallbackState::Delivered | CallbackState::ReplyRefused => {
            assert_eq!(fired, 1, "it did not run: {told}");
        }
        CallbackState::NotDelivered => assert_eq!(fired, 0, "it ran: {told}"),
        CallbackState::NotRequested | CallbackState::Unknown => {}
    }
}
