//! Whole configurations: files, variables and options in, a `Config` or one line of error out.

#![allow(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ephpm::http::status::Status;
use ephpm::program::cli::{self, Command};
use ephpm::program::config::{Config, Endpoint, KEYS, Listen, Mode, Pool, Source, Unset};
use ephpm::program::logger::Format;
use ephpm::program::php_ini::php_ini;
use ephpm::service::access_log;
use ephpm::site::forwarded::Field;
use ephpm::site::header_rules::Rule;
use log::LevelFilter;

/// A directory of its own for each test, with a directory `public` in it.
struct Place(PathBuf);

impl Place {
    fn new(test: &str) -> Self {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("config").join(test);
        match fs::remove_dir_all(&place) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
            _ => fs::create_dir_all(place.join("public")).unwrap(),
        }
        Self(place.canonicalize().unwrap())
    }

    /// Loads `toml` as `ephpm.toml` of this place. An error names the file without its directory.
    fn load_with(&self, toml: &str, variables: &[(&str, &str)], arguments: &[&str]) -> Result<Config, String> {
        let file = self.0.join("ephpm.toml");
        fs::write(&file, toml).unwrap();
        let file = file.to_str().unwrap();
        let arguments: Vec<&str> = arguments.iter().copied().chain([file]).collect();
        load(&arguments, variables).map_err(|error| self.shorten(&error))
    }

    fn load(&self, toml: &str) -> Result<Config, String> {
        self.load_with(toml, &[], &[])
    }

    fn shorten(&self, error: &str) -> String {
        error.replace(&format!("{}/", self.0.display()), "")
    }
}

