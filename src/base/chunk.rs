//! A piece of content: bytes, or the description of bytes that still lie in a file.
//!
//! Naming a range of an open file is not I/O, so a chunk may pass through pure layers; only the transport reads it
//! (`sendfile` on a plain socket, `pread` where the bytes must be seen).

use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;

/// A piece of content on its way to a peer.
#[derive(Debug, Clone)]
pub enum Chunk {
    /// Bytes in memory.
    Bytes(Bytes),
    /// Bytes of an open regular file.
    File(FileRange),
}

impl Chunk {
    /// The number of bytes described.
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(range) => range.len,
        }
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Bytes> for Chunk {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

/// `len` bytes of `file` from `offset` on. The file may shrink after the range was named; the transport then sees
/// the end early and must cut the connection, since the length has been promised.
#[derive(Debug, Clone)]
pub struct FileRange {
    /// The open file; shared, because a cache may hold it too.
    pub file: Arc<File>,
    /// Where the range begins, in bytes from the start of the file.
    pub offset: u64,
    /// How many bytes it holds.
    pub len: u64,
}

impl FileRange {
    /// Splits off and returns the first `n` bytes (at most all of them).
    pub fn split_to(&mut self, n: u64) -> Self {
        let n = n.min(self.len);
        let front = Self { file: Arc::clone(&self.file), offset: self.offset, len: n };
        self.offset += n;
        self.len -= n;
        front
    }
}
