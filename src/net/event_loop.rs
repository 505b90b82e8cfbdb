//! One event loop: it owns its sockets, buffers and timers, and shares nothing but what [`Shared`] holds.
//!
//! A turn is always *collect, read, think, write*: events, bells and timers only schedule connections; each scheduled
//! connection then has one turn. The number of loops is an integer in the configuration.

mod accept;
mod remote;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Poll, Token, Waker};

use self::remote::Phase;
pub use self::remote::Remote;
use super::admission::{Addresses, Place, Reserve};
use super::clock::Clock;
use super::connection::{Connection, Readiness, Turn};
use super::listener::{Entrance, Listener};
use super::log_sink::LogSink;
use super::pulse::{LoopPulse, Turns};
use super::schedule::Schedule;
use super::scratch::Scratch;
use super::spool::TemporaryFiles;
use crate::base::slab::Key;
use crate::exchange::{Bell, Dispatch, News};
use crate::http1::Http1Options;
use crate::http2::Http2Options;
use crate::service::access_log::{self, AccessLog};
use crate::service::context::{self, Context, Exchanges};
use crate::service::http::Patience;
use crate::site::disk::Disk;
use crate::site::router::Router;

const WAKER: Token = Token(usize::MAX);
const EVENTS_MAX: usize = 1024;

/// What all loops share, read-only.
pub struct Shared {
    /// Bounds and timeouts of connections.
    pub options: Options,
    /// What URLs mean.
    pub router: Router,
    /// The way to PHP.
    pub dispatch: Arc<dyn Dispatch>,
    /// Who is connected, if it is counted.
    pub addresses: Arc<Addresses>,
    /// How requests are logged, and where to.
    pub access_log: Option<(access_log::Format, Arc<LogSink>)>,
}

/// The files of one loop, which nobody else touches.
#[derive(Debug)]
pub struct Disks {
    /// The document root.
    pub root: Disk,
    /// The directories that scripts may send files of, as [`context::Options::internal_files`] has them.
    pub internal: Vec<Disk>,
}

/// Bounds and timeouts.
#[derive(Debug, Clone)]
pub struct Options {
    /// Of each connection's requests.
    pub http: context::Options,
    /// Of the HTTP/1 parser.
    pub http1: Http1Options,
    /// Of HTTP/2, if it is spoken.
    pub http2: Option<Arc<Http2Options>>,
    /// Open connections of one loop. At the limit idle ones make room; without any, new ones wait in the kernel's queue.
    pub connections_max: usize,
    /// Open connections of one address in all loops; 0 for any number.
    pub connections_per_address_max: usize,
    /// Requests of one loop that PHP may be busy with.
    pub in_flight_max: usize,
    /// How long a half-closed connection is drained.
    pub linger_timeout: Duration,
    /// Where request content is buffered.
    pub temp_dir: PathBuf,
}

/// A loop and everything that it touches.
pub struct EventLoop {
    poll: Poll,
    slots: Schedule<Slot>,
    listeners: Vec<Listener>,
    /// The index of the one whose turn it is to be accepted from.
    next_listener: usize,
    bell: Arc<Bell>,
    clock: Clock,
    scratch: Scratch,
    /// There is no file descriptor to be had before.
    accept_paused_until: Option<Instant>,
    /// There is no room and nobody to make it; not looked again before.
    crowded_until: Option<Instant>,
    reserve: Reserve,
    disk: Disk,
    internal_disks: Vec<Disk>,
    spool: TemporaryFiles,
    access_log: Option<AccessLog>,
    exchanges: Exchanges,
    shared: Arc<Shared>,
    remote: Remote,
    turns: Arc<Turns>,
    /// How many connections there are, for those who look on.
    connections: Arc<AtomicUsize>,
    draining: bool,
}

struct Slot {
    connection: Connection,
    /// Given back with the connection.
    place: Option<Place>,
}

