//! Answers: read within bounds, and classified. The RetCode is read here.

use std::fmt::Display;
use std::time::{Duration, SystemTime};

use http::StatusCode;
use http::header::{ETAG, HeaderMap, HeaderName, HeaderValue};
use http::response::Parts;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::secrets::{MASK, Secrets, masked};
use crate::error::{Error, Report, Status};
use crate::protocol::verdict::{Answer, Form, is_before_the_policy, is_failed_dial};

/// The most bytes of a body that are kept: more than any documented answer, or any reasonable reply of a
/// callback service.
pub(super) const MAX_BODY: usize = 1 << 20;

/// The most bytes of a session id or ETag that are kept.
const LONGEST_TOLD: usize = 256;

const SESSION_ID: HeaderName = HeaderName::from_static("x-sessionid");

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// The body was longer than [`MAX_BODY`], or broke off.
    pub(crate) incomplete: Option<String>,
}

/// The advice after a redirect.
pub(crate) const CORRECT_THE_ADDRESS: &str = "correct file_host or endpoint";

#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "RetCode")]
    ret_code: i64,
    #[serde(rename = "ErrMsg")]
    err_msg: String,
}

impl Reply {
    /// Reads the body to its end, so that the connection can be reused, but never more than [`MAX_BODY`].
    pub(super) async fn read(head: Parts, mut incoming: Incoming, limit: Duration) -> Self {
        let mut body = Vec::new();
        let reading = read_body(&mut incoming, &mut body);
        let incomplete = match tokio::time::timeout(limit, reading).await {
            Ok(result) => result.err(),
            Err(_) => Some(format!(
                "its body did not end within {} ms",
                limit.as_millis()
            )),
        };
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
            incomplete,
        }
    }

    /// Masks the request's secrets in the headers that are reported. An ETag that contains a secret is
    /// dropped.
    pub(super) fn hide_secrets(&mut self, secrets: &[&Secrets; 2], public: &Secrets) {
        if let Some(value) = self.headers.get(&SESSION_ID) {
            let text = String::from_utf8_lossy(value.as_bytes());
            let cut: String = text.chars().take(LONGEST_TOLD).collect();
            let shown = masked(&cut, &[secrets[0], secrets[1], public]);
            if shown != text {
                let shown = HeaderValue::from_str(&shown);
                // Kept even if masked: the header shows that the service answered, and not a gateway.
                let shown = shown.unwrap_or(HeaderValue::from_static(MASK));
                self.headers.insert(SESSION_ID, shown);
            }
        }
        let is_none = |value: &HeaderValue| {
            let text = String::from_utf8_lossy(value.as_bytes());
            text.len() > LONGEST_TOLD || masked(&text, secrets) != text
        };
        if self.headers.get(&ETAG).is_some_and(is_none) {
            self.headers.remove(&ETAG);
        }
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The ETag without its quotes.
    pub(crate) fn etag(&self) -> Option<String> {
        let etag = self.header("etag")?.trim().trim_matches('"');
        (!etag.is_empty()).then(|| etag.to_owned())
    }

    /// A header, if it is readable text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The pause that Retry-After asks for.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let value = self.header("retry-after")?.trim();
        if let Ok(seconds) = value.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let date = httpdate::parse_http_date(value).ok()?;
        Some(date.duration_since(SystemTime::now()).unwrap_or_default())
    }

    /// The facts that a report takes from an answer.
    pub(crate) fn report(&self) -> Report {
        let session_id = self.headers.get(&SESSION_ID);
        Report {
            http_status: self.status,
            ret_code: self.refusal().map_or(0, |refusal| ret_code(&refusal)),
            session_id: session_id.map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned()),
            etag: self.etag(),
            body: self.body.clone(),
            ..Report::default()
        }
    }

    /// The answer as evidence. `is_own` says whether a URL is the one that the request's policy calls.
    pub(super) fn answer(&self, is_own: impl FnOnce(&str) -> bool) -> Answer {
        Answer {
            status: self.status,
            form: self.form(is_own),
            whole: self.incomplete.is_none(),
        }
    }

    fn form(&self, is_own: impl FnOnce(&str) -> bool) -> Form {
        if let Some(refusal) = self.refusal() {
            return Form::Service {
                ret_code: ret_code(&refusal),
                failed_dial: is_failed_dial(&refusal.err_msg, is_own),
            };
        }
        // A success of the service has an ETag (A9); a portal's page has none.
        let portal = self.is_success() && self.is_page() && self.etag().is_none();
        if self.incomplete.is_some() {
            Form::Other
        } else if portal {
            Form::Page
        } else if self.body.is_empty() {
            Form::Empty
        } else if serde_json::from_slice::<IgnoredAny>(&self.body).is_ok() {
            Form::Json
        } else if self.is_page() {
            Form::Page
        } else {
            Form::Other
        }
    }

    /// Whether the service itself says that it does not know the upload. A gateway's text does not count,
    /// because it may repeat the URL with its uploadId.
    pub(super) fn says_upload_is_gone(&self) -> bool {
        let Some(refusal) = self.refusal() else {
            return false;
        };
        let said = refusal.err_msg.to_lowercase();
        let missing = ["not exist", "not found", "no such", "invalid"];
        let named = said.contains("upload") && missing.iter().any(|words| said.contains(words));
        let bucket = is_before_the_policy(self.status, ret_code(&refusal));
        !bucket && (self.status == 404 || (self.status == 400 && named))
    }

    /// Whether it is a gateway's page: HTML, or an error in other text, without the service's session id.
    pub(crate) fn is_page(&self) -> bool {
        let content_type = self.header("content-type").unwrap_or_default();
        let content_type = content_type.trim_start().to_lowercase();
        let text = if self.is_success() {
            "text/html"
        } else {
            "text/"
        };
        content_type.starts_with(text) && !self.headers.contains_key(&SESSION_ID)
    }

    /// A header with an HTTP date, as seconds since 1970.
    pub(crate) fn date(&self, name: &str) -> Option<u64> {
        let date = httpdate::parse_http_date(self.header(name)?).ok()?;
        let since = date.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(since.as_secs())
    }

    fn refusal(&self) -> Option<Refusal> {
        if self.is_success() {
            return None;
        }
        // serde would also read a struct from an array.
        if !self.body.trim_ascii_start().starts_with(b"{") {
            return None;
        }
        let refusal: Refusal = serde_json::from_slice(&self.body).ok()?;
        (refusal.ret_code != 0).then_some(refusal)
    }

    /// The error for an answer other than 2xx. `mask` masks the request's secrets in a text.
    pub(super) fn error(
        &self,
        what: &dyn Display,
        policy: bool,
        mask: impl Fn(&str) -> String,
    ) -> Error {
        let mut error = match self.status {
            300..400 => self.redirect(what, policy, mask),
            _ => Error::new(
                Status::ServiceError,
                format!(
                    "{what}: the service answered {}: {}",
                    self.status,
                    self.reason(mask)
                ),
            ),
        };
        *error.report_mut() = self.report();
        error
    }

    /// The error for an answer that makes no sense.
    pub(crate) fn protocol_error(&self, what: &dyn Display, why: impl Display) -> Error {
        let mut error = Error::new(
            Status::ProtocolError,
            format!(
                "{what}: the service answered {}, but {why}; is the address really US3's?",
                self.status
            ),
        );
        *error.report_mut() = self.report();
        error
    }

    fn redirect(&self, what: &dyn Display, policy: bool, mask: impl Fn(&str) -> String) -> Error {
        let target = shown(self.header("location").unwrap_or_default(), mask);
        let mut error = Error::new(
            Status::ProtocolError,
            format!(
                "{what}: the service answered {} to {target:?}; redirects are not followed, because the signed request would go to another place",
                self.status
            ),
        );
        // With a policy the answer may come from the callback service.
        if !policy {
            error.add(CORRECT_THE_ADDRESS);
        }
        error
    }

    fn reason(&self, mask: impl Fn(&str) -> String) -> String {
        if let Some(refusal) = self.refusal() {
            let said = shown(&refusal.err_msg, mask);
            return format!("RetCode {}, {said}", ret_code(&refusal));
        }
        let text = String::from_utf8_lossy(&self.body);
        let text = text.trim();
        if text.is_empty() {
            let known = StatusCode::from_u16(self.status).ok();
            let name = known.and_then(|status| status.canonical_reason());
            name.unwrap_or("no reason given").to_owned()
        } else {
            format!("{} (not an answer in US3's form)", shown(text, mask))
        }
    }
}

