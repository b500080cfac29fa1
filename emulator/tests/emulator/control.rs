//! The control listener.

use std::time::Duration;

use crate::common::control::control;
use crate::common::{Client, content, initiate, part, put, start};
use us3_emulator::{Call, State};

#[test]
fn the_state_is_the_same_as_json() {
    let emulator = start();
    let id = initiate(&emulator, "m");
    part("m", &id, 3, "abc")
        .header("Content-MD5", "900150983cd24fb0d6963f7d28e17f72")
        .send(emulator.address())
        .expect(200);
    put("k", "x").send(emulator.address()).expect(200);
    put("k", "x")
        .private_key("bad")
        .send(emulator.address())
        .expect(403);
    let state: State =
        serde_json::from_str(&control(emulator.control_address(), "GET", "/state", "")).unwrap();
    assert_eq!(state.objects, emulator.state().objects);
    assert_eq!(state.uploads, emulator.state().uploads);
    assert_eq!(
        (
            state.uploads[0].upload_id.as_str(),
            state.uploads[0].parts[0].number
        ),
        (id.as_str(), 3)
    );
    let calls: Vec<Call> = state.requests.iter().map(|request| request.call).collect();
    assert_eq!(calls, [Call::Initiate, Call::Part, Call::Put, Call::Put]);
    let request = &state.requests[1];
    assert_eq!(
        (
            request.part,
            request.status,
            request.body_received,
            request.connection
        ),
        (Some(3), Some(200), 3, 2)
    );
    assert_eq!(request.query, format!("uploadId={id}&partNumber=3"));
    assert!(request.headers.contains(&(
        "content-md5".into(),
        "900150983cd24fb0d6963f7d28e17f72".into()
    )));
    assert!(
        request
            .headers
            .iter()
            .all(|(name, _)| name != "authorization")
    );
    assert_eq!(
        (state.requests[3].status, state.requests[3].ret_code),
        (Some(403), Some(-148643))
    );
    assert_eq!(
        (state.connections_accepted, state.max_parts_in_flight),
        (4, 1)
    );

    control(emulator.control_address(), "POST", "/reset", "");
    let state = emulator.state();
    assert!(state.objects.is_empty() && state.uploads.is_empty() && state.requests.is_empty());
    assert_eq!(
        (state.connections_accepted, state.max_parts_in_flight),
        (0, 0)
    );
}

#[test]
fn requests_are_seen_while_they_last() {
    let emulator = start();
    let id = initiate(&emulator, "m");
    let clients: Vec<Client> = (0..3)
        .map(|number| {
            let mut client = Client::connect(emulator.address());
            client
                .write(part("m", &id, number, content(65536)).head().as_bytes())
                .unwrap();
            client.write(&content(1000)).unwrap();
            client
        })
        .collect();
    let all_there = |state: &State| {
        state.requests[1..]
            .iter()
            .map(|seen| seen.body_received)
            .sum::<u64>()
            == 3000
    };
    let state = emulator
        .wait_until(Duration::from_secs(5), all_there)
        .unwrap();
    assert_eq!(
        (
            state.in_flight,
            state.parts_in_flight,
            state.max_parts_in_flight
        ),
        (3, 3, 3)
    );
    drop(clients);
    let state = emulator
        .wait_until(Duration::from_secs(5), |state| state.in_flight == 0)
        .unwrap();
    assert!(
        state.requests[1..]
            .iter()
            .all(|seen| seen.status.is_none() && seen.took_ms.is_some())
    );
    assert_eq!(
        (state.max_parts_in_flight, state.uploads[0].parts.len()),
        (3, 0)
    );
    assert!(
        emulator
            .wait_until(Duration::from_secs(5), |state| state.connections_open == 0)
            .is_some()
    );
}
