//! Encodes the content of PHP's responses on its way to the protocol (RFC 9110 §8.4), where the client wants that and
//! the site's rules allow it.
//!
//! A stage without I/O: pieces of a response go in, pieces come out ([`Ready`]). The head of an encoded response is
//! held back until more is known: a response that is there as a whole gets its length, as it would have without this
//! stage. Whenever PHP pauses, all that it has handed over comes out, so what a script flushes arrives.

use std::sync::Arc;

use bytes::Bytes;

use crate::base::limits;
use crate::http::coding::{Choice, Coding, choose};
use crate::http::encoder::Encoder;
use crate::http::headers::Headers;
use crate::http::message::{ContentLength, Request, Response};
use crate::http::method::Method;
use crate::http::status::Status;
use crate::site::compression::{Options, forbids_transformation};

/// Encoded bytes that are held back with the head at most.
const HELD_BYTES_MAX: usize = 64 * 1024;

/// What happens to the content of one response:
///
/// ```text
/// Undecided ──start──▶ Held ──more than fits, pause──▶ Encoding ──finish──▶ Plain
///     └────start───────────────────────────────────────────────────────────────▲
/// ```
#[derive(Debug)]
pub(super) enum Compression {
    /// No head yet. Holds the coding that the client wants, and its If-None-Match if that names a weak tag.
    Undecided { wanted: Option<Coding>, method: Method, weak_tags: Option<Box<[u8]>> },
    /// The head waits for the content.
    Held { response: Response, stage: Box<Stage> },
    /// The head is out.
    Encoding(Box<Stage>),
    /// Nothing is to be done (any more).
    Plain,
}

/// An encoder that counts among those of its loop.
#[derive(Debug)]
pub(super) struct Stage {
    encoder: Encoder,
    _counted: Arc<()>,
}

/// What is ready to be sent, in this order.
#[derive(Debug, Default)]
pub(super) struct Ready {
    pub(super) head: Option<(Response, ContentLength)>,
    /// Never empty.
    pub(super) content: Option<Bytes>,
}

impl Compression {
    /// A response to `request`.
    pub(super) fn new(request: &Request, options: &Options) -> Self {
        if !options.enabled {
            return Self::Plain;
        }
        let available = options.codings.iter().copied().collect();
        let wanted = match choose(&request.headers, available, &options.codings) {
            Choice::Coding(coding) => Some(coding),
            Choice::Identity | Choice::Nothing => None,
        };
        let weak_tags = request.headers.get("If-None-Match").filter(|tags| memchr::memmem::find(tags, b"W/").is_some());
        Self::Undecided { wanted, method: request.method, weak_tags: weak_tags.map(Box::from) }
    }

    /// The head. `encoders` is what the encoders of this loop share.
    pub(super) fn start(
        &mut self,
        mut response: Response,
        length: ContentLength,
        options: &Options,
        encoders: &Arc<()>,
    ) -> Ready {
        let Self::Undecided { wanted, method, weak_tags } = std::mem::replace(self, Self::Plain) else {
            return Ready { head: Some((response, length)), content: None };
        };
        if response.status == Status::NOT_MODIFIED && is_encodable(&response.headers, options) {
            tell_as_encoded(&mut response.headers, weak_tags.as_deref());
        } else if is_worth_it(&response, length, options) {
            add_vary(&mut response.headers);
            if let Some(coding) = wanted
                && Arc::strong_count(encoders) <= limits::ENCODERS_MAX
                && mark_encoded(&mut response.headers, coding)
            {
                if method == Method::Head {
                    // How long the content would be is known only when it is made (RFC 9110 §8.6, §9.3.2).
                    return Ready { head: Some((response, ContentLength::Unknown)), content: None };
                }
                let known = match length {
                    ContentLength::Exact(len) => Some(len),
                    ContentLength::Unknown => None,
                };
                let encoder = Encoder::new(coding, options.levels, known);
                let stage = Box::new(Stage { encoder, _counted: Arc::clone(encoders) });
                *self = Self::Held { response, stage };
                return Ready::default();
            }
        }
        Ready { head: Some((response, length)), content: None }
    }

    /// Content.
    pub(super) fn write(&mut self, content: Bytes) -> Ready {
        match self {
            Self::Undecided { .. } | Self::Plain => Ready { head: None, content: Some(content) },
            Self::Held { stage, .. } => {
                stage.encoder.write(&content);
                if stage.encoder.ready() < HELD_BYTES_MAX { Ready::default() } else { self.release() }
            }
            Self::Encoding(stage) => {
                stage.encoder.write(&content);
                self.release()
            }
        }
    }

