//! The control listener and the program.

mod common;

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{Client, ask, content, initiate, part, put, start};
use us3_emulator::{Call, State};

fn control(address: SocketAddr, method: &str, path: &str) -> String {
    let mut client = Client::connect(address);
    client
        .write(
            format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").as_bytes(),
        )
        .unwrap();
    let reply = client.read(method).unwrap();
    assert_eq!(reply.status, 200);
    reply.text()
}

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
        serde_json::from_str(&control(emulator.control_address(), "GET", "/state")).unwrap();
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

    control(emulator.control_address(), "POST", "/reset");
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

struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the program; gives its ready line.
fn program(arguments: &[&str]) -> (Program, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_us3-emulator"));
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut program = Program(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(program.0.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    (program, line.trim_end().into())
}

#[test]
fn the_program_says_where_it_is() {
    let (mut program, line) = program(&["--until-stdin-ends"]);
    let words: Vec<&str> = line.split(' ').collect();
    assert_eq!(words[..2], ["us3-emulator", "ready"]);
    assert_eq!(words[3], "bucket=demo");
    let address = words[2].strip_prefix("http://").unwrap().parse().unwrap();
    let control_address = words[4]
        .strip_prefix("control=http://")
        .unwrap()
        .parse()
        .unwrap();
    put("k", "x").send(address).expect(200);
    ask("GET", "a b").unsigned().send(address).expect(401);
    let encoded = put("a b", "x").unsigned().header(
        "Authorization",
        "UCloud demo-public-key:QK1dro2XZ59doW5O3n7k2HYsNFc=",
    );
    encoded.send(address).expect(403);
    assert!(control(control_address, "GET", "/state").contains("\"key\":\"k\""));
    drop(program.0.stdin.take());
    assert!(program.0.wait().unwrap().success());
    let mut log = String::new();
    program
        .0
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut log)
        .unwrap();
    assert!(log.contains("put \"k\", 1 bytes → 200"), "{log}");
    assert!(
        log.contains("get \"a b\", 0 bytes → 401 RetCode -148643"),
        "{log}"
    );
    assert!(
        log.contains(r#"string to sign here:   "PUT\n\n\n\n/demo/a b""#),
        "{log}"
    );
    assert!(
        log.contains(r#"string the client signed: "PUT\n\n\n\n/demo/a%20b""#),
        "{log}"
    );
}

#[test]
fn the_program_is_quiet_when_asked() {
    let (mut program, line) = program(&["--quiet", "--bucket", "b", "--until-stdin-ends"]);
    assert!(line.contains(" bucket=b "));
    put("k", "x")
        .bucket("b")
        .send(line.split(' ').nth(2).unwrap()[7..].parse().unwrap())
        .expect(200);
    drop(program.0.stdin.take());
    assert!(program.0.wait().unwrap().success());
    let mut log = String::new();
    program
        .0
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut log)
        .unwrap();
    assert_eq!(log, "");
}
