//! A connection's surroundings in memory: files, scripts, time, and a peer that takes as much as it is told to.

// Compiled into several test crates, and none uses all of it.
#![allow(dead_code)]

mod no_spool;

use std::borrow::Cow;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use ephpm::base::limits::SEND_QUEUE_HIGH;
use ephpm::base::random::Random;
use ephpm::base::send_queue::SendQueue;
use ephpm::base::slab::Key;
use ephpm::exchange::{Bell, Dispatch, News, Responder};
use ephpm::http::message::{Peer, Response};
use ephpm::http::status::Status;
use ephpm::http1::Http1Options;
use ephpm::http2::Http2Options;
use ephpm::protocol::{Disposition, Protocol, StreamId};
use ephpm::service::access_log::{AccessLog, Format};
use ephpm::service::context::{Context, Exchanges, Options};
use ephpm::service::http::{Http, Patience};
use ephpm::site::files::{Files, Kind, OpenError, OpenFile, Stored};
use ephpm::site::router::{self, Router};
use ephpm::site::server_vars::{ServerOptions, ServerVars, build};
use no_spool::NoSpool;

const DATE: &[u8; 29] = b"Sun, 06 Nov 1994 08:49:37 GMT";
const WALL: Duration = Duration::from_secs(784_111_777);

/// A site and how it is served.
#[derive(Default)]
pub(crate) struct Site {
    pub(crate) options: Options,
    /// No PHP thread is free, and the queue is full.
    pub(crate) is_busy: bool,
    pub(crate) log: Option<Format>,
    pub(crate) http2: Arc<Http2Options>,
}

/// What came of it.
#[derive(Debug, PartialEq)]
pub(crate) struct Conversation {
    /// All that the peer was sent.
    pub(crate) output: String,
    pub(crate) disposition: Disposition,
    /// All that was logged.
    pub(crate) log: String,
}

impl Site {
    /// Holds a conversation on a connection of its own, with the input in one piece and in many.
    #[track_caller]
    pub(crate) fn converse(&self, input: &str) -> Conversation {
        let input = input.as_bytes();
        let whole = self.connect().hold(&[input]);
        if input.len() < 5000 {
            let bytes: Vec<&[u8]> = input.chunks(1).collect();
            assert_eq!(self.connect().hold(&bytes), whole, "byte by byte");
        }
        let seed = input.iter().fold(1_u64, |seed, byte| seed.rotate_left(7) ^ u64::from(*byte)) | 1;
        let mut random = Random(seed);
        for _ in 0..4 {
            let (mut rest, mut pieces) = (input, Vec::new());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at((1 + random.below(40)).min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            assert_eq!(self.connect().hold(&pieces), whole, "in random pieces");
        }
        whole
    }

    pub(crate) fn connect(&self) -> Connection<'_> {
        let peer = Peer {
            remote: "192.0.2.1:4711".parse().unwrap(),
            local: "198.51.100.1:8080".parse().unwrap(),
            secure: false,
        };
        let bell = Arc::new(Bell::new(1024, Box::new(|| {})));
        let php = Arc::new(Php {
            is_busy: self.is_busy,
            spills: self.options.spill.is_some(),
            waiting: Mutex::new(Vec::new()),
        });
        Connection {
            options: Cow::Borrowed(&self.options),
            http: Http::new(
                Protocol::either(Http1Options::default(), Arc::clone(&self.http2)),
                Key::from_bits(7),
                peer,
            ),
            exchanges: Exchanges::new(php.clone(), Arc::clone(&bell)),
            php,
            bell,
            router: Router::new(router::Options::new(&b"/srv/site"[..])),
            access_log: self.log.map(AccessLog::new),
            now: Instant::now(),
            inbox: BytesMut::new(),
            out: SendQueue::default(),
            takes: None,
            taken: 0,
            output: Vec::new(),
            sent_by_turns: Vec::new(),
        }
    }
}

