//! What a connection and its streams have deadlines for, and what happens when one passes.
//!
//! Where requests do not overlap, the connection's own timers say all. Where they do, each stream has a deadline of its
//! own for what its peer is to send or to take, since the others keep the connection busy; one timer stands for the
//! earliest of them. One peer can leave as many responses lying there as it has streams, so what all of them hold is
//! counted now and then, and when it is too much those of peers that leave more than a little get no more time.

use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::Http;
use super::refusal::Refusal;
use super::stream::{Head, State, Stream};
use crate::base::limits;
use crate::base::send_queue::SendQueue;
use crate::http::peer_error::PeerError;
use crate::http::status::Status;
use crate::protocol::{Awaiting, Event};
use crate::service::context::Context;

/// What the connection has a deadline for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Timer {
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
    /// What one of the streams is due for.
    Stream,
}

pub(super) const TIMERS: usize = Timer::Stream as usize + 1;

impl Http {
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
        if self.streams.is_empty() {
            // An idle connection holds no memory for them.
            self.streams = Vec::new();
            self.timers.clear(Timer::Stream as usize);
            self.held.resize(&cx.options.stalled, 0);
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

    pub(super) fn expire(&mut self, inbox: &BytesMut, out: &mut SendQueue, cx: &mut Context<'_>) {
        if self.timers.take_expired(Timer::Write as usize, cx.now) {
            self.is_cut = true;
        }
        // A request that comes at the last moment is served.
        let is_idle = self.timers.take_expired(Timer::KeepAlive as usize, cx.now) && self.protocol.is_idle(inbox);
        if is_idle && self.drains_later {
            self.protocol.drain();
        }
        let late = [Timer::Head, Timer::Content].map(|timer| self.timers.take_expired(timer as usize, cx.now));
        if ((is_idle && !self.drains_later) || late.contains(&true))
            && let Some(event) = self.protocol.expire(inbox)
        {
            self.on_event(event, out, cx);
        }
        if self.timers.take_expired(Timer::Queue as usize, cx.now) {
            self.expire_queued(out, cx);
        }
        if self.timers.take_expired(Timer::Stream as usize, cx.now) {
            self.expire_streams(out, cx);
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

    /// Gives the last stream a deadline, or any stream the one that it has.
    pub(super) fn arm(&mut self, due: Instant) {
        if self.timers.get(Timer::Stream as usize).is_none_or(|armed| due < armed) {
            self.timers.set(Timer::Stream as usize, due);
        }
    }

    /// Has PHP's responses watched that have something and find the send queue full. Their peer has not been asked to
    /// take anything of them yet, but neither does it read what it was.
    pub(super) fn watch_waiting(&mut self, cx: &Context<'_>) {
        if !self.protocol.multiplexes() {
            return;
        }
        let begun = cx.options.write_pace.begin(cx.now);
        let Self { streams, protocol, .. } = self;
        let mut is_watched = false;
        for Stream { reply, due, taken, .. } in streams.iter_mut().filter(|stream| stream.is_unwatched()) {
            (*due, *taken) = (Some(begun), protocol.progress(reply.id).1);
            is_watched = true;
        }
        if is_watched {
            self.arm(begun.min(cx.now + limits::STALL_LOOK));
        }
    }

    /// Counts what lies in memory because the peer has not taken it, beyond what each connection may hold, and returns
    /// how much that is.
    fn weigh(&mut self, cx: &Context<'_>) -> u64 {
        let mut held = 0;
        for Stream { reply, state, .. } in &self.streams {
            let unsent = self.protocol.progress(reply.id).0;
            // What is more is a file's that lies in memory anyway, whoever asks for it.
            held += unsent.min(limits::STREAM_SEND_HIGH + limits::OUTPUT_BLOCK_BYTES as u64);
            if let State::Php { handle, .. } = state
                && (unsent > 0 || self.stalled)
            {
                held += handle.buffered() as u64;
            }
        }
        let held = held.saturating_sub(limits::STALLED_BYTES_FAIR);
        self.held.resize(&cx.options.stalled, held);
        held
    }

    /// Gives up the streams whose peer has sent or taken too little for too long.
    fn expire_streams(&mut self, out: &mut SendQueue, cx: &mut Context<'_>) {
        let pace = cx.options.write_pace;
        // Who holds little is not given up for what others hold, nor others for that.
        let is_too_much = self.weigh(cx) > 0 && cx.options.stalled.bytes() > cx.options.stalled_bytes_max;
        let mut is_cut = false;
        // Who has not taken anything since the last look is out of time then.
        let forfeited = if is_too_much { pace.timeout.saturating_sub(limits::STALL_LOOK) } else { Duration::ZERO };
        let mut index = 0;
        while let Some(stream) = self.streams.get_mut(index) {
            index += 1;
            let id = stream.reply.id;
            if !matches!(stream.state, State::Content { .. })
                && let Some(due) = stream.due
            {
                let (unsent, sent) = self.protocol.progress(id);
                // A stream that the peer has just reset has no figures any more, and ends with the next event.
                let mut due = pace.advance(due, sent.saturating_sub(stream.taken), cx.now);
                if self.stalled && !is_too_much {
                    // All streams together wait for the connection, whose own timer tells whether the peer reads: on a
                    // slow link a stream among many has its turn but now and then.
                    due = due.max(pace.begin(cx.now));
                }
                let is_waiting = self.stalled && stream.has_output();
                (stream.due, stream.taken) = ((unsent > 0 || is_waiting).then_some(due), sent);
            }
            match stream.due {
                None => {}
                Some(due) if matches!(stream.state, State::Content { .. }) && due > cx.now => self.arm(due),
                Some(due) if due > cx.now + forfeited => self.arm(due.min(cx.now + limits::STALL_LOOK)),
                Some(_) if matches!(stream.state, State::Content { .. }) => {
                    index -= 1;
                    self.on_event(Event::Invalid(id, PeerError::ContentTimeout), out, cx);
                }
                Some(_) => {
                    index -= 1;
                    log::debug!("{}: a response was reset because nobody takes it", stream.reply.peer.remote);
                    self.cut(index, out);
                    is_cut = true;
                }
            }
        }
        if is_cut {
            // Nobody may look at those that stay for long.
            self.weigh(cx);
        }
    }
}
