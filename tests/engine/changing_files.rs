//! Files that change while they are uploaded, or whose size was never true: never stored.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::time::SystemTime;

use crate::support::bench::{BLOCK, Bench, KEY, PATIENCE, impatient, succeeded, told};
use crate::support::content;
use us3::client::Client;
use us3::config::Config;
use us3::content::Source;
use us3::error::{CallbackState, Error, ObjectState, Report, Status};
use us3::operation::task::Watch;
use us3::upload::{Mode, UploadRequest};
use us3_emulator::{Call, EtagFault, Fault, Place, Rule, Shape};

const MIB: usize = 1 << 20;

/// What is done to the file.
type Change = fn(&Bench);

/// Changes the file while the upload is held, and says how it went.
fn changed_meanwhile(mode: Mode, change: impl FnOnce(&Bench)) -> (Bench, Result<Report, Error>) {
    changed_meanwhile_with(|_| {}, mode, change)
}

fn changed_meanwhile_with(
    config: impl FnOnce(&mut Config),
    mode: Mode,
    change: impl FnOnce(&Bench),
) -> (Bench, Result<Report, Error>) {
    let (bench, rule) = match mode {
        Mode::Put => {
            let bench = Bench::new(32 * MIB);
            let rule = Rule::on(Call::Put, Fault::stall()).at(Place::Body(MIB as u64));
            (bench, rule)
        }
        _ => {
            let bench = Bench::with_parts(7);
            (bench, Rule::on(Call::Part, Fault::stall()).part(2))
        }
    };
    let client = bench.client_with(|settings| {
        settings.idle_timeout = PATIENCE;
        config(settings);
    });
    let rule = bench.emulator.rule(rule);
    let task = client.start(bench.request_with_policy(mode, 1), Watch::default());
    bench.stalled(rule, 1);
    change(&bench);
    bench.emulator.remove_rule(rule);
    let result = task.wait(Some(PATIENCE)).expect("in time");
    (bench, result)
}

fn shrink(bench: &Bench) {
    let file = std::fs::File::options().write(true).open(&bench.file.path);
    let half = bench.content.len() as u64 / 2;
    file.and_then(|file| file.set_len(half)).expect("shrink");
}

fn grow(bench: &Bench) {
    let file = std::fs::File::options().append(true).open(&bench.file.path);
    file.and_then(|mut file| std::io::Write::write_all(&mut file, b"more"))
        .expect("grow");
}

fn touch(bench: &Bench) {
    let file = std::fs::File::options().write(true).open(&bench.file.path);
    file.and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH))
        .expect("touch");
}

/// As `rsync -t --inplace`, `cp -p` and tar do: other content, and the old modification time.
fn rewrite(bench: &Bench) {
    let file = fs::File::options().write(true).open(&bench.file.path);
    let file = file.expect("file");
    let modified = file.metadata().and_then(|file| file.modified());
    let modified = modified.expect("time");
    until_the_change_time_moves(bench, || {
        file.write_all_at(b"other", 0).expect("rewrite");
        file.set_modified(modified).expect("time");
    });
}

fn chmod(bench: &Bench) {
    until_the_change_time_moves(bench, || {
        fs::set_permissions(&bench.file.path, Permissions::from_mode(0o640)).expect("chmod");
    });
}

/// The clock of a file system ticks every few milliseconds.
fn until_the_change_time_moves(bench: &Bench, change: impl Fn()) {
    let changed = || {
        let file = fs::metadata(&bench.file.path).expect("file");
        (file.ctime(), file.ctime_nsec())
    };
    let before = changed();
    while changed() == before {
        change();
    }
}

fn link(bench: &Bench) {
    fs::hard_link(&bench.file.path, bench.file.folder().join("link")).expect("link");
}

fn rename(bench: &Bench) {
    fs::rename(&bench.file.path, bench.file.folder().join("renamed")).expect("rename");
}

fn replace(bench: &Bench) {
    let other = bench.file.folder().join("other");
    std::fs::write(&other, content(bench.content.len())).expect("other");
    std::fs::rename(&other, &bench.file.path).expect("replace");
}

#[test]
fn a_file_that_changes_is_never_stored() {
    let changes: [(&str, Change); 5] = [
        ("is written to and given its old time back", rewrite),
        ("shrinks", shrink),
        ("grows", grow),
        ("is touched", touch),
        ("is replaced", replace),
    ];
    for (what, change) in changes {
        for mode in [Mode::Put, Mode::Multipart] {
            let (bench, result) = changed_meanwhile(mode, change);
            refused_as_changed(&bench, result, &format!("{mode:?}, the file {what}"));
        }
    }
}

/// Nothing is stored, nothing is left behind, and no callback fires.
fn refused_as_changed(bench: &Bench, result: Result<Report, Error>, what: &str) -> Error {
    let told = format!("{what}: {}", told(&result));
    let error = result.expect_err(&told);
    let report = error.report();
    assert_eq!(error.status(), Status::FileChanged, "{told}");
    assert_eq!(report.object, ObjectState::NotStored, "{told}");
    assert_eq!(report.callback, CallbackState::NotDelivered, "{told}");
    assert_eq!(report.upload_id, None, "{told}");
    bench.idle();
    bench.assert_absent();
    bench.assert_no_upload();
    assert_eq!(bench.fired(), 0, "{told}");
    error
}

