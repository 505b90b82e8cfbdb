//! The ends of a connection: the peer's, the server's, and those of what fails.

use ephpm::base::limits::{LINGER_TIMEOUT, OUTPUT_BLOCK_BYTES};
use ephpm::http::message::Response;
use ephpm::http::status::Status;
use ephpm::http1::Http1Options;
use ephpm::http2::Http2Options;
use ephpm::net::connection::Readiness;
use ephpm::protocol::Protocol;

use super::bench::{Bench, FILE, SCRIPT, SECOND};
use super::simulation::frames;

#[test]
fn rule_43_a_connection_lingers_until_the_peer_closes_or_its_time_is_over() {
    for closes in [true, false] {
        let mut bench = Bench::new();
        bench.send("GET / HTTP/1.1\r\n\r\n");
        assert_eq!(bench.statuses(), [400]);
        assert!(bench.wire.borrow().server_closed);
        bench.wait(LINGER_TIMEOUT - SECOND);
        bench.send(FILE);
        assert!(bench.connection.is_some() && bench.wire.borrow().to_server.is_empty(), "it is read and thrown away");
        if closes {
            bench.close();
        } else {
            bench.wait(SECOND);
        }
        assert!(bench.connection.is_none());
        assert!(bench.statuses().is_empty() && !bench.wire.borrow().reset);
    }
}

#[test]
fn s23_a_connection_that_lingers_waits_for_no_script() {
    let mut bench = Bench::speaking(Protocol::http2(Http2Options::default()));
    let requests: Vec<u8> = (0..6).flat_map(|n| frames::get(1 + 2 * n, "/p.php")).collect();
    bench.send([frames::hello(&[(4, 0)]), requests].concat());
    // These make more work than a turn does, and in the same turn the peer makes an error.
    for _ in 0..5 {
        let mut responder = bench.php();
        responder.send_head(Response::new(Status::OK));
        responder.write(&[b'y'; 2 * OUTPUT_BLOCK_BYTES]).unwrap();
        responder.complete();
    }
    let running = bench.php();
    bench.send(frames::frame(frames::SETTINGS, 0, 1, b""));
    assert!(bench.wire.borrow().server_closed && bench.connection.is_some(), "it lingers");
    assert!(running.is_aborted());
}

#[test]
fn what_a_connection_held_is_given_back_when_it_lingers() {
    let mut bench = Bench::speaking(Protocol::http2(Http2Options::default()));
    let requests =
        |numbers: std::ops::Range<u32>| numbers.flat_map(|n| frames::get(1 + 2 * n, "/p.php")).collect::<Vec<_>>();
    bench.send([frames::hello(&[(4, 0)]), requests(0..12)].concat());
    (0..12).for_each(|_| bench.answer(3 * OUTPUT_BLOCK_BYTES));
    bench.wait(SECOND);
    assert!(bench.around.options.stalled.bytes() > 0, "nobody takes it, and it is more than is fair");
    bench.send(requests(12..17));
    // As above: its last turn has more to do than to look at what has ended.
    for _ in 0..5 {
        let mut responder = bench.php();
        responder.send_head(Response::new(Status::OK));
        responder.write(&[b'y'; 2 * OUTPUT_BLOCK_BYTES]).unwrap();
        responder.complete();
    }
    bench.send(frames::frame(frames::SETTINGS, 0, 1, b""));
    assert!(bench.wire.borrow().server_closed && bench.connection.is_some(), "it lingers");
    assert_eq!(bench.around.options.stalled.bytes(), 0);
}

