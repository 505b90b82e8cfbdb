//! Bytes in and out of one socket. TLS will be a second variant.

use std::io::{self, IoSlice, Read};
use std::net::Shutdown;

use mio::net::TcpStream;

use crate::base::chunk::FileRange;
use crate::base::limits::WRITE_BUDGET;
use crate::base::send_queue::{Front, SendQueue};
use crate::base::sys::socket;

/// Slices in one vectored write; more than a page of output ever has.
const SLICES_MAX: usize = 64;

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
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let sent = match queue.front() {
                Front::Empty => break,
                Front::Bytes => {
                    let filled = queue.slices(&mut slices);
                    self.send_slices(&slices[..filled], queue.file_follows())
                }
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
}

impl Transport {
    /// The registered socket.
    pub fn source(&mut self) -> &mut TcpStream {
        match self {
            Self::Tcp(stream) => stream,
        }
    }
}

impl Socket for Transport {
    fn receive(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buf),
        }
    }

    fn send_slices(&mut self, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => socket::send(stream, slices, more),
        }
    }

    fn send_file(&mut self, range: &FileRange, len: usize) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => socket::send_file(stream, &*range.file, range.offset, len),
        }
    }

    fn unacknowledged(&self) -> io::Result<u64> {
        match self {
            Self::Tcp(stream) => socket::unacknowledged(stream),
        }
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    fn reset_on_close(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => socket::reset_on_close(stream),
        }
    }
}
