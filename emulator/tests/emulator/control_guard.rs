//! Whom the control listener obeys.

use std::net::SocketAddr;

use crate::common::control::{ask_control, control_head};
use crate::common::program::Program;
use crate::common::{put, start};
use us3_emulator::{Emulator, Fault, Options, Rule};

/// The request of a page that a browser shows, and the status it is answered with.
#[track_caller]
fn refused(emulator: &Emulator, line: &str, headers: &str) {
    let head = format!("{line} HTTP/1.1\r\n{headers}");
    let reply = control_head(emulator.control_address(), &head, "{\"fault\":\"reset\"}");
    assert_eq!(reply.status, 403, "{head}: {}", reply.text());
    assert!(reply.json()["error"].is_string(), "{}", reply.text());
}

#[test]
fn a_web_page_of_another_origin_is_refused_and_changes_nothing() {
    let emulator = start();
    put("kept", "x").send(emulator.address()).expect(200);
    let (own, uploads) = (emulator.control_address(), emulator.url());
    for header in [
        "Origin: http://evil.example",
        "Origin: null",
        "Origin: http://localhost",
        &format!("Origin: https://{own}"),
        &format!("Origin: {uploads}"),
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        &format!("Origin: http://{own}\r\nOrigin: http://evil.example"),
    ] {
        for line in ["POST /reset", "POST /rules", "GET /state", "GET /nothing"] {
            let headers = format!("Host: {own}\r\nContent-Type: text/plain\r\n{header}\r\n");
            refused(&emulator, line, &headers);
        }
    }
    assert!(emulator.object("kept").is_some());
    assert!(emulator.rules().is_empty());
}

#[test]
fn a_host_that_is_neither_an_address_nor_localhost_is_refused() {
    let emulator = start();
    let own = emulator.control_address();
    for host in [
        "evil.example",
        "127.0.0.1.evil.example:80",
        "localhost.evil.example",
        "control",
        "",
    ] {
        refused(&emulator, "GET /state", &format!("Host: {host}\r\n"));
        refused(
            &emulator,
            "GET /state",
            &format!("Host: {own}\r\nHost: {host}\r\n"),
        );
    }
    let line = format!("GET http://evil.example:{}/state", own.port());
    refused(&emulator, &line, &format!("Host: {own}\r\n"));
}

#[test]
fn programs_and_the_listeners_own_pages_are_served() {
    let emulator = start();
    let own = emulator.control_address();
    for head in [
        "GET /state HTTP/1.0\r\n",
        "GET /state HTTP/1.1\r\nHost: localhost\r\n",
        "GET /state HTTP/1.1\r\nHost: LOCALHOST:1234\r\n",
        "GET /state HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        "GET /state HTTP/1.1\r\nHost: [::1]:80\r\n",
        "GET /state HTTP/1.1\r\nHost: [::1]\r\n",
        &format!("GET http://{own}/state HTTP/1.1\r\nHost: {own}\r\n"),
        &format!("POST /reset HTTP/1.1\r\nHost: {own}\r\nOrigin: http://{own}\r\n"),
        "POST /reset HTTP/1.1\r\nHost: localhost:1\r\nOrigin: http://localhost:1\r\n",
        &format!("GET /state HTTP/1.1\r\nHost: {own}\r\nSec-Fetch-Site: none\r\n"),
        &format!("GET /state HTTP/1.1\r\nHost: {own}\r\nSec-Fetch-Site: same-origin\r\n"),
    ] {
        let reply = control_head(own, head, "");
        assert_eq!(reply.status, 200, "{head}: {}", reply.text());
    }
}

#[test]
fn rules_come_without_any_browser_header() {
    let emulator = start();
    let rule = serde_json::to_string(&Rule::any(Fault::Reset)).unwrap();
    let reply = ask_control(emulator.control_address(), "POST", "/rules", rule);
    assert_eq!(reply.status, 200, "{}", reply.text());
}

