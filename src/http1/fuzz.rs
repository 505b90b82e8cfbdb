//! Properties of an HTTP/1 connection that hold for any bytes at all; fuzz targets and tests share them.
//!
//! Each function takes arbitrary data and panics when a property is broken. Nothing here is part of the server.

use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

use super::chunked::Chunked;
use super::encode::Delimiter;
use super::piece::Step;
use super::state::Respond;
use super::{Http1, Http1Options};
use crate::base::chunk::Chunk;
use crate::base::limits;
use crate::base::send_queue::SendQueue;
use crate::http::date::IMF_FIXDATE_LEN;
use crate::http::event::{Awaiting, Disposition, Event, StreamId};
use crate::http::headers::{is_field_value, is_token};
use crate::http::message::{ContentLength, Request, Response, Version};
use crate::http::method::Method;
use crate::http::peer_error::PeerError;
use crate::http::shared_head::SharedHead;
use crate::http::status::Status;

const DATE: &[u8; IMF_FIXDATE_LEN] = b"Sun, 06 Nov 1994 08:49:37 GMT";

/// Limits that short inputs can reach.
const TIGHT: Http1Options = Http1Options { head_bytes_max: 160, fields_max: 4, target_bytes_max: 24, requests_max: 3 };

/// A peer's bytes: any split gives the same events, what is consumed and what is left make up the input, an accepted
/// head has neither a NUL nor a lone CR or LF, and no more than the limits is ever buffered.
pub fn http_parser(data: &[u8]) {
    let loose = Http1Options::default();
    for (options, answers_early) in [(loose, false), (loose, true), (TIGHT, false), (TIGHT, true)] {
        let whole = Trace::record(data, options, answers_early, |_| data.len());
        let seed = data.iter().fold(data.len() as u64, |seed, byte| seed.rotate_left(9) ^ u64::from(*byte));
        let mut random = Random(seed | 1);
        let splits: [(&str, &mut dyn FnMut(usize) -> usize); 3] =
            [("bytes", &mut |_| 1), ("pairs", &mut |_| 2), ("random", &mut |_| 1 + random.below(64))];
        for (name, split) in splits {
            let cut = Trace::record(data, options, answers_early, split);
            assert_eq!(cut, whole, "{name}, {options:?}, {answers_early}: {}", data.escape_ascii());
        }
    }
}

/// An application's commands: whatever they are, a client reads exactly one response for each request, in order, and
/// one that could not be completed is visibly cut.
pub fn http_responses(data: &[u8]) {
    let [apart, shared] = [false, true].map(|shares| answer_all(data, shares));
    assert_eq!(apart, shared, "a shared head is like one of its own: {}", data.escape_ascii());
}

/// Carries the commands out, with heads that are shared or not; what was sent.
fn answer_all(data: &[u8], shares: bool) -> (Bytes, Disposition) {
    let mut commands = data.iter().copied();
    let mut http1 = Http1::new(Http1Options::default());
    let (mut inbox, mut out) = (BytesMut::new(), SendQueue::default());
    let mut answers = Vec::new();
    while http1.disposition() == Disposition::Open
        && let Some(kind) = commands.next()
    {
        let method = [Method::Get, Method::Head, Method::Post, Method::Options][usize::from(kind & 3)];
        let version = if kind & 4 == 0 { Version::Http11 } else { Version::Http10 };
        let connection = if kind & 8 == 0 { "keep-alive" } else { "close" };
        let (name, version) = (method.as_str(), version.as_str());
        let head = format!("{name} / {version}\r\nHost: a\r\nConnection: {connection}\r\n\r\n");
        inbox.extend_from_slice(head.as_bytes());
        let Some(Event::Request(id, _)) = http1.poll_event(&mut inbox) else { panic!("a request: {head}") };
        let answered = command_response(&mut http1, id, &mut commands, shares, &mut out);
        let is_short = matches!(http1.respond, Respond::Content(Delimiter::Length(1..)));
        http1.finish(id, &mut out);
        assert!(!is_short || http1.disposition() == Disposition::Linger);
        answers.push((method, answered && !is_short));
    }
    let mut sent = bytes_of(&mut out);
    let all = sent.clone();
    for (index, (method, complete)) in answers.iter().enumerate() {
        let read = read_response(&mut sent, *method, index + 1 == answers.len());
        assert_eq!(read, *complete, "response {index}: {}", data.escape_ascii());
    }
    let complete = answers.iter().all(|(_, complete)| *complete);
    assert!(sent.is_empty() || !complete, "bytes after the last response: {}", data.escape_ascii());
    (all, http1.disposition())
}

