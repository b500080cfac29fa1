//! The file or the request changes after a finish whose answer is lost: what that finish has stored, or may still store,
//! is neither called back again nor stored over the new object.

use std::fs;
use std::time::{Duration, SystemTime};

use us3::error::{CallbackState, ObjectState, Report, Result, Status};
use us3::operation::task::Watch;
use us3::upload::UploadRequest;
use us3_emulator::{Call, Fault, Place, Rule};

use crate::resume::first_run::note;
use crate::resume::overwrite_part;
use crate::support::bench::{Bench, KEY, PATIENCE, patient, told};
use crate::truth::honest::{NOTHING, UNKNOWN, failed};

const UNKNOWN_WITHOUT_POLICY: (ObjectState, CallbackState) =
    (ObjectState::Unknown, CallbackState::NotRequested);

/// Less than a finish may run.
const SHORT: Duration = Duration::from_secs(4);

/// A finish that ran, and fired; the next run cannot be told so.
fn finish_and_lose_the_answer(bench: &Bench) {
    lose_the_answer_of_a_finish(
        bench,
        Rule::on(Call::Finish, Fault::Reset).at(Place::AfterExecuting),
        &bench.resumable(),
    );
    bench.idle();
    assert_eq!(bench.fired(), 1);
}

/// A finish that runs this long after the end of its connection.
fn leave_a_finish_at_work(bench: &Bench, request: &UploadRequest, lasts: Duration) {
    let at_work = Rule::on(Call::Finish, Fault::Reset).at(Place::AfterBody);
    lose_the_answer_of_a_finish(bench, at_work.detached(lasts), request);
    bench.assert_absent();
}

fn lose_the_answer_of_a_finish(bench: &Bench, lost: Rule, request: &UploadRequest) {
    for rule in [
        lost.nth(1),
        Rule::on(Call::Head, Fault::Reset),
        Rule::on(Call::List, Fault::Reset),
    ] {
        bench.emulator.rule(rule);
    }
    let client = bench.client_with(|config| config.max_retries = 0);
    let result = client.upload(request.clone());
    assert!(result.is_err(), "it is not lost");
    bench.emulator.clear_rules();
}

fn touch(bench: &Bench) {
    let file = fs::File::options().write(true).open(&bench.file.path);
    let touched = file.and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH));
    touched.expect("touch");
}

fn restore_from_a_copy(bench: &Bench) {
    let copy = bench.file.folder().join("copy");
    fs::copy(&bench.file.path, &copy).expect("copy");
    fs::rename(&copy, &bench.file.path).expect("rename");
}

fn write_other_content(bench: &mut Bench) {
    bench.content.reverse();
    fs::write(&bench.file.path, &bench.content).expect("file");
}

fn store_an_object_of_somebody_else(bench: &Bench) {
    bench.emulator.put_object(KEY, b"another", Duration::ZERO);
}

fn forget_in_checkpoint(bench: &Bench, member: &str) {
    let text = fs::read(bench.checkpoint()).expect("checkpoint");
    let mut json: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let finish = json["finish"].as_object_mut().expect("a finish");
    assert!(finish.remove(member).is_some(), "no {member}");
    fs::write(bench.checkpoint(), json.to_string()).expect("checkpoint");
}

#[test]
fn the_same_content_is_not_called_back_again_when_the_file_was_only_touched() {
    let touches: [fn(&Bench); 2] = [touch, restore_from_a_copy];
    for touch in touches {
        let bench = Bench::with_blocks(1);
        finish_and_lose_the_answer(&bench);
        store_an_object_of_somebody_else(&bench);
        touch(&bench);
        failed(bench.client().upload(bench.resumable()), UNKNOWN);
        assert_eq!(bench.fired(), 1);
        assert!(bench.checkpoint().exists());
    }
}

#[test]
fn nothing_is_called_back_again_when_the_checkpoint_does_not_tell_what_was_finished() {
    let mut bench = Bench::with_blocks(1);
    finish_and_lose_the_answer(&bench);
    forget_in_checkpoint(&bench, "etag");
    write_other_content(&mut bench);
    failed(bench.client().upload(bench.resumable()), UNKNOWN);
    assert_eq!(bench.fired(), 1);
}

#[test]
fn other_content_than_that_of_the_lost_finish_is_uploaded_and_called_back() {
    let mut bench = Bench::with_blocks(1);
    finish_and_lose_the_answer(&bench);
    write_other_content(&mut bench);
    let report = stored(bench.client().upload(bench.resumable()));
    assert_eq!(report.callback, CallbackState::Delivered);
    assert_eq!(bench.fired(), 2);
    bench.assert_stored();
}

