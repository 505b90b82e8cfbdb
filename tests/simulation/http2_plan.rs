//! What a client of HTTP/2 is going to do: its requests, how well it behaves, and what answers it is owed.

use std::fmt;
use std::time::Duration;

use ephpm::base::limits::STREAMS_MAX;
use ephpm::http::coding::Coding;
use ephpm::http::encoder::decode_prefix;

use super::frames::{self, Answer, END_STREAM};
use super::php::{Record, pattern};
use super::plan::CONTENT_MAX;
use super::random::Random;
use super::surroundings::{LARGE, SMALL};

/// One request, and how far it has come.
pub(crate) struct Request {
    pub(crate) id: u64,
    pub(crate) stream: u32,
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) accepts: Option<Coding>,
    pub(crate) content: &'static [u8],
    /// Says how long its content is.
    pub(crate) announces: bool,
    /// Ends its content with trailers.
    pub(crate) has_trailers: bool,
    /// It is given up when so many bytes of its response have come.
    pub(crate) gives_up_at: Option<usize>,
    pub(crate) is_sent: bool,
    pub(crate) uploaded: usize,
    pub(crate) is_uploaded: bool,
    pub(crate) is_given_up: bool,
    /// Windows that were given for it: bytes of its content.
    pub(crate) returned: u64,
}

/// How a client behaves.
#[derive(Debug)]
pub(crate) struct Habits {
    /// Streams that it has open at once.
    pub(crate) streams_max: usize,
    /// The window of its streams.
    pub(crate) window: u32,
    /// It gives windows when so much has been read; never, if there is none.
    pub(crate) returns_at: Option<u64>,
    pub(crate) write_max: usize,
    pub(crate) read_max: usize,
    pub(crate) write_pause: Duration,
    pub(crate) read_pause: Duration,
    /// One of so many steps is for noise.
    pub(crate) noise: usize,
    /// It closes its side when it has all that it wants.
    pub(crate) closes: bool,
    pub(crate) fault: Fault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
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

impl Habits {
    pub(crate) fn new(random: &mut Random) -> Self {
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

    pub(crate) fn is_slow(&self) -> bool {
        !self.write_pause.is_zero() || !self.read_pause.is_zero()
    }
}

impl Request {
    pub(crate) fn new(random: &mut Random, ids: &mut u64, stream: u32) -> Self {
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

    pub(crate) fn head(&self) -> Vec<u8> {
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
    pub(crate) fn verify(&self, answer: &Answer, record: Option<&Record>, spool_failed: bool, is_slow: bool) {
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

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, stream, method, target, accepts, content, is_sent, uploaded, is_given_up, .. } = self;
        let len = content.len();
        write!(f, "{id} on {stream}: {method} {target}, {accepts:?}, {uploaded} of {len} uploaded")?;
        write!(f, ", sent {is_sent}, up at {:?}, given up {is_given_up}", self.gives_up_at)
    }
}