pub(crate) struct Connection<'a> {
    options: Cow<'a, Options>,
    http: Http,
    exchanges: Exchanges,
    php: Arc<Php>,
    bell: Arc<Bell>,
    router: Router,
    access_log: Option<AccessLog>,
    now: Instant,
    inbox: BytesMut,
    out: SendQueue,
    /// How many bytes more the peer takes, if not any number.
    pub(crate) takes: Option<u64>,
    /// Bytes that it has taken since that was last told.
    taken: u64,
    output: Vec<u8>,
    /// How many bytes each turn has sent.
    pub(crate) sent_by_turns: Vec<usize>,
}

impl Connection<'_> {
    /// Receives these pieces, each in a turn of its own, and ends.
    pub(crate) fn hold(mut self, pieces: &[&[u8]]) -> Conversation {
        pieces.iter().for_each(|piece| self.receive(piece));
        self.end()
    }

    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
        self.turn();
    }

    /// From now on another configuration holds.
    pub(crate) fn reload(&mut self, options: Options) {
        self.options = Cow::Owned(options);
    }

    /// Whether received bytes are welcome.
    pub(crate) fn wants_input(&self) -> bool {
        self.http.wants_input(&self.inbox, &self.out)
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.turn();
    }

    pub(crate) fn eof(&mut self) {
        self.http.eof();
        self.turn();
    }

    /// Begins no further request.
    pub(crate) fn drain(&mut self) {
        let until = self.now + Duration::from_secs(2);
        self.http.drain(&self.inbox, Patience { until, for_idle: true });
        self.turn();
    }

    /// What the peer has been sent since this was last asked for.
    pub(crate) fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    pub(crate) fn disposition(&self) -> Disposition {
        self.http.disposition()
    }

    /// Bytes that have been received and are not dealt with, and requests that PHP may be busy with.
    pub(crate) fn load(&self) -> (usize, usize) {
        (self.inbox.len(), self.exchanges.in_flight())
    }

    /// The scripts that wait, to do something with.
    pub(crate) fn with_waiting<T>(&mut self, work: impl FnOnce(&mut Vec<Responder>) -> T) -> T {
        let done = work(&mut self.php.waiting.lock().unwrap());
        self.turn();
        done
    }

    pub(crate) fn output(&self) -> String {
        String::from_utf8(self.output.clone()).unwrap()
    }

    pub(crate) fn unsent(&self) -> u64 {
        self.out.len()
    }

    pub(crate) fn end(mut self) -> Conversation {
        let mut log = String::new();
        if let Some(access_log) = &mut self.access_log {
            self.http.abandon(Some(access_log), self.now);
            log = access_log.take_all().map(|batch| batch.text).unwrap_or_default();
        }
        // What is not HTTP/1 is not for people.
        let output = String::from_utf8_lossy(&self.output).into_owned();
        Conversation { output, disposition: self.http.disposition(), log }
    }

    /// Turns until there is nothing left to do.
    fn turn(&mut self) {
        loop {
            let before = self.out.len();
            self.think();
            let mut rang = false;
            while let Some(rung) = self.bell.pop().map(News::take) {
                rang = true;
                if rung.released {
                    self.exchanges.release();
                }
                self.http.ring(StreamId(rung.tag.stream), rung.released);
            }
            let is_blocked = self.takes == Some(0) && self.out.len() == before;
            if (!rang && is_blocked) || self.http.disposition() == Disposition::Cut {
                return;
            }
            let can_think = self.http.is_stalled() && self.out.len() < SEND_QUEUE_HIGH;
            if !rang && (self.out.len() == before || self.out.is_empty()) && !can_think {
                return;
            }
        }
    }

    fn think(&mut self) {
        let mut internal = vec![Tree(&[("/secret.txt", "0123456789secret")])];
        let mut context = Context {
            now: self.now,
            wall: WALL,
            date: DATE,
            options: &self.options,
            router: &self.router,
            files: &mut Tree(FILES),
            spool: &mut NoSpool,
            internal: &mut internal,
            exchanges: &mut self.exchanges,
            access_log: self.access_log.as_mut(),
        };
        if self.http.is_write_due(self.now) {
            self.http.took(std::mem::take(&mut self.taken), &context);
        }
        self.http.process(&mut self.inbox, &mut self.out, &mut context);
        let before = self.output.len();
        while !self.out.is_empty() && self.takes != Some(0) {
            let mut slices = [std::io::IoSlice::new(&[]); 16];
            let filled = self.out.slices(&mut slices);
            let mut bytes = slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect::<Vec<_>>();
            if let Some(takes) = &mut self.takes {
                bytes.truncate(usize::try_from(*takes).unwrap());
                *takes -= bytes.len() as u64;
            }
            self.out.advance(bytes.len() as u64);
            self.taken += bytes.len() as u64;
            self.output.extend(bytes);
        }
        self.sent_by_turns.push(self.output.len() - before);
        self.http.settle(&self.inbox, &self.out, &mut context);
    }
}

