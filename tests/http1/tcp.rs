//! The transcripts again, over a real socket: a client sends, the event loop and the service serve, and an application
//! that is told what to do answers in PHP's place.
//!
//! What only the pure connection can show is left out ([`is_shown_here`] says what). The error pages are the service's,
//! so of an error its head counts. A connection that stays open proves to be in sync by one request more, and one that
//! lingers by taking what is still sent to it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ephpm::base::sys::listening::Listening;
use ephpm::base::sys::socket;
use ephpm::exchange::{Dispatch, Responder};
use ephpm::http::message::Response;
use ephpm::http::method::Method;
use ephpm::http::status::Status;
use ephpm::net::event_loop::{Disks, EventLoop, Options, Remote, Shared};
use ephpm::net::listener::Entrance;
use ephpm::service::context;
use ephpm::site::disk::{self, Disk};
use ephpm::site::router::{self, Router};

use super::transcript::{Action, Case, DATE, Outcome, Step};
use super::{Answer, http1_options, http2_options};

/// Nothing here takes long; a test that waits for what does not come ends.
const PATIENCE: Duration = Duration::from_secs(60);
const PROBE: &[u8] = b"GET /probe HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// Whether a case can be run with the whole server.
pub(super) fn is_shown_here(case: &Case) -> bool {
    let (mut continues, mut holds) = (false, false);
    let mut input = Vec::new();
    for step in &case.steps {
        match step {
            // The service collects content before it asks the application, which sends no interim responses.
            Step::Action(Action::Early | Action::Interim(_) | Action::Unfinished | Action::Finish) => return false,
            // Time that passes, and a server that stops, are tested elsewhere.
            Step::Action(Action::Expire | Action::Drain) => return false,
            Step::Action(Action::Status(100..200)) => return false,
            // A peer that closes its side while the application is at work is gone.
            Step::Action(Action::Eof) if holds => return false,
            Step::Action(Action::Hold) => holds = true,
            Step::Action(Action::Continue) => continues = true,
            Step::Input(bytes) => input.extend_from_slice(bytes),
            _ => {}
        }
    }
    let text = String::from_utf8_lossy(&input).to_lowercase();
    // What the service answers itself.
    let is_its_own = ["options ", "trace ", "connect "].iter().any(|method| text.starts_with(method));
    let has_error = case.steps.iter().any(|step| match step {
        Step::Expect(outcomes) => {
            outcomes.iter().any(|outcome| matches!(outcome, Outcome::Event(event) if event.starts_with("invalid 1")))
        }
        _ => false,
    });
    (has_error || !is_its_own) && (continues || !text.contains("expect:"))
}

/// Runs a case, with input in pieces of so many bytes.
pub(super) fn run(case: &Case, piece: usize) -> Result<(), String> {
    let server = Server::start(case);
    let mut client = Client::connect(server.address);
    let mut state = None;
    for step in &case.steps {
        match step {
            Step::Input(bytes) => bytes.chunks(piece).for_each(|piece| client.send(piece)),
            Step::Action(Action::Eof) => client.stream.shutdown(Shutdown::Write).unwrap(),
            Step::Action(action) => server.application.act(action)?,
            Step::Expect(outcomes) => {
                for outcome in outcomes {
                    match outcome {
                        Outcome::Event(_) => {}
                        Outcome::Output(expected) => client.expect(&unescape(expected))?,
                        Outcome::State(expected) => state = Some(expected.as_str()),
                    }
                }
            }
        }
    }
    let is_quiet = server.application.held.lock().unwrap().is_empty();
    match state {
        Some("open request") if is_quiet => {
            server.application.answer.lock().unwrap().reset();
            client.send(PROBE);
            let ok = "HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
            client.expect(ok.replace("{date}", std::str::from_utf8(DATE).unwrap()).as_bytes())?;
            client.expect_end(false)
        }
        Some("linger") => client.expect_end(true),
        Some("close") => client.expect_end(false),
        Some("cut") => client.expect_reset(),
        _ => Ok(()),
    }
}