fn load(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Config, String> {
    let Command::Run(invocation) = cli::parse(arguments).map_err(|error| error.to_string())? else {
        panic!("{arguments:?} is no command to run");
    };
    let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
    Config::load(&invocation.source, variables, &invocation.options).map_err(|error| error.to_string())
}

/// A file that is fine but for these lines of `[server]`.
fn server(lines: &str) -> String {
    format!("[server]\ndocument_root = \"public\"\n{lines}\n")
}

fn addresses(addresses: &[&str]) -> Vec<Listen> {
    addresses.iter().map(|address| address.parse::<SocketAddr>().unwrap().into()).collect()
}

#[test]
fn defaults() {
    let place = Place::new("defaults");
    let config = place.load(&server("")).unwrap();
    assert_eq!(config.mode, Mode::Production);

    let server = config.server;
    assert_eq!(server.listen, addresses(&["127.0.0.1:8080"]));
    assert_eq!(server.document_root, place.0.join("public"));
    assert_eq!(server.index_files, ["index.php", "index.html"]);
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(server.workers, (2 * cores).clamp(2, 1024));
    assert_eq!((server.processes, server.event_loops), (1, 1));
    assert_eq!(server.queue_max, 1024);
    assert_eq!(server.queue_timeout, Duration::from_secs(30));
    assert_eq!(server.pools, []);
    assert_eq!(server.connections_max, 10_000);
    assert_eq!(server.head_bytes_max, 32 * 1024);
    assert_eq!(server.fields_max, 100);
    assert_eq!(server.target_bytes_max, 8 * 1024);
    assert_eq!(server.content_bytes_max, 64 * 1024 * 1024);
    assert_eq!(server.content_memory_max, 2 * 1024 * 1024);
    assert_eq!(server.temp_dir, std::env::temp_dir());
    assert_eq!(server.head_timeout, Duration::from_secs(10));
    assert_eq!(server.content_timeout, Duration::from_secs(30));
    assert_eq!(server.write_timeout, Duration::from_secs(30));
    assert_eq!((server.content_rate_min, server.write_rate_min), (500, 1000));
    assert_eq!(server.connections_per_address_max, 0);
    assert_eq!(server.keep_alive_timeout, Duration::from_secs(60));
    assert_eq!(server.keep_alive_requests_max, 10_000);
    assert_eq!(server.linger_timeout, Duration::from_secs(2));
    assert_eq!(server.drain_timeout, Duration::from_secs(30));
    assert_eq!(server.trusted_proxies, []);
    assert_eq!(server.forwarded_fields, [Field::For, Field::Proto]);
    assert!(!server.server_header);
    assert_eq!(server.server_software, None);
    assert_eq!(server.error_pages, []);
    assert_eq!(server.internal_files, []);
    assert_eq!((config.headers.set, config.headers.add), (Vec::new(), Vec::new()));
    assert_eq!((config.access_log.format, config.access_log.path), (None, None));

    assert_eq!(config.php.max_execution_time, None);
    assert_eq!((config.php.request_timeout, config.php.slow_log_after, config.php.slow_log), (None, None, None));
    assert_eq!((config.php.max_requests, config.php.thread_stack), (0, 256 << 20));
    assert_eq!(config.php.memory_limit, None);
    assert_eq!(config.php.ini_file, None);
    assert_eq!(config.php.ini_overrides, []);
    assert_eq!(config.internal.listen, []);
    assert_eq!((config.process.user, config.process.group), (None, None));
    assert_eq!((config.process.no_new_privileges, config.process.core_dumps), (true, false));
    assert_eq!(config.logging.level, LevelFilter::Info);
    assert_eq!(config.logging.format, Format::Pretty);
}

fn pool((name, pattern, workers, queue_max): (&str, &str, usize, Option<usize>)) -> Pool {
    Pool { name: name.to_owned(), pattern: pattern.to_owned(), workers, queue_max }
}

const EVERY_KEY: &str = r#"
[server]
listen = ["127.0.0.1:8080", ":80", "[::1]:81", "82", 83, "localhost:84", "[::]:0"]
document_root = "public"
index_files = "app.php"
workers = 3
event_loops = 2
queue_max = 7
queue_timeout = "500ms"
pools = [["reports", "/reports/", 2], ["export", "*/export.php", 1, 10]]
connections_max = 11
head_bytes_max = 65535
fields_max = 13
target_bytes_max = "16K"
content_bytes_max = "2G"
content_memory_max = 0
temp_dir = "."
head_timeout = 5
content_timeout = "5"
content_rate_min = "2K"
write_timeout = "2m"
write_rate_min = 0
connections_per_address_max = 17
keep_alive_timeout = "1h"
keep_alive_requests_max = 0
linger_timeout = "1ms"
drain_timeout = 0
trusted_proxies = ["10.0.0.0/8", "::1"]
forwarded_fields = "forwarded"
server_header = true
server_software = "nginx/1.0"
error_pages = { 404 = "/errors/404.php", 503 = "/busy.html" }

[server.internal_files]
"/protected/" = "public"

[headers]
set = [["/*", "X-Powered-By", ""]]
add = [["*.css", "Link", "<a>"]]

[access_log]
format = "json"
path = "access.log"

[php]
max_execution_time = "2m"
request_timeout = "90s"
slow_log_after = "1500ms"
slow_log = "slow.log"
max_requests = 500
thread_stack = "8M"
memory_limit = "256m"
ini_file = "site.ini"
ini_overrides = [["a.b", "c"], ["display_errors", true], ["x-y_z", 1], ["q", 0.5], ["e", ""]]
clear_env = false

[php.env]
APP_ENV = "a, b = c"
PATH = "$PATH"
NUMBER = 1

[process]
user = "www-data"
group = 33
no_new_privileges = false
core_dumps = true

[internal]
listen = "localhost:9000"

[logging]
level = "trace"
format = "json"
"#;

#[test]
fn every_key_can_be_set() {
    let place = Place::new("every_key_can_be_set");
    fs::write(place.0.join("site.ini"), "").unwrap();
    fs::write(place.0.join("public/busy.html"), "").unwrap();
    fs::create_dir(place.0.join("public/errors")).unwrap();
    fs::write(place.0.join("public/errors/404.php"), "").unwrap();
    let config = place.load(EVERY_KEY).unwrap();
    let server = config.server;
    let expected = ["127.0.0.1:8080", "0.0.0.0:80", "[::1]:81", "0.0.0.0:82", "0.0.0.0:83", "127.0.0.1:84", "[::]:0"];
    assert_eq!(server.listen, addresses(&expected));
    assert_eq!(server.index_files, ["app.php"]);
    assert_eq!((server.workers, server.event_loops), (3, 2));
    assert_eq!((server.queue_max, server.connections_max), (7, 11));
    assert_eq!((server.head_bytes_max, server.fields_max), (65535, 13));
    assert_eq!(server.target_bytes_max, 16 * 1024);
    assert_eq!(server.content_bytes_max, 2 << 30);
    assert_eq!(server.content_memory_max, 0);
    assert_eq!(server.temp_dir, place.0);
    assert_eq!(server.queue_timeout, Duration::from_millis(500));
    let pools = [("reports", "/reports/", 2, None), ("export", "*/export.php", 1, Some(10))].map(pool);
    assert_eq!((server.php_threads(), server.php_requests_max()), (6, 6 + 7 + 7 + 10));
    assert_eq!(server.pools, pools);
    assert_eq!(server.head_timeout, Duration::from_secs(5));
    assert_eq!(server.content_timeout, Duration::from_secs(5));
    assert_eq!(server.write_timeout, Duration::from_secs(120));
    assert_eq!((server.content_rate_min, server.write_rate_min), (2048, 0));
    assert_eq!(server.connections_per_address_max, 17);
    assert_eq!(server.keep_alive_timeout, Duration::from_secs(3600));
    assert_eq!(server.keep_alive_requests_max, 0);
    assert_eq!(server.linger_timeout, Duration::from_millis(1));
    assert_eq!(server.drain_timeout, Duration::ZERO);
    assert_eq!(server.trusted_proxies, ["10.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()]);
    assert_eq!(server.forwarded_fields, [Field::Forwarded]);
    assert!(server.server_header);
    assert_eq!(server.server_software.as_deref(), Some("nginx/1.0"));
    let pages = [(Status::NOT_FOUND, "/errors/404.php"), (Status::SERVICE_UNAVAILABLE, "/busy.html")];
    assert_eq!(server.error_pages, pages.map(|(status, page)| (status, page.to_owned())));
    assert_eq!(server.internal_files, [("/protected/".to_owned(), place.0.join("public"))]);
    let rule = |pattern: &str, name: &str, value: &str, replaces| {
        let [pattern, name, value] = [pattern, name, value].map(str::to_owned);
        Rule { pattern, name, value, replaces }
    };
    assert_eq!(config.headers.set, [rule("/*", "X-Powered-By", "", true)]);
    assert_eq!(config.headers.add, [rule("*.css", "Link", "<a>", false)]);
    assert_eq!(config.access_log.format, Some(access_log::Format::Json));
    assert_eq!(config.access_log.path, Some(place.0.join("access.log")));
    assert_eq!(config.php.max_execution_time, Some(Duration::from_secs(120)));
    assert_eq!(config.php.request_timeout, Some(Duration::from_secs(90)));
    assert_eq!(config.php.slow_log_after, Some(Duration::from_millis(1500)));
    assert_eq!(config.php.slow_log, Some(place.0.join("slow.log")));
    assert_eq!((config.php.max_requests, config.php.thread_stack), (500, 8 << 20));
    assert_eq!(config.php.memory_limit.as_deref(), Some("256m"));
    assert_eq!(config.php.ini_file, Some(place.0.join("site.ini")));
    let expected = [("a.b", "c"), ("display_errors", "1"), ("x-y_z", "1"), ("q", "0.5"), ("e", "")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(config.php.ini_overrides, expected);
    assert!(!config.php.clear_env);
    let expected = [("APP_ENV", "a, b = c"), ("PATH", "$PATH"), ("NUMBER", "1")];
    assert_eq!(config.php.env, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!((config.process.user.as_deref(), config.process.group.as_deref()), (Some("www-data"), Some("33")));
    assert_eq!((config.process.no_new_privileges, config.process.core_dumps), (false, true));
    assert_eq!(config.internal.listen, addresses(&["127.0.0.1:9000"]));
    assert_eq!(config.logging.level, LevelFilter::Trace);
    assert_eq!(config.logging.format, Format::Json);
}

#[test]
fn tables_and_rules_can_be_written_as_text() {
    let place = Place::new("tables_and_rules_can_be_written_as_text");
    fs::write(place.0.join("public/404.html"), "").unwrap();
    let root = place.0.to_str().unwrap();
    let variables = [
        ("EPHPM_SERVER_ERROR_PAGES", "404=/404.html, 410 = /404.html"),
        ("EPHPM_SERVER_INTERNAL_FILES", &format!("/x/={root}")),
        ("EPHPM_SERVER_SERVER_HEADER", "true"),
        ("EPHPM_SERVER_POOLS", "reports /reports/ 2; export */export.php 1 10;"),
        ("EPHPM_HEADERS_SET", "/* Strict-Transport-Security: max-age=1; preload\n\n*.css X-A: b:c\n"),
        ("EPHPM_ACCESS_LOG_FORMAT", "combined"),
        ("EPHPM_ACCESS_LOG_PATH", "stdout"),
        ("EPHPM_PHP_ENV", "A=b, C = d=e"),
    ];
    let toml = server("[php]\nenv = { A = \"a\" }");
    let config = place.load_with(&toml, &variables, &["--set", "server.trusted_proxies=::1,10.0.0.1"]).unwrap();
    let codes: Vec<u16> = config.server.error_pages.iter().map(|(status, _)| status.code()).collect();
    assert_eq!((codes, config.server.error_pages[1].1.as_str()), (vec![404, 410], "/404.html"));
    assert_eq!(config.server.internal_files, [("/x/".to_owned(), place.0.clone())]);
    assert!(config.server.server_header);
    let pools = [("reports", "/reports/", 2, None), ("export", "*/export.php", 1, Some(10))].map(pool);
    assert_eq!(config.server.pools, pools);
    assert_eq!(config.server.trusted_proxies.len(), 2);
    let rules: Vec<_> = config.headers.set.iter().map(|rule| (&rule.pattern[..], &rule.value[..])).collect();
    assert_eq!(rules, [("/*", "max-age=1; preload"), ("*.css", "b:c")]);
    assert_eq!((config.access_log.format, config.access_log.path), (Some(access_log::Format::Combined), None));
    let expected = [("A", "a"), ("A", "b"), ("C", "d=e")];
    assert_eq!(config.php.env, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn pages_and_directories_must_exist() {
    let place = Place::new("pages_and_directories_must_exist");
    for (lines, expected) in [
        (
            "error_pages = { 404 = \"/404.html\" }",
            "ephpm.toml:3: server.error_pages: expected a file below server.document_root, found \
             \"public/404.html\", which does not exist",
        ),
        (
            "internal_files = { \"/x/\" = \"none\" }",
            "ephpm.toml:3: server.internal_files: expected a directory, found \"none\", which does not exist",
        ),
    ] {
        assert_eq!(place.load(&server(lines)).unwrap_err(), expected);
    }
}

#[test]
fn sockets_of_every_kind() {
    let place = Place::new("sockets_of_every_kind");
    let list = r#"listen = [":80 proxy_protocol", "unix:a.sock", "unix:/b mode=600 proxy_protocol", "systemd:web"]"#;
    let path = |path: &Path, mode| Endpoint::Path { path: path.to_owned(), mode };
    let expected = [
        (Endpoint::Address("0.0.0.0:80".parse().unwrap()), true),
        (path(&place.0.join("a.sock"), 0o660), false),
        (path(Path::new("/b"), 0o600), true),
        (Endpoint::Systemd(Some("web".to_owned())), false),
    ];
    let expected = expected.map(|(at, proxy_protocol)| Listen { at, proxy_protocol });
    assert_eq!(place.load(&server(list)).unwrap().server.listen, expected);
    let variables = [("EPHPM_SERVER_LISTEN", "systemd, unix:/b mode=666")];
    let listen = place.load_with(&server(""), &variables, &[]).unwrap().server.listen;
    assert_eq!(listen.iter().map(|one| one.at.to_string()).collect::<Vec<_>>(), ["systemd", "unix:/b"]);
}

/// The cases of `tests/config/bad_values.txt`: `section.key = value`, and below it the error.
#[test]
fn bad_values() {
    let place = Place::new("bad_values");
    let mut lines = include_str!("config/bad_values.txt").lines();
    let mut cases = 0;
    while let Some(line) = lines.next() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.split_once(" = ").unwrap();
        let (section, bare) = name.split_once('.').unwrap();
        let expected = lines.next().unwrap().trim_start();
        let toml = format!("\n[{section}]\n{bare} = {value}\n");
        let error = format!("ephpm.toml:3: {name}: {expected}");
        assert_eq!(place.load(&toml).unwrap_err(), error, "{toml}");
        cases += 1;
    }
    assert!(cases > KEYS.len(), "{cases} cases");
}

#[test]
fn bad_files() {
    let place = Place::new("bad_files");
    let table: &[(&str, &str)] = &[
        ("[server]\nworker = 4\n", "ephpm.toml:2: server.worker: unknown key, did you mean server.workers?"),
        (
            "[server]\ndocument-root = \"public\"\n",
            "ephpm.toml:2: server.document-root: unknown key, did you mean server.document_root?",
        ),
        (
            "[server]\n\n\nmemory_limit = \"1G\"\n",
            "ephpm.toml:4: server.memory_limit: unknown key, did you mean php.memory_limit?",
        ),
        (
            "[server]\nfavourite_colour = \"blue\"\n",
            "ephpm.toml:2: server.favourite_colour: unknown key (ephpm --help lists them all)",
        ),
        ("listen = \":80\"\n", "ephpm.toml:1: listen: unknown key, did you mean server.listen?"),
        (
            "# Sections.\n[sever]\nworkers = 4\n",
            "ephpm.toml:2: sever: unknown section, expected one of [server], [http2], [headers], [access_log], [php], [compression], \
             [cache], [process], [internal], [logging]",
        ),
        ("server = 3\n", "ephpm.toml:1: server: expected the section [server], found 3"),
        ("[[server]]\nworkers = 4\n", "ephpm.toml:1: server: expected the section [server], found [a table]"),
        // The first of several errors is reported.
        ("[server]\nzzz = 1\naaa = 1\n", "ephpm.toml:2: server.zzz: unknown key (ephpm --help lists them all)"),
        (
            "[server]\nworkers = 0\nevent_loops = 0\n",
            "ephpm.toml:2: server.workers: \
             expected an integer from 1 to 1024, or \"auto\", found 0",
        ),
        ("[server]\nworkers = = 4\n", "ephpm.toml:2:11: extra `=`, expected nothing"),
        ("[server\n", "ephpm.toml:1:8: unclosed table, expected `]`"),
        ("[server]\nworkers = 4\nworkers = 5\n", "ephpm.toml:3:1: duplicate key"),
        ("[server]\nlisten = \"é\" x\n", "ephpm.toml:2:14: unexpected key or value, expected newline, `#`"),
        ("", "ephpm.toml: server.document_root: expected a directory to serve, found nothing set"),
    ];
    for (toml, expected) in table {
        assert_eq!(place.load(toml).unwrap_err(), *expected, "{toml}");
    }
}

#[test]
fn files_that_are_none() {
    let place = Place::new("files_that_are_none");
    let path = |name: &str| place.0.join(name).to_str().unwrap().to_owned();
    let check = |name: &str, expected: &str| {
        let error = load(&[&path(name)], &[]).unwrap_err();
        assert_eq!(place.shorten(&error), expected);
    };
    check("nowhere.toml", "nowhere.toml: no such configuration file");
    check("nowhere/ephpm.toml", "nowhere/ephpm.toml: no such configuration file");
    check(
        "public",
        "public: expected a configuration file, found a directory \
         (to serve it without one: ephpm serve public)",
    );
    fs::write(path("latin1.toml"), b"[server]\n# caf\xe9\n").unwrap();
    check("latin1.toml", "latin1.toml:2: expected UTF-8 text, found the byte 0xe9");
    fs::write(path("large.toml"), " ".repeat((1 << 20) + 1)).unwrap();
    check("large.toml", "large.toml: expected a configuration file, found more than 1M");
    // The largest file that is read, with a byte order mark.
    let mut largest = format!("\u{feff}{}", server("workers = 5"));
    largest.push_str(&" ".repeat((1 << 20) - largest.len()));
    assert_eq!(place.load(&largest).unwrap().server.workers, 5);
}

#[test]
fn the_disk_is_asked_last_and_of_what_holds() {
    let place = Place::new("the_disk_is_asked_last_and_of_what_holds");
    fs::write(place.0.join("file"), "").unwrap();
    let table = [
        (
            "[server]\ndocument_root = \"publik\"\n",
            "ephpm.toml:2: server.document_root: expected a directory, \
             found \"publik\", which does not exist",
        ),
        (
            "[server]\ndocument_root = \"file\"\n",
            "ephpm.toml:2: server.document_root: expected a directory, \
             found \"file\", which is not a directory",
        ),
        (
            "[server]\ndocument_root = \"public\"\ntemp_dir = \"nowhere\"\n",
            "ephpm.toml:3: server.temp_dir: expected a directory, \
             found \"nowhere\", which does not exist",
        ),
        (
            "[server]\ndocument_root = \"public\"\n[php]\nini_file = \"php.ini\"\n",
            "ephpm.toml:4: php.ini_file: expected a file, \
             found \"php.ini\", which does not exist",
        ),
        (
            "[server]\ndocument_root = \"public\"\n[php]\nini_file = \"public\"\n",
            "ephpm.toml:4: php.ini_file: expected a file, \
             found \"public\", which is not a file",
        ),
        // A bad value comes first, wherever it stands.
        (
            "[server]\ndocument_root = \"publik\"\nworkers = 0\n",
            "ephpm.toml:3: server.workers: \
             expected an integer from 1 to 1024, or \"auto\", found 0",
        ),
    ];
    for (toml, expected) in table {
        assert_eq!(place.load(toml).unwrap_err(), expected, "{toml}");
    }

    let public = place.0.join("public");
    let arguments = ["--document-root", public.to_str().unwrap()];
    let config = place.load_with("[server]\ndocument_root = \"publik\"\n", &[], &arguments);
    assert_eq!(config.unwrap().server.document_root, public);
}

#[test]
fn a_target_fits_into_its_head() {
    let place = Place::new("a_target_fits_into_its_head");
    let table = [
        (
            "target_bytes_max = \"32K\"",
            "ephpm.toml:3: server.target_bytes_max: expected less than server.head_bytes_max, 32K, \
             found 32K",
        ),
        (
            "head_bytes_max = 8000",
            "ephpm.toml:3: server.head_bytes_max: expected more than server.target_bytes_max, 8K, \
             found 8000",
        ),
    ];
    for (line, expected) in table {
        assert_eq!(place.load(&server(line)).unwrap_err(), expected);
    }
    place.load(&server("target_bytes_max = 32767")).unwrap();
}

#[test]
fn the_stronger_source_wins() {
    let place = Place::new("the_stronger_source_wins");
    let toml = server("workers = 3\nevent_loops = 3\nqueue_max = 3\nlisten = [\":1\", \":2\"]");
    let variables = [
        ("EPHPM_SERVER_EVENT_LOOPS", "4"),
        ("EPHPM_SERVER_QUEUE_MAX", " 4 "),
        ("EPHPM_SERVER_LISTEN", ":3, [::1]:4"),
        ("EPHPM_SERVER_INDEX_FILES", "a.php,b.php"),
        ("EPHPM_SERVER_CONTENT_BYTES_MAX", "1M"),
        ("EPHPM_SERVER_HEAD_TIMEOUT", "5"),
        ("EPHPM_SERVER_FIELDS_MAX", ""),
        ("EPHPM_CACHE", "/var/cache/ephpm"),
        ("HOME", "/root"),
    ];
    let arguments = ["--set", "server.queue_max=5"];
    let config = place.load_with(&toml, &variables, &arguments).unwrap().server;
    assert_eq!((config.workers, config.event_loops, config.queue_max), (3, 4, 5));
    assert_eq!(config.listen, addresses(&["0.0.0.0:3", "[::1]:4"]));
    assert_eq!(config.index_files, ["a.php", "b.php"]);
    assert_eq!(config.content_bytes_max, 1 << 20);
    assert_eq!(config.head_timeout, Duration::from_secs(5));
    assert_eq!(config.fields_max, 100);

    let arguments = ["--listen=:5", "--workers=1", "--workers=auto", "--listen=:6"];
    let config = place.load_with(&toml, &variables, &arguments).unwrap().server;
    assert_eq!(config.listen, addresses(&["0.0.0.0:5", "0.0.0.0:6"]));
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(config.workers, (2 * cores).clamp(2, 1024));
}

#[test]
fn errors_name_the_variable_and_the_option() {
    let place = Place::new("errors_name_the_variable_and_the_option");
    let workers = "server.workers: expected an integer from 1 to 1024, or \"auto\", found \"x\"";
    let toml = server("");
    let error = place.load_with(&toml, &[("EPHPM_SERVER_WORKERS", "x")], &[]).unwrap_err();
    assert_eq!(error, format!("EPHPM_SERVER_WORKERS: {workers}"));
    let error = place.load_with(&toml, &[], &["--workers=x"]).unwrap_err();
    assert_eq!(error, format!("--workers: {workers}"));
    let error = place.load_with(&toml, &[], &["--set=server.workers=x"]).unwrap_err();
    assert_eq!(error, format!("--set: {workers}"));
    let error = place.load_with(&toml, &[], &["-d", "a b=1"]).unwrap_err();
    let expected = "-d: php.ini_overrides: expected the name of a php.ini directive, found \"a b\"";
    assert_eq!(error, expected);
    // What a stronger source replaces is checked all the same.
    let toml = server("workers = \"x\"");
    let error = place.load_with(&toml, &[], &["--workers=2"]).unwrap_err();
    assert_eq!(error, format!("ephpm.toml:3: {workers}"));
    let error = load(&["serve", "/nowhere"], &[]).unwrap_err();
    let expected = "serve: server.document_root: expected a directory, found \"/nowhere\", \
                    which does not exist";
    assert_eq!(error, expected);
    let variables = [("EPHPM_PHP_INI_OVERRIDES", "a=1;b")];
    let error = place.load_with(&server(""), &variables, &[]).unwrap_err();
    let expected = "EPHPM_PHP_INI_OVERRIDES: php.ini_overrides: expected [name, value] pairs \
                    such as [[\"memory_limit\", \"256M\"]], found \"b\"";
    assert_eq!(error, expected);
}

#[test]
fn paths_start_where_they_were_written() {
    let place = Place::new("paths_start_where_they_were_written");
    let current = std::env::current_dir().unwrap();
    let config = place.load("[server]\ndocument_root = \"./public/\"\n").unwrap();
    assert_eq!(config.server.document_root, place.0.join("public"));
    let config = place.load("[server]\ndocument_root = \"public/../public\"\n").unwrap();
    assert_eq!(config.server.document_root, place.0.join("public"));
    let variables = [("EPHPM_SERVER_DOCUMENT_ROOT", "src")];
    let config = place.load_with("", &variables, &[]).unwrap();
    assert_eq!(config.server.document_root, current.join("src"));
    let config = place.load_with("", &variables, &["-t", "tests"]).unwrap();
    assert_eq!(config.server.document_root, current.join("tests"));

    // A link stays a link; `..` goes where the file system says.
    fs::create_dir_all(place.0.join("releases/1/public")).unwrap();
    std::os::unix::fs::symlink("releases/1/public", place.0.join("current")).unwrap();
    let config = place.load("[server]\ndocument_root = \"current\"\n").unwrap();
    assert_eq!(config.server.document_root, place.0.join("current"));
    let config = place.load("[server]\ndocument_root = \"current/../public\"\n").unwrap();
    assert_eq!(config.server.document_root, place.0.join("releases/1/public"));
}

#[test]
fn serve_needs_no_file() {
    let current = std::env::current_dir().unwrap();
    let config = load(&["serve"], &[]).unwrap();
    assert_eq!(config.mode, Mode::Development);
    assert_eq!(config.server.document_root, current);
    assert_eq!(config.server.listen, addresses(&["127.0.0.1:8080"]));
    // An author has a debugger at hand, who wants to see a crash.
    assert_eq!(config.server.processes, 0);
    assert_eq!(load(&["serve", "--set", "server.processes=1"], &[]).unwrap().server.processes, 1);

    let variables = [("EPHPM_SERVER_DOCUMENT_ROOT", "tests"), ("EPHPM_SERVER_WORKERS", "3")];
    let config = load(&["serve", "src", "--listen", ":9000"], &variables).unwrap();
    assert_eq!(config.server.document_root, current.join("src"));
    assert_eq!(config.server.listen, addresses(&["0.0.0.0:9000"]));
    assert_eq!(config.server.workers, 3);
}

#[test]
fn php_settings_come_in_three_strengths() {
    let place = Place::new("php_settings_come_in_three_strengths");
    let get = |config: &Config, name: &str| {
        let defaults = php_ini(config).defaults;
        defaults.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    };

    let config = place.load(&server("content_bytes_max = \"96M\"\ntemp_dir = \".\"")).unwrap();
    let ini = php_ini(&config);
    assert_eq!(ini.file, None);
    assert_eq!(ini.entries, "");
    for (name, expected) in [
        ("display_errors", "0"),
        ("log_errors", "1"),
        ("error_reporting", "22527"),
        ("variables_order", "GPCS"),
        ("memory_limit", "128M"),
        ("max_execution_time", "30"),
        ("post_max_size", "96M"),
        ("upload_max_filesize", "96M"),
        ("upload_tmp_dir", place.0.to_str().unwrap()),
        ("opcache.validate_timestamps", "1"),
        ("mysqli.default_socket", "/run/mysqld/mysqld.sock"),
        ("pdo_mysql.default_socket", "/run/mysqld/mysqld.sock"),
        ("zend.max_allowed_stack_size", "67108864"),
    ] {
        assert_eq!(get(&config, name).as_deref(), Some(expected), "{name}");
    }

    fs::write(place.0.join("php.ini"), "").unwrap();
    let toml = server(
        "[php]\nini_file = \"php.ini\"\nmax_execution_time = 90\nmemory_limit = -1\n\
         ini_overrides = [[\"memory_limit\", \"1G\"], [\"session.save_path\", \"5;/tmp\"]]",
    );
    let variables = [("EPHPM_PHP_INI_OVERRIDES", "a=1 ; b = x y;c=")];
    let arguments = ["-d", "error_reporting=E_ALL & ~E_NOTICE", "-d", "d", "-d", "e=it's; $"];
    let ini = php_ini(&place.load_with(&toml, &variables, &arguments).unwrap());
    assert_eq!(ini.file, Some(place.0.join("php.ini")));
    let entries = "max_execution_time=90\nmemory_limit='-1'\nmemory_limit=1G\n\
                   session.save_path='5;/tmp'\na=1\nb='x y'\nc=\"\"\n\
                   error_reporting=E_ALL & ~E_NOTICE\nd=1\ne='it'\"'\"'s; $'\n";
    assert_eq!(ini.entries, entries);

    let variables = [("EPHPM_PHP_INI_OVERRIDES", "session.save_path=5;/tmp\nb=2\n")];
    let ini = php_ini(&place.load_with(&server(""), &variables, &[]).unwrap());
    assert_eq!(ini.entries, "session.save_path='5;/tmp'\nb=2\n");

    let config = load(&["serve"], &[]).unwrap();
    for (name, expected) in [("display_errors", "1"), ("error_reporting", "30719"), ("opcache.revalidate_freq", "0")] {
        assert_eq!(get(&config, name).as_deref(), Some(expected), "{name}");
    }
}

fn reference() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ephpm.toml")).unwrap()
}

#[test]
fn the_checked_in_file_is_accepted() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("ephpm.toml");
    let root = (OsString::from("EPHPM_SERVER_DOCUMENT_ROOT"), OsString::from("."));
    let config = Config::load(&Source::File(file), [root], &[]).unwrap();
    assert_eq!(config.server.listen, addresses(&["127.0.0.1:8080"]));
    assert!(reference().contains("\ndocument_root = \"demo/public\"\n"));
}

/// The checked-in file shows every key once, in order and in its section, with its default.
#[test]
fn the_checked_in_file_is_the_reference() {
    let place = Place::new("the_checked_in_file_is_the_reference");
    fs::write(place.0.join("php.ini"), "").unwrap();
    fs::create_dir(place.0.join("files")).unwrap();
    let root = place.0.join("public");
    ["404.html", "busy.html"].iter().for_each(|page| fs::write(root.join(page), "").unwrap());
    let root = ["-t", root.to_str().unwrap()];
    let defaults = place.load_with("", &[], &root).unwrap();

    let (reference, mut section, mut keys) = (reference(), "", KEYS.iter());
    for line in reference.lines() {
        assert!(line.chars().count() <= 100, "{line}");
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name;
        }
        let setting = line.strip_prefix('#').unwrap_or(line);
        let is_setting = setting.starts_with(|c: char| c.is_ascii_lowercase());
        let Some((bare, _)) = setting.split_once(" = ").filter(|_| is_setting) else {
            continue;
        };
        let key = keys.next().unwrap();
        assert_eq!(format!("{section}.{bare}"), key.name);
        let shown = place.load_with(&format!("[{section}]\n{setting}\n"), &[], &root).unwrap();
        if matches!(key.default, Unset::Value(_)) {
            assert_eq!(shown, defaults, "{setting}");
        }
    }
    assert_eq!(keys.next(), None);
}
