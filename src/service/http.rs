//! One HTTP connection's requests: event → route → content.
//!
//! Knows which version of HTTP it serves only through [`Protocol`]. Content is pulled: a response's next piece is asked
//! for only while the send queue has room. The driver's part is in [`Http::process`], [`Http::settle`],
//! [`Http::deadline`] and [`Http::abandon`]; everything here is pure.

mod hand_over;
mod refuse;

use std::net::SocketAddr;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::access_log::AccessLog;
use super::compression::{Compression, Ready};
use super::content::{CollectError, Collector};
use super::context::Context;
use super::reply::{Journal, Reply};
use crate::base::chunk::Chunk;
use crate::base::limits;
use crate::base::send_queue::SendQueue;
use crate::base::slab::Key;
use crate::base::timer::Timers;
use crate::exchange::{Handle, Job, Pull, Script, Tag};
use crate::http::message::{ContentLength, Peer, Request, Response};
use crate::http::peer_error::PeerError;
use crate::http::status::Status;
use crate::protocol::{Awaiting, Disposition, Event, Protocol, StreamId};
use crate::site::internal_files::{self, Handover};
use crate::site::router::Route;
use crate::site::static_files::{self, FileReply};
use crate::site::{error_page, forwarded};
use refuse::Refusal;

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
    /// There has been a request.
    has_begun: bool,
    /// The first request is to be the last.
    drains_later: bool,
    /// The last [`process`](Self::process) stopped because the send queue was full, or because it had worked enough.
    stalled: bool,
    /// How full it was then, or after what has been sent since.
    queued: u64,
    /// What is to be logged.
    journal: Journal,
}

/// What a connection that is to end may wait for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Until when a peer may send a request that has not sent anything yet.
    pub until: Instant,
    /// Whether that goes for a connection that has been used, too. Its peer is told with the response that it was the
    /// last; where the connection were just closed, a request that is on its way would be lost.
    pub for_idle: bool,
}

