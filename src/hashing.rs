//! Hashing beside the threads that drive sockets.
//!
//! Each range that is sent has a [`Lane`], in which its chunks wait, shared with the socket, not copied. A thread
//! takes them when a lane has as many as it may hold, or its last: by then most other lanes of the client, of this upload
//! or another, have some as well, so that a wake-up pays for many chunks, and they can be hashed together ([`Together`]).

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::etag::{ContentDigest, EtagHasher, Together};
use crate::{blocking, panics};

/// Chunks that wait in a lane at most.
const LONGEST_QUEUE: usize = 3;

/// Threads that hash for one client at most: more than the disk and the socket keep up with.
const MOST_THREADS: usize = 4;

/// Asked for once: the answer is in files.
static CORES: LazyLock<usize> = LazyLock::new(|| {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(MOST_THREADS))
});

/// Up to here hashing costs less than waking a thread for it.
const SMALL: usize = 64 << 10;

/// The lanes of one client; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hashing {
    together: Together,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    lanes: BTreeMap<u64, LaneState>,
    /// Lanes that there ever were.
    count: u64,
    /// Threads that hash.
    threads: usize,
}

/// A range that is hashed while it is sent. Dropping it forgets what waits.
#[derive(Debug)]
pub(crate) struct Lane {
    hashing: Hashing,
    number: u64,
}

#[derive(Debug, Default)]
struct LaneState {
    /// None while a thread has it.
    hasher: Option<Box<EtagHasher>>,
    waiting: VecDeque<Bytes>,
    /// Nothing more comes.
    ended: bool,
    digest: Option<ContentDigest>,
    /// The panic that took the hasher with it.
    panic: Option<Error>,
    /// Waits for room, or for the digest.
    waker: Option<Waker>,
}

/// A chunk and the hasher that takes it.
struct Job {
    number: u64,
    hasher: Box<EtagHasher>,
    chunk: Bytes,
}

impl Hashing {
    /// A lane for the next range.
    pub(crate) fn lane(&self, hasher: EtagHasher) -> Lane {
        let mut state = self.lock();
        let number = state.count;
        state.count += 1;
        let lane = LaneState {
            hasher: Some(Box::new(hasher)),
            ..LaneState::default()
        };
        state.lanes.insert(number, lane);
        drop(state);
        Lane {
            hashing: self.clone(),
            number,
        }
    }

    /// Hashes until nobody waits for it.
    fn run(&self) {
        while let Some(jobs) = self.take() {
            self.hash(jobs);
        }
    }

    /// Threads that hash so many lanes: fewer where each takes many of them together.
    fn most_threads(&self, lanes: usize) -> usize {
        (lanes / self.together.most(lanes)).clamp(1, *CORES)
    }

    /// What is to be hashed next; None ends the thread's work.
    fn take(&self) -> Option<Vec<Job>> {
        let mut state = self.lock();
        let most = self.together.most(state.lanes.len());
        let jobs = state.jobs(most);
        if jobs.is_empty() {
            state.threads -= 1;
            return None;
        }
        Some(jobs)
    }

    fn hash(&self, jobs: Vec<Job>) {
        let numbers: Vec<u64> = jobs.iter().map(|job| job.number).collect();
        let hashed = panics::catch(|| self.update(jobs));
        let mut state = self.lock();
        let woken = match hashed {
            Ok(hashers) => state.take_back(hashers),
            Err(panic) => state.give_up(&numbers, &panic),
        };
        drop(state);
        woken.into_iter().for_each(Waker::wake);
    }

