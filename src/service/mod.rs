//! The wire: a bucket's service, with its pool of connections.
//!
//! `object` and `multipart` make the calls of the protocol, `call` turns one into a signed request, `send` sends it
//! once and reads its answer, `retry` sends it again. What is known of a failed request, and whether it may be sent
//! again, `protocol::verdict` decides.

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
pub use unfinished::Unfinished;
pub(crate) use unfinished::{Marker, Unusable};

use crate::config::{Config, Origin};
use crate::error::{Error, Result, Status};
use crate::runtime::event_loops::LoadBalancer;
use connector::Connector;
use pool::Pool;
use secrets::Secrets;

/// A bucket's service, with its pool of connections.
pub(crate) struct Service {
    config: Config,
    origin: Origin,
    /// Where connections go.
    root: Uri,
    pool: Pool,
    /// Requests go through it, with absolute URLs. None for https, which goes through a tunnel.
    http_proxy: Option<Intercept>,
    /// Of the account and the proxy: what no message must show.
    secrets: Secrets,
    /// The same, but no secret where a name of the service's is compared: the public key.
    public: Secrets,
}

impl Service {
    /// Prepares connections; makes none yet.
    pub(crate) fn new(config: Config, origin: Origin, balancer: LoadBalancer) -> Result<Self> {
        let address = address(&origin);
        let root = address.parse().map_err(|cause| {
            let why = format!("{address} is not a usable address: {cause}");
            Error::new(Status::InvalidConfig, why)
        })?;
        let proxy = connector::proxy(&config, &root);
        let tls = tls::client_config(&config, origin.https)?;
        Ok(Self {
            secrets: account_secrets(&config, proxy.as_ref()),
            public: Secrets::new(&[public_key(&config)]),
            http_proxy: proxy.clone().filter(|_| !origin.https),
            pool: Pool::new(Connector::new(tls, proxy, config.connect_timeout), balancer),
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
}

fn address(origin: &Origin) -> String {
    let scheme = if origin.https { "https" } else { "http" };
    format!("{scheme}://{}", origin.authority)
}

/// A public key of a few letters is a word that may stand anywhere.
fn public_key(config: &Config) -> &str {
    match config.public_key.len() {
        0..8 => "",
        _ => &config.public_key,
    }
}

/// Private key and token; the password of the proxy.
fn account_secrets(config: &Config, proxy: Option<&Intercept>) -> Secrets {
    let token = config.security_token.as_ref();
    let login = proxy.and_then(Intercept::basic_auth);
    let login = login.and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
    let login = login.and_then(|encoded| String::from_utf8(STANDARD.decode(encoded).ok()?).ok());
    let login = Zeroizing::new(login.unwrap_or_default());
    // Its base64 is found as well.
    let password = login.split_once(':').map_or("", |(_, password)| password);
    Secrets::new(&[
        config.private_key.expose_secret(),
        token.map_or("", |token| token.expose_secret()),
        password,
    ])
}
