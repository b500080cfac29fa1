//! A socket that can be observed and stopped. HTTP client libraries hide this, but the rules of evidence
//! need it.
//!
//! [`SocketControl`] tells the sender whether bytes are still being sent, stops the sending, and closes the
//! connection. It guarantees that "was the whole request sent?" is only decided when no more bytes can
//! leave.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::body::Delivery;

use crate::runtime::sync::unpoisoned;

/// The state of one socket, shared with the request that uses it.
#[derive(Clone, Debug)]
pub(super) struct SocketControl(Arc<State>);

#[derive(Debug)]
struct State {
    born: Instant,
    /// Milliseconds after `born` at which a byte was last written.
    written: AtomicU64,
    writing: AtomicU8,
    writer: AtomicWaker,
    /// Locked while the connection's task runs.
    driven: Mutex<()>,
    /// The request that the socket is sending.
    delivery: Mutex<Option<Delivery>>,
}

/// Bytes may be written.
const OPEN: u8 = 0;
/// Nothing more is written, but an answer may still be read.
const PARKED: u8 = 1;
/// The next write fails, so that hyper drops the socket.
const HUNG_UP: u8 = 2;

impl Socket {
    pub(super) fn new(tcp: TokioIo<TcpStream>) -> Self {
        Self {
            io: tcp,
            control: SocketControl::new(),
        }
    }
}

impl SocketControl {
    fn new() -> Self {
        Self(Arc::new(State {
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

    /// Sets the request that is sent from now on, or none.
    pub(super) fn carry(&self, delivery: Option<Delivery>) {
        *self.carried() = delivery;
    }

    /// Nothing more will be written: now it is decided whether the whole request was sent.
    fn decide(&self) {
        if let Some(delivery) = self.carried().as_ref() {
            delivery.decide();
        }
    }

    fn carried(&self) -> MutexGuard<'_, Option<Delivery>> {
        unpoisoned(self.0.delivery.lock())
    }

    /// Keeps the connection's task from running. While the lock is held, no write is in progress, and the
    /// bytes of all earlier writes are counted.
    fn still(&self) -> MutexGuard<'_, ()> {
        unpoisoned(self.0.driven.lock())
    }

    /// Drives the connection of this socket. Parking the socket, or hanging up, waits for the end of a
    /// write, so that nothing is sent afterwards.
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

    /// Parks the socket: sends nothing more, unless the whole request was sent already. An answer may still
    /// be read.
    pub(super) fn park_unless(&self, complete: impl FnOnce() -> bool) {
        let _still = self.still();
        if !complete() {
            self.stop_writing();
            self.decide();
        }
    }

    /// Hangs up: gives up the socket and the request body that it may still hold. After this returns, no
    /// further byte is sent.
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

    /// Whether the socket is parked or closed.
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

    /// A service that refuses an upload may answer and close before it has read the body. The write then
    /// fails although an answer can be read. So a failed write only parks the socket; what the reading side
    /// receives (answer, end or reset) decides.
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

/// A socket that its [`SocketControl`] can stop.
#[derive(Debug)]
pub(super) struct Socket {
    io: TokioIo<TcpStream>,
    control: SocketControl,
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Bytes of an abandoned request that are still in the kernel's send buffer must not be sent either.
        if self.control.is_hung_up() {
            let _ = self.io.inner().set_zero_linger();
        }
    }
}

impl Connection for Socket {
    fn connected(&self) -> Connected {
        self.io.inner().connected().extra(self.control.clone())
    }
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl Write for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        std::task::ready!(self.control.poll_may_write(cx))?;
        let result = std::task::ready!(Pin::new(&mut self.io).poll_write(cx, bytes));
        self.control.after_write(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        std::task::ready!(self.control.poll_may_write(cx))?;
        let result = std::task::ready!(Pin::new(&mut self.io).poll_write_vectored(cx, slices));
        self.control.after_write(cx, result)
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
