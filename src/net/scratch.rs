//! Memory of a loop that it lends to the connection whose turn it is, so that a turn allocates nothing and a connection
//! that waits holds nothing.

use crate::base::limits::READ_BUDGET;
use crate::base::send_queue::SendQueue;

/// What a loop lends.
#[derive(Debug)]
pub struct Scratch {
    /// Where a socket is read into.
    pub(super) input: Box<[u8]>,
    /// An empty send queue with memory in it.
    out: SendQueue,
}

impl Scratch {
    /// Scratch memory that `input_bytes` are read into at once; more than 0.
    pub fn new(input_bytes: usize) -> Self {
        Self { input: vec![0; input_bytes].into_boxed_slice(), out: SendQueue::default() }
    }

    /// Puts memory into a send queue that holds nothing.
    pub(super) fn lend(&mut self, out: &mut SendQueue) {
        if out.is_empty() {
            std::mem::swap(out, &mut self.out);
        }
    }

    /// Takes the memory back out of a send queue, unless something is still to be sent.
    pub(super) fn take_back(&mut self, out: &mut SendQueue) {
        if out.is_empty() {
            self.out = std::mem::take(out);
            self.out.shrink();
        }
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new(READ_BUDGET)
    }
}
