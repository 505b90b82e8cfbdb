//! Every timeout, the ends of a connection and its simplest answers, on a clock that the test turns: the real connection
//! over a socket that is two buffers. The names begin with the number of the rule (of HTTP, or S for security) that a
//! test shows.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "a part of the simulation is used")]

#[path = "connection/bench.rs"]
mod bench;
#[path = "connection/deadlines.rs"]
mod deadlines;
#[path = "connection/ends.rs"]
mod ends;
#[path = "simulation/mod.rs"]
mod simulation;
#[path = "connection/wire.rs"]
mod wire;

use bench::Bench;

#[test]
fn rule_7_a_file_is_not_posted_to() {
    let mut bench = Bench::new();
    bench.send("POST /small.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    let text = String::from_utf8(bench.wire.borrow().to_client.clone()).unwrap();
    assert!(text.contains("\r\nAllow: GET, HEAD, OPTIONS\r\n"), "{text}");
    assert_eq!(bench.statuses(), [405]);
    bench.send("BREW /small.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(bench.statuses(), [501]);
}

#[test]
fn rule_17_every_host_is_the_one_site() {
    let mut bench = Bench::new();
    for host in ["a", "b.example:81", "[::1]"] {
        bench.send(format!("GET /small.txt HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(bench.statuses(), [200]);
    }
}

#[test]
fn rule_46_what_has_content_has_a_type() {
    let mut bench = Bench::new();
    for (target, media_type) in [("/small.txt", "text/plain; charset=utf-8"), ("/missing", "text/html; charset=utf-8")]
    {
        bench.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let text = String::from_utf8(std::mem::take(&mut bench.wire.borrow_mut().to_client)).unwrap();
        assert!(text.contains(&format!("\r\nContent-Type: {media_type}\r\n")), "{text}");
    }
}
