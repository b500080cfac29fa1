//! The shape of a faulty answer: what is changed in it, how it is written, and what becomes of
//! the connection afterwards.

use std::collections::BTreeMap;

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::answer::Answer;
use crate::net::end::End;

/// Changes to an answer. Everything is optional; what is not named stays as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shape {
    /// The status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The whole first line, which may be garbage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_line: Option<String>,
    /// Headers to be set, written exactly as they are given; null removes one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Option<String>>,
    /// All header names in lower case.
    pub lower_case: bool,
    /// What is wrong with the ETag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<EtagFault>,
    /// Another body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Members to be set in a JSON body; null removes one.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub json: Map<String, Value>,
    /// This many more bytes of headers. They are generated, not kept in memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fill_headers: Option<u64>,
    /// This many more bytes of body, generated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fill_body: Option<u64>,
    /// The body has no Content-Length and ends with the connection.
    pub no_length: bool,
    /// Only this many bytes of the body are sent, while Content-Length promises all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncate: Option<u64>,
    /// This many times `100 Continue` before the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continues: Option<u32>,
    /// Slowly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drip: Option<Drip>,
    /// What becomes of the connection. No answer says `Connection: close` by itself.
    pub then: Then,
}

/// What is wrong with an ETag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EtagFault {
    /// There is none.
    Missing,
    /// It is that of other content, of the same form.
    Wrong,
    /// It has no quotes.
    Unquoted,
    /// Its header is spelled `etag`.
    LowerCase,
    /// It is this text.
    Value(String),
}

/// A slow answer, its head included.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drip {
    /// This many bytes at a time.
    pub bytes: usize,
    /// This long between them.
    pub every_ms: u64,
}

/// What becomes of a connection after the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// It stays. What the client still sends of its body is read and thrown away.
    #[default]
    Keep,
    /// It ends cleanly.
    Close,
    /// It ends with a plain `close()`.
    Drop,
    /// It is reset.
    Reset,
    /// It ends after it was idle for a while: a stale connection.
    Idle {
        /// The while, in milliseconds.
        ms: u64,
        /// In which way.
        end: End,
    },
    /// It ends at the moment the next request arrives, which is not read.
    NextRequest(End),
}

/// An answer that is written to the socket by hand.
pub(crate) struct Crafted {
    /// The status line and the headers, without the generated ones and the empty line.
    pub head: Vec<u8>,
    pub body: Body,
}

impl Shape {
    /// Sets a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.into(), Some(value.into()));
        self
    }

    /// What becomes of the connection.
    pub fn then(mut self, then: Then) -> Self {
        self.then = then;
        self
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if self.drip.is_some_and(|drip| drip.bytes == 0) {
            return Err("a drip has at least one byte".into());
        }
        if self.truncate.is_some() && self.then == Then::Keep {
            return Err("a truncated answer must end its connection: add \"then\"".into());
        }
        if self.no_length && !matches!(self.then, Then::Close | Then::Drop) {
            return Err(
                "a body without a length ends with its connection: add \"then\": \"drop\"".into(),
            );
        }
        Ok(())
    }

    /// The changes to status, headers and body that make an answer like any other.
    pub(crate) async fn apply(&self, answer: Answer) -> Answer {
        self.apply_json(self.apply_plain(answer)).await
    }

    fn apply_plain(&self, mut answer: Answer) -> Answer {
        answer.status = self.status.unwrap_or(answer.status);
        if let Some(body) = &self.body {
            answer.remove("Content-Length");
            answer = answer.with_body(body.clone());
        }
        if let Some(fault) = &self.etag {
            fault.apply(&mut answer);
        }
        for (name, value) in &self.headers {
            answer.remove(name);
            answer
                .headers
                .extend(value.clone().map(|value| (name.clone(), value)));
        }
        answer
    }

    /// Sets members of a JSON body.
    async fn apply_json(&self, mut answer: Answer) -> Answer {
        if self.json.is_empty() {
            return answer;
        }
        let body = std::mem::replace(&mut answer.body, Body::empty());
        let body = axum::body::to_bytes(body, 1 << 20)
            .await
            .unwrap_or_default();
        let mut members: Map<String, Value> = serde_json::from_slice(&body).unwrap_or_default();
        for (name, value) in &self.json {
            members.remove(name);
            if !value.is_null() {
                members.insert(name.clone(), value.clone());
            }
        }
        answer.remove("Content-Length");
        answer.with_body(Value::Object(members).to_string())
    }

    /// The answer as bytes.
    pub(crate) fn craft(&self, mut answer: Answer) -> Crafted {
        self.set_length(&mut answer);
        let status = axum::http::StatusCode::from_u16(answer.status).ok();
        let reason = status
            .and_then(|status| status.canonical_reason())
            .unwrap_or("Unknown");
        let status_line = format!("HTTP/1.1 {} {reason}", answer.status);
        let mut head = format!("{}\r\n", self.status_line.as_ref().unwrap_or(&status_line));
        for (name, value) in &answer.headers {
            let name = if self.lower_case {
                name.to_lowercase()
            } else {
                name.clone()
            };
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        Crafted {
            head: head.into(),
            body: answer.body,
        }
    }

    fn set_length(&self, answer: &mut Answer) {
        let named_here = self
            .headers
            .keys()
            .any(|name| name.eq_ignore_ascii_case("Content-Length"));
        if named_here {
            return;
        }
        let given: u64 = answer
            .remove("Content-Length")
            .and_then(|length| length.parse().ok())
            .unwrap_or(0);
        let length = given + self.fill_body.unwrap_or(0);
        let has_none =
            self.no_length || (length == 0 && matches!(answer.status, 100..200 | 204 | 304));
        if !has_none {
            answer
                .headers
                .push(("Content-Length".into(), length.to_string()));
        }
    }
}

impl EtagFault {
    fn apply(&self, answer: &mut Answer) {
        let quoted = answer.remove("ETag");
        if quoted.is_none() && !matches!(self, Self::Value(_)) {
            return;
        }
        let quoted = quoted.unwrap_or_default();
        let etag = quoted.trim_matches('"');
        let (name, value) = match self {
            Self::Missing => return,
            Self::Wrong => ("ETag", format!("\"{}\"", other(etag))),
            Self::Unquoted => ("ETag", etag.into()),
            Self::LowerCase => ("etag", quoted),
            Self::Value(value) => ("ETag", value.clone()),
        };
        answer.headers.push((name.into(), value));
    }
}

/// The ETag of other content: its last bit differs.
fn other(etag: &str) -> String {
    let mut bytes = URL_SAFE.decode(etag).unwrap_or_default();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    URL_SAFE.encode(bytes)
}
