//! The strategy "stream": content of unknown length, read while it is sent.
//!
//! Each part is read completely into memory, sent from there, and sent again from there. A part that is
//! being read counts as in flight, so there are never more than `jobs` parts in memory.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};

use super::layout::MAX_PARTS;
use super::session::Session;
use super::{Mode, Plan, Upload, put};
use crate::content::{Buffers, Content, Reader, Source};
use crate::engine::Run;
use crate::error::{Error, Report, Result, Status};
use crate::protocol::etag::BLOCK_SIZE;
use crate::protocol::mime;
use crate::runtime::host_threads::HostThreads;

/// The bytes that are read before anything is sent: a stream that ends within them is sent with one
/// PutFile.
const FIRST_PIECE: usize = BLOCK_SIZE as usize;

/// Reads the stream to its end and sends it.
pub(super) async fn run(run: &Run, plan: Arc<Plan>) -> Result<Report> {
    let mut feed = Feed::of(&plan.source, run.engine.host.clone())?;
    let first = run.operation.work(feed.next(FIRST_PIECE)).await??;
    let detect = || mime::detect(&first, feed.ended, Some(plan.key.as_ref()));
    let mime_type = plan.mime_type.clone().unwrap_or_else(detect);
    let put = feed.ended && (first.is_empty() || plan.mode == Mode::Auto);
    let whole = if put { first.clone() } else { Bytes::new() };
    let upload = Upload {
        content: Content::open(&Source::Memory(whole), run.engine.hashing.clone())?,
        plan,
        mime_type,
    };
    if put {
        return put::run(run, &upload).await;
    }
    feed.give_back(first);
    in_parts(run, &upload, feed).await
}

async fn in_parts(run: &Run, upload: &Upload, feed: Feed) -> Result<Report> {
    let session = Session::begin(run, upload).await?;
    if let Err(error) = send(&session, upload, feed, run).await {
        return Err(session.abandon(error, run).await);
    }
    session
        .finish_or_abandon(upload.plan.policy.as_ref(), run)
        .await
}

/// Sends part after part. The first failure ends the upload: parts in flight are dropped.
async fn send(session: &Session, upload: &Upload, feed: Feed, run: &Run) -> Result<()> {
    let parts = stream::try_unfold((feed, 0), |(feed, number)| {
        next_part(feed, number, session.part_size, run)
    });
    parts
        .map(|part| send_part(session, &upload.content, part, run))
        .buffer_unordered(upload.plan.jobs)
        .try_for_each(|()| std::future::ready(Ok(())))
        // Boxed, because the compiler cannot prove through the closures that the stream is Send.
        .boxed()
        .await
}

type Part = (u32, Bytes);

/// Reads a part, and returns it with the reader of the next part. None after the last part.
async fn next_part(
    mut feed: Feed,
    number: u32,
    part_size: u64,
    run: &Run,
) -> Result<Option<(Part, (Feed, u32))>> {
    let part = run.operation.work(feed.next(part_size as usize)).await??;
    if feed.ended && feed.held.is_empty() {
        run.operation
            .set_total(feed.offset, number + u32::from(!part.is_empty()));
    }
    if part.is_empty() {
        return Ok(None);
    }
    if number == MAX_PARTS {
        let why = format!("the stream has more than {MAX_PARTS} parts of {part_size} bytes");
        return Err(Error::argument(why));
    }
    Ok(Some(((number, part), (feed, number + 1))))
}

async fn send_part(
    session: &Session,
    upload: &Content,
    part: Result<Part>,
    run: &Run,
) -> Result<()> {
    let (number, part) = part?;
    let size = part.len() as u64;
    let content = upload.with(part);
    let sent = session.send_part(number, &content, 0..size, run);
    sent.await.map(|_| ())
}

/// Reads the stream piece by piece, on one thread at a time.
struct Feed {
    /// None while a read is in progress, and for ever after a panic.
    reader: Option<Box<dyn Read + Send>>,
    host: HostThreads,
    buffers: Buffers,
    /// Bytes that were read but not returned yet.
    held: Bytes,
    /// Number of bytes read.
    offset: u64,
    /// The stream has ended; only `held` remains.
    ended: bool,
}

impl Feed {
    fn of(source: &Source, host: HostThreads) -> Result<Self> {
        let reader = match source {
            Source::Reader(reader) => Reader::take(reader),
            _ => None,
        };
        if reader.is_none() {
            return Err(Error::argument("the reader was used by another upload"));
        }
        Ok(Self {
            reader,
            host,
            buffers: Buffers::default(),
            held: Bytes::new(),
            offset: 0,
            ended: false,
        })
    }

