//! Between two runs the file, its file system or the request changes: the content of the parts decides, and what an
//! upload was begun with cannot change.

use std::fs;
use std::time::SystemTime;

use us3::error::{CallbackState, ObjectState, Status};
use us3::upload::UploadRequest;
use us3_emulator::{Call, Fault, Place, Rule};

use crate::resume::first_run::{PARTS, WHOLE, delivered, fail_at_part, note, upload_id};
use crate::support::bench::{Bench, KEY, told};

/// The first run, which has sent three parts; then something happens, and the next run.
fn goes_on_after(what: &str, change: impl FnOnce(&Bench)) {
    let bench = Bench::with_parts(WHOLE);
    let client = bench.client();
    fail_at_part(&bench, &client, 3);
    change(&bench);
    let report = delivered(&bench, client.upload(bench.resumable()));
    assert_eq!(report.parts_resumed, 3, "{what}: {:?}", report.note);
    assert_eq!(report.note, None, "{what}");
    assert_eq!(bench.count(Call::Initiate), 1, "{what}");
}

fn in_checkpoint(bench: &Bench, change: impl FnOnce(&mut serde_json::Value)) {
    let text = fs::read(bench.checkpoint()).expect("checkpoint");
    let mut json = serde_json::from_slice(&text).expect("JSON");
    change(&mut json);
    fs::write(bench.checkpoint(), json.to_string()).expect("checkpoint");
}

#[test]
fn a_file_with_the_content_of_the_parts_goes_on() {
    goes_on_after("another file in its place", |bench| {
        let other = bench.file.folder().join("other");
        fs::copy(&bench.file.path, &other).expect("copy");
        fs::rename(&other, &bench.file.path).expect("rename");
    });
    goes_on_after("touched", |bench| {
        let file = fs::File::options().write(true).open(&bench.file.path);
        let touched = file.and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH));
        touched.expect("touch");
    });
    goes_on_after("another device", |bench| {
        in_checkpoint(bench, |json| {
            let device = json["file"]["device"].as_u64().expect("device");
            json["file"]["device"] = (device + 1).into();
        });
    });
    goes_on_after("another path", |bench| {
        in_checkpoint(bench, |json| json["file"]["path"] = "/mnt/elsewhere".into());
    });
}

