//! Gateways in front of the service: their pages, and what these repeat.

use crate::common::control::control;
use crate::common::{Client, Reply, ask, put, start};
use us3_emulator::{Call, Fault, Gateway, Place, Rule, Then};

const PLACES: [Place; 4] = [
    Place::BeforeBody,
    Place::Body(1000),
    Place::AfterBody,
    Place::AfterExecuting,
];

fn is_page(reply: &Reply) -> bool {
    reply.header("content-type") == Some("text/html; charset=utf-8")
        && reply.header("x-sessionid").is_none()
        && reply.text().contains("<html>")
        && serde_json::from_slice::<serde_json::Value>(&reply.body).is_err()
}

#[test]
fn a_page_of_any_status_comes_at_any_place() {
    for place in PLACES {
        let emulator = start();
        let mut client = Client::connect(emulator.address());
        for status in [200, 400, 404, 502, 503, 504, 599] {
            emulator.clear_rules();
            emulator.rule(Rule::on(Call::Put, Fault::gateway(status)).at(place));
            let reply = client.send(&put("k", vec![0; 5000]));
            assert_eq!(reply.status, status, "{place:?}");
            assert!(is_page(&reply), "{place:?} {reply:?}");
        }
        let state = emulator.state();
        assert_eq!(
            state.objects.len(),
            usize::from(place == Place::AfterExecuting)
        );
        assert_eq!(state.connections_accepted, 1);
    }
}

#[test]
fn a_page_repeats_url_and_headers_only_when_it_is_to() {
    let emulator = start();
    let upload = put("a b", "x")
        .query("q=1&r=2")
        .header("SecurityToken", "sts");
    let head = upload.head();
    let authorization = head
        .lines()
        .find_map(|line| line.strip_prefix("Authorization: "))
        .unwrap();
    emulator.rule(Rule::on(Call::Put, Fault::gateway(502)).times(1));
    let silent = upload.send(emulator.address()).text();
    emulator.rule(Rule::on(
        Call::Put,
        Fault::Gateway(Gateway::new(502).repeats()),
    ));
    let loud = upload.send(emulator.address()).text();
    for repeated in ["/a%20b?q=1&r=2", authorization, "securitytoken: sts"] {
        assert!(loud.contains(repeated), "{loud}");
        assert!(!silent.contains(repeated), "{silent}");
    }
}

#[test]
fn a_page_for_a_head_request_has_no_body() {
    let emulator = start();
    emulator.rule(Rule::on(Call::Head, Fault::gateway(502)).times(1));
    let mut client = Client::connect(emulator.address());
    let reply = client.send(&ask("HEAD", "k"));
    assert_eq!(reply.status, 502);
    assert_ne!(reply.header("content-length"), Some("0"));
    client.send(&ask("HEAD", "k")).expect(404);
}

#[test]
fn a_gateway_may_reset_after_the_body_was_taken() {
    let emulator = start();
    let rule = r#"{"call":"put","at":"after_body","fault":{"gateway":{"status":502,"repeats":true,"then":"reset"}}}"#;
    control(emulator.control_address(), "POST", "/rules", rule);
    let mut client = Client::connect(emulator.address());
    assert!(is_page(&client.send(&put("k", "x"))));
    client.see_the_end();
    let Fault::Gateway(gateway) = emulator.rules()[0].rule.fault else {
        panic!("it is a gateway");
    };
    assert_eq!(gateway, Gateway::new(502).repeats().then(Then::Reset));
}
