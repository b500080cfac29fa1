//! What is sent again, how often and after which pause; what a policy forbids to send again; and
//! that every wait ends.

use std::time::{Duration, Instant, SystemTime};

use crate::support::HandMade;
use crate::support::bench::{Bench, KEY, PART, PATIENCE, impatient, patient, succeeded, told};
use us3::client::Client;
use us3::error::{CallbackState, ObjectState, Report, Status};
use us3::upload::Mode;
use us3_emulator::{Call, End, Fault, Place, Rule, Shape, Then};

const KIB: usize = 1 << 10;

/// What a deadline may be late by.
const TOLERANCE: Duration = Duration::from_millis(250);

fn busy(status: u16, retry_after: &str) -> Fault {
    let shape = Shape {
        status: Some(status),
        ..Shape::default()
    };
    Fault::answer(shape.header("Retry-After", retry_after))
}

/// The pause between the first two requests of a call, in milliseconds.
fn first_pause(bench: &Bench, call: Call) -> u64 {
    let requests = bench.requests(call);
    requests[1].started_ms - requests[0].started_ms
}

#[test]
fn retry_after_is_honoured_by_every_call() {
    for (call, status) in [
        (Call::Put, 503),
        (Call::Initiate, 429),
        (Call::Part, 429),
        (Call::Finish, 503),
    ] {
        let bench = Bench::with_parts(1);
        let rule = Rule::on(call, busy(status, "1")).nth(1);
        bench.emulator.rule(rule);
        let mode = match call {
            Call::Put => Mode::Put,
            _ => Mode::Multipart,
        };
        let report = succeeded(bench.client().upload(bench.request(mode, 1)));
        assert_eq!(report.attempts, 2, "{call}");
        let pause = first_pause(&bench, call);
        assert!((1000..5000).contains(&pause), "{call}: {pause} ms");
        bench.assert_stored();
    }
}

#[test]
fn retry_after_may_be_a_date() {
    let bench = Bench::with_parts(1);
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3));
    bench
        .emulator
        .rule(Rule::on(Call::Put, busy(503, &date)).nth(1));
    succeeded(bench.client().upload(bench.request(Mode::Put, 1)));
    // Dates have whole seconds, so it was 2 to 3 seconds away.
    let pause = first_pause(&bench, Call::Put);
    assert!((1000..6000).contains(&pause), "{pause} ms");
}

#[test]
fn a_retry_after_that_makes_no_sense_is_no_obstacle() {
    for value in [
        "soon",
        "-5",
        "",
        "99999999999999999999",
        "Thu, 01 Jan 1970 00:00:00 GMT",
    ] {
        let bench = Bench::with_parts(1);
        bench
            .emulator
            .rule(Rule::on(Call::Put, busy(503, value)).nth(1));
        let started = Instant::now();
        succeeded(bench.client().upload(bench.request(Mode::Put, 1)));
        assert!(started.elapsed() < Duration::from_secs(3), "{value:?}");
    }
}

#[test]
fn a_long_retry_after_yields_to_the_deadline() {
    let bench = Bench::with_parts(1);
    bench.emulator.rule(Rule::on(Call::Put, busy(503, "30")));
    let mut request = bench.request(Mode::Put, 1);
    request.timeout = Some(Duration::from_millis(600));
    let started = Instant::now();
    let error = bench.client().upload(request).expect_err("busy");
    let elapsed = started.elapsed();
    assert!(
        elapsed < Duration::from_millis(600) + TOLERANCE,
        "{elapsed:?}"
    );
    assert_eq!(error.report().http_status, 503, "{error}");
    assert_eq!(bench.count(Call::Put), 1);
}

#[test]
fn attempts_and_bytes_count_every_try() {
    let bench = Bench::new(100 * KIB);
    let rule = Rule::on(Call::Put, Fault::status(500)).at(Place::AfterBody);
    bench.emulator.rule(rule.nth(1).times(2));
    let report = succeeded(bench.client().upload(bench.request(Mode::Put, 1)));
    assert_eq!(report.attempts, 3);
    assert_eq!(report.bytes_sent, 3 * 100 * KIB as u64);
    assert_eq!(bench.count(Call::Put), 3);
    bench.assert_stored();
}

