//! The socket that hyper uses. It is shared with the connection's handle, so that a request can write below
//! HTTP.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Conn;

pub(super) struct Wire(Arc<Conn>);

impl Wire {
    pub fn new(conn: Arc<Conn>) -> Self {
        Self(conn)
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let conn = &self.0;
        loop {
            ready!(conn.socket.poll_read_ready(cx))?;
            let result = conn.socket.try_read_buf(buf);
            if would_block(&result) {
                continue;
            }
            if let (Ok(1..), Some(end)) = (&result, conn.doomed()) {
                conn.end(end);
                return Poll::Pending;
            }
            return Poll::Ready(result.map(drop));
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, buf.len(), || self.0.socket.try_write(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let len = bufs.iter().map(|buf| buf.len()).sum();
        self.write(cx, len, || self.0.socket.try_write_vectored(bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.shutdown())
    }
}

impl Wire {
    fn write(
        &self,
        cx: &mut Context<'_>,
        len: usize,
        mut attempt: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if self.0.is_muted() {
            return Poll::Ready(Ok(len));
        }
        loop {
            ready!(self.0.socket.poll_write_ready(cx))?;
            let result = attempt();
            if !would_block(&result) {
                return Poll::Ready(result);
            }
        }
    }
}

fn would_block(result: &io::Result<usize>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}
