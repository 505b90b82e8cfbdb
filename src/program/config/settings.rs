//! Every setting: its name, type, meaning, bounds and default, each in one place.
//!
//! The table below is the configuration. It expands (macro of module `table`) to the plain
//! structs that the program reads and to [`KEYS`], from which the file, the environment, the
//! command line, `--help` and the test of the reference `ephpm.toml` take what they know. A row is
//! `name: Type = reader, "default as one would write it";`, or, where the field is empty until it
//! is set, `name: Type = reader, unset "what then holds";`.

mod key;

use std::path::PathBuf;
use std::time::Duration;

use log::LevelFilter;

pub use self::key::{Key, Unset};
use super::ini_readers::{ini_overrides, memory_limit};
use super::listen::{Listen, listen, listen_internal};
use super::pools::{Pool, pools};
use super::readers::{
    account, boolean, cache_rules, codings, file_names, format, grace, integer, level, links, media_types,
    optional_path, path, prefixes, seconds, size, timeout, timeout_or_never, workers,
};
use super::request_readers::{
    access_log_format, environment_variables, error_pages, forwarded_fields, header_rules, internal_files, log_path,
    networks, server_software,
};
use super::table::{initial, settings};
use crate::base::sys::confine::Links;
use crate::http::coding::Coding;
use crate::http::status::Status;
use crate::program::logger::Format;
use crate::service::access_log;
use crate::site::cache_control::CacheRule;
use crate::site::compression::TypePattern;
use crate::site::forwarded::{Field, Network};
use crate::site::header_rules::Rule;

