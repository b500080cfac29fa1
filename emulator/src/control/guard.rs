//! Access control of the control listener: accepts programs, and refuses web pages in a browser.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::app::App;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Why a request is refused.
#[derive(Debug, PartialEq)]
enum Denial {
    /// It may come from a web page.
    WebPage(String),
    /// It has no token, or another one.
    NoToken,
}

/// Checks a request.
pub(super) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    match check(&head, app.control_token.as_deref()) {
        Ok(()) => next.run(Request::from_parts(head, body)).await,
        Err(Denial::WebPage(why)) => {
            (StatusCode::FORBIDDEN, Json(json!({ "error": why }))).into_response()
        }
        Err(Denial::NoToken) => {
            let why = "the control listener wants its token: Authorization: Bearer TOKEN, or ?token=TOKEN";
            (
                StatusCode::UNAUTHORIZED,
                [(header::WWW_AUTHENTICATE, "Bearer")],
                Json(json!({ "error": why })),
            )
                .into_response()
        }
    }
}

fn check(head: &Parts, token: Option<&str>) -> Result<(), Denial> {
    check_host(head)?;
    check_origin(head)?;
    token.map_or(Ok(()), |token| check_token(head, token))
}

/// The values of a header; what is not text becomes text that is refused.
fn values(head: &Parts, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = head.headers.get_all(name).into_iter();
    values.map(|value| value.to_str().unwrap_or("?"))
}

/// A web page whose host name resolves to this machine (DNS rebinding) sends that name.
fn check_host(head: &Parts) -> Result<(), Denial> {
    let authority = head.uri.authority().map(|authority| authority.as_str());
    for host in values(head, header::HOST).chain(authority) {
        if !is_address_or_localhost(host) {
            return Err(Denial::WebPage(format!(
                "the Host {host:?} is refused, for it may be a web page's; \
                 ask for the control listener by its address, or as localhost"
            )));
        }
    }
    Ok(())
}

/// With or without a port.
fn is_address_or_localhost(host: &str) -> bool {
    const LOCALHOST: &str = "localhost";
    let bare_v6 = || host.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    if host.parse::<SocketAddr>().is_ok()
        || host.parse::<Ipv4Addr>().is_ok()
        || bare_v6().is_some_and(|_: Ipv6Addr| true)
    {
        return true;
    }
    let (name, port) = host.split_once(':').unwrap_or((host, "0"));
    name.eq_ignore_ascii_case(LOCALHOST) && port.parse::<u16>().is_ok()
}

/// Browsers send the origin of the page. The Host header was already checked.
fn check_origin(head: &Parts) -> Result<(), Denial> {
    let own = values(head, header::HOST).next();
    let own = own.map(|host| format!("http://{host}"));
    for origin in values(head, header::ORIGIN) {
        if !own
            .as_ref()
            .is_some_and(|own| own.eq_ignore_ascii_case(origin))
        {
            return Err(Denial::WebPage(format!(
                "requests of web pages are refused, and this one has the Origin {origin:?}; \
                 ask with a program that is no browser"
            )));
        }
    }
    for site in values(head, SEC_FETCH_SITE) {
        if site != "same-origin" && site != "none" {
            return Err(Denial::WebPage(format!(
                "requests of web pages are refused, and this one has the Sec-Fetch-Site {site:?}; \
                 ask with a program that is no browser"
            )));
        }
    }
    Ok(())
}

fn check_token(head: &Parts, token: &str) -> Result<(), Denial> {
    let bearer = values(head, header::AUTHORIZATION)
        .filter_map(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, given)| given.trim().to_string());
    let query = head.uri.query().unwrap_or_default();
    let parameter = url::form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name == "token")
        .map(|(_, given)| given.into_owned());
    if bearer.chain(parameter).any(|given| same(&given, token)) {
        Ok(())
    } else {
        Err(Denial::NoToken)
    }
}

/// In constant time, so that the duration does not show how many characters are right.
fn same(given: &str, token: &str) -> bool {
    let differences = given.bytes().zip(token.bytes()).map(|(a, b)| a ^ b);
    given.len() == token.len() && differences.fold(0, |all, one| all | one) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_an_address_or_localhost() {
        for (host, expected) in [
            ("127.0.0.1", true),
            ("127.0.0.1:80", true),
            ("10.1.2.3:65535", true),
            ("[::1]", true),
            ("[::1]:80", true),
            ("localhost", true),
            ("LocalHost:7381", true),
            ("", false),
            (":80", false),
            ("localhost.", false),
            ("localhost:80:80", false),
            ("localhost:", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("user@127.0.0.1", false),
            ("[::1", false),
            ("evil.example:80", false),
        ] {
            assert_eq!(is_address_or_localhost(host), expected, "{host}");
        }
    }
}
