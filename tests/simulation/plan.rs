//! What a client is going to do: its requests, and how well it behaves.

use std::fmt;
use std::time::Duration;

use ephpm::http::coding::Coding;
use ephpm::http::method::Method;

use super::php::pattern;
use super::random::Random;
use super::surroundings::{LARGE, SMALL};

/// The most content that the simulated server takes (413).
pub(crate) const CONTENT_MAX: u64 = 40_000;

/// One request, and what a server owes for it.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) id: u64,
    pub(crate) method: Method,
    pub(crate) owed: Owed,
    /// Where its head ends and where it ends, in the bytes of the plan.
    pub(crate) head_end: usize,
    pub(crate) end: usize,
    /// The client holds its content back until told to go on, or until it has waited long enough.
    pub(crate) expects_continue: bool,
    /// It announces that it is the last.
    pub(crate) closes: bool,
    /// The content coding that it asks for.
    pub(crate) accepts: Option<Coding>,
    /// It is HTTP/1.0: the end of content without a length is the end of the connection.
    pub(crate) is_10: bool,
}

/// What a request is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owed {
    /// What PHP says.
    Php,
    /// A file of so many bytes.
    File(u64),
    /// An error with this status, after which the connection goes on.
    Refusal(u16),
    /// An error with this status, which ends the connection.
    End(u16),
    /// Whatever it may be: the bytes are a fuzzer's.
    Anything,
}

/// A client.
pub(crate) struct Plan {
    pub(crate) bytes: Vec<u8>,
    pub(crate) requests: Vec<Request>,
    /// It does not wait for a response before it sends the next request.
    pub(crate) pipelines: bool,
    /// The most bytes of one write and one read.
    pub(crate) write_max: usize,
    pub(crate) read_max: usize,
    /// How long it rests after a write, and after a read.
    pub(crate) write_pause: Duration,
    pub(crate) read_pause: Duration,
    /// How long it thinks before a request.
    pub(crate) think: Duration,
    pub(crate) fault: Fault,
}

/// How a client misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// It half-closes as soon as everything is sent.
    ClosesEarly,
    /// It sends everything and half-closes before the server can look; only where this is one write.
    ClosesAtOnce,
    /// It half-closes after so many bytes.
    StopsAndCloses(usize),
    /// It sends nothing after so many bytes.
    Stops(usize),
    /// It resets after so many bytes.
    Resets(usize),
    /// It reads so many bytes and then no more.
    NeverReads(usize),
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { write_max, read_max, write_pause, read_pause, think, fault, pipelines, .. } = self;
        writeln!(f, "{fault:?}, pipelines {pipelines}, thinks {think:?}")?;
        writeln!(f, "writes {write_max} in {write_pause:?}, reads {read_max} in {read_pause:?}")?;
        self.requests.iter().try_for_each(|request| writeln!(f, "{request:?}"))
    }
}

impl Plan {
    pub(crate) fn new(random: &mut Random, ids: &mut u64) -> Self {
        let count = random.pick(&[1, 1, 2, 3, 5, 8]);
        let mut plan = Self::of_bytes(Vec::new(), random);
        for index in 0..count {
            *ids += 1;
            plan.add(*ids, index + 1 == count, random);
            if plan.requests.last().is_some_and(|request| matches!(request.owed, Owed::End(_)) || request.closes) {
                break;
            }
        }
        // Small pieces are for small requests, or it would take all day.
        plan.write_max = plan.write_max.max(plan.bytes.len() / 200);
        let len = plan.bytes.len() + 1;
        plan.fault = match random.below(14) {
            0 => Fault::ClosesEarly,
            1 => Fault::ClosesAtOnce,
            2 => Fault::StopsAndCloses(random.below(len)),
            3 => Fault::Stops(random.below(len)),
            4 => Fault::Resets(random.below(len)),
            5 => Fault::NeverReads(random.pick(&[0, 100, 50_000])),
            _ => Fault::None,
        };
        if plan.fault == Fault::ClosesAtOnce {
            plan.think = Duration::from_millis(10);
            if !plan.is_one_write() {
                plan.fault = Fault::None;
            }
        }
        plan
    }

