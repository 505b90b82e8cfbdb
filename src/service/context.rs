//! What a connection needs of its surroundings: time, files, temporary files, PHP, the access log, and its bounds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::access_log::AccessLog;
use super::content::{CollectorOptions, Spool};
use super::health::Health;
use crate::base::account::Account;
use crate::base::limits;
use crate::base::pace::Pace;
use crate::exchange::{self, Bell, Dispatch, Handle, Job, Spill, Tag};
use crate::http::date::IMF_FIXDATE_LEN;
use crate::site::error_page::ErrorPages;
use crate::site::files::Files;
use crate::site::forwarded;
use crate::site::header_rules::HeaderRules;
use crate::site::internal_files::{InternalFiles, Roots};
use crate::site::pools::Pools;
use crate::site::router::Router;
use crate::site::{compression, static_files};

/// Turns of connections after which PHP hears of what was submitted in them, if the loop has not run out of work before:
/// some 100 µs. Waking a thread takes the loop as long as some of its turns, and each wake-up is one for all that waits.
const UNTENDED_TURNS_MAX: usize = 16;

/// For how many turns one counts that has used up a budget, which may take a millisecond and more.
const HEAVY_TURN: usize = 8;

/// What a connection needs of its surroundings for one turn.
pub struct Context<'a> {
    /// The time of this turn.
    pub now: Instant,
    /// The same as a wall-clock time, since 1970.
    pub wall: Duration,
    /// The same, as the Date field has it.
    pub date: &'a [u8; IMF_FIXDATE_LEN],
    /// Bounds and timeouts.
    pub options: &'a Options,
    /// What URLs mean.
    pub router: &'a Router,
    /// The document root.
    pub files: &'a mut dyn Files,
    /// Temporary files.
    pub spool: &'a mut dyn Spool,
    /// The directories that scripts may send files of.
    pub internal: &'a mut dyn Roots,
    /// The way to PHP.
    pub exchanges: &'a mut Exchanges,
    /// Where requests are logged, if they are.
    pub access_log: Option<&'a mut AccessLog>,
}

/// Bounds and timeouts of a connection, and the operator's wishes. See the constants of [`limits`] for the meaning of
/// the former.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the constants of each field's name in `limits` say what it is, or the type does")]
pub struct Options {
    /// The connections are internal ones: nothing else is served on them.
    pub health: Option<Arc<Health>>,
    pub forwarded: forwarded::Options,
    pub headers: HeaderRules,
    pub error_pages: ErrorPages,
    pub internal_files: InternalFiles,
    pub pools: Pools,
    pub content: CollectorOptions,
    pub spill: Option<Arc<Spill>>,
    pub stalled: Arc<Account>,
    pub stalled_bytes_max: u64,
    pub queue_timeout: Duration,
    pub head_timeout: Duration,
    pub content_pace: Pace,
    pub write_pace: Pace,
    pub keep_alive_timeout: Duration,
    pub files: static_files::Options,
    pub compression: Arc<compression::Options>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            health: None,
            forwarded: forwarded::Options::default(),
            headers: HeaderRules::default(),
            error_pages: ErrorPages::default(),
            internal_files: InternalFiles::default(),
            pools: Pools::default(),
            content: CollectorOptions::default(),
            spill: None,
            stalled: Arc::default(),
            stalled_bytes_max: limits::STALLED_BYTES_MAX,
            queue_timeout: limits::QUEUE_TIMEOUT,
            head_timeout: limits::HEAD_TIMEOUT,
            content_pace: Pace { timeout: limits::CONTENT_TIMEOUT, rate_min: limits::CONTENT_RATE_MIN },
            write_pace: Pace { timeout: limits::WRITE_TIMEOUT, rate_min: limits::WRITE_RATE_MIN },
            keep_alive_timeout: limits::KEEP_ALIVE_TIMEOUT,
            files: static_files::Options::default(),
            compression: Arc::default(),
        }
    }
}

/// One loop's way to PHP: the queue in, the bell back, and how many requests are on the way.
pub struct Exchanges {
    dispatch: Arc<dyn Dispatch>,
    bell: Arc<Bell>,
    /// Exchanges whose PHP side is alive; at most the bell's capacity.
    in_flight: usize,
    /// Requests may wait for which this loop has to see that somebody comes.
    owes: bool,
    /// Turns of connections since it last saw to that.
    untended: usize,
    /// Shared by the encoders of this loop's responses, which thereby are counted.
    pub(super) encoders: Arc<()>,
}

impl Exchanges {
    /// Sends requests through `dispatch` and hears of them through `bell`.
    pub fn new(dispatch: Arc<dyn Dispatch>, bell: Arc<Bell>) -> Self {
        Self { dispatch, bell, in_flight: 0, owes: false, untended: 0, encoders: Arc::new(()) }
    }

    /// How many requests are on the way; at most the bell's capacity.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Takes note that PHP is done with one exchange.
    pub fn release(&mut self) {
        self.in_flight -= 1;
    }

    /// To be called after each connection's turn: has a PHP thread come for what was [submitted](Self::submit), unless
    /// that can wait for what else this loop has for it. A turn that used up a budget of bytes counts for several. Before
    /// the loop waits it has to [`hand_over`](Self::hand_over).
    pub fn tend(&mut self, is_heavy: bool) {
        if !self.owes {
            return;
        }
        self.untended += if is_heavy { HEAVY_TURN } else { 1 };
        if self.untended >= UNTENDED_TURNS_MAX {
            self.untended = 0;
            self.owes = self.dispatch.tend();
        }
    }

    /// Leaves it to the PHP threads to wake each other for what was submitted.
    pub fn hand_over(&mut self) {
        self.untended = 0;
        if std::mem::take(&mut self.owes) {
            self.dispatch.hand_over();
        }
    }

    /// Hands a request to PHP; `None` when the queue is full.
    pub(super) fn submit(&mut self, job: Job, tag: Tag, spill: Option<Arc<Spill>>) -> Option<Handle> {
        if self.in_flight == self.bell.capacity() {
            return None;
        }
        // Counted even if it is refused: dropping the responder rings the bell.
        self.in_flight += 1;
        let (handle, responder) = exchange::new(job, tag, Arc::clone(&self.bell), spill);
        self.owes = true;
        self.dispatch.submit(responder).is_ok().then_some(handle)
    }
}

impl Drop for Exchanges {
    fn drop(&mut self) {
        self.hand_over();
    }
}

#[cfg(test)]
mod tests;
