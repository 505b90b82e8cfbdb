//! What the server is at, as monitors and people are told: plain figures, and three forms of them.
//!
//! The figures are taken first and told then, so that nobody waits for the telling. What visitors have sent (URIs) is
//! cut, and escaped by each form as it has to be. Where several processes serve, each says what it is at on a board
//! (`company.rs`), and the one that is asked tells of all. How anybody asks is not known here.

mod json;
mod metrics;
mod notice;
mod page;

use std::fmt;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub(super) use notice::bytes_max as notice_bytes_max;

use super::company::{Company, Notice};
use crate::php::{Info, OpcacheStatus, PoolStatus, Scoreboard, Snapshot, ThreadState};
use crate::service::health::{Form, Office, Stage};

/// How long a PHP thread may take to answer for OPcache, and other processes for themselves, before what they said last
/// is told. It is the internal loop that waits, in which other monitors are answered.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long a PHP thread may take for another process, which has to be told in time.
const PATIENCE_FOR_OTHERS: Duration = Duration::from_millis(20);
/// After having waited in vain nobody is waited for again for so long: monitors are many.
const IMPATIENCE: Duration = Duration::from_secs(1);
/// URIs and paths are told up to so many bytes.
const TEXT_BYTES_MAX: usize = 512;

/// Who answers for the status.
pub(super) struct Reporter {
    started: Instant,
    /// Since 1970.
    started_at: Duration,
    /// Not for longer than PHP runs: requests that wait go with the queue.
    scoreboard: Weak<dyn Scoreboard>,
    /// Connections of each event loop.
    connections: Vec<Arc<AtomicUsize>>,
    company: Arc<Company>,
    /// When a PHP thread and when another process was waited for in vain.
    in_vain: [Mutex<Option<Instant>>; 2],
}

/// What all processes are at.
#[derive(Debug)]
struct Report {
    php_version: &'static str,
    processes: Vec<Process>,
}

/// A process, or the place of one.
#[derive(Debug)]
struct Process {
    number: usize,
    /// How many have had the place so far.
    starts: u64,
    /// None while there is no process.
    stage: Option<Stage>,
    /// What it said last, and how long ago.
    figures: Option<(Figures, Duration)>,
}

/// What one process is at.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Figures {
    pid: u32,
    /// When it said so, since 1970.
    told_at: Duration,
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
    pub(super) fn new(
        scoreboard: &Arc<dyn Scoreboard>,
        connections: Vec<Arc<AtomicUsize>>,
        company: Arc<Company>,
    ) -> Self {
        Self {
            started: Instant::now(),
            started_at: since_1970(),
            scoreboard: Arc::downgrade(scoreboard),
            connections,
            company,
            in_vain: Default::default(),
        }
    }

    /// Does what other processes have asked for.
    pub(super) fn look(&self) {
        let wanted = self.company.look();
        if wanted.restart {
            self.restart();
        }
        if let Some(asked) = wanted.report {
            let figures = self.figures(PATIENCE_FOR_OTHERS);
            self.company.answer(asked, &figures.map(|figures| notice::write(&figures)).unwrap_or_default());
        }
    }

    /// In this process; how many threads.
    fn restart(&self) -> Option<usize> {
        self.scoreboard.upgrade().map(|scoreboard| scoreboard.restart())
    }

    fn report(&self) -> Option<Report> {
        let deadline = Instant::now() + PATIENCE;
        let asked = self.company.ask();
        let own = self.figures(PATIENCE)?;
        let [_, others] = &self.in_vain;
        wait(others, deadline, |deadline| self.company.gather(asked, deadline));
        let now = since_1970();
        let tell = |(number, Notice { stage, starts, text }): (usize, Notice)| {
            let figures = match number == self.company.number() {
                true => Some(own.clone()),
                false => text.and_then(|text| notice::read(&text)),
            };
            let with_age = |figures: Figures| {
                let age = now.saturating_sub(figures.told_at);
                (figures, age)
            };
            Process { number, starts, stage, figures: figures.map(with_age) }
        };
        let processes = self.company.notices().enumerate().map(tell).collect();
        Some(Report { php_version: Info::of_libphp().version, processes })
    }

    /// What this process is at, unless PHP has stopped.
    fn figures(&self, patience: Duration) -> Option<Figures> {
        let scoreboard = self.scoreboard.upgrade()?;
        let mut opcache = None;
        wait(&self.in_vain[0], Instant::now() + patience, |deadline| {
            opcache = scoreboard.opcache(deadline.saturating_duration_since(Instant::now()));
            Instant::now() < deadline
        });
        Some(Figures {
            pid: process::id(),
            told_at: since_1970(),
            started_at: self.started_at,
            uptime: self.started.elapsed(),
            connections: self.connections.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            php: scoreboard.snapshot(),
            opcache,
        })
    }
}

impl Office for Arc<Reporter> {
    fn status(&self, form: Form) -> Option<String> {
        let report = self.report()?;
        Some(match form {
            Form::Page => page::page(&report),
            Form::Json => json::json(&report),
            Form::Metrics => metrics::metrics(&report),
        })
    }

    fn restart_php(&self) -> Option<usize> {
        // The others first: whatever they were told until now this process does below, too.
        let processes = self.scoreboard.upgrade().map(|_| self.company.restart())?;
        // All have as many threads.
        self.restart().map(|threads| threads * processes)
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter").field("company", &self.company).finish_non_exhaustive()
    }
}

impl Report {
    /// What processes have said, with their numbers.
    fn told(&self) -> impl Iterator<Item = (usize, &Figures)> {
        self.processes.iter().filter_map(|process| Some((process.number, &process.figures.as_ref()?.0)))
    }
}

impl Figures {
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

/// Waits until `deadline` by `wait`, which says whether that was not in vain, but not at all if it was a moment ago.
fn wait(in_vain: &Mutex<Option<Instant>>, deadline: Instant, wait: impl FnOnce(Instant) -> bool) {
    let now = Instant::now();
    let mut in_vain = in_vain.lock().unwrap_or_else(PoisonError::into_inner);
    if in_vain.is_some_and(|at| now.saturating_duration_since(at) < IMPATIENCE) {
        wait(now);
    } else {
        *in_vain = (!wait(deadline)).then(Instant::now);
    }
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
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

fn stage_name(stage: Option<Stage>) -> &'static str {
    match stage {
        None => "gone",
        Some(Stage::Starting) => "starting",
        Some(Stage::Ready) => "ready",
        Some(Stage::Stopping) => "stopping",
    }
}

fn cut(text: &[u8]) -> &[u8] {
    &text[..text.len().min(TEXT_BYTES_MAX)]
}

#[cfg(test)]
mod tests;