#[test]
fn attempts_add_up_over_the_requests_of_an_upload() {
    let bench = Bench::with_parts(3);
    for call in [Call::Initiate, Call::Part, Call::Finish] {
        bench
            .emulator
            .rule(Rule::on(call, Fault::status(503)).nth(1));
    }
    let report = succeeded(bench.client().upload(bench.request(Mode::Multipart, 2)));
    assert_eq!(report.attempts, 4);
    bench.assert_stored();
}

#[test]
fn max_retries_is_literal() {
    for max_retries in [0, 1, 2] {
        for call in [
            Call::Put,
            Call::Initiate,
            Call::Part,
            Call::Head,
            Call::Delete,
        ] {
            let bench = Bench::with_parts(1);
            let client = bench.client_with(|config| config.max_retries = max_retries);
            bench.emulator.rule(Rule::on(call, Fault::status(503)));
            let report = fail(&bench, &client, call);
            assert_eq!(report.attempts, 1 + max_retries, "{call}");
            assert_eq!(bench.count(call), 1 + max_retries as usize, "{call}");
        }
    }
}

/// Runs the operation that makes this call; its report. It must fail.
fn fail(bench: &Bench, client: &Client, call: Call) -> Report {
    let error = match call {
        Call::Put => client.upload(bench.request(Mode::Put, 1)).err(),
        Call::Head => client.head(KEY).err(),
        Call::Delete => client.delete(KEY).err(),
        _ => client.upload(bench.request(Mode::Multipart, 1)).err(),
    };
    error.expect("a failure").report().clone()
}

#[test]
fn a_refusal_is_final() {
    let final_ones = [
        300, 302, 307, 400, 401, 403, 404, 405, 409, 411, 412, 413, 416, 422, 451, 501, 505, 599,
    ];
    let bench = Bench::with_parts(1);
    let client = bench.client();
    for status in final_ones {
        for call in [Call::Put, Call::Initiate, Call::Part, Call::Finish] {
            bench.emulator.reset();
            bench.emulator.rule(Rule::on(call, Fault::status(status)));
            let report = fail(&bench, &client, call);
            assert_eq!(report.http_status, status, "{call} {status}");
            assert_eq!(bench.count(call), 1, "{call} {status}");
        }
    }
}

#[test]
fn a_passing_failure_is_not() {
    let bench = Bench::with_parts(1);
    let client = bench.client();
    for status in [408, 429, 500, 502, 503, 504] {
        for (call, mode) in [
            (Call::Put, Mode::Put),
            (Call::Initiate, Mode::Multipart),
            (Call::Part, Mode::Multipart),
            (Call::Finish, Mode::Multipart),
        ] {
            bench.emulator.reset();
            bench
                .emulator
                .rule(Rule::on(call, Fault::status(status)).nth(1));
            let report = succeeded(client.upload(bench.request(mode, 1)));
            assert_eq!(report.attempts, 2, "{call} {status}");
            bench.assert_stored();
        }
    }
}

#[test]
fn an_abort_is_tried_again_and_leaves_nothing() {
    let bench = Bench::with_parts(2);
    bench
        .emulator
        .rule(Rule::on(Call::Part, Fault::status(403)).part(1));
    bench
        .emulator
        .rule(Rule::on(Call::Abort, Fault::Reset).nth(1));
    let error = bench
        .client()
        .upload(bench.request(Mode::Multipart, 1))
        .expect_err("refused");
    assert_eq!(error.report().http_status, 403, "{error}");
    assert_eq!(error.report().upload_id, None);
    bench.assert_no_upload();
}

#[test]
fn an_abort_by_name_counts_the_try_whose_answer_was_lost() {
    let bench = Bench::with_parts(1);
    let client = bench.client();
    let (upload, _) = client.initiate(KEY, None).expect("initiate");
    let lost = Rule::on(Call::Abort, Fault::Reset).at(Place::AfterExecuting);
    bench.emulator.rule(lost.nth(1));
    let report = succeeded(client.abort_upload(KEY, upload.upload_id()));
    assert_eq!(report.attempts, 2);
    assert_eq!(report.http_status, 404, "the first try has aborted it");
    assert_eq!(report.upload_id.as_deref(), Some(upload.upload_id()));
    assert_eq!(bench.count(Call::Abort), 2);
    bench.assert_no_upload();
}

