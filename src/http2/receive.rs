//! The receiving half of a connection: from what h2 has to tell to events.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::BytesMut;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use h2_http::Request as H2Request;

use super::piece::Piece;
use super::request::Fault;
use super::respond::Respond;
use super::wake::Line;
use super::{Http2, Link, Stream, id_of, request};
use crate::base::limits;
use crate::base::send_queue::SendQueue;
use crate::base::slab::Key;
use crate::http::event::{Disposition, Event};
use crate::http::method::Method;

type Accepted = Option<Result<(H2Request<RecvStream>, SendResponse<Piece>), h2::Error>>;

impl Http2 {
    /// The next event; none when there is nothing left to do with what has been received and what is to be sent. To be
    /// called until there is none.
    pub fn poll_event(&mut self, inbox: &mut BytesMut, out: &mut SendQueue, now: Instant) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if let Some(key) = self.ready.pop() {
                self.poll_stream(key);
            } else if !self.drive(inbox, out, now) {
                return None;
            }
        }
    }

    /// Puts into the send queue what there is to be sent, and keeps the events for later.
    pub fn flush(&mut self, inbox: &mut BytesMut, out: &mut SendQueue, now: Instant) {
        self.drive(inbox, out, now);
    }

    /// Has h2 do what it can do; true if there may be something to tell.
    fn drive(&mut self, inbox: &mut BytesMut, out: &mut SendQueue, now: Instant) -> bool {
        if matches!(self.link, Link::Closed) {
            inbox.clear();
            return false;
        }
        self.pipe.ends().gate.fill(now, self.ready.take_left());
        self.resets.fill(now);
        let Self { link, pipe, waker, drains_later, .. } = self;
        let polled = pipe.lend(inbox, out, || poll(link, *drains_later, &mut Context::from_waker(waker)));
        match polled {
            Poll::Ready(Some(Ok((request, respond)))) => {
                self.accept(request, respond);
                true
            }
            Poll::Ready(ended) => {
                if let Some(Err(error)) = ended {
                    log::debug!("an HTTP/2 connection ends: {error}");
                }
                let is_eof = self.pipe.ends().eof;
                self.close(if is_eof { Disposition::Close } else { Disposition::Linger });
                true
            }
            Poll::Pending => {
                let verdict = self.pipe.ends().gate.take_verdict();
                verdict.inspect(|reason| self.shut_down(*reason)).is_some() || !self.ready.is_empty()
            }
        }
    }

    fn accept(&mut self, request: H2Request<RecvStream>, respond: SendResponse<Piece>) {
        let (parts, content) = request.into_parts();
        let is_complete = content.is_end_stream();
        let received = request::convert(&parts, is_complete, &self.options);
        let ready = &self.ready;
        let key = self.streams.insert_with(|key| {
            let line = Line::new(key, ready);
            // The first look registers for what is to come.
            line.note();
            Stream {
                waker: line.waker(),
                line,
                method: Method::from_bytes(parts.method.as_str().as_bytes()),
                content: (!is_complete).then_some(content),
                respond: Respond::Head(respond),
                awaits_continue: received.as_ref().is_ok_and(|request| request.expects_continue),
                is_stalled: false,
                is_ended: false,
            }
        });
        let id = id_of(key);
        match received {
            Ok(request) => {
                self.events.push_back(Event::Request(id, request));
                if is_complete {
                    self.events.push_back(Event::EndOfContent(id));
                }
            }
            Err(Fault::Refused(error)) => self.events.push_back(Event::Invalid(id, error)),
            Err(Fault::Malformed(error)) => {
                log::debug!("a malformed request: {error}");
                self.end(id, Reason::PROTOCOL_ERROR);
            }
        }
        self.requests += 1;
        if self.requests == self.options.requests_max {
            self.drain();
        } else if let Some(left @ 1..) = &mut self.requests_left {
            // At 0 the connection has been ended, but until the peer has been told h2 goes on with what it has.
            *left -= 1;
            if *left == 0 {
                self.shut_down(Reason::ENHANCE_YOUR_CALM);
            }
        }
    }

    /// Finds out what news a stream has.
    fn poll_stream(&mut self, key: Key) {
        let Some(stream) = self.streams.get_mut(key) else { return };
        let id = id_of(key);
        stream.line.take();
        let unsent = stream.line.unsent();
        if unsent == 0 && stream.is_ended {
            // Whatever the peer may have said of it since, it has all of it.
            self.streams.remove(key);
            self.resets.earn(1.0);
            return self.events.push_back(Event::Sent(id));
        }
        let mut cx = Context::from_waker(&stream.waker);
        let mut is_reset = stream.respond.poll_reset(&mut cx);
        if let Some(content) = &mut stream.content {
            match content.poll_data(&mut cx) {
                Poll::Ready(Some(Ok(bytes))) => {
                    // The event is handled before h2 reads on, so that what is not consumed is not asked for.
                    is_reset |= content.flow_control().release_capacity(bytes.len()).is_err();
                    stream.line.note();
                    stream.awaits_continue = false;
                    if !bytes.is_empty() {
                        self.events.push_back(Event::Content(id, bytes));
                    }
                }
                Poll::Ready(Some(Err(_))) => is_reset = true,
                Poll::Ready(None) => {
                    // Trailers, if there are any, are nobody's.
                    stream.content = None;
                    self.events.push_back(Event::EndOfContent(id));
                }
                Poll::Pending => {}
            }
        }
        if is_reset {
            self.streams.remove(key);
            self.events.push_back(Event::Reset(id));
            if !self.resets.spend() {
                self.shut_down(Reason::ENHANCE_YOUR_CALM);
            }
            return;
        }
        if stream.is_stalled && unsent < limits::STREAM_SEND_LOW {
            stream.is_stalled = false;
            self.events.push_back(Event::Room(id));
        }
    }
}

impl Respond {
    /// Whether the stream has been reset; if not, `cx` will hear of it.
    fn poll_reset(&mut self, cx: &mut Context<'_>) -> bool {
        match self {
            Self::Head(respond) => respond.poll_reset(cx).is_ready(),
            Self::Content(sending, _) => sending.poll_reset(cx).is_ready(),
        }
    }
}

fn poll(link: &mut Link, drains: bool, cx: &mut Context<'_>) -> Poll<Accepted> {
    if let Link::Greeting(handshake) = link {
        match Pin::new(handshake).poll(cx) {
            Poll::Ready(Ok(mut connection)) => {
                if drains {
                    connection.graceful_shutdown();
                }
                *link = Link::Open(connection);
            }
            Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error))),
            Poll::Pending => return Poll::Pending,
        }
    }
    match link {
        Link::Open(connection) => connection.poll_accept(cx),
        Link::Greeting(_) | Link::Closed => Poll::Pending,
    }
}
