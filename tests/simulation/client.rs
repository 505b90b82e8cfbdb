//! A client: carries out its plan step by step, and in the end says whether it got what it was owed.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ephpm::base::limits::{KEEP_ALIVE_TIMEOUT, WRITE_RATE_MIN, WRITE_TIMEOUT};
use ephpm::http::method::Method;
use ephpm::site::compression;

use super::php::{Record, STRONG_TAG, SimPhp};
use super::plan::{Fault, Owed, Plan, Request};
use super::random::Random;
use super::reader::{Reader, Reply};
use super::socket::Wire;

/// How long a client waits for `100 Continue`.
const CONTINUE_PATIENCE: Duration = Duration::from_secs(1);

/// What becomes of a script's tag when its content is encoded.
const WEAK_TAG: &str = "W/\"tag\"";

pub(crate) struct Client {
    pub(crate) plan: Plan,
    pub(crate) wire: Option<Rc<RefCell<Wire>>>,
    pub(crate) reader: Reader,
    sent: usize,
    received: usize,
    write_at: Instant,
    read_at: Instant,
    /// Requests for which it has thought, and requests whose content it no longer holds back.
    thought: usize,
    released: usize,
    /// Since when it holds content back.
    holds_since: Option<Instant>,
    has_closed: bool,
    has_reset: bool,
    /// It leaves the end of the connection to the server.
    is_patient: bool,
    pub(crate) is_over: bool,
}

impl Client {
    pub(crate) fn new(plan: Plan, starts_at: Instant, random: &mut Random) -> Self {
        // A fresh connection is read before its first event says that the peer has closed it already.
        let thinks_later = plan.fault != Fault::ClosesAtOnce;
        Self {
            plan,
            wire: None,
            reader: Reader::default(),
            sent: 0,
            received: 0,
            write_at: starts_at,
            read_at: starts_at,
            thought: usize::from(thinks_later),
            released: 0,
            holds_since: None,
            has_closed: false,
            has_reset: false,
            is_patient: random.one_in(2),
            is_over: false,
        }
    }

    pub(crate) fn can_act(&self, now: Instant) -> bool {
        !self.is_over && (self.wire.is_none() && self.write_at <= now || self.can_read(now) || self.can_write(now))
    }

    /// When it will be able to do something that it only waits for the time to do.
    pub(crate) fn next_wake(&self, now: Instant) -> Option<Instant> {
        let hold = self.holds_since.map(|since| since + CONTINUE_PATIENCE);
        let all = [Some(self.write_at), Some(self.read_at), hold];
        all.into_iter().flatten().filter(|at| *at > now && !self.is_over).min()
    }

    pub(crate) fn step(&mut self, random: &mut Random, now: Instant) {
        let reads = self.can_read(now) && (!self.can_write(now) || random.one_in(2));
        if reads { self.read(random, now) } else { self.write(random, now) }
    }

    fn can_read(&self, now: Instant) -> bool {
        let refuses = matches!(self.plan.fault, Fault::NeverReads(max) if self.received >= max);
        self.wire.as_ref().is_some_and(|wire| {
            let wire = wire.borrow();
            self.read_at <= now && wire.client_can_read() && (!refuses || wire.dropped.is_some())
        })
    }

    fn can_write(&self, now: Instant) -> bool {
        let wants = self.limit(now) > self.sent || self.wants_to_act();
        self.write_at <= now
            && wants
            && !self.has_closed
            && self.wire.as_ref().is_some_and(|wire| wire.borrow().client_can_send())
    }

    /// Whether there is something to be done but to send.
    fn wants_to_act(&self) -> bool {
        let is_done = self.sent == self.plan.bytes.len();
        let is_answered = is_done && self.reader.completed() == self.plan.requests.len() && !self.is_patient;
        is_answered
            || match self.plan.fault {
                Fault::ClosesEarly | Fault::ClosesAtOnce => is_done,
                Fault::StopsAndCloses(at) | Fault::Resets(at) => self.sent >= at,
                Fault::None | Fault::Stops(_) | Fault::NeverReads(_) => false,
            }
    }

