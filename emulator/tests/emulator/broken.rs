//! Assumptions of clients: each holds here, until it is broken on purpose.

use std::time::{Duration, Instant};

use crate::common::control::{ask_control, control};
use crate::common::service::Service;
use crate::common::{Reply, ask, finish, initiate, part, put, send_parts, start};
use serde_json::json;
use us3_emulator::{Assumption, Emulator, Options};

fn answering(status: u16) -> Service {
    let body = r#"{"RetCode":7,"ErrMsg":"no"}"#;
    Service::start(status, "application/json", body)
}

fn upload(emulator: &Emulator, service: &Service) -> Reply {
    let policy = json!({ "callbackUrl": service.url("/?b=2&a=1") }).to_string();
    put("k", "x").policy(&policy).send(emulator.address())
}

/// What `seen` says of a sound emulator, and of one that breaks only this assumption.
fn sound_and_broken<T>(assumption: Assumption, seen: impl Fn(&Emulator) -> T) -> [T; 2] {
    let emulator = start();
    let sound = seen(&emulator);
    emulator.set_broken(&[assumption]);
    [sound, seen(&emulator)]
}

#[test]
fn a1_a_wrong_md5_is_found_after_the_callback() {
    let seen = |emulator: &Emulator| {
        let service = answering(200);
        let policy = json!({ "callbackUrl": service.url("/") }).to_string();
        let wrong = put("k", "x").policy(&policy).header("Content-MD5", "0");
        wrong
            .send(emulator.address())
            .expect_error(400, -15036, "check md5 failed");
        (service.calls().len(), emulator.object("k").is_some())
    };
    let expected = [(0, false), (1, true)];
    assert_eq!(sound_and_broken(Assumption::A1, seen), expected);
}

#[test]
fn a2_a_put_runs_late_when_its_client_has_left() {
    let emulator = Emulator::start(Options {
        broken: vec![Assumption::A2],
        ..Options::default()
    })
    .unwrap();
    let begin = Instant::now();
    let mut client = crate::common::Client::connect(emulator.address());
    let ask = put("k", "x");
    client
        .write(&[ask.head().as_bytes(), ask.content()].concat())
        .unwrap();
    drop(client);
    let patience = Duration::from_secs(20);
    let stored = emulator.wait_until(patience, |state| !state.objects.is_empty());
    assert!(stored.is_some());
    assert!(begin.elapsed() >= Duration::from_secs(1));
}

#[test]
fn a3_an_error_of_the_callback_service_removes_the_object() {
    let seen = |emulator: &Emulator| {
        upload(emulator, &answering(500)).expect(500);
        emulator.object("k").is_some()
    };
    assert_eq!(sound_and_broken(Assumption::A3, seen), [true, false]);
}

#[test]
fn a4_head_shows_an_object_as_older_than_it_is() {
    let seen = |emulator: &Emulator| {
        put("k", "x").send(emulator.address()).expect(200);
        let head = ask("HEAD", "k").send(emulator.address()).expect(200);
        let seconds = |name: &str| {
            let date = httpdate::parse_http_date(head.header(name).unwrap()).unwrap();
            date.duration_since(std::time::UNIX_EPOCH)
                .unwrap()
                .as_secs()
        };
        (seconds("date") - seconds("last-modified")) / 30
    };
    assert_eq!(sound_and_broken(Assumption::A4, seen), [0, 2]);
}

#[test]
fn a5_a_finished_upload_can_be_finished_again() {
    let seen = |emulator: &Emulator| {
        let id = initiate(emulator, "k");
        let etags = send_parts(emulator, "k", &id, b"x");
        let again = finish("k", &id, &etags);
        again.send(emulator.address()).expect(200);
        again.send(emulator.address()).status
    };
    assert_eq!(sound_and_broken(Assumption::A5, seen), [404, 200]);
}

#[test]
fn a6_a_callback_that_fails_removes_the_object() {
    let seen = |emulator: &Emulator| {
        let service = Service::start(200, "text/plain", "ok");
        upload(emulator, &service).expect(599);
        emulator.object("k").is_some()
    };
    assert_eq!(sound_and_broken(Assumption::A6, seen), [true, false]);
}

