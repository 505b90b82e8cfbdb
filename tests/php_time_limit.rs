//! Scripts whose time is over: they end with PHP's own error, wherever they are, and no other request notices.
#![cfg(feature = "php")]
#![allow(missing_docs, dead_code, clippy::unwrap_used, reason = "tests")]

#[path = "php/harness.rs"]
mod harness;

use std::sync::{Arc, OnceLock, mpsc};
use std::thread;

use ephpm::exchange::Dispatch;
use ephpm::php::{Info, Php, PhpOptions, Pool};
use harness::{Answer, Ask, Exchange, php_options, pool_options};

const THREADS: usize = 8;
const ERROR: &str = "Maximum execution time of 2 seconds exceeded";

/// PHP is started once, on a thread that stays: it may be stopped only there.
fn dispatch() -> Arc<dyn Dispatch> {
    static STARTED: OnceLock<Arc<dyn Dispatch>> = OnceLock::new();
    Arc::clone(STARTED.get_or_init(|| {
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let options = PhpOptions {
                ini_entries: "display_errors=1\nhard_timeout=2\nmax_input_time=60\nmax_execution_time=30\n".to_owned(),
                threads: THREADS,
                ..php_options()
            };
            let php = Php::start(&options).unwrap();
            let pool = Pool::start(&php, &pool_options(THREADS)).unwrap();
            sender.send(pool.dispatch()).unwrap();
            loop {
                thread::park();
            }
        });
        receiver.recv().unwrap()
    }))
}

fn submit(query: &str) -> Exchange {
    Exchange::submit(&*dispatch(), Ask::get("/limit.php", query))
}

/// What the script has written, with each error as "!".
fn story(answer: &Answer) -> String {
    assert!(answer.complete);
    let mut story = String::new();
    for line in answer.text().lines().filter(|line| !line.is_empty()) {
        story.push_str(if line.contains(ERROR) { "!" } else { line });
    }
    story
}

#[test]
fn the_linker_was_told() {
    assert!(Info::of_libphp().limits_time);
}

#[test]
fn scripts_end_wherever_they_are() {
    let fifo = std::env::temp_dir().join(format!("ephpm-fifo-{}", std::process::id()));
    let stories = [
        ("loop", "begun!, shutdown"),
        ("sleep", "begun!, shutdown"),
        ("read", "begun!, shutdown"),
        ("accept", "begun!, shutdown"),
        ("fifo", "begun!, shutdown"),
        ("shutdown", "begun, end, shutdown!"),
        ("both", "begun!, shutdown!"),
        ("anew", "begun!, shutdown anew"),
        ("lifted", "begun, end, shutdown"),
    ];
    let exchanges = stories.map(|(how, _)| submit(&format!("how={how}&fifo={}", fifo.display())));
    for ((how, expected), exchange) in stories.into_iter().zip(exchanges) {
        assert_eq!(story(&exchange.answer()), expected, "{how}");
    }
    std::fs::remove_file(fifo).unwrap();
}

/// Scripts that end, if they can, just when their time is over.
#[test]
fn a_limit_never_hits_the_next_request() {
    for round in 0..2 {
        let edges: Vec<_> = (0..THREADS as i32)
            .map(|n| submit(&format!("how=edge&ns={}", (n - THREADS as i32 / 2) * 100_000 + round * 50_000)))
            .collect();
        for exchange in edges {
            let story = story(&exchange.answer());
            // The error may come at any place, and ends either the script or its shutdown function.
            assert!(story.matches('!').count() <= 1, "{story}");
            let text = story.replace('!', "");
            assert!(["begun, end, shutdown", "begun, shutdown", "begun, end"].contains(&&*text), "{story}");
        }
        let after: Vec<_> = (0..100).map(|n| (n, Exchange::submit(&*dispatch(), hello(n)))).collect();
        for (n, exchange) in after {
            assert_eq!(exchange.answer().text(), format!("Hello {n}"));
        }
    }
}

fn hello(n: u32) -> Ask {
    Ask::get("/hello.php", format!("n={n}"))
}
