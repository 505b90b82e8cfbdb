//! Properties of the answers of a file: ranges, preconditions and codings, for any fields.

use std::ops::Range;

use bytes::Bytes;

use super::{field, try_request};
use crate::base::chunk::Chunk;
use crate::http::coding::Coding;
use crate::http::headers::{is_field_value, is_token};
use crate::http::message::ContentLength;
use crate::http::method::Method;
use crate::site::files::{Files, Kind, Offer, OpenError, OpenFile, Stored};
use crate::site::static_files::{self, FileReply, Options};

/// The file, in which no byte stands twice.
const WHOLE: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/";
/// The same in a coding, as far as anybody here can tell.
const CODED: &[u8] = b"ZYXWVUTSRQPONMLKJIHGFEDCBA9876543210";
const MODIFIED_SECONDS: i64 = 784_111_777;
const NOW_SECONDS: i64 = 1_795_000_000;

/// Whatever a client asks of a file, it gets bytes of it, framed as the head says: all of them, or parts that lie
/// within it, no byte twice, at most as many as are allowed. Each line of `data` is a field; its length decides whether
/// the file has codings.
pub fn ranges(data: &[u8]) {
    let mut fields: Vec<_> = data.split(|byte| *byte == b'\n').filter_map(field).collect();
    fields.retain(|(name, value)| is_token(name) && is_field_value(value));
    for method in [Method::Get, Method::Head] {
        let Some(request) = try_request(method, b"/a.bin", &fields) else { return };
        let mut file = OneFile { codings: data.len() % 3 };
        let [apart, shared] = [static_files::answer_apart, static_files::answer].map(|answer| {
            let reply = answer(&request, b"/a.bin", &mut file, &Options::default(), NOW_SECONDS);
            reply.expect("a file that can be opened")
        });
        check_equal(&apart, &shared);
        check(shared, method);
    }
}

/// Whether a head is shared is nobody's business. The boundary between parts is another one each time.
fn check_equal(apart: &FileReply, shared: &FileReply) {
    assert_eq!(apart.head.status(), shared.head.status());
    let [apart_fields, shared_fields] = [apart, shared].map(|reply| reply.head.response().headers.iter());
    let is_boundary = |value: &[u8]| value.starts_with(b"multipart/");
    for ((name, value), (shared_name, shared_value)) in apart_fields.zip(shared_fields) {
        assert_eq!(name, shared_name);
        assert!(value == shared_value || is_boundary(value) && is_boundary(shared_value));
    }
    assert_eq!(apart.head.response().headers.len(), shared.head.response().headers.len());
    assert_eq!((apart.length, apart.parts.len()), (shared.length, shared.parts.len()));
    let content = |reply: &FileReply| reply.content.as_ref().map(|chunk| bytes_of(chunk).to_vec());
    assert_eq!(content(apart), content(shared));
}

fn check(reply: FileReply, method: Method) {
    let headers = &reply.head.response().headers;
    let content: Vec<u8> = reply.content.iter().chain(&reply.parts).flat_map(bytes_of).copied().collect();
    let ContentLength::Exact(length) = reply.length else { panic!("a file has a length") };
    for name in ["Content-Type", "Content-Encoding", "Content-Range", "ETag", "Vary"] {
        assert!(headers.get_all(name).count() <= 1, "{name} twice");
    }
    let whole = representation(headers.contains("Content-Encoding"));
    let status = reply.head.status().code();
    if method == Method::Head {
        assert!(content.is_empty() && matches!(status, 200 | 304 | 406 | 412), "{status}");
        assert_eq!(length, if status == 200 { whole.len() as u64 } else { 0 });
        return;
    }
    assert_eq!(length, content.len() as u64, "what is announced is sent");
    match (status, headers.get("Content-Range")) {
        (200, None) => assert_eq!(content, whole),
        (206, Some(range)) => assert_eq!(content, &whole[range_of(range, whole)]),
        (206, None) => {
            assert!(!headers.contains("Content-Encoding"), "the parts are encoded, not what holds them");
            let content_type = headers.get("Content-Type").expect("one that tells the boundary");
            let boundary = content_type.strip_prefix(b"multipart/byteranges; boundary=").expect("several parts");
            check_parts(&content, boundary);
        }
        (416, Some(range)) => {
            assert!([WHOLE, CODED].iter().any(|whole| range == format!("bytes */{}", whole.len()).as_bytes()));
            assert!(content.is_empty());
        }
        (304 | 406 | 412, None) => assert!(content.is_empty()),
        (other, range) => panic!("{other} {range:?} is no answer of a file"),
    }
}

