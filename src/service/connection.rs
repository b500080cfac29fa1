//! Connections: how they are made (DNS, TCP, proxy, TLS) and what the library sees of each socket.
//!
//! Every socket is wrapped in a [`Connection`], whose [`Line`] tells the sender what an HTTP
//! client hides: that bytes still leave, how to stop them, how to hang up, and whether the whole request had left.

use std::error::Error as StdError;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection as Connect, HttpConnector};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use socket2::SockRef;
use tokio::net::TcpStream;
use tower_service::Service;

use super::body::Delivery;
use crate::config::Config;

pub(super) type BoxError = Box<dyn StdError + Send + Sync>;
type BoxFuture<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Bytes that the kernel may hold back: what it has taken counts as sent, so it should not be
/// much more than what is on its way.
const MOST_UNSENT: u32 = 256 << 10;

/// What the library knows of one socket, shared with the request that uses it.
#[derive(Clone, Debug)]
pub(super) struct Line(Arc<LineState>);

#[derive(Debug)]
struct LineState {
    born: Instant,
    /// Milliseconds after `born` at which a byte was last written.
    written: AtomicU64,
    writing: AtomicU8,
    writer: AtomicWaker,
    /// Held while the connection is driven.
    driven: Mutex<()>,
    /// The request that it sends.
    delivery: Mutex<Option<Delivery>>,
}

/// Bytes may be written.
const OPEN: u8 = 0;
/// Nothing more is written, but an answer may still be read.
const PARKED: u8 = 1;
/// The next write fails, which makes the HTTP client drop the socket.
const HUNG_UP: u8 = 2;

impl Line {
    fn new() -> Self {
        Self(Arc::new(LineState {
            born: Instant::now(),
            written: AtomicU64::new(0),
            writing: AtomicU8::new(OPEN),
            writer: AtomicWaker::new(),
            driven: Mutex::new(()),
            delivery: Mutex::default(),
        }))
    }

    /// When a byte was last written.
    pub(super) fn last_written(&self) -> Instant {
        self.0.born + Duration::from_millis(self.0.written.load(Ordering::Relaxed))
    }

    /// The request that is sent from now on, or none.
    pub(super) fn carry(&self, delivery: Option<Delivery>) {
        *self.carried() = delivery;
    }

    /// Nothing more is written: whether the request has left is decided now.
    fn decide(&self) {
        if let Some(delivery) = self.carried().as_ref() {
            delivery.decide();
        }
    }

    fn carried(&self) -> MutexGuard<'_, Option<Delivery>> {
        let delivery = self.0.delivery.lock();
        delivery.unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the connection's task from running. While this is held no write is under way, and whatever a
    /// write has sent is counted.
    fn still(&self) -> MutexGuard<'_, ()> {
        self.0.driven.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drives the connection of this socket. Whoever parks the line or hangs up waits for the end of a write,
    /// so that nothing leaves after it.
    pub(super) async fn drive<T>(self, connection: impl Future<Output = T>) -> T {
        let mut connection = pin!(connection);
        poll_fn(|cx| {
            let _driven = self.still();
            let ended = connection.as_mut().poll(cx);
            if ended.is_ready() {
                self.decide();
            }
            ended
        })
        .await
    }

    /// Sends nothing more, unless the whole request has left; an answer may still be read.
    pub(super) fn park_unless(&self, complete: impl FnOnce() -> bool) {
        let _still = self.still();
        if !complete() {
            self.stop_writing();
            self.decide();
        }
    }

    /// Gives the socket up, and with it the request body that it may still hold. Once this returns, no
    /// further byte leaves.
    pub(super) fn hang_up(&self) {
        let still = self.still();
        self.0.writing.store(HUNG_UP, Ordering::Relaxed);
        self.decide();
        drop(still);
        self.0.writer.wake();
    }

