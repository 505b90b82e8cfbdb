//! Properties of what a server sends, for any commands of an application.

use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

use super::DATE;
use crate::base::chunk::Chunk;
use crate::base::send_queue::SendQueue;
use crate::http::event::{Disposition, Event, StreamId};
use crate::http::message::{ContentLength, Response, Version};
use crate::http::method::Method;
use crate::http::shared_head::SharedHead;
use crate::http::status::Status;
use crate::http1::chunked::Chunked;
use crate::http1::encode::Delimiter;
use crate::http1::piece::Step;
use crate::http1::state::Respond;
use crate::http1::{Http1, Http1Options};

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

/// Carries out commands up to one that says to finish; whether a final head was among them.
fn command_response(
    http1: &mut Http1,
    id: StreamId,
    commands: &mut impl Iterator<Item = u8>,
    shares: bool,
    out: &mut SendQueue,
) -> bool {
    let mut answered = false;
    while let Some(command) = commands.next() {
        let argument = command >> 3;
        match command & 7 {
            0 | 1 => {
                let [first, second, len] = [(); 3].map(|()| commands.next().unwrap_or(0));
                let response = response_of(argument, [first, second]);
                let status = response.status;
                let length = match command & 1 {
                    0 => ContentLength::Exact(u64::from(len)),
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

/// A head whose parts do not depend on each other.
fn response_of(status: u8, fields: [u8; 2]) -> Response {
    let codes = [200, 204, 205, 206, 304, 404, 500, 299, 100, 101, 103, 426];
    let mut response = Response::new(Status::from_code(codes[usize::from(status) % codes.len()]).expect("a status"));
    let names = ["X", "ETag", "Set-Cookie", "Content-Length", "transfer-encoding", "Connection", "Date", "Upgrade"];
    let values: [&[u8]; 4] = [b"5", b"chunked", b"close", b""];
    for field in fields {
        // Beyond the names there is none, so that many heads have nothing that is the protocol's.
        if let Some(name) = names.get(usize::from(field & 0xf)) {
            response.headers.add(name, values[usize::from(field >> 4) % values.len()]);
        }
    }
    response
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    #[test]
    fn response_properties_hold_for_random_commands() {
        let mut random = Random(0x5eed);
        let as_of_files = format!("HTTP/1.1 200 OK\r\nDate: {}\r\nContent-Length: ", DATE.escape_ascii());
        let mut usual = 0;
        for _ in 0..3000 {
            let len = random.below(40);
            let data = random.bytes(len);
            http_responses(&data);
            usual += u32::from(answer_all(&data, true).0.starts_with(as_of_files.as_bytes()));
        }
        assert!(usual > 20, "rendered heads as files have them: {usual}");
    }
}
