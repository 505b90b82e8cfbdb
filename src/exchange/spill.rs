//! Where output goes that a client takes too slowly, so that it does not hold its PHP thread: a file that has no name.
//!
//! This module knows how much may lie there and how patient PHP's side is before it does; what a file is, the layer
//! above says. As with request content, all files together are bounded, in bytes and in number: what finds no room
//! waits in PHP, as if there were no files.

use std::fmt::Debug;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::base::account::{Account, Share};
use crate::base::limits::SPILL_PATIENCE_HALVINGS;

/// Makes files for output.
pub trait SpillFiles: Debug + Send + Sync {
    /// An empty file that is gone when it is dropped.
    fn create(&self) -> io::Result<Arc<dyn SpillFile>>;
    /// Tells the operator, though not each time, why output does not go to a file.
    fn report(&self, problem: Problem<'_>);
}

/// One such file. PHP's thread writes at its end while the loop reads what has been written.
pub trait SpillFile: Debug + Send + Sync {
    /// Writes all of `bytes` at `offset`.
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Fills `block` with the bytes at `offset`.
    fn read(&self, block: &mut [u8], offset: u64) -> io::Result<()>;
    /// Gives back the space of a part that will not be read again. False if that cannot be done here.
    fn free(&self, part: &Range<u64>) -> bool;
}

/// Why output does not go to a file.
#[derive(Debug, Clone, Copy)]
pub enum Problem<'a> {
    /// All responses together have as much in files, or as many files, as they may.
    Full,
    /// The file cannot be made or written.
    Failed(&'a io::Error),
}

/// Files for output, and their bounds.
#[derive(Debug)]
pub struct Spill {
    /// Makes them.
    pub files: Box<dyn SpillFiles>,
    /// The most bytes that one response may have in its file.
    pub bytes_max: u64,
    /// The most bytes that all responses together may have in files.
    pub all_bytes_max: u64,
    /// The most files at once.
    pub files_max: u64,
    /// How long a PHP thread waits for a client that takes less than a block, unless many are waited for in vain.
    pub patience: Duration,
    /// What all responses have.
    pub held: Arc<AllSpilled>,
}

/// What all responses have in files, and how waiting for clients has gone lately.
#[derive(Debug, Default)]
pub struct AllSpilled {
    bytes: Arc<Account>,
    files: Arc<Account>,
    /// Bytes in memory of responses that their peers have not taken for a while.
    stalled: Arc<Account>,
    /// How often patience is halved. Many slow readers at once would hold every thread, each for a moment.
    halvings: AtomicU32,
}

impl AllSpilled {
    /// Bytes in files, and files.
    pub fn bytes_and_files(&self) -> (u64, u64) {
        (self.bytes.bytes(), self.files.bytes())
    }

    /// Where those count that hold responses in memory because their peers take nothing.
    pub fn stalled(&self) -> &Arc<Account> {
        &self.stalled
    }
}

/// Output of one response in a file: what has been written and not read.
#[derive(Debug)]
pub(super) struct Spilled {
    file: Arc<dyn SpillFile>,
    share: Share,
    /// Of the number of files.
    _place: Share,
    read: u64,
    written: u64,
    /// What it takes of the disk.
    space: u64,
    /// Up to here space has been given back, if it could be.
    freed: u64,
}

/// What is to be read next.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) file: Arc<dyn SpillFile>,
    pub(super) offset: u64,
    pub(super) len: usize,
    /// What may be given back once it has been read.
    pub(super) free: Option<Range<u64>>,
}

impl Spill {
    /// How long to wait for a client.
    pub(super) fn patience(&self) -> Duration {
        self.patience / (1 << self.held.halvings.load(Ordering::Relaxed).min(SPILL_PATIENCE_HALVINGS))
    }

    /// Takes note whether waiting for a client has been in vain.
    pub(super) fn has_waited(&self, in_vain: bool) {
        let change = |halvings: u32| {
            if in_vain {
                Some(halvings + 1).filter(|more| *more <= SPILL_PATIENCE_HALVINGS)
            } else {
                halvings.checked_sub(1)
            }
        };
        // At an end of the range it stays there.
        let _ = self.held.halvings.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
    }

    /// Begins a file with `bytes`; none if there is no room for it or it cannot be written.
    pub(super) fn begin(&self, bytes: &[u8]) -> Option<Spilled> {
        let len = bytes.len() as u64;
        let (mut share, mut place) = (Share::default(), Share::default());
        if len > self.bytes_max {
            return None;
        }
        if !place.grow(&self.held.files, 1, self.files_max) || !share.grow(&self.held.bytes, len, self.all_bytes_max) {
            self.files.report(Problem::Full);
            return None;
        }
        let created = self.files.create().and_then(|file| file.write(bytes, 0).map(|()| file));
        match created {
            Ok(file) => Some(Spilled { file, share, _place: place, read: 0, written: len, space: len, freed: 0 }),
            Err(error) => {
                self.files.report(Problem::Failed(&error));
                None
            }
        }
    }

    /// Takes room for `len` bytes more in a file; none if there is not so much. To be written where it says.
    pub(super) fn reserve(&self, spilled: &mut Spilled, len: u64) -> Option<(Arc<dyn SpillFile>, u64)> {
        if spilled.space + len > self.bytes_max {
            return None;
        }
        if !spilled.share.grow(&self.held.bytes, len, self.all_bytes_max) {
            self.files.report(Problem::Full);
            return None;
        }
        spilled.space += len;
        Some((Arc::clone(&spilled.file), spilled.written))
    }
}

impl Spilled {
    /// Bytes that have not been read.
    pub(super) fn unread(&self) -> u64 {
        self.written - self.read
    }

    /// What was reserved has been written.
    pub(super) fn commit(&mut self, len: u64) {
        self.written += len;
    }

    /// What was reserved has not been written.
    pub(super) fn give_up(&mut self, len: u64) {
        self.space -= len;
        self.share.shrink(len);
    }

    /// What is to be read next, at most `max` bytes of it.
    pub(super) fn next(&self, max: usize, free_min: u64) -> Piece {
        let len = usize::try_from(self.unread()).map_or(max, |unread| unread.min(max));
        let end = self.read + len as u64;
        let free = (end - self.freed >= free_min).then_some(self.freed..end);
        Piece { file: Arc::clone(&self.file), offset: self.read, len, free }
    }

    /// A piece has been read, and given back if `is_freed`.
    pub(super) fn advance(&mut self, piece: &Piece, is_freed: bool) {
        self.read += piece.len as u64;
        if let Some(part) = &piece.free {
            self.freed = part.end;
            if is_freed {
                self.give_up(part.end - part.start);
            }
        }
    }
}
