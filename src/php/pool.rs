//! The threads that run scripts, fed by one queue.
//!
//! Their number is fixed. A thread's job never changes: it takes requests until the queue is closed. When a request
//! leaves its part of PHP in an unknown state, the thread detaches and attaches again, which gives it a new one.

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::alarm::Alarm;
use super::attachment::Attachment;
use super::info::Info;
use super::request::RequestArena;
use super::runtime::Php;
use super::sapi::{self, Health};
use super::slot::Slot;
use super::watchdog::Watchdog;
use crate::base::black_box::{self, BlackBox, Record};
use crate::base::queue::{Consumer, Queue};
use crate::exchange::{Dispatch, Job, Responder};
use crate::site::server_vars::ServerOptions;

/// PHP measures its stack limit against the thread's stack (`zend.max_allowed_stack_size`); 8 MiB is what a main
/// thread has. Only what is used takes memory.
const STACK_BYTES: usize = 8 * 1024 * 1024;
/// Between two searches of a full queue, which take some 50 µs at its default length.
const PURGE_INTERVAL: Duration = Duration::from_millis(10);
/// Between two interrupts of a thread that does not end: its shutdown functions get so long.
const INTERRUPT_INTERVAL: Duration = Duration::from_millis(500);

/// How a pool is to be.
#[derive(Debug, Clone)]
pub struct PoolOptions {
    /// How many threads, at least 1. A libphp without thread safety has one in any case.
    pub threads: usize,
    /// How many requests may wait for a thread.
    pub queue_max: usize,
    /// What `$_SERVER` says of the server.
    pub server: ServerOptions,
    /// Where each thread, by its number, notes what it runs, for whoever looks after a crash.
    pub black_box: Option<BlackBox>,
}

/// PHP threads at work. Requests come through [`dispatch`](Self::dispatch).
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    watchdog: Watchdog,
}

/// So many threads have not come back: PHP must not be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stuck(pub usize);

#[derive(Debug)]
struct Shared {
    queue: Queue<Box<Responder>>,
    server: ServerOptions,
    workers: Vec<Worker>,
    /// When the full queue was last searched for requests that nobody waits for.
    purged_at: Mutex<Option<Instant>>,
    /// How many threads have not ended.
    alive: Mutex<usize>,
    ended: Condvar,
}

/// What others may know of a thread.
#[derive(Debug)]
struct Worker {
    state: AtomicU8,
    slot: Arc<Slot>,
    record: Option<Record>,
}

/// What a thread does:
///
/// ```text
/// Starting ──▶ Waiting ⇄ Running ──▶ Stopping
///     ▲                     │
///     └─────Unhealthy◀──────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum State {
    /// Attaching to PHP.
    Starting,
    /// Waiting for a request.
    Waiting,
    /// Running a script.
    Running,
    /// Detaching from PHP, to start anew.
    Unhealthy,
    /// Detaching from PHP for good.
    Stopping,
}

impl Pool {
    /// Starts the threads. They run until [`stop`](Self::stop).
    pub fn start(php: &Php, options: &PoolOptions) -> io::Result<Self> {
        if !php.info().limits_time {
            log::warn!("linked without php-sys's arguments: PHP's own timers limit the time of scripts");
        }
        let alarm = Arc::new(Alarm::new());
        let workers: Vec<_> = (0..threads(options))
            .map(|number| Worker::new(&alarm, options.black_box.and_then(|black_box| black_box.record(number))))
            .collect();
        let slots = workers.iter().map(|worker| Arc::clone(&worker.slot)).collect();
        let watchdog = Watchdog::start(slots, alarm)?;
        let shared = Arc::new(Shared {
            queue: Queue::new(options.queue_max.max(1)),
            server: options.server.clone(),
            workers,
            purged_at: Mutex::new(None),
            alive: Mutex::new(0),
            ended: Condvar::new(),
        });
        let mut pool = Self { shared, threads: Vec::new(), watchdog };
        for number in 0..pool.shared.workers.len() {
            match pool.spawn(number) {
                Ok(thread) => pool.threads.push(thread),
                Err(error) => {
                    // They have had nothing to do yet.
                    let _ = pool.stop(Duration::ZERO, Duration::MAX);
                    return Err(error);
                }
            }
        }
        Ok(pool)
    }

    /// The way in.
    pub fn dispatch(&self) -> Arc<dyn Dispatch> {
        Arc::clone(&self.shared) as Arc<dyn Dispatch>
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.shared.workers.len()
    }

    /// Drops the requests that wait, and takes no others. Scripts run on.
    pub fn close(&self) {
        self.shared.queue.close();
    }

    /// Whether every thread has ended, after [`close`](Self::close).
    pub fn has_ended(&self) -> bool {
        *self.shared.lock_alive() == 0
    }