    /// Nothing more for now.
    pub(super) fn flush(&mut self) -> Ready {
        match self {
            Self::Undecided { .. } | Self::Plain => Ready::default(),
            Self::Held { stage, .. } | Self::Encoding(stage) => {
                stage.encoder.flush();
                self.release()
            }
        }
    }

    /// Nothing more at all.
    pub(super) fn finish(&mut self) -> Ready {
        match std::mem::replace(self, Self::Plain) {
            Self::Undecided { .. } | Self::Plain => Ready::default(),
            Self::Held { response, mut stage } => {
                stage.encoder.finish();
                let length = ContentLength::Exact(stage.encoder.ready() as u64);
                Ready { head: Some((response, length)), content: stage.take() }
            }
            Self::Encoding(mut stage) => {
                stage.encoder.finish();
                Ready { head: None, content: stage.take() }
            }
        }
    }

    /// Whether the head has been taken and not given.
    pub(super) fn holds_head(&self) -> bool {
        matches!(self, Self::Held { .. })
    }

    /// What has been encoded; behind the head, if that is still there.
    fn release(&mut self) -> Ready {
        match std::mem::replace(self, Self::Plain) {
            Self::Held { response, mut stage } => {
                let content = stage.take();
                *self = Self::Encoding(stage);
                Ready { head: Some((response, ContentLength::Unknown)), content }
            }
            Self::Encoding(mut stage) => {
                let content = stage.take();
                *self = Self::Encoding(stage);
                Ready { head: None, content }
            }
            other => {
                *self = other;
                Ready::default()
            }
        }
    }
}

impl Stage {
    fn take(&mut self) -> Option<Bytes> {
        Some(self.encoder.take()).filter(|bytes| !bytes.is_empty())
    }
}

/// Whether a response would be encoded for a client that accepts a coding.
fn is_worth_it(response: &Response, length: ContentLength, options: &Options) -> bool {
    let has_content = !(response.status.forbids_content() || response.status == Status::PARTIAL_CONTENT);
    let is_long_enough = match length {
        ContentLength::Exact(len) => len >= options.bytes_min,
        ContentLength::Unknown => true,
    };
    has_content && is_long_enough && is_encodable(&response.headers, options)
}

/// Whether content with these fields may be encoded.
fn is_encodable(headers: &Headers, options: &Options) -> bool {
    // A digest is of the content as it is sent (RFC 9530 §2).
    let is_fixed = ["Content-Encoding", "Content-Range", "Content-Digest", "Repr-Digest", "Digest", "Content-MD5"]
        .iter()
        .any(|name| headers.contains(name));
    !is_fixed
        && headers.get("Content-Type").is_some_and(|content_type| options.covers(content_type))
        && !headers.get_all("Cache-Control").any(forbids_transformation)
}

/// Lets a 304 of a script tell what its 200 has told (RFC 9110 §15.4.5). Whether that was encoded is the client's to
/// say, by the tag that it has: a cache must not use a strong one for what it keeps under a weak one (RFC 9111 §4.3.4).
fn tell_as_encoded(headers: &mut Headers, weak_tags: Option<&[u8]>) {
    add_vary(headers);
    let strong = headers.get("ETag").filter(|tag| tag.starts_with(b"\""));
    let weak = strong.map(|tag| [b"W/", tag].concat());
    if let Some(weak) = weak.filter(|weak| weak_tags.is_some_and(|tags| memchr::memmem::find(tags, weak).is_some())) {
        replace_tag(headers, &weak);
    }
}

/// Tells caches that the answer depends on Accept-Encoding, unless the script has.
fn add_vary(headers: &mut Headers) {
    let is_told = headers.list("Vary").any(|name| name == b"*" || name.eq_ignore_ascii_case(b"Accept-Encoding"));
    if !is_told {
        // Without room for it in the block, the head is too long for any client anyway.
        let _ = headers.push(b"Vary", b"Accept-Encoding");
    }
}

/// Tells that the content is encoded; false if the head has no room for that. A strong entity tag was one of other
/// bytes, and ranges would be, too.
fn mark_encoded(headers: &mut Headers, coding: Coding) -> bool {
    if headers.push(b"Content-Encoding", coding.name().as_bytes()).is_err() {
        return false;
    }
    let weak = headers.get("ETag").filter(|tag| tag.starts_with(b"\"")).map(|tag| [b"W/", tag].concat());
    if let Some(weak) = weak {
        replace_tag(headers, &weak);
    }
    headers.remove("Accept-Ranges");
    true
}

fn replace_tag(headers: &mut Headers, tag: &[u8]) {
    headers.remove("ETag");
    // Without room for it the response has none.
    let _ = headers.push(b"ETag", tag);
}

#[cfg(test)]
mod tests;
