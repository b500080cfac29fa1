//! Tokens with separate rights, and a service that takes only so many requests.

use crate::common::control::{ask_control, control};
use crate::common::{Ask, Client, ask, content, finish, initiate, part, put, send_parts, start};
use us3_emulator::{Emulator, Options, Right, Rights};

const RIGHTS: [Right; 4] = [Right::Read, Right::Write, Right::Delete, Right::List];

/// One request of each call, with the right that it needs.
fn asks(id: &str) -> [(Ask, Right); 10] {
    [
        (put("k", "x"), Right::Write),
        (ask("POST", "k").query("uploads"), Right::Write),
        (part("m", id, 0, "x"), Right::Write),
        (finish("m", id, &["nonsense".into()]), Right::Write),
        (ask("HEAD", "k"), Right::Read),
        (ask("GET", "k"), Right::Read),
        (ask("GET", "").query("muploadid"), Right::List),
        (
            ask("GET", "").query(format!("muploadpart&uploadId={id}")),
            Right::List,
        ),
        (
            ask("DELETE", "m").query(format!("uploadId={id}")),
            Right::Delete,
        ),
        (ask("DELETE", "k"), Right::Delete),
    ]
}

#[test]
fn each_call_needs_its_right_and_no_other() {
    for given in RIGHTS {
        let emulator = start();
        let id = initiate(&emulator, "m");
        emulator.put_object("k", b"x", Default::default());
        emulator.set_rights(Rights::only(&[given]));
        let mut client = Client::connect(emulator.address());
        for (ask, needed) in asks(&id) {
            let reply = client.send(&ask);
            assert_eq!(
                reply.status == 403,
                needed != given,
                "{given:?} {}",
                ask.head()
            );
        }
    }
}

#[test]
fn a_lacking_right_is_refused_in_the_services_form() {
    let emulator = Emulator::start(Options {
        rights: Rights::NONE,
        ..Options::default()
    })
    .unwrap();
    let mut client = Client::connect(emulator.address());
    let reply = client.send(&put("k", content(5 << 20)));
    reply.expect_error(403, -190403, "permission denied");
    let head = client.send(&ask("HEAD", "k")).expect(403);
    assert!(head.body.is_empty());
    let state = emulator.state();
    assert_eq!(state.requests[0].ret_code, Some(-190403));
    assert!(state.objects.is_empty());
    assert_eq!(state.connections_accepted, 1);
}

#[test]
fn who_cannot_be_told_apart_is_refused_for_that_first() {
    let emulator = start();
    emulator.set_rights(Rights::NONE);
    let reply = put("k", "x").private_key("bad").send(emulator.address());
    reply.expect_error(403, -148643, "invalid signature");
}

#[test]
fn rights_are_taken_and_given_back_through_the_control_listener() {
    let emulator = start();
    control(emulator.control_address(), "POST", "/rights", r#"["read"]"#);
    put("k", "x").send(emulator.address()).expect(403);
    ask("HEAD", "k").send(emulator.address()).expect(404);
    control(emulator.control_address(), "POST", "/reset", "");
    put("k", "x").send(emulator.address()).expect(200);
    for wrong in [r#"["reed"]"#, "{}", ""] {
        let reply = ask_control(emulator.control_address(), "POST", "/rights", wrong);
        assert_eq!(reply.status, 400, "{wrong}");
        assert!(
            reply.text().contains("not a list of rights"),
            "{}",
            reply.text()
        );
    }
}

#[test]
fn more_requests_than_are_taken_get_a_503_and_do_nothing() {
    let emulator = start();
    let id = initiate(&emulator, "m");
    let etags = send_parts(&emulator, "m", &id, b"x");
    emulator.set_requests_per_second(Some(0));
    let mut client = Client::connect(emulator.address());
    for ask in [put("k", content(5 << 20)), finish("m", &id, &etags)] {
        client
            .send(&ask)
            .expect_error(503, -190503, "too many requests");
    }
    client.send(&ask("HEAD", "k")).expect(503);
    let state = emulator.state();
    assert_eq!((state.objects.len(), state.uploads.len()), (0, 1));
    assert_eq!(state.requests[2].body_received, 5 << 20);
    emulator.set_requests_per_second(None);
    client.send(&finish("m", &id, &etags)).expect(200);
}

#[test]
fn a_busy_service_takes_some_requests_and_refuses_others() {
    let emulator = Emulator::start(Options {
        requests_per_second: Some(3),
        ..Options::default()
    })
    .unwrap();
    let mut client = Client::connect(emulator.address());
    let first: Vec<u16> = (0..3).map(|_| client.send(&put("k", "x")).status).collect();
    assert_eq!(first, [200, 200, 200]);
    // Far more than three in a second.
    assert!((0..1000).any(|_| client.send(&put("k", "x")).status == 503));
}

#[test]
fn pressure_comes_and_goes_through_the_control_listener() {
    let emulator = start();
    let set = |body: &str| control(emulator.control_address(), "POST", "/pressure", body);
    set(r#"{"requests_per_second":0}"#);
    put("k", "x").send(emulator.address()).expect(503);
    set(r#"{"requests_per_second":null}"#);
    put("k", "x").send(emulator.address()).expect(200);
    for wrong in ["{}", "5", r#"{"requests_per_second":-1}"#] {
        let reply = ask_control(emulator.control_address(), "POST", "/pressure", wrong);
        assert_eq!(reply.status, 400, "{wrong}");
    }
}
