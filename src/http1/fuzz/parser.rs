//! Properties of what a peer sends, for any bytes at all.

use bytes::BytesMut;

use super::DATE;
use crate::base::random::Random;
use crate::base::send_queue::SendQueue;
use crate::http::event::{Awaiting, Disposition, Event, StreamId};
use crate::http::headers::{is_field_value, is_token};
use crate::http::message::{ContentLength, Request, Response, Version};
use crate::http::method::Method;
use crate::http::peer_error::PeerError;
use crate::http::status::Status;
use crate::http1::{Http1, Http1Options};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits;

    const DISCARD: usize = limits::DISCARD_BYTES_MAX as usize;

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
}
