//! Bytes in and out of one socket. TLS will be a second variant.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, RawFd};

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};

use crate::base::chunk::FileRange;
use crate::base::limits::WRITE_BUDGET;
use crate::base::send_queue::{Front, SendQueue};
use crate::base::sys::socket;

/// Slices in one vectored write; more than a page of output ever has.
const SLICES_MAX: usize = 64;
/// As many as nearly every response has: a head with its content, or a head and one piece.
const SLICES_USUAL: usize = 2;

/// A stream socket that never blocks, as a connection uses it: the kernel's, or a simulation's model of one.
pub trait Socket {
    /// Reads once; zero is the end. A read that does not fill `buf` has emptied the socket.
    fn receive(&mut self, buf: &mut [u8]) -> io::Result<usize>;

    /// Sends from the slices as far as there is room; `more` announces that more follows at once.
    fn send_slices(&mut self, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize>;

    /// Sends up to `len` bytes of a file range as far as there is room; zero means that the file ends early.
    fn send_file(&mut self, range: &FileRange, len: usize) -> io::Result<usize>;

    /// Bytes that the kernel has taken from us and the peer's has not acknowledged.
    fn unacknowledged(&self) -> io::Result<u64>;

    /// Announces that nothing more will be sent.
    fn shutdown_write(&mut self) -> io::Result<()>;

    /// Has the close that follows reset the connection, and throw away what the kernel has not sent.
    fn reset_on_close(&mut self) -> io::Result<()>;

    /// Reads what has arrived; zero is the end.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.receive(buf) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Sends from the front of `queue` until it is empty, the kernel has no room or the turn's budget is spent.
    fn send(&mut self, queue: &mut SendQueue) -> io::Result<Sent> {
        let mut budget = WRITE_BUDGET as u64;
        while !queue.is_empty() && budget > 0 {
            let sent = match queue.front() {
                Front::Empty => break,
                Front::Bytes if queue.slices_max() <= SLICES_USUAL => self.send_bytes::<SLICES_USUAL>(queue),
                Front::Bytes => self.send_bytes::<SLICES_MAX>(queue),
                Front::File(range) => {
                    let len = usize::try_from(range.len.min(budget)).unwrap_or(WRITE_BUDGET);
                    match self.send_file(range, len) {
                        // The length has been promised, and there is nothing to keep the promise with.
                        Ok(0) => {
                            return Err(io::Error::new(
                                io::ErrorKind::UnexpectedEof,
                                "a file shrank while it was sent",
                            ));
                        }
                        result => result,
                    }
                }
            };
            match sent {
                Ok(n) => {
                    queue.advance(n as u64);
                    budget = budget.saturating_sub(n as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Sent::Full),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Sent::Progress)
    }

    /// Sends the bytes in front of `queue`, in at most `N` slices.
    fn send_bytes<const N: usize>(&mut self, queue: &SendQueue) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); N];
        let filled = queue.slices(&mut slices);
        self.send_slices(&slices[..filled], queue.file_follows())
    }
}

/// How a write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Everything, or as much as one turn may send.
    Progress,
    /// The kernel has no room; it will tell when it has.
    Full,
}

/// A socket of the kernel.
#[derive(Debug)]
pub enum Transport {
    /// Plain TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
}

impl Transport {
    /// The registered socket.
    pub fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Tcp(stream) => stream,
            Self::Unix(stream) => stream,
        }
    }
}

impl AsRawFd for Transport {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Tcp(stream) => stream.as_raw_fd(),
            Self::Unix(stream) => stream.as_raw_fd(),
        }
    }
}

