//! The value behind an opaque handle, with the calls in progress on it.
//!
//! A handle knows the process that made it, because a forked child has the memory but not the threads. It
//! also knows the calls in progress, so that freeing it waits for them.

use std::mem;
use std::ops::Deref;
use std::process;
use std::sync::Arc;

use crate::error::{Error, Result, Status};
use crate::runtime::own_threads;

use super::lease::{Hold, Lender, lease};

/// A value of the engine that the host holds by pointer.
pub(super) struct Handle<T> {
    value: Arc<T>,
    process: u32,
    hold: Hold,
    lender: Lender,
}

/// A call in progress on a handle.
pub(super) struct InUse<T> {
    // Dropped before the hold: when the last hold is gone, every other reference is gone too.
    value: Arc<T>,
    _hold: Hold,
}

impl<T> Handle<T> {
    pub(super) fn new(value: T) -> Self {
        let (hold, lender) = lease();
        Self {
            value: Arc::new(value),
            process: process::id(),
            hold,
            lender,
        }
    }

    /// The value, for the duration of a call; refused in a forked child.
    pub(super) fn enter(&self) -> Result<InUse<T>> {
        if !self.is_ours() {
            return Err(self.forked());
        }
        Ok(InUse {
            value: Arc::clone(&self.value),
            _hold: self.hold.clone(),
        })
    }

    /// The value without a call: for facts that never change, and that are also true in a forked child.
    pub(super) fn peek(&self) -> &T {
        &self.value
    }

    /// Waits for the calls in progress and drops the value. In a callback it does not wait, and the last of
    /// these calls drops the value. In a forked child the value is never dropped: its threads do not exist
    /// there, its locks may stay locked for ever, and its sockets belong to the parent.
    pub(super) fn free(self) {
        if !self.is_ours() {
            mem::forget(self);
            return;
        }
        let Self {
            value,
            hold,
            lender,
            ..
        } = self;
        drop(hold);
        if own_threads::is_own_thread() {
            lender.give_up();
        } else {
            drop(lender);
        }
        drop(value);
    }

    fn is_ours(&self) -> bool {
        self.process == process::id()
    }

    fn forked(&self) -> Error {
        let message = format!(
            "this handle was made by process {}; process {} was forked from it and must make its \
             own client with us3_client_new",
            self.process,
            process::id()
        );
        Error::new(Status::Forked, message)
    }

    #[cfg(test)]
    pub(super) fn pretend_to_be_forked(&mut self) {
        self.process = 0;
    }
}

impl<T> InUse<T> {
    /// A reference that outlives the call, for owners that need the value longer.
    pub(super) fn share(&self) -> Arc<T> {
        Arc::clone(&self.value)
    }
}

impl<T> Clone for InUse<T> {
    fn clone(&self) -> Self {
        Self {
            value: Arc::clone(&self.value),
            _hold: self._hold.clone(),
        }
    }
}

impl<T> Deref for InUse<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    struct Tell<'a>(&'a AtomicBool);
    impl Drop for Tell<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn freeing_waits_for_the_calls_in_progress() {
        let dropped = AtomicBool::new(false);
        let handle = Handle::new(Tell(&dropped));
        let call = handle.enter().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(50));
                assert!(!call.0.load(Ordering::SeqCst));
                drop(call);
            });
            handle.free();
            assert!(dropped.load(Ordering::SeqCst));
        });
    }

    #[test]
    fn within_a_callback_freeing_does_not_wait() {
        static DROPPED: AtomicBool = AtomicBool::new(false);
        let handle = Handle::new(Tell(&DROPPED));
        let call = handle.enter().unwrap();
        let callback = thread::spawn(|| {
            own_threads::mark_as_own_thread();
            handle.free();
        });
        callback.join().unwrap();
        assert!(!DROPPED.load(Ordering::SeqCst));
        drop(call);
        assert!(DROPPED.load(Ordering::SeqCst));
    }

    #[test]
    fn a_forked_child_is_refused_and_frees_nothing_of_the_parents() {
        let dropped = AtomicBool::new(false);
        let mut handle = Handle::new(Tell(&dropped));
        handle.pretend_to_be_forked();
        let refused = handle.enter().err().unwrap();
        assert_eq!(refused.status(), Status::Forked);
        handle.free();
        assert!(!dropped.load(Ordering::SeqCst));
    }
}
