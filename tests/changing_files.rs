//! Files that change while they are uploaded: never stored.

mod support;

use std::time::SystemTime;

use support::bench::{Bench, PATIENCE, succeeded, told};
use support::content;
use us3::error::{CallbackState, Error, ObjectState, Report, Status};
use us3::task::Watch;
use us3::upload::Mode;
use us3_emulator::{Call, Fault, Place, Rule};

const MIB: usize = 1 << 20;

/// What is done to the file.
type Change = fn(&Bench);

/// Changes the file while the upload is held, and says how it went.
fn changed_meanwhile(mode: Mode, change: impl FnOnce(&Bench)) -> (Bench, Result<Report, Error>) {
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
    let client = bench.client_with(|config| config.idle_timeout = PATIENCE);
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

fn replace(bench: &Bench) {
    let other = bench.file.folder().join("other");
    std::fs::write(&other, content(bench.content.len())).expect("other");
    std::fs::rename(&other, &bench.file.path).expect("replace");
}

#[test]
fn a_file_that_changes_is_never_stored() {
    let changes: [(&str, Change); 4] = [
        ("shrinks", shrink),
        ("grows", grow),
        ("is touched", touch),
        ("is replaced", replace),
    ];
    for (what, change) in changes {
        for mode in [Mode::Put, Mode::Multipart] {
            let (bench, result) = changed_meanwhile(mode, change);
            let told = format!("{mode:?}, the file {what}: {}", told(&result));
            let error = result.expect_err(&told);
            assert_eq!(error.status(), Status::FileChanged, "{told}");
            assert_eq!(error.report().object, ObjectState::NotStored, "{told}");
            assert_eq!(
                error.report().callback,
                CallbackState::NotDelivered,
                "{told}"
            );
            assert_eq!(error.report().upload_id, None, "{told}");
            bench.idle();
            bench.assert_absent();
            bench.assert_no_upload();
            assert_eq!(bench.fired(), 0, "{told}");
        }
    }
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

#[test]
fn a_file_that_is_unlinked_is_still_whole() {
    for mode in [Mode::Put, Mode::Multipart] {
        let unlink = |bench: &Bench| std::fs::remove_file(&bench.file.path).expect("unlink");
        let (bench, result) = changed_meanwhile(mode, unlink);
        succeeded(result);
        bench.assert_stored();
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
