//! How connections are made: DNS, TCP, proxy, TLS.

use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use rustls::ClientConfig;
use socket2::SockRef;
use tower_service::Service;

use super::socket::Socket;
use crate::config::Config;

pub(super) type BoxError = Box<dyn StdError + Send + Sync>;
type BoxFuture<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Bytes that may wait in the kernel's send buffer. They count as sent, so there should not be many more
/// than are in transit.
const MOST_UNSENT: u32 = 256 << 10;

/// Makes connections, each within the connect timeout.
#[derive(Clone)]
pub(super) struct Connector {
    route: Route,
    /// None for http: TLS then takes no memory.
    tls: Option<Arc<ClientConfig>>,
    timeout: Duration,
}

/// The error: no connection within the connect timeout.
#[derive(Debug)]
pub(super) struct ConnectTimeout(Duration);

impl std::fmt::Display for ConnectTimeout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "no connection within {} ms (connect_timeout_ms)",
            self.0.as_millis()
        )
    }
}

impl StdError for ConnectTimeout {}

impl Connector {
    pub(super) fn new(
        tls: Option<Arc<ClientConfig>>,
        proxy: Option<Intercept>,
        timeout: Duration,
    ) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        let route = Route {
            tcp: Tcp(tcp),
            proxy,
        };
        Self {
            route,
            tls,
            timeout,
        }
    }

    /// A new connection to the service, or to the proxy in front of it.
    pub(super) async fn connect(&self, service: Uri) -> Result<MaybeHttpsStream<Socket>, BoxError> {
        let connected = tokio::time::timeout(self.timeout, self.connect_in_any_time(service)).await;
        connected.unwrap_or_else(|_| Err(ConnectTimeout(self.timeout).into()))
    }

    async fn connect_in_any_time(
        &self,
        service: Uri,
    ) -> Result<MaybeHttpsStream<Socket>, BoxError> {
        let mut route = self.route.clone();
        match self.tls.clone() {
            Some(tls) => HttpsConnector::from((route, tls)).call(service).await,
            None => route.call(service).await.map(MaybeHttpsStream::Http),
        }
    }
}

/// The proxy to use: the configured one, or the environment's if the configuration allows it.
pub(super) fn proxy(config: &Config, service: &Uri) -> Option<Intercept> {
    let configured = config.proxy.as_ref().filter(|proxy| !proxy.is_empty());
    let proxies = match configured {
        Some(proxy) => Matcher::builder().all(proxy.as_str()).build(),
        None if config.use_env_proxy => Matcher::from_env(),
        None => return None,
    };
    proxies.intercept(service)
}

/// Connects to the service, or to it through a proxy: with CONNECT for https, with absolute URLs for http.
#[derive(Clone)]
struct Route {
    tcp: Tcp,
    proxy: Option<Intercept>,
}

impl Service<Uri> for Route {
    type Response = Socket;
    type Error = BoxError;
    type Future = BoxFuture<Socket>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        let Some(proxy) = &self.proxy else {
            return self.tcp.call(destination);
        };
        if proxy.uri().scheme_str() != Some("http") {
            let reason = format!("proxy {} is not an http:// proxy", redacted(proxy.uri()));
            return Box::pin(async move { Err(reason.into()) });
        }
        if destination.scheme_str() == Some("https") {
            return tunnel(self.tcp.clone(), proxy, destination);
        }
        self.tcp.call(proxy.uri().clone())
    }
}

fn tunnel(tcp: Tcp, proxy: &Intercept, destination: Uri) -> BoxFuture<Socket> {
    let mut tunnel = Tunnel::new(proxy.uri().clone(), tcp);
    if let Some(auth) = proxy.basic_auth() {
        tunnel = tunnel.with_auth(auth.clone());
    }
    Box::pin(async move { tunnel.call(destination).await.map_err(BoxError::from) })
}

/// A proxy's address without its password.
fn redacted(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or("http");
    let host = uri.host().unwrap_or_default();
    match uri.port_u16() {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    }
}

#[derive(Clone)]
struct Tcp(HttpConnector);

impl Service<Uri> for Tcp {
    type Response = Socket;
    type Error = BoxError;
    type Future = BoxFuture<Socket>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx).map_err(BoxError::from)
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        let connecting = self.0.call(destination);
        Box::pin(async move {
            let io = connecting.await?;
            // A kernel without this option only buffers more.
            let _ = SockRef::from(io.inner()).set_tcp_notsent_lowat(MOST_UNSENT);
            Ok(Socket::new(io))
        })
    }
}
