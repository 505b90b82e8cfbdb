//! Starts everything in order, waits for a signal, and stops everything in reverse order.
//!
//! Start: listeners are bound (a port in use is known within a moment), processes are forked unless there is to be one
//! only, PHP starts on this thread, PHP threads attach, event loops run. Stop: loops stop accepting and end with their last connection; what is left after the grace time
//! is cut; PHP threads end; PHP stops on this thread.

mod control;
mod drain;
mod error;
mod handover;
mod internal;
mod listeners;
mod loops;
mod notify;
mod options;
mod privileges;
mod reload;
mod supervisor;

use std::env;
use std::io;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use error::ServerError;

use super::access_log::AccessLogWriter;
use super::company::Company;
use super::config::{Config, ConfigError};
use super::php_cli;
use super::php_environment::php_environment;
use super::php_ini::php_ini;
use super::slow_log::SlowLog;
use super::status::Reporter;
use crate::base::black_box::BlackBox;
use crate::base::limits;
use crate::base::sys::{memory, process, signal};
use crate::php::{Php, PhpOptions, Pool, PoolOptions, SlowSink};
use crate::service::health::{Health, Stage};
use control::Control;
use drain::{Drain, End};
use handover::Given;
use internal::Internal;
use listeners::Listeners;
use loops::Loops;
use notify::{STOPPING, notify};
use supervisor::{Outcome, Post, Supervisor};

/// How long PHP threads get to end after their scripts have been interrupted.
const PHP_STOP_LIMIT: Duration = Duration::from_secs(5);

/// How a server ended that had started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// It was asked to. Otherwise an event loop has failed, and the log says why.
    pub well: bool,
    /// A PHP thread has not come back. The process must end without running destructors under it.
    pub php_stuck: bool,
}

/// Serves until a signal asks to stop. `read` reads the configuration again, when a signal asks for that.
pub fn run(config: Config, read: impl Fn() -> Result<Config, ConfigError>) -> Result<Stopped, ServerError> {
    // Known now, and for certain: the file may be replaced while the process runs.
    let program = env::current_exe().unwrap_or_default();
    signal::install().map_err(|error| ServerError::System("cannot handle signals", error))?;
    if let Err(error) = process::close_inherited_files_on_exec() {
        log::warn!("files that were open at the start may reach the programs that PHP starts: {error}");
    }
    // Here, where there are no threads yet.
    memory::keep_freed(limits::FREED_MEMORY_KEPT, limits::MAPPED_MEMORY_MIN);
    let mut given = Given::take();
    let sockets = Sockets::open(&config, &mut given)?;
    if config.server.processes == 0 {
        return serve(config, read, program, sockets, Role::Alone(given));
    }
    match Supervisor::new(config, &read, program.clone(), sockets, given)?.run() {
        Outcome::Ended(stopped) => Ok(stopped),
        Outcome::Member(config, sockets, post) => serve(*config, read, program, sockets, Role::Member(post)),
    }
}

/// What a process that serves is among others.
#[derive(Debug)]
enum Role {
    /// Nobody supervises it; this is what it was given.
    Alone(Given),
    /// A supervisor has started it.
    Member(Post),
}