settings! {
    /// `[server]`: where to listen, what to serve, and how much to allow.
    server: Server {
        /// Where to listen, at least one. `":8080"` and `"8080"` are every IPv4 address of
        /// the machine, as in nginx; IPv6 is asked for by name: `[":8080", "[::]:8080"]`. An IPv6
        /// socket therefore takes IPv6 only (`IPV6_V6ONLY`), and a peer's address is never an
        /// IPv4 address in IPv6 clothes. `"unix:/run/site.sock"` is a Unix socket, `mode=660`
        /// after it its permissions; `"systemd"` are the sockets that systemd passes, `systemd:web`
        /// those of that name. After any of them `proxy_protocol` has each connection begin with a
        /// header of the PROXY protocol, which is believed of `trusted_proxies`, or of everybody
        /// unless there are any. Default: `127.0.0.1:8080`.
        listen: Vec<Listen> = listen(), "127.0.0.1:8080";
        /// The directory that is served: an existing one, absolute here. Must be set.
        document_root: PathBuf = path(), unset "must be set";
        /// What a URL that names a directory stands for: the first of these that exists there.
        /// Default: `index.php`, `index.html`.
        index_files: Vec<String> = file_names(), "index.php,index.html";
        /// Symbolic links below the document root that are followed, to files and to scripts: `all`;
        /// `owner`, those that stay below it, and those that lead out and belong to root or to the
        /// owner of what they name; `inside`, those that stay below it; `none`. Default: `owner`.
        follow_symlinks: Links = links(), "owner";
        /// Paths below which no script is run, nor sent as text: where visitors put files. Default:
        /// `/wp-content/uploads/`, where WordPress keeps them.
        deny_php: Vec<String> = prefixes(), "/wp-content/uploads/";
        /// Ranges of a file in one request; a request for more gets the whole file: 1 to 64.
        /// Default: 16.
        range_parts_max: usize = integer(1, 64), "16";
        /// Processes that serve, each with its own event loops, PHP threads, OPcache and bounds,
        /// started by one that only supervises them and starts another where one has crashed: 1 to
        /// 64. 0 is one process that nobody supervises. Default: 1, and 0 for `ephpm serve`.
        processes: usize = integer(0, 64), "1";
        /// PHP threads, which is how many scripts run at once: 1 to 1024. Default: `auto`, twice
        /// the number of cores and at least 2.
        workers: usize = workers(1, 1024), "auto";
        /// Event loops, each a thread with its own share of the connections: 1 to 256. One feeds
        /// several cores of PHP; more pay off where files dominate. Default: 1.
        event_loops: usize = integer(1, 256), "1";
        /// Requests that may wait for a PHP thread; one more is answered 503: 1 to 65536.
        /// Default: 1024.
        queue_max: usize = integer(1, 65536), "1024";
        /// How long a request may wait for a PHP thread before it is answered 503: 1 ms to 24 h.
        /// Default: 30 s.
        queue_timeout: Duration = timeout(), "30s";
        /// PHP threads besides those, each group for the requests of some paths, with a queue of its
        /// own, so that what is slow cannot keep the rest waiting: a name, a path, the number of
        /// threads (1 to 1024) and, unless it is `queue_max`, how many requests may wait for them.
        /// `*` in a path stands for anything, a slash at the end for all that lies below; the first
        /// that matches wins. At most 16. Default: none.
        pools: Vec<Pool> = pools(), unset "none";
        /// Connections open at once in each event loop: 1 to 1,000,000. Beyond, the one that has
        /// been idle for longest makes room, and while none is idle new ones wait. No more than
        /// the limit on open files allows. Default: 10,000.
        connections_max: usize = integer(1, 1_000_000), "10000";
        /// Connections open at once from one address, or one /64 network of IPv6; one more is
        /// answered 503 and closed. 0 is without limit: 0 to 1,000,000. Default: 0, since many
        /// people may share an address.
        connections_per_address_max: usize = integer(0, 1_000_000), "0";
        /// Bytes of a request's head, request line and fields together; a longer one is answered
        /// 431: 1 KiB to 64 KiB less one. Must be greater than `target_bytes_max`. Default:
        /// 32 KiB.
        head_bytes_max: usize = size(1024, 65535), "32K";
        /// Fields of a request's head; more are answered 431: 1 to 256. Default: 100.
        fields_max: usize = integer(1, 256), "100";
        /// Bytes of a request target; a longer one is answered 414: 64 bytes to 64 KiB less one.
        /// Default: 8 KiB.
        target_bytes_max: usize = size(64, 65535), "8K";
        /// Bytes of a request's content; more is answered 413: 1 byte to 1024 GiB. PHP's
        /// `post_max_size` and `upload_max_filesize` follow it. Default: 64 MiB.
        content_bytes_max: u64 = size(1, 1 << 40), "64M";
        /// Bytes of a request's content that are kept in memory; content that is longer goes to
        /// an unlinked file in `temp_dir`: 0 to 1 GiB. Default: 2 MiB.
        content_memory_max: usize = size(0, 1 << 30), "2M";
        /// Bytes of all requests' content that lie in `temp_dir` at once; one that needs more is
        /// answered 503: 0 to 1024 GiB. Default: 4 GiB.
        content_files_max: u64 = size(0, 1 << 40), "4G";
        /// Bytes of one response that may lie in `temp_dir` because its client takes it more slowly
        /// than PHP makes it, so that it does not hold a PHP thread; PHP waits with more. 0 is
        /// none: 0 to 1024 GiB. Default: 1 GiB.
        response_file_max: u64 = size(0, 1 << 40), "1G";
        /// Bytes of all responses that lie in `temp_dir` at once; PHP waits with more: 0 to
        /// 1024 GiB. Default: 4 GiB.
        response_files_max: u64 = size(0, 1 << 40), "4G";
        /// The directory of temporary files, and of PHP's uploads: an existing one, absolute here.
        /// Default: the system's (`TMPDIR`, or `/tmp`).
        temp_dir: PathBuf = path(), unset "TMPDIR, or /tmp";
        /// How long a request's head may take to arrive, from its first byte (on a new
        /// connection, from its opening); then 408: 1 ms to 24 h. Default: 10 s.
        head_timeout: Duration = timeout(), "10s";
        /// How long a peer may pause while it sends content; then 408: 1 ms to 24 h. Default: 30 s.
        content_timeout: Duration = timeout(), "30s";
        /// Bytes of content a second that a peer must send: one that is slower uses up
        /// `content_timeout` as if it paused. 0 is any rate: 0 to 1 MiB. Default: 500.
        content_rate_min: u64 = size(0, 1 << 20), "500";
        /// How long a peer may take nothing of what we send; then the connection is closed: 1 ms
        /// to 24 h. Default: 30 s.
        write_timeout: Duration = timeout(), "30s";
        /// Bytes of a response a second that a peer must take: one that is slower uses up
        /// `write_timeout` as if it took nothing. 0 is any rate: 0 to 1 MiB. Default: 1000.
        write_rate_min: u64 = size(0, 1 << 20), "1000";
        /// How long a connection may be idle between two requests: 1 ms to 24 h. Default: 60 s.
        keep_alive_timeout: Duration = timeout(), "60s";
        /// Requests on one connection, after which it is closed politely; 0 is without limit: 0 to
        /// 4,294,967,295. A limit lets the connections of a proxy spread over the event loops
        /// again; at the default one request in ten thousand pays for a new connection.
        /// Default: 10,000.
        keep_alive_requests_max: u32 = integer(0, i64::from(u32::MAX)), "10000";
        /// How long a refused request's rest is read and thrown away, so that the peer gets to
        /// see our answer: 1 ms to 24 h. Default: 2 s.
        linger_timeout: Duration = timeout(), "2s";
        /// How long requests in flight may take to end after SIGTERM or SIGINT: 0 to 1 h.
        /// Default: 30 s.
        drain_timeout: Duration = grace(), "30s";
        /// Proxies that are believed when they tell whom a request comes from: addresses and
        /// networks. Nobody else is. Default: none.
        trusted_proxies: Vec<Network> = networks(), unset "none";
        /// The fields by which they tell. They must set or remove each of these on every request,
        /// or else a client can. `Forwarded` (RFC 7239) goes alone. Default: `X-Forwarded-For` and
        /// `X-Forwarded-Proto`.
        forwarded_fields: Vec<Field> = forwarded_fields(), "X-Forwarded-For,X-Forwarded-Proto";
        /// Whether responses have a `Server` field, which says no more than `ePHPm`. Default: no.
        server_header: bool = boolean(), "false";
        /// What scripts read in `SERVER_SOFTWARE`. WordPress looks for "nginx" in it. Unless set,
        /// `ePHPm`, its version and `(nginx-compatible)`.
        server_software: Option<String> = server_software(), unset "ePHPm/VERSION (nginx-compatible)";
        /// Pages for errors that the server itself reports: an error (400 to 599) and a path below
        /// the document root each. A script keeps the status, finds it in `REDIRECT_STATUS`, and
        /// cannot be asked to explain 5xx. Default: a small page of our own.
        error_pages: Vec<(Status, String)> = error_pages(), unset "a small page";
        /// Directories whose files scripts may leave to the server to send, each with a prefix: by
        /// `X-Accel-Redirect: PREFIX...` or `X-Sendfile: DIRECTORY/...`. Existing ones, absolute
        /// here. Default: none.
        internal_files: Vec<(String, PathBuf)> = internal_files(), unset "none";
    }
    /// `[http2]`: HTTP/2 in clear text, with prior knowledge, on every listener: for proxies and for programs, since
    /// browsers speak it over TLS only.
    http2: Http2 {
        /// Whether HTTP/2 is spoken beside HTTP/1. Default: `true`.
        enabled: bool = boolean(), "true";
        /// Requests under way at once on one connection; one more is refused, to be sent again: 1 to 1000.
        /// Default: 100.
        streams_max: u32 = integer(1, 1000), "100";
        /// Frames a second that are neither requests nor content (PING, SETTINGS, WINDOW_UPDATE, ...); a peer that
        /// keeps sending more is closed. Content that is sent allows for more: 10 to 1,000,000. Default: 1000.
        control_frames_max: u32 = integer(10, 1_000_000), "1000";
        /// Requests that a peer may give up within ten seconds, beside as many as it lets end; one that gives up
        /// more is closed: 1 to 1,000,000. Default: 300.
        resets_max: u32 = integer(1, 1_000_000), "300";
        /// Bytes of all responses in memory that wait for their peers; a MiB of each connection is not counted. With
        /// more, those of connections that hold more than that MiB are given up if they have taken nothing for a second,
        /// whatever `server.write_timeout` is. Each process counts for itself: 0 to 1024 GiB. Default: 256 MiB.
        stalled_bytes_max: u64 = size(0, 1 << 40), "256M";
    }
    /// `[headers]`: fields of every final response, by the path of the request. `*` in a path
    /// stands for anything. At most 32 rules of each kind.
    headers: Headers {
        /// Fields that replace what a response says, in order: a path, a name and a value each.
        /// An empty value removes the field. They come before those of `add`. Default: none.
        set: Vec<Rule> = header_rules(true), unset "none";
        /// Fields that are added to what a response says, in order: a path, a name and a value
        /// each. Default: none.
        add: Vec<Rule> = header_rules(false), unset "none";
    }
    /// `[access_log]`: a line for each request.
    access_log: AccessLog {
        /// `combined` as of Apache and nginx, `json`, or `off`. Default: `off`.
        format: Option<access_log::Format> = access_log_format(), "off";
        /// The file that lines are appended to, absolute here; none for standard output. SIGUSR1
        /// opens it again. Default: `stdout`.
        path: Option<PathBuf> = log_path(), "stdout";
    }
    /// `[php]`: the engine. What is left out here is for the ini file to say, and then for the
    /// built-in profile (module `php_ini`).
    php: Php {
        /// How long a script may run, in whole seconds of wall-clock time; 0 is without limit: up
        /// to 86400. Unless set, what `ini_file` says, or else 30 s.
        max_execution_time: Option<Duration> = seconds(86_400), unset "as in ini_file, or 30";
        /// How long a request may take from when PHP begins it, to its very end and whatever the
        /// script sets; then it is answered 504, or cut, and interrupted: 1 ms to 24 h, or 0 for as
        /// long as it likes. A thread that does not come back is replaced. Default: 0.
        request_timeout: Option<Duration> = timeout_or_never(), "0";
        /// After how long a request is told in the slow log, with what PHP is at: 1 ms to 24 h, or 0
        /// for never. Default: 0.
        slow_log_after: Option<Duration> = timeout_or_never(), "0";
        /// The file that slow requests are appended to, in php-fpm's format, absolute here. SIGUSR1
        /// opens it again. Default: the ordinary log, a line each.
        slow_log: Option<PathBuf> = optional_path(), unset "the ordinary log";
        /// After how many requests, or a little earlier, a thread leaves PHP and joins it anew,
        /// against what extensions leak: 0, which is never, to 1000000000. Default: 0.
        max_requests: u64 = integer(0, 1_000_000_000), "0";
        /// The stack of a PHP thread, of which only what is used takes memory: 2 MiB to 1 GiB. PHP's
        /// functions stop at a quarter of it, unless `zend.max_allowed_stack_size` says otherwise;
        /// the rest is for what does not look how deep it is. Default: 256 MiB.
        thread_stack: usize = size(2 << 20, 1 << 30), "256M";
        /// Memory that a script may take, in PHP's shorthand; `-1` is without limit. Unless set,
        /// what `ini_file` says, or else `128M`.
        memory_limit: Option<String> = memory_limit(), unset "as in ini_file, or 128M";
        /// A php.ini to read: an existing file, absolute here. Default: none.
        ini_file: Option<PathBuf> = optional_path(), unset "none";
        /// Directives that win over everything: a name and a value each, the value as it would
        /// stand in php.ini but without quotes. Each source adds to those below it, and the later
        /// one of a name wins. Default: none.
        ini_overrides: Vec<(String, String)> = ini_overrides(), unset "none" => extend;
        /// Whether scripts, and the programs that they start, see nothing of the environment in
        /// which the server was started, as with php-fpm. `EPHPM_…` variables are the server's in
        /// any case. Default: true.
        clear_env: bool = boolean(), "true";
        /// Variables of the environment of scripts: a name and a value each; `"$NAME"` is the value
        /// of that variable in the environment in which the server was started, or nothing. Each
        /// source adds to those below it, and the later one of a name wins. Default: none.
        env: Vec<(String, String)> = environment_variables(), unset "none" => extend;
    }
    /// `[compression]`: content that is sent in a coding (gzip, Brotli, Zstandard) where the client
    /// accepts one.
    compression: Compression {
        /// Whether files and scripts' responses are encoded. Default: `true`.
        enabled: bool = boolean(), "true";
        /// Whether `a.css.zst`, `a.css.br` and `a.css.gz` are sent for `a.css`. Default: `true`.
        precompressed: bool = boolean(), "true";
        /// The codings that are used; where the client has no preference, the first. Default:
        /// `zstd`, `br`, `gzip`.
        codings: Vec<Coding> = codings(), "zstd,br,gzip";
        /// Zstandard's level: 1 to 19. Default: 3.
        zstd_level: u8 = integer(1, 19), "3";
        /// Brotli's level: 0 to 11. Default: 4.
        br_level: u8 = integer(0, 11), "4";
        /// Gzip's level: 1 to 9. Default: 4.
        gzip_level: u8 = integer(1, 9), "4";
        /// Content that is known to be shorter is sent as it is: 0 to 1 MiB. Default: 1 KiB.
        bytes_min: u64 = size(0, 1 << 20), "1K";
        /// Files that are longer are sent as they are: 0 to 16 MiB. Encoding a file holds its
        /// event loop up, a million bytes for some 10 ms. Default: 1 MiB.
        file_bytes_max: u64 = size(0, 16 << 20), "1M";
        /// Bytes of encoded files that each event loop holds in memory; a file that takes more
        /// than half of it is not encoded: 0 to 1 GiB. Default: 16 MiB.
        cache_bytes_max: usize = size(0, 1 << 30), "16M";
        /// Media types that are encoded: one as `text/css`, all of a kind as `text/*`, or a format
        /// as `json`, which is `application/json` and `application/ld+json` too. Default: text in
        /// all its forms, and what else is not packed in itself.
        types: Vec<TypePattern> = media_types(), "text/*,javascript,json,xml,wasm,otf,ttf,x-icon";
    }
    /// `[cache]`: what files tell browsers and proxies about keeping them, and what the server
    /// itself keeps.
    cache: Cache {
        /// Pairs of a pattern and the `Cache-Control` of files that match it; the first that
        /// matches wins. A pattern with a slash at its start is about the path, another one about
        /// the file's name; `*` is anything, a slash at the end all that lies below. Default: none.
        rules: Vec<CacheRule> = cache_rules(), unset "none";
        /// How long the server believes what it has learnt of a file or a directory on the disk;
        /// then it looks again: 0, at each request, to 1 hour. That there is none is believed for
        /// 100 ms at most, and that there is a script for 1 s. Default: 1 s.
        file_ttl: Duration = grace(), "1s";
    }
    /// `[process]`: whom the process runs as, and what it may do.
    process: Process {
        /// The user, by name or number, that the process becomes when its sockets are open and
        /// before PHP starts; only root can become another. Unless set, it stays who it is.
        user: Option<String> = account(), unset "who starts it";
        /// The group instead of the user's own. Unless set, that and the user's other groups.
        group: Option<String> = account(), unset "the user's";
        /// Whether programs that PHP starts are kept from gaining privileges by being
        /// set-user-ID or set-group-ID (`PR_SET_NO_NEW_PRIVS`). A `sendmail` may be one of these,
        /// and then `mail()` needs `false`. Default: true.
        no_new_privileges: bool = boolean(), "true";
        /// Whether a crash may leave a core dump, which holds the visitors' secrets. Default: false.
        core_dumps: bool = boolean(), "false";
    }
    /// `[internal]`: what monitors and orchestrators ask.
    internal: Internal {
        /// Where to answer `/live`, `/ready`, `/status`, `/status.json` and `/metrics`, and to take
        /// `POST /restart-php`, as in `server.listen`: for nobody outside. Default: nowhere.
        listen: Vec<Listen> = listen_internal(), unset "nowhere";
    }
    /// `[logging]`: what is logged, to standard error.
    logging: Logging {
        /// The least important level that is logged, or `off`. Default: `info`.
        level: LevelFilter = level(), "info";
        /// Lines for people, or one JSON object a line. Default: `pretty`.
        format: Format = format(), "pretty";
    }
}

impl Server {
    /// How many PHP threads there are, of all pools.
    pub fn php_threads(&self) -> usize {
        self.workers + self.pools.iter().map(|pool| pool.workers).sum::<usize>()
    }

    /// How many requests can be with PHP, waiting or running.
    pub fn php_requests_max(&self) -> usize {
        let waiting = self.pools.iter().map(|pool| pool.queue_max.unwrap_or(self.queue_max)).sum::<usize>();
        self.php_threads() + self.queue_max + waiting
    }
}

/// What a site is run for, which decides the PHP profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// For visitors: errors go to the log.
    Production,
    /// For its author (`ephpm serve`): errors are displayed and changes are seen at once.
    Development,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::compression;

    #[test]
    fn the_types_are_those_of_the_site() {
        assert_eq!(Config::initial(Mode::Production).compression.types, compression::Options::default().types);
    }
}
