//! The world: connections of one event loop, clients, PHP and a clock that jumps.
//!
//! One actor at a time takes a step: the loop (all that a turn of the real one does, with the real connections, bell and
//! schedule), a PHP worker or a client. Time passes only when nobody has anything to do; before it does, every connection is
//! asked whether it really had nothing to do, and the queue whether somebody comes for what waits in it, so that a lost
//! wake-up does not hide behind a timeout.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ephpm::base::limits::{self, HEAD_BYTES_MAX, READ_BUDGET, RESPONSE_BUFFER_HIGH, SEND_QUEUE_HIGH};
use ephpm::base::slab::Key;
use ephpm::exchange::{Bell, Dispatch, News};
use ephpm::http1::Http1Options;
use ephpm::net::connection::{Connection, Turn};
use ephpm::net::schedule::Schedule;
use ephpm::net::scratch::Scratch;
use ephpm::protocol::Protocol;
use ephpm::service::content::CollectorOptions;
use ephpm::service::context::{Exchanges, Options};
use ephpm::service::http::Patience;

use super::client::Client;
use super::http2_client::Http2Client;
use super::peer::Peer;
use super::php::SimPhp;
use super::plan::{CONTENT_MAX, Plan};
use super::random::Random;
use super::socket::{SimSocket, Wire};
use super::surroundings::{LARGE, Surroundings, connect, no_end_of_files};

/// An encoder's window: what it cannot shorten may all come out at once.
const ENCODER_HOLDS: u64 = 256 * 1024;
/// A simulation that does not end by itself after so many steps never will.
const STEPS_MAX: usize = 3_000_000;

pub(crate) struct World {
    random: Rc<RefCell<Random>>,
    around: Surroundings,
    php: SimPhp,
    clients: Vec<Peer>,
    slots: Schedule<Slot>,
    bell: Arc<Bell>,
    /// The bell has woken the loop.
    woken: Arc<AtomicBool>,
    /// The loop waits in its poll.
    parked: bool,
    /// The server will be told to stop, and has been.
    drains: bool,
    drained: bool,
    tells: bool,
}

struct Slot {
    connection: Connection<SimSocket>,
    wire: Rc<RefCell<Wire>>,
}

#[derive(Debug, Clone, Copy)]
enum Actor {
    Loop,
    Worker(usize),
    Client(usize),
}

impl World {
    /// A world with clients that `random` plans.
    pub(crate) fn new(random: Random) -> Self {
        let mut world = Self::empty(random);
        let mut ids = 0;
        let random = Rc::clone(&world.random);
        let mut random = random.borrow_mut();
        for _ in 0..random.pick(&[1, 1, 2, 4]) {
            let starts_at = world.around.start + Duration::from_millis(random.pick(&[0, 0, 500, 30_000]));
            world.clients.push(if random.one_in(3) {
                Peer::Http2(Box::new(Http2Client::new(&mut random, &mut ids, starts_at)))
            } else {
                let plan = Plan::new(&mut random, &mut ids);
                Peer::Http1(Box::new(Client::new(plan, starts_at, &mut random)))
            });
        }
        world
    }

    /// A world with one client, which sends these bytes.
    pub(crate) fn of_plan(random: Random, plan: impl FnOnce(&mut Random) -> Plan) -> Self {
        let mut world = Self::empty(random);
        let random = Rc::clone(&world.random);
        let mut random = random.borrow_mut();
        let plan = plan(&mut random);
        let client = Client::new(plan, world.around.start, &mut random);
        world.clients.push(Peer::Http1(Box::new(client)));
        world.php.believes = false;
        world
    }

    fn empty(mut random: Random) -> Self {
        let woken = Arc::new(AtomicBool::new(false));
        let wake = Arc::clone(&woken);
        let bell =
            Arc::new(Bell::new(random.pick(&[1, 2, 4, 64]), Box::new(move || wake.store(true, Ordering::SeqCst))));
        let spills = random.one_in(2);
        let php = SimPhp::new(&mut random, spills);
        let dispatch: Arc<dyn Dispatch> = php.queue.clone();
        let content = CollectorOptions {
            bytes_max: CONTENT_MAX,
            memory_max: random.pick(&[2_000, 50_000]),
            ..CollectorOptions::default()
        };
        let spill = spills.then(|| Arc::new(no_end_of_files()));
        let options = Options { content, spill, ..Options::default() };
        let mut around = Surroundings::new(options, Exchanges::new(dispatch, Arc::clone(&bell)));
        around.spool.is_full = random.one_in(10);
        around.scratch = Scratch::new(random.pick(&[1_000, 4_096, READ_BUDGET]));
        Self {
            slots: Schedule::new(around.start),
            around,
            php,
            clients: Vec::new(),
            bell,
            woken,
            parked: false,
            drains: random.one_in(10),
            drained: false,
            tells: false,
            random: Rc::new(RefCell::new(random)),
        }
    }

