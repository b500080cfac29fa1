//! Resumable uploads: what the checkpoint is bound to, what is sent again and what is not.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use support::bench::{Bench, KEY, PART, told};
use support::{BUCKET, PRIVATE_KEY, PUBLIC_KEY, content};
use us3::client::Client;
use us3::error::{CallbackState, Error, ObjectState, Report, Status};
use us3::sign::Signed;
use us3::task::Watch;
use us3::upload::{Mode, UploadRequest};
use us3_emulator::{Call, EtagFault, Fault, Place, Rule, Shape};

const WHOLE: usize = 7;
const PARTS: usize = WHOLE + 1;

/// The first run of a resumable upload, which fails for good at part `number`.
fn fail_at_part(bench: &Bench, client: &Client, number: u32) -> Error {
    fail_by(
        bench,
        client,
        Rule::on(Call::Part, Fault::status(400)).part(number),
    )
}

fn fail_by(bench: &Bench, client: &Client, rule: Rule) -> Error {
    let rule = bench.emulator.rule(rule);
    let result = client.upload(bench.resumable());
    bench.emulator.remove_rule(rule);
    bench.idle();
    result.expect_err("the first run fails")
}

fn upload_id(bench: &Bench) -> String {
    let uploads = bench.emulator.state().uploads;
    assert_eq!(uploads.len(), 1, "{uploads:?}");
    uploads[0].upload_id.clone()
}

fn delivered(bench: &Bench, result: Result<Report, Error>) -> Report {
    let told = told(&result);
    let report = result.unwrap_or_else(|_| panic!("{told}"));
    assert_eq!(report.object, ObjectState::Stored);
    assert_eq!(report.callback, CallbackState::Delivered);
    assert_eq!(bench.fired(), 1);
    bench.assert_stored();
    assert!(!bench.checkpoint().exists(), "the checkpoint stayed");
    report
}

fn note(report: &Report) -> &str {
    report.note.as_deref().unwrap_or_default()
}

#[test]
fn a_failed_part_keeps_the_upload_and_the_next_run_sends_the_missing_parts() {
    let bench = Bench::with_parts(WHOLE);
    let client = bench.client();
    let error = fail_at_part(&bench, &client, 3);
    assert_eq!(error.status(), Status::ServiceError);
    assert_eq!(error.report().upload_id, Some(upload_id(&bench)));
    assert_eq!(error.report().object, ObjectState::NotStored);
    assert_eq!(error.report().callback, CallbackState::NotDelivered);
    assert_eq!(error.report().parts_resumed, 0);
    assert!(error.message().contains("resume_path"), "{error}");
    assert!(bench.checkpoint().exists());
    assert_eq!(bench.count(Call::Part), 4);

    let report = delivered(&bench, client.upload(bench.resumable()));
    assert_eq!(report.parts_resumed, 3);
    assert_eq!(report.note, None);
    assert_eq!(bench.count(Call::Initiate), 1);
    assert_eq!(bench.count(Call::Part), 4 + PARTS - 3);
    assert_eq!(report.bytes_sent, (bench.content.len() - 3 * PART) as u64);
}

#[test]
fn any_client_can_go_on_with_any_jobs() {
    let bench = Bench::with_parts(WHOLE);
    fail_at_part(&bench, &bench.client(), 5);
    let mut request = bench.resumable();
    request.jobs = 4;
    let report = delivered(&bench, bench.client().upload(request));
    assert_eq!(report.parts_resumed, 5);
}

