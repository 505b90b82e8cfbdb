//! One connection from bytes to bytes above the protocol: routing, errors, the operator's wishes and the access log,
//! with a tree of files in memory and scripts that are Rust. Every conversation is held with its input whole, byte by
//! byte and in random pieces, and must come out the same. Numbers in names are those of the rules of HTTP and security.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "service/harness.rs"]
mod harness;

use std::sync::Arc;
use std::time::Duration;

use ephpm::exchange::{AllSpilled, Spill};
use ephpm::http::message::Response;
use ephpm::http::status::Status;
use ephpm::net::spool::OutputFiles;
use ephpm::protocol::Disposition;
use ephpm::service::access_log::Format;
use ephpm::service::context::Options;
use ephpm::site::error_page::ErrorPages;
use ephpm::site::forwarded::{self, Field};
use ephpm::site::header_rules::{HeaderRules, Rule};
use ephpm::site::internal_files::{Directory, InternalFiles};
use harness::{Conversation, Site};

/// `GET target` of host `a`, with these field lines.
fn get(target: &str, fields: &str) -> String {
    request("GET", target, fields, "")
}

fn request(method: &str, target: &str, fields: &str, content: &str) -> String {
    let length = if content.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", content.len()) };
    format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{fields}{length}\r\n{content}")
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
fn fields_are_set_on_every_response() {
    let mut site = Site::default();
    let rule = |pattern: &str, name: &str, value: &str, replaces| {
        let [pattern, name, value] = [pattern, name, value].map(str::to_owned);
        Rule { pattern, name, value, replaces }
    };
    site.options.headers.rules = [
        rule("/*", "X-Content-Type-Options", "nosniff", true),
        rule("*.txt", "Cache-Control", "max-age=60", true),
        rule("/own-*", "X-Powered-By", "", true),
    ]
    .into();
    site.options.content.bytes_max = 3;
    for input in [
        get("/a.txt", ""),
        get("/a.txt", "If-None-Match: *\r\n"),
        get("/echo.php", ""),
        get("/none", ""),
        get("/dir", ""),
        get("/fail.php", ""),
        request("OPTIONS", "/a.txt", "", ""),
        request("POST", "/echo.php", "", "four"),
        get("/", "Bad Name: x\r\n"),
        "\x16\x03\x01".to_owned(),
    ] {
        let (head, _) = answer(&site, &input);
        assert_eq!(field(&head, "X-Content-Type-Options"), ["nosniff"], "{input}: {head:?}");
        assert_eq!(!field(&head, "Cache-Control").is_empty(), input.contains("/a.txt"), "{input}: {head:?}");
    }
    assert_eq!(field(&answer(&site, &get("/own-fields.php", "")).0, "X-Powered-By"), [""; 0]);
    let expectation = request("POST", "/echo.php", "Expect: 100-continue\r\nContent-Length: 2\r\n", "");
    let output = site.connect().hold(&[expectation.as_bytes(), b"ab"]).output;
    assert!(output.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), "{output}");
}

#[test]
fn s13_proxies_are_believed_when_they_are_trusted() {
    let mut site = Site::default();
    let fields = "X-Forwarded-For: 1.1.1.1, 203.0.113.9\r\nX-Forwarded-Proto: https\r\n";
    let plain = "GET /echo.php 192.0.2.1 http a 8080 200";
    assert_eq!(answer(&site, &get("/echo.php", fields)).1, plain);
    site.options.forwarded =
        forwarded::Options { proxies: vec!["192.0.2.0/24".parse().unwrap()], fields: vec![Field::For, Field::Proto] };
    assert_eq!(answer(&site, &get("/echo.php", fields)).1, "GET /echo.php 203.0.113.9 https a 443 200");
    assert_eq!(answer(&site, &get("/echo.php", "X-Forwarded-Host: b\r\n")).1, plain);
    site.options.forwarded.proxies = vec!["192.0.3.0/24".parse().unwrap()];
    assert_eq!(answer(&site, &get("/echo.php", fields)).1, plain);
}

fn with_pages() -> Site {
    let mut site = Site::default();
    site.options.error_pages = ErrorPages {
        pages: vec![
            (Status::BAD_REQUEST, "/echo.php".to_owned()),
            (Status::NOT_FOUND, "/echo.php".to_owned()),
            (Status::METHOD_NOT_ALLOWED, "/echo.php".to_owned()),
            (Status::CONTENT_TOO_LARGE, "/echo.php".to_owned()),
            (Status::INTERNAL_SERVER_ERROR, "/b.html".to_owned()),
            (Status::SERVICE_UNAVAILABLE, "/b.html".to_owned()),
            (Status::GATEWAY_TIMEOUT, "/b.html".to_owned()),
            (Status::URI_TOO_LONG, "/missing.html".to_owned()),
            (Status::FORBIDDEN, "/fail.php".to_owned()),
        ],
    };
    site
}