/// Chunked content: a second, simpler decoder finds the same content and the same end, however the input is split.
pub fn chunked(data: &[u8]) {
    let expected = decode_simply(data);
    for split in [1, 2, 7, data.len().max(1)] {
        let (mut chunked, mut inbox) = (Chunked::default(), BytesMut::new());
        let (mut content, mut fed, mut result) = (Vec::new(), 0, None);
        while result.is_none() && fed < data.len() {
            let end = data.len().min(fed + split);
            inbox.extend_from_slice(&data[fed..end]);
            fed = end;
            result = loop {
                match chunked.decode(&mut inbox) {
                    Ok(Step::Content(bytes)) => content.extend_from_slice(&bytes),
                    Ok(Step::Starved) => break None,
                    Ok(Step::End) => break Some(Ok(fed - inbox.len())),
                    Err(_) => break Some(Err(())),
                }
            };
            assert!(result.is_some() || inbox.is_empty(), "a decoder that starves has taken everything");
        }
        match (&expected, result) {
            (Simply::End(wanted, end), Some(Ok(found))) => assert_eq!((wanted, *end), (&content, found)),
            (Simply::Starved(wanted), None) | (Simply::Wrong(wanted), Some(Err(()))) => assert_eq!(*wanted, content),
            // A line is judged byte by byte, and here only when it is complete.
            (Simply::Starved(wanted), Some(Err(()))) => assert_eq!(*wanted, content),
            (expected, found) => panic!("{expected:?}, not {found:?}: {}", data.escape_ascii()),
        }
    }
}

/// What a simple decoder makes of chunked content: the content, and where it ends.
#[derive(Debug)]
enum Simply {
    End(Vec<u8>, usize),
    Starved(Vec<u8>),
    Wrong(Vec<u8>),
}

/// Decodes chunks line by line, from the whole input, as RFC 9112 §7.1 has it.
fn decode_simply(data: &[u8]) -> Simply {
    let (mut content, mut at, mut overhead) = (Vec::new(), 0, 0);
    let line = |at: usize| data[at..].windows(2).position(|pair| pair == b"\r\n").map(|len| &data[at..at + len]);
    loop {
        let Some(size_line) = line(at) else { return Simply::Starved(content) };
        let digits = size_line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let size = std::str::from_utf8(&size_line[..digits]).ok().and_then(|text| u64::from_str_radix(text, 16).ok());
        overhead += size_line.len() - digits;
        let Some(size) = size.filter(|_| digits <= 16 && is_extensions(&size_line[digits..])) else {
            return Simply::Wrong(content);
        };
        if overhead > limits::CHUNK_OVERHEAD_BYTES_MAX {
            return Simply::Wrong(content);
        }
        at += size_line.len() + 2;
        if size == 0 {
            break;
        }
        let len = usize::try_from(size).unwrap_or(usize::MAX);
        content.extend_from_slice(&data[at..at.saturating_add(len).min(data.len())]);
        at = at.saturating_add(len);
        match data.get(at..) {
            None | Some([] | b"\r") => return Simply::Starved(content),
            Some([b'\r', b'\n', ..]) => at += 2,
            Some(_) => return Simply::Wrong(content),
        }
    }
    loop {
        match line(at) {
            None => return Simply::Starved(content),
            Some(b"") => return Simply::End(content, at + 2),
            Some(field) => {
                overhead += field.len() + 1;
                let colon = field.iter().position(|byte| *byte == b':');
                let legal = colon.is_some_and(|at| is_token(&field[..at]) && field[at + 1..].iter().all(is_text));
                if !legal || overhead > limits::CHUNK_OVERHEAD_BYTES_MAX {
                    return Simply::Wrong(content);
                }
                at += field.len() + 2;
            }
        }
    }
}

