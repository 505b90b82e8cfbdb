//! One step in receiving content: the next piece of it, split off the inbox without copying.

use bytes::{Bytes, BytesMut};

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

/// At most `left` bytes of content, of which there is some; `left` is lowered.
pub(super) fn take(inbox: &mut BytesMut, left: &mut u64) -> Step {
    if inbox.is_empty() {
        return Step::Starved;
    }
    let n = usize::try_from(*left).unwrap_or(usize::MAX).min(inbox.len());
    *left -= n as u64;
    Step::Content(inbox.split_to(n).freeze())
}
