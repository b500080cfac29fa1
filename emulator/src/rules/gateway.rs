//! The pages of gateways: load balancers, proxies and portals that answer in the service's place.

use axum::http::request::Parts;
use serde::{Deserialize, Serialize};

use super::{Shape, Then};

/// An HTML page in place of the service's answer: without `X-SessionId`, and in no form of RetCode and ErrMsg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Its status: 502, 503, 504, 599, or 200 as a hotel's portal answers.
    pub status: u16,
    /// Whether the page repeats the request's URL and all of its headers, as they came.
    #[serde(default)]
    pub repeats: bool,
    /// What becomes of the connection.
    #[serde(default)]
    pub then: Then,
}

impl Gateway {
    /// A page of this status, which repeats nothing, on a connection that goes on.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            repeats: false,
            then: Then::Keep,
        }
    }

    /// The page repeats the request's URL and headers.
    pub fn repeats(mut self) -> Self {
        self.repeats = true;
        self
    }

    /// What becomes of the connection.
    pub fn then(mut self, then: Then) -> Self {
        self.then = then;
        self
    }

    /// The answer to this request.
    pub(crate) fn shape(&self, head: &Parts) -> Shape {
        let repeated = if self.repeats {
            repeated(head)
        } else {
            String::new()
        };
        let shape = Shape {
            status: Some(self.status),
            body: Some(page(self.status, &repeated)),
            then: self.then,
            ..Shape::default()
        };
        shape
            .header("Server", "nginx")
            .header("Content-Type", "text/html; charset=utf-8")
    }
}

/// The request's first line and headers.
fn repeated(head: &Parts) -> String {
    let mut text = format!("{} {}\n", head.method, head.uri);
    for (name, value) in &head.headers {
        text += &format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()));
    }
    format!("<pre>{text}</pre>\n")
}

/// In the style of those that send it: a portal, HAProxy, nginx.
fn page(status: u16, repeated: &str) -> String {
    let reason = reason(status);
    match status {
        200 => format!(
            "<!DOCTYPE html>\n<html><head><title>Welcome</title></head><body>\n\
             <h1>Please sign in to use the network</h1>\n{repeated}</body></html>\n"
        ),
        503 | 504 => format!(
            "<html><body><h1>{status} {reason}</h1>\n\
             No server is available to handle this request.\n{repeated}</body></html>\n"
        ),
        _ => format!(
            "<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n\
             <center><h1>{status} {reason}</h1></center>\r\n<hr><center>nginx</center>\r\n{repeated}</body>\r\n</html>\r\n"
        ),
    }
}

fn reason(status: u16) -> &'static str {
    if status == 599 {
        return "Network Connect Timeout Error";
    }
    let known = axum::http::StatusCode::from_u16(status).ok();
    known
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_repeats_the_request_only_when_it_is_to() {
        let request =
            axum::http::Request::put("/k?uploadId=u").header("Authorization", "UCloud key:secret");
        let head = request.body(()).unwrap().into_parts().0;
        for status in [200, 400, 404, 502, 503, 504, 599] {
            let silent = Gateway::new(status).shape(&head).body.unwrap();
            assert!(silent.contains("<html>"), "{silent}");
            assert!(!silent.contains("secret"), "{silent}");
            let loud = Gateway::new(status).repeats().shape(&head).body.unwrap();
            assert!(
                loud.contains("PUT /k?uploadId=u\nauthorization: UCloud key:secret\n"),
                "{loud}"
            );
        }
    }
}
