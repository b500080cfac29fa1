//! One operation of the host: how long it may last, whether it was cancelled, how far it is.
//!
//! The deadline covers the clean-up too. So the work itself ends earlier, and what is left belongs to
//! finding out what was stored, and to aborting.

pub(crate) mod end;
pub(crate) mod ends;
pub(crate) mod events;
pub(crate) mod prepared;
pub(crate) mod queue;
pub mod task;

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::error::{Error, Report, Status};
use crate::runtime::sync::unpoisoned;

/// Clean-up without a deadline: the host should not wait long for a service that is gone.
const LONGEST_CLEAN_UP: Duration = Duration::from_secs(10);

/// Longest wait, after the end of the work, for an answer that names an upload to abort.
const LONGEST_GRACE: Duration = Duration::from_secs(2);

/// How far an upload is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of content; None while a stream has not ended.
    pub total: Option<u64>,
    /// Bytes of content that left; a request that failed takes back what it had sent.
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

/// Shared by all requests of the operation.
#[derive(Debug)]
pub(crate) struct Operation {
    begun: Instant,
    limit: Option<Limit>,
    cancelled: AtomicBool,
    /// Wakes those who wait for the end of the work.
    cancel: Notify,
    /// Told once when the operation's turn has come.
    turn: Notify,
    /// The work has ended, and what it left behind is being cleared up.
    cleaning_up: AtomicBool,
    /// Whether any request was sent.
    started: AtomicBool,
    /// Requests sent again.
    resent: AtomicU32,
    /// Content bytes that left, those sent again included.
    sent: AtomicU64,
    /// Of these, what failed requests took back.
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
    /// Begins now; `timeout` is the deadline over everything, None for none. Of a deadline a quarter, but
    /// no more than `reserve`, is kept for the clean-up.
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

    /// Ends the work as soon as possible. From any thread, any number of times.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
        self.cancel.notify_waiters();
    }

    /// The operation's turn has come.
    pub(crate) fn announce_turn(&self) {
        self.turn.notify_one();
    }

    /// Waits for the operation's turn; for one caller, once.
    pub(crate) async fn wait_for_turn(&self) {
        self.turn.notified().await;
    }

    /// Does work until the operation must end; then it is dropped, and the error says why.
    pub(crate) async fn work<T>(&self, work: impl Future<Output = T>) -> Result<T, Error> {
        tokio::select! {
            biased;
            why = self.ended() => Err(why),
            done = work => Ok(done),
        }
    }

    /// Resolves when the work must end, and says why. Clean-up is bounded by itself.
    pub(crate) async fn ended(&self) -> Error {
        if self.cleaning_up.load(Relaxed) {
            return std::future::pending().await;
        }
        let cancelled = self.cancel.notified();
        tokio::pin!(cancelled);
        // Before the flag is looked at, so that no cancellation falls between.
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
            () = tokio::time::sleep_until(limit.soft.into()) => limit.passed(),
        }
    }

    /// Like [`Self::ended`], but resolves later: for an answer that names what must be cleaned up.
    pub(crate) async fn ended_with_grace(&self) -> Error {
        let why = self.ended().await;
        let left = self.limit.map_or(LONGEST_GRACE, |limit| {
            limit.hard.saturating_duration_since(Instant::now()) / 2
        });
        tokio::time::sleep(left.min(LONGEST_GRACE)).await;
        why
    }

    /// Cleans up in the time that is left; None when that was not enough. Other work of the
    /// operation must have ended.
    pub(crate) async fn clean_up<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.clean_up_within(LONGEST_CLEAN_UP, work).await
    }

    /// Finds out what became of a request whose answer was lost, with this long to ask again. None also when the
    /// host cancels meanwhile; what it had cancelled before may still ask.
    pub(crate) async fn settle<T>(
        &self,
        time: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        tokio::select! {
            biased;
            () = self.cancel.notified() => None,
            // What is asked last may take its time as well.
            done = self.clean_up_within(time + LONGEST_CLEAN_UP, work) => done,
        }
    }

    async fn clean_up_within<T>(&self, time: Duration, work: impl Future<Output = T>) -> Option<T> {
        self.cleaning_up.store(true, Relaxed);
        let _until_dropped = WorkAgain(&self.cleaning_up);
        let longest = Instant::now() + time;
        let until = self.limit.map_or(longest, |limit| limit.hard.min(longest));
        tokio::time::timeout_at(until.into(), work).await.ok()
    }

    /// Sleeps, also while it cleans up; false at once when the host cancels or the deadline would pass.
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

    /// The content has this many bytes, in this many parts.
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

    /// Completes a report with what the operation has cost.
    pub(crate) fn complete(&self, report: &mut Report) {
        report.attempts = self.attempts();
        report.bytes_sent = self.sent.load(Relaxed);
    }

    fn attempts(&self) -> u32 {
        u32::from(self.started.load(Relaxed)) + self.resent.load(Relaxed)
    }
}

/// After the clean-up, limits hold again.
struct WorkAgain<'a>(&'a AtomicBool);

impl Drop for WorkAgain<'_> {
    fn drop(&mut self) {
        self.0.store(false, Relaxed);
    }
}

impl Limit {
    /// None when the deadline is too far away to be told.
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

/// Counts the content of one request as it leaves. A piece has left when the connection drops
/// it, unless the request failed before.
#[derive(Clone, Debug)]
pub(crate) struct Meter(Arc<MeterState>);

#[derive(Debug)]
struct MeterState {
    operation: Arc<Operation>,
    /// Bytes that left; None when the request has failed and nothing counts any more.
    sent: Mutex<Option<u64>>,
    /// Pieces that are still on their way.
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

    /// The same bytes, whose leaving is watched; they are not content, and do not count.
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

    /// Whether every piece has left.
    pub(crate) fn is_idle(&self) -> bool {
        self.0.pieces.load(Relaxed) == 0
    }

    /// The request failed: what it sent is taken back, and what it still holds does not count.
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
