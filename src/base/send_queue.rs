//! What a connection has still to send, in order: bytes and file ranges.
//!
//! Small pieces are gathered in one buffer at the end of the queue, so that a head with its small content, and
//! pipelined replies, leave in one slice; large pieces are kept as they are and leave by a vectored write. The queue
//! does no I/O: the transport asks for slices or for the file range in front, and says how much was taken.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, BufMut, BytesMut};

use super::chunk::{Chunk, FileRange};

/// Below this many bytes a copy is cheaper than a slice of its own.
const COPY_BYTES_MAX: usize = 4096;
/// Memory that [`SendQueue::shrink`] leaves.
const KEPT_BYTES_MAX: usize = 64 * 1024;
/// See [`KEPT_BYTES_MAX`].
const KEPT_SEGMENTS_MAX: usize = 64;

/// Bytes and file ranges on their way out. `len()` is the sum of all of them.
#[derive(Debug, Default)]
pub struct SendQueue {
    segments: VecDeque<Chunk>,
    /// Follows the last segment.
    tail: BytesMut,
    len: u64,
}

/// What lies in front of the queue.
#[derive(Debug)]
pub enum Front<'a> {
    /// Nothing.
    Empty,
    /// Bytes: ask [`SendQueue::slices`].
    Bytes,
    /// A file range, to be sent before anything else.
    File(&'a FileRange),
}

impl SendQueue {
    /// Bytes still to be sent.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether everything has been sent.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A place to write small pieces, a head above all; `additional` bytes are reserved.
    pub fn writer(&mut self, additional: usize) -> Writer<'_> {
        self.tail.reserve(additional);
        let before = self.tail.len();
        Writer { queue: self, before }
    }

    /// Appends a copy of `bytes`.
    pub fn push_slice(&mut self, bytes: &[u8]) {
        self.tail.put_slice(bytes);
        self.len += bytes.len() as u64;
    }

    /// Appends a chunk.
    pub fn push(&mut self, chunk: Chunk) {
        match chunk {
            Chunk::Bytes(bytes) if bytes.len() < COPY_BYTES_MAX => self.push_slice(&bytes),
            chunk if chunk.is_empty() => {}
            chunk => {
                self.len += chunk.len();
                if !self.tail.is_empty() {
                    self.segments.push_back(Chunk::Bytes(self.tail.split().freeze()));
                }
                self.segments.push_back(chunk);
            }
        }
    }

    /// What lies in front.
    pub fn front(&self) -> Front<'_> {
        match self.segments.front() {
            Some(Chunk::File(range)) => Front::File(range),
            Some(Chunk::Bytes(_)) => Front::Bytes,
            None if self.tail.is_empty() => Front::Empty,
            None => Front::Bytes,
        }
    }

    /// Whether a file range follows the bytes that [`slices`](Self::slices) gives.
    pub fn file_follows(&self) -> bool {
        self.segments.iter().any(|segment| matches!(segment, Chunk::File(_)))
    }

    /// As many slices as [`slices`](Self::slices) can fill, or more.
    pub fn slices_max(&self) -> usize {
        self.segments.len() + 1
    }

    /// Fills `slices` with the bytes in front, up to the first file range, and returns how many were filled.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for segment in &self.segments {
            let Chunk::Bytes(bytes) = segment else { return filled };
            if filled == slices.len() {
                return filled;
            }
            slices[filled] = IoSlice::new(bytes);
            filled += 1;
        }
        if !self.tail.is_empty() && filled < slices.len() {
            slices[filled] = IoSlice::new(&self.tail);
            filled += 1;
        }
        filled
    }

    /// Takes `n` sent bytes off the front; `n` must not exceed [`len`](Self::len).
    pub fn advance(&mut self, n: u64) {
        debug_assert!(n <= self.len, "more was sent than queued");
        self.len -= n;
        let mut left = n;
        while left > 0 {
            let Some(front) = self.segments.front_mut() else {
                match left as usize {
                    all if all == self.tail.len() => self.tail.clear(),
                    some => self.tail.advance(some),
                }
                break;
            };
            if front.len() <= left {
                left -= front.len();
                self.segments.pop_front();
                continue;
            }
            match front {
                Chunk::Bytes(bytes) => bytes.advance(left as usize),
                Chunk::File(range) => {
                    range.split_to(left);
                }
            }
            left = 0;
        }
    }

    /// Gives back what memory an empty queue need not keep to be used again soon.
    pub fn shrink(&mut self) {
        if self.tail.capacity() > KEPT_BYTES_MAX {
            self.tail = BytesMut::new();
        }
        self.segments.shrink_to(KEPT_SEGMENTS_MAX);
    }
}

