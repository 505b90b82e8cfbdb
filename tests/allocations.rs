//! How much memory is asked for to serve a file: what `net/scratch.rs` says, counted.
//!
//! A connection with the whole of what it needs, but for the kernel's socket, has its turns on this thread, over a real
//! directory. The allocator of this program counts.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::io::{self, ErrorKind, IoSlice};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use ephpm::base::chunk::FileRange;
use ephpm::base::limits::LINGER_TIMEOUT;
use ephpm::base::slab::Slab;
use ephpm::exchange::{Bell, Dispatch, Responder};
use ephpm::http::message::Peer;
use ephpm::http1::Http1Options;
use ephpm::net::connection::{Connection, Readiness, Turn};
use ephpm::net::scratch::Scratch;
use ephpm::net::transport::Socket;
use ephpm::protocol::Protocol;
use ephpm::service::access_log::{AccessLog, Format};
use ephpm::service::content::Spool;
use ephpm::service::context::{Context, Exchanges, Options};
use ephpm::service::http::Http;
use ephpm::site::disk::{self, Disk};
use ephpm::site::router::{self, Router};

/// For the request's head, for where its fields lie, and for the path of the file.
const PER_REQUEST: usize = 3;
/// For what is noted of a request until its line is written, and for the request's line in it.
const PER_RECORD: usize = 2;

const DATE: &[u8; 29] = b"Sun, 06 Nov 1994 08:49:37 GMT";
const WALL: Duration = Duration::from_secs(784_111_777);

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, which counts what this thread asks for.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

#[allow(unsafe_code, reason = "an allocator is unsafe by its trait")]
// SAFETY: everything is the system's allocator's; counting neither allocates nor panics, since the counter is a plain
// cell that needs no set-up and no destruction.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps to the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps to the same contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps to the same contract.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps to the same contract.
        unsafe { System.dealloc(memory, layout) }
    }
}

fn count() {
    ALLOCATIONS.with(|allocations| allocations.set(allocations.get() + 1));
}

/// How many pieces of memory `work` asks for.
fn allocations_of(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

/// Both directions of a connection, in memory that is there.
struct Wire {
    to_server: &'static [u8],
    to_client: Vec<u8>,
}

struct WireSocket(Rc<RefCell<Wire>>);

impl Socket for WireSocket {
    fn receive(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        let n = buf.len().min(wire.to_server.len());
        if n == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        buf[..n].copy_from_slice(&wire.to_server[..n]);
        wire.to_server = &wire.to_server[n..];
        Ok(n)
    }

    fn send_slices(&mut self, slices: &[IoSlice<'_>], _more: bool) -> io::Result<usize> {
        let to_client = &mut self.0.borrow_mut().to_client;
        slices.iter().for_each(|slice| to_client.extend_from_slice(slice));
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }

    fn send_file(&mut self, _range: &FileRange, len: usize) -> io::Result<usize> {
        Ok(len)
    }

    fn unacknowledged(&self) -> io::Result<u64> {
        Ok(0)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn reset_on_close(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// There is no PHP here.
struct Nobody;

impl Dispatch for Nobody {
    fn submit(&self, responder: Box<Responder>) -> Result<(), Box<Responder>> {
        Err(responder)
    }
}

/// Nor is there content to be kept.
struct NoSpool;

impl Spool for NoSpool {
    fn create(&mut self) -> io::Result<File> {
        Err(ErrorKind::StorageFull.into())
    }

    fn append(&mut self, _: &mut File, _: &[u8]) -> io::Result<()> {
        Err(ErrorKind::StorageFull.into())
    }

    fn rewind(&mut self, _: &mut File) -> io::Result<()> {
        Err(ErrorKind::StorageFull.into())
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
    fn new(site: &Site, connections: usize, log: Option<Format>) -> Self {
        let now = Instant::now();
        let wire = Rc::new(RefCell::new(Wire { to_server: b"", to_client: Vec::with_capacity(1 << 20) }));
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
            router: Router::new(router::Options::new(site.0.to_str().unwrap().as_bytes())),
            disk: Disk::new(&site.0, disk::Options::default(), now).unwrap(),
            internal: Vec::new(),
            exchanges: Exchanges::new(Arc::new(Nobody), Arc::new(Bell::new(1, Box::new(|| {})))),
            access_log: log.map(AccessLog::new),
            now,
            wire,
        }
    }

    /// Serves a request in a turn of a connection; how many pieces of memory that takes.
    fn serve(&mut self, connection: usize, request: &'static [u8]) -> usize {
        {
            let mut wire = self.wire.borrow_mut();
            wire.to_client.clear();
            wire.to_server = request;
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

/// A document root that goes away with the test.
struct Site(PathBuf);

impl Site {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("allocations-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&root).unwrap();
        for (name, len) in [("small.txt", 200), ("page.html", 10_000), ("large.bin", 100_000)] {
            fs::write(root.join(name), vec![b'x'; len]).unwrap();
            // Not after the time that the loop is told.
            let file = File::options().write(true).open(root.join(name)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + WALL / 2).unwrap();
        }
        Self(root)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
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

fn requests() -> Vec<(&'static [u8], &'static str)> {
    let encode = |(line, fields, answer)| -> (&'static [u8], _) {
        (format!("{line} HTTP/1.1\r\nHost: example.org\r\n{fields}\r\n").leak().as_bytes(), answer)
    };
    REQUESTS.into_iter().map(encode).collect()
}

#[test]
fn a_file_that_is_known_takes_three_pieces_of_memory() {
    let site = Site::new();
    let mut bench = Bench::new(&site, 2, None);
    for (request, answer) in requests() {
        // The first request learns what there is to be learnt.
        (0..3).for_each(|_| _ = bench.serve(0, request));
        for turn in 0..20 {
            // Two connections take turns with the memory that their loop lends.
            let allocations = bench.serve(turn % 2, request);
            let text = bench.answer();
            assert!(text.starts_with(answer), "{text}");
            assert!(turn < 2 || allocations <= PER_REQUEST, "{allocations} for {}", request.escape_ascii());
        }
    }
}

#[test]
fn a_line_of_the_access_log_takes_two_more_and_its_share_of_the_batch() {
    let site = Site::new();
    let mut bench = Bench::new(&site, 1, Some(Format::Combined));
    for (request, _) in requests() {
        (0..3).for_each(|_| _ = bench.serve(0, request));
        let allocations: usize = (0..100).map(|_| bench.serve(0, request)).sum();
        assert!(allocations <= 100 * (PER_REQUEST + PER_RECORD) + 10, "{allocations} for {}", request.escape_ascii());
    }
}
