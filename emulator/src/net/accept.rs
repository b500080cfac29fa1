//! Accepting connections. A failed accept never ends a listener.

use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use crate::log;

/// How long descriptors, which a failed accept mostly lacks, have to become free.
const PAUSE: Duration = Duration::from_millis(20);

/// A listener as the accept loops see it.
pub(crate) struct Listener {
    socket: TcpListener,
    /// The option that chose it, for the log.
    option: &'static str,
    log: bool,
    /// The failure that is already in the log; the same one is not told again until an accept has succeeded.
    told: Option<ErrorKind>,
}

impl Listener {
    pub fn new(socket: TcpListener, option: &'static str, log: bool) -> Self {
        Self {
            socket,
            option,
            log,
            told: None,
        }
    }

    /// The next connection. Errors are logged and waited out. Safe to cancel.
    pub async fn accept(&mut self) -> TcpStream {
        loop {
            let error = match self.socket.accept().await {
                Ok((stream, _)) => {
                    self.told = None;
                    return stream;
                }
                Err(error) => error,
            };
            self.tell(&error);
            if !is_of_one_connection(&error) {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    fn tell(&mut self, error: &io::Error) {
        if self.log && self.told != Some(error.kind()) {
            log::accept_failed(self.option, error);
        }
        self.told = Some(error.kind());
    }
}

/// Whether the client has given up a connection that was waiting; the next one may be accepted at once.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_of_one_connection_are_not_waited_out() {
        const ECONNABORTED: i32 = 103;
        const EMFILE: i32 = 24;
        const ENFILE: i32 = 23;
        for (errno, expected) in [(ECONNABORTED, true), (EMFILE, false), (ENFILE, false)] {
            let error = io::Error::from_raw_os_error(errno);
            assert_eq!(is_of_one_connection(&error), expected, "{error}");
        }
    }
}
