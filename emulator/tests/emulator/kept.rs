//! What is kept of requests, in bytes.

use crate::common::service::Service;
use crate::common::{Client, ask, put, start};
use us3_emulator::RequestSeen;

/// What the README says is kept of all requests together.
const KEPT: usize = 64 << 20;

fn bytes(seen: &RequestSeen) -> usize {
    let headers = seen.headers.iter();
    seen.key.len()
        + seen.query.len()
        + headers
            .map(|(name, value)| name.len() + value.len())
            .sum::<usize>()
}

#[test]
fn a_thousand_large_unsigned_requests_are_counted_and_only_the_latest_are_kept_whole() {
    const REQUESTS: usize = 1000;
    let emulator = start();
    let mut client = Client::connect(emulator.address());
    let large = (0..10).fold(ask("GET", "k").unsigned(), |ask, number| {
        ask.header(&format!("X-Large-{number}"), &"v".repeat(7800))
    });
    let large = large.head();
    for _ in 0..REQUESTS {
        client.write(large.as_bytes()).unwrap();
        client.read("GET").unwrap().expect(401);
    }
    client.send(&put("small", "x")).expect(200);
    let state = emulator.state();
    let requests = &state.requests;
    assert_eq!(requests.len(), REQUESTS + 1);
    let kept: usize = requests.iter().map(bytes).sum();
    assert!(kept <= KEPT, "{kept} bytes");
    let whole = |seen: &RequestSeen| seen.headers.iter().any(|(name, _)| name == "x-large-9");
    let without = requests.iter().filter(|seen| seen.headers.is_empty());
    assert_eq!(without.count() as u64, state.texts_dropped);
    assert!(whole(&requests[REQUESTS - 1]) && !whole(&requests[0]));
    let counted = |seen: &&RequestSeen| seen.status == Some(401) && seen.key == "k";
    assert_eq!(requests.iter().filter(counted).count(), REQUESTS);
}

#[test]
fn a_long_value_is_cut_in_what_is_kept() {
    let emulator = start();
    let long = put("k", "x")
        .query(format!("q={}", "q".repeat(20_000)))
        .header("X-Long", &"v".repeat(78_000))
        .header("X-Short", &"v".repeat(8192));
    long.send(emulator.address()).expect(200);
    let seen = &emulator.requests()[0];
    let value = |wanted: &str| {
        let (_, value) = seen
            .headers
            .iter()
            .find(|(name, _)| name == wanted)
            .unwrap();
        value.clone()
    };
    let cut = |text: &str, end: &str| text.len() < 8300 && text.ends_with(end);
    assert!(cut(&value("x-long"), "v… (78000 bytes)"));
    assert!(value("x-short") == "v".repeat(8192));
    assert!(cut(&seen.query, "q… (20002 bytes)"));
}

#[test]
fn a_long_reply_of_a_callback_is_handed_on_whole_and_kept_cut() {
    let long = format!("{:?}", "r".repeat(100_000));
    let service = Service::start(200, "application/json", &long);
    let emulator = start();
    let policy = format!(r#"{{"callbackUrl":"{}"}}"#, service.url("/"));
    let upload = put("k", "x").policy(&policy);
    assert!(upload.send(emulator.address()).expect(200).text() == long);
    let kept = emulator.callbacks().remove(0).reply.unwrap();
    assert!(kept.len() < 8300 && kept.ends_with("… (100002 bytes)"));
}
