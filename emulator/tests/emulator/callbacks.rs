//! Callbacks: both forms of the page, and every way for them to fail.

use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::common::service::{self, Service};
use crate::common::{Reply, ask, finish, initiate, put, send_parts, start};
use serde_json::json;
use us3_emulator::{Call, Emulator, Fault, Options, Place, Rule};

const JSON: &str = "application/json";

fn policy(url: &str) -> String {
    json!({ "callbackUrl": url, "callbackBody": "{\"Name\":\"$(x:name)\", \"Age\":20}", "callbackBodyType": JSON,
            "callbackVar": { "x:name": "Alice" } })
    .to_string()
}

fn upload(emulator: &Emulator, url: &str) -> Reply {
    put("k", "bytes")
        .policy(&policy(url))
        .send(emulator.address())
}

#[test]
fn the_body_form() {
    let (emulator, service) = (
        start(),
        Service::start(200, "application/json; charset=utf-8", r#"{"hello":1}"#),
    );
    let reply = upload(&emulator, &service.url("/path?q=1")).expect(200);
    assert_eq!(reply.text(), r#"{"hello":1}"#);
    assert_eq!(reply.etag(), emulator.object("k").unwrap().etag);
    let calls = service.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].line, "POST /path?q=1 HTTP/1.1");
    assert_eq!(calls[0].body, r#"{"Name":"Alice", "Age":20}"#);
    assert_eq!(calls[0].header("content-type"), Some(JSON));
    assert_eq!(
        calls[0].header("host"),
        Some(service.address.to_string().as_str())
    );
    let seen = &emulator.callbacks()[0];
    assert_eq!(
        (seen.method.as_str(), seen.status, seen.error.clone()),
        ("POST", Some(200), None)
    );
    assert_eq!(
        (seen.url.clone(), seen.query.as_str()),
        (service.url("/path"), "q=1")
    );
    assert_eq!((seen.key.as_str(), seen.content_type.as_str()), ("k", JSON));
    assert_eq!(seen.request, emulator.requests()[0].sequence);
    assert!(emulator.requests()[0].has_policy);
}

#[test]
fn the_query_form_through_finish() {
    let (emulator, service) = (start(), Service::start(201, JSON, "[]"));
    let id = initiate(&emulator, "k");
    let etags = send_parts(&emulator, "k", &id, &crate::common::content(200_000));
    let policy = json!({ "callbackUrl": service.url("/p?a=b"), "callbackBody": "Name=$(x:name)&Age=$(x:age)",
                         "callbackVar": { "x:name": "Alice", "x:age": "20" } });
    let reply = finish("k", &id, &etags)
        .policy(&policy.to_string())
        .send(emulator.address())
        .expect(200);
    assert_eq!(reply.text(), "[]");
    let call = &service.calls()[0];
    assert_eq!(call.line, "POST /p?a=b&Name=Alice&Age=20 HTTP/1.1");
    assert_eq!(
        (call.body.as_str(), call.header("content-type")),
        ("", None)
    );
    assert_eq!(emulator.object("k").unwrap().size, 200_000);
}

#[test]
fn a_service_that_is_down() {
    let emulator = start();
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{closed}/path");
    let message = format!(
        "send request error: Post {url}: dial tcp {closed}: getsockopt: connection refused"
    );
    upload(&emulator, &url).expect_error(599, 20003, &message);
    assert_eq!(
        emulator.object_bytes("k").unwrap(),
        b"bytes",
        "599 means stored"
    );
    assert_eq!(
        emulator.callbacks()[0].error.as_deref(),
        Some(message.as_str())
    );
    let reply = upload(&emulator, "http://no-such-host.invalid/");
    assert!(reply.expect(599).text().contains("no such host"));
}

#[test]
fn a_service_that_does_not_answer_json() {
    let emulator = start();
    let text = Service::start(200, "text/plain; charset=utf-8", "{}");
    let message = "expect json, but received text/plain; charset=utf-8";
    upload(&emulator, &text.url("/")).expect_error(599, 20008, message);
    let garbage = Service::start(200, JSON, "{'a':1}");
    let message = "expect json, but the response body is not a strict json string";
    upload(&emulator, &garbage.url("/")).expect_error(599, 20008, message);
    let empty = Service::start(200, JSON, "");
    upload(&emulator, &empty.url("/")).expect_error(599, 20008, message);
    assert!(emulator.object("k").is_some());
    assert_eq!(emulator.callbacks().len(), 3);
}

#[test]
fn what_a_service_answers_is_handed_through_whatever_its_status() {
    let emulator = start();
    for (status, body) in [
        (302, r#"{"moved":true}"#),
        (400, r#"{"RetCode":-148653,"ErrMsg":"bucket not exists"}"#),
        (401, "[]"),
        (403, r#"{"RetCode":-148643,"ErrMsg":"mine"}"#),
        (404, r#"{"error":"no such order"}"#),
        (418, r#"{"teapot":true}"#),
        (500, r#"{"RetCode":1,"ErrMsg":"broken"}"#),
        (502, "null"),
        (503, r#"{"RetCode":17,"ErrMsg":"busy"}"#),
        (599, r#"{"RetCode":20003,"ErrMsg":"also mine"}"#),
    ] {
        let service = Service::start(status, JSON, body);
        let reply = upload(&emulator, &service.url("/")).expect(status);
        assert_eq!((reply.text().as_str(), service.calls().len()), (body, 1));
        assert!(emulator.object("k").is_some(), "{status}");
        let sent = emulator.callbacks().pop().unwrap();
        assert_eq!((sent.status, sent.error), (Some(status), None));
        emulator.reset();
    }
}

#[test]
fn every_success_of_a_service_is_a_200() {
    let emulator = start();
    for status in [200, 201, 202, 299] {
        let service = Service::start(status, JSON, "{}");
        let reply = upload(&emulator, &service.url("/")).expect(200);
        assert_eq!(reply.etag(), emulator.object("k").unwrap().etag);
    }
}

#[test]
fn a_status_without_json_is_not_handed_through() {
    let (emulator, service) = (start(), Service::start(502, "text/html", "<html>"));
    let message = "expect json, but received text/html";
    upload(&emulator, &service.url("/")).expect_error(599, 20008, message);
}

#[test]
fn a_callback_can_run_and_be_answered_otherwise() {
    let (emulator, service) = (start(), Service::start(200, JSON, r#"{"real":1}"#));
    let busy = Fault::error(503, 17, "busy");
    emulator.rule(Rule::on(Call::Callback, busy).at(Place::AfterExecuting));
    upload(&emulator, &service.url("/")).expect_error(503, 17, "busy");
    assert_eq!(service.calls().len(), 1);
    let sent = &emulator.callbacks()[0];
    assert_eq!(sent.reply.as_deref(), Some(r#"{"real":1}"#));
    assert_eq!(sent.rule, Some(1));
}

/// An upload to a service that this function serves, and the text about it.
fn lost_to(timeout_ms: u64, serve: fn(TcpStream)) -> String {
    let options = Options {
        callback_timeout: Duration::from_millis(timeout_ms),
        ..Options::default()
    };
    let emulator = Emulator::start(options).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let service = thread::spawn(move || serve(listener.accept().unwrap().0));
    let reply = upload(&emulator, &url).expect(599);
    service.join().unwrap();
    assert_eq!(reply.json()["RetCode"], 20003);
    assert!(emulator.object("k").is_some());
    let text = reply.json()["ErrMsg"].as_str().unwrap().to_string();
    let why = text.strip_prefix(&format!("send request error: Post {url}: "));
    why.unwrap_or_else(|| panic!("{text}")).into()
}

fn take(socket: &TcpStream) {
    service::read(&mut BufReader::new(socket));
}

#[test]
fn a_service_that_hangs_up_is_an_eof() {
    assert_eq!(lost_to(30_000, |socket| take(&socket)), "EOF");
}

#[test]
fn a_service_that_resets_is_a_read_error() {
    let why = lost_to(30_000, |socket| {
        take(&socket);
        let no_linger = Some(Duration::ZERO);
        socket2::SockRef::from(&socket)
            .set_linger(no_linger)
            .unwrap();
    });
    assert!(why.starts_with("read tcp 127.0.0.1:"), "{why}");
    assert!(why.ends_with(": read: connection reset by peer"), "{why}");
}

#[test]
fn a_service_that_is_slow_is_a_timeout_while_awaiting_headers() {
    let why = lost_to(300, |mut socket| {
        // Until the emulator has given up.
        let _ = socket.read_to_end(&mut Vec::new());
    });
    let text = "net/http: request canceled (Client.Timeout exceeded while awaiting headers)";
    assert_eq!(why, text);
}

#[test]
fn a_service_that_stops_within_its_answer_is_a_timeout_while_reading_the_body() {
    let why = lost_to(1000, |mut socket| {
        take(&socket);
        socket
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
            .unwrap();
        let _ = socket.read_to_end(&mut Vec::new());
    });
    let text = "net/http: request canceled (Client.Timeout exceeded while reading body)";
    assert_eq!(why, text);
}

#[test]
fn a_callback_that_a_rule_resets_is_worded_like_a_real_one() {
    let emulator = start();
    emulator.rule(Rule::on(Call::Callback, Fault::Reset));
    let url = "http://127.0.0.1:9/";
    let text = "read tcp 127.0.0.1:0->127.0.0.1:9: read: connection reset by peer";
    upload(&emulator, url).expect_error(
        599,
        20003,
        &format!("send request error: Post {url}: {text}"),
    );
}

#[test]
fn a_client_that_leaves_does_not_undo_anything() {
    let (emulator, service) = (start(), Service::start(200, JSON, "{}"));
    let ask = ask("PUT", "k")
        .policy(&policy(&service.url("/")))
        .body("bytes");
    let mut client = crate::common::Client::connect(emulator.address());
    client
        .write(&[ask.head().as_bytes(), b"bytes"].concat())
        .unwrap();
    drop(client);
    let state = emulator.wait_until(std::time::Duration::from_secs(5), |state| {
        state.callbacks.len() == 1
    });
    assert_eq!(state.unwrap().objects.len(), 1);
}

#[test]
fn https_with_any_certificate() {
    let emulator = start();
    let address = crate::common::tls::serve(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{\"tls\":1}",
    );
    let reply = upload(&emulator, &format!("https://127.0.0.1:{}/", address.port()));
    assert_eq!(reply.expect(200).text(), "{\"tls\":1}");
    let plain = Service::start(200, JSON, "{}");
    let reply = upload(&emulator, &format!("https://{}/", plain.address)).expect(599);
    assert_eq!(reply.json()["RetCode"], 20003);
}
