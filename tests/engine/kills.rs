//! kill -9 at random moments of a resumable upload. The next run ends with the whole object and
//! exactly one callback.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::bench::{Bench, KEY, PATIENCE, told};
use crate::support::config;
use crate::support::random::{Random, seed};
use us3::client::Client;
use us3::config::Config;
use us3::content::Source;
use us3::error::{CallbackState, ObjectState};
use us3::protocol::policy::PutPolicy;
use us3::upload::{Mode, UploadRequest};
use us3_emulator::{Call, Fault, Place, Rule, Stall};

const KILLS: usize = 100;
/// Each has an emulator of its own. Most wait: a finish that may have been sent is not sent again before it
/// cannot run any more.
const THREADS: u64 = 6;
/// Parts of 4 MiB, and a short one.
const WHOLE_PARTS: usize = 2;
const JOBS: i32 = 3;

/// How long the service works on a finish, also when its client is gone. So long it is listed still.
const FINISHING: Stall = Stall {
    ms: Some(100),
    persist: true,
};

/// A finish that a killed process may have sent is not sent again sooner.
const MAY_RUN_MS: u64 = 10_000;

/// Runs until the end of an upload is known.
const RUNS: usize = 20;

/// A wait for a finish that never ran: 10 s and these limits.
fn limits(config: &mut Config) {
    config.connect_timeout = Duration::from_secs(1);
    config.idle_timeout = Duration::from_secs(5);
    config.response_timeout = Duration::from_secs(2);
}

/// Address, file, checkpoint and policy, for the process that is killed.
const ORDER: &str = "US3_TEST_UPLOAD_ORDER";
const BEGUN: &str = "the upload begins";

/// When the process is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// So long after it began.
    Time(Duration),
    /// As soon as the service has seen so many requests.
    Requests(usize),
    /// While its callback runs.
    Callback,
}

/// What became of a killed upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It was over before it was killed.
    Over,
    /// The next run sent the rest, or all of it.
    WentOn,
    /// The next run found it stored, and cannot tell of the callback.
    Found,
}

#[test]
fn killed_at_any_moment_an_upload_goes_on() {
    let seed = seed("US3_KILL_SEED");
    let left = AtomicUsize::new(KILLS);
    let started = Instant::now();
    let ends: Vec<End> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|number| {
                scope.spawn({
                    let left = &left;
                    move || kill_many(Random::new(seed ^ number), left)
                })
            })
            .collect();
        let done = threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("kills"));
        done.collect()
    });
    let count = |end| ends.iter().filter(|found| **found == end).count();
    println!(
        "{} kills in {:?}: {} uploads went on, {} were found stored, {} were over before",
        ends.len(),
        started.elapsed(),
        count(End::WentOn),
        count(End::Found),
        count(End::Over),
    );
    assert_eq!(ends.len(), KILLS);
    assert!(count(End::WentOn) > KILLS / 4, "the moments are not spread");
}

fn kill_many(mut random: Random, left: &AtomicUsize) -> Vec<End> {
    let bench = Bench::with_blocks(WHOLE_PARTS);
    let finishing = Rule::on(Call::Finish, Fault::Stall(FINISHING));
    bench.emulator.rule(finishing.at(Place::AfterBody));
    // A callback takes a while, so that some are killed meanwhile.
    let slow = Rule::on(Call::Callback, Fault::stall_for(Duration::from_millis(15)));
    bench.emulator.rule(slow.at(Place::AfterExecuting));
    let usual = duration_of_one(&bench);
    let mut ends = Vec::new();
    while take_one(left) {
        let moment = moment(&mut random, usual);
        ends.push(kill_once(&bench, moment));
    }
    ends
}

fn take_one(left: &AtomicUsize) -> bool {
    let taken = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
        left.checked_sub(1)
    });
    taken.is_ok()
}

fn moment(random: &mut Random, usual: Duration) -> Moment {
    let requests = (WHOLE_PARTS + 4) as u64;
    match random.below(10) {
        0 => Moment::Callback,
        1..4 => Moment::Requests(random.below(requests) as usize),
        // Squared, because the finish and its callback take most of the time, and an upload goes on only after a kill before them.
        _ => Moment::Time(usual.mul_f64(random.fraction().powi(2) * 1.1)),
    }
}

/// How long an upload takes that nobody kills.
fn duration_of_one(bench: &Bench) -> Duration {
    let (mut child, mut lines) = begin(bench);
    let begun = Instant::now();
    let status = child.wait().expect("child");
    let usual = begun.elapsed();
    let rest: Vec<_> = lines.by_ref().collect();
    assert!(status.success(), "{rest:?}");
    assert_eq!(bench.fired(), 1);
    bench.assert_stored();
    clear(bench);
    usual
}

