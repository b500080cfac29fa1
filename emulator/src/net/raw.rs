//! Writes an answer directly to the socket, below HTTP, so that it can be wrong, slow, endless or cut
//! short. The answer of the HTTP library is discarded.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use http_body_util::BodyExt;

use super::conn::Conn;
use super::end::End;
use crate::answer::Answer;
use crate::rules::{Drip, Shape, Then};

/// Answers in this shape. Whatever goes wrong means that the client left.
pub(crate) async fn answer(
    conn: &Conn,
    shape: &Shape,
    answer: Answer,
    has_body: bool,
) -> io::Result<()> {
    conn.mute();
    let mut writer = Writer {
        conn,
        drip: shape.drip,
        dropped: 0,
    };
    for _ in 0..shape.continues.unwrap_or(0) {
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let crafted = shape.craft(answer);
    writer.write(&crafted.head).await?;
    writer.fill_headers(shape.fill_headers.unwrap_or(0)).await?;
    writer.write(b"\r\n").await?;
    if !has_body {
        return Ok(());
    }
    let mut left = shape.truncate.unwrap_or(u64::MAX);
    let mut body = crafted.body;
    while let Some(frame) = body.frame().await {
        let bytes = frame
            .map_err(io::Error::other)?
            .into_data()
            .unwrap_or_default();
        let now = left.min(bytes.len() as u64);
        writer.write(&bytes[..now as usize]).await?;
        left -= now;
    }
    writer.fill(left.min(shape.fill_body.unwrap_or(0))).await
}

/// Sees to the connection after the answer; says whether it goes on.
pub(crate) fn conclude(conn: &Arc<Conn>, then: Then) -> bool {
    match then {
        Then::Keep | Then::NextRequest(_) => return true,
        Then::Idle { ms, end } => {
            tokio::spawn(end_when_idle(
                Arc::downgrade(conn),
                conn.requests(),
                ms,
                end,
            ));
            return true;
        }
        Then::Close => conn.end(End::Close),
        Then::Drop => conn.end(End::Drop),
        Then::Reset => conn.end(End::Reset),
    }
    false
}

/// Ends a connection on which no further request has come for a while.
async fn end_when_idle(conn: Weak<Conn>, requests: u64, ms: u64, end: End) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
    if let Some(conn) = conn.upgrade().filter(|conn| conn.requests() == requests) {
        conn.end(end);
    }
}

struct Writer<'a> {
    conn: &'a Conn,
    drip: Option<Drip>,
    /// How much of the present drop is written.
    dropped: usize,
}

impl Writer<'_> {
    async fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let Some(drip) = self.drip else {
            return self.conn.write_all(bytes).await;
        };
        while !bytes.is_empty() {
            let (now, rest) = bytes.split_at(bytes.len().min(drip.bytes - self.dropped));
            self.conn.write_all(now).await?;
            self.dropped += now.len();
            bytes = rest;
            if self.dropped == drip.bytes {
                self.dropped = 0;
                self.pause(drip.every_ms).await?;
            }
        }
        Ok(())
    }

    async fn pause(&self, ms: u64) -> io::Result<()> {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(ms)) => Ok(()),
            () = self.conn.left() => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    /// Lines of 8 KiB, the last one shorter.
    async fn fill_headers(&mut self, mut left: u64) -> io::Result<()> {
        const LINE: &[u8] = &{
            let mut line = [b'x'; 8192];
            let name = *b"X-Fill: ";
            let mut i = 0;
            while i < name.len() {
                line[i] = name[i];
                i += 1;
            }
            line[8190] = b'\r';
            line[8191] = b'\n';
            line
        };
        while left >= LINE.len() as u64 {
            self.write(LINE).await?;
            left -= LINE.len() as u64;
        }
        if left > 10 {
            self.write(&LINE[..left as usize - 2]).await?;
            self.write(b"\r\n").await?;
        }
        Ok(())
    }

    async fn fill(&mut self, mut left: u64) -> io::Result<()> {
        const BLOCK: &[u8] = &[b'x'; 64 << 10];
        while left > 0 {
            let now = left.min(BLOCK.len() as u64) as usize;
            self.write(&BLOCK[..now]).await?;
            left -= now as u64;
        }
        Ok(())
    }
}
