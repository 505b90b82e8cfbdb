//! One place among the processes, as the supervisor sees it: who holds it, or when somebody is to.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::back_off::BackOff;
use super::post::{Post, READY, RELOADED};
use crate::base::black_box::BlackBox;
use crate::base::sys::process;
use crate::base::sys::signal::{self, Signal};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Member {
    state: State,
    back_off: BackOff,
    black_box: BlackBox,
}

#[derive(Debug)]
enum State {
    /// A process is to be started then; without a time the first of all has to serve before.
    Vacant(Option<Instant>),
    /// A process is there.
    Held(Process),
    /// Nobody is to come any more.
    Closed,
}

#[derive(Debug)]
struct Process {
    pid: u32,
    /// Until its other end has been closed.
    line: Option<UnixStream>,
    /// Since when it serves.
    ready_at: Option<Instant>,
    /// It is to read the configuration again, and has not said that it has.
    is_reloading: bool,
}

/// A process that has ended.
#[derive(Debug)]
pub(super) struct Gone {
    /// It has served.
    pub(super) was_ready: bool,
    /// What its PHP threads were at.
    pub(super) under_way: Vec<Vec<u8>>,
    /// How long its place stays empty.
    pub(super) wait: Duration,
}

impl Member {
    /// A place that is to be taken from `at` on. Its process may have so many PHP threads.
    pub(super) fn new(threads: usize, at: Option<Instant>) -> io::Result<Self> {
        let black_box = BlackBox::new(threads)?;
        Ok(Self { state: State::Vacant(at), back_off: BackOff::default(), black_box })
    }

    /// When a process is to be started.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.state {
            State::Vacant(at) => at,
            _ => None,
        }
    }

    /// The place may be taken.
    pub(super) fn open(&mut self, now: Instant) {
        if let State::Vacant(at @ None) = &mut self.state {
            *at = Some(now);
        }
    }

    /// Starts a process. In the process itself, this is its post.
    pub(super) fn start(&mut self, is_first: bool, answers_early: bool) -> io::Result<Option<Post>> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let Some(pid) = signal::fork()? else {
            return Ok(Some(Post { line: theirs, black_box: self.black_box, is_first, answers_early }));
        };
        self.state = State::Held(Process { pid, line: Some(ours), ready_at: None, is_reloading: false });
        Ok(None)
    }

    /// A process could not be started. Returns how long it takes to the next attempt.
    pub(super) fn postpone(&mut self, now: Instant) -> Duration {
        let wait = self.back_off.after(None);
        self.state = State::Vacant(Some(now + wait));
        wait
    }

    /// Its process.
    pub(super) fn pid(&self) -> Option<u32> {
        self.process().map(|process| process.pid)
    }

    /// Whether its process serves.
    pub(super) fn is_ready(&self) -> bool {
        self.process().is_some_and(|process| process.ready_at.is_some())
    }

    /// Whether its process has yet to read the configuration again.
    pub(super) fn is_reloading(&self) -> bool {
        self.process().is_some_and(|process| process.is_reloading)
    }

    /// Whether a process is there, or is to come.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed)
    }

    /// What can be waited for.
    pub(super) fn line(&self) -> Option<BorrowedFd<'_>> {
        self.process().and_then(|process| process.line.as_ref()).map(AsFd::as_fd)
    }

    /// Takes in what its process says; true if it serves from now on.
    pub(super) fn hear(&mut self, now: Instant) -> bool {
        let State::Held(process) = &mut self.state else { return false };
        let mut words = [0; 16];
        let mut is_new = false;
        while let Some(line) = &mut process.line {
            match line.read(&mut words) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Its end is told by a signal.
                Ok(0) | Err(_) => process.line = None,
                Ok(len) => {
                    is_new |= words[..len].contains(&READY);
                    process.is_reloading &= !words[..len].contains(&RELOADED);
                }
            }
        }
        if is_new {
            process.ready_at = Some(now);
        }
        is_new
    }

    /// Sends its process a signal.
    pub(super) fn signal(&mut self, signal: Signal) {
        let State::Held(process) = &mut self.state else { return };
        process.is_reloading |= signal == Signal::Reload;
        signal::send(process.pid, signal);
    }

    /// Tells its process something.
    pub(super) fn tell(&mut self, word: u8) {
        if let State::Held(Process { line: Some(line), .. }) = &mut self.state
            && let Err(error) = line.write_all(&[word])
        {
            log::debug!("cannot tell a process: {error}");
        }
    }

    /// Ends its process without asking it.
    pub(super) fn kill(&self) {
        self.pid().into_iter().for_each(process::kill);
    }

    /// Its process has ended. A last word of it is heard.
    pub(super) fn bury(&mut self, now: Instant) -> Gone {
        self.hear(now);
        let ready_at = self.process().and_then(|process| process.ready_at);
        let wait = self.back_off.after(ready_at.map(|at| now.saturating_duration_since(at)));
        self.state = State::Vacant(Some(now + wait));
        Gone { was_ready: ready_at.is_some(), under_way: self.black_box.take(), wait }
    }

    /// Nobody is to come after the process that is there, if one is.
    pub(super) fn close(&mut self) {
        if let State::Vacant(_) = self.state {
            self.state = State::Closed;
        }
    }

    fn process(&self) -> Option<&Process> {
        match &self.state {
            State::Held(process) => Some(process),
            _ => None,
        }
    }
}
