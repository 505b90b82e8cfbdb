//! An HTTP/1.1 and HTTP/1.0 server connection (RFC 9112), sans-I/O: bytes in, events out; responses in, bytes out.
//!
//! It owns framing and connection management, both ways, and nothing else: it knows no socket, no clock, no files and
//! no PHP. Requests are answered strictly in order, since the next head is not looked for before the response to the
//! last is finished; its bytes wait in the caller's inbox. After an error of the peer nothing is parsed again. Whatever
//! an application says or sends, a response ends where its head says, or the connection is cut.

mod body;
mod chunked;
mod encode;
mod fields;
mod framing;
#[doc(hidden)]
pub mod fuzz;
mod head;
mod piece;
mod receive;
mod request_line;
mod respond;
mod state;

use bytes::BytesMut;

use self::head::Head;
use self::state::{After, Current, Expectation, Receive, Respond};
use crate::base::limits;
use crate::http::event::{Awaiting, Disposition, Event, StreamId};
use crate::http::message::Version;
use crate::http::peer_error::PeerError;

/// Limits of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Http1Options {
    /// Bytes of a request head, request line included (431); at most [`limits::HEAD_BYTES_CEILING`].
    pub head_bytes_max: usize,
    /// Header fields of a request (431); at most 256.
    pub fields_max: usize,
    /// Bytes of a request target (414).
    pub target_bytes_max: usize,
    /// Requests on one connection, the last of which is answered with `Connection: close`; 0 for any number.
    pub requests_max: u64,
}

impl Default for Http1Options {
    fn default() -> Self {
        Self {
            head_bytes_max: limits::HEAD_BYTES_MAX,
            fields_max: limits::FIELDS_MAX,
            target_bytes_max: limits::TARGET_BYTES_MAX,
            requests_max: 0,
        }
    }
}

/// One connection.
#[derive(Debug)]
pub struct Http1 {
    options: Http1Options,
    receive: Receive,
    respond: Respond,
    /// The request that `respond` answers, or the last one; counts from 1.
    id: StreamId,
    current: Current,
    /// No request is to be begun any more.
    draining: bool,
    /// The peer has half-closed.
    eof: bool,
    disposition: Disposition,
}

// Thousands of connections are idle at a time.
const _: () = assert!(size_of::<Http1>() <= 128);

impl Http1 {
    /// A new connection. Options beyond their ceilings are lowered to those.
    pub fn new(options: Http1Options) -> Self {
        Self {
            options: Http1Options {
                head_bytes_max: options.head_bytes_max.min(limits::HEAD_BYTES_CEILING),
                fields_max: options.fields_max.min(fields::FIELDS_CEILING),
                ..options
            },
            receive: Receive::Head(Head::default()),
            respond: Respond::Idle,
            id: StreamId(0),
            current: Current {
                method: None,
                version: Version::Http11,
                expectation: Expectation::None,
                after: After::Continue,
            },
            draining: false,
            eof: false,
            disposition: Disposition::Open,
        }
    }

    /// The connection itself, and a closed one in its place.
    pub fn take(&mut self) -> Self {
        let mut closed = Self::new(self.options);
        closed.receive = Receive::Closed;
        std::mem::replace(self, closed)
    }

    /// Whether the peer has half-closed.
    pub fn is_at_eof(&self) -> bool {
        self.eof
    }

    /// The peer has half-closed. Complete requests that wait in the inbox are still served, an incomplete one is
    /// dropped; [`poll_event`](Self::poll_event) finds out.
    pub fn eof(&mut self) {
        self.eof = true;
    }

    /// Ends the connection as soon as no request is under way. A head of which a part has arrived still counts as one.
    pub fn drain(&mut self) {
        self.draining = true;
        match &self.receive {
            Receive::Head(head) if head.is_untouched() && self.id == StreamId(0) => self.close(Disposition::Close),
            // The last response may still be on its way, and the next request too: a close would answer that with a
            // reset, and the reset would destroy the response.
            Receive::Head(head) if head.is_untouched() => self.close(Disposition::Linger),
            Receive::Discard { .. } => self.close(Disposition::Linger),
            _ => {}
        }
    }

    /// The deadline of what the connection is [`awaiting`](Self::awaiting) has passed. An event is to be handled as one
    /// of [`poll_event`](Self::poll_event)'s; without one the connection ends silently, as its disposition says.
    pub fn expire(&mut self, inbox: &BytesMut) -> Option<Event> {
        match self.awaiting(inbox) {
            Awaiting::Nothing => {}
            Awaiting::Request => self.close(Disposition::Close),
            Awaiting::Discard => self.close(Disposition::Linger),
            Awaiting::Head => return Some(self.reject_head(PeerError::HeadTimeout, inbox)),
            Awaiting::Content if matches!(self.respond, Respond::Head) => {
                return Some(self.reject_content(PeerError::ContentTimeout));
            }
            Awaiting::Content => self.reset(self.id),
        }
        None
    }

    /// What the connection waits for from its peer, once [`poll_event`](Self::poll_event) has had nothing more.
    pub fn awaiting(&self, inbox: &BytesMut) -> Awaiting {
        match &self.receive {
            Receive::Head(head) if head.is_untouched() && inbox.is_empty() => Awaiting::Request,
            Receive::Head(_) => Awaiting::Head,
            // Content that lies in the inbox waits for us.
            Receive::Content(_) if inbox.is_empty() => Awaiting::Content,
            Receive::Content(_) | Receive::End | Receive::Complete | Receive::Closed => Awaiting::Nothing,
            Receive::Discard { .. } => Awaiting::Discard,
        }
    }

    /// Whether more input may be put into the inbox. It stays below `head_bytes_max` and one read more: while a
    /// response is under way, requests behind it (or content that nobody has taken) wait there up to that bound.
    pub fn wants_input(&self, inbox: &BytesMut) -> bool {
        let open = !self.eof && !matches!(self.receive, Receive::Closed);
        open && inbox.len() <= self.options.head_bytes_max
    }

    /// What is to become of the connection.
    pub fn disposition(&self) -> Disposition {
        self.disposition
    }

    /// The connection ends after the current exchange, if the peer does not end it anyway.
    fn close_after(&mut self) {
        if self.current.after == After::Continue {
            self.current.after = After::WeClose;
        }
    }

    fn close(&mut self, disposition: Disposition) {
        self.receive = Receive::Closed;
        self.respond = Respond::Idle;
        self.disposition = disposition;
    }
}