/// Appends to the end of a [`SendQueue`]; what was written counts when it is dropped.
#[derive(Debug)]
pub struct Writer<'a> {
    queue: &'a mut SendQueue,
    before: usize,
}

impl std::ops::Deref for Writer<'_> {
    type Target = BytesMut;

    fn deref(&self) -> &BytesMut {
        &self.queue.tail
    }
}

impl std::ops::DerefMut for Writer<'_> {
    fn deref_mut(&mut self) -> &mut BytesMut {
        &mut self.queue.tail
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        self.queue.len += (self.queue.tail.len() - self.before) as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;

    fn gathered(queue: &SendQueue) -> Vec<Vec<u8>> {
        let mut slices = [IoSlice::new(&[]); 8];
        let filled = queue.slices(&mut slices);
        slices[..filled].iter().map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn small_pieces_share_a_slice_and_large_ones_do_not() {
        let mut queue = SendQueue::default();
        queue.writer(16).put_slice(b"head");
        queue.push(Bytes::from_static(b"small").into());
        queue.push(Bytes::from(vec![b'x'; COPY_BYTES_MAX]).into());
        queue.push_slice(b"tail");
        assert_eq!(queue.len(), 9 + COPY_BYTES_MAX as u64 + 4);
        assert_eq!(gathered(&queue), [b"headsmall".to_vec(), vec![b'x'; COPY_BYTES_MAX], b"tail".to_vec()]);
    }

    #[test]
    fn any_way_of_advancing_gives_the_same_bytes() {
        for step in 1..40 {
            let mut queue = SendQueue::default();
            let mut wanted = Vec::new();
            for (index, len) in [10, 5000, 3, 0, 4096, 7].into_iter().enumerate() {
                let piece = vec![b'a' + index as u8; len];
                wanted.extend_from_slice(&piece);
                queue.push(Bytes::from(piece).into());
            }
            let mut sent = Vec::new();
            while !queue.is_empty() {
                let all: Vec<u8> = gathered(&queue).concat();
                let n = all.len().min(step * 97);
                sent.extend_from_slice(&all[..n]);
                queue.advance(n as u64);
            }
            assert_eq!(sent, wanted);
        }
    }

    #[test]
    fn a_file_range_stops_the_slices() {
        let file = Arc::new(std::fs::File::open("/dev/null").unwrap());
        let mut queue = SendQueue::default();
        queue.push_slice(b"head");
        queue.push(Chunk::File(FileRange { file, offset: 5, len: 10 }));
        queue.push_slice(b"next");
        assert_eq!(gathered(&queue), [b"head".to_vec()]);
        assert!(queue.file_follows());
        queue.advance(4 + 3);
        let Front::File(range) = queue.front() else { panic!("a file is in front") };
        assert_eq!((range.offset, range.len), (8, 7));
        queue.advance(7);
        assert_eq!(gathered(&queue), [b"next".to_vec()]);
        queue.advance(4);
        assert!(matches!(queue.front(), Front::Empty));
    }

    #[test]
    fn an_empty_queue_keeps_some_memory_and_not_much() {
        let mut queue = SendQueue::default();
        for len in [4, COPY_BYTES_MAX, KEPT_BYTES_MAX, 2 * KEPT_BYTES_MAX] {
            queue.writer(len).put_bytes(b'x', len);
            queue.advance(len as u64);
            queue.shrink();
            assert_eq!(queue.tail.capacity() >= len, len <= KEPT_BYTES_MAX, "{len}");
        }
        for _ in 0..2 * KEPT_SEGMENTS_MAX {
            queue.push(Bytes::from(vec![b'x'; COPY_BYTES_MAX]).into());
        }
        queue.advance(queue.len());
        queue.shrink();
        assert!((1..=KEPT_SEGMENTS_MAX).contains(&queue.segments.capacity()));
    }
}
