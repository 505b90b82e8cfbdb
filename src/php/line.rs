//! The requests that wait for the threads of one pool, in the order of their arrival.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::arrivals::Arrivals;
use super::scoreboard::{PoolStatus, QueueStatus};
use crate::base::queue::{Consumer, Popped, Queue, SPARE_PLACES};
use crate::exchange::Responder;

/// Between two searches of a full queue, which take some 50 µs at its default length.
const PURGE_INTERVAL: Duration = Duration::from_millis(10);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Line {
    name: String,
    /// Who serves it, by number.
    threads: Range<usize>,
    queue: Queue<Box<Responder>>,
    arrivals: Arrivals,
    /// When the full queue was last searched for requests that nobody waits for.
    purged_at: Mutex<Option<Instant>>,
}

impl Line {
    /// For these threads, and at most so many requests, at least one.
    pub(super) fn new(name: &str, threads: Range<usize>, queue_max: usize) -> Self {
        let queue_max = queue_max.max(1);
        Self {
            name: name.to_owned(),
            threads,
            queue: Queue::new(queue_max),
            arrivals: Arrivals::new(queue_max + SPARE_PLACES),
            purged_at: Mutex::new(None),
        }
    }

    /// Whether this thread serves it.
    pub(super) fn is_of(&self, thread: usize) -> bool {
        self.threads.contains(&thread)
    }

    /// How many threads serve it.
    pub(super) fn threads(&self) -> usize {
        self.threads.len()
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Appends a request; gives it back when there are too many. What is owed after this is what [`Queue::push`] says.
    pub(super) fn push(&self, responder: Box<Responder>) -> Result<(), Box<Responder>> {
        let received_at = responder.job().received_at;
        self.queue.push(responder).or_else(|responder| {
            self.purge();
            self.queue.push(responder)
        })?;
        self.arrivals.push(received_at);
        Ok(())
    }

    /// Wakes a thread if requests wait; says whether they do.
    pub(super) fn tend(&self) -> bool {
        self.queue.tend()
    }

    /// Leaves it to the threads to wake each other.
    pub(super) fn hand_over(&self) {
        self.queue.hand_over();
    }

    /// Takes the first one, and sleeps while there is none.
    pub(super) fn pop(&self, consumer: &Consumer) -> Popped<Box<Responder>> {
        let popped = self.queue.pop_or_rouse(consumer);
        if matches!(popped, Popped::Item(_)) {
            self.arrivals.pop();
        }
        popped
    }

    /// Lets each of its threads return from [`pop`](Self::pop).
    pub(super) fn rouse(&self) {
        self.queue.rouse();
    }

    /// Ends it; who waits still goes with it.
    pub(super) fn close(&self) {
        self.queue.close();
    }

    /// Who waits, at this time since 1970.
    pub(super) fn status(&self, since_1970: Duration) -> PoolStatus {
        let len = self.queue.len();
        let oldest_wait = self.arrivals.first().filter(|_| len > 0).map(|first| since_1970.saturating_sub(first));
        let queue = QueueStatus { len, capacity: self.queue.capacity(), oldest_wait };
        PoolStatus { name: self.name.clone(), threads: self.threads.clone(), queue }
    }

    /// Requests whose clients have gone hold places in a full queue: takes those out, though not at every request that
    /// finds it full, since that would make an overload worse.
    fn purge(&self) {
        let now = Instant::now();
        let mut purged_at = self.purged_at.lock().unwrap_or_else(PoisonError::into_inner);
        if purged_at.is_none_or(|before| now - before >= PURGE_INTERVAL) {
            *purged_at = Some(now);
            self.queue.retain(|responder| {
                let is_wanted = responder.is_wanted();
                // All are taken out, and the wanted ones go to the end.
                self.arrivals.pop();
                if is_wanted {
                    self.arrivals.push(responder.job().received_at);
                }
                is_wanted
            });
        }
    }
}
