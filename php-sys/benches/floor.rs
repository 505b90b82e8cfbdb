//! What a request costs PHP alone: no socket, no queue, no server; output is copied and forgotten.
//!
//! `cargo bench -p php-sys [-- REQUESTS [THREADS]]` prints CPU time per request of a script that says hello. No server
//! around the same libphp can do better; the distance to this figure is what the server costs.
#![allow(unsafe_code, reason = "this is the caller of a C interface")]
#![allow(dead_code, reason = "a bench uses a part of the test support")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::thread;
use std::time::Instant;

use support::{Exchange, Php, Request, script_file};

/// A usual request has so many variables.
const VARIABLES: [(&str, &str); 20] = [
    ("HTTP_HOST", "localhost:8080"),
    ("HTTP_USER_AGENT", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("HTTP_ACCEPT", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("HTTP_ACCEPT_LANGUAGE", "en-GB,en;q=0.5"),
    ("HTTP_ACCEPT_ENCODING", "gzip, deflate, br"),
    ("HTTP_CONNECTION", "keep-alive"),
    ("HTTP_UPGRADE_INSECURE_REQUESTS", "1"),
    ("HTTP_SEC_FETCH_DEST", "document"),
    ("HTTP_SEC_FETCH_MODE", "navigate"),
    ("SERVER_SOFTWARE", "ePHPm/0.1"),
    ("SERVER_NAME", "localhost"),
    ("SERVER_ADDR", "127.0.0.1"),
    ("SERVER_PORT", "8080"),
    ("REMOTE_ADDR", "127.0.0.1"),
    ("REMOTE_PORT", "40000"),
    ("DOCUMENT_ROOT", "/srv/www"),
    ("GATEWAY_INTERFACE", "CGI/1.1"),
    ("SERVER_PROTOCOL", "HTTP/1.1"),
    ("REQUEST_SCHEME", "http"),
    ("PHP_SELF", "/index.php"),
];

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let requests = numbers.first().copied().unwrap_or(100_000);
    let threads = numbers.get(1).copied().unwrap_or(1);

    support::start();
    let scripts = [
        ("hello", "<?php echo 'Hello, World!';"),
        ("hello, with $_SERVER", "<?php echo 'Hello, ', $_SERVER['REMOTE_ADDR'];"),
    ];
    for (name, script) in scripts {
        let file = script_file(script);
        run(&file, 2000.min(requests), threads);
        let (wall, cpu) = (Instant::now(), cpu_micros());
        run(&file, requests, threads);
        let (wall, cpu) = (wall.elapsed(), cpu_micros() - cpu);
        let total = (requests * threads) as f64;
        println!(
            "{name}: {:.2} us of CPU per request, {:.0} requests/s on {threads} threads",
            cpu / total,
            total / wall.as_secs_f64()
        );
    }
}

fn run(file: &str, requests: usize, threads: usize) {
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| Php::on_thread(|php| repeat(php, file, requests)));
        }
    });
}

fn repeat(php: &Php, file: &str, requests: usize) {
    let mut exchange = Exchange::get("");
    exchange.server.extend(VARIABLES.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let request = Request::new(file, &exchange);
    for _ in 0..requests {
        exchange.reset();
        php.execute(&request, &mut exchange);
        assert!(exchange.body.starts_with(b"Hello, "));
    }
}

/// CPU time of this process, user and system, in microseconds: fields 14 and 15 of proc(5)'s stat, in ticks of 10 ms.
fn cpu_micros() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("proc is mounted");
    let (_, fields) = stat.rsplit_once(')').expect("the name is in parentheses");
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().expect("a number")).sum();
    ticks as f64 * 10_000.0
}
