//! Models: small cases of the hand-made synchronisation, run by loom in every interleaving.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use loom::future::block_on;
use loom::thread;

use super::modelled::refuse_threads;
use super::*;
use crate::content::hashing::{HashQueue, Hashing};
use crate::operation::end::EndSignal;
use crate::protocol::etag::{BatchHasher, ContentDigest, EtagHasher};
use crate::runtime::thread_pool::{Submitted, ThreadPool};

/// Where every interleaving is too many: threads are interrupted at most so often where they need not wait.
const OFTEN: Option<usize> = Some(2);

/// Runs a small case in every interleaving, with at most so many interruptions, or as many as US3_LOOM_INTERRUPTIONS says.
/// Prints how many interleavings there were.
fn model(name: &str, interruptions: Option<usize>, run: impl Fn() + Sync + Send + 'static) {
    let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = count.clone();
    let mut builder = loom::model::Builder::new();
    let more = std::env::var("US3_LOOM_INTERRUPTIONS").ok();
    let more = more.map(|number| number.parse().expect("US3_LOOM_INTERRUPTIONS is a number"));
    builder.preemption_bound = interruptions.map(|number| more.unwrap_or(number));
    builder.max_branches = 10_000;
    let begun = std::time::Instant::now();
    builder.check(move || {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        refuse_threads(false);
        run();
    });
    let count = count.load(std::sync::atomic::Ordering::Relaxed);
    println!("{name}: {count} interleavings in {:.1?}", begun.elapsed());
}

/// A flag that is waited for.
#[derive(Default)]
struct Flag(Mutex<bool>, Condvar);

impl Flag {
    fn set(&self) {
        *lock(&self.0) = true;
        self.1.notify_all();
    }

    fn is_set(&self) -> bool {
        *lock(&self.0)
    }

    fn wait(&self) {
        let mut set = lock(&self.0);
        while !*set {
            set = self.1.wait(set).expect("nothing panics");
        }
    }
}

// ---- the end of a task ----------------------------------------------------------------------------

const LONG: Option<Duration> = Some(Duration::from_secs(3600));

#[test]
fn every_wait_is_told_the_end() {
    model("end: two waits", None, || {
        let end = Arc::new(EndSignal::new());
        let waits = [0, 1].map(|_| {
            let end = end.clone();
            thread::spawn(move || end.wait(None))
        });
        end.tell(7);
        for wait in waits {
            assert_eq!(wait.join().expect("no panic"), Some(7));
        }
        assert_eq!(end.wait(Some(Duration::ZERO)), Some(7));
    });
}

#[test]
fn a_wait_in_time_is_told_or_says_that_it_was_too_short() {
    model("end: a wait with a timeout", None, || {
        let end = Arc::new(EndSignal::new());
        let wait = thread::spawn({
            let end = end.clone();
            move || end.wait(LONG)
        });
        let clock = thread::spawn({
            let end = end.clone();
            move || end.let_time_pass()
        });
        end.tell(7);
        let told = wait.join().expect("no panic");
        assert!(told.is_none() || told == Some(7));
        clock.join().expect("no panic");
        assert_eq!(end.wait(LONG), Some(7));
    });
}

#[test]
fn a_descriptor_is_readable_once_the_end_was_told_whenever_it_was_asked_for() {
    model("end: a descriptor", None, || {
        let end = Arc::new(EndSignal::new());
        let asking = thread::spawn({
            let end = end.clone();
            move || end.descriptor().expect("a descriptor")
        });
        let telling = thread::spawn({
            let end = end.clone();
            move || end.tell(7)
        });
        let descriptor = asking.join().expect("no panic");
        telling.join().expect("no panic");
        assert!(end.take_from_descriptor());
        assert_eq!(end.descriptor().expect("a descriptor"), descriptor);
    });
}

// ---- the elastic pool -----------------------------------------------------------------------------

#[test]
fn closing_a_pool_waits_for_its_jobs() {
    model("pool: closing", None, || {
        let pool = ThreadPool::new("model");
        let ran = Arc::new(Flag::default());
        let flag = ran.clone();
        assert!(matches!(
            pool.submit(move || flag.set()),
            Ok(Submitted::HasThread)
        ));
        pool.close();
        assert!(ran.is_set());
    });
}

#[test]
fn no_job_waits_for_another_whatever_threads_are_idle() {
    model("pool: a job that waits for a later one", OFTEN, || {
        let pool = ThreadPool::new("model");
        let [first, last] = [(); 2].map(|()| Arc::new(Flag::default()));
        // Its thread may be idle, or not yet, when the others begin.
        submit(&pool, || {});
        submit(&pool, {
            let (first, last) = (first.clone(), last.clone());
            move || {
                last.wait();
                first.set();
            }
        });
        submit(&pool, move || last.set());
        first.wait();
        pool.close();
    });
}

