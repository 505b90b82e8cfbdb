//! From PHP, and from files, to the protocol: content is pulled while there is room for it.

use super::Http;
use super::refusal::Refusal;
use super::stream::{Head, State, Stream};
use crate::base::chunk::Chunk;
use crate::base::limits;
use crate::base::send_queue::SendQueue;
use crate::exchange::Pull;
use crate::http::message::{ContentLength, Request};
use crate::http::status::Status;
use crate::protocol::{Protocol, StreamId};
use crate::service::compression::Ready;
use crate::service::context::Context;
use crate::service::reply::Reply;
use crate::site::internal_files::{self, Handover};
use crate::site::static_files::{self, FileReply};

impl Http {
    /// Pulls what has become ready while there is room. True if there may be more although there is: what is encoded
    /// fills the send queue slowly, and others want a turn.
    pub(super) fn pull(&mut self, out: &mut SendQueue, cx: &mut Context<'_>) -> bool {
        if !self.has_news {
            return false;
        }
        let mut budget = limits::PULL_BUDGET;
        // Where the last turn has stopped, so that none of many waits for ever.
        while let Some(index) = self.next_with_news() {
            match self.pull_stream(index, &mut budget, out, cx) {
                // Another stream may have taken its place.
                Pulled::Over => self.next = index,
                Pulled::All => {
                    self.streams[index].has_news = false;
                    self.next = index + 1;
                }
                Pulled::Some => {
                    self.next = index;
                    if budget > 0 {
                        self.watch_waiting(cx);
                    }
                    return budget == 0;
                }
            }
        }
        self.has_news = false;
        false
    }

    /// The next stream from which something may be pulled. It is looked for each time, since streams change places.
    fn next_with_news(&self) -> Option<usize> {
        let len = self.streams.len();
        let start = self.next.min(len);
        (start..len).chain(0..start).find(|index| self.streams[*index].has_news)
    }

