//! The lines of the access log.

use ephpm::http::status::Status;
use ephpm::service::access_log::Format;
use ephpm::service::context::Options;
use ephpm::site::forwarded::{self, Field};

use super::harness::Site;
use super::{get, request};

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
