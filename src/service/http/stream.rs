//! One request of a connection, from its head to the last byte of its response.

use std::collections::VecDeque;
use std::time::Instant;

use super::refusal::Refusal;
use crate::base::chunk::Chunk;
use crate::exchange::{Handle, Script};
use crate::http::message::Request;
use crate::service::compression::Compression;
use crate::service::content::Collector;
use crate::service::reply::Reply;

/// A request that has not been answered completely.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) reply: Reply,
    pub(super) state: State,
    /// There may be something to be pulled.
    pub(super) has_news: bool,
    /// Where requests overlap: when the peer must have sent or taken something. Else the connection's timers tell.
    pub(super) due: Option<Instant>,
    /// How much of the response it had taken when that was last looked at.
    pub(super) taken: u64,
}

/// What a stream waits for:
///
/// ```text
/// Content ──all received──▶ Php { Head::Awaited } ──▶ Php { Head::Sent } ──┬▶ Leaving ──▶ (removed)
///                                                 file, page ──▶ Chunks ───┘
/// ```
#[derive(Debug)]
pub(super) enum State {
    /// The peer's content, for a script.
    Content { request: Request, script: Script, collector: Collector },
    /// PHP's response.
    Php {
        handle: Handle,
        head: Head,
        compression: Compression,
        /// The error that it explains.
        refusal: Option<Refusal>,
        /// The request, if the response may be the server's to give.
        request: Option<Box<Request>>,
    },
    /// Room for content that has been found, and must be read where it lies in a file.
    Chunks(VecDeque<Chunk>),
    /// The peer's taking what it has been given.
    Leaving,
}

/// How far PHP's response has come.
#[derive(Debug)]
pub(super) enum Head {
    /// Not to its head; it may wait for a PHP thread until then.
    Awaited { queued_until: Instant },
    /// The head has been sent.
    Sent,
}

impl Stream {
    pub(super) fn new(reply: Reply, state: State) -> Self {
        Self { reply, state, has_news: true, due: None, taken: 0 }
    }

    /// Whether PHP has produced content that has not been pulled.
    pub(super) fn has_output(&self) -> bool {
        matches!(&self.state, State::Php { handle, .. } if handle.buffered() > 0)
    }

    /// Whether content of PHP's could be pulled, and nobody watches that the peer makes room for it.
    pub(super) fn is_unwatched(&self) -> bool {
        self.has_news && self.due.is_none() && self.has_output()
    }
}
