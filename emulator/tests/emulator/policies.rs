//! Policies as real clients write them, and successes without an ETag.

use crate::common::service::Service;
use crate::common::{ask, finish, initiate, put, send_parts, start};
use serde_json::json;
use us3_emulator::{Call, Emulator, EtagFault, Fault, Options, Rule, Shape};

fn service() -> Service {
    Service::start(200, "application/json", "{}")
}

/// The page's own example, with its blank after a colon.
fn page_example(service: &Service) -> String {
    let url = service.url("/callback");
    format!(
        r#"{{"callbackUrl":"{url}","callbackBody":"{{\"Name\":\"Alice\", \"Age\":20}}", "callbackBodyType": "application/json"}}"#
    )
}

#[test]
fn the_pages_example_is_taken_with_its_blanks() {
    let (emulator, service) = (start(), service());
    let policy = page_example(&service);
    put("k", "x")
        .policy(&policy)
        .send(emulator.address())
        .expect(200);
    let id = initiate(&emulator, "m");
    let etags = send_parts(&emulator, "m", &id, b"x");
    finish("m", &id, &etags)
        .policy(&policy)
        .send(emulator.address())
        .expect(200);
    assert_eq!(service.calls().len(), 2);
    assert_eq!(service.calls()[0].body, r#"{"Name":"Alice", "Age":20}"#);
}

#[test]
fn a_strict_emulator_refuses_blanks_before_anything_is_stored() {
    let service = service();
    let emulator = Emulator::start(Options {
        strict: true,
        ..Options::default()
    })
    .unwrap();
    let reply = put("k", "x")
        .policy(&page_example(&service))
        .send(emulator.address());
    reply.expect_error(400, -148660, "invalid put policy");
    assert!(emulator.state().objects.is_empty() && service.calls().is_empty());
}

fn compact(service: &Service) -> String {
    json!({ "callbackUrl": service.url("/") }).to_string()
}

#[test]
fn a_rule_takes_the_etag_from_a_success_with_a_policy_and_from_head() {
    let (emulator, service) = (start(), service());
    let shape = Shape {
        etag: Some(EtagFault::Missing),
        ..Shape::default()
    };
    for call in [Call::Put, Call::Head] {
        emulator.rule(Rule::on(call, Fault::alter(shape.clone())));
    }
    let stored = put("k", "x")
        .policy(&compact(&service))
        .send(emulator.address())
        .expect(200);
    assert_eq!(
        (stored.header("etag"), stored.text().as_str()),
        (None, "{}")
    );
    let head = ask("HEAD", "k").send(emulator.address()).expect(200);
    assert_eq!(
        (head.header("etag"), head.header("content-length")),
        (None, Some("1"))
    );
    assert!(head.header("last-modified").is_some());
}

#[test]
fn an_option_takes_the_etag_from_successes_with_a_policy_only() {
    let service = service();
    let emulator = Emulator::start(Options {
        no_etag_with_policy: true,
        ..Options::default()
    })
    .unwrap();
    let with = put("k", "x")
        .policy(&compact(&service))
        .send(emulator.address())
        .expect(200);
    assert_eq!(with.header("etag"), None);
    let without = put("k", "x").send(emulator.address()).expect(200);
    assert_eq!(without.etag(), crate::common::etag(b"x"));
}