#[test]
fn a7_the_query_of_the_callback_is_sorted() {
    let seen = |emulator: &Emulator| {
        let service = answering(200);
        upload(emulator, &service).expect(200);
        service.calls()[0].line.clone()
    };
    let expected = ["POST /?b=2&a=1 HTTP/1.1", "POST /?a=1&b=2 HTTP/1.1"];
    assert_eq!(sound_and_broken(Assumption::A7, seen), expected);
}

#[test]
fn a8_headers_for_those_who_fetch_the_object_are_forgotten() {
    let headers = [
        ("Content-Disposition", "attachment; filename=\"a.txt\""),
        ("Cache-Control", "max-age=60"),
        ("Content-Encoding", "gzip"),
    ];
    let seen = |emulator: &Emulator| {
        let with_headers = |ask: crate::common::Ask| {
            let add =
                |ask: crate::common::Ask, (name, value): (&str, &str)| ask.header(name, value);
            headers.into_iter().fold(ask, add)
        };
        with_headers(put("put", "x"))
            .send(emulator.address())
            .expect(200);
        let begun = with_headers(ask("POST", "parts").query("uploads"))
            .send(emulator.address())
            .expect(200);
        let id = begun.json()["UploadId"].as_str().unwrap().to_string();
        let etag = part("parts", &id, 0, "x")
            .send(emulator.address())
            .expect(200)
            .etag();
        finish("parts", &id, &[etag])
            .send(emulator.address())
            .expect(200);
        ["put", "parts"].map(|key| {
            let head = ask("HEAD", key).send(emulator.address()).expect(200);
            headers.map(|(name, _)| head.header(name).map(String::from))
        })
    };
    let kept = headers.map(|(_, value)| Some(value.to_string()));
    let forgotten = headers.map(|_| None);
    assert_eq!(
        sound_and_broken(Assumption::A8, seen),
        [[kept.clone(), kept], [forgotten.clone(), forgotten]]
    );
}

#[test]
fn a9_a_success_with_a_policy_has_no_etag() {
    let seen = |emulator: &Emulator| {
        let reply = upload(emulator, &answering(200)).expect(200);
        reply.header("etag").is_some()
    };
    assert_eq!(sound_and_broken(Assumption::A9, seen), [true, false]);
}

#[test]
fn a10_a_policy_with_blanks_is_refused() {
    let seen = |emulator: &Emulator| {
        let policy = format!("{{ \"callbackUrl\": {:?} }}", answering(200).url("/"));
        let reply = put("k", "x").policy(&policy).send(emulator.address());
        reply.status
    };
    assert_eq!(sound_and_broken(Assumption::A10, seen), [200, 400]);
}

#[test]
fn assumptions_are_broken_and_mended_through_the_control_listener() {
    let emulator = Emulator::start(Options {
        broken: vec![Assumption::A3],
        strict: true,
        ..Options::default()
    })
    .unwrap();
    let set = |body: &str| control(emulator.control_address(), "POST", "/broken", body);
    let is_removed = || {
        upload(&emulator, &answering(500)).expect(500);
        emulator.object("k").is_none()
    };
    let takes_blanks = || {
        let policy = format!("{{ \"callbackUrl\": {:?} }}", answering(200).url("/"));
        let reply = put("k", "x").policy(&policy).send(emulator.address());
        reply.status == 200
    };
    assert_eq!((is_removed(), takes_blanks()), (true, false));
    set("[]");
    assert_eq!((is_removed(), takes_blanks()), (false, true));
    set(r#"["A10"]"#);
    assert_eq!((is_removed(), takes_blanks()), (false, false));
    emulator.reset();
    assert_eq!((is_removed(), takes_blanks()), (true, false));
    let reply = ask_control(emulator.control_address(), "POST", "/broken", r#"["A11"]"#);
    assert_eq!(reply.status, 400);
    assert!(reply.text().contains("`A11`"), "{}", reply.text());
}