impl EventLoop {
    /// A loop that will serve to who comes in by `entrances` from `disks`.
    pub fn new(entrances: Vec<Entrance>, disks: Disks, shared: Arc<Shared>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let remote = Remote::new(Arc::clone(&waker));
        let wake = move || {
            if let Err(error) = waker.wake() {
                log::error!("cannot wake an event loop: {error}");
            }
        };
        let bell = Arc::new(Bell::new(shared.options.in_flight_max, Box::new(wake)));
        let exchanges = Exchanges::new(Arc::clone(&shared.dispatch), Arc::clone(&bell));
        let clock = Clock::new();
        let mut event_loop = Self {
            poll,
            slots: Schedule::new(clock.now),
            listeners: Vec::new(),
            next_listener: 0,
            bell,
            clock,
            scratch: Scratch::default(),
            accept_paused_until: None,
            crowded_until: None,
            reserve: Reserve::new(),
            disk: disks.root,
            internal_disks: disks.internal,
            spool: TemporaryFiles { directory: shared.options.temp_dir.clone() },
            access_log: shared.access_log.as_ref().map(|(format, _)| AccessLog::new(*format)),
            exchanges,
            shared,
            remote,
            turns: Arc::default(),
            connections: Arc::default(),
            draining: false,
        };
        for entrance in entrances {
            event_loop.listen(entrance)?;
        }
        Ok(event_loop)
    }

    /// The way to stop this loop.
    pub fn remote(&self) -> Remote {
        self.remote.clone()
    }

    /// What tells whether this loop moves.
    pub fn pulse(&self) -> LoopPulse {
        LoopPulse::new(self.remote.waker(), Arc::clone(&self.turns))
    }

