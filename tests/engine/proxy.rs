//! Proxies: http through absolute URLs, https through CONNECT, and the password only to the proxy.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

use crate::support::{HandMade, emulator, emulator_with, read_head};
use us3::client::Client;
use us3::config::Config;
use us3::content::Source;
use us3::error::Status;
use us3::upload::{Mode, UploadRequest};

/// `user:secret` as Proxy-Authorization carries it.
const AUTHORIZATION: &str = "proxy-authorization: Basic dXNlcjpzZWNyZXQ=";

/// A proxy to `service` that notes the heads it gets: absolute URLs are passed on as paths.
fn proxy_to(service: SocketAddr) -> (HandMade, Arc<Mutex<Vec<String>>>) {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let noted = heads.clone();
    let proxy = HandMade::start(move |mut client| {
        let Some(text) = read_head(&mut client) else {
            return;
        };
        noted.lock().expect("heads").push(text.clone());
        let mut upstream = TcpStream::connect(service).expect("service");
        if text.starts_with("CONNECT ") {
            let _ = client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n");
        } else {
            let plain = text.replacen(&format!("http://{service}"), "", 1);
            let _ = upstream.write_all(plain.as_bytes());
        }
        pipe(client, upstream);
    });
    (proxy, heads)
}

fn pipe(client: TcpStream, upstream: TcpStream) {
    let (mut from, mut to) = (
        client.try_clone().expect("socket"),
        upstream.try_clone().expect("socket"),
    );
    std::thread::spawn(move || std::io::copy(&mut from, &mut to));
    let (mut from, mut to) = (upstream, client);
    let _ = std::io::copy(&mut from, &mut to);
}

fn client(mut config: Config, proxy: SocketAddr) -> Client {
    config.proxy = Some(format!("http://user:secret@{proxy}"));
    Client::new(config).expect("client")
}

fn request() -> UploadRequest {
    let mut request = UploadRequest::new(Source::Memory(vec![b'x'; 1 << 20].into()), "a b");
    // One connection: the proxy here rewrites only the first request of each.
    request.mode = Mode::Put;
    request
}

#[test]
fn http_goes_through_with_absolute_urls() {
    let emulator = emulator();
    let (proxy, heads) = proxy_to(emulator.address());
    let client = client(crate::support::config(emulator.address()), proxy.address);
    client.upload(request()).expect("upload");
    assert!(emulator.object("a b").is_some());
    let heads = heads.lock().expect("heads");
    let first = format!("PUT http://{}/a%20b HTTP/1.1\r\n", emulator.address());
    assert!(heads[0].starts_with(&first), "{}", heads[0]);
    assert!(heads[0].contains(AUTHORIZATION), "{}", heads[0]);
}

#[test]
fn https_goes_through_a_tunnel_that_sees_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    let ca_file = folder.path().join("ca.pem");
    let emulator = emulator_with(|options| options.tls_ca = Some(ca_file.clone()));
    let https = emulator.https_url().expect("https");
    let port: u16 = https
        .rsplit(':')
        .next()
        .expect("port")
        .parse()
        .expect("port");
    let (proxy, heads) = proxy_to(SocketAddr::from(([127, 0, 0, 1], port)));
    let mut config = crate::support::config("unused");
    config.endpoint = Some(https);
    config.ca_file = Some(ca_file);
    let client = client(config, proxy.address);
    client.upload(request()).expect("upload");
    assert!(emulator.object("a b").is_some());
    let heads = heads.lock().expect("heads");
    assert!(
        heads[0].starts_with(&format!("CONNECT localhost:{port} ")),
        "{}",
        heads[0]
    );
    assert!(
        heads[0]
            .to_lowercase()
            .contains(&AUTHORIZATION.to_lowercase()),
        "{}",
        heads[0]
    );
    let seen = emulator.requests();
    let leaked = seen[0]
        .headers
        .iter()
        .any(|(name, _)| name == "proxy-authorization");
    assert!(!leaked, "the service got the proxy's password");
}

#[test]
fn a_proxy_that_is_down_is_named_without_its_password() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
    let address = closed.local_addr().expect("address");
    drop(closed);
    let mut config = crate::support::config("192.0.2.1");
    config.max_retries = 0;
    let error = client(config, address)
        .upload(request())
        .expect_err("no proxy");
    assert_eq!(error.status(), Status::NetworkError);
    assert!(!error.message().contains("secret"), "{error}");
}