#[test]
fn an_abort_by_name_of_an_unknown_upload_is_tried_once_and_no_success() {
    let bench = Bench::with_parts(1);
    let client = bench.client();
    let error = client.abort_upload(KEY, "no-such-upload").expect_err("404");
    assert_eq!(error.status(), Status::ServiceError, "{error}");
    assert_eq!(error.report().http_status, 404, "{error}");
    assert_eq!(error.report().upload_id, None);
    assert_eq!(bench.count(Call::Abort), 1);
}

#[test]
fn a_stale_connection_is_replaced_without_counting_as_a_retry() {
    for end in [End::Reset, End::Close, End::Drop] {
        let bench = Bench::new(100 * KIB);
        let client = bench.client_with(|config| config.max_retries = 1);
        let stale = Shape::default().then(Then::NextRequest(end));
        bench
            .emulator
            .rule(Rule::on(Call::Put, Fault::alter(stale)).nth(1));
        succeeded(client.upload(bench.request(Mode::Put, 1)));
        bench.emulator.clear_rules();
        // Every operation meets the connection that is about to break.
        let result = client.upload(bench.request(Mode::Put, 1));
        assert!(result.is_ok(), "{end:?}: {}", told(&result));
        assert_eq!(bench.emulator.state().connections_accepted, 2, "{end:?}");
        bench.assert_stored();
    }
}

#[test]
fn without_retries_nothing_is_sent_again_not_even_after_a_stale_connection() {
    for end in [End::Reset, End::Close, End::Drop] {
        let bench = Bench::new(100 * KIB);
        let client = bench.client_with(|config| config.max_retries = 0);
        let stale = Shape::default().then(Then::NextRequest(end));
        let rule = Rule::on(Call::Put, Fault::alter(stale)).nth(1);
        bench.emulator.rule(rule);
        succeeded(client.upload(bench.request(Mode::Put, 1)));
        let mut another = bench.request(Mode::Put, 1);
        another.key = "another".to_owned();
        let error = client.upload(another).expect_err("the connection broke");
        assert_eq!(error.report().attempts, 1, "{end:?}: {error}");
        assert_eq!(bench.count(Call::Put), 1, "{end:?}");
    }
}

#[test]
fn a_connection_that_ended_while_idle_is_not_even_tried() {
    let bench = Bench::new(100 * KIB);
    let client = bench.client_with(|config| config.max_retries = 0);
    let stale = Shape::default().then(Then::Idle {
        ms: 0,
        end: End::Close,
    });
    bench
        .emulator
        .rule(Rule::on(Call::Put, Fault::alter(stale)));
    for time in 1..=3 {
        let report = succeeded(client.upload(bench.request_with_policy(Mode::Put, 1)));
        assert_eq!(report.attempts, 1, "time {time}");
        assert_eq!(bench.fired(), time);
        let closed = bench
            .emulator
            .wait_until(PATIENCE, |state| state.connections_open == 0);
        closed.expect("a closed connection");
    }
}

#[test]
fn a_stale_connection_never_fires_a_callback_twice() {
    for end in [End::Reset, End::Close, End::Drop] {
        let bench = Bench::new(100 * KIB);
        let client = bench.client();
        let stale = Shape::default().then(Then::NextRequest(end));
        bench
            .emulator
            .rule(Rule::on(Call::Put, Fault::alter(stale)).nth(1));
        succeeded(client.upload(bench.request(Mode::Put, 1)));
        let result = client.upload(bench.request_with_policy(Mode::Put, 1));
        let fired = bench.fired();
        match result {
            Ok(report) => assert_eq!((report.callback, fired), (CallbackState::Delivered, 1)),
            Err(error) => {
                assert_eq!(fired, 0, "{end:?}: {error}");
                assert_ne!(error.report().callback, CallbackState::Delivered);
            }
        }
    }
}