fn is_text(byte: &u8) -> bool {
    is_field_value(&[*byte]) || matches!(byte, b' ' | b'\t')
}

/// Whether this is `*( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )`.
fn is_extensions(mut rest: &[u8]) -> bool {
    fn blank(rest: &[u8]) -> &[u8] {
        &rest[rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()..]
    }
    fn token(rest: &[u8]) -> Option<&[u8]> {
        let len = rest.iter().take_while(|byte| is_token(&[**byte])).count();
        (len > 0).then(|| &rest[len..])
    }
    fn quoted(rest: &[u8]) -> Option<&[u8]> {
        let mut rest = rest.strip_prefix(b"\"")?;
        loop {
            rest = match rest {
                [b'"', after @ ..] => return Some(after),
                [b'\\', byte, after @ ..] | [byte, after @ ..] if is_text(byte) => after,
                _ => return None,
            };
        }
    }
    while !rest.is_empty() {
        let Some(named) = blank(rest).strip_prefix(b";").and_then(|rest| token(blank(rest))) else { return false };
        rest = match blank(named).strip_prefix(b"=") {
            None => named,
            Some(value) => match token(blank(value)).or_else(|| quoted(blank(value))) {
                Some(after) => after,
                None => return false,
            },
        };
    }
    true
}

/// What came of some input.
#[derive(Debug, PartialEq, Eq)]
struct Trace {
    log: Vec<Entry>,
    consumed: usize,
    disposition: Disposition,
}

/// An event; adjacent pieces of content are one.
#[derive(Debug, PartialEq, Eq)]
enum Entry {
    Request(StreamId, String),
    Content(StreamId, Vec<u8>),
    End(StreamId),
    Invalid(StreamId, PeerError),
}

impl Trace {
    /// Feeds `data` in pieces whose lengths `split` says, and answers each request at its end, or at once.
    fn record(data: &[u8], options: Http1Options, answers_early: bool, mut split: impl FnMut(usize) -> usize) -> Self {
        let mut trace = Self { log: Vec::new(), consumed: 0, disposition: Disposition::Open };
        let (mut http1, mut inbox) = (Http1::new(options), BytesMut::new());
        let mut fed = 0;
        while fed < data.len() && http1.disposition() == Disposition::Open {
            assert!(http1.wants_input(&inbox), "an open connection without a response under way wants input");
            let piece = &data[fed..][..split(fed).min(data.len() - fed)];
            inbox.extend_from_slice(piece);
            fed += piece.len();
            trace.pump(&mut http1, &mut inbox, &data[..fed], answers_early);
            let open = http1.disposition() == Disposition::Open;
            assert!(!open || inbox.len() <= http1.options.head_bytes_max, "{} bytes are buffered", inbox.len());
        }
        http1.eof();
        trace.pump(&mut http1, &mut inbox, &data[..fed], answers_early);
        assert_ne!(http1.disposition(), Disposition::Open, "the end of the input ends the connection");
        assert_eq!(http1.awaiting(&inbox), Awaiting::Nothing);
        trace.disposition = http1.disposition();
        trace
    }

