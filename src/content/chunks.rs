//! Reads a range of the content chunk by chunk, as fast as the socket takes it.

use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::{CHUNK_SIZE, Content, Touched};
use crate::content::hashing::HashQueue;
use crate::error::{Error, Result};
use crate::protocol::etag::ContentDigest;
use crate::runtime::blocking::{self, Blocking};
use crate::runtime::sync::unpoisoned;

/// The outcome of reading a range, for a caller that no longer holds the [`Chunks`].
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadOutcome(Arc<Mutex<ReadOutcomeState>>);

#[derive(Debug, Default)]
struct ReadOutcomeState {
    /// The digest of a range that was read to its end.
    queue: Option<Arc<HashQueue>>,
    error: Option<Error>,
}

impl ReadOutcome {
    /// The digest of the range, if it was read to its end and hashed.
    pub(crate) async fn digest(&self) -> Result<Option<ContentDigest>> {
        let queue = self.lock().queue.clone();
        match queue {
            Some(queue) => queue.digest().await.map(Some),
            None => Ok(None),
        }
    }

    /// Why reading failed.
    pub(crate) fn error(&self) -> Option<Error> {
        self.lock().error.clone()
    }

    fn lock(&self) -> MutexGuard<'_, ReadOutcomeState> {
        unpoisoned(self.0.lock())
    }
}

/// A range of the content, chunk by chunk.
///
/// What is in the page cache is read on the thread that sends it: the bytes are then still in the
/// processor's cache, and no thread is woken. What may block is done one chunk ahead on another thread:
/// reading from the disk, and checking the file before the last chunk.
#[derive(Debug)]
pub(crate) struct Chunks {
    content: Content,
    range: Range<u64>,
    /// Bytes not yet handed out.
    remaining: u64,
    state: ReadState,
    /// Where the chunks are hashed.
    queue: Option<Arc<HashQueue>>,
    outcome: ReadOutcome,
    if_touched: IfTouched,
}

/// What happens when the file may have been written to while it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IfTouched {
    /// The last chunk waits until the range was read a second time and found equal to what was sent.
    Compare,
    /// Nothing: the caller compares the ranges before they become an object.
    Go,
}

#[derive(Debug)]
enum ReadState {
    /// The next chunk is likely to be in the page cache.
    Cached,
    Reading(Blocking<Read>),
    Comparing(Comparing),
    Failed,
}

/// The last chunk of a touched file.
#[derive(Debug)]
struct Comparing {
    chunk: Bytes,
    queue: Arc<HashQueue>,
    /// None while the bytes that were sent are still being hashed.
    reading: Option<Blocking<()>>,
}

/// A chunk that was read on another thread.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) chunk: Bytes,
    /// The chunk was in the page cache.
    pub(super) cached: bool,
    /// It is the last chunk, and the file may have been written to.
    pub(super) touched: Option<Touched>,
}

impl Chunks {
    pub(super) fn new(
        content: Content,
        range: Range<u64>,
        queue: Option<Arc<HashQueue>>,
        outcome: ReadOutcome,
        if_touched: IfTouched,
    ) -> Self {
        let mut chunks = Self {
            content,
            remaining: range.end - range.start,
            range,
            state: ReadState::Cached,
            queue,
            outcome,
            if_touched,
        };
        if chunks.remaining == 0 {
            chunks.hash(&Bytes::new(), true);
        }
        chunks.read_ahead(true);
        chunks
    }

    /// Receives the digest, or the failure.
    pub(crate) fn outcome(&self) -> ReadOutcome {
        self.outcome.clone()
    }

    /// Bytes not yet handed out.
    pub(crate) fn remaining(&self) -> u64 {
        self.remaining
    }

