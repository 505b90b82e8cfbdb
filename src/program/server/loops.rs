//! The event loops' threads: starting them, what signals ask of them, and ending them.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{options, reload};
use crate::base::sys::signal::{self, Signal};
use crate::exchange::Dispatch;
use crate::net::admission::Addresses;
use crate::net::event_loop::{Disks, EventLoop, Remote, Shared};
use crate::program::access_log::AccessLogWriter;
use crate::program::config::{Config, ConfigError};

/// How often a drain looks whether it is over, or whether it has been told to hurry.
const DRAIN_POLL: Duration = Duration::from_millis(20);

/// The running event loops.
pub(super) struct Loops {
    remotes: Vec<Remote>,
    threads: Vec<JoinHandle<io::Result<()>>>,
    dispatch: Arc<dyn Dispatch>,
    addresses: Arc<Addresses>,
    access_log: Option<AccessLogWriter>,
}

impl Loops {
    /// Starts a loop for each set of listeners.
    pub(super) fn start(
        config: &Config,
        listeners: Vec<Vec<TcpListener>>,
        dispatch: Arc<dyn Dispatch>,
        access_log: Option<AccessLogWriter>,
    ) -> io::Result<Self> {
        let (remotes, threads) = (Vec::new(), Vec::new());
        let mut loops = Self { remotes, threads, dispatch, addresses: Arc::default(), access_log };
        let shared = Arc::new(loops.shared(config));
        for (number, listeners) in listeners.into_iter().enumerate() {
            if let Err(error) = loops.spawn(number, listeners, options::disks(config)?, Arc::clone(&shared)) {
                loops.stop(Instant::now());
                return Err(error);
            }
        }
        Ok(loops)
    }

    fn shared(&self, config: &Config) -> Shared {
        Shared {
            options: options::loop_options(config),
            router: options::router(config),
            dispatch: Arc::clone(&self.dispatch),
            addresses: Arc::clone(&self.addresses),
            access_log: config.access_log.format.zip(self.access_log.as_ref().map(AccessLogWriter::sink)),
        }
    }

    fn spawn(
        &mut self,
        number: usize,
        listeners: Vec<TcpListener>,
        disks: Disks,
        shared: Arc<Shared>,
    ) -> io::Result<()> {
        let event_loop = EventLoop::new(listeners, disks, shared)?;
        self.remotes.push(event_loop.remote());
        let run = move || {
            let result = event_loop.run();
            if let Err(error) = &result {
                log::error!("event loop {number} has failed: {error}");
                signal::raise(Signal::Stop);
            }
            result
        };
        self.threads.push(thread::Builder::new().name(format!("loop-{number}")).spawn(run)?);
        Ok(())
    }

    /// Does what signals ask for until one asks to stop. False if a loop has ended by itself.
    pub(super) fn wait(&self, config: &mut Config, read: impl Fn() -> Result<Config, ConfigError>) -> bool {
        loop {
            match signal::wait(None) {
                Ok(Some(Signal::Stop)) => break,
                Ok(Some(Signal::Reload)) => self.reload(config, read()),
                Ok(Some(Signal::ReopenLogs)) => {
                    if let Some(writer) = &self.access_log {
                        writer.reopen();
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    log::error!("cannot wait for signals: {error}");
                    break;
                }
            }
        }
        !self.threads.iter().any(JoinHandle::is_finished)
    }

    fn reload(&self, config: &mut Config, read: Result<Config, ConfigError>) {
        let new = match read {
            Ok(new) => reload::merge(config, new),
            Err(error) => return log::error!("the configuration stays as it is: {error}"),
        };
        match self.replace(&new) {
            Ok(()) => {
                *config = new;
                log::info!("the configuration has been read again");
            }
            Err(error) => log::error!("the configuration stays as it is: {error}"),
        }
    }

    /// Has all loops serve what `config` says from their next turn on.
    fn replace(&self, config: &Config) -> io::Result<()> {
        let shared = Arc::new(self.shared(config));
        // First all that can fail.
        let all = self.remotes.iter().map(|_| options::disks(config)).collect::<io::Result<Vec<Disks>>>()?;
        for (remote, disks) in self.remotes.iter().zip(all) {
            remote.replace(Arc::clone(&shared), disks);
        }
        Ok(())
    }

    /// Lets requests under way end until `deadline`, or until a second signal, and then ends the loops.
    pub(super) fn stop(self, deadline: Instant) {
        self.remotes.iter().for_each(Remote::drain);
        while !self.threads.iter().all(JoinHandle::is_finished) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || matches!(signal::wait(Some(left.min(DRAIN_POLL))), Ok(Some(Signal::Stop))) {
                log::warn!("cutting the connections that are left");
                self.remotes.iter().for_each(Remote::stop);
                break;
            }
        }
        for thread in self.threads {
            // A failure has been logged, and a panic ends the process.
            let _ = thread.join();
        }
        if let Some(writer) = self.access_log {
            writer.stop();
        }
    }
}
