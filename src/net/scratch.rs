//! Memory of a loop that it lends to the connection whose turn it is, so that reading and writing need none of the
//! connection's own, and a connection that waits holds nothing.
//!
//! What a request still takes is what outlives the read: its head, where the fields lie in it, and the path of its file.
//! `tests/allocations.rs` counts that there is no more for a file that is known.

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

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::IoSlice;
    use std::os::unix::fs::FileExt;
    use std::sync::Arc;

    use bytes::{BufMut, Bytes};

    use super::*;
    use crate::base::chunk::{Chunk, FileRange};
    use crate::base::random::Random;
    use crate::base::send_queue::Front;

    /// What is done to a queue.
    #[derive(Debug)]
    enum Command {
        Slice(Vec<u8>),
        Writer(usize, Vec<u8>),
        Bytes(Bytes),
        File(u64, u64),
        /// Sends up to so many bytes, in at most so many slices.
        Send(u64, usize),
    }

    impl Command {
        fn random(random: &mut Random, noise: &[u8]) -> Self {
            // Below and above what is copied, and what is kept.
            let len = [0, 1, 200, 4095, 4096, 5000, 70_000][random.below(7)];
            let start = random.below(noise.len() - len);
            let bytes = || noise[start..][..len].to_vec();
            match random.below(10) {
                0 | 1 => Self::Slice(bytes()),
                2 | 3 => Self::Writer(random.below(3 * len + 1), bytes()),
                4 | 5 => Self::Bytes(bytes().into()),
                6 => Self::File(random.below(100) as u64, random.below(1000) as u64),
                7 => Self::Send(u64::MAX, 64),
                _ => Self::Send(random.below(10_000) as u64, 1 + random.below(3)),
            }
        }

        fn carry_out(&self, queue: &mut SendQueue, file: &Arc<File>, sent: &mut Vec<u8>) {
            match self {
                Self::Slice(bytes) => queue.push_slice(bytes),
                Self::Writer(room, bytes) => queue.writer(*room).put_slice(bytes),
                Self::Bytes(bytes) => queue.push(Chunk::Bytes(bytes.clone())),
                Self::File(offset, len) => {
                    queue.push(Chunk::File(FileRange { file: Arc::clone(file), offset: *offset, len: *len }));
                }
                Self::Send(len, slices) => {
                    let mut left = *len;
                    while left > 0 && !queue.is_empty() {
                        left -= send(queue, left, *slices, sent);
                    }
                }
            }
        }
    }

    /// Sends up to so many bytes of what is in front, as a transport does.
    fn send(queue: &mut SendQueue, len: u64, slices_max: usize, sent: &mut Vec<u8>) -> u64 {
        let mut bytes = match queue.front() {
            Front::Empty => panic!("a queue that holds something has a front"),
            Front::File(range) => {
                let mut bytes = vec![0; range.len as usize];
                range.file.read_exact_at(&mut bytes, range.offset).unwrap();
                bytes
            }
            Front::Bytes => {
                let mut slices = vec![IoSlice::new(&[]); slices_max];
                let filled = queue.slices(&mut slices);
                slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect()
            }
        };
        bytes.truncate(usize::try_from(len).unwrap_or(usize::MAX));
        queue.advance(bytes.len() as u64);
        sent.extend_from_slice(&bytes);
        bytes.len() as u64
    }

    #[test]
    fn lent_memory_sends_what_memory_of_ones_own_does() {
        let path = std::env::temp_dir().join(format!("ephpm-scratch-{}", std::process::id()));
        std::fs::write(&path, (0..2000).map(|at| at as u8).collect::<Vec<_>>()).unwrap();
        let file = Arc::new(File::open(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
        let mut random = Random(0x5eed);
        let noise = random.bytes(100_000);
        // Whether memory was lent, and whether it was taken back.
        let mut ways = [[0; 2]; 2];
        for _ in 0..60 {
            let mut scratch = Scratch::new(1);
            // Three connections that have turns in any order, each with a twin that keeps its memory for itself.
            let mut lent: [(SendQueue, Vec<u8>); 3] = Default::default();
            let mut own: [(SendQueue, Vec<u8>); 3] = Default::default();
            for _ in 0..60 {
                let which = random.below(3);
                let ((queue, sent), (twin, twin_sent)) = (&mut lent[which], &mut own[which]);
                let is_lent = queue.is_empty();
                scratch.lend(queue);
                for _ in 0..random.below(5) {
                    let command = Command::random(&mut random, &noise);
                    command.carry_out(queue, &file, sent);
                    command.carry_out(twin, &file, twin_sent);
                    assert_eq!(queue.len(), twin.len(), "{command:?}");
                }
                scratch.take_back(queue);
                ways[usize::from(is_lent)][usize::from(queue.is_empty())] += 1;
                assert!(scratch.out.is_empty());
                assert!(sent == twin_sent && queue.len() == twin.len());
            }
            for ((queue, sent), (twin, twin_sent)) in lent.iter_mut().zip(&mut own) {
                Command::Send(u64::MAX, 64).carry_out(queue, &file, sent);
                Command::Send(u64::MAX, 64).carry_out(twin, &file, twin_sent);
                assert!(sent == twin_sent);
            }
        }
        assert!(ways.as_flattened().iter().all(|turns| *turns > 50), "{ways:?}");
    }
}
