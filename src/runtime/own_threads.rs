//! Whether the current thread is one of the library's own, and what that means: it leaves signals
//! to the host, and nobody blocks on it.

use std::cell::Cell;

use nix::sys::signal::{SigSet, Signal};

use crate::error::{Error, Result, Status};

thread_local! {
    /// Whether the library started this thread.
    static OURS: Cell<bool> = const { Cell::new(false) };
}

/// Makes the current thread one of ours.
pub(crate) fn mark_as_own_thread() {
    OURS.set(true);
    leave_signals_to_the_host();
}

/// Whether the caller is one of our own threads, such as a callback of the host's.
pub(crate) fn is_own_thread() -> bool {
    // At the very end of a thread its flags are gone; those of ours do not call the host then.
    OURS.try_with(Cell::get).unwrap_or(false)
}

/// Refuses to block on a thread that others wait for.
pub(crate) fn check_may_block() -> Result<()> {
    if !is_own_thread() {
        return Ok(());
    }
    Err(Error::new(
        Status::WouldDeadlock,
        "a blocking function of libus3 was called from within one of its callbacks; start the upload without waiting for it, or call from another thread",
    ))
}

/// A write to a dead socket raises SIGPIPE, which by default kills the host, and a handler of the
/// host must not run on our threads. Faults of the thread itself stay deliverable.
fn leave_signals_to_the_host() {
    let mut blocked = SigSet::all();
    for fault in [
        Signal::SIGSEGV,
        Signal::SIGBUS,
        Signal::SIGFPE,
        Signal::SIGILL,
        Signal::SIGABRT,
        Signal::SIGTRAP,
        // A sandbox of the host's answers system calls with it.
        Signal::SIGSYS,
    ] {
        blocked.remove(fault);
    }
    // It can only fail for an unknown `how`, which thread_block does not pass.
    let _ = blocked.thread_block();
}
