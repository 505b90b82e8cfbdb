//! What a service needs of a protocol: events in, responses out, and what the connection waits for.
//!
//! One enum with a variant a version, matched and never `dyn`. The contract is sans-I/O: a caller feeds an inbox, polls
//! events until there are none, sends responses into a [`SendQueue`], and then looks at
//! [`awaiting`](Protocol::awaiting) and [`disposition`](Protocol::disposition). Every command names its stream; one that
//! comes too late, or for a stream that is closed, does nothing. What differs between versions can be asked for by what
//! it means: whether requests overlap, whether a file can be named instead of read.

use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;

pub use crate::http::event::{Awaiting, Disposition, Event, StreamId};
pub use crate::http::peer_error::PeerError;

use crate::base::chunk::Chunk;
use crate::base::limits;
use crate::base::send_queue::SendQueue;
use crate::http::date::IMF_FIXDATE_LEN;
use crate::http::message::{ContentLength, Response};
use crate::http::shared_head::SharedHead;
use crate::http1::{Http1, Http1Options};
use crate::http2::{self, Http2, Http2Options};

/// The server side of a connection.
#[derive(Debug)]
pub enum Protocol {
    /// HTTP/1.0 and HTTP/1.1.
    Http1(Http1),
    /// HTTP/2.
    Http2(Box<Http2>),
    /// Whichever the peer's first bytes say. Until then it is the former.
    Unknown(Http1, Arc<Http2Options>),
}

impl Protocol {
    /// HTTP/1, as agreed or since nothing else is spoken.
    pub fn http1(options: Http1Options) -> Self {
        Self::Http1(Http1::new(options))
    }

    /// HTTP/2, as agreed (ALPN `h2`).
    pub fn http2(options: Http2Options) -> Self {
        Self::Http2(Box::new(Http2::new(options)))
    }

    /// HTTP/1, or HTTP/2 if the peer knows that it may begin so (RFC 9113 §3.3).
    pub fn either(http1: Http1Options, http2: Arc<Http2Options>) -> Self {
        Self::Unknown(Http1::new(http1), http2)
    }

    /// The next event, whose bytes are consumed from the inbox; none when more input is needed, or when a response
    /// must be finished first. To be called until there is none: after input, after [`eof`](Self::eof), after commands.
    pub fn poll_event(&mut self, inbox: &mut BytesMut, out: &mut SendQueue, now: Instant) -> Option<Event> {
        match self {
            Self::Http1(http1) => http1.poll_event(inbox),
            Self::Http2(http2) => http2.poll_event(inbox, out, now),
            Self::Unknown(..) => {
                self.decide(inbox)?;
                self.poll_event(inbox, out, now)
            }
        }
    }

    /// Puts into the send queue what commands have left to be put there.
    pub fn flush(&mut self, inbox: &mut BytesMut, out: &mut SendQueue, now: Instant) {
        match self {
            Self::Http1(_) | Self::Unknown(..) => {}
            Self::Http2(http2) => http2.flush(inbox, out, now),
        }
    }

    /// Finds out which version it is; none while that is open.
    fn decide(&mut self, inbox: &BytesMut) -> Option<()> {
        let Self::Unknown(http1, options) = self else { return Some(()) };
        let len = inbox.len().min(http2::PREFACE.len());
        *self = match inbox[..len] == http2::PREFACE[..len] {
            false => Self::Http1(http1.take()),
            true if len == http2::PREFACE.len() => Self::http2(**options),
            // What is incomplete when all has come is HTTP/1's to judge.
            true if http1.is_at_eof() => Self::Http1(http1.take()),
            true => return None,
        };
        Some(())
    }

    /// Whether requests overlap on a connection, so that each has deadlines of its own.
    pub fn multiplexes(&self) -> bool {
        matches!(self, Self::Http2(_))
    }

    /// Whether content may be a range of a file. If not, it must be read.
    pub fn takes_files(&self) -> bool {
        !matches!(self, Self::Http2(_))
    }

    /// Requests that may be under way at once, those included that the peer has given up and that we have not.
    pub fn concurrency_max(&self) -> usize {
        match self {
            Self::Http1(_) | Self::Unknown(..) => usize::MAX,
            Self::Http2(http2) => http2.requests_at_once_max(),
        }
    }

    /// Tells the peer to send the content it holds back, if it still does.
    pub fn send_continue(&mut self, id: StreamId, out: &mut SendQueue) {
        match self {
            Self::Http1(http1) | Self::Unknown(http1, _) => http1.send_continue(id, out),
            Self::Http2(http2) => http2.send_continue(id),
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
            Self::Http1(http1) | Self::Unknown(http1, _) => http1.send_response(id, response, length, date, out),
            Self::Http2(http2) => http2.send_response(id, response, length, date),
        }
    }

