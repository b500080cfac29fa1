//! Hashes what is sent, on threads other than those that drive sockets.
//!
//! Each range that is sent has a [`HashQueue`] of chunks, which it shares with the socket without copying. Hashing starts
//! when a queue is full or holds its last chunk. Other queues, of this upload or another, then have chunks too, so one
//! wake-up hashes a whole SIMD batch ([`BatchHasher`]).

mod queues;

use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::error::Result;
use crate::protocol::etag::{BatchHasher, ContentDigest, EtagHasher};
use crate::runtime::panics;
use crate::runtime::sync::{self, Mutex, MutexGuard};
use crate::runtime::thread_pool::ThreadPool;

use self::queues::{Job, QueueState, State};

/// The most hashing threads of one client. More would be faster than the disk and the socket.
const MOST_THREADS: usize = 4;

/// Asked once, because the standard library reads files for the answer.
static CORES: LazyLock<usize> = LazyLock::new(|| {
    if cfg!(us3_loom) {
        return 2;
    }
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(MOST_THREADS))
});

/// Content up to this size is hashed at once, which costs less than waking a thread. Models under loom use
/// short chunks.
const SMALL: usize = if cfg!(us3_loom) { 1 } else { 64 << 10 };

/// The queues of one client; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Hashing {
    together: BatchHasher,
    /// Separate from the threads that read: a disk that does not answer must not stop the hashing of other
    /// uploads.
    pool: ThreadPool,
    state: Arc<Mutex<State>>,
}

/// A range that is hashed while it is sent. Dropping it discards the chunks in its queue.
#[derive(Debug)]
pub(crate) struct HashQueue {
    hashing: Hashing,
    number: u64,
}

impl Hashing {
    /// No thread and no queue yet.
    pub(crate) fn new(together: BatchHasher) -> Self {
        Self {
            together,
            pool: ThreadPool::new("us3-hash"),
            state: Arc::default(),
        }
    }

    /// Waits for the end of the threads. Must not be called on one of them.
    pub(crate) fn close(&self) {
        self.pool.close();
    }

    /// A queue for the next range.
    pub(crate) fn queue(&self, hasher: EtagHasher) -> HashQueue {
        let mut state = self.lock();
        let number = state.count;
        state.count += 1;
        let queue = QueueState {
            hasher: Some(Box::new(hasher)),
            served: state.served,
            ..QueueState::default()
        };
        state.queues.insert(number, queue);
        drop(state);
        HashQueue {
            hashing: self.clone(),
            number,
        }
    }

    /// The loop of a hashing thread: hashes until no queue needs it.
    fn run(&self) {
        let ended = panics::catch(|| {
            while let Some(jobs) = self.take() {
                self.hash(jobs);
            }
        });
        if ended.is_err() {
            self.lock().threads -= 1;
        }
    }

    /// How many threads to use for this number of queues: fewer where one thread hashes several queues as a
    /// batch.
    fn most_threads(&self, queues: usize) -> usize {
        (queues / self.together.batch_size(queues)).clamp(1, *CORES)
    }

    /// The next batch; None ends the thread's work.
    fn take(&self) -> Option<Vec<Job>> {
        let mut state = self.lock();
        let most = self.together.batch_size(state.open_queues());
        let jobs = state.jobs(most);
        if jobs.is_empty() {
            state.threads -= 1;
            return None;
        }
        Some(jobs)
    }

    fn hash(&self, mut jobs: Vec<Job>) {
        let mut pieces: Vec<(&mut EtagHasher, &[u8])> = jobs
            .iter_mut()
            .map(|job| (&mut *job.hasher, &*job.chunk))
            .collect();
        let hashed = panics::catch(|| self.together.update_all(&mut pieces));
        let hashers: Vec<_> = jobs
            .into_iter()
            .map(|job| {
                // Dropped one by one, before the lock is taken: dropping a chunk may release memory of the
                // host.
                let dropped = panics::catch(|| drop(job.chunk));
                let result = hashed.clone().and(dropped);
                (job.number, result.map(|()| job.hasher))
            })
            .collect();
        let mut state = self.lock();
        let woken: Vec<Waker> = hashers
            .into_iter()
            .filter_map(|(number, hasher)| state.queues.get_mut(&number)?.take_back(hasher))
            .collect();
        drop(state);
        for waker in woken {
            let _ = panics::catch(|| waker.wake());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        sync::lock(&self.state)
    }
}

impl HashQueue {
    /// Waits until the queue has room. Fails, like [`Self::digest`], once a panic has destroyed the hasher.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll(cx, |queue| (!queue.is_full()).then_some(()))
    }

    /// Adds the next chunk, which may be empty. `last` says that no other chunk follows.
    pub(crate) fn push(&self, chunk: Bytes, last: bool) {
        let mut state = self.hashing.lock();
        let queue = state.queues.entry(self.number).or_default();
        let small = chunk.len() <= SMALL && queue.waiting.is_empty();
        queue.waiting.push_back(chunk);
        queue.ended |= last;
        let awaited = queue.is_awaited();
        if small {
            drop(state);
            return self.hash_here();
        }
        if !awaited || state.threads >= self.hashing.most_threads(state.open_queues()) {
            return;
        }
        state.threads += 1;
        drop(state);
        let hashing = self.hashing.clone();
        if self.hashing.pool.submit(move || hashing.run()).is_err() {
            // No thread can be started, and this one drives sockets: it hashes only its own queue.
            self.hashing.lock().threads -= 1;
            self.hash_here();
        }
    }

