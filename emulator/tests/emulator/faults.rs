//! Faults at the places of a request: resets, closes, stalls and answers that come too early.

use std::io::{ErrorKind, Read};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{Client, ask, content, finish, initiate, part, put, send_parts, start};
use us3_emulator::{Call, Emulator, Fault, Place, Rule, Shape, Stall, State, Then};

const PATIENCE: Duration = Duration::from_secs(10);
const PLACES: [Place; 4] = [
    Place::BeforeBody,
    Place::Body(1000),
    Place::AfterBody,
    Place::AfterExecuting,
];

/// Sends a put of which the answer may never come; gives the error that ended it.
fn cut_short(emulator: &Emulator, size: usize) -> ErrorKind {
    let mut client = Client::connect(emulator.address());
    let upload = put("k", vec![b'x'; size]);
    let sent = client.write(&[upload.head().as_bytes(), &vec![b'x'; size]].concat());
    let read = client.read("PUT");
    sent.and(read.map(drop)).unwrap_err().kind()
}

fn answered(emulator: &Emulator) -> State {
    emulator
        .wait_until(PATIENCE, |state| {
            state.in_flight == 0 && !state.requests.is_empty()
        })
        .unwrap()
}

#[test]
fn a_reset_at_each_place() {
    for (place, received) in PLACES.into_iter().zip([0, 1000, 5000, 5000]) {
        let emulator = start();
        emulator.rule(Rule::on(Call::Put, Fault::Reset).at(place));
        assert_eq!(
            cut_short(&emulator, 5000),
            ErrorKind::ConnectionReset,
            "{place:?}"
        );
        let state = answered(&emulator);
        assert_eq!(state.requests[0].body_received, received, "{place:?}");
        assert_eq!(
            (state.requests[0].status, state.requests[0].rule),
            (None, Some(1))
        );
        assert_eq!(
            state.objects.len(),
            usize::from(place == Place::AfterExecuting)
        );
        assert_eq!((state.rules[0].matched, state.rules[0].fired), (1, 1));
    }
}

#[test]
fn a_clean_close_at_each_place() {
    for place in PLACES {
        let emulator = start();
        emulator.rule(Rule::on(Call::Put, Fault::Close).at(place));
        assert_eq!(
            cut_short(&emulator, 8 << 20),
            ErrorKind::UnexpectedEof,
            "{place:?}"
        );
        assert_eq!(
            answered(&emulator).objects.len(),
            usize::from(place == Place::AfterExecuting)
        );
    }
}

#[test]
fn in_the_middle_of_a_large_upload() {
    let emulator = start();
    emulator.rule(Rule::on(Call::Put, Fault::Reset).at(Place::Body(10 << 20)));
    let kind = cut_short(&emulator, 64 << 20);
    assert!(
        matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
        "{kind:?}"
    );
    assert_eq!(answered(&emulator).requests[0].body_received, 10 << 20);
    emulator.clear_rules();
    emulator.rule(Rule::on(Call::Put, Fault::Drop));
    let kind = cut_short(&emulator, 64 << 20);
    assert!(
        matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
        "{kind:?}"
    );
    assert_eq!(answered(&emulator).requests[1].body_received, 0);
    assert!(emulator.state().objects.is_empty());
}

#[test]
fn an_early_answer_can_be_read_whatever_becomes_of_the_connection() {
    for then in [Then::Keep, Then::Close, Then::Reset] {
        for place in [Place::BeforeBody, Place::Body(65_536)] {
            let emulator = start();
            let refusal = Fault::error(403, -148643, "invalid signature");
            let Fault::Answer(shape) = refusal else {
                unreachable!()
            };
            emulator.rule(Rule::on(Call::Put, Fault::answer(shape.then(then))).at(place));
            let mut client = Client::connect(emulator.address());
            let upload = put("k", vec![0; 16 << 20]);
            let _ = client.write(&[upload.head().as_bytes(), &vec![0; 16 << 20]].concat());
            client
                .read("PUT")
                .unwrap()
                .expect_error(403, -148643, "invalid signature");
            if then == Then::Keep {
                client.send(&ask("HEAD", "k")).expect(404);
            }
            assert!(emulator.state().objects.is_empty());
        }
    }
}

#[test]
fn a_stall_ends_when_it_is_released() {
    for place in PLACES {
        let emulator = start();
        let rule = emulator.rule(Rule::on(Call::Put, Fault::stall()).at(place));
        let address = emulator.address();
        let client = thread::spawn(move || put("k", content(5000)).send(address).expect(200));
        let state = emulator
            .wait_until(PATIENCE, |state| state.rules[0].stalled == 1)
            .unwrap();
        assert_eq!(state.in_flight, 1);
        assert_eq!(
            state.objects.len(),
            usize::from(place == Place::AfterExecuting),
            "{place:?}"
        );
        emulator.release(rule);
        client.join().unwrap();
        assert_eq!(emulator.state().rules[0].stalled, 0);
        assert_eq!(emulator.object_bytes("k").unwrap(), content(5000));
    }
}

#[test]
fn a_stall_ends_when_the_client_leaves() {
    for place in PLACES {
        let emulator = start();
        emulator.rule(Rule::on(Call::Put, Fault::stall()).at(place));
        let mut client = Client::connect(emulator.address());
        client
            .write(&[put("k", content(5000)).head().as_bytes(), &content(5000)].concat())
            .unwrap();
        emulator
            .wait_until(PATIENCE, |state| {
                state.rules.first().is_some_and(|rule| rule.stalled == 1)
            })
            .unwrap();
        drop(client);
        let state = emulator
            .wait_until(PATIENCE, |state| {
                state.in_flight == 0 && state.connections_open == 0
            })
            .unwrap();
        assert_eq!(state.rules[0].stalled, 0);
        assert_eq!(
            state.objects.len(),
            usize::from(place == Place::AfterExecuting),
            "{place:?}"
        );
    }
}

