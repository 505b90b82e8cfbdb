//! The body of a request (RFC 9112 §6): taking content out of what arrives, up to its end and not a byte further.
//!
//! Built from the [`Framing`] alone. Content is split off the inbox without copying; what follows the end stays there.

use bytes::{Bytes, BytesMut};

use super::chunked::Chunked;
use super::framing::Framing;
use crate::http::peer_error::PeerError;

/// A body that is being received.
#[derive(Debug)]
pub(super) enum Body {
    /// So many bytes are still to come.
    Length(u64),
    /// Chunks.
    Chunked(Chunked),
}

/// What lies in front of the inbox.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A piece of content, never empty.
    Content(Bytes),
    /// The end of the body.
    End,
    /// Nothing yet: more input is needed.
    Starved,
}

impl Body {
    /// The body that a framing announces, if it announces one.
    pub(super) fn new(framing: Framing) -> Option<Self> {
        match framing {
            Framing::None => None,
            Framing::Length(length) => Some(Self::Length(length)),
            Framing::Chunked => Some(Self::Chunked(Chunked::default())),
        }
    }

    /// Takes the next piece off the inbox.
    pub(super) fn decode(&mut self, inbox: &mut BytesMut) -> Result<Step, PeerError> {
        match self {
            Self::Length(0) => Ok(Step::End),
            Self::Length(left) => Ok(take(inbox, left)),
            Self::Chunked(chunked) => chunked.decode(inbox),
        }
    }

    /// How many bytes are still to come, when that is known.
    pub(super) fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Chunked(_) => None,
        }
    }
}

/// At most `left` bytes of content, of which there is some; `left` is lowered.
pub(super) fn take(inbox: &mut BytesMut, left: &mut u64) -> Step {
    if inbox.is_empty() {
        return Step::Starved;
    }
    let n = usize::try_from(*left).unwrap_or(usize::MAX).min(inbox.len());
    *left -= n as u64;
    Step::Content(inbox.split_to(n).freeze())
}
