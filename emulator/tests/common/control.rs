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
    let (mut client, body) = (Client::connect(address), body.as_ref());
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    client.write(&[head.as_bytes(), body].concat()).unwrap();
    client.read(method).unwrap()
}
