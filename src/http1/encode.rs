//! Responses as bytes (RFC 9112 §4, §5, §7.1): status line, field lines, and the framing of the content.
//!
//! Framing and connection management are the protocol's: whatever an application says about them is left out here, so
//! that a message always ends where its head says. A field that would break the head (an invalid name, CR, LF or NUL in
//! its value) is left out too. Everything is written into the send queue's own buffer, without an allocation in
//! between, so that a head and small content leave in one slice.

use bytes::{BufMut, BytesMut};
use memchr::memchr3;

use crate::base::chunk::Chunk;
use crate::base::send_queue::{SendQueue, Writer};
use crate::http::date::IMF_FIXDATE_LEN;
use crate::http::headers::{is_field_value, is_token, trim};
use crate::http::message::{ContentLength, Response, Version};
use crate::http::method::Method;
use crate::http::status::Status;

/// Room reserved for a head; a larger one grows the buffer.
const HEAD_BYTES_USUAL: usize = 512;
/// What the protocol adds to a head, at most: Date, Content-Length, Connection and the empty line.
const FRAMING_BYTES_MAX: usize = 128;
/// Room reserved beside it for content that will be copied behind the head.
const CONTENT_BYTES_USUAL: u64 = 4096;

/// What ends the content of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delimiter {
    /// The head: no content is sent, whatever comes.
    Head,
    /// A count: so many bytes are still to come.
    Length(u64),
    /// The last chunk.
    LastChunk,
    /// The end of the connection.
    Close,
}

/// The framing field of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FramingField {
    None,
    ContentLength(u64),
    Chunked,
}

/// What a response says about the connection after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Persistence {
    /// Nothing: HTTP/1.1 goes on.
    Default,
    /// It goes on although HTTP/1.0 would end it.
    KeepAlive,
    /// It ends.
    Close,
}

/// How a response is delimited (RFC 9112 §6.3, RFC 9110 §8.6). `method` is none when it could not be read.
pub(super) fn delimit(
    method: Option<Method>,
    version: Version,
    status: Status,
    length: ContentLength,
) -> (Delimiter, FramingField) {
    match length {
        _ if status == Status::RESET_CONTENT => (Delimiter::Head, FramingField::ContentLength(0)),
        _ if status.forbids_content() => (Delimiter::Head, FramingField::None),
        // RFC 9110 §9.3.6: neither field in a successful response to CONNECT.
        _ if method == Some(Method::Connect) && status.code() < 300 => (Delimiter::Head, FramingField::None),
        ContentLength::Exact(n) if method == Some(Method::Head) => (Delimiter::Head, FramingField::ContentLength(n)),
        ContentLength::Unknown if method == Some(Method::Head) => (Delimiter::Head, FramingField::None),
        ContentLength::Exact(n) => (Delimiter::Length(n), FramingField::ContentLength(n)),
        ContentLength::Unknown if version == Version::Http10 => (Delimiter::Close, FramingField::None),
        ContentLength::Unknown => (Delimiter::LastChunk, FramingField::Chunked),
    }
}

/// Writes the head of a final response.
pub(super) fn head(
    response: &Response,
    framing: FramingField,
    persistence: Persistence,
    date: &[u8; IMF_FIXDATE_LEN],
    out: &mut SendQueue,
) {
    let mut head = writer(framing, HEAD_BYTES_USUAL, out);
    write_status_line(&mut head, response);
    // An upgrade is never made, but 426 must name one (RFC 9110 §15.5.22).
    let names_upgrade = response.status == Status::UPGRADE_REQUIRED;
    let mut dated = false;
    for (name, value) in response.headers.iter() {
        match Owned::of(name) {
            Owned::No => {}
            Owned::Date if !dated => dated = true,
            Owned::Upgrade if names_upgrade => {}
            _ => continue,
        }
        write_field(&mut head, name, value);
    }
    end_head(&mut head, (!dated).then_some(date), framing, persistence, names_upgrade);
}

/// What [`head`] writes first, if that depends on the response alone: the status line, and all fields, none of which is
/// the protocol's. None otherwise, and for what is no final response.
pub(super) fn render(response: &Response) -> Option<Box<[u8]>> {
    let is_owned = response.headers.iter().any(|(name, _)| Owned::of(name) != Owned::No);
    if is_owned || response.status.is_informational() || response.status == Status::UPGRADE_REQUIRED {
        return None;
    }
    let mut rendered = BytesMut::with_capacity(HEAD_BYTES_USUAL);
    write_status_line(&mut rendered, response);
    for (name, value) in response.headers.iter() {
        write_field(&mut rendered, name, value);
    }
    Some(rendered[..].into())
}