    /// How many bytes of its plan it is willing to have sent by now.
    fn limit(&self, now: Instant) -> usize {
        let requests = &self.plan.requests;
        let mut limit = match self.plan.fault {
            Fault::StopsAndCloses(at) | Fault::Stops(at) | Fault::Resets(at) => at.min(self.plan.bytes.len()),
            _ => self.plan.bytes.len(),
        };
        if self.reader.replies.last().is_some_and(|reply| reply.closes) {
            return self.sent.min(limit);
        }
        if !self.plan.pipelines
            && let Some(request) = requests.get(self.reader.completed())
        {
            limit = limit.min(request.end);
        }
        // It thinks between requests, not within them.
        if !self.plan.think.is_zero()
            && let Some(request) = requests.iter().find(|request| request.end > self.sent)
        {
            limit = limit.min(request.end);
        }
        let mut held = requests.iter().enumerate().skip(self.released).filter(|(_, request)| request.expects_continue);
        if let Some((_, request)) = held.find(|(index, _)| !self.may_release(*index, now)) {
            limit = limit.min(request.head_end);
        }
        limit
    }

    fn may_release(&self, index: usize, now: Instant) -> bool {
        let expecting = self.plan.requests[..=index].iter().filter(|request| request.expects_continue).count();
        let waited = self.holds_since.is_some_and(|since| since + CONTINUE_PATIENCE <= now);
        self.sent >= self.plan.requests[index].head_end
            && (waited || self.reader.continues >= expecting || self.reader.replies.len() > index)
    }

    fn write(&mut self, random: &mut Random, now: Instant) {
        let Some(wire) = self.wire.clone() else { return };
        let mut wire = wire.borrow_mut();
        let limit = self.limit(now);
        if limit > self.sent {
            if self.thinks(now) {
                return;
            }
            let at_once = self.plan.fault == Fault::ClosesAtOnce;
            let max = if at_once { usize::MAX } else { self.plan.write_max };
            let most = (limit - self.sent).min(max);
            let n = if at_once { most } else { 1 + random.below(most) };
            self.sent += wire.client_send(&self.plan.bytes[self.sent..self.sent + n]);
            self.hold_back(now);
            self.write_at = now + self.plan.write_pause;
            if !at_once {
                return;
            }
        }
        if self.wants_to_act() && !self.has_closed {
            self.has_closed = true;
            match self.plan.fault {
                Fault::Resets(_) => {
                    self.has_reset = true;
                    wire.reset();
                }
                _ => wire.client_close(),
            }
        }
    }

    /// Before the first byte of a request; true if it takes time.
    fn thinks(&mut self, now: Instant) -> bool {
        let begun = self.plan.requests.iter().take_while(|request| request.end <= self.sent).count();
        if begun < self.thought || self.plan.think.is_zero() {
            return false;
        }
        self.thought = begun + 1;
        self.write_at = now + self.plan.think;
        true
    }

    fn hold_back(&mut self, now: Instant) {
        let held = self.plan.requests.iter().enumerate().skip(self.released).find(|(_, r)| r.expects_continue);
        let Some((index, request)) = held else { return };
        if self.sent > request.head_end {
            (self.released, self.holds_since) = (index + 1, None);
        } else if self.sent == request.head_end {
            self.holds_since.get_or_insert(now);
        }
    }

    fn read(&mut self, random: &mut Random, now: Instant) {
        let Some(wire) = self.wire.clone() else { return };
        let mut wire = wire.borrow_mut();
        self.read_at = now + self.plan.read_pause;
        match wire.client_read(1 + random.below(self.plan.read_max)) {
            Some(bytes) => {
                self.received += bytes.len();
                let requests = &self.plan.requests;
                self.reader.receive(&bytes, |index| requests.get(index).map_or(Method::Get, |request| request.method));
            }
            None => {
                if !wire.is_broken() {
                    self.reader.end();
                    wire.client_close();
                }
                self.is_over = true;
            }
        }
    }

