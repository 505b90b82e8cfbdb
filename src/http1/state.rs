//! The two halves of a connection, as states: what the peer is to send next, and what we are.
//!
//! An exchange begins when a head is complete (or wrong) and ends when its response is; only then is the next head
//! looked for, so responses need no order of their own. The states hold what is valid in them and nothing else.

use super::body::Body;
use super::encode::Delimiter;
use super::head::Head;
use crate::http::message::Version;
use crate::http::method::Method;

/// The receiving half: what comes next from the peer.
///
/// ```text
///   ┌────────────────────── response finished ───────────────────────┐
///   ▼                                                                │
/// Head ──▶ Content ──▶ End ── EndOfContent given ──▶ Complete ───────┤
///   │ │       │ │        └────────── response finished ──────────────┤
///   │ └───────┼─┼─ no content ─▲                                     │
///   │         │ └─ response finished first ──▶ Discard ── its end ───┘
///   ▼         ▼                                   ▼
/// Closed ◀── a broken rule, the end of the stream, too much to discard
/// ```
#[derive(Debug)]
pub(super) enum Receive {
    /// A request head, or nothing yet.
    Head(Head),
    /// Content of the current request.
    Content(Body),
    /// Nothing: the end of the content is to be told.
    End,
    /// Nothing: the request is complete and its response is not.
    Complete,
    /// Content of a request whose response is complete.
    Discard {
        /// The rest of the body.
        body: Body,
        /// How many bytes of it, coding included, may still be thrown away.
        left: u64,
    },
    /// Nothing, ever again.
    Closed,
}

/// The sending half: what comes next from the application.
///
/// ```text
/// Idle ── a request, or an error ──▶ Head ── final head ──▶ Content(Delimiter) ── finish ──▶ Idle
///                                    └┘ interim heads
/// ```
#[derive(Debug)]
pub(super) enum Respond {
    /// No exchange is open.
    Idle,
    /// The head of the final response.
    Head,
    /// Its content, to be ended as the delimiter says.
    Content(Delimiter),
}

/// What is remembered of the current request.
#[derive(Debug)]
pub(super) struct Current {
    /// None when the request line could not be read.
    pub(super) method: Option<Method>,
    pub(super) version: Version,
    pub(super) expectation: Expectation,
    pub(super) after: After,
}

/// What has become of `Expect: 100-continue` (RFC 9110 §10.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expectation {
    /// There is none.
    None,
    /// The peer holds its content back.
    Waiting,
    /// The peer did not wait.
    Overtaken,
    /// It has been told to go on.
    Met,
}

/// What happens when the current exchange is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// The next request.
    Continue,
    /// The connection ends, as the peer said it would (RFC 9112 §9.6): nothing more can come that a reset would hurt.
    PeerCloses,
    /// The connection ends by our will, which the peer does not expect.
    WeClose,
}
