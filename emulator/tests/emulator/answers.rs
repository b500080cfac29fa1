//! Answers that are wrong, slow, endless or cut short, and the faults of callbacks.

use std::io::{BufRead, Read};
use std::time::{Duration, Instant};

use crate::common::control::ask_control;
use crate::common::service::Service;
use crate::common::{Client, Reply, ask, content, initiate, put, start};
use serde_json::json;
use us3_emulator::{Call, Drip, Emulator, EtagFault, Fault, Place, Rule, Shape, Then};

fn alter(emulator: &Emulator, shape: Shape) {
    emulator.clear_rules();
    emulator.rule(Rule::any(Fault::alter(shape)));
}

/// A put whose answer is altered, on a connection that goes on.
fn altered(client: &mut Client, emulator: &Emulator, shape: Shape) -> Reply {
    alter(emulator, shape);
    let reply = client.send(&put("k", "x"));
    assert_eq!(emulator.object_bytes("k").unwrap(), b"x");
    reply
}

#[test]
fn etags() {
    let emulator = start();
    let mut client = Client::connect(emulator.address());
    let right = client.send(&put("k", "x")).expect(200).etag();
    let mut etag = |fault| {
        let reply = altered(
            &mut client,
            &emulator,
            Shape {
                etag: Some(fault),
                ..Shape::default()
            },
        )
        .expect(200);
        reply
            .headers
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("etag"))
    };
    assert_eq!(etag(EtagFault::Missing), None);
    assert_eq!(
        etag(EtagFault::Unquoted),
        Some(("ETag".into(), right.clone()))
    );
    assert_eq!(
        etag(EtagFault::LowerCase),
        Some(("etag".into(), format!("\"{right}\"")))
    );
    assert_eq!(
        etag(EtagFault::Value("nonsense".into())),
        Some(("ETag".into(), "nonsense".into()))
    );
    let (_, wrong) = etag(EtagFault::Wrong).unwrap();
    assert!(
        wrong.len() == right.len() + 2 && wrong.trim_matches('"') != right,
        "{wrong}"
    );
    assert_eq!(emulator.state().connections_accepted, 1);
}

#[test]
fn heads_and_bodies() {
    let emulator = start();
    let mut client = Client::connect(emulator.address());
    let shape = Shape {
        status: Some(299),
        body: Some("garbage".into()),
        lower_case: true,
        ..Shape::default()
    };
    let reply = altered(&mut client, &emulator, shape.header("X-Odd", "1"));
    assert_eq!(
        (reply.status, reply.text().as_str(), reply.header("x-odd")),
        (299, "garbage", Some("1"))
    );
    assert!(
        reply
            .headers
            .iter()
            .all(|(name, _)| *name == name.to_lowercase())
    );

    let shape = Shape {
        headers: [("x-sessionid".to_string(), None)].into(),
        ..Shape::default()
    };
    assert_eq!(
        altered(&mut client, &emulator, shape).header("x-sessionid"),
        None
    );

    let shape = Shape {
        status_line: Some("NONSENSE".into()),
        ..Shape::default()
    };
    assert_eq!(
        altered(&mut client, &emulator, shape).status_line,
        "NONSENSE"
    );

    alter(
        &emulator,
        Shape {
            json: json!({ "BlkSize": 0, "Bucket": null })
                .as_object()
                .unwrap()
                .clone(),
            ..Shape::default()
        },
    );
    let initiated = client
        .send(&ask("POST", "k").query("uploads"))
        .expect(200)
        .json();
    assert_eq!(
        (&initiated["BlkSize"], &initiated["Bucket"]),
        (&0.into(), &json!(null))
    );
    assert_eq!(initiated["UploadId"], emulator.state().uploads[0].upload_id);

    alter(&emulator, Shape::default());
    let head = client.send(&ask("HEAD", "k")).expect(200);
    assert_eq!(head.header("content-length"), Some("1"));
    client.send(&ask("DELETE", "k")).expect(204);
    assert_eq!(emulator.state().connections_accepted, 1);
}

