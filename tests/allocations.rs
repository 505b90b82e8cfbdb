//! How much memory is asked for to serve a file: what `net/scratch.rs` says, counted.
//!
//! A connection with the whole of what it needs, but for the kernel's socket, has its turns on this thread, over a real
//! directory. The allocator of this program counts (`tests/allocations/counting.rs`).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "allocations/counting.rs"]
mod counting;
#[path = "service/no_spool.rs"]
mod no_spool;
#[allow(dead_code, reason = "a part is used")]
#[path = "support/temporary.rs"]
mod temporary;
#[allow(dead_code, reason = "a part is used")]
#[path = "connection/wire.rs"]
mod wire;

use std::cell::RefCell;
use std::fs::File;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use counting::allocations_of;
use ephpm::base::limits::LINGER_TIMEOUT;
use ephpm::base::slab::Slab;
use ephpm::exchange::{Bell, Dispatch, Responder};
use ephpm::http::message::Peer;
use ephpm::http1::Http1Options;
use ephpm::net::connection::{Connection, Readiness, Turn};
use ephpm::net::scratch::Scratch;
use ephpm::protocol::Protocol;
use ephpm::service::access_log::{AccessLog, Format};
use ephpm::service::context::{Context, Exchanges, Options};
use ephpm::service::http::Http;
use ephpm::site::disk::{self, Disk};
use ephpm::site::router::{self, Router};
use no_spool::NoSpool;
use temporary::TemporaryDirectory;
use wire::{Wire, WireSocket};

/// For the request's head, for where its fields lie, and for the path of the file.
const PER_REQUEST: usize = 3;
/// For what is noted of a request until its line is written, and for the request's line in it.
const PER_RECORD: usize = 2;

const DATE: &[u8; 29] = b"Sun, 06 Nov 1994 08:49:37 GMT";
const WALL: Duration = Duration::from_secs(784_111_777);

/// There is no PHP here.
struct Nobody;

impl Dispatch for Nobody {
    fn submit(&self, responder: Box<Responder>) -> Result<(), Box<Responder>> {
        Err(responder)
    }
}

/// Connections and their loop.
struct Bench {
    connections: Vec<Connection<WireSocket>>,
    wire: Rc<RefCell<Wire>>,
    scratch: Scratch,
    options: Options,
    router: Router,
    disk: Disk,
    internal: Vec<Disk>,
    exchanges: Exchanges,
    access_log: Option<AccessLog>,
    now: Instant,
}

impl Bench {
    fn new(site: &TemporaryDirectory, connections: usize, log: Option<Format>) -> Self {
        let now = Instant::now();
        let to_client = Vec::with_capacity(1 << 20);
        let wire = Rc::new(RefCell::new(Wire { to_client, room: usize::MAX, ..Wire::default() }));
        let address = "192.0.2.1:4711".parse().unwrap();
        let peer = Peer { remote: address, local: address, secure: false };
        let key = Slab::default().insert_with(|_| ());
        let connect = |_| {
            let protocol = Protocol::either(Http1Options::default(), Arc::default());
            Connection::new(WireSocket(Rc::clone(&wire)), Http::new(protocol, key, peer))
        };
        Self {
            connections: (0..connections).map(connect).collect(),
            scratch: Scratch::default(),
            options: Options::default(),
            router: Router::new(router::Options::new(site.path().to_str().unwrap().as_bytes())),
            disk: Disk::new(site.path(), disk::Options::default(), now).unwrap(),
            internal: Vec::new(),
            exchanges: Exchanges::new(Arc::new(Nobody), Arc::new(Bell::new(1, Box::new(|| {})))),
            access_log: log.map(AccessLog::new),
            now,
            wire,
        }
    }