    /// Not under the lock; the chunks go as well, which may be the last of something of the host's.
    fn update(&self, mut jobs: Vec<Job>) -> Vec<(u64, Box<EtagHasher>)> {
        let mut pieces: Vec<(&mut EtagHasher, &[u8])> = jobs
            .iter_mut()
            .map(|job| (&mut *job.hasher, &*job.chunk))
            .collect();
        self.together.update_all(&mut pieces);
        jobs.into_iter()
            .map(|job| (job.number, job.hasher))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        let state = self.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// At most so many chunks, each of another lane, those first that somebody waits for.
    fn jobs(&mut self, most: usize) -> Vec<Job> {
        let ready = self.lanes.iter().filter(|(_, lane)| lane.is_ready());
        let mut ready: Vec<_> = ready
            .map(|(number, lane)| (!lane.is_awaited(), *number))
            .collect();
        ready.sort_unstable();
        // Where company makes it cheaper, those that nobody waits for wait for more of it.
        if most > 1 && ready.first().is_some_and(|(unawaited, _)| *unawaited) {
            return Vec::new();
        }
        ready.truncate(most);
        let job = |(_, number)| self.lanes.get_mut(&number)?.job(number);
        ready.into_iter().filter_map(job).collect()
    }

    /// The hashers are back; who is to be woken.
    fn take_back(&mut self, hashers: Vec<(u64, Box<EtagHasher>)>) -> Vec<Waker> {
        hashers
            .into_iter()
            .filter_map(|(number, hasher)| self.lanes.get_mut(&number)?.take_back(hasher))
            .collect()
    }

    /// They do not come back; who is to be woken.
    fn give_up(&mut self, numbers: &[u64], panic: &Error) -> Vec<Waker> {
        let mut give_up = |number| {
            let lane = self.lanes.get_mut(number)?;
            lane.panic = Some(panic.clone());
            lane.waker.take()
        };
        numbers.iter().filter_map(&mut give_up).collect()
    }
}

impl LaneState {
    fn is_ready(&self) -> bool {
        self.hasher.is_some() && !self.waiting.is_empty()
    }

    /// Whether somebody waits, or soon will.
    fn is_awaited(&self) -> bool {
        self.ended || self.is_full()
    }

    fn is_full(&self) -> bool {
        self.waiting.len() >= LONGEST_QUEUE
    }

    fn job(&mut self, number: u64) -> Option<Job> {
        if !self.is_ready() {
            return None;
        }
        Some(Job {
            number,
            hasher: self.hasher.take()?,
            chunk: self.waiting.pop_front()?,
        })
    }

    /// The hasher is back; who is to be woken.
    fn take_back(&mut self, hasher: Box<EtagHasher>) -> Option<Waker> {
        if self.ended && self.waiting.is_empty() {
            self.digest = Some(hasher.finish());
        } else {
            self.hasher = Some(hasher);
        }
        match self.digest.is_some() || !self.is_full() {
            true => self.waker.take(),
            false => None,
        }
    }
}

impl Lane {
    /// Waits until another chunk may come. Fails after a panic, as everything does that waits for the lanes.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll(cx, |lane| (!lane.is_full()).then_some(()))
    }

    /// Takes the next chunk, which may be empty; none comes after the last.
    pub(crate) fn push(&self, chunk: Bytes, last: bool) {
        let mut state = self.hashing.lock();
        let lane = state.lanes.entry(self.number).or_default();
        let small = chunk.len() <= SMALL && lane.waiting.is_empty();
        lane.waiting.push_back(chunk);
        lane.ended |= last;
        let awaited = lane.is_awaited();
        if small && let Some(job) = lane.job(self.number) {
            drop(state);
            return self.hashing.hash(vec![job]);
        }
        if awaited && state.threads < self.hashing.most_threads(state.lanes.len()) {
            state.threads += 1;
            drop(state);
            let hashing = self.hashing.clone();
            // Nobody waits for the thread; its work is told by the lanes.
            drop(blocking::begin(move || {
                hashing.run();
                Ok(())
            }));
        }
    }

    /// The digest of the range, whose last chunk must have come. What still waits is hashed here and now, lest
    /// an upload that is over wait for a thread while all of them wait for the disk.
    pub(crate) async fn digest(&self) -> Result<ContentDigest> {
        while let Some(job) = self.job() {
            self.hashing.hash(vec![job]);
        }
        std::future::poll_fn(|cx| self.poll(cx, |lane| lane.digest.clone())).await
    }

