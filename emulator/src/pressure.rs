//! Simulates a service under pressure: requests above the limit per second are answered 503.

use std::sync::Mutex;
use std::time::Instant;

use crate::refusal::Refusal;

/// How many requests it takes; a token bucket that holds those of one second.
pub(crate) struct Pressure {
    bucket: Mutex<Bucket>,
}

struct Bucket {
    /// None takes every request.
    per_second: Option<u32>,
    left: f64,
    filled: Instant,
}

impl Pressure {
    pub fn new(per_second: Option<u32>) -> Self {
        Self {
            bucket: Mutex::new(Bucket::full(per_second, Instant::now())),
        }
    }

    /// From now on it takes so many; those of the first second at once.
    pub fn set(&self, per_second: Option<u32>) {
        *self.bucket.lock().unwrap() = Bucket::full(per_second, Instant::now());
    }

    /// Whether one more request is taken.
    pub fn admit(&self) -> Result<(), Refusal> {
        if self.bucket.lock().unwrap().take(Instant::now()) {
            return Ok(());
        }
        Err(Refusal::too_many_requests())
    }
}

impl Bucket {
    fn full(per_second: Option<u32>, now: Instant) -> Self {
        Self {
            per_second,
            left: per_second.unwrap_or_default().into(),
            filled: now,
        }
    }

    fn take(&mut self, now: Instant) -> bool {
        let Some(per_second) = self.per_second else {
            return true;
        };
        let per_second = f64::from(per_second);
        let since = now.saturating_duration_since(self.filled).as_secs_f64();
        self.left = (self.left + since * per_second).min(per_second);
        self.filled = now;
        let is_taken = self.left >= 1.0;
        if is_taken {
            self.left -= 1.0;
        }
        is_taken
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn so_many_requests_are_taken_in_a_second() {
        for (per_second, times_ms, taken) in [
            (None, &[0, 0, 0][..], &[true, true, true][..]),
            (Some(0), &[0, 5000], &[false, false]),
            (
                Some(2),
                &[0, 0, 0, 400, 500, 500],
                &[true, true, false, false, true, false],
            ),
            (
                Some(2),
                &[0, 0, 9000, 9000, 9000],
                &[true, true, true, true, false],
            ),
            (
                Some(1),
                &[0, 999, 1000, 1999, 2000],
                &[true, false, true, false, true],
            ),
        ] {
            let began = Instant::now();
            let mut bucket = Bucket::full(per_second, began);
            let take = |ms: &u64| bucket.take(began + Duration::from_millis(*ms));
            let seen: Vec<bool> = times_ms.iter().map(take).collect();
            assert_eq!(seen, taken, "{per_second:?} {times_ms:?}");
        }
    }
}
