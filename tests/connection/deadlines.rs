//! Every timeout.

use std::time::Duration;

use ephpm::base::limits::{
    CONTENT_RATE_MIN, CONTENT_TIMEOUT, HEAD_TIMEOUT, KEEP_ALIVE_TIMEOUT, QUEUE_TIMEOUT, WRITE_RATE_MIN, WRITE_TIMEOUT,
};

use super::bench::{Bench, FILE, SCRIPT, SECOND};

#[test]
fn rule_14_s20_a_head_has_its_time_and_no_byte_extends_it() {
    let mut bench = Bench::new();
    bench.wait(5 * SECOND);
    for byte in FILE.bytes().take(9) {
        bench.send([byte]);
        bench.wait(SECOND);
    }
    assert!(bench.is_open() && bench.statuses().is_empty());
    bench.send(b"x");
    bench.wait(HEAD_TIMEOUT - 9 * SECOND);
    assert_eq!(bench.statuses(), [408]);
    assert!(!bench.is_open());
}

#[test]
fn rule_14_each_head_has_its_own_time() {
    let mut bench = Bench::new();
    bench.send(&FILE[..10]);
    bench.wait(HEAD_TIMEOUT - SECOND);
    // The rest, and a part of the next, which is answered within the turn.
    bench.send([&FILE[10..], &FILE[..10]].concat());
    bench.wait(HEAD_TIMEOUT - SECOND);
    assert_eq!(bench.statuses(), [200]);
    bench.send(&FILE[10..]);
    assert_eq!(bench.statuses(), [200]);
    bench.send(&FILE[..10]);
    bench.wait(HEAD_TIMEOUT);
    assert_eq!(bench.statuses(), [408]);
}

#[test]
fn rule_29_s20_content_may_not_pause() {
    let mut bench = Bench::new();
    bench.send("POST /p.php HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n");
    bench.wait(CONTENT_TIMEOUT - SECOND);
    assert!(bench.is_open() && bench.statuses().is_empty());
    bench.wait(SECOND);
    assert_eq!(bench.statuses(), [408]);
    assert!(!bench.is_open());
    assert!(bench.queue.0.lock().unwrap().is_empty(), "PHP is asked when the content is complete");
}

#[test]
fn s20_content_may_not_trickle() {
    let mut bench = Bench::new();
    bench.send("POST /p.php HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    bench.wait(CONTENT_TIMEOUT - SECOND);
    bench.send(b"x");
    bench.wait(2 * SECOND);
    assert_eq!(bench.statuses(), [408]);
}

#[test]
fn s20_content_may_come_slowly_and_with_pauses() {
    let mut bench = Bench::new();
    bench.send("POST /p.php HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    for _ in 0..10 {
        assert!(bench.queue.0.lock().unwrap().is_empty());
        bench.wait(Duration::from_secs(10_000 / CONTENT_RATE_MIN - 1));
        assert!(bench.is_open());
        bench.send([b'x'; 10_000]);
    }
    assert_eq!(bench.queue.0.lock().unwrap().len(), 1);
}

#[test]
fn rule_29_what_is_no_content_does_not_extend_the_time_for_it() {
    let mut bench = Bench::new();
    bench.send("POST /p.php HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a");
    for _ in 0..30 {
        bench.wait(SECOND);
        bench.send(b"b");
    }
    assert_eq!(bench.statuses(), [408]);
}

#[test]
fn rule_30_content_that_is_thrown_away_has_its_time() {
    let mut bench = Bench::new();
    bench.send("POST /small.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx");
    assert_eq!(bench.statuses(), [405]);
    bench.wait(CONTENT_TIMEOUT - SECOND);
    assert!(bench.is_open());
    bench.wait(SECOND);
    assert!(!bench.is_open());
    assert!(bench.statuses().is_empty());
}

#[test]
fn s21_a_peer_that_reads_nothing_is_cut() {
    let mut bench = Bench::new();
    bench.wire.borrow_mut().room = 1000;
    bench.send(SCRIPT);
    bench.answer(60_000);
    bench.wait(WRITE_TIMEOUT);
    // The bytes that it took in time have earned it a second.
    bench.wait(SECOND / 2);
    assert!(bench.is_open() && !bench.wire.borrow().reset);
    bench.wait(SECOND);
    assert!(bench.connection.is_none() && bench.wire.borrow().reset);
}

#[test]
fn s21_a_peer_that_reads_a_byte_at_a_time_is_cut() {
    let mut bench = Bench::new();
    bench.wire.borrow_mut().room = 1;
    bench.send(SCRIPT);
    bench.answer(60_000);
    for _ in 0..30 {
        assert!(bench.is_open());
        bench.wait(SECOND);
        bench.wire.borrow_mut().room = 1;
        bench.report();
    }
    bench.wait(SECOND);
    assert!(bench.connection.is_none() && bench.wire.borrow().reset);
}

#[test]
fn s21_a_peer_that_keeps_the_pace_gets_all_of_it() {
    let mut bench = Bench::new();
    bench.wire.borrow_mut().room = 1;
    bench.send(SCRIPT);
    bench.answer(60_000);
    for _ in 0..4 {
        bench.wait(18 * SECOND);
        assert!(bench.is_open());
        bench.wire.borrow_mut().room = 18 * WRITE_RATE_MIN as usize;
        bench.report();
    }
    assert_eq!(bench.statuses(), [200]);
    assert!(bench.is_open());
}

#[test]
fn rule_40_an_idle_connection_ends_in_silence() {
    let mut bench = Bench::new();
    bench.wait(KEEP_ALIVE_TIMEOUT - SECOND);
    assert!(bench.is_open());
    bench.wait(SECOND);
    assert!(bench.connection.is_none());
    assert!(bench.statuses().is_empty() && !bench.wire.borrow().reset);
}

#[test]
fn rule_40_every_request_begins_the_idle_time_anew() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        bench.wait(KEEP_ALIVE_TIMEOUT - SECOND);
        // A file is answered within the turn: before it the connection was idle, and after it, it is again.
        bench.send(FILE);
        assert_eq!(bench.statuses(), [200]);
    }
    bench.wait(KEEP_ALIVE_TIMEOUT);
    assert!(bench.connection.is_none());
}

