//! Resumable uploads: what the checkpoint is bound to, what is sent again and what is not.

mod changed;
mod checkpoint;
mod earlier_finish;
mod finish;
mod first_run;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use self::first_run::{PARTS, WHOLE, delivered, fail_at_part, fail_by, note, upload_id};
use crate::support::bench::{Bench, KEY, PART};
use crate::support::{BUCKET, PRIVATE_KEY, PUBLIC_KEY, content};
use us3::error::{CallbackState, ObjectState, Status};
use us3::operation::task::Watch;
use us3::protocol::sign::Signed;
use us3_emulator::{Call, EtagFault, Fault, Rule, Shape};

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
    let slow = bench.client_with(|config| config.idle_timeout = crate::support::bench::PATIENCE);
    let task = slow.start(request, Watch::default());
    let others = bench
        .emulator
        .wait_until(crate::support::bench::PATIENCE, |state| {
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
    let patient = bench.client_with(|config| config.idle_timeout = crate::support::bench::PATIENCE);
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
