//! The threads that run scripts, fed by a queue, or by several where some of the threads are kept for some of the URLs.
//!
//! Their number is fixed. A thread's job never changes: it takes requests until the queue is closed. When a request
//! leaves its part of PHP in an unknown state, or it has served as many as it may, the thread detaches and attaches
//! again, which gives it a new one. A thread that does not come back from a request is replaced.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::alarm::Alarm;
use super::attachment::Attachment;
use super::crash_note::note;
use super::errands::Errands;
use super::info::Info;
use super::line::Line;
use super::opcache::Opcache;
use super::recycling::{Life, Recycling};
use super::request::RequestArena;
use super::runtime::Php;
use super::sapi::{self, Health};
use super::scoreboard::{Counters, OpcacheStatus, Scoreboard, Snapshot, ThreadState, Told};
use super::seats::Seats;
use super::slot::{Event, Slot, Watch};
use super::slow::SlowSink;
use super::watchdog::Watchdog;
use crate::base::black_box::{BlackBox, Record};
use crate::base::limits;
use crate::base::queue::{Consumer, Popped};
use crate::exchange::{Dispatch, Responder};
use crate::site::server_vars::ServerOptions;

/// Between two interrupts of a thread at the end: its shutdown functions get so long.
const INTERRUPT_INTERVAL: Duration = Duration::from_millis(500);

/// How a pool is to be.
#[derive(Debug, Clone)]
pub struct PoolOptions {
    /// How many threads, at least 1. A libphp without thread safety has one in any case.
    pub threads: usize,
    /// How many requests may wait for a thread.
    pub queue_max: usize,
    /// Threads besides those, each group for its own requests: [`Job::pool`](crate::exchange::Job::pool) is 1 for the
    /// first. A libphp without thread safety has none.
    pub named: Vec<NamedPool>,
    /// What `$_SERVER` says of the server.
    pub server: ServerOptions,
    /// The stack of a thread, in bytes. Only what is used takes memory. PHP's own limit
    /// (`zend.max_allowed_stack_size`) must leave room below it for code that does not look.
    pub stack_bytes: usize,
    /// How long a request may take once PHP has begun it.
    pub request_timeout: Option<Duration>,
    /// How long after that a thread that has not come back is replaced. At most as many of a pool are at a time as it
    /// has threads.
    pub lost_after: Duration,
    /// After how long a request is slow, and where to tell.
    pub slow: Option<(Duration, Arc<dyn SlowSink>)>,
    /// After how many requests a thread leaves PHP and joins it anew; 0 means never.
    pub max_requests: u64,
    /// Where each thread notes what it runs, for whoever looks after a crash: records for twice as many, since as many may
    /// be lost.
    pub black_box: Option<BlackBox>,
}

/// Some of the threads, with a queue of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPool {
    /// What the status calls it.
    pub name: String,
    /// How many threads, at least 1.
    pub threads: usize,
    /// How many requests may wait for one of them.
    pub queue_max: usize,
}

/// What the status calls the threads that serve what no named pool does.
const DEFAULT_NAME: &str = "default";

impl Default for PoolOptions {
    /// One thread, and no limits.
    fn default() -> Self {
        Self {
            threads: 1,
            queue_max: limits::QUEUE_MAX,
            named: Vec::new(),
            server: ServerOptions::default(),
            stack_bytes: limits::THREAD_STACK,
            request_timeout: None,
            lost_after: limits::LOST_AFTER,
            slow: None,
            max_requests: 0,
            black_box: None,
        }
    }
}

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

/// Why a thread leaves PHP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leave {
    /// There is no more to do.
    Closed,
    /// Its part of PHP is in an unknown state.
    Unhealthy,
    /// It has served as many requests as it may, or all threads were asked to.
    Recycled,
    /// It was replaced.
    Lost,
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
        let (lines, count) = lines(options);
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