#[test]
fn error_pages_keep_the_status_and_what_belongs_to_it() {
    let mut site = with_pages();
    let (head, content) = answer(&site, &get("/none?x=1", ""));
    assert_eq!((&head[0][..], &content[..]), ("HTTP/1.1 404 Not Found", "GET /none?x=1 192.0.2.1 http a 8080 404"));
    let (head, content) = answer(&site, &request("PUT", "/a.txt", "", "abc"));
    assert_eq!(head[0], "HTTP/1.1 405 Method Not Allowed");
    assert_eq!(field(&head, "Allow"), ["GET, HEAD, OPTIONS"]);
    assert_eq!(content, "GET /a.txt 192.0.2.1 http a 8080 405");
    let (head, content) = answer(&site, &get("/fail.php", ""));
    assert_eq!((&head[0][9..12], &content[..]), ("500", "<b>"));
    let (late, content) = answer(&site, &get("/late.php", ""));
    assert_eq!((&late[0][9..], &content[..]), ("504 Gateway Timeout", "<b>"));
    assert_eq!(field(&head, "Content-Type"), ["text/html; charset=utf-8"]);
    // HEAD stays HEAD, and in sync.
    let output = site.converse(&(request("HEAD", "/none", "", "") + &get("/b.html", ""))).output;
    assert!(output.starts_with("HTTP/1.1 404 ") && output.ends_with("\r\n\r\n<b>"), "{output}");
    assert_eq!(output.matches("<b>").count(), 1);

    site.options.content.bytes_max = 3;
    for chunked in [false, true] {
        let input = match chunked {
            false => request("POST", "/x.php", "", "four"),
            true => request("POST", "/x.php", "Transfer-Encoding: chunked\r\n", "") + "4\r\nfour\r\n0\r\n\r\n",
        };
        let conversation = site.converse(&input);
        assert!(conversation.output.starts_with("HTTP/1.1 413 Content Too Large\r\n"), "{}", conversation.output);
        assert!(conversation.output.ends_with("GET /x.php 192.0.2.1 http a 8080 413"), "{}", conversation.output);
        assert_eq!(conversation.disposition, Disposition::Linger);
    }
    site.is_busy = true;
    let (head, content) = answer(&site, &get("/echo.php", ""));
    assert_eq!((&head[0][9..12], field(&head, "Retry-After"), &content[..]), ("503", vec!["1"], "<b>"));
}

#[test]
fn what_is_wrong_with_an_error_page_is_answered_by_our_own() {
    let mut site = with_pages();
    // Unreadable requests have no page that is a script, a missing page and one that fails no second one.
    for (input, title) in [
        (get("/", "Bad Name: x\r\n"), "400 Bad Request"),
        (get(&format!("/{}", "x".repeat(9000)), ""), "414 URI Too Long"),
        (get("/denied.txt", ""), "403 Forbidden"),
    ] {
        let (head, content) = answer(&site, &input);
        assert_eq!(head[0], format!("HTTP/1.1 {title}"));
        assert!(content.contains(&format!("<h1>{title}</h1>")), "{content}");
    }
    site.is_busy = true;
    assert!(answer(&site, &get("/none", "")).1.contains("<h1>404 Not Found</h1>"));
}

fn with_internal_files() -> Site {
    let mut site = Site::default();
    let directory = Directory { prefix: "/protected/".to_owned(), paths: vec![b"/srv/files".to_vec()] };
    site.options.internal_files = InternalFiles { directories: vec![directory] };
    site
}

