//! A client of HTTP/2: opens streams side by side, uploads within the server's windows, gives windows of its own or
//! none, resets what it has asked for, pings, changes its mind about its settings, and may stop in the middle of a
//! frame. In the end it says whether it got what it was owed.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Instant;

use ephpm::base::limits::{KEEP_ALIVE_TIMEOUT, WRITE_TIMEOUT};

use super::frames::{self, END_STREAM, NO_ERROR, Received, data, frame, hello, reset, window_update};
use super::http2_plan::{Fault, Habits, Request};
use super::php::{SimPhp, pattern};
use super::random::Random;
use super::socket::Wire;

/// RFC 9113 §6.5.2.
const INITIAL_WINDOW_SIZE: u16 = 4;
const DEFAULT_WINDOW: u64 = 65_535;

pub(crate) struct Http2Client {
    pub(crate) wire: Option<Rc<RefCell<Wire>>>,
    pub(crate) is_over: bool,
    requests: Vec<Request>,
    habits: Habits,
    received: Received,
    /// Bytes of frames that the kernel has not taken yet.
    outbox: Vec<u8>,
    has_greeted: bool,
    sent: usize,
    read: usize,
    /// Content that has been read and for which no window has been given back, of the connection.
    unreturned: u64,
    write_at: Instant,
    read_at: Instant,
    has_closed: bool,
    has_reset: bool,
    /// It was answered in HTTP/1.
    is_refused: bool,
}

impl Http2Client {
    pub(crate) fn new(random: &mut Random, ids: &mut u64, starts_at: Instant) -> Self {
        let count = random.pick(&[1, 2, 4, 8, 20]);
        let requests: Vec<Request> = (0..count).map(|n| Request::new(random, ids, 1 + 2 * n)).collect();
        Self {
            wire: None,
            is_over: false,
            requests,
            habits: Habits::new(random),
            received: Received::default(),
            outbox: Vec::new(),
            has_greeted: false,
            sent: 0,
            read: 0,
            unreturned: 0,
            write_at: starts_at,
            read_at: starts_at,
            has_closed: false,
            has_reset: false,
            is_refused: false,
        }
    }

    pub(crate) fn can_act(&self, now: Instant) -> bool {
        !self.is_over && (self.wire.is_none() && self.write_at <= now || self.can_read(now) || self.can_write(now))
    }

    pub(crate) fn next_wake(&self, now: Instant) -> Option<Instant> {
        [self.write_at, self.read_at].into_iter().filter(|at| *at > now && !self.is_over).min()
    }

    pub(crate) fn step(&mut self, random: &mut Random, now: Instant) {
        let reads = self.can_read(now) && (!self.can_write(now) || random.one_in(2));
        if reads { self.read(random, now) } else { self.write(random, now) }
    }

    fn can_read(&self, now: Instant) -> bool {
        let refuses = matches!(self.habits.fault, Fault::NeverReads(max) if self.read >= max);
        self.wire.as_ref().is_some_and(|wire| {
            let wire = wire.borrow();
            self.read_at <= now && wire.client_can_read() && (!refuses || wire.dropped.is_some())
        })
    }

    fn can_write(&self, now: Instant) -> bool {
        let can_send = || self.wire.as_ref().is_some_and(|wire| wire.borrow().client_can_send());
        self.write_at <= now && !self.has_closed && self.wants_to_write() && can_send()
    }

    fn wants_to_write(&self) -> bool {
        match self.habits.fault {
            Fault::Stops(at) if self.sent >= at => return false,
            Fault::Closes(at) | Fault::Resets(at) if self.sent >= at => return true,
            _ => {}
        }
        let is_done = || self.habits.closes && self.requests.iter().all(|request| self.is_done(request));
        let is_asked = !self.received.pings.is_empty();
        !self.outbox.is_empty() || !self.has_greeted || is_asked || self.next_frame().is_some() || is_done()
    }

    fn is_done(&self, request: &Request) -> bool {
        let answer = self.received.answers.get(&request.stream);
        request.is_given_up || answer.is_some_and(|answer| answer.is_complete || answer.reset.is_some())
    }