#[test]
fn parts_beyond_the_failed_one_count_too() {
    let bench = Bench::with_parts(WHOLE);
    let client = bench.client();
    // The first part waits until all others are there.
    let rule = bench
        .emulator
        .rule(Rule::on(Call::Part, Fault::stall()).part(0));
    let mut request = bench.resumable();
    request.jobs = PARTS as i32;
    let slow = bench.client_with(|config| config.idle_timeout = support::bench::PATIENCE);
    let task = slow.start(request, Watch::default());
    let others = bench
        .emulator
        .wait_until(support::bench::PATIENCE, |state| {
            state
                .uploads
                .first()
                .is_some_and(|upload| upload.parts.len() == PARTS - 1)
        });
    others.expect("all other parts");
    task.cancel();
    let error = task.wait(None).expect("an end").expect_err("cancelled");
    assert_eq!(error.status(), Status::Cancelled);
    assert_eq!(error.report().upload_id, Some(upload_id(&bench)));
    // The stalled part ends with its connection; a released one would still be stored.
    bench.idle();
    bench.emulator.remove_rule(rule);

    let report = delivered(&bench, client.upload(bench.resumable()));
    assert_eq!(report.parts_resumed as usize, PARTS - 1);
    assert_eq!(report.bytes_sent, PART as u64);
}

#[test]
fn a_run_that_fails_at_every_part_in_turn_still_sends_each_part_once() {
    let bench = Bench::with_parts(WHOLE);
    let client = bench.client();
    for number in 0..PARTS as u32 {
        let error = fail_at_part(&bench, &client, number);
        assert_eq!(error.report().parts_resumed, number.saturating_sub(1));
    }
    let report = delivered(&bench, client.upload(bench.resumable()));
    assert_eq!(report.parts_resumed as usize, PARTS - 1);
    // Every part was refused once and taken once.
    assert_eq!(bench.count(Call::Part), 2 * PARTS);
    assert_eq!(bench.count(Call::Initiate), 1);
}

#[test]
fn a_changed_file_starts_afresh_and_aborts_the_old_upload() {
    let mut bench = Bench::with_parts(WHOLE);
    let client = bench.client();
    fail_at_part(&bench, &client, 3);
    let old = upload_id(&bench);
    // As long as before, so that only the modification time tells.
    bench.content.reverse();
    fs::write(&bench.file.path, &bench.content).expect("file");
    let report = delivered(&bench, client.upload(bench.resumable()));
    assert_eq!(report.parts_resumed, 0);
    assert!(note(&report).contains("changed"), "{:?}", report.note);
    assert_ne!(report.upload_id, Some(old));
    assert_eq!(bench.count(Call::Abort), 1);
    assert_eq!(bench.count(Call::Part), 4 + PARTS);
}

#[test]
fn another_file_in_its_place_starts_afresh() {
    let bench = Bench::with_parts(WHOLE);
    let client = bench.client();
    fail_at_part(&bench, &client, 3);
    let other = bench.file.folder().join("other");
    fs::copy(&bench.file.path, &other).expect("copy");
    fs::rename(&other, &bench.file.path).expect("rename");
    let report = delivered(&bench, client.upload(bench.resumable()));
    assert!(note(&report).contains("changed"), "{:?}", report.note);
}

#[test]
fn an_upload_that_the_service_forgot_starts_afresh() {
    let bench = Bench::with_parts(WHOLE);
    let client = bench.client();
    fail_at_part(&bench, &client, 3);
    bench.emulator.reset();
    let report = delivered(&bench, client.upload(bench.resumable()));
    assert_eq!(report.parts_resumed, 0);
    assert!(
        note(&report).contains("no longer knows"),
        "{:?}",
        report.note
    );
    assert_eq!(bench.count(Call::Part), PARTS);
}

#[test]
fn a_service_that_cannot_be_asked_keeps_everything() {
    let bench = Bench::with_parts(WHOLE);
    let client = bench.client();
    fail_at_part(&bench, &client, 3);
    let old = upload_id(&bench);
    let before = fs::read(bench.checkpoint()).expect("checkpoint");
    let error = fail_by(&bench, &client, Rule::on(Call::List, Fault::status(503)));
    assert_eq!(error.status(), Status::ServiceError, "{error}");
    assert_eq!(upload_id(&bench), old);
    assert_eq!(fs::read(bench.checkpoint()).expect("checkpoint"), before);
    let report = delivered(&bench, client.upload(bench.resumable()));
    assert_eq!(report.parts_resumed, 3);
}

