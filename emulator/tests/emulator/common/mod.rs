//! Requests written by hand: HTTP over a plain socket, and signatures of the test's own.

pub mod control;
pub mod program;
pub mod service;
pub mod tls;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};
use us3_emulator::{Emulator, Options};

pub const PUBLIC_KEY: &str = "demo-public-key";
pub const PRIVATE_KEY: &str = "demo-private-key";

/// An emulator with parts of 64 KiB.
pub fn start() -> Emulator {
    Emulator::start(Options {
        part_size: 64 << 10,
        ..Options::default()
    })
    .unwrap()
}

/// A request in the making.
#[derive(Clone)]
pub struct Ask {
    method: String,
    key: String,
    path: String,
    query: String,
    bucket: String,
    private_key: String,
    public_key: String,
    signed: bool,
    policy: Option<String>,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    length: Option<usize>,
}

pub fn ask(method: &str, key: &str) -> Ask {
    let encoded = key.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
            (byte as char).to_string()
        }
        _ => format!("%{byte:02X}"),
    });
    Ask {
        method: method.into(),
        key: key.into(),
        path: format!("/{}", encoded.collect::<String>()),
        query: String::new(),
        bucket: "demo".into(),
        private_key: PRIVATE_KEY.into(),
        public_key: PUBLIC_KEY.into(),
        signed: true,
        policy: None,
        headers: Vec::new(),
        body: Vec::new(),
        length: None,
    }
}

pub fn put(key: &str, body: impl Into<Vec<u8>>) -> Ask {
    ask("PUT", key).body(body)
}

