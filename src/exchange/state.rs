//! What the two sides share.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};

use super::bell::Bell;
use super::spill::{Piece, Spill, Spilled};
use crate::base::limits::RESPONSE_BUFFER_HIGH;
use crate::base::slab::Key;
use crate::http::message::{ContentLength, Response};

/// Smaller pieces are gathered while others wait before them.
const GATHERED_BYTES_MAX: usize = 4096;

/// Whom an exchange belongs to on its loop. A tag may outlive its connection; it then finds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    /// The connection.
    pub connection: Key,
    /// The stream on that connection.
    pub stream: u64,
}

/// That an exchange has news: which one it is, never the news itself. An exchange lies in the bell's ring at most once.
#[derive(Debug)]
pub struct News(Arc<Exchange>);

/// One exchange with news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rung {
    /// Which exchange.
    pub tag: Tag,
    /// PHP is done with it; it will not ring again.
    pub released: bool,
}

impl News {
    /// Takes note of the news: what comes later will ring again.
    pub fn take(self) -> Rung {
        let mut state = self.0.lock();
        state.rung = false;
        Rung { tag: self.0.tag, released: state.released }
    }
}

/// Where the request is:
///
/// ```text
/// Queued ──start()──▶ Running
///    └────cancel()──▶ Cancelled
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// Waiting for a PHP thread.
    Queued,
    /// A PHP thread has taken it.
    Running,
    /// The loop has given up waiting; the PHP thread that finds it drops it.
    Cancelled,
}

#[derive(Debug)]
pub(super) struct Exchange {
    tag: Tag,
    bell: Arc<Bell<News>>,
    phase: AtomicU8,
    /// The client is gone. Never cleared.
    pub(super) aborted: AtomicBool,
    /// Where output goes that the client takes too slowly, if anywhere.
    pub(super) spill: Option<Arc<Spill>>,
    /// Only the PHP thread waits here; see module `room`.
    pub(super) drained: Condvar,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) reply: Reply,
    /// Interim heads that have not been pulled; they precede the reply.
    pub(super) interim: VecDeque<Response>,
    /// Content that the loop has not pulled; none of them empty.
    chunks: VecDeque<Bytes>,
    /// What follows the chunks: small pieces, gathered. A script that flushes each byte to a client that reads nothing
    /// would otherwise fill memory with the pieces' own weight.
    tail: BytesMut,
    /// What follows them, in a file; never without bytes to be read.
    pub(super) spilled: Option<Spilled>,
    /// What follows the file: the end, which waits for nothing, not even a disk.
    last: Bytes,
    /// The bytes in `chunks`, `tail` and `last`.
    pub(super) buffered: usize,
    /// All that has been pulled.
    pub(super) pulled: u64,
    /// Bytes that may be here, in memory and in the file, until the client has been waited for in vain once more.
    pub(super) allowance: u64,
    /// The PHP thread waits for room. Whoever makes room calls it only then, since each call is a system call.
    pub(super) waiting: bool,
    /// It waits until no more bytes than this are here.
    pub(super) low: u64,
    /// The exchange lies in the bell's ring.
    pub(super) rung: bool,
    /// The responder is gone.
    pub(super) released: bool,
}

/// The response, as far as PHP has produced it:
///
/// ```text
/// Await ──head──▶ Head ──pulled──▶ Streaming ──▶ Over
/// ```
///
/// The content and its end may be there before the head has been pulled: `end` then says how it ends.
#[derive(Debug)]
pub(super) enum Reply {
    /// No head yet.
    Await,
    /// A head that has not been pulled, and whether the content is complete behind it.
    Head { response: Response, length: ContentLength, end: Option<End> },
    /// The head has been pulled; content may follow.
    Streaming,
    /// Nothing follows the chunks.
    Over(End),
}

/// How a response ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// As it should.
    Complete,
    /// PHP is gone, or has produced less than it announced.
    Failed,
    /// PHP was given no more time for it.
    Expired,
}

