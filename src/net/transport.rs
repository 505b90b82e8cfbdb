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