#[test]
fn scripts_hand_files_over() {
    let site = with_internal_files();
    for field_line in ["X-Accel-Redirect:/protected/secret.txt", "X-Sendfile:/srv/files/secret.txt"] {
        let target = format!("/hand-over.php?{field_line}");
        let (head, content) = answer(&site, &get(&target, ""));
        assert_eq!((&head[0][..], &content[..]), ("HTTP/1.1 200 OK", "0123456789secret"));
        assert!(!head.iter().any(|line| line.starts_with("X-")), "{head:?}");
        assert_eq!(field(&head, "Content-Type"), ["application/pdf"], "the script's");
        assert_eq!(field(&head, "Content-Disposition"), ["attachment"]);
        assert_eq!(field(&head, "Content-Length"), ["16"]);
        let etag = field(&head, "ETag")[0].to_owned();

        let (head, content) = answer(&site, &get(&target, "Range: bytes=10-\r\n"));
        assert_eq!((&head[0][9..12], &content[..]), ("206", "secret"));
        assert_eq!(field(&head, "Content-Range"), ["bytes 10-15/16"]);
        let (head, content) = answer(&site, &get(&target, &format!("If-None-Match: {etag}\r\n")));
        assert_eq!((&head[0][9..12], &content[..], field(&head, "Content-Type")), ("304", "", vec![]));
        let output = site.converse(&(request("HEAD", &target, "", "") + &get("/b.html", ""))).output;
        assert!(output.contains("\r\nContent-Length: 16\r\n") && output.ends_with("\r\n\r\n<b>"), "{output}");
        // Rule 48: POST has neither parts nor 304.
        let fields = format!("Range: bytes=10-\r\nIf-None-Match: {etag}\r\n");
        let (head, content) = answer(&site, &request("POST", &target, &fields, "x"));
        assert_eq!((&head[0][..], &content[..]), ("HTTP/1.1 200 OK", "0123456789secret"));
    }
}

#[test]
fn files_that_a_script_may_not_hand_over_are_not_found() {
    let configured = with_internal_files();
    let mut with_page = with_internal_files();
    with_page.options.error_pages = ErrorPages { pages: vec![(Status::NOT_FOUND, "/hand-over.php".to_owned())] };
    for field_line in [
        "X-Accel-Redirect:/protected/missing.txt",
        "X-Accel-Redirect:/protected/%2e%2e/a.txt",
        "X-Accel-Redirect:/a.txt",
        "X-Sendfile:/etc/passwd",
        "X-Sendfile:/srv/files/../a.txt",
        "X-Sendfile:a.txt",
        "X-Sendfile:",
    ] {
        for site in [&configured, &Site::default(), &with_page] {
            let (head, content) = answer(site, &get(&format!("/hand-over.php?{field_line}"), ""));
            assert_eq!(head[0], "HTTP/1.1 404 Not Found", "{field_line}");
            assert!(!head.iter().any(|line| line.starts_with("X-")), "{head:?}");
            // A page that hands something over itself does so in vain.
            assert!(content.contains("<h1>404 Not Found</h1>") || content == "printed", "{content}");
        }
    }
}

/// What `/wait.php` is answered when the configuration changes while it runs, and then its response begins with `head`.
fn answer_across_reload(before: &Site, after: &Site, target: &str, head: Response) -> String {
    let mut connection = before.connect();
    connection.receive(get(target, "").as_bytes());
    connection.reload(after.options.clone());
    connection.with_waiting(|scripts| {
        let mut script = Box::new(scripts.pop().unwrap());
        script.send_head(head);
        script.write(b"printed").unwrap();
        script.complete();
    });
    connection.output()
}

#[test]
fn a_request_gets_the_fields_that_were_for_it_when_it_came() {
    let rule = |pattern: &str, name: &str| {
        let [pattern, name, value] = [pattern, name, "1"].map(str::to_owned);
        Rule { pattern, name, value, replaces: true }
    };
    let site = |rules: &[Rule]| {
        let mut site = Site::default();
        site.options.headers = HeaderRules { rules: rules.into(), server: None };
        site
    };
    let [all, own, other] = [rule("/*", "X-All"), rule("/wait.php", "X-Own"), rule("/other/*", "X-Other")];
    let before = site(&[all.clone(), own.clone()]);
    for after in [vec![], vec![all.clone()], vec![other.clone(), all.clone()], vec![other, own, all]] {
        let output = answer_across_reload(&before, &site(&after), "/wait.php", Response::new(Status::OK));
        let (head, content) = output.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("\r\nX-All: 1\r\nX-Own: 1"), "{output}");
        assert!(!head.contains("X-Other") && content == "printed", "{output}");
        let output = answer_across_reload(&site(&[]), &site(&after), "/wait.php", Response::new(Status::OK));
        assert!(!output.contains("X-"), "{output}");
    }
}