/// An event loop on a thread of its own, which ends when this is dropped.
struct Server {
    address: SocketAddr,
    application: Arc<Application>,
    remote: Remote,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Server {
    fn start(case: &Case) -> Self {
        let root = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("http1");
        std::fs::create_dir_all(&root).unwrap();
        std::fs::write(root.join("index.php"), "").unwrap();
        let listener = socket::listen("127.0.0.1:0".parse().unwrap(), false).unwrap();
        let address = listener.local_addr().unwrap();
        let application = Arc::new(Application::default());
        let dispatch: Arc<dyn Dispatch> = application.clone();
        let options = Options {
            http: context::Options::default(),
            http1: http1_options(case),
            http2: http2_options(case),
            connections_max: 10,
            connections_per_address_max: 0,
            in_flight_max: 10,
            linger_timeout: PATIENCE,
            temp_dir: root.clone(),
        };
        let router = Router::new(router::Options::new(root.to_str().unwrap().as_bytes()));
        let root_disk = Disk::new(&root, disk::Options::default(), Instant::now()).unwrap();
        let disks = Disks { root: root_disk, internal: Vec::new() };
        let event_loop = EventLoop::new(
            vec![Entrance { socket: Listening::Tcp(listener), proxy_protocol: false }],
            disks,
            Arc::new(Shared { options, router, dispatch, addresses: Arc::default(), access_log: None }),
        )
        .unwrap();
        let remote = event_loop.remote();
        Self { address, application, remote, thread: Some(thread::spawn(move || event_loop.run())) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.remote.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
    }
}

/// Answers as the transcript says, in PHP's place.
#[derive(Default)]
struct Application {
    answer: Mutex<Answer>,
    held: Mutex<Vec<Responder>>,
}

impl Dispatch for Application {
    fn submit(&self, mut responder: Box<Responder>) -> Result<(), Box<Responder>> {
        assert!(responder.start());
        let answer = self.answer.lock().unwrap();
        if answer.hold {
            self.held.lock().unwrap().push(*responder);
        } else {
            answer.give(responder);
        }
        Ok(())
    }
}

impl Application {
    fn act(&self, action: &Action) -> Result<(), String> {
        if !matches!(action, Action::Release) {
            self.answer.lock().unwrap().act(action);
            return Ok(());
        }
        // The request may not have come this far.
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(responder) = self.held.lock().unwrap().pop() {
                let mut answer = self.answer.lock().unwrap();
                answer.hold = false;
                answer.give(Box::new(responder));
                return Ok(());
            }
            thread::yield_now();
        }
        Err("  no request is held".to_owned())
    }
}

impl Answer {
    fn give(&self, mut responder: Box<Responder>) {
        let mut response = Response::new(Status::from_code(self.status.unwrap_or(200)).unwrap());
        response.reason = self.reason.as_ref().map(|reason| reason.as_bytes().into());
        for (name, value) in &self.fields {
            response.headers.add(name, value.as_bytes());
        }
        let is_head = responder.job().request.method == Method::Head;
        let announced = match self.length {
            None if is_head => Some(self.pieces().iter().map(|piece| piece.len() as u64).sum()),
            length => length.flatten(),
        };
        if let Some(announced) = announced {
            response.headers.remove("Content-Length");
            response.headers.add("Content-Length", announced.to_string().as_bytes());
        }
        responder.send_head(response);
        // A head that is flushed keeps the length that it announces, or announces none.
        let streams = self.length.is_some() || self.resets;
        for piece in self.pieces() {
            let _ = responder.write(piece);
            if streams {
                let _ = responder.flush();
            }
        }
        if !self.resets {
            responder.complete();
        }
    }
}

struct Client {
    stream: TcpStream,
    /// Received and not looked at.
    pending: Vec<u8>,
}

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream, pending: Vec::new() }
    }

    /// Sends what the server may not want any more: it closes after an error, and what it said is read all the same.
    fn send(&mut self, bytes: &[u8]) {
        match self.stream.write_all(bytes) {
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {}
            result => result.unwrap(),
        }
    }

    /// Reads what must come: responses, one after another.
    fn expect(&mut self, mut expected: &[u8]) -> Result<(), String> {
        while !expected.is_empty() {
            let (head, after) = split_head(expected);
            let found = self.read_head()?;
            if !is_error(head) {
                let (head, found) = (without_date(head), without_date(&found));
                if head != found {
                    return Err(format!("  expected {}\n  found {}", head.escape_ascii(), found.escape_ascii()));
                }
                // Up to the next head all is content.
                let len = find(after, b"HTTP/1.1 ").unwrap_or(after.len());
                let content = self.read(len)?;
                if content != after[..len] {
                    return Err(format!("  content {}", content.escape_ascii()));
                }
                expected = &after[len..];
                continue;
            }
            let status = |head: &[u8]| String::from_utf8_lossy(&head[..12]).into_owned();
            let closes = find(&found, b"Connection: close\r\n").is_some();
            if status(head) != status(&found) || !closes {
                return Err(format!("  expected {}\n  found {}", head.escape_ascii(), found.escape_ascii()));
            }
            expected = &after[find(after, b"HTTP/1.1 ").unwrap_or(after.len())..];
            if !after.is_empty() {
                let fields = String::from_utf8_lossy(&found).into_owned();
                let length = fields.split("Content-Length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
                self.read(length.map_or(0, |length| length.parse().unwrap()))?;
            }
        }
        Ok(())
    }

    fn read_head(&mut self) -> Result<Vec<u8>, String> {
        loop {
            if let Some(at) = find(&self.pending, b"\r\n\r\n") {
                return Ok(self.pending.drain(..at + 4).collect());
            }
            self.fill()?;
        }
    }

    fn read(&mut self, len: usize) -> Result<Vec<u8>, String> {
        while self.pending.len() < len {
            self.fill()?;
        }
        Ok(self.pending.drain(..len).collect())
    }

    fn fill(&mut self) -> Result<(), String> {
        let mut buf = [0; 65_536];
        match self.stream.read(&mut buf) {
            Ok(0) => Err(format!("  the end, after {}", self.pending.escape_ascii())),
            Ok(n) => {
                self.pending.extend_from_slice(&buf[..n]);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(format!("  {error}, after {}", self.pending.escape_ascii())),
        }
    }

    /// The server closes its side, and nothing is left; one that lingers takes what comes all the same.
    fn expect_end(&mut self, lingers: bool) -> Result<(), String> {
        let mut rest = std::mem::take(&mut self.pending);
        self.stream.read_to_end(&mut rest).map_err(|error| format!("  {error} instead of the end"))?;
        if !rest.is_empty() {
            return Err(format!("  more than expected: {}", rest.escape_ascii()));
        }
        if lingers && self.stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").is_ok() {
            // A reset would be an error here, if not before.
            return match self.stream.read(&mut [0]) {
                Ok(0) => Ok(()),
                other => Err(format!("  {other:?}: it does not linger")),
            };
        }
        Ok(())
    }

    fn expect_reset(&mut self) -> Result<(), String> {
        match self.stream.read_to_end(&mut Vec::new()) {
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(()),
            other => Err(format!("  {other:?} instead of a reset")),
        }
    }
}

/// The head in front, with its empty line, and what follows.
fn split_head(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes.split_at(find(bytes, b"\r\n\r\n").expect("a response begins with a head") + 4)
}

/// Whether the head is one that a peer's error was answered with.
fn is_error(head: &[u8]) -> bool {
    matches!(head[9], b'4' | b'5') && find(head, b"Connection: close\r\n").is_some()
}

fn without_date(head: &[u8]) -> Vec<u8> {
    match find(head, b"Date: ") {
        Some(at) => [&head[..at], &head[at + b"Date: ".len() + DATE.len() + 2..]].concat(),
        None => head.to_vec(),
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// The bytes that `escape_ascii` has written.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        (rest, bytes) = match (byte, after) {
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digits = [*high, *low];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
                (after, bytes)
            }
            (b'\\', [escaped, after @ ..]) => {
                bytes.push(match escaped {
                    b'r' => b'\r',
                    b'n' => b'\n',
                    b't' => b'\t',
                    other => *other,
                });
                (after, bytes)
            }
            _ => {
                bytes.push(*byte);
                (after, bytes)
            }
        };
    }
    bytes
}