/// Writes the head of a final response that has been [rendered](render).
pub(super) fn rendered_head(
    rendered: &[u8],
    framing: FramingField,
    persistence: Persistence,
    date: &[u8; IMF_FIXDATE_LEN],
    out: &mut SendQueue,
) {
    let mut head = writer(framing, rendered.len() + FRAMING_BYTES_MAX, out);
    head.put_slice(rendered);
    end_head(&mut head, Some(date), framing, persistence, false);
}

/// Room for a head, and for content that will be copied behind it.
fn writer(framing: FramingField, head_bytes: usize, out: &mut SendQueue) -> Writer<'_> {
    let content_room = match framing {
        FramingField::ContentLength(n) => n.min(CONTENT_BYTES_USUAL) as usize,
        _ => 0,
    };
    out.writer(head_bytes + content_room)
}

/// Writes what the protocol says in a head, and ends it.
fn end_head(
    head: &mut BytesMut,
    date: Option<&[u8; IMF_FIXDATE_LEN]>,
    framing: FramingField,
    persistence: Persistence,
    names_upgrade: bool,
) {
    if let Some(date) = date {
        head.put_slice(b"Date: ");
        head.put_slice(date);
        head.put_slice(b"\r\n");
    }
    match framing {
        FramingField::None => {}
        FramingField::ContentLength(n) => {
            head.put_slice(b"Content-Length: ");
            write_decimal(head, n);
            head.put_slice(b"\r\n");
        }
        FramingField::Chunked => head.put_slice(b"Transfer-Encoding: chunked\r\n"),
    }
    head.put_slice(match (persistence, names_upgrade) {
        (Persistence::Default, false) => b"",
        (Persistence::Default, true) => b"Connection: upgrade\r\n",
        (Persistence::KeepAlive, _) => b"Connection: keep-alive\r\n",
        (Persistence::Close, false) => b"Connection: close\r\n",
        (Persistence::Close, true) => b"Connection: upgrade, close\r\n",
    });
    head.put_slice(b"\r\n");
}

/// Writes an interim response (RFC 9110 §15.2), which has neither framing nor a say about the connection.
pub(super) fn interim(response: &Response, out: &mut SendQueue) {
    let mut head = out.writer(HEAD_BYTES_USUAL);
    write_status_line(&mut head, response);
    for (name, value) in response.headers.iter().filter(|(name, _)| Owned::of(name) == Owned::No) {
        write_field(&mut head, name, value);
    }
    head.put_slice(b"\r\n");
}

/// Writes `100 Continue`.
pub(super) fn continue_(out: &mut SendQueue) {
    out.push_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
}

/// Writes a chunk; an empty one, which would end the content, is left out.
pub(super) fn chunk(chunk: Chunk, out: &mut SendQueue) {
    if chunk.is_empty() {
        return;
    }
    let mut line = [0; 18];
    let mut at = line.len() - 2;
    line[at..].copy_from_slice(b"\r\n");
    let mut size = chunk.len();
    while size > 0 {
        at -= 1;
        line[at] = b"0123456789abcdef"[(size & 0xf) as usize];
        size >>= 4;
    }
    out.push_slice(&line[at..]);
    out.push(chunk);
    out.push_slice(b"\r\n");
}

/// Writes the chunk that ends the content, without trailers.
pub(super) fn last_chunk(out: &mut SendQueue) {
    out.push_slice(b"0\r\n\r\n");
}

/// The protocol's own field names among an application's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owned {
    No,
    /// The application may set it, once.
    Date,
    /// Allowed with 426 alone.
    Upgrade,
    /// Framing and connection management: never the application's.
    Yes,
}

impl Owned {
    fn of(name: &[u8]) -> Self {
        let owned: &[u8] = match name.len() {
            2 => b"TE",
            4 => b"Date",
            7 if matches!(name[0], b'U' | b'u') => b"Upgrade",
            7 => b"Trailer",
            10 if matches!(name[0], b'C' | b'c') => b"Connection",
            10 => b"Keep-Alive",
            14 => b"Content-Length",
            16 => b"Proxy-Connection",
            17 => b"Transfer-Encoding",
            _ => return Self::No,
        };
        match name.len() {
            _ if !name.eq_ignore_ascii_case(owned) => Self::No,
            4 => Self::Date,
            7 if owned == b"Upgrade" => Self::Upgrade,
            _ => Self::Yes,
        }
    }
}

