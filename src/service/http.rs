//! One HTTP connection's requests: event → route → content.
//!
//! Knows which version of HTTP it serves only through [`Protocol`]. Content is pulled: a response's next piece is asked
//! for only while the send queue has room. The driver's part is in [`Http::process`], [`Http::settle`] and
//! [`Http::deadline`]; everything here is pure.

use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::compression::{Compression, Ready};
use super::content::{CollectError, Collector};
use super::context::Context;
use crate::base::chunk::Chunk;
use crate::base::limits;
use crate::base::send_queue::SendQueue;
use crate::base::slab::Key;
use crate::base::timer::Timers;
use crate::exchange::{Handle, Job, Pull, Script, Tag};
use crate::http::message::{ContentLength, Peer, Request, Response};
use crate::http::status::Status;
use crate::protocol::{Awaiting, Disposition, Event, Protocol, StreamId};
use crate::site::error_page;
use crate::site::router::Route;
use crate::site::static_files;

/// One connection's streams.
#[derive(Debug)]
pub struct Http {
    key: Key,
    peer: Peer,
    protocol: Protocol,
    /// Requests that have not been answered completely; at most one in HTTP/1.
    streams: Vec<Stream>,
    timers: Timers<TIMERS>,
    ending: Ending,
    /// The last [`process`](Self::process) stopped because the send queue was full, or because it had worked enough.
    stalled: bool,
}

#[derive(Debug)]
struct Stream {
    id: StreamId,
    state: State,
}

/// What a stream waits for:
///
/// ```text
/// Content ──all received──▶ Php { Head::Awaited } ──▶ Php { Head::Sent } ──▶ (removed)
/// ```
#[derive(Debug)]
enum State {
    /// The peer's content, for a script.
    Content { request: Request, script: Script, collector: Collector },
    /// PHP's response.
    Php { handle: Handle, head: Head, compression: Compression },
}

/// How far PHP's response has come.
#[derive(Debug)]
enum Head {
    /// Not to its head; it may wait for a PHP thread until then.
    Awaited { queued_until: Instant },
    /// The head has been sent.
    Sent,
}

/// What this layer has decided about the connection's end, apart from the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Nothing.
    Open,
    /// It was idle for too long.
    Close,
    /// The peer has taken nothing for too long, or is gone.
    Cut,
}

/// What the connection has a deadline for.
#[derive(Debug, Clone, Copy)]
enum Timer {
    /// The next request.
    KeepAlive,
    /// The rest of a head.
    Head,
    /// The next piece of content.
    Content,
    /// The peer's taking anything of what we send.
    Write,
    /// A PHP thread.
    Queue,
}

const TIMERS: usize = Timer::Queue as usize + 1;

impl Http {
    /// A connection between `peer`'s two ends, known to its loop as `key`.
    pub fn new(protocol: Protocol, key: Key, peer: Peer) -> Self {
        let (streams, timers) = (Vec::new(), Timers::default());
        Self { key, peer, protocol, streams, timers, ending: Ending::Open, stalled: false }
    }

    /// Does all that can be done with what has been received and what PHP has produced.
    pub fn process(&mut self, inbox: &mut BytesMut, out: &mut SendQueue, cx: &mut Context<'_>) {
        self.expire(inbox, out, cx);
        loop {
            self.stalled = self.pull(out, cx) || out.len() >= limits::SEND_QUEUE_HIGH;
            if self.stalled || self.ending != Ending::Open {
                return;
            }
            let Some(event) = self.protocol.poll_event(inbox) else { return };
            self.on_event(event, out, cx);
        }
    }

