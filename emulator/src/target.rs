//! Parses a request's target: the call and the key. The key is decoded from the URL byte by byte and never
//! normalised.

use std::collections::HashMap;
use std::fmt;

use axum::http::request::Parts;
use axum::http::{Method, header};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;

/// The calls of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// PutFile.
    Put,
    /// InitiateMultipartUpload.
    Initiate,
    /// UploadPart.
    Part,
    /// FinishMultipartUpload.
    Finish,
    /// AbortMultipartUpload.
    Abort,
    /// ListParts.
    List,
    /// GetMultiUploadId.
    ListUploads,
    /// HeadFile.
    Head,
    /// Downloads an object.
    Get,
    /// DeleteFile.
    Delete,
    /// The request that the emulator itself sends to a callback service.
    Callback,
    /// A connection that is accepted, before anything is read. Only rules speak of it.
    Connection,
    /// None of them.
    Other,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Put => "put",
            Self::Initiate => "initiate",
            Self::Part => "part",
            Self::Finish => "finish",
            Self::Abort => "abort",
            Self::List => "list",
            Self::ListUploads => "list_uploads",
            Self::Head => "head",
            Self::Get => "get",
            Self::Delete => "delete",
            Self::Callback => "callback",
            Self::Connection => "connection",
            Self::Other => "other",
        })
    }
}

impl Call {
    /// Whether a put policy may come with it.
    pub(crate) fn takes_policy(self) -> bool {
        matches!(self, Self::Put | Self::Finish)
    }

    /// Whether its body means something.
    pub(crate) fn has_body(self) -> bool {
        matches!(self, Self::Put | Self::Part | Self::Initiate | Self::Finish)
    }

    fn of(method: &Method, query: &HashMap<String, String>) -> Self {
        let has = |name| query.contains_key(name);
        match *method {
            Method::PUT if has("uploadId") || has("partNumber") => Self::Part,
            Method::PUT => Self::Put,
            Method::POST if has("uploads") => Self::Initiate,
            Method::POST if has("uploadId") => Self::Finish,
            Method::DELETE if has("uploadId") => Self::Abort,
            Method::DELETE => Self::Delete,
            Method::GET if has("muploadpart") => Self::List,
            Method::GET if has("muploadid") => Self::ListUploads,
            Method::GET => Self::Get,
            Method::HEAD => Self::Head,
            _ => Self::Other,
        }
    }
}

/// A request's call, key, query and host.
pub(crate) struct Target {
    pub call: Call,
    /// The raw key, decoded. Not yet checked.
    pub key: Vec<u8>,
    pub query: HashMap<String, String>,
    /// Without the port.
    pub host: String,
}

impl Target {
    pub fn read(head: &Parts) -> Self {
        let path = head.uri.path();
        let query = form(head.uri.query().unwrap_or_default());
        Self {
            call: Call::of(&head.method, &query),
            key: percent_decode_str(path.strip_prefix('/').unwrap_or(path)).collect(),
            query,
            host: host(head),
        }
    }

    /// The key, when it is one.
    pub fn key(&self) -> Result<&str, Refusal> {
        check_key(&self.key)
    }

    /// For people.
    pub fn shown_key(&self) -> String {
        String::from_utf8_lossy(&self.key).into_owned()
    }

    pub fn param(&self, name: &str) -> Result<&str, Refusal> {
        self.query
            .get(name)
            .map(String::as_str)
            .ok_or_else(|| Refusal::bad_request(format!("missing parameter {name}")))
    }

    /// A parameter that is a number, when it is there.
    pub fn number(&self, name: &str) -> Result<Option<u32>, Refusal> {
        let Some(text) = self.query.get(name) else {
            return Ok(None);
        };
        match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Refusal::bad_request(format!("invalid parameter {name}"))),
        }
    }

    /// The bucket that the host name speaks of, when it can: `<bucket>.anything`.
    pub fn host_bucket(&self) -> Option<&str> {
        let numeric = self.host.starts_with('[') || self.host.parse::<std::net::Ipv4Addr>().is_ok();
        if numeric {
            return None;
        }
        self.host.split_once('.').map(|(bucket, _)| bucket)
    }
}

pub(crate) fn check_key(key: &[u8]) -> Result<&str, Refusal> {
    if !(1..=1023).contains(&key.len()) {
        return Err(Refusal::bad_request(format!(
            "invalid key: {} bytes, allowed are 1 to 1023",
            key.len()
        )));
    }
    std::str::from_utf8(key).map_err(|_| Refusal::bad_request("invalid key: not UTF-8"))
}

fn form(query: &str) -> HashMap<String, String> {
    url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

fn host(head: &Parts) -> String {
    let named = head
        .headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok());
    let host = head
        .uri
        .authority()
        .map(|authority| authority.as_str())
        .or(named)
        .unwrap_or_default();
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name.into(),
        _ => host.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(method: &str, uri: &str, host: &str) -> Target {
        let request = axum::http::Request::builder()
            .method(method)
            .uri(uri)
            .header("host", host)
            .body(())
            .unwrap();
        Target::read(&request.into_parts().0)
    }

    #[test]
    fn keys_are_decoded_and_nothing_else() {
        for (uri, key) in [
            ("/a.txt", "a.txt"),
            ("//a", "/a"),
            ("/a%2Fb%252F+c", "a/b%2F+c"),
            ("/%E4%B8%AD/../x", "中/../x"),
        ] {
            assert_eq!(target("PUT", uri, "127.0.0.1").key().unwrap(), key);
        }
        assert!(target("PUT", "/%FF", "x").key().is_err());
        assert!(target("PUT", "/", "x").key().is_err());
        assert!(
            target("PUT", &format!("/{}", "k".repeat(1024)), "x")
                .key()
                .is_err()
        );
        assert!(
            target("PUT", &format!("/{}", "k".repeat(1023)), "x")
                .key()
                .is_ok()
        );
    }

    #[test]
    fn calls_are_told_apart() {
        for (method, uri, call) in [
            ("PUT", "/k", Call::Put),
            ("POST", "/k?uploads", Call::Initiate),
            ("PUT", "/k?partNumber=0&uploadId=u", Call::Part),
            ("POST", "/k?uploadId=u&newKey=n", Call::Finish),
            ("DELETE", "/k?uploadId=u", Call::Abort),
            ("DELETE", "/k", Call::Delete),
            ("GET", "/?muploadpart&uploadId=u", Call::List),
            ("GET", "/?muploadid&prefix=&limit=20", Call::ListUploads),
            ("GET", "/k", Call::Get),
            ("HEAD", "/k", Call::Head),
            ("POST", "/k", Call::Other),
        ] {
            assert_eq!(target(method, uri, "x").call, call, "{method} {uri}");
        }
    }

    #[test]
    fn the_host_tells_the_bucket_when_it_can() {
        assert_eq!(
            target("GET", "/k", "demo.cn-bj.ufileos.com:80").host_bucket(),
            Some("demo")
        );
        assert_eq!(target("GET", "/k", "127.0.0.1:80").host_bucket(), None);
        assert_eq!(target("GET", "/k", "[::1]:80").host_bucket(), None);
        assert_eq!(target("GET", "/k", "localhost").host_bucket(), None);
    }
}
