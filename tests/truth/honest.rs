//! Whether a result agrees with itself, and with the service.

use us3::error::{CallbackState, ObjectState, Report, Result};

use crate::support::bench::told;

pub type States = (ObjectState, CallbackState);

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
