//! When a request is sent again, and over which connection.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use us3::client::Client;
use us3::content::Source;
use us3::error::Status;
use us3::upload::{Mode, UploadRequest};
use us3_emulator::{Fault, Place, Rule};

use crate::support::bench::Bench;
use crate::truth::STORING;
use crate::truth::honest::{STORED, agrees, failed};

use crate::support::{HandMade, answer, config, json_policy, read_request};

/// The requests that came: number of the connection, and method.
type Seen = Arc<Mutex<Vec<(usize, String)>>>;

/// Answers `answered` requests of each connection; at the next one it closes.
fn service(answered: usize) -> (HandMade, Seen) {
    let seen = Seen::default();
    let came = seen.clone();
    let numbers = Mutex::new(0);
    let service = HandMade::start(move |mut stream| {
        let number = {
            let mut number = numbers.lock().expect("number");
            *number += 1;
            *number
        };
        let mut left = answered;
        while let Some(head) = read_request(&mut stream) {
            let method = head.split(' ').next().unwrap_or_default().to_owned();
            came.lock().expect("requests").push((number, method));
            if left == 0 {
                return;
            }
            left -= 1;
            let headers = "Content-Type: application/json\r\nETag: \"e\"\r\n";
            answer(&mut stream, "200 OK", headers, "");
        }
    });
    (service, seen)
}

fn put(policy: bool, service: &HandMade) -> UploadRequest {
    let mut request = UploadRequest::new(Source::Memory("content".into()), "k");
    request.mode = Mode::Put;
    request.policy = policy.then(|| json_policy(service.address));
    request
}

#[test]
fn without_retries_nothing_is_sent_again_after_a_stale_connection() {
    let (service, seen) = service(1);
    let mut config = config(service.address);
    config.max_retries = 0;
    config.verify_etag = false;
    config.settle_timeout = Duration::from_millis(1);
    let client = Client::new(config).expect("client");
    client.upload(put(false, &service)).expect("the first");
    let error = client.upload(put(false, &service)).expect_err("stale");
    assert_eq!(error.status(), Status::NetworkError, "{error}");
    assert_eq!(error.report().attempts, 1, "{error}");
    let seen = seen.lock().expect("requests");
    let puts: Vec<_> = seen.iter().filter(|(_, method)| method == "PUT").collect();
    assert_eq!(puts.len(), 2, "{seen:?}");
    assert_eq!(puts[0].0, puts[1].0, "the connection was not kept");
}

#[test]
fn a_policy_goes_over_no_connection_that_was_idle_for_a_second() {
    for at_least_once in [false, true] {
        let (service, seen) = service(usize::MAX);
        let mut config = config(service.address);
        config.callback_at_least_once = at_least_once;
        config.verify_etag = false;
        config.max_retries = 0;
        config.settle_timeout = Duration::from_millis(1);
        let client = Client::new(config).expect("client");
        client.upload(put(false, &service)).expect("the first");
        // What is tested is the time that passes.
        std::thread::sleep(Duration::from_millis(1100));
        let _ = client.upload(put(true, &service));
        let seen = seen.lock().expect("requests");
        let puts: Vec<_> = seen.iter().filter(|(_, method)| method == "PUT").collect();
        assert_eq!(puts.len(), 2, "{seen:?}");
        assert_ne!(puts[0].0, puts[1].0, "{at_least_once}");
    }
}

#[test]
fn without_a_policy_an_idle_connection_is_used_again() {
    let (service, seen) = service(usize::MAX);
    let mut config = config(service.address);
    config.verify_etag = false;
    let client = Client::new(config).expect("client");
    client.upload(put(false, &service)).expect("the first");
    std::thread::sleep(Duration::from_millis(1100));
    client.upload(put(false, &service)).expect("the second");
    let seen = seen.lock().expect("requests");
    assert_eq!(seen[0].0, seen[1].0, "{seen:?}");
}

#[test]
fn a_refusal_of_a_second_try_does_not_mean_that_the_first_stored_nothing() {
    for (mode, call) in STORING {
        let bench = Bench::with_blocks(1);
        let lost = Rule::on(call, Fault::Reset).at(Place::AfterExecuting);
        bench.emulator.rule(lost.nth(1));
        let refused = Fault::error(403, -148_643, "invalid signature");
        bench.emulator.rule(Rule::on(call, refused).nth(2));
        let client = bench.client_with(|config| config.callback_at_least_once = true);
        let result = client.upload(bench.request_with_policy(mode, 1));
        agrees(&bench, &result);
        failed(result, STORED);
        assert_eq!(bench.count(call), 2, "{call}");
    }
}
