//! The thread that ends scripts whose time is over, in place of a kernel timer for each request, and looks at slow ones.
//!
//! There is one, and it sleeps until the first of all limits is over, if there is one. What happens then is others'
//! affair.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::alarm::Alarm;

/// The thread, and the way to end it.
#[derive(Debug)]
pub(super) struct Watchdog {
    stopped: Arc<AtomicBool>,
    alarm: Arc<Alarm>,
    thread: JoinHandle<()>,
}

impl Watchdog {
    /// Starts it, for limits that ring this alarm. `turn` sees to those that are over, and says when the next one is.
    pub(super) fn start(
        alarm: Arc<Alarm>,
        turn: impl Fn(Instant) -> Option<Instant> + Send + 'static,
    ) -> io::Result<Self> {
        let stopped = Arc::new(AtomicBool::new(false));
        let (same_stopped, same_alarm) = (Arc::clone(&stopped), Arc::clone(&alarm));
        let watch = move || {
            while !same_stopped.load(Ordering::Acquire) {
                same_alarm.get_up();
                let next_turn = turn(Instant::now());
                same_alarm.sleep(next_turn);
            }
        };
        let thread = thread::Builder::new().name("php-timer".to_owned()).spawn(watch)?;
        alarm.belongs_to(thread.thread().clone());
        Ok(Self { stopped, alarm, thread })
    }

    /// Ends it. Without that it goes on, for threads that have to be left behind.
    pub(super) fn stop(self) {
        self.stopped.store(true, Ordering::Release);
        self.alarm.ring();
        self.thread.join().expect("a panic on this thread ends the process");
    }
}
