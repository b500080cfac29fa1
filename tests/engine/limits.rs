//! Limits: connecting, silence, answers, and one deadline over everything.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::support::bench::{Bench, KEY, PATIENCE, impatient, patient, succeeded, told};
use crate::support::{in_parallel, json_policy};
use us3::client::Client;
use us3::content::Source;
use us3::error::{CallbackState, Error, ObjectState, Report, Status};
use us3::upload::{Mode, UploadRequest};
use us3_emulator::{Call, Fault, Place, Rule};

const MIB: usize = 1 << 20;

/// What a deadline may be late by.
const TOLERANCE: Duration = Duration::from_millis(250);

/// Ends within the deadline and its tolerance.
fn timed(client: &Client, mut request: UploadRequest, what: &str) -> Result<Report, Error> {
    let deadline = Duration::from_millis(600);
    request.timeout = Some(deadline);
    let started = Instant::now();
    let result = client.upload(request);
    let elapsed = started.elapsed();
    let kept = elapsed < deadline + TOLERANCE;
    assert!(kept, "{what}: {elapsed:?}: {}", told(&result));
    result
}

fn late(client: &Client, request: UploadRequest, what: &str) -> Error {
    timed(client, request, what).expect_err("late")
}

#[test]
fn the_deadline_is_kept_at_every_stage() {
    let mut cases = Vec::new();
    for place in [Place::BeforeBody, Place::AfterBody, Place::AfterExecuting] {
        for call in [Call::Put, Call::Initiate, Call::Part, Call::Finish] {
            cases.extend([(call, place, false), (call, place, true)]);
        }
    }
    in_parallel(cases, 4, |(call, place, policy)| {
        let bench = Bench::with_parts(3);
        let mode = match call {
            Call::Put => Mode::Put,
            _ => Mode::Multipart,
        };
        // Only the deadline is short.
        let client = patient(&bench);
        bench
            .emulator
            .rule(Rule::on(call, Fault::stall()).at(place));
        let request = match policy {
            true => bench.request_with_policy(mode, 2),
            false => bench.request(mode, 2),
        };
        let told = format!("{call} {place:?}, policy {policy}");
        let result = timed(&client, request, &told);
        assert!(bench.fired() <= 1, "{told}");
        if call == Call::Put && !policy && bench.emulator.object(KEY).is_some() {
            // It was found out to be stored, which is all that was asked for.
            succeeded(result);
            return;
        }
        let error = result.expect_err(&told);
        assert_eq!(error.status(), Status::Timeout, "{told}: {error}");
        assert!(error.message().contains("timeout_ms"), "{told}: {error}");
    });
}

#[test]
fn the_deadline_covers_the_clean_up() {
    let bench = Bench::with_parts(3);
    let client = patient(&bench);
    bench
        .emulator
        .rule(Rule::on(Call::Part, Fault::status(403)).part(1));
    bench.emulator.rule(Rule::on(Call::Abort, Fault::stall()));
    let error = late(&client, bench.request(Mode::Multipart, 1), "abort");
    // The first failure stays the one reported, and what remains is named.
    assert_eq!(error.report().http_status, 403, "{error}");
    let uploads = bench.emulator.state().uploads;
    assert_eq!(
        error.report().upload_id.as_ref(),
        Some(&uploads[0].upload_id)
    );
}

#[test]
fn the_deadline_covers_finding_out() {
    for (mode, call) in [(Mode::Put, Call::Put), (Mode::Multipart, Call::Finish)] {
        let bench = Bench::with_parts(1);
        let client = patient(&bench);
        let lost = Rule::on(call, Fault::Reset).at(Place::AfterExecuting);
        bench.emulator.rule(lost);
        bench.emulator.rule(Rule::on(Call::Head, Fault::stall()));
        let error = late(&client, bench.request_with_policy(mode, 1), "head");
        assert_ne!(error.report().object, ObjectState::NotStored, "{error}");
        assert_eq!(error.report().callback, CallbackState::Unknown, "{error}");
    }
}

