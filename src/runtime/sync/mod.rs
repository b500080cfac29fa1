//! Locks, condition variables and threads for the synchronisation that this project writes itself: those of
//! the standard library, or, in `make loom`, those of loom, which tries every interleaving (tests.rs).

use std::sync::{LockResult, PoisonError};

#[cfg(not(us3_loom))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
#[cfg(not(us3_loom))]
pub(crate) use std::thread::{Builder, JoinHandle};

#[cfg(us3_loom)]
pub(crate) use self::modelled::{Builder, Condvar};
#[cfg(us3_loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(us3_loom)]
pub(crate) use loom::thread::JoinHandle;

/// Locks a mutex.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    unpoisoned(mutex.lock())
}

/// Ignores the poison flag: a panic in another thread leaves the protected data consistent.
pub(crate) fn unpoisoned<T>(locked: LockResult<T>) -> T {
    locked.unwrap_or_else(PoisonError::into_inner)
}

/// Whether joining the thread would not block. Loom cannot tell.
pub(crate) fn is_finished<T>(thread: &JoinHandle<T>) -> bool {
    #[cfg(not(us3_loom))]
    return thread.is_finished();
    #[cfg(us3_loom)]
    return {
        let _ = thread;
        false
    };
}

#[cfg(all(test, us3_loom))]
mod tests;

#[cfg(us3_loom)]
mod modelled {
    use std::cell::Cell;
    use std::io;
    use std::sync::LockResult;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use loom::sync::MutexGuard;
    use loom::thread::JoinHandle;

    thread_local! {
        /// Whether starting threads fails. Thread-local, because all threads of a model run on one system
        /// thread.
        static REFUSED: Cell<bool> = const { Cell::new(false) };
    }

    /// Makes starting threads fail from now on, or succeed again.
    pub(crate) fn refuse_threads(refused: bool) {
        REFUSED.set(refused);
    }

    /// Loom's thread builder; starting a thread can be made to fail.
    pub(crate) struct Builder(loom::thread::Builder);

    impl Builder {
        pub(crate) fn new() -> Self {
            Self(loom::thread::Builder::new())
        }

        pub(crate) fn name(self, name: String) -> Self {
            Self(self.0.name(name))
        }

        pub(crate) fn spawn<T: Send + 'static>(
            self,
            run: impl FnOnce() -> T + Send + 'static,
        ) -> io::Result<JoinHandle<T>> {
            match REFUSED.get() {
                true => Err(io::ErrorKind::WouldBlock.into()),
                false => self.0.spawn(run),
            }
        }
    }

    /// Loom's condition variable with timeouts, which loom does not have. `let_time_pass` ends every wait that has a
    /// timeout. A model with such a wait must call it, unless something else ends the wait.
    #[derive(Debug, Default)]
    pub(crate) struct Condvar {
        condvar: loom::sync::Condvar,
        /// Not loom's type: it is only used under the lock.
        passed: AtomicBool,
    }

    pub(crate) struct WaitTimeoutResult(bool);

    impl WaitTimeoutResult {
        pub(crate) fn timed_out(&self) -> bool {
            self.0
        }
    }

    impl Condvar {
        pub(crate) fn new() -> Self {
            Self::default()
        }

        pub(crate) fn wait<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
        ) -> LockResult<MutexGuard<'a, T>> {
            self.condvar.wait(guard)
        }

        pub(crate) fn wait_timeout<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            _timeout: Duration,
        ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
            if self.passed.load(Ordering::Relaxed) {
                return Ok((guard, WaitTimeoutResult(true)));
            }
            // Loom's locks are never poisoned.
            let guard = self.condvar.wait(guard).expect("no poison");
            let passed = self.passed.load(Ordering::Relaxed);
            Ok((guard, WaitTimeoutResult(passed)))
        }

        pub(crate) fn notify_one(&self) {
            self.condvar.notify_one();
        }

        pub(crate) fn notify_all(&self) {
            self.condvar.notify_all();
        }

        /// Ends every wait that has a timeout. The guard is that of the lock under which the waits wait.
        pub(crate) fn let_time_pass<T>(&self, _guard: &MutexGuard<'_, T>) {
            self.passed.store(true, Ordering::Relaxed);
            self.condvar.notify_all();
        }
    }
}
