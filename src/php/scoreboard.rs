//! What PHP's threads are at, for those who look on: plain figures, and how they are kept.
//!
//! A thread writes what it does to memory of its own, behind a lock that nobody else wants until somebody looks: no
//! system call, no allocation once its strings have found their size, no line of memory that threads share.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Longer URIs and paths are cut.
const TEXT_BYTES_MAX: usize = 2048;

/// Gives a [`Snapshot`]; a pool of threads does.
pub trait Scoreboard: Send + Sync {
    /// What the threads are at now. Each is asked for itself: there is no moment at which all of it held.
    fn snapshot(&self) -> Snapshot;

    /// What OPcache says of itself, and how long ago, as only a PHP thread can ask it. One that is between two requests
    /// does so now, or, should there be none for so long, the last answer is given. `None` without OPcache, or while
    /// nobody has asked.
    fn opcache(&self, patience: Duration) -> Option<(OpcacheStatus, Duration)>;

    /// Has OPcache emptied, and each thread leave PHP and join it anew, one after another and between two requests.
    /// Returns at once; says how many threads that are: none without thread safety, where there is nothing to leave.
    fn restart(&self) -> usize;
}

/// What a pool is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The threads that serve, by number.
    pub threads: Vec<ThreadStatus>,
    /// Threads that were given up, have been replaced, and have not come back.
    pub lost: Vec<ThreadStatus>,
    /// What the threads are for, and what waits for them: first those for what no named pool serves.
    pub pools: Vec<PoolStatus>,
    /// How many of the threads that serve have yet to leave PHP since all were asked to.
    pub restarting: usize,
    /// What has happened since the start.
    pub totals: Totals,
}

/// What OPcache says of itself (`opcache_get_status()`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "ephpm_opcache_figures in ephpm.h says what each of them is")]
pub struct OpcacheStatus {
    pub memory_used_bytes: u64,
    pub memory_free_bytes: u64,
    pub memory_wasted_bytes: u64,
    pub strings_used_bytes: u64,
    pub strings_free_bytes: u64,
    pub strings: u64,
    pub scripts: u64,
    pub keys: u64,
    pub keys_max: u64,
    pub hits: u64,
    pub misses: u64,
    pub restarts_out_of_memory: u64,
    pub restarts_hash_overflow: u64,
    pub restarts_reset: u64,
    pub restart_pending: bool,
    pub is_full: bool,
}

/// What a thread is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadStatus {
    /// Its number, as in its name, `php-3`.
    pub number: usize,
    /// What it does.
    pub state: ThreadState,
    /// For how long.
    pub state_age: Duration,
    /// Requests that it and those whose place it took have served, without the one that runs.
    pub requests: u64,
    /// How often all threads had been asked to join PHP anew when it did last.
    pub generation: u64,
    /// The request that runs, or else the last one.
    pub request: Option<RequestStatus>,
    /// The most memory that the last request held, in bytes as the system gave them (`memory_get_peak_usage(true)`).
    pub memory_peak_bytes: usize,
    /// What PHP kept for this thread after the last request, in bytes as the system gave them.
    pub memory_held_bytes: usize,
}

/// What a thread does:
///
/// ```text
/// Starting ──▶ Waiting ⇄ Running ──▶ Stopping
///     ▲          │          │  └───▶ Lost ──▶ Stopping
///     └─────Restarting◀─────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadState {
    /// Attaching to PHP.
    Starting,
    /// Waiting for a request.
    Waiting,
    /// Running a script.
    Running,
    /// Running a script that was to end long ago.
    Lost,
    /// Detaching from PHP, to start anew.
    Restarting,
    /// Detaching from PHP for good, or gone.
    Stopping,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestStatus {
    /// `REQUEST_METHOD`.
    pub method: &'static str,
    /// `REQUEST_URI`, cut after 2 KiB; whatever bytes the client has sent.
    pub uri: Vec<u8>,
    /// `SCRIPT_FILENAME`, cut in the same way.
    pub script: Vec<u8>,
}

/// Some of the threads, and their queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolStatus {
    /// Its name in the configuration, or `default`.
    pub name: String,
    /// Its threads, by number.
    pub threads: Range<usize>,
    /// Requests that wait for one of them.
    pub queue: QueueStatus,
}

/// Requests that wait for a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueStatus {
    /// How many wait, those included whose clients have left.
    pub len: usize,
    /// How many may.
    pub capacity: usize,
    /// How long the first of them has waited.
    pub oldest_wait: Option<Duration>,
}

/// What has happened since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Requests that were served.
    pub requests: u64,
    /// Requests that took longer than `php.request_timeout`.
    pub timeouts: u64,
    /// Requests that took longer than `php.slow_log_after`.
    pub slow: u64,
    /// Threads that were given up since they did not come back.
    pub lost: u64,
    /// How often a thread has left PHP and joined it anew, after `php.max_requests` or since all were asked to.
    pub recycled: u64,
    /// How often a thread had to, since a request had left PHP in an unknown state.
    pub unhealthy: u64,
    /// How often OPcache has restarted.
    pub opcache_restarts: u64,
}

/// [`Totals`] as they are counted, but for the requests, which are the threads', and OPcache's restarts.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) timeouts: AtomicU64,
    pub(super) slow: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) recycled: AtomicU64,
    pub(super) unhealthy: AtomicU64,
}

