//! The time that a whole request may take (`php.request_timeout`), as a state machine without a clock.
//!
//! It differs from `max_execution_time` in that the script has no say in it, that the client is answered when it is
//! over, and that it has an end: a thread that does not come back is given up. How any of this is done is not known
//! here.

use std::time::{Duration, Instant};

/// Between two attempts at a thread that does not listen. It may be in a system call that was resumed.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);
/// What shutdown functions get after the error, and again after theirs.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);
/// The same for a thread that was given up: there is no hurry.
const LOST_INTERVAL: Duration = Duration::from_secs(1);

/// How long the request on a thread may take:
///
/// ```text
/// Unlimited ──begin──▶ Running ──over: expire──▶ Over ◀─┐ not taken in, or not ended after it: tell
///     ▲                   │                        ├────┘
///     │                   │                        └──too long: lose──▶ Lost ◀─┐ tell
///     └───────end─────────┴────────────────────────┴─────────────────────┴─────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum RequestLimit {
    /// There is no request, or it may take as long as it likes.
    #[default]
    Unlimited,
    /// Until `over_at`.
    Running {
        /// When its time is over.
        over_at: Instant,
        /// How long after that its thread is given up.
        lost_after: Duration,
    },
    /// Its time is over.
    Over {
        /// When to look again.
        again_at: Instant,
        /// It was told so, and may not have taken it in.
        told: bool,
        /// When its thread is given up.
        lost_at: Instant,
    },
    /// Its thread was given up.
    Lost {
        /// When to tell it again.
        again_at: Instant,
    },
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Answer the client, and end what runs on the thread.
    Expire,
    /// End what runs on the thread, again.
    Tell,
    /// Give the thread up, and tell it again.
    Lose,
}

impl RequestLimit {
    /// A request begins that may take so long, and whose thread is given up so much later.
    pub(super) fn begin(&mut self, now: Instant, timeout: Option<Duration>, lost_after: Duration) {
        // A time that no clock will ever show is no limit.
        let over_at = timeout.and_then(|timeout| now.checked_add(timeout));
        *self = over_at.map_or(Self::Unlimited, |over_at| Self::Running { over_at, lost_after });
    }

    /// The request is over.
    pub(super) fn end(&mut self) {
        *self = Self::Unlimited;
    }

    /// When to call [`turn`](Self::turn) next, at the latest.
    pub(super) fn next_turn(self) -> Option<Instant> {
        match self {
            Self::Unlimited => None,
            Self::Running { over_at, .. } => Some(over_at),
            Self::Over { again_at, lost_at, .. } => Some(again_at.min(lost_at)),
            Self::Lost { again_at } => Some(again_at),
        }
    }

    /// What to do now. `is_pending` is whether the thread has yet to take in what it was told.
    #[must_use]
    pub(super) fn turn(&mut self, now: Instant, is_pending: impl FnOnce() -> bool) -> Option<Step> {
        match *self {
            Self::Running { over_at, lost_after } if over_at <= now => {
                let lost_at = now.checked_add(lost_after).unwrap_or(now);
                *self = Self::Over { again_at: now + RETRY_INTERVAL, told: true, lost_at };
                Some(Step::Expire)
            }
            Self::Over { lost_at, .. } if lost_at <= now => {
                *self = Self::Lost { again_at: now + LOST_INTERVAL };
                Some(Step::Lose)
            }
            Self::Over { again_at, told, lost_at } if again_at <= now => {
                if told && !is_pending() {
                    *self = Self::Over { again_at: now + SHUTDOWN_GRACE, told: false, lost_at };
                    return None;
                }
                *self = Self::Over { again_at: now + RETRY_INTERVAL, told: true, lost_at };
                Some(Step::Tell)
            }
            Self::Lost { again_at } if again_at <= now => {
                *self = Self::Lost { again_at: now + LOST_INTERVAL };
                Some(Step::Tell)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn unasked() -> bool {
        panic!("nothing was told yet")
    }

    fn limit(start: Instant) -> RequestLimit {
        let mut limit = RequestLimit::default();
        limit.begin(start, Some(5 * SECOND), 10 * SECOND);
        limit
    }

    #[test]
    fn expires_once_and_is_told_until_it_listens() {
        let start = Instant::now();
        let mut limit = limit(start);
        assert_eq!(limit.turn(start + 4 * SECOND, unasked), None);
        assert_eq!(limit.next_turn(), Some(start + 5 * SECOND));
        let mut now = start + 5 * SECOND;
        assert_eq!(limit.turn(now, unasked), Some(Step::Expire));
        for _ in 0..10 {
            assert_eq!(limit.turn(now, unasked), None, "not before its time");
            now = limit.next_turn().unwrap();
            assert_eq!(limit.turn(now, || true), Some(Step::Tell));
        }
        limit.end();
        assert_eq!((limit.turn(now + 100 * SECOND, unasked), limit.next_turn()), (None, None));
    }

    #[test]
    fn shutdown_functions_get_their_grace_but_not_for_ever() {
        let start = Instant::now();
        let mut limit = limit(start);
        let mut now = start + 5 * SECOND;
        assert_eq!(limit.turn(now, unasked), Some(Step::Expire));
        let (mut told, mut steps) = (1, Vec::new());
        while steps.last() != Some(&Step::Lose) {
            now = limit.next_turn().unwrap();
            // It listens each time, and goes on with something else.
            steps.extend(limit.turn(now, || false));
            told += 1;
            assert!(told < 100, "{steps:?}");
        }
        assert_eq!(now, start + 15 * SECOND);
        let tells = steps.iter().filter(|step| **step == Step::Tell).count();
        assert!((5..=10).contains(&tells), "one for each second of grace: {steps:?}");
    }

    #[test]
    fn a_lost_thread_is_told_on() {
        let start = Instant::now();
        let mut limit = limit(start);
        assert_eq!(limit.turn(start + 5 * SECOND, unasked), Some(Step::Expire));
        assert_eq!(limit.turn(start + 15 * SECOND, || true), Some(Step::Lose));
        for n in 16..20 {
            assert_eq!(limit.next_turn(), Some(start + n * SECOND));
            assert_eq!(limit.turn(start + n * SECOND, unasked), Some(Step::Tell));
        }
    }

    #[test]
    fn no_limit_and_absurd_ones() {
        let start = Instant::now();
        for timeout in [None, Some(Duration::MAX)] {
            let mut limit = RequestLimit::default();
            limit.begin(start, timeout, SECOND);
            assert_eq!(limit, RequestLimit::Unlimited);
        }
    }
}
