//! One operation of the host: its deadline, its cancellation and its progress.
//!
//! The deadline covers the clean-up too. So the work itself must end earlier; the rest of the time is kept
//! for finding out what was stored, and for aborting the upload.

pub(crate) mod end;
pub(crate) mod ends;
pub(crate) mod events;
pub(crate) mod prepared;
pub(crate) mod queue;
pub mod task;

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::error::{Error, Report, Status};
use crate::runtime::sync::unpoisoned;

/// Limit of the clean-up of an operation without a deadline: the host should not wait long for a service
/// that does not answer.
const LONGEST_CLEAN_UP: Duration = Duration::from_secs(10);

/// Longest wait, after the end of the work, for the answer that has the id of an upload to abort.
const LONGEST_GRACE: Duration = Duration::from_secs(2);

/// The progress of an upload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of content; None while a stream has not ended.
    pub total: Option<u64>,
    /// Bytes of content that were sent. When a request fails, the bytes that it had sent are subtracted.
    pub sent: u64,
    /// Bytes of content that the service has confirmed.
    pub acknowledged: u64,
    /// Parts that the service has confirmed.
    pub parts_done: u32,
    /// Parts in all; 0 while unknown.
    pub parts_total: u32,
    /// 1 + the requests that had to be sent again; 0 before the first.
    pub attempts: u32,
    /// Time since the upload was started.
    pub elapsed: Duration,
}

/// The state that all requests of the operation share.
#[derive(Debug)]
pub(crate) struct Operation {
    begun: Instant,
    limit: Option<Limit>,
    cancelled: AtomicBool,
    /// Notified when the work must end.
    cancel: Notify,
    /// Notified once, when the operation leaves the queue.
    turn: Notify,
    /// The work has ended, and the clean-up is running.
    cleaning_up: AtomicBool,
    /// Whether any request was sent.
    started: AtomicBool,
    /// Requests sent again.
    resent: AtomicU32,
    /// Content bytes that were sent, including those that were sent again.
    sent: AtomicU64,
    /// Content bytes that failed requests had sent: subtracted from the progress.
    taken_back: AtomicU64,
    /// Content bytes in all; [`UNKNOWN`] while a stream has not ended.
    total: AtomicU64,
    acknowledged: AtomicU64,
    parts_done: AtomicU32,
    parts_total: AtomicU32,
}

const UNKNOWN: u64 = u64::MAX;

#[derive(Clone, Copy, Debug)]
struct Limit {
    timeout: Duration,
    /// When the work must end.
    soft: Instant,
    /// When everything must end.
    hard: Instant,
}

impl Operation {
    /// Begins now. `timeout` limits everything; None is no limit. A quarter of it, at most `reserve`, is
    /// kept for the clean-up.
    pub(crate) fn begin(timeout: Option<Duration>, reserve: Duration) -> Self {
        Self {
            begun: Instant::now(),
            limit: timeout.and_then(|timeout| Limit::from_now(timeout, reserve)),
            cancelled: AtomicBool::new(false),
            cancel: Notify::new(),
            turn: Notify::new(),
            cleaning_up: AtomicBool::new(false),
            started: AtomicBool::new(false),
            resent: AtomicU32::new(0),
            sent: AtomicU64::new(0),
            taken_back: AtomicU64::new(0),
            total: AtomicU64::new(UNKNOWN),
            acknowledged: AtomicU64::new(0),
            parts_done: AtomicU32::new(0),
            parts_total: AtomicU32::new(0),
        }
    }

