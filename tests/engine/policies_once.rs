//! Requests that carry a policy: sent again only when they provably did not run.

use std::net::{SocketAddr, TcpListener};

use crate::support::bench::{Bench, KEY, PART, PATIENCE, impatient, succeeded, told};
use crate::support::{emulator_with, json_policy};
use us3::client::Client;
use us3::content::Source;
use us3::error::{CallbackState, ObjectState, Status};
use us3::operation::task::Watch;
use us3::upload::{Mode, UploadRequest};
use us3_emulator::{Call, Fault, Place, Rule};

const MIB: usize = 1 << 20;

/// A refusal in the service's own words, from before a policy runs.
fn overloaded() -> Fault {
    Fault::error(503, -1, "too many requests")
}

#[test]
fn a_policy_is_not_sent_again_when_its_answer_is_lost() {
    for (mode, call) in [(Mode::Put, Call::Put), (Mode::Multipart, Call::Finish)] {
        for fault in [Fault::Reset, Fault::Close, Fault::Drop, Fault::stall()] {
            let bench = Bench::with_blocks(1);
            let told = format!("{call} {fault:?}");
            let rule = Rule::on(call, fault).at(Place::AfterExecuting);
            bench.emulator.rule(rule);
            let request = bench.request_with_policy(mode, 1);
            let error = bench.client().upload(request).expect_err("lost");
            let report = error.report();
            assert_eq!(report.object, ObjectState::Stored, "{told}: {error}");
            assert_eq!(report.callback, CallbackState::Unknown, "{told}: {error}");
            bench.idle();
            assert_eq!((bench.count(call), bench.fired()), (1, 1), "{told}");
            bench.assert_stored();
        }
    }
}

#[test]
fn a_policy_that_left_but_did_not_run_is_not_sent_again_either() {
    for (mode, call) in [(Mode::Put, Call::Put), (Mode::Multipart, Call::Finish)] {
        let bench = Bench::with_parts(1);
        let rule = Rule::on(call, Fault::Reset).at(Place::AfterBody);
        bench.emulator.rule(rule.nth(1));
        let request = bench.request_with_policy(mode, 1);
        let error = bench.client().upload(request).expect_err("lost");
        assert_eq!((bench.count(call), bench.fired()), (1, 0), "{error}");
        assert_ne!(error.report().object, ObjectState::Stored, "{error}");
        assert_ne!(error.report().callback, CallbackState::Delivered);
        bench.assert_absent();
    }
}

#[test]
fn a_policy_is_sent_again_when_the_body_did_not_get_through() {
    // More than sockets hold, so that the library knows.
    let bench = Bench::new(32 * MIB);
    let rule = Rule::on(Call::Put, Fault::Reset).at(Place::Body(PART as u64));
    bench.emulator.rule(rule.nth(1));
    let report = succeeded(
        bench
            .client()
            .upload(bench.request_with_policy(Mode::Put, 1)),
    );
    assert_eq!(report.callback, CallbackState::Delivered);
    assert_eq!((bench.count(Call::Put), bench.fired()), (2, 1));
    bench.assert_stored();
}

#[test]
fn a_policy_is_sent_again_when_the_service_refused_it_for_now() {
    for (mode, call) in [(Mode::Put, Call::Put), (Mode::Multipart, Call::Finish)] {
        let bench = Bench::with_parts(1);
        bench.emulator.rule(Rule::on(call, overloaded()).nth(1));
        let report = succeeded(bench.client().upload(bench.request_with_policy(mode, 1)));
        assert_eq!(report.callback, CallbackState::Delivered, "{call}");
        assert_eq!((bench.count(call), bench.fired()), (2, 1), "{call}");
        bench.assert_stored();
    }
}

#[test]
fn an_upload_is_named_while_the_service_does_not_say_that_it_is_gone() {
    let bench = Bench::with_parts(1);
    let rule = Rule::on(Call::Finish, Fault::Reset).at(Place::AfterBody);
    bench.emulator.rule(rule.nth(1));
    bench
        .emulator
        .rule(Rule::on(Call::List, Fault::status(500)));
    let request = bench.request_with_policy(Mode::Multipart, 1);
    let error = bench.client().upload(request).expect_err("lost");
    let pending = bench.emulator.state().uploads;
    let pending = pending.first().map(|upload| upload.upload_id.clone());
    assert!(pending.is_some());
    assert_eq!(error.report().upload_id, pending, "{error}");
    assert_eq!(error.report().object, ObjectState::Unknown, "{error}");
    assert_eq!(error.report().callback, CallbackState::Unknown, "{error}");
}

