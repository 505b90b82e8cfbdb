//! A socket that is two buffers, for one connection at a time. It takes no memory but theirs, so that others can count
//! what a connection takes (`tests/allocations.rs`).

use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice};
use std::rc::Rc;

use ephpm::base::chunk::FileRange;
use ephpm::net::transport::Socket;

/// Both directions of a connection, and what became of it.
#[derive(Default)]
pub(crate) struct Wire {
    pub(crate) to_server: Vec<u8>,
    pub(crate) client_closed: bool,
    /// Files are sent as `x`.
    pub(crate) to_client: Vec<u8>,
    /// How much more the kernel takes.
    pub(crate) room: usize,
    pub(crate) server_closed: bool,
    pub(crate) reset: bool,
}

impl Wire {
    /// How much of `len` bytes finds room.
    fn take(&mut self, len: usize) -> usize {
        let n = len.min(self.room);
        self.room -= n;
        n
    }
}

/// The server's end.
pub(crate) struct WireSocket(pub(crate) Rc<RefCell<Wire>>);

impl Socket for WireSocket {
    fn receive(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        let n = buf.len().min(wire.to_server.len());
        if n == 0 && !wire.client_closed {
            return Err(ErrorKind::WouldBlock.into());
        }
        buf[..n].copy_from_slice(&wire.to_server[..n]);
        wire.to_server.drain(..n);
        Ok(n)
    }

    fn send_slices(&mut self, slices: &[IoSlice<'_>], _more: bool) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        let before = wire.to_client.len();
        for slice in slices {
            let n = wire.take(slice.len());
            wire.to_client.extend_from_slice(&slice[..n]);
        }
        sent(wire.to_client.len() - before)
    }

    fn send_file(&mut self, _range: &FileRange, len: usize) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        let n = wire.take(len);
        let end = wire.to_client.len() + n;
        wire.to_client.resize(end, b'x');
        sent(n)
    }

    fn unacknowledged(&self) -> io::Result<u64> {
        Ok(0)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.borrow_mut().server_closed = true;
        Ok(())
    }

    fn reset_on_close(&mut self) -> io::Result<()> {
        self.0.borrow_mut().reset = true;
        Ok(())
    }
}

/// What a write of `n` bytes reports.
fn sent(n: usize) -> io::Result<usize> {
    if n == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(n) }
}
