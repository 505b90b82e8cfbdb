//! One connection: a socket, what was received, what is to be sent, and the turn that moves bytes between them.
//!
//! Readiness is edge-triggered, so it is remembered: `readable` and `writable` are set by events and cleared only when
//! the kernel says that it has nothing more. After a turn the connection is scheduled again, or the readiness that it
//! waits for is clear so that the next edge will be reported, or it waits for the bell or a deadline. There is no
//! other way to wait, and so no wake-up to be lost.

use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};

use super::scratch::Scratch;
use super::transport::{Sent, Socket, Transport};
use crate::base::limits::{READ_BUDGET, SEND_QUEUE_HIGH};
use crate::base::send_queue::SendQueue;
use crate::protocol::{Disposition, StreamId};
use crate::proxy_protocol;
use crate::service::access_log::AccessLog;
use crate::service::context::Context;
use crate::service::http::{Http, Patience};

/// A connection of one event loop.
///
/// ```text
/// Announced ──header of the PROXY protocol──▶ Open
///
/// Open ──response sent, more may come──▶ Lingering ──EOF, deadline──▶ (closed)
///   └───────────────────────────────────────────────────────────────────▲
/// ```
#[derive(Debug)]
pub struct Connection<S = Transport> {
    transport: S,
    http: Http,
    /// Received and not yet consumed. Holds no memory while it is empty.
    inbox: BytesMut,
    out: SendQueue,
    readable: bool,
    writable: bool,
    /// Bytes that the kernel has taken from us.
    written: u64,
    /// Those of them that the peer had taken when it was last asked.
    taken: u64,
    /// The peer has closed its side, though what it sent before may not have been read.
    peer_closed: bool,
    /// What the peer sent has been read to its end.
    ended: bool,
    /// It is to end, once what has arrived has been read.
    drains: Option<Patience>,
    /// The socket has failed: nothing can be received or sent any more.
    broken: bool,
    phase: Phase,
}

/// What an event says of a socket. Every event reports all that is true, and so may say again what is known.
#[derive(Debug, Clone, Copy)]
pub struct Readiness {
    /// There is something to read; an end counts.
    pub readable: bool,
    /// There is room to write.
    pub writable: bool,
    /// The peer has closed its side.
    pub closed: bool,
    /// The socket has failed; above all, the peer has reset it.
    pub broken: bool,
}

#[derive(Debug)]
enum Phase {
    /// A proxy is to say first whom it speaks for.
    Announced(Announcement),
    Open,
    /// Our side is closed. What the peer still sends is thrown away, since closing with unread bytes would make the
    /// kernel send a reset, which destroys the response that is on its way (RFC 9112 §9.6).
    Lingering {
        until: Instant,
    },
}

/// What a connection waits for after its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Nothing: its budget is spent and it wants another turn.
    Again,
    /// An event, the bell, or this moment.
    Wait(Option<Instant>),
    /// A proxy has told whom it speaks for. If they are welcome the connection is to have another turn.
    Announced(IpAddr),
    /// It is over: drop it.
    Close,
}

/// The PROXY protocol's header, of a connection that begins with one.
#[derive(Debug, Clone, Copy)]
pub struct Announcement {
    /// When it must have come.
    pub until: Instant,
    /// Whether what it says is believed.
    pub is_believed: bool,
}

impl<S: Socket> Connection<S> {
    /// A fresh connection; it may be readable and writable at once.
    pub fn new(transport: S, http: Http) -> Self {
        Self {
            transport,
            http,
            inbox: BytesMut::new(),
            out: SendQueue::default(),
            readable: true,
            writable: true,
            written: 0,
            taken: 0,
            peer_closed: false,
            ended: false,
            drains: None,
            broken: false,
            phase: Phase::Open,
        }
    }

    /// A fresh connection that begins with a header of the PROXY protocol.
    pub fn announced(transport: S, http: Http, announcement: Announcement) -> Self {
        Self { phase: Phase::Announced(announcement), ..Self::new(transport, http) }
    }

    /// The registered socket.
    pub fn transport(&mut self) -> &mut S {
        &mut self.transport
    }

    /// Takes note of an event; true if it gives the connection something to do.
    pub fn on_ready(&mut self, ready: Readiness) -> bool {
        // That the peer has closed its side is news once, or else a half-closed peer would count as gone after all.
        let reads = (ready.readable || ready.closed) && !self.ended;
        self.readable |= reads;
        self.peer_closed |= ready.closed;
        self.writable |= ready.writable;
        self.broken |= ready.broken;
        reads || ready.broken || (ready.writable && !self.out.is_empty())
    }

