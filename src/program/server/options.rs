//! From the configuration to the options of the layers below.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crate::base::limits;
use crate::base::pace::Pace;
use crate::base::sys::process;
use crate::exchange::{AllSpilled, Spill};
use crate::http::encoder::Levels;
use crate::http2::Http2Options;
use crate::net::event_loop::{self, Disks};
use crate::net::spool::OutputFiles;
use crate::php::NamedPool;
use crate::program::config::{self, Config};
use crate::service;
use crate::service::content::{AllHeld, CollectorOptions};
use crate::site::compression;
use crate::site::disk::{self, Disk};
use crate::site::error_page::ErrorPages;
use crate::site::forwarded;
use crate::site::header_rules::HeaderRules;
use crate::site::internal_files::{self, InternalFiles};
use crate::site::pools::Pools;
use crate::site::router::{self, Router};
use crate::site::server_vars::ServerOptions;
use crate::site::static_files;

/// What URLs mean.
pub(super) fn router(config: &Config) -> Router {
    Router::new(router::Options {
        index_files: config.server.index_files.clone(),
        deny_php: config.server.deny_php.clone(),
        ..router::Options::new(config.server.document_root.as_os_str().as_bytes())
    })
}

/// What all loops count together, whatever configuration they have.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    requests: Arc<AllHeld>,
    responses: Arc<AllSpilled>,
}

/// Bounds and timeouts of the event loops, and the operator's wishes. Content is counted in `held`.
pub(super) fn loop_options(config: &Config, held: &Held) -> event_loop::Options {
    let server = &config.server;
    let open_files = open_files();
    let compression = Arc::new(compression_options(config));
    event_loop::Options {
        http: service::context::Options {
            health: None,
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
            pools: Pools { patterns: server.pools.iter().map(|pool| pool.pattern.clone()).collect() },
            content: CollectorOptions {
                bytes_max: server.content_bytes_max,
                memory_max: server.content_memory_max,
                all_memory_max: limits::CONTENTS_MEMORY_MAX.max(16 * server.content_memory_max as u64),
                all_files_max: server.content_files_max,
                held: Arc::clone(&held.requests),
            },
            spill: spill(server, open_files, &held.responses),
            stalled: Arc::clone(held.responses.stalled()),
            stalled_bytes_max: config.http2.stalled_bytes_max,
            queue_timeout: server.queue_timeout,
            head_timeout: server.head_timeout,
            content_pace: Pace { timeout: server.content_timeout, rate_min: server.content_rate_min },
            write_pace: Pace { timeout: server.write_timeout, rate_min: server.write_rate_min },
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
        http2: config.http2.enabled.then(|| Arc::new(http2_options(config))),
        connections_max: connections_max(server, open_files),
        connections_per_address_max: server.connections_per_address_max,
        // What waits in the queue and what runs, twice: a request that PHP is done with counts until its loop has
        // heard of it.
        in_flight_max: 2 * server.php_requests_max(),
        linger_timeout: server.linger_timeout,
        temp_dir: server.temp_dir.clone(),
    }
}

fn http2_options(config: &Config) -> Http2Options {
    let (server, http2) = (&config.server, &config.http2);
    Http2Options {
        head_bytes_max: server.head_bytes_max,
        fields_max: server.fields_max,
        target_bytes_max: server.target_bytes_max,
        requests_max: u64::from(server.keep_alive_requests_max),
        streams_max: http2.streams_max,
        control_frames_max: http2.control_frames_max,
        resets_max: http2.resets_max,
    }
}

/// The document root, and the directories that scripts may send files of, in the order of the configuration.
pub(super) fn disks(config: &Config) -> io::Result<Disks> {
    let options = disk::Options {
        links: config.server.follow_symlinks,
        ttl: config.cache.file_ttl,
        cache_rules: Arc::new(config.cache.rules.clone().into()),
        compression: Arc::new(compression_options(config)),
    };
    let open = |directory: &PathBuf, options| Disk::new(directory, options, Instant::now());
    // What a script leaves to the server to send, the script says how to cache.
    let of_scripts = disk::Options { cache_rules: Arc::default(), ..options.clone() };
    let internal = config.server.internal_files.iter().map(|(_, directory)| open(directory, of_scripts.clone()));
    let internal = internal.collect::<io::Result<_>>()?;
    Ok(Disks { root: open(&config.server.document_root, options)?, internal })
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

/// The threads that are kept for some of the URLs, in the order of [`Pools`].
pub(super) fn named_pools(config: &Config) -> Vec<NamedPool> {
    let named = |pool: &config::Pool| {
        let (name, threads) = (pool.name.clone(), pool.workers);
        NamedPool { name, threads, queue_max: pool.queue_max.unwrap_or(config.server.queue_max) }
    };
    config.server.pools.iter().map(named).collect()
}

/// What `$_SERVER` says of the server.
pub(super) fn server_options(config: &Config) -> ServerOptions {
    let software = config.server.server_software.clone();
    software.map_or_else(ServerOptions::default, |software| ServerOptions { software })
}

/// Where output goes that clients take too slowly, if it may. Its files take an eighth of the file descriptors at most.
fn spill(server: &config::Server, open_files: Option<usize>, held: &Arc<AllSpilled>) -> Option<Arc<Spill>> {
    let is_wanted = server.response_file_max > 0 && server.response_files_max > 0;
    is_wanted.then(|| {
        Arc::new(Spill {
            files: Box::new(OutputFiles::new(server.temp_dir.clone())),
            bytes_max: server.response_file_max,
            all_bytes_max: server.response_files_max,
            files_max: open_files.map_or(limits::CONNECTIONS_MAX, |files| files / 8) as u64,
            patience: limits::SPILL_PATIENCE,
            held: Arc::clone(held),
        })
    })
}

/// How many files the process may have open; none if that is not known.
fn open_files() -> Option<usize> {
    let files = process::raise_open_files();
    let files = files.inspect_err(|error| log::warn!("cannot raise the limit on open files: {error}")).ok()?;
    Some(usize::try_from(files).unwrap_or(usize::MAX))
}

/// How many connections a loop may have: as many as it is allowed, if there are file descriptors for them and for the
/// files, databases and programs of PHP.
fn connections_max(server: &config::Server, open_files: Option<usize>) -> usize {
    let Some(files) = open_files else { return server.connections_max };
    let most = (files / 4 * 3 / server.event_loops).max(1);
    if most < server.connections_max {
        let wanted = server.connections_max;
        log::warn!("server.connections_max is {most} instead of {wanted}: the limit on open files is {files}");
    }
    server.connections_max.min(most)
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
