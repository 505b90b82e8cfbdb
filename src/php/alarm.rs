//! When a thread that sleeps wants to be woken, so that others wake it only if they need it sooner.
//!
//! Requests with the same limit, one after another, need it ever later: none of them makes a system call.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, Thread};
use std::time::Instant;

/// Nobody has said when: whatever is wanted is sooner.
const NEVER: u64 = u64::MAX;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Alarm {
    epoch: Instant,
    /// In nanoseconds since `epoch`; [`NEVER`] also while the sleeper is up.
    rings_at: AtomicU64,
    sleeper: OnceLock<Thread>,
}

impl Alarm {
    /// For a thread that is yet to come.
    pub(super) fn new() -> Self {
        Self { epoch: Instant::now(), rings_at: AtomicU64::new(NEVER), sleeper: OnceLock::new() }
    }

    /// Says whom to wake.
    pub(super) fn belongs_to(&self, sleeper: Thread) {
        self.sleeper.get_or_init(|| sleeper);
    }

    /// Wakes the sleeper unless it wakes by itself at that time or earlier; says whether it did.
    pub(super) fn set(&self, at: Instant) -> bool {
        let sooner = self.nanos(at) < self.rings_at.load(Ordering::Relaxed);
        if sooner {
            self.ring();
        }
        sooner
    }

    /// Wakes the sleeper.
    pub(super) fn ring(&self) {
        if let Some(sleeper) = self.sleeper.get() {
            sleeper.unpark();
        }
    }

    /// The sleeper is up and about to look what there is to do. What it finds must be behind the same locks under which
    /// others write before they call [`set`](Self::set): either it sees what they wrote, or they see that it is up.
    pub(super) fn get_up(&self) {
        self.rings_at.store(NEVER, Ordering::Relaxed);
    }

    /// Sleeps until then, or until it is woken; also for no reason.
    pub(super) fn sleep(&self, until: Option<Instant>) {
        self.rings_at.store(until.map_or(NEVER, |at| self.nanos(at)), Ordering::Relaxed);
        match until {
            Some(at) => thread::park_timeout(at.saturating_duration_since(Instant::now())),
            None => thread::park(),
        }
    }

    fn nanos(&self, at: Instant) -> u64 {
        // Five hundred years, which is less than `NEVER`.
        u64::try_from(at.saturating_duration_since(self.epoch).as_nanos()).unwrap_or(NEVER - 1)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn rings_only_for_what_is_sooner() {
        let alarm = Alarm::new();
        let at = |seconds| alarm.epoch + Duration::from_secs(seconds);
        assert!(alarm.set(at(30)), "nobody has said when");
        // An alarm that has been heard, so that sleeping ends at once.
        alarm.belongs_to(thread::current());
        alarm.ring();
        alarm.sleep(Some(at(30)));
        assert!((30..100).all(|seconds| !alarm.set(at(seconds))));
        assert!(alarm.set(at(29)));
        alarm.get_up();
        assert!(alarm.set(at(100)), "it may have looked already");
    }

    #[test]
    fn a_ring_before_sleep_is_heard() {
        let alarm = Alarm::new();
        alarm.belongs_to(thread::current());
        alarm.get_up();
        assert!(alarm.set(alarm.epoch + Duration::from_secs(1)));
        // Would not return otherwise.
        alarm.sleep(None);
    }
}