/// Serves in this process.
fn serve(
    config: Config,
    read: impl Fn() -> Result<Config, ConfigError>,
    program: PathBuf,
    sockets: Sockets,
    role: Role,
) -> Result<Stopped, ServerError> {
    role.listen().map_err(|error| ServerError::System("cannot start a thread", error))?;
    let company = role.company().map_err(|error| ServerError::System("cannot share memory", error))?;
    let health = Arc::new(Health::among(Arc::clone(&company) as _));
    let mut internal = match role.answers_early() {
        true => sockets.start_internal(&config, &health)?,
        false => None,
    };
    let access_log = start_access_log(&config)?;
    let slow_log = open_slow_log(&config)?;
    let php = start_php(&config)?;
    let options = PoolOptions {
        threads: config.server.workers,
        queue_max: config.server.queue_max,
        named: options::named_pools(&config),
        server: options::server_options(&config),
        stack_bytes: config.php.thread_stack,
        request_timeout: config.php.request_timeout,
        lost_after: limits::LOST_AFTER,
        slow: slow_log.as_ref().map(|(after, log)| (*after, Arc::clone(log) as Arc<dyn SlowSink>)),
        max_requests: config.php.max_requests,
        black_box: role.black_box(),
    };
    let pool = Pool::start(&php, &options).map_err(|error| ServerError::System("cannot start PHP's threads", error))?;
    // Requests may come now, and are to be answered before the process ends.
    signal::stop_in_order();
    let entrances = sockets.public.entrances(config.server.event_loops);
    let loops = entrances.and_then(|entrances| Loops::start(&config, entrances, pool.dispatch(), access_log));
    let mut loops = match loops {
        Ok(loops) => loops,
        Err(error) => {
            stop_php(php, pool, &mut Drain::at_once());
            return Err(ServerError::System("cannot start an event loop", error));
        }
    };
    health.watch(loops.take_pulses());
    let reporter = Arc::new(Reporter::new(&pool.scoreboard(), loops.connections(), company));
    health.open(Box::new(Arc::clone(&reporter)));
    if internal.is_none() {
        let started = sockets.start_internal(&config, &health);
        internal = started.inspect_err(|error| log::error!("{error}")).unwrap_or_default();
    }
    role.announce(|| announce(&config, &sockets, &php, &pool));
    health.enter(Stage::Ready);
    let post = role.ready();

    let slow_log = slow_log.map(|(_, log)| log);
    let mut control = Control { config, read, program, slow_log, successor: None, post, reporter };
    let end = control.run(&loops, &sockets);
    let is_supervised = control.post.is_some();
    let drain_timeout = control.config.server.drain_timeout;
    health.enter(Stage::Stopping);
    if !is_supervised {
        log::info!("stopping: requests under way may take {drain_timeout:?} more");
    }
    if end == End::Replaced {
        // Who asks is to ask the successor.
        internal.take().into_iter().for_each(Internal::stop);
    } else if !is_supervised {
        notify(STOPPING);
    }
    // What is open here would keep connections waiting that nobody accepts.
    let Sockets { public, internal: of_monitors } = sockets;
    // Sockets are a supervisor's, and where they lie.
    let of_sockets = if is_supervised { End::Replaced } else { end };
    close(public, of_sockets);
    let mut drain = Drain::within(drain_timeout, is_supervised, control.reporter);
    let well = loops.stop(&mut drain, end);
    let php_stuck = !stop_php(php, pool, &mut drain);
    internal.into_iter().for_each(Internal::stop);
    close(of_monitors, of_sockets);
    if !is_supervised {
        log::info!("stopped");
    }
    Ok(Stopped { well, php_stuck })
}

impl Role {
    /// Hears a supervisor from now on, if there is one.
    fn listen(&self) -> io::Result<()> {
        match self {
            Self::Alone(_) => Ok(()),
            Self::Member(post) => post.listen(),
        }
    }

    /// Whether monitors ask this process while it starts. A predecessor is ready, and says so, until this process is.
    fn answers_early(&self) -> bool {
        match self {
            Self::Alone(given) => !given.has_predecessor(),
            Self::Member(post) => post.answers_early,
        }
    }

    /// Those that serve on the same sockets.
    fn company(&self) -> io::Result<Arc<Company>> {
        match self {
            Self::Alone(_) => Company::of_one().map(Arc::new),
            Self::Member(post) => Ok(Arc::clone(&post.company)),
        }
    }

    fn black_box(&self) -> Option<BlackBox> {
        match self {
            Self::Alone(_) => None,
            Self::Member(post) => Some(post.black_box),
        }
    }

    /// One process speaks for all, once.
    fn announce(&self, announce: impl FnOnce()) {
        match self {
            Self::Member(post) if !post.is_first => {}
            _ => announce(),
        }
    }

