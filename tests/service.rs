//! One connection from bytes to bytes above the protocol: routing, errors, the operator's wishes and the access log,
//! with a tree of files in memory and scripts that are Rust. Every conversation is held with its input whole, byte by
//! byte and in random pieces, and must come out the same. Numbers in names are those of the rules of HTTP and security.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "service/harness.rs"]
mod harness;
#[path = "service/logged.rs"]
mod logged;
#[path = "service/wishes.rs"]
mod wishes;

use std::sync::Arc;
use std::time::Duration;

use ephpm::exchange::{AllSpilled, Spill};
use ephpm::net::spool::OutputFiles;
use ephpm::protocol::Disposition;
use ephpm::service::access_log::Format;
use ephpm::service::context::Options;
use ephpm::site::header_rules::HeaderRules;
use harness::{Conversation, Site};

/// `GET target` of host `a`, with these field lines.
fn get(target: &str, fields: &str) -> String {
    request("GET", target, fields, "")
}

fn request(method: &str, target: &str, fields: &str, content: &str) -> String {
    let length = if content.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", content.len()) };
    format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{fields}{length}\r\n{content}")
}

/// The one answer to one request: its head's lines, and its content.
#[track_caller]
fn answer(site: &Site, input: &str) -> (Vec<String>, String) {
    let Conversation { output, .. } = site.converse(input);
    let (head, content) = output.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer to {input}: {output}"));
    (head.split("\r\n").map(str::to_owned).collect(), content.to_owned())
}

#[track_caller]
fn status(site: &Site, input: &str) -> u16 {
    let (head, _) = answer(site, input);
    head[0].split(' ').nth(1).unwrap().parse().unwrap()
}

fn field<'a>(head: &'a [String], name: &str) -> Vec<&'a str> {
    head.iter().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).collect()
}

#[test]
fn rule_7_methods_are_known_allowed_or_refused() {
    let site = Site::default();
    for method in ["POST", "PUT", "DELETE", "PATCH", "QUERY", "PROPFIND", "LOCK", "PURGE"] {
        let (head, _) = answer(&site, &request(method, "/a.txt", "", "x"));
        assert_eq!(head[0], "HTTP/1.1 405 Method Not Allowed", "{method}");
        assert_eq!(field(&head, "Allow"), ["GET, HEAD, OPTIONS"]);
        assert_eq!(field(&head, "Connection"), [""; 0], "the connection goes on");
        let (head, content) = answer(&site, &request(method, "/echo.php", "", "x"));
        assert_eq!(head[0], "HTTP/1.1 200 OK");
        assert!(content.starts_with(&format!("{method} ")), "{content}");
    }
    for method in ["BREW", "get", "GETX"] {
        let conversation = site.converse(&request(method, "/a.txt", "", ""));
        assert!(conversation.output.starts_with("HTTP/1.1 501 Not Implemented\r\n"), "{}", conversation.output);
        assert_eq!(conversation.disposition, Disposition::Linger);
    }
}

#[test]
fn rule_17_every_host_gets_the_one_site() {
    for host in ["a", "b.example:81", "[::1]"] {
        assert_eq!(status(&Site::default(), &format!("GET /a.txt HTTP/1.1\r\nHost: {host}\r\n\r\n")), 200);
    }
}

