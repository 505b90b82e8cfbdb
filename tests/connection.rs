//! Every timeout, the ends of a connection and its simplest answers, on a clock that the test turns: the real connection
//! over a socket that is two buffers. The names begin with the number of the rule (of HTTP, or S for security) that a
//! test shows.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "a part of the simulation is used")]

#[path = "simulation/mod.rs"]
mod simulation;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ephpm::base::chunk::FileRange;
use ephpm::base::limits::{
    CONTENT_RATE_MIN, CONTENT_TIMEOUT, HEAD_TIMEOUT, KEEP_ALIVE_TIMEOUT, LINGER_TIMEOUT, OUTPUT_BLOCK_BYTES,
    QUEUE_TIMEOUT, WRITE_RATE_MIN, WRITE_TIMEOUT,
};
use ephpm::base::slab::{Key, Slab};
use ephpm::exchange::{Bell, Dispatch, Responder};
use ephpm::http::message::{Peer, Response};
use ephpm::http::status::Status;
use ephpm::http1::Http1Options;
use ephpm::http2::Http2Options;
use ephpm::net::connection::{Announcement, Connection, Readiness, Turn};
use ephpm::net::transport::Socket;
use ephpm::protocol::Protocol;
use ephpm::service::context::{Exchanges, Options};
use ephpm::service::http::{Http, Patience};
use simulation::frames;
use simulation::surroundings::{Surroundings, connect};

const SECOND: Duration = Duration::from_secs(1);
/// A file, and a script.
const FILE: &str = "GET /small.txt HTTP/1.1\r\nHost: a\r\n\r\n";
const SCRIPT: &str = "GET /p.php HTTP/1.1\r\nHost: a\r\n\r\n";

/// Both directions of a connection, and what became of it.
#[derive(Default)]
struct Wire {
    to_server: Vec<u8>,
    client_closed: bool,
    to_client: Vec<u8>,
    /// How much more the kernel takes.
    room: usize,
    server_closed: bool,
    reset: bool,
}

struct TestSocket(Rc<RefCell<Wire>>);

impl Socket for TestSocket {
    fn receive(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        let n = buf.len().min(wire.to_server.len());
        if n == 0 && !wire.client_closed {
            return Err(ErrorKind::WouldBlock.into());
        }
        buf[..n].copy_from_slice(&wire.to_server[..n]);
        wire.to_server.drain(..n);
        Ok(n)
    }

    fn send_slices(&mut self, slices: &[IoSlice<'_>], _more: bool) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        let bytes = slices.iter().map(|slice| &**slice).collect::<Vec<_>>().concat();
        let n = bytes.len().min(wire.room);
        if n == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        wire.to_client.extend_from_slice(&bytes[..n]);
        wire.room -= n;
        Ok(n)
    }

    fn send_file(&mut self, _range: &FileRange, len: usize) -> io::Result<usize> {
        let bytes = vec![b'x'; len];
        self.send_slices(&[IoSlice::new(&bytes)], false)
    }

    fn unacknowledged(&self) -> io::Result<u64> {
        Ok(0)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.borrow_mut().server_closed = true;
        Ok(())
    }

    fn reset_on_close(&mut self) -> io::Result<()> {
        self.0.borrow_mut().reset = true;
        Ok(())
    }
}

/// A queue that holds what it is given.
#[derive(Default)]
struct Queue(Mutex<VecDeque<Box<Responder>>>);

impl Dispatch for Queue {
    fn submit(&self, responder: Box<Responder>) -> Result<(), Box<Responder>> {
        self.0.lock().unwrap().push_back(responder);
        Ok(())
    }
}

/// One connection with its client, its PHP and its clock.
struct Bench {
    around: Surroundings,
    /// `None` once it is over.
    connection: Option<Connection<TestSocket>>,
    wire: Rc<RefCell<Wire>>,
    queue: Arc<Queue>,
    bell: Arc<Bell>,
}

impl Bench {
    fn new() -> Self {
        Self::with(Http1Options::default())
    }

    fn with(options: Http1Options) -> Self {
        Self::speaking(Protocol::http1(options))
    }

