//! The threads that run scripts, fed by a queue, or by several where some of the threads are kept for some of the URLs.
//!
//! Their number is fixed. A thread's job never changes: it takes requests until the queue is closed. When a request
//! leaves its part of PHP in an unknown state, or it has served as many as it may, the thread detaches and attaches
//! again, which gives it a new one. A thread that does not come back from a request is replaced.

mod options;
mod worker;

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use self::options::{NamedPool, PoolOptions};
use super::alarm::Alarm;
use super::errands::Errands;
use super::info::Info;
use super::line::Line;
use super::opcache::Opcache;
use super::recycling::Recycling;
use super::runtime::Php;
use super::scoreboard::{Counters, OpcacheStatus, Scoreboard, Snapshot};
use super::seats::Seats;
use super::slot::{Event, Slot, Watch};
use super::watchdog::Watchdog;
use crate::base::black_box::BlackBox;
use crate::exchange::{Dispatch, Responder};
use crate::site::server_vars::ServerOptions;

/// Between two interrupts of a thread at the end: its shutdown functions get so long.
const INTERRUPT_INTERVAL: Duration = Duration::from_millis(500);

/// PHP threads at work. Requests come through [`dispatch`](Self::dispatch).
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    watchdog: Watchdog,
}

/// So many threads have not come back: PHP must not be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stuck(pub usize);