#[test]
fn a_changed_file_starts_afresh_and_aborts_the_old_upload() {
    let mut bench = Bench::with_parts(WHOLE);
    let client = bench.client();
    fail_at_part(&bench, &client, 3);
    let old = upload_id(&bench);
    // As long as before, so that only the parts tell.
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
fn one_changed_part_is_enough_to_start_afresh() {
    let mut bench = Bench::with_parts(WHOLE);
    let client = bench.client();
    fail_at_part(&bench, &client, 3);
    bench.content[0] ^= 1;
    fs::write(&bench.file.path, &bench.content).expect("file");
    let report = delivered(&bench, client.upload(bench.resumable()));
    assert!(note(&report).contains("file changed"), "{:?}", report.note);
    assert_eq!(bench.count(Call::Abort), 1);
}

#[test]
fn a_longer_file_starts_afresh() {
    let mut bench = Bench::with_parts(WHOLE);
    let client = bench.client();
    fail_at_part(&bench, &client, 3);
    bench.content.extend_from_slice(b"more");
    fs::write(&bench.file.path, &bench.content).expect("file");
    let report = delivered(&bench, client.upload(bench.resumable()));
    assert!(note(&report).contains("file changed"), "{:?}", report.note);
    assert_eq!(bench.count(Call::Abort), 1);
}

type Change = fn(&mut UploadRequest);

/// What only the request that begins an upload can say.
const CHANGES: [(&str, Change); 3] = [
    ("content type", |request| {
        request.mime_type = Some("image/x-own".to_owned());
    }),
    ("storage class", |request| {
        request.storage_class = Some("IA".to_owned());
    }),
    ("metadata", |request| {
        request.metadata = vec![("colour".to_owned(), "red".to_owned())];
    }),
];

#[test]
fn another_type_class_or_metadata_starts_afresh_and_says_so() {
    for (what, change) in CHANGES {
        let bench = Bench::with_parts(WHOLE);
        let client = bench.client();
        fail_at_part(&bench, &client, 3);
        let mut request = bench.resumable();
        change(&mut request);
        let report = delivered(&bench, client.upload(request.clone()));
        assert!(note(&report).contains(what), "{what}: {:?}", report.note);
        assert_eq!(report.parts_resumed, 0, "{what}");
        assert_eq!(bench.count(Call::Abort), 1, "{what}");
        stored_as_asked(&bench, &request);
    }
}

fn stored_as_asked(bench: &Bench, request: &UploadRequest) {
    let stored = bench.emulator.object(KEY).expect("object");
    if let Some(mime_type) = &request.mime_type {
        assert_eq!(&stored.content_type, mime_type);
    }
    if let Some(class) = &request.storage_class {
        assert_eq!(&stored.storage_class, class);
    }
    let metadata: Vec<_> = stored.metadata.into_iter().collect();
    assert_eq!(metadata, request.metadata);
}

/// The upload was begun with metadata; only their order and the case of their names are others now.
#[test]
fn the_order_of_metadata_does_not_matter() {
    let bench = Bench::with_parts(WHOLE);
    let client = bench.client();
    let rule = Rule::on(Call::Part, Fault::status(400)).part(3);
    let rule = bench.emulator.rule(rule);
    let named = |names: [&str; 2]| {
        let mut request = bench.resumable();
        let value = |name: &str| name.to_ascii_lowercase();
        request.metadata = names.map(|name| (name.to_owned(), value(name))).to_vec();
        request
    };
    client.upload(named(["a", "b"])).expect_err("refused");
    bench.emulator.remove_rule(rule);
    bench.idle();
    let report = delivered(&bench, client.upload(named(["B", "a"])));
    assert_eq!(report.parts_resumed, 3, "{:?}", report.note);
}

#[test]
fn a_checkpoint_that_does_not_tell_the_metadata_goes_on() {
    let bench = Bench::with_parts(WHOLE);
    let client = bench.client();
    fail_at_part(&bench, &client, 3);
    in_checkpoint(&bench, |json| {
        let removed = json.as_object_mut().expect("object").remove("begun_with");
        assert!(removed.is_some());
    });
    let mut request = bench.resumable();
    request.storage_class = Some("IA".to_owned());
    let report = delivered(&bench, client.upload(request));
    assert_eq!(report.parts_resumed, 3);
}

/// The finish ran, its answer is lost, and nothing can be found out.
fn lose_finish(bench: &Bench, request: &UploadRequest) {
    let lost = Rule::on(Call::Finish, Fault::Reset).at(Place::AfterExecuting);
    for rule in [
        lost,
        Rule::on(Call::Head, Fault::Reset),
        Rule::on(Call::List, Fault::Reset),
    ] {
        bench.emulator.rule(rule);
    }
    bench.client().upload(request.clone()).expect_err("lost");
    bench.emulator.clear_rules();
    bench.idle();
}

#[test]
fn an_object_that_a_lost_finish_stored_with_other_metadata_is_not_the_result() {
    let bench = Bench::with_blocks(WHOLE);
    let mut request = bench.resumable();
    request.policy = None;
    lose_finish(&bench, &request);
    request.metadata = vec![("colour".to_owned(), "red".to_owned())];
    let result = bench.client().upload(request.clone());
    assert!(result.is_ok(), "{}", told(&result));
    bench.assert_stored();
    stored_as_asked(&bench, &request);
}

/// Its callback may have been fired: it is not uploaded again.
#[test]
fn with_a_policy_such_an_object_is_told_of() {
    let bench = Bench::with_blocks(WHOLE);
    let mut request = bench.resumable();
    lose_finish(&bench, &request);
    request.metadata = vec![("colour".to_owned(), "red".to_owned())];
    let error = bench.client().upload(request).expect_err("told");
    assert_eq!(error.status(), Status::NetworkError, "{error}");
    assert_eq!(error.report().object, ObjectState::Stored, "{error}");
    assert_eq!(error.report().callback, CallbackState::Unknown, "{error}");
    assert!(
        error.message().contains("metadata of the earlier run"),
        "{error}"
    );
    assert_eq!(bench.fired(), 1);
}
