//! A request's handle to its connection: ends the connection in some way, or writes to the socket below
//! HTTP.

use std::io;
use std::net::Shutdown;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::end::End;

/// How long a clean end waits for the client to leave.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Conn {
    pub id: u64,
    pub socket: TcpStream,
    /// While set, what HTTP writes is thrown away: the answer has been written already.
    muted: AtomicBool,
    /// While set, the next bytes of the client end the connection.
    doomed: Mutex<Option<End>>,
    asked: Mutex<Option<End>>,
    /// Requests that came so far.
    requests: AtomicU64,
    bell: Notify,
}

impl Conn {
    pub fn new(id: u64, socket: TcpStream) -> Self {
        Self {
            id,
            socket,
            muted: AtomicBool::new(false),
            doomed: Mutex::new(None),
            asked: Mutex::new(None),
            requests: AtomicU64::new(0),
            bell: Notify::new(),
        }
    }

    /// A request has come; says whether it shall be served.
    pub fn begin(&self) -> bool {
        if self.asked.lock().unwrap().is_some() {
            return false;
        }
        self.requests.fetch_add(1, Ordering::AcqRel);
        self.muted.store(false, Ordering::Release);
        true
    }

    /// How many requests have come.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Acquire)
    }

    /// Asks for the end. It happens as soon as the connection's task runs; the first one counts.
    /// From now on HTTP neither answers nor serves.
    pub fn end(&self, end: End) {
        self.mute();
        self.asked.lock().unwrap().get_or_insert(end);
        self.bell.notify_one();
    }

    /// Waits until a request asks for the end.
    pub async fn ending(&self) -> End {
        loop {
            if let Some(end) = *self.asked.lock().unwrap() {
                return end;
            }
            self.bell.notified().await;
        }
    }

    /// Ends the connection; the caller holds the last handle.
    pub async fn finish(&self, end: End) {
        match end {
            End::Drop => {}
            End::Reset => drop(self.socket.set_zero_linger()),
            End::Close => {
                let _ = self.shutdown();
                let _ = tokio::time::timeout(PATIENCE, self.discard()).await;
            }
        }
    }

    /// Tells the client that nothing more will come.
    pub fn shutdown(&self) -> io::Result<()> {
        SockRef::from(&self.socket).shutdown(Shutdown::Write)
    }

    /// Writes beneath HTTP.
    pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.socket.writable().await?;
            match self.socket.try_write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until the client has closed its side. Nobody may be reading, so nothing but the state
    /// of the socket tells, and that has to be looked at from time to time.
    pub async fn left(&self) {
        while !self.is_left().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn is_left(&self) -> bool {
        let ready = self
            .socket
            .ready(Interest::READABLE | Interest::WRITABLE)
            .await;
        ready.is_ok_and(|ready| ready.is_read_closed() || ready.is_write_closed())
    }

    async fn discard(&self) {
        let mut waste = vec![0; 64 << 10];
        while self.socket.readable().await.is_ok() {
            match self.socket.try_read(&mut waste) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }

    pub fn mute(&self) {
        self.muted.store(true, Ordering::Release);
    }

    pub fn is_muted(&self) -> bool {
        self.muted.load(Ordering::Acquire)
    }

    /// The connection ends at the moment the next request arrives, unread.
    pub fn doom(&self, end: End) {
        *self.doomed.lock().unwrap() = Some(end);
    }

    pub fn doomed(&self) -> Option<End> {
        *self.doomed.lock().unwrap()
    }
}
