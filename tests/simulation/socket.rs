//! A model of one TCP connection in the kernel, with both of its ends: bounded buffers, edge-triggered readiness as
//! epoll reports it, half-closes, and resets that destroy what the peer has not read.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read};
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::time::Instant;

use ephpm::base::chunk::FileRange;
use ephpm::net::connection::Readiness;
use ephpm::net::transport::Socket;

use super::random::Random;

/// What both ends and the kernel between them know.
pub(crate) struct Wire {
    pub(crate) random: Rc<RefCell<Random>>,
    pub(crate) now: Instant,
    to_server: VecDeque<u8>,
    to_client: VecDeque<u8>,
    /// Room of `to_client`, and of `to_server`.
    pub(crate) room: usize,
    client_closed: bool,
    /// The connection is gone: a reset came from either side.
    broken: bool,
    server_closed: bool,
    /// The server has dropped its end, and when.
    pub(crate) dropped: Option<Instant>,
    /// Something happened that epoll reports.
    edge: bool,
    /// A write found too little room, so that room will be an edge.
    starved: bool,
    /// How many bytes the server has read and written: whether a turn did anything.
    pub(crate) moved: u64,
    /// When the client sent its last byte while the server could hear it.
    pub(crate) last_sent: Instant,
    /// When the server last wrote anything.
    pub(crate) last_written: Instant,
}

impl Wire {
    pub(crate) fn new(random: Rc<RefCell<Random>>, now: Instant) -> Self {
        let room = random.borrow_mut().pick(&[2_000, 30_000, 300_000]);
        Self {
            random,
            now,
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            room,
            client_closed: false,
            broken: false,
            server_closed: false,
            dropped: None,
            edge: false,
            starved: false,
            moved: 0,
            last_sent: now,
            last_written: now,
        }
    }

    /// The client's write: how much the kernel has taken.
    pub(crate) fn client_send(&mut self, bytes: &[u8]) -> usize {
        if self.server_is_gone() {
            // Nobody listens: the answer is a reset, and what the client has not read is lost.
            self.reset();
            return bytes.len();
        }
        let n = bytes.len().min(self.room - self.to_server.len());
        self.to_server.extend(&bytes[..n]);
        if n > 0 {
            self.last_sent = self.now;
            self.edge = true;
        }
        n
    }

    pub(crate) fn client_can_send(&self) -> bool {
        self.to_server.len() < self.room || self.server_is_gone()
    }

    pub(crate) fn client_can_read(&self) -> bool {
        !self.to_client.is_empty() || self.server_closed || self.broken
    }

    /// The client's read: `None` for the end, however it came.
    pub(crate) fn client_read(&mut self, n: usize) -> Option<Vec<u8>> {
        if self.to_client.is_empty() {
            return None;
        }
        let n = n.min(self.to_client.len());
        let mut bytes = vec![0; n];
        self.to_client.read_exact(&mut bytes).ok()?;
        if self.starved && self.has_room() {
            self.starved = false;
            self.edge = true;
        }
        Some(bytes)
    }

    pub(crate) fn client_close(&mut self) {
        self.client_closed = true;
        self.edge = true;
    }

    pub(crate) fn reset(&mut self) {
        self.broken = true;
        self.to_server.clear();
        self.to_client.clear();
        self.edge = true;
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Linux reports room when a third is free.
    fn has_room(&self) -> bool {
        self.room - self.to_client.len() >= self.room / 3
    }

    fn server_is_gone(&self) -> bool {
        self.dropped.is_some() || self.broken
    }

    pub(crate) fn has_edge(&self) -> bool {
        self.edge && self.dropped.is_none()
    }

    /// What an edge is reported with, as epoll does it: all that is true at the moment of asking. None when nothing is.
    pub(crate) fn take_edge(&mut self) -> Option<Readiness> {
        self.edge = false;
        let readiness = self.readiness();
        (readiness.readable || readiness.writable).then_some(readiness)
    }

    pub(crate) fn readiness(&self) -> Readiness {
        let closed = self.client_closed || self.broken;
        Readiness {
            readable: closed || !self.to_server.is_empty(),
            writable: self.broken || self.has_room(),
            closed,
            broken: self.broken,
        }
    }

    fn server_drop(&mut self) {
        self.dropped = Some(self.now);
        self.server_closed = true;
        if !self.to_server.is_empty() {
            self.reset();
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!self.server_closed, "nothing is sent after the end");
        if self.random.borrow_mut().one_in(20) {
            return Err(ErrorKind::Interrupted.into());
        }
        if self.broken {
            return Err(ErrorKind::ConnectionReset.into());
        }
        let room = self.room - self.to_client.len();
        if room == 0 {
            self.starved = true;
            return Err(ErrorKind::WouldBlock.into());
        }
        let n = bytes.len().min(room);
        self.to_client.extend(&bytes[..n]);
        self.moved += n as u64;
        self.last_written = self.now;
        Ok(n)
    }
}

/// The server's end.
pub(crate) struct SimSocket(pub(crate) Rc<RefCell<Wire>>);

impl Socket for SimSocket {
    fn receive(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        if wire.random.borrow_mut().one_in(20) {
            return Err(ErrorKind::Interrupted.into());
        }
        if wire.broken {
            return Err(ErrorKind::ConnectionReset.into());
        }
        let n = buf.len().min(wire.to_server.len());
        if n == 0 {
            return if wire.client_closed { Ok(0) } else { Err(ErrorKind::WouldBlock.into()) };
        }
        wire.to_server.read_exact(&mut buf[..n])?;
        wire.moved += n as u64;
        Ok(n)
    }

    fn send_slices(&mut self, slices: &[IoSlice<'_>], _more: bool) -> io::Result<usize> {
        let bytes = slices.iter().map(|slice| &**slice).collect::<Vec<_>>().concat();
        self.0.borrow_mut().write(&bytes)
    }

    fn send_file(&mut self, range: &FileRange, len: usize) -> io::Result<usize> {
        let mut bytes = vec![0; len];
        let n = range.file.read_at(&mut bytes, range.offset)?;
        self.0.borrow_mut().write(&bytes[..n])
    }

    fn unacknowledged(&self) -> io::Result<u64> {
        Ok(self.0.borrow().to_client.len() as u64)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        let mut wire = self.0.borrow_mut();
        if wire.broken {
            return Err(ErrorKind::NotConnected.into());
        }
        wire.server_closed = true;
        wire.edge |= wire.client_closed;
        Ok(())
    }

    fn reset_on_close(&mut self) -> io::Result<()> {
        self.0.borrow_mut().reset();
        Ok(())
    }
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        self.0.borrow_mut().server_drop();
    }
}