fn stored(result: Result<Report>) -> Report {
    let told = told(&result);
    result.unwrap_or_else(|_| panic!("{told}"))
}

type Change = fn(&mut Bench, &mut UploadRequest);

const CHANGES: [(&str, Change); 3] = [
    ("longer", |bench, _| {
        bench.content.extend_from_slice(b"more");
        fs::write(&bench.file.path, &bench.content).expect("file");
    }),
    ("rewritten", |bench, _| write_other_content(bench)),
    ("metadata", |_, request| {
        request.metadata = vec![("colour".to_owned(), "red".to_owned())];
    }),
];

/// Without a policy: a finish at work, and something that makes its upload of no use.
fn changed_while_a_finish_is_at_work(change: Change, lasts: Duration) -> (Bench, UploadRequest) {
    let mut bench = Bench::with_blocks(1);
    let mut request = bench.resumable();
    request.policy = None;
    leave_a_finish_at_work(&bench, &request, lasts);
    change(&mut bench, &mut request);
    (bench, request)
}

/// The object is the one of this request, also when nothing runs any more.
fn is_of(bench: &Bench, request: &UploadRequest, what: &str) {
    bench.idle();
    let bytes = bench.emulator.object_bytes(KEY).expect("object");
    assert!(bytes == bench.content, "{what}: other bytes are stored");
    let metadata = bench.emulator.object(KEY).expect("object").metadata;
    let metadata: Vec<_> = metadata.into_iter().collect();
    assert_eq!(metadata, request.metadata, "{what}");
}

#[test]
fn a_finish_that_an_abort_does_not_stop_and_that_may_outlast_the_deadline_is_told_of() {
    for (what, change) in CHANGES {
        let lasts = Duration::from_secs(1);
        let (bench, mut request) = changed_while_a_finish_is_at_work(change, lasts);
        bench
            .emulator
            .rule(Rule::on(Call::Abort, Fault::status(500)));
        request.timeout = Some(SHORT);
        let error = failed(bench.client().upload(request), UNKNOWN_WITHOUT_POLICY);
        let named = error.report().upload_id.is_some();
        assert!(named, "{what}: {error}");
        assert!(
            error.message().contains("may still run for"),
            "{what}: {error}"
        );
        assert_eq!(bench.count(Call::Initiate), 1, "{what}");
        assert!(bench.checkpoint().exists(), "{what}");
    }
}

#[test]
fn a_finish_that_an_abort_does_not_stop_is_waited_for_and_does_not_replace_the_new_object() {
    for (what, change) in CHANGES {
        let lasts = Duration::from_millis(2500);
        let (bench, request) = changed_while_a_finish_is_at_work(change, lasts);
        bench
            .emulator
            .rule(Rule::on(Call::Abort, Fault::status(500)));
        let report = stored(bench.client().upload(request.clone()));
        assert!(
            note(&report).contains("started afresh"),
            "{what}: {:?}",
            report.note
        );
        is_of(&bench, &request, what);
    }
}

#[test]
fn a_finish_that_an_abort_stops_is_not_waited_for() {
    for (what, change) in CHANGES {
        let lasts = Duration::from_secs(5);
        let (bench, mut request) = changed_while_a_finish_is_at_work(change, lasts);
        request.timeout = Some(SHORT);
        stored(bench.client().upload(request.clone()));
        is_of(&bench, &request, what);
        bench.assert_no_upload();
    }
}

/// The service has taken the upload apart, and has not put the object together yet.
#[test]
fn a_finish_at_work_whose_upload_is_not_listed_any_more_does_not_replace_the_new_object() {
    for (what, change) in CHANGES {
        let lasts = Duration::from_secs(3);
        let (bench, mut request) = changed_while_a_finish_is_at_work(change, lasts);
        for call in [Call::List, Call::Abort] {
            let gone = Fault::error(404, -190_404, "upload id not exists");
            bench.emulator.rule(Rule::on(call, gone));
        }
        request.timeout = Some(SHORT);
        let error = failed(
            bench.client().upload(request.clone()),
            UNKNOWN_WITHOUT_POLICY,
        );
        bench.assert_absent();
        assert!(
            error.message().contains("may still run for"),
            "{what}: {error}"
        );
        assert!(bench.checkpoint().exists(), "{what}");

        request.timeout = None;
        stored(bench.client().upload(request.clone()));
        is_of(&bench, &request, what);
    }
}

