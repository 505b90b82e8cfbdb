//! HTTP/2 with the whole program over loopback: other people's clients, a suite of conformance tests, floods that must
//! cost nobody else anything, and what reaches PHP.

#![cfg(feature = "php")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "http2/frames.rs"]
#[allow(dead_code, reason = "the pure tests use the rest")]
mod frames;
#[path = "http2/hpack.rs"]
mod hpack;
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use frames::*;
use support::{Server, TemporaryDirectory};

const PATIENCE: Duration = Duration::from_secs(60);

/// Says how much it was sent.
const INDEX: &str = "<?php echo $_SERVER['SERVER_PROTOCOL'], ' ', strlen(file_get_contents('php://input'));";
/// Waits for the file `go`.
const WAITING: &str = r#"<?php
touch(__DIR__ . '/running');
for ($i = 0; $i < 6000 && !file_exists(__DIR__ . '/go'); $i++) { usleep(5000); clearstatcache(); }
echo 'done';
"#;
/// Streams until nobody listens.
const ENDLESS: &str = r#"<?php
register_shutdown_function(fn() => file_put_contents(__DIR__ . '/aborted', connection_status()));
for (;;) { echo "data: x\n\n"; flush(); usleep(5000); }
"#;

fn site() -> TemporaryDirectory {
    let directory = TemporaryDirectory::new("http2");
    for (name, content) in [
        ("index.php", INDEX),
        ("waiting.php", WAITING),
        ("endless.php", ENDLESS),
        ("large.php", "<?php echo str_repeat('x', 200000);"),
        ("a.txt", "0123456789"),
    ] {
        fs::write(directory.path().join(name), content).unwrap();
    }
    fs::write(directory.path().join("large.bin"), large()).unwrap();
    directory
}

/// Three megabytes that no two pieces of are the same.
fn large() -> Vec<u8> {
    (0..750_000_u32).flat_map(|n| (n ^ 0x5bd1_e995).to_be_bytes()).collect()
}

fn wait_for(path: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while !path.exists() {
        assert!(Instant::now() < deadline, "{} never appeared", path.display());
        sleep(Duration::from_millis(5));
    }
}

/// A client of one connection, which reads only when it is told to.
struct Client {
    stream: TcpStream,
    received: Received,
    is_over: bool,
}

impl Client {
    fn connect(server: &Server, settings: &[(u16, u32)]) -> Self {
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let mut client = Self { stream, received: Received::default(), is_over: false };
        client.send(&hello(settings));
        client
    }

