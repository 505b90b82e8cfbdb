//! A client of HTTP/2: opens streams side by side, uploads within the server's windows, gives windows of its own or
//! none, resets what it has asked for, pings, changes its mind about its settings, and may stop in the middle of a
//! frame. In the end it says whether it got what it was owed.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ephpm::base::limits::{KEEP_ALIVE_TIMEOUT, STREAMS_MAX, WRITE_TIMEOUT};
use ephpm::http::coding::Coding;
use ephpm::http::encoder::decode_prefix;

use super::frames::{self, Answer, END_STREAM, NO_ERROR, Received, data, frame, hello, reset, window_update};
use super::php::{Record, SimPhp, pattern};
use super::plan::CONTENT_MAX;
use super::random::Random;
use super::socket::Wire;
use super::surroundings::{LARGE, SMALL};

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

/// One request, and how far it has come.
struct Request {
    id: u64,
    stream: u32,
    method: &'static str,
    target: String,
    accepts: Option<Coding>,
    content: &'static [u8],
    /// Says how long its content is.
    announces: bool,
    /// Ends its content with trailers.
    has_trailers: bool,
    /// It is given up when so many bytes of its response have come.
    gives_up_at: Option<usize>,
    is_sent: bool,
    uploaded: usize,
    is_uploaded: bool,
    is_given_up: bool,
    /// Windows that were given for it: bytes of its content.
    returned: u64,
}

/// How a client behaves.
#[derive(Debug)]
struct Habits {
    /// Streams that it has open at once.
    streams_max: usize,
    /// The window of its streams.
    window: u32,
    /// It gives windows when so much has been read; never, if there is none.
    returns_at: Option<u64>,
    write_max: usize,
    read_max: usize,
    write_pause: Duration,
    read_pause: Duration,
    /// One of so many steps is for noise.
    noise: usize,
    /// It closes its side when it has all that it wants.
    closes: bool,
    fault: Fault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// It sends nothing after so many bytes.
    Stops(usize),
    /// It closes its side after so many bytes.
    Closes(usize),
    /// It resets the connection after so many bytes.
    Resets(usize),
    /// It reads so many bytes and then no more.
    NeverReads(usize),
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

impl Habits {
    fn new(random: &mut Random) -> Self {
        let pause = |random: &mut Random| match random.below(10) {
            0 => Duration::from_millis(random.pick(&[1, 40, 2_000, 31_000])),
            _ => Duration::ZERO,
        };
        let window = random.pick(&[0, 5_000, 65_535, 65_535, 1 << 20]);
        let returns_at = match window {
            0 | 5_000 => random.pick(&[None, Some(4_096)]),
            _ => random.pick(&[None, Some(4_096), Some(30_000), Some(30_000)]),
        };
        let far = random.pick(&[30, 200, 3_000, 100_000]);
        let somewhere = random.below(far);
        Self {
            streams_max: random.pick(&[1, 4, STREAMS_MAX as usize]),
            window,
            returns_at: returns_at.filter(|_| window > 0),
            write_max: random.pick(&[10, 100, 100_000, 100_000]),
            read_max: random.pick(&[5_000, 30_000, 1_000_000]),
            write_pause: pause(random),
            read_pause: pause(random),
            noise: random.pick(&[3, 50]),
            closes: random.one_in(2),
            fault: match random.below(12) {
                0 => Fault::Stops(somewhere),
                1 => Fault::Closes(somewhere),
                2 => Fault::Resets(somewhere),
                3 => Fault::NeverReads(somewhere),
                _ => Fault::None,
            },
        }
    }

    fn is_slow(&self) -> bool {
        !self.write_pause.is_zero() || !self.read_pause.is_zero()
    }
}

impl Request {
    fn new(random: &mut Random, ids: &mut u64, stream: u32) -> Self {
        *ids += 1;
        let id = *ids;
        let (method, target) = match random.below(12) {
            0..5 => ("GET", format!("/p.php?{id}")),
            5 => ("HEAD", format!("/p.php?{id}")),
            6 => ("GET", format!("/small.txt?{id}")),
            7 => ("GET", format!("/large.bin?{id}")),
            8 => ("GET", format!("/missing?{id}")),
            9..11 => ("POST", format!("/p.php?{id}")),
            _ => ("POST", format!("/small.txt?{id}")),
        };
        let lens = [0, 1, 50, 3_000, 30_000, CONTENT_MAX as usize + 1];
        let content = if method == "POST" { pattern(id, 0, random.pick(&lens)) } else { &[] };
        Self {
            id,
            stream,
            method,
            target,
            accepts: random.pick(&[None, Some(Coding::Zstd), Some(Coding::Br), Some(Coding::Gzip)]),
            content,
            announces: random.one_in(2),
            has_trailers: method == "POST" && random.one_in(4),
            gives_up_at: random.one_in(6).then(|| random.pick(&[0, 1, 20_000])),
            is_sent: false,
            uploaded: 0,
            is_uploaded: method != "POST",
            is_given_up: false,
            returned: 0,
        }
    }

