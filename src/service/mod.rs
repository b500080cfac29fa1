//! The wire: one file per group of calls, and the one place that sends a request.
//!
//! [`Service::send`] signs a [`Call`], sends it once, watches it and reads its answer. What is known of a
//! failed request, and whether it may be sent again, `protocol::verdict` decides.

mod body;
mod cause;
mod connection;
mod multipart;
mod object;
mod pool;
mod reply;
mod retry;
mod secrets;
mod sending;
mod tls;

use std::fmt::{self, Display};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT,
};
use http::{Method, Request, Uri};
use hyper_util::client::proxy::matcher::Intercept;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

pub(crate) use body::Payload;
pub(crate) use multipart::{Initiated, LARGEST_PART, ListedPart, Target};
pub(crate) use object::{ObjectHead, Put};
pub(crate) use reply::{CORRECT_THE_ADDRESS, Reply};
pub(crate) use retry::Tries;

use crate::config::{Config, Origin};
use crate::error::{Error, Result, Status};
use crate::operation::Operation;
use crate::protocol::policy::PutPolicy;
use crate::protocol::sign::Signed;
use crate::protocol::verdict::{self, Answer, End, Evidence, Known, Verdict};
use crate::runtime::event_loops::Spread;
use body::{Body, Delivery};
use cause::Cause;
use connection::Connector;
use pool::Pool;
use secrets::{Secrets, masked};
use sending::Sending;

/// Everything outside `A–Z a–z 0–9 - _ . ~` is encoded in a query, and `/` is kept in a path.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
const PATH: &AsciiSet = &QUERY.remove(b'/');

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
const SECURITY_TOKEN: HeaderName = HeaderName::from_static("securitytoken");

/// A request that must not run twice goes over a connection that was used a moment ago, or a new
/// one: when an older one breaks, nobody can tell whether the request ran.
const FRESH: Duration = Duration::from_secs(1);

/// A bucket's service, with its pool of connections.
pub(crate) struct Service {
    config: Config,
    origin: Origin,
    /// Where connections go.
    root: Uri,
    pool: Pool,
    /// Requests go through it, with absolute URLs. None for https, which goes through a tunnel.
    http_proxy: Option<Intercept>,
    /// Of the account and the proxy: what every request's messages must not show.
    secrets: Secrets,
}

/// One request, before it is signed.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    /// The operation's name in messages.
    pub(crate) operation: &'static str,
    pub(crate) method: Method,
    /// Raw; empty for a call on the bucket.
    pub(crate) key: &'a str,
    /// Already encoded, without the `?`.
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
    fn new(operation: &'static str, method: Method, key: &'a str) -> Self {
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

    fn evidence(&self, through: bool, end: End) -> Evidence {
        Evidence {
            stores: self.stores,
            policy: self.policy.is_some(),
            through,
            end,
        }
    }

    /// Resolves when this request must be given up, and says why.
    async fn given_up(&self, operation: &Operation) -> Error {
        if self.creates_upload {
            operation.ended_a_while_ago().await
        } else {
            operation.ended().await
        }
    }
}

/// A request that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) verdict: Verdict,
    /// The answer that it was, if there was one.
    pub(crate) answer: Option<Answer>,
    /// The service's words say that the upload is not, or no longer, there.
    gone: bool,
    /// The answer is a gateway's page.
    pub(crate) page: bool,
    /// An earlier try may have run.
    lost_before: bool,
    retry_after: Option<Duration>,
    /// The connection had been idle, and broke without a byte of an answer.
    stale: bool,
}

impl Failure {
    fn new(error: Error, verdict: Verdict, answer: Option<Answer>) -> Self {
        Self {
            error,
            verdict,
            answer,
            gone: false,
            page: false,
            lost_before: false,
            retry_after: None,
            stale: false,
        }
    }

    fn judged(error: Error, evidence: Evidence) -> Self {
        let answer = match evidence.end {
            End::Answered(answer) => Some(answer),
            _ => None,
        };
        Self::new(error, verdict::judge(&evidence), answer)
    }

