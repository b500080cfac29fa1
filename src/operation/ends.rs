//! The queue of ends: returns what stands for a task, in the order in which the tasks ended. One descriptor is
//! readable while the queue is not empty.

use std::collections::BTreeMap;
use std::mem;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::error::{Error, Result, Status};
use crate::runtime::sync::{self, Condvar, Mutex};

/// The queue. What is handed out for a task that has ended is a `T`.
#[derive(Debug)]
pub(crate) struct EndQueue<T>(Arc<Shared<T>>);

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    /// By the order of their ends.
    ended: BTreeMap<u64, T>,
    next: u64,
    /// Readable while `ended` is not empty. None once the queue is closed: nothing is collected any more.
    descriptor: Option<EventFd>,
}

/// A task's place in a queue, whether it has ended or not.
#[derive(Debug)]
pub(crate) struct Place<T> {
    queue: Arc<Shared<T>>,
    /// Locked before the queue's state.
    stage: Mutex<Stage>,
}

#[derive(Debug)]
enum Stage {
    Running,
    /// With its number in the order of the ends.
    Ended(u64),
    Withdrawn,
}

/// What was found in a queue.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<T> {
    End(T),
    /// No end came in time.
    None,
    /// The queue was closed meanwhile.
    Closed,
}

impl<T> EndQueue<T> {
    /// An empty queue.
    ///
    /// # Errors
    /// `InternalError` when the process has no descriptor left.
    pub(crate) fn new() -> Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let descriptor = EventFd::from_value_and_flags(0, flags).map_err(no_descriptor)?;
        let state = State {
            ended: BTreeMap::new(),
            next: 0,
            descriptor: Some(descriptor),
        };
        Ok(Self(Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
        })))
    }

    /// A place for a task that has not ended.
    pub(crate) fn join(&self) -> Place<T> {
        Place {
            queue: self.0.clone(),
            stage: Mutex::new(Stage::Running),
        }
    }

    /// A descriptor that polls readable while there are ends; None once the queue is closed.
    pub(crate) fn descriptor(&self) -> Option<RawFd> {
        let state = sync::lock(&self.0.state);
        state.descriptor.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// Waits for the next end and takes it out. Without a timeout, for ever.
    pub(crate) fn next(&self, timeout: Option<Duration>) -> Next<T> {
        // A timeout that is too long for an Instant counts as "for ever".
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = sync::lock(&self.0.state);
        let mut late = false;
        loop {
            if state.descriptor.is_none() {
                return Next::Closed;
            }
            if let Some((_, end)) = state.ended.pop_first() {
                state.show();
                return Next::End(end);
            }
            let Some(until) = until else {
                state = sync::unpoisoned(self.0.changed.wait(state));
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if late || left.is_zero() {
                return Next::None;
            }
            let (woken, waited) = sync::unpoisoned(self.0.changed.wait_timeout(state, left));
            state = woken;
            late = waited.timed_out();
        }
    }

    /// Detaches the queue from its tasks: nothing is collected any more, whoever waits is woken, the descriptor is closed.
    pub(crate) fn close(&self) {
        let mut state = sync::lock(&self.0.state);
        state.descriptor = None;
        let ended = mem::take(&mut state.ended);
        drop(state);
        self.0.changed.notify_all();
        drop(ended);
    }

    /// Whether the descriptor is readable.
    #[cfg(all(test, not(us3_loom)))]
    fn is_readable(&self) -> bool {
        let state = sync::lock(&self.0.state);
        let descriptor = state.descriptor.as_ref().expect("it is open");
        let readable = descriptor.read().is_ok();
        if readable {
            descriptor.write(1).expect("it was read");
        }
        readable
    }
}

impl<T> Place<T> {
    /// The task has ended: `end` comes behind those that are there, unless the place was withdrawn.
    pub(crate) fn tell(&self, end: T) {
        let mut stage = sync::lock(&self.stage);
        if !matches!(*stage, Stage::Running) {
            return;
        }
        let mut state = sync::lock(&self.queue.state);
        if state.descriptor.is_none() {
            return;
        }
        let number = state.next;
        state.next += 1;
        state.ended.insert(number, end);
        state.show();
        drop(state);
        *stage = Stage::Ended(number);
        drop(stage);
        self.queue.changed.notify_one();
    }

    /// The task is not to be handed out from now on.
    pub(crate) fn withdraw(&self) {
        let mut stage = sync::lock(&self.stage);
        let before = mem::replace(&mut *stage, Stage::Withdrawn);
        drop(stage);
        let Stage::Ended(number) = before else {
            return;
        };
        let mut state = sync::lock(&self.queue.state);
        let end = state.ended.remove(&number);
        state.show();
        drop(state);
        drop(end);
    }
}

impl<T> State<T> {
    /// Makes the descriptor readable or not. Its counter is 0 or 1.
    fn show(&self) {
        let Some(descriptor) = &self.descriptor else {
            return;
        };
        // Neither can block; a counter that is 0 already says so with an error.
        let _ = descriptor.read();
        if !self.ended.is_empty() {
            let _ = descriptor.write(1);
        }
    }
}

fn no_descriptor(cause: nix::Error) -> Error {
    let mut error = Error::new(
        Status::InternalError,
        format!("cannot make the queue's descriptor: {cause}; check the limits of the process"),
    );
    error.report_mut().os_error = cause as i32;
    error
}

#[cfg(all(test, not(us3_loom)))]
mod tests {
    use std::thread;

    use super::*;

    const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

    #[test]
    fn ends_come_out_in_their_order_and_the_descriptor_shows_them() {
        let queue = EndQueue::new().unwrap();
        let places: Vec<Place<usize>> = (0..3).map(|_| queue.join()).collect();
        assert!(!queue.is_readable());
        assert_eq!(queue.next(AT_ONCE), Next::None);
        for n in [2, 0, 1] {
            places[n].tell(n);
        }
        for n in [2, 0, 1] {
            assert!(queue.is_readable());
            assert_eq!(queue.next(AT_ONCE), Next::End(n));
        }
        assert!(!queue.is_readable());
    }

    #[test]
    fn a_withdrawn_place_is_not_handed_out_before_or_after_its_end() {
        let queue = EndQueue::new().unwrap();
        let (early, late, other) = (queue.join(), queue.join(), queue.join());
        early.withdraw();
        early.tell(1);
        late.tell(2);
        other.tell(3);
        late.withdraw();
        assert_eq!(queue.next(AT_ONCE), Next::End(3));
        assert!(!queue.is_readable());
        late.tell(2);
        other.withdraw();
        assert_eq!(queue.next(AT_ONCE), Next::None);
    }

    #[test]
    fn closing_wakes_who_waits_and_drops_what_comes() {
        let queue = EndQueue::new().unwrap();
        let (there, coming) = (queue.join(), queue.join());
        let (kept, dropped) = (Arc::new(()), Arc::new(()));
        thread::scope(|scope| {
            let waiter = scope.spawn(|| queue.next(None));
            queue.close();
            assert_eq!(waiter.join().unwrap(), Next::Closed);
        });
        there.tell(kept.clone());
        coming.tell(dropped.clone());
        assert_eq!(
            (Arc::strong_count(&kept), Arc::strong_count(&dropped)),
            (1, 1)
        );
        assert_eq!(queue.descriptor(), None);
        there.withdraw();
    }
}