    /// What there is to be sent next, and of which request.
    fn next_frame(&self) -> Option<(Next, usize)> {
        let is_open = |request: &Request| request.is_sent && !self.is_done(request);
        let ends = self.requests.iter().position(|request| {
            let content = self.received.answers.get(&request.stream).map_or(0, |answer| answer.content.len());
            is_open(request) && request.gives_up_at.is_some_and(|at| content >= at)
        });
        if let Some(index) = ends {
            return Some((Next::Reset, index));
        }
        let wants = |request: &Request| is_open(request) && !request.is_uploaded && self.upload_room(request).is_some();
        if let Some(index) = self.requests.iter().position(wants) {
            return Some((Next::Content, index));
        }
        if let Some(at) = self.habits.returns_at {
            let gives = |request: &Request| is_open(request) && self.owed_window(request) >= at.max(1);
            if let Some(index) = self.requests.iter().position(gives) {
                return Some((Next::Window, index));
            }
            if self.unreturned >= at.max(1) {
                return Some((Next::ConnectionWindow, 0));
            }
        }
        let open = self.requests.iter().filter(|request| is_open(request)).count();
        let may_open = open < self.habits.streams_max && self.received.goaways.is_empty();
        let next = self.requests.iter().position(|request| !request.is_sent).filter(|_| may_open)?;
        Some((Next::Head, next))
    }

    /// How many bytes of its content may be sent now; none if it has to wait.
    fn upload_room(&self, request: &Request) -> Option<usize> {
        let left = request.content.len() - request.uploaded;
        let window = |stream, initial| self.received.windows.get(&stream).copied().unwrap_or(0) + initial;
        let all: usize = self.requests.iter().map(|request| request.uploaded).sum();
        let initial = self.received.settings.iter().rev().find(|(name, _)| *name == INITIAL_WINDOW_SIZE);
        let initial = initial.map_or(DEFAULT_WINDOW, |(_, value)| u64::from(*value));
        let of_stream = window(request.stream, initial) - request.uploaded as u64;
        let of_connection = window(0, DEFAULT_WINDOW) - all as u64;
        let room = usize::try_from(of_stream.min(of_connection)).unwrap();
        (room > 0 || left == 0).then_some(room.min(left))
    }

    /// Content of a response that has come and for which no window has been given back.
    fn owed_window(&self, request: &Request) -> u64 {
        let content = self.received.answers.get(&request.stream).map_or(0, |answer| answer.content.len());
        content as u64 - request.returned
    }

    fn write(&mut self, random: &mut Random, now: Instant) {
        let Some(wire) = self.wire.clone() else { return };
        let mut wire = wire.borrow_mut();
        self.write_at = now + self.habits.write_pause;
        let stops_at = match self.habits.fault {
            Fault::Resets(at) if self.sent >= at => {
                (self.has_closed, self.has_reset) = (true, true);
                return wire.reset();
            }
            Fault::Closes(at) if self.sent >= at => {
                self.has_closed = true;
                return wire.client_close();
            }
            Fault::Stops(at) | Fault::Closes(at) | Fault::Resets(at) => at,
            Fault::None | Fault::NeverReads(_) => usize::MAX,
        };
        if self.outbox.is_empty() {
            self.fill_outbox(random);
        }
        if self.outbox.is_empty() {
            self.has_closed = true;
            return wire.client_close();
        }
        let most = self.outbox.len().min(self.habits.write_max).min(stops_at - self.sent);
        let n = wire.client_send(&self.outbox[..1 + random.below(most)]);
        self.outbox.drain(..n);
        self.sent += n;
    }

    fn fill_outbox(&mut self, random: &mut Random) {
        if !self.has_greeted {
            self.has_greeted = true;
            self.outbox = hello(&[(INITIAL_WINDOW_SIZE, self.habits.window)]);
            return;
        }
        // What is asked is answered.
        let pings = std::mem::take(&mut self.received.pings);
        self.outbox.extend(pings.iter().flat_map(|ping| frame(frames::PING, frames::ACK, 0, ping)));
        let Some((next, index)) = self.next_frame() else { return };
        if random.one_in(self.habits.noise) {
            self.outbox.extend(noise(random));
        }
        let request = &self.requests[index];
        let stream = request.stream;
        match next {
            Next::Head => {
                self.requests[index].is_sent = true;
                self.outbox.extend(self.requests[index].head());
            }
            Next::Content => {
                let room = self.upload_room(request).unwrap();
                let n = if room == 0 { 0 } else { (1 + random.below(room)).min(16_384) };
                let request = &mut self.requests[index];
                let piece = &request.content[request.uploaded..][..n];
                request.uploaded += n;
                request.is_uploaded = request.uploaded == request.content.len();
                let flags = if request.is_uploaded && !request.has_trailers { END_STREAM } else { 0 };
                self.outbox.extend(data(stream, flags, piece));
                if request.is_uploaded && request.has_trailers {
                    self.outbox.extend(frames::fields_frame(stream, END_STREAM, &[("x-checksum", "1")]));
                }
            }
            Next::Window => {
                let owed = self.owed_window(request);
                self.requests[index].returned += owed;
                self.outbox.extend(window_update(stream, owed as u32));
            }
            Next::ConnectionWindow => {
                self.outbox.extend(window_update(0, self.unreturned as u32));
                self.unreturned = 0;
            }
            Next::Reset => {
                self.requests[index].is_given_up = true;
                self.outbox.extend(reset(stream));
            }
        }
    }

