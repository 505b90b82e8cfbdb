//! The one place that reads the time: once per turn of the loop.

use std::time::{Duration, Instant, SystemTime};

use crate::http::date::{self, IMF_FIXDATE_LEN};

/// The time of the current turn.
#[derive(Debug)]
pub(super) struct Clock {
    /// For timeouts.
    pub(super) now: Instant,
    /// Since 1970.
    pub(super) wall: Duration,
    /// `wall` as the Date field has it; rendered anew when the second changes.
    pub(super) date: [u8; IMF_FIXDATE_LEN],
}

impl Clock {
    pub(super) fn new() -> Self {
        let mut clock = Self { now: Instant::now(), wall: Duration::ZERO, date: date::format(0) };
        clock.tick();
        clock
    }

    pub(super) fn tick(&mut self) {
        self.now = Instant::now();
        let before = self.wall.as_secs();
        // A clock before 1970 is wrong in any case.
        self.wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        if self.wall.as_secs() != before {
            self.date = date::format(i64::try_from(self.wall.as_secs()).unwrap_or(i64::MAX));
        }
    }
}