    /// A failure without an answer, of which this is known.
    fn known(error: Error, known: Known) -> Self {
        let passing = false;
        Self::new(error, Verdict { known, passing }, None)
    }

    /// The request was never sent.
    pub(crate) fn unsent(error: Error) -> Self {
        Self::known(error, Known::NotRun)
    }

    /// The request may have run, and may still be running.
    pub(crate) fn lost(error: Error) -> Self {
        Self::known(error, Known::Lost)
    }

    /// The service, in its own words, does not know the upload.
    pub(crate) fn upload_is_gone(&self) -> bool {
        self.gone
    }

    /// The last try was answered 404, and an earlier try whose answer was lost may be the reason.
    pub(crate) fn an_earlier_try_may_have_succeeded(&self) -> bool {
        self.lost_before && self.error.report().http_status == 404
    }

    /// Status and RetCode of an answer in the service's own form.
    pub(crate) fn refusal(&self) -> Option<(u16, i32)> {
        self.answer.and_then(|answer| answer.refusal())
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl Service {
    /// Prepares connections; makes none yet.
    pub(crate) fn new(config: Config, origin: Origin, spread: Spread) -> Result<Self> {
        let address = address(&origin);
        let root = address.parse().map_err(|cause| {
            let why = format!("{address} is not a usable address: {cause}");
            Error::new(Status::InvalidConfig, why)
        })?;
        let proxy = connection::proxy(&config, &root);
        let tls = tls::client_config(&config, origin.https)?;
        Ok(Self {
            secrets: account_secrets(&config, proxy.as_ref()),
            http_proxy: proxy.clone().filter(|_| !origin.https),
            pool: Pool::new(Connector::new(tls, proxy, config.connect_timeout), spread),
            root,
            config,
            origin,
        })
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Scheme and authority that requests go to.
    pub(crate) fn address(&self) -> String {
        address(&self.origin)
    }

    /// Sends a request once and reads its answer. A 2xx answer is returned as it is.
    async fn send(
        &self,
        call: &Call<'_>,
        payload: Payload,
        operation: &Arc<Operation>,
    ) -> std::result::Result<Reply, Failure> {
        operation.count_request();
        let (body, delivery) = Body::new(payload, operation.clone());
        let result = self.exchange(call, body, &delivery, operation).await;
        if result.is_err() {
            delivery.take_back();
        }
        result
    }

    async fn exchange(
        &self,
        call: &Call<'_>,
        body: Body,
        delivery: &Delivery,
        operation: &Operation,
    ) -> std::result::Result<Reply, Failure> {
        let what = What(self, call);
        let mut request = self.request(call, body).map_err(Failure::unsent)?;
        // Nothing is sent again after a stale connection when the host wants no second try.
        let once = call.policy.is_some() || self.config.max_retries == 0;
        let longest_idle = if once { FRESH } else { pool::LONGEST_IDLE };
        loop {
            let lane = operation
                .work(self.pool.take(&self.root, longest_idle))
                .await;
            let lane = lane.map_err(|why| Failure::unsent(why.about(&what)))?;
            let mut lane = lane.map_err(|error| {
                let cause = Cause::connecting(&*error);
                Failure::judged(cause.error(&what), call.evidence(false, cause.end))
            })?;
            let sending = Sending::begin(&lane, delivery);
            let response = tokio::select! {
                biased;
                why = call.given_up(operation) => return Err(sending.gave_up(call, why.about(&what), End::GivenUp)),
                response = lane.sender.try_send_request(request) => response,
                why = sending.stalled(&self.config, lane.timer.as_mut()) => return Err(sending.gave_up(call, why.about(&what), End::TimedOut)),
            };
            let response = match response {
                Ok(response) => response,
                Err(mut refused) => match refused.take_message() {
                    // Closed while it was idle; not a byte of the request was sent.
                    Some(again) if lane.reused => {
                        request = again;
                        continue;
                    }
                    _ => return Err(sending.failed(call, &what, refused.error())),
                },
            };
            let mut reply = tokio::select! {
                reply = sending.read(response, self.config.response_timeout) => reply,
                why = call.given_up(operation) => return Err(sending.gave_up(call, why.about(&what), End::GivenUp)),
            };
            let (over, through) = (sending.is_over(&reply), delivery.is_complete());
            // Before the connection carries another request.
            drop(sending);
            if over {
                self.pool.give_back(lane).await;
            }
            reply.hide_secrets(|text| self.masked(text, call));
            return self.judge(call, &what, reply, through);
        }
    }

    fn judge(
        &self,
        call: &Call<'_>,
        what: &dyn Display,
        reply: Reply,
        through: bool,
    ) -> std::result::Result<Reply, Failure> {
        let own_url = |url: &str| call.policy.is_some_and(|policy| policy.calls(url));
        let evidence = call.evidence(through, End::Answered(reply.answer(own_url)));
        if verdict::judge(&evidence).known == Known::Done {
            return Ok(reply);
        }
        let error = match (reply.is_success(), &reply.incomplete) {
            (false, _) => reply.error(what, evidence.policy, |text| self.masked(text, call)),
            (true, _) if !through => reply.protocol_error(what, "before the request was through"),
            (true, Some(why)) => reply.protocol_error(what, why),
            (true, None) if reply.is_page() => {
                reply.protocol_error(what, "with a page that is not US3's")
            }
            (true, None) => reply.protocol_error(what, "not with JSON"),
        };
        Err(Failure {
            retry_after: reply.retry_after(),
            gone: reply.says_upload_is_gone(),
            page: reply.is_page(),
            ..Failure::judged(error, evidence)
        })
    }

    /// An answer that makes no sense.
    fn protocol_error(&self, call: &Call<'_>, reply: &Reply, why: impl Display) -> Error {
        let why = self.masked(&why.to_string(), call);
        reply.protocol_error(&What(self, call), why)
    }

    /// What the service has said, without the secrets of the request.
    fn masked(&self, text: &str, call: &Call<'_>) -> String {
        let authorization = self.authorization(call);
        let signature = authorization.split(':').nth(1).unwrap_or_default();
        masked(text, &[&self.secrets, &Secrets::new(&[signature])])
    }

    fn url(&self, call: &Call<'_>) -> String {
        format!("{}{}", self.address(), target(call))
    }

    fn request(&self, call: &Call<'_>, body: Body) -> Result<Request<Body>> {
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
            request = request.header(http::header::PROXY_AUTHORIZATION, auth);
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
}

/// Public key, private key and token; user and password of the proxy.
fn account_secrets(config: &Config, proxy: Option<&Intercept>) -> Secrets {
    let token = config.security_token.as_ref();
    let login = proxy.and_then(Intercept::basic_auth);
    let login = login.and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
    let login = login.and_then(|encoded| String::from_utf8(STANDARD.decode(encoded).ok()?).ok());
    let login = Zeroizing::new(login.unwrap_or_default());
    // Its base64 is found as well.
    let password = login.split_once(':').map_or("", |(_, password)| password);
    Secrets::new(&[
        &config.public_key,
        config.private_key.expose_secret(),
        token.map_or("", |token| token.expose_secret()),
        password,
    ])
}

/// What a message calls a request: the operation and the URL, which holds no secret. Made into text only
/// for a message: most requests have none.
struct What<'a>(&'a Service, &'a Call<'a>);

impl Display for What<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(service, call) = self;
        write!(f, "{} {}", call.operation, service.url(call))
    }
}

fn address(origin: &Origin) -> String {
    let scheme = if origin.https { "https" } else { "http" };
    format!("{scheme}://{}", origin.authority)
}

/// Path and query.
fn target(call: &Call<'_>) -> String {
    let path = utf8_percent_encode(call.key, PATH);
    let mark = if call.query.is_empty() { "" } else { "?" };
    format!("/{path}{mark}{}", call.query)
}

/// A header value that appears in no Debug output.
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
fn query_value(value: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(value, QUERY)
}
