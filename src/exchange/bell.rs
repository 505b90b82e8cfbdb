//! How PHP threads tell a loop which exchanges have news.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_queue::ArrayQueue;

use super::state::{Exchange, Tag};

/// One loop's bell. It carries *which* exchange has news, never the news itself.
///
/// An exchange lies in the ring at most once, and a loop has at most `capacity` exchanges whose PHP side is alive, so
/// a push cannot fail. The loop is woken only while it is parked: a busy loop costs its PHP threads no system call.
pub struct Bell {
    ring: ArrayQueue<Arc<Exchange>>,
    /// The loop waits, or is about to wait, in its poll.
    parked: AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
}

/// One exchange with news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rung {
    /// Which exchange.
    pub tag: Tag,
    /// PHP is done with it; it will not ring again.
    pub released: bool,
}

impl Bell {
    /// A bell for at most `capacity` exchanges at a time; `wake` interrupts the loop's poll.
    pub fn new(capacity: usize, wake: Box<dyn Fn() + Send + Sync>) -> Self {
        Self { ring: ArrayQueue::new(capacity), parked: AtomicBool::new(false), wake }
    }

    /// How many exchanges may be alive at a time.
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

    /// The next exchange with news.
    pub fn pop(&self) -> Option<Rung> {
        let exchange = self.ring.pop()?;
        let mut state = exchange.lock();
        state.rung = false;
        Some(Rung { tag: exchange.tag, released: state.released })
    }

    pub(super) fn ring(&self, exchange: Arc<Exchange>) {
        assert!(self.ring.push(exchange).is_ok(), "more exchanges are alive than the bell has places");
        if self.parked.load(Ordering::SeqCst) && self.parked.swap(false, Ordering::SeqCst) {
            (self.wake)();
        }
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").field("rung", &self.ring.len()).field("parked", &self.parked).finish_non_exhaustive()
    }
}