    /// How many connections this loop has, as of its last turn.
    pub fn connections(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.connections)
    }

    /// Serves until told to stop.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        // Looked at before each wait: with the last connection gone there is nothing left to wake a draining loop.
        while !(self.draining && self.slots.is_empty()) {
            self.collect(&mut events)?;
            // Of this thread alone, so that it is a plain addition.
            self.turns.store(self.turns.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            match self.remote.phase() {
                Phase::Stopping => break,
                phase if phase > Phase::Running && !self.draining => self.drain(phase == Phase::Leaving),
                _ => {}
            }
            if let Some((shared, disks)) = self.remote.take_replacement() {
                self.replace(shared, disks);
            }
            self.accept()?;
            if self.slots.round() == 0 {
                // Connections that are only refused have no turns.
                self.exchanges.hand_over();
            }
            for _ in 0..self.slots.round() {
                let is_heavy = self.turn();
                self.exchanges.tend(is_heavy);
            }
            self.connections.store(self.slots.len(), Ordering::Relaxed);
            self.hand_over_log(|log, now| log.take(now));
        }
        self.abandon_connections();
        self.hand_over_log(|log, _| log.take_all());
        Ok(())
    }

    /// Logs the requests that are cut.
    fn abandon_connections(&mut self) {
        let Some(log) = &mut self.access_log else { return };
        let keys: Vec<Key> = self.slots.keys().collect();
        for key in keys {
            if let Some(slot) = self.slots.get_mut(key) {
                slot.connection.abandon(log, self.clock.now);
            }
        }
    }

    fn hand_over_log(&mut self, take: impl Fn(&mut AccessLog, Instant) -> Option<access_log::Batch>) {
        if let (Some(log), Some((_, sink))) = (&mut self.access_log, &self.shared.access_log)
            && let Some(batch) = take(log, self.clock.now)
        {
            sink.write(batch);
        }
    }

    fn listen(&mut self, entrance: Entrance) -> io::Result<()> {
        // A listener's token names no connection: no key has this generation.
        let token = Token(usize::MAX - 1 - self.listeners.len());
        self.listeners.push(Listener::new(entrance, self.poll.registry(), token)?);
        Ok(())
    }

    /// Waits for something to happen and schedules the connections that it happens to.
    fn collect(&mut self, events: &mut Events) -> io::Result<()> {
        let timeout = if self.slots.round() > 0 || self.may_accept() || !self.bell.park() {
            Some(Duration::ZERO)
        } else {
            self.exchanges.hand_over();
            let log = self.access_log.as_ref().and_then(AccessLog::deadline);
            let disks = self.internal_disks.iter().map(Disk::deadline);
            let pauses = [self.accept_paused_until, self.crowded_until];
            let others = [self.slots.next_timeout(), self.disk.deadline(), log];
            let next = others.into_iter().chain(pauses).chain(disks).flatten().min();
            next.map(|next| next.saturating_duration_since(Instant::now()))
        };
        let polled = self.poll.poll(events, timeout);
        self.bell.unpark();
        match polled {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        self.clock.tick();
        self.disk.tick(self.clock.now);
        self.internal_disks.iter_mut().for_each(|disk| disk.tick(self.clock.now));
        for event in events.iter() {
            self.on_event(event);
        }
        while let Some(rung) = self.bell.pop().map(News::take) {
            if rung.released {
                self.exchanges.release();
            }
            if let Some(slot) = self.slots.get_mut(rung.tag.connection) {
                slot.connection.ring(rung.tag.stream, rung.released);
                self.slots.schedule(rung.tag.connection);
            }
        }
        self.slots.expire(self.clock.now, |slot| slot.connection.deadline());
        for pause in [&mut self.accept_paused_until, &mut self.crowded_until] {
            *pause = pause.filter(|until| *until > self.clock.now);
        }
        Ok(())
    }

    fn on_event(&mut self, event: &Event) {
        let Token(bits) = event.token();
        if event.token() == WAKER {
            return; // the bell or the phase tells what it is about
        }
        if let Some(listener) = self.listeners.get_mut(usize::MAX - 1 - bits) {
            listener.ready = true;
            return;
        }
        let key = Key::from_bits(bits);
        let Some(slot) = self.slots.get_mut(key) else { return };
        let ready = Readiness {
            readable: event.is_readable(),
            writable: event.is_writable(),
            closed: event.is_read_closed(),
            broken: event.is_error(),
        };
        if slot.connection.on_ready(ready) {
            self.slots.schedule(key);
        }
    }

    /// Gives the connection that has waited for longest its turn. Whether that has used up a budget.
    fn turn(&mut self) -> bool {
        let Self { slots, clock, scratch, disk, internal_disks, spool, exchanges, access_log, shared, .. } = self;
        let Some((key, slot)) = slots.next_turn() else { return false };
        let mut context = Context {
            now: clock.now,
            wall: clock.wall,
            date: &clock.date,
            options: &shared.options.http,
            router: &shared.router,
            files: disk,
            spool,
            internal: internal_disks,
            exchanges,
            access_log: access_log.as_mut(),
        };
        let turn = slot.connection.turn(scratch, shared.options.linger_timeout, &mut context);
        let closed = slots.after_turn(key, turn);
        if let (Some(mut slot), Some(log)) = (closed, access_log) {
            slot.connection.abandon(log, clock.now);
        } else if let Turn::Announced(client) = turn {
            self.admit_announced(key, client);
        }
        matches!(turn, Turn::Again)
    }

    fn replace(&mut self, shared: Arc<Shared>, disks: Disks) {
        self.spool.directory.clone_from(&shared.options.temp_dir);
        self.shared = shared;
        self.disk = disks.root;
        self.internal_disks = disks.internal;
    }

    fn drain(&mut self, is_replaced: bool) {
        self.draining = true;
        // Taking what waits may take a while.
        self.exchanges.hand_over();
        // The kernel resets what still waits when the last listener of an address closes.
        self.accept_waiting();
        self.listeners.clear();
        let patience = Patience { until: self.clock.now + self.shared.options.linger_timeout, for_idle: is_replaced };
        let keys: Vec<Key> = self.slots.keys().collect();
        for key in keys {
            if let Some(slot) = self.slots.get_mut(key) {
                slot.connection.drain(patience);
            }
            self.slots.schedule(key);
        }
    }
}

#[cfg(test)]
mod tests;