    /// Everything is over: whether it was right. `drained` says that the server was told to stop.
    pub(crate) fn verify(&self, php: &SimPhp, spool_failed: bool, drained: bool) {
        let Some(wire) = &self.wire else { return };
        let wire = wire.borrow();
        let expecting = self.plan.requests.iter().filter(|request| request.expects_continue).count();
        if self.plan.requests.first().is_none_or(|request| request.owed == Owed::Anything) {
            assert!(self.reader.replies.len() <= self.plan.requests.len() + 1, "more responses than requests");
            return;
        }
        assert!(self.reader.continues <= expecting, "100 Continue comes once");
        for (index, reply) in self.reader.replies.iter().enumerate() {
            let request = self.plan.requests.get(index).expect("a response belongs to a request");
            let begins = index.checked_sub(1).map_or(0, |before| self.plan.requests[before].end);
            assert!(self.sent > begins, "a response to nothing");
            self.verify_reply(request, reply, php, spool_failed);
        }
        let answered = self.reader.completed();
        if self.has_reset || drained || self.reader.replies.iter().any(|reply| reply.is_complete && reply.closes) {
            return;
        }
        let closed_at = wire.dropped.expect("the server has ended every connection");
        let has_stalled = closed_at - wire.last_written >= WRITE_TIMEOUT && self.plan.reads_slowly();
        if has_stalled || self.plan.may_read_too_slowly(wire.room) {
            return;
        }
        // It sent the next request to a server that had just closed for being idle.
        if wire.is_broken() && closed_at - wire.last_sent >= KEEP_ALIVE_TIMEOUT {
            return;
        }
        // It sent on for longer than the server lingers, and had not read the response when the reset destroyed it.
        if wire.is_broken() && self.plan.reads_slowly() {
            return;
        }
        // PHP may fail when the client has all that it was promised.
        let before = answered.checked_sub(1).and_then(|before| php.records.get(&self.plan.requests[before].id));
        if before.is_some_and(|record| record.is_over && !record.is_complete()) {
            return;
        }
        let next = self.plan.requests.get(answered);
        let begins = answered.checked_sub(1).map_or(0, |before| self.plan.requests[before].end);
        if let Some(next) = next.filter(|next| self.sent >= next.end) {
            let record = php.records.get(&next.id);
            let failed = record.is_some_and(|record| record.is_over && !record.is_complete());
            // A peer that closes its side while PHP is at work for it counts as gone: be it for a later request, or for
            // one whose content is all there.
            let was_at_work =
                self.plan.requests[answered.saturating_sub(1)..].iter().any(|request| request.owed == Owed::Php);
            let left = self.has_closed && self.plan.fault != Fault::ClosesAtOnce && was_at_work;
            // The reset that cuts a response of HTTP/1.0 takes along what has not been read of those before it.
            let is_cut = |request: &Request| {
                let record = php.records.get(&request.id);
                request.is_10 && record.is_some_and(|record| record.is_over && !record.is_complete())
            };
            let was_cut = wire.is_broken() && self.plan.requests[answered..].iter().any(is_cut);
            assert!(failed || left || was_cut, "request {} was sent and not answered: {record:?}", next.id);
        } else if self.sent < begins {
            assert!(self.has_closed || self.plan.writes_slowly(), "content was not waited for");
        } else if self.sent > begins {
            assert!(self.has_closed || self.plan.reads_slowly(), "a request that stopped was dropped without a word");
        } else if !(self.has_closed || self.plan.writes_slowly() && self.has_discarded(answered)) {
            let idle = closed_at - wire.last_sent;
            assert!(idle >= KEEP_ALIVE_TIMEOUT, "closed after {idle:?} for being idle");
        }
    }

    /// Whether the last request that was answered had content, all of which may have come at the last moment.
    fn has_discarded(&self, answered: usize) -> bool {
        answered.checked_sub(1).is_some_and(|last| self.plan.requests[last].end > self.plan.requests[last].head_end)
    }

