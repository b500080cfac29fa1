//! Sockets, and HTTP/1.1 on them.
//!
//! The accept loop is not axum's, because a fault must be able to reset, close or write to the socket of a
//! request that is being served. A request has a handle to its connection (`Conn`) and says how the
//! connection must end; the connection's task, which owns the socket, ends it.

mod accept;
mod conn;
pub(crate) mod end;
pub(crate) mod raw;
pub(crate) mod tls;
mod wire;

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tower_service::Service;

pub(crate) use accept::Listener;
pub(crate) use conn::Conn;
pub(crate) use end::End;

use wire::Wire;

/// Serves requests until the client leaves or a request ends the connection.
pub(crate) async fn serve(conn: &Arc<Conn>, router: Router) -> End {
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