#[test]
fn rule_40_a_request_at_the_last_moment_is_served() {
    let mut bench = Bench::new();
    bench.around.now += KEEP_ALIVE_TIMEOUT;
    bench.send(FILE);
    assert_eq!(bench.statuses(), [200]);
    assert!(bench.is_open());
}

#[test]
fn rule_47_s23_a_request_waits_for_a_thread_so_long() {
    let mut bench = Bench::new();
    bench.send(SCRIPT);
    bench.wait(QUEUE_TIMEOUT - SECOND);
    assert!(bench.statuses().is_empty());
    bench.wait(SECOND);
    let text = String::from_utf8(bench.wire.borrow().to_client.clone()).unwrap();
    assert!(text.contains("\r\nRetry-After: 1\r\n"), "{text}");
    assert_eq!(bench.statuses(), [503]);
    assert!(bench.is_open());
    let mut late = bench.queue.0.lock().unwrap().pop_front().unwrap();
    assert!(!late.start(), "nobody waits any more");
    drop(late);
    // A script that runs may take its time; and the next request has a time of its own.
    bench.send(SCRIPT);
    bench.wait(QUEUE_TIMEOUT - SECOND);
    let running = bench.php();
    bench.wait(10 * QUEUE_TIMEOUT);
    assert!(bench.statuses().is_empty());
    drop(running);
    bench.turn();
    assert_eq!(bench.statuses(), [500]);
}

#[test]
fn s20_a_proxy_has_a_heads_time_to_say_whom_it_speaks_for() {
    let mut bench = Bench::new();
    bench.announce(HEAD_TIMEOUT);
    for byte in "PROXY TCP".bytes() {
        bench.send([byte]);
        bench.wait(SECOND);
    }
    assert!(bench.is_open());
    bench.wait(HEAD_TIMEOUT - 9 * SECOND);
    assert!(bench.connection.is_none() && bench.statuses().is_empty());
    // What comes behind the header has its own time.
    let mut bench = Bench::new();
    bench.announce(HEAD_TIMEOUT);
    bench.send([b"PROXY UNKNOWN\r\n", &FILE.as_bytes()[..10]].concat());
    bench.wait(HEAD_TIMEOUT - SECOND);
    bench.send(&FILE[10..]);
    assert_eq!(bench.statuses(), [200]);
    let mut bench = Bench::new();
    bench.announce(HEAD_TIMEOUT);
    bench.send(FILE);
    assert!(bench.connection.is_none() && bench.statuses().is_empty(), "no header, no answer");
}