    /// A client that sends these bytes, whatever they are.
    pub(crate) fn of_bytes(bytes: Vec<u8>, random: &mut Random) -> Self {
        let pause = |random: &mut Random, often| match random.below(often) {
            0 => Duration::from_millis(random.pick(&[1, 40, 2_000, 9_000, 31_000])),
            _ => Duration::ZERO,
        };
        Self {
            bytes,
            requests: Vec::new(),
            pipelines: random.one_in(3),
            write_max: random.pick(&[1, 7, 100, 100_000, 100_000]),
            read_max: random.pick(&[2_000, 30_000, 1_000_000]),
            write_pause: pause(random, 8),
            read_pause: pause(random, 12),
            think: Duration::from_millis(random.pick(&[0, 0, 0, 10, 20_000, 59_000, 70_000])),
            fault: Fault::None,
        }
    }

    /// Whether the server gets all of it in one read.
    fn is_one_write(&self) -> bool {
        self.requests.len() == 1 && self.bytes.len() < 250 && !self.requests[0].expects_continue
    }

    fn add(&mut self, id: u64, is_last: bool, random: &mut Random) {
        let (method, target, owed) = match random.below(12) {
            0..5 => (Method::Get, format!("/p.php?{id}"), Owed::Php),
            5 => (Method::Head, format!("/p.php?{id}"), Owed::Php),
            6 => (Method::Get, format!("/small.txt?{id}"), Owed::File(SMALL)),
            7 => (Method::Get, format!("/large.bin?{id}"), Owed::File(LARGE)),
            8 => (Method::Get, format!("/missing?{id}"), Owed::Refusal(404)),
            9..11 => (Method::Post, format!("/p.php?{id}"), Owed::Php),
            _ => (Method::Post, format!("/small.txt?{id}"), Owed::Refusal(405)),
        };
        let is_10 = random.one_in(10);
        let closes = (is_last && random.one_in(2)) || (is_10 && random.one_in(2));
        let accepts = random.pick(&[None, Some(Coding::Zstd), Some(Coding::Br), Some(Coding::Gzip)]);
        let (expects_continue, head_end, end) = (false, 0, 0);
        let mut request = Request { id, method, owed, head_end, end, expects_continue, closes, accepts, is_10 };
        let (version, connection) = match (is_10, closes) {
            (true, true) => ("1.0", ""),
            (true, false) => ("1.0", "Connection: keep-alive\r\n"),
            (false, true) => ("1.1", "Connection: x, close\r\n"),
            (false, false) => ("1.1", ""),
        };
        let mut head = format!("{} {target} HTTP/{version}\r\nHost: a\r\n{connection}", method.as_str());
        if let Some(coding) = accepts {
            head += &format!("Accept-Encoding: {}\r\n", coding.name());
        }
        let mut content = Vec::new();
        if method == Method::Post {
            let len = random.pick(&[0, 1, 50, 3_000, 30_000, CONTENT_MAX as usize + 1]);
            head += &format!("X-Length: {len}\r\n");
            if len as u64 > CONTENT_MAX && owed == Owed::Php {
                request.owed = Owed::End(413);
            }
            request.expects_continue = !is_10 && len > 0 && random.one_in(4);
            let expect = if request.expects_continue { "Expect: 100-continue\r\n" } else { "" };
            let bytes = pattern(id, 0, len);
            if is_10 || random.one_in(2) {
                head += &format!("{expect}Content-Length: {len}\r\n");
                content = bytes.to_vec();
            } else {
                head += &format!("{expect}Transfer-Encoding: chunked\r\n");
                content = chunks(bytes, random);
            }
        }
        if random.one_in(14) {
            (request.owed, request.expects_continue) = (Owed::End(400), false);
            head += "Host: b\r\n";
        }
        self.bytes.extend_from_slice(head.as_bytes());
        self.bytes.extend_from_slice(b"\r\n");
        request.head_end = self.bytes.len();
        self.bytes.extend_from_slice(&content);
        request.end = self.bytes.len();
        self.requests.push(request);
    }
}

fn chunks(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let size = random.pick(&[17, 1_000, 20_000]);
    let mut coded = Vec::new();
    for chunk in bytes.chunks(size) {
        coded.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        coded.extend_from_slice(chunk);
        coded.extend_from_slice(b"\r\n");
    }
    coded.extend_from_slice(if random.one_in(3) { b"0\r\nA: b\r\n\r\n" } else { b"0\r\n\r\n" });
    coded
}
