use std::io::{ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Mutex, OnceLock, mpsc};

use super::*;
use crate::base::limits::{ACCEPT_BUDGET, READ_BUDGET};
use crate::base::sys::listening::Listening;
use crate::exchange::Responder;
use crate::site::disk;
use crate::site::router;

/// A bound on what should take a moment.
const PATIENCE: Duration = Duration::from_secs(60);
/// Connections that wait for each listener when the loop begins: as many as any kernel lets wait.
const WAITING: usize = 100;

/// A queue that tells what it is told, by what the loop and its clients are at in that moment.
struct Told {
    tells: Mutex<mpsc::Sender<(&'static str, u64, bool)>>,
    turns: OnceLock<Arc<Turns>>,
    /// The client that came last.
    last: TcpStream,
    on_submit: Box<dyn Fn() + Send + Sync>,
    waiting: Mutex<Vec<Responder>>,
}

impl Told {
    fn tell(&self, what: &'static str) {
        let turns = self.turns.get().unwrap().load(Ordering::Relaxed);
        let waits = self.last.peek(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        // Nobody listens any more when the loop ends.
        let _ = self.tells.lock().unwrap().send((what, turns, waits));
    }
}

impl Dispatch for Told {
    fn submit(&self, responder: Box<Responder>) -> Result<(), Box<Responder>> {
        self.waiting.lock().unwrap().push(*responder);
        self.tell("submit");
        (self.on_submit)();
        Ok(())
    }

    fn tend(&self) -> bool {
        self.tell("tend");
        true
    }

    fn hand_over(&self) {
        self.tell("hand over");
    }
}

/// What a loop is given: listening sockets, and clients that have connected to them and sent something.
struct Scene {
    entrances: Vec<Entrance>,
    clients: Vec<TcpStream>,
    uploads: Vec<UnixStream>,
    connections_per_address_max: usize,
}

impl Scene {
    fn new(connections_per_address_max: usize) -> Self {
        Self { entrances: Vec::new(), clients: Vec::new(), uploads: Vec::new(), connections_per_address_max }
    }

    /// Another listener, with so many clients, of which the first says something.
    fn listen(&mut self, clients: usize, first: &[u8]) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        for index in 0..clients {
            let mut client = TcpStream::connect(address).unwrap();
            client.set_nonblocking(true).unwrap();
            if index == 0 {
                let _ = client.write(first).unwrap();
            }
            self.clients.push(client);
        }
        listener.set_nonblocking(true).unwrap();
        self.entrances.push(Entrance { socket: Listening::Tcp(listener), proxy_protocol: false });
    }

    /// A listener with so many clients of which each has sent more content than is read in a turn. A Unix socket has room
    /// for it, whatever TCP thinks of its window.
    fn listen_for_uploads(&mut self, clients: usize) {
        let path =
            std::env::temp_dir().join(format!("ephpm-loop-{}-{:p}.socket", std::process::id(), &raw const *self));
        let listener = UnixListener::bind(&path).unwrap();
        let content = vec![b'x'; READ_BUDGET];
        for _ in 0..clients {
            let mut client = UnixStream::connect(&path).unwrap();
            client.write_all(b"POST /a.php HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n").unwrap();
            client.write_all(&content).unwrap();
            self.uploads.push(client);
        }
        std::fs::remove_file(path).unwrap();
        listener.set_nonblocking(true).unwrap();
        self.entrances.push(Entrance { socket: Listening::Unix(listener), proxy_protocol: false });
    }

    /// Runs a loop until the queue was told something after a request was submitted to it: how many turns of the loop
    /// later that was, what it was, and whether the client that came last still waited to be taken or refused.
    fn run(self, drains: bool) -> (u64, &'static str, bool) {
        let [submitted, (what, turns, waits)] = self.told(drains);
        assert_eq!((submitted.0, submitted.2), ("submit", true), "the loop comes to it first");
        (turns - submitted.1, what, waits)
    }

