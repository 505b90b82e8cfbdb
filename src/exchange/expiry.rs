//! Ending a response whose request gets no more time, from a third thread.
//!
//! PHP's thread may be anywhere, even where it will never come back from. What it still writes is nobody's, as if the
//! client had gone.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::state::{End, Exchange};

/// See the module's documentation. Holding it keeps nothing from ending.
#[derive(Debug)]
pub struct Expiry {
    exchange: Arc<Exchange>,
}

impl Expiry {
    pub(super) fn new(exchange: Arc<Exchange>) -> Self {
        Self { exchange }
    }

    /// Ends the response, unless it has ended: the loop sees [`Pull::Expired`](super::Pull::Expired) and PHP an aborted
    /// client.
    pub fn expire(&self) {
        let mut state = self.exchange.lock();
        if state.released || state.is_over() {
            return;
        }
        state.end(End::Expired);
        self.exchange.aborted.store(true, Ordering::Release);
        self.exchange.call_waiting(&state);
        self.exchange.ring(state);
    }

    /// Counts PHP as done with the exchange, though its thread has not come back. Call it after [`expire`](Self::expire).
    pub fn release(&self) {
        let mut state = self.exchange.lock();
        if std::mem::replace(&mut state.released, true) {
            return;
        }
        // If PHP had completed its response it might still write.
        self.exchange.aborted.store(true, Ordering::Release);
        self.exchange.ring(state);
    }
}