/// The document root.
const FILES: &[(&str, &str)] = &[
    ("/a.txt", "0123456789"),
    ("/a.unheard", "bytes"),
    ("/b.html", "<b>"),
    ("/denied.txt", ""),
    ("/too-many-files.txt", ""),
    ("/dir/index.html", "dir"),
    ("/echo.php", ""),
    ("/x.php", ""),
    ("/stream.php", ""),
    ("/own-fields.php", ""),
    ("/hand-over.php", ""),
    ("/fail.php", ""),
    ("/cut.php", ""),
    ("/late.php", ""),
    ("/cut-late.php", ""),
    ("/wait.php", ""),
    ("/huge.php", ""),
    ("/vars.php", ""),
    ("/large.php", ""),
    ("/large.txt", MEGABYTE),
];

const MEGABYTE: &str = match std::str::from_utf8(&[b'x'; 1 << 20]) {
    Ok(text) => text,
    Err(_) => "",
};

struct Tree(&'static [(&'static str, &'static str)]);

impl Files for Tree {
    fn kind(&mut self, path: &[u8]) -> Kind {
        let path = std::str::from_utf8(path).unwrap();
        match self.0.iter().find(|(name, _)| name.starts_with(path)) {
            Some((name, _)) if *name == path => Kind::File,
            Some((name, _)) if name[path.len()..].starts_with('/') => Kind::Directory,
            _ => Kind::Missing,
        }
    }

    fn open(&mut self, path: &[u8]) -> Result<OpenFile, OpenError> {
        match path {
            b"/denied.txt" => return Err(OpenError::Denied),
            b"/too-many-files.txt" => return Err(OpenError::TooManyFiles),
            _ => {}
        }
        let (_, content) = self.0.iter().find(|(name, _)| name.as_bytes() == path).ok_or(OpenError::NotFound)?;
        let stored = Stored::Memory(Bytes::from_static(content.as_bytes()));
        Ok(OpenFile::new(path, stored, content.len() as u64, (700_000_000, 0), None))
    }
}

/// Runs a script as soon as it is asked to.
struct Php {
    is_busy: bool,
    /// There is a file for what has no room in memory: else a long page would wait for this thread to take it.
    spills: bool,
    waiting: Mutex<Vec<Responder>>,
}

impl Dispatch for Php {
    fn submit(&self, mut responder: Box<Responder>) -> Result<(), Box<Responder>> {
        if self.is_busy {
            return Err(responder);
        }
        assert!(responder.start());
        let name = String::from_utf8(responder.job().script.name.clone()).unwrap();
        let mut response = Response::new(Status::OK);
        let mut add = |name: &str, value: &str| response.headers.add(name, value.as_bytes());
        match &name[..] {
            "/wait.php" => self.waiting.lock().unwrap().push(*responder),
            "/fail.php" => drop(responder),
            "/huge.php" if self.spills => print(responder, response, &huge()),
            "/vars.php" => {
                let text = describe_fields(&mut responder);
                print(responder, response, &text);
            }
            "/large.php" => {
                responder.send_head(response);
                responder.write(&vec![b'x'; 200_000]).unwrap();
                responder.complete();
            }
            "/late.php" => responder.expiry().expire(),
            "/cut.php" | "/cut-late.php" => {
                responder.send_head(response);
                responder.write(b"half").unwrap();
                responder.flush().unwrap();
                if name == "/cut-late.php" {
                    responder.expiry().expire();
                }
            }
            "/stream.php" => {
                add("Content-Type", "text/plain");
                responder.send_head(response);
                for _ in 0..2 {
                    responder.write(b"abc").unwrap();
                    responder.flush().unwrap();
                }
                responder.complete();
            }
            "/own-fields.php" => {
                for (name, value) in [
                    ("Content-Type", "text/plain"),
                    ("Date", "Mon, 07 Nov 1994 08:49:37 GMT"),
                    ("Server", "of the script"),
                    ("X-Powered-By", "PHP"),
                    ("Connection", "keep-alive"),
                    ("Content-Length", "5"),
                    ("Transfer-Encoding", "chunked"),
                ] {
                    add(name, value);
                }
                responder.send_head(response);
                responder.write(b"12345").unwrap();
                responder.complete();
            }
            "/hand-over.php" => hand_over(responder, response),
            _ => {
                add("Content-Type", "text/plain");
                let text = describe(&responder);
                print(responder, response, &text);
            }
        }
        Ok(())
    }
}

/// A script that says this and ends.
fn print(mut responder: Box<Responder>, response: Response, text: &str) {
    responder.send_head(response);
    responder.write(text.as_bytes()).unwrap();
    responder.complete();
}

/// What `/huge.php` says.
pub(crate) fn huge() -> String {
    (0..200_000).map(|line| format!("{line:09}\n")).collect()
}

fn hand_over(mut responder: Box<Responder>, mut response: Response) {
    let query = String::from_utf8(responder.job().request.query().unwrap().to_vec()).unwrap();
    let (name, value) = query.split_once(':').unwrap();
    response.headers.add(name, value.as_bytes());
    for (name, value) in
        [("Content-Type", "application/pdf"), ("Content-Disposition", "attachment"), ("ETag", "\"php\"")]
    {
        response.headers.add(name, value.as_bytes());
    }
    responder.send_head(response);
    responder.write(b"printed").unwrap();
    responder.complete();
}

/// The request's version, some of its fields, and the length of its content.
fn describe_fields(responder: &mut Responder) -> String {
    let mut vars = ServerVars::new();
    build(responder.job(), responder.job().content.len(), &ServerOptions::default(), &mut vars);
    let text = |name: &str| String::from_utf8_lossy(vars.get(name).unwrap_or(b"-")).into_owned();
    let vars = ["SERVER_PROTOCOL", "HTTP_HOST", "HTTP_COOKIE", "HTTP_TE"].map(text).join("|");
    let mut content = vec![0; 1 << 20];
    format!("{vars}|{}", responder.read_content(&mut content))
}

/// Some variables of a request, as its script sees them.
fn describe(responder: &Responder) -> String {
    let mut vars = ServerVars::new();
    build(responder.job(), responder.job().content.len(), &ServerOptions::default(), &mut vars);
    let names = [
        "REQUEST_METHOD",
        "REQUEST_URI",
        "REMOTE_ADDR",
        "REQUEST_SCHEME",
        "SERVER_NAME",
        "SERVER_PORT",
        "REDIRECT_STATUS",
    ];
    let value = |name: &&str| String::from_utf8(vars.get(name).unwrap().to_vec()).unwrap();
    names.iter().map(value).collect::<Vec<_>>().join(" ")
}
