//! One call of the protocol, and the signed HTTP request for it.

use std::fmt::{self, Display};

use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue,
    PROXY_AUTHORIZATION, USER_AGENT,
};
use http::{Method, Request, Uri};
use hyper_util::client::proxy::matcher::Intercept;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::Service;
use super::body::Body;
use super::secrets::{Secrets, masked};
use crate::error::{Error, Result, Status};
use crate::operation::Operation;
use crate::protocol::policy::PutPolicy;
use crate::protocol::sign::Signed;
use crate::protocol::verdict::{End, Evidence};

/// Everything outside `A–Z a–z 0–9 - _ . ~` is encoded in a query, and `/` is kept in a path.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
const PATH: &AsciiSet = &QUERY.remove(b'/');

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
const SECURITY_TOKEN: HeaderName = HeaderName::from_static("securitytoken");

/// One request, before it is signed.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    /// The operation's name in messages.
    pub(crate) operation: &'static str,
    pub(crate) method: Method,
    /// The raw key; empty for a call on the bucket.
    pub(crate) key: &'a str,
    /// The query, already encoded, without the `?`.
    pub(crate) query: String,
    pub(crate) content_type: Option<&'a str>,
    pub(crate) content_md5: Option<&'a str>,
    pub(crate) headers: &'a [(String, String)],
    pub(crate) policy: Option<&'a PutPolicy>,
    /// A PutFile or finish, after which an object is stored.
    pub(crate) stores: bool,
    /// Creates an upload whose id only the answer tells; giving up at once would leak it.
    pub(crate) creates_upload: bool,
}

impl<'a> Call<'a> {
    pub(super) fn new(operation: &'static str, method: Method, key: &'a str) -> Self {
        Self {
            operation,
            method,
            key,
            query: String::new(),
            content_type: None,
            content_md5: None,
            headers: &[],
            policy: None,
            stores: false,
            creates_upload: false,
        }
    }

    pub(crate) fn evidence(&self, through: bool, end: End) -> Evidence {
        Evidence {
            stores: self.stores,
            policy: self.policy.is_some(),
            through,
            end,
        }
    }

    /// Resolves when this request must be given up, and says why.
    pub(super) async fn given_up(&self, operation: &Operation) -> Error {
        if self.creates_upload {
            operation.ended_with_grace().await
        } else {
            operation.ended().await
        }
    }
}

/// Shows a request in a message: its operation and URL, which has no secret. Formatted only when there is
/// a message, because most requests have none.
#[derive(Clone, Copy)]
pub(crate) struct What<'a>(pub(crate) &'a Service, pub(crate) &'a Call<'a>);

impl Display for What<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(service, call) = self;
        write!(f, "{} {}", call.operation, service.url(call))
    }
}

impl Service {
    fn url(&self, call: &Call<'_>) -> String {
        format!("{}{}", self.address(), target(call))
    }

    pub(super) fn request(&self, call: &Call<'_>, body: Body) -> Result<Request<Body>> {
        let target = if self.http_proxy.is_some() {
            self.url(call)
        } else {
            target(call)
        };
        let uri: Uri = target
            .parse()
            .map_err(|cause| Error::argument(format!("{target} cannot be requested: {cause}")))?;
        let length = http_body::Body::size_hint(&body).exact().unwrap_or(0);
        let mut request = Request::builder()
            .method(call.method.clone())
            .header(HOST, &self.origin.authority)
            .header(USER_AGENT, concat!("libus3/", env!("CARGO_PKG_VERSION")))
            .header(AUTHORIZATION, secret(&self.authorization(call))?)
            .header(CONTENT_LENGTH, length);
        if let Some(content_type) = call.content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        if let Some(md5) = call.content_md5 {
            request = request.header(CONTENT_MD5, md5);
        }
        let token = self.config.security_token.as_ref();
        let token = token.map(ExposeSecret::expose_secret);
        if let Some(token) = token.filter(|token| !token.is_empty()) {
            request = request.header(SECURITY_TOKEN, secret(token)?);
        }
        let proxy = self.http_proxy.as_ref();
        if let Some(auth) = proxy.and_then(Intercept::basic_auth) {
            request = request.header(PROXY_AUTHORIZATION, auth);
        }
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        request
            .uri(uri)
            .body(body)
            .map_err(|cause| Error::argument(format!("{}: {cause}", What(self, call))))
    }

    fn authorization(&self, call: &Call<'_>) -> String {
        let headers: Vec<(&str, &str)> = call
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let signed = Signed {
            method: call.method.as_str(),
            content_md5: call.content_md5.unwrap_or_default(),
            content_type: call.content_type.unwrap_or_default(),
            // Without a date the signature does not depend on the host's clock.
            date: "",
            headers: &headers,
            bucket: &self.config.bucket_name,
            key: call.key,
            policy: call.policy,
        };
        signed.authorization(&self.config.public_key, &self.config.private_key)
    }

    /// A text of the service, with the secrets of the request masked.
    pub(super) fn masked(&self, text: &str, call: &Call<'_>) -> String {
        masked(text, &[&self.secrets, &self.public, &self.secrets_of(call)])
    }

    /// The secret of this request alone: its signature.
    pub(super) fn secrets_of(&self, call: &Call<'_>) -> Secrets {
        Secrets::new(&[signature(&self.authorization(call))])
    }
}

/// The signature that a request carries.
pub(super) fn signature_of(request: &Request<Body>) -> Zeroizing<String> {
    let authorization = request.headers().get(AUTHORIZATION);
    let authorization = authorization.and_then(|value| value.to_str().ok());
    Zeroizing::new(signature(authorization.unwrap_or_default()).to_owned())
}

/// Neither key has a colon.
fn signature(authorization: &str) -> &str {
    authorization.split(':').nth(1).unwrap_or_default()
}

/// Path and query.
fn target(call: &Call<'_>) -> String {
    let path = utf8_percent_encode(call.key, PATH);
    let mark = if call.query.is_empty() { "" } else { "?" };
    format!("/{path}{mark}{}", call.query)
}

/// A header value that Debug output never shows.
fn secret(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        Error::new(
            Status::InvalidConfig,
            "public_key or security_token has a character that cannot be sent in a header",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Encodes a value of a query.
pub(super) fn query_value(value: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(value, QUERY)
}
