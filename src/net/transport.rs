//! Bytes in and out of one socket. TLS will be a second variant.

use std::io::{self, IoSlice, Read};
use std::net::Shutdown;

use mio::net::TcpStream;

use crate::base::limits::WRITE_BUDGET;
use crate::base::send_queue::{Front, SendQueue};
use crate::base::sys::socket;

/// Slices in one vectored write; more than a page of output ever has.
const SLICES_MAX: usize = 64;

/// A connection's way to its peer.
#[derive(Debug)]
pub enum Transport {
    /// Plain TCP.
    Tcp(TcpStream),
}

/// How a write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Everything, or as much as one turn may send.
    Progress,
    /// The kernel has no room; it will tell when it has.
    Full,
}

impl Transport {
    /// The registered socket.
    pub fn source(&mut self) -> &mut TcpStream {
        match self {
            Self::Tcp(stream) => stream,
        }
    }

    /// Reads what has arrived; zero is the end.
    pub fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => loop {
                match stream.read(buf) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => return result,
                }
            },
        }
    }

    /// Sends from the front of `queue` until it is empty, the kernel has no room or the turn's budget is spent.
    pub fn send(&mut self, queue: &mut SendQueue) -> io::Result<Sent> {
        let Self::Tcp(stream) = self;
        let mut budget = WRITE_BUDGET as u64;
        while !queue.is_empty() && budget > 0 {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let sent = match queue.front() {
                Front::Empty => break,
                Front::Bytes => {
                    let filled = queue.slices(&mut slices);
                    socket::send(stream, &slices[..filled], queue.file_follows())
                }
                Front::File(range) => {
                    let len = usize::try_from(range.len.min(budget)).unwrap_or(WRITE_BUDGET);
                    match socket::send_file(stream, &*range.file, range.offset, len) {
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

    /// Bytes that the kernel has taken from us and the peer's has not acknowledged.
    pub fn unacknowledged(&self) -> io::Result<u64> {
        match self {
            Self::Tcp(stream) => socket::unacknowledged(stream),
        }
    }

    /// Announces that nothing more will be sent.
    pub fn shutdown_write(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
        }
    }
}