#[test]
fn a_script_names_files_of_directories_that_there_were_when_it_began() {
    let (with, without) = (with_internal_files(), Site::default());
    let mut with_page = with_internal_files();
    with_page.options.error_pages = ErrorPages { pages: vec![(Status::NOT_FOUND, "/b.html".to_owned())] };
    for (before, after, status, content) in [
        (&without, &with, "404 Not Found", "<h1>404 Not Found</h1>"),
        (&without, &with_page, "404 Not Found", "<b>"),
        (&with, &without, "404 Not Found", "<h1>404 Not Found</h1>"),
        (&with, &with_page, "200 OK", "0123456789secret"),
    ] {
        for (name, value) in [("X-Accel-Redirect", "/protected/secret.txt"), ("X-Sendfile", "/srv/files/secret.txt")] {
            let mut head = Response::new(Status::OK);
            head.headers.add(name, value.as_bytes());
            let output = answer_across_reload(before, after, "/wait.php", head);
            assert!(output.starts_with(&format!("HTTP/1.1 {status}\r\n")) && output.contains(content), "{output}");
            assert!(!output.contains(name), "{output}");
        }
    }
}

fn logging(format: Format) -> Site {
    Site { log: Some(format), ..Site::default() }
}

#[test]
fn each_request_is_logged_once() {
    let site = logging(Format::Combined);
    let input = get("/a.txt?x=\"", "User-Agent: \x7e\"\\\r\nReferer: http://b/\r\n")
        + &request("HEAD", "/a.txt", "", "")
        + &request("POST", "/echo.php", "", "x")
        + &get("/stream.php", "")
        + &get("/none", "")
        + "BREW / HTTP/1.1\r\n\r\n";
    let line = |request: &str, status: u16, bytes: usize, rest: &str| {
        format!("192.0.2.1 - - [06/Nov/1994:08:49:37 +0000] \"{request}\" {status} {bytes} {rest}\n")
    };
    let page = |code: u16| ephpm::site::error_page::error_response(Status::from_code(code).unwrap()).1.len();
    let echo = "POST /echo.php 192.0.2.1 http a 8080 200".len();
    let wanted = [
        line("GET /a.txt?x=\\x22 HTTP/1.1", 200, 10, "\"http://b/\" \"~\\x22\\x5C\""),
        line("HEAD /a.txt HTTP/1.1", 200, 0, "\"-\" \"-\""),
        line("POST /echo.php HTTP/1.1", 200, echo, "\"-\" \"-\""),
        // Two chunks of three bytes each and the last, framing included.
        line("GET /stream.php HTTP/1.1", 200, 2 * (3 + 3 + 2) + 5, "\"-\" \"-\""),
        line("GET /none HTTP/1.1", 404, page(404), "\"-\" \"-\""),
        line("-", 501, page(501), "\"-\" \"-\""),
    ];
    assert_eq!(site.converse(&input).log, wanted.concat());
}

#[test]
fn json_tells_what_was_cut_and_why() {
    let mut site = logging(Format::Json);
    let record = |line: &str| line.trim_end().to_owned();
    let log = site.converse(&get("/a.txt", "Host: b\r\n")).log;
    assert!(record(&log).ends_with(",\"complete\":true,\"error\":\"Host is given more than once\"}"), "{log}");
    assert!(log.contains("\"status\":400"));

    // PHP dies in the middle.
    let log = site.converse(&get("/cut.php", "")).log;
    assert!(log.contains("\"target\":\"/cut.php\"") && log.contains("\"complete\":false}"), "{log}");
    // The client leaves before there is an answer, and before there is all of its content.
    for input in [get("/wait.php", ""), request("POST", "/echo.php", "Content-Length: 9\r\n", "")] {
        let mut connection = site.connect();
        connection.receive(input.as_bytes());
        connection.eof();
        let log = connection.end().log;
        assert!(log.contains("\"status\":499,\"bytes\":0") && log.contains("\"complete\":false}"), "{log}");
        assert_eq!(log.matches('\n').count(), 1);
    }
    // The client takes seven bytes of content and no more.
    let mut connection = site.connect();
    connection.takes = Some(0);
    connection.receive(get("/a.txt", "").as_bytes());
    let head = connection.unsent() - 10;
    connection.takes = Some(head + 7);
    connection.receive(b"");
    let log = connection.end().log;
    assert!(log.contains("\"status\":200,\"bytes\":7,") && log.contains("\"complete\":false}"), "{log}");

    site.options.forwarded =
        forwarded::Options { proxies: vec!["192.0.2.1".parse().unwrap()], fields: vec![Field::For] };
    let log = site.converse(&get("/a.txt", "X-Forwarded-For: 203.0.113.9\r\n")).log;
    assert!(log.contains("\"remote\":\"203.0.113.9\""), "{log}");
}

#[test]
fn nothing_is_logged_when_nothing_is_to_be() {
    let site = Site { options: Options::default(), ..Site::default() };
    assert_eq!(site.converse(&(get("/a.txt", "") + "garbage\r\n")).log, "");
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
