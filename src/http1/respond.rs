//! The sending half of a connection: from an application's commands to bytes in the send queue.

use super::Http1;
use super::body::Body;
use super::encode::{self, Delimiter, FramingField, Persistence};
use super::head::Head;
use super::state::{After, Current, Expectation, Receive, Respond};
use crate::base::chunk::Chunk;
use crate::base::limits;
use crate::base::send_queue::SendQueue;
use crate::http::date::IMF_FIXDATE_LEN;
use crate::http::event::{Disposition, StreamId};
use crate::http::message::{ContentLength, Response, Version};
use crate::http::shared_head::SharedHead;
use crate::http::status::Status;

impl Http1 {
    /// Tells the peer to send the content it holds back: once, only when it waits for that, and only while it does.
    pub fn send_continue(&mut self, id: StreamId, out: &mut SendQueue) {
        let waiting = self.current.expectation == Expectation::Waiting && matches!(self.receive, Receive::Content(_));
        if id == self.id && waiting && matches!(self.respond, Respond::Head) {
            self.current.expectation = Expectation::Met;
            encode::continue_(out);
        }
    }

    /// Sends a response head. The final one decides how its content ends; `Connection: close` among its fields is a
    /// wish to end the connection, all other fields of framing and connection management are ignored, and `date` is
    /// used unless it brings its own. An interim one (1xx) may precede it; that is not sent to HTTP/1.0, nor is 101
    /// ever. After the final head, and for a request that is not the current one, nothing happens.
    pub fn send_response(
        &mut self,
        id: StreamId,
        response: Response,
        length: ContentLength,
        date: &[u8; IMF_FIXDATE_LEN],
        out: &mut SendQueue,
    ) {
        if id != self.id || !matches!(self.respond, Respond::Head) {
            return;
        }
        if response.status.is_informational() {
            if self.current.version >= Version::Http11 && response.status != Status::SWITCHING_PROTOCOLS {
                encode::interim(&response, out);
            }
            return;
        }
        let asks_to_close = response.headers.list("Connection").any(|option| option.eq_ignore_ascii_case(b"close"));
        let (framing, persistence) = self.begin_response(response.status, length, asks_to_close);
        encode::head(&response, framing, persistence, date, out);
    }

    /// The same for a head that many requests get: what does not depend on the request is rendered once.
    pub fn send_shared(
        &mut self,
        id: StreamId,
        head: &SharedHead,
        length: ContentLength,
        date: &[u8; IMF_FIXDATE_LEN],
        out: &mut SendQueue,
    ) {
        let Some(rendered) = head.rendered(encode::render) else {
            return self.send_response(id, head.response().clone(), length, date, out);
        };
        if id != self.id || !matches!(self.respond, Respond::Head) {
            return;
        }
        // What has a say about the connection is not rendered.
        let (framing, persistence) = self.begin_response(head.response().status, length, false);
        encode::rendered_head(rendered, framing, persistence, date, out);
    }

    /// Decides how the content of a response ends, and what becomes of the connection then.
    fn begin_response(
        &mut self,
        status: Status,
        length: ContentLength,
        asks_to_close: bool,
    ) -> (FramingField, Persistence) {
        let Current { method, version, .. } = self.current;
        let (delimiter, framing) = encode::delimit(method, version, status, length);
        if delimiter == Delimiter::Close || asks_to_close || self.wants_to_close(status) {
            self.close_after();
        }
        self.respond = Respond::Content(delimiter);
        let persistence = match self.current.after {
            After::PeerCloses | After::WeClose => Persistence::Close,
            After::Continue if version == Version::Http10 => Persistence::KeepAlive,
            After::Continue => Persistence::Default,
        };
        (framing, persistence)
    }

    /// Sends a piece of content. What exceeds the promised length is cut off; where there can be no content (HEAD, 204,
    /// 304, …) it is dropped.
    pub fn send_content(&mut self, id: StreamId, chunk: Chunk, out: &mut SendQueue) {
        let Respond::Content(delimiter) = &mut self.respond else { return };
        if id != self.id {
            return;
        }
        match delimiter {
            Delimiter::Head => {}
            Delimiter::Length(left) => {
                let chunk = truncate(chunk, *left);
                *left -= chunk.len();
                out.push(chunk);
            }
            Delimiter::LastChunk => encode::chunk(chunk, out),
            Delimiter::Close => out.push(chunk),
        }
    }

    /// The response is complete. One that has no final head, or less content than promised, is cut.
    pub fn finish(&mut self, id: StreamId, out: &mut SendQueue) {
        if id != self.id {
            return;
        }
        match self.respond {
            Respond::Idle => return,
            Respond::Head | Respond::Content(Delimiter::Length(1..)) => return self.reset(id),
            Respond::Content(Delimiter::LastChunk) => encode::last_chunk(out),
            Respond::Content(Delimiter::Head | Delimiter::Length(0) | Delimiter::Close) => {}
        }
        self.respond = Respond::Idle;
        if self.draining {
            self.close_after();
        }
        match (self.current.after, std::mem::replace(&mut self.receive, Receive::Closed)) {
            (After::Continue, Receive::End | Receive::Complete) => self.receive = Receive::Head(Head::default()),
            (After::Continue, Receive::Content(body)) if !is_too_much(&body) => {
                self.receive = Receive::Discard { body, left: limits::DISCARD_BYTES_MAX };
            }
            (After::PeerCloses, Receive::End | Receive::Complete) => self.close(Disposition::Close),
            _ => self.close(Disposition::Linger),
        }
    }

    /// The response cannot be completed: the connection ends when all that was sent so far is out, which includes
    /// replies to earlier requests. A response that only the end of the connection ends would seem complete then; it
    /// is cut.
    pub fn reset(&mut self, id: StreamId) {
        match self.respond {
            _ if id != self.id => {}
            Respond::Idle => {}
            Respond::Content(Delimiter::Close) => self.close(Disposition::Cut),
            Respond::Head | Respond::Content(_) => self.close(Disposition::Linger),
        }
    }

    /// Whether the connection must end after a response of this status, as far as that and the unread content tell.
    fn wants_to_close(&self, status: Status) -> bool {
        let Receive::Content(body) = &self.receive else { return self.draining };
        // Without 100 Continue it is open whether the content will come; a peer and we may differ on that.
        let held_back = matches!(self.current.expectation, Expectation::Waiting | Expectation::Overtaken);
        let refused = matches!(status, Status::CONTENT_TOO_LARGE | Status::REQUEST_TIMEOUT);
        self.draining || held_back || refused || is_too_much(body)
    }
}

/// Whether a body is known to be longer than what is thrown away to keep a connection.
fn is_too_much(body: &Body) -> bool {
    body.left().is_some_and(|left| left > limits::DISCARD_BYTES_MAX)
}

/// The first `len` bytes of a chunk.
fn truncate(chunk: Chunk, len: u64) -> Chunk {
    match chunk {
        chunk if chunk.len() <= len => chunk,
        Chunk::Bytes(mut bytes) => {
            bytes.truncate(usize::try_from(len).expect("less than the chunk's own length"));
            Chunk::Bytes(bytes)
        }
        Chunk::File(mut range) => Chunk::File(range.split_to(len)),
    }
}
