//! One callback request on its own connection. Errors have the service's wording.

use std::error::Error;
use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
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

/// Sends the request and reads the answer before the deadline.
pub(super) async fn send(
    outgoing: &Outgoing,
    connector: &Connector,
    deadline: Instant,
) -> Result<Reply, String> {
    let socket = connect(&outgoing.url, deadline).await?;
    let route = route(&socket);
    if outgoing.url.scheme() == "https" {
        let host = outgoing.url.host_str().unwrap_or_default();
        let handshake = tls::connect(connector, host, socket);
        let socket = within(deadline, "net/http: TLS handshake timeout", handshake).await?;
        return exchange(outgoing, socket, &route, deadline).await;
    }
    exchange(outgoing, socket, &route, deadline).await
}

/// The error is this text when the deadline passes.
async fn within<T>(
    deadline: Instant,
    late: impl Into<String>,
    work: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    tokio::time::timeout_at(deadline, work)
        .await
        .unwrap_or_else(|_| Err(late.into()))
}

async fn connect(url: &Url, deadline: Instant) -> Result<TcpStream, String> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_or_known_default().unwrap_or(80);
    let unknown = format!("dial tcp: lookup {host}: no such host");
    let lookup = async {
        let addresses = tokio::net::lookup_host((host, port)).await;
        addresses.map_err(|_| unknown.clone())
    };
    let late = format!("dial tcp: lookup {host}: i/o timeout");
    let mut failure = unknown.clone();
    for address in within(deadline, late, lookup).await? {
        let dial = async {
            let socket = TcpStream::connect(address).await;
            socket.map_err(|error| format!("dial tcp {address}: {}", dial_error(&error)))
        };
        let late = format!("dial tcp {address}: i/o timeout");
        match within(deadline, late, dial).await {
            Ok(socket) => return Ok(socket),
            Err(why) => failure = why,
        }
    }
    Err(failure)
}

fn dial_error(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "getsockopt: connection refused".into(),
        io::ErrorKind::NetworkUnreachable => "connect: network is unreachable".into(),
        io::ErrorKind::TimedOut => "i/o timeout".into(),
        _ => format!("getsockopt: {error}"),
    }
}

/// Both ends of a connection.
fn route(socket: &TcpStream) -> String {
    let [local, peer] = [socket.local_addr(), socket.peer_addr()]
        .map(|address| address.map_or("?".into(), |address| address.to_string()));
    format!("{local}->{peer}")
}

async fn exchange(
    outgoing: &Outgoing,
    socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    route: &str,
    deadline: Instant,
) -> Result<Reply, String> {
    let lost = |error: hyper::Error| lost(&error, route, "EOF");
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await.map_err(lost)?;
    // Dropped with this future, so that an abandoned callback stops at once.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let request = request(outgoing)?;
    let answered = async { sender.send_request(request).await.map_err(lost) };
    let response = within(deadline, late("awaiting headers"), answered).await?;
    let (head, body) = response.into_parts();
    let content_type = head.headers.get(header::CONTENT_TYPE);
    let content_type =
        content_type.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let body = async {
        let body = Limited::new(body, REPLY_LIMIT).collect().await;
        body.map_err(|error| self::lost(error.as_ref(), route, "unexpected EOF"))
    };
    let body = within(deadline, late("reading body"), body).await?;
    Ok(Reply {
        status: head.status.as_u16(),
        content_type: content_type.unwrap_or_default(),
        body: body.to_bytes(),
    })
}

fn late(at: &str) -> String {
    format!("net/http: request canceled (Client.Timeout exceeded while {at})")
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

/// The connection broke before the whole answer was there. `end` is what it is called when it just ended.
fn lost(error: &(dyn Error + 'static), route: &str, end: &str) -> String {
    let mut causes = std::iter::successors(Some(error), |&error| error.source());
    let kind = causes
        .find_map(|cause| cause.downcast_ref::<io::Error>())
        .map(io::Error::kind);
    let is_short = error
        .downcast_ref::<hyper::Error>()
        .is_some_and(|error| error.is_incomplete_message() || error.is_canceled());
    match kind {
        Some(io::ErrorKind::ConnectionReset) => reset(route),
        Some(io::ErrorKind::BrokenPipe) => format!("write tcp {route}: write: broken pipe"),
        Some(io::ErrorKind::UnexpectedEof) => end.into(),
        _ if is_short => end.into(),
        _ => error.to_string(),
    }
}

/// The callback service reset a connection with these ends.
pub(super) fn reset(route: &str) -> String {
    format!("read tcp {route}: read: connection reset by peer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_worded_as_go_words_them() {
        for (kind, text) in [
            (
                io::ErrorKind::ConnectionReset,
                "read tcp a->b: read: connection reset by peer",
            ),
            (
                io::ErrorKind::BrokenPipe,
                "write tcp a->b: write: broken pipe",
            ),
            (io::ErrorKind::UnexpectedEof, "EOF"),
        ] {
            assert_eq!(lost(&io::Error::from(kind), "a->b", "EOF"), text);
        }
        for (kind, text) in [
            (
                io::ErrorKind::ConnectionRefused,
                "getsockopt: connection refused",
            ),
            (
                io::ErrorKind::NetworkUnreachable,
                "connect: network is unreachable",
            ),
            (io::ErrorKind::TimedOut, "i/o timeout"),
        ] {
            assert_eq!(dial_error(&kind.into()), text);
        }
    }

    #[tokio::test]
    async fn a_deadline_says_what_was_waited_for() {
        let never = std::future::pending::<Result<(), String>>();
        let late = within(Instant::now(), late("awaiting headers"), never).await;
        let text = "net/http: request canceled (Client.Timeout exceeded while awaiting headers)";
        assert_eq!(late, Err(text.into()));
    }
}
