//! An HTTP answer before it is sent.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use bytes::Bytes;
use serde_json::Value;

use crate::refusal::Refusal;

pub(crate) struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Body,
    /// The RetCode, if the answer is a refusal.
    pub ret_code: Option<i64>,
    pub err_msg: Option<String>,
    pub note: Option<String>,
}

impl Answer {
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::empty(),
            ret_code: None,
            err_msg: None,
            note: None,
        }
    }

    pub fn json(value: &Value) -> Self {
        Self::empty(200)
            .with("Content-Type", "application/json")
            .with_body(value.to_string())
    }

    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Removes a header and returns its value.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        let index = self
            .headers
            .iter()
            .position(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(self.headers.remove(index).1)
    }

    pub fn with_etag(self, etag: &str) -> Self {
        self.with("ETag", format!("\"{etag}\""))
    }

    /// A complete body in memory, with its length.
    pub fn with_body(self, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let mut answer = self.with("Content-Length", body.len().to_string());
        answer.body = Body::from(body);
        answer
    }

    pub fn into_response(self) -> Response<Body> {
        let mut response = Response::new(self.body);
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in self.headers {
            let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value))
            else {
                continue;
            };
            response.headers_mut().append(name, value);
        }
        response
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        // By hand, for the order in which the service puts them.
        let said = Value::from(refusal.err_msg.as_str());
        let body = format!("{{\"RetCode\":{},\"ErrMsg\":{said}}}", refusal.ret_code);
        let mut answer = Self::empty(refusal.status)
            .with("Content-Type", "application/json")
            .with_body(body);
        answer.ret_code = Some(refusal.ret_code);
        answer.err_msg = Some(refusal.err_msg);
        answer.note = refusal.note;
        answer
    }
}
