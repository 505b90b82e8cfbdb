//! From bytes to a response: RFC 9112, sans I/O and strict.
//!
//! A head ends in CR LF CR LF and holds no bare CR or LF; a length is one decimal number; chunks are exact to
//! the byte. Whatever is not so is an error, because a server that is a little wrong here is wrong.

use std::io::{Error, ErrorKind, Result};

use super::message::Headers;

/// More than any server should send (bytes).
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// The head of a response, final or interim.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) version_minor: u8,
    pub(super) status: u16,
    pub(super) reason: String,
    pub(super) headers: Headers,
}

impl Head {
    /// The head at the start of `input` and its length in bytes; `None` while it is incomplete.
    pub(super) fn parse(input: &[u8]) -> Result<Option<(Self, usize)>> {
        let Some(end) = find(input, b"\r\n\r\n") else {
            if input.len() > HEAD_BYTES_MAX {
                return Err(invalid(format!("no end of the head within {HEAD_BYTES_MAX} bytes")));
            }
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&input[..end]);
        let mut lines = text.split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let (version_minor, status, reason) = parse_status_line(status_line)?;
        let fields = lines.map(parse_field).collect::<Result<Vec<_>>>()?;
        let head = Self { version_minor, status, reason, headers: Headers(fields) };
        Ok(Some((head, end + 4)))
    }
}

/// Where the content of a response ends (RFC 9112 section 6.3), and how much of it is still to come.
#[derive(Debug)]
pub(super) enum Body {
    Length(u64),
    Chunked(Chunk),
    UntilClose,
    Complete,
}

/// What a chunked body awaits.
#[derive(Debug)]
pub(super) enum Chunk {
    Size,
    Data(u64),
    DataEnd,
    Trailer,
}

