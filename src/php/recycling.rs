//! When a thread leaves PHP and joins it anew (`php.max_requests`), against what extensions leak.
//!
//! One at a time, and at a moment when no request waits, if there is one soon: the others go on serving.

use std::sync::atomic::{AtomicBool, Ordering};

/// The rule for all threads, and whose turn it is.
#[derive(Debug)]
pub(super) struct Recycling {
    /// 0 means never.
    max_requests: u64,
    /// A thread is about it.
    busy: AtomicBool,
}

impl Recycling {
    /// After about so many requests; 0 means never.
    pub(super) fn new(max_requests: u64) -> Self {
        Self { max_requests, busy: AtomicBool::new(false) }
    }

    /// After how many requests a thread leaves, in its `turn`-th life: at most an eighth fewer than it may, so that
    /// threads that do the same work do not come to it at once.
    pub(super) fn limit(&self, thread: usize, turn: u64) -> Option<u64> {
        let spread = self.max_requests / 8 + 1;
        (self.max_requests > 0).then(|| self.max_requests - mix(thread as u64 ^ (turn << 32)) % spread)
    }

    /// Whether a thread is to leave now, which then has to say when it is [`done`](Self::done). `quiet` is whether no
    /// request waits; for a moment without, a thread serves a quarter more.
    pub(super) fn begin(&self, limit: Option<u64>, served: u64, quiet: bool) -> bool {
        let is_due = limit.is_some_and(|limit| served >= limit && (quiet || served - limit >= limit / 4));
        is_due && !self.busy.swap(true, Ordering::Relaxed)
    }

    /// The thread is back.
    pub(super) fn done(&self) {
        self.busy.store(false, Ordering::Relaxed);
    }
}

/// Spreads numbers over all numbers (the finaliser of SplitMix64).
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn never_by_default() {
        let recycling = Recycling::new(0);
        assert_eq!(recycling.limit(0, 0), None);
        assert!(!recycling.begin(None, u64::MAX, true));
    }

    #[test]
    fn limits_are_spread_below_the_one_that_was_set() {
        let recycling = Recycling::new(800);
        let limits: HashSet<_> = (0..50).filter_map(|thread| recycling.limit(thread, 0)).collect();
        assert!(limits.iter().all(|limit| (700..=800).contains(limit)), "{limits:?}");
        assert!(limits.len() > 20, "{limits:?}");
        assert_ne!(recycling.limit(3, 0), recycling.limit(3, 1));
        assert_eq!(Recycling::new(1).limit(7, 7), Some(1));
    }

    #[test]
    fn one_at_a_time() {
        let recycling = Recycling::new(10);
        assert!(!recycling.begin(Some(10), 9, true));
        assert!(recycling.begin(Some(10), 10, true));
        assert!(!recycling.begin(Some(10), 10, true), "another one is about it");
        recycling.done();
        assert!(recycling.begin(Some(10), 11, true));
    }

    #[test]
    fn a_quiet_moment_is_waited_for_but_not_for_ever() {
        let recycling = Recycling::new(100);
        assert!((100..125).all(|served| !recycling.begin(Some(100), served, false)));
        assert!(recycling.begin(Some(100), 125, false));
    }
}
