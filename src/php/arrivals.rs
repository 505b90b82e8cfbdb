//! When the requests in the queue have arrived, for whoever wants to know how long the first of them waits.
//!
//! Beside the queue runs a ring of their times: who appends to the one appends to the other, who takes from the one
//! takes from the other. Between the two steps of each it may be off by as many as are at it, which no reader of a
//! status page sees.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Arrivals {
    /// In microseconds since 1970.
    times: Box<[AtomicU64]>,
    arrived: AtomicU64,
    taken: AtomicU64,
}

impl Arrivals {
    /// For a queue that never has more than `capacity` requests.
    pub(super) fn new(capacity: usize) -> Self {
        let times = (0..capacity.max(1).next_power_of_two()).map(|_| AtomicU64::new(0)).collect();
        Self { times, arrived: AtomicU64::new(0), taken: AtomicU64::new(0) }
    }

    /// A request was appended to the queue that arrived then.
    pub(super) fn push(&self, received_at: Duration) {
        let at = self.arrived.fetch_add(1, Ordering::Relaxed);
        self.time(at).store(u64::try_from(received_at.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The first request was taken from the queue.
    pub(super) fn pop(&self) {
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    /// When the first that is in the queue has arrived.
    pub(super) fn first(&self) -> Option<Duration> {
        let taken = self.taken.load(Ordering::Relaxed);
        let is_there = taken < self.arrived.load(Ordering::Relaxed);
        is_there.then(|| Duration::from_micros(self.time(taken).load(Ordering::Relaxed)))
    }

    fn time(&self, number: u64) -> &AtomicU64 {
        // The remainder, as the length is a power of two.
        let mask = self.times.len() as u64 - 1;
        &self.times[usize::try_from(number & mask).expect("less than the length")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_the_oldest() {
        let arrivals = Arrivals::new(3);
        assert_eq!(arrivals.first(), None);
        let time = Duration::from_millis;
        for n in 0..100 {
            arrivals.push(time(2 * n));
            arrivals.push(time(2 * n + 1));
            assert_eq!(arrivals.first(), Some(time(2 * n)));
            arrivals.pop();
            assert_eq!(arrivals.first(), Some(time(2 * n + 1)));
            arrivals.pop();
            assert_eq!(arrivals.first(), None);
        }
    }

    /// Whoever takes a request may be faster than whoever appends it is at saying so.
    #[test]
    fn taken_before_it_was_told() {
        let arrivals = Arrivals::new(2);
        arrivals.pop();
        assert_eq!(arrivals.first(), None);
        arrivals.push(Duration::from_secs(1));
        assert_eq!(arrivals.first(), None);
        arrivals.push(Duration::from_secs(2));
        assert_eq!(arrivals.first(), Some(Duration::from_secs(2)));
    }
}
