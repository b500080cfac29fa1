//! Requests to the control listener.

use std::net::SocketAddr;

use super::{Client, Reply};

/// A request to the control listener that succeeds; gives the body of the answer.
#[track_caller]
pub fn control(address: SocketAddr, method: &str, path: &str, body: impl AsRef<[u8]>) -> String {
    let reply = ask_control(address, method, path, body);
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.text()
}

/// The same, whatever the answer.
pub fn ask_control(address: SocketAddr, method: &str, path: &str, body: impl AsRef<[u8]>) -> Reply {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n");
    control_head(address, &head, body)
}

/// A request of which the head is given line by line, but for its length.
pub fn control_head(address: SocketAddr, head: &str, body: impl AsRef<[u8]>) -> Reply {
    let (mut client, body) = (Client::connect(address), body.as_ref());
    let head = format!("{head}Content-Length: {}\r\n\r\n", body.len());
    client.write(&[head.as_bytes(), body].concat()).unwrap();
    let method = head.split(' ').next().unwrap();
    client.read(method).unwrap()
}