fn write_status_line(head: &mut BytesMut, response: &Response) {
    match (&response.reason, prepared_status_line(response.status)) {
        (None, Some(line)) => head.put_slice(line.as_bytes()),
        (reason, _) => {
            head.put_slice(b"HTTP/1.1 ");
            write_decimal(head, u64::from(response.status.code()));
            head.put_slice(b" ");
            head.put_slice(match reason {
                Some(reason) if is_field_value(reason) => reason,
                _ => response.status.reason().as_bytes(),
            });
            head.put_slice(b"\r\n");
        }
    }
}

/// The status lines that nearly all responses have.
fn prepared_status_line(status: Status) -> Option<&'static str> {
    Some(match status {
        Status::OK => "HTTP/1.1 200 OK\r\n",
        Status::NO_CONTENT => "HTTP/1.1 204 No Content\r\n",
        Status::PARTIAL_CONTENT => "HTTP/1.1 206 Partial Content\r\n",
        Status::MOVED_PERMANENTLY => "HTTP/1.1 301 Moved Permanently\r\n",
        Status::FOUND => "HTTP/1.1 302 Found\r\n",
        Status::SEE_OTHER => "HTTP/1.1 303 See Other\r\n",
        Status::NOT_MODIFIED => "HTTP/1.1 304 Not Modified\r\n",
        Status::NOT_FOUND => "HTTP/1.1 404 Not Found\r\n",
        _ => return None,
    })
}

/// Writes a field line, or nothing when it would not be one.
fn write_field(head: &mut BytesMut, name: &[u8], value: &[u8]) {
    if !is_token(name) || memchr3(b'\r', b'\n', 0, value).is_some() {
        return;
    }
    head.put_slice(name);
    head.put_slice(b": ");
    head.put_slice(trim(value));
    head.put_slice(b"\r\n");
}