impl Ask {
    pub fn query(mut self, query: impl Into<String>) -> Self {
        self.query = format!("?{}", query.into());
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Claims another length than the body has.
    pub fn length(mut self, length: usize) -> Self {
        self.length = Some(length);
        self
    }

    pub fn bucket(mut self, bucket: &str) -> Self {
        self.bucket = bucket.into();
        self
    }

    pub fn private_key(mut self, key: &str) -> Self {
        self.private_key = key.into();
        self
    }

    pub fn public_key(mut self, key: &str) -> Self {
        self.public_key = key.into();
        self
    }

    pub fn unsigned(mut self) -> Self {
        self.signed = false;
        self
    }

    pub fn policy(self, json: &str) -> Self {
        self.encoded_policy(&URL_SAFE.encode(json))
    }

    pub fn encoded_policy(mut self, policy: &str) -> Self {
        self.policy = Some(policy.into());
        self
    }

    fn header_value(&self, name: &str) -> &str {
        let found = self
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    fn authorization(&self) -> String {
        let policy = self.policy.clone().unwrap_or_default();
        let mut canonical: Vec<(String, String)> = Vec::new();
        for (name, value) in &self.headers {
            let name = name.to_lowercase();
            match canonical.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => *values = format!("{values},{value}"),
                None if name.starts_with("x-ucloud-") => canonical.push((name, value.clone())),
                None => {}
            }
        }
        canonical.sort();
        let canonical: String = canonical
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        let text = format!(
            "{}\n{}\n{}\n{}\n{canonical}/{}/{}{policy}",
            self.method,
            self.header_value("content-md5"),
            self.header_value("content-type"),
            self.header_value("date"),
            self.bucket,
            self.key,
        );
        let signature = sign(&self.private_key, &text);
        let policy = self
            .policy
            .as_ref()
            .map(|policy| format!(":{policy}"))
            .unwrap_or_default();
        format!("UCloud {}:{signature}{policy}", self.public_key)
    }

    /// The request's head, as it goes out.
    pub fn head(&self) -> String {
        let mut head = format!("{} {}{} HTTP/1.1\r\n", self.method, self.path, self.query);
        if self.header_value("host").is_empty() {
            head += "Host: 127.0.0.1\r\n";
        }
        if self.signed {
            head += &format!("Authorization: {}\r\n", self.authorization());
        }
        if self.header_value("transfer-encoding").is_empty() {
            head += &format!(
                "Content-Length: {}\r\n",
                self.length.unwrap_or(self.body.len())
            );
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head + "\r\n"
    }

    pub fn content(&self) -> &[u8] {
        &self.body
    }

    /// On a connection of its own.
    pub fn send(&self, address: SocketAddr) -> Reply {
        Client::connect(address).send(self)
    }
}

pub struct Client {
    pub stream: BufReader<TcpStream>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    pub fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    pub fn send(&mut self, ask: &Ask) -> Reply {
        self.write(&[ask.head().as_bytes(), &ask.body].concat())
            .unwrap();
        self.read(&ask.method).unwrap()
    }

    /// Waits until the service has ended the connection, cleanly or not.
    pub fn see_the_end(&mut self) {
        match self.stream.get_ref().peek(&mut [0]) {
            Ok(0) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            other => panic!("the connection did not end: {other:?}"),
        }
    }

    /// Whether the service neither ends the connection nor sends anything for so long.
    pub fn stays_open(&mut self, time: Duration) -> bool {
        let stream = self.stream.get_ref();
        let patience = stream.read_timeout().unwrap();
        stream.set_read_timeout(Some(time)).unwrap();
        let seen = stream.peek(&mut [0]);
        stream.set_read_timeout(patience).unwrap();
        seen.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// Reads an answer to a request of this method.
    pub fn read(&mut self, method: &str) -> std::io::Result<Reply> {
        let status_line = self.line()?;
        let status = status_line
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let mut reply = Reply {
            status: status.unwrap_or(0),
            status_line,
            headers: Vec::new(),
            body: Vec::new(),
        };
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            reply.headers.push((name.into(), value.trim().into()));
        }
        let length = reply
            .header("content-length")
            .and_then(|length| length.parse::<u64>().ok())
            .unwrap_or(0);
        let has_body = method != "HEAD" && reply.status >= 200 && reply.status != 204;
        if has_body {
            self.stream
                .by_ref()
                .take(length)
                .read_to_end(&mut reply.body)?;
        }
        Ok(reply)
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().into())
    }
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub status_line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn etag(&self) -> String {
        self.header("etag").unwrap().trim_matches('"').into()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(
            self.status,
            status,
            "{} {}",
            self.status_line,
            String::from_utf8_lossy(&self.body)
        );
        assert!(
            self.header("x-sessionid").is_some_and(|id| id.len() == 36),
            "{self:?}"
        );
        self
    }

    #[track_caller]
    pub fn expect_error(self, status: u16, ret_code: i64, err_msg: &str) -> Self {
        let reply = self.expect(status);
        let json = reply.json();
        assert_eq!(json["RetCode"], ret_code, "{json}");
        assert_eq!(json["ErrMsg"], err_msg, "{json}");
        reply
    }
}

pub fn signature(private_key: &str, text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha1>::new_from_slice(private_key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

pub fn sign(private_key: &str, text: &str) -> String {
    STANDARD.encode(signature(private_key, text))
}

/// Bytes that differ from place to place.
pub fn content(size: usize) -> Vec<u8> {
    (0..size as u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

/// The ETag of an object.
pub fn etag(content: &[u8]) -> String {
    let blocks: Vec<&[u8]> = content.chunks(4 << 20).collect();
    let digest = match blocks.len() {
        0 | 1 => Sha1::digest(content),
        _ => Sha1::digest(blocks.iter().flat_map(Sha1::digest).collect::<Vec<u8>>()),
    };
    URL_SAFE.encode([&(blocks.len() as u32).to_le_bytes()[..], &digest].concat())
}

/// Begins a multipart upload; gives its id.
pub fn initiate(emulator: &Emulator, key: &str) -> String {
    let reply = ask("POST", key)
        .query("uploads")
        .send(emulator.address())
        .expect(200);
    reply.json()["UploadId"].as_str().unwrap().into()
}

pub fn part(key: &str, id: &str, number: u32, body: impl Into<Vec<u8>>) -> Ask {
    put(key, body).query(format!("uploadId={id}&partNumber={number}"))
}

pub fn finish(key: &str, id: &str, etags: &[String]) -> Ask {
    ask("POST", key)
        .query(format!("uploadId={id}"))
        .body(etags.join(","))
}

/// Sends all parts; gives their ETags.
pub fn send_parts(emulator: &Emulator, key: &str, id: &str, content: &[u8]) -> Vec<String> {
    let parts = content
        .chunks(emulator.options().part_size as usize)
        .zip(0..);
    parts
        .map(|(bytes, number)| {
            part(key, id, number, bytes)
                .send(emulator.address())
                .expect(200)
                .etag()
        })
        .collect()
}
