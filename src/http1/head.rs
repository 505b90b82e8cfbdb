//! Finding the head of a request in what has arrived (RFC 9112 §2.1, §2.2): line by line, each byte looked at once.
//!
//! The request line is parsed as soon as it is complete, so that garbage and targets without end are answered early;
//! the field lines are only counted and searched for lone CR and LF until the empty line ends the head, and are then
//! parsed once ([`fields`](super::fields)). Every decision depends on the position of bytes in the stream alone, never
//! on how the stream was cut into reads. What is found holds no CR and no LF but in pairs.

use bytes::{Buf, BytesMut};
use memchr::{memchr_iter, memchr2};

use super::Http1Options;
use super::request_line::{METHOD_BYTES_MAX, RequestLine, check_method};
use crate::http::peer_error::PeerError;

/// RFC 9112 §2.2 asks to skip at least one, for old clients that send CR LF after their content.
const EMPTY_LINES_MAX: u8 = 2;
/// What a request line has beside its target: the method, two spaces, the version and CR LF.
const REQUEST_LINE_EXTRA: usize = METHOD_BYTES_MAX + 1 + 1 + 8 + 2;

/// How far the search for the end of a head has come.
///
/// ```text
/// RequestLine ── its CR LF ──▶ Fields ── an empty line ──▶ Found
///      └─────────────────────────┴── a broken rule ──▶ PeerError
/// ```
#[derive(Debug)]
pub(super) enum Head {
    /// The request line is incomplete; nothing of it may have arrived.
    RequestLine {
        /// Empty lines skipped before it.
        empty_lines: u8,
        /// Bytes that hold no end of line.
        scanned: usize,
    },
    /// The empty line that ends the head is still to come.
    Fields {
        /// The request line.
        line: RequestLine,
        /// Its length with CR LF.
        line_len: usize,
        /// Where the line that is being received begins.
        start: usize,
        /// Bytes from the beginning of the head that hold no further end of line; at least `start`.
        scanned: usize,
        /// Complete field lines.
        count: usize,
    },
}

/// A complete head: the first `len` bytes of the inbox.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) line: RequestLine,
    /// The length of the request line with CR LF.
    pub(super) line_len: usize,
    /// The length of the whole head with the empty line.
    pub(super) len: usize,
    /// The number of field lines.
    pub(super) count: usize,
}

impl Default for Head {
    fn default() -> Self {
        Self::RequestLine { empty_lines: 0, scanned: 0 }
    }
}

impl Head {
    /// Whether no byte of a head has been seen (empty lines do not count).
    pub(super) fn is_untouched(&self) -> bool {
        matches!(self, Self::RequestLine { scanned: 0, .. })
    }

    /// The request line, once it is complete.
    pub(super) fn line(&self) -> Option<&RequestLine> {
        match self {
            Self::RequestLine { .. } => None,
            Self::Fields { line, .. } => Some(line),
        }
    }

    /// Goes on searching; empty lines in front are consumed.
    pub(super) fn poll(&mut self, inbox: &mut BytesMut, options: &Http1Options) -> Result<Option<Found>, PeerError> {
        loop {
            match self {
                Self::RequestLine { empty_lines, scanned } => {
                    skip_empty_lines(inbox, empty_lines)?;
                    let Some(end) = find_request_line(inbox, scanned, options)? else { return Ok(None) };
                    let line = RequestLine::parse(&inbox[..end], options.target_bytes_max)?;
                    let line_len = end + 2;
                    *self = Self::Fields { line, line_len, start: line_len, scanned: line_len, count: 0 };
                }
                Self::Fields { line, line_len, start, scanned, count } => {
                    let found = find_empty_line(inbox, start, scanned, count, options)?;
                    return Ok(found.map(|len| Found { line: *line, line_len: *line_len, len, count: *count }));
                }
            }
        }
    }
}

fn skip_empty_lines(inbox: &mut BytesMut, empty_lines: &mut u8) -> Result<(), PeerError> {
    while inbox.starts_with(b"\r\n") {
        if *empty_lines == EMPTY_LINES_MAX {
            return Err(PeerError::EmptyLines);
        }
        *empty_lines += 1;
        inbox.advance(2);
    }
    Ok(())
}

/// Where the request line's CR stands.
fn find_request_line(inbox: &[u8], scanned: &mut usize, options: &Http1Options) -> Result<Option<usize>, PeerError> {
    let bytes = &inbox[..inbox.len().min(options.target_bytes_max + REQUEST_LINE_EXTRA).min(options.head_bytes_max)];
    if !matches!(bytes, [b'\r' | b'\n', ..]) {
        check_method(bytes)?;
    }
    let end = find_line_end(bytes, scanned)?;
    if end.is_none() && inbox.len() > bytes.len() {
        // Too long in any case; the target is to blame only when it has not ended.
        let target_ended = memchr_iter(b' ', bytes).nth(1).is_some();
        return Err(if target_ended { PeerError::RequestLineSyntax } else { PeerError::TargetTooLong });
    }
    Ok(end)
}

