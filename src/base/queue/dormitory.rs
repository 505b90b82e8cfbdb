//! Where consumers sleep, and how they are called: the last to lie down first, and one at a time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Dormitory {
    beds: Mutex<Beds>,
    /// Whether somebody may be called, to be read without the lock.
    may_call: AtomicBool,
}

#[derive(Debug, Default)]
struct Beds {
    /// Those who sleep or are about to, the last one hottest.
    sleepers: Vec<Arc<Sleeper>>,
    /// Someone was called and has not come up yet.
    calling: bool,
}

/// One consumer: whose it is and whether it has been called.
#[derive(Debug)]
pub(super) struct Sleeper {
    thread: Thread,
    /// Set by whoever takes it off the list. Parking alone would not do: it may end for no reason.
    called: AtomicBool,
}

impl Sleeper {
    /// The calling thread.
    pub(super) fn new() -> Self {
        Self { thread: thread::current(), called: AtomicBool::new(false) }
    }

    fn call(&self) {
        self.called.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl Dormitory {
    /// Calls the hottest sleeper, unless one that was called is yet to come up. What the caller has done for it to find
    /// lies before a full fence, so that it is either seen by whoever lies down, or somebody is seen here.
    pub(super) fn call_one(&self) {
        if !self.may_call.load(Ordering::Relaxed) {
            return;
        }
        let hottest = {
            let mut beds = self.lock();
            let hottest = if beds.calling { None } else { beds.sleepers.pop() };
            beds.calling |= hottest.is_some();
            self.publish(&beds);
            hottest
        };
        if let Some(sleeper) = hottest {
            sleeper.call();
        }
    }

    /// Calls everybody.
    pub(super) fn call_all(&self) {
        let mut beds = self.lock();
        beds.sleepers.drain(..).for_each(|sleeper| sleeper.call());
        self.publish(&beds);
    }

    /// From now on this one may be called.
    pub(super) fn lie_down(&self, sleeper: &Arc<Sleeper>) {
        let mut beds = self.lock();
        beds.sleepers.push(Arc::clone(sleeper));
        self.publish(&beds);
    }

    /// It does not sleep after all; false if it has been called, or is about to be.
    pub(super) fn withdraw(&self, sleeper: &Arc<Sleeper>) -> bool {
        let mut beds = self.lock();
        let Some(at) = beds.sleepers.iter().rposition(|other| Arc::ptr_eq(other, sleeper)) else {
            return false;
        };
        beds.sleepers.remove(at);
        self.publish(&beds);
        true
    }

    /// The calling thread waits until it is called, and has come up.
    pub(super) fn sleep(&self, sleeper: &Sleeper) {
        while !sleeper.called.swap(false, Ordering::Acquire) {
            thread::park();
        }
        let mut beds = self.lock();
        beds.calling = false;
        self.publish(&beds);
    }

    /// How many may be called.
    #[cfg(test)]
    pub(super) fn sleepers(&self) -> usize {
        self.lock().sleepers.len()
    }

    fn publish(&self, beds: &Beds) {
        let may_call = !beds.calling && !beds.sleepers.is_empty();
        self.may_call.store(may_call, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Beds> {
        // Nothing panics while it holds the lock.
        self.beds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_called_at_a_time_and_the_last_first() {
        let dormitory = Dormitory::default();
        let sleepers: Vec<_> = (0..3).map(|_| Arc::new(Sleeper::new())).collect();
        sleepers.iter().for_each(|sleeper| dormitory.lie_down(sleeper));
        let called = || sleepers.iter().map(|sleeper| sleeper.called.load(Ordering::SeqCst)).collect::<Vec<_>>();
        dormitory.call_one();
        dormitory.call_one();
        assert_eq!(called(), [false, false, true]);
        dormitory.sleep(&sleepers[2]);
        assert_eq!(called(), [false, false, false], "it has come up");
        dormitory.call_one();
        dormitory.call_one();
        assert_eq!(called(), [false, true, false]);
    }

    #[test]
    fn who_was_called_cannot_withdraw() {
        let dormitory = Dormitory::default();
        let [first, second] = [Sleeper::new(), Sleeper::new()].map(Arc::new);
        dormitory.lie_down(&first);
        dormitory.lie_down(&second);
        dormitory.call_one();
        assert!(!dormitory.withdraw(&second) && dormitory.withdraw(&first));
        dormitory.sleep(&second);
        dormitory.call_one();
        assert!(!first.called.load(Ordering::SeqCst), "it has withdrawn");
    }

    #[test]
    fn everybody_is_called() {
        let dormitory = Dormitory::default();
        let sleepers: Vec<_> = (0..3).map(|_| Arc::new(Sleeper::new())).collect();
        sleepers.iter().for_each(|sleeper| dormitory.lie_down(sleeper));
        dormitory.call_one();
        dormitory.call_all();
        sleepers.iter().for_each(|sleeper| dormitory.sleep(sleeper));
    }
}