#[test]
fn a_thread_whose_time_has_passed_leaves_no_job_behind() {
    model("pool: an idle thread that ends", OFTEN, || {
        let pool = ThreadPool::new("model");
        let ran = Arc::new(Flag::default());
        submit(&pool, || {});
        let clock = thread::spawn({
            let pool = pool.clone();
            move || pool.let_time_pass()
        });
        let flag = ran.clone();
        submit(&pool, move || flag.set());
        ran.wait();
        clock.join().expect("no panic");
        pool.close();
    });
}

#[test]
fn a_queued_job_gets_a_thread_as_soon_as_there_may_be_one() {
    model("pool: refused threads", OFTEN, || {
        let pool = ThreadPool::new("model");
        let ran = Arc::new(Flag::default());
        let flag = ran.clone();
        submit(&pool, move || flag.wait());
        refuse_threads(true);
        let flag = ran.clone();
        assert!(matches!(
            pool.submit(move || flag.set()),
            Ok(Submitted::Queued)
        ));
        refuse_threads(false);
        let other = thread::spawn({
            let pool = pool.clone();
            move || pool.start_missing_threads()
        });
        pool.start_missing_threads();
        ran.wait();
        other.join().expect("no panic");
        pool.close();
    });
}

#[test]
fn a_pool_without_any_thread_gives_the_job_back() {
    model("pool: no thread at all", None, || {
        let pool = ThreadPool::new("model");
        refuse_threads(true);
        assert!(pool.submit(|| {}).is_err());
        refuse_threads(false);
        pool.close();
    });
}

fn submit(pool: &ThreadPool, job: impl FnOnce() + Send + 'static) {
    assert!(matches!(pool.submit(job), Ok(Submitted::HasThread)));
}

// ---- hashing ----------------------------------------------------------------------------------------

const CHUNK: Bytes = Bytes::from_static(b"chunk");

fn digest_of(chunks: usize) -> ContentDigest {
    let mut hasher = EtagHasher::part();
    (0..chunks).for_each(|_| hasher.update(&CHUNK));
    hasher.finish()
}

/// Hands chunks over as a socket would take them.
async fn hashed(queue: HashQueue, chunks: usize) -> ContentDigest {
    for left in (0..chunks).rev() {
        let room = std::future::poll_fn(|cx| queue.poll_room(cx)).await;
        room.expect("nothing panics");
        queue.push(CHUNK, left == 0);
    }
    queue.digest().await.expect("nothing panics")
}

#[test]
fn a_lane_gets_its_digest() {
    for (together, name) in BatchHasher::both()
        .into_iter()
        .zip(["together", "one by one"])
    {
        model(&format!("hashing {name}: a queue"), OFTEN, move || {
            let hashing = Hashing::new(together);
            let queue = hashing.queue(EtagHasher::part());
            // So many that the queue is full once more after the thread has emptied it.
            assert_eq!(block_on(hashed(queue, 6)), digest_of(6));
            hashing.close();
        });
    }
}

#[test]
fn each_of_two_lanes_gets_its_digest() {
    for (together, name) in BatchHasher::both()
        .into_iter()
        .zip(["together", "one by one"])
    {
        model(&format!("hashing {name}: two queues"), OFTEN, move || {
            let hashing = Hashing::new(together);
            let other = thread::spawn({
                let queue = hashing.queue(EtagHasher::part());
                move || block_on(hashed(queue, 2))
            });
            let queue = hashing.queue(EtagHasher::part());
            assert_eq!(block_on(hashed(queue, 2)), digest_of(2));
            assert_eq!(other.join().expect("no panic"), digest_of(2));
            hashing.close();
        });
    }
}

#[test]
fn a_dropped_lane_holds_up_no_other() {
    for (together, name) in BatchHasher::both()
        .into_iter()
        .zip(["together", "one by one"])
    {
        model(
            &format!("hashing {name}: a dropped queue"),
            OFTEN,
            move || {
                let hashing = Hashing::new(together);
                let dropped = thread::spawn({
                    let queue = hashing.queue(EtagHasher::part());
                    move || {
                        queue.push(CHUNK, false);
                        queue.push(CHUNK, false);
                    }
                });
                let queue = hashing.queue(EtagHasher::part());
                assert_eq!(block_on(hashed(queue, 2)), digest_of(2));
                dropped.join().expect("no panic");
                hashing.close();
            },
        );
    }
}
