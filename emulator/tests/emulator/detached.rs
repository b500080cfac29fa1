//! Requests that go on executing after their connection met its fault.

use std::time::Duration;

use crate::common::control::control;
use crate::common::service::Service;
use crate::common::{Ask, Client, ask, content, finish, initiate, put, send_parts, start};
use serde_json::json;
use us3_emulator::{Call, Emulator, Fault, Gateway, Place, Rule, Shape, State, Then};

const PATIENCE: Duration = Duration::from_secs(10);
/// Ends only because somebody ends it.
const FOR_EVER: Duration = Duration::from_secs(3600);

fn detached(fault: Fault, after: Duration) -> Rule {
    Rule::any(fault)
        .at(Place::AfterBody)
        .detached(after)
        .times(1)
}

fn send(client: &mut Client, ask: &Ask) {
    client
        .write(&[ask.head().as_bytes(), ask.content()].concat())
        .unwrap();
}

fn policy(service: &Service) -> String {
    json!({ "callbackUrl": service.url("/"), "callbackBody": "{}", "callbackBodyType": "application/json" }).to_string()
}

fn waiting(emulator: &Emulator) -> State {
    emulator
        .wait_until(PATIENCE, |state| {
            state.detached == 1 && state.connections_open == 0
        })
        .unwrap()
}

fn quiet(emulator: &Emulator) -> State {
    emulator
        .wait_until(PATIENCE, |state| state.in_flight == 0)
        .unwrap()
}

#[test]
fn a_put_goes_on_after_its_connection_ended() {
    for fault in [Fault::Reset, Fault::Close, Fault::Drop] {
        let (emulator, service) = (start(), Service::start(200, "application/json", "{}"));
        emulator.rule(detached(fault.clone(), Duration::from_millis(1)));
        let mut client = Client::connect(emulator.address());
        let body = content(100_000);
        send(
            &mut client,
            &put("k", body.clone()).policy(&policy(&service)),
        );
        client.see_the_end();
        let state = quiet(&emulator);
        assert_eq!(emulator.object_bytes("k").unwrap(), body, "{fault:?}");
        assert_eq!((service.calls().len(), state.detached), (1, 0));
        let seen = &state.requests[0];
        assert_eq!((seen.status, seen.detached_status), (None, Some(200)));
    }
}

#[test]
fn the_connection_ends_while_the_request_is_still_to_run() {
    let emulator = start();
    emulator.rule(detached(Fault::Reset, FOR_EVER));
    let mut client = Client::connect(emulator.address());
    send(&mut client, &put("k", "x"));
    client.see_the_end();
    let state = waiting(&emulator);
    assert_eq!(state.in_flight, 1);
    assert!(state.objects.is_empty());
}

#[test]
fn a_finish_goes_on_after_an_answer_and_its_connection_serves_the_next_request() {
    let emulator = start();
    let id = initiate(&emulator, "k");
    let body = content(100_000);
    let etags = send_parts(&emulator, "k", &id, &body);
    emulator.rule(detached(Fault::status(504), Duration::from_millis(100)));
    let mut client = Client::connect(emulator.address());
    client.send(&finish("k", &id, &etags)).expect(504);
    client.send(&ask("HEAD", "other")).expect(404);
    quiet(&emulator);
    client.send(&ask("HEAD", "k")).expect(200);
    assert_eq!(emulator.object_bytes("k").unwrap(), body);
    assert!(emulator.state().uploads.is_empty());
}

#[test]
fn a_request_without_a_body_goes_on_as_well() {
    let emulator = start();
    let id = initiate(&emulator, "k");
    emulator.rule(detached(Fault::Reset, Duration::ZERO));
    let mut client = Client::connect(emulator.address());
    send(
        &mut client,
        &ask("DELETE", "k").query(format!("uploadId={id}")),
    );
    client.see_the_end();
    let state = quiet(&emulator);
    assert!(state.uploads.is_empty());
    assert_eq!(state.requests[1].detached_status, Some(204));
}

