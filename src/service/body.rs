//! Request bodies: produced while they are sent, with at most a few chunks in memory.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::content::{Chunks, ReadOutcome};
use crate::error::Error;
use crate::operation::{Meter, Operation};

/// What a request carries.
#[derive(Debug)]
pub(crate) enum Payload {
    /// Bytes of the protocol, such as the list of ETags, or none. They do not count as content.
    Protocol(Bytes),
    /// Content of the object.
    Content(Chunks),
}

impl Payload {
    /// A request without a body.
    pub(super) fn none() -> Self {
        Self::Protocol(Bytes::new())
    }

    pub(super) fn len(&self) -> u64 {
        match self {
            Payload::Protocol(bytes) => bytes.len() as u64,
            Payload::Content(chunks) => chunks.remaining(),
        }
    }
}

/// The sender's view of a body that the connection owns.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    exhausted: Arc<AtomicBool>,
    /// The connection has asked for more than the source has given so far.
    awaits_source: Arc<AtomicBool>,
    /// The result of [`Self::is_complete`] at the moment when the connection stopped.
    decided: Arc<AtomicU8>,
    outcome: Option<ReadOutcome>,
    meter: Meter,
}

/// The connection may still write.
const UNDECIDED: u8 = 0;
const COMPLETE: u8 = 1;
const INCOMPLETE: u8 = 2;

impl Delivery {
    /// A connection begins to send the body.
    pub(super) fn begin(&self) {
        self.decided.store(UNDECIDED, Ordering::Release);
    }

    /// The connection will write nothing more. Called before the connection drops the pieces that it still
    /// holds, because a dropped piece counts as sent.
    pub(super) fn decide(&self) {
        let decided = if self.is_complete() {
            COMPLETE
        } else {
            INCOMPLETE
        };
        self.decided.store(decided, Ordering::Release);
    }

    /// The request failed: what it sent does not count as progress.
    pub(super) fn take_back(&self) {
        self.meter.take_back();
    }

    /// Whether the whole body was sent. If not, the service cannot have run the request, because it lacks
    /// bytes of the Content-Length. Proves nothing while the connection may still write. Bytes that a
    /// broken or encrypted connection has accepted count as sent.
    pub(super) fn is_complete(&self) -> bool {
        match self.decided.load(Ordering::Acquire) {
            UNDECIDED => self.exhausted.load(Ordering::Acquire) && self.meter.is_idle(),
            decided => decided == COMPLETE,
        }
    }

    /// Whether the connection is waiting for the source: for the disk, a comparison, or hashing.
    pub(super) fn awaits_source(&self) -> bool {
        self.awaits_source.load(Ordering::Relaxed)
    }

    /// Why reading the content failed.
    pub(super) fn source_error(&self) -> Option<Error> {
        self.outcome.as_ref()?.error()
    }
}

/// A body of known length.
pub(crate) struct Body {
    payload: Payload,
    exhausted: Arc<AtomicBool>,
    awaits_source: Arc<AtomicBool>,
    meter: Meter,
}

impl Body {
    pub(super) fn new(payload: Payload, operation: Arc<Operation>) -> (Self, Delivery) {
        let meter = Meter::new(operation);
        let exhausted = Arc::new(AtomicBool::new(payload.len() == 0));
        let outcome = match &payload {
            Payload::Content(chunks) => Some(chunks.outcome()),
            _ => None,
        };
        let awaits_source = Arc::<AtomicBool>::default();
        let delivery = Delivery {
            exhausted: exhausted.clone(),
            awaits_source: awaits_source.clone(),
            decided: Arc::default(),
            outcome,
            meter: meter.clone(),
        };
        let body = Self {
            payload,
            exhausted,
            awaits_source,
            meter,
        };
        (body, delivery)
    }

    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        match &mut self.payload {
            Payload::Protocol(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(self.meter.watch(bytes))))
            }
            Payload::Content(chunks) => {
                let next = std::task::ready!(chunks.poll_next(cx));
                Poll::Ready(next.map(|chunk| chunk.map(|bytes| self.meter.count(bytes))))
            }
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let next = self.poll_content(cx);
        self.awaits_source
            .store(next.is_pending(), Ordering::Relaxed);
        let next = std::task::ready!(next);
        if self.payload.len() == 0 && !matches!(next, Some(Err(_))) {
            self.exhausted.store(true, Ordering::Release);
        }
        Poll::Ready(next.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.payload.len() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.payload.len())
    }
}
