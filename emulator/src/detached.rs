//! Detached requests continue to execute after a fault has ended their connection. They are counted, and a
//! reset stops them.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use crate::faults::Hook;

pub(crate) struct Detached {
    count: Mutex<Count>,
    /// The number of resets; wakes the requests that a reset stops.
    resets: watch::Sender<u64>,
    /// Notified when the last of them has ended.
    quiet: Condvar,
}

#[derive(Default)]
struct Count {
    resets: u64,
    running: u64,
}

/// The permission to continue. The request is counted until the permission is dropped.
pub(crate) struct Permit {
    detached: Arc<Detached>,
    resets: u64,
}

impl Default for Detached {
    fn default() -> Self {
        Self {
            count: Mutex::default(),
            resets: watch::Sender::new(0),
            quiet: Condvar::new(),
        }
    }
}

impl Detached {
    /// How many resets there were. A request remembers the number at its beginning.
    pub fn resets(&self) -> u64 {
        self.count.lock().unwrap().resets
    }

    /// How many detached requests run now.
    pub fn running(&self) -> u64 {
        self.count.lock().unwrap().running
    }

    /// None when there was a reset since the request began.
    pub fn enter(self: &Arc<Self>, resets: u64) -> Option<Permit> {
        let mut count = self.count.lock().unwrap();
        if count.resets != resets {
            return None;
        }
        count.running += 1;
        Some(Permit {
            detached: self.clone(),
            resets,
        })
    }

    /// Stops them all, also those that are still to come of requests that have begun. Blocks until
    /// none is left, so that nothing is stored or called back once this has returned.
    pub fn stop(&self) {
        let mut count = self.count.lock().unwrap();
        count.resets += 1;
        self.resets.send_replace(count.resets);
        while count.running > 0 {
            count = self.quiet.wait(count).unwrap();
        }
    }
}

impl Permit {
    /// Lets the request continue after a delay. None if a reset stopped it.
    pub async fn run<T>(
        &self,
        after: Duration,
        hook: &Hook,
        request: impl Future<Output = T>,
    ) -> Option<T> {
        let resumed = async {
            tokio::time::sleep(after).await;
            hook.resume();
            request.await
        };
        tokio::select! {
            biased;
            () = self.stopped() => None,
            outcome = resumed => Some(outcome),
        }
    }

    async fn stopped(&self) {
        let mut resets = self.detached.resets.subscribe();
        let _ = resets.wait_for(|resets| *resets != self.resets).await;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut count = self.detached.count.lock().unwrap();
        count.running -= 1;
        if count.running == 0 {
            self.detached.quiet.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_waits_until_the_last_has_gone_and_lets_no_older_one_in() {
        let detached = Arc::new(Detached::default());
        let before = detached.resets();
        let permit = detached.enter(before).unwrap();
        assert_eq!(detached.running(), 1);
        let leaving = std::thread::spawn(move || drop(permit));
        detached.stop();
        assert_eq!(detached.running(), 0);
        leaving.join().unwrap();
        assert!(detached.enter(before).is_none());
        assert!(detached.enter(detached.resets()).is_some());
    }
}