#[test]
fn rules_35_and_48_head_is_get_without_content() {
    let site = Site::default();
    for target in ["/a.txt", "/a.unheard", "/echo.php", "/dir", "/x/../.git", "/none", "/stream.php"] {
        let (of_get, content) = answer(&site, &get(target, ""));
        let two = format!("{}{}", request("HEAD", target, "", ""), get("/a.txt", ""));
        let output = site.converse(&two).output;
        let (of_head, next) = output.split_once("\r\n\r\n").unwrap();
        let of_head: Vec<&str> = of_head.split("\r\n").collect();
        assert!(!content.is_empty(), "{target}");
        if target == "/stream.php" {
            // Of content that is never made nobody knows the length (RFC 9110 §9.3.2 lets it be left out).
            assert!(field(&of_get, "Transfer-Encoding") == ["chunked"]);
        } else if target == "/echo.php" {
            assert_eq!(of_head[0], of_get[0]);
        } else {
            assert_eq!(of_head, of_get, "{target}");
        }
        assert!(next.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain"), "out of sync after {target}: {next}");
    }
}

#[test]
fn rule_36_options() {
    let site = Site::default();
    let (head, content) = answer(&site, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(head[..2], ["HTTP/1.1 204 No Content", "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"]);
    assert_eq!((field(&head, "Content-Length"), content.as_str()), (vec![], ""));
    let (head, content) = answer(&site, &request("OPTIONS", "/a.txt", "", ""));
    assert_eq!(head[..2], ["HTTP/1.1 204 No Content", "Allow: GET, HEAD, OPTIONS"]);
    assert_eq!(content, "");
    // What a script allows, it says itself.
    let (head, content) = answer(&site, &request("OPTIONS", "/echo.php", "", ""));
    assert_eq!(head[0], "HTTP/1.1 200 OK");
    assert!(content.starts_with("OPTIONS /echo.php"), "{content}");
}

#[test]
fn rule_37_trace_and_connect_are_refused_and_nothing_is_echoed() {
    let site = Site::default();
    for input in [
        request("TRACE", "/a.txt", "X-Secret: s3cret\r\n", ""),
        request("TRACE", "/echo.php", "X-Secret: s3cret\r\n", "s3cret"),
        "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\nX-Secret: s3cret\r\n\r\n".to_owned(),
    ] {
        let (head, content) = answer(&site, &input);
        assert_eq!(head[0], "HTTP/1.1 405 Method Not Allowed");
        assert_eq!(field(&head, "Allow"), ["GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"]);
        assert!(!content.contains("s3cret"));
    }
    let tunnel = "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\nGET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n";
    let conversation = site.converse(tunnel);
    assert_eq!(conversation.output.matches("HTTP/1.1 ").count(), 1, "what follows may be meant for the tunnel");
    assert_eq!(conversation.disposition, Disposition::Linger);
}

#[test]
fn rule_42_upgrades_are_ignored() {
    let site = Site::default();
    let websocket = "Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let h2c = "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    for fields in [websocket, h2c, "Upgrade: websocket\r\n"] {
        for input in [get("/a.txt", fields), request("POST", "/echo.php", fields, "x")] {
            let output = site.converse(&(input + &get("/b.html", ""))).output;
            assert!(output.starts_with("HTTP/1.1 200 OK\r\n") && !output.contains(" 101 "), "{output}");
            assert!(output.ends_with("\r\n\r\n<b>"), "HTTP/1.1 goes on: {output}");
        }
    }
    assert_eq!(status(&site, "GET /a.txt HTTP/1.0\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"), 200);
}

#[test]
fn rule_46_content_has_a_type() {
    let site = Site::default();
    for (target, content_type) in [
        ("/a.txt", "text/plain; charset=utf-8"),
        ("/a.unheard", "application/octet-stream"),
        ("/none", "text/html; charset=utf-8"),
        ("/dir", "text/html; charset=utf-8"),
    ] {
        let (head, content) = answer(&site, &get(target, ""));
        assert_eq!((field(&head, "Content-Type"), content.is_empty()), (vec![content_type], false), "{target}");
    }
}

#[test]
fn rule_47_statuses_come_with_their_fields() {
    let mut site = Site::default();
    let (head, _) = answer(&site, &get("/a.txt", "Range: bytes=100-\r\n"));
    assert_eq!((&head[0][9..12], field(&head, "Content-Range")), ("416", vec!["bytes */10"]));
    let (head, _) = answer(&site, &get("/dir?x=//evil", ""));
    assert_eq!((&head[0][9..12], field(&head, "Location")), ("301", vec!["/dir/?x=//evil"]));
    let (head, _) = answer(&site, &get("/too-many-files.txt", ""));
    assert_eq!((&head[0][9..12], field(&head, "Retry-After")), ("503", vec!["1"]));
    site.is_busy = true;
    let (head, _) = answer(&site, &get("/echo.php", ""));
    assert_eq!((&head[0][9..12], field(&head, "Retry-After")), ("503", vec!["1"]));
    assert_eq!(status(&site, &get("/a.txt", "")), 200, "files are served all the same");

    site.options.content.bytes_max = 3;
    for (input, code) in [
        (request("POST", "/echo.php", "", "four"), 413),
        (request("POST", "/echo.php", "Transfer-Encoding: chunked\r\n", "") + "4\r\nfour\r\n0\r\n\r\n", 413),
        (get(&format!("/{}", "x".repeat(9000)), ""), 414),
        (get("/", &format!("X: {}\r\n", "x".repeat(40_000))), 431),
        (get("/", "Bad Name: x\r\n"), 400),
    ] {
        let conversation = site.converse(&input);
        assert!(conversation.output.starts_with(&format!("HTTP/1.1 {code} ")), "{code}: {}", conversation.output);
        assert!(conversation.output.contains("\r\nConnection: close\r\n"), "{code}");
        assert_eq!(conversation.disposition, Disposition::Linger, "{code}");
    }
    let mut late = site.connect();
    late.receive(b"GET / HTTP/1.1\r\n");
    late.pass(Duration::from_secs(11));
    assert!(late.output().contains("HTTP/1.1 408 Request Timeout\r\n") && late.output().contains("Connection: close"));
}

#[test]
fn rule_48_no_field_twice() {
    let mut site = Site::default();
    site.options.headers = HeaderRules { rules: [].into(), server: Some("ePHPm") };
    let (head, _) = answer(&site, &get("/own-fields.php", ""));
    for name in ["Date", "Content-Type", "Content-Length", "Server"] {
        assert_eq!(head.iter().filter(|line| line.starts_with(&format!("{name}:"))).count(), 1, "{name}: {head:?}");
    }
    assert_eq!(field(&head, "Server"), ["of the script"]);
    let (head, _) = answer(&site, &get("/a.txt", ""));
    assert_eq!(field(&head, "Server"), ["ePHPm"]);
    assert_eq!(field(&answer(&Site::default(), &get("/a.txt", "")).0, "Server"), [""; 0]);
}

#[test]
fn requests_that_take_too_long_are_answered_or_cut() {
    let site = Site::default();
    let output = site.converse(&(get("/late.php", "") + &get("/b.html", ""))).output;
    assert!(output.starts_with("HTTP/1.1 504 Gateway Timeout\r\n") && output.ends_with("\r\n\r\n<b>"), "{output}");
    let conversation = site.converse(&get("/cut-late.php", ""));
    assert!(conversation.output.ends_with("\r\n4\r\nhalf\r\n"), "{}", conversation.output);
    assert_eq!(conversation.disposition, site.converse(&get("/cut.php", "")).disposition);
}

/// S21: PHP is done with a page of 2 MB that nobody reads; what memory does not hold lies in a file.
#[test]
fn s21_a_response_comes_whole_from_memory_and_a_file() {
    for (version, is_chunked) in [("1.1", true), ("1.0", false)] {
        let held = Arc::<AllSpilled>::default();
        let spill = Spill {
            files: Box::new(OutputFiles::new(std::env::temp_dir())),
            bytes_max: 4 << 20,
            all_bytes_max: 4 << 20,
            files_max: 1,
            patience: Duration::ZERO,
            held: Arc::clone(&held),
        };
        let options = Options { spill: Some(Arc::new(spill)), ..Options::default() };
        let site = Site { options, log: Some(Format::Combined), ..Site::default() };
        for leaves in [false, true] {
            let mut connection = site.connect();
            connection.takes = Some(100_000);
            connection.receive(format!("GET /huge.php HTTP/{version}\r\nHost: a\r\n\r\n").as_bytes());
            // PHP has ended; the send queue is full and memory, too.
            let (bytes, files) = held.bytes_and_files();
            assert!(connection.unsent() < 256 << 10 && files == 1 && bytes > 1 << 20, "{bytes} bytes");
            if leaves {
                drop(connection);
            } else {
                connection.takes = None;
                connection.pass(Duration::ZERO);
                let conversation = connection.end();
                let (head, content) = conversation.output.split_once("\r\n\r\n").unwrap();
                assert_eq!(head.contains("\r\nTransfer-Encoding: chunked"), is_chunked);
                let content = if is_chunked { dechunked(content) } else { content.to_owned() };
                assert!(content == harness::huge(), "{} bytes", content.len());
                assert!(conversation.log.contains("\" 200 "), "{}", conversation.log);
            }
            assert_eq!(held.bytes_and_files(), (0, 0));
        }
    }
}

/// The content of chunks, complete (RFC 9112 §7.1).
fn dechunked(mut chunks: &str) -> String {
    let mut content = String::new();
    loop {
        let (size, rest) = chunks.split_once("\r\n").expect("a chunk's size");
        let size = usize::from_str_radix(size, 16).expect("a hexadecimal size");
        if size == 0 {
            assert_eq!(rest, "\r\n");
            return content;
        }
        content.push_str(&rest[..size]);
        chunks = rest[size..].strip_prefix("\r\n").expect("the chunk's end");
    }
}
