//! The processes that serve on the same sockets, as one of them sees them: how far each is, what each says of itself, and
//! what all are asked to do.
//!
//! Everything stands on a board that they share. Who has written there pokes the supervisor, which pokes all; each looks
//! then, on its main thread, and does what it has not done yet. No poke is for anything in particular, so that it does
//! not matter how many arrive as one. A process that has nobody beside it has a board of its own.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::base::notice_board::{NoticeBoard, Place};
use crate::service::health::{Peers, Stage};

/// What a process says to its supervisor: all are to look at the board.
pub(super) const POKE: u8 = b'p';

/// A supervisor that has not reacted to so many is poked no more, since the line would be full one day, and block.
const POKES_MAX: u64 = 64;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Company {
    board: NoticeBoard,
    number: usize,
    /// To the supervisor.
    line: Option<UnixStream>,
    /// How often it was poked since this process has looked last.
    pokes: AtomicU64,
    /// How many restarts this process has been told of.
    restarts: Mutex<u64>,
    /// What [`gather`](Self::gather) waits for.
    looked: Condvar,
}

/// What there is to do for a process that has looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    /// It is to say what it is at, by [`Company::answer`] with this.
    pub(super) report: Option<u64>,
    /// Its PHP threads are to start anew.
    pub(super) restart: bool,
}

/// One of the processes, as it stands on the board.
#[derive(Debug)]
pub(super) struct Notice {
    /// None while there is no process.
    pub(super) stage: Option<Stage>,
    /// How many have had the place.
    pub(super) starts: u64,
    /// What it has said last.
    pub(super) text: Option<Vec<u8>>,
}

impl Company {
    /// The company at this place of a board.
    pub(super) fn new(board: NoticeBoard, number: usize, line: Option<UnixStream>) -> Self {
        let restarts = Mutex::new(board.restarts());
        Self { board, number, line, pokes: AtomicU64::new(0), restarts, looked: Condvar::new() }
    }

    /// Of a process without others.
    pub(super) fn of_one() -> io::Result<Self> {
        let board = NoticeBoard::new(1, 0)?;
        board.place(0).count_start();
        Ok(Self::new(board, 0, None))
    }

    /// The place of this process.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// What there is to do, after a poke.
    pub(super) fn look(&self) -> Wanted {
        self.pokes.store(0, Ordering::SeqCst);
        let asked = self.board.asked();
        let report = (asked > self.place().answered()).then_some(asked);
        // Who waits holds the lock while it looks whether it has to.
        let mut told = self.lock();
        let restarts = self.board.restarts();
        let restart = std::mem::replace(&mut *told, restarts) != restarts;
        drop(told);
        self.looked.notify_all();
        Wanted { report, restart }
    }

    /// Says what this process is at. For one thread.
    pub(super) fn answer(&self, asked: u64, text: &[u8]) {
        self.place().write(text);
        self.place().set_answered(asked);
        self.poke();
    }

    /// Asks the others what they are at. To be followed by [`gather`](Self::gather).
    pub(super) fn ask(&self) -> u64 {
        // This process answers as well, since another may be asking at the same time.
        let asked = self.board.ask();
        if self.board.places().len() > 1 {
            self.poke();
        }
        asked
    }

    /// Waits until all others that serve have answered, until `deadline`; false if it was not soon enough.
    pub(super) fn gather(&self, asked: u64, deadline: Instant) -> bool {
        let is_silent = |place: Place| stage(place) == Some(Stage::Ready) && place.answered() < asked;
        let left = deadline.saturating_duration_since(Instant::now());
        let is_waiting = |_: &mut u64| self.others().any(is_silent);
        let waited = self.looked.wait_timeout_while(self.lock(), left, is_waiting);
        let waited = waited.unwrap_or_else(PoisonError::into_inner);
        !waited.1.timed_out()
    }

    /// Has the PHP threads of the others start anew; this process is to do so by itself then. Returns how many processes
    /// that makes.
    pub(super) fn restart(&self) -> usize {
        // With the lock, or else the main thread might do it as well.
        let mut told = self.lock();
        *told = self.board.restart();
        drop(told);
        self.poke();
        1 + self.others().filter(|place| stage(*place).is_some()).count()
    }

    /// All processes, by number.
    pub(super) fn notices(&self) -> impl Iterator<Item = Notice> {
        self.board.places().map(|place| Notice { stage: stage(place), starts: place.starts(), text: place.read() })
    }

    fn place(&self) -> Place {
        self.board.place(self.number)
    }