    /// The next chunk; None at the end.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        if self.remaining == 0 {
            return Poll::Ready(None);
        }
        if let ReadState::Comparing(_) = &self.state {
            return self.poll_compared(cx);
        }
        if let Some(queue) = &self.queue
            && let Err(error) = ready!(queue.poll_room(cx))
        {
            return Poll::Ready(Some(Err(self.fail(error))));
        }
        if matches!(self.state, ReadState::Cached) {
            let (range, _) = self.next();
            match self.content.cached(range) {
                Ok(Some(chunk)) => return Poll::Ready(Some(Ok(self.take(chunk, true)))),
                Ok(None) => self.start_reading(),
                Err(error) => return Poll::Ready(Some(Err(self.fail(error)))),
            }
        }
        let ReadState::Reading(reading) = &mut self.state else {
            return Poll::Ready(None);
        };
        match ready!(Pin::new(reading).poll(cx)) {
            Ok(read) if self.is_to_be_compared(read.touched) => {
                match self.start_comparing(read.chunk) {
                    Ok(()) => self.poll_compared(cx),
                    Err(error) => Poll::Ready(Some(Err(self.fail(error)))),
                }
            }
            Ok(read) => Poll::Ready(Some(Ok(self.take(read.chunk, read.cached)))),
            Err(error) => Poll::Ready(Some(Err(self.fail(error)))),
        }
    }

    /// Without a digest of what was sent, a fresh file cannot be compared.
    fn is_to_be_compared(&self, touched: Option<Touched>) -> bool {
        let worth_it = |touched: Touched| touched.since_opened || self.queue.is_some();
        self.if_touched == IfTouched::Compare && touched.is_some_and(worth_it)
    }

    /// The next chunk, and whether it is the last.
    fn next(&self) -> (Range<u64>, bool) {
        let offset = self.range.end - self.remaining;
        let len = self.remaining.min(CHUNK_SIZE as u64);
        (offset..offset + len, len == self.remaining)
    }

    fn take(&mut self, chunk: Bytes, cached: bool) -> Bytes {
        self.remaining -= chunk.len() as u64;
        self.hash(&chunk, self.remaining == 0);
        self.state = ReadState::Cached;
        self.read_ahead(cached);
        chunk
    }

    fn hash(&self, chunk: &Bytes, last: bool) {
        let Some(queue) = &self.queue else { return };
        queue.push(chunk.clone(), last);
        if last {
            self.outcome.lock().queue = Some(queue.clone());
        }
    }

    /// Holds the last chunk back.
    fn start_comparing(&mut self, chunk: Bytes) -> Result<()> {
        let queue = self.queue.clone().ok_or_else(|| self.content.untold())?;
        self.hash(&chunk, true);
        self.state = ReadState::Comparing(Comparing {
            chunk,
            queue,
            reading: None,
        });
        Ok(())
    }

    /// The last chunk, after the file was found to contain what was sent.
    fn poll_compared(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let ReadState::Comparing(comparing) = &mut self.state else {
            return Poll::Ready(None);
        };
        Poll::Ready(Some(
            match ready!(comparing.poll(&self.content, &self.range, cx)) {
                Ok(chunk) => {
                    self.remaining = 0;
                    self.state = ReadState::Cached;
                    Ok(chunk)
                }
                Err(error) => Err(self.fail(error)),
            },
        ))
    }

    fn fail(&mut self, error: Error) -> Error {
        self.state = ReadState::Failed;
        self.outcome.lock().error = Some(error.clone());
        error
    }

    /// Begins to read the next chunk on another thread, unless the page cache has it.
    fn read_ahead(&mut self, cached: bool) {
        let (_, last) = self.next();
        if self.remaining > 0 && !(cached && self.content.is_at_hand(last)) {
            self.start_reading();
        }
    }

    fn start_reading(&mut self) {
        let content = self.content.clone();
        let (range, last) = self.next();
        let job = move || content.read(range, last);
        self.state = ReadState::Reading(blocking::begin(job));
    }
}

impl Comparing {
    fn poll(
        &mut self,
        content: &Content,
        range: &Range<u64>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Bytes>> {
        if self.reading.is_none() {
            let sent = ready!(self.queue.poll_digest(cx))?;
            let (content, range) = (content.clone(), range.clone());
            let job = move || content.check_content(range, &sent);
            self.reading = Some(blocking::begin(job));
        }
        if let Some(reading) = &mut self.reading {
            ready!(Pin::new(reading).poll(cx))?;
        }
        Poll::Ready(Ok(self.chunk.clone()))
    }
}
