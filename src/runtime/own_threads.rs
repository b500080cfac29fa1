//! Marks the library's own threads: they block signals, so that signals go to the host's threads, and no
//! blocking call is allowed on them.

use std::cell::Cell;

use nix::sys::signal::{SigSet, Signal};

use crate::error::{Error, Result, Status};

thread_local! {
    /// Whether the library started this thread.
    static OURS: Cell<bool> = const { Cell::new(false) };
}

/// Marks the current thread as one of the library's, and blocks its signals.
pub(crate) fn mark_as_own_thread() {
    OURS.set(true);
    leave_signals_to_the_host();
}

/// Whether the current thread is one of the library's, as in a callback of the host.
pub(crate) fn is_own_thread() -> bool {
    // While a thread exits, its thread-local flag is gone. The library's threads do not call the host then.
    OURS.try_with(Cell::get).unwrap_or(false)
}

/// Refuses a blocking call on a thread of the library, because others may wait for that thread.
pub(crate) fn check_may_block() -> Result<()> {
    if !is_own_thread() {
        return Ok(());
    }
    Err(Error::new(
        Status::WouldDeadlock,
        "a blocking function of libus3 was called from within one of its callbacks; start the upload without waiting for it, or call from another thread",
    ))
}

/// Blocks signals: a write to a broken socket raises SIGPIPE, which by default kills the process, and a
/// signal handler of the host must not run on the library's threads. Signals for faults of the thread
/// itself (such as SIGSEGV) stay unblocked.
fn leave_signals_to_the_host() {
    let mut blocked = SigSet::all();
    for fault in [
        Signal::SIGSEGV,
        Signal::SIGBUS,
        Signal::SIGFPE,
        Signal::SIGILL,
        Signal::SIGABRT,
        Signal::SIGTRAP,
        // SIGSYS: a seccomp sandbox of the host uses it to handle system calls.
        Signal::SIGSYS,
    ] {
        blocked.remove(fault);
    }
    // The call can only fail for an unknown `how`, and thread_block passes a known one.
    let _ = blocked.thread_block();
}