    /// False if the server has had enough.
    fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Reads until this holds, or the end.
    fn read_until(&mut self, mut holds: impl FnMut(&Received) -> bool) {
        let mut buf = vec![0; 65_536];
        while !holds(&self.received) && !self.is_over {
            match self.stream.read(&mut buf) {
                Ok(0) => self.is_over = true,
                Ok(n) => self.received.feed(&buf[..n]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => self.is_over = true,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// The whole answer to a request that has been sent.
    fn answer(&mut self, stream: u32) -> Answer {
        let is_over = |answer: &Answer| answer.is_complete || answer.reset.is_some();
        self.read_until(|received| received.answers.get(&stream).is_some_and(is_over));
        self.received.answers[&stream].clone()
    }
}

/// Runs a program that ends by itself, or is ended.
#[track_caller]
fn run(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new("timeout").arg("300").arg(program).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}\n{}\n{}", text(&output.stdout), text(&output.stderr));
    output
}

#[test]
fn httpwg_passes_whole() {
    let site = site();
    let server = Server::builder(site.path()).start();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/http2/httpwg");
    let output = run(script.to_str().unwrap(), &[]).stdout;
    let httpwg = String::from_utf8(output).unwrap();
    // Its own buffers; the default would be a quarter of a gigabyte.
    let mut command = Command::new("timeout");
    command.args(["300", httpwg.trim_end(), "--frame-timeout", "20000", "--connect-timeout", "20000", "-a"]);
    let output = command.arg(server.address().to_string()).env("BUFFET_NUM_BUFS", "8192").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    let passed = text.lines().filter(|line| line.contains("Test passed: RFC 9113")).count();
    assert!(output.status.success() && passed >= 107, "{passed} passed\n{text}");
}

#[test]
fn curl_fetches_and_sends() {
    let site = site();
    let server = Server::builder(site.path()).start();
    let curl = |arguments: &[&str]| run("curl", &[&["-sS", "--http2-prior-knowledge"], arguments].concat()).stdout;
    assert!(curl(&[&format!("{}/large.bin", server.url())]) == large(), "a large file");
    let file = format!("@{}", site.path().join("large.bin").display());
    let upload = ["-H", "Content-Type: application/octet-stream", "--data-binary", &file];
    let url = format!("{}/", server.url());
    assert_eq!(curl(&[&upload[..], &[&url]].concat()), b"HTTP/2.0 3000000");
    let version = ["-o", "/dev/null", "-w", "%{http_version}", &url];
    assert_eq!(curl(&version), b"2");
    // What would upgrade stays what it is.
    let output = run("curl", &[&["-sS", "--http2"], &version[..]].concat()).stdout;
    assert_eq!(output, b"1.1");
}

#[test]
fn nghttp_fetches_side_by_side() {
    let site = site();
    let server = Server::builder(site.path()).start();
    let urls: Vec<String> = ["/a.txt", "/", "/large.bin", "/large.php"].map(|path| server.url() + path).to_vec();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let output = run("nghttp", &[&["--no-dep", "-m", "5"], &urls[..]].concat()).stdout;
    let wanted = 5 * (10 + "HTTP/2.0 0".len() + 3_000_000 + 200_000);
    assert_eq!(output.len(), wanted);
}

#[test]
fn a_stream_that_is_reset_aborts_its_script() {
    let site = site();
    let server = Server::builder(site.path()).start();
    let mut client = Client::connect(&server, &[]);
    client.send(&get(1, "/endless.php"));
    client.read_until(|received| received.answers.get(&1).is_some_and(|answer| answer.content.len() > 100));
    client.send(&[reset(1), get(3, "/a.txt")].concat());
    assert_eq!(client.answer(3).text(), "0123456789");
    wait_for(&site.path().join("aborted"));
}

#[test]
fn a_stream_without_a_window_holds_no_thread() {
    let site = site();
    let server = Server::builder(site.path()).workers(1).start();
    let mut client = Client::connect(&server, &[(4, 0)]);
    for stream in (1..40).step_by(2) {
        client.send(&get(stream, "/large.php"));
    }
    client.send(&[get(41, "/"), window_update(41, 1000)].concat());
    assert_eq!(client.answer(41).text(), "HTTP/2.0 0");
    client.send(&[window_update(0, 1 << 24), window_update(7, 1 << 20)].concat());
    assert_eq!(client.answer(7).content.len(), 200_000);
}

#[test]
fn sigterm_is_said_in_two_steps_and_requests_end() {
    let site = site();
    let server = Server::builder(site.path()).start();
    let mut client = Client::connect(&server, &[]);
    client.send(&get(1, "/waiting.php"));
    wait_for(&site.path().join("running"));
    server.signal("TERM");
    client.read_until(|received| !received.pings.is_empty());
    assert_eq!(client.received.goaways, [(u32::MAX >> 1, NO_ERROR)]);
    let pong = frame(PING, ACK, 0, &client.received.pings[0]);
    client.send(&[get(3, "/a.txt"), pong].concat());
    assert_eq!(client.answer(3).text(), "0123456789");
    client.read_until(|received| received.goaways.len() == 2);
    assert_eq!(client.received.goaways[1], (3, NO_ERROR));
    fs::write(site.path().join("go"), "").unwrap();
    assert_eq!(client.answer(1).text(), "done");
    client.read_until(|_| false);
    drop(client);
    assert!(server.wait().0.success());
}

#[test]
fn an_idle_connection_that_makes_room_is_told() {
    let site = site();
    let server = Server::builder(site.path()).server("connections_max = 1").start();
    let mut client = Client::connect(&server, &[]);
    client.send(&get(1, "/a.txt"));
    assert_eq!(client.answer(1).text(), "0123456789");
    assert_eq!(server.client().get("/a.txt").status, 200);
    client.read_until(|_| false);
    assert_eq!(client.received.goaways, [(1, NO_ERROR)]);
}

/// What is sent the nth time.
type Flood<'a> = &'a dyn Fn(u32) -> Vec<u8>;

/// Resident memory, in KiB.
fn resident(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn floods_cost_neither_memory_nor_others() {
    let site = site();
    let server = Server::builder(site.path()).workers(2).start();
    let ask = || {
        let answer = server.client().get("/");
        assert_eq!((answer.status, answer.text()), (200, "HTTP/1.1 0".to_owned()));
    };
    ask();
    let before = resident(&server);
    let request = |n: u32| get(1 + 2 * n, "/large.php");
    let post = |n: u32| head(1, 0, "POST", "/", &[("content-length", &n.to_string())]);
    let floods: [(&str, Flood<'_>); 9] = [
        ("PING", &|_| frame(PING, 0, 0, &[0; 8]).repeat(100)),
        ("SETTINGS", &|_| frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 9]).repeat(100)),
        ("WINDOW_UPDATE", &|_| window_update(0, 1).repeat(100)),
        ("unknown frames", &|_| frame(77, 0, 0, &[0; 16_000])),
        ("empty DATA", &|n| if n == 0 { post(1) } else { data(1, 0, b"").repeat(10) }),
        ("CONTINUATION", &|n| frame(if n == 0 { HEADERS } else { CONTINUATION }, 0, 1, &hpack::encode(&[("a", "b")]))),
        ("RST_STREAM", &|n| [request(n), reset(1 + 2 * n)].concat()),
        ("RST_STREAM at once", &|n| {
            (50 * n..50 * n + 50).flat_map(|n| [request(n), reset(1 + 2 * n)].concat()).collect()
        }),
        ("errors", &|n| [request(n), window_update(1 + 2 * n, u32::MAX >> 1)].concat()),
    ];
    for (name, frames) in floods {
        let mut client = Client::connect(&server, &[]);
        let mut n = 0;
        while n < 20_000 && client.send(&frames(n)) {
            n += 1;
            if n % 500 == 0 {
                ask();
            }
        }
        client.read_until(|received| !received.goaways.is_empty());
        assert_eq!(client.received.goaways.last().map(|(_, code)| *code), Some(ENHANCE_YOUR_CALM), "{name} after {n}");
        ask();
    }
    // Those who ask for much and take nothing, each as much as it can.
    let silent: Vec<Client> = (0..20)
        .map(|_| {
            let mut client = Client::connect(&server, &[(4, 0)]);
            let requests: Vec<u8> = (0..100).flat_map(|n| get(1 + 2 * n, "/large.bin")).collect();
            client.send(&requests);
            client
        })
        .collect();
    ask();
    let grown = resident(&server).saturating_sub(before);
    // 64 KiB for each stream that waits, and some for what memory is like.
    assert!(grown < 20 * 100 * 64 + 64 * 1024, "{grown} KiB");
    drop(silent);
    ask();
}
