//! When a thread leaves PHP and joins it anew: after `php.max_requests`, against what extensions leak, and when all are
//! asked to.
//!
//! One at a time, and at a moment when no request waits, if there is one soon: the others go on serving.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The rule for all threads, and whose turn it is.
#[derive(Debug)]
pub(super) struct Recycling {
    /// 0 means never.
    max_requests: u64,
    /// A thread is about it.
    busy: AtomicBool,
    /// How often all were asked.
    generation: AtomicU64,
}

/// From when a thread joins PHP until it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    /// After how many requests it leaves.
    limit: Option<u64>,
    /// How often all had been asked to join anew when it did.
    pub(super) generation: u64,
}

impl Recycling {
    /// After about so many requests; 0 means never.
    pub(super) fn new(max_requests: u64) -> Self {
        Self { max_requests, busy: AtomicBool::new(false), generation: AtomicU64::new(0) }
    }

    /// How a thread is about to live for the `turn`-th time. It serves at most an eighth fewer requests than it may, so
    /// that threads that do the same work do not leave at once.
    pub(super) fn live(&self, thread: usize, turn: u64) -> Life {
        let spread = self.max_requests / 8 + 1;
        let limit = (self.max_requests > 0).then(|| self.max_requests - mix(thread as u64 ^ (turn << 32)) % spread);
        Life { limit, generation: self.generation() }
    }

    /// Asks all threads. They have to be roused then.
    pub(super) fn ask_all(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// How often all were asked.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Whether a thread is to leave now, which then has to say when it is [`done`](Self::done). `quiet` is whether no
    /// request waits; for a moment without, a thread serves a quarter more than its limit. One that was asked does not
    /// wait, since others may go on with what is no longer true.
    pub(super) fn begin(&self, life: Life, served: u64, quiet: bool) -> bool {
        let is_over = |limit| served >= limit && (quiet || served - limit >= limit / 4);
        let is_due = life.limit.is_some_and(is_over) || life.generation != self.generation.load(Ordering::Relaxed);
        is_due && !self.busy.swap(true, Ordering::SeqCst)
    }

    /// The thread is back. Others may have been asked meanwhile, and have to be roused then.
    pub(super) fn done(&self) {
        self.busy.store(false, Ordering::SeqCst);
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

    const fn life(limit: u64) -> Life {
        Life { limit: Some(limit), generation: 0 }
    }

    #[test]
    fn never_by_default() {
        let recycling = Recycling::new(0);
        let life = recycling.live(0, 0);
        assert_eq!(life.limit, None);
        assert!(!recycling.begin(life, u64::MAX, true));
    }

    #[test]
    fn limits_are_spread_below_the_one_that_was_set() {
        let recycling = Recycling::new(800);
        let limits: HashSet<_> = (0..50).filter_map(|thread| recycling.live(thread, 0).limit).collect();
        assert!(limits.iter().all(|limit| (700..=800).contains(limit)), "{limits:?}");
        assert!(limits.len() > 20, "{limits:?}");
        assert_ne!(recycling.live(3, 0), recycling.live(3, 1));
        assert_eq!(Recycling::new(1).live(7, 7).limit, Some(1));
    }

    #[test]
    fn one_at_a_time() {
        let recycling = Recycling::new(10);
        assert!(!recycling.begin(life(10), 9, true));
        assert!(recycling.begin(life(10), 10, true));
        assert!(!recycling.begin(life(10), 10, true), "another one is about it");
        recycling.done();
        assert!(recycling.begin(life(10), 11, true));
    }

    #[test]
    fn a_quiet_moment_is_waited_for_but_not_for_ever() {
        let recycling = Recycling::new(100);
        assert!((100..125).all(|served| !recycling.begin(life(100), served, false)));
        assert!(recycling.begin(life(100), 125, false));
    }

    #[test]
    fn all_can_be_asked() {
        let recycling = Recycling::new(0);
        let before = recycling.live(0, 0);
        recycling.ask_all();
        recycling.ask_all();
        assert!(recycling.begin(before, 0, false), "once for however often");
        assert!(!recycling.begin(before, 0, false), "another one is about it");
        let after = recycling.live(0, 1);
        recycling.done();
        assert!(!recycling.begin(after, 0, true) && recycling.begin(before, 0, false));
    }
}
