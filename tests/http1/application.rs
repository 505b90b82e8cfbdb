//! The application of a transcript: it answers as it is told, in any version of HTTP, and tells what it was asked.

use std::io::IoSlice;

use bytes::Bytes;
use ephpm::base::send_queue::SendQueue;
use ephpm::http::message::{ContentLength, Request, Response};
use ephpm::http::status::Status;
use ephpm::protocol::{PeerError, Protocol, StreamId};

use super::transcript::{Action, DATE};

/// What the application does.
#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) early: bool,
    pub(crate) hold: bool,
    pub(crate) sends_continue: bool,
    pub(crate) resets: bool,
    pub(crate) unfinished: bool,
    pub(crate) shows_fields: bool,
    pub(crate) status: Option<u16>,
    pub(crate) reason: Option<String>,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) length: Option<Option<u64>>,
    pub(crate) content: Vec<Vec<u8>>,
    pub(crate) interim: Vec<u16>,
}

impl Answer {
    /// Takes note of an instruction that concerns the answer.
    pub(crate) fn act(&mut self, action: &Action) {
        match action.clone() {
            Action::Early => self.early = true,
            Action::Hold => self.hold = true,
            Action::Continue => self.sends_continue = true,
            Action::Reset => self.resets = true,
            Action::Unfinished => self.unfinished = true,
            Action::Fields => self.shows_fields = true,
            Action::Status(code) => self.status = Some(code),
            Action::Reason(reason) => self.reason = Some(reason),
            Action::Field(name, value) => self.fields.push((name, value)),
            Action::Length(length) => self.length = Some(length),
            Action::Content(content) => self.content.push(content),
            Action::Interim(code) => self.interim.push(code),
            _ => {}
        }
    }

    /// Back to the plain answer.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn pieces(&self) -> Vec<&[u8]> {
        match &self.content[..] {
            [] => vec![b"ok"],
            content => content.iter().map(Vec::as_slice).collect(),
        }
    }

    /// Answers a request.
    pub(crate) fn respond(&self, protocol: &mut Protocol, id: StreamId, out: &mut SendQueue) -> Given {
        for code in &self.interim {
            let response = Response::new(Status::from_code(*code).unwrap());
            protocol.send_response(id, response, ContentLength::Unknown, DATE, out);
        }
        let mut response = Response::new(Status::from_code(self.status.unwrap_or(200)).unwrap());
        response.reason = self.reason.as_ref().map(|reason| reason.as_bytes().into());
        for (name, value) in &self.fields {
            response.headers.add(name, value.as_bytes());
        }
        let content = self.pieces();
        let total = content.iter().map(|piece| piece.len() as u64).sum();
        let length = self.length.unwrap_or(Some(total));
        let length = length.map_or(ContentLength::Unknown, ContentLength::Exact);
        protocol.send_response(id, response, length, DATE, out);
        for piece in content {
            protocol.send_content(id, Bytes::copy_from_slice(piece).into(), out);
        }
        if self.resets {
            protocol.reset(id);
        } else if self.unfinished {
            return Given::Unfinished;
        } else {
            protocol.finish(id, out);
        }
        Given::Whole
    }

    /// Answers a peer's error.
    pub(crate) fn refuse(&self, protocol: &mut Protocol, id: StreamId, error: PeerError, out: &mut SendQueue) {
        let response = Response::new(error.status());
        let length = if self.length == Some(None) { ContentLength::Unknown } else { ContentLength::Exact(2) };
        protocol.send_response(id, response, length, DATE, out);
        protocol.send_content(id, Bytes::from_static(b"no").into(), out);
        protocol.finish(id, out);
    }
}

/// What is queued for the peer, who takes all of it.
pub(crate) fn taken(out: &mut SendQueue) -> Vec<u8> {
    let mut all = Vec::new();
    while !out.is_empty() {
        let mut slices = [IoSlice::new(&[]); 16];
        let filled = out.slices(&mut slices);
        let before = all.len();
        slices[..filled].iter().for_each(|slice| all.extend_from_slice(slice));
        out.advance((all.len() - before) as u64);
    }
    all
}

/// How much of a response has been given.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// All that will be.
    Whole,
    /// What is left waits for [`Action::Finish`].
    Unfinished,
}

/// The event of a connection's request of this number.
pub(crate) fn describe(number: u64, request: &Request) -> String {
    let mut text = format!(
        "request {} {} {} {}",
        number,
        request.method.as_str(),
        request.target().escape_ascii(),
        request.version.as_str()
    );
    if let Some(authority) = request.authority() {
        text += &format!(" host {}", authority.escape_ascii());
    }
    match request.content_length {
        Some(0) => {}
        Some(length) => text += &format!(" content {length}"),
        None => text += " content chunked",
    }
    if request.expects_continue {
        text += " expects-continue";
    }
    text
}

/// The events of its fields.
pub(crate) fn describe_fields(request: &Request) -> Vec<String> {
    let line = |(name, value): (&[u8], &[u8])| format!("field {}: {}", name.escape_ascii(), value.escape_ascii());
    request.headers.iter().map(line).collect()
}
