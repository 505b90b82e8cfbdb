//! Which requests are slow (`php.slow_log_after`), and when to ask what they are at; without a clock.
//!
//! A thread gives its trace when the engine looks for interrupts. One that does not look within a moment is taken to
//! block, and its trace is read from outside.

use std::fmt;
use std::time::{Duration, Instant};

/// How long a thread gets to give its trace itself.
const BLOCKED_AFTER: Duration = Duration::from_millis(100);

/// A request that has taken long, and takes longer still unless it has just ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlowRequest {
    /// The number of its thread, as in the thread's name.
    pub thread: usize,
    /// `REQUEST_METHOD`.
    pub method: &'static str,
    /// `REQUEST_URI`, perhaps cut; whatever bytes the client has sent.
    pub uri: Vec<u8>,
    /// `SCRIPT_FILENAME`.
    pub script: Vec<u8>,
    /// How long it has taken so far.
    pub duration: Duration,
    /// Where it is: a line `[0x…] function() file:line` for each frame, the innermost first. Empty if there is none to
    /// be had.
    pub trace: String,
}

/// Where slow requests are told. Called on PHP threads and on the one that watches them.
pub trait SlowSink: fmt::Debug + Send + Sync {
    /// Takes note of one.
    fn tell(&self, request: &SlowRequest);
}

/// What is known of the slowness of the request on a thread:
///
/// ```text
/// Idle ──begin──▶ Running ──slow: ask──▶ Asked ──blocked: read──▶ Told
///   ▲                │                     └───────given──────────▶ │
///   └──────end───────┴──────────────────────────────────────────────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum SlowWatch {
    /// There is no request, or nobody wants to know.
    #[default]
    Idle,
    /// It has not taken long.
    Running {
        /// When it will have.
        slow_at: Instant,
    },
    /// The thread was asked for a trace.
    Asked {
        /// When to do without its help.
        read_at: Instant,
    },
    /// All is told.
    Told,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SlowStep {
    /// Ask the thread for a trace.
    Ask,
    /// Read its trace from outside, unless it has given it.
    Read,
}

impl SlowWatch {
    /// A request begins that is slow after so long.
    pub(super) fn begin(&mut self, now: Instant, after: Option<Duration>) {
        let slow_at = after.and_then(|after| now.checked_add(after));
        *self = slow_at.map_or(Self::Idle, |slow_at| Self::Running { slow_at });
    }

    /// The request is over. Whether it was slow and nobody was told: it has ended when it was about to be.
    pub(super) fn end(&mut self) -> bool {
        matches!(std::mem::take(self), Self::Asked { .. })
    }

    /// A trace has come; false if nobody wants it any more.
    pub(super) fn take(&mut self) -> bool {
        let wanted = matches!(self, Self::Asked { .. });
        if wanted {
            *self = Self::Told;
        }
        wanted
    }

    /// When to call [`turn`](Self::turn) next, at the latest.
    pub(super) fn next_turn(self) -> Option<Instant> {
        match self {
            Self::Idle | Self::Told => None,
            Self::Running { slow_at } => Some(slow_at),
            Self::Asked { read_at } => Some(read_at),
        }
    }

    /// What to do now. `is_wanted` is whether the thread has yet to give what it was asked for.
    #[must_use]
    pub(super) fn turn(&mut self, now: Instant, is_wanted: impl FnOnce() -> bool) -> Option<SlowStep> {
        match *self {
            Self::Running { slow_at } if slow_at <= now => {
                *self = Self::Asked { read_at: now + BLOCKED_AFTER };
                Some(SlowStep::Ask)
            }
            Self::Asked { read_at } if read_at <= now => {
                if is_wanted() {
                    return Some(SlowStep::Read);
                }
                // It is about to hand it over.
                *self = Self::Asked { read_at: now + BLOCKED_AFTER };
                None
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn unasked() -> bool {
        panic!("nothing was asked yet")
    }

    fn watch(start: Instant) -> SlowWatch {
        let mut watch = SlowWatch::default();
        watch.begin(start, Some(SECOND));
        watch
    }

    #[test]
    fn a_thread_that_moves_gives_its_trace() {
        let start = Instant::now();
        let mut watch = watch(start);
        assert_eq!(watch.turn(start, unasked), None);
        assert!(!watch.take(), "nobody has asked");
        assert_eq!(watch.turn(start + SECOND, unasked), Some(SlowStep::Ask));
        assert_eq!(watch.turn(watch.next_turn().unwrap(), || false), None, "it is about to");
        assert!(watch.take());
        assert!(!watch.take(), "once a request");
        assert_eq!((watch.next_turn(), watch.end()), (None, false));
    }

    #[test]
    fn the_trace_of_one_that_blocks_is_read() {
        let start = Instant::now();
        let mut watch = watch(start);
        assert_eq!(watch.turn(start + SECOND, unasked), Some(SlowStep::Ask));
        let read_at = watch.next_turn().unwrap();
        assert_eq!(watch.turn(read_at, || true), Some(SlowStep::Read));
        assert!(watch.take());
    }

    #[test]
    fn a_request_that_ends_meanwhile_is_told_without_a_trace() {
        let start = Instant::now();
        let mut watch = watch(start);
        assert!(!watch.end(), "it was not slow");
        watch.begin(start, Some(SECOND));
        assert_eq!(watch.turn(start + SECOND, unasked), Some(SlowStep::Ask));
        assert!(watch.end());
        assert!(!watch.take(), "late");
    }

    #[test]
    fn nobody_wants_to_know() {
        let start = Instant::now();
        let mut watch = SlowWatch::default();
        watch.begin(start, None);
        assert_eq!((watch.next_turn(), watch.end()), (None, false));
    }
}