#[test]
fn a_refused_initiate_after_such_an_abort_says_that_nothing_is_stored_and_leaves_nothing() {
    let mut bench = Bench::with_blocks(1);
    let request = bench.resumable();
    let refused = Rule::on(Call::Part, Fault::status(400)).part(1);
    let refused = bench.emulator.rule(refused);
    bench.client().upload(request.clone()).expect_err("refused");
    bench.emulator.remove_rule(refused);
    write_other_content(&mut bench);
    bench
        .emulator
        .rule(Rule::on(Call::Initiate, Fault::status(400)));
    let error = failed(bench.client().upload(request), NOTHING);
    assert_eq!(error.report().upload_id, None, "{error}");
    bench.assert_no_upload();
    assert!(!bench.checkpoint().exists());
}

#[test]
fn a_file_that_changes_while_an_earlier_finish_is_at_work_does_not_forget_that_finish() {
    let mut bench = Bench::with_blocks(1);
    let mut request = bench.resumable();
    request.policy = None;
    leave_a_finish_at_work(&bench, &request, Duration::from_secs(10));
    overwrite_part(&bench, 1, b"not of this file");
    let stalled = Rule::on(Call::Part, Fault::stall()).part(1);
    let stalled = bench.emulator.rule(stalled);
    let client = patient(&bench);
    let task = client.start(request, Watch::default());
    bench.stalled(stalled, 1);
    write_other_content(&mut bench);
    bench.emulator.release(stalled);
    let result = task.wait(Some(PATIENCE)).expect("an end");
    let error = failed(result, UNKNOWN_WITHOUT_POLICY);
    assert_eq!(error.status(), Status::FileChanged, "{error}");
    assert!(bench.checkpoint().exists());
}

/// The upload is not listed any more, its finish at work, and somebody else's object is there.
#[test]
fn other_content_is_not_uploaded_while_the_lost_finish_may_replace_it() {
    let mut bench = Bench::with_blocks(1);
    leave_a_finish_at_work(&bench, &bench.resumable(), Duration::from_secs(10));
    store_an_object_of_somebody_else(&bench);
    write_other_content(&mut bench);
    let gone = Fault::error(404, -190_404, "upload id not exists");
    bench.emulator.rule(Rule::on(Call::List, gone));
    let mut request = bench.resumable();
    request.timeout = Some(SHORT);
    let error = failed(bench.client().upload(request), UNKNOWN);
    assert!(error.message().contains("may still run for"), "{error}");
    assert_eq!(bench.count(Call::Initiate), 1);
}

/// An upload with a part, which a changed file makes useless, and which cannot be aborted.
fn left_behind() -> (Bench, String) {
    let mut bench = Bench::with_parts(2);
    let refused = Rule::on(Call::Part, Fault::status(400)).part(1);
    let refused = bench.emulator.rule(refused);
    let error = failed(bench.client().upload(bench.resumable()), NOTHING);
    bench.emulator.remove_rule(refused);
    write_other_content(&mut bench);
    bench
        .emulator
        .rule(Rule::on(Call::Abort, Fault::status(500)));
    (bench, error.report().upload_id.clone().expect("a name"))
}

#[test]
fn an_old_upload_that_cannot_be_aborted_is_named_in_the_note() {
    let (bench, old) = left_behind();
    let report = stored(bench.client().upload(bench.resumable()));
    let left = format!("multipart upload {old} could not be aborted");
    assert!(note(&report).contains(&left), "{:?}", report.note);
    abort_what_is_left(&bench, &old);
}

#[test]
fn an_old_upload_that_cannot_be_aborted_is_named_when_the_new_one_fails_too() {
    let (bench, old) = left_behind();
    bench
        .emulator
        .rule(Rule::on(Call::Part, Fault::status(400)));
    let error = failed(bench.client().upload(bench.resumable()), NOTHING);
    let report = error.report();
    assert!(note(report).contains(&old), "{:?}", report.note);
    let new = report.upload_id.clone().expect("a name");
    bench.emulator.clear_rules();
    bench.client().abort_upload(KEY, &new).expect("an abort");
    abort_what_is_left(&bench, &old);
}

#[test]
fn an_old_upload_that_cannot_be_aborted_is_named_when_the_new_one_does_not_begin() {
    let (bench, old) = left_behind();
    bench
        .emulator
        .rule(Rule::on(Call::Initiate, Fault::status(400)));
    let error = failed(bench.client().upload(bench.resumable()), NOTHING);
    assert_eq!(error.report().upload_id.as_ref(), Some(&old), "{error}");
    assert!(error.message().contains("could not be aborted"), "{error}");
    assert!(bench.checkpoint().exists());
    abort_what_is_left(&bench, &old);
}

fn abort_what_is_left(bench: &Bench, old: &str) {
    bench.emulator.clear_rules();
    bench.client().abort_upload(KEY, old).expect("an abort");
    bench.assert_no_upload();
}
