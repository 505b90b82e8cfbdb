//! Timeouts and paces, on a clock that tests move.

use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::base::pace::Pace;
use crate::exchange::{Bell, Dispatch, Responder};
use crate::http::date;
use crate::http1::{Http1, Http1Options};
use crate::service::content::Spool;
use crate::service::context::{Exchanges, Options};
use crate::site::files::{Files, Kind, OpenError, OpenFile, Stored};
use crate::site::router::{self, Router};

const SECOND: Duration = Duration::from_secs(1);

/// A script, and a file that takes long to read.
struct Site;

impl Files for Site {
    fn kind(&mut self, path: &[u8]) -> Kind {
        if matches!(path, b"/n.php" | b"/file.txt") { Kind::File } else { Kind::Missing }
    }

    fn open(&mut self, path: &[u8]) -> Result<OpenFile, OpenError> {
        Ok(OpenFile::new(path, Stored::Memory(Bytes::from(vec![b'x'; 100_000])), 100_000, (0, 0)))
    }
}

struct NoSpool;

impl Spool for NoSpool {
    fn create(&mut self) -> io::Result<File> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn append(&mut self, _: &mut File, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn rewind(&mut self, _: &mut File) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// PHP that takes requests and does nothing.
#[derive(Default)]
#[allow(clippy::vec_box, reason = "as a dispatcher is handed them")]
struct Shelf(Mutex<Vec<Box<Responder>>>);

impl Dispatch for Shelf {
    fn submit(&self, responder: Box<Responder>) -> Result<(), Box<Responder>> {
        self.0.lock().unwrap().push(responder);
        Ok(())
    }
}

/// A connection whose peer and time are the test's.
struct Fixture {
    http: Http,
    now: Instant,
    /// The peer takes everything at once.
    eager: bool,
    inbox: BytesMut,
    out: SendQueue,
    options: Options,
    router: Router,
    exchanges: Exchanges,
    php: Arc<Shelf>,
}

impl Fixture {
    fn new() -> Self {
        let address = "192.0.2.1:80".parse().unwrap();
        let peer = Peer { remote: address, local: address, secure: false };
        let mut slab = crate::base::slab::Slab::default();
        let key = slab.insert_with(|_| ());
        let php = Arc::new(Shelf::default());
        let bell = Arc::new(Bell::new(4, Box::new(|| ())));
        let mut fixture = Self {
            http: Http::new(Protocol::Http1(Http1::new(Http1Options::default())), key, peer),
            now: Instant::now(),
            eager: false,
            inbox: BytesMut::new(),
            out: SendQueue::default(),
            options: Options {
                head_timeout: 10 * SECOND,
                content_pace: Pace { timeout: 30 * SECOND, rate_min: 500 },
                write_pace: Pace { timeout: 30 * SECOND, rate_min: 1000 },
                keep_alive_timeout: 60 * SECOND,
                queue_timeout: 20 * SECOND,
                ..Options::default()
            },
            router: Router::new(router::Options::new(*b"/srv")),
            exchanges: Exchanges::new(Arc::clone(&php) as Arc<dyn Dispatch>, bell),
            php,
        };
        fixture.receive("");
        fixture
    }

    /// One turn at the present time, in which the peer takes nothing unless it is eager.
    fn receive(&mut self, bytes: &str) {
        self.inbox.extend_from_slice(bytes.as_bytes());
        let date = date::format(0);
        let mut cx = Context {
            now: self.now,
            wall: Duration::ZERO,
            date: &date,
            options: &self.options,
            router: &self.router,
            files: &mut Site,
            spool: &mut NoSpool,
            exchanges: &mut self.exchanges,
        };
        let out = &mut self.out;
        if self.http.is_write_due(self.now) {
            self.http.took(0, &cx);
        }
        self.http.process(&mut self.inbox, out, &mut cx);
        if self.eager {
            out.advance(out.len());
        }
        self.http.settle(&self.inbox, out, &cx);
    }

    /// Lets time pass, with a turn at each deadline on the way.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(deadline) = self.http.deadline().filter(|deadline| *deadline <= end) {
            self.now = deadline.max(self.now);
            self.receive("");
        }
        self.now = end;
    }

    /// So many bytes reach the peer.
    fn take(&mut self, bytes: u64) {
        let date = date::format(0);
        let cx = Context {
            now: self.now,
            wall: Duration::ZERO,
            date: &date,
            options: &self.options,
            router: &self.router,
            files: &mut Site,
            spool: &mut NoSpool,
            exchanges: &mut self.exchanges,
        };
        self.http.took(bytes, &cx);
        let out = &mut self.out;
        out.advance(bytes.min(out.len()));
        self.http.settle(&self.inbox, out, &cx);
    }

    /// The status line of what is to be sent first, and what becomes of the connection.
    fn outcome(&self) -> (String, Disposition) {
        let out = &self.out;
        let mut slices = [io::IoSlice::new(&[]); 8];
        let filled = out.slices(&mut slices);
        let bytes: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.iter().copied()).collect();
        let line = String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_owned();
        (line, self.http.disposition())
    }
}

#[track_caller]
fn check(fixture: &Fixture, status: &str, disposition: Disposition) {
    let (line, end) = fixture.outcome();
    assert!(line.starts_with(status) && (!status.is_empty() || line.is_empty()), "{line}");
    assert_eq!(end, disposition);
}

