//! Counts the users of something that is lent out, and waits until all have returned it.

use std::convert::Infallible;
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender};

use tokio::sync::oneshot;

use crate::operation::task::Returned;
use crate::runtime::sync::unpoisoned;

/// Proof that something is still in use. Dropping the last hold lets the [`Lender`] continue.
#[derive(Clone, Debug)]
pub(super) struct Hold(#[expect(dead_code, reason = "its drop is its use")] Sender<Infallible>);

/// Dropping it waits until every [`Hold`] is dropped, also while a panic unwinds. The lock is never
/// contended: it only makes handles that contain a lender shareable by threads.
#[derive(Debug)]
pub(super) struct Lender(Option<Mutex<Receiver<Infallible>>>);

impl Lender {
    /// Drops the lender without waiting.
    pub(super) fn give_up(mut self) {
        self.0 = None;
    }
}

/// A first hold, and the lender that waits for it and all its clones.
pub(super) fn lease() -> (Hold, Lender) {
    // Nothing is ever sent on this channel: the receiver only notices that all senders are dropped.
    let (hold, lender) = mpsc::channel();
    (Hold(hold), Lender(Some(Mutex::new(lender))))
}

/// Proof that memory or functions of the host are in use. Its end is awaited, never blocked on.
#[derive(Debug)]
pub(super) struct Loan(
    #[expect(dead_code, reason = "its drop is its use")] oneshot::Sender<Infallible>,
);

/// A loan, and a future that resolves when the loan is returned.
pub(super) fn loan() -> (Loan, Returned) {
    let (loan, returned) = oneshot::channel();
    let returned = async {
        let Err(_) = returned.await;
    };
    (Loan(loan), Box::pin(returned))
}

impl Drop for Lender {
    fn drop(&mut self) {
        if let Some(lender) = &mut self.0 {
            let lender = unpoisoned(lender.get_mut());
            let Err(mpsc::RecvError) = lender.recv();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_lender_waits_for_the_last_hold() {
        static GIVEN_BACK: AtomicBool = AtomicBool::new(false);
        let (hold, lender) = lease();
        let clone = hold.clone();
        drop(hold);
        let other = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            GIVEN_BACK.store(true, Ordering::SeqCst);
            drop(clone);
        });
        drop(lender);
        assert!(GIVEN_BACK.load(Ordering::SeqCst));
        other.join().unwrap();
    }
}