    fn pump(&mut self, http1: &mut Http1, inbox: &mut BytesMut, fed: &[u8], answers_early: bool) {
        let mut out = SendQueue::default();
        while let Some(event) = http1.poll_event(inbox) {
            assert!(fed.ends_with(inbox), "consumed and left are the input");
            let before = std::mem::replace(&mut self.consumed, fed.len() - inbox.len());
            let (id, status) = match &event {
                Event::Request(id, request) => {
                    check_request(request, &http1.options);
                    // Thrown away content would lie before it.
                    if !answers_early {
                        check_head(&fed[before..self.consumed]);
                    }
                    (*id, answers_early.then_some(Status::NOT_FOUND))
                }
                Event::Content(id, _) => (*id, None),
                Event::EndOfContent(id) => (*id, Some(Status::OK)),
                Event::Invalid(id, error) => (*id, Some(error.status())),
                Event::Reset(_) | Event::Room(_) | Event::Sent(_) => panic!("HTTP/1 has no streams to tell of"),
            };
            self.log(event);
            if let Some(status) = status {
                http1.send_response(id, Response::new(status), ContentLength::Exact(0), DATE, &mut out);
                http1.finish(id, &mut out);
            }
        }
        self.consumed = fed.len() - inbox.len();
    }

    fn log(&mut self, event: Event) {
        match event {
            Event::Request(id, request) => self.log.push(Entry::Request(id, describe(&request))),
            Event::EndOfContent(id) => self.log.push(Entry::End(id)),
            Event::Invalid(id, error) => self.log.push(Entry::Invalid(id, error)),
            Event::Reset(_) | Event::Room(_) | Event::Sent(_) => {}
            Event::Content(id, bytes) => {
                assert!(!bytes.is_empty(), "a piece of content is never empty");
                match self.log.last_mut() {
                    Some(Entry::Content(last, gathered)) if *last == id => gathered.extend_from_slice(&bytes),
                    _ => self.log.push(Entry::Content(id, bytes.to_vec())),
                }
            }
        }
    }
}

/// Checks an accepted head (with what was skipped before it).
fn check_head(head: &[u8]) {
    let text = head.escape_ascii();
    for (at, byte) in head.iter().enumerate() {
        match byte {
            0 => panic!("NUL in {text}"),
            b'\r' => assert_eq!(head.get(at + 1), Some(&b'\n'), "lone CR in {text}"),
            b'\n' => assert!(at > 0 && head[at - 1] == b'\r', "lone LF in {text}"),
            _ => {}
        }
    }
    assert!(head.ends_with(b"\r\n\r\n"), "{text}");
}

/// Checks what an accepted head was read as.
fn check_request(request: &Request, options: &Http1Options) {
    let text = describe(request);
    assert!(request.headers.len() <= options.fields_max && request.target().len() <= options.target_bytes_max + 1);
    for (name, value) in request.headers.iter() {
        assert!(is_token(name) && is_field_value(value), "{text}");
    }
    let legal = match (request.method, request.target()) {
        (Method::Connect, target) => request.authority() == Some(target),
        (Method::Options, b"*") => true,
        (_, target) => target.starts_with(b"/") && !target.iter().any(|byte| matches!(byte, 0..=b' ' | b'#' | 0x7f)),
    };
    assert!(legal, "{text}");
    assert!(request.version == Version::Http10 || request.authority().is_some(), "{text}");
    assert!(request.headers.get_all("Host").count() <= 1, "{text}");
    assert!(!(request.headers.contains("Content-Length") && request.headers.contains("Transfer-Encoding")), "{text}");
}

fn describe(request: &Request) -> String {
    let fields: Vec<_> = request
        .headers
        .iter()
        .map(|(name, value)| format!("{}: {}", name.escape_ascii(), value.escape_ascii()))
        .collect();
    format!(
        "{} {} {} {:?} {:?} {} {fields:?}",
        request.method.as_str(),
        request.target().escape_ascii(),
        request.version.as_str(),
        request.authority(),
        request.content_length,
        request.expects_continue,
    )
}

