//! The checkpoint file: damaged, of something else, in use, private.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use us3::content::Source;
use us3::error::Status;
use us3::operation::task::Watch;
use us3::upload::Mode;
use us3_emulator::{Call, Fault, Rule};

use crate::resume::first_run::{WHOLE, delivered, fail_at_part, note, upload_id};
use crate::support::bench::{Bench, KEY, PART, PATIENCE};
use crate::support::{PRIVATE_KEY, PUBLIC_KEY};

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
            text.replace("\"version\": 2", "\"version\": 3").into(),
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
        let kept = beside(&first, ".damaged");
        assert!(
            fs::read(&kept).expect("what was there") == damaged,
            "{what}"
        );
        fs::remove_file(kept).expect("remove");
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
    memory.source = Source::Memory("content".into());
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
    let client = bench.client_with(|config| config.idle_timeout = PATIENCE);
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
        config.idle_timeout = PATIENCE;
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

/// The link may lead to a file that is not there yet.
#[test]
fn a_symbolic_link_stays_and_the_file_behind_it_is_the_checkpoint() {
    let bench = Bench::with_parts(WHOLE);
    let client = bench.client();
    let folder = bench.file.folder().join("elsewhere");
    fs::create_dir(&folder).expect("folder");
    let target = folder.join("target");
    symlink("elsewhere/target", bench.checkpoint()).expect("link");
    fail_at_part(&bench, &client, 3);
    let link = fs::symlink_metadata(bench.checkpoint()).expect("link");
    assert!(link.is_symlink(), "the link was replaced");
    let text = fs::read_to_string(&target).expect("checkpoint");
    assert!(text.contains(&upload_id(&bench)), "{text}");
    let report = delivered(&bench, client.upload(bench.resumable()));
    assert_eq!(report.parts_resumed, 3);
    assert!(!target.exists(), "the checkpoint stayed");
    let link = fs::symlink_metadata(bench.checkpoint()).expect("link");
    assert!(link.is_symlink());
    let left = fs::read_dir(&folder).expect("folder").count();
    assert_eq!(left, 0, "something stayed beside it");
}

#[test]
fn symbolic_links_without_an_end_are_refused() {
    let bench = Bench::with_parts(2);
    let other = bench.file.folder().join("other");
    symlink(bench.checkpoint(), &other).expect("link");
    symlink(&other, bench.checkpoint()).expect("link");
    let error = bench.client().upload(bench.resumable());
    let error = error.expect_err("a loop");
    assert_eq!(error.status(), Status::FileError, "{error}");
    assert!(error.message().contains("links"), "{error}");
    assert!(bench.emulator.requests().is_empty());
}

/// A link that was planted, or a name by mistake: what is behind it may be anything.
#[test]
fn what_a_link_leads_to_and_is_no_checkpoint_stays() {
    let bench = Bench::with_parts(2);
    let precious = bench.file.folder().join("authorized_keys");
    fs::write(&precious, "ssh-rsa").expect("file");
    symlink(&precious, bench.checkpoint()).expect("link");
    let error = bench.client().upload(bench.resumable());
    let error = error.expect_err("no checkpoint");
    assert_eq!(error.status(), Status::FileError, "{error}");
    for words in ["authorized_keys", "link"] {
        assert!(error.message().contains(words), "{error}");
    }
    assert_eq!(fs::read_to_string(&precious).expect("file"), "ssh-rsa");
    assert_eq!(
        names_in(&bench),
        ["authorized_keys", "file.bin", "upload.checkpoint"]
    );
    assert!(bench.emulator.requests().is_empty());
}

fn names_in(bench: &Bench) -> Vec<String> {
    let entries = fs::read_dir(bench.file.folder()).expect("folder");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("entry").file_name())
        .map(|name| name.into_string().expect("text"))
        .collect();
    names.sort_unstable();
    names
}

fn beside(bench: &Bench, ending: &str) -> PathBuf {
    let name = format!("upload.checkpoint{ending}");
    bench.file.folder().join(name)
}

