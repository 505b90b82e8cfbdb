use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::site::files::{Kind, Offer, Stored};
use crate::site::fuzz::request;

const NOW: i64 = 1_795_000_000;
const MODIFIED: (i64, u32) = (784_111_777, 5);
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const DIGITS: &[u8] = b"0123456789";

/// One file, and its codings. The content of a coding is its name.
struct One {
    file: OpenFile,
    codings: Vec<OpenFile>,
}

impl One {
    fn plain(content: Bytes) -> Self {
        let len = content.len() as u64;
        let rule = Some(Arc::from("max-age=60"));
        Self { file: OpenFile::new(b"/a.txt", Stored::Memory(content), len, MODIFIED, rule), codings: Vec::new() }
    }

    /// With all codings, made of it or beside it.
    fn coded(is_made: bool) -> Self {
        let mut one = Self::plain(Bytes::from_static(DIGITS));
        one.codings = Coding::ALL
            .into_iter()
            .map(|coding| {
                let content = Bytes::from_static(coding.name().as_bytes());
                let len = content.len() as u64;
                if is_made {
                    one.file.made(coding, content)
                } else {
                    one.file.beside(coding, Stored::Memory(content), len, (MODIFIED.0 + 1, 0))
                }
            })
            .collect();
        one.file = one.file.with_offer(Offer { codings: Coding::ALL.into_iter().collect(), is_made });
        one
    }

    fn answer(&mut self, method: &str, fields: &[(&str, &str)]) -> String {
        let request = request(method, "/a.txt", fields);
        let apart = describe(answer_apart(&request, b"/a.txt", self, &Options::default(), NOW).unwrap());
        // The first makes the heads that the second gets.
        for _ in 0..2 {
            assert_eq!(without_boundary(&self.answer_once(&request)), without_boundary(&apart));
        }
        apart
    }

    fn answer_once(&mut self, request: &Request) -> String {
        describe(answer(request, b"/a.txt", self, &Options::default(), NOW).unwrap())
    }
}

impl Files for One {
    fn kind(&mut self, _: &[u8]) -> Kind {
        Kind::File
    }

    fn open(&mut self, _: &[u8]) -> Result<OpenFile, OpenError> {
        Ok(self.file.clone())
    }

    fn open_coded(&mut self, _: &[u8], coding: Coding) -> Option<OpenFile> {
        self.codings.iter().find(|file| file.metadata().coding == Some(coding)).cloned()
    }
}

/// The boundary between parts is another one each time.
fn without_boundary(reply: &str) -> String {
    let boundary = reply.split_once("boundary=").and_then(|(_, rest)| rest.lines().next());
    boundary.map_or_else(|| reply.to_owned(), |boundary| reply.replace(boundary, "B"))
}

/// The reply to a request for a file of ten digits, as text.
fn check(method: &str, fields: &[(&str, &str)]) -> String {
    One::plain(Bytes::from_static(DIGITS)).answer(method, fields)
}

fn describe(reply: FileReply) -> String {
    let ContentLength::Exact(length) = reply.length else { panic!("a file has a length") };
    let mut text = format!("{} {length}\n", reply.head.status().code());
    for (name, value) in reply.head.response().headers.iter() {
        text += &format!("{}: {}\n", String::from_utf8_lossy(name), String::from_utf8_lossy(value));
    }
    for chunk in reply.content.into_iter().chain(reply.parts) {
        match chunk {
            Chunk::Bytes(bytes) => text += &String::from_utf8_lossy(&bytes),
            Chunk::File(range) => text += &format!("file {}+{}", range.offset, range.len),
        }
    }
    text
}

const OK: &str = "200 10\nContent-Type: text/plain; charset=utf-8\nETag: \"2ebc98a1.5-a\"\n\
    Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\nCache-Control: max-age=60\nAccept-Ranges: bytes\n";

#[test]
fn get_and_head_have_equal_heads() {
    assert_eq!(check("GET", &[]), format!("{OK}0123456789"));
    assert_eq!(check("HEAD", &[]), OK);
    // Ranges are for GET (rule 56).
    assert_eq!(check("HEAD", &[("Range", "bytes=0-1")]), OK);
    assert_eq!(check("HEAD", &[("Range", "bytes=0-1,4-5")]), OK);
    // They are worth nothing without the field that asks for them.
    assert_eq!(check("GET", &[("If-Range", "\"x\"")]), format!("{OK}0123456789"));
}