fn write_decimal(head: &mut BytesMut, mut value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    head.put_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &[u8; IMF_FIXDATE_LEN] = b"Sun, 06 Nov 1994 08:49:37 GMT";

    fn written(write: impl FnOnce(&mut SendQueue)) -> String {
        String::from_utf8(bytes(write)).unwrap()
    }

    fn bytes(write: impl FnOnce(&mut SendQueue)) -> Vec<u8> {
        let mut out = SendQueue::default();
        write(&mut out);
        let mut slices = [std::io::IoSlice::new(&[]); 8];
        let filled = out.slices(&mut slices);
        let all: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
        assert_eq!(all.len() as u64, out.len());
        all
    }

    #[test]
    fn prepared_lines_are_what_would_be_assembled() {
        for code in 100..600 {
            let mut response = Response::new(Status::from_code(code).unwrap());
            let prepared = written(|out| write_status_line(&mut out.writer(0), &response));
            response.reason = Some(response.status.reason().as_bytes().into());
            assert_eq!(prepared, written(|out| write_status_line(&mut out.writer(0), &response)));
            assert_eq!(prepared, format!("HTTP/1.1 {code} {}\r\n", response.status.reason()));
        }
    }

    #[test]
    fn rendered_heads_are_what_would_be_written() {
        let fields: [&[(&str, &[u8])]; 6] = [
            &[],
            &[("Content-Type", b"text/html; charset=utf-8")],
            &[
                ("Content-Type", b"text/css"),
                ("ETag", b"\"1.2-a\""),
                ("Last-Modified", DATE),
                ("Vary", b"Accept-Encoding"),
            ],
            &[("Set-Cookie", b"a=1"), ("set-cookie", b"b=2"), ("X", b""), ("Y", b"\t padded \xff ")],
            // As long as the owned ones.
            &[("ET", b"1"), ("ETag", b"2"), ("Refresh", b"3"), ("Set-Cookie", b"4"), ("Content-Length-", b"5")],
            &[("X-Long", &[b'x'; 4 * HEAD_BYTES_USUAL])],
        ];
        let framings = [0, 1, 4096, 65_537, u64::MAX].map(FramingField::ContentLength);
        let framings = [&framings[..], &[FramingField::None, FramingField::Chunked]].concat();
        let mut compared = 0;
        // With a prepared status line, without one, and without a reason.
        for code in [200, 204, 206, 301, 302, 303, 304, 404, 205, 207, 401, 416, 500, 299, 599] {
            for (fields, reason) in
                fields.iter().flat_map(|fields| [(fields, None), (fields, Some(&b"As I like it"[..]))])
            {
                let mut response = Response::new(Status::from_code(code).unwrap());
                response.reason = reason.map(Into::into);
                fields.iter().for_each(|(name, value)| response.headers.add(name, value));
                let rendered = render(&response).expect("nothing in it is the protocol's");
                for framing in &framings {
                    for persistence in [Persistence::Default, Persistence::KeepAlive, Persistence::Close] {
                        let usual = bytes(|out| head(&response, *framing, persistence, DATE, out));
                        let fast = bytes(|out| rendered_head(&rendered, *framing, persistence, DATE, out));
                        assert!(fast == usual, "{}\n{}", fast.escape_ascii(), usual.escape_ascii());
                        compared += 1;
                    }
                }
            }
        }
        assert_eq!(compared, 15 * 6 * 2 * 7 * 3);
    }

    #[test]
    fn heads_that_depend_on_the_request_are_not_rendered() {
        for name in
            ["connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "TE", "Trailer", "Upgrade", "DATE"]
        {
            let mut response = Response::new(Status::OK);
            response.headers.add("X", b"y");
            response.headers.add(name, b"z");
            assert_eq!(render(&response), None, "{name}");
        }
        for status in [Status::CONTINUE, Status::SWITCHING_PROTOCOLS, Status::UPGRADE_REQUIRED] {
            assert_eq!(render(&Response::new(status)), None, "{}", status.code());
        }
    }

    #[test]
    fn framing_and_connection_fields_are_the_protocol_s() {
        let mut response = Response::new(Status::OK);
        for name in ["connection", "Keep-Alive", "PROXY-CONNECTION", "Transfer-Encoding", "te", "Trailer", "Upgrade"] {
            response.headers.add(name, b"x");
        }
        response.headers.add("content-length", b"5");
        response.headers.add("Content-Type", b"\ttext/plain ");
        response.headers.add("date", b"mine");
        response.headers.add("Date", b"twice");
        response.headers.add("Tea", b"");
        assert_eq!(
            written(|out| head(&response, FramingField::Chunked, Persistence::Default, DATE, out)),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ndate: mine\r\nTea: \r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        response.status = Status::UPGRADE_REQUIRED;
        assert!(written(|out| head(&response, FramingField::None, Persistence::Close, DATE, out)).ends_with(
            "Upgrade: x\r\nContent-Type: text/plain\r\ndate: mine\r\nTea: \r\nConnection: upgrade, close\r\n\r\n"
        ));
    }

    #[test]
    fn fields_and_reasons_cannot_split_the_response() {
        use crate::http::headers::{Field, Headers};
        let mut response = Response::new(Status::OK);
        response.reason = Some((*b"fine\r\nX: y").into());
        // As if an application's fields had not been checked.
        let mut block = BytesMut::new();
        let mut headers = Headers::new();
        let mut fields = Vec::new();
        for (name, value) in
            [("A", "b\r\nC: d"), ("E", "f\ng"), ("H", "i\0"), ("J:", "k"), ("L ", "m"), ("", "n"), ("O", "p")]
        {
            let mut span = |text: &str| {
                block.put_slice(text.as_bytes());
                headers.push_bytes(text.as_bytes()).unwrap()
            };
            fields.push(Field { name: span(name), value: span(value) });
        }
        response.headers = Headers::from_parts(block, fields);
        assert_eq!(
            written(|out| head(&response, FramingField::ContentLength(0), Persistence::Default, DATE, out)),
            "HTTP/1.1 200 OK\r\nO: p\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n"
        );
    }

    #[test]
    fn chunks_have_hexadecimal_sizes_and_are_never_empty() {
        let bytes = |len| Chunk::Bytes(vec![b'x'; len].into());
        assert_eq!(written(|out| chunk(bytes(0), out)), "");
        assert_eq!(written(|out| chunk(bytes(26), out)), format!("1a\r\n{}\r\n", "x".repeat(26)));
        assert_eq!(written(|out| chunk(bytes(4096), out)), format!("1000\r\n{}\r\n", "x".repeat(4096)));
    }

    #[test]
    fn numbers_are_decimal() {
        for value in [0, 7, 10, 65_536, u64::MAX] {
            assert_eq!(written(|out| write_decimal(&mut out.writer(0), value)), value.to_string());
        }
    }

    #[test]
    fn heads_and_small_content_share_a_slice() {
        let mut out = SendQueue::default();
        head(&Response::new(Status::OK), FramingField::ContentLength(1), Persistence::Default, DATE, &mut out);
        out.push(Chunk::Bytes("x".into()));
        assert_eq!(out.slices(&mut [std::io::IoSlice::new(&[]); 4]), 1);
    }
}