    fn verify_reply(&self, request: &Request, reply: &Reply, php: &SimPhp, spool_failed: bool) {
        let record = php.records.get(&request.id);
        match (reply.code, request.owed) {
            (200, Owed::Php) => {
                let record = record.expect("PHP has answered");
                assert_eq!(reply.id, Some(request.id), "in order");
                verify_coding(request, reply, record);
                if reply.is_complete && request.method != Method::Head {
                    let cut_to_fit = record.announced == Some(reply.received) && record.produced >= reply.received;
                    assert!(record.is_finished || cut_to_fit, "it has an end that PHP did not make: {record:?}");
                    assert!(reply.received == record.produced || cut_to_fit, "{reply:?} of {record:?}");
                }
            }
            (200, Owed::File(len)) => {
                assert!(!reply.is_complete || request.method == Method::Head || reply.received == len, "{reply:?}");
            }
            (500, Owed::Php) => match record {
                Some(record) => assert!(!record.is_complete(), "{record:?}"),
                None => assert!(spool_failed, "PHP was not asked"),
            },
            (500, Owed::End(413)) => assert!(spool_failed),
            (503, Owed::Php) => {
                assert!(record.is_none(), "PHP was asked: {record:?}");
                assert!(reply.has_retry_after);
            }
            (408, _) => assert!(reply.closes && self.plan.writes_slowly(), "408 to a peer that was in time"),
            (code, Owed::Refusal(owed)) => assert_eq!(code, owed),
            (code, Owed::End(owed)) => assert!(code == owed && reply.closes, "{reply:?}, not {owed}"),
            (_, owed) => panic!("{reply:?}, not {owed:?}"),
        }
    }
}

/// Whether a response is in the coding that it should be in, and says so.
fn verify_coding(request: &Request, reply: &Reply, record: &Record) {
    if !record.is_encodable {
        assert!(reply.coding.is_none() && !reply.varies && reply.tag.as_deref() != Some(WEAK_TAG), "{reply:?}");
        return;
    }
    match reply.coding {
        Some(_) => {
            assert!(reply.coding == request.accepts && reply.varies && reply.tag.as_deref() == Some(WEAK_TAG));
            let (content, is_whole) = reply.decode();
            assert!(!is_whole || reply.is_complete || content.len() as u64 == record.produced, "{reply:?}");
        }
        None => {
            assert_eq!(reply.tag.as_deref(), Some(STRONG_TAG));
            let is_for_length = request.method == Method::Head && record.announced.is_none();
            assert!(!is_for_length || request.accepts.is_none(), "HEAD is told what GET would be: {reply:?}");
            // What is known to be short is sent as it is, to everybody.
            let is_short = !reply.is_complete || reply.received < compression::Options::default().bytes_min;
            assert!(is_short || request.accepts.is_none() && reply.varies, "{reply:?} of {request:?}");
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "sent {}, closed {}, over {}", self.sent, self.has_closed, self.is_over)?;
        writeln!(f, "{:#?}\n{:#?}", self.plan, self.reader)?;
        let wire = self.wire.as_ref().map(|wire| wire.borrow());
        wire.map_or(Ok(()), |wire| {
            write!(f, "last sent {:?}, written {:?}, dropped {:?}", wire.last_sent, wire.last_written, wire.dropped)
        })
    }
}

impl Plan {
    fn writes_slowly(&self) -> bool {
        !self.write_pause.is_zero() || matches!(self.fault, Fault::Stops(_))
    }

    /// Whether so little is read at a time, and so seldom, that it may come to less than what is demanded.
    fn may_read_too_slowly(&self, room: usize) -> bool {
        // Half of the most on average, and not always that.
        let bytes = self.read_max.min(room) as u128 / 4;
        bytes * 1000 < u128::from(WRITE_RATE_MIN) * self.read_pause.as_millis()
    }

    fn reads_slowly(&self) -> bool {
        !self.read_pause.is_zero() || matches!(self.fault, Fault::NeverReads(_))
    }
}
