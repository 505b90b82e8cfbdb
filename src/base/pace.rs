//! How slow a peer may be: a deadline that moves with the bytes that come or go. Pure; reads no clock.

use std::time::{Duration, Instant};

/// A pace that must be kept. A peer starts with an allowance of time, spends it as time goes by and earns it back by
/// the byte, never beyond the allowance: who is idle for that long, or slower than the rate for long, runs out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The allowance, and so the longest pause.
    pub timeout: Duration,
    /// Bytes that earn a second. At 0 any byte earns the whole allowance.
    pub rate_min: u64,
}

impl Pace {
    /// The deadline of a peer that begins now.
    pub fn begin(self, now: Instant) -> Instant {
        now + self.timeout
    }

    /// The deadline of a peer that had `deadline` and has done so many bytes since.
    pub fn advance(self, deadline: Instant, bytes: u64, now: Instant) -> Instant {
        let full = now + self.timeout;
        if bytes == 0 || self.rate_min == 0 {
            return if bytes == 0 { deadline } else { full };
        }
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.rate_min);
        let earned = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        deadline.checked_add(earned).map_or(full, |deadline| deadline.min(full))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { timeout: Duration::from_secs(30), rate_min: 500 };

    /// How long a peer lasts that does so many bytes after each pause; at most an hour.
    fn lasts(pace: Pace, bytes: u64, pause: Duration) -> Duration {
        let start = Instant::now();
        let (mut now, mut deadline) = (start, pace.begin(start));
        while now + pause < deadline && now < start + Duration::from_secs(3600) {
            now += pause;
            deadline = pace.advance(deadline, bytes, now);
        }
        now - start
    }

    #[test]
    fn who_keeps_the_pace_lasts_and_who_does_not_runs_out() {
        let second = Duration::from_secs(1);
        assert!(lasts(PACE, 500, second) >= 3600 * second);
        assert!(lasts(PACE, 14_600, 29 * second) >= 3600 * second);
        // Half the pace spends half a second each second.
        assert_eq!(lasts(PACE, 250, second), 58 * second);
        assert_eq!(lasts(PACE, 1, 29 * second), 29 * second);
        assert_eq!(lasts(PACE, 0, second), 29 * second);
        assert!(lasts(Pace { rate_min: 0, ..PACE }, 1, 29 * second) >= 3600 * second);
    }

    #[test]
    fn haste_is_not_saved_up() {
        let now = Instant::now();
        let full = PACE.begin(now);
        assert_eq!(PACE.advance(full, u64::MAX, now), full);
        assert_eq!(PACE.advance(now, 500, now), now + Duration::from_secs(1));
        assert_eq!(PACE.advance(now, 0, now), now);
    }
}
