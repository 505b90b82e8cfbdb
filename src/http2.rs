//! An HTTP/2 server connection (RFC 9113), sans-I/O, made of the `h2` crate: bytes in, events out; responses in, bytes
//! out.
//!
//! h2 owns frames, HPACK, flow control and the states of streams. It wants to be polled by a runtime; here the event
//! loop's turn does that: [`Http2::poll_event`] lends it the inbox and the send queue ([`pipe`]), and its wakers note
//! which streams have news ([`wake`]). What h2 does not bound is bounded here: noise ([`gate`]), streams that the peer
//! resets, requests on one connection. Time comes in as an argument; nothing here knows a socket, a file or PHP.

mod field_block;
mod frame;
mod gate;
mod piece;
mod pipe;
mod purse;
mod receive;
mod request;
mod respond;
mod wake;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use bytes::BytesMut;
use h2::server::{Builder, Connection, Handshake};
use h2::{Reason, RecvStream};
use h2_http::HeaderValue;

use self::gate::Gate;
use self::piece::Piece;
use self::pipe::Pipe;
use self::purse::Purse;
use self::respond::Respond;
use self::wake::{Line, Ready};
use crate::base::limits;
use crate::base::slab::{Key, Slab};
use crate::http::event::{Awaiting, Disposition, Event, StreamId};
use crate::http::method::Method;

pub use self::gate::PREFACE;

/// Limits of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Http2Options {
    /// Bytes of a request head, each field counted with 32 more (431); at most [`limits::HEAD_BYTES_CEILING`].
    pub head_bytes_max: usize,
    /// Header fields of a request, its cookies counted as one (431).
    pub fields_max: usize,
    /// Bytes of a request target (414).
    pub target_bytes_max: usize,
    /// Requests on one connection, after which no more are accepted; 0 for any number.
    pub requests_max: u64,
    /// Requests that may be under way at once.
    pub streams_max: u32,
    /// Frames a second that carry neither requests nor content.
    pub control_frames_max: u32,
    /// Streams that the peer may reset within ten seconds, beside as many as it lets end.
    pub resets_max: u32,
}

impl Default for Http2Options {
    fn default() -> Self {
        Self {
            head_bytes_max: limits::HEAD_BYTES_MAX,
            fields_max: limits::FIELDS_MAX,
            target_bytes_max: limits::TARGET_BYTES_MAX,
            requests_max: 0,
            streams_max: limits::STREAMS_MAX,
            control_frames_max: limits::CONTROL_FRAMES_MAX,
            resets_max: limits::RESETS_MAX,
        }
    }
}

/// One connection.
pub struct Http2 {
    options: Http2Options,
    link: Link,
    pipe: Pipe,
    /// Of the connection. Nobody hears it: h2 is polled in every turn anyway.
    waker: Waker,
    ready: Arc<Ready>,
    streams: Slab<Stream>,
    events: VecDeque<Event>,
    /// Requests received.
    requests: u64,
    resets: Purse,
    /// Requests that are still accepted, once the peer has been told that none will be. It may not have heard of it.
    requests_left: Option<u32>,
    /// No more requests are to be accepted, once the peer has said what it is.
    drains_later: bool,
    date: HeaderValue,
    disposition: Disposition,
}

/// h2's part, by how far the connection has come.
enum Link {
    /// The preface is awaited.
    Greeting(Handshake<Pipe, Piece>),
    Open(Connection<Pipe, Piece>),
    /// It is over.
    Closed,
}

/// A request and its response.
struct Stream {
    line: Arc<Line>,
    waker: Waker,
    /// None when the method is unknown.
    method: Option<Method>,
    /// The request's content, until its end.
    content: Option<RecvStream>,
    respond: Respond,
    /// The peer holds its content back until it is told to send it.
    awaits_continue: bool,
    /// The application has been told that there is no room.
    is_stalled: bool,
    /// Nothing more is to come from the application.
    is_ended: bool,
}

