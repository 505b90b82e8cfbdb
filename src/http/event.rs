//! What a protocol tells the layer above, the same for every version: events, and what the connection waits for.
//!
//! The words stand here, below the protocols that say them; `protocol` is where they are used together. Pure data.

use bytes::Bytes;

use super::message::Request;
use super::peer_error::PeerError;

/// Which request on a connection. In HTTP/1 the first is 1; no two of a connection are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// What a peer has sent.
#[derive(Debug)]
pub enum Event {
    /// A complete, valid request head.
    Request(StreamId, Request),
    /// A piece of its content, never empty.
    Content(StreamId, Bytes),
    /// Its content is complete; follows every request, at once when there is no content.
    EndOfContent(StreamId),
    /// The peer broke a rule: to be answered with [`PeerError::status`] (or reset, when a response is already under
    /// way), after which the protocol closes. In the middle of content it carries the request's own id.
    Invalid(StreamId, PeerError),
    /// The peer takes no response to this request any more; nothing is left of it.
    Reset(StreamId),
    /// A stream that had no room for more content has.
    Room(StreamId),
    /// The response has been put into the send queue to its end; nothing is left of the request.
    Sent(StreamId),
}

/// What a connection waits for from its peer; decides which deadline runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaiting {
    /// A request, of which nothing has arrived: the connection is idle.
    Request,
    /// The rest of a head, of which a part has arrived.
    Head,
    /// Content of the current request.
    Content,
    /// Content that is thrown away, since its response is complete.
    Discard,
    /// Nothing: a response is under way, or the connection is closing.
    Nothing,
}

/// What is to become of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// It goes on.
    Open,
    /// Everything queued is sent; then half-close, read and throw away for a while, close (RFC 9112 §9.6).
    Linger,
    /// Everything queued is sent; then close at once: the peer has announced or reached the end of what it sends, so that
    /// no unread input can turn the close into a reset.
    Close,
    /// Reset now: what is queued does not matter any more, and no end of the connection may pass for the response's.
    Cut,
}