    /// The same, for a final head that many requests get.
    pub fn send_shared(
        &mut self,
        id: StreamId,
        head: &SharedHead,
        length: ContentLength,
        date: &[u8; IMF_FIXDATE_LEN],
        out: &mut SendQueue,
    ) {
        match self {
            Self::Http1(http1) | Self::Unknown(http1, _) => http1.send_shared(id, head, length, date, out),
            Self::Http2(http2) => http2.send_response(id, head.response().clone(), length, date),
        }
    }

    /// Whether a stream takes more content now. If its own peer is to blame, and not the send queue, [`Event::Room`]
    /// tells when it does.
    pub fn has_room(&mut self, id: StreamId, out: &SendQueue) -> bool {
        let is_queue_full = out.len() >= limits::SEND_QUEUE_HIGH;
        match self {
            _ if is_queue_full => false,
            Self::Http1(_) | Self::Unknown(..) => true,
            Self::Http2(http2) => http2.has_room(id),
        }
    }

    /// Sends a piece of content; what exceeds the announced length, or may not be sent at all, is dropped. Returns how
    /// many bytes will be sent for it, framing that stands between them included.
    pub fn send_content(&mut self, id: StreamId, chunk: Chunk, out: &mut SendQueue) -> u64 {
        match self {
            Self::Http1(http1) | Self::Unknown(http1, _) => {
                let before = out.len();
                http1.send_content(id, chunk, out);
                out.len() - before
            }
            Self::Http2(http2) => http2.send_content(id, chunk),
        }
    }

    /// Bytes of a response's content that wait for the peer's leave, and how many have had it.
    pub fn progress(&mut self, id: StreamId) -> (u64, u64) {
        match self {
            Self::Http1(_) | Self::Unknown(..) => (0, 0),
            Self::Http2(http2) => http2.progress(id),
        }
    }

    /// The response is complete. One that lacks its head or announced content is reset instead. True if it lies in the
    /// send queue; else [`Event::Sent`] tells when it does.
    pub fn finish(&mut self, id: StreamId, out: &mut SendQueue) -> bool {
        match self {
            Self::Http1(http1) | Self::Unknown(http1, _) => http1.finish(id, out),
            Self::Http2(http2) => http2.finish(id),
        }
        !self.multiplexes()
    }

    /// The response cannot be completed.
    pub fn reset(&mut self, id: StreamId) {
        match self {
            Self::Http1(http1) | Self::Unknown(http1, _) => http1.reset(id),
            Self::Http2(http2) => http2.reset(id),
        }
    }

    /// The request is not looked at, since there are too many.
    pub fn refuse(&mut self, id: StreamId) {
        match self {
            Self::Http1(http1) | Self::Unknown(http1, _) => http1.reset(id),
            Self::Http2(http2) => http2.refuse(id),
        }
    }

    /// The peer sends nothing more. Complete requests that wait in the inbox are still served, an incomplete one is
    /// dropped; [`poll_event`](Self::poll_event) finds out.
    pub fn eof(&mut self) {
        match self {
            Self::Http1(http1) | Self::Unknown(http1, _) => http1.eof(),
            Self::Http2(http2) => http2.eof(),
        }
    }

    /// Begins no further request, and ends the connection when none is under way.
    pub fn drain(&mut self) {
        match self {
            Self::Http1(http1) | Self::Unknown(http1, _) => http1.drain(),
            Self::Http2(http2) => http2.drain(),
        }
    }

    /// The deadline of what the connection is [`awaiting`](Self::awaiting) has passed. An event is to be handled as one
    /// of [`poll_event`](Self::poll_event)'s; without one the connection ends as its disposition says, at once or when
    /// [`poll_event`](Self::poll_event) has said goodbye.
    pub fn expire(&mut self, inbox: &BytesMut) -> Option<Event> {
        match self {
            Self::Http1(http1) | Self::Unknown(http1, _) => http1.expire(inbox),
            Self::Http2(http2) => {
                http2.expire();
                None
            }
        }
    }

    /// What the connection waits for from its peer, once [`poll_event`](Self::poll_event) has had nothing more.
    pub fn awaiting(&self, inbox: &BytesMut) -> Awaiting {
        match self {
            Self::Http1(http1) | Self::Unknown(http1, _) => http1.awaiting(inbox),
            Self::Http2(http2) => http2.awaiting(),
        }
    }

    /// Whether more input may be put into the inbox; false while enough waits there.
    pub fn wants_input(&self, inbox: &BytesMut) -> bool {
        match self {
            Self::Http1(http1) | Self::Unknown(http1, _) => http1.wants_input(inbox),
            Self::Http2(http2) => http2.wants_input(inbox),
        }
    }

    /// What is to become of the connection.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Http1(http1) | Self::Unknown(http1, _) => http1.disposition(),
            Self::Http2(http2) => http2.disposition(),
        }
    }

    /// Whether no request is under way and nothing of a next one has arrived.
    pub fn is_idle(&self, inbox: &BytesMut) -> bool {
        self.awaiting(inbox) == Awaiting::Request
    }
}