/// Carries out commands up to one that says to finish; whether a final head was among them.
fn command_response(
    http1: &mut Http1,
    id: StreamId,
    commands: &mut impl Iterator<Item = u8>,
    shares: bool,
    out: &mut SendQueue,
) -> bool {
    let mut answered = false;
    for command in commands {
        let argument = command >> 3;
        match command & 7 {
            0 | 1 => {
                let code = [200, 204, 205, 304, 100, 101, 103, 404, 426, 500][usize::from(argument % 10)];
                let status = Status::from_code(code).expect("a status");
                let mut response = Response::new(status);
                let names = ["Content-Length", "transfer-encoding", "Connection", "Date", "Upgrade", "X"];
                let values: [&[u8]; 3] = [b"5", b"chunked", b"close"];
                response.headers.add(names[usize::from(command % 6)], values[usize::from(command % 3)]);
                response.headers.add(names[usize::from(argument % 6)], values[usize::from(argument % 3)]);
                let length = match command & 1 {
                    0 => ContentLength::Exact(u64::from(argument)),
                    _ => ContentLength::Unknown,
                };
                if shares {
                    let head = SharedHead::new(response);
                    // The second is nothing to the protocol, but may be to the head.
                    (0..2).for_each(|_| http1.send_shared(id, &head, length, DATE, out));
                } else {
                    http1.send_response(id, response.clone(), length, DATE, out);
                    http1.send_response(id, response, length, DATE, out);
                }
                answered |= !status.is_informational();
            }
            2 | 3 => {
                let content = Bytes::from(vec![b'x'; usize::from(argument)]);
                http1.send_content(id, Chunk::Bytes(content), out);
            }
            4 => http1.send_continue(id, out),
            5 => {
                http1.send_content(StreamId(id.0 + 1), Chunk::Bytes("other".into()), out);
                http1.finish(StreamId(id.0 - 1), out);
            }
            _ => break,
        }
    }
    answered
}

/// Reads one response as a client does (RFC 9112 §6.3); whether it was complete.
fn read_response(sent: &mut Bytes, method: Method, is_last: bool) -> bool {
    loop {
        let mut fields = [httparse::EMPTY_HEADER; 16];
        let mut head = httparse::Response::new(&mut fields);
        let Ok(httparse::Status::Complete(len)) = head.parse(sent) else { return false };
        let code = head.code.expect("a complete head has a status");
        let values = |name: &str| -> Vec<Vec<u8>> {
            head.headers
                .iter()
                .filter(|field| field.name.eq_ignore_ascii_case(name))
                .map(|f| f.value.to_vec())
                .collect()
        };
        let (lengths, codings, dates) = (values("Content-Length"), values("Transfer-Encoding"), values("Date"));
        let closes = values("Connection").iter().any(|value| value.ends_with(b"close"));
        sent.advance(len);
        assert!(lengths.len() + codings.len() <= 1, "one framing");
        if code < 200 {
            assert!(code != 101 && lengths.is_empty() && codings.is_empty());
            continue;
        }
        assert_eq!(dates.len(), 1, "one date");
        assert!(!closes || is_last, "nothing follows Connection: close");
        let length = lengths.first().map(|value| String::from_utf8_lossy(value).parse::<usize>().expect("a number"));
        if method == Method::Head || matches!(code, 204 | 304) {
            return true;
        }
        return match length {
            _ if !codings.is_empty() => read_chunks(sent),
            Some(length) if length <= sent.len() => {
                sent.advance(length);
                true
            }
            Some(_) => false,
            None => {
                assert!(is_last && closes, "content without a length ends the connection");
                sent.clear();
                true
            }
        };
    }
}

fn read_chunks(sent: &mut Bytes) -> bool {
    let (mut chunked, mut inbox) = (Chunked::default(), BytesMut::from(&sent[..]));
    let end = loop {
        match chunked.decode(&mut inbox).expect("our chunks are well-formed") {
            Step::Content(_) => {}
            step => break step,
        }
    };
    *sent = inbox.freeze();
    end == Step::End
}

fn bytes_of(out: &mut SendQueue) -> Bytes {
    let mut all = BytesMut::new();
    while !out.is_empty() {
        let mut slices = [IoSlice::new(&[]); 16];
        let filled = out.slices(&mut slices);
        let before = all.len();
        for slice in &slices[..filled] {
            all.extend_from_slice(slice);
        }
        out.advance((all.len() - before) as u64);
    }
    all.freeze()
}

