//! The queues of chunks that wait to be hashed: decides what is hashed next and who is woken. Pure state,
//! protected by the lock of [`super::Hashing`].

use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::protocol::etag::{ContentDigest, EtagHasher};

/// The most chunks in one queue; fewer in models under loom.
pub(super) const LONGEST_QUEUE: usize = if cfg!(us3_loom) { 2 } else { 3 };

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) queues: BTreeMap<u64, QueueState>,
    /// Number of queues ever created.
    pub(super) count: u64,
    /// Number of chunks ever taken.
    pub(super) served: u64,
    /// Threads that hash.
    pub(super) threads: usize,
}

#[derive(Debug, Default)]
pub(super) struct QueueState {
    /// None while a thread uses the hasher.
    pub(super) hasher: Option<Box<EtagHasher>>,
    /// The value of [`State::served`] when a chunk of this queue was last taken, or when the queue was made.
    pub(super) served: u64,
    pub(super) waiting: VecDeque<Bytes>,
    /// The last chunk was added.
    pub(super) ended: bool,
    pub(super) digest: Option<ContentDigest>,
    /// The panic that destroyed the hasher.
    pub(super) panic: Option<Error>,
    /// Woken when the queue has room, or when the digest is complete.
    pub(super) waker: Option<Waker>,
}

/// A chunk, and the hasher to which it belongs.
pub(super) struct Job {
    pub(super) number: u64,
    pub(super) hasher: Box<EtagHasher>,
    pub(super) chunk: Bytes,
}

impl State {
    /// Queues that are not fully hashed. A part whose hash is finished adds nothing to a batch.
    pub(super) fn open_queues(&self) -> usize {
        let open = |queue: &&QueueState| queue.digest.is_none() && queue.panic.is_none();
        self.queues.values().filter(open).count()
    }

    /// At most `most` chunks, each of another queue. Queues that somebody waits for come first, then the one served
    /// least recently.
    pub(super) fn jobs(&mut self, most: usize) -> Vec<Job> {
        let ready = self.queues.iter().filter(|(_, queue)| queue.is_ready());
        let mut ready: Vec<_> = ready
            .map(|(number, queue)| (!queue.is_awaited(), queue.served, *number))
            .collect();
        ready.sort_unstable();
        // When batching pays, start only once somebody is waiting.
        if most > 1 && ready.first().is_some_and(|(unawaited, ..)| *unawaited) {
            return Vec::new();
        }
        ready.truncate(most);
        let ready = ready.into_iter();
        ready.filter_map(|(.., number)| self.job(number)).collect()
    }

    pub(super) fn job(&mut self, number: u64) -> Option<Job> {
        self.served += 1;
        self.queues.get_mut(&number)?.job(number, self.served)
    }
}

impl QueueState {
    fn is_ready(&self) -> bool {
        self.hasher.is_some() && !self.waiting.is_empty()
    }

    /// Whether the sender waits for this queue (its last chunk was added) or soon must wait (it is full).
    pub(super) fn is_awaited(&self) -> bool {
        self.ended || self.is_full()
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= LONGEST_QUEUE
    }

    fn job(&mut self, number: u64, served: u64) -> Option<Job> {
        if !self.is_ready() {
            return None;
        }
        self.served = served;
        Some(Job {
            number,
            hasher: self.hasher.take()?,
            chunk: self.waiting.pop_front()?,
        })
    }

    /// The batch is hashed, or a panic destroyed the hasher. Returns whom to wake.
    pub(super) fn take_back(&mut self, hasher: Result<Box<EtagHasher>>) -> Option<Waker> {
        match hasher {
            Ok(hasher) if self.ended && self.waiting.is_empty() => {
                self.digest = Some(hasher.finish());
            }
            Ok(hasher) => self.hasher = Some(hasher),
            Err(panic) => self.panic = Some(panic),
        }
        match self.ended || self.panic.is_some() || !self.is_full() {
            true => self.waker.take(),
            false => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::etag::BatchHasher;

    fn content() -> Bytes {
        Bytes::from_static(b"x")
    }

    /// Together as soon as somebody waits, and not before.
    #[test]
    fn one_that_is_awaited_takes_the_others_with_it() {
        for together in BatchHasher::both() {
            let most = together.batch_size(10);
            let mut state = State::default();
            for number in 0..10 {
                let queue = QueueState {
                    hasher: Some(Box::new(EtagHasher::part())),
                    waiting: VecDeque::from([content()]),
                    ..QueueState::default()
                };
                state.queues.insert(number, queue);
            }
            let unawaited = if most == 1 { 1 } else { 0 };
            assert_eq!(state.jobs(most).len(), unawaited);
            state.queues.entry(7).or_default().ended = true;
            let jobs = state.jobs(most);
            assert_eq!(jobs.len(), most);
            assert_eq!(jobs[0].number, 7);
        }
    }

    /// However quickly the queues fill again.
    #[test]
    fn every_lane_gets_its_turn() {
        for together in BatchHasher::both() {
            let mut state = State::default();
            for number in 0..20 {
                let queue = QueueState {
                    hasher: Some(Box::new(EtagHasher::part())),
                    waiting: (0..LONGEST_QUEUE).map(|_| content()).collect(),
                    ..QueueState::default()
                };
                state.queues.insert(number, queue);
            }
            let most = together.batch_size(20);
            let mut served = BTreeMap::new();
            for _ in 0..10 * 20_usize.div_ceil(most) {
                for job in state.jobs(most) {
                    *served.entry(job.number).or_insert(0) += 1;
                    let queue = state.queues.get_mut(&job.number).expect("a queue");
                    queue.take_back(Ok(job.hasher));
                    queue.waiting.push_back(job.chunk);
                }
            }
            assert_eq!(served.len(), 20);
            assert!(served.values().all(|times| *times >= 10), "{served:?}");
        }
    }
}