    /// Cancels: the work ends as soon as possible. Any thread, any number of times.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
        self.cancel.notify_waiters();
    }

    /// The operation has left the queue and runs.
    pub(crate) fn announce_turn(&self) {
        self.turn.notify_one();
    }

    /// Waits until the operation leaves the queue. For one caller, once.
    pub(crate) async fn wait_for_turn(&self) {
        self.turn.notified().await;
    }

    /// Runs the work until the operation must end. The work is then dropped, and the error says why.
    pub(crate) async fn work<T>(&self, work: impl Future<Output = T>) -> Result<T, Error> {
        tokio::select! {
            biased;
            why = self.ended() => Err(why),
            done = work => Ok(done),
        }
    }

    /// Resolves when the work must end, and says why. It does not resolve during the clean-up, which has
    /// its own limit.
    pub(crate) async fn ended(&self) -> Error {
        if self.cleaning_up.load(Relaxed) {
            return std::future::pending().await;
        }
        let cancelled = self.cancel.notified();
        tokio::pin!(cancelled);
        // Registered before the flag is read, so that no cancellation is missed.
        cancelled.as_mut().enable();
        if self.cancelled.load(Relaxed) {
            return cancelled_by_host();
        }
        let Some(limit) = self.limit else {
            cancelled.await;
            return cancelled_by_host();
        };
        tokio::select! {
            () = cancelled => cancelled_by_host(),
            () = tokio::time::sleep_until(limit.soft) => limit.passed(),
        }
    }

    /// Like [`Self::ended`], but resolves later: for a request whose answer has the id of an upload to
    /// abort.
    pub(crate) async fn ended_with_grace(&self) -> Error {
        let why = self.ended().await;
        let left = self.limit.map_or(LONGEST_GRACE, |limit| {
            limit.hard.saturating_duration_since(Instant::now()) / 2
        });
        tokio::time::sleep(left.min(LONGEST_GRACE)).await;
        why
    }

    /// Runs a clean-up in the remaining time; None if that was not enough. The operation's other work must
    /// have ended.
    pub(crate) async fn clean_up<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.clean_up_within(LONGEST_CLEAN_UP, work).await
    }

    /// Runs the questions about a request whose answer was lost; they may be repeated for this long. None
    /// if the time was not enough or the host cancels meanwhile. A cancellation from before does not stop
    /// the questions.
    pub(crate) async fn settle<T>(
        &self,
        time: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        tokio::select! {
            biased;
            () = self.cancel.notified() => None,
            // The last question gets some time beyond the limit.
            done = self.clean_up_within(time + LONGEST_CLEAN_UP, work) => done,
        }
    }

    async fn clean_up_within<T>(&self, time: Duration, work: impl Future<Output = T>) -> Option<T> {
        self.cleaning_up.store(true, Relaxed);
        let _until_dropped = WorkAgain(&self.cleaning_up);
        let longest = Instant::now() + time;
        let until = self.limit.map_or(longest, |limit| limit.hard.min(longest));
        tokio::time::timeout_at(until, work).await.ok()
    }

    /// Sleeps, also during the clean-up. Returns false at once if the host cancels or the deadline would
    /// pass meanwhile.
    pub(crate) async fn rest(&self, pause: Duration) -> bool {
        let cancelled = self.cancel.notified();
        tokio::pin!(cancelled);
        cancelled.as_mut().enable();
        let too_long = self
            .limit
            .is_some_and(|limit| Instant::now() + pause >= limit.hard);
        if too_long || self.cancelled.load(Relaxed) {
            return false;
        }
        tokio::select! {
            () = cancelled => false,
            () = tokio::time::sleep(pause) => true,
        }
    }

    /// Time until the work must end; None without a deadline.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let limit = self.limit?;
        Some(limit.soft.saturating_duration_since(Instant::now()))
    }

    /// A request is about to be sent.
    pub(crate) fn count_request(&self) {
        self.started.store(true, Relaxed);
    }

    /// A request is about to be sent again.
    pub(crate) fn count_resend(&self) {
        self.resent.fetch_add(1, Relaxed);
    }

    /// Sets the total number of bytes and parts.
    pub(crate) fn set_total(&self, bytes: u64, parts: u32) {
        self.total.store(bytes, Relaxed);
        self.parts_total.store(parts, Relaxed);
    }

    /// The service has confirmed a part, or the whole content of a PutFile.
    pub(crate) fn count_part(&self, bytes: u64) {
        self.acknowledged.fetch_add(bytes, Relaxed);
        self.parts_done.fetch_add(1, Relaxed);
    }

    /// How far it is.
    pub(crate) fn progress(&self) -> Progress {
        let total = self.total.load(Relaxed);
        let sent = self.sent.load(Relaxed);
        Progress {
            total: (total != UNKNOWN).then_some(total),
            sent: sent.saturating_sub(self.taken_back.load(Relaxed)),
            acknowledged: self.acknowledged.load(Relaxed),
            parts_done: self.parts_done.load(Relaxed),
            parts_total: self.parts_total.load(Relaxed),
            attempts: self.attempts(),
            elapsed: self.begun.elapsed(),
        }
    }

    /// Completes a report with the number of attempts and the bytes sent.
    pub(crate) fn complete(&self, report: &mut Report) {
        report.attempts = self.attempts();
        report.bytes_sent = self.sent.load(Relaxed);
    }

    fn attempts(&self) -> u32 {
        u32::from(self.started.load(Relaxed)) + self.resent.load(Relaxed)
    }
}

