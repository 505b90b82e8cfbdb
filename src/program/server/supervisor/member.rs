//! One place among the processes, as the supervisor sees it: who holds it, or when somebody is to.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::back_off::BackOff;
use super::post::{NOT_RELOADED, Post, READY, RELOADED};
use crate::base::black_box::BlackBox;
use crate::base::notice_board::{NoticeBoard, Place};
use crate::base::sys::process;
use crate::base::sys::signal::{self, Signal};
use crate::program::company::POKE;

/// A process that has not come to serve for so long hangs, or has much to do; systemd would wait as long for a service.
pub(super) const START_LIMIT: Duration = Duration::from_secs(90);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Member {
    state: State,
    back_off: BackOff,
    black_box: BlackBox,
    board: NoticeBoard,
    number: usize,
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
    started_at: Instant,
    /// Since when it serves.
    ready_at: Option<Instant>,
    /// It has been told that it takes long to start.
    is_late: bool,
    /// It is to read the configuration again, and has not said that it has.
    is_reloading: bool,
}

/// What a process has said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// It serves from now on.
    pub(super) serves: bool,
    /// It goes on with the configuration that it had.
    pub(super) keeps_configuration: bool,
    /// All processes are to look at the board.
    pub(super) pokes: bool,
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
    /// A place, with this number on the board, that is to be taken from `at` on. Its process may have so many PHP threads.
    pub(super) fn new(threads: usize, board: NoticeBoard, number: usize, at: Option<Instant>) -> io::Result<Self> {
        // As many may be lost, and others in their places.
        let black_box = BlackBox::new(2 * threads)?;
        Ok(Self { state: State::Vacant(at), back_off: BackOff::default(), black_box, board, number })
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
        let post = Post::new(theirs, self.black_box, (self.board, self.number))?;
        let Some(pid) = signal::fork()? else {
            return Ok(Some(Post { is_first, answers_early, ..post }));
        };
        self.place().count_start();
        self.state = State::Held(Process::new(pid, ours));
        Ok(None)
    }

    /// When its process, which does not serve yet, takes too long.
    pub(super) fn late_at(&self) -> Option<Instant> {
        let starting = self.process().filter(|process| process.ready_at.is_none() && !process.is_late);
        starting.map(|process| process.started_at + START_LIMIT)
    }

    /// Its process, if it takes too long to start, once.
    pub(super) fn late(&mut self, now: Instant) -> Option<u32> {
        let is_late = self.late_at().is_some_and(|at| at <= now);
        match &mut self.state {
            State::Held(process) if is_late => {
                process.is_late = true;
                Some(process.pid)
            }
            _ => None,
        }
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

    /// Takes in what its process says.
    pub(super) fn hear(&mut self, now: Instant) -> Said {
        let mut said = Said::default();
        let State::Held(process) = &mut self.state else { return said };
        let mut words = [0; 64];
        while let Some(line) = &mut process.line {
            match line.read(&mut words) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Its end is told by a signal.
                Ok(0) | Err(_) => process.line = None,
                Ok(len) => {
                    let says = |word: u8| words[..len].contains(&word);
                    said.serves |= says(READY);
                    said.keeps_configuration |= says(NOT_RELOADED);
                    said.pokes |= says(POKE);
                    process.is_reloading &= !says(RELOADED) && !says(NOT_RELOADED);
                }
            }
        }
        if said.serves {
            process.ready_at = Some(now);
        }
        said
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
        self.place().vacate();
        Gone { was_ready: ready_at.is_some(), under_way: self.black_box.take(), wait }
    }

    /// Nobody is to come after the process that is there, if one is.
    pub(super) fn close(&mut self) {
        if let State::Vacant(_) = self.state {
            self.state = State::Closed;
        }
    }

    fn place(&self) -> Place {
        self.board.place(self.number)
    }

    fn process(&self) -> Option<&Process> {
        match &self.state {
            State::Held(process) => Some(process),
            _ => None,
        }
    }
}

impl Process {
    /// One that has just been started.
    fn new(pid: u32, line: UnixStream) -> Self {
        let (line, started_at) = (Some(line), Instant::now());
        Self { pid, line, started_at, ready_at: None, is_late: false, is_reloading: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_does_not_come_to_serve_is_told_once() {
        let board = NoticeBoard::new(1, 0).unwrap();
        let mut member = Member::new(1, board, 0, None).unwrap();
        assert_eq!(member.late_at(), None);
        let (line, _process) = UnixStream::pair().unwrap();
        line.set_nonblocking(true).unwrap();
        member.state = State::Held(Process::new(7, line));
        let at = member.late_at().unwrap();
        assert_eq!((member.late(at - Duration::from_millis(1)), member.late(at)), (None, Some(7)));
        assert_eq!((member.late(at), member.late_at()), (None, None));
        // One that serves is not late.
        let (line, mut process) = UnixStream::pair().unwrap();
        line.set_nonblocking(true).unwrap();
        member.state = State::Held(Process::new(8, line));
        process.write_all(&[READY, POKE]).unwrap();
        let said = member.hear(at);
        assert_eq!(said, Said { serves: true, pokes: true, keeps_configuration: false });
        assert_eq!((member.late_at(), member.late(at + START_LIMIT)), (None, None));
    }
}