    /// The next piece: `size` bytes, fewer at the end, empty after the end.
    async fn next(&mut self, size: usize) -> Result<Bytes> {
        if self.held.len() < size && !self.ended {
            self.held = self.read(size).await?;
        }
        Ok(self.held.split_to(size.min(self.held.len())))
    }

    /// Puts a piece back: the next read returns it again.
    fn give_back(&mut self, piece: Bytes) {
        debug_assert!(self.held.is_empty());
        self.held = piece;
    }

    /// Reads until `held` has `size` bytes.
    async fn read(&mut self, size: usize) -> Result<Bytes> {
        let Some(mut reader) = self.reader.take() else {
            return Err(broken());
        };
        // The service chooses the part size, so the allocation may fail.
        let mut buffer = self.buffers.take(size)?;
        let held = self.held.len();
        buffer.data[..held].copy_from_slice(&self.held);
        let wanted = Wanted::new();
        let flag = wanted.0.clone();
        let call = move || {
            let filled = fill(&mut *reader, &mut buffer.data[held..size], &flag);
            (reader, buffer, filled)
        };
        let Some((reader, buffer, filled)) = self.host.call(call).await else {
            return Err(broken());
        };
        let filled = filled.map_err(|(filled, cause)| {
            let offset = self.offset + filled as u64;
            Error::file(
                format_args!("cannot read the stream at byte {offset}"),
                &cause,
            )
        })?;
        self.reader = Some(reader);
        self.offset += filled as u64;
        self.ended = held + filled < size;
        Ok(buffer.into_bytes(held + filled))
    }
}

fn broken() -> Error {
    Error::new(Status::InternalError, "the reader panicked")
}

/// Whether somebody still waits for the read.
struct Wanted(Arc<AtomicBool>);

impl Wanted {
    fn new() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Reads until the buffer is full, the stream ends, or nobody waits any more. A short read is not the end.
/// A failure is returned with the number of bytes before it.
fn fill(
    reader: &mut (dyn Read + Send),
    buffer: &mut [u8],
    wanted: &AtomicBool,
) -> std::result::Result<usize, (usize, io::Error)> {
    let mut filled = 0;
    while filled < buffer.len() && wanted.load(Ordering::Acquire) {
        let room = &mut buffer[filled..];
        match reader.read(room) {
            Ok(0) => break,
            Ok(count) if count <= room.len() => filled += count,
            Ok(count) => {
                let why = format!("it says that it read {count} bytes into {}", room.len());
                return Err((filled, io::Error::other(why)));
            }
            Err(cause) => return Err((filled, cause)),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::UploadRequest;
    use crate::upload::tests::{FakeService, usual};

    /// Reads at most three bytes at a time, then ends or fails.
    struct Trickle(&'static [u8], bool);

    impl Read for Trickle {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() && self.1 {
                return Err(io::Error::other("the tape is torn"));
            }
            let room = &mut room[..3];
            self.0.read(room)
        }
    }

    fn request(content: &'static [u8], fails: bool, mode: Mode) -> UploadRequest {
        let reader = Reader::new(Trickle(content, fails));
        let mut request = UploadRequest::new(Source::Reader(reader), "key");
        request.mode = mode;
        request
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_read_is_not_the_end() {
        for (mode, asked) in [
            (Mode::Auto, vec!["PutFile"]),
            (
                Mode::Multipart,
                vec![
                    "InitiateMultipartUpload",
                    "UploadPart 0",
                    "UploadPart 1",
                    "FinishMultipartUpload",
                ],
            ),
        ] {
            let service = FakeService::new(|asked| {
                match (asked.operation, asked.part) {
                    ("PutFile", _) => assert_eq!(asked.body, "aaaabbb"),
                    ("UploadPart", 0) => assert_eq!(asked.body, "aaaa"),
                    ("UploadPart", _) => assert_eq!(asked.body, "bbb"),
                    _ => {}
                }
                usual(asked, 4)
            });
            service
                .upload(request(b"aaaabbb", false, mode))
                .await
                .unwrap();
            let mut sent = service.asked();
            sent.sort_by_key(|what| (what.starts_with("Finish"), what.clone()));
            assert_eq!(sent, asked, "{mode:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_error_is_never_the_end() {
        let service = FakeService::new(|asked| usual(asked, 4));
        let failing = request(b"aaaabbb", true, Mode::Multipart);
        let error = service.upload(failing).await.unwrap_err();
        assert!(error.message().contains("the tape is torn"), "{error}");
        assert_eq!(service.count("FinishMultipartUpload"), 0);
        assert_eq!(service.count("PutFile"), 0);
    }
}
