//! The thread that ends scripts whose time is over (`max_execution_time`), in place of a kernel timer for each request.
//!
//! There is one, and it sleeps until the first of all limits is over, if there is one. What happens then is the slot's
//! affair.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::alarm::Alarm;
use super::slot::Slot;

/// The thread, and the way to end it.
#[derive(Debug)]
pub(super) struct Watchdog {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    slots: Vec<Arc<Slot>>,
    alarm: Arc<Alarm>,
    stopped: AtomicBool,
}

impl Watchdog {
    /// Starts it, for slots that ring this alarm.
    pub(super) fn start(slots: Vec<Arc<Slot>>, alarm: Arc<Alarm>) -> io::Result<Self> {
        let shared = Arc::new(Shared { slots, alarm, stopped: AtomicBool::new(false) });
        let same = Arc::clone(&shared);
        let thread = thread::Builder::new().name("php-timer".to_owned()).spawn(move || same.watch())?;
        shared.alarm.belongs_to(thread.thread().clone());
        Ok(Self { shared, thread })
    }

    /// Ends it. Without that it goes on, for threads that have to be left behind.
    pub(super) fn stop(self) {
        self.shared.stopped.store(true, Ordering::Release);
        self.shared.alarm.ring();
        self.thread.join().expect("a panic on this thread ends the process");
    }
}

impl Shared {
    fn watch(&self) {
        while !self.stopped.load(Ordering::Acquire) {
            self.alarm.get_up();
            let now = Instant::now();
            let next_turn = self.slots.iter().filter_map(|slot| slot.turn(now)).min();
            self.alarm.sleep(next_turn);
        }
    }
}