#[track_caller]
fn check_open(fixture: &Fixture) {
    check(fixture, "", Disposition::Open);
}

#[test]
fn an_idle_connection_is_closed_in_silence() {
    let mut fixture = Fixture::new();
    fixture.pass(59 * SECOND);
    check_open(&fixture);
    fixture.pass(SECOND);
    check(&fixture, "", Disposition::Close);
}

#[test]
fn each_request_begins_the_idle_time_anew() {
    let mut fixture = Fixture::new();
    fixture.eager = true;
    for _ in 0..3 {
        fixture.pass(59 * SECOND);
        fixture.receive("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
        check_open(&fixture);
    }
    assert_eq!(fixture.http.idle_until(), Some(fixture.now + 60 * SECOND));
}

#[test]
fn each_head_has_its_own_deadline() {
    let mut fixture = Fixture::new();
    fixture.eager = true;
    fixture.receive("OPTIONS * HTTP/1.1\r\n");
    for _ in 0..3 {
        fixture.pass(9 * SECOND);
        fixture.receive("Host: a\r\n\r\nOPTIONS * HTTP/1.1\r\n");
        check_open(&fixture);
    }
    fixture.eager = false;
    fixture.pass(10 * SECOND);
    check(&fixture, "HTTP/1.1 408 ", Disposition::Linger);
}

#[test]
fn bytes_do_not_put_off_the_deadline_of_a_head() {
    let mut fixture = Fixture::new();
    fixture.pass(50 * SECOND);
    for byte in ["G", "E", "T", " ", "/", " ", "H", "T", "T"] {
        fixture.receive(byte);
        fixture.pass(SECOND);
        check_open(&fixture);
    }
    fixture.receive("P");
    fixture.pass(SECOND);
    check(&fixture, "HTTP/1.1 408 ", Disposition::Linger);
}

const POST: &str = "POST /n.php HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";

#[test]
fn content_that_pauses_for_too_long_is_given_up() {
    let mut fixture = Fixture::new();
    fixture.receive(POST);
    fixture.pass(29 * SECOND);
    check_open(&fixture);
    fixture.pass(SECOND);
    check(&fixture, "HTTP/1.1 408 ", Disposition::Linger);
}

/// S20: a byte before each deadline is no way to hold a connection.
#[test]
fn content_that_only_trickles_is_given_up() {
    let mut fixture = Fixture::new();
    fixture.receive(POST);
    fixture.pass(29 * SECOND);
    fixture.receive("x");
    fixture.pass(2 * SECOND);
    check(&fixture, "HTTP/1.1 408 ", Disposition::Linger);
    assert!(fixture.php.0.lock().unwrap().is_empty());
}

#[test]
fn content_at_a_modest_pace_is_received() {
    let mut fixture = Fixture::new();
    fixture.receive(POST);
    for _ in 0..10 {
        fixture.pass(19 * SECOND);
        check_open(&fixture);
        fixture.receive(&"x".repeat(10_000));
    }
    assert_eq!(fixture.php.0.lock().unwrap().len(), 1);
}

#[test]
fn without_a_rate_only_pauses_count() {
    let mut fixture = Fixture::new();
    fixture.options.content_pace.rate_min = 0;
    fixture.receive(POST);
    for _ in 0..100 {
        fixture.pass(29 * SECOND);
        fixture.receive("x");
    }
    check_open(&fixture);
}

const GET: &str = "GET /file.txt HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn a_peer_that_takes_nothing_is_cut() {
    let mut fixture = Fixture::new();
    fixture.receive(GET);
    fixture.pass(29 * SECOND);
    check(&fixture, "HTTP/1.1 200 ", Disposition::Open);
    fixture.pass(SECOND);
    assert_eq!(fixture.outcome().1, Disposition::Cut);
}

/// S21: neither is one that takes a byte at a time.
#[test]
fn a_peer_that_takes_next_to_nothing_is_cut() {
    let mut fixture = Fixture::new();
    fixture.receive(GET);
    for _ in 0..29 {
        fixture.pass(SECOND);
        fixture.take(1);
        assert_eq!(fixture.outcome().1, Disposition::Open);
    }
    fixture.pass(2 * SECOND);
    assert_eq!(fixture.outcome().1, Disposition::Cut);
}

#[test]
fn a_peer_that_keeps_the_pace_gets_all_of_it_and_is_idle_then() {
    let mut fixture = Fixture::new();
    fixture.receive(GET);
    for _ in 0..4 {
        fixture.pass(26 * SECOND);
        fixture.take(26_000);
        assert_eq!(fixture.outcome().1, Disposition::Open);
    }
    assert!(fixture.out.is_empty());
    assert_eq!(fixture.http.idle_until(), Some(fixture.now + 60 * SECOND));
}

#[test]
fn a_request_that_no_thread_takes_is_answered_503() {
    let mut fixture = Fixture::new();
    fixture.receive("GET /n.php HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(fixture.http.idle_until(), None);
    fixture.pass(19 * SECOND);
    check_open(&fixture);
    fixture.pass(SECOND);
    check(&fixture, "HTTP/1.1 503 ", Disposition::Open);
}