    /// Hashes the queue here, unless another thread is hashing it.
    fn hash_here(&self) {
        while let Some(job) = self.job() {
            self.hashing.hash(vec![job]);
        }
    }

    /// The digest of the range. Its last chunk must have been added. The caller can do nothing else until
    /// then, so it hashes the rest of the queue itself.
    pub(crate) async fn digest(&self) -> Result<ContentDigest> {
        std::future::poll_fn(|cx| self.poll_digest(cx)).await
    }

    pub(crate) fn poll_digest(&self, cx: &mut Context<'_>) -> Poll<Result<ContentDigest>> {
        loop {
            let digest = self.poll(cx, |queue| queue.digest.clone());
            if digest.is_ready() {
                return digest;
            }
            let Some(job) = self.job() else {
                return Poll::Pending;
            };
            self.hashing.hash(vec![job]);
        }
    }

    fn job(&self) -> Option<Job> {
        self.hashing.lock().job(self.number)
    }

    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        ready: impl Fn(&QueueState) -> Option<T>,
    ) -> Poll<Result<T>> {
        let mut state = self.hashing.lock();
        let queue = state.queues.entry(self.number).or_default();
        if let Some(panic) = &queue.panic {
            return Poll::Ready(Err(panic.clone()));
        }
        if let Some(ready) = ready(queue) {
            return Poll::Ready(Ok(ready));
        }
        queue.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for HashQueue {
    fn drop(&mut self) {
        let forgotten = self.hashing.lock().queues.remove(&self.number);
        // Its chunks are dropped after the lock is released.
        drop(forgotten);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::join_all;

    use super::queues::LONGEST_QUEUE;
    use super::*;

    const KIB: usize = 1 << 10;

    fn hashings() -> [Hashing; 2] {
        BatchHasher::both().map(Hashing::new)
    }

    fn content(len: usize) -> Bytes {
        (0..len).map(|i| (i % 251) as u8).collect()
    }

    /// Hands the content over as a socket would take it.
    async fn hashed(queue: HashQueue, mut content: Bytes, piece: usize) -> ContentDigest {
        loop {
            let room = std::future::poll_fn(|cx| queue.poll_room(cx)).await;
            room.expect("nothing panics");
            let chunk = content.split_to(piece.min(content.len()));
            queue.push(chunk, content.is_empty());
            if content.is_empty() {
                return queue.digest().await.expect("nothing panics");
            }
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn each_lane_gets_its_own_digest() {
        let sizes = [0, 1, 64, 65, 100, 300, 511, 512, 700, 700, 700, 900].map(|kib| kib * KIB);
        for hashing in hashings() {
            let queues = sizes.map(|size| {
                let queue = hashing.queue(EtagHasher::part());
                hashed(queue, content(size), 100 * KIB)
            });
            for (digest, size) in join_all(queues).await.into_iter().zip(sizes) {
                let mut expected = EtagHasher::part();
                expected.update(&content(size));
                assert_eq!(digest, expected.finish(), "{size} bytes");
            }
            assert!(hashing.lock().queues.is_empty());
        }
    }

    #[test]
    fn a_disk_that_does_not_answer_holds_up_nothing() {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime
            .worker_threads(1)
            .max_blocking_threads(1)
            .enable_time();
        let runtime = runtime.build().expect("a runtime");
        let (answer, disk) = std::sync::mpsc::channel::<()>();
        runtime.spawn_blocking(move || disk.recv());
        for hashing in hashings() {
            let queue = hashing.queue(EtagHasher::part());
            let hashed = hashed(queue, content(900 * KIB), 100 * KIB);
            let limit = std::time::Duration::from_secs(10);
            let digest = runtime.block_on(async { tokio::time::timeout(limit, hashed).await });
            assert_eq!(digest.expect("it is hashed").size(), 900 << 10);
        }
        drop(answer);
    }

    #[tokio::test]
    async fn who_is_over_waits_for_no_thread() {
        for hashing in hashings() {
            // There is none, and there may be no more.
            hashing.lock().threads = *CORES;
            let queue = hashing.queue(EtagHasher::part());
            for last in [false, false, false, true] {
                queue.push(content(100 * KIB), last);
            }
            let taken = queue.job().expect("it waits");
            let mut digest = std::pin::pin!(queue.digest());
            assert!(digest.as_mut().now_or_never().is_none());
            hashing.hash(vec![taken]);
            let digest = digest.now_or_never().expect("it hashes the rest itself");
            assert_eq!(digest.expect("nothing panics").size(), 400 << 10);
        }
    }

    #[tokio::test]
    async fn a_lane_that_is_dropped_lets_its_chunks_go() {
        let [queues, _] = hashings();
        let chunk = content(100 * KIB);
        let queue = queues.queue(EtagHasher::part());
        queue.push(chunk.clone(), false);
        assert!(!chunk.is_unique());
        drop(queue);
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
            let struck = hashing.queue(EtagHasher::part());
            for _ in 0..LONGEST_QUEUE {
                struck.push(Bytes::from_owner(Trap), false);
            }
            let other = hashing.queue(EtagHasher::part());
            other.push(content(100 * KIB), true);
            let mut room = std::pin::pin!(std::future::poll_fn(|cx| struck.poll_room(cx)));
            assert!(room.as_mut().now_or_never().is_none());
            let jobs = [&struck, &other].map(|queue| queue.job().expect("it waits"));
            hashing.hash(jobs.into());
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
