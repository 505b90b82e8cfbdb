//! The loop's side of an exchange. Nothing here waits for PHP.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::spill::Piece;
use super::state::{End, Exchange, Phase, Reply, State};
use crate::base::limits::{OUTPUT_BLOCK_BYTES, SPILL_FREE_BYTES};
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
        let Some(chunk) = state.pop() else {
            if let Some(spilled) = &state.spilled {
                let piece = spilled.next(OUTPUT_BLOCK_BYTES, SPILL_FREE_BYTES);
                drop(state);
                return self.read(&piece);
            }
            return match state.reply {
                Reply::Over(End::Complete) => Pull::End,
                Reply::Over(End::Failed) => Pull::Failed,
                Reply::Over(End::Expired) => Pull::Expired,
                _ => Pull::Pending,
            };
        };
        self.exchange.pulled(state);
        Pull::Content(chunk)
    }

    /// Reads content back that has not been taken when it was made. Most of it still lies in the kernel's memory.
    fn read(&mut self, piece: &Piece) -> Pull {
        let mut block = vec![0; piece.len];
        if let Err(error) = piece.file.read(&mut block, piece.offset) {
            log::error!("cannot read buffered response content: {error}");
            self.abort(|state| state.reply = Reply::Over(End::Failed));
            return Pull::Failed;
        }
        let is_freed = piece.free.as_ref().is_some_and(|part| piece.file.free(part));
        let mut state = self.exchange.lock();
        let file = state.advance(piece, is_freed);
        self.exchange.pulled(state);
        drop(file);
        Pull::Content(block.into())
    }

    /// Lets PHP see an aborted client. What has not been pulled is gone.
    fn abort(&self, change: impl FnOnce(&mut State)) {
        // Under the lock, so that a thread which has just found room missing does not sleep through it.
        let mut state = self.exchange.lock();
        self.exchange.aborted.store(true, Ordering::Release);
        change(&mut state);
        let file = state.clear();
        self.exchange.room_made(state);
        drop(file);
    }

    /// Bytes of content in memory that PHP has produced and nobody has pulled.
    pub fn buffered(&self) -> usize {
        self.exchange.lock().buffered
    }

    #[cfg(test)]
    pub(super) fn unread(&self) -> u64 {
        self.exchange.lock().unread()
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
        self.exchange.leave_queue(Phase::Cancelled);
        self.abort(|_| {});
    }
}