    fn read(&mut self, random: &mut Random, now: Instant) {
        let Some(wire) = self.wire.clone() else { return };
        let mut wire = wire.borrow_mut();
        self.read_at = now + self.habits.read_pause;
        let content = |received: &Received| received.answers.values().map(|answer| answer.content.len()).sum::<usize>();
        match wire.client_read(1 + random.below(self.habits.read_max)) {
            Some(bytes) => {
                self.read += bytes.len();
                // The server has waited for the rest of the preface in vain, and does not know what was meant.
                self.is_refused |= self.read == bytes.len() && bytes[0] == b'H';
                if self.is_refused {
                    return;
                }
                let before = content(&self.received);
                self.received.feed(&bytes);
                self.unreturned += (content(&self.received) - before) as u64;
            }
            None => {
                if !wire.is_broken() {
                    wire.client_close();
                }
                self.is_over = true;
            }
        }
    }
}

/// What a client sends.
enum Next {
    Head,
    Content,
    Window,
    ConnectionWindow,
    Reset,
}

/// A frame that serves nobody.
fn noise(random: &mut Random) -> Vec<u8> {
    match random.below(4) {
        0 => frame(frames::PING, 0, 0, b"whatever"),
        1 => frame(frames::SETTINGS, 0, 0, &[0, 1, 0, 0, 16, 0]),
        2 => frame(2, 0, 1 + 2 * random.below(20) as u32, &[0, 0, 0, 0, 9]),
        _ => frame(0xbe, 0, 0, pattern(0, 0, random.pick(&[0, 100]))),
    }
}

impl Http2Client {
    /// Everything is over: whether it was right. `drained` says that the server was told to stop.
    pub(crate) fn verify(&self, php: &SimPhp, spool_failed: bool, drained: bool) {
        let Some(wire) = &self.wire else { return };
        let wire = wire.borrow();
        // What it gives too late counts as slow, and what it never gives.
        let (is_slow, starves) = (self.habits.is_slow(), self.habits.returns_at.is_none());
        let is_faulty = self.habits.fault != Fault::None || self.has_reset;
        assert!(!self.is_refused || is_slow || is_faulty || drained, "it began well");
        let goaways = &self.received.goaways;
        let is_calm = goaways.iter().all(|(_, code)| *code == NO_ERROR);
        assert!(is_calm || is_slow || is_faulty, "{goaways:?}");
        for request in &self.requests {
            let record = php.records.get(&request.id);
            let answer = self.received.answers.get(&request.stream);
            if let Some(answer) = answer {
                assert!(request.is_sent, "an answer to nothing: {answer:?}");
                request.verify(answer, record, spool_failed, is_slow || is_faulty);
            }
            let is_unheard = goaways.last().is_some_and(|(last, _)| *last < request.stream);
            let is_failed = record.is_some_and(|record| record.is_over && !record.is_complete());
            let is_excused = is_slow || is_faulty || request.is_given_up || is_failed || drained && is_unheard;
            if !request.is_sent || is_excused {
                continue;
            }
            match answer {
                Some(answer) if answer.is_complete => {}
                Some(answer) if starves => assert!(answer.reset.is_some(), "{request:?} was forgotten: {answer:?}"),
                _ => panic!("{request:?} was not answered: {answer:?}, {record:?}, {goaways:?}"),
            }
        }
        let ended_at = wire.dropped.expect("the server has ended every connection");
        if !(is_slow || is_faulty || drained || self.has_closed || wire.is_broken()) {
            let idle = ended_at - wire.last_sent;
            assert!(idle >= KEEP_ALIVE_TIMEOUT.min(WRITE_TIMEOUT), "closed after {idle:?} for being idle");
            assert_eq!(goaways.len(), 1, "the peer is told goodbye");
        }
    }
}

impl fmt::Debug for Http2Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}, sent {}, read {}, closed {}", self.habits, self.sent, self.read, self.has_closed)?;
        for request in &self.requests {
            let told = self
                .received
                .answers
                .get(&request.stream)
                .map(|answer| (answer.heads.clone(), answer.content.len(), answer.is_complete, answer.reset));
            writeln!(f, "{request:?}: {told:?}")?;
        }
        write!(f, "{:?}", self.received.goaways)
    }
}