#[test]
fn rule_56_a_range_is_a_part_with_its_place() {
    let reply = check("GET", &[("Range", "bytes=-3")]);
    assert!(reply.starts_with("206 3\nContent-Range: bytes 7-9/10\nContent-Type: text/plain"), "{reply}");
    assert!(reply.ends_with("Cache-Control: max-age=60\nAccept-Ranges: bytes\n789"), "{reply}");
    assert_eq!(check("GET", &[("Range", "bytes=10-")]), "416 0\nContent-Range: bytes */10\n");
    assert!(check("GET", &[("Range", "bytes=0-1"), ("If-Range", "\"x\"")]).starts_with("200 10\n"));
    assert!(check("GET", &[("Range", "bytes=0-1"), ("If-Range", "\"2ebc98a1.5-a\"")]).starts_with("206 2\n"));
    assert!(check("GET", &[("Range", "bytes=0-1"), ("If-Range", "W/\"2ebc98a1.5-a\"")]).starts_with("200 10\n"));
    assert!(check("GET", &[("Range", "bytes=0-1"), ("If-Range", DATE)]).starts_with("206 2\n"));
}

#[test]
fn rule_56_several_ranges_are_parts_of_one_message() {
    let reply = check("GET", &[("Range", "bytes=8-, 0-1 , 20-")]);
    let (head, content) = reply.split_once("Accept-Ranges: bytes\n").unwrap();
    let boundary = head.split_once("boundary=").unwrap().1.split_once('\n').unwrap().0;
    let wanted = format!(
        "--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 8-9/10\r\n\r\n89\r\n\
         --{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 0-1/10\r\n\r\n01\r\n\
         --{boundary}--\r\n"
    );
    assert_eq!(content, wanted);
    assert!(
        head.starts_with(&format!("206 {}\nContent-Type: multipart/byteranges; boundary=", wanted.len())),
        "{head}"
    );
    assert!(head.ends_with("GMT\nCache-Control: max-age=60\n") && !head.contains("Content-Range"), "{head}");
    assert!((1..=70).contains(&boundary.len()), "RFC 2046 §5.1.1");
    let other = check("GET", &[("Range", "bytes=8-,0-1")]);
    assert!(!other.contains(boundary), "a boundary cannot be foreseen");
    // One part needs no frame, and too many are none.
    assert!(check("GET", &[("Range", "bytes=0-1,2-3")]).starts_with("206 4\nContent-Range: bytes 0-3/10\n"));
    let many = format!("bytes={}", ["0-0", "2-2", "4-4", "6-6"].repeat(5).join(","));
    assert_eq!(check("GET", &[("Range", &many)]), format!("{OK}0123456789"));
}

#[test]
fn preconditions_come_before_the_range() {
    assert!(check("GET", &[("If-None-Match", "*"), ("Range", "bytes=0-1")]).starts_with("304 0\nETag: "));
    assert_eq!(check("GET", &[("If-Match", "\"x\""), ("Range", "bytes=10-")]), "412 0\n");
}

#[test]
fn rule_53_a_304_tells_what_200_would() {
    let not_modified = check("GET", &[("If-Modified-Since", DATE)]);
    let wanted = format!("304 0\nETag: \"2ebc98a1.5-a\"\nLast-Modified: {DATE}\nCache-Control: max-age=60\n");
    assert_eq!(not_modified, wanted);
}

#[test]
fn last_modified_is_never_later_than_date() {
    let mut one = One::plain(Bytes::new());
    one.file = OpenFile::new(b"/a", Stored::Memory(Bytes::new()), 0, (NOW + 100, 0), None);
    let reply = one.answer("GET", &[]);
    let now = date::format(NOW);
    assert!(reply.contains(&format!("Last-Modified: {}\n", now.escape_ascii())), "{reply}");
    // Our own answer, sent back, matches no file of the future.
    let since = std::str::from_utf8(&now).unwrap();
    let again = one.answer("GET", &[("If-Modified-Since", since)]);
    assert!(again.starts_with("200 0\n"), "{again}");
}

#[test]
fn a_large_file_is_described_and_not_read() {
    let stored = Stored::File(Arc::new(File::open("/dev/null").unwrap()));
    let mut one = One { file: OpenFile::new(b"/a.mp4", stored, 1 << 40, MODIFIED, None), codings: Vec::new() };
    let reply = one.answer("GET", &[("Range", "bytes=5-")]);
    assert!(reply.ends_with("file 5+1099511627771"), "{reply}");
    let reply = one.answer("GET", &[("Range", "bytes=5-5,-7")]);
    assert!(
        reply.contains("\r\n\r\nfile 5+1\r\n--") && reply.contains("\r\n\r\nfile 1099511627769+7\r\n--"),
        "{reply}"
    );
}