impl Socket for Transport {
    fn receive(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => socket::receive(stream, buf),
            Self::Unix(stream) => socket::receive(stream, buf),
        }
    }

    fn send_slices(&mut self, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => socket::send(stream, slices, more),
            Self::Unix(stream) => socket::send(stream, slices, more),
        }
    }

    fn send_file(&mut self, range: &FileRange, len: usize) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => socket::send_file(stream, &*range.file, range.offset, len),
            Self::Unix(stream) => socket::send_file(stream, &*range.file, range.offset, len),
        }
    }

    fn unacknowledged(&self) -> io::Result<u64> {
        match self {
            Self::Tcp(stream) => socket::unacknowledged(stream),
            // What has left us lies with the peer: there is one buffer, and it is small.
            Self::Unix(_) => Ok(0),
        }
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    fn reset_on_close(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => socket::reset_on_close(stream),
            // It knows no reset.
            Self::Unix(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::os::unix::fs::FileExt;
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::base::chunk::Chunk;

    /// More than is copied, so that each piece is a slice of its own.
    const PIECE_BYTES: usize = 5000;

    /// Bytes of a piece, no two of which are the same.
    fn piece(number: usize, len: usize) -> Vec<u8> {
        (0..len).map(|at| (number * 37 + at * 7) as u8).collect()
    }

    /// A queue of so many slices, the last of which is what is gathered, and all that lies in it.
    fn queue(slices: usize, len: usize) -> (SendQueue, Vec<u8>) {
        let mut queue = SendQueue::default();
        let mut all = Vec::new();
        for number in 0..slices - 1 {
            all.extend(piece(number, len));
            queue.push(Chunk::Bytes(Bytes::from(piece(number, len))));
        }
        all.extend(piece(slices, len));
        queue.push_slice(&piece(slices, len));
        assert_eq!(queue.slices_max(), slices);
        (queue, all)
    }

    /// What arrives of `queue` if the peer reads so many bytes at once, and only when there is no room for more.
    fn send_all(transport: &mut Transport, peer: &mut impl Read, queue: &mut SendQueue, read: usize) -> Vec<u8> {
        let (mut all, mut buf, mut len) = (Vec::new(), vec![0; read], queue.len());
        while !queue.is_empty() {
            let outcome = transport.send(queue).unwrap();
            assert!(outcome == Sent::Full || queue.is_empty() || len - queue.len() >= WRITE_BUDGET as u64);
            if outcome == Sent::Progress {
                len = queue.len();
                continue;
            }
            let n = peer.read(&mut buf).unwrap();
            all.extend_from_slice(&buf[..n]);
        }
        loop {
            match peer.read(&mut buf) {
                Ok(n) => all.extend_from_slice(&buf[..n]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return all,
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn any_number_of_slices_arrives_in_order() {
        for slices in [1, SLICES_USUAL, SLICES_USUAL + 1, SLICES_MAX, SLICES_MAX + 1, 3 * SLICES_MAX] {
            // With room for all of it, and with less than for one slice.
            for (len, read) in [(PIECE_BYTES, 1 << 20), (PIECE_BYTES, 777), (300_000, 65_536)] {
                if slices * len > 4 << 20 {
                    continue;
                }
                let (mut queue, wanted) = queue(slices, len);
                let (one, mut other) = UnixStream::pair().unwrap();
                let arrived = send_all(&mut Transport::Unix(one), &mut other, &mut queue, read);
                assert!(arrived == wanted, "{slices} slices of {len} bytes, {read} at once");
            }
        }
    }

    /// A socket that has room for so many bytes at once, and remembers in how many slices it was given them.
    struct Narrow {
        room: usize,
        taken: Vec<u8>,
        slices: Vec<usize>,
        more: Vec<bool>,
    }

    impl Socket for Narrow {
        fn receive(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::WouldBlock.into())
        }

        fn send_slices(&mut self, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
            let mut left = self.room;
            for slice in slices {
                let n = slice.len().min(left);
                self.taken.extend_from_slice(&slice[..n]);
                left -= n;
            }
            self.slices.push(slices.len());
            self.more.push(more);
            Ok(self.room - left)
        }

        fn send_file(&mut self, range: &FileRange, len: usize) -> io::Result<usize> {
            let mut bytes = vec![0; len.min(self.room)];
            range.file.read_exact_at(&mut bytes, range.offset)?;
            self.taken.extend_from_slice(&bytes);
            Ok(bytes.len())
        }

        fn unacknowledged(&self) -> io::Result<u64> {
            Ok(0)
        }

        fn shutdown_write(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn reset_on_close(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn short_writes_lose_nothing() {
        let path = std::env::temp_dir().join(format!("ephpm-transport-{}", std::process::id()));
        std::fs::write(&path, piece(99, 10_000)).unwrap();
        let file = Arc::new(File::open(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
        for room in [313, 4999, 5000, 5001, 9999, 10_001, usize::MAX] {
            for slices in [1, SLICES_USUAL, SLICES_USUAL + 1, SLICES_MAX, SLICES_MAX + 1] {
                let (mut queue, mut wanted) = queue(slices, PIECE_BYTES);
                let mut socket = Narrow { room, taken: Vec::new(), slices: Vec::new(), more: Vec::new() };
                while !queue.is_empty() {
                    assert_eq!(socket.send(&mut queue).unwrap(), Sent::Progress);
                }
                assert!(socket.taken == wanted && !socket.more.contains(&true), "{slices} slices, {room} at once");
                assert_eq!(socket.slices[0], slices.min(SLICES_MAX));
                // And with a file behind them, and bytes behind that.
                queue = self::queue(slices, PIECE_BYTES).0;
                queue.push(Chunk::File(FileRange { file: Arc::clone(&file), offset: 10, len: 9000 }));
                queue.push_slice(b"end");
                wanted.extend_from_slice(&piece(99, 10_000)[10..9010]);
                wanted.extend_from_slice(b"end");
                let mut socket = Narrow { room, taken: Vec::new(), slices: Vec::new(), more: Vec::new() };
                while !queue.is_empty() {
                    assert_eq!(socket.send(&mut queue).unwrap(), Sent::Progress);
                }
                assert!(socket.taken == wanted, "{slices} slices and a file, {room} at once");
                let (last, before) = socket.more.split_last().unwrap();
                assert!(!last && before.iter().rev().skip(2).all(|more| *more), "the file is announced");
            }
        }
    }
}