impl State {
    /// Whether how it ends has been said.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.reply, Reply::Over(_) | Reply::Head { end: Some(_), .. })
    }

    /// Appends content, if there is any.
    pub(super) fn push(&mut self, chunk: Bytes) {
        if chunk.is_empty() {
            return;
        }
        self.buffered += chunk.len();
        if self.spilled.is_some() {
            debug_assert!(self.last.is_empty(), "only the end follows a file");
            self.last = chunk;
        } else if chunk.len() < GATHERED_BYTES_MAX && !self.chunks.is_empty() {
            self.tail.extend_from_slice(&chunk);
        } else {
            if !self.tail.is_empty() {
                self.chunks.push_back(self.tail.split().freeze());
            }
            self.chunks.push_back(chunk);
        }
    }

    /// Takes the content that is the longest here.
    pub(super) fn pop(&mut self) -> Option<Bytes> {
        let rest = || (!self.tail.is_empty()).then(|| self.tail.split().freeze());
        let chunk = self.chunks.pop_front().or_else(rest)?;
        self.buffered -= chunk.len();
        self.pulled += chunk.len() as u64;
        Some(chunk)
    }

    /// Takes note that a piece of the file has been read, and returns the file if that was the last. `is_freed` says
    /// whether its space has been given back.
    pub(super) fn advance(&mut self, piece: &Piece, is_freed: bool) -> Option<Spilled> {
        let spilled = self.spilled.as_mut()?;
        spilled.advance(piece, is_freed);
        self.pulled += piece.len as u64;
        if spilled.unread() > 0 {
            return None;
        }
        self.allowance = RESPONSE_BUFFER_HIGH as u64;
        if !self.last.is_empty() {
            self.chunks.push_back(std::mem::take(&mut self.last));
        }
        self.spilled.take()
    }

    /// Throws everything away that has not been pulled, and returns the file, which is not to be closed under the lock.
    pub(super) fn clear(&mut self) -> Option<Spilled> {
        (self.chunks, self.tail, self.last, self.buffered) = Default::default();
        self.spilled.take()
    }

    /// Whether content lies in a file.
    pub(super) fn has_spilled(&self) -> bool {
        self.spilled.is_some()
    }

    /// Bytes that have not been pulled, in memory and in the file.
    pub(super) fn unread(&self) -> u64 {
        self.buffered as u64 + self.spilled.as_ref().map_or(0, Spilled::unread)
    }

    /// Says how the response ends, behind whatever has not been pulled.
    pub(super) fn end(&mut self, how: End) {
        match &mut self.reply {
            Reply::Head { end, .. } => *end = Some(how),
            reply => *reply = Reply::Over(how),
        }
    }
}

impl Exchange {
    pub(super) fn new(tag: Tag, bell: Arc<Bell<News>>, spill: Option<Arc<Spill>>) -> Self {
        Self {
            tag,
            bell,
            spill,
            phase: AtomicU8::new(Phase::Queued as u8),
            aborted: AtomicBool::new(false),
            drained: Condvar::new(),
            state: Mutex::new(State {
                reply: Reply::Await,
                interim: VecDeque::new(),
                chunks: VecDeque::new(),
                tail: BytesMut::new(),
                spilled: None,
                last: Bytes::new(),
                buffered: 0,
                pulled: 0,
                allowance: RESPONSE_BUFFER_HIGH as u64,
                waiting: false,
                low: 0,
                rung: false,
                released: false,
            }),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock, and a panic ends the process.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Acquire)
    }

    /// Leaves `Queued` for `to`; false if it has been left already.
    pub(super) fn leave_queue(&self, to: Phase) -> bool {
        self.phase.compare_exchange(Phase::Queued as u8, to as u8, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    pub(super) fn is_queued(&self) -> bool {
        self.phase.load(Ordering::Acquire) == Phase::Queued as u8
    }

    /// Wakes the PHP thread if it waits for what has just been pulled.
    pub(super) fn pulled(&self, mut state: MutexGuard<'_, State>) {
        if state.waiting && state.unread() <= state.low {
            state.waiting = false;
            drop(state);
            self.drained.notify_one();
        }
    }

    /// Wakes the PHP thread if it waits, since it is to look again once the caller unlocks `state`.
    pub(super) fn call_waiting(&self, state: &MutexGuard<'_, State>) {
        if state.waiting {
            self.drained.notify_one();
        }
    }

    /// Wakes the PHP thread if it waits, for a reason that the caller has just put into `state`.
    pub(super) fn room_made(&self, state: MutexGuard<'_, State>) {
        let waits = state.waiting;
        drop(state);
        if waits {
            self.drained.notify_one();
        }
    }

    /// Rings the bell for news that the caller has just put into `state`.
    pub(super) fn ring(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let rings = !std::mem::replace(&mut state.rung, true);
        drop(state);
        if rings {
            self.bell.ring(News(Arc::clone(self)));
        }
    }
}
