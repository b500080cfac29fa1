//! A one-shot event (the end of a task): set once, awaited by any number of threads, and signalled by a
//! descriptor.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::runtime::sync::{self, Condvar, Mutex};

/// The event and its value.
#[derive(Debug)]
pub(crate) struct EndSignal<T> {
    state: Mutex<State<T>>,
    told: Condvar,
}

#[derive(Debug)]
struct State<T> {
    what: Option<T>,
    /// Created on demand, because descriptors are scarce.
    descriptor: Option<EventFd>,
}

impl<T: Clone> EndSignal<T> {
    pub(crate) fn new() -> Self {
        let state = State {
            what: None,
            descriptor: None,
        };
        Self {
            state: Mutex::new(state),
            told: Condvar::new(),
        }
    }

    /// Sets the value, makes the descriptor readable, then wakes the waiting threads. Called once.
    pub(crate) fn tell(&self, what: T) {
        let mut state = sync::lock(&self.state);
        state.what = Some(what);
        if let Some(descriptor) = &state.descriptor {
            // The write cannot block, because the descriptor is written only once.
            let _ = descriptor.write(1);
        }
        drop(state);
        // The lock is released first, so that a woken thread does not wait for it.
        self.told.notify_all();
    }

    /// Waits for the value; None if it is not set in time. Without a timeout it waits for ever.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Option<T> {
        // A timeout that is too long for an Instant counts as "for ever".
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = sync::lock(&self.state);
        while state.what.is_none() {
            let Some(until) = until else {
                let woken = self.told.wait(state);
                state = sync::unpoisoned(woken);
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let woken = self.told.wait_timeout(state, left);
            let (woken, waited) = sync::unpoisoned(woken);
            state = woken;
            if waited.timed_out() {
                break;
            }
        }
        state.what.clone()
    }

    /// A descriptor that is readable once the value is set. Each call returns the same one.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub(crate) fn descriptor(&self) -> io::Result<RawFd> {
        let mut state = sync::lock(&self.state);
        if let Some(descriptor) = &state.descriptor {
            return Ok(descriptor.as_raw_fd());
        }
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let descriptor = EventFd::from_value_and_flags(0, flags)?;
        if state.what.is_some() {
            descriptor.write(1)?;
        }
        Ok(state.descriptor.insert(descriptor).as_raw_fd())
    }

    /// Closes the descriptor, if there is one.
    pub(crate) fn close_descriptor(&self) {
        sync::lock(&self.state).descriptor = None;
    }

    /// Whether the descriptor, which was asked for, is readable; then not any more.
    #[cfg(us3_loom)]
    pub(crate) fn take_from_descriptor(&self) -> bool {
        let state = sync::lock(&self.state);
        let descriptor = state.descriptor.as_ref().expect("it was asked for");
        descriptor.read().is_ok()
    }

    #[cfg(us3_loom)]
    pub(crate) fn let_time_pass(&self) {
        self.told.let_time_pass(&sync::lock(&self.state));
    }
}
