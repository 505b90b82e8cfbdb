use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::exchange::{Content, Script};
use crate::http::message::Peer;
use crate::site::fuzz::{assert_same, request};

fn job(method: &str, target: &str, fields: &[(&str, &str)]) -> Job {
    Job {
        request: request(method, target, fields),
        script: Script { document_root: b"/srv/site"[..].into(), name: b"/index.php".to_vec(), path_info: Vec::new() },
        error: None,
        peer: Peer {
            remote: "192.0.2.7:50123".parse().unwrap(),
            local: "198.51.100.1:8080".parse().unwrap(),
            secure: false,
        },
        content: Content::Memory(Bytes::new()),
        pool: 0,
        received_at: Duration::ZERO,
    }
}

fn vars(job: &Job) -> ServerVars {
    let mut vars = ServerVars::new();
    build(job, job.content.len(), &ServerOptions::default(), &mut vars);
    vars
}

fn dump(vars: &ServerVars) -> Vec<String> {
    let mut lines: Vec<_> =
        vars.iter().map(|(name, value)| format!("{}={}", name.escape_ascii(), value.escape_ascii())).collect();
    lines.sort();
    lines
}

#[test]
fn a_form_behind_a_script_has_everything() {
    let fields =
        [("Host", "Example.com:8080"), ("Content-Type", "text/plain"), ("Content-Length", "3"), ("Accept", "*/*")];
    let mut job = job("POST", "/app.php/baz/bat?foo=a&bar=%3E", &fields);
    job.script.name = b"/app.php".to_vec();
    job.script.path_info = b"/baz/bat".to_vec();
    job.content = Content::Memory(Bytes::from_static(b"foo"));
    assert_eq!(
        dump(&vars(&job)),
        [
            "CONTENT_LENGTH=3",
            "CONTENT_TYPE=text/plain",
            "DOCUMENT_ROOT=/srv/site",
            "DOCUMENT_URI=/app.php",
            "GATEWAY_INTERFACE=CGI/1.1",
            "HTTP_ACCEPT=*/*",
            "HTTP_HOST=Example.com:8080",
            "PATH_INFO=/baz/bat",
            "PATH_TRANSLATED=/srv/site/baz/bat",
            "PHP_SELF=/app.php/baz/bat",
            "QUERY_STRING=foo=a&bar=%3E",
            "REDIRECT_STATUS=200",
            "REMOTE_ADDR=192.0.2.7",
            "REMOTE_PORT=50123",
            "REQUEST_METHOD=POST",
            "REQUEST_SCHEME=http",
            "REQUEST_URI=/app.php/baz/bat?foo=a&bar=%3E",
            "SCRIPT_FILENAME=/srv/site/app.php",
            "SCRIPT_NAME=/app.php",
            "SERVER_ADDR=198.51.100.1",
            "SERVER_NAME=Example.com",
            "SERVER_PORT=8080",
            "SERVER_PROTOCOL=HTTP/1.1",
            concat!("SERVER_SOFTWARE=ePHPm/", env!("CARGO_PKG_VERSION"), " (nginx-compatible)"),
        ]
    );
}

#[test]
fn a_front_controller_sees_the_target_as_it_was_sent() {
    let vars = vars(&job("GET", "/en//%7Ea/%2F?", &[]));
    assert_eq!(vars.get("REQUEST_URI"), Some(&b"/en//%7Ea/%2F?"[..]));
    assert_eq!(vars.get("QUERY_STRING"), Some(&b""[..]));
    assert_eq!(vars.get("SCRIPT_NAME"), Some(&b"/index.php"[..]));
    assert_eq!(vars.get("PHP_SELF"), Some(&b"/index.php"[..]));
    assert_eq!(vars.get("PATH_INFO"), Some(&b""[..]));
    for absent in
        ["PATH_TRANSLATED", "CONTENT_TYPE", "CONTENT_LENGTH", "HTTPS", "HTTP_HOST", "REMOTE_USER", "AUTH_TYPE"]
    {
        assert_eq!(vars.get(absent), None, "{absent}");
    }
}