#[derive(Debug)]
struct Shared {
    /// The first is for what is not for one of the others.
    lines: Vec<Line>,
    server: ServerOptions,
    stack_bytes: usize,
    seats: Seats,
    watch: Arc<Watch>,
    recycling: Recycling,
    opcache: Opcache,
    errands: Errands,
    black_box: Option<BlackBox>,
    threads: Mutex<Threads>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Threads {
    /// How many have not ended.
    alive: usize,
    handles: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Starts the threads. They run until [`stop`](Self::stop).
    pub fn start(php: &Php, options: &PoolOptions) -> io::Result<Self> {
        let info = php.info();
        if !info.limits_time {
            log::warn!("linked without php-sys's arguments: PHP's own timers limit the time of scripts");
        }
        let alarm = Arc::new(Alarm::new());
        let watch = Arc::new(Watch {
            request_timeout: options.request_timeout,
            lost_after: options.lost_after,
            slow: options.slow.clone(),
            counters: Counters::default(),
        });
        let (lines, count) = options.lines();
        let shared = Arc::new(Shared {
            lines,
            server: options.server.clone(),
            stack_bytes: options.stack_bytes,
            seats: Seats::new(count, Arc::clone(&watch), Arc::clone(&alarm)),
            watch,
            // Without thread safety there is nothing to leave.
            recycling: Recycling::new(if info.zts { options.max_requests } else { 0 }),
            opcache: Opcache::new(count),
            errands: Errands::default(),
            black_box: options.black_box,
            threads: Mutex::default(),
            ended: Condvar::new(),
        });
        // Not for longer than there are threads: requests that wait go with the queue.
        let same = Arc::downgrade(&shared);
        let watchdog = Watchdog::start(alarm, move |now| same.upgrade()?.turn(now))?;
        let pool = Self { shared, watchdog };
        for number in 0..pool.threads() {
            if let Err(error) = pool.shared.spawn(pool.shared.seats.get(number)) {
                // They have had nothing to do yet.
                let _ = pool.stop(Duration::ZERO, Duration::MAX);
                return Err(error);
            }
        }
        Ok(pool)
    }

    /// The way in.
    pub fn dispatch(&self) -> Arc<dyn Dispatch> {
        Arc::clone(&self.shared) as Arc<dyn Dispatch>
    }

    /// The way to see what the threads are at.
    pub fn scoreboard(&self) -> Arc<dyn Scoreboard> {
        Arc::clone(&self.shared) as Arc<dyn Scoreboard>
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.shared.seats.len()
    }

    /// Drops the requests that wait, and takes no others. Scripts run on.
    pub fn close(&self) {
        self.shared.lines.iter().for_each(Line::close);
    }

    /// Whether every thread has ended, after [`close`](Self::close).
    pub fn has_ended(&self) -> bool {
        self.shared.lock_threads().alive == 0
    }

    /// Ends it: waiting requests are dropped, scripts may run for `patience`, then they are interrupted, and after
    /// `limit`, counted from now, threads that are still there are left behind.
    pub fn stop(self, patience: Duration, limit: Duration) -> Result<(), Stuck> {
        self.close();
        let started = Instant::now();
        let mut next_interrupt = patience;
        let mut threads = self.shared.lock_threads();
        while threads.alive > 0 {
            let elapsed = started.elapsed();
            if elapsed >= limit {
                return Err(Stuck(threads.alive));
            }
            if elapsed >= next_interrupt {
                self.shared.seats.interrupt();
                next_interrupt = elapsed + INTERRUPT_INTERVAL;
            }
            let wait = next_interrupt.min(limit) - elapsed;
            threads = self.shared.ended.wait_timeout(threads, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        let handles = std::mem::take(&mut threads.handles);
        drop(threads);
        for thread in handles {
            thread.join().expect("a panic on a PHP thread ends the process");
        }
        self.watchdog.stop();
        Ok(())
    }
}

impl Dispatch for Shared {
    fn submit(&self, responder: Box<Responder>) -> Result<(), Box<Responder>> {
        let line = self.lines.get(responder.job().pool).unwrap_or(&self.lines[0]);
        line.push(responder)
    }

    fn tend(&self) -> bool {
        // All of them, so not `any`.
        self.lines.iter().filter(|line| line.tend()).count() > 0
    }

    fn hand_over(&self) {
        self.lines.iter().for_each(Line::hand_over);
    }
}

impl Scoreboard for Shared {
    fn snapshot(&self) -> Snapshot {
        let (threads, lost) = self.seats.statuses(Instant::now());
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let pools = self.lines.iter().map(|line| line.status(since_1970)).collect();
        let requests = threads.iter().map(|thread| thread.requests).sum();
        let generation = self.recycling.generation();
        let restarting = threads.iter().filter(|thread| thread.generation != generation).count();
        let totals = self.watch.counters.totals(requests, self.opcache.restarts());
        Snapshot { threads, lost, pools, restarting, totals }
    }

    fn opcache(&self, patience: Duration) -> Option<(OpcacheStatus, Duration)> {
        self.errands.ask(|| self.rouse(), patience)
    }

    fn restart(&self) -> usize {
        self.errands.want_reset();
        // Without thread safety there is nothing to leave.
        let count = if Info::of_libphp().zts { self.seats.len() } else { 0 };
        if count > 0 {
            self.recycling.ask_all();
        }
        log::info!("PHP's threads start anew, one after another, and OPcache is emptied");
        self.rouse();
        count
    }
}

impl Shared {
    /// The queue that a thread serves.
    fn line_of(&self, slot: &Slot) -> &Line {
        self.lines.iter().find(|line| line.is_of(slot.number())).expect("each thread is of one of them")
    }

    fn rouse(&self) {
        self.lines.iter().for_each(Line::rouse);
    }

    /// The watchdog's turn; says when the next one is due.
    fn turn(self: &Arc<Self>, now: Instant) -> Option<Instant> {
        let (events, next) = self.seats.turn(now);
        for (slot, event) in events {
            match event {
                Event::Expired(what) => {
                    Counters::add(&self.watch.counters.timeouts);
                    log::warn!("{what}: it has taken longer than php.request_timeout allows");
                }
                Event::Lost(what) => self.replace(&slot, &what, now),
            }
        }
        next
    }

    /// A thread has not come back: another one takes its place, unless too many of its pool are lost already. `what` is
    /// the thread and its request, in words.
    fn replace(self: &Arc<Self>, slot: &Arc<Slot>, what: &str, now: Instant) {
        Counters::add(&self.watch.counters.lost);
        let line = self.line_of(slot);
        let lost = self.seats.lost(|number| line.is_of(number));
        if !Info::of_libphp().zts {
            return log::error!("{what}: it cannot be ended; restart the server");
        }
        if lost >= line.threads() {
            return log::error!(
                "{what}: it cannot be ended, and {lost} threads are lost already, so that this one is not replaced; \
                 restart the server"
            );
        }
        log::error!("{what}: it cannot be ended; another thread takes its place");
        let Some(new) = self.seats.replace(slot, now) else { return };
        if let Err(error) = self.spawn(new) {
            let is_back = if self.seats.restore(slot) { "" } else { ", and the old one has ended" };
            log::error!("php-{}: cannot start another thread{is_back}: {error}", slot.number());
        }
    }

    fn spawn(self: &Arc<Self>, slot: Arc<Slot>) -> io::Result<()> {
        let shared = Arc::clone(self);
        let mut threads = self.lock_threads();
        let thread = thread::Builder::new().name(format!("php-{}", slot.number())).stack_size(self.stack_bytes);
        let thread = thread.spawn(move || {
            shared.work(&slot);
            shared.end();
        })?;
        threads.alive += 1;
        threads.handles.retain(|handle| !handle.is_finished());
        threads.handles.push(thread);
        Ok(())
    }

    fn end(&self) {
        self.lock_threads().alive -= 1;
        self.ended.notify_all();
    }

    fn lock_threads(&self) -> MutexGuard<'_, Threads> {
        // Nothing panics while it holds the lock.
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
