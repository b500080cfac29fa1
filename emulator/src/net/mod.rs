//! Sockets: accepting connections and serving HTTP/1.1 on them.
//!
//! The loop is our own rather than axum's, because a fault must be able to reset, close or write
//! to the socket under a request that is being served. A request holds its connection (`Conn`) and says
//! how it shall end; this task, which owns everything that is on the connection, ends it.

mod accept;
mod conn;
pub(crate) mod raw;
pub(crate) mod tls;
mod wire;

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tower_service::Service;

pub(crate) use accept::Listener;
pub(crate) use conn::Conn;
pub use conn::End;

use crate::app::App;
use crate::faults;
use crate::rules::{Fault, Traits};
use crate::target::Call;
use wire::Wire;

/// Accepts connections for ever; dropping the future closes them all. With an app they are counted
/// and meet its rules.
pub(crate) async fn accept(mut listener: Listener, router: Router, app: Option<Arc<App>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            socket = listener.accept() => {
                connections.spawn(connection(socket, router.clone(), app.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(socket: TcpStream, router: Router, app: Option<Arc<App>>) {
    // Small answers must not wait for the acknowledgement of earlier ones.
    let _ = socket.set_nodelay(true);
    let Some(app) = app else {
        serve(&Arc::new(Conn::new(0, socket)), router).await;
        return;
    };
    let conn = Arc::new(Conn::new(app.journal.connected(), socket));
    let end = match welcome(&conn, &app).await {
        Some(end) => end,
        None => serve(&conn, router).await,
    };
    conn.finish(end).await;
    drop(conn);
    app.journal.disconnected();
}

/// What a rule has for a new connection: its end, mostly.
async fn welcome(conn: &Conn, app: &App) -> Option<End> {
    let traits = Traits {
        call: Call::Connection,
        part: None,
        key: "",
        policy: false,
    };
    let fired = app.rules.pick(&traits)?;
    match &fired.rule.fault {
        Fault::Reset => Some(End::Reset),
        Fault::Close => Some(End::Close),
        Fault::Stall(stall) => faults::wait(&fired, *stall, Some(conn))
            .await
            .err()
            .map(|_| End::Drop),
        Fault::Drop | Fault::Answer(_) | Fault::Gateway(_) | Fault::Alter(_) => Some(End::Drop),
    }
}

/// Serves requests until the client leaves or a request ends the connection.
async fn serve(conn: &Arc<Conn>, router: Router) -> End {
    let shared = conn.clone();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        let (conn, mut router) = (shared.clone(), router.clone());
        async move {
            if !conn.begin() {
                return std::future::pending().await;
            }
            request.extensions_mut().insert(conn);
            Ok::<_, Infallible>(
                router
                    .call(request)
                    .await
                    .unwrap_or_else(|never| match never {}),
            )
        }
    });
    let http = hyper::server::conn::http1::Builder::new()
        .header_read_timeout(None)
        // A client may say that it has nothing more to send, and still wait for the answer.
        .half_close(true)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(Wire::new(conn.clone())), service);
    tokio::select! {
        // First, so that HTTP does nothing more once the end was asked for.
        biased;
        end = conn.ending() => end,
        // A broken request or a client that left: nobody is there to be told.
        _ = http => End::Drop,
    }
}