    /// Pulls from one stream.
    fn pull_stream(&mut self, index: usize, budget: &mut usize, out: &mut SendQueue, cx: &mut Context<'_>) -> Pulled {
        loop {
            if out.len() >= limits::SEND_QUEUE_HIGH || *budget == 0 {
                return Pulled::Some;
            }
            if !self.may_send(index, out, cx) {
                return Pulled::All;
            }
            let Self { streams, protocol, .. } = self;
            let Stream { reply, state, .. } = &mut streams[index];
            if let State::Chunks(chunks) = state {
                // It is there: what is not has been removed.
                let Some(chunk) = chunks.pop_front() else { return self.finish_at(index, out, cx) };
                if !self.send_chunk(index, chunk, budget, out, cx) {
                    self.cut(index, out);
                    return Pulled::Over;
                }
                continue;
            }
            let State::Php { handle, head, compression, refusal, request } = state else { return Pulled::All };
            let (ready, is_over) = match handle.poll() {
                Pull::Pending => {
                    send_ready(reply, protocol, compression.flush(), out, cx);
                    return Pulled::All;
                }
                Pull::Interim(mut response) => {
                    internal_files::FIELDS.iter().for_each(|name| response.headers.remove(name));
                    *budget = budget.saturating_sub(limits::INTERIM_HEAD_COST);
                    protocol.send_response(reply.id, response, ContentLength::Unknown, cx.date, out);
                    continue;
                }
                Pull::Head(mut response, length) => {
                    match refusal {
                        None if Handover::of(&response.headers).is_some() => {
                            let request = request.take();
                            let reply = self.streams.swap_remove(index).reply;
                            self.hand_over(reply, &response, request, out, cx);
                            return Pulled::Over;
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
                    return Pulled::Over;
                }
            };
            send_ready(reply, protocol, ready, out, cx);
            if is_over {
                return self.finish_at(index, out, cx);
            }
        }
    }

    /// Whether there is room for content of a stream. If requests overlap, it is from now on watched whether the peer
    /// takes what it is given.
    fn may_send(&mut self, index: usize, out: &SendQueue, cx: &Context<'_>) -> bool {
        let Self { streams, protocol, .. } = self;
        let Stream { reply, state, due, taken, .. } = &mut streams[index];
        if !protocol.multiplexes() || !matches!(state, State::Chunks(_) | State::Php { head: Head::Sent, .. }) {
            return true;
        }
        let (unsent, sent) = protocol.progress(reply.id);
        let has_room = protocol.has_room(reply.id, out);
        if unsent == 0 || due.is_none() {
            let begun = cx.options.write_pace.begin(cx.now);
            (*due, *taken) = (Some(begun), sent);
            self.arm(begun.min(cx.now + limits::STALL_LOOK));
        }
        has_room
    }

    /// PHP has not completed its response; `status` is what that means if it has not begun.
    fn on_failure(&mut self, stream: Stream, status: Status, out: &mut SendQueue, cx: &mut Context<'_>) {
        match stream {
            Stream { reply, state: State::Php { head: Head::Sent, compression, .. }, .. }
                if !compression.holds_head() =>
            {
                log::warn!("{}: a response was cut because PHP did not complete it", reply.peer.remote);
                self.protocol.reset(reply.id);
                self.journal.add(reply, false, out.len());
            }
            Stream { reply, state: State::Php { refusal: Some(refusal), .. }, .. } => {
                self.refuse_plainly(reply, refusal, out, cx);
            }
            Stream { reply, .. } => {
                self.refuse(reply, Refusal::new(status), None, out, cx);
            }
        }
    }

    pub(super) fn send_file(
        &mut self,
        reply: Reply,
        request: Request,
        path: &[u8],
        out: &mut SendQueue,
        cx: &mut Context<'_>,
    ) {
        let seconds = i64::try_from(cx.wall.as_secs()).unwrap_or(i64::MAX);
        match static_files::answer(&request, path, cx.files, &cx.options.files, seconds) {
            Ok(answer) => self.send_answer(reply, answer, out, cx),
            Err(error) => self.refuse(reply, Refusal::new(error.status()), Some(request), out, cx),
        }
    }

    /// Sends a file's answer.
    pub(super) fn send_answer(&mut self, mut reply: Reply, answer: FileReply, out: &mut SendQueue, cx: &Context<'_>) {
        reply.head(&mut self.protocol, answer.head, answer.length, out, cx);
        self.send_chunks(reply, answer.content.into_iter().chain(answer.parts), out, cx);
    }

    /// Sends all of the content, or has it pulled if it must be read.
    pub(super) fn send_chunks(
        &mut self,
        mut reply: Reply,
        mut chunks: impl Iterator<Item = Chunk>,
        out: &mut SendQueue,
        cx: &Context<'_>,
    ) {
        let takes_files = self.protocol.takes_files();
        while let Some(chunk) = chunks.next() {
            if !takes_files && matches!(chunk, Chunk::File(_)) {
                let chunks = [chunk].into_iter().chain(chunks).collect();
                return self.push(Stream::new(reply, State::Chunks(chunks)));
            }
            reply.content(&mut self.protocol, chunk, out);
        }
        self.finish(reply, out, cx);
    }

    /// Sends a chunk, or the first piece of a file's; false if that cannot be read.
    fn send_chunk(
        &mut self,
        index: usize,
        chunk: Chunk,
        budget: &mut usize,
        out: &mut SendQueue,
        cx: &mut Context<'_>,
    ) -> bool {
        let Stream { reply, state: State::Chunks(chunks), .. } = &mut self.streams[index] else { return false };
        let bytes = match chunk {
            Chunk::Bytes(bytes) => bytes,
            Chunk::File(mut range) => {
                let piece = range.split_to(limits::FILE_PIECE_BYTES);
                match cx.files.read(&piece) {
                    Ok(bytes) if bytes.len() as u64 == piece.len => {
                        if range.len > 0 {
                            chunks.push_front(Chunk::File(range));
                        }
                        bytes
                    }
                    // The length has been promised, and there is nothing to keep the promise with.
                    Ok(_) => {
                        log::warn!("a response was cut: a file shrank while it was sent");
                        return false;
                    }
                    Err(error) => {
                        log::warn!("a response was cut: a file cannot be read: {error}");
                        return false;
                    }
                }
            }
        };
        *budget = budget.saturating_sub(bytes.len());
        reply.content(&mut self.protocol, Chunk::Bytes(bytes), out);
        true
    }

    /// A response is complete.
    pub(super) fn finish(&mut self, mut reply: Reply, out: &mut SendQueue, cx: &Context<'_>) {
        if reply.finish(&mut self.protocol, out) {
            return self.journal.add(reply, true, out.len());
        }
        let due = cx.options.write_pace.begin(cx.now);
        let taken = self.protocol.progress(reply.id).1;
        self.add(Stream { due: Some(due), taken, has_news: false, ..Stream::new(reply, State::Leaving) });
        self.arm(due.min(cx.now + limits::STALL_LOOK));
    }

    fn finish_at(&mut self, index: usize, out: &mut SendQueue, cx: &Context<'_>) -> Pulled {
        let reply = self.streams.swap_remove(index).reply;
        self.finish(reply, out, cx);
        Pulled::Over
    }

    /// Ends a stream without completing its response.
    pub(super) fn cut(&mut self, index: usize, out: &SendQueue) {
        let reply = self.streams.swap_remove(index).reply;
        self.protocol.reset(reply.id);
        self.journal.add(reply, false, out.len());
    }

    /// The peer has given a request up.
    pub(super) fn on_reset(&mut self, id: StreamId, out: &SendQueue) {
        if let Some(index) = self.find(id) {
            let reply = self.streams.swap_remove(index).reply;
            self.journal.add(reply, false, out.len());
        }
    }

    /// A stream has room for more.
    pub(super) fn on_room(&mut self, id: StreamId) {
        if let Some(index) = self.find(id) {
            let stream = &mut self.streams[index];
            stream.has_news = true;
            self.has_news = true;
        }
    }

    /// A response has left to its end.
    pub(super) fn on_sent(&mut self, id: StreamId, out: &SendQueue) {
        if let Some(index) = self.find(id) {
            let reply = self.streams.swap_remove(index).reply;
            self.journal.add(reply, true, out.len());
        }
    }
}

/// How much could be pulled from a stream.
enum Pulled {
    /// All that there is, or that the stream has room for: it will have news.
    All,
    /// As much as the send queue has room for, or one turn may do.
    Some,
    /// Its response is over; it has been removed.
    Over,
}

/// Sends what has become ready of a response.
fn send_ready(reply: &mut Reply, protocol: &mut Protocol, ready: Ready, out: &mut SendQueue, cx: &Context<'_>) {
    if let Some((response, length)) = ready.head {
        reply.head(protocol, response.into(), length, out, cx);
    }
    if let Some(content) = ready.content {
        reply.content(protocol, Chunk::Bytes(content), out);
    }
}