    fn stop_writing(&self) {
        let _ = self
            .0
            .writing
            .compare_exchange(OPEN, PARKED, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Whether nothing more is sent.
    pub(super) fn is_parked(&self) -> bool {
        self.0.writing.load(Ordering::Relaxed) != OPEN
    }

    fn is_hung_up(&self) -> bool {
        self.0.writing.load(Ordering::Relaxed) == HUNG_UP
    }

    fn mark_written(&self) {
        let age = self.0.born.elapsed().as_millis() as u64;
        self.0.written.store(age, Ordering::Relaxed);
    }

    fn poll_may_write(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.0.writing.load(Ordering::Relaxed) == OPEN {
            return Poll::Ready(Ok(()));
        }
        self.0.writer.register(cx.waker());
        match self.0.writing.load(Ordering::Relaxed) {
            HUNG_UP => Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
            _ => Poll::Pending,
        }
    }

    /// A service that refuses an upload answers and closes before it has read the body, so the
    /// write fails although an answer waits to be read. A failed write therefore only parks the
    /// line: the answer, the end or the reset that the reading side meets decides.
    fn after_write(
        &self,
        cx: &mut Context<'_>,
        result: io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        match result {
            Ok(written) => {
                self.mark_written();
                Poll::Ready(Ok(written))
            }
            Err(_) => {
                self.stop_writing();
                self.poll_may_write(cx).map(|may| may.map(|()| 0))
            }
        }
    }
}

/// A socket with its [`Line`].
#[derive(Debug)]
pub(super) struct Connection {
    io: TokioIo<TcpStream>,
    line: Line,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // What the kernel still holds of a request that was given up must not go out either.
        if self.line.is_hung_up() {
            let _ = self.io.inner().set_zero_linger();
        }
    }
}

impl Connect for Connection {
    fn connected(&self) -> Connected {
        self.io.inner().connected().extra(self.line.clone())
    }
}

impl Read for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl Write for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        std::task::ready!(self.line.poll_may_write(cx))?;
        let result = std::task::ready!(Pin::new(&mut self.io).poll_write(cx, bytes));
        self.line.after_write(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        std::task::ready!(self.line.poll_may_write(cx))?;
        let result = std::task::ready!(Pin::new(&mut self.io).poll_write_vectored(cx, slices));
        self.line.after_write(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Makes connections: the whole of it within the connect timeout.
#[derive(Clone)]
pub(super) struct Connector {
    route: Route,
    /// None for http: what is not made takes no memory.
    tls: Option<Arc<ClientConfig>>,
    timeout: Duration,
}

/// No connection within the connect timeout.
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
    pub(super) async fn connect(
        &self,
        service: Uri,
    ) -> Result<MaybeHttpsStream<Connection>, BoxError> {
        let connected = tokio::time::timeout(self.timeout, self.connect_at_leisure(service)).await;
        connected.unwrap_or_else(|_| Err(ConnectTimeout(self.timeout).into()))
    }

    async fn connect_at_leisure(
        &self,
        service: Uri,
    ) -> Result<MaybeHttpsStream<Connection>, BoxError> {
        let mut route = self.route.clone();
        match self.tls.clone() {
            Some(tls) => HttpsConnector::from((route, tls)).call(service).await,
            None => route.call(service).await.map(MaybeHttpsStream::Http),
        }
    }
}

/// The proxy on the way to the service: the one that was configured, or the environment's when asked for.
pub(super) fn proxy(config: &Config, service: &Uri) -> Option<Intercept> {
    let configured = config.proxy.as_ref().filter(|proxy| !proxy.is_empty());
    let proxies = match configured {
        Some(proxy) => Matcher::builder().all(proxy.as_str()).build(),
        None if config.use_env_proxy => Matcher::from_env(),
        None => return None,
    };
    proxies.intercept(service)
}

/// Straight to the service, or through a proxy: by CONNECT for https, by absolute URLs for http.
#[derive(Clone)]
struct Route {
    tcp: Tcp,
    proxy: Option<Intercept>,
}

impl Service<Uri> for Route {
    type Response = Connection;
    type Error = BoxError;
    type Future = BoxFuture<Connection>;

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

fn tunnel(tcp: Tcp, proxy: &Intercept, destination: Uri) -> BoxFuture<Connection> {
    let mut tunnel = Tunnel::new(proxy.uri().clone(), tcp);
    if let Some(auth) = proxy.basic_auth() {
        tunnel = tunnel.with_auth(auth.clone());
    }
    Box::pin(async move { tunnel.call(destination).await.map_err(BoxError::from) })
}

/// A proxy's address without the password that it may carry.
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
    type Response = Connection;
    type Error = BoxError;
    type Future = BoxFuture<Connection>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx).map_err(BoxError::from)
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        let connecting = self.0.call(destination);
        Box::pin(async move {
            let io = connecting.await?;
            // A kernel without it only keeps more.
            let _ = SockRef::from(io.inner()).set_tcp_notsent_lowat(MOST_UNSENT);
            Ok(Connection {
                io,
                line: Line::new(),
            })
        })
    }
}
