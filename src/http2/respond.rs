//! The sending half of a connection: from an application's commands to what h2 is to send.

use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use h2_http::header::{CONTENT_LENGTH, DATE, HeaderMap, HeaderName, HeaderValue};
use h2_http::{Response as H2Response, StatusCode};

use super::piece::Piece;
use super::{Http2, Stream};
use crate::base::chunk::Chunk;
use crate::base::limits;
use crate::http::date::IMF_FIXDATE_LEN;
use crate::http::event::StreamId;
use crate::http::headers::{Field, Headers, trim};
use crate::http::message::{ContentLength, Response};
use crate::http::method::Method;
use crate::http::status::Status;

/// How far a response has come.
pub(super) enum Respond {
    /// The head is still to come; interim ones may precede it.
    Head(SendResponse<Piece>),
    /// Content may follow.
    Content(h2::SendStream<Piece>, Length),
}

/// How much content a response still has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// None, whatever comes, and its end has been told.
    None,
    /// So many bytes, more than 0; the last of them tells the end.
    Exact(u64),
    /// As many as come.
    Unknown,
}

impl Http2 {
    /// Tells the peer to send the content it holds back: once, only when it waits for that, and only while it does.
    pub fn send_continue(&mut self, id: StreamId) {
        let Some(stream) = self.stream(id) else { return };
        if let (Respond::Head(respond), Some(content)) = (&mut stream.respond, &mut stream.content)
            && std::mem::take(&mut stream.awaits_continue)
            && content.flow_control().used_capacity() == 0
        {
            let mut response = H2Response::new(());
            *response.status_mut() = StatusCode::CONTINUE;
            // It fails if the stream has been reset, which is news of its own.
            let _ = respond.send_informational(response);
        }
    }

    /// Sends a response head. Fields of framing and connection management are left out (RFC 9113 §8.2.2), as is what
    /// is no field; `date` is used unless the response brings its own. An interim one (1xx) may precede the final one,
    /// but never 101 (§8.6). After the final head nothing happens.
    pub fn send_response(
        &mut self,
        id: StreamId,
        response: Response,
        length: ContentLength,
        date: &[u8; IMF_FIXDATE_LEN],
    ) {
        let date = self.date(date);
        let Some(stream) = self.stream(id) else { return };
        let Respond::Head(respond) = &mut stream.respond else { return };
        let status = response.status;
        let Ok(code) = StatusCode::from_u16(status.code()) else { return };
        let mut head = H2Response::new(());
        *head.status_mut() = code;
        *head.headers_mut() = fields(response.headers);
        if status.is_informational() {
            if status != Status::SWITCHING_PROTOCOLS {
                head.headers_mut().remove(DATE);
                let _ = respond.send_informational(head);
            }
            return;
        }
        head.headers_mut().entry(DATE).or_insert(date);
        let (length, announced) = delimit(stream.method, status, length);
        if let Some(announced) = announced {
            head.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(announced));
        }
        match respond.send_response(head, length == Length::None) {
            Ok(sending) => stream.respond = Respond::Content(sending, length),
            // The stream has been reset.
            Err(_) => stream.line.note(),
        }
    }

    /// Sends a piece of content, and returns how many bytes of it will be sent: none where there can be no content,
    /// and no more than was announced. A range of a file is not to be given; a response with one is reset.
    pub fn send_content(&mut self, id: StreamId, chunk: Chunk) -> u64 {
        let Some(stream) = self.stream(id) else { return 0 };
        let Respond::Content(sending, length) = &mut stream.respond else { return 0 };
        let mut bytes = match chunk {
            Chunk::Bytes(bytes) => bytes,
            Chunk::File(_) => {
                self.reset(id);
                return 0;
            }
        };
        let mut is_last = false;
        match length {
            Length::None => return 0,
            Length::Unknown => {}
            Length::Exact(left) => {
                bytes.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= bytes.len() as u64;
                is_last = *left == 0;
            }
        }
        if is_last {
            *length = Length::None;
        }
        if bytes.is_empty() {
            return 0;
        }
        let len = bytes.len() as u64;
        if sending.send_data(Piece::new(bytes, &stream.line), is_last).is_err() {
            // The stream has been reset.
            stream.line.note();
        }
        len
    }

    /// Whether the stream takes more content. If not, [`Event::Room`](crate::http::event::Event::Room) will tell.
    pub fn has_room(&mut self, id: StreamId) -> bool {
        let Some(stream) = self.stream(id) else { return false };
        let has_room = stream.line.unsent() < limits::STREAM_SEND_HIGH;
        if !has_room {
            stream.is_stalled = true;
            stream.line.tell_below(limits::STREAM_SEND_LOW);
        }
        has_room
    }

    /// Bytes of content that have been given and have not left for the send queue, and that have.
    pub fn progress(&mut self, id: StreamId) -> (u64, u64) {
        self.stream(id).map_or((0, 0), |stream| (stream.line.unsent(), stream.line.sent()))
    }

    /// The response is complete. One that lacks its head or announced content is reset instead. Else
    /// [`Event::Sent`](crate::http::event::Event::Sent) will follow.
    pub fn finish(&mut self, id: StreamId) {
        let Some(stream) = self.stream(id) else { return };
        match &mut stream.respond {
            _ if stream.is_ended => {}
            Respond::Content(sending, length @ (Length::None | Length::Unknown)) => {
                if *length == Length::Unknown {
                    // If it fails, the stream has been reset, which is news of its own.
                    let _ = sending.send_data(Piece::new(Bytes::new(), &stream.line), true);
                    *length = Length::None;
                }
                stream.is_ended = true;
                stream.line.tell_below(1);
            }
            Respond::Head(_) | Respond::Content(_, Length::Exact(_)) => self.reset(id),
        }
    }

    /// The response cannot be completed.
    pub fn reset(&mut self, id: StreamId) {
        self.end(id, Reason::INTERNAL_ERROR);
    }

    /// The request has not been and will not be looked at; the peer may send it again (RFC 9113 §8.7).
    pub fn refuse(&mut self, id: StreamId) {
        self.end(id, Reason::REFUSED_STREAM);
    }

    pub(super) fn end(&mut self, id: StreamId, reason: Reason) {
        let Some(mut stream) = self.remove(id) else { return };
        stream.send_reset(reason);
    }

    /// The value of a Date field, made anew once a second.
    fn date(&mut self, date: &[u8; IMF_FIXDATE_LEN]) -> HeaderValue {
        if self.date.as_bytes() != date {
            self.date = HeaderValue::from_bytes(date).expect("a date is text");
        }
        self.date.clone()
    }
}