#[test]
fn a_file_that_changes_while_its_last_part_is_sent_is_not_finished() {
    let bench = Bench::with_parts(2);
    let client = bench.client_with(|config| config.response_timeout = PATIENCE);
    let rule = Rule::on(Call::Part, Fault::stall())
        .part(2)
        .at(Place::AfterBody);
    let rule = bench.emulator.rule(rule);
    let task = client.start(bench.request(Mode::Multipart, 1), Watch::default());
    bench.stalled(rule, 1);
    grow(&bench);
    bench.emulator.remove_rule(rule);
    let error = task
        .wait(Some(PATIENCE))
        .expect("in time")
        .expect_err("changed");
    assert_eq!(error.status(), Status::FileChanged, "{error}");
    assert_eq!(bench.count(Call::Finish), 0);
    bench.assert_no_upload();
}

fn unlink(bench: &Bench) {
    fs::remove_file(&bench.file.path).expect("unlink");
}

/// Each of these changes what the file's last change of state tells, and leaves its content alone.
const HARMLESS: [(&str, Change); 4] = [
    ("unlinked", unlink),
    ("renamed", rename),
    ("linked", link),
    ("given other permissions", chmod),
];

#[test]
fn a_file_whose_content_stays_is_stored() {
    for (what, change) in HARMLESS {
        for mode in [Mode::Put, Mode::Multipart] {
            let (bench, result) = changed_meanwhile(mode, change);
            assert!(
                result.is_ok(),
                "{mode:?}, the file is {what}: {}",
                told(&result)
            );
            bench.assert_stored();
            assert_eq!(bench.fired(), 1);
        }
    }
}

/// Nothing was hashed while it was sent. The service has told the ETags of the parts.
#[test]
fn without_verification_the_parts_etags_decide() {
    let unverified = |config: &mut Config| config.verify_etag = false;
    let (bench, result) = changed_meanwhile_with(unverified, Mode::Multipart, chmod);
    assert!(result.is_ok(), "{}", told(&result));
    bench.assert_stored();
    let (bench, result) = changed_meanwhile_with(unverified, Mode::Multipart, rewrite);
    refused_as_changed(&bench, result, "rewritten");
}

#[test]
fn where_nothing_tells_what_was_sent_a_touched_file_has_changed() {
    let unverified = |config: &mut Config| config.verify_etag = false;
    let (bench, result) = changed_meanwhile_with(unverified, Mode::Put, chmod);
    let error = refused_as_changed(&bench, result, "PutFile");
    assert!(error.message().contains("verify_etag"), "{error}");

    let of_another_form = |bench: &Bench| {
        let opaque = Shape {
            etag: Some(EtagFault::Value("opaque".to_owned())),
            ..Shape::default()
        };
        let parts = Rule::on(Call::Part, Fault::alter(opaque));
        bench.emulator.rule(parts);
        chmod(bench);
    };
    let (bench, result) = changed_meanwhile_with(unverified, Mode::Multipart, of_another_form);
    let error = refused_as_changed(&bench, result, "parts");
    assert!(error.message().contains("verify_etag"), "{error}");
}

#[test]
fn without_verification_a_file_that_nobody_touches_is_stored() {
    for mode in [Mode::Put, Mode::Multipart] {
        let unverified = |config: &mut Config| config.verify_etag = false;
        let (bench, result) = changed_meanwhile_with(unverified, mode, |_| {});
        succeeded(result);
        bench.assert_stored();
    }
}

/// A small PutFile is sent again from the file, and so is one that was touched before.
#[test]
fn a_touched_file_that_is_sent_again_is_stored() {
    let bench = Bench::new(BLOCK + 1000);
    let client = bench.client();
    let rule = Rule::on(Call::Put, Fault::stall())
        .at(Place::AfterBody)
        .nth(1);
    let rule = bench.emulator.rule(rule);
    let task = client.start(bench.request(Mode::Put, 1), Watch::default());
    bench.stalled(rule, 1);
    chmod(&bench);
    succeeded(task.wait(Some(PATIENCE)).expect("in time"));
    bench.assert_stored();
}

/// `/proc/cpuinfo` says that it has no byte; an attribute in /sys says that it has a page.
#[test]
fn a_file_that_never_had_a_true_size_is_refused() {
    for (path, says) in [
        ("/proc/cpuinfo", "0 bytes"),
        ("/sys/devices/system/cpu/online", "4096 bytes"),
    ] {
        let holds = fs::read(path).expect("a file whose size is not true").len() as u64;
        assert_ne!(holds, fs::metadata(path).expect("size").len(), "{path}");
        for mode in [Mode::Auto, Mode::Put, Mode::Multipart] {
            let bench = Bench::new(0);
            let mut request = UploadRequest::new(Source::File(path.into()), KEY);
            request.mode = mode;
            let result = Client::new(impatient(bench.emulator.address()))
                .expect("client")
                .upload(request);
            let told = format!("{path}, {mode:?}: {}", told(&result));
            let error = result.expect_err(&told);
            assert_eq!(error.status(), Status::FileError, "{told}");
            for words in [path, says, "stream"] {
                assert!(error.message().contains(words), "{told}");
            }
            assert!(bench.emulator.requests().is_empty(), "{told}");
        }
    }
}

/// A small file is read when it is opened; what is sent again is read again.
#[test]
fn a_small_file_that_changes_before_it_is_sent_again_is_not_stored() {
    let bench = Bench::new(1000);
    let client = bench.client();
    let rule = Rule::on(Call::Put, Fault::stall())
        .at(Place::AfterBody)
        .nth(1);
    let rule = bench.emulator.rule(rule);
    let task = client.start(bench.request(Mode::Put, 1), Watch::default());
    bench.stalled(rule, 1);
    touch(&bench);
    // The first try ends because no answer comes.
    let error = task
        .wait(Some(PATIENCE))
        .expect("in time")
        .expect_err("changed");
    assert_eq!(error.status(), Status::FileChanged, "{error}");
    bench.idle();
    bench.assert_absent();
}