/// Ends the clean-up when it is dropped: the limits of the work hold again.
struct WorkAgain<'a>(&'a AtomicBool);

impl Drop for WorkAgain<'_> {
    fn drop(&mut self) {
        self.0.store(false, Relaxed);
    }
}

impl Limit {
    /// None when the deadline is too far away for an Instant.
    fn from_now(timeout: Duration, reserve: Duration) -> Option<Self> {
        let hard = Instant::now().checked_add(timeout)?;
        let reserve = (timeout / 4).min(reserve);
        Some(Self {
            timeout,
            soft: hard - reserve,
            hard,
        })
    }

    fn passed(&self) -> Error {
        Error::new(
            Status::Timeout,
            format!(
                "the operation did not end within {} ms (timeout_ms)",
                self.timeout.as_millis()
            ),
        )
    }
}

fn cancelled_by_host() -> Error {
    Error::new(Status::Cancelled, "cancelled by the host")
}

/// Counts the content bytes of one request as they are sent. A piece counts as sent when the connection
/// drops it, unless the request had failed before.
#[derive(Clone, Debug)]
pub(crate) struct Meter(Arc<MeterState>);

#[derive(Debug)]
struct MeterState {
    operation: Arc<Operation>,
    /// Bytes that were sent; None once the request has failed.
    sent: Mutex<Option<u64>>,
    /// Pieces that the connection still holds.
    pieces: AtomicUsize,
}

impl Meter {
    pub(crate) fn new(operation: Arc<Operation>) -> Self {
        Self(Arc::new(MeterState {
            operation,
            sent: Mutex::new(Some(0)),
            pieces: AtomicUsize::new(0),
        }))
    }

    /// The same bytes, counted when they are dropped.
    pub(crate) fn count(&self, bytes: Bytes) -> Bytes {
        self.piece(bytes, true)
    }

    /// The same bytes, tracked in the same way, but not counted as content.
    pub(crate) fn watch(&self, bytes: Bytes) -> Bytes {
        self.piece(bytes, false)
    }

    fn piece(&self, bytes: Bytes, counts: bool) -> Bytes {
        self.0.pieces.fetch_add(1, Relaxed);
        Bytes::from_owner(Counted {
            bytes,
            counts,
            meter: self.clone(),
        })
    }

    /// Whether every piece was sent.
    pub(crate) fn is_idle(&self) -> bool {
        self.0.pieces.load(Relaxed) == 0
    }

    /// The request failed: subtracts what it had sent; what the connection still holds does not count.
    pub(crate) fn take_back(&self) {
        let sent = self.lock().take().unwrap_or(0);
        self.0.operation.taken_back.fetch_add(sent, Relaxed);
    }

    fn add(&self, bytes: u64) {
        if let Some(sent) = self.lock().as_mut() {
            *sent += bytes;
            self.0.operation.sent.fetch_add(bytes, Relaxed);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<u64>> {
        unpoisoned(self.0.sent.lock())
    }
}

struct Counted {
    bytes: Bytes,
    counts: bool,
    meter: Meter,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.counts {
            self.meter.add(self.bytes.len() as u64);
        }
        self.meter.0.pieces.fetch_sub(1, Relaxed);
    }
}