impl Stream {
    pub(super) fn send_reset(&mut self, reason: Reason) {
        match &mut self.respond {
            Respond::Head(respond) => respond.send_reset(reason),
            Respond::Content(sending, _) => sending.send_reset(reason),
        }
    }
}

/// How a response is delimited, and the length that it announces (RFC 9110 §8.6).
fn delimit(method: Option<Method>, status: Status, length: ContentLength) -> (Length, Option<u64>) {
    let announced = match length {
        ContentLength::Exact(n) => Some(n),
        ContentLength::Unknown => None,
    };
    match announced {
        _ if status == Status::RESET_CONTENT => (Length::None, Some(0)),
        _ if status.forbids_content() => (Length::None, None),
        // RFC 9110 §9.3.6: no such field in a successful response to CONNECT.
        _ if method == Some(Method::Connect) && status.code() < 300 => (Length::None, None),
        _ if method == Some(Method::Head) => (Length::None, announced),
        Some(0) => (Length::None, announced),
        Some(n) => (Length::Exact(n), announced),
        None => (Length::Unknown, None),
    }
}

/// The fields as h2 wants them. Values share the block; names that everybody uses cost nothing.
fn fields(headers: Headers) -> HeaderMap {
    let (block, fields) = headers.into_parts();
    let block = block.freeze();
    let mut map = HeaderMap::with_capacity(fields.len() + 2);
    let mut is_dated = false;
    for Field { name, value } in fields {
        let slice = |start: u16, len: u16| usize::from(start)..usize::from(start) + usize::from(len);
        let name = &block[slice(name.start, name.len)];
        if is_owned(name) || (is_dated && name.eq_ignore_ascii_case(b"Date")) {
            continue;
        }
        let value = block.slice_ref(trim(&block[slice(value.start, value.len)]));
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_maybe_shared(value)) {
            is_dated |= name == DATE;
            map.append(name, value);
        }
    }
    map
}

/// Whether a field is the protocol's own: framing and connection management.
fn is_owned(name: &[u8]) -> bool {
    let owned: &[&[u8]] = match name.len() {
        2 => &[b"TE"],
        7 => &[b"Upgrade", b"Trailer"],
        10 => &[b"Connection", b"Keep-Alive"],
        14 => &[b"Content-Length"],
        16 => &[b"Proxy-Connection"],
        17 => &[b"Transfer-Encoding"],
        _ => &[],
    };
    owned.iter().any(|owned| name.eq_ignore_ascii_case(owned))
}
