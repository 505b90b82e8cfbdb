//! What the server is at, as monitors and people are told: plain figures, and three forms of them.
//!
//! The figures are taken first and told then, so that nobody waits for the telling. What visitors have sent (URIs) is
//! cut, and escaped by each form as it has to be. How anybody asks is not known here.

mod json;
mod metrics;
mod page;

use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::php::{Info, OpcacheStatus, PoolStatus, Scoreboard, Snapshot, ThreadState};
use crate::service::health::{Form, Office};

/// How long a PHP thread may take to answer for OPcache before its last answer is told. It is the internal loop that
/// waits, in which other monitors are answered.
const PATIENCE: Duration = Duration::from_millis(50);
/// URIs and paths are told up to so many bytes.
const TEXT_BYTES_MAX: usize = 512;

/// Who answers for the status.
pub(super) struct Reporter {
    started: Instant,
    /// Since 1970.
    started_at: Duration,
    php_version: &'static str,
    /// Not for longer than PHP runs: requests that wait go with the queue.
    scoreboard: Weak<dyn Scoreboard>,
    /// Connections of each event loop.
    connections: Vec<Arc<AtomicUsize>>,
}

/// What the server is at.
#[derive(Debug)]
struct Report {
    php_version: &'static str,
    pid: u32,
    /// Since 1970.
    started_at: Duration,
    uptime: Duration,
    /// Of each event loop.
    connections: Vec<usize>,
    php: Snapshot,
    /// With its age.
    opcache: Option<(OpcacheStatus, Duration)>,
}

impl Reporter {
    /// Of a server that has just started.
    pub(super) fn new(scoreboard: &Arc<dyn Scoreboard>, connections: Vec<Arc<AtomicUsize>>) -> Self {
        Self {
            started: Instant::now(),
            started_at: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            php_version: Info::of_libphp().version,
            scoreboard: Arc::downgrade(scoreboard),
            connections,
        }
    }

    fn report(&self) -> Option<Report> {
        let scoreboard = self.scoreboard.upgrade()?;
        let opcache = scoreboard.opcache(PATIENCE);
        Some(Report {
            php_version: self.php_version,
            pid: process::id(),
            started_at: self.started_at,
            uptime: self.started.elapsed(),
            connections: self.connections.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            php: scoreboard.snapshot(),
            opcache,
        })
    }
}

impl Office for Reporter {
    fn status(&self, form: Form) -> Option<String> {
        let report = self.report()?;
        Some(match form {
            Form::Page => page::page(&report),
            Form::Json => json::json(&report),
            Form::Metrics => metrics::metrics(&report),
        })
    }

    fn restart_php(&self) -> Option<usize> {
        Some(self.scoreboard.upgrade()?.restart())
    }
}

impl Report {
    /// The pool that a thread is of.
    fn pool_of(&self, thread: usize) -> &str {
        self.php.pools.iter().find(|pool| pool.threads.contains(&thread)).map_or("", |pool| &pool.name)
    }

    /// How many threads of a pool run a script.
    fn running(&self, pool: &PoolStatus) -> usize {
        let of_pool = self.php.threads.iter().filter(|thread| pool.threads.contains(&thread.number));
        of_pool.filter(|thread| thread.state == ThreadState::Running).count()
    }
}

fn name(state: ThreadState) -> &'static str {
    match state {
        ThreadState::Starting => "starting",
        ThreadState::Waiting => "waiting",
        ThreadState::Running => "running",
        ThreadState::Lost => "lost",
        ThreadState::Restarting => "restarting",
        ThreadState::Stopping => "stopping",
    }
}

fn cut(text: &[u8]) -> &[u8] {
    &text[..text.len().min(TEXT_BYTES_MAX)]
}

#[cfg(test)]
mod tests;