/// What may be found in a checkpoint's place.
fn damages(whole: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let text = String::from_utf8(whole.to_vec()).expect("text");
    let mut json: serde_json::Value = serde_json::from_slice(whole).expect("json");
    let without = |member: &str| {
        let mut json = json.clone();
        json.as_object_mut().expect("object").remove(member);
        serde_json::to_vec(&json).expect("json")
    };
    let no_id = without("upload_id");
    let no_file = without("file");
    json["upload_id"] = "".into();
    let empty_id = serde_json::to_vec(&json).expect("json");
    vec![
        ("cut off", whole[..whole.len() / 2].to_vec()),
        (
            "one byte short",
            whole[..whole.trim_ascii_end().len() - 1].to_vec(),
        ),
        ("binary", vec![0; 4096]),
        ("not UTF-8", vec![0xff, 0xfe, 0x7b]),
        ("an empty object", b"{}".to_vec()),
        ("an array", b"[]".to_vec()),
        ("a blank", b" ".to_vec()),
        ("too long", vec![b' '; 1 << 20]),
        (
            "another version",
            text.replace("\"version\": 1", "\"version\": 2").into(),
        ),
        (
            "no part size",
            text.replace(&format!("\"part_size\": {PART}"), "\"part_size\": 0")
                .into(),
        ),
        (
            "a wrong part size",
            text.replace(&format!("\"part_size\": {PART}"), "\"part_size\": -1")
                .into(),
        ),
        ("no upload id", no_id),
        ("an empty upload id", empty_id),
        ("no file", no_file),
        ("deep nesting", b"[".repeat(60_000)),
    ]
}

#[test]
fn a_damaged_checkpoint_starts_afresh_and_says_so() {
    let first = Bench::with_parts(2);
    fail_at_part(&first, &first.client(), 1);
    let whole = fs::read(first.checkpoint()).expect("checkpoint");
    for (what, damaged) in damages(&whole) {
        assert_ne!(damaged, whole, "{what}");
        first.emulator.reset();
        fs::write(first.checkpoint(), &damaged).expect("checkpoint");
        let report = delivered(&first, first.client().upload(first.resumable()));
        assert_eq!(report.parts_resumed, 0, "{what}");
        assert!(
            note(&report).contains("damaged"),
            "{what}: {:?}",
            report.note
        );
        // It may have been something else, named by mistake.
        let kept = first.file.folder().join("upload.checkpoint.damaged");
        assert!(fs::read(kept).expect("what was there") == damaged, "{what}");
    }
}

#[test]
fn the_file_itself_is_no_checkpoint() {
    let bench = Bench::with_parts(2);
    let mut request = bench.resumable();
    request.resume_path = Some(bench.file.path.clone());
    let error = bench.client().upload(request).expect_err("the file itself");
    assert_eq!(error.status(), Status::InvalidArgument, "{error}");
    assert!(fs::read(&bench.file.path).expect("file") == bench.content);
    assert!(bench.emulator.requests().is_empty());
}

#[test]
fn an_empty_checkpoint_is_none() {
    let bench = Bench::with_parts(2);
    fs::write(bench.checkpoint(), "").expect("checkpoint");
    let report = delivered(&bench, bench.client().upload(bench.resumable()));
    assert_eq!(report.note, None);
}

#[test]
fn a_checkpoint_that_cannot_be_a_file_is_refused() {
    let bench = Bench::with_parts(2);
    fs::create_dir(bench.checkpoint()).expect("folder");
    let error = bench
        .client()
        .upload(bench.resumable())
        .expect_err("folder");
    assert_eq!(error.status(), Status::FileError, "{error}");
    let mut request = bench.resumable();
    request.resume_path = Some(bench.file.folder().join("absent/checkpoint"));
    let error = bench.client().upload(request).expect_err("no folder");
    assert_eq!(error.status(), Status::FileError, "{error}");
    assert_eq!(error.report().os_error, 2);
    assert!(bench.emulator.requests().is_empty());
}

