//! How long a process that has ended stays away. Pure.

use std::time::Duration;

/// The first wait. Before it there is one restart without.
const FIRST: Duration = Duration::from_millis(100);
/// The longest wait after a process that has served: what ends one is often a request, and requests come again.
const SERVED_MAX: Duration = Duration::from_secs(1);
/// The longest wait after one that has not.
const STARTED_MAX: Duration = Duration::from_secs(10);
/// Who has served for so long has not ended for a reason that was there at the start.
const STEADY: Duration = Duration::from_secs(10);

/// The waits of one place among the processes.
#[derive(Debug, Default)]
pub(super) struct BackOff {
    next: Duration,
}

impl BackOff {
    /// How long to wait before the next process is started, after one that has served for so long, if at all.
    pub(super) fn after(&mut self, served: Option<Duration>) -> Duration {
        if served.is_some_and(|served| served >= STEADY) {
            self.next = Duration::ZERO;
        }
        let wait = self.next.min(if served.is_some() { SERVED_MAX } else { STARTED_MAX });
        self.next = (2 * wait).clamp(FIRST, STARTED_MAX);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(back_off: &mut BackOff, served: Option<Duration>, count: usize) -> Vec<u128> {
        (0..count).map(|_| back_off.after(served).as_millis()).collect()
    }

    #[test]
    fn the_first_restart_is_at_once_and_the_next_ones_are_ever_later() {
        let mut back_off = BackOff::default();
        assert_eq!(waits(&mut back_off, None, 9), [0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000]);
        assert_eq!(waits(&mut back_off, None, 2), [10_000, 10_000]);
    }

    #[test]
    fn who_has_served_is_back_sooner_and_after_long_at_once() {
        let mut back_off = BackOff::default();
        assert_eq!(waits(&mut back_off, Some(Duration::ZERO), 7), [0, 100, 200, 400, 800, 1000, 1000]);
        assert_eq!(waits(&mut back_off, Some(STEADY), 2), [0, 0]);
        assert_eq!(waits(&mut back_off, Some(STEADY - Duration::from_millis(1)), 2), [100, 200]);
    }
}