fn ret_code(refusal: &Refusal) -> i32 {
    i32::try_from(refusal.ret_code).unwrap_or(-1)
}

/// A text from outside, for a message: secrets are masked, then the text is cut to 300 characters. Masking
/// comes first, so that no part of a secret remains at the cut.
fn shown(text: &str, mask: impl Fn(&str) -> String) -> String {
    const MASKED: usize = 16 << 10;
    const SHOWN: usize = 300;
    let begin = first(text, MASKED);
    let cut = begin.len() < text.len();
    let mut text = mask(begin);
    // The limit of the body may have cut a secret in two, and half a secret is not recognised. So a cut
    // text ends after the last mask.
    if let Some(last) = text.rfind(MASK).filter(|_| cut) {
        text.truncate(last + MASK.len());
    }
    let end = first(&text, SHOWN).len();
    if end < text.len() {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// The first characters of a text.
fn first(text: &str, count: usize) -> &str {
    let end = text.char_indices().nth(count);
    end.map_or(text, |(end, _)| &text[..end])
}

async fn read_body(incoming: &mut Incoming, body: &mut Vec<u8>) -> Result<(), String> {
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|cause| format!("its body broke off: {cause}"))?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        let room = MAX_BODY - body.len();
        body.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            return Err(format!("its body is longer than {MAX_BODY} bytes"));
        }
    }
    Ok(())
}
