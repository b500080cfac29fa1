//! The service of one bucket: sends its calls over a pool of connections.
//!
//! `object` and `multipart` have the calls of the protocol. `call` turns a call into a signed request,
//! `send` sends it once, `reply` reads its answer, `retry` sends it again. `protocol::verdict` decides what
//! is known of a failed request, and whether it may be sent again.

mod body;
mod call;
mod cause;
mod connector;
mod failure;
mod in_flight;
mod multipart;
mod object;
mod pool;
mod reply;
mod retry;
mod secrets;
mod send;
mod socket;
mod tls;
mod unfinished;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use hyper_util::client::proxy::matcher::Intercept;
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

pub(crate) use body::Payload;
pub(crate) use call::Call;
pub(crate) use failure::Failure;
pub(crate) use multipart::{Initiated, LARGEST_PART, ListedPart, UploadRef};
pub use object::FileInfo;
pub(crate) use object::Put;
pub(crate) use reply::{CORRECT_THE_ADDRESS, Reply};
pub(crate) use retry::Tries;
pub(crate) use send::Wire;
pub use unfinished::Unfinished;
pub(crate) use unfinished::{Marker, Unusable};
#[cfg(test)]
pub(crate) use {body::Body, body::Delivery, call::What, send::Exchanged};

use crate::config::{Config, Origin};
use crate::error::{Error, Result, Status};
use crate::runtime::event_loops::LoadBalancer;
use connector::Connector;
use pool::Pool;
use secrets::Secrets;

/// The service of one bucket, with its pool of connections.
pub(crate) struct Service {
    config: Config,
    origin: Origin,
    /// Its connections.
    pub(crate) wire: Box<dyn Wire>,
    /// Requests go through it, with absolute URLs. None for https, which goes through a tunnel.
    http_proxy: Option<Intercept>,
    /// The secrets of the account and the proxy, which no message may show.
    secrets: Secrets,
    /// The public key: masked in messages as well, but allowed in a name that the service chooses.
    public: Secrets,
}

impl Service {
    /// Prepares the connector; makes no connection yet.
    pub(crate) fn new(config: Config, origin: Origin, balancer: LoadBalancer) -> Result<Self> {
        let address = address(&origin);
        let root: Uri = address.parse().map_err(|cause| {
            let why = format!("{address} is not a usable address: {cause}");
            Error::new(Status::InvalidConfig, why)
        })?;
        let proxy = connector::proxy(&config, &root);
        let tls = tls::client_config(&config, origin.https)?;
        let connector = Connector::new(tls, proxy.clone(), config.connect_timeout);
        Ok(Self {
            secrets: account_secrets(&config, proxy.as_ref()),
            public: Secrets::new(&[public_key(&config)]),
            http_proxy: proxy.filter(|_| !origin.https),
            wire: Box::new(Pool::new(connector, root, balancer)),
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
}

fn address(origin: &Origin) -> String {
    let scheme = if origin.https { "https" } else { "http" };
    format!("{scheme}://{}", origin.authority)
}

/// A very short public key is not masked: it may be an ordinary word.
fn public_key(config: &Config) -> &str {
    match config.public_key.len() {
        0..8 => "",
        _ => &config.public_key,
    }
}

/// The secrets: private key, token, and the password of the proxy.
fn account_secrets(config: &Config, proxy: Option<&Intercept>) -> Secrets {
    let token = config.security_token.as_ref();
    let login = proxy.and_then(Intercept::basic_auth);
    let login = login.and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
    let login = login.and_then(|encoded| String::from_utf8(STANDARD.decode(encoded).ok()?).ok());
    let login = Zeroizing::new(login.unwrap_or_default());
    // Its base64 form is masked as well.
    let password = login.split_once(':').map_or("", |(_, password)| password);
    Secrets::new(&[
        config.private_key.expose_secret(),
        token.map_or("", |token| token.expose_secret()),
        password,
    ])
}
