//! One connection with all that it needs, as it takes turns in a loop.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ephpm::base::limits::LINGER_TIMEOUT;
use ephpm::base::slab::{Key, Slab};
use ephpm::exchange::{Bell, Dispatch, Responder};
use ephpm::http::message::{Peer, Response};
use ephpm::http::status::Status;
use ephpm::http1::Http1Options;
use ephpm::net::connection::{Announcement, Connection, Readiness, Turn};
use ephpm::protocol::Protocol;
use ephpm::service::context::{Exchanges, Options};
use ephpm::service::http::{Http, Patience};

use super::simulation::surroundings::{Surroundings, connect};
use super::wire::{Wire, WireSocket};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
/// A file, and a script.
pub(crate) const FILE: &str = "GET /small.txt HTTP/1.1\r\nHost: a\r\n\r\n";
pub(crate) const SCRIPT: &str = "GET /p.php HTTP/1.1\r\nHost: a\r\n\r\n";

/// A queue that holds what it is given.
#[derive(Default)]
pub(crate) struct Queue(pub(crate) Mutex<VecDeque<Box<Responder>>>);

impl Dispatch for Queue {
    fn submit(&self, responder: Box<Responder>) -> Result<(), Box<Responder>> {
        self.0.lock().unwrap().push_back(responder);
        Ok(())
    }
}

/// One connection with its client, its PHP and its clock.
pub(crate) struct Bench {
    pub(crate) around: Surroundings,
    /// `None` once it is over.
    pub(crate) connection: Option<Connection<WireSocket>>,
    pub(crate) wire: Rc<RefCell<Wire>>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) bell: Arc<Bell>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(Http1Options::default())
    }

    pub(crate) fn with(options: Http1Options) -> Self {
        Self::speaking(Protocol::http1(options))
    }

    pub(crate) fn speaking(protocol: Protocol) -> Self {
        let queue = Arc::new(Queue::default());
        let bell = Arc::new(Bell::new(16, Box::new(|| {})));
        let dispatch: Arc<dyn Dispatch> = queue.clone();
        let exchanges = Exchanges::new(dispatch, Arc::clone(&bell));
        let wire = Rc::new(RefCell::new(Wire { room: usize::MAX, ..Wire::default() }));
        let mut keys = Slab::default();
        let key: Key = keys.insert_with(|_| ());
        let mut bench = Self {
            around: Surroundings::new(Options::default(), exchanges),
            connection: Some(connect(WireSocket(Rc::clone(&wire)), key, protocol)),
            wire,
            queue,
            bell,
        };
        bench.turn();
        bench
    }

    /// Begins anew, with a connection on which a header of the PROXY protocol comes first.
    pub(crate) fn announce(&mut self, timeout: Duration) {
        let key = Slab::default().insert_with(|_| ());
        let address = "192.0.2.1:80".parse().unwrap();
        let peer = Peer { remote: address, local: address, secure: false };
        let http = Http::new(Protocol::http1(Http1Options::default()), key, peer);
        let socket = WireSocket(Rc::clone(&self.wire));
        let announcement = Announcement { until: self.around.now + timeout, is_believed: true };
        self.connection = Some(Connection::announced(socket, http, announcement));
        self.turn();
    }

    /// Turns until the connection waits.
    pub(crate) fn turn(&mut self) {
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
    pub(crate) fn report(&mut self) {
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

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.wire.borrow_mut().to_server.extend_from_slice(bytes.as_ref());
        self.report();
    }

    pub(crate) fn drain(&mut self, for_idle: bool) {
        let patience = Patience { until: self.around.now + LINGER_TIMEOUT, for_idle };
        self.connection.as_mut().unwrap().drain(patience);
        self.turn();
    }

    pub(crate) fn close(&mut self) {
        self.wire.borrow_mut().client_closed = true;
        self.report();
    }

    /// Lets time pass, with a turn at each deadline on the way.
    pub(crate) fn wait(&mut self, time: Duration) {
        let until = self.around.now + time;
        while let Some(deadline) = self.connection.as_ref().and_then(Connection::deadline).filter(|at| *at <= until) {
            self.around.now = self.around.now.max(deadline);
            self.turn();
        }
        self.around.now = until;
    }

    /// The statuses of the responses that have come since the last call.
    pub(crate) fn statuses(&mut self) -> Vec<u16> {
        let text = String::from_utf8(std::mem::take(&mut self.wire.borrow_mut().to_client)).unwrap();
        text.split("HTTP/1.1 ").skip(1).map(|response| response[..3].parse().unwrap()).collect()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.connection.is_some() && !self.wire.borrow().server_closed
    }

    /// PHP takes the oldest request.
    pub(crate) fn php(&mut self) -> Box<Responder> {
        let mut responder = self.queue.0.lock().unwrap().pop_front().unwrap();
        assert!(responder.start(), "somebody waits for it");
        responder
    }

    /// PHP answers the oldest request with so many bytes.
    pub(crate) fn answer(&mut self, len: usize) {
        let mut responder = self.php();
        responder.send_head(Response::new(Status::OK));
        responder.write(&vec![b'y'; len]).unwrap();
        responder.complete();
        self.turn();
    }
}