fn kill_once(bench: &Bench, moment: Moment) -> End {
    let (mut child, _lines) = begin(bench);
    match moment {
        Moment::Time(time) => std::thread::sleep(time),
        Moment::Requests(count) => {
            let seen = bench
                .emulator
                .wait_until(PATIENCE, |state| state.requests.len() >= count);
            seen.expect("requests");
        }
        Moment::Callback => {
            let fired = bench
                .emulator
                .wait_until(PATIENCE, |state| !state.callbacks.is_empty());
            fired.expect("a callback");
        }
    }
    child.kill().expect("kill");
    child.wait().expect("child");
    let end = go_on(bench, moment);
    check(bench, moment, end);
    clear(bench);
    end
}

/// The next run, as a host would start it.
fn go_on(bench: &Bench, moment: Moment) -> End {
    if !bench.checkpoint().exists() && bench.emulator.object(KEY).is_some() {
        return End::Over;
    }
    for _ in 0..RUNS {
        let result = bench.client_with(limits).upload(bench.resumable());
        let error = match &result {
            Ok(report) => {
                assert_eq!(report.callback, CallbackState::Delivered, "{moment:?}");
                return End::WentOn;
            }
            Err(error) => error,
        };
        let told = told(&result);
        assert_eq!(
            error.report().callback,
            CallbackState::Unknown,
            "{moment:?}: {told}"
        );
        match error.report().object {
            ObjectState::Stored => return End::Found,
            // The killed one's finish still runs: it is asked again later.
            ObjectState::Unknown => bench.idle(),
            ObjectState::NotStored => panic!("{moment:?}: {told}"),
        };
    }
    panic!("{moment:?}: after {RUNS} runs the end is not known");
}

fn check(bench: &Bench, moment: Moment, end: End) {
    let state = bench.idle();
    let stored = bench.emulator.object_bytes(KEY).expect("object");
    assert!(stored == bench.content, "{moment:?} {end:?}: other bytes");
    assert_eq!(
        bench.fired(),
        1,
        "{moment:?} {end:?}: callbacks\n{}",
        history(bench)
    );
    let sent: Vec<u64> = bench
        .requests(Call::Finish)
        .iter()
        .map(|finish| finish.started_ms)
        .collect();
    let early = sent.windows(2).any(|pair| pair[1] - pair[0] < MAY_RUN_MS);
    assert!(
        !early,
        "{moment:?} {end:?}: a finish was sent again while the first may still have run\n{}",
        history(bench)
    );
    // An upload that was begun, but not yet written down, is nobody's.
    let begun = bench.count(Call::Initiate);
    assert!(
        state.uploads.len() < begun,
        "{moment:?} {end:?}: {:?}",
        state.uploads
    );
    assert!(!bench.checkpoint().exists(), "{moment:?} {end:?}");
}

fn history(bench: &Bench) -> String {
    let requests = bench.emulator.requests();
    let line = |request: &us3_emulator::RequestSeen| {
        let (call, status) = (request.call, request.status);
        format!(
            "{} ms: {call} {:?} → {status:?}\n",
            request.started_ms, request.part
        )
    };
    requests.iter().map(line).collect()
}

fn clear(bench: &Bench) {
    let rules = bench.emulator.rules();
    bench.emulator.reset();
    for state in rules {
        bench.emulator.rule(state.rule);
    }
}

/// Starts the process; returns when its upload begins.
fn begin(bench: &Bench) -> (Child, std::io::Lines<BufReader<ChildStdout>>) {
    let policy = bench.resumable().policy.expect("policy");
    let order = serde_json::json!([
        bench.emulator.address().to_string(),
        bench.file.path,
        bench.checkpoint(),
        policy.json(),
    ]);
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "kills::the_upload_that_is_killed", "--nocapture"])
        .env(ORDER, order.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("child");
    let mut lines = BufReader::new(child.stdout.take().expect("output")).lines();
    let begun = lines
        .by_ref()
        .any(|line| line.expect("line").contains(BEGUN));
    assert!(begun, "the child ended");
    (child, lines)
}

/// Not a test of its own: the process that is killed.
#[test]
fn the_upload_that_is_killed() {
    let Ok(order) = std::env::var(ORDER) else {
        return;
    };
    let [address, file, checkpoint, policy]: [String; 4] =
        serde_json::from_str(&order).expect("order");
    let mut config = config(address);
    limits(&mut config);
    let client = Client::new(config).expect("client");
    let mut request = UploadRequest::new(Source::File(file.into()), KEY);
    request.mode = Mode::Multipart;
    request.jobs = JOBS;
    request.resume_path = Some(checkpoint.into());
    request.policy = Some(PutPolicy::parse(&policy).expect("policy"));
    println!("{BEGUN}");
    let result = client.upload(request);
    assert!(result.is_ok(), "{}", told(&result));
}