#[derive(Debug)]
struct Stream {
    reply: Reply,
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
    Php {
        handle: Handle,
        head: Head,
        compression: Compression,
        /// The error that it explains.
        refusal: Option<Refusal>,
        /// The request, if the response may be the server's to give.
        request: Option<Box<Request>>,
    },
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
        let journal = Journal::default();
        let (ending, has_begun, drains_later, stalled) = (Ending::Open, false, false, false);
        Self { key, peer, protocol, streams, timers, ending, has_begun, drains_later, stalled, queued: 0, journal }
    }

    /// Tells the ends of the connection as a proxy has told them, before its first byte is received.
    pub fn announce(&mut self, addresses: Option<(SocketAddr, SocketAddr)>, secure: bool) {
        if let Some((remote, local)) = addresses {
            (self.peer.remote, self.peer.local) = (remote, local);
        }
        self.peer.secure |= secure;
    }

    /// Does all that can be done with what has been received and what PHP has produced.
    pub fn process(&mut self, inbox: &mut BytesMut, out: &mut SendQueue, cx: &mut Context<'_>) {
        self.expire(inbox, out, cx);
        self.advance(inbox, out, cx);
        self.queued = out.len();
    }

    fn advance(&mut self, inbox: &mut BytesMut, out: &mut SendQueue, cx: &mut Context<'_>) {
        loop {
            self.stalled = self.pull(out, cx) || out.len() >= limits::SEND_QUEUE_HIGH;
            if self.stalled || self.ending != Ending::Open {
                return;
            }
            let Some(event) = self.protocol.poll_event(inbox) else { return };
            self.on_event(event, out, cx);
        }
    }

    /// Sets the timers after a turn.
    pub fn settle(&mut self, inbox: &BytesMut, out: &SendQueue, cx: &mut Context<'_>) {
        self.journal.sent(self.queued - out.len(), cx);
        self.queued = out.len();
        if out.is_empty() {
            self.timers.clear(Timer::Write as usize);
        } else {
            self.timers.set_once(Timer::Write as usize, || cx.options.write_pace.begin(cx.now));
        }
        let awaiting = self.protocol.awaiting(inbox);
        for (timer, applies, timeout) in [
            (Timer::KeepAlive as usize, awaiting == Awaiting::Request && out.is_empty(), cx.options.keep_alive_timeout),
            // What waits behind a full send queue waits for us.
            (Timer::Head as usize, awaiting == Awaiting::Head && !self.stalled, cx.options.head_timeout),
            (
                Timer::Content as usize,
                matches!(awaiting, Awaiting::Content | Awaiting::Discard),
                cx.options.content_pace.timeout,
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

    /// Whether the peer is to be cut in [`process`](Self::process) unless [`took`](Self::took) says otherwise.
    pub fn is_write_due(&self, now: Instant) -> bool {
        self.timers.get(Timer::Write as usize).is_some_and(|deadline| deadline <= now)
    }

    /// So many bytes of what was sent have reached the peer since this was last told.
    pub fn took(&mut self, bytes: u64, cx: &Context<'_>) {
        if let Some(deadline) = self.timers.get(Timer::Write as usize) {
            self.timers.set(Timer::Write as usize, cx.options.write_pace.advance(deadline, bytes, cx.now));
        }
    }

    /// When the connection will be closed for having no request under way, if it has none: the earlier, the longer it
    /// has been idle.
    pub fn idle_until(&self) -> Option<Instant> {
        self.timers.get(Timer::KeepAlive as usize)
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
        let Self { streams, protocol, journal, queued, .. } = self;
        for stream in streams.extract_if(.., |stream| matches!(stream.state, State::Php { .. })) {
            protocol.reset(stream.reply.id);
            journal.add(stream.reply, false, *queued);
        }
    }

    /// The connection has ended: nothing that is still to be sent will be.
    pub fn abandon(&mut self, log: &mut AccessLog, now: Instant) {
        for stream in self.streams.drain(..) {
            self.journal.add(stream.reply, false, self.queued);
        }
        self.journal.abandon(log, now);
    }

    /// Lets the requests under way end, and no other begin. A peer that has opened the connection and sent nothing may be
    /// about to. All that it has sent must lie in `inbox`.
    pub fn drain(&mut self, inbox: &BytesMut, patience: Patience) {
        match self.protocol.awaiting(inbox) {
            Awaiting::Request if patience.for_idle || !self.has_begun => {
                self.drains_later = true;
                self.timers.set(Timer::KeepAlive as usize, patience.until);
            }
            Awaiting::Head => self.drains_later = true,
            _ => self.protocol.drain(),
        }
    }

    fn on_event(&mut self, event: Event, out: &mut SendQueue, cx: &mut Context<'_>) {
        match event {
            Event::Request(id, request) => {
                // What was waited for has come. What is waited for after this turn may be the same again, anew.
                for timer in [Timer::KeepAlive, Timer::Head, Timer::Content] {
                    self.timers.clear(timer as usize);
                }
                self.has_begun = true;
                if std::mem::take(&mut self.drains_later) {
                    self.protocol.drain();
                }
                self.on_request(id, request, out, cx);
            }
            Event::Content(id, bytes) => self.on_content(id, &bytes, out, cx),
            Event::EndOfContent(id) => self.on_end_of_content(id, out, cx),
            Event::Invalid(id, error) => self.on_invalid(id, error, out, cx),
        }
    }

    fn on_invalid(&mut self, id: StreamId, error: PeerError, out: &mut SendQueue, cx: &mut Context<'_>) {
        log::debug!("{}: {error}", self.peer.remote);
        let refusal = Refusal::new(error.status());
        let (mut reply, request) = match self.streams.iter().position(|stream| stream.reply.id == id) {
            None => (Reply::new(id, self.peer, None, cx), None),
            Some(index) => match self.streams.swap_remove(index) {
                Stream { mut reply, state: State::Php { head: Head::Sent, .. } } => {
                    reply.set_error(error);
                    self.protocol.reset(id);
                    return self.journal.add(reply, false, out.len());
                }
                Stream { reply, state: State::Content { request, .. } } => (reply, Some(request)),
                Stream { reply, state: State::Php { .. } } => (reply, None),
            },
        };
        reply.set_error(error);
        self.refuse(reply, refusal, request, out, cx);
    }

    fn on_request(&mut self, id: StreamId, mut request: Request, out: &mut SendQueue, cx: &mut Context<'_>) {
        let peer = forwarded::resolve(&cx.options.forwarded, self.peer, &mut request);
        let reply = Reply::new(id, peer, Some(&request), cx);
        if let Some(health) = &cx.options.health {
            let (response, content) = health.answer(&request);
            return self.send(reply, response, content, out, cx);
        }
        match cx.router.route(&request, cx.files) {
            Route::Script(script) => self.receive(reply, request, script, out, cx),
            Route::File { path } => self.send_file(reply, request, &path, out, cx),
            Route::Redirect { location } => {
                let (mut response, content) = error_page::error_response(Status::MOVED_PERMANENTLY);
                response.headers.add("Location", &location);
                self.send(reply, response, content, out, cx);
            }
            Route::Options { allow } => {
                let mut response = Response::new(Status::NO_CONTENT);
                response.headers.add("Allow", allow.as_bytes());
                self.send(reply, response, Bytes::new(), out, cx);
            }
            Route::Error { status, allow } => {
                self.refuse(reply, Refusal::with_allow(status, allow), Some(request), out, cx);
            }
        }
    }

    /// Begins to collect the content for a script.
    fn receive(&mut self, reply: Reply, request: Request, script: Script, out: &mut SendQueue, cx: &mut Context<'_>) {
        match Collector::new(request.content_length, &cx.options.content) {
            Ok(collector) => {
                if request.expects_continue {
                    self.protocol.send_continue(reply.id, out);
                }
                self.streams.push(Stream { reply, state: State::Content { request, script, collector } });
            }
            Err(error) => self.refuse_content(reply, &error, request, out, cx),
        }
    }

    fn on_content(&mut self, id: StreamId, bytes: &Bytes, out: &mut SendQueue, cx: &mut Context<'_>) {
        let pace = cx.options.content_pace;
        let deadline = self.timers.get(Timer::Content as usize).unwrap_or_else(|| pace.begin(cx.now));
        self.timers.set(Timer::Content as usize, pace.advance(deadline, bytes.len() as u64, cx.now));
        // Content of a request that has been answered already matches no stream.
        let Some(index) = self.streams.iter().position(|stream| stream.reply.id == id) else { return };
        let State::Content { collector, .. } = &mut self.streams[index].state else { return };
        if let Err(error) = collector.push(bytes, &cx.options.content, cx.spool)
            && let Stream { reply, state: State::Content { request, .. } } = self.streams.swap_remove(index)
        {
            self.refuse_content(reply, &error, request, out, cx);
        }
    }

    fn refuse_content(
        &mut self,
        reply: Reply,
        error: &CollectError,
        request: Request,
        out: &mut SendQueue,
        cx: &mut Context<'_>,
    ) {
        let status = match error {
            CollectError::TooLarge => Status::CONTENT_TOO_LARGE,
            CollectError::NoRoom => {
                log::warn!("{}: no room for its content (server.content_files_max)", reply.peer.remote);
                Status::SERVICE_UNAVAILABLE
            }
            CollectError::Spool(error) => {
                log::error!("cannot buffer request content in a temporary file: {error}");
                Status::INTERNAL_SERVER_ERROR
            }
        };
        self.refuse(reply, Refusal::new(status), Some(request), out, cx);
    }

    fn on_end_of_content(&mut self, id: StreamId, out: &mut SendQueue, cx: &mut Context<'_>) {
        let awaits_it = |stream: &Stream| stream.reply.id == id && matches!(stream.state, State::Content { .. });
        let Some(index) = self.streams.iter().position(awaits_it) else { return };
        let Stream { reply, state: State::Content { request, script, collector } } = self.streams.swap_remove(index)
        else {
            unreachable!("it was found by its state");
        };
        let content = match collector.finish(cx.spool) {
            Ok(content) => content,
            Err(error) => return self.refuse_content(reply, &error, request, out, cx),
        };
        let may_name_files = !cx.options.internal_files.directories.is_empty();
        let copy = may_name_files.then(|| Box::new(request.clone()));
        let compression = Compression::new(&request, &cx.options.compression);
        let pool = cx.options.pools.select(request.path());
        let job = Job { request, script, pool, error: None, peer: reply.peer, content, received_at: cx.wall };
        match self.submit(job, id, cx) {
            Some((handle, head)) => {
                let state = State::Php { handle, head, compression, refusal: None, request: copy };
                self.streams.push(Stream { reply, state });
            }
            None => self.refuse(reply, Refusal::new(Status::SERVICE_UNAVAILABLE), None, out, cx),
        }
    }

    /// Hands a request to PHP; `None` when too many wait.
    fn submit(&mut self, job: Job, id: StreamId, cx: &mut Context<'_>) -> Option<(Handle, Head)> {
        let handle = cx.exchanges.submit(job, Tag { connection: self.key, stream: id.0 })?;
        let queued_until = cx.now + cx.options.queue_timeout;
        self.timers.set_once(Timer::Queue as usize, || queued_until);
        Some((handle, Head::Awaited { queued_until }))
    }

    /// Pulls what PHP has produced while the send queue has room. True if there may be more although it has: what is
    /// encoded fills the queue slowly, and others want a turn.
    fn pull(&mut self, out: &mut SendQueue, cx: &mut Context<'_>) -> bool {
        let (mut index, mut budget) = (0, limits::PULL_BUDGET);
        while index < self.streams.len() {
            // What is over has been removed, and another stream may have taken its place.
            if self.pull_stream(index, &mut budget, out, cx) {
                index += 1;
            }
        }
        budget == 0
    }

    /// Pulls from one stream; false when its response is over.
    fn pull_stream(&mut self, index: usize, budget: &mut usize, out: &mut SendQueue, cx: &mut Context<'_>) -> bool {
        while out.len() < limits::SEND_QUEUE_HIGH && *budget > 0 {
            let Self { streams, protocol, .. } = self;
            let Stream { reply, state } = &mut streams[index];
            let State::Php { handle, head, compression, refusal, request } = state else { return true };
            let (ready, is_over) = match handle.poll() {
                Pull::Pending => {
                    send_ready(reply, protocol, compression.flush(), out, cx);
                    return true;
                }
                Pull::Interim(mut response) => {
                    internal_files::FIELDS.iter().for_each(|name| response.headers.remove(name));
                    protocol.send_response(reply.id, response, ContentLength::Unknown, cx.date, out);
                    continue;
                }
                Pull::Head(mut response, length) => {
                    match refusal {
                        None if Handover::of(&response.headers).is_some() => {
                            let request = request.take();
                            let reply = self.streams.swap_remove(index).reply;
                            self.hand_over(reply, &response, request, out, cx);
                            return false;
                        }
                        None => {}
                        Some(refusal) => {
                            internal_files::FIELDS.iter().for_each(|name| response.headers.remove(name));
                            refusal.complete(&mut response);
                        }
                    }
                    *head = Head::Sent;
                    (compression.start(response, length, &cx.options.compression, &cx.exchanges.encoders), false)
                }
                Pull::Content(bytes) => {
                    *budget = budget.saturating_sub(bytes.len());
                    (compression.write(bytes), false)
                }
                Pull::End => (compression.finish(), true),
                pull @ (Pull::Failed | Pull::Expired) => {
                    let stream = self.streams.swap_remove(index);
                    let status = match pull {
                        Pull::Expired => Status::GATEWAY_TIMEOUT,
                        _ => Status::INTERNAL_SERVER_ERROR,
                    };
                    self.on_failure(stream, status, out, cx);
                    return false;
                }
            };
            send_ready(reply, protocol, ready, out, cx);
            if is_over {
                let reply = self.streams.swap_remove(index).reply;
                reply.finish(&mut self.protocol, &mut self.journal, out);
                return false;
            }
        }
        true
    }

    /// PHP has not completed its response; `status` is what that means if it has not begun.
    fn on_failure(&mut self, stream: Stream, status: Status, out: &mut SendQueue, cx: &mut Context<'_>) {
        match stream {
            Stream { reply, state: State::Php { head: Head::Sent, compression, .. } } if !compression.holds_head() => {
                log::warn!("{}: a response was cut because PHP did not complete it", reply.peer.remote);
                self.protocol.reset(reply.id);
                self.journal.add(reply, false, out.len());
            }
            Stream { reply, state: State::Php { refusal: Some(refusal), .. } } => {
                self.refuse_plainly(reply, refusal, out, cx);
            }
            Stream { reply, .. } => {
                self.refuse(reply, Refusal::new(status), None, out, cx);
            }
        }
    }

    fn send_file(&mut self, reply: Reply, request: Request, path: &[u8], out: &mut SendQueue, cx: &mut Context<'_>) {
        let seconds = i64::try_from(cx.wall.as_secs()).unwrap_or(i64::MAX);
        match static_files::answer(&request, path, cx.files, &cx.options.files, seconds) {
            Ok(answer) => self.send_answer(reply, answer, out, cx),
            Err(error) => self.refuse(reply, Refusal::new(error.status()), Some(request), out, cx),
        }
    }

    /// Sends a file's answer.
    fn send_answer(&mut self, mut reply: Reply, answer: FileReply, out: &mut SendQueue, cx: &Context<'_>) {
        reply.head(&mut self.protocol, answer.response, answer.length, out, cx);
        for chunk in answer.content.into_iter().chain(answer.parts) {
            reply.content(&mut self.protocol, chunk, out);
        }
        reply.finish(&mut self.protocol, &mut self.journal, out);
    }

    fn expire(&mut self, inbox: &BytesMut, out: &mut SendQueue, cx: &mut Context<'_>) {
        if self.timers.take_expired(Timer::Write as usize, cx.now) {
            self.ending = Ending::Cut;
        }
        // A request that comes at the last moment is served.
        if self.timers.take_expired(Timer::KeepAlive as usize, cx.now) && self.protocol.is_idle(inbox) {
            match self.drains_later {
                true => self.protocol.drain(),
                false => self.ending = Ending::Close,
            }
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

    /// Answers the requests that have waited too long for a PHP thread.
    fn expire_queued(&mut self, out: &mut SendQueue, cx: &mut Context<'_>) {
        let (mut index, mut next) = (0, None);
        while let Some(Stream { state, .. }) = self.streams.get_mut(index) {
            if let State::Php { handle, head: Head::Awaited { queued_until }, refusal, .. } = state {
                if *queued_until > cx.now {
                    next = next.into_iter().chain(handle.is_queued().then_some(*queued_until)).min();
                } else if handle.cancel() {
                    let refusal = refusal.unwrap_or_else(|| Refusal::new(Status::SERVICE_UNAVAILABLE));
                    let reply = self.streams.swap_remove(index).reply;
                    self.refuse(reply, refusal, None, out, cx);
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

/// Sends what has become ready of a response.
fn send_ready(reply: &mut Reply, protocol: &mut Protocol, ready: Ready, out: &mut SendQueue, cx: &Context<'_>) {
    if let Some((response, length)) = ready.head {
        reply.head(protocol, response, length, out, cx);
    }
    if let Some(content) = ready.content {
        reply.content(protocol, Chunk::Bytes(content), out);
    }
}