    fn speaking(protocol: Protocol) -> Self {
        let queue = Arc::new(Queue::default());
        let bell = Arc::new(Bell::new(16, Box::new(|| {})));
        let dispatch: Arc<dyn Dispatch> = queue.clone();
        let exchanges = Exchanges::new(dispatch, Arc::clone(&bell));
        let wire = Rc::new(RefCell::new(Wire { room: usize::MAX, ..Wire::default() }));
        let mut keys = Slab::default();
        let key: Key = keys.insert_with(|_| ());
        let mut bench = Self {
            around: Surroundings::new(Options::default(), exchanges),
            connection: Some(connect(TestSocket(Rc::clone(&wire)), key, protocol)),
            wire,
            queue,
            bell,
        };
        bench.turn();
        bench
    }

    /// Begins anew, with a connection on which a header of the PROXY protocol comes first.
    fn announce(&mut self, timeout: Duration) {
        let key = Slab::default().insert_with(|_| ());
        let address = "192.0.2.1:80".parse().unwrap();
        let peer = Peer { remote: address, local: address, secure: false };
        let http = Http::new(Protocol::http1(Http1Options::default()), key, peer);
        let socket = TestSocket(Rc::clone(&self.wire));
        let announcement = Announcement { until: self.around.now + timeout, is_believed: true };
        self.connection = Some(Connection::announced(socket, http, announcement));
        self.turn();
    }

    /// Turns until the connection waits.
    fn turn(&mut self) {
        while let Some(rung) = self.bell.pop().map(ephpm::exchange::News::take) {
            if rung.released {
                self.around.exchanges.release();
            }
            if let Some(connection) = &mut self.connection {
                connection.ring(rung.tag.stream, rung.released);
            }
        }
        while let Some(connection) = &mut self.connection {
            match self.around.turn(connection) {
                Turn::Again => {}
                Turn::Wait(deadline) => {
                    assert_eq!(deadline, connection.deadline());
                    break;
                }
                Turn::Announced(_) => self.turn(),
                Turn::Close => self.connection = None,
            }
        }
    }

    /// Reports what is true of the socket, as epoll does with every event.
    fn report(&mut self) {
        let wire = self.wire.borrow();
        let ready = Readiness {
            readable: !wire.to_server.is_empty() || wire.client_closed,
            writable: wire.room > 0,
            closed: wire.client_closed,
            broken: false,
        };
        drop(wire);
        if self.connection.as_mut().is_some_and(|connection| connection.on_ready(ready)) {
            self.turn();
        }
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.wire.borrow_mut().to_server.extend_from_slice(bytes.as_ref());
        self.report();
    }

    fn drain(&mut self, for_idle: bool) {
        let patience = Patience { until: self.around.now + LINGER_TIMEOUT, for_idle };
        self.connection.as_mut().unwrap().drain(patience);
        self.turn();
    }

    fn close(&mut self) {
        self.wire.borrow_mut().client_closed = true;
        self.report();
    }

    /// Lets time pass, with a turn at each deadline on the way.
    fn wait(&mut self, time: Duration) {
        let until = self.around.now + time;
        while let Some(deadline) = self.connection.as_ref().and_then(Connection::deadline).filter(|at| *at <= until) {
            self.around.now = self.around.now.max(deadline);
            self.turn();
        }
        self.around.now = until;
    }

    /// The statuses of the responses that have come since the last call.
    fn statuses(&mut self) -> Vec<u16> {
        let text = String::from_utf8(std::mem::take(&mut self.wire.borrow_mut().to_client)).unwrap();
        text.split("HTTP/1.1 ").skip(1).map(|response| response[..3].parse().unwrap()).collect()
    }

    fn is_open(&self) -> bool {
        self.connection.is_some() && !self.wire.borrow().server_closed
    }

    /// PHP takes the oldest request.
    fn php(&mut self) -> Box<Responder> {
        let mut responder = self.queue.0.lock().unwrap().pop_front().unwrap();
        assert!(responder.start(), "somebody waits for it");
        responder
    }

    /// PHP answers the oldest request with so many bytes.
    fn answer(&mut self, len: usize) {
        let mut responder = self.php();
        responder.send_head(Response::new(Status::OK));
        responder.write(&vec![b'y'; len]).unwrap();
        responder.complete();
        self.turn();
    }
}

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
fn rule_40_the_last_of_a_bounded_number_of_requests_says_so() {
    let mut bench = Bench::with(Http1Options { requests_max: 2, ..Http1Options::default() });
    bench.send([FILE, FILE, FILE].concat());
    let text = String::from_utf8(bench.wire.borrow().to_client.clone()).unwrap();
    assert_eq!(text.matches("Connection: close\r\n").count(), 1);
    assert_eq!(bench.statuses(), [200, 200]);
    assert!(!bench.is_open());
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