#[test]
fn every_stall_ends_without_a_deadline_too() {
    let calls = [
        Call::Put,
        Call::Initiate,
        Call::Part,
        Call::Head,
        Call::Delete,
    ];
    let places = [Place::BeforeBody, Place::AfterBody, Place::AfterExecuting];
    let cases = calls.map(|call| places.map(|place| (call, place)));
    in_parallel(cases.concat(), 4, |(call, place)| {
        let bench = Bench::with_parts(1);
        let client = bench.client_with(|config| config.max_retries = 1);
        bench
            .emulator
            .rule(Rule::on(call, Fault::stall()).at(place));
        let started = Instant::now();
        let result = match call {
            Call::Head => client.head(KEY).map(|_| ()),
            Call::Delete => client.delete(KEY).map(|_| ()),
            Call::Put => client.upload(bench.request(Mode::Put, 1)).map(|_| ()),
            _ => client.upload(bench.request(Mode::Multipart, 1)).map(|_| ()),
        };
        let elapsed = started.elapsed();
        let told = format!("{call} {place:?}: {elapsed:?}: {}", told(&result));
        assert!(elapsed < Duration::from_secs(5), "{told}");
        // A PutFile that was stored all the same is found out to be.
        if call == Call::Put && place == Place::AfterExecuting {
            assert!(result.is_ok(), "{told}");
            return;
        }
        assert_eq!(
            result.expect_err("a stall").status(),
            Status::Timeout,
            "{told}"
        );
        assert_eq!(bench.count(call), 2, "{told}");
    });
}

#[test]
fn bytes_that_do_not_move_are_an_idle_timeout() {
    let bench = Bench::new(32 * MIB);
    let client = bench.client_with(|config| {
        config.max_retries = 0;
        config.response_timeout = PATIENCE;
    });
    bench
        .emulator
        .rule(Rule::on(Call::Put, Fault::stall()).at(Place::Body(MIB as u64)));
    let started = Instant::now();
    let error = client
        .upload(bench.request(Mode::Put, 1))
        .expect_err("idle");
    assert_eq!(error.status(), Status::Timeout, "{error}");
    assert!(error.message().contains("idle_timeout_ms"), "{error}");
    assert_eq!(error.report().object, ObjectState::NotStored);
    assert!(started.elapsed() < Duration::from_secs(5));
}

/// The timer that watches a connection is kept with it, running or run out.
#[test]
fn a_connection_that_was_used_before_is_watched_as_closely() {
    let limit = Duration::from_millis(400);
    // The timer naps for an eighth of the limit.
    for pause in [Duration::ZERO, limit / 4] {
        let bench = Bench::with_parts(1);
        let client = bench.client_with(|config| {
            config.max_retries = 0;
            config.response_timeout = limit;
            config.idle_timeout = limit;
        });
        succeeded(client.upload(bench.request(Mode::Put, 1)));
        client.head(KEY).expect("stored");
        std::thread::sleep(pause);
        bench.emulator.rule(Rule::on(Call::Head, Fault::stall()));
        let started = Instant::now();
        let result = client.head(KEY);
        let elapsed = started.elapsed();
        let error = result.expect_err("a stall");
        assert_eq!(error.status(), Status::Timeout, "{error}");
        assert!(
            (limit..limit + TOLERANCE).contains(&elapsed),
            "{elapsed:?} after a pause of {pause:?}: {error}"
        );
        let connections = bench.emulator.state().connections_accepted;
        assert_eq!(connections, 1, "not the same connection");
    }
}

/// An address whose connections are never made: its queue is full.
fn unreachable_address() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listener");
    let address = listener.local_addr().expect("address");
    let mut queue = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        queue.push(stream);
        assert!(queue.len() < 100_000, "the queue never fills");
    }
    (address, listener, queue)
}

#[test]
fn connecting_has_a_limit() {
    let (address, _listener, _queue) = unreachable_address();
    let mut config = impatient(address);
    config.connect_timeout = Duration::from_millis(200);
    config.max_retries = 1;
    let client = Client::new(config).expect("client");
    let mut request = UploadRequest::new(Source::Memory("content".into()), KEY);
    request.policy = Some(json_policy(address));
    let started = Instant::now();
    let error = client.upload(request.clone()).expect_err("no connection");
    assert_eq!(error.status(), Status::Timeout, "{error}");
    assert!(error.message().contains("connect_timeout_ms"), "{error}");
    assert_eq!(error.report().attempts, 2);
    assert_eq!(error.report().object, ObjectState::NotStored);
    assert_eq!(error.report().callback, CallbackState::NotDelivered);
    assert!(started.elapsed() < Duration::from_secs(3));
    // The deadline is kept while connecting, too.
    let mut config = impatient(address);
    config.connect_timeout = PATIENCE;
    let client = Client::new(config).expect("client");
    let error = late(&client, request, "connecting");
    assert_eq!(error.status(), Status::Timeout, "{error}");
}
