//! One request with its response (RFC 9113 §8.1's word), shared by an event loop and a PHP thread.
//!
//! [`new`] returns two handles on one exchange, and each side sees only its own verbs: a [`Handle`] never blocks, a
//! [`Responder`] may. Dropping a handle cancels: PHP sees an aborted client, the loop sees a failed response. Output
//! is bounded: while more than [`RESPONSE_BUFFER_HIGH`](crate::base::limits::RESPONSE_BUFFER_HIGH) bytes have not been
//! pulled a PHP thread waits, or, if the client is slow and there is a [`Spill`], goes on into a file. This module knows
//! neither sockets nor PHP nor what such a file is.

mod bell;
mod expiry;
mod handle;
mod job;
mod responder;
mod room;
mod spill;
mod state;
#[cfg(test)]
pub(crate) mod tests;

pub use expiry::Expiry;
pub use handle::{Handle, Pull};
pub use job::{Content, Job, Script};
pub use responder::{Aborted, Responder};
pub use spill::{AllSpilled, Problem, Spill, SpillFile, SpillFiles};
pub use state::{News, Rung, Tag};

use std::sync::Arc;

/// A loop's bell, rung by its exchanges.
pub type Bell = bell::Bell<News>;

/// Takes requests to PHP threads.
pub trait Dispatch: Send + Sync {
    /// Queues a request; gives it back when the queue is full or closed. Whoever submits, be it in vain, has to
    /// [`tend`](Self::tend) what waits, and to [`hand_over`](Self::hand_over) before waiting for anything.
    fn submit(&self, responder: Box<Responder>) -> Result<(), Box<Responder>>;

    /// Wakes a thread if requests wait. Returns whether they do: then it has to be done again.
    fn tend(&self) -> bool {
        false
    }

    /// Leaves it to the threads to wake each other for as many requests as there are.
    fn hand_over(&self) {}
}

/// Joins the loop's and PHP's side of one request. The responder is boxed because it moves through queues. Without
/// `spill` PHP waits for slow clients.
pub fn new(job: Job, tag: Tag, bell: Arc<Bell>, spill: Option<Arc<Spill>>) -> (Handle, Box<Responder>) {
    let exchange = Arc::new(state::Exchange::new(tag, bell, spill));
    (Handle::new(Arc::clone(&exchange)), Box::new(Responder::new(exchange, job)))
}
