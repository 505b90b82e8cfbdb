//! Starts everything in order, waits for a signal, and stops everything in reverse order.
//!
//! Start: listeners are bound (a port in use is known within a moment), PHP starts on this thread, PHP threads attach,
//! event loops run. Stop: loops stop accepting and end with their last connection; what is left after the grace time
//! is cut; PHP threads end; PHP stops on this thread.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::access_log::AccessLogWriter;
use super::config::Config;
use super::php_ini::php_ini;
use crate::base::sys::{process, signal, socket};
use crate::http::encoder::Levels;
use crate::net::event_loop::{self, Disks, EventLoop, Remote, Shared};
use crate::php::{Php, PhpOptions, Pool, PoolOptions, StartError};
use crate::service;
use crate::service::content::CollectorOptions;
use crate::site::compression;
use crate::site::disk::{self, Disk};
use crate::site::error_page::ErrorPages;
use crate::site::forwarded;
use crate::site::header_rules::HeaderRules;
use crate::site::internal_files::{self, InternalFiles};
use crate::site::router::{self, Router};
use crate::site::server_vars::ServerOptions;
use crate::site::static_files;

/// How often a drain looks whether it is over, or whether it has been told to hurry.
const DRAIN_POLL: Duration = Duration::from_millis(20);
/// How long PHP threads get to end after their scripts have been interrupted.
const PHP_STOP_LIMIT: Duration = Duration::from_secs(5);

/// Why the server did not start, or stopped by itself.
#[derive(Debug)]
pub enum ServerError {
    /// An address cannot be listened on.
    Listen(SocketAddr, io::Error),
    /// The access log cannot be opened.
    AccessLog(io::Error),
    /// PHP does not start.
    Php(StartError),
    /// The system refuses something.
    System(&'static str, io::Error),
    /// An event loop has failed; the log says why.
    EventLoop,
}

/// How a server ended that was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Everything has ended; PHP too.
    Clean,
    /// A PHP thread has not come back. The process must end without running destructors under it.
    PhpStuck,
}

/// Serves until a signal asks to stop.
pub fn run(config: &Config) -> Result<Stopped, ServerError> {
    signal::block().map_err(|error| ServerError::System("cannot block signals", error))?;
    if let Err(error) = process::raise_open_files() {
        log::warn!("cannot raise the limit on open files: {error}");
    }
    let listeners = listen(config)?;
    let addresses: Vec<SocketAddr> = listeners[0].iter().filter_map(|listener| listener.local_addr().ok()).collect();
    let access_log = start_access_log(config)?;
    let php = start_php(config)?;
    let options = PoolOptions {
        threads: config.server.workers,
        queue_max: config.server.queue_max,
        server: server_options(config),
    };
    let pool = Pool::start(&php, &options).map_err(|error| ServerError::System("cannot start PHP's threads", error))?;
    let loops = match Loops::start(config, listeners, &pool, access_log.as_ref()) {
        Ok(loops) => loops,
        Err(error) => {
            stop_php(php, pool, Duration::ZERO);
            return Err(ServerError::System("cannot start an event loop", error));
        }
    };
    announce(config, &addresses, &php, &pool);

    let failed = !loops.wait(access_log.as_ref());
    log::info!("stopping: requests under way may take {:?} more", config.server.drain_timeout);
    let deadline = Instant::now() + config.server.drain_timeout;
    loops.stop(deadline);
    if let Some(writer) = access_log {
        writer.stop();
    }
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

/// The running event loops.
struct Loops {
    remotes: Vec<Remote>,
    threads: Vec<JoinHandle<io::Result<()>>>,
}

impl Loops {
    fn start(
        config: &Config,
        listeners: Vec<Vec<TcpListener>>,
        pool: &Pool,
        access_log: Option<&AccessLogWriter>,
    ) -> io::Result<Self> {
        let root = &config.server.document_root;
        let router = Router::new(router::Options {
            index_files: config.server.index_files.clone(),
            deny_php: config.server.deny_php.clone(),
            ..router::Options::new(root.as_os_str().as_bytes())
        });
        let compression = Arc::new(compression_options(config));
        let files = disk::Options {
            links: config.server.follow_symlinks,
            cache_rules: Arc::new(config.cache.rules.clone().into()),
            compression: Arc::clone(&compression),
        };
        let options = loop_options(config, compression);
        let access_log = config.access_log.format.zip(access_log.map(AccessLogWriter::sink));
        let shared = Arc::new(Shared { options, router, dispatch: pool.dispatch(), access_log });
        let mut loops = Self { remotes: Vec::new(), threads: Vec::new() };
        for (number, listeners) in listeners.into_iter().enumerate() {
            let disks = open_disks(config, &files)?;
            if let Err(error) = loops.spawn(number, listeners, disks, Arc::clone(&shared)) {
                loops.stop(Instant::now());
                return Err(error);
            }
        }
        Ok(loops)
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
                signal::raise_stop();
            }
            result
        };
        self.threads.push(thread::Builder::new().name(format!("loop-{number}")).spawn(run)?);
        Ok(())
    }

    /// Waits for a signal to stop. False if a loop has ended by itself.
    fn wait(&self, access_log: Option<&AccessLogWriter>) -> bool {
        loop {
            match signal::wait(None) {
                Ok(Some(signal::Signal::Stop)) => break,
                Ok(Some(signal::Signal::ReopenLogs)) => {
                    if let Some(writer) = access_log {
                        writer.reopen();
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    log::error!("cannot wait for signals: {error}");
                    break;
                }
            }
        }
        !self.threads.iter().any(JoinHandle::is_finished)
    }

    /// Lets requests under way end until `deadline`, or until a second signal, and then ends the loops.
    fn stop(self, deadline: Instant) {
        self.remotes.iter().for_each(Remote::drain);
        while !self.threads.iter().all(JoinHandle::is_finished) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || matches!(signal::wait(Some(left.min(DRAIN_POLL))), Ok(Some(signal::Signal::Stop))) {
                log::warn!("cutting the connections that are left");
                self.remotes.iter().for_each(Remote::stop);
                break;
            }
        }
        for thread in self.threads {
            // A failure has been logged, and a panic ends the process.
            let _ = thread.join();
        }
    }
}

