//! A process's end of the line to its supervisor: it says how far it is, and is told what no signal can say.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;

use crate::base::black_box::BlackBox;
use crate::base::sys::signal::{self, Signal};

/// What a process says: it serves.
pub(super) const READY: u8 = b'r';
/// It has read the configuration again, or has logged why not.
pub(super) const RELOADED: u8 = b'c';
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
    /// It is the first of all, and speaks for the others.
    pub(in crate::program::server) is_first: bool,
    /// While it starts nobody else can answer monitors.
    pub(in crate::program::server) answers_early: bool,
}

impl Post {
    /// Turns what the supervisor says into signals, and its end into one that asks to stop.
    pub(in crate::program::server) fn listen(&self) -> io::Result<()> {
        let mut line = self.line.try_clone()?;
        let run = move || {
            let mut word = [0];
            while matches!(line.read(&mut word), Ok(1)) {
                match word[0] {
                    LEAVE => signal::raise(Signal::Upgraded),
                    END_NOW => signal::raise(Signal::StopNow),
                    _ => {}
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

    /// The process has read the configuration again.
    pub(in crate::program::server) fn reloaded(&self) {
        self.say(RELOADED);
    }

    fn say(&self, word: u8) {
        // Without a supervisor the process is on its way to its end.
        if let Err(error) = (&self.line).write_all(&[word]) {
            log::debug!("cannot tell the supervisor: {error}");
        }
    }
}
