//! Files around each size at which they are sent in another way: copied behind their head, as a slice of their own, from
//! memory or by the kernel, in one turn or in several, in pieces over HTTP/2. A client cannot tell.

#![cfg(feature = "php")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "http2/client.rs"]
#[allow(dead_code, reason = "the tests of HTTP/2 use the rest")]
mod client;
#[path = "http2/frames.rs"]
#[allow(dead_code, reason = "the tests of HTTP/2 use the rest")]
mod frames;
#[path = "http2/hpack.rs"]
#[allow(dead_code, reason = "the tests of HTTP/2 use the rest")]
mod hpack;
mod support;

use std::fs;

use ephpm::base::limits::{FILE_PIECE_BYTES, SEND_QUEUE_HIGH, STREAM_SEND_HIGH, WRITE_BUDGET};

use frames::{END_STREAM, head, window_update};
use support::{Request, Server, TemporaryDirectory};

/// What is copied behind a head, what is held in memory, and what else is bounded on the way out.
const LIMITS: [usize; 6] =
    [4096, 64 * 1024, FILE_PIECE_BYTES as usize, STREAM_SEND_HIGH as usize, SEND_QUEUE_HIGH as usize, WRITE_BUDGET];

/// What a client has of an answer, in whatever version of HTTP.
#[derive(PartialEq)]
struct Seen {
    status: u16,
    fields: Vec<(String, String)>,
    content: Vec<u8>,
}

impl Seen {
    /// What differs from one answer to the next is left out: the time, and the boundary between parts.
    fn new<'a>(status: u16, fields: impl Iterator<Item = (&'a str, &'a str)>, mut content: Vec<u8>) -> Self {
        let boundary = "; boundary=";
        let mut told = Vec::new();
        for (name, value) in fields {
            let name = name.to_ascii_lowercase();
            let (value, this) = value.split_once(boundary).unwrap_or((value, ""));
            if !this.is_empty() {
                content = String::from_utf8_lossy(&content).replace(this, boundary).into_bytes();
            }
            if !matches!(name.as_str(), "date" | "connection" | ":status") {
                told.push((name, value.to_owned()));
            }
        }
        told.sort();
        Self { status, fields: told, content }
    }
}

struct Clients {
    http1: support::Client,
    http2: client::Client,
    stream: u32,
}

impl Clients {
    fn new(server: &Server) -> Self {
        let mut http2 = client::Client::connect(server, &[(4, i32::MAX as u32)]);
        http2.send(&window_update(0, 1 << 30));
        Self { http1: server.client(), http2, stream: 1 }
    }

    /// The answer that both get.
    #[track_caller]
    fn ask(&mut self, method: &str, target: &str, fields: &[(&str, &str)]) -> Seen {
        let mut request = Request::new(method, target);
        for (name, value) in fields {
            request = request.header(name, value);
        }
        let response = self.http1.send(&request);
        let told = response.headers.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let one = Seen::new(response.status, told, response.content.clone());
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.to_ascii_lowercase(), *value)).collect();
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        self.http2.send(&head(self.stream, END_STREAM, method, target, &fields));
        let answer = self.http2.answer(self.stream);
        self.stream += 2;
        let told = answer.heads.last().unwrap().iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let two = Seen::new(answer.status(), told, answer.content.clone());
        assert_eq!((one.status, &one.fields), (two.status, &two.fields), "{method} {target} {fields:?}");
        assert!(one.content == two.content, "{method} {target} {fields:?}");
        one
    }
}

#[test]
fn a_file_is_the_same_at_every_size_and_in_every_way() {
    let directory = TemporaryDirectory::new("file-sizes");
    let whole: Vec<u8> = (0..WRITE_BUDGET as u32 + 1).map(|n| (n.wrapping_mul(0x9e37_79b9) >> 24) as u8).collect();
    let around = |limit: usize| [limit - 1, limit, limit + 1];
    let mut sizes: Vec<usize> = LIMITS.into_iter().flat_map(around).chain([0, 1]).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes.iter().for_each(|len| fs::write(directory.path().join(format!("{len}.bin")), &whole[..*len]).unwrap());
    let server = Server::builder(directory.path()).start();
    let mut clients = Clients::new(&server);
    for len in sizes {
        let target = format!("/{len}.bin");
        let content = &whole[..len];
        // First as it is found, then as it is known.
        for _ in 0..2 {
            let seen = clients.ask("GET", &target, &[]);
            assert!(seen.status == 200 && seen.content == content, "{target}");
            assert!(seen.fields.contains(&("content-length".to_owned(), len.to_string())));
            let headed = clients.ask("HEAD", &target, &[]);
            assert!(headed.status == 200 && headed.content.is_empty() && headed.fields == seen.fields, "{target}");
            let (_, tag) = seen.fields.iter().find(|(name, _)| name == "etag").unwrap();
            assert_eq!(clients.ask("GET", &target, &[("If-None-Match", tag)]).status, 304);
        }
        for (first, last) in [(0, 0), (0, len / 2), (len / 2, len), (len.saturating_sub(1), usize::MAX)] {
            let seen = clients.ask("GET", &target, &[("Range", &format!("bytes={first}-{last}"))]);
            if len == 0 {
                // An empty file has no parts (rule 55).
                assert_eq!((seen.status, seen.content.len()), (200, 0));
                continue;
            }
            let last = last.min(len - 1);
            assert!(seen.status == 206 && seen.content == content[first..=last], "{target} {first} {last}");
            let place = ("content-range".to_owned(), format!("bytes {first}-{last}/{len}"));
            assert!(seen.fields.contains(&place), "{:?}", seen.fields);
        }
        if len > 4000 {
            let (middle, rest) = (len / 2, len - 100);
            let ranges = format!("bytes=0-9,{middle}-{},-100", middle + 99);
            let seen = clients.ask("GET", &target, &[("Range", &ranges)]);
            assert_eq!(seen.status, 206);
            let parts = [(0, 10), (middle, middle + 100), (rest, len)].map(|(start, end)| (start, &whole[start..end]));
            let mut wanted = Vec::new();
            for (start, part) in parts {
                let place = format!("bytes {start}-{}/{len}", start + part.len() - 1);
                let head = format!("--; boundary=\r\nContent-Type: application/octet-stream\r\nContent-Range: {place}");
                wanted.extend([head.as_bytes(), b"\r\n\r\n", part, b"\r\n"].concat());
            }
            wanted.extend(b"--; boundary=--\r\n");
            assert!(seen.content == String::from_utf8_lossy(&wanted).as_bytes(), "{target} {ranges}");
        }
    }
    // Several at once on one connection.
    let mixed = [65_536, 4096, 65_537, 1, WRITE_BUDGET, 4095, 131_072, 0];
    let requests: String = mixed.iter().map(|len| format!("GET /{len}.bin HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
    let received = server.raw(requests + "GET /1.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let mut rest = &received[..];
    for len in mixed.into_iter().chain([1]) {
        let end = memchr::memmem::find(rest, b"\r\n\r\n").unwrap() + 4;
        assert!(rest.starts_with(b"HTTP/1.1 200 OK\r\n") && rest[end..].starts_with(&whole[..len]), "{len}");
        rest = &rest[end + len..];
    }
    assert!(rest.is_empty());
}