/// An address at which nobody listens yet.
fn silent_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listener");
    listener.local_addr().expect("address")
}

#[test]
fn a_policy_is_sent_again_when_the_connection_was_refused() {
    let address = silent_address();
    let callbacks = crate::support::callback_service();
    let mut config = impatient(address);
    config.max_retries = 20;
    let client = Client::new(config).expect("client");
    let mut request = UploadRequest::new(Source::Memory("content".into()), KEY);
    request.policy = Some(json_policy(callbacks.address));
    let task = client.start(request, Watch::default());
    while task.progress().attempts < 2 {
        std::thread::yield_now();
    }
    let emulator = emulator_with(|options| options.listen = address);
    let report = succeeded(task.wait(Some(PATIENCE)).expect("in time"));
    assert_eq!(report.callback, CallbackState::Delivered);
    assert!(report.attempts > 1);
    assert_eq!(emulator.callbacks().len(), 1);
}

#[test]
fn a_refused_connection_is_a_network_error_and_nothing_is_stored() {
    let client = Client::new(impatient(silent_address())).expect("client");
    for mode in [Mode::Put, Mode::Multipart] {
        let mut request = UploadRequest::new(Source::Memory("content".into()), KEY);
        request.mode = mode;
        request.policy = Some(json_policy(silent_address()));
        let error = client.upload(request).expect_err("refused");
        assert_eq!(error.status(), Status::NetworkError, "{error}");
        assert_eq!(error.report().object, ObjectState::NotStored);
        assert_eq!(error.report().callback, CallbackState::NotDelivered);
        assert_eq!(error.report().attempts, 3);
        assert_eq!(error.report().bytes_sent, 0);
        assert_eq!(error.report().os_error, libc::ECONNREFUSED);
    }
}

#[test]
fn the_host_may_choose_to_fire_twice() {
    for (mode, call) in [(Mode::Put, Call::Put), (Mode::Multipart, Call::Finish)] {
        let bench = Bench::with_blocks(1);
        let rule = Rule::on(call, Fault::Reset).at(Place::AfterExecuting);
        bench.emulator.rule(rule.nth(1));
        let client = bench.client_with(|config| config.callback_at_least_once = true);
        let result = client.upload(bench.request_with_policy(mode, 1));
        assert_eq!(bench.count(call), 2, "{call}: {}", told(&result));
        if call == Call::Put {
            assert_eq!(succeeded(result).callback, CallbackState::Delivered);
            assert_eq!(bench.fired(), 2);
        } else {
            // The upload was finished by the first, so that the second cannot fire.
            let error = result.expect_err("finished before");
            assert_eq!(error.report().object, ObjectState::Stored, "{error}");
            assert_eq!(error.report().callback, CallbackState::Unknown, "{error}");
            assert_eq!(bench.fired(), 1);
        }
        bench.assert_stored();
    }
}

#[test]
fn a_failed_callback_is_told_in_full_and_never_repeated() {
    let refused = "dial tcp 127.0.0.1:9: connect: connection refused";
    for (mode, call) in [(Mode::Put, Call::Put), (Mode::Multipart, Call::Finish)] {
        for again in [false, true] {
            let bench = Bench::with_parts(1);
            let url = format!("http://{}/json", bench.callbacks.address);
            let words = format!("send request error: Post {url}: {refused}");
            let fault = Fault::error(599, 20003, &words);
            bench.emulator.rule(Rule::on(Call::Callback, fault));
            let client = bench.client_with(|config| config.callback_at_least_once = again);
            let request = bench.request_with_policy(mode, 1);
            let error = client.upload(request).expect_err("599");
            assert_eq!(error.status(), Status::CallbackFailed, "{error}");
            let report = error.report();
            assert_eq!((report.http_status, report.ret_code), (599, 20003));
            assert_eq!(report.object, ObjectState::Stored);
            assert_eq!(report.callback, CallbackState::NotDelivered);
            assert_eq!(report.upload_id, None);
            assert!(report.session_id.is_some());
            assert!(error.message().contains(&words), "{error}");
            assert_eq!(bench.count(call), 1);
            bench.assert_stored();
        }
    }
}
