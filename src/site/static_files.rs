//! The answer of a file to GET and HEAD: RFC 9110 §8 metadata, §13 preconditions, §14 a single range. Pure: the file
//! has been opened, and its content leaves as a description ([`Chunk`]). Framing and `Date` are the protocol's.

use super::conditional::{self, Outcome, Validators};
use super::files::{Metadata, OpenFile};
use super::range::{self, Selection};
use crate::base::chunk::Chunk;
use crate::http::date;
use crate::http::message::{ContentLength, Request, Response};
use crate::http::method::Method;
use crate::http::status::Status;

/// What a file answers.
#[derive(Debug)]
pub struct FileReply {
    /// The head.
    pub response: Response,
    /// How much content it announces; 0 for 304, which announces nothing.
    pub length: ContentLength,
    /// The content, never empty. None for HEAD, 304, 412 and 416, and for an empty file.
    pub content: Option<Chunk>,
}

/// Answers a GET or HEAD request with `file`. `now_seconds` is the time that `Date` will tell, in seconds since 1970.
pub fn respond(request: &Request, file: &OpenFile, now_seconds: i64) -> FileReply {
    let metadata = file.metadata();
    let validators = Validators { etag: metadata.etag.as_bytes(), modified_seconds: metadata.modified_seconds };
    match conditional::evaluate(request, validators, now_seconds) {
        Outcome::Proceed => {}
        Outcome::NotModified => {
            let mut response = Response::new(Status::NOT_MODIFIED);
            add_validators(&mut response, metadata, now_seconds);
            return without_content(response);
        }
        Outcome::PreconditionFailed => return without_content(Response::new(Status::PRECONDITION_FAILED)),
    }
    // Range means nothing to other methods (RFC 9110 §14.2).
    let selection = match request.method {
        Method::Get if conditional::range_applies(&request.headers, validators, now_seconds) => {
            range::select(&request.headers, metadata.len)
        }
        _ => Selection::Whole,
    };
    let (first, len) = match selection {
        Selection::Whole => (0, metadata.len),
        Selection::Part { first, len } => (first, len),
        Selection::Unsatisfiable => {
            let mut response = Response::new(Status::RANGE_NOT_SATISFIABLE);
            response.headers.add("Content-Range", format!("bytes */{}", metadata.len).as_bytes());
            return without_content(response);
        }
    };
    let mut response = Response::new(Status::OK);
    response.headers.add("Content-Type", metadata.content_type.as_bytes());
    add_validators(&mut response, metadata, now_seconds);
    response.headers.add("Accept-Ranges", b"bytes");
    if selection != Selection::Whole {
        response.status = Status::PARTIAL_CONTENT;
        let content_range = format!("bytes {first}-{}/{}", first + len - 1, metadata.len);
        response.headers.add("Content-Range", content_range.as_bytes());
    }
    let content = (request.method == Method::Get && len > 0).then(|| file.chunk(first, len));
    FileReply { response, length: ContentLength::Exact(len), content }
}

fn add_validators(response: &mut Response, metadata: &Metadata, now_seconds: i64) {
    response.headers.add("ETag", metadata.etag.as_bytes());
    // Never later than Date (RFC 9110 §8.8.2.1).
    if metadata.modified_seconds <= now_seconds {
        response.headers.add("Last-Modified", &metadata.last_modified);
    } else {
        response.headers.add("Last-Modified", &date::format(now_seconds));
    }
}

fn without_content(response: Response) -> FileReply {
    FileReply { response, length: ContentLength::Exact(0), content: None }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::site::files::Stored;
    use crate::site::fuzz::request;

    const NOW: i64 = 1_795_000_000;
    const MODIFIED: (i64, u32) = (784_111_777, 5);

    /// The reply to a request for a file of ten digits, as text.
    fn check(method: &str, fields: &[(&str, &str)]) -> String {
        let file = OpenFile::new(b"/a.txt", Stored::Memory(Bytes::from_static(b"0123456789")), 10, MODIFIED);
        describe(respond(&request(method, "/a.txt", fields), &file, NOW))
    }

    fn describe(reply: FileReply) -> String {
        let ContentLength::Exact(length) = reply.length else { panic!("a file has a length") };
        let mut text = format!("{} {length}\n", reply.response.status.code());
        for (name, value) in reply.response.headers.iter() {
            text += &format!("{}: {}\n", String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        }
        match reply.content {
            Some(Chunk::Bytes(bytes)) => text += &String::from_utf8_lossy(&bytes),
            Some(Chunk::File(range)) => text += &format!("file {}+{}", range.offset, range.len),
            None => {}
        }
        text
    }

    const OK: &str = "200 10\nContent-Type: text/plain; charset=utf-8\nETag: \"2ebc98a1.5-a\"\n\
        Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\nAccept-Ranges: bytes\n";

    #[test]
    fn get_and_head_have_equal_heads() {
        assert_eq!(check("GET", &[]), format!("{OK}0123456789"));
        assert_eq!(check("HEAD", &[]), OK);
        assert_eq!(check("HEAD", &[("Range", "bytes=0-1")]), OK);
    }

    #[test]
    fn a_range_is_a_part_with_its_place() {
        let reply = check("GET", &[("Range", "bytes=-3")]);
        assert!(reply.starts_with("206 3\nContent-Type: text/plain"), "{reply}");
        assert!(reply.ends_with("Accept-Ranges: bytes\nContent-Range: bytes 7-9/10\n789"), "{reply}");
        assert_eq!(check("GET", &[("Range", "bytes=10-")]), "416 0\nContent-Range: bytes */10\n");
        assert!(check("GET", &[("Range", "bytes=0-1,3-4")]).starts_with("200 10\n"));
        assert!(check("GET", &[("Range", "bytes=0-1"), ("If-Range", "\"x\"")]).starts_with("200 10\n"));
    }

    #[test]
    fn preconditions_come_before_the_range() {
        assert!(check("GET", &[("If-None-Match", "*"), ("Range", "bytes=0-1")]).starts_with("304 0\nETag: "));
        assert_eq!(check("GET", &[("If-Match", "\"x\""), ("Range", "bytes=10-")]), "412 0\n");
        let not_modified = check("GET", &[("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT")]);
        assert!(not_modified.ends_with("Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\n"), "{not_modified}");
        assert!(!not_modified.contains("Content-Type"));
    }

    #[test]
    fn last_modified_is_never_later_than_date() {
        let file = OpenFile::new(b"/a", Stored::Memory(Bytes::new()), 0, (NOW + 100, 0));
        let reply = describe(respond(&request("GET", "/a", &[]), &file, NOW));
        let now = date::format(NOW);
        assert!(reply.contains(&format!("Last-Modified: {}\n", now.escape_ascii())), "{reply}");
        // Our own answer, sent back, matches no file of the future.
        let since = std::str::from_utf8(&now).unwrap();
        let again = describe(respond(&request("GET", "/a", &[("If-Modified-Since", since)]), &file, NOW));
        assert!(again.starts_with("200 0\n"), "{again}");
    }

    #[test]
    fn a_large_file_is_described_and_not_read() {
        let stored = Stored::File(Arc::new(File::open("/dev/null").unwrap()));
        let file = OpenFile::new(b"/a.mp4", stored, 1 << 40, MODIFIED);
        let reply = describe(respond(&request("GET", "/a.mp4", &[("Range", "bytes=5-")]), &file, NOW));
        assert!(reply.ends_with("file 5+1099511627771"), "{reply}");
    }
}
