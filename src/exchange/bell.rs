//! How PHP threads tell a loop that there is news.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_queue::ArrayQueue;

/// One loop's bell: a bounded lock-free ring, and a way to wake the loop that is used only while it is parked, so that
/// a busy loop costs its PHP threads no system call.
pub struct Bell<T> {
    ring: ArrayQueue<T>,
    /// The loop waits, or is about to wait, in its poll.
    parked: AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl<T> Bell<T> {
    /// A bell with `capacity` places; `wake` interrupts the loop's poll.
    pub fn new(capacity: usize, wake: Box<dyn Fn() + Send + Sync>) -> Self {
        Self { ring: ArrayQueue::new(capacity), parked: AtomicBool::new(false), wake }
    }

    /// How many places there are.
    pub fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    /// Announces that the loop is about to wait. Returns false when something has rung already: do not wait then.
    pub fn park(&self) -> bool {
        self.parked.store(true, Ordering::SeqCst);
        // Pairs with `ring`: either this sees the push, or the push sees `parked`.
        if self.ring.is_empty() {
            return true;
        }
        self.parked.store(false, Ordering::SeqCst);
        false
    }

    /// Announces that the loop is awake.
    pub fn unpark(&self) {
        self.parked.store(false, Ordering::SeqCst);
    }

    /// The next news.
    pub fn pop(&self) -> Option<T> {
        self.ring.pop()
    }

    /// Adds news, for which there must be a place.
    pub(super) fn ring(&self, news: T) {
        assert!(self.ring.push(news).is_ok(), "more exchanges are alive than the bell has places");
        if self.parked.load(Ordering::SeqCst) && self.parked.swap(false, Ordering::SeqCst) {
            (self.wake)();
        }
    }
}

impl<T> fmt::Debug for Bell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").field("rung", &self.ring.len()).field("parked", &self.parked).finish_non_exhaustive()
    }
}