    /// Tells what every client plans and gets.
    pub(crate) fn tell(mut self) -> Self {
        self.tells = true;
        self
    }

    /// Runs until everything is over, and checks everything.
    pub(crate) fn run(mut self) {
        for steps in 0.. {
            assert!(steps < STEPS_MAX, "it does not end");
            let actors = self.actors();
            if actors.is_empty() {
                self.check_idle();
                if !self.pass_time() {
                    break;
                }
                continue;
            }
            let actor = self.random.borrow_mut().pick(&actors);
            if self.tells {
                println!("{:?} {actor:?}", self.around.now - self.around.start);
            }
            match actor {
                Actor::Loop => self.turn_loop(),
                Actor::Worker(index) => self.php.step(index, &mut self.random.borrow_mut(), self.around.now),
                Actor::Client(index) => self.step_client(index),
            }
            if self.drains && !self.drained && self.random.borrow_mut().one_in(100) {
                self.drain();
            }
            self.check_limits();
        }
        self.check_end();
    }

    fn actors(&self) -> Vec<Actor> {
        let mut actors = Vec::with_capacity(8);
        if self.loop_may_run() {
            actors.push(Actor::Loop);
        }
        let workers = 0..self.php.workers.len();
        actors.extend(workers.filter(|index| self.php.can_step(*index, self.around.now)).map(Actor::Worker));
        let clients = self.clients.iter().enumerate().filter(|(_, client)| client.can_act(self.around.now));
        actors.extend(clients.map(|(index, _)| Actor::Client(index)));
        actors
    }

    fn loop_may_run(&self) -> bool {
        !self.parked
            || self.woken.load(Ordering::SeqCst)
            || self.clients.iter().any(|client| client.wire().is_some_and(|wire| wire.borrow().has_edge()))
            || self.slots.next_timeout().is_some_and(|next| next <= self.around.now)
    }

    fn step_client(&mut self, index: usize) {
        if self.clients[index].wire().is_some() {
            return self.clients[index].step(&mut self.random.borrow_mut(), self.around.now);
        }
        if self.drained {
            return self.clients[index].stay_away();
        }
        let wire = Rc::new(RefCell::new(Wire::new(Rc::clone(&self.random), self.around.now)));
        self.clients[index].connect(Rc::clone(&wire));
        let protocol = match &self.clients[index] {
            Peer::Http1(_) => Protocol::http1(Http1Options::default()),
            Peer::Http2(_) => Protocol::either(Http1Options::default(), Arc::default()),
        };
        let key = self.slots.insert_with(|key| {
            let connection = connect(SimSocket(Rc::clone(&wire)), key, protocol);
            Slot { connection, wire }
        });
        self.slots.schedule(key);
        self.parked = false;
    }

    /// What `EventLoop` does between two polls.
    fn turn_loop(&mut self) {
        self.bell.unpark();
        self.woken.store(false, Ordering::SeqCst);
        let keys: Vec<Key> = self.slots.keys().collect();
        for key in keys {
            let slot = self.slots.get_mut(key).unwrap();
            // A poll may report some events and leave others for the next.
            let readiness = if slot.wire.borrow().has_edge() && !self.random.borrow_mut().one_in(8) {
                slot.wire.borrow_mut().take_edge()
            } else {
                None
            };
            if readiness.is_some_and(|readiness| slot.connection.on_ready(readiness)) {
                self.slots.schedule(key);
            }
        }
        while let Some(rung) = self.bell.pop().map(News::take) {
            if rung.released {
                self.around.exchanges.release();
            }
            if let Some(slot) = self.slots.get_mut(rung.tag.connection) {
                slot.connection.ring(rung.tag.stream, rung.released);
            }
            self.slots.schedule(rung.tag.connection);
        }
        self.slots.expire(self.around.now, |slot| slot.connection.deadline());
        if self.slots.round() == 0 {
            self.around.exchanges.hand_over();
        }
        for _ in 0..self.slots.round() {
            // Turns count for more than they are, or the few connections of this world would never make as many as it takes.
            let is_heavy = self.turn() | self.random.borrow_mut().one_in(2);
            self.around.exchanges.tend(is_heavy);
        }
        self.parked = self.slots.round() == 0 && self.bell.park();
        if self.parked {
            self.around.exchanges.hand_over();
        }
    }