/// The queues, and how many threads they have together.
fn lines(options: &PoolOptions) -> (Vec<Line>, usize) {
    let (mut lines, mut count) = (Vec::new(), 0);
    let mut add = |name: &str, threads: usize, queue_max| {
        let first = count;
        count += threads.max(1);
        lines.push(Line::new(name, first..count, queue_max));
    };
    if Info::of_libphp().zts {
        add(DEFAULT_NAME, options.threads, options.queue_max);
        options.named.iter().for_each(|pool| add(&pool.name, pool.threads, pool.queue_max));
    } else {
        add(DEFAULT_NAME, 1, options.queue_max);
        let wanted = options.threads + options.named.iter().map(|pool| pool.threads).sum::<usize>();
        if wanted > 1 {
            log::warn!("this libphp is not thread-safe (ZTS): one PHP thread instead of {wanted}");
        }
    }
    (lines, count)
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
    /// A thread's life.
    fn work(&self, slot: &Arc<Slot>) {
        let consumer = Consumer::new();
        let mut arena = RequestArena::default();
        let seat = self.opcache.sit_down(slot);
        let mut leave = None;
        for turn in 0.. {
            let life = self.recycling.live(slot.number(), turn);
            slot.join(Instant::now(), life.generation);
            let attachment = Attachment::new(Arc::clone(slot));
            slot.enter(Instant::now(), ThreadState::Waiting);
            if leave == Some(Leave::Recycled) {
                self.recycling.done();
                self.rouse_next();
            }
            let why = self.serve(slot, seat, life, &consumer, &attachment, &mut arena);
            let ends = matches!(why, Leave::Closed | Leave::Lost);
            slot.enter(Instant::now(), if ends { ThreadState::Stopping } else { ThreadState::Restarting });
            drop(attachment);
            self.opcache.abandon(seat);
            if ends {
                self.opcache.get_up(seat);
            }
            self.account(why, slot);
            if ends {
                return;
            }
            leave = Some(why);
        }
    }

    /// Serves requests until there is a reason to leave PHP. The thread may not have left OPcache then: what it detaches
    /// from may still point there.
    fn serve(
        &self,
        slot: &Slot,
        seat: usize,
        life: Life,
        consumer: &Consumer,
        attachment: &Attachment,
        arena: &mut RequestArena,
    ) -> Leave {
        let line = self.line_of(slot);
        let record = self.black_box.and_then(|black_box| black_box.record(seat));
        let mut served = 0;
        loop {
            if self.recycling.begin(life, served, line.is_empty()) {
                return Leave::Recycled;
            }
            let mut responder = match line.pop(consumer) {
                Popped::Item(responder) => responder,
                Popped::Roused => {
                    self.run_errands(seat, attachment);
                    continue;
                }
                Popped::Closed => return Leave::Closed,
            };
            self.opcache.enter(seat, attachment);
            if !responder.start() {
                // Nobody waits for it any more.
                self.opcache.leave(seat, attachment);
                continue;
            }
            let told = told(&responder);
            record.into_iter().for_each(|record| note(record, &told));
            slot.begin(Instant::now(), &told, || responder.expiry());
            let request = arena.request(responder.job(), &self.server);
            let health = sapi::execute(attachment, &request, responder, || self.opcache.announce(attachment));
            served += 1;
            // That of a thread which was given up is its own, too, as its seat is.
            record.into_iter().for_each(Record::clear);
            if !slot.end(Instant::now(), attachment.memory()) {
                return Leave::Lost;
            }
            if health == Health::Unhealthy {
                return Leave::Unhealthy;
            }
            self.opcache.leave(seat, attachment);
        }
    }

    /// Does what somebody has roused the threads for, if no other has.
    fn run_errands(&self, seat: usize, attachment: &Attachment) {
        if self.errands.take_reset() {
            self.opcache.reset(seat, attachment);
        }
        if self.errands.take_status() {
            let status = self.opcache.ask(seat, attachment);
            self.errands.answer(Instant::now(), status);
        }
    }

    /// The queue that a thread serves.
    fn line_of(&self, slot: &Slot) -> &Line {
        self.lines.iter().find(|line| line.is_of(slot.number())).expect("each thread is of one of them")
    }

    fn rouse(&self) {
        self.lines.iter().for_each(Line::rouse);
    }

    /// A thread is back: those that were asked to start anew as well may sleep.
    fn rouse_next(&self) {
        if self.seats.any(|slot| slot.generation() != self.recycling.generation()) {
            self.rouse();
        }
    }

    fn account(&self, leave: Leave, slot: &Arc<Slot>) {
        let number = slot.number();
        match leave {
            Leave::Closed => {}
            Leave::Unhealthy => {
                Counters::add(&self.watch.counters.unhealthy);
                log::warn!("php-{number}: a request has left PHP in an unknown state; the thread starts anew");
            }
            Leave::Recycled => {
                Counters::add(&self.watch.counters.recycled);
                log::debug!("php-{number}: the thread starts anew");
            }
            Leave::Lost => {
                self.seats.forget(slot);
                log::info!("php-{number}: a thread that was given up has come back, and ends");
            }
        }
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

fn told(responder: &Responder) -> Told<'_> {
    let job = responder.job();
    let script = [&*job.script.document_root, &*job.script.name];
    Told { method: job.request.method.as_str(), uri: job.request.target(), script }
}