#[test]
fn the_first_failure_of_parallel_parts_is_reported_and_stops_the_others() {
    let bench = Bench::with_parts(15);
    let client = patient(&bench);
    // One part is refused after a while; the others would wait for ever.
    let words = "invalid signature";
    let mut shape = Shape {
        status: Some(403),
        body: Some(format!(r#"{{"RetCode":-148643,"ErrMsg":"{words}"}}"#)),
        ..Shape::default()
    };
    shape.drip = Some(us3_emulator::Drip {
        bytes: 40,
        every_ms: 50,
    });
    bench
        .emulator
        .rule(Rule::on(Call::Part, Fault::answer(shape)).part(3));
    bench.emulator.rule(Rule::on(Call::Part, Fault::stall()));
    let started = Instant::now();
    let error = client
        .upload(bench.request(Mode::Multipart, 8))
        .expect_err("refused");
    let elapsed = started.elapsed();
    assert_eq!(error.report().http_status, 403, "{error}");
    assert!(error.message().contains(words), "{error}");
    assert!(elapsed < Duration::from_secs(4), "{elapsed:?}");
    bench.idle();
    bench.assert_no_upload();
    assert_eq!(bench.count(Call::Part), 8);
}

#[test]
fn a_refused_finish_is_repeated_with_another_policy_and_no_part_is_sent_again() {
    let bench = Bench::with_parts(2);
    let client = bench.client();
    let (upload, _) = client.initiate(KEY, None).expect("initiate");
    for (number, part) in bench.content.chunks(PART).enumerate() {
        let part = part.to_vec().into();
        succeeded(upload.upload_part(number as u32, part));
    }
    let refusal = Fault::error(400, -148660, "invalid put policy");
    bench.emulator.rule(Rule::on(Call::Finish, refusal).nth(1));
    let policy = bench.request_with_policy(Mode::Auto, 1).policy;
    let error = upload.finish(policy.clone()).expect_err("refused");
    assert_eq!(error.report().ret_code, -148660);
    assert_eq!(
        error.report().upload_id.as_deref(),
        Some(upload.upload_id())
    );
    assert_eq!(error.report().object, ObjectState::NotStored);
    assert_eq!(error.report().callback, CallbackState::NotDelivered);
    assert_eq!(bench.fired(), 0);

    let other = crate::support::query_policy(bench.callbacks.address);
    let report = succeeded(upload.finish(Some(other)));
    assert_eq!(report.callback, CallbackState::Delivered);
    assert_eq!(report.bytes_sent, 0);
    assert_eq!(bench.emulator.callbacks()[0].query, "Name=Alice&Age=20");
    assert_eq!((bench.fired(), bench.count(Call::Part)), (1, 3));
    bench.assert_stored();
    let error = upload.finish(policy).expect_err("finished");
    assert_eq!(error.status(), Status::InvalidArgument, "{error}");
}

#[test]
fn a_failed_part_of_a_hand_driven_upload_can_be_sent_again() {
    let bench = Bench::with_parts(1);
    let client = bench.client_with(|config| config.max_retries = 0);
    let (upload, _) = client.initiate(KEY, None).expect("initiate");
    bench
        .emulator
        .rule(Rule::on(Call::Part, Fault::status(500)).nth(1));
    let part = |number: usize| bench.content.chunks(PART).nth(number).map(<[u8]>::to_vec);
    let send = |number: usize| {
        let data = part(number).expect("part").into();
        upload.upload_part(number as u32, data)
    };
    let error = send(0).expect_err("500");
    assert_eq!(error.status(), Status::ServiceError, "{error}");
    succeeded(send(0));
    succeeded(send(1));
    succeeded(upload.finish(None));
    bench.assert_stored();
}

#[test]
fn an_answer_that_is_not_http_is_told_as_such() {
    let service = HandMade::start(|mut stream| {
        crate::support::read_head(&mut stream);
        let _ = std::io::Write::write_all(&mut stream, b"220 mail ready\r\n");
    });
    let client = Client::new(impatient(service.address)).expect("client");
    let error = client.head(KEY).expect_err("garbage");
    assert_eq!(error.status(), Status::ProtocolError, "{error}");
    assert_eq!(service.connections(), 1);
}