    /// There is news of a request that PHP has; `is_over` if PHP is done with it.
    pub fn ring(&mut self, stream: u64, is_over: bool) {
        self.http.ring(StreamId(stream), is_over);
    }

    /// When the connection must have a turn if nothing else happens.
    pub fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Open => self.http.deadline(),
            Phase::Announced(Announcement { until, .. }) | Phase::Lingering { until } => Some(until),
        }
    }

    /// When it will be closed for being idle, if it is idle now and the peer has sent nothing since it was looked at.
    pub fn idle_until(&self) -> Option<Instant> {
        let is_open = matches!(self.phase, Phase::Open) && !self.readable && self.out.is_empty();
        self.http.idle_until().filter(|_| is_open)
    }

    /// Says goodbye on an idle connection that is to be closed, if its version of HTTP has a word for that.
    pub fn dismiss(&mut self, now: Instant) {
        self.http.dismiss(&mut self.inbox, &mut self.out, now);
        if !self.out.is_empty() {
            // Whether it gets there is the kernel's affair.
            let _ = self.transport.send(&mut self.out);
        }
    }

    /// The connection has ended; logs the requests that were under way.
    pub fn abandon(&mut self, log: &mut AccessLog, now: Instant) {
        self.http.abandon(Some(log), now);
    }

    /// Bytes that wait here: received and not consumed, and not sent.
    pub fn backlog(&self) -> (usize, u64) {
        (self.inbox.len(), self.out.len())
    }

    /// Lets the requests under way end, and no other begin, in its next turn. What the peer has sent before is a request
    /// under way, though no event may have told of it yet.
    pub fn drain(&mut self, patience: Patience) {
        if let Phase::Announced(Announcement { until, .. }) = &mut self.phase {
            *until = patience.until.min(*until);
        }
        self.drains = Some(patience);
        self.readable |= !self.ended;
    }

    /// Reads, thinks and writes, each within its budget.
    pub fn turn(&mut self, scratch: &mut Scratch, linger_timeout: Duration, cx: &mut Context<'_>) -> Turn {
        scratch.lend(&mut self.out);
        let turn = self.read_think_write(scratch, linger_timeout, cx);
        scratch.take_back(&mut self.out);
        turn
    }

    fn read_think_write(&mut self, scratch: &mut Scratch, linger_timeout: Duration, cx: &mut Context<'_>) -> Turn {
        if self.broken {
            return Turn::Close;
        }
        if let Phase::Lingering { until } = self.phase {
            return self.linger(scratch, until, cx.now);
        }
        let Ok(received) = self.read(scratch) else {
            return Turn::Close; // a reset: the peer is gone
        };
        if let Some(patience) = self.drains.take() {
            self.http.drain(&self.inbox, patience);
        }
        if let Phase::Announced(announcement) = self.phase
            && let Some(turn) = self.receive_announcement(received, announcement, cx.now)
        {
            return turn;
        }
        if received == Received::Eof {
            self.http.eof();
        }
        if self.http.is_write_due(cx.now) {
            self.account(cx);
        }
        self.http.process(&mut self.inbox, &mut self.out, cx);
        if self.inbox.is_empty() {
            self.inbox = BytesMut::new();
        }
        if self.writable && !self.out.is_empty() {
            let before = self.out.len();
            let sent = self.transport.send(&mut self.out);
            self.written += before - self.out.len();
            match sent {
                Ok(Sent::Progress) => {}
                Ok(Sent::Full) => self.writable = false,
                Err(error) => {
                    if error.kind() == io::ErrorKind::UnexpectedEof {
                        log::warn!("a response was cut: {error}");
                    }
                    return Turn::Close;
                }
            }
        }
        self.http.settle(&self.inbox, &self.out, cx);
        self.after_turn(scratch, linger_timeout, cx)
    }

    /// Takes the PROXY protocol's header from the inbox; none when it has come and the connection proper begins. Without
    /// one nothing is known of the client, and nothing is said to it.
    fn receive_announcement(&mut self, received: Received, wanted: Announcement, now: Instant) -> Option<Turn> {
        let Announcement { until, is_believed } = wanted;
        match proxy_protocol::parse(&self.inbox) {
            Ok(Some(header)) => {
                self.inbox.advance(header.len);
                self.phase = Phase::Open;
                if !is_believed {
                    return None;
                }
                // Nobody is at an unspecified address; our own for the other end of a Unix socket is one.
                let addresses = header.addresses.filter(|(client, _)| !client.ip().is_unspecified());
                self.http.announce(addresses, header.secure);
                let (client, _) = addresses?;
                // The socket has told of its end once.
                self.readable |= received == Received::Eof;
                self.ended &= received != Received::Eof;
                Some(Turn::Announced(client.ip()))
            }
            Ok(None) if received == Received::Open && now < until => {
                Some(if self.readable { Turn::Again } else { Turn::Wait(Some(until)) })
            }
            outcome => {
                if outcome.is_err() {
                    log::debug!("a connection without a header of the PROXY protocol is closed");
                }
                Some(Turn::Close)
            }
        }
    }

    /// Tells what the peer has taken. What the kernel has taken from us says little: it buffers megabytes, and has room
    /// again only when a good part of them has gone.
    fn account(&mut self, cx: &Context<'_>) {
        let taken = self.written.saturating_sub(self.transport.unacknowledged().unwrap_or(0));
        self.http.took(taken.saturating_sub(self.taken), cx);
        self.taken = taken;
    }

    fn after_turn(&mut self, scratch: &mut Scratch, linger_timeout: Duration, cx: &mut Context<'_>) -> Turn {
        match self.http.disposition() {
            Disposition::Cut => {
                // If it cannot be reset it is gone already.
                let _ = self.transport.reset_on_close();
                return Turn::Close;
            }
            Disposition::Close if self.out.is_empty() => return Turn::Close,
            Disposition::Linger if self.out.is_empty() => {
                if self.transport.shutdown_write().is_err() {
                    return Turn::Close;
                }
                // Where it ended behind a turn that stopped early, nobody has heard that the requests have ended, too.
                self.http.abandon(cx.access_log.as_deref_mut(), cx.now);
                let until = cx.now + linger_timeout;
                self.phase = Phase::Lingering { until };
                return self.linger(scratch, until, cx.now);
            }
            Disposition::Open | Disposition::Close | Disposition::Linger => {}
        }
        let can_read = self.readable && self.http.wants_input(&self.inbox, &self.out);
        let can_write = self.writable && !self.out.is_empty();
        let can_think = self.http.is_stalled() && self.out.len() < SEND_QUEUE_HIGH;
        if can_read || can_write || can_think { Turn::Again } else { Turn::Wait(self.http.deadline()) }
    }

    fn read(&mut self, scratch: &mut Scratch) -> io::Result<Received> {
        let mut budget = READ_BUDGET;
        while self.readable && budget > 0 {
            let is_announced = matches!(self.phase, Phase::Announced(_));
            if !is_announced && !self.http.wants_input(&self.inbox, &self.out) {
                // The socket is not read, but that the peer has gone is heard all the same.
                if self.peer_closed {
                    self.http.hang_up();
                }
                break;
            }
            let room = scratch.input.len().min(budget);
            match self.transport.read(&mut scratch.input[..room]) {
                Ok(0) => {
                    (self.readable, self.peer_closed, self.ended) = (false, true, true);
                    return Ok(Received::Eof);
                }
                Ok(n) => {
                    self.inbox.extend_from_slice(&scratch.input[..n]);
                    budget -= n;
                    // A short read has emptied the socket, and what comes later makes a new edge; unless the edge of
                    // the end has been reported already.
                    if n < room && !self.peer_closed {
                        self.readable = false;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
                Err(error) => return Err(error),
            }
        }
        Ok(Received::Open)
    }

    fn linger(&mut self, scratch: &mut Scratch, until: Instant, now: Instant) -> Turn {
        if now >= until || (self.peer_closed && !self.readable) {
            return Turn::Close;
        }
        let mut budget = READ_BUDGET;
        while self.readable && budget > 0 {
            match self.transport.read(&mut scratch.input) {
                Ok(0) => return Turn::Close,
                Ok(n) => budget = budget.saturating_sub(n),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
                Err(_) => return Turn::Close,
            }
        }
        if self.readable { Turn::Again } else { Turn::Wait(Some(until)) }
    }
}

/// How a read ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Received {
    /// The peer may send more.
    Open,
    /// It will not.
    Eof,
}