    /// Tells whoever waits for it that the process serves.
    fn ready(self) -> Option<Post> {
        match self {
            Self::Alone(given) => {
                given.ready();
                None
            }
            Self::Member(post) => {
                post.ready();
                Some(post)
            }
        }
    }
}

/// All that is listened on.
#[derive(Debug)]
struct Sockets {
    public: Listeners,
    internal: Listeners,
}

impl Sockets {
    /// Opens them, and then gives up the right to.
    fn open(config: &Config, given: &mut Given) -> Result<Self, ServerError> {
        let identity = privileges::identity(&config.process)?;
        let mut open = |wanted, copies| Listeners::open(wanted, copies, identity.as_ref(), &mut given.sockets);
        let public = open(&config.server.listen, config.server.event_loops)?;
        let internal = open(&config.internal.listen, 1)?;
        privileges::restrict(&config.process, identity.as_ref())?;
        Ok(Self { public, internal })
    }

    fn start_internal(&self, config: &Config, health: &Arc<Health>) -> Result<Option<Internal>, ServerError> {
        if config.internal.listen.is_empty() {
            return Ok(None);
        }
        let started = Internal::start(config, &self.internal, health);
        started.map(Some).map_err(|error| ServerError::System("cannot start the internal listener", error))
    }

    /// All of them, for a successor.
    fn all(&self) -> Vec<(RawFd, Option<&str>)> {
        self.public.all().chain(self.internal.all()).collect()
    }
}

/// Closes sockets; a successor listens on its own copies, where they lie.
fn close(listeners: Listeners, end: End) {
    match end {
        End::Stopped => listeners.remove(),
        End::Replaced => drop(listeners),
    }
}

/// Starts the writer of the access log, if there is to be one.
fn start_access_log(config: &Config) -> Result<Option<AccessLogWriter>, ServerError> {
    let start = |_| AccessLogWriter::start(config.access_log.path.as_deref());
    config.access_log.format.map(start).transpose().map_err(ServerError::AccessLog)
}

/// Opens the slow log, if there is to be one; returns it with what counts as slow.
fn open_slow_log(config: &Config) -> Result<Option<(Duration, Arc<SlowLog>)>, ServerError> {
    let Some(after) = config.php.slow_log_after else {
        if config.php.slow_log.is_some() {
            log::warn!("php.slow_log stays empty: php.slow_log_after does not say what is slow");
        }
        return Ok(None);
    };
    let opened = SlowLog::open(config.php.slow_log.as_deref());
    let log = opened.map_err(|error| ServerError::System("cannot open the slow log", error))?;
    Ok(Some((after, Arc::new(log))))
}

fn start_php(config: &Config) -> Result<Php, ServerError> {
    let ini = php_ini(config);
    let login = config.process.user.as_ref().and(privileges::identity(&config.process)?).and_then(|user| user.login);
    let options = PhpOptions {
        ini_file: ini.file,
        ini_defaults: ini.defaults,
        ini_entries: ini.entries,
        binary: php_cli::binary(),
        threads: config.server.php_threads(),
        environment: Some(php_environment(config.php.clear_env, &config.php.env, login, env::vars_os())),
    };
    Php::start(&options).map_err(ServerError::Php)
}

/// False if a PHP thread has not come back.
fn stop_php(php: Php, pool: Pool, drain: &mut Drain) -> bool {
    pool.close();
    // Scripts may go on when their responses have ended.
    drain.wait(|| pool.has_ended(), || {});
    if let Err(stuck) = pool.stop(Duration::ZERO, PHP_STOP_LIMIT) {
        log::error!("{} PHP threads have not come back; leaving without them", stuck.0);
        return false;
    }
    php.stop().is_ok()
}

/// The banner: what serves what, where.
fn announce(config: &Config, sockets: &Sockets, php: &Php, pool: &Pool) {
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
    for name in sockets.public.names() {
        log::info!("listening on {name}");
    }
    for name in sockets.internal.names() {
        log::info!("answering monitors on {name}");
    }
}