#[test]
fn a_checkpoint_of_another_object_is_refused_and_kept() {
    let bench = Bench::with_parts(WHOLE);
    let client = bench.client();
    fail_at_part(&bench, &client, 3);
    let before = fs::read(bench.checkpoint()).expect("checkpoint");
    let requests = bench.emulator.requests().len();
    let mut request = bench.resumable();
    request.key = "another key".to_owned();
    let error = client.upload(request).expect_err("another key");
    assert_eq!(error.status(), Status::InvalidArgument, "{error}");
    assert!(error.message().contains(KEY), "{error}");
    let elsewhere = bench.client_with(|config| config.bucket_name = "elsewhere".to_owned());
    let error = elsewhere.upload(bench.resumable()).expect_err("bucket");
    assert_eq!(error.status(), Status::InvalidArgument, "{error}");
    assert_eq!(bench.emulator.requests().len(), requests);
    assert_eq!(fs::read(bench.checkpoint()).expect("checkpoint"), before);
    let report = delivered(&bench, client.upload(bench.resumable()));
    assert_eq!(report.parts_resumed, 3);
}

#[test]
fn resuming_needs_a_file_and_parts() {
    let bench = Bench::with_parts(2);
    let client = bench.client();
    let mut put = bench.resumable();
    put.mode = Mode::Put;
    let mut memory = bench.resumable();
    memory.source = us3::source::Source::Memory("content".into());
    for request in [put, memory] {
        let error = client.upload(request).expect_err("refused");
        assert_eq!(error.status(), Status::InvalidArgument, "{error}");
        assert!(error.message().contains("resume_path"), "{error}");
    }
    assert!(bench.emulator.requests().is_empty());
    assert!(!bench.checkpoint().exists());
}

#[test]
fn a_checkpoint_in_use_is_refused_to_a_second_upload() {
    let bench = Bench::with_parts(WHOLE);
    let client = bench.client_with(|config| config.idle_timeout = support::bench::PATIENCE);
    let rule = bench
        .emulator
        .rule(Rule::on(Call::Part, Fault::stall()).part(2));
    let task = client.start(bench.resumable(), Watch::default());
    bench.stalled(rule, 1);
    let requests = bench.emulator.requests().len();
    let error = client.upload(bench.resumable()).expect_err("in use");
    assert_eq!(error.status(), Status::FileError, "{error}");
    assert!(error.message().contains("in use"), "{error}");
    assert_eq!(bench.emulator.requests().len(), requests);
    bench.emulator.remove_rule(rule);
    delivered(&bench, task.wait(None).expect("an end"));
}

#[test]
fn the_checkpoint_is_private_and_holds_no_secret() {
    let bench = Bench::with_parts(WHOLE);
    // Even when somebody else made the file.
    fs::write(bench.checkpoint(), "").expect("checkpoint");
    fs::set_permissions(bench.checkpoint(), fs::Permissions::from_mode(0o644)).expect("mode");
    let client = bench.client_with(|config| {
        config.idle_timeout = support::bench::PATIENCE;
        config.security_token = Some("a-security-token".into());
    });
    let rule = bench
        .emulator
        .rule(Rule::on(Call::Part, Fault::stall()).part(2));
    let task = client.start(bench.resumable(), Watch::default());
    bench.stalled(rule, 1);
    let mode = fs::metadata(bench.checkpoint())
        .expect("checkpoint")
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let text = fs::read_to_string(bench.checkpoint()).expect("checkpoint");
    let policy = bench.resumable().policy.expect("policy");
    for secret in [
        PRIVATE_KEY,
        PUBLIC_KEY,
        "a-security-token",
        policy.encoded(),
        "Alice",
    ] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    assert!(text.contains(&upload_id(&bench)), "{text}");
    bench.emulator.remove_rule(rule);
    delivered(&bench, task.wait(None).expect("an end"));
    // Nothing else was left in the folder either.
    let names: Vec<_> = fs::read_dir(bench.file.folder())
        .expect("folder")
        .map(|entry| entry.expect("entry").file_name())
        .collect();
    assert_eq!(names, ["file.bin"]);
}

