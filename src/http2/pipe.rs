//! What h2 takes for a socket: bytes of the inbox in, bytes of the send queue out.
//!
//! Flushing does nothing, so that all that a turn produces leaves in one write. Above the send queue's mark nothing
//! more is taken, and then h2 reads nothing more either: that is the back-pressure of a peer that does not read. What
//! is read passes the [`Gate`] first.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::gate::Gate;
use crate::base::limits::SEND_QUEUE_HIGH;
use crate::base::send_queue::SendQueue;

/// h2's end of the pipe. The other end is a clone.
#[derive(Debug, Clone)]
pub(super) struct Pipe(Arc<Mutex<Ends>>);

/// What lies in a pipe.
#[derive(Debug)]
pub(super) struct Ends {
    /// Received; the caller's while h2 is at work, else empty.
    pub(super) input: BytesMut,
    /// To be sent; the same.
    pub(super) output: SendQueue,
    /// No more input will follow.
    pub(super) eof: bool,
    pub(super) gate: Gate,
}

impl Pipe {
    pub(super) fn new(gate: Gate) -> Self {
        let (input, output) = (BytesMut::new(), SendQueue::default());
        Self(Arc::new(Mutex::new(Ends { input, output, eof: false, gate })))
    }

    pub(super) fn ends(&self) -> MutexGuard<'_, Ends> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has h2 work with these while `work` runs.
    pub(super) fn lend<T>(&self, inbox: &mut BytesMut, out: &mut SendQueue, work: impl FnOnce() -> T) -> T {
        let mut swap = || {
            let ends = &mut *self.ends();
            std::mem::swap(&mut ends.input, inbox);
            std::mem::swap(&mut ends.output, out);
        };
        swap();
        let done = work();
        swap();
        done
    }
}

impl AsyncRead for Pipe {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Ends { input, eof, gate, .. } = &mut *self.ends();
        let before = buf.filled().len();
        gate.pass(input, buf);
        let is_over = *eof && input.is_empty();
        if buf.filled().len() > before || is_over { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let output = &mut self.ends().output;
        if output.len() >= SEND_QUEUE_HIGH {
            return Poll::Pending;
        }
        slices.iter().for_each(|slice| output.push_slice(slice));
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
