//! Replays the committed fuzz corpora on stable: what a fuzzer once found stays found.

#![allow(clippy::duplicate_mod, reason = "the simulation and the connection of HTTP/2 share what reads frames")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "http2/frames.rs"]
#[allow(dead_code, reason = "the tests of HTTP/2 use the rest")]
mod frames;
#[path = "service/harness.rs"]
mod harness;
#[path = "http2/hpack.rs"]
#[allow(dead_code, reason = "the tests of HTTP/2 use the rest")]
mod hpack;
#[path = "http2/fuzz.rs"]
mod http2;
#[path = "simulation/mod.rs"]
mod simulation;

use std::fs;
use std::path::Path;

fn replay(target: &str, property: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut replayed = 0;
    for entry in fs::read_dir(&directory).expect("the corpus is committed") {
        let path = entry.expect("a readable directory").path();
        println!("{}", path.display()); // shown when the property panics
        property(&fs::read(&path).expect("a readable file"));
        replayed += 1;
    }
    assert!(replayed > 0, "{} is empty", directory.display());
}

#[test]
fn http_parser() {
    replay("http_parser", ephpm::fuzz::http_parser);
}

#[test]
fn server_vars() {
    replay("server_vars", ephpm::fuzz::server_vars);
}

#[test]
fn path_mapping() {
    replay("path_mapping", ephpm::fuzz::path_mapping);
}

#[test]
fn chunked() {
    replay("chunked", ephpm::fuzz::chunked);
}

#[test]
fn config() {
    replay("config", ephpm::fuzz::config);
}

#[test]
fn connection() {
    replay("connection", simulation::connection);
}

#[test]
fn http2_connection() {
    replay("http2_connection", http2::http2_connection);
}

#[test]
fn http_responses() {
    replay("http_responses", ephpm::fuzz::http_responses);
}

#[test]
fn proxy_protocol() {
    replay("proxy_protocol", ephpm::fuzz::proxy_protocol);
}

#[test]
fn forwarded() {
    replay("forwarded", ephpm::fuzz::forwarded);
}

#[test]
fn ranges() {
    replay("ranges", ephpm::fuzz::ranges);
}
