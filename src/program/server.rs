//! Starts everything in order, waits for a signal, and stops everything in reverse order.
//!
//! Start: listeners are bound (a port in use is known within a moment), PHP starts on this thread, PHP threads attach,
//! event loops run. Stop: loops stop accepting and end with their last connection; what is left after the grace time
//! is cut; PHP threads end; PHP stops on this thread.

mod error;
mod loops;
mod options;
mod privileges;
mod reload;

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

pub use error::ServerError;

use super::access_log::AccessLogWriter;
use super::config::{Config, ConfigError};
use super::php_ini::php_ini;
use crate::base::sys::{process, signal, socket};
use crate::php::{Php, PhpOptions, Pool, PoolOptions};
use loops::Loops;

/// How long PHP threads get to end after their scripts have been interrupted.
const PHP_STOP_LIMIT: Duration = Duration::from_secs(5);

/// How a server ended that was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Everything has ended; PHP too.
    Clean,
    /// A PHP thread has not come back. The process must end without running destructors under it.
    PhpStuck,
}

/// Serves until a signal asks to stop. `read` reads the configuration again, when a signal asks for that.
pub fn run(mut config: Config, read: impl Fn() -> Result<Config, ConfigError>) -> Result<Stopped, ServerError> {
    signal::install().map_err(|error| ServerError::System("cannot handle signals", error))?;
    let identity = privileges::identity(&config.process)?;
    if let Err(error) = process::close_inherited_files_on_exec() {
        log::warn!("files that were open at the start may reach the programs that PHP starts: {error}");
    }
    let listeners = listen(&config)?;
    privileges::restrict(&config.process, identity.as_ref())?;
    let addresses: Vec<SocketAddr> = listeners[0].iter().filter_map(|listener| listener.local_addr().ok()).collect();
    let access_log = start_access_log(&config)?;
    let php = start_php(&config)?;
    let options = PoolOptions {
        threads: config.server.workers,
        queue_max: config.server.queue_max,
        server: options::server_options(&config),
    };
    let pool = Pool::start(&php, &options).map_err(|error| ServerError::System("cannot start PHP's threads", error))?;
    let loops = match Loops::start(&config, listeners, pool.dispatch(), access_log) {
        Ok(loops) => loops,
        Err(error) => {
            stop_php(php, pool, Duration::ZERO);
            return Err(ServerError::System("cannot start an event loop", error));
        }
    };
    announce(&config, &addresses, &php, &pool);

    let failed = !loops.wait(&mut config, read);
    log::info!("stopping: requests under way may take {:?} more", config.server.drain_timeout);
    let deadline = Instant::now() + config.server.drain_timeout;
    loops.stop(deadline);
    let stopped = stop_php(php, pool, deadline.saturating_duration_since(Instant::now()));
    if failed {
        return Err(ServerError::EventLoop);
    }
    log::info!("stopped");
    Ok(stopped)
}

/// Binds every address, once for each loop.
fn listen(config: &Config) -> Result<Vec<Vec<TcpListener>>, ServerError> {
    let share_port = config.server.event_loops > 1;
    let mut addresses = config.server.listen.clone();
    let mut all = Vec::with_capacity(config.server.event_loops);
    for _ in 0..config.server.event_loops {
        let mut listeners = Vec::with_capacity(addresses.len());
        for address in &mut addresses {
            let listener =
                socket::listen(*address, share_port).map_err(|error| ServerError::Listen(*address, error))?;
            // Port 0 takes any port: the other loops must share the one that it became.
            *address = listener.local_addr().map_err(|error| ServerError::Listen(*address, error))?;
            listeners.push(listener);
        }
        all.push(listeners);
    }
    Ok(all)
}

/// Starts the writer of the access log, if there is to be one.
fn start_access_log(config: &Config) -> Result<Option<AccessLogWriter>, ServerError> {
    let start = |_| AccessLogWriter::start(config.access_log.path.as_deref());
    config.access_log.format.map(start).transpose().map_err(ServerError::AccessLog)
}

fn start_php(config: &Config) -> Result<Php, ServerError> {
    let ini = php_ini(config);
    let options = PhpOptions {
        ini_file: ini.file,
        ini_defaults: ini.defaults,
        ini_entries: ini.entries,
        threads: config.server.workers,
    };
    Php::start(&options).map_err(ServerError::Php)
}

fn stop_php(php: Php, pool: Pool, patience: Duration) -> Stopped {
    if let Err(stuck) = pool.stop(patience, patience + PHP_STOP_LIMIT) {
        log::error!("{} PHP threads have not come back; leaving without them", stuck.0);
        return Stopped::PhpStuck;
    }
    match php.stop() {
        Ok(()) => Stopped::Clean,
        Err(_still_used) => Stopped::PhpStuck,
    }
}

/// The banner: what serves what, where.
fn announce(config: &Config, addresses: &[SocketAddr], php: &Php, pool: &Pool) {
    let info = php.info();
    let safety = if info.zts { "ZTS" } else { "not thread-safe" };
    let opcache = if info.opcache { "OPcache on" } else { "OPcache OFF" };
    log::info!(
        "ePHPm {} with PHP {} ({safety}, {opcache}), {} PHP threads, {} event loops",
        env!("CARGO_PKG_VERSION"),
        info.version,
        pool.threads(),
        config.server.event_loops,
    );
    if info.debug {
        log::warn!("this libphp is a debug build, which is slow");
    }
    log::info!("serving {}", config.server.document_root.display());
    for address in addresses {
        log::info!("listening on http://{address}");
    }
}
