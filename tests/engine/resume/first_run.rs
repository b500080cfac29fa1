//! The first run of a resumable upload, which fails, and what the next one says.

use us3::client::Client;
use us3::error::{CallbackState, Error, ObjectState, Report};
use us3_emulator::{Call, Fault, Rule};

use crate::support::bench::{Bench, told};

/// Parts of the file: whole ones, and a short one behind them.
pub const WHOLE: usize = 7;
pub const PARTS: usize = WHOLE + 1;

/// The first run of a resumable upload, which fails for good at part `number`.
pub fn fail_at_part(bench: &Bench, client: &Client, number: u32) -> Error {
    fail_by(
        bench,
        client,
        Rule::on(Call::Part, Fault::status(400)).part(number),
    )
}

pub fn fail_by(bench: &Bench, client: &Client, rule: Rule) -> Error {
    let rule = bench.emulator.rule(rule);
    let result = client.upload(bench.resumable());
    bench.emulator.remove_rule(rule);
    bench.idle();
    result.expect_err("the first run fails")
}

pub fn upload_id(bench: &Bench) -> String {
    let uploads = bench.emulator.state().uploads;
    assert_eq!(uploads.len(), 1, "{uploads:?}");
    uploads[0].upload_id.clone()
}

pub fn delivered(bench: &Bench, result: Result<Report, Error>) -> Report {
    let told = told(&result);
    let report = result.unwrap_or_else(|_| panic!("{told}"));
    assert_eq!(report.object, ObjectState::Stored);
    assert_eq!(report.callback, CallbackState::Delivered);
    assert_eq!(bench.fired(), 1);
    bench.assert_stored();
    assert!(!bench.checkpoint().exists(), "the checkpoint stayed");
    report
}

pub fn note(report: &Report) -> &str {
    report.note.as_deref().unwrap_or_default()
}