    fn others(&self) -> impl Iterator<Item = Place> {
        self.board.places().enumerate().filter(|(number, _)| *number != self.number).map(|(_, place)| place)
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        // Nothing panics while it holds the lock.
        self.restarts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poke(&self) {
        if self.pokes.fetch_add(1, Ordering::SeqCst) >= POKES_MAX {
            return;
        }
        // Without a supervisor the process is on its way to its end.
        if let Some(mut line) = self.line.as_ref()
            && let Err(error) = line.write_all(&[POKE])
        {
            log::debug!("cannot tell the supervisor: {error}");
        }
    }
}

impl Peers for Company {
    fn enter(&self, stage: Stage) {
        self.place().set_state(stage as u64 + 1);
    }

    fn is_any_ready(&self) -> bool {
        self.board.places().any(|place| stage(place) == Some(Stage::Ready))
    }
}

fn stage(place: Place) -> Option<Stage> {
    [Stage::Starting, Stage::Ready, Stage::Stopping].into_iter().find(|stage| *stage as u64 + 1 == place.state())
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::Duration;

    use super::*;

    const NONE: Wanted = Wanted { report: None, restart: false };

    #[test]
    fn each_is_asked_once_and_is_waited_for_while_it_serves() {
        let board = NoticeBoard::new(3, 8).unwrap();
        let [first, second] = [0, 1].map(|number| Company::new(board, number, None));
        let now = Instant::now;
        assert!(!first.is_any_ready() && first.gather(first.ask(), now()), "nobody else is there");
        second.enter(Stage::Ready);
        assert!(first.is_any_ready());
        let asked = first.ask();
        assert!(!first.gather(asked, now()));
        assert_eq!(second.look(), Wanted { report: Some(asked), restart: false });
        second.answer(asked, b"well");
        assert_eq!(second.look(), NONE);
        assert!(first.gather(asked, now()));
        let notices: Vec<_> = first.notices().map(|notice| (notice.stage, notice.text)).collect();
        assert_eq!(notices, [(None, None), (Some(Stage::Ready), Some(b"well".to_vec())), (None, None)]);
        // One that is on its way to its end has other things to do.
        let asked = first.ask();
        second.enter(Stage::Stopping);
        assert!(first.gather(asked, now()) && !first.is_any_ready());
    }

    #[test]
    fn who_asks_does_not_thereby_answer_others() {
        let board = NoticeBoard::new(2, 8).unwrap();
        let [first, second] = [0, 1].map(|number| Company::new(board, number, None));
        first.enter(Stage::Ready);
        let asked = second.ask();
        let again = first.ask();
        assert!(!second.gather(asked, Instant::now()));
        assert_eq!(first.look(), Wanted { report: Some(again), restart: false });
        first.answer(again, b"well");
        assert!(second.gather(asked, Instant::now()));
    }

    #[test]
    fn whoever_waits_is_woken() {
        let board = NoticeBoard::new(2, 8).unwrap();
        let [first, second] = [0, 1].map(|number| Company::new(board, number, None));
        second.enter(Stage::Ready);
        let asked = first.ask();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| first.gather(asked, Instant::now() + Duration::from_secs(60)));
            second.answer(asked, b"");
            while !waiting.is_finished() {
                first.look();
            }
            assert!(waiting.join().unwrap());
        });
    }

    #[test]
    fn a_supervisor_that_does_not_react_blocks_nobody() {
        let (line, mut supervisor) = UnixStream::pair().unwrap();
        line.set_nonblocking(true).unwrap();
        supervisor.set_nonblocking(true).unwrap();
        let company = Company::new(NoticeBoard::new(2, 8).unwrap(), 0, Some(line));
        let mut heard = [0; 1000];
        for _ in 0..2 {
            for _ in 0..500 {
                company.ask();
            }
            assert_eq!(supervisor.read(&mut heard).unwrap() as u64, POKES_MAX);
            company.look();
        }
    }

    #[test]
    fn a_restart_is_for_all_that_were_there() {
        let board = NoticeBoard::new(3, 8).unwrap();
        let [first, second] = [0, 1].map(|number| Company::new(board, number, None));
        second.enter(Stage::Starting);
        assert_eq!(first.restart(), 2);
        assert_eq!(first.look(), NONE);
        assert_eq!((second.look(), second.look()), (Wanted { restart: true, ..NONE }, NONE));
        assert_eq!(Company::new(board, 2, None).look(), NONE);
    }
}