/// With a note in the checkpoint's place, both names are wanted.
#[test]
fn a_file_that_has_a_name_of_the_checkpoints_is_not_uploaded() {
    for ending in [".us3-tmp", ".damaged"] {
        let bench = Bench::with_parts(2);
        let source = beside(&bench, ending);
        fs::copy(&bench.file.path, &source).expect("copy");
        fs::write(bench.checkpoint(), "my notes").expect("notes");
        let mut request = bench.resumable();
        request.source = Source::File(source.clone());
        let error = bench.client().upload(request).expect_err(ending);
        assert_eq!(error.status(), Status::InvalidArgument, "{error}");
        assert!(error.message().contains(ending), "{error}");
        assert!(fs::read(&source).expect("source") == bench.content);
        let notes = fs::read_to_string(bench.checkpoint()).expect("notes");
        assert_eq!(notes, "my notes");
        assert!(bench.emulator.requests().is_empty());
    }
}

#[test]
fn files_beside_the_checkpoint_stay() {
    let bench = Bench::with_parts(2);
    let theirs = [".us3-tmp", ".damaged", ".damaged-2"];
    for ending in theirs {
        fs::write(beside(&bench, ending), ending).expect("file");
    }
    fs::write(bench.checkpoint(), "my notes").expect("notes");
    let report = delivered(&bench, bench.client().upload(bench.resumable()));
    assert!(note(&report).contains("damaged"), "{}", note(&report));
    for ending in theirs {
        let text = fs::read_to_string(beside(&bench, ending)).expect(ending);
        assert_eq!(text, ending);
    }
    let kept = fs::read_to_string(beside(&bench, ".damaged-3")).expect("what was there");
    assert_eq!(kept, "my notes");
    assert_eq!(names_in(&bench).len(), 5, "{:?}", names_in(&bench));
}

/// A process may be killed before it moves the temporary file to its place.
#[test]
fn what_a_killed_run_left_beside_the_checkpoint_goes() {
    let bench = Bench::with_parts(WHOLE);
    let client = bench.client();
    fail_at_part(&bench, &client, 3);
    fs::copy(bench.checkpoint(), beside(&bench, ".us3-tmp")).expect("copy");
    let report = delivered(&bench, client.upload(bench.resumable()));
    assert_eq!(report.parts_resumed, 3);
    assert_eq!(names_in(&bench), ["file.bin"]);
}

/// The other upload has its checkpoint where this one has its temporary file.
#[test]
fn the_checkpoint_of_another_object_beside_this_one_stays() {
    let bench = Bench::with_parts(WHOLE);
    let client = bench.client();
    fail_at_part(&bench, &client, 3);
    let other = beside(&bench, ".us3-tmp");
    fs::rename(bench.checkpoint(), &other).expect("rename");
    let before = fs::read(&other).expect("checkpoint");
    let mut request = bench.resumable();
    request.key = "another key".to_owned();
    client.upload(request).expect("another upload");
    assert_eq!(fs::read(&other).expect("checkpoint"), before);
}

#[test]
fn a_checkpoint_that_cannot_be_written_again_keeps_the_upload() {
    let bench = Bench::with_parts(WHOLE);
    let client = bench.client();
    fail_at_part(&bench, &client, 3);
    let numbers = (2..=100).map(|number| format!(".us3-tmp-{number}"));
    let in_the_way: Vec<_> = std::iter::once(".us3-tmp".to_owned())
        .chain(numbers)
        .map(|ending| beside(&bench, &ending))
        .collect();
    for path in &in_the_way {
        fs::create_dir(path).expect("folder");
    }
    let before = upload_id(&bench);
    let error = client.upload(bench.resumable()).expect_err("not written");
    assert_eq!(error.status(), Status::FileError, "{error}");
    assert!(error.message().contains("us3-tmp is taken"), "{error}");
    assert_eq!(error.report().upload_id.as_ref(), Some(&before), "{error}");
    assert_eq!(upload_id(&bench), before);
    for path in &in_the_way {
        fs::remove_dir(path).expect("folder");
    }
    let report = delivered(&bench, client.upload(bench.resumable()));
    assert_eq!(report.parts_resumed, 3);
}
