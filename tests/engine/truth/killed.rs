//! A process that is killed while its finish is at the service, and a rerun at once with the same resume_path.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use us3::client::Client;
use us3::content::Source;
use us3::error::{CallbackState, ObjectState, Status};
use us3::operation::task::Watch;
use us3::protocol::policy::PutPolicy;
use us3::upload::{Mode, UploadRequest};
use us3_emulator::{Call, Fault, Place, Rule, Stall};

use crate::support::bench::{Bench, KEY, PATIENCE, patient, told};
use crate::support::config;
use crate::truth::honest::{STORED, UNKNOWN, failed};

/// Address, file, checkpoint and policy, for the process that is killed.
const ORDER: &str = "US3_TRUTH_ORDER";
const BEGUN: &str = "the upload begins";

/// Kills a process whose finish the service has and does not run before the rule is released.
fn killed_in_its_finish(bench: &Bench) -> u64 {
    let at_work = Fault::Stall(Stall {
        ms: None,
        persist: true,
    });
    let rule = Rule::on(Call::Finish, at_work).at(Place::AfterBody);
    let rule = bench.emulator.rule(rule.nth(1));
    let mut child = begin(bench);
    bench.stalled(rule, 1);
    child.kill().expect("kill");
    child.wait().expect("child");
    rule
}