#[test]
fn answers_of_its_own() {
    let emulator = start();
    let mut client = Client::connect(emulator.address());
    emulator.rule(Rule::on(Call::Put, Fault::redirect("http://elsewhere/")).nth(1));
    emulator.rule(
        Rule::on(Call::Put, Fault::status(500))
            .at(Place::AfterExecuting)
            .nth(2),
    );
    let reply = client.send(&put("k", "x")).expect(302);
    assert_eq!(
        (reply.header("location"), reply.header("content-length")),
        (Some("http://elsewhere/"), Some("0"))
    );
    assert!(emulator.object("k").is_none());
    client.send(&put("k", "x")).expect(500);
    assert!(emulator.object("k").is_some(), "executed all the same");
}

#[test]
fn several_hundred_continues() {
    let emulator = start();
    let mut client = Client::connect(emulator.address());
    alter(
        &emulator,
        Shape {
            continues: Some(3),
            ..Shape::default()
        },
    );
    let mut statuses = vec![client.send(&put("k", "x")).status];
    statuses.extend((0..3).map(|_| client.read("PUT").unwrap().status));
    assert_eq!(statuses, [100, 100, 100, 200]);
    client.send(&ask("HEAD", "k"));
}

#[test]
fn slow_and_short() {
    let emulator = start();
    put("k", content(1000)).send(emulator.address()).expect(200);
    let began = Instant::now();
    alter(
        &emulator,
        Shape {
            drip: Some(Drip {
                bytes: 100,
                every_ms: 5,
            }),
            ..Shape::default()
        },
    );
    assert_eq!(
        ask("GET", "k").send(emulator.address()).expect(200).body,
        content(1000)
    );
    assert!(began.elapsed() >= Duration::from_millis(60));

    alter(
        &emulator,
        Shape {
            truncate: Some(400),
            ..Shape::default()
        }
        .then(Then::Drop),
    );
    let reply = ask("GET", "k").send(emulator.address()).expect(200);
    assert_eq!(
        (reply.header("content-length"), reply.body.as_slice()),
        (Some("1000"), &content(1000)[..400])
    );

    alter(
        &emulator,
        Shape {
            no_length: true,
            ..Shape::default()
        }
        .then(Then::Drop),
    );
    let mut client = Client::connect(emulator.address());
    assert_eq!(
        client
            .send(&ask("GET", "k"))
            .expect(200)
            .header("content-length"),
        None
    );
    let mut body = Vec::new();
    client.stream.read_to_end(&mut body).unwrap();
    assert_eq!(body, content(1000));
}

#[test]
fn endless() {
    let emulator = start();
    let mut client = Client::connect(emulator.address());
    let shape = Shape {
        fill_headers: Some(1_000_000),
        fill_body: Some(20_000_000),
        ..Shape::default()
    };
    let reply = altered(&mut client, &emulator, shape).expect(200);
    let filled: usize = reply
        .headers
        .iter()
        .filter(|(name, _)| name == "X-Fill")
        .map(|(_, value)| value.len() + 10)
        .sum();
    assert_eq!((filled, reply.body.len()), (1_000_000, 20_000_000));

    alter(
        &emulator,
        Shape {
            fill_body: Some(1 << 40),
            ..Shape::default()
        },
    );
    let mut client = Client::connect(emulator.address());
    client.write(ask("HEAD", "k").head().as_bytes()).unwrap();
    assert_eq!(
        client.read("HEAD").unwrap().header("content-length"),
        Some("1099511627777")
    );
    client.write(ask("GET", "k").head().as_bytes()).unwrap();
    client.stream.read_until(b'\n', &mut Vec::new()).unwrap();
    drop(client);
    assert!(
        emulator
            .wait_until(Duration::from_secs(10), |state| state.in_flight == 0)
            .is_some()
    );
}

#[test]
fn an_answer_that_stops_half_way() {
    let emulator = start();
    put("k", content(1000)).send(emulator.address()).expect(200);
    alter(
        &emulator,
        Shape {
            drip: Some(Drip {
                bytes: 500,
                every_ms: 1_000_000,
            }),
            ..Shape::default()
        },
    );
    let mut client = Client::connect(emulator.address());
    client.write(ask("GET", "k").head().as_bytes()).unwrap();
    client.stream.read_exact(&mut [0; 500]).unwrap();
    assert_eq!(emulator.state().in_flight, 1);
    drop(client);
    assert!(
        emulator
            .wait_until(Duration::from_secs(10), |state| state.in_flight == 0)
            .is_some()
    );
}

