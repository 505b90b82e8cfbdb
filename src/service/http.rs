//! One HTTP connection's requests: event → route → content.
//!
//! Knows which version of HTTP it serves only through [`Protocol`]. Content is pulled: a response's next piece is asked
//! for only while the send queue has room. The driver's part is in [`Http::process`], [`Http::settle`],
//! [`Http::deadline`] and [`Http::abandon`]; everything here is pure.

mod deadlines;
mod hand_over;
mod receive;
mod refusal;
mod refuse;
mod respond;
mod stream;

use std::net::SocketAddr;
use std::time::Instant;

use bytes::BytesMut;

use self::deadlines::{TIMERS, Timer};
use self::stream::{State, Stream};
use super::access_log::AccessLog;
use super::context::Context;
use super::reply::Journal;
use crate::base::account::Share;
use crate::base::limits;
use crate::base::send_queue::SendQueue;
use crate::base::slab::Key;
use crate::base::timer::Timers;
use crate::http::message::Peer;
use crate::protocol::{Awaiting, Disposition, Event, Protocol, StreamId};

/// One connection's streams.
#[derive(Debug)]
pub struct Http {
    key: Key,
    peer: Peer,
    protocol: Protocol,
    /// Requests that have not been answered completely; at most one in HTTP/1.
    streams: Vec<Stream>,
    timers: Timers<TIMERS>,
    /// Some stream may have something to be pulled.
    has_news: bool,
    /// The stream at which the last pull has stopped.
    next: usize,
    /// Requests that PHP may be busy with, those included that nobody waits for any more.
    running: usize,
    /// The peer has taken nothing for too long.
    is_cut: bool,
    /// There has been a request.
    has_begun: bool,
    /// The first request is to be the last.
    drains_later: bool,
    /// The last [`process`](Self::process) stopped because the send queue was full, or because it had worked enough.
    stalled: bool,
    /// How full it was then, or after what has been sent since.
    queued: u64,
    /// What its responses hold in memory while their peer takes nothing.
    held: Share,
    /// What is to be logged.
    journal: Journal,
}

/// What a connection that is to end may wait for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Until when a peer may send a request that has not sent anything yet.
    pub until: Instant,
    /// Whether that goes for a connection that has been used, too. Its peer is told with the response that it was the
    /// last; where the connection were just closed, a request that is on its way would be lost.
    pub for_idle: bool,
}

impl Http {
    /// A connection between `peer`'s two ends, known to its loop as `key`.
    pub fn new(protocol: Protocol, key: Key, peer: Peer) -> Self {
        Self {
            key,
            peer,
            protocol,
            streams: Vec::new(),
            timers: Timers::default(),
            has_news: false,
            next: 0,
            running: 0,
            is_cut: false,
            has_begun: false,
            drains_later: false,
            stalled: false,
            queued: 0,
            held: Share::default(),
            journal: Journal::default(),
        }
    }

    /// Tells the ends of the connection as a proxy has told them, before its first byte is received.
    pub fn announce(&mut self, addresses: Option<(SocketAddr, SocketAddr)>, secure: bool) {
        if let Some((remote, local)) = addresses {
            (self.peer.remote, self.peer.local) = (remote, local);
        }
        self.peer.secure |= secure;
    }

    /// Does all that can be done with what has been received and what PHP has produced.
    pub fn process(&mut self, inbox: &mut BytesMut, out: &mut SendQueue, cx: &mut Context<'_>) {
        self.expire(inbox, out, cx);
        self.advance(inbox, out, cx);
        self.queued = out.len();
    }

    fn advance(&mut self, inbox: &mut BytesMut, out: &mut SendQueue, cx: &mut Context<'_>) {
        while !self.is_cut {
            self.stalled = self.pull(out, cx) || out.len() >= limits::SEND_QUEUE_HIGH;
            if self.stalled {
                // What has been pulled may still lie with the protocol.
                return self.protocol.flush(inbox, out, cx.now);
            }
            let Some(event) = self.protocol.poll_event(inbox, out, cx.now) else {
                self.stalled = out.len() >= limits::SEND_QUEUE_HIGH;
                return;
            };
            self.on_event(event, out, cx);
        }
    }

    /// There is news of a request that PHP has; `is_over` if PHP is done with it.
    pub fn ring(&mut self, id: StreamId, is_over: bool) {
        self.running -= usize::from(is_over);
        if let Some(index) = self.find(id) {
            self.streams[index].has_news = true;
            self.has_news = true;
        }
    }