    /// The first two things that the queue is told, each with the number of the turn and whether that client waited.
    fn told(self, drains: bool) -> [(&'static str, u64, bool); 2] {
        let root = std::env::temp_dir().join(format!("ephpm-loop-{}-{:p}", std::process::id(), &raw const self));
        std::fs::create_dir_all(&root).unwrap();
        std::fs::write(root.join("a.php"), "").unwrap();
        let remote: Arc<OnceLock<Remote>> = Arc::default();
        let to_drain = Arc::clone(&remote);
        let (tells, told) = mpsc::channel();
        let dispatch = Arc::new(Told {
            tells: Mutex::new(tells),
            turns: OnceLock::new(),
            last: self.clients.last().unwrap().try_clone().unwrap(),
            on_submit: Box::new(move || to_drain.get().filter(|_| drains).into_iter().for_each(Remote::drain)),
            waiting: Mutex::default(),
        });
        let disk = Disk::new(&root, disk::Options::default(), Instant::now()).unwrap();
        let shared = shared(&root, dispatch.clone(), self.connections_per_address_max);
        let event_loop =
            EventLoop::new(self.entrances, Disks { root: disk, internal: Vec::new() }, Arc::new(shared)).unwrap();
        assert!(remote.set(event_loop.remote()).is_ok());
        assert!(dispatch.turns.set(Arc::clone(&event_loop.turns)).is_ok());
        let thread = std::thread::spawn(move || event_loop.run());
        let words = ["a request", "a word about it"].map(|what| told.recv_timeout(PATIENCE).expect(what));
        remote.get().unwrap().stop();
        thread.join().unwrap().unwrap();
        std::fs::remove_dir_all(root).unwrap();
        words
    }
}

fn shared(root: &Path, dispatch: Arc<dyn Dispatch>, connections_per_address_max: usize) -> Shared {
    let options = Options {
        http: context::Options::default(),
        http1: Http1Options::default(),
        http2: None,
        connections_max: 1000,
        connections_per_address_max,
        in_flight_max: 16,
        linger_timeout: Duration::ZERO,
        temp_dir: root.to_owned(),
    };
    let router = Router::new(router::Options::new(root.to_str().unwrap().as_bytes()));
    Shared { options, router, dispatch, addresses: Arc::default(), access_log: None }
}

const REQUEST: &[u8] = b"GET /a.php HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn a_loop_hands_over_before_it_waits() {
    let mut scene = Scene::new(0);
    scene.listen(1, REQUEST);
    // It counts a turn when it has waited.
    assert_eq!(scene.run(false), (0, "hand over", true));
}

/// Refusing them takes several turns, in which there is nothing else to be done.
#[test]
fn connections_that_are_only_refused_delay_no_request() {
    let mut scene = Scene::new(1);
    scene.listen(WAITING, REQUEST);
    (0..3).for_each(|_| scene.listen(WAITING, b""));
    const { assert!(4 * WAITING > 3 * ACCEPT_BUDGET) };
    assert_eq!(scene.run(false), (1, "hand over", true));
}

/// Whoever connects to one address without end, those who come by another are taken in the same turn.
#[test]
fn listeners_are_accepted_from_by_turns() {
    let mut scene = Scene::new(0);
    (0..2).for_each(|_| scene.listen(WAITING, b""));
    scene.listen(1, REQUEST);
    scene.listen(WAITING, b"");
    const { assert!(WAITING > ACCEPT_BUDGET) };
    let [(what, turn, _), _] = scene.told(false);
    assert_eq!((what, turn), ("submit", 1));
}

#[test]
fn a_drain_that_takes_all_who_wait_delays_no_request() {
    let mut scene = Scene::new(1);
    scene.listen(WAITING, REQUEST);
    (0..3).for_each(|_| scene.listen(WAITING, b""));
    assert_eq!(scene.run(true), (1, "hand over", true));
}

/// Two other clients have sent more than the loop reads in a turn: that turn of theirs counts for many.
#[test]
fn turns_that_use_up_their_budget_bring_php_sooner() {
    let mut scene = Scene::new(0);
    scene.listen(1, REQUEST);
    scene.listen_for_uploads(2);
    let (turns, what, _) = scene.run(false);
    assert_eq!((turns, what), (0, "tend"));
}
