//! Who has news: the wakers that h2 is given, and the list in which they note their streams.
//!
//! Everything happens on the connection's own thread, but a waker must be one that any thread could use: hence the
//! atomics, which are never contended, and the lock, which never waits.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

use crate::base::slab::Key;

/// The streams of a connection that have news, in the order in which they had them.
#[derive(Debug, Default)]
pub(super) struct Ready {
    keys: Mutex<VecDeque<Key>>,
    /// Bytes of all streams' content that have left since they were last asked for.
    left: AtomicU64,
}

impl Ready {
    pub(super) fn pop(&self) -> Option<Key> {
        self.lock().pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// How much content has left since this was last asked.
    pub(super) fn take_left(&self) -> u64 {
        let left = self.left.load(Relaxed);
        self.left.store(0, Relaxed);
        left
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Key>> {
        // Nothing panics while it holds the lock.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One stream, as wakers and content on its way out know it.
#[derive(Debug)]
pub(super) struct Line {
    key: Key,
    ready: Arc<Ready>,
    /// It stands in the list.
    is_noted: AtomicBool,
    /// Bytes of content that have been handed to h2 and have not left it.
    unsent: AtomicU64,
    /// Bytes of content that have left it.
    sent: AtomicU64,
    /// It is news when fewer bytes than these are unsent.
    news_below: AtomicU64,
}

impl Line {
    pub(super) fn new(key: Key, ready: &Arc<Ready>) -> Arc<Self> {
        Arc::new(Self {
            key,
            ready: Arc::clone(ready),
            is_noted: AtomicBool::new(false),
            unsent: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            news_below: AtomicU64::new(0),
        })
    }

    /// A waker that notes the stream.
    pub(super) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    /// Notes that there is news.
    pub(super) fn note(&self) {
        if !self.is_noted.swap(true, Relaxed) {
            self.ready.lock().push_back(self.key);
        }
    }

    /// The stream has been taken from the list.
    pub(super) fn take(&self) {
        self.is_noted.store(false, Relaxed);
    }

    pub(super) fn unsent(&self) -> u64 {
        self.unsent.load(Relaxed)
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    /// Has the stream noted as soon as fewer than so many bytes are unsent.
    pub(super) fn tell_below(&self, bytes: u64) {
        self.news_below.store(bytes, Relaxed);
        if self.unsent() < bytes {
            self.note();
        }
    }

    /// More content has been handed to h2.
    pub(super) fn add(&self, bytes: u64) {
        self.unsent.store(self.unsent() + bytes, Relaxed);
    }

    /// Content has left it.
    pub(super) fn leave(&self, bytes: u64) {
        let unsent = self.unsent() - bytes;
        self.unsent.store(unsent, Relaxed);
        self.sent.store(self.sent() + bytes, Relaxed);
        self.ready.left.store(self.ready.left.load(Relaxed) + bytes, Relaxed);
        if unsent < self.news_below.load(Relaxed) {
            self.note();
        }
    }
}

impl Wake for Line {
    fn wake(self: Arc<Self>) {
        self.note();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.note();
    }
}