/// Numbers that look random and depend on the seed alone (xorshift64; the seed must not be 0).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEDS: &[&[u8]] = &[
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\r\nHEAD /a%20b?c=%zz HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.0\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;a=\"b\"\r\n \r\n0\r\nA: b\r\n\r\n",
        b"GET http://h?q HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
        b"OPTIONS * HTTP/1.9\r\nHost: a\r\nContent-Type: x\r\n\r\nCONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"Connection: keep-alive\r\nContent-Length: 0\r\nTransfer-Encoding: gzip, chunked\r\n",
    ];

    /// One of the seeds (or two), with a few changes.
    fn mutated(random: &mut Random) -> Vec<u8> {
        let mut data = SEEDS[random.below(SEEDS.len())].to_vec();
        for _ in 0..random.below(5) {
            let at = random.below(data.len() + 1);
            let end = at + random.below(data.len() - at + 1).min(12);
            match random.below(6) {
                0 => drop(data.drain(at..end)),
                1 => data.insert(at, b"\r\n\0 \t:;,\"=%#/?0f\xe4"[random.below(17)]),
                2 if at < data.len() => data[at] ^= 1 << random.below(8),
                3 => {
                    let copy = data[at..end].to_vec();
                    data.splice(at..at, copy);
                }
                4 => {
                    let other = SEEDS[random.below(SEEDS.len())];
                    let from = random.below(other.len());
                    data.splice(at..end, other[from..].iter().copied());
                }
                _ => data.splice(at..at, *b"\r\n").for_each(drop),
            }
        }
        data
    }

    #[test]
    fn parser_properties_hold_for_mutated_requests() {
        let mut random = Random(0x5eed);
        for seed in SEEDS {
            http_parser(seed);
        }
        for _ in 0..600 {
            http_parser(&mutated(&mut random));
        }
    }

    #[test]
    fn chunk_properties_hold_for_random_chunks() {
        const PIECES: [&[u8]; 20] = [
            b"0",
            b"1",
            b"5",
            b"a",
            b"ff",
            b"\r\n",
            b"\r\n",
            b"\r\n",
            b"\r\n0\r\n",
            b"\r\n\r\n",
            b";",
            b"; a",
            b"=",
            b"\"",
            b"\\",
            b" ",
            b"A: b\r\n",
            b"hello",
            b"\n",
            b"\r",
        ];
        let mut random = Random(0x5eed);
        for _ in 0..20_000 {
            let count = random.below(12);
            chunked(&(0..count).flat_map(|_| PIECES[random.below(20)]).copied().collect::<Vec<u8>>());
        }
        for extensions in [8_188, 8_189, 8_190, 8_191, 8_192, 8_193] {
            chunked(format!("1;a{}\r\nx\r\n0\r\n\r\n", "b".repeat(extensions)).as_bytes());
            chunked(format!("1;a\r\nx\r\n0\r\nA:{}\r\n\r\n", "b".repeat(extensions)).as_bytes());
        }
    }

    #[test]
    fn response_properties_hold_for_random_commands() {
        let mut random = Random(0x5eed);
        for _ in 0..3000 {
            let len = random.below(40);
            http_responses(&(0..len).map(|_| random.below(256) as u8).collect::<Vec<_>>());
        }
    }

    #[test]
    fn long_content_is_thrown_away_up_to_the_bound() {
        let request = |len: usize| {
            let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {len}\r\n\r\n");
            [head.as_bytes(), &vec![b'x'; len], b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"].concat()
        };
        for (len, requests) in [(DISCARD, 2), (DISCARD + 1, 1)] {
            let trace = Trace::record(&request(len), Http1Options::default(), true, |_| 10_000);
            assert_eq!(trace.log.len(), requests, "{len}");
        }
    }

    const DISCARD: usize = limits::DISCARD_BYTES_MAX as usize;
}
