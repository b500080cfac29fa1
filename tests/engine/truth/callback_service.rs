//! The callback service's own answers, handed through: the object is stored, and nothing is sent again.

use std::net::{SocketAddr, TcpListener};

use us3::error::{CallbackState, ObjectState, Status};
use us3::upload::Mode;
use us3_emulator::{Call, Fault, Place, Rule};

use crate::support::bench::{Bench, succeeded};
use crate::support::{HandMade, json_policy, read_request, reply, scripted};
use crate::truth::STORING;
use crate::truth::honest::{STORED, agrees, failed};

const FORM: &str = r#"{"RetCode":17,"ErrMsg":"out of order"}"#;

/// A callback service that answers this to everything.
fn always(status: &str, headers: &str, body: &str) -> HandMade {
    let answer = reply(status, headers, body);
    scripted(move |_| answer.clone())
}

fn json(status: &str, body: &str) -> HandMade {
    always(status, "Content-Type: application/json\r\n", body)
}

/// Uploads with both requests to a callback service; the errors.
fn upload_to(callbacks: impl Fn() -> HandMade, check: impl Fn(&us3::error::Error)) {
    for (mode, call) in STORING {
        let mut bench = Bench::with_blocks(1);
        bench.callbacks = callbacks();
        let result = bench.client().upload(bench.request_with_policy(mode, 1));
        agrees(&bench, &result);
        check(&failed(result, STORED));
        assert_eq!((bench.count(call), bench.fired()), (1, 1), "{call}");
    }
}

#[test]
fn an_error_in_the_services_own_form_is_a_failed_callback_and_called_once() {
    for status in [
        "400 Bad Request",
        "404 Not Found",
        "429 Too Many Requests",
        "500 Internal Server Error",
        "503 Service Unavailable",
    ] {
        upload_to(
            || json(status, FORM),
            |error| {
                assert_eq!(error.status(), Status::CallbackFailed, "{error}");
                assert_eq!(error.report().ret_code, 17, "{error}");
            },
        );
    }
}

#[test]
fn an_error_as_other_json_is_a_failed_callback_and_called_once() {
    for status in [
        "400 Bad Request",
        "404 Not Found",
        "500 Internal Server Error",
    ] {
        upload_to(
            || json(status, r#"{"error":"no such user"}"#),
            |error| assert_eq!(error.status(), Status::CallbackFailed, "{error}"),
        );
    }
}

/// The object is stored and the callback service has answered; what is handed through. The errors.
fn handed_through(answer: &Fault, check: impl Fn(&us3::error::Error)) {
    for (mode, call) in STORING {
        let bench = Bench::with_blocks(1);
        let rule = Rule::on(call, answer.clone()).at(Place::AfterExecuting);
        bench.emulator.rule(rule);
        let result = bench.client().upload(bench.request_with_policy(mode, 1));
        agrees(&bench, &result);
        check(&failed(result, STORED));
        assert_eq!((bench.count(call), bench.fired()), (1, 1), "{call}");
    }
}

#[test]
fn a_redirect_is_a_failed_callback_and_does_not_blame_the_address_of_the_service() {
    handed_through(&Fault::redirect("http://elsewhere.example/"), |error| {
        assert_eq!(error.status(), Status::CallbackFailed, "{error}");
        for blamed in ["file_host", "endpoint"] {
            assert!(!error.message().contains(blamed), "{error}");
        }
    });
}

#[test]
fn a_page_of_html_is_not_taken_for_the_callback_services_answer() {
    for status in [400, 404, 500] {
        handed_through(&Fault::gateway(status), |error| {
            assert_eq!(error.status(), Status::ServiceError, "{error}");
        });
    }
}

#[test]
fn a_redirect_before_the_request_ran_names_the_setting_that_may_be_wrong() {
    for (mode, call) in STORING {
        let bench = Bench::with_parts(1);
        let redirect = Fault::redirect("http://elsewhere.example/");
        bench.emulator.rule(Rule::on(call, redirect));
        let result = bench.client().upload(bench.request_with_policy(mode, 1));
        agrees(&bench, &result);
        let error = result.expect_err("a redirect");
        assert!(error.message().contains("endpoint"), "{error}");
    }
}

#[test]
fn a_service_under_pressure_that_stored_nothing_is_asked_again() {
    for (mode, call) in STORING {
        for status in [429, 500, 503] {
            let bench = Bench::with_blocks(1);
            let pressed = Fault::error(status, -190_503, "too many requests");
            bench.emulator.rule(Rule::on(call, pressed).nth(1));
            let result = bench.client().upload(bench.request_with_policy(mode, 1));
            agrees(&bench, &result);
            assert_eq!(succeeded(result).callback, CallbackState::Delivered);
            assert_eq!((bench.count(call), bench.fired()), (2, 1), "{call}");
        }
    }
}

/// Uploads, with this callback service; what is said of the callback.
fn told_of(callbacks: HandMade) -> CallbackState {
    let mut bench = Bench::with_parts(1);
    bench.callbacks = callbacks;
    let request = bench.request_with_policy(Mode::Put, 1);
    let error = bench.client().upload(request).expect_err("599");
    assert_eq!(error.status(), Status::CallbackFailed, "{error}");
    assert_eq!(error.report().object, ObjectState::Stored, "{error}");
    assert_eq!(bench.count(Call::Put), 1, "{error}");
    error.report().callback
}

#[test]
fn a_callback_service_that_hangs_up_may_have_run() {
    let hangs_up = HandMade::start(|mut stream| {
        read_request(&mut stream);
    });
    assert_eq!(told_of(hangs_up), CallbackState::Unknown);
}

#[test]
fn a_reply_that_the_service_refuses_ran() {
    let plain = || always("200 OK", "Content-Type: text/plain\r\n", "done");
    assert_eq!(told_of(plain()), CallbackState::ReplyRefused);
    assert_eq!(
        told_of(json("200 OK", "{done}")),
        CallbackState::ReplyRefused
    );
}

/// An address at which nobody listens.
fn silent_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listener");
    listener.local_addr().expect("address")
}

