//! One callback request on a connection of its own. Errors are worded as the service words them.

use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use url::{Position, Url};

use super::Outgoing;
use super::tls::{self, Connector};

/// The longest answer that is read.
const REPLY_LIMIT: usize = 1 << 20;

/// What the callback service answered.
pub(super) struct Reply {
    pub status: u16,
    pub content_type: String,
    pub body: Bytes,
}

pub(super) async fn send(outgoing: &Outgoing, connector: &Connector) -> Result<Reply, String> {
    let socket = connect(&outgoing.url).await?;
    if outgoing.url.scheme() == "https" {
        let host = outgoing.url.host_str().unwrap_or_default();
        return exchange(outgoing, tls::connect(connector, host, socket).await?).await;
    }
    exchange(outgoing, socket).await
}

async fn connect(url: &Url) -> Result<TcpStream, String> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_or_known_default().unwrap_or(80);
    let addresses = tokio::net::lookup_host((host, port)).await;
    let addresses = addresses.map_err(|_| format!("dial tcp: lookup {host}: no such host"))?;
    let mut failure = format!("dial tcp: lookup {host}: no such host");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(socket) => return Ok(socket),
            Err(error) => failure = format!("dial tcp {address}: {}", dial_error(&error)),
        }
    }
    Err(failure)
}

fn dial_error(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "getsockopt: connection refused".into(),
        io::ErrorKind::TimedOut => "i/o timeout".into(),
        _ => format!("getsockopt: {error}"),
    }
}

async fn exchange(
    outgoing: &Outgoing,
    socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<Reply, String> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await.map_err(lost)?;
    // Dropped with this future, so that a callback that is given up stops at once.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let response = sender
        .send_request(request(outgoing)?)
        .await
        .map_err(lost)?;
    let (head, body) = response.into_parts();
    let content_type = head.headers.get(header::CONTENT_TYPE);
    let content_type =
        content_type.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let body = Limited::new(body, REPLY_LIMIT)
        .collect()
        .await
        .map_err(|error| format!("read response: {error}"))?;
    Ok(Reply {
        status: head.status.as_u16(),
        content_type: content_type.unwrap_or_default(),
        body: body.to_bytes(),
    })
}

fn request(outgoing: &Outgoing) -> Result<Request<Full<Bytes>>, String> {
    let url = &outgoing.url;
    let mut builder = Request::post(&url[Position::BeforePath..Position::AfterQuery])
        .header(
            header::HOST,
            &url[Position::BeforeHost..Position::AfterPort],
        )
        .header(
            header::USER_AGENT,
            concat!("us3-emulator/", env!("CARGO_PKG_VERSION")),
        )
        .header(header::CONTENT_LENGTH, outgoing.body.len());
    if let Some(content_type) = &outgoing.content_type {
        builder = builder.header(header::CONTENT_TYPE, content_type);
    }
    builder
        .body(Full::new(outgoing.body.clone()))
        .map_err(|error| error.to_string())
}

/// The connection broke before the answer was there.
fn lost(error: hyper::Error) -> String {
    if error.is_incomplete_message() || error.is_canceled() {
        "EOF".into()
    } else {
        error.to_string()
    }
}