    /// Ends it: waiting requests are dropped, scripts may run for `patience`, then they are interrupted, and after
    /// `limit`, counted from now, threads that are still there are left behind.
    pub fn stop(self, patience: Duration, limit: Duration) -> Result<(), Stuck> {
        self.close();
        let started = Instant::now();
        let mut next_interrupt = patience;
        let mut alive = self.shared.lock_alive();
        while *alive > 0 {
            let elapsed = started.elapsed();
            if elapsed >= limit {
                return Err(Stuck(*alive));
            }
            if elapsed >= next_interrupt {
                self.shared.interrupt();
                next_interrupt = elapsed + INTERRUPT_INTERVAL;
            }
            let wait = next_interrupt.min(limit) - elapsed;
            alive = self.shared.ended.wait_timeout(alive, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(alive);
        for thread in self.threads {
            thread.join().expect("a panic on a PHP thread ends the process");
        }
        self.watchdog.stop();
        Ok(())
    }

    fn spawn(&self, number: usize) -> io::Result<JoinHandle<()>> {
        let shared = Arc::clone(&self.shared);
        *shared.lock_alive() += 1;
        let spawned = thread::Builder::new().name(format!("php-{number}")).stack_size(STACK_BYTES).spawn(move || {
            shared.work(number);
            shared.end();
        });
        if spawned.is_err() {
            *self.shared.lock_alive() -= 1;
        }
        spawned
    }
}

/// Both parts have room in a record, however long the other is.
const NOTED_BYTES_MAX: usize = black_box::TEXT_BYTES_MAX / 2 - 16;

/// `GET /a.php?b (/srv/a.php)`.
fn note(record: Record, job: &Job) {
    fn cut(text: &[u8], max: usize) -> &[u8] {
        &text[..text.len().min(max)]
    }
    let target = cut(job.request.target(), NOTED_BYTES_MAX);
    let root = cut(&job.script.document_root, NOTED_BYTES_MAX);
    let name = cut(&job.script.name, NOTED_BYTES_MAX - root.len());
    record.write(&[job.request.method.as_str().as_bytes(), b" ", target, b" (", root, name, b")"]);
}

fn threads(options: &PoolOptions) -> usize {
    if Info::of_libphp().zts || options.threads <= 1 {
        return options.threads.max(1);
    }
    log::warn!("this libphp is not thread-safe (ZTS): one PHP thread instead of {}", options.threads);
    1
}

impl Dispatch for Shared {
    fn submit(&self, responder: Box<Responder>) -> Result<(), Box<Responder>> {
        self.queue.push(responder).or_else(|responder| {
            self.purge();
            self.queue.push(responder)
        })
    }
}

impl Shared {
    /// A thread's life.
    fn work(&self, number: usize) {
        let worker = &self.workers[number];
        let consumer = Consumer::new();
        let mut arena = RequestArena::default();
        loop {
            worker.enter(State::Starting);
            let attachment = Attachment::new(Arc::clone(&worker.slot));
            let health = self.serve(worker, &consumer, &attachment, &mut arena);
            worker.enter(if health == Health::Healthy { State::Stopping } else { State::Unhealthy });
            drop(attachment);
            if health == Health::Healthy {
                return;
            }
            log::warn!("php-{number}: a request has left PHP in an unknown state; the thread starts anew");
        }
    }

    /// Serves requests until the queue is closed or one of them has made the thread unhealthy.
    fn serve(&self, worker: &Worker, consumer: &Consumer, attachment: &Attachment, arena: &mut RequestArena) -> Health {
        loop {
            worker.enter(State::Waiting);
            let Some(mut responder) = self.queue.pop(consumer) else { return Health::Healthy };
            if !responder.start() {
                // Nobody waits for it any more.
                continue;
            }
            worker.enter(State::Running);
            if let Some(record) = worker.record {
                note(record, responder.job());
            }
            let request = arena.request(responder.job(), &self.server);
            let health = sapi::execute(attachment, &request, responder);
            if let Some(record) = worker.record {
                record.clear();
            }
            if health == Health::Unhealthy {
                return Health::Unhealthy;
            }
        }
    }

    /// Requests whose clients have gone hold places in a full queue: takes those out, though not at every request that
    /// finds it full, since that would make an overload worse.
    fn purge(&self) {
        let now = Instant::now();
        let mut purged_at = self.purged_at.lock().unwrap_or_else(PoisonError::into_inner);
        if purged_at.is_none_or(|before| now - before >= PURGE_INTERVAL) {
            *purged_at = Some(now);
            self.queue.retain(|responder| responder.is_wanted());
        }
    }

    fn interrupt(&self) {
        for worker in &self.workers {
            if worker.is(State::Running) {
                worker.slot.fire();
            }
        }
    }

    fn end(&self) {
        *self.lock_alive() -= 1;
        self.ended.notify_all();
    }

    fn lock_alive(&self) -> MutexGuard<'_, usize> {
        // Nothing panics while it holds the lock.
        self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Worker {
    fn new(alarm: &Arc<Alarm>, record: Option<Record>) -> Self {
        let slot = Arc::new(Slot::new(Arc::clone(alarm)));
        Self { state: AtomicU8::new(State::Starting as u8), slot, record }
    }

    fn enter(&self, state: State) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    fn is(&self, state: State) -> bool {
        self.state.load(Ordering::Relaxed) == state as u8
    }
}
