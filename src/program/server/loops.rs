//! The event loops' threads: starting them, changing what they serve, and ending them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::drain::{Drain, End};
use super::options::{self, Held};
use crate::base::sys::schedule;
use crate::base::sys::signal::{self, Signal};
use crate::exchange::Dispatch;
use crate::net::admission::Addresses;
use crate::net::event_loop::{Disks, EventLoop, Remote, Shared};
use crate::net::listener::Entrance;
use crate::program::access_log::AccessLogWriter;
use crate::program::config::Config;
use crate::service::health::Pulse;

/// The slice of a loop's thread. PHP threads are given some milliseconds at a time by default, and responses would wait
/// for the end of them; this is the least that there is.
const SLICE: Duration = Duration::from_micros(100);

/// The running event loops.
pub(super) struct Loops {
    remotes: Vec<Remote>,
    pulses: Vec<Box<dyn Pulse>>,
    connections: Vec<Arc<AtomicUsize>>,
    threads: Vec<JoinHandle<io::Result<()>>>,
    dispatch: Arc<dyn Dispatch>,
    addresses: Arc<Addresses>,
    held: Held,
    access_log: Option<AccessLogWriter>,
}

impl Loops {
    /// Starts a loop for each set of entrances.
    pub(super) fn start(
        config: &Config,
        entrances: Vec<Vec<Entrance>>,
        dispatch: Arc<dyn Dispatch>,
        access_log: Option<AccessLogWriter>,
    ) -> io::Result<Self> {
        let (remotes, pulses, connections, threads) = Default::default();
        let (addresses, held) = Default::default();
        let mut loops = Self { remotes, pulses, connections, threads, dispatch, addresses, held, access_log };
        let shared = Arc::new(loops.shared(config));
        for (number, entrances) in entrances.into_iter().enumerate() {
            let disks = options::disks(config);
            if let Err(error) = disks.and_then(|disks| loops.spawn(number, entrances, disks, Arc::clone(&shared))) {
                loops.stop(&mut Drain::at_once(), End::Stopped);
                return Err(error);
            }
        }
        Ok(loops)
    }

    fn shared(&self, config: &Config) -> Shared {
        Shared {
            options: options::loop_options(config, &self.held),
            router: options::router(config),
            dispatch: Arc::clone(&self.dispatch),
            addresses: Arc::clone(&self.addresses),
            access_log: config.access_log.format.zip(self.access_log.as_ref().map(AccessLogWriter::sink)),
        }
    }

    fn spawn(&mut self, number: usize, entrances: Vec<Entrance>, disks: Disks, shared: Arc<Shared>) -> io::Result<()> {
        let event_loop = EventLoop::new(entrances, disks, shared)?;
        self.remotes.push(event_loop.remote());
        self.pulses.push(Box::new(event_loop.pulse()));
        self.connections.push(event_loop.connections());
        let run = move || {
            if let Err(error) = schedule::set_slice(SLICE) {
                log::debug!("event loop {number} keeps the kernel's slices: {error}");
            }
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

    /// What tells whether the loops move. Once.
    pub(super) fn take_pulses(&mut self) -> Vec<Box<dyn Pulse>> {
        std::mem::take(&mut self.pulses)
    }

    /// What tells how many connections each loop has.
    pub(super) fn connections(&self) -> Vec<Arc<AtomicUsize>> {
        self.connections.clone()
    }

    /// Opens the access log again.
    pub(super) fn reopen_logs(&self) {
        if let Some(writer) = &self.access_log {
            writer.reopen();
        }
    }

    /// Has all loops serve what `config` says from their next turn on.
    pub(super) fn replace(&self, config: &Config) -> io::Result<()> {
        let shared = Arc::new(self.shared(config));
        // First all that can fail.
        let all = self.remotes.iter().map(|_| options::disks(config)).collect::<io::Result<Vec<Disks>>>()?;
        for (remote, disks) in self.remotes.iter().zip(all) {
            remote.replace(Arc::clone(&shared), disks);
        }
        Ok(())
    }

    /// Lets requests under way end while `drain` has time, and then ends the loops. False if one of them has failed, now
    /// or before.
    pub(super) fn stop(self, drain: &mut Drain, end: End) -> bool {
        self.remotes.iter().for_each(match end {
            End::Stopped => Remote::drain,
            End::Replaced => Remote::leave,
        });
        if !drain.wait(|| self.threads.iter().all(JoinHandle::is_finished), || self.reopen_logs()) {
            log::warn!("cutting the connections that are left");
            self.remotes.iter().for_each(Remote::stop);
        }
        let mut well = true;
        for thread in self.threads {
            // A failure has been logged, and a panic ends the process.
            well &= matches!(thread.join(), Ok(Ok(())));
        }
        if let Some(writer) = self.access_log {
            writer.stop();
        }
        well
    }
}