    /// Sets the timers after a turn in which the peer took something (`progress`) or not.
    pub fn settle(&mut self, inbox: &BytesMut, out: &SendQueue, progress: bool, cx: &Context<'_>) {
        if progress || out.is_empty() {
            self.timers.clear(Timer::Write as usize);
        }
        if !out.is_empty() {
            self.timers.set_once(Timer::Write as usize, || cx.now + cx.options.write_timeout);
        }
        let awaiting = self.protocol.awaiting(inbox);
        for (timer, applies, timeout) in [
            (Timer::KeepAlive as usize, awaiting == Awaiting::Request && out.is_empty(), cx.options.keep_alive_timeout),
            // What waits behind a full send queue waits for us.
            (Timer::Head as usize, awaiting == Awaiting::Head && !self.stalled, cx.options.head_timeout),
            (
                Timer::Content as usize,
                matches!(awaiting, Awaiting::Content | Awaiting::Discard),
                cx.options.content_timeout,
            ),
        ] {
            if applies {
                self.timers.set_once(timer, || cx.now + timeout);
            } else {
                self.timers.clear(timer);
            }
        }
    }

    /// When [`process`](Self::process) must be called again if nothing else happens.
    pub fn deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Whether received bytes are welcome.
    pub fn wants_input(&self, inbox: &BytesMut, out: &SendQueue) -> bool {
        self.ending == Ending::Open && out.len() < limits::SEND_QUEUE_HIGH && self.protocol.wants_input(inbox)
    }

    /// Whether [`process`](Self::process) has more to do now that the send queue has room.
    pub fn is_stalled(&self) -> bool {
        self.stalled
    }

    /// What is to become of the connection once the send queue is empty.
    pub fn disposition(&self) -> Disposition {
        match self.ending {
            Ending::Open => self.protocol.disposition(),
            Ending::Close => Disposition::Close,
            Ending::Cut => Disposition::Cut,
        }
    }

    /// All that the peer will ever send has been received. Requests that it sent before are still served.
    pub fn eof(&mut self) {
        self.protocol.eof();
        self.hang_up();
    }

    /// The peer has closed its side while PHP may be at work for it: then the request is aborted, as nginx does it, since
    /// a client that leaves and one that only half-closes look the same. Earlier responses are still sent.
    pub fn hang_up(&mut self) {
        // Content that is still collected may be complete in the inbox.
        for stream in self.streams.extract_if(.., |stream| matches!(stream.state, State::Php { .. })) {
            self.protocol.reset(stream.id);
        }
    }

    /// Lets the requests under way end, and no other begin.
    pub fn drain(&mut self) {
        self.protocol.drain();
    }

    fn on_event(&mut self, event: Event, out: &mut SendQueue, cx: &mut Context<'_>) {
        match event {
            Event::Request(id, request) => {
                // What was waited for has come. What is waited for after this turn may be the same again, anew.
                for timer in [Timer::KeepAlive, Timer::Head, Timer::Content] {
                    self.timers.clear(timer as usize);
                }
                self.on_request(id, request, out, cx);
            }
            Event::Content(id, bytes) => self.on_content(id, &bytes, out, cx),
            Event::EndOfContent(id) => self.on_end_of_content(id, out, cx),
            Event::Invalid(id, error) => {
                log::debug!("{}: {error}", self.peer.remote);
                self.streams.retain(|stream| stream.id != id);
                self.send_error(id, error.status(), None, out, cx);
            }
        }
    }

    fn on_request(&mut self, id: StreamId, request: Request, out: &mut SendQueue, cx: &mut Context<'_>) {
        match cx.router.route(&request, cx.files) {
            Route::Script(script) => self.receive(id, request, script, out, cx),
            Route::File { path } => self.send_file(id, &request, &path, out, cx),
            Route::Redirect { location } => {
                let (mut response, content) = error_page::error_response(Status::MOVED_PERMANENTLY);
                response.headers.add("Location", &location);
                self.send(id, response, content, out, cx);
            }
            Route::Options { allow } => {
                let mut response = Response::new(Status::NO_CONTENT);
                response.headers.add("Allow", allow.as_bytes());
                self.send(id, response, Bytes::new(), out, cx);
            }
            Route::Error { status, allow } => self.send_error(id, status, allow, out, cx),
        }
    }

    /// Begins to collect the content for a script.
    fn receive(&mut self, id: StreamId, request: Request, script: Script, out: &mut SendQueue, cx: &mut Context<'_>) {
        match Collector::new(request.content_length, &cx.options.content) {
            Ok(collector) => {
                if request.expects_continue {
                    self.protocol.send_continue(id, out);
                }
                self.streams.push(Stream { id, state: State::Content { request, script, collector } });
            }
            Err(error) => self.refuse_content(id, &error, out, cx),
        }
    }

