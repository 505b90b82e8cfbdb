//! What other threads tell a loop: to serve something else, and to come to its end.
//!
//! Both are looked at once a turn, by a load each. A word that is left here wakes the loop; one that comes after it, of
//! the same kind, takes its place, but no loop goes back on its way to the end.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mio::Waker;

use super::{Disks, Shared};

/// Tells a loop, from another thread, to stop.
#[derive(Debug, Clone)]
pub struct Remote {
    phase: Arc<AtomicU8>,
    replacement: Arc<Replacement>,
    waker: Arc<Waker>,
}

/// How far a loop is on its way to the end. Only ever increases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Phase {
    /// It serves.
    Running,
    /// It accepts nothing new and ends when the last connection does; another process accepts in its place.
    Leaving,
    /// The same, and nobody does.
    Draining,
    /// It ends now.
    Stopping,
}

/// What a loop is to serve instead of what it serves.
#[derive(Default)]
struct Replacement {
    /// There is something.
    is_ready: AtomicBool,
    with: Mutex<Option<(Arc<Shared>, Disks)>>,
}

impl Remote {
    /// The way to a loop that runs, and that `waker` wakes.
    pub(super) fn new(waker: Arc<Waker>) -> Self {
        Self { phase: Arc::new(AtomicU8::new(Phase::Running as u8)), replacement: Arc::default(), waker }
    }

    /// Stops accepting and lets requests under way end; the loop ends with the last of them.
    pub fn drain(&self) {
        self.enter(Phase::Draining);
    }

    /// The same where another process accepts in this one's place. Connections that are idle get a moment
    /// ([`Options::linger_timeout`](super::Options::linger_timeout)) for one more request, since those in use are then
    /// closed politely.
    pub fn leave(&self) {
        self.enter(Phase::Leaving);
    }

    /// Ends the loop now, cutting what is under way.
    pub fn stop(&self) {
        self.enter(Phase::Stopping);
    }

    /// Serves this from the next turn on. Connections stay open; a request that is under way ends as it began. The
    /// number of requests that PHP may be busy with stays as it is.
    pub fn replace(&self, shared: Arc<Shared>, disks: Disks) {
        // Nothing panics while it holds the lock.
        *self.replacement.with.lock().unwrap_or_else(PoisonError::into_inner) = Some((shared, disks));
        self.replacement.is_ready.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// How far the loop is to be.
    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            phase if phase == Phase::Running as u8 => Phase::Running,
            phase if phase == Phase::Leaving as u8 => Phase::Leaving,
            phase if phase == Phase::Draining as u8 => Phase::Draining,
            _ => Phase::Stopping,
        }
    }

    /// What is to be served instead, if that has not been taken.
    pub(super) fn take_replacement(&self) -> Option<(Arc<Shared>, Disks)> {
        if !self.replacement.is_ready.load(Ordering::Relaxed) {
            return None;
        }
        self.replacement.is_ready.store(false, Ordering::SeqCst);
        self.replacement.with.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What wakes the loop.
    pub(super) fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    fn enter(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::SeqCst);
        self.wake();
    }

    fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            log::error!("cannot wake an event loop: {error}");
        }
    }
}

impl fmt::Debug for Replacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replacement").field("is_ready", &self.is_ready).finish_non_exhaustive()
    }
}