fn upload(emulator: &Emulator, service: &Service) -> Reply {
    let policy = json!({ "callbackUrl": service.url("/p"), "callbackBody": "{}", "callbackBodyType": "application/json" });
    put("k", "x")
        .policy(&policy.to_string())
        .send(emulator.address())
}

#[test]
fn callbacks() {
    let (emulator, service) = (start(), Service::start(200, "application/json", "{}"));
    let failure = || Fault::error(599, 20003, "send request error");
    emulator.rule(Rule::on(Call::Callback, failure()).nth(1));
    emulator.rule(
        Rule::on(Call::Callback, failure())
            .at(Place::AfterExecuting)
            .nth(2),
    );
    emulator.rule(Rule::on(Call::Callback, Fault::Reset).nth(3));
    emulator.rule(Rule::on(Call::Callback, Fault::stall_for(Duration::from_millis(50))).nth(4));
    upload(&emulator, &service).expect_error(599, 20003, "send request error");
    assert_eq!(service.calls().len(), 0);
    upload(&emulator, &service).expect_error(599, 20003, "send request error");
    assert_eq!(service.calls().len(), 1);
    assert!(
        upload(&emulator, &service)
            .expect(599)
            .text()
            .contains("connection reset by peer")
    );
    assert_eq!(service.calls().len(), 1);
    let began = Instant::now();
    upload(&emulator, &service).expect(200);
    assert!(began.elapsed() >= Duration::from_millis(50));
    assert_eq!((service.calls().len(), emulator.callbacks().len()), (2, 2));
    assert_eq!(emulator.callbacks()[0].rule, Some(2));
    assert!(emulator.object("k").is_some());
    assert_eq!(
        emulator.requests()[0].rule,
        None,
        "the request itself met no rule"
    );
}

#[test]
fn rules_as_json() {
    let emulator = start();
    let address = emulator.control_address();
    let control = |method: &str, path: &str, body: &str| ask_control(address, method, path, body);
    let reply = control(
        "POST",
        "/rules",
        r#"{"call":"put","nth":2,"at":{"body":1},"fault":"reset"}"#,
    );
    assert_eq!((reply.status, reply.json()), (200, json!({ "ids": [1] })));
    let several = r#"[{"call":"part","part":3,"fault":{"stall":{"ms":5}}},
        {"probability":0.5,"seed":7,"at":"after_executing","fault":{"answer":{"status":503,"headers":{"Retry-After":"1"},"then":"drop"}}},
        {"fault":{"alter":{"etag":"missing","then":{"next_request":"reset"}}}},
        {"fault":{"alter":{"etag":{"value":"x"},"drip":{"bytes":1,"every_ms":1},"then":{"idle":{"ms":1,"end":"close"}}}}}]"#;
    assert_eq!(
        control("POST", "/rules", several).json(),
        json!({ "ids": [2, 3, 4, 5] })
    );
    let rules = control("GET", "/rules", "").json();
    assert_eq!(
        (
            rules.as_array().unwrap().len(),
            &rules[0]["rule"]["at"]["body"]
        ),
        (5, &json!(1))
    );
    assert_eq!(control("DELETE", "/rules/2", "").status, 200);
    assert_eq!(control("DELETE", "/rules/2", "").status, 404);
    assert_eq!(control("POST", "/rules/1/release", "").status, 200);
    assert_eq!(control("POST", "/release", "").status, 200);
    assert_eq!(emulator.rules().len(), 4);
    assert_eq!(control("DELETE", "/rules", "").status, 200);
    assert!(emulator.rules().is_empty());
    for wrong in [
        "{",
        r#"{"fault":"melt"}"#,
        r#"{"fault":"reset","nht":1}"#,
        r#"[{"fault":"reset"},{"fault":"reset","nth":0}]"#,
    ] {
        let reply = control("POST", "/rules", wrong);
        assert!(
            reply.status == 400 && reply.json()["error"].is_string(),
            "{wrong}"
        );
    }
    assert!(emulator.rules().is_empty(), "all or none");
    initiate(&emulator, "k");
}