/// Sends a part that is not the file's, as a foreign program would.
fn overwrite_part(bench: &Bench, number: u32, bytes: &[u8]) {
    let upload_id = upload_id(bench);
    let signed = Signed {
        method: "PUT",
        content_md5: "",
        content_type: "",
        date: "",
        headers: &[],
        bucket: BUCKET,
        key: KEY,
        policy: None,
    };
    let head = format!(
        "PUT /{KEY}?partNumber={number}&uploadId={upload_id} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: {}\r\nContent-Length: {}\r\n\r\n",
        bench.emulator.address(),
        signed.authorization(PUBLIC_KEY, &PRIVATE_KEY.into()),
        bytes.len()
    );
    let mut stream = TcpStream::connect(bench.emulator.address()).expect("connection");
    stream.write_all(head.as_bytes()).expect("head");
    stream.write_all(bytes).expect("part");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn parts_that_are_not_the_files_are_sent_again() {
    let bench = Bench::with_parts(WHOLE);
    let client = bench.client();
    fail_at_part(&bench, &client, 5);
    overwrite_part(&bench, 1, &content(PART - 1)[..]);
    overwrite_part(&bench, 3, &vec![7; PART]);
    let sent = bench.count(Call::Part);
    let report = delivered(&bench, client.upload(bench.resumable()));
    assert_eq!(report.parts_resumed, 3);
    let again: Vec<_> = bench.requests(Call::Part)[sent..]
        .iter()
        .map(|request| request.part.expect("number"))
        .collect();
    assert_eq!(again, [1, 3, 5, 6, 7]);
}

#[test]
fn a_part_of_another_content_is_an_integrity_error_and_sent_again() {
    let bench = Bench::with_parts(WHOLE);
    let client = bench.client();
    let wrong = Shape {
        etag: Some(EtagFault::Wrong),
        ..Shape::default()
    };
    let rule = Rule::on(Call::Part, Fault::alter(wrong)).part(2);
    let error = fail_by(&bench, &client, rule);
    assert_eq!(error.status(), Status::IntegrityError, "{error}");
    delivered(&bench, client.upload(bench.resumable()));
}

#[test]
fn a_refused_finish_keeps_the_upload_and_no_part_is_sent_again() {
    let bench = Bench::with_parts(WHOLE);
    let client = bench.client();
    let error = fail_by(&bench, &client, Rule::on(Call::Finish, Fault::status(403)));
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
    let bench = Bench::with_parts(WHOLE);
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
    let bench = Bench::with_parts(WHOLE);
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

#[test]
fn an_upload_that_never_began_leaves_no_checkpoint() {
    let bench = Bench::with_parts(2);
    let client = bench.client();
    let error = fail_by(
        &bench,
        &client,
        Rule::on(Call::Initiate, Fault::status(403)),
    );
    assert_eq!(error.status(), Status::ServiceError, "{error}");
    assert_eq!(error.report().upload_id, None);
    assert!(!bench.checkpoint().exists());
}

#[test]
fn an_empty_file_needs_no_checkpoint() {
    let bench = Bench::new(0);
    let report = delivered(&bench, bench.client().upload(bench.resumable()));
    assert_eq!(report.parts_resumed, 0);
    assert_eq!(bench.count(Call::Put), 1);
}

#[test]
fn a_deadline_keeps_the_upload() {
    let bench = Bench::with_parts(WHOLE);
    let patient = bench.client_with(|config| config.idle_timeout = support::bench::PATIENCE);
    let rule = bench
        .emulator
        .rule(Rule::on(Call::Part, Fault::stall()).part(4));
    let mut request = bench.resumable();
    request.timeout = Some(std::time::Duration::from_millis(1500));
    let error = patient.upload(request).expect_err("late");
    assert_eq!(error.status(), Status::Timeout, "{error}");
    assert_eq!(error.report().upload_id, Some(upload_id(&bench)));
    bench.idle();
    bench.emulator.remove_rule(rule);
    let report = delivered(&bench, patient.upload(bench.resumable()));
    assert_eq!(report.parts_resumed, 4);
}
