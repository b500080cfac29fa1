//! Requests, as far as it takes to answer them.

use std::io;

/// As US3 has it.
const PART_SIZE: u32 = 4 << 20;

/// Neither form of an ETag has 12 characters.
const ETAG: &str = "nothing-kept";

const HEADERS: usize = 32;

/// A request whose head has arrived.
pub(crate) struct Request {
    /// Bytes of the head.
    pub(crate) head: usize,
    /// Bytes of the body.
    pub(crate) body: usize,
    pub(crate) expects_continue: bool,
    method: String,
    query: String,
}

impl Request {
    /// None while the head is not whole.
    pub(crate) fn parse(bytes: &[u8]) -> io::Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut parsed = httparse::Request::new(&mut headers);
        let status = parsed.parse(bytes).map_err(io::Error::other)?;
        let httparse::Status::Complete(head) = status else {
            return Ok(None);
        };
        let header = |name: &str| {
            let found = parsed
                .headers
                .iter()
                .find(|header| header.name.eq_ignore_ascii_case(name))?;
            std::str::from_utf8(found.value).ok()
        };
        let query = parsed.path.and_then(|path| path.split_once('?'));
        Ok(Some(Self {
            head,
            body: header("content-length")
                .map_or(Ok(0), str::parse)
                .map_err(io::Error::other)?,
            expects_continue: header("expect").is_some(),
            method: parsed.method.unwrap_or_default().to_owned(),
            query: query.map_or("", |(_, query)| query).to_owned(),
        }))
    }

    pub(crate) fn answer(&self) -> String {
        let part = self
            .query
            .split('&')
            .find_map(|pair| pair.strip_prefix("partNumber="));
        let body = match (self.method.as_str(), part) {
            ("POST", _) if self.query == "uploads" => format!(
                r#"{{"UploadId":"sink","BlkSize":{PART_SIZE},"Bucket":"bench","Key":"key"}}"#
            ),
            ("POST", _) => r#"{"Bucket":"bench","Key":"key","FileSize":0}"#.to_owned(),
            ("PUT", Some(number)) => format!(r#"{{"PartNumber":{number}}}"#),
            ("PUT" | "HEAD" | "DELETE", _) => String::new(),
            _ => return "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n".to_owned(),
        };
        if self.method == "DELETE" {
            return "HTTP/1.1 204 No Content\r\n\r\n".to_owned();
        }
        let length = body.len();
        format!("HTTP/1.1 200 OK\r\nETag: \"{ETAG}\"\r\nContent-Length: {length}\r\n\r\n{body}")
    }
}