#[test]
fn a_request_that_is_refused_in_the_background_stores_nothing() {
    let emulator = start();
    emulator.rule(detached(Fault::Reset, Duration::ZERO));
    let mut client = Client::connect(emulator.address());
    send(&mut client, &put("k", "x").private_key("bad"));
    client.see_the_end();
    let state = quiet(&emulator);
    assert_eq!(state.requests[0].detached_status, Some(403));
    assert!(state.objects.is_empty());
}

#[test]
fn a_gateways_page_comes_before_the_service_has_run() {
    let emulator = start();
    let gateway = Gateway::new(504).then(Then::Reset);
    emulator.rule(detached(Fault::Gateway(gateway), Duration::from_millis(1)));
    let mut client = Client::connect(emulator.address());
    send(&mut client, &put("k", "x"));
    assert_eq!(client.read("PUT").unwrap().status, 504);
    client.see_the_end();
    let state = quiet(&emulator);
    assert_eq!(emulator.object_bytes("k").unwrap(), b"x");
    let seen = &state.requests[0];
    assert_eq!((seen.status, seen.detached_status), (Some(504), Some(200)));
}

#[test]
fn an_idle_end_comes_while_the_request_goes_on() {
    let emulator = start();
    let idle = Then::Idle {
        ms: 1,
        end: us3_emulator::End::Drop,
    };
    emulator.rule(detached(
        Fault::answer(Shape::default().then(idle)),
        FOR_EVER,
    ));
    let mut client = Client::connect(emulator.address());
    client.send(&put("k", "x")).expect(200);
    client.see_the_end();
    assert!(waiting(&emulator).objects.is_empty());
}

#[test]
fn a_reset_stops_a_request_that_waits() {
    let emulator = start();
    emulator.rule(detached(Fault::Reset, FOR_EVER));
    let mut client = Client::connect(emulator.address());
    send(&mut client, &put("k", "x"));
    client.see_the_end();
    waiting(&emulator);
    emulator.reset();
    let state = emulator.state();
    assert_eq!((state.detached, state.in_flight), (0, 0));
    assert!(state.objects.is_empty() && state.requests.is_empty());
}

#[test]
fn a_reset_stops_a_request_before_its_callback_is_sent() {
    let (emulator, service) = (start(), Service::start(200, "application/json", "{}"));
    emulator.rule(detached(Fault::Reset, Duration::ZERO));
    emulator.rule(Rule::on(Call::Callback, Fault::stall()));
    let mut client = Client::connect(emulator.address());
    send(&mut client, &put("k", "x").policy(&policy(&service)));
    emulator
        .wait_until(PATIENCE, |state| {
            state.rules.get(1).is_some_and(|rule| rule.stalled == 1)
        })
        .unwrap();
    assert_eq!(emulator.state().objects.len(), 1);
    emulator.reset();
    let state = emulator.state();
    assert_eq!((state.detached, state.in_flight), (0, 0));
    assert!(state.objects.is_empty() && state.callbacks.is_empty());
    assert!(service.calls().is_empty());
}

#[test]
fn a_reset_stops_requests_that_have_yet_to_leave_their_connection() {
    let emulator = start();
    emulator.rule(detached(Fault::Reset, Duration::ZERO));
    let mut client = Client::connect(emulator.address());
    let upload = put("k", "xy");
    client.write(upload.head().as_bytes()).unwrap();
    client.write(b"x").unwrap();
    emulator
        .wait_until(PATIENCE, |state| {
            state
                .requests
                .first()
                .is_some_and(|seen| seen.body_received == 1)
        })
        .unwrap();
    control(emulator.control_address(), "POST", "/reset", "");
    client.write(b"y").unwrap();
    client.see_the_end();
    assert!(quiet(&emulator).objects.is_empty());
}

#[test]
fn a_rule_with_detached_comes_as_json() {
    let emulator = start();
    let rule = r#"{"call":"put","at":"after_body","fault":"reset","detached":1}"#;
    control(emulator.control_address(), "POST", "/rules", rule);
    assert_eq!(emulator.rules()[0].rule.detached, Some(1));
    assert_eq!(
        serde_json::to_value(&emulator.rules()[0].rule).unwrap()["detached"],
        1
    );
    assert_eq!(emulator.rules()[0].rule.call, Some(Call::Put));
}