#[test]
fn a_callback_service_that_does_not_listen_did_not_run() {
    let bench = Bench::with_parts(1);
    let mut request = bench.request_with_policy(Mode::Put, 1);
    request.policy = Some(json_policy(silent_address()));
    let error = bench.client().upload(request).expect_err("599");
    assert_eq!(error.status(), Status::CallbackFailed, "{error}");
    assert_eq!(error.report().object, ObjectState::Stored, "{error}");
    assert_eq!(
        error.report().callback,
        CallbackState::NotDelivered,
        "{error}"
    );
}

#[test]
fn only_a_failed_dial_to_the_policys_own_url_says_that_the_callback_did_not_run() {
    use CallbackState::{NotDelivered, ReplyRefused, Unknown};
    let timed_out = "net/http: request canceled (Client.Timeout exceeded while awaiting headers)";
    let reset = "read tcp 10.0.0.2:1->10.0.0.1:2: read: connection reset by peer";
    for (ret_code, url, reason, expected) in [
        (
            20003,
            "OWN",
            "dial tcp 10.0.0.1:9: getsockopt: connection refused",
            NotDelivered,
        ),
        (
            20003,
            "OWN",
            "dial tcp 10.0.0.1:9: i/o timeout",
            NotDelivered,
        ),
        (
            20003,
            "OWN",
            "dial tcp: lookup cb.example: no such host",
            NotDelivered,
        ),
        (20003, "OWN", "EOF", Unknown),
        (20003, "OWN", timed_out, Unknown),
        (20003, "OWN", reset, Unknown),
        (
            20003,
            "http://other.example/",
            "dial tcp 10.0.0.1:9: connect: connection refused",
            Unknown,
        ),
        (
            20008,
            "OWN",
            "expect json, but received text/plain",
            ReplyRefused,
        ),
    ] {
        let bench = Bench::with_parts(1);
        let own = format!("http://{}/json", bench.callbacks.address);
        let url = if url == "OWN" { own.as_str() } else { url };
        let words = format!("send request error: Post {url}: {reason}");
        let fault = Fault::error(599, ret_code, &words);
        bench.emulator.rule(Rule::on(Call::Callback, fault));
        let request = bench.request_with_policy(Mode::Put, 1);
        let error = bench.client().upload(request).expect_err("599");
        assert_eq!(error.status(), Status::CallbackFailed, "{error}");
        assert_eq!(error.report().object, ObjectState::Stored, "{error}");
        assert_eq!(error.report().callback, expected, "{error}");
    }
}
