//! What the server wrote: nothing that was not to be expected, and a line for every request that was answered.

use std::collections::HashSet;
use std::fs;

use crate::site::Site;

/// Each line of the log holds the parts of one of these, in this order.
const EXPECTED: &[&[&str]] = &[
    // The start and the end, as they depend on the machine.
    &["WARN  PHP will run as root"],
    &["WARN  server.connections_max is ", ": the limit on open files is "],
    &["WARN  this libphp is a debug build"],
    &["INFO  ePHPm "],
    &["INFO  serving "],
    &["INFO  listening on "],
    &["INFO  answering monitors on "],
    &["INFO  process ", " serves"],
    &["INFO  stopping: "],
    &["INFO  stopped"],
    // What the operator does.
    &["INFO  the configuration has been read again"],
    &["ERROR process ", " died of SIGSEGV", " while serving GET /crash.php ", "; another takes its place"],
    &["INFO  PHP's threads start anew, one after another, and OPcache is emptied"],
    &["INFO  OPcache restarted (", "requests were held for "],
    &["WARN  OPcache waits to restart (", "go on without the cache"],
    // A restart that waited so long ends what is in its way, which are the scripts that are stuck.
    &["WARN  php-", "OPcache has waited for its script for opcache.force_restart_timeout; ending it"],
    &["ERROR php: PHP Fatal error:  Ended for OPcache, which has waited to restart", "stuck.php"],
    // What scripts do.
    &["ERROR php: PHP Fatal error:  Uncaught RuntimeException: soak ", "ending.php:"],
    &["ERROR php: PHP Fatal error:  Uncaught Error: Call to undefined function undefined_function()"],
    &["ERROR php: PHP Fatal error:  Allowed memory size of 16777216 bytes exhausted", "ending.php"],
    &["ERROR php: PHP Fatal error:  Maximum execution time of 1 second exceeded", "ending.php"],
    // What php.request_timeout does.
    &["ERROR php: PHP Fatal error:  Maximum request time of 10 seconds exceeded", "stuck.php"],
    &["WARN  php-", "GET /stuck.php?", "it has taken longer than php.request_timeout allows"],
    &["ERROR php-", "GET /stuck.php?", "&how=child&seconds=22", "it cannot be ended; another thread takes its place"],
    &["INFO  php-", "a thread that was given up has come back, and ends"],
];

/// The lines that nobody expects.
pub(crate) fn unexpected(log: &str) -> Vec<&str> {
    log.lines().filter(|line| !EXPECTED.iter().any(|parts| holds(line, parts))).collect()
}

fn holds(line: &str, parts: &[&str]) -> bool {
    let mut rest = line;
    parts.iter().all(|part| {
        let found = rest.find(part);
        rest = found.map_or("", |at| &rest[at + part.len()..]);
        found.is_some()
    })
}

/// The numbers of the requests in the access logs, all that there were.
pub(crate) fn logged(site: &Site) -> HashSet<u64> {
    let mut numbers = HashSet::new();
    for entry in fs::read_dir(site.path("logs")).expect("a directory") {
        let text = fs::read(entry.expect("an entry").path()).expect("a log");
        for line in String::from_utf8_lossy(&text).lines() {
            let digits = line.split_once("?n=").map_or("", |(_, rest)| rest);
            let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            numbers.extend(digits[..end].parse::<u64>());
        }
    }
    numbers
}
