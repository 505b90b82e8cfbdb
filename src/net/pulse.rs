//! Whether an event loop moves: asked for now and then, never waited for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mio::Waker;

use crate::service::health::Pulse;

/// How long a loop may take for one turn before it counts as stuck: longer than any disk should make it wait.
const TURN_MAX: Duration = Duration::from_secs(5);

/// The turns that a loop has made.
pub(super) type Turns = AtomicU64;

/// Watches one loop.
#[derive(Debug)]
pub struct LoopPulse {
    waker: Arc<Waker>,
    turns: Arc<Turns>,
    /// When the loop was last called, and how many turns it had made.
    called: Mutex<Option<(Instant, u64)>>,
}

impl LoopPulse {
    pub(super) fn new(waker: Arc<Waker>, turns: Arc<Turns>) -> Self {
        Self { waker, turns, called: Mutex::new(None) }
    }

    fn is_beating_at(&self, now: Instant) -> bool {
        let turns = self.turns.load(Ordering::Relaxed);
        // Nothing panics while it holds the lock.
        let mut called = self.called.lock().unwrap_or_else(PoisonError::into_inner);
        match *called {
            Some((at, before)) if before == turns => now - at < TURN_MAX,
            _ => {
                *called = Some((now, turns));
                // It may be asleep, as it should be.
                if let Err(error) = self.waker.wake() {
                    log::error!("cannot wake an event loop: {error}");
                }
                true
            }
        }
    }
}

impl Pulse for LoopPulse {
    fn is_beating(&self) -> bool {
        self.is_beating_at(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Dispatch, Responder};
    use crate::net::event_loop::{Disks, EventLoop, Options, Shared};
    use crate::site::disk::{self, Disk};
    use crate::site::router::{self, Router};

    struct Nobody;

    impl Dispatch for Nobody {
        fn submit(&self, responder: Box<Responder>) -> Result<(), Box<Responder>> {
            Err(responder)
        }
    }

    #[test]
    fn a_loop_that_does_not_turn_when_it_is_called_is_stuck() {
        let directory = std::env::temp_dir();
        let options = Options {
            http: crate::service::context::Options::default(),
            http1: crate::http1::Http1Options::default(),
            http2: None,
            connections_max: 1,
            connections_per_address_max: 0,
            in_flight_max: 1,
            linger_timeout: Duration::ZERO,
            temp_dir: directory.clone(),
        };
        let shared = Shared {
            options,
            router: Router::new(router::Options::new(*b"/")),
            dispatch: Arc::new(Nobody),
            addresses: Arc::default(),
            access_log: None,
        };
        let start = Instant::now();
        let disk = Disk::new(&directory, disk::Options::default(), start).unwrap();
        let disks = Disks { root: disk, internal: Vec::new() };
        // It is never run.
        let event_loop = EventLoop::new(Vec::new(), disks, Arc::new(shared)).unwrap();
        let pulse = event_loop.pulse();
        assert!(pulse.is_beating_at(start) && pulse.is_beating_at(start + TURN_MAX - Duration::from_millis(1)));
        assert!(!pulse.is_beating_at(start + TURN_MAX) && !pulse.is_beating_at(start + 2 * TURN_MAX));
        pulse.turns.fetch_add(1, Ordering::Relaxed);
        assert!(pulse.is_beating_at(start + 2 * TURN_MAX));
        assert!(!pulse.is_beating_at(start + 3 * TURN_MAX));
    }
}
