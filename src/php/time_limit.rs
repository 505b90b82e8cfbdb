//! The execution time limit of one PHP thread, as a state machine without a clock.
//!
//! Time is wall-clock time, as with PHP's own timers under thread safety: a script that sleeps or waits for a database
//! uses it up. What "told" means, and how, is not known here.

use std::time::{Duration, Instant};

/// Between two attempts at a thread that does not listen. It may be in a system call that was resumed.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// How long what runs on a thread may run:
///
/// ```text
/// Unlimited ──set──▶ Running ──over, tell──▶ Told ◀─┐ not taken in: tell again
///     ▲                 ▲                      ├────┘
///     │                 └──────taken in────────┤
///     └────────taken in, no hard limit─────────┘
/// ```
///
/// [`set`](Self::set) leads to the first or the second from anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum TimeLimit {
    /// As long as it likes.
    #[default]
    Unlimited,
    /// Until `over_at`.
    Running {
        /// When its time is over.
        over_at: Instant,
        /// What shutdown functions get after that.
        hard: Option<Duration>,
    },
    /// Its time is over, and it was told so.
    Told {
        /// When to look whether it has taken that in.
        again_at: Instant,
        /// As above.
        hard: Option<Duration>,
    },
}

impl TimeLimit {
    /// A limit of so many seconds from `now` on: 0 or less means none. PHP's `hard_timeout` is for shutdown functions,
    /// which run after the error: they get so long, again and again, until there is nothing left to run.
    pub(super) fn set(&mut self, now: Instant, seconds: i64, hard_seconds: i64) {
        *self = Self::running(now, duration(seconds), duration(hard_seconds));
    }

    /// When to call [`turn`](Self::turn) next, at the latest.
    pub(super) fn next_turn(self) -> Option<Instant> {
        match self {
            Self::Unlimited => None,
            Self::Running { over_at, .. } => Some(over_at),
            Self::Told { again_at, .. } => Some(again_at),
        }
    }

    /// Whether to tell it now that its time is over. `is_pending` is whether it has yet to take in what it was told.
    #[must_use]
    pub(super) fn turn(&mut self, now: Instant, is_pending: impl FnOnce() -> bool) -> bool {
        match *self {
            Self::Running { over_at, hard } if over_at <= now => {
                *self = Self::Told { again_at: now + RETRY_INTERVAL, hard };
                true
            }
            Self::Told { again_at, hard } if again_at <= now => {
                if is_pending() {
                    *self = Self::Told { again_at: now + RETRY_INTERVAL, hard };
                    return true;
                }
                *self = Self::running(now, hard, hard);
                false
            }
            _ => false,
        }
    }

    fn running(now: Instant, limit: Option<Duration>, hard: Option<Duration>) -> Self {
        // A time that no clock will ever show is no limit.
        let over_at = limit.and_then(|limit| now.checked_add(limit));
        over_at.map_or(Self::Unlimited, |over_at| Self::Running { over_at, hard })
    }
}

fn duration(seconds: i64) -> Option<Duration> {
    u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn unasked() -> bool {
        panic!("nothing was told yet")
    }

    #[test]
    fn is_told_once_its_time_is_over() {
        let start = Instant::now();
        let mut limit = TimeLimit::default();
        limit.set(start, 30, 2);
        assert_eq!(limit.next_turn(), Some(start + seconds(30)));
        assert!(!limit.turn(start + seconds(29), unasked));
        assert!(limit.turn(start + seconds(30), unasked));
        assert_eq!(limit.next_turn(), Some(start + seconds(30) + RETRY_INTERVAL));
    }

    #[test]
    fn is_told_again_until_it_listens() {
        let start = Instant::now();
        let mut limit = TimeLimit::default();
        limit.set(start, 1, 2);
        let mut now = start + seconds(1);
        assert!(limit.turn(now, unasked));
        for _ in 0..10 {
            assert!(!limit.turn(now, unasked), "not before its time");
            now += RETRY_INTERVAL;
            assert!(limit.turn(now, || true));
        }
        now += RETRY_INTERVAL;
        assert!(!limit.turn(now, || false));
        assert_eq!(limit, TimeLimit::Running { over_at: now + seconds(2), hard: Some(seconds(2)) });
    }

    #[test]
    fn shutdown_functions_get_the_hard_limit_again_and_again() {
        let start = Instant::now();
        let mut limit = TimeLimit::default();
        limit.set(start, 1, 3);
        let mut now = start + seconds(1);
        for _ in 0..3 {
            assert!(limit.turn(now, unasked));
            now += RETRY_INTERVAL;
            assert!(!limit.turn(now, || false));
            now += seconds(3);
        }
    }

    #[test]
    fn without_a_hard_limit_shutdown_functions_take_their_time() {
        let start = Instant::now();
        let mut limit = TimeLimit::default();
        limit.set(start, 1, 0);
        assert!(limit.turn(start + seconds(1), unasked));
        assert!(!limit.turn(start + seconds(2), || false));
        assert_eq!((limit, limit.next_turn()), (TimeLimit::Unlimited, None));
    }

    #[test]
    fn setting_it_forgets_the_one_before() {
        let start = Instant::now();
        let mut limit = TimeLimit::default();
        limit.set(start, 1, 2);
        assert!(limit.turn(start + seconds(1), unasked));
        limit.set(start + seconds(1), 0, 0);
        assert_eq!(limit, TimeLimit::Unlimited);
        assert!(!limit.turn(start + seconds(100), unasked));
        limit.set(start + seconds(100), 5, 2);
        assert!(!limit.turn(start + seconds(104), unasked));
        assert!(limit.turn(start + seconds(105), unasked));
    }

    #[test]
    fn no_limit_and_absurd_ones() {
        let start = Instant::now();
        for seconds in [0, -1, i64::MIN, i64::MAX] {
            let mut limit = TimeLimit::default();
            limit.set(start, seconds, i64::MAX);
            assert_eq!(limit, TimeLimit::Unlimited, "{seconds}");
        }
    }
}