#[test]
fn a_stall_may_last_a_time_and_may_outlast_the_client() {
    let emulator = start();
    emulator.rule(Rule::on(Call::Put, Fault::stall_for(Duration::from_millis(80))).nth(1));
    let slow = Stall {
        ms: Some(80),
        persist: true,
    };
    emulator.rule(
        Rule::on(Call::Put, Fault::Stall(slow))
            .at(Place::AfterBody)
            .nth(2),
    );
    let began = Instant::now();
    put("a", "x").send(emulator.address()).expect(200);
    assert!(began.elapsed() >= Duration::from_millis(80));
    let mut client = Client::connect(emulator.address());
    client
        .write(&[put("b", "x").head().as_bytes(), b"x"].concat())
        .unwrap();
    emulator
        .wait_until(PATIENCE, |state| state.rules[1].stalled == 1)
        .unwrap();
    drop(client);
    assert!(
        emulator
            .wait_until(PATIENCE, |state| state.objects.len() == 2)
            .is_some()
    );
}

#[test]
fn a_certain_part_a_certain_time() {
    let emulator = start();
    let id = initiate(&emulator, "k");
    let busy = Fault::answer(
        Shape {
            status: Some(503),
            ..Shape::default()
        }
        .header("Retry-After", "1"),
    );
    emulator.rule(Rule::on(Call::Part, busy).part(2).nth(2));
    let statuses =
        [0, 2, 1, 2, 2].map(|number| part("k", &id, number, "x").send(emulator.address()));
    assert_eq!(
        statuses.each_ref().map(|reply| reply.status),
        [200, 200, 200, 503, 200]
    );
    assert_eq!(statuses[3].header("retry-after"), Some("1"));
    assert_eq!(
        (emulator.rules()[0].matched, emulator.rules()[0].fired),
        (3, 1)
    );
}

#[test]
fn an_answer_lost_after_the_finish() {
    let emulator = start();
    emulator.rule(Rule::on(Call::Finish, Fault::Reset).at(Place::AfterExecuting));
    let id = initiate(&emulator, "k");
    let etags = send_parts(&emulator, "k", &id, &content(100_000));
    let mut client = Client::connect(emulator.address());
    let ask = finish("k", &id, &etags);
    client
        .write(&[ask.head(), etags.join(",")].concat().into_bytes())
        .unwrap();
    assert_eq!(
        client.read("POST").unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    assert_eq!(emulator.object_bytes("k").unwrap(), content(100_000));
    assert!(emulator.state().uploads.is_empty());
}

#[test]
fn connections_that_are_met_at_the_door() {
    let emulator = start();
    emulator.rule(Rule::on(Call::Connection, Fault::Reset).nth(1));
    emulator.rule(Rule::on(Call::Connection, Fault::Close).nth(2));
    for expected in [ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof] {
        let mut client = Client::connect(emulator.address());
        assert_eq!(client.read("PUT").unwrap_err().kind(), expected);
    }
    put("k", "x").send(emulator.address()).expect(200);
    let state = emulator.state();
    assert_eq!((state.requests.len(), state.connections_accepted), (1, 3));
}

#[test]
fn stale_connections() {
    for then in [
        Then::Drop,
        Then::Close,
        Then::Reset,
        Then::Idle {
            ms: 30,
            end: us3_emulator::End::Drop,
        },
        Then::NextRequest(us3_emulator::End::Reset),
        Then::NextRequest(us3_emulator::End::Drop),
    ] {
        let emulator = start();
        emulator.rule(Rule::on(Call::Put, Fault::alter(Shape::default().then(then))).nth(1));
        let mut client = Client::connect(emulator.address());
        let reply = client.send(&put("a", "x")).expect(200);
        assert_eq!(reply.header("connection"), None);
        if !matches!(then, Then::NextRequest(_)) {
            client.see_the_end();
        }
        let upload = put("b", "x");
        let sent = client.write(&[upload.head().as_bytes(), b"x"].concat());
        assert!(sent.and(client.read("PUT").map(drop)).is_err(), "{then:?}");
        let state = emulator.state();
        assert_eq!(
            (state.requests.len(), state.objects.len()),
            (1, 1),
            "{then:?}: the second was not processed"
        );
        put("b", "x").send(emulator.address()).expect(200);
    }
}

#[test]
fn an_idle_end_spares_a_connection_in_use() {
    let emulator = start();
    // Long enough for a second request on a busy machine.
    let idle = Then::Idle {
        ms: 500,
        end: us3_emulator::End::Reset,
    };
    emulator.rule(Rule::on(Call::Put, Fault::alter(Shape::default().then(idle))).nth(1));
    let mut client = Client::connect(emulator.address());
    client.send(&put("a", "x")).expect(200);
    client.send(&put("b", "x")).expect(200);
    assert!(client.stays_open(Duration::from_millis(1000)));
    client.send(&put("c", "x")).expect(200);
}

#[test]
fn a_body_that_is_shorter_than_the_place() {
    let emulator = start();
    emulator.rule(Rule::any(Fault::Reset).at(Place::Body(1 << 30)));
    assert_eq!(cut_short(&emulator, 5000), ErrorKind::ConnectionReset);
    let mut client = Client::connect(emulator.address());
    client.write(ask("HEAD", "k").head().as_bytes()).unwrap();
    assert!(client.stream.read(&mut [0]).is_err());
}