    /// Serves a request in a turn of a connection; how many pieces of memory that takes.
    fn serve(&mut self, connection: usize, request: &[u8]) -> usize {
        {
            let mut wire = self.wire.borrow_mut();
            wire.to_client.clear();
            wire.to_server.extend_from_slice(request);
        }
        let connection = &mut self.connections[connection];
        // As a loop does it. What has been learnt of the file is believed.
        self.now += Duration::from_micros(1);
        self.disk.tick(self.now);
        let mut last = Turn::Close;
        let allocations = allocations_of(|| {
            let ready = Readiness { readable: true, writable: true, closed: false, broken: false };
            assert!(connection.on_ready(ready));
            let mut context = Context {
                now: self.now,
                wall: WALL,
                date: DATE,
                options: &self.options,
                router: &self.router,
                files: &mut self.disk,
                spool: &mut NoSpool,
                internal: &mut self.internal,
                exchanges: &mut self.exchanges,
                access_log: self.access_log.as_mut(),
            };
            last = connection.turn(&mut self.scratch, LINGER_TIMEOUT, &mut context);
        });
        assert!(matches!(last, Turn::Wait(_)), "{last:?}");
        allocations
    }

    /// What came back.
    fn answer(&self) -> String {
        String::from_utf8_lossy(&self.wire.borrow().to_client).into_owned()
    }
}

/// A document root.
fn site() -> TemporaryDirectory {
    let site = TemporaryDirectory::new("allocations");
    for (name, len) in [("small.txt", 200), ("page.html", 10_000), ("large.bin", 100_000)] {
        let path = site.write(name, vec![b'x'; len]);
        // Not after the time that the loop is told.
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + WALL / 2).unwrap();
    }
    site
}

/// What a browser sends besides.
const BROWSER: &str = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\nAccept-Language: en\r\nAccept-Encoding: gzip, br, zstd\r\n\
    Connection: keep-alive\r\nCookie: a=1; b=2\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n\
    Sec-Fetch-Site: none\r\nPriority: u=0, i\r\n";

/// Requests that are answered from what is known of a file, with the beginnings of their answers.
const REQUESTS: [(&str, &str, &str); 8] = [
    ("GET /small.txt", "", "HTTP/1.1 200 OK\r\n"),
    ("GET /small.txt", BROWSER, "HTTP/1.1 200 OK\r\n"),
    ("HEAD /small.txt", "", "HTTP/1.1 200 OK\r\n"),
    ("GET /small.txt", "If-None-Match: *\r\n", "HTTP/1.1 304 Not Modified\r\n"),
    // Too long to be copied behind its head; encoded, so that it is short; and sent by the kernel.
    ("GET /page.html", "", "HTTP/1.1 200 OK\r\n"),
    ("GET /page.html", BROWSER, "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Encoding: "),
    ("GET /large.bin", "", "HTTP/1.1 200 OK\r\n"),
    ("GET /large.bin", BROWSER, "HTTP/1.1 200 OK\r\n"),
];

fn requests() -> impl Iterator<Item = (Vec<u8>, &'static str)> {
    REQUESTS.into_iter().map(|(line, fields, answer)| {
        (format!("{line} HTTP/1.1\r\nHost: example.org\r\n{fields}\r\n").into_bytes(), answer)
    })
}

#[test]
fn a_file_that_is_known_takes_three_pieces_of_memory() {
    let site = site();
    let mut bench = Bench::new(&site, 2, None);
    for (request, answer) in requests() {
        // The first request learns what there is to be learnt.
        (0..3).for_each(|_| _ = bench.serve(0, &request));
        for turn in 0..20 {
            // Two connections take turns with the memory that their loop lends.
            let allocations = bench.serve(turn % 2, &request);
            let text = bench.answer();
            assert!(text.starts_with(answer), "{text}");
            assert!(turn < 2 || allocations <= PER_REQUEST, "{allocations} for {}", request.escape_ascii());
        }
    }
}

#[test]
fn a_line_of_the_access_log_takes_two_more_and_its_share_of_the_batch() {
    let site = site();
    let mut bench = Bench::new(&site, 1, Some(Format::Combined));
    for (request, _) in requests() {
        (0..3).for_each(|_| _ = bench.serve(0, &request));
        let allocations: usize = (0..100).map(|_| bench.serve(0, &request)).sum();
        assert!(allocations <= 100 * (PER_REQUEST + PER_RECORD) + 10, "{allocations} for {}", request.escape_ascii());
    }
}
