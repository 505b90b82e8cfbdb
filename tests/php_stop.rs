//! How PHP threads end, in a process of their own: PHP can be started and stopped once.
#![cfg(feature = "php")]
#![allow(missing_docs, dead_code, clippy::unwrap_used, reason = "tests")]

#[path = "php/harness.rs"]
mod harness;

use std::time::Duration;

use ephpm::exchange::Pull;
use ephpm::php::{Php, Pool, Stuck};
use harness::{Ask, Exchange, php_options, pool_options};

const AT_ONCE: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(60);

#[test]
fn threads_end_when_they_are_told_to_and_php_with_the_last() {
    let php = Php::start(&php_options()).unwrap();

    idle_threads_end(&php);
    for how in ["loop", "sleep"] {
        scripts_end_by_themselves_or_are_interrupted(&php, how);
    }
    a_script_that_is_left_behind_keeps_php_alive(php);
}

fn idle_threads_end(php: &Php) {
    let pool = Pool::start(php, &pool_options(3)).unwrap();
    let dispatch = pool.dispatch();
    assert_eq!(Exchange::submit(&*dispatch, Ask::get("/hello.php", "n=1")).answer().text(), "Hello 1");
    assert_eq!(pool.stop(LONG, LONG), Ok(()));
}

fn scripts_end_by_themselves_or_are_interrupted(php: &Php, how: &str) {
    let pool = Pool::start(php, &pool_options(3)).unwrap();
    let dispatch = pool.dispatch();
    let short = Exchange::submit(&*dispatch, Ask::get("/sleep.php", ""));
    let mut endless = Exchange::submit(&*dispatch, Ask::get("/endless.php", format!("how={how}")));
    assert!(matches!(endless.pull(), Pull::Head(..)), "the script runs");
    assert_eq!(pool.stop(Duration::from_millis(300), LONG), Ok(()));
    assert!(short.answer().complete);
    assert_eq!(endless.answer().text(), "begun, shutdown");
}

fn a_script_that_is_left_behind_keeps_php_alive(php: Php) {
    let pool = Pool::start(&php, &pool_options(1)).unwrap();
    let dispatch = pool.dispatch();
    let mut exchange = Exchange::submit(&*dispatch, Ask::get("/sleep.php", "flush"));
    assert!(matches!(exchange.pull(), Pull::Head(..)), "the script runs");
    let waiting = Exchange::submit(&*dispatch, Ask::get("/hello.php", "n=1"));
    assert_eq!(pool.stop(LONG, AT_ONCE), Err(Stuck(1)));

    let mut php = php.stop().expect_err("a thread is attached");
    assert!(exchange.answer().complete);
    // The thread is about to detach; nothing tells when.
    while let Err(same) = php.stop() {
        php = same;
        std::thread::yield_now();
    }
    drop(dispatch);
    assert!(!waiting.answer().complete, "what waited has gone with the queue");
}
