//! What other threads may do to a PHP thread: end its script, at once or when its time is over.
//!
//! Everything happens under one lock, which the thread needs too for setting and lifting its limit and for detaching.
//! Hence an interrupt reaches the request whose limit it was, and memory that is there.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use php_sys::{ephpm_interrupt, ephpm_interrupt_fire, ephpm_interrupt_is_pending};

use super::alarm::Alarm;
use super::time_limit::TimeLimit;

/// One thread, attached or not.
#[derive(Debug)]
pub(super) struct Slot<T = Target> {
    state: Mutex<State<T>>,
    /// Who looks after the limit.
    alarm: Arc<Alarm>,
}

#[derive(Debug)]
struct State<T> {
    /// While it is attached.
    target: Option<T>,
    limit: TimeLimit,
}

/// A way to interrupt a thread.
pub(super) trait Interrupt {
    /// Ends what runs on it.
    fn fire(&self);
    /// Whether it has yet to take that in.
    fn is_pending(&self) -> bool;
}

/// A thread that is attached to PHP.
#[derive(Debug)]
pub(super) struct Target(ephpm_interrupt);

// SAFETY: it is made to be used by other threads; whoever holds the slot's lock knows that the thread is attached.
unsafe impl Send for Target {}

impl<T: Interrupt> Slot<T> {
    /// Of a thread that is yet to be attached; `alarm` is rung when a limit is sooner than what it was set to.
    pub(super) fn new(alarm: Arc<Alarm>) -> Self {
        Self { state: Mutex::new(State { target: None, limit: TimeLimit::default() }), alarm }
    }

    /// From now on the thread can be interrupted.
    pub(super) fn attach(&self, target: T) {
        self.lock().target = Some(target);
    }

    /// The thread is about to go.
    pub(super) fn detach(&self) {
        *self.lock() = State { target: None, limit: TimeLimit::default() };
    }

    /// Ends the script that runs on the thread, if it is attached.
    pub(super) fn fire(&self) {
        if let Some(target) = &self.lock().target {
            target.fire();
        }
    }

    /// Limits the time of what runs on the thread, as [`TimeLimit::set`] says.
    pub(super) fn limit_time(&self, now: Instant, seconds: i64, hard_seconds: i64) {
        let next_turn = {
            let mut state = self.lock();
            state.limit.set(now, seconds, hard_seconds);
            state.limit.next_turn()
        };
        if let Some(at) = next_turn {
            self.alarm.set(at);
        }
    }

    /// Does what the limit demands; returns when to come again.
    pub(super) fn turn(&self, now: Instant) -> Option<Instant> {
        let State { target, limit } = &mut *self.lock();
        let target = target.as_ref()?;
        if limit.turn(now, || target.is_pending()) {
            target.fire();
        }
        limit.next_turn()
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Target {
    /// # Safety
    ///
    /// The thread is attached, and stays so until the slot that this is for was emptied by
    /// [`detach`](Slot::detach).
    pub(super) unsafe fn new(interrupt: ephpm_interrupt) -> Self {
        Self(interrupt)
    }
}

impl Interrupt for Target {
    fn fire(&self) {
        // SAFETY: the thread is attached, as it is in the slot (`new`).
        unsafe { ephpm_interrupt_fire(&self.0) };
    }

    fn is_pending(&self) -> bool {
        // SAFETY: as above.
        unsafe { ephpm_interrupt_is_pending(&self.0) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Counts how often it was interrupted, and never listens.
    #[derive(Debug, Default)]
    struct Deaf(AtomicUsize);

    impl Interrupt for Arc<Deaf> {
        fn fire(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }

        fn is_pending(&self) -> bool {
            true
        }
    }

    fn slot() -> (Slot<Arc<Deaf>>, Arc<Deaf>) {
        let (slot, target) = (Slot::new(Arc::new(Alarm::new())), Arc::new(Deaf::default()));
        slot.attach(Arc::clone(&target));
        (slot, target)
    }

    #[test]
    fn interrupts_when_the_time_is_over_and_says_when_to_come_again() {
        let (slot, target) = slot();
        let start = Instant::now();
        let fired = || target.0.load(Ordering::Relaxed);
        assert_eq!(slot.turn(start), None);
        slot.limit_time(start, 2, 1);
        assert_eq!((slot.turn(start), fired()), (Some(start + 2 * SECOND), 0));
        let again = slot.turn(start + 2 * SECOND).unwrap();
        assert_eq!((again > start + 2 * SECOND, fired()), (true, 1));
        slot.turn(again);
        assert_eq!(fired(), 2);
        slot.limit_time(again, 0, 0);
        assert_eq!((slot.turn(again + 100 * SECOND), fired()), (None, 2));
    }

    #[test]
    fn a_detached_thread_is_left_alone() {
        let (slot, target) = slot();
        let start = Instant::now();
        slot.limit_time(start, 1, 1);
        slot.detach();
        assert_eq!(slot.turn(start + SECOND), None);
        slot.attach(Arc::clone(&target));
        assert_eq!(slot.turn(start + SECOND), None, "its limit has gone as well");
        slot.fire();
        slot.detach();
        slot.fire();
        assert_eq!(target.0.load(Ordering::Relaxed), 1);
    }

    /// The watchdog sees every limit as over. Still it can only hit a request that has one.
    #[test]
    fn a_limit_never_hits_the_next_request() {
        let (slot, target) = slot();
        let (slot, fired) = (&slot, || target.0.load(Ordering::Relaxed));
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut now = Instant::now();
                while !done.load(Ordering::Relaxed) {
                    now += SECOND;
                    slot.turn(now);
                }
            });
            let mut hits = 0;
            while hits < 1000 {
                let before = fired();
                slot.limit_time(Instant::now(), 1, 0);
                thread::yield_now();
                slot.limit_time(Instant::now(), 0, 0);
                let after = fired();
                hits += usize::from(after > before);
                for _ in 0..10 {
                    thread::yield_now();
                    assert_eq!(fired(), after, "the request with a limit is over");
                }
            }
            done.store(true, Ordering::Relaxed);
        });
    }
}