#[test]
fn rule_39_content_that_ends_with_the_stream_is_complete() {
    let mut bench = Bench::new();
    bench.send("POST /p.php HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
    bench.wire.borrow_mut().to_server.extend_from_slice(b"llo");
    bench.close();
    bench.answer(2);
    assert_eq!(bench.statuses(), [200]);
    assert!(bench.connection.is_none());
}

#[test]
fn rule_29_content_that_does_not_is_dropped() {
    let mut bench = Bench::new();
    bench.send("POST /p.php HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
    bench.close();
    assert!(bench.connection.is_none() && bench.statuses().is_empty());
    assert!(bench.queue.0.lock().unwrap().is_empty());
}

#[test]
fn rule_39_a_peer_that_closed_before_it_was_heard_is_served_however_often_that_is_reported() {
    let mut bench = Bench::new();
    bench.wire.borrow_mut().to_server.extend_from_slice(SCRIPT.as_bytes());
    bench.wire.borrow_mut().room = 100;
    bench.close();
    bench.report();
    bench.answer(1000);
    bench.wire.borrow_mut().room = usize::MAX;
    bench.report();
    assert_eq!(bench.statuses(), [200]);
    assert!(bench.connection.is_none() && !bench.wire.borrow().reset);
}

#[test]
fn s23_a_peer_that_closes_while_php_is_at_work_is_gone() {
    let mut bench = Bench::new();
    bench.send(SCRIPT);
    let responder = bench.php();
    bench.close();
    assert!(bench.connection.is_none() && bench.statuses().is_empty());
    assert!(responder.is_aborted());
}

#[test]
fn s23_a_socket_that_failed_ends_the_request() {
    let mut bench = Bench::new();
    bench.send(SCRIPT);
    let responder = bench.php();
    let broken = Readiness { readable: true, writable: true, closed: true, broken: true };
    assert!(bench.connection.as_mut().unwrap().on_ready(broken));
    bench.turn();
    assert!(bench.connection.is_none() && responder.is_aborted());
}

#[test]
fn rule_39_a_response_that_fails_takes_no_other_along() {
    let mut bench = Bench::new();
    bench.wire.borrow_mut().room = 10;
    bench.send([FILE, SCRIPT].concat());
    let mut responder = bench.php();
    responder.send_head(Response::new(Status::OK));
    responder.flush().unwrap();
    drop(responder);
    bench.turn();
    assert!(bench.is_open());
    bench.wire.borrow_mut().room = usize::MAX;
    bench.report();
    let sent = bench.wire.borrow().to_client.clone();
    assert!(!sent.ends_with(b"0\r\n\r\n"), "the second is seen to be incomplete");
    assert_eq!(bench.statuses(), [200, 200]);
    assert!(!bench.is_open() && !bench.wire.borrow().reset);
}

#[test]
fn rule_45_a_failed_response_that_only_the_end_would_end_is_reset() {
    let mut bench = Bench::new();
    bench.send("GET /p.php HTTP/1.0\r\n\r\n");
    let mut responder = bench.php();
    responder.send_head(Response::new(Status::OK));
    responder.flush().unwrap();
    bench.turn();
    assert_eq!(bench.statuses(), [200]);
    drop(responder);
    bench.turn();
    assert!(bench.connection.is_none() && bench.wire.borrow().reset);
}

#[test]
fn rule_40_the_last_of_a_bounded_number_of_requests_says_so() {
    let mut bench = Bench::with(Http1Options { requests_max: 2, ..Http1Options::default() });
    bench.send([FILE, FILE, FILE].concat());
    let text = String::from_utf8(bench.wire.borrow().to_client.clone()).unwrap();
    assert_eq!(text.matches("Connection: close\r\n").count(), 1);
    assert_eq!(bench.statuses(), [200, 200]);
    assert!(!bench.is_open());
}

#[test]
fn rule_40_a_drain_lets_a_peer_send_what_it_has_connected_for() {
    let mut bench = Bench::new();
    bench.drain(false);
    bench.wait(LINGER_TIMEOUT / 2);
    assert!(bench.is_open());
    bench.send(FILE);
    let text = String::from_utf8(bench.wire.borrow().to_client.clone()).unwrap();
    assert!(text.contains("\r\nConnection: close\r\n"), "{text}");
    assert_eq!(bench.statuses(), [200]);
    assert!(!bench.is_open());
}

#[test]
fn rule_40_a_drain_does_not_wait_long_for_a_first_request() {
    let mut bench = Bench::new();
    bench.drain(false);
    bench.wait(LINGER_TIMEOUT);
    assert!(bench.connection.is_none() && bench.statuses().is_empty());
}

#[test]
fn rule_40_a_drain_serves_what_has_arrived() {
    for before in ["", FILE] {
        let mut bench = Bench::new();
        bench.send(before);
        bench.statuses();
        // Its event comes too late.
        bench.wire.borrow_mut().to_server.extend(FILE.as_bytes());
        bench.drain(false);
        let text = String::from_utf8(bench.wire.borrow().to_client.clone()).unwrap();
        assert!(text.contains("\r\nConnection: close\r\n"), "{text}");
        assert_eq!(bench.statuses(), [200]);
        bench.close();
        assert!(!bench.is_open());
    }
}

#[test]
fn rule_40_a_drain_in_favour_of_another_process_gives_an_idle_peer_one_more_request() {
    let used = || {
        let mut bench = Bench::new();
        bench.send(FILE);
        assert_eq!(bench.statuses(), [200]);
        bench
    };
    let mut bench = used();
    bench.drain(true);
    bench.wait(LINGER_TIMEOUT / 2);
    bench.send([FILE, FILE].concat());
    let text = String::from_utf8(bench.wire.borrow().to_client.clone()).unwrap();
    assert!(text.contains("\r\nConnection: close\r\n"), "{text}");
    assert_eq!(bench.statuses(), [200], "one and no more");
    let mut bench = used();
    bench.drain(true);
    bench.wait(LINGER_TIMEOUT);
    bench.send(FILE);
    assert!(bench.statuses().is_empty());
    let mut bench = used();
    bench.drain(false);
    bench.send(FILE);
    assert!(bench.statuses().is_empty(), "where nobody takes over, nobody waits");
}