#[test]
fn rules_59_to_61_the_client_chooses_the_coding() {
    for is_made in [false, true] {
        let mut one = One::coded(is_made);
        let all = ("Accept-Encoding", "gzip, br, zstd");
        for (accepted, status, coding, content) in [
            ("gzip", "200 4", "gzip", "gzip"),
            ("gzip, br, zstd", "200 4", "zstd", "zstd"),
            ("gzip, br;q=0.5", "200 4", "gzip", "gzip"),
            ("br", "200 2", "br", "br"),
            ("identity", "200 10", "", "0123456789"),
            ("identity;q=0", "406 0", "", ""),
        ] {
            let reply = one.answer("GET", &[("Accept-Encoding", accepted)]);
            assert!(reply.starts_with(status) && reply.ends_with(&format!("\n{content}")), "{accepted}: {reply}");
            assert_eq!(reply.contains("Content-Encoding: "), !coding.is_empty());
            assert!(coding.is_empty() || reply.contains(&format!("Content-Encoding: {coding}\n")), "{reply}");
            assert_eq!(reply.matches("\nVary: Accept-Encoding\n").count(), 1, "rule 60: {reply}");
            assert!(status != "200 4" || reply.contains("Content-Type: text/plain; charset=utf-8\n"), "{reply}");
            let head = one.answer("HEAD", &[("Accept-Encoding", accepted)]);
            assert_eq!(head, reply.strip_suffix(content).unwrap());
        }
        // Rule 60: on every response.
        for fields in [&[][..], &[all, ("If-None-Match", "*")], &[("Range", "bytes=0-1")], &[("If-Match", "\"x\"")]] {
            let reply = one.answer("GET", fields);
            assert!(reply.contains("Vary: Accept-Encoding\n"), "{reply}");
        }
        // Rule 54: the tag of one coding is not that of another.
        let tag = |reply: &str| reply.split_once("ETag: ").unwrap().1.split_once('\n').unwrap().0.to_owned();
        let (gzip, br) =
            (one.answer("GET", &[("Accept-Encoding", "gzip")]), one.answer("GET", &[("Accept-Encoding", "br")]));
        assert_ne!(tag(&gzip), tag(&br));
        assert_eq!(tag(&gzip).starts_with("W/"), is_made);
        let accepted = ("Accept-Encoding", "gzip");
        assert!(one.answer("GET", &[accepted, ("If-None-Match", &tag(&gzip))]).starts_with("304 "));
        assert!(one.answer("GET", &[accepted, ("If-None-Match", &tag(&br))]).starts_with("200 "));
        assert!(!one.answer("GET", &[accepted]).contains("Cache-Control: no"), "the rules are the file's");
    }
}

#[test]
fn rule_58_ranges_are_of_the_coding_that_was_chosen() {
    let accepted = ("Accept-Encoding", "gzip");
    let mut beside = One::coded(false);
    let reply = beside.answer("GET", &[accepted, ("Range", "bytes=1-2")]);
    assert!(reply.starts_with("206 2\nContent-Range: bytes 1-2/4\n") && reply.ends_with("\nzi"), "{reply}");
    assert!(reply.contains("Content-Encoding: gzip\n"));
    // What holds several parts is not encoded: they are.
    let reply = beside.answer("GET", &[accepted, ("Range", "bytes=0-0,3-3")]);
    let (head, content) = reply.split_once("\n--").unwrap();
    assert!(!head.contains("Content-Encoding"), "{head}");
    assert_eq!(content.matches("\r\nContent-Encoding: gzip\r\nContent-Range: bytes ").count(), 2, "{content}");

    // Rule 62: what is made on the fly is never sent in parts.
    let mut made = One::coded(true);
    let reply = made.answer("GET", &[accepted, ("Range", "bytes=1-2")]);
    assert!(reply.starts_with("206 2\nContent-Range: bytes 1-2/10\n") && reply.ends_with("\n12"), "{reply}");
    assert!(!reply.contains("Content-Encoding"));
    assert!(!made.answer("GET", &[accepted]).contains("Accept-Ranges"));
    let tag = "W/\"2ebc98a1.5-a-gzip\"";
    let reply = made.answer("GET", &[accepted, ("Range", "bytes=1-2"), ("If-Range", tag)]);
    assert!(reply.starts_with("200 10\n"), "{reply}");
    // Range means nothing to HEAD.
    assert!(made.answer("HEAD", &[accepted, ("Range", "bytes=1-2")]).contains("Content-Encoding: gzip\n"));
}

#[test]
fn a_coding_that_cannot_be_had_after_all_is_done_without() {
    let mut one = One::coded(true);
    one.codings.clear();
    let reply = one.answer("GET", &[("Accept-Encoding", "gzip")]);
    assert!(reply.starts_with("200 10\n") && reply.ends_with("Vary: Accept-Encoding\n0123456789"), "{reply}");
    assert!(one.answer("GET", &[("Accept-Encoding", "gzip, identity;q=0")]).starts_with("406 0\n"));
}
