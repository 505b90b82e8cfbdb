//! What signals ask of a running server, on the main thread.

use std::path::PathBuf;
use std::sync::Arc;

use super::drain::End;
use super::loops::Loops;
use super::notify::notify;
use super::{Sockets, handover, reload};
use crate::base::sys::process;
use crate::base::sys::signal::{self, Signal};
use crate::program::config::{Config, ConfigError};
use crate::program::logger;
use crate::program::slow_log::SlowLog;

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
                Ok(Some(Signal::Stop)) => return End::Stopped,
                Ok(Some(Signal::Reload)) => self.reload(loops),
                Ok(Some(Signal::ReopenLogs)) => {
                    loops.reopen_logs();
                    self.slow_log.iter().for_each(|log| log.reopen());
                }
                Ok(Some(Signal::Upgrade)) => self.upgrade(sockets),
                Ok(Some(Signal::Upgraded)) => {
                    let pid = self.successor.unwrap_or_default();
                    log::info!("process {pid} serves now");
                    notify(&format!("MAINPID={pid}"));
                    return End::Replaced;
                }
                Ok(Some(Signal::NotUpgraded)) => self.successor = None,
                Ok(None) => {}
                Err(error) => {
                    log::error!("cannot wait for signals: {error}");
                    return End::Stopped;
                }
            }
        }
    }

    fn reload(&mut self, loops: &Loops) {
        let new = match (self.read)() {
            Ok(new) => reload::merge(&self.config, new),
            Err(error) => return log::error!("the configuration stays as it is: {error}"),
        };
        match loops.replace(&new) {
            Ok(()) => {
                logger::configure(new.logging.level, new.logging.format);
                self.config = new;
                log::info!("the configuration has been read again");
            }
            Err(error) => log::error!("the configuration stays as it is: {error}"),
        }
    }

    fn upgrade(&mut self, sockets: &Sockets) {
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
