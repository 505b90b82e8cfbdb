//! HTTP/2 with the whole program over loopback: other people's clients, a suite of conformance tests, floods that must
//! cost nobody else anything, and what reaches PHP.

#![cfg(feature = "php")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "http2/client.rs"]
mod client;
#[path = "http2/floods.rs"]
mod floods;
#[path = "http2/frames.rs"]
#[allow(dead_code, reason = "the pure tests use the rest")]
mod frames;
#[path = "http2/hpack.rs"]
mod hpack;
#[path = "http2/served.rs"]
mod served;
mod support;
#[path = "http2/takeover.rs"]
mod takeover;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use ephpm::http::coding::Coding;
use ephpm::http::encoder::decode_prefix;

use client::Client;
use frames::*;
use support::{Server, TemporaryDirectory, waiting};

const PATIENCE: Duration = Duration::from_secs(60);
/// Of a server whose clients have pauses, which on a busy machine may be long.
const PATIENT: &str = "write_timeout = \"10m\"\ncontent_timeout = \"10m\"\ndrain_timeout = \"10m\"";

/// Says how much it was sent.
const INDEX: &str = "<?php echo $_SERVER['SERVER_PROTOCOL'], ' ', strlen(file_get_contents('php://input'));";
/// Waits for the file `go`.
const WAITING: &str = waiting!("touch(__DIR__ . '/running');", "echo 'done';");
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

/// Runs a program that ends by itself, or is ended.
#[track_caller]
fn run(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new("timeout").arg("1800").arg(program).args(arguments).output().unwrap();
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
    command.args(["1800", httpwg.trim_end(), "--frame-timeout", "20000", "--connect-timeout", "20000", "-a"]);
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
