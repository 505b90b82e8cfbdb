//! Reads responses as a strict client does (RFC 9112 §6.3), however they are cut into pieces, and decodes their content.

use ephpm::http::coding::Coding;
use ephpm::http::encoder::decode_prefix;
use ephpm::http::method::Method;

use super::php::pattern;

/// What has been received on one connection.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// Received and not understood yet: a head, or the line before a chunk.
    pending: Vec<u8>,
    state: State,
    /// Final responses, the last of which may be incomplete.
    pub(crate) replies: Vec<Reply>,
    /// How many `100 Continue` have come.
    pub(crate) continues: usize,
}

/// A final response.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    /// The number of the request, if PHP answered.
    pub(crate) id: Option<u64>,
    pub(crate) closes: bool,
    pub(crate) has_retry_after: bool,
    /// Bytes of content; of a response in a coding they are known when it is complete.
    pub(crate) received: u64,
    /// The coding that the content is in, what of it has come, and what else was said.
    pub(crate) coding: Option<Coding>,
    coded: Vec<u8>,
    pub(crate) varies: bool,
    pub(crate) tag: Option<String>,
    pub(crate) is_complete: bool,
}

impl Reply {
    /// What has come of content in a coding, which must be what PHP wrote, and whether it has come to its end.
    pub(crate) fn decode(&self) -> (Vec<u8>, bool) {
        let Some(coding) = self.coding else { return (Vec::new(), false) };
        let (content, is_whole) = decode_prefix(coding, &self.coded);
        let id = self.id.expect("only PHP's content is encoded here");
        assert!(content == *pattern(id, 0, content.len()), "the decoded response to request {id}");
        (content, is_whole)
    }
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    Length(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailer,
    UntilClose,
}

impl Reader {
    /// Takes in what has arrived; `method` is that of the request with this index.
    pub(crate) fn receive(&mut self, bytes: &[u8], method: impl Fn(usize) -> Method) {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.state {
                State::Head => self.on_head(rest, &method),
                State::Length(left) => {
                    let n = self.on_content(rest, left);
                    self.state = State::Length(left - n as u64);
                    if left == n as u64 {
                        self.complete();
                    }
                    &rest[n..]
                }
                State::Chunk(left) => {
                    let n = self.on_content(rest, left);
                    self.state = if left == n as u64 { State::ChunkEnd } else { State::Chunk(left - n as u64) };
                    &rest[n..]
                }
                State::UntilClose => {
                    self.on_content(rest, u64::MAX);
                    &[]
                }
                State::ChunkSize | State::ChunkEnd | State::Trailer => self.on_line(rest),
            };
        }
    }

    /// The connection has ended in order.
    pub(crate) fn end(&mut self) {
        if self.state == State::UntilClose {
            self.complete();
        }
    }

    /// Responses that have come to their end.
    pub(crate) fn completed(&self) -> usize {
        self.replies.iter().filter(|reply| reply.is_complete).count()
    }

    fn complete(&mut self) {
        self.state = State::Head;
        let reply = self.replies.last_mut().unwrap();
        reply.is_complete = true;
        if !reply.coded.is_empty() {
            let (content, is_whole) = reply.decode();
            assert!(is_whole, "the coding has no end, but the response has");
            reply.received = content.len() as u64;
        }
    }

    /// Adds a line to what is pending; what follows it.
    fn take_until<'a>(&mut self, rest: &'a [u8], end: &[u8]) -> Option<&'a [u8]> {
        for (at, byte) in rest.iter().enumerate() {
            self.pending.push(*byte);
            if self.pending.ends_with(end) {
                return Some(&rest[at + 1..]);
            }
        }
        None
    }

    fn on_line<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let Some(rest) = self.take_until(rest, b"\r\n") else { return &[] };
        let line = std::mem::take(&mut self.pending);
        let line = std::str::from_utf8(&line[..line.len() - 2]).unwrap();
        match self.state {
            State::ChunkEnd => {
                assert_eq!(line, "", "a chunk ends with CR LF");
                self.state = State::ChunkSize;
            }
            State::Trailer => {
                assert_eq!(line, "", "we send no trailers");
                self.complete();
            }
            _ => match u64::from_str_radix(line, 16).unwrap() {
                0 => self.state = State::Trailer,
                size => self.state = State::Chunk(size),
            },
        }
        rest
    }

    fn on_content(&mut self, rest: &[u8], left: u64) -> usize {
        let n = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let reply = self.replies.last_mut().unwrap();
        if reply.coding.is_some() {
            reply.coded.extend_from_slice(&rest[..n]);
            return n;
        }
        if let Some(id) = reply.id {
            let at = reply.received;
            assert!(rest[..n] == *pattern(id, at, n), "the response to request {id} at {at}");
        }
        reply.received += n as u64;
        n
    }

    fn on_head<'a>(&mut self, rest: &'a [u8], method: impl Fn(usize) -> Method) -> &'a [u8] {
        let Some(rest) = self.take_until(rest, b"\r\n\r\n") else { return &[] };
        let head = String::from_utf8(std::mem::take(&mut self.pending)).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap();
        let code: u16 = status.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok()).unwrap();
        let fields: Vec<_> = lines.map(|line| line.split_once(": ").unwrap()).collect();
        let all = |name: &str| fields.iter().filter(|(field, _)| *field == name).map(|(_, value)| *value).collect();
        let (lengths, codings): (Vec<_>, Vec<_>) = (all("Content-Length"), all("Transfer-Encoding"));
        assert!(lengths.len() + codings.len() <= 1, "one framing: {head}");
        if code < 200 {
            assert!(code == 100 && fields.is_empty(), "{head}");
            self.continues += 1;
            return rest;
        }
        assert!(!self.replies.last().is_some_and(|reply| reply.closes), "nothing follows Connection: close");
        let dates: Vec<_> = all("Date");
        assert_eq!(dates.len(), 1, "{head}");
        let closes = all("Connection").contains(&"close");
        let has_no_content = method(self.replies.len()) == Method::Head || matches!(code, 204 | 304);
        self.replies.push(Reply {
            code,
            id: all("X-Request").first().map(|id| id.parse().unwrap()),
            closes,
            has_retry_after: !all("Retry-After").is_empty(),
            coding: all("Content-Encoding").first().map(|name| Coding::from_name(name.as_bytes()).unwrap()),
            varies: all("Vary").contains(&"Accept-Encoding"),
            tag: all("ETag").first().map(|tag| tag.to_string()),
            ..Reply::default()
        });
        self.state = match lengths.first().map(|length| length.parse().unwrap()) {
            _ if has_no_content => State::Length(0),
            _ if codings == ["chunked"] => State::ChunkSize,
            Some(length) => State::Length(length),
            None => {
                assert!(closes && codings.is_empty(), "content without a length ends the connection: {head}");
                State::UntilClose
            }
        };
        if self.state == State::Length(0) {
            self.complete();
        }
        rest
    }
}
