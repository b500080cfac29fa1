//! Callbacks: both forms of the page, and every way for them to fail.

mod common;

use common::service::Service;
use common::{Reply, ask, finish, initiate, put, send_parts, start};
use serde_json::json;
use us3_emulator::{Emulator, Options};

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
    let etags = send_parts(&emulator, "k", &id, &common::content(200_000));
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
fn a_service_that_refuses_is_handed_through() {
    let (emulator, service) = (start(), Service::start(418, JSON, r#"{"teapot":true}"#));
    let reply = upload(&emulator, &service.url("/")).expect(418);
    assert_eq!(reply.text(), r#"{"teapot":true}"#);
    assert!(emulator.object("k").is_some());
}

#[test]
fn a_service_that_hangs_up_or_is_slow() {
    let options = Options {
        callback_timeout: std::time::Duration::from_millis(100),
        ..Options::default()
    };
    let emulator = Emulator::start(options).unwrap();
    let silent = Service::start_raw(String::new());
    let url = silent.url("/");
    upload(&emulator, &url).expect_error(
        599,
        20003,
        &format!("send request error: Post {url}: EOF"),
    );
    let sleeping = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", sleeping.local_addr().unwrap());
    assert!(
        upload(&emulator, &url)
            .expect(599)
            .text()
            .contains("Client.Timeout")
    );
}

#[test]
fn a_client_that_leaves_does_not_undo_anything() {
    let (emulator, service) = (start(), Service::start(200, JSON, "{}"));
    let ask = ask("PUT", "k")
        .policy(&policy(&service.url("/")))
        .body("bytes");
    let mut client = common::Client::connect(emulator.address());
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
    let address = common::tls::serve(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{\"tls\":1}",
    );
    let reply = upload(&emulator, &format!("https://127.0.0.1:{}/", address.port()));
    assert_eq!(reply.expect(200).text(), "{\"tls\":1}");
    let plain = Service::start(200, JSON, "{}");
    let reply = upload(&emulator, &format!("https://{}/", plain.address)).expect(599);
    assert_eq!(reply.json()["RetCode"], 20003);
}
