//! Several parts of a representation in one message: `multipart/byteranges` (RFC 9110 §14.6, RFC 2046 §5.1). Pure.

use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;

use super::files::Metadata;
use super::range::Part;

/// The frames of such a message: what stands between the parts.
#[derive(Debug)]
pub(super) struct Frames {
    /// `Content-Type` of the whole.
    pub(super) content_type: String,
    /// What stands in front of each part, in their order.
    pub(super) heads: Vec<Bytes>,
    /// What stands behind the last.
    pub(super) end: Bytes,
}

impl Frames {
    /// Frames for `parts` of the representation that `metadata` describes.
    pub(super) fn new(parts: &[Part], metadata: &Metadata) -> Self {
        // Hashers are keyed at random: no file can have been made to contain it.
        let random = || RandomState::new().hash_one(parts.len());
        let boundary = format!("{:016x}{:016x}", random(), random());
        let coding = metadata.coding.map_or(String::new(), |coding| format!("Content-Encoding: {}\r\n", coding.name()));
        let head = |(index, part): (usize, &Part)| {
            let line_end = if index == 0 { "" } else { "\r\n" };
            Bytes::from(format!(
                "{line_end}--{boundary}\r\nContent-Type: {}\r\n{coding}Content-Range: {}\r\n\r\n",
                metadata.content_type,
                content_range(*part, metadata.len),
            ))
        };
        Self {
            content_type: format!("multipart/byteranges; boundary={boundary}"),
            heads: parts.iter().enumerate().map(head).collect(),
            end: Bytes::from(format!("\r\n--{boundary}--\r\n")),
        }
    }

    /// How many bytes they are.
    pub(super) fn len(&self) -> u64 {
        self.heads.iter().chain([&self.end]).map(|frame| frame.len() as u64).sum()
    }
}

/// `Content-Range` of a part of `len` bytes.
pub(super) fn content_range(part: Part, len: u64) -> String {
    format!("bytes {}-{}/{len}", part.first, part.first + part.len - 1)
}
