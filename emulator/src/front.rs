//! Accepts connections, counts them, applies the rules for connections, and serves them.

use std::sync::Arc;

use axum::Router;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::app::App;
use crate::faults;
use crate::net::{Conn, End, Listener, serve};
use crate::rules::{Fault, Traits};
use crate::target::Call;

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

/// Applies a rule to a new connection, which mostly ends it.
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
