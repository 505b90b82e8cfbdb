//! What signals ask of a running server, on the main thread.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use log::Level;

use super::drain::End;
use super::loops::Loops;
use super::notify::notify;
use super::supervisor::Post;
use super::{Sockets, handover, reload};
use crate::base::sys::process;
use crate::base::sys::signal::{self, Signal};
use crate::program::config::{Config, ConfigError};
use crate::program::logger;
use crate::program::slow_log::SlowLog;
use crate::program::status::Reporter;

/// A running server's control.
#[derive(Debug)]
pub(super) struct Control<R> {
    /// What holds.
    pub(super) config: Config,
    /// Reads the configuration again.
    pub(super) read: R,
    /// What is to be opened again with the other logs.
    pub(super) slow_log: Option<Arc<SlowLog>>,
    /// What a successor is started from.
    pub(super) program: PathBuf,
    /// The process that is starting to take this one's place.
    pub(super) successor: Option<u32>,
    /// Of a process that is supervised.
    pub(super) post: Option<Post>,
    /// Who does what other processes ask for.
    pub(super) reporter: Arc<Reporter>,
}

impl<R: Fn() -> Result<Config, ConfigError>> Control<R> {
    /// Does what signals ask for until the server is to end.
    pub(super) fn run(&mut self, loops: &Loops, sockets: &Sockets) -> End {
        let end = self.obey(loops, sockets);
        if let (End::Stopped, Some(pid)) = (end, self.successor) {
            // Who stops the server does not want another.
            log::info!("process {pid} is to stop, too");
            process::terminate(pid);
        }
        end
    }

    fn obey(&mut self, loops: &Loops, sockets: &Sockets) -> End {
        loop {
            match signal::wait(None) {
                Ok(Some(Signal::Stop | Signal::StopNow)) => return End::Stopped,
                Ok(Some(Signal::Reload)) => self.reload(loops),
                Ok(Some(Signal::ReopenLogs)) => {
                    loops.reopen_logs();
                    self.slow_log.iter().for_each(|log| log.reopen());
                }
                Ok(Some(Signal::Upgrade)) => self.upgrade(sockets),
                Ok(Some(Signal::Upgraded)) => {
                    if let Some(pid) = self.successor {
                        log::info!("process {pid} serves now");
                        notify(&format!("MAINPID={pid}"));
                    }
                    return End::Replaced;
                }
                Ok(Some(Signal::NotUpgraded)) => self.successor = None,
                Ok(Some(Signal::Look)) => self.reporter.look(),
                Ok(Some(Signal::ChildEnded) | None) => {}
                Err(error) => {
                    log::error!("cannot wait for signals: {error}");
                    return End::Stopped;
                }
            }
        }
    }

    fn reload(&mut self, loops: &Loops) {
        // A supervisor has said what there is to say.
        let (changed, done) = match self.post {
            None => (Level::Warn, Level::Info),
            Some(_) => (Level::Debug, Level::Debug),
        };
        let applied = self.apply(loops, changed);
        match &applied {
            Ok(()) => log::log!(done, "the configuration has been read again"),
            Err(error) => log::error!("the configuration stays as it is: {error}"),
        }
        self.post.iter().for_each(|post| post.reloaded(applied.is_ok()));
    }

    fn apply(&mut self, loops: &Loops, changed: Level) -> Result<(), Box<dyn Error>> {
        let new = reload::merge(&self.config, (self.read)()?, changed);
        loops.replace(&new)?;
        logger::configure(new.logging.level, new.logging.format);
        self.config = new;
        Ok(())
    }

    fn upgrade(&mut self, sockets: &Sockets) {
        if self.post.is_some() {
            return log::warn!("SIGUSR2 is for the process that supervises this one");
        }
        if let Some(pid) = self.successor {
            return log::warn!("process {pid} is starting already");
        }
        match handover::start_successor(&self.program, &sockets.all()) {
            Ok(pid) => {
                self.successor = Some(pid);
                log::info!("process {pid} is starting from {}", self.program.display());
            }
            Err(error) => log::error!("cannot start {}: {error}", self.program.display()),
        }
    }
}
