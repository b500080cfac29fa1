//! What time the service says it is, and how old its objects are.

use std::time::{Duration, SystemTime};

use crate::common::control::{ask_control, control};
use crate::common::{Ask, Client, Reply, ask, initiate, put, start};
use us3_emulator::{Emulator, Fault, Options, Place, Rule, Shape};

const HOUR: Duration = Duration::from_secs(3600);

/// How long before the service's own `Date` this header says it was.
fn ago(reply: &Reply, header: &str) -> Duration {
    let time = |name| httpdate::parse_http_date(reply.header(name).unwrap()).unwrap();
    time("date")
        .duration_since(time(header))
        .unwrap_or_default()
}

fn date(reply: &Reply) -> SystemTime {
    httpdate::parse_http_date(reply.header("date").unwrap_or_else(|| panic!("{reply:?}"))).unwrap()
}

#[test]
fn every_answer_has_the_date_of_the_emulators_clock() {
    let emulator = Emulator::start(Options {
        clock_skew_s: -3600,
        ..Options::default()
    })
    .unwrap();
    let id = initiate(&emulator, "m");
    let asks: [Ask; 10] = [
        put("k", "x"),
        put("k", "x").private_key("bad"),
        put("k", "x").policy("{}"),
        crate::common::part("m", &id, 0, "x"),
        crate::common::finish("m", &id, &["nonsense".into()]),
        ask("GET", "").query(format!("muploadpart&uploadId={id}")),
        ask("HEAD", "k"),
        ask("HEAD", "none"),
        ask("DELETE", "k"),
        ask("POST", "k"),
    ];
    let mut client = Client::connect(emulator.address());
    for fault in [
        None,
        Some(Fault::alter(Shape::default())),
        Some(Fault::status(503)),
    ] {
        emulator.clear_rules();
        fault.map(|fault| emulator.rule(Rule::any(fault).at(Place::AfterBody)));
        for ask in &asks {
            let told = date(&client.send(ask));
            let behind = SystemTime::now().duration_since(told).unwrap();
            assert!(
                (HOUR..HOUR + Duration::from_secs(20)).contains(&behind),
                "{behind:?}"
            );
        }
    }
}

#[test]
fn the_date_can_be_taken_out_of_an_answer() {
    let emulator = start();
    let headers = [("Date".to_string(), None)].into();
    let shape = Shape {
        headers,
        ..Shape::default()
    };
    emulator.rule(Rule::any(Fault::alter(shape)));
    assert_eq!(
        put("k", "x")
            .send(emulator.address())
            .expect(200)
            .header("date"),
        None
    );
}

#[test]
fn an_object_was_last_modified_when_it_was_stored() {
    let emulator = Emulator::start(Options {
        clock_skew_s: 7200,
        ..Options::default()
    })
    .unwrap();
    put("k", "x").send(emulator.address()).expect(200);
    let reply = ask("HEAD", "k").send(emulator.address()).expect(200);
    assert!(
        ago(&reply, "last-modified") < Duration::from_secs(20),
        "{reply:?}"
    );
}

#[test]
fn an_object_can_be_older_than_every_request() {
    let emulator = start();
    let state = emulator.put_object("a b", b"bytes", HOUR);
    assert_eq!(
        (state.size, state.etag.as_str()),
        (5, crate::common::etag(b"bytes").as_str())
    );
    assert!(emulator.requests().is_empty());
    let reply = ask("HEAD", "a b").send(emulator.address()).expect(200);
    assert!((HOUR..HOUR + Duration::from_secs(20)).contains(&ago(&reply, "last-modified")));
    assert_eq!(emulator.object_bytes("a b").unwrap(), b"bytes");
    put("a b", "bytes").send(emulator.address()).expect(200);
    let reply = ask("HEAD", "a b").send(emulator.address()).expect(200);
    assert!(ago(&reply, "last-modified") < Duration::from_secs(20));
}

#[test]
fn an_older_object_comes_through_the_control_listener() {
    let emulator = start();
    let bytes = vec![7; 3 << 20];
    let path = "/objects?key=a%20b&age_ms=3600000";
    control(emulator.control_address(), "POST", path, &bytes);
    assert_eq!(emulator.object_bytes("a b").unwrap(), bytes);
    let reply = ask("HEAD", "a b").send(emulator.address()).expect(200);
    assert!(ago(&reply, "last-modified") >= HOUR);
}

#[test]
fn an_object_that_cannot_be_is_refused_with_the_reason() {
    let emulator = start();
    for (query, why) in [
        ("", "no key"),
        ("?age_ms=5", "no key"),
        ("?key=", "invalid key"),
        ("?key=k&age_ms=old", "age_ms"),
        ("?key=k&age=5", "unknown parameter"),
    ] {
        let reply = ask_control(
            emulator.control_address(),
            "POST",
            &format!("/objects{query}"),
            "x",
        );
        assert_eq!(reply.status, 400, "{query}");
        assert!(reply.text().contains(why), "{}", reply.text());
    }
    assert!(emulator.state().objects.is_empty());
}
