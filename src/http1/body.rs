//! The body of a request (RFC 9112 §6): taking content out of what arrives, up to its end and not a byte further.
//!
//! Built from the [`Framing`] alone. Content is split off the inbox without copying; what follows the end stays there.

use bytes::BytesMut;

use super::chunked::Chunked;
use super::framing::Framing;
use super::piece::{Step, take};
use crate::http::peer_error::PeerError;

/// A body that is being received.
#[derive(Debug)]
pub(super) enum Body {
    /// So many bytes are still to come.
    Length(u64),
    /// Chunks.
    Chunked(Chunked),
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
