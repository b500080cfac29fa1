//! What the engine's tests share: content, clients, and services that misbehave by hand.

#![allow(dead_code)] // Each test binary uses its own part of this.

pub mod bench;
pub mod random;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use us3::client::Client;
use us3::config::Config;
use us3::protocol::policy::PutPolicy;
use us3_emulator::{Emulator, Options};

/// The key pair and bucket of every test.
pub const PUBLIC_KEY: &str = "TOKEN_test";
pub const PRIVATE_KEY: &str = "test-private-key";
pub const BUCKET: &str = "demo";

/// A configuration for a service at `address`.
pub fn config(address: impl std::fmt::Display) -> Config {
    let mut config = Config::new(PUBLIC_KEY, PRIVATE_KEY.into(), BUCKET);
    config.endpoint = Some(format!("http://{address}"));
    config.settle_timeout = std::time::Duration::from_millis(200);
    config
}

/// A client without retries.
pub fn client(address: impl std::fmt::Display) -> Client {
    let mut config = config(address);
    config.max_retries = 0;
    Client::new(config).expect("client")
}

/// An emulator with the tests' key pair and bucket.
pub fn emulator() -> Emulator {
    emulator_with(|_| {})
}

/// The same with other options.
pub fn emulator_with(change: impl FnOnce(&mut Options)) -> Emulator {
    let mut options = Options {
        bucket: BUCKET.to_owned(),
        public_key: PUBLIC_KEY.to_owned(),
        private_key: PRIVATE_KEY.to_owned(),
        log: false,
        strict: true,
        ..Options::default()
    };
    change(&mut options);
    Emulator::start(options).expect("emulator")
}

/// A callback service: answers JSON to everything that comes.
pub fn callback_service() -> HandMade {
    HandMade::start(|mut stream| {
        while read_request(&mut stream).is_some() {
            let headers = "Content-Type: application/json\r\n";
            answer(&mut stream, "200 OK", headers, r#"{"ok":true}"#);
        }
    })
}

/// Both forms of the page's policy, for the callback service at `address`.
pub fn json_policy(address: SocketAddr) -> PutPolicy {
    let body = r#"{"Name":"Alice", "Age":20}"#;
    let url = format!("http://{address}/json");
    PutPolicy::build(&url, body, Some("application/json"), &[]).expect("policy")
}

pub fn query_policy(address: SocketAddr) -> PutPolicy {
    let vars = [("x:name", "Alice"), ("x:age", "20")];
    let url = format!("http://{address}/query");
    PutPolicy::build(&url, "Name=$(x:name)&Age=$(x:age)", None, &vars).expect("policy")
}

/// Runs every case on one of a few threads; most of them only wait.
pub fn in_parallel<T: Send>(cases: Vec<T>, threads: usize, run: impl Fn(T) + Sync) {
    let cases = std::sync::Mutex::new(cases.into_iter());
    let next = || cases.lock().expect("cases").next();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(case) = next() {
                    run(case);
                }
            });
        }
    });
}

/// Bytes that repeat nowhere within a part.
pub fn content(size: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64 ^ size as u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// A file in a folder of its own, gone with the value.
pub struct TempFile {
    folder: TempDir,
    pub path: PathBuf,
}

impl TempFile {
    pub fn new(content: &[u8]) -> Self {
        Self::named("file.bin", content)
    }

    pub fn named(name: &str, content: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("temporary file");
        Self { folder, path }
    }

    /// A file of zeros that takes no space.
    pub fn sparse(size: u64) -> Self {
        let file = Self::new(b"");
        let handle = std::fs::OpenOptions::new().write(true).open(&file.path);
        handle
            .and_then(|file| file.set_len(size))
            .expect("sparse file");
        file
    }

    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}

/// A service made by hand: `serve` gets every connection, on a thread of its own.
pub struct HandMade {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl HandMade {
    pub fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listener");
        let address = listener.local_addr().expect("address");
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = connections.clone();
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counter.fetch_add(1, Ordering::SeqCst);
                let serve = serve.clone();
                std::thread::spawn(move || serve(stream));
            }
        });
        Self {
            address,
            connections,
        }
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Reads a request's head, and whatever of its body came along.
pub fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let count = stream.read(&mut buffer).ok()?;
        if count == 0 {
            return None;
        }
        head.extend_from_slice(&buffer[..count]);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// Reads a whole request with a Content-Length; the head.
pub fn read_request(stream: &mut TcpStream) -> Option<String> {
    let text = read_head(stream)?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = head
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length:")
                .map(str::to_owned)
        })
        .and_then(|value| value.trim().parse::<usize>().ok())
        .unwrap_or(0);
    // Lossy text may be longer than the bytes; tests that use this send ASCII or empty bodies.
    let mut rest = length.saturating_sub(body.len());
    let mut buffer = [0; 65536];
    while rest > 0 {
        let wanted = rest.min(buffer.len());
        let count = stream.read(&mut buffer[..wanted]).ok()?;
        if count == 0 {
            return None;
        }
        rest -= count;
    }
    Some(head.to_owned())
}

/// An answer with a Content-Length.
pub fn answer(stream: &mut TcpStream, status: &str, headers: &str, body: &str) {
    let text = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(text.as_bytes());
}

/// A service that answers each request by its head: what comes back is sent, None hangs up.
pub fn scripted(script: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> HandMade {
    HandMade::start(move |mut stream| {
        while let Some(head) = read_request(&mut stream) {
            let Some(reply) = script(&head) else {
                return;
            };
            if stream.write_all(reply.as_bytes()).is_err() {
                return;
            }
        }
    })
}

/// The text of an answer.
pub fn reply(status: &str, headers: &str, body: &str) -> Option<String> {
    let length = body.len();
    Some(format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    ))
}

/// A service's refusal in its own form.
pub fn refusal(status: &str) -> Option<String> {
    reply(status, "", r#"{"RetCode":-1,"ErrMsg":"no"}"#)
}

/// The answer to InitiateMultipartUpload.
pub fn initiated(part_size: i64) -> Option<String> {
    let body = format!(r#"{{"UploadId":"upload-1","BlkSize":{part_size}}}"#);
    reply("200 OK", "", &body)
}
