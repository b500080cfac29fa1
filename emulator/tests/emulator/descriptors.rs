//! An emulator that has run out of file descriptors.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::common::put;

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn every_listener_goes_on_after_accept_has_failed() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new("sh")
        .args(["-c", r#"ulimit -n 40; exec "$0" "$@""#])
        .args([env!("CARGO_BIN_EXE_us3-emulator"), "--listen=127.0.0.1:0"])
        .args(["--until-stdin-ends", "--tls-ca"])
        .arg(folder.path().join("ca.pem"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut ready).unwrap();
    let after = |word: &str| {
        let (_, rest) = ready.split_once(word).unwrap();
        rest.split_whitespace().next().unwrap().to_string()
    };
    let port = |address: String| address.rsplit(':').next().unwrap().parse::<u16>().unwrap();
    let ports = ["ready http://", "control=", "https="].map(|word| port(after(word)));

    let (failed, failures) = mpsc::channel();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let log = thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            if line.contains("Too many open files") {
                let _ = failed.send(line);
            }
        }
    });
    for port in ports {
        let many: Vec<TcpStream> = (0..60)
            .map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap())
            .collect();
        failures.recv_timeout(PATIENCE).expect("a failed accept");
        drop(many);
        for port in ports {
            let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            client.write_all(b"no HTTP and no TLS\r\n\r\n").unwrap();
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).unwrap();
            assert!(!answer.is_empty(), "port {port}");
        }
        while failures.try_recv().is_ok() {}
    }
    put("k", "x")
        .send(([127, 0, 0, 1], ports[0]).into())
        .expect(200);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    log.join().unwrap();
}