impl Http2 {
    /// A new connection, whose preface is still to come.
    pub fn new(options: Http2Options) -> Self {
        let options =
            Http2Options { head_bytes_max: options.head_bytes_max.min(limits::HEAD_BYTES_CEILING), ..options };
        let noise =
            Purse::new(options.control_frames_max, Duration::from_secs(1)).saving(limits::CONTROL_FRAMES_SAVED_MAX);
        let pipe = Pipe::new(Gate::new(noise));
        let handshake = Builder::new()
            .max_header_list_size(u32::try_from(options.head_bytes_max).expect("it has a ceiling"))
            .max_concurrent_streams(options.streams_max)
            .initial_window_size(limits::STREAM_WINDOW)
            .initial_connection_window_size(limits::CONNECTION_WINDOW)
            .max_send_buffer_size(limits::STREAM_SEND_HIGH as usize)
            .max_local_error_reset_streams(Some(limits::STREAM_ERRORS_MAX))
            .handshake(pipe.clone());
        Self {
            options,
            link: Link::Greeting(handshake),
            pipe,
            waker: Waker::noop().clone(),
            ready: Arc::default(),
            streams: Slab::default(),
            events: VecDeque::new(),
            requests: 0,
            resets: Purse::new(options.resets_max, limits::RESETS_PERIOD),
            requests_left: None,
            drains_later: false,
            date: HeaderValue::from_static(""),
            disposition: Disposition::Open,
        }
    }

    /// Requests that may be under way at once, those included that the peer has reset and that have not ended yet: as
    /// many again as there may be streams, since of an end we hear a moment after the peer does.
    pub fn requests_at_once_max(&self) -> usize {
        2 * self.options.streams_max as usize
    }

    /// The peer sends nothing more; [`poll_event`](Self::poll_event) ends the connection.
    pub fn eof(&mut self) {
        self.pipe.ends().eof = true;
    }

    /// Lets the requests under way end, those that the peer has sent before it hears of it included, and accepts no
    /// other (RFC 9113 §6.8). A peer that does not want to hear is cut off.
    pub fn drain(&mut self) {
        self.requests_left.get_or_insert(limits::REQUESTS_AFTER_GOAWAY_MAX);
        match &mut self.link {
            Link::Open(connection) => connection.graceful_shutdown(),
            Link::Greeting(_) => self.drains_later = true,
            Link::Closed => {}
        }
    }

    /// The deadline of what the connection is [`awaiting`](Self::awaiting) has passed: the connection ends, and the
    /// peer is told why.
    pub fn expire(&mut self) {
        let reason = match self.awaiting() {
            Awaiting::Request => Reason::NO_ERROR,
            Awaiting::Head if !self.pipe.ends().gate.is_acknowledged() => Reason::SETTINGS_TIMEOUT,
            Awaiting::Head => Reason::ENHANCE_YOUR_CALM,
            _ => return,
        };
        self.shut_down(reason);
    }

    /// What the connection waits for from its peer, apart from its streams.
    pub fn awaiting(&self) -> Awaiting {
        match &self.link {
            Link::Closed => Awaiting::Nothing,
            _ if self.pipe.ends().gate.is_waiting() => Awaiting::Head,
            _ if self.streams.is_empty() => Awaiting::Request,
            _ => Awaiting::Nothing,
        }
    }

    /// Whether more input may be put into the inbox.
    pub fn wants_input(&self, inbox: &BytesMut) -> bool {
        !matches!(self.link, Link::Closed) && !self.pipe.ends().eof && inbox.len() < limits::READ_BUDGET
    }

    /// What is to become of the connection.
    pub fn disposition(&self) -> Disposition {
        self.disposition
    }

    /// Ends the connection as soon as that has been told.
    fn shut_down(&mut self, reason: Reason) {
        log::debug!("an HTTP/2 connection is ended: {reason}");
        match &mut self.link {
            Link::Open(connection) => connection.abrupt_shutdown(reason),
            // Nobody has said a word of HTTP/2.
            Link::Greeting(_) => self.close(Disposition::Linger),
            Link::Closed => {}
        }
    }

    fn close(&mut self, disposition: Disposition) {
        self.link = Link::Closed;
        self.disposition = disposition;
        let keys: Vec<Key> = self.streams.keys().collect();
        for key in keys {
            if self.streams.remove(key).is_some() {
                self.events.push_back(Event::Reset(id_of(key)));
            }
        }
    }

    fn stream(&mut self, id: StreamId) -> Option<&mut Stream> {
        self.streams.get_mut(key_of(id))
    }

    fn remove(&mut self, id: StreamId) -> Option<Stream> {
        self.streams.remove(key_of(id))
    }
}

/// The stream that lies there.
fn id_of(key: Key) -> StreamId {
    StreamId(key.to_bits() as u64)
}

fn key_of(id: StreamId) -> Key {
    Key::from_bits(id.0 as usize)
}

impl fmt::Debug for Http2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, disposition, .. } = self;
        let streams = self.streams.len();
        f.debug_struct("Http2")
            .field("streams", &streams)
            .field("requests", requests)
            .field("disposition", disposition)
            .finish_non_exhaustive()
    }
}
