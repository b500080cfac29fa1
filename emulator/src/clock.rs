//! The emulator's clock: the system clock, plus or minus an offset.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[derive(Clone, Copy, Default)]
pub(crate) struct Clock {
    skew_s: i64,
}

impl Clock {
    pub fn new(skew_s: i64) -> Self {
        Self { skew_s }
    }

    /// Seconds since 1970.
    pub fn now(self) -> u64 {
        self.ago(Duration::ZERO)
    }

    /// The second in which it was this long ago.
    pub fn ago(self, age: Duration) -> u64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        since
            .saturating_sub(age)
            .as_secs()
            .saturating_add_signed(self.skew_s)
    }

    /// For a `Date` header.
    pub fn date(self) -> String {
        http_date(self.now())
    }
}

/// Seconds since 1970 as HTTP writes them.
pub(crate) fn http_date(seconds: u64) -> String {
    // The last second that four digits of a year can tell.
    const LAST: u64 = 253_402_300_799;
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds.min(LAST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_ahead_or_behind() {
        let now = Clock::default().now();
        for (skew_s, age, expected) in [
            (0, 60, now - 60),
            (60, 0, now + 60),
            (-60, 0, now - 60),
            (-60, 60, now - 120),
            (i64::MIN, 0, 0),
        ] {
            let told = Clock::new(skew_s).ago(Duration::from_secs(age));
            assert!((expected..expected + 10).contains(&told), "{skew_s} {age}");
        }
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(u64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