impl Body {
    /// The body of the response `head` to a request with this method.
    pub(super) fn of(head: &Head, method: &str) -> Result<Self> {
        let mut lengths = head.headers.all("Content-Length");
        let length = lengths.next();
        if lengths.next().is_some() {
            return Err(invalid("more than one content-length".into()));
        }
        let coding = head.headers.first("Transfer-Encoding");
        if coding.is_some() && length.is_some() {
            return Err(invalid("both transfer-encoding and content-length".into()));
        }
        if method == "HEAD" || matches!(head.status, 100..=199 | 204 | 304) {
            return Ok(Self::Complete);
        }
        match (coding, length) {
            (Some(coding), _) if coding.eq_ignore_ascii_case("chunked") => Ok(Self::Chunked(Chunk::Size)),
            (Some(coding), _) => Err(invalid(format!("transfer-encoding: expected chunked, found {coding:?}"))),
            (None, Some(length)) => match decimal(length) {
                Some(0) => Ok(Self::Complete),
                Some(length) => Ok(Self::Length(length)),
                None => Err(invalid(format!("content-length: expected a number, found {length:?}"))),
            },
            (None, None) => Ok(Self::UntilClose),
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        matches!(self, Self::Complete)
    }

    /// Moves what `input` holds of the content into `content`. Bytes after the end stay in `input`.
    pub(super) fn decode(&mut self, input: &mut Vec<u8>, content: &mut Vec<u8>) -> Result<()> {
        while let Some(next) = self.step(input, content)? {
            *self = next;
        }
        Ok(())
    }

    /// The peer closed its side: complete at last, or cut short.
    pub(super) fn end_of_input(&mut self) -> Result<()> {
        match self {
            Self::UntilClose | Self::Complete => {
                *self = Self::Complete;
                Ok(())
            }
            cut => Err(Error::new(ErrorKind::UnexpectedEof, format!("the response was cut: still awaiting {cut:?}"))),
        }
    }

    /// The state after as much as can be taken at once; `None` when that changes nothing.
    fn step(&self, input: &mut Vec<u8>, content: &mut Vec<u8>) -> Result<Option<Self>> {
        match self {
            Self::Complete => Ok(None),
            _ if input.is_empty() => Ok(None),
            Self::UntilClose => {
                content.append(input);
                Ok(None)
            }
            Self::Length(left) => Ok(Some(match left - take(input, *left, content) {
                0 => Self::Complete,
                left => Self::Length(left),
            })),
            Self::Chunked(chunk) => chunk.step(input, content),
        }
    }
}

impl Chunk {
    fn step(&self, input: &mut Vec<u8>, content: &mut Vec<u8>) -> Result<Option<Body>> {
        let next = match self {
            Self::Size => match take_line(input)? {
                None => return Ok(None),
                Some(line) => match chunk_size(&line)? {
                    0 => Self::Trailer,
                    size => Self::Data(size),
                },
            },
            Self::Data(left) => match left - take(input, *left, content) {
                0 => Self::DataEnd,
                left => Self::Data(left),
            },
            Self::DataEnd => match take_line(input)? {
                None => return Ok(None),
                Some(line) if line.is_empty() => Self::Size,
                Some(line) => {
                    return Err(invalid(format!("expected the end of a chunk, found {line:?}")));
                }
            },
            Self::Trailer => match take_line(input)? {
                None => return Ok(None),
                Some(line) if line.is_empty() => return Ok(Some(Body::Complete)),
                Some(line) => {
                    parse_field(&line)?;
                    Self::Trailer
                }
            },
        };
        Ok(Some(Body::Chunked(next)))
    }
}

/// Where `needle` begins in `haystack`.
pub(super) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// The error of a message that breaks the protocol.
pub(super) fn invalid(text: String) -> Error {
    Error::new(ErrorKind::InvalidData, text)
}

fn parse_status_line(line: &str) -> Result<(u8, u16, String)> {
    let parse = || {
        let rest = line.strip_prefix("HTTP/1.")?;
        let (minor, rest) = rest.split_once(' ')?;
        // The space after the status is there even when the reason is empty (RFC 9112 section 4).
        let (status, reason) = rest.split_once(' ')?;
        let status = decimal(status).filter(|_| status.len() == 3)?;
        let clean = !reason.contains(['\r', '\n', '\0']);
        Some((minor.parse().ok()?, u16::try_from(status).ok()?, reason.to_owned())).filter(|_| clean)
    };
    parse().ok_or_else(|| invalid(format!("expected a status line, found {line:?}")))
}

fn parse_field(line: &str) -> Result<(String, String)> {
    let token = |name: &str| {
        let special = b"!#$%&'*+-.^_`|~";
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || special.contains(&byte))
    };
    match line.split_once(':') {
        Some((name, value)) if token(name) && !value.contains(['\r', '\n', '\0']) => {
            Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
        }
        _ => Err(invalid(format!("expected a field line, found {line:?}"))),
    }
}

fn chunk_size(line: &str) -> Result<u64> {
    let size = line.split(';').next().unwrap_or_default();
    if size.is_empty() || !size.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(invalid(format!("expected a chunk size, found {line:?}")));
    }
    u64::from_str_radix(size, 16).map_err(|error| invalid(format!("chunk size {size:?}: {error}")))
}

/// Digits only: `u64::from_str` would take a plus sign.
fn decimal(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// A line without its CR LF; `None` while it is incomplete.
fn take_line(input: &mut Vec<u8>) -> Result<Option<String>> {
    let Some(end) = input.iter().position(|&byte| byte == b'\n') else {
        return Ok(None);
    };
    let line: Vec<u8> = input.drain(..=end).collect();
    match line.strip_suffix(b"\r\n") {
        Some(line) => Ok(Some(String::from_utf8_lossy(line).into_owned())),
        None => Err(invalid("a line in the chunked body ends in a bare line feed".into())),
    }
}

/// Moves at most `limit` bytes and says how many.
fn take(input: &mut Vec<u8>, limit: u64, content: &mut Vec<u8>) -> u64 {
    let count = usize::try_from(limit).unwrap_or(usize::MAX).min(input.len());
    content.extend(input.drain(..count));
    count as u64
}

#[cfg(test)]
mod tests;