    /// Gives one connection its turn. Whether that has used up a budget.
    fn turn(&mut self) -> bool {
        let Some((key, slot)) = self.slots.next_turn() else { return false };
        let turn = self.around.turn(&mut slot.connection);
        if self.tells {
            println!("{:?} {key:?} {turn:?} with {:?}", self.around.now - self.around.start, slot.connection.backlog());
        }
        if let Some(mut slot) = self.slots.after_turn(key, turn) {
            self.around.abandon(&mut slot.connection);
        }
        matches!(turn, Turn::Again)
    }

    fn drain(&mut self) {
        self.drained = true;
        self.around.exchanges.hand_over();
        let keys: Vec<Key> = self.slots.keys().collect();
        // Now and then another process takes over.
        let patience = Patience { until: self.around.now + limits::LINGER_TIMEOUT, for_idle: keys.len() % 2 == 1 };
        for key in keys {
            self.slots.get_mut(key).unwrap().connection.drain(patience);
            self.slots.schedule(key);
        }
        self.parked = false;
    }

    /// Lets time pass until somebody has something to do; false when nobody ever will.
    fn pass_time(&mut self) -> bool {
        let clients = self.clients.iter().filter_map(|client| client.next_wake(self.around.now));
        let next = clients.chain(self.slots.next_timeout()).chain(self.php.next_wake(self.around.now)).min();
        let Some(next) = next else { return false };
        // A busy machine comes too late.
        let late = if self.random.borrow_mut().one_in(8) { Duration::from_millis(70) } else { Duration::ZERO };
        self.around.now = self.around.now.max(next) + late;
        for wire in self.clients.iter().filter_map(Peer::wire) {
            wire.borrow_mut().now = self.around.now;
        }
        true
    }

    /// A connection that waits has nothing to do: a turn, with all that is true of its socket, changes nothing. Nor does a
    /// request wait for a worker that sleeps.
    fn check_idle(&mut self) {
        assert!(!self.php.queue.is_forgotten(), "requests wait, and nobody was called");
        let keys: Vec<Key> = self.slots.keys().collect();
        for key in keys {
            let in_flight = self.around.exchanges.in_flight();
            let slot = self.slots.get_mut(key).unwrap();
            if slot.connection.deadline().is_some_and(|deadline| deadline <= self.around.now) {
                continue; // the wheel will come to it
            }
            let readiness = slot.wire.borrow().readiness();
            slot.connection.on_ready(readiness);
            let before = (slot.connection.backlog(), slot.wire.borrow().moved);
            let turn = self.around.turn(&mut slot.connection);
            let after = (slot.connection.backlog(), slot.wire.borrow().moved);
            assert!(matches!(turn, Turn::Wait(_)), "{turn:?}, though nothing had happened");
            assert_eq!(before, after, "a wake-up was lost");
            assert_eq!(in_flight, self.around.exchanges.in_flight(), "a request lay about");
        }
    }

    fn check_limits(&mut self) {
        assert!(self.around.exchanges.in_flight() <= self.bell.capacity());
        assert!(self.php.alive() <= self.around.exchanges.in_flight(), "an exchange outlives its permit");
        let keys: Vec<Key> = self.slots.keys().collect();
        for key in keys {
            let (inbox, out) = self.slots.get_mut(key).unwrap().connection.backlog();
            assert!(inbox <= HEAD_BYTES_MAX + READ_BUDGET, "{inbox} bytes are in the inbox");
            // One piece beyond the mark, with its head: a block of output, or all the small ones that waited, with what
            // an encoder had held back; or a file, which takes no memory.
            let most = SEND_QUEUE_HIGH + (RESPONSE_BUFFER_HIGH as u64 + ENCODER_HOLDS).max(LARGE) + 4_096;
            assert!(out <= most, "{out} bytes are to be sent");
        }
    }

    fn check_end(&self) {
        if self.tells {
            println!("PHP: {:#?}\ndrained: {}\n{:#?}", self.php.records, self.drained, self.clients);
        }
        assert!(self.slots.is_empty(), "{} connections have no end", self.slots.len());
        assert_eq!((self.around.exchanges.in_flight(), self.php.alive()), (0, 0), "permits are left");
        if let Some(spill) = &self.around.options.spill {
            assert_eq!(spill.held.bytes_and_files(), (0, 0), "files are left");
        }
        let logged = self.around.logged;
        assert!(logged >= self.php.records.len(), "only {logged} requests were logged");
        for client in &self.clients {
            assert!(client.is_over() || client.wire().is_some_and(|wire| wire.borrow().dropped.is_some()));
            client.verify(&self.php, self.around.spool.has_failed, self.drained);
        }
        let longest = limits::KEEP_ALIVE_TIMEOUT * 60 * 12;
        assert!(self.around.now - self.around.start < longest, "it took {:?}", self.around.now - self.around.start);
    }
}