/// Reached by other machines as well.
fn start_everywhere() -> Emulator {
    Emulator::start(Options {
        control: ([0, 0, 0, 0], 0).into(),
        ..Options::default()
    })
    .unwrap()
}

fn here(emulator: &Emulator) -> SocketAddr {
    ([127, 0, 0, 1], emulator.control_address().port()).into()
}

#[test]
fn a_listener_beyond_loopback_wants_its_token() {
    let emulator = start_everywhere();
    let (address, token) = (here(&emulator), emulator.control_token().unwrap());
    let (_, half) = token.split_at(16);
    for (path, header, status) in [
        ("/state", String::new(), 401),
        ("/nothing", String::new(), 401),
        ("/state?token=", String::new(), 401),
        (&format!("/state?token={half}"), String::new(), 401),
        ("/state", format!("Authorization: Bearer {token}x\r\n"), 401),
        ("/state", format!("Authorization: Basic {token}\r\n"), 401),
        ("/state", format!("Authorization: Bearer {token}\r\n"), 200),
        ("/state", format!("authorization: bearer {token}\r\n"), 200),
        (&format!("/state?token={token}"), String::new(), 200),
    ] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{header}");
        let reply = control_head(address, &head, "");
        assert_eq!(reply.status, status, "{head}: {}", reply.text());
    }
    let put = ask_control(
        address,
        "POST",
        &format!("/objects?key=k&token={token}"),
        "x",
    );
    assert_eq!(put.status, 200, "{}", put.text());
}

#[test]
fn a_token_does_not_help_a_web_page() {
    let emulator = start_everywhere();
    let (address, token) = (here(&emulator), emulator.control_token().unwrap());
    for header in ["Host: evil.example", "Host: localhost\r\nOrigin: null"] {
        let head = format!("GET /state?token={token} HTTP/1.1\r\n{header}\r\n");
        assert_eq!(control_head(address, &head, "").status, 403, "{header}");
    }
}

#[test]
fn a_token_that_was_chosen_is_wanted_on_loopback_as_well() {
    let emulator = Emulator::start(Options {
        control_token: Some("chosen".into()),
        ..Options::default()
    })
    .unwrap();
    assert_eq!(emulator.control_token(), Some("chosen"));
    let status = |path| ask_control(emulator.control_address(), "GET", path, "").status;
    assert_eq!(
        (status("/state"), status("/state?token=chosen")),
        (401, 200)
    );
    assert_eq!(start().control_token(), None);
}

#[test]
fn the_ready_line_ends_with_the_token_that_was_made() {
    let program = Program::start(&["--control", "0.0.0.0:0"]);
    let (_, token) = program.ready.rsplit_once(" token=").unwrap();
    let port = program.word("control=http://0.0.0.0:").parse().unwrap();
    let reply = ask_control(
        ([127, 0, 0, 1], port).into(),
        "GET",
        &format!("/state?token={token}"),
        "",
    );
    assert_eq!(reply.status, 200, "{}", reply.text());
    let header = format!("curl -H 'Authorization: Bearer {token}' ");
    let log = program.end();
    assert_eq!(log.matches(&header).count(), 2, "{log}");
}

#[test]
fn a_token_that_was_chosen_is_not_shown() {
    let program = Program::start(&["--control-token", "chosen-by-somebody"]);
    let shown = program.ready.clone() + &program.end();
    assert!(!shown.contains("chosen-by-somebody"), "{shown}");
    assert!(shown.contains("(the one of --control-token)"), "{shown}");
}

#[test]
fn uploads_on_all_addresses_leave_the_control_listener_on_loopback() {
    let program = Program::start(&["--listen", "0.0.0.0:0"]);
    let control = program.word("control=http://");
    assert!(control.starts_with("127.0.0.1:"), "{control}");
    assert!(!program.ready.contains("token="), "{}", program.ready);
}
