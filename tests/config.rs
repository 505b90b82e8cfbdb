//! Whole configurations: files, variables and options in, a `Config` or one line of error out.

#![allow(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

#[path = "config/errors.rs"]
mod errors;
#[path = "config/sources.rs"]
mod sources;

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ephpm::http::status::Status;
use ephpm::program::cli::{self, Command};
use ephpm::program::config::{Config, Endpoint, KEYS, Listen, Mode, Pool, Source, Unset};
use ephpm::program::logger::Format;
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