#[test]
fn lines_of_one_field_are_joined_where_the_first_stands() {
    let fields =
        [("X-A", "1"), ("Cookie", "a=b"), ("x-a", ""), ("Via", "x"), ("COOKIE", "c=d"), ("X-a", "3"), ("X-Empty", "")];
    let vars = vars(&job("GET", "/", &fields));
    assert_eq!(vars.get("HTTP_X_A"), Some(&b"1, , 3"[..]));
    assert_eq!(vars.get("HTTP_COOKIE"), Some(&b"a=b; c=d"[..]));
    assert_eq!(vars.get("HTTP_X_EMPTY"), Some(&b""[..]));
    let from_headers: Vec<_> = vars.iter().map(|(name, _)| name).filter(|name| name.starts_with(b"HTTP_")).collect();
    assert_eq!(from_headers, [&b"HTTP_X_A"[..], b"HTTP_COOKIE", b"HTTP_VIA", b"HTTP_X_EMPTY"]);
}

#[test]
fn s11_to_s13_headers_set_nothing_of_ours() {
    let fields = [
        ("Proxy", "http://evil"),
        ("proxy", "x"),
        ("X_Forwarded_For", "1"),
        ("X.Y", "1"),
        ("X!Y", "1"),
        ("Https", "on"),
        ("Script-Filename", "/etc/passwd"),
        ("Remote-Addr", "1.2.3.4"),
        ("Document_Root", "/"),
        ("Content_Length", "9"),
        ("Host", "a"),
        ("X-Forwarded-Proto", "https"),
        ("Content-Length", "0"),
        ("Remote-User", "root"),
    ];
    let vars = vars(&job("POST", "/", &fields));
    let from_headers: Vec<_> = vars.iter().map(|(name, _)| name).filter(|name| name.starts_with(b"HTTP_")).collect();
    assert_eq!(
        from_headers,
        [
            &b"HTTP_HOST"[..],
            b"HTTP_HTTPS",
            b"HTTP_SCRIPT_FILENAME",
            b"HTTP_REMOTE_ADDR",
            b"HTTP_X_FORWARDED_PROTO",
            b"HTTP_REMOTE_USER",
        ]
    );
    assert_eq!(vars.get("REMOTE_ADDR"), Some(&b"192.0.2.7"[..]));
    assert_eq!(vars.get("CONTENT_LENGTH"), Some(&b"0"[..]), "it was sent");
    assert_eq!(vars.get("HTTPS"), None);
    assert_eq!(vars.get("REMOTE_USER"), None);
}

#[test]
fn chunked_content_has_the_length_that_arrived() {
    let mut job = job("POST", "/", &[("Transfer-Encoding", "chunked")]);
    job.request.content_length = None;
    assert_eq!(vars(&job).get("CONTENT_LENGTH"), Some(&b"0"[..]));
    job.content = Content::Memory(Bytes::from_static(b"12345"));
    assert_eq!(vars(&job).get("CONTENT_LENGTH"), Some(&b"5"[..]));
}

#[test]
fn the_target_s_authority_overrides_the_host_field() {
    let mut job = job("GET", "/", &[("Host", "other.example")]);
    job.request.authority = Some(job.request.headers.push_bytes(b"[::1]:81").unwrap());
    let vars = vars(&job);
    assert_eq!(vars.get("HTTP_HOST"), Some(&b"[::1]:81"[..]));
    assert_eq!(vars.get("SERVER_NAME"), Some(&b"[::1]"[..]));
    assert_eq!(vars.get("SERVER_PORT"), Some(&b"8080"[..]), "the port is the socket's");
}

#[test]
fn addresses_are_shown_as_applications_expect() {
    for (address, shown, name) in [
        ("192.0.2.1:1", "192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:1", "192.0.2.1", "192.0.2.1"),
        ("[2001:db8::1]:1", "2001:db8::1", "[2001:db8::1]"),
        ("[fe80::1%3]:1", "fe80::1", "[fe80::1]"),
    ] {
        let mut job = job("GET", "/", &[("Host", "not a host")]);
        (job.peer.remote, job.peer.local) = (address.parse().unwrap(), address.parse().unwrap());
        let vars = vars(&job);
        assert_eq!(vars.get("REMOTE_ADDR"), Some(shown.as_bytes()));
        assert_eq!(vars.get("SERVER_ADDR"), Some(shown.as_bytes()));
        assert_eq!(vars.get("SERVER_NAME"), Some(name.as_bytes()));
    }
}