    /// Whether received bytes are welcome.
    pub fn wants_input(&self, inbox: &BytesMut, out: &SendQueue) -> bool {
        !self.is_cut && out.len() < limits::SEND_QUEUE_HIGH && self.protocol.wants_input(inbox)
    }

    /// Whether [`process`](Self::process) has more to do now that the send queue has room.
    pub fn is_stalled(&self) -> bool {
        self.stalled
    }

    /// What is to become of the connection once the send queue is empty.
    pub fn disposition(&self) -> Disposition {
        if self.is_cut { Disposition::Cut } else { self.protocol.disposition() }
    }

    /// All that the peer will ever send has been received. Requests that it sent before are still served.
    pub fn eof(&mut self) {
        self.protocol.eof();
        self.hang_up();
    }

    /// The peer has closed its side while PHP may be at work for it: then the request is aborted, as nginx does it, since
    /// a client that leaves and one that only half-closes look the same. Earlier responses are still sent.
    pub fn hang_up(&mut self) {
        // Content that is still collected may be complete in the inbox.
        let Self { streams, protocol, journal, queued, .. } = self;
        for stream in streams.extract_if(.., |stream| matches!(stream.state, State::Php { .. })) {
            protocol.reset(stream.reply.id);
            journal.add(stream.reply, false, *queued);
        }
    }

    /// Ends a connection that is idle.
    pub fn dismiss(&mut self, inbox: &mut BytesMut, out: &mut SendQueue, now: Instant) {
        // There is no request that an event could be about.
        let _ = self.protocol.expire(inbox);
        self.protocol.flush(inbox, out, now);
    }

    /// The connection has ended: nothing that is still to be sent will be, and PHP is not waited for.
    pub fn abandon(&mut self, log: Option<&mut AccessLog>, now: Instant) {
        let overlap = self.protocol.multiplexes();
        for stream in self.streams.drain(..) {
            // What lies in the queue, where requests overlap, may be of any of them.
            let unsent = if overlap { self.protocol.progress(stream.reply.id).0 } else { self.queued };
            self.journal.add(stream.reply, false, unsent);
        }
        self.held = Share::default();
        if let Some(log) = log {
            self.journal.abandon(log, now);
        }
    }

    /// Lets the requests under way end, and no other begin. A peer that has opened the connection and sent nothing may be
    /// about to. All that it has sent must lie in `inbox`.
    pub fn drain(&mut self, inbox: &BytesMut, patience: Patience) {
        match self.protocol.awaiting(inbox) {
            // The peer is told, and what it sends until it hears of it is served.
            _ if self.protocol.multiplexes() => self.protocol.drain(),
            Awaiting::Request if patience.for_idle || !self.has_begun => {
                self.drains_later = true;
                self.timers.set(Timer::KeepAlive as usize, patience.until);
            }
            Awaiting::Head => self.drains_later = true,
            _ => self.protocol.drain(),
        }
    }

    fn on_event(&mut self, event: Event, out: &mut SendQueue, cx: &mut Context<'_>) {
        match event {
            Event::Request(id, request) => {
                // What was waited for has come. What is waited for after this turn may be the same again, anew.
                for timer in [Timer::KeepAlive, Timer::Head, Timer::Content] {
                    self.timers.clear(timer as usize);
                }
                self.has_begun = true;
                if std::mem::take(&mut self.drains_later) {
                    self.protocol.drain();
                }
                self.on_request(id, request, out, cx);
            }
            Event::Content(id, bytes) => self.on_content(id, &bytes, out, cx),
            Event::EndOfContent(id) => self.on_end_of_content(id, out, cx),
            Event::Invalid(id, error) => self.on_invalid(id, error, out, cx),
            Event::Reset(id) => self.on_reset(id, out),
            Event::Room(id) => self.on_room(id),
            Event::Sent(id) => self.on_sent(id, out),
        }
    }

    fn find(&self, id: StreamId) -> Option<usize> {
        self.streams.iter().position(|stream| stream.reply.id == id)
    }

    /// Adds a stream that has something to be pulled, or will have.
    fn push(&mut self, stream: Stream) {
        self.has_news |= stream.has_news;
        self.add(stream);
    }

    /// Adds a stream that has nothing to be pulled yet.
    fn add(&mut self, stream: Stream) {
        if !self.protocol.multiplexes() {
            // There is no other.
            self.streams.reserve_exact(1);
        }
        self.streams.push(stream);
    }
}