impl Counters {
    /// One more.
    pub(super) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn totals(&self, requests: u64, opcache_restarts: u64) -> Totals {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Totals {
            requests,
            timeouts: read(&self.timeouts),
            slow: read(&self.slow),
            lost: read(&self.lost),
            recycled: read(&self.recycled),
            unhealthy: read(&self.unhealthy),
            opcache_restarts,
        }
    }
}

/// What one thread is at, as it keeps it.
#[derive(Debug)]
pub(super) struct Activity {
    state: ThreadState,
    since: Instant,
    requests: u64,
    /// Of the life that it leads.
    generation: u64,
    /// Empty until there was a request.
    method: &'static str,
    uri: Vec<u8>,
    script: Vec<u8>,
    memory: Memory,
}

/// What PHP holds for a thread, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Memory {
    /// The most that the last request held.
    pub(super) peak: usize,
    /// What is held now.
    pub(super) held: usize,
}

/// What is told of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) method: &'static str,
    pub(super) uri: &'a [u8],
    /// The script's path, in two parts.
    pub(super) script: [&'a [u8]; 2],
}

impl Activity {
    /// Of a thread that takes the place of one that has served so many requests.
    pub(super) fn new(now: Instant, requests: u64) -> Self {
        let (uri, script, memory) = (Vec::new(), Vec::new(), Memory::default());
        Self { state: ThreadState::Starting, since: now, requests, generation: 0, method: "", uri, script, memory }
    }

    /// It is about to join PHP, for such a life.
    pub(super) fn join(&mut self, now: Instant, generation: u64) {
        self.enter(now, ThreadState::Starting);
        self.generation = generation;
    }

    pub(super) fn state(&self) -> ThreadState {
        self.state
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Since when it does what it does.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// It does something else, but running a script.
    pub(super) fn enter(&mut self, now: Instant, state: ThreadState) {
        (self.state, self.since) = (state, now);
    }

    /// A script begins.
    pub(super) fn begin(&mut self, now: Instant, request: &Told<'_>) {
        self.enter(now, ThreadState::Running);
        self.method = request.method;
        refill(&mut self.uri, [request.uri]);
        refill(&mut self.script, request.script);
    }

    /// It is over.
    pub(super) fn end(&mut self, now: Instant, memory: Memory) {
        self.enter(now, ThreadState::Waiting);
        self.requests += 1;
        self.memory = memory;
    }

    /// The request that runs, or the last one.
    pub(super) fn request(&self) -> Option<RequestStatus> {
        let request = RequestStatus { method: self.method, uri: self.uri.clone(), script: self.script.clone() };
        (!self.method.is_empty()).then_some(request)
    }

    pub(super) fn status(&self, now: Instant, number: usize) -> ThreadStatus {
        ThreadStatus {
            number,
            state: self.state,
            state_age: now.saturating_duration_since(self.since),
            requests: self.requests,
            generation: self.generation,
            request: self.request(),
            memory_peak_bytes: self.memory.peak,
            memory_held_bytes: self.memory.held,
        }
    }
}

fn refill<const N: usize>(text: &mut Vec<u8>, parts: [&[u8]; N]) {
    text.clear();
    for part in parts {
        let room = TEXT_BYTES_MAX - text.len();
        text.extend_from_slice(&part[..part.len().min(room)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_request_is_told_while_it_runs_and_after() {
        let start = Instant::now();
        let mut activity = Activity::new(start, 7);
        assert_eq!((activity.status(start, 3).request, activity.requests()), (None, 7));
        activity.enter(start, ThreadState::Waiting);
        activity.begin(start + SECOND, &Told { method: "GET", uri: b"/a?b", script: [b"/srv", b"/a.php"] });
        let status = activity.status(start + 3 * SECOND, 3);
        let request = RequestStatus { method: "GET", uri: b"/a?b".to_vec(), script: b"/srv/a.php".to_vec() };
        assert_eq!(status.request.as_ref(), Some(&request));
        assert_eq!((status.state, status.state_age, status.requests), (ThreadState::Running, 2 * SECOND, 7));
        activity.end(start + 4 * SECOND, Memory { peak: 2, held: 1 });
        let status = activity.status(start + 9 * SECOND, 3);
        assert_eq!((status.state, status.state_age, status.requests), (ThreadState::Waiting, 5 * SECOND, 8));
        assert_eq!((status.number, status.memory_peak_bytes, status.memory_held_bytes), (3, 2, 1));
        assert_eq!(status.request, Some(request));
    }

    #[test]
    fn long_texts_are_cut_and_nothing_is_left_of_them() {
        let start = Instant::now();
        let mut activity = Activity::new(start, 0);
        let long = vec![b'x'; 2 * TEXT_BYTES_MAX];
        activity.begin(start, &Told { method: "GET", uri: &long, script: [&long, b"/a.php"] });
        let request = activity.request().unwrap();
        assert_eq!((request.uri.len(), request.script.len()), (TEXT_BYTES_MAX, TEXT_BYTES_MAX));
        activity.begin(start, &Told { method: "POST", uri: b"/", script: [b"", b"/b.php"] });
        let request = activity.request().unwrap();
        assert_eq!((&*request.uri, &*request.script), (&b"/"[..], &b"/b.php"[..]));
    }
}
