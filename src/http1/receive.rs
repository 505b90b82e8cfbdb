//! The receiving half of a connection: from bytes in the inbox to events.

use bytes::BytesMut;

use super::Http1;
use super::body::Body;
use super::fields::Received;
use super::head::{Found, Head};
use super::piece::Step;
use super::state::{After, Current, Expectation, Receive, Respond};
use crate::http::event::{Disposition, Event};
use crate::http::message::Version;
use crate::http::method::Method;
use crate::http::peer_error::PeerError;

impl Http1 {
    /// The next event, whose bytes are consumed from the inbox; none when more input is needed, or when the current
    /// response must be finished first. To be called until there is none: after input, after [`eof`](Self::eof) and
    /// after [`finish`](Self::finish).
    pub fn poll_event(&mut self, inbox: &mut BytesMut) -> Option<Event> {
        loop {
            match &mut self.receive {
                Receive::Head(head) => {
                    let found = head.poll(inbox, &self.options);
                    return self.receive_head(found, inbox);
                }
                Receive::Content(body) => {
                    let step = body.decode(inbox);
                    return self.receive_content(step);
                }
                Receive::End => {
                    self.receive = Receive::Complete;
                    return Some(Event::EndOfContent(self.id));
                }
                Receive::Discard { body, left } => {
                    let next = discard(body, left, inbox);
                    self.receive_discarded(next)?;
                }
                Receive::Complete | Receive::Closed => return None,
            }
        }
    }

    fn receive_head(&mut self, found: Result<Option<Found>, PeerError>, inbox: &mut BytesMut) -> Option<Event> {
        let received = match found {
            Ok(None) => {
                if self.eof {
                    self.close(Disposition::Close);
                }
                return None;
            }
            // Nearly always it is all that there is: then the buffer need not be shared.
            Ok(Some(found)) if found.len == inbox.len() => Received::parse(std::mem::take(inbox), &found),
            Ok(Some(found)) => Received::parse(inbox.split_to(found.len), &found),
            Err(error) => Err(error),
        };
        match received {
            Ok(received) => Some(self.begin(received, inbox)),
            Err(error) => Some(self.reject_head(error, inbox)),
        }
    }

    fn begin(&mut self, received: Received, inbox: &BytesMut) -> Event {
        let Received { request, framing, persistent } = received;
        self.id.0 += 1;
        self.current = Current {
            method: Some(request.method),
            version: request.version,
            expectation: match request.expects_continue {
                false => Expectation::None,
                true if inbox.is_empty() => Expectation::Waiting,
                true => Expectation::Overtaken,
            },
            after: if persistent { After::Continue } else { After::PeerCloses },
        };
        // What follows a CONNECT may be meant for the tunnel that it asks for (RFC 9110 §9.3.6).
        let is_last = self.options.requests_max != 0 && self.id.0 >= self.options.requests_max;
        if is_last || request.method == Method::Connect {
            self.close_after();
        }
        self.receive = Body::new(framing).map_or(Receive::End, Receive::Content);
        self.respond = Respond::Head;
        Event::Request(self.id, request)
    }

    fn receive_content(&mut self, step: Result<Step, PeerError>) -> Option<Event> {
        match step {
            Ok(Step::Content(bytes)) => {
                if self.current.expectation == Expectation::Waiting {
                    self.current.expectation = Expectation::Overtaken;
                }
                Some(Event::Content(self.id, bytes))
            }
            Ok(Step::End) => {
                self.receive = Receive::Complete;
                Some(Event::EndOfContent(self.id))
            }
            Ok(Step::Starved) => {
                if self.eof {
                    self.close(Disposition::Close);
                }
                None
            }
            Err(error) => Some(self.reject_content(error)),
        }
    }

    /// None when there is nothing to go on with.
    fn receive_discarded(&mut self, discarded: Discarded) -> Option<()> {
        match discarded {
            Discarded::All => {
                self.receive = Receive::Head(Head::default());
                return Some(());
            }
            Discarded::TooMuch => self.close(Disposition::Linger),
            Discarded::Starved if self.eof => self.close(Disposition::Close),
            Discarded::Starved => {}
        }
        None
    }

    /// Opens an exchange whose request could not be read, so that it can be answered: for HEAD without content, even if
    /// no more than its method could be.
    pub(super) fn reject_head(&mut self, error: PeerError, inbox: &BytesMut) -> Event {
        let line = match &self.receive {
            Receive::Head(head) => head.line(),
            _ => None,
        };
        let method = || inbox.starts_with(b"HEAD ").then_some(Method::Head);
        self.current = Current {
            method: line.map(|line| line.method).or_else(method),
            version: line.map_or(Version::Http11, |line| line.version),
            expectation: Expectation::None,
            after: After::WeClose,
        };
        self.id.0 += 1;
        self.receive = Receive::Closed;
        self.respond = Respond::Head;
        Event::Invalid(self.id, error)
    }

    pub(super) fn reject_content(&mut self, error: PeerError) -> Event {
        self.current.after = After::WeClose;
        self.receive = Receive::Closed;
        Event::Invalid(self.id, error)
    }
}

/// How far unread content could be thrown away.
enum Discarded {
    /// To its end.
    All,
    /// As far as it has come.
    Starved,
    /// Too far, or to an error, of which there is nobody left to tell.
    TooMuch,
}

/// Throws away what has come of a body, `left` bytes at most.
fn discard(body: &mut Body, left: &mut u64, inbox: &mut BytesMut) -> Discarded {
    loop {
        let before = inbox.len();
        let step = body.decode(inbox);
        let consumed = (before - inbox.len()) as u64;
        *left = match left.checked_sub(consumed) {
            Some(left) => left,
            None => return Discarded::TooMuch,
        };
        match step {
            Ok(Step::Content(_)) => {}
            Ok(Step::Starved) => return Discarded::Starved,
            Ok(Step::End) => return Discarded::All,
            Err(_) => return Discarded::TooMuch,
        }
    }
}
