//! A process's end of the line to its supervisor: it says how far it is, and is told what no signal can say.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;

use crate::base::black_box::BlackBox;
use crate::base::notice_board::NoticeBoard;
use crate::base::sys::signal::{self, Signal};
use crate::program::company::Company;

/// What a process says: it serves.
pub(super) const READY: u8 = b'r';
/// It has read the configuration again.
pub(super) const RELOADED: u8 = b'c';
/// It has logged why it goes on with the configuration that it had.
pub(super) const NOT_RELOADED: u8 = b'o';
/// What it is told: others serve in its place.
pub(super) const LEAVE: u8 = b'l';
/// It is to end, and to wait for nobody.
pub(super) const END_NOW: u8 = b'n';

/// The place of a supervised process.
#[derive(Debug)]
pub(in crate::program::server) struct Post {
    pub(super) line: UnixStream,
    /// Where its PHP threads note what they run.
    pub(in crate::program::server) black_box: BlackBox,
    /// Those that serve beside it.
    pub(in crate::program::server) company: Arc<Company>,
    /// It is the first of all, and speaks for the others.
    pub(in crate::program::server) is_first: bool,
    /// While it starts nobody else can answer monitors.
    pub(in crate::program::server) answers_early: bool,
}

impl Post {
    /// At this end of a line, and at this place of the board.
    pub(super) fn new(line: UnixStream, black_box: BlackBox, place: (NoticeBoard, usize)) -> io::Result<Self> {
        let company = Arc::new(Company::new(place.0, place.1, Some(line.try_clone()?)));
        Ok(Self { line, black_box, company, is_first: false, answers_early: false })
    }

    /// Turns what the supervisor says into signals, and its end into one that asks to stop.
    pub(in crate::program::server) fn listen(&self) -> io::Result<()> {
        let mut line = self.line.try_clone()?;
        let run = move || {
            let mut word = [0];
            loop {
                match line.read(&mut word) {
                    Ok(1) if word[0] == LEAVE => signal::raise(Signal::Upgraded),
                    Ok(1) if word[0] == END_NOW => signal::raise(Signal::StopNow),
                    Ok(1) => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(_) | Err(_) => break,
                }
            }
            signal::raise(Signal::Stop);
        };
        thread::Builder::new().name("supervised".to_owned()).spawn(run)?;
        Ok(())
    }

    /// The process serves.
    pub(in crate::program::server) fn ready(&self) {
        self.say(READY);
    }

    /// The process has read the configuration again, or goes on with the one that it had.
    pub(in crate::program::server) fn reloaded(&self, well: bool) {
        self.say(if well { RELOADED } else { NOT_RELOADED });
    }

    fn say(&self, word: u8) {
        // Without a supervisor the process is on its way to its end.
        if let Err(error) = (&self.line).write_all(&[word]) {
            log::debug!("cannot tell the supervisor: {error}");
        }
    }
}
