//! The program that is to take over, while it starts.
//!
//! It says one word on a line of its own, that it serves, and nothing before. That it has ended without it is told by a
//! signal, to whoever waits for all processes.

use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::path::Path;

use crate::base::sys::socket;
use crate::program::server::handover;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Successor {
    pid: u32,
    /// It says here that it serves. None once that cannot be heard any more.
    ready: Option<PipeReader>,
}

impl Successor {
    /// Starts it, with the sockets as its own.
    pub(super) fn spawn(program: &Path, sockets: &[(RawFd, Option<&str>)]) -> io::Result<Self> {
        let (child, ready) = handover::spawn_successor(program, sockets)?;
        Ok(Self { pid: child.id(), ready: Some(ready) })
    }

    /// Its number.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// What becomes readable when there is something to hear.
    pub(super) fn line(&self) -> Option<BorrowedFd<'_>> {
        self.ready.as_ref().map(AsFd::as_fd)
    }

    /// Whether it has said that it serves.
    pub(super) fn serves(&mut self) -> bool {
        let Some(ready) = self.ready.as_mut().filter(|ready| socket::is_readable(*ready)) else { return false };
        let serves = ready.read_exact(&mut [0]).is_ok();
        if !serves {
            self.ready = None;
        }
        serves
    }
}