fn begin(bench: &Bench) -> Child {
    let policy = bench.resumable().policy.expect("policy");
    let order = serde_json::json!([
        bench.emulator.address().to_string(),
        bench.file.path,
        bench.checkpoint(),
        policy.json(),
    ]);
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args([
            "--exact",
            "truth::killed::the_upload_that_is_killed",
            "--nocapture",
        ])
        .env(ORDER, order.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("child");
    let mut lines = BufReader::new(child.stdout.take().expect("output")).lines();
    let begun = lines.any(|line| line.is_ok_and(|line| line.contains(BEGUN)));
    assert!(begun, "the child ended");
    child
}

/// Not a test of its own: the process that is killed.
#[test]
fn the_upload_that_is_killed() {
    let Ok(order) = std::env::var(ORDER) else {
        return;
    };
    let [address, file, checkpoint, policy]: [String; 4] =
        serde_json::from_str(&order).expect("order");
    let client = Client::new(config(address)).expect("client");
    let mut request = UploadRequest::new(Source::File(file.into()), KEY);
    request.mode = Mode::Multipart;
    request.resume_path = Some(checkpoint.into());
    request.policy = Some(PutPolicy::parse(&policy).expect("policy"));
    println!("{BEGUN}");
    let result = client.upload(request);
    panic!("it was not killed: {}", told(&result));
}

#[test]
fn a_rerun_with_a_short_deadline_says_at_once_how_long_to_wait() {
    let bench = Bench::with_blocks(1);
    let rule = killed_in_its_finish(&bench);
    let mut request = bench.resumable();
    request.timeout = Some(PATIENCE);
    let started = Instant::now();
    let error = failed(bench.client().upload(request), UNKNOWN);
    assert!(started.elapsed() < PATIENCE / 2, "{:?}", started.elapsed());
    assert!(error.message().contains("may still run for"), "{error}");
    assert!(error.report().upload_id.is_some(), "{error}");
    assert!(bench.checkpoint().exists());
    assert_eq!(bench.count(Call::Finish), 1);

    bench.emulator.release(rule);
    bench.idle();
    assert_eq!(bench.fired(), 1);
    failed(bench.client().upload(bench.resumable()), STORED);
    assert_eq!((bench.count(Call::Finish), bench.fired()), (1, 1));
    assert!(!bench.checkpoint().exists());
}

#[test]
fn a_rerun_without_a_deadline_waits_for_the_finish_of_the_killed_one() {
    let bench = Bench::with_blocks(1);
    let rule = killed_in_its_finish(&bench);
    let client = bench.client();
    let task = client.start(bench.resumable(), Watch::default());
    let asked = |state: &us3_emulator::State| {
        let mut requests = state.requests.iter();
        requests.any(|request| request.call == Call::List && request.status.is_some())
    };
    bench
        .emulator
        .wait_until(PATIENCE, asked)
        .expect("ListParts");
    assert!(task.wait(Some(Duration::from_millis(100))).is_none());
    assert_eq!(bench.count(Call::Finish), 1);
    bench.emulator.release(rule);
    failed(task.wait(Some(PATIENCE)).expect("an end"), STORED);
    assert_eq!((bench.count(Call::Finish), bench.fired()), (1, 1));
}

/// Ends a run whose finish fired its callback, without a chance to find that out.
fn lost_finish(bench: &Bench) {
    let lost = Rule::on(Call::Finish, Fault::Reset).at(Place::AfterExecuting);
    bench.emulator.rule(lost);
    bench.emulator.rule(Rule::on(Call::Head, Fault::Reset));
    bench.emulator.rule(Rule::on(Call::List, Fault::Reset));
    failed(bench.client().upload(bench.resumable()), UNKNOWN);
    bench.emulator.clear_rules();
    bench.idle();
    assert_eq!(bench.fired(), 1);
}

#[test]
fn a_rerun_that_cannot_ask_for_the_parts_does_not_say_that_nothing_is_stored() {
    for fault in [
        Fault::Reset,
        Fault::gateway(400),
        Fault::error(403, -1, "permission denied"),
    ] {
        let bench = Bench::with_blocks(1);
        lost_finish(&bench);
        bench.emulator.rule(Rule::on(Call::List, fault));
        let error = failed(bench.client().upload(bench.resumable()), UNKNOWN);
        assert!(error.report().upload_id.is_some(), "{error}");
        assert!(bench.checkpoint().exists());
        assert_eq!(bench.fired(), 1);
    }
}

#[test]
fn a_rerun_that_is_cancelled_while_it_asks_does_not_say_that_nothing_is_stored() {
    let bench = Bench::with_blocks(1);
    lost_finish(&bench);
    let rule = bench.emulator.rule(Rule::on(Call::List, Fault::stall()));
    let client = patient(&bench);
    let task = client.start(bench.resumable(), Watch::default());
    bench.stalled(rule, 1);
    task.cancel();
    failed(task.wait(Some(PATIENCE)).expect("an end"), UNKNOWN);
}

#[test]
fn the_object_of_parts_of_another_size_is_not_compared() {
    // Of these parts no ETag of the object can be told.
    let bench = Bench::with_parts(2);
    lost_finish(&bench);
    let error = failed(bench.client().upload(bench.resumable()), UNKNOWN);
    assert_ne!(error.status(), Status::IntegrityError, "{error}");
    assert_eq!((bench.count(Call::Finish), bench.fired()), (1, 1));
    assert!(bench.checkpoint().exists());
}

#[test]
fn a_lost_finish_of_parts_of_another_size_is_not_settled_by_size_alone() {
    let bench = Bench::with_parts(2);
    let lost = Rule::on(Call::Finish, Fault::Reset).at(Place::AfterExecuting);
    bench.emulator.rule(lost);
    let result = bench
        .client()
        .upload(bench.request_with_policy(Mode::Multipart, 1));
    let error = failed(result, UNKNOWN);
    assert_ne!(error.status(), Status::IntegrityError, "{error}");
    assert_eq!((bench.count(Call::Finish), bench.fired()), (1, 1));
}

#[test]
fn an_older_object_does_not_pass_for_the_one_of_a_lost_finish() {
    let bench = Bench::with_blocks(1);
    let lost = Rule::on(Call::Finish, Fault::Reset).at(Place::AfterBody);
    bench.emulator.rule(lost);
    let error = failed(bench.client().upload(bench.resumable()), UNKNOWN);
    let named = error.report().upload_id.clone().expect("a name");
    bench.client().abort_upload(KEY, &named).expect("an abort");
    bench
        .emulator
        .put_object(KEY, &bench.content, Duration::from_secs(3600));
    failed(bench.client().upload(bench.resumable()), UNKNOWN);
    assert_eq!(bench.fired(), 0);
}

#[test]
fn without_a_policy_a_rerun_that_meets_the_earlier_finish_at_work_does_not_say_that_nothing_is_stored()
 {
    let bench = Bench::with_blocks(1);
    let lost = Rule::on(Call::Finish, Fault::Reset).at(Place::AfterBody);
    let lost = lost.nth(1).detached(Duration::from_millis(2500));
    bench.emulator.rule(lost);
    // The service has taken the upload apart.
    let gone = Fault::error(404, -190_404, "upload id not exists");
    bench.emulator.rule(Rule::on(Call::Finish, gone).nth(2));
    let client = bench.client_with(|config| config.max_retries = 0);
    let mut request = bench.resumable();
    request.policy = None;
    let unknown = (ObjectState::Unknown, CallbackState::NotRequested);
    failed(client.upload(request.clone()), unknown);
    let result = client.upload(request);
    assert!(bench.emulator.object(KEY).is_none(), "the test is too slow");
    failed(result, unknown);
    bench.idle();
    bench.assert_stored();
}