    fn job(&self) -> Option<Job> {
        let mut state = self.hashing.lock();
        state.lanes.get_mut(&self.number)?.job(self.number)
    }

    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        ready: impl Fn(&LaneState) -> Option<T>,
    ) -> Poll<Result<T>> {
        let mut state = self.hashing.lock();
        let lane = state.lanes.entry(self.number).or_default();
        if let Some(panic) = &lane.panic {
            return Poll::Ready(Err(panic.clone()));
        }
        if let Some(ready) = ready(lane) {
            return Poll::Ready(Ok(ready));
        }
        lane.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let forgotten = self.hashing.lock().lanes.remove(&self.number);
        // Its chunks go after the lock was given back.
        drop(forgotten);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::join_all;

    use super::*;

    const KIB: usize = 1 << 10;

    fn hashings() -> [Hashing; 2] {
        Together::both().map(|together| Hashing {
            together,
            state: Arc::default(),
        })
    }

    fn content(len: usize) -> Bytes {
        (0..len).map(|i| (i % 251) as u8).collect()
    }

    /// Hands the content over as a socket would take it.
    async fn hashed(lane: Lane, mut content: Bytes, piece: usize) -> ContentDigest {
        loop {
            let room = std::future::poll_fn(|cx| lane.poll_room(cx)).await;
            room.expect("nothing panics");
            let chunk = content.split_to(piece.min(content.len()));
            lane.push(chunk, content.is_empty());
            if content.is_empty() {
                return lane.digest().await.expect("nothing panics");
            }
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn each_lane_gets_its_own_digest() {
        let sizes = [0, 1, 64, 65, 100, 300, 511, 512, 700, 700, 700, 900].map(|kib| kib * KIB);
        for hashing in hashings() {
            let lanes = sizes.map(|size| {
                let lane = hashing.lane(EtagHasher::part());
                hashed(lane, content(size), 100 * KIB)
            });
            for (digest, size) in join_all(lanes).await.into_iter().zip(sizes) {
                let mut expected = EtagHasher::part();
                expected.update(&content(size));
                assert_eq!(digest, expected.finish(), "{size} bytes");
            }
            assert!(hashing.lock().lanes.is_empty());
        }
    }

    /// Together as soon as somebody waits, and not before.
    #[test]
    fn one_that_is_awaited_takes_the_others_with_it() {
        let [lanes, one_by_one] = hashings();
        for hashing in [&lanes, &one_by_one] {
            let most = hashing.together.most(10);
            let mut state = State::default();
            for number in 0..10 {
                let lane = LaneState {
                    hasher: Some(Box::new(EtagHasher::part())),
                    waiting: VecDeque::from([content(1)]),
                    ..LaneState::default()
                };
                state.lanes.insert(number, lane);
            }
            let unawaited = if most == 1 { 1 } else { 0 };
            assert_eq!(state.jobs(most).len(), unawaited);
            state.lanes.entry(7).or_default().ended = true;
            let jobs = state.jobs(most);
            assert_eq!(jobs.len(), most);
            assert_eq!(jobs[0].number, 7);
        }
    }

    #[tokio::test]
    async fn a_lane_that_is_dropped_lets_its_chunks_go() {
        let [lanes, _] = hashings();
        let chunk = content(100 * KIB);
        let lane = lanes.lane(EtagHasher::part());
        lane.push(chunk.clone(), false);
        assert!(!chunk.is_unique());
        drop(lane);
        assert!(chunk.is_unique());
    }

    /// A chunk whose memory cannot be given back.
    struct Trap;

    impl AsRef<[u8]> for Trap {
        fn as_ref(&self) -> &[u8] {
            &[7; SMALL + 1]
        }
    }

    impl Drop for Trap {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }

    #[tokio::test]
    async fn a_panic_ends_the_waits_for_what_it_struck() {
        for hashing in hashings() {
            // Nobody hashes: there is no thread, and there may be no more.
            hashing.lock().threads = *CORES;
            let struck = hashing.lane(EtagHasher::part());
            for _ in 0..LONGEST_QUEUE {
                struck.push(Bytes::from_owner(Trap), false);
            }
            let other = hashing.lane(EtagHasher::part());
            other.push(content(100 * KIB), true);
            let mut room = std::pin::pin!(std::future::poll_fn(|cx| struck.poll_room(cx)));
            assert!(room.as_mut().now_or_never().is_none());
            let job = struck.job().expect("it waits");
            hashing.hash(vec![job]);
            for told in [room.await.err(), struck.digest().await.err()] {
                let told = told.expect("an error").to_string();
                assert!(told.contains("on purpose"), "{told}");
            }
            other
                .digest()
                .await
                .expect("another's panic is not its own");
            // Where they are dropped, the rest would panic too.
            std::mem::forget(struck);
        }
    }
}