    fn head(&self) -> Vec<u8> {
        let len = self.content.len().to_string();
        let mut fields = vec![("x-length", len.as_str())];
        if self.announces {
            fields.push(("content-length", &len));
        }
        if let Some(coding) = self.accepts {
            fields.push(("accept-encoding", coding.name()));
        }
        let flags = if self.is_uploaded { END_STREAM } else { 0 };
        frames::head(self.stream, flags, self.method, &self.target, &fields)
    }

    fn is_for_php(&self) -> bool {
        self.target.starts_with("/p.php")
    }

    /// Whether what has come of the answer is right.
    fn verify(&self, answer: &Answer, record: Option<&Record>, spool_failed: bool, is_slow: bool) {
        let told = || format!("{self:?} was answered {answer:?}: {record:?}");
        assert!(answer.heads.len() <= 1, "nobody asks for more: {}", told());
        if answer.heads.is_empty() {
            return;
        }
        let len = answer.content.len() as u64;
        assert!(self.method != "HEAD" || len == 0, "{}", told());
        let is_too_large = self.is_for_php() && self.content.len() as u64 > CONTENT_MAX;
        match answer.status() {
            200 if self.is_for_php() => {
                let record = record.unwrap_or_else(|| panic!("PHP has answered: {}", told()));
                assert_eq!(answer.field("x-request"), Some(self.id.to_string().as_str()));
                self.verify_content(answer, record);
            }
            200 => {
                let whole = if self.target.starts_with("/small") { SMALL } else { LARGE };
                let is_whole = answer.is_complete && self.method != "HEAD";
                assert!(self.method != "POST" && (!is_whole || len == whole), "{}", told());
                assert!(len <= whole && answer.content.iter().all(|byte| *byte == b'x'), "{}", told());
            }
            404 => assert!(self.target.starts_with("/missing"), "{}", told()),
            405 => assert!(self.method == "POST" && !self.is_for_php(), "{}", told()),
            408 => assert!(is_slow && self.method == "POST", "{}", told()),
            413 => assert!(is_too_large, "{}", told()),
            500 => match record {
                Some(record) => assert!(!record.is_complete(), "{}", told()),
                None => assert!(spool_failed && self.method == "POST", "{}", told()),
            },
            503 => assert!(record.is_none() && answer.field("retry-after").is_some(), "{}", told()),
            _ => panic!("{}", told()),
        }
    }

    fn verify_content(&self, answer: &Answer, record: &Record) {
        let coding = answer.field("content-encoding").map(|name| Coding::from_name(name.as_bytes()).unwrap());
        let (content, is_whole) = match coding {
            Some(coding) => {
                assert!(record.is_encodable && Some(coding) == self.accepts, "{self:?}: {answer:?}");
                decode_prefix(coding, &answer.content)
            }
            None => (answer.content.clone(), answer.is_complete),
        };
        assert!(content == *pattern(self.id, 0, content.len()), "the content of {self:?}");
        if answer.is_complete && self.method != "HEAD" {
            let len = content.len() as u64;
            let cut_to_fit = record.announced == Some(len) && record.produced >= len;
            assert!(is_whole && (record.is_finished || cut_to_fit), "an end that PHP did not make: {record:?}");
            assert!(len == record.produced || cut_to_fit, "{len} bytes of {record:?}");
        }
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

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, stream, method, target, accepts, content, is_sent, uploaded, is_given_up, .. } = self;
        let len = content.len();
        write!(f, "{id} on {stream}: {method} {target}, {accepts:?}, {uploaded} of {len} uploaded")?;
        write!(f, ", sent {is_sent}, up at {:?}, given up {is_given_up}", self.gives_up_at)
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
