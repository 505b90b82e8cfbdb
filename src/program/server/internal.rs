//! The loop that answers monitors: an event loop of its own, which lives before PHP does and outlives the others, so that
//! it can say how they are.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::listeners::Listeners;
use super::options::{self, Held};
use crate::exchange::{Dispatch, Responder};
use crate::net::event_loop::{EventLoop, Remote, Shared};
use crate::program::config::Config;
use crate::service::health::Health;

/// Monitors' connections; beyond, the idle ones make room.
const CONNECTIONS_MAX: usize = 64;

/// The running loop.
#[derive(Debug)]
pub(super) struct Internal {
    remote: Remote,
    thread: JoinHandle<()>,
}

impl Internal {
    /// Starts it.
    pub(super) fn start(config: &Config, listeners: &Listeners, health: &Arc<Health>) -> io::Result<Self> {
        let mut options = options::loop_options(config, &Held::default());
        options.http.health = Some(Arc::clone(health));
        options.connections_max = CONNECTIONS_MAX;
        options.connections_per_address_max = 0;
        let shared = Shared {
            options,
            router: options::router(config),
            dispatch: Arc::new(Nobody),
            addresses: Arc::default(),
            access_log: None,
        };
        let entrances = listeners.entrances(1)?.into_iter().flatten().collect();
        let event_loop = EventLoop::new(entrances, options::disks(config)?, Arc::new(shared))?;
        let remote = event_loop.remote();
        let run = move || {
            if let Err(error) = event_loop.run() {
                log::error!("the internal listener has failed: {error}");
            }
        };
        Ok(Self { remote, thread: thread::Builder::new().name("internal".to_owned()).spawn(run)? })
    }

    /// Ends it.
    pub(super) fn stop(self) {
        self.remote.stop();
        // A failure has been logged, and a panic ends the process.
        let _ = self.thread.join();
    }
}

/// No request of a monitor is for PHP.
#[derive(Debug)]
struct Nobody;

impl Dispatch for Nobody {
    fn submit(&self, responder: Box<Responder>) -> Result<(), Box<Responder>> {
        Err(responder)
    }
}
