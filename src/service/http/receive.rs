//! From what the peer sends to what is done about it: event → route → content → PHP.

use bytes::Bytes;

use super::Http;
use super::deadlines::Timer;
use super::refusal::Refusal;
use super::stream::{Head, State, Stream};
use crate::base::send_queue::SendQueue;
use crate::exchange::{Handle, Job, Script, Tag};
use crate::http::message::{Request, Response};
use crate::http::peer_error::PeerError;
use crate::http::status::Status;
use crate::protocol::StreamId;
use crate::service::compression::Compression;
use crate::service::content::{CollectError, Collector};
use crate::service::context::Context;
use crate::service::reply::Reply;
use crate::site::router::Route;
use crate::site::{error_page, forwarded};

impl Http {
    pub(super) fn on_invalid(&mut self, id: StreamId, error: PeerError, out: &mut SendQueue, cx: &mut Context<'_>) {
        log::debug!("{}: {error}", self.peer.remote);
        let refusal = Refusal::new(error.status());
        let (mut reply, request) = match self.find(id) {
            None => (Reply::new(id, self.peer, None, cx), None),
            Some(index) => {
                let Stream { mut reply, state, .. } = self.streams.swap_remove(index);
                match state {
                    State::Content { request, .. } => (reply, Some(request)),
                    State::Php { head: Head::Awaited { .. }, .. } => (reply, None),
                    State::Php { .. } | State::Chunks(_) | State::Leaving => {
                        reply.set_error(error);
                        self.protocol.reset(id);
                        return self.journal.add(reply, false, out.len());
                    }
                }
            }
        };
        reply.set_error(error);
        self.refuse(reply, refusal, request, out, cx);
    }

    pub(super) fn on_request(&mut self, id: StreamId, mut request: Request, out: &mut SendQueue, cx: &mut Context<'_>) {
        if self.running >= self.protocol.concurrency_max() {
            return self.protocol.refuse(id);
        }
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
                let mut stream = Stream::new(reply, State::Content { request, script, collector });
                if self.protocol.multiplexes() {
                    let due = cx.options.content_pace.begin(cx.now);
                    stream.due = Some(due);
                    self.arm(due);
                }
                self.add(stream);
            }
            Err(error) => self.refuse_content(reply, &error, request, out, cx),
        }
    }

    pub(super) fn on_content(&mut self, id: StreamId, bytes: &Bytes, out: &mut SendQueue, cx: &mut Context<'_>) {
        let pace = cx.options.content_pace;
        let (len, multiplexes) = (bytes.len() as u64, self.protocol.multiplexes());
        if !multiplexes {
            let deadline = self.timers.get(Timer::Content as usize).unwrap_or_else(|| pace.begin(cx.now));
            self.timers.set(Timer::Content as usize, pace.advance(deadline, len, cx.now));
        }
        // Content of a request that has been answered already matches no stream.
        let Some(index) = self.find(id) else { return };
        let Stream { state: State::Content { collector, .. }, due, .. } = &mut self.streams[index] else { return };
        if multiplexes {
            *due = due.map(|due| pace.advance(due, len, cx.now));
        }
        if let Err(error) = collector.push(bytes, &cx.options.content, cx.spool)
            && let Stream { reply, state: State::Content { request, .. }, .. } = self.streams.swap_remove(index)
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

    pub(super) fn on_end_of_content(&mut self, id: StreamId, out: &mut SendQueue, cx: &mut Context<'_>) {
        let awaits_it = |stream: &Stream| stream.reply.id == id && matches!(stream.state, State::Content { .. });
        let Some(index) = self.streams.iter().position(awaits_it) else { return };
        let Stream { reply, state: State::Content { request, script, collector }, .. } =
            self.streams.swap_remove(index)
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
        let pool = cx.options.pools.select(request.path(), &script);
        let job = Job { request, script, pool, error: None, peer: reply.peer, content, received_at: cx.wall };
        match self.submit(job, id, cx) {
            Some((handle, head)) => {
                let state = State::Php { handle, head, compression, refusal: None, request: copy };
                self.push(Stream::new(reply, state));
            }
            None => self.refuse(reply, Refusal::new(Status::SERVICE_UNAVAILABLE), None, out, cx),
        }
    }

    /// Hands a request to PHP; `None` when too many wait.
    pub(super) fn submit(&mut self, job: Job, id: StreamId, cx: &mut Context<'_>) -> Option<(Handle, Head)> {
        let before = cx.exchanges.in_flight();
        let handle = cx.exchanges.submit(job, Tag { connection: self.key, stream: id.0 }, cx.options.spill.clone());
        // One that is refused may count until the bell has rung.
        self.running += cx.exchanges.in_flight() - before;
        let handle = handle?;
        let queued_until = cx.now + cx.options.queue_timeout;
        self.timers.set_once(Timer::Queue as usize, || queued_until);
        Some((handle, Head::Awaited { queued_until }))
    }
}
