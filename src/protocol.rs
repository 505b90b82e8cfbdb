//! What a service needs of a protocol: events in, responses out, and what the connection waits for.
//!
//! One enum with a variant a protocol, matched and never `dyn`; today there is one. The contract is sans-I/O and asks
//! nothing of time: a caller feeds an inbox, polls events until there are none, sends responses into a [`SendQueue`],
//! and then looks at [`awaiting`](Protocol::awaiting) and [`disposition`](Protocol::disposition). Every command names
//! its stream; one that comes too late, or for a stream that is closed, does nothing.

use bytes::BytesMut;

pub use crate::http::event::{Awaiting, Disposition, Event, StreamId};
pub use crate::http::peer_error::PeerError;

use crate::base::chunk::Chunk;
use crate::base::send_queue::SendQueue;
use crate::http::date::IMF_FIXDATE_LEN;
use crate::http::message::{ContentLength, Response};
use crate::http1::Http1;

/// The server side of a connection.
#[derive(Debug)]
pub enum Protocol {
    /// HTTP/1.0 and HTTP/1.1.
    Http1(Http1),
}

impl Protocol {
    /// The next event, whose bytes are consumed from the inbox; none when more input is needed, or when a response
    /// must be finished first. To be called until there is none: after input, after [`eof`](Self::eof) and after
    /// [`finish`](Self::finish).
    pub fn poll_event(&mut self, inbox: &mut BytesMut) -> Option<Event> {
        match self {
            Self::Http1(http1) => http1.poll_event(inbox),
        }
    }

    /// Tells the peer to send the content it holds back, if it still does.
    pub fn send_continue(&mut self, id: StreamId, out: &mut SendQueue) {
        match self {
            Self::Http1(http1) => http1.send_continue(id, out),
        }
    }

    /// Sends a response head: any number of interim ones (1xx), then the final one. The protocol adds the framing,
    /// `Connection` and, unless the response brings it, `Date`.
    pub fn send_response(
        &mut self,
        id: StreamId,
        response: Response,
        length: ContentLength,
        date: &[u8; IMF_FIXDATE_LEN],
        out: &mut SendQueue,
    ) {
        match self {
            Self::Http1(http1) => http1.send_response(id, response, length, date, out),
        }
    }

    /// Sends a piece of content; what exceeds the announced length, or may not be sent at all, is dropped.
    pub fn send_content(&mut self, id: StreamId, chunk: Chunk, out: &mut SendQueue) {
        match self {
            Self::Http1(http1) => http1.send_content(id, chunk, out),
        }
    }

    /// The response is complete. One that lacks its head or announced content is reset instead.
    pub fn finish(&mut self, id: StreamId, out: &mut SendQueue) {
        match self {
            Self::Http1(http1) => http1.finish(id, out),
        }
    }

    /// The response cannot be completed.
    pub fn reset(&mut self, id: StreamId) {
        match self {
            Self::Http1(http1) => http1.reset(id),
        }
    }

    /// The peer sends nothing more. Complete requests that wait in the inbox are still served, an incomplete one is
    /// dropped; [`poll_event`](Self::poll_event) finds out.
    pub fn eof(&mut self) {
        match self {
            Self::Http1(http1) => http1.eof(),
        }
    }

    /// Begins no further request, and ends the connection when none is under way.
    pub fn drain(&mut self) {
        match self {
            Self::Http1(http1) => http1.drain(),
        }
    }

    /// The deadline of what the connection is [`awaiting`](Self::awaiting) has passed. An event is to be handled as one
    /// of [`poll_event`](Self::poll_event)'s; without one the connection ends silently, as its disposition says.
    pub fn expire(&mut self, inbox: &BytesMut) -> Option<Event> {
        match self {
            Self::Http1(http1) => http1.expire(inbox),
        }
    }

    /// What the connection waits for from its peer, once [`poll_event`](Self::poll_event) has had nothing more.
    pub fn awaiting(&self, inbox: &BytesMut) -> Awaiting {
        match self {
            Self::Http1(http1) => http1.awaiting(inbox),
        }
    }

    /// Whether more input may be put into the inbox; false while enough waits there.
    pub fn wants_input(&self, inbox: &BytesMut) -> bool {
        match self {
            Self::Http1(http1) => http1.wants_input(inbox),
        }
    }

    /// What is to become of the connection.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Http1(http1) => http1.disposition(),
        }
    }

    /// Whether no request is under way and nothing of a next one has arrived.
    pub fn is_idle(&self, inbox: &BytesMut) -> bool {
        match self {
            Self::Http1(http1) => http1.is_idle(inbox),
        }
    }
}