    fn on_content(&mut self, id: StreamId, bytes: &Bytes, out: &mut SendQueue, cx: &mut Context<'_>) {
        self.timers.set(Timer::Content as usize, cx.now + cx.options.content_timeout);
        // Content of a request that has been answered already matches no stream.
        let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == id) else { return };
        let State::Content { collector, .. } = &mut stream.state else { return };
        if let Err(error) = collector.push(bytes, &cx.options.content, cx.spool) {
            self.streams.retain(|stream| stream.id != id);
            self.refuse_content(id, &error, out, cx);
        }
    }

    fn refuse_content(&mut self, id: StreamId, error: &CollectError, out: &mut SendQueue, cx: &mut Context<'_>) {
        let status = match error {
            CollectError::TooLarge => Status::CONTENT_TOO_LARGE,
            CollectError::Spool(error) => {
                log::error!("cannot buffer request content in a temporary file: {error}");
                Status::INTERNAL_SERVER_ERROR
            }
        };
        self.send_error(id, status, None, out, cx);
    }

    fn on_end_of_content(&mut self, id: StreamId, out: &mut SendQueue, cx: &mut Context<'_>) {
        let Some(index) = self.streams.iter().position(|stream| stream.id == id) else { return };
        let State::Content { request, script, collector } = self.streams.swap_remove(index).state else {
            unreachable!("content ends once");
        };
        let content = match collector.finish(cx.spool) {
            Ok(content) => content,
            Err(error) => return self.refuse_content(id, &error, out, cx),
        };
        let compression = Compression::new(&request, &cx.options.compression);
        let job = Job { request, script, peer: self.peer, content, received_at: cx.wall };
        match cx.exchanges.submit(job, Tag { connection: self.key, stream: id.0 }) {
            Some(handle) => {
                let queued_until = cx.now + cx.options.queue_timeout;
                self.timers.set_once(Timer::Queue as usize, || queued_until);
                let head = Head::Awaited { queued_until };
                self.streams.push(Stream { id, state: State::Php { handle, head, compression } });
            }
            None => self.send_busy(id, out, cx),
        }
    }

    /// Pulls what PHP has produced while the send queue has room. True if there may be more although it has: what is
    /// encoded fills the queue slowly, and others want a turn.
    fn pull(&mut self, out: &mut SendQueue, cx: &mut Context<'_>) -> bool {
        let (mut index, mut budget) = (0, limits::PULL_BUDGET);
        while index < self.streams.len() {
            if self.pull_stream(index, &mut budget, out, cx) {
                index += 1;
            } else {
                self.streams.swap_remove(index);
            }
        }
        budget == 0
    }

    /// Pulls from one stream; false when its response is over.
    fn pull_stream(&mut self, index: usize, budget: &mut usize, out: &mut SendQueue, cx: &mut Context<'_>) -> bool {
        while out.len() < limits::SEND_QUEUE_HIGH && *budget > 0 {
            let Stream { id, state } = &mut self.streams[index];
            let id = *id;
            let State::Php { handle, head, compression } = state else { return true };
            let (ready, is_over) = match handle.poll() {
                Pull::Pending => {
                    let ready = compression.flush();
                    self.send_ready(id, ready, out, cx);
                    return true;
                }
                Pull::Interim(response) => {
                    self.protocol.send_response(id, response, ContentLength::Unknown, cx.date, out);
                    continue;
                }
                Pull::Head(response, length) => {
                    *head = Head::Sent;
                    (compression.start(response, length, &cx.options.compression, &cx.exchanges.encoders), false)
                }
                Pull::Content(bytes) => {
                    *budget = budget.saturating_sub(bytes.len());
                    (compression.write(bytes), false)
                }
                Pull::End => (compression.finish(), true),
                Pull::Failed if matches!(head, Head::Sent) && !compression.holds_head() => {
                    log::warn!("{}: a response was cut because PHP did not complete it", self.peer.remote);
                    self.protocol.reset(id);
                    return false;
                }
                Pull::Failed => {
                    self.send_error(id, Status::INTERNAL_SERVER_ERROR, None, out, cx);
                    return false;
                }
            };
            self.send_ready(id, ready, out, cx);
            if is_over {
                self.protocol.finish(id, out);
                return false;
            }
        }
        true
    }

    fn send_ready(&mut self, id: StreamId, ready: Ready, out: &mut SendQueue, cx: &Context<'_>) {
        if let Some((response, length)) = ready.head {
            self.protocol.send_response(id, response, length, cx.date, out);
        }
        if let Some(content) = ready.content {
            self.protocol.send_content(id, Chunk::Bytes(content), out);
        }
    }

    fn send_file(&mut self, id: StreamId, request: &Request, path: &[u8], out: &mut SendQueue, cx: &mut Context<'_>) {
        let seconds = i64::try_from(cx.wall.as_secs()).unwrap_or(i64::MAX);
        let reply = match static_files::answer(request, path, cx.files, &cx.options.files, seconds) {
            Ok(reply) => reply,
            Err(error) => return self.send_error(id, error.status(), None, out, cx),
        };
        self.protocol.send_response(id, reply.response, reply.length, cx.date, out);
        for chunk in reply.content.into_iter().chain(reply.parts) {
            self.protocol.send_content(id, chunk, out);
        }
        self.protocol.finish(id, out);
    }

    /// All PHP threads are busy and the queue is full, or the request has waited in it for too long.
    fn send_busy(&mut self, id: StreamId, out: &mut SendQueue, cx: &mut Context<'_>) {
        let (mut response, content) = error_page::error_response(Status::SERVICE_UNAVAILABLE);
        response.headers.add("Retry-After", b"1");
        self.send(id, response, content, out, cx);
    }

    fn send_error(
        &mut self,
        id: StreamId,
        status: Status,
        allow: Option<&str>,
        out: &mut SendQueue,
        cx: &mut Context<'_>,
    ) {
        let (mut response, content) = error_page::error_response(status);
        if let Some(allow) = allow {
            response.headers.add("Allow", allow.as_bytes());
        }
        self.send(id, response, content, out, cx);
    }

    fn send(&mut self, id: StreamId, response: Response, content: Bytes, out: &mut SendQueue, cx: &Context<'_>) {
        let length = ContentLength::Exact(content.len() as u64);
        self.protocol.send_response(id, response, length, cx.date, out);
        self.protocol.send_content(id, Chunk::Bytes(content), out);
        self.protocol.finish(id, out);
    }

    fn expire(&mut self, inbox: &BytesMut, out: &mut SendQueue, cx: &mut Context<'_>) {
        if self.timers.take_expired(Timer::Write as usize, cx.now) {
            self.ending = Ending::Cut;
        }
        // A request that comes at the last moment is served.
        if self.timers.take_expired(Timer::KeepAlive as usize, cx.now) && self.protocol.is_idle(inbox) {
            self.ending = Ending::Close;
        }
        let late = [Timer::Head, Timer::Content].map(|timer| self.timers.take_expired(timer as usize, cx.now));
        if late.contains(&true)
            && let Some(event) = self.protocol.expire(inbox)
        {
            self.on_event(event, out, cx);
        }
        if self.timers.take_expired(Timer::Queue as usize, cx.now) {
            self.expire_queued(out, cx);
        }
    }

    fn expire_queued(&mut self, out: &mut SendQueue, cx: &mut Context<'_>) {
        let (mut index, mut next) = (0, None);
        while let Some(Stream { id, state }) = self.streams.get_mut(index) {
            if let State::Php { handle, head: Head::Awaited { queued_until }, .. } = state {
                if *queued_until > cx.now {
                    next = next.into_iter().chain(handle.is_queued().then_some(*queued_until)).min();
                } else if handle.cancel() {
                    let id = *id;
                    self.streams.swap_remove(index);
                    self.send_busy(id, out, cx);
                    continue;
                }
            }
            index += 1;
        }
        if let Some(next) = next {
            self.timers.set(Timer::Queue as usize, next);
        }
    }
}