#[test]
fn a_secure_connection_is_https() {
    let mut job = job("GET", "/", &[]);
    job.peer.secure = true;
    let vars = vars(&job);
    assert_eq!(vars.get("HTTPS"), Some(&b"on"[..]));
    assert_eq!(vars.get("REQUEST_SCHEME"), Some(&b"https"[..]));
}

#[test]
fn the_memory_serves_one_request_after_another() {
    let fields =
        [("Cookie", "a=b"), ("Authorization", "Basic eA=="), ("Content-Type", "text/plain"), ("cookie", "c=d")];
    let (first, second) = (job("PUT", "/x?y", &fields), job("GET", "/", &[]));
    let (mut vars, mut info) = (ServerVars::new(), RequestInfo::default());
    for _ in 0..2 {
        build(&first, 0, &ServerOptions::default(), &mut vars);
        info.fill(&first);
        assert_same(&info, &vars);
        assert_eq!(info.request_method(), b"PUT\0");
        assert_eq!(info.query_string(), b"y\0");
        assert_eq!(info.script_filename(), b"/srv/site/index.php\0");
        assert_eq!(info.php_self(), b"/index.php\0");
        assert_eq!(info.content_type(), Some(&b"text/plain\0"[..]));
        assert_eq!(info.cookie(), Some(&b"a=b; c=d\0"[..]));
        assert_eq!(info.authorization(), Some(&b"Basic eA==\0"[..]));
        build(&second, 0, &ServerOptions::default(), &mut vars);
        info.fill(&second);
        assert_same(&info, &vars);
        assert_eq!((info.content_type(), info.cookie(), info.authorization()), (None, None, None));
        assert_eq!((info.php_self(), info.query_string()), (&b"/index.php\0"[..], &b"\0"[..]));
        assert_eq!(vars.len(), vars.iter().count());
    }
}

/// Comparing only lines with the same mark tells what comparing all of them does.
#[test]
fn lines_of_one_field_are_joined_wherever_they_stand() {
    const NAMES: [&str; 8] = ["A", "a", "X-Ab", "x-aB", "X-Bb", "Cookie", "COOKIE", "Accept"];
    for seed in 0..2000_usize {
        let values: Vec<_> = (0..seed % 7).map(|place| (seed >> (3 * place) & 7, place.to_string())).collect();
        let fields: Vec<_> = values.iter().map(|(name, value)| (NAMES[*name], &**value)).collect();
        let job = job("GET", "/", &fields);
        let (vars, mut info) = (vars(&job), RequestInfo::default());
        info.fill(&job);
        assert_same(&info, &vars);
        for name in NAMES {
            let lines = fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
            let separator = if name.eq_ignore_ascii_case("Cookie") { "; " } else { ", " };
            let joined = lines.collect::<Vec<_>>().join(separator);
            let variable = format!("HTTP_{}", name.to_ascii_uppercase().replace('-', "_"));
            assert_eq!(vars.get(&variable).unwrap_or_default(), joined.as_bytes(), "{variable} of {fields:?}");
        }
    }
}

/// None of them has to be compared with the others.
#[test]
fn what_a_browser_sends_has_marks_of_its_own() {
    let names = [
        "Accept",
        "Accept-Encoding",
        "Accept-Language",
        "Cache-Control",
        "Connection",
        "Content-Length",
        "Content-Type",
        "Cookie",
        "Host",
        "If-Modified-Since",
        "If-None-Match",
        "Origin",
        "Priority",
        "Referer",
        "Sec-CH-UA",
        "Sec-CH-UA-Mobile",
        "Sec-CH-UA-Platform",
        "Sec-Fetch-Dest",
        "Sec-Fetch-Mode",
        "Sec-Fetch-Site",
        "Sec-Fetch-User",
        "Upgrade-Insecure-Requests",
        "User-Agent",
    ];
    let marks = names.iter().fold(0, |marks, name| marks | mark(name.as_bytes()));
    assert_eq!(marks.count_ones() as usize, names.len());
    assert_eq!(mark(b"SEC-FETCH-MODE"), mark(b"sec-fetch-mode"));
}
