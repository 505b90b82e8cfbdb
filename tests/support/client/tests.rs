//! The client against a server that says what it is told to.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::thread::{JoinHandle, spawn};

use super::*;

/// Accepts one connection for each list and answers each request on it with the next text, then closes.
/// The thread returns the heads of the requests.
fn serve(scripts: &'static [&'static [&'static str]]) -> (Client, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on loopback");
    let client = Client::new(listener.local_addr().expect("the address of a bound socket"));
    let server = spawn(move || {
        let mut heads = Vec::new();
        for script in scripts {
            let (mut stream, _) = listener.accept().expect("a connection");
            for answer in *script {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).expect("a whole head");
                    head.push(byte[0]);
                }
                heads.push(String::from_utf8(head).expect("ASCII"));
                stream.write_all(answer.as_bytes()).expect("a client that listens");
            }
        }
        heads
    });
    (client, server)
}

#[test]
fn one_connection_serves_many_requests() {
    let (mut client, server) = serve(&[&[
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nSet-Cookie: a=1; path=/\r\n\r\nx",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\ny\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nz",
    ]]);
    let contents = ["/1", "/2", "/3"].map(|target| client.get(target).text());
    assert_eq!(contents, ["x", "y", "z"]);
    assert_eq!(client.connections_opened, 1);
    let heads = server.join().expect("no panic");
    assert!(heads[0].starts_with("GET /1 HTTP/1.1\r\nHost: 127.0.0.1:"), "{heads:?}");
    assert!(!heads[0].contains("Cookie:") && heads[1].contains("\r\nCookie: a=1\r\n"), "{heads:?}");
}

#[test]
fn a_connection_that_was_closed_while_idle_is_replaced() {
    let (mut client, server) = serve(&[&["HTTP/1.1 204 No Content\r\n\r\n"], &["HTTP/1.1 204 No Content\r\n\r\n"]]);
    assert_eq!(client.get("/1").status, 204);
    assert_eq!(client.get("/2").status, 204);
    assert_eq!(client.connections_opened, 2);
    assert_eq!(server.join().expect("no panic").len(), 2);
}

#[test]
fn redirects_are_followed_by_get() {
    let (mut client, server) = serve(&[&[
        "HTTP/1.1 303 See Other\r\nLocation: next?a=b#part\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 301 Moved Permanently\r\nLocation: ?c\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: /end\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    ]]);
    assert_eq!(client.follow(&Request::post("/a/b?x=/y")).status, 404);
    let heads = server.join().expect("no panic");
    let lines: Vec<_> = heads.iter().filter_map(|head| head.lines().next()).collect();
    let expected = ["POST /a/b?x=/y", "GET /a/next?a=b", "GET /a/next?c", "GET /end"];
    assert_eq!(lines, expected.map(|line| format!("{line} HTTP/1.1")));
}

#[test]
fn a_response_that_is_cut_or_too_long_is_an_error() {
    let (mut client, server) = serve(&[
        &["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx"],
        &["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nxyz"],
        &["HTTP/1.1 200"],
    ]);
    for expected in ["cut", "bytes after the end", "bytes of a head"] {
        let error = client.try_send(&Request::get("/")).expect_err("no whole response").to_string();
        assert!(error.contains(expected), "{error}");
    }
    server.join().expect("no panic");
}