fn compression_options(config: &Config) -> compression::Options {
    let section = &config.compression;
    compression::Options {
        enabled: section.enabled,
        precompressed: section.precompressed,
        codings: section.codings.clone(),
        levels: Levels { zstd: section.zstd_level, br: section.br_level, gzip: section.gzip_level },
        bytes_min: section.bytes_min,
        file_bytes_max: section.file_bytes_max,
        cache_bytes: section.cache_bytes_max,
        types: section.types.clone(),
    }
}

fn loop_options(config: &Config, compression: Arc<compression::Options>) -> event_loop::Options {
    let server = &config.server;
    event_loop::Options {
        http: service::context::Options {
            forwarded: forwarded::Options {
                proxies: server.trusted_proxies.clone(),
                fields: server.forwarded_fields.clone(),
            },
            headers: HeaderRules {
                rules: config.headers.set.iter().chain(&config.headers.add).cloned().collect(),
                server: server.server_header.then_some("ePHPm"),
            },
            error_pages: ErrorPages { pages: server.error_pages.clone() },
            internal_files: internal_files(config),
            content: CollectorOptions { bytes_max: server.content_bytes_max, memory_max: server.content_memory_max },
            queue_timeout: server.queue_timeout,
            head_timeout: server.head_timeout,
            content_timeout: server.content_timeout,
            write_timeout: server.write_timeout,
            keep_alive_timeout: server.keep_alive_timeout,
            files: static_files::Options {
                range_parts_max: server.range_parts_max,
                codings: compression.codings.clone(),
            },
            compression,
        },
        http1: crate::http1::Http1Options {
            head_bytes_max: server.head_bytes_max,
            fields_max: server.fields_max,
            target_bytes_max: server.target_bytes_max,
            requests_max: u64::from(server.keep_alive_requests_max),
        },
        connections_max: server.connections_max,
        // What waits in the queue and what runs, twice: a request that PHP is done with counts until its loop has
        // heard of it.
        in_flight_max: 2 * (server.queue_max + server.workers),
        linger_timeout: server.linger_timeout,
        temp_dir: server.temp_dir.clone(),
    }
}

/// The document root, and the directories that scripts may send files of, in the order of the configuration.
fn open_disks(config: &Config, options: &disk::Options) -> io::Result<Disks> {
    let open = |directory: &PathBuf, options| Disk::new(directory, options, Instant::now());
    // What a script leaves to the server to send, the script says how to cache.
    let of_scripts = disk::Options { cache_rules: Arc::default(), ..options.clone() };
    let internal = config.server.internal_files.iter().map(|(_, directory)| open(directory, of_scripts.clone()));
    let internal = internal.collect::<io::Result<_>>()?;
    Ok(Disks { root: open(&config.server.document_root, options.clone())?, internal })
}

fn internal_files(config: &Config) -> InternalFiles {
    let directory = |(prefix, configured): &(String, PathBuf)| {
        // A script may know the directory by either name.
        let mut paths = vec![configured.clone()];
        paths.extend(configured.canonicalize().ok().filter(|canonical| canonical != configured));
        let paths = paths.iter().map(|path| path.as_os_str().as_bytes().to_vec()).collect();
        internal_files::Directory { prefix: prefix.clone(), paths }
    };
    InternalFiles { directories: config.server.internal_files.iter().map(directory).collect() }
}

fn server_options(config: &Config) -> ServerOptions {
    let software = config.server.server_software.clone();
    software.map_or_else(ServerOptions::default, |software| ServerOptions { software })
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

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(address, error) => write!(f, "server.listen: cannot listen on {address}: {error}"),
            Self::AccessLog(error) => write!(f, "access_log.path: cannot open it: {error}"),
            Self::Php(error) => write!(f, "{error}"),
            Self::System(what, error) => write!(f, "{what}: {error}"),
            Self::EventLoop => f.write_str("an event loop has failed"),
        }
    }
}

impl std::error::Error for ServerError {}
