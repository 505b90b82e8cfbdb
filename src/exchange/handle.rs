//! The loop's side of an exchange. Nothing here blocks.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::state::{End, Exchange, Phase, Reply};
use crate::base::limits::RESPONSE_BUFFER_LOW;
use crate::http::message::{ContentLength, Response};

/// The loop's side of one request. Dropping it tells PHP that the client is gone.
#[derive(Debug)]
pub struct Handle {
    exchange: Arc<Exchange>,
}

/// The next piece of a response.
#[derive(Debug)]
pub enum Pull {
    /// An interim head (1xx); the head is still to come.
    Interim(Response),
    /// The head, and how much content follows.
    Head(Response, ContentLength),
    /// Some content, never empty.
    Content(Bytes),
    /// Nothing yet; the bell will ring.
    Pending,
    /// The response is complete.
    End,
    /// PHP is gone without completing it. Before a head this is a 500, after it the response is to be cut.
    Failed,
    /// PHP was given no more time to complete it. Before a head this is a 504, after it the response is to be cut.
    Expired,
}

impl Handle {
    pub(super) fn new(exchange: Arc<Exchange>) -> Self {
        Self { exchange }
    }

    /// The next piece. `End`, `Failed` and `Expired` come once and for all.
    pub fn poll(&mut self) -> Pull {
        let mut state = self.exchange.lock();
        if let Some(response) = state.interim.pop_front() {
            return Pull::Interim(response);
        }
        match std::mem::replace(&mut state.reply, Reply::Streaming) {
            Reply::Await => {
                state.reply = Reply::Await;
                return Pull::Pending;
            }
            Reply::Head { response, length, end } => {
                state.reply = end.map_or(Reply::Streaming, Reply::Over);
                return Pull::Head(response, length);
            }
            reply => state.reply = reply,
        }
        let before = state.buffered;
        let Some(chunk) = state.pop() else {
            return match state.reply {
                Reply::Over(End::Complete) => Pull::End,
                Reply::Over(End::Failed) => Pull::Failed,
                Reply::Over(End::Expired) => Pull::Expired,
                _ => Pull::Pending,
            };
        };
        if before > RESPONSE_BUFFER_LOW && state.buffered <= RESPONSE_BUFFER_LOW {
            self.exchange.room_made(state);
        }
        Pull::Content(chunk)
    }

    #[cfg(test)]
    pub(super) fn buffered(&self) -> usize {
        self.exchange.lock().buffered
    }

    /// Whether the request still waits for a PHP thread.
    pub fn is_queued(&self) -> bool {
        self.exchange.is_queued()
    }

    /// Takes the request back if no PHP thread has it yet; false if one has.
    pub fn cancel(&mut self) -> bool {
        self.exchange.leave_queue(Phase::Cancelled)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Under the lock, so that a thread which has just found room missing does not sleep through it.
        let state = self.exchange.lock();
        self.exchange.aborted.store(true, Ordering::Release);
        self.exchange.leave_queue(Phase::Cancelled);
        self.exchange.room_made(state);
    }
}