/// The length of the head, when the line that ends it is there; moves `start`, `scanned` and `count` on.
fn find_empty_line(
    inbox: &[u8],
    start: &mut usize,
    scanned: &mut usize,
    count: &mut usize,
    options: &Http1Options,
) -> Result<Option<usize>, PeerError> {
    let bytes = &inbox[..inbox.len().min(options.head_bytes_max)];
    while let Some(end) = find_line_end(bytes, scanned)? {
        if end == *start {
            return Ok(Some(end + 2));
        }
        if matches!(bytes[*start], b' ' | b'\t') {
            return Err(PeerError::LineFolding);
        }
        if *count == options.fields_max {
            return Err(PeerError::TooManyFields);
        }
        *count += 1;
        *start = end + 2;
        *scanned = *start;
    }
    if inbox.len() > bytes.len() { Err(PeerError::HeadTooLarge) } else { Ok(None) }
}

/// Where the next line's CR stands; `scanned` says where to look from, and is moved on when there is no end yet.
fn find_line_end(bytes: &[u8], scanned: &mut usize) -> Result<Option<usize>, PeerError> {
    let Some(found) = memchr2(b'\r', b'\n', &bytes[*scanned..]) else {
        *scanned = bytes.len();
        return Ok(None);
    };
    let at = *scanned + found;
    match bytes[at..] {
        [b'\r', b'\n', ..] => Ok(Some(at)),
        [b'\r'] => {
            *scanned = at;
            Ok(None)
        }
        [b'\r', ..] => Err(PeerError::BareCr),
        _ => Err(PeerError::BareLf),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: Http1Options =
        Http1Options { head_bytes_max: 64, fields_max: 2, target_bytes_max: 10, requests_max: 0 };

    /// What the bytes are found to hold, fed whole and one by one, which must agree.
    fn find(bytes: &[u8]) -> Result<Option<usize>, PeerError> {
        let whole =
            Head::default().poll(&mut BytesMut::from(bytes), &OPTIONS).map(|found| found.map(|found| found.len));
        let (mut head, mut inbox) = (Head::default(), BytesMut::new());
        for byte in bytes {
            inbox.extend_from_slice(&[*byte]);
            match head.poll(&mut inbox, &OPTIONS) {
                Ok(None) => {}
                found => {
                    assert_eq!(found.map(|found| found.map(|found| found.len)), whole, "{}", bytes.escape_ascii());
                    return whole;
                }
            }
        }
        assert_eq!(whole, Ok(None), "{}", bytes.escape_ascii());
        whole
    }

    #[test]
    fn a_head_ends_at_its_empty_line() {
        assert_eq!(find(b"GET / HTTP/1.1\r\n\r\nrest"), Ok(Some(18)));
        assert_eq!(find(b"\r\n\r\nGET / HTTP/1.1\r\nA: b\r\n\r\n"), Ok(Some(24)));
        assert_eq!(find(b"GET / HTTP/1.1\r\nA: b\r\n\r"), Ok(None));
        assert_eq!(find(b"\r"), Ok(None));
    }

    #[test]
    fn lone_ends_of_line_and_folding_are_found_before_the_end() {
        for (bytes, error) in [
            (&b"\n"[..], PeerError::BareLf),
            (b"\rG", PeerError::BareCr),
            (b"\r\n\r\n\r\n", PeerError::EmptyLines),
            (b"GET / HTTP/1.1\n", PeerError::BareLf),
            (b"GET / HTTP/1.1\rA", PeerError::BareCr),
            (b"GET / HTTP/1.1\r\nA: b\n", PeerError::BareLf),
            (b"GET / HTTP/1.1\r\nA: b\rc", PeerError::BareCr),
            (b"GET / HTTP/1.1\r\n\r\r", PeerError::BareCr),
            (b"GET / HTTP/1.1\r\n A: b\r\n", PeerError::LineFolding),
            (b"GET / HTTP/1.1\r\nA: b\r\n\tc\r\n", PeerError::LineFolding),
            (b"\x16\x03\x01", PeerError::MethodSyntax),
        ] {
            assert_eq!(find(bytes), Err(error), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn limits_are_exact() {
        assert_eq!(find(b"GET /234567890 HTTP/1.1\r\n\r\n"), Ok(Some(27)));
        assert_eq!(find(b"GET /2345678901 HTTP/1.1\r\n\r\n"), Err(PeerError::TargetTooLong));
        assert_eq!(find(&[&b"GET /"[..], &[b'a'; 60]].concat()), Err(PeerError::TargetTooLong));
        assert_eq!(find(&[&b"GET / "[..], &[b'a'; 60]].concat()), Err(PeerError::RequestLineSyntax));
        assert_eq!(find(b"GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\n\r\n"), Ok(Some(30)));
        assert_eq!(find(b"GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\nC: 3\r\n"), Err(PeerError::TooManyFields));
        let with_value = |len| [&b"GET / HTTP/1.1\r\nA: "[..], &vec![b'v'; len], b"\r\n\r\n"].concat();
        assert_eq!(find(&with_value(41)), Ok(Some(64)));
        assert_eq!(find(&with_value(42)), Err(PeerError::HeadTooLarge));
    }
}