/// RFC 2046 §5.1, to the byte.
fn check_parts(content: &[u8], boundary: &[u8]) {
    let delimiter = [b"\r\n--", boundary].concat();
    let content = [b"\r\n", content].concat();
    let mut pieces = Vec::new();
    let mut rest = &content[..];
    while let Some(at) = memchr::memmem::find(rest, &delimiter) {
        pieces.push(&rest[..at]);
        rest = &rest[at + delimiter.len()..];
    }
    assert_eq!(rest, b"--\r\n", "nothing follows the last delimiter");
    assert_eq!(pieces.first(), Some(&&b""[..]), "nothing precedes the first");
    let parts = &pieces[1..];
    assert!((2..=Options::default().range_parts_max).contains(&parts.len()));
    let mut taken = [false; WHOLE.len()];
    for part in parts {
        let part = part.strip_prefix(b"\r\n").expect("a line of its own");
        let end = memchr::memmem::find(part, b"\r\n\r\n").expect("an empty line");
        let (head, part) = (&part[..end], &part[end + 4..]);
        let line = |name: &[u8]| {
            let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
            lines.find_map(|line| line.strip_prefix(name))
        };
        assert!(line(b"Content-Type: ").is_some());
        let whole = representation(line(b"Content-Encoding: ").is_some());
        let range = range_of(line(b"Content-Range: ").expect("a place"), whole);
        assert_eq!(part, &whole[range.clone()]);
        assert!(!taken[range.clone()].contains(&true), "a byte is sent twice");
        taken[range].fill(true);
    }
}

fn representation(is_coded: bool) -> &'static [u8] {
    if is_coded { CODED } else { WHOLE }
}

/// `bytes FIRST-LAST/LEN`, within `whole`.
fn range_of(value: &[u8], whole: &[u8]) -> Range<usize> {
    let text = std::str::from_utf8(value).expect("digits");
    let (range, len) = text.strip_prefix("bytes ").and_then(|rest| rest.split_once('/')).expect("a range of bytes");
    let (first, last) = range.split_once('-').expect("first and last");
    let number = |digits: &str| digits.parse::<usize>().expect("digits");
    assert!(number(len) == whole.len() && number(first) <= number(last) && number(last) < whole.len(), "{text}");
    number(first)..number(last) + 1
}

fn bytes_of(chunk: &Chunk) -> &Bytes {
    match chunk {
        Chunk::Bytes(bytes) => bytes,
        Chunk::File(_) => panic!("the file is in memory"),
    }
}

/// A file without codings (0), with some beside it (1), or made of it (2).
#[derive(Debug)]
struct OneFile {
    codings: usize,
}

impl OneFile {
    fn whole() -> OpenFile {
        let content = Stored::Memory(Bytes::from_static(WHOLE));
        OpenFile::new(b"/a.bin", content, WHOLE.len() as u64, (MODIFIED_SECONDS, 0), None)
    }
}

impl Files for OneFile {
    fn kind(&mut self, _: &[u8]) -> Kind {
        Kind::File
    }

    fn open(&mut self, _: &[u8]) -> Result<OpenFile, OpenError> {
        let codings = Coding::ALL.into_iter().take(self.codings).collect();
        Ok(Self::whole().with_offer(Offer { codings, is_made: self.codings == 2 }))
    }

    fn open_coded(&mut self, _: &[u8], coding: Coding) -> Option<OpenFile> {
        let content = Bytes::from_static(CODED);
        Some(match self.codings {
            2 => Self::whole().made(coding, content),
            _ => Self::whole().beside(coding, Stored::Memory(content), CODED.len() as u64, (MODIFIED_SECONDS, 0)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    /// Pieces that matter, so that random input is likely to get somewhere.
    const PIECES: [&[u8]; 36] = [
        b"Range: bytes=",
        b"\nRange: bytes=",
        b"\nRange: lines=",
        b"\nIf-Range: ",
        b"\nIf-Match: ",
        b"\nIf-None-Match: ",
        b"\nIf-Modified-Since: ",
        b"\nIf-Unmodified-Since: ",
        b"\nAccept-Encoding: ",
        b"gzip",
        b"br;q=0.5",
        b"zstd",
        b"identity;q=0",
        b"*",
        b"\"2ebc98a1.0-40\"",
        b"\"2ebc98a1.0-24-gzip\"",
        b"W/",
        b"Sun, 06 Nov 1994 08:49:37 GMT",
        b"0-0",
        b"2-3",
        b"1-9",
        b"8-",
        b"60-",
        b"-1",
        b"-64",
        b"-",
        b"99-",
        b"63-99999999999999999999",
        b"-0",
        b",",
        b",",
        b",",
        b",",
        b", ",
        b"0",
        b"7",
    ];

    #[test]
    fn ranges_hold_their_properties() {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for _ in 0..20_000 {
            let mut data = b"Range: bytes=".to_vec();
            for _ in 0..random.below(24) {
                match random.below(12) {
                    0 => data.push(random.below(256) as u8),
                    _ => data.extend_from_slice(random.pick(&PIECES)),
                }
            }
            ranges(&data);
        }
    }
}
