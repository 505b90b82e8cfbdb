//! `docs/http1-rules.md`: each rule of HTTP/1.1 that a server can be tested on, and the tests that show it.
//!
//! A transcript shows the rules that its title begins with, and a function those that its name begins with: `rule_7_`,
//! `rules_50_and_51_`, `rules_59_to_61_`. `EPHPM_UPDATE=1 cargo test --test rules` writes the table anew.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "rules/php.rs"]
mod php;
#[path = "rules/security.rs"]
mod security;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The numbers are those of the project's list; where the RFCs leave a choice, the words say what is chosen.
const RULES: &[(u32, &str, &str)] = &[
    (1, "RFC 9112 §2.2", "one or two empty lines before a request are skipped, more are refused"),
    (2, "§2.2", "anything else before a request is 400"),
    (3, "§2.2", "LF alone ends no line: 400"),
    (4, "§2.2", "CR alone, anywhere: 400"),
    (5, "§3", "single spaces part the request line, and nothing else does: 400"),
    (6, "§3.1", "methods are case-sensitive tokens: 400, and 501 for what is not registered"),
    (7, "RFC 9110 §9.1", "a known method that a resource does not allow: 405 with Allow"),
    (8, "RFC 9112 §2.3", "HTTP/1.x is served; another major version is 505, another form 400"),
    (9, "§3.2", "the four forms of target, each where it belongs; its bytes and escapes"),
    (10, "§3", "8000 octets of request line are taken; beyond the limit 414"),
    (11, "§5.1", "field names are tokens, with a colon right behind: 400"),
    (12, "§5.2", "no line folding: 400"),
    (13, "RFC 9110 §5.5", "field values without controls: 400"),
    (14, "RFC 6585 §5", "too many or too long fields: 431; too slow ones: 408"),
    (15, "RFC 9110 §5.3", "fields that must be single are: 400"),
    (16, "RFC 9112 §3.2", "exactly one valid Host in HTTP/1.1: 400"),
    (17, "RFC 9110 §7.4", "a host without a site of its own"),
    (18, "RFC 9112 §6.3", "no framing, no content"),
    (19, "RFC 9110 §8.6", "Content-Length is digits: 400"),
    (20, "RFC 9112 §6.3", "one Content-Length: 400"),
    (21, "§6.1", "Content-Length and Transfer-Encoding: 400"),
    (22, "§6.1", "chunked, once and last and nothing else: 400, 501"),
    (23, "§6.1", "Transfer-Encoding in HTTP/1.0: 400"),
    (24, "§7.1", "chunk sizes are hexadecimal digits: 400"),
    (25, "§7.1.1", "chunk extensions are well-formed, bounded and ignored: 400"),
    (26, "§7.1", "chunk data ends where its size says: 400"),
    (27, "§7.1.2", "trailers are well-formed, bounded and ignored: 400, 431"),
    (28, "RFC 9110 §15.5.14", "content beyond the limit: 413"),
    (29, "RFC 9112 §6.3", "incomplete content reaches no application; what stalls: 408"),
    (30, "§9.3", "unread content is thrown away, within bounds, and never read as a request"),
    (31, "§9.6", "after an error nothing is parsed, and what came before is answered"),
    (32, "RFC 9110 §9.3", "content of any method is read by its framing"),
    (33, "§10.1.1", "100 Continue: once, when wanted, never to HTTP/1.0"),
    (34, "§10.1.1", "another expectation: 417"),
    (35, "§9.3.2", "HEAD is GET without content"),
    (36, "§9.3.7", "OPTIONS, and OPTIONS *"),
    (37, "§9.3.8", "no TRACE, no CONNECT"),
    (38, "RFC 9112 §9.3", "persistence, and what ends it"),
    (39, "§9.3.2", "pipelined requests are answered in order"),
    (40, "§9.5", "idle connections, bounded requests, draining"),
    (41, "RFC 9110 §7.6.1", "fields of a connection are the server's"),
    (42, "§7.8", "protocols are not switched"),
    (43, "RFC 9112 §9.6", "a connection is closed in stages, so that the response arrives"),
    (44, "RFC 9110 §6.6.1, §15", "Date; statuses without content"),
    (45, "RFC 9112 §6", "one framing, kept whatever the application sends"),
    (46, "RFC 9110 §8.3", "content has a type"),
    (47, "§15", "statuses come with the fields that they ask for"),
    (48, "§5.3", "no field twice that must be single"),
    (49, "RFC 9112 §11.1", "an application cannot split a response"),
    (50, "RFC 9110 §13.1.1, §13.1.4", "If-Match, then If-Unmodified-Since: 412"),
    (51, "§13.1.2", "If-None-Match: 304, 412"),
    (52, "§13.1.3", "If-Modified-Since: 304"),
    (53, "§15.4.5", "304 has the fields that 200 would have"),
    (54, "§8.8.3", "entity tags, one for each coding"),
    (55, "§14.2", "ranges that are ignored, or not satisfiable: 416"),
    (56, "§14.6", "single and several ranges, bounded: 206"),
    (57, "§13.1.5", "If-Range is strong"),
    (58, "§14.3", "ranges are of the representation that was chosen"),
    (59, "§12.5.3", "Accept-Encoding"),
    (60, "§12.5.5", "Vary"),
    (61, "§8.4", "codings that lie beside a file"),
    (62, "§8.4, §7.7", "what is never encoded"),
];

const INTRODUCTION: &str = "# The rules of HTTP/1.1, and the tests that show them

Written by `tests/rules.rs`, which also fails when a test is missing. A number behind a file of transcripts is how many
of its cases show the rule; each case runs whole, split at every byte, at random, and again over a socket. Every rule
also stands behind the fuzz targets, and those of connections behind the simulation. What nginx and Apache make of the
same requests is in `http1-conformance.md`.

| | rule | where | shown by |
| --- | --- | --- | --- |
";

#[test]
fn every_rule_is_shown() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shown = shown(root);
    let missing: Vec<_> = RULES.iter().filter(|(number, ..)| !shown.contains_key(number)).collect();
    assert!(missing.is_empty(), "nothing shows {missing:?}");
    let path = root.join("docs/http1-rules.md");
    if std::env::var_os("EPHPM_UPDATE").is_some() {
        fs::write(&path, INTRODUCTION.to_owned() + &table(&shown)).unwrap();
    }
    let text = fs::read_to_string(&path).unwrap();
    let existing: BTreeSet<&String> = shown.values().flatten().map(|(name, _)| name).collect();
    for (number, ..) in RULES {
        let row = text.lines().find(|line| line.starts_with(&format!("| {number} |"))).expect("a row for each rule");
        for name in row.split('`').skip(1).step_by(2) {
            assert!(existing.contains(&name.to_owned()), "{number} names {name}, which does not exist");
        }
    }
}

fn table(shown: &BTreeMap<u32, BTreeMap<String, u32>>) -> String {
    let (mut text, mut document) = (String::new(), "");
    for (number, place, rule) in RULES {
        // A section without its document is of the one before.
        let (named, section) = place.split_once('§').unwrap_or((place, ""));
        document = if named.is_empty() { document } else { named.trim_end() };
        let tests = shown[number].iter().map(|(name, count)| match count {
            0 => format!("`{name}`"),
            count => format!("`{name}` {count}"),
        });
        let tests = tests.collect::<Vec<_>>().join(", ");
        writeln!(text, "| {number} | {rule} | {document} §{section} | {tests} |").unwrap();
    }
    text
}

/// The tests of each rule: functions, and files of transcripts with the number of cases.
fn shown(root: &Path) -> BTreeMap<u32, BTreeMap<String, u32>> {
    let mut shown: BTreeMap<u32, BTreeMap<String, u32>> = BTreeMap::new();
    for path in files(&root.join("src")).into_iter().chain(files(&root.join("tests"))) {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap();
        for line in text.lines() {
            if let Some(title) = line.strip_prefix("-- ").filter(|_| name.starts_with("tests/http1/")) {
                let numbers = title.split_once(": ").map_or("", |(numbers, _)| numbers);
                for number in numbers.split(", ").filter_map(|number| number.parse().ok()) {
                    *shown.entry(number).or_default().entry(name.to_owned()).or_default() += 1;
                }
            }
            let function = line.trim_start().strip_prefix("fn rule").and_then(|rest| rest.split_once('('));
            if let Some((function, _)) = function.filter(|_| name.ends_with(".rs")) {
                for number in numbers(function) {
                    shown.entry(number).or_default().insert(format!("{name}: rule{function}"), 0);
                }
            }
        }
    }
    shown
}

/// The numbers in `_7_methods…`, `s_50_and_51_…` and `s_59_to_61_…`.
fn numbers(function: &str) -> Vec<u32> {
    let mut numbers = Vec::new();
    let mut reaches = false;
    for word in function.trim_start_matches('s').trim_start_matches('_').split('_') {
        match word.parse::<u32>() {
            Ok(number) if reaches => numbers.extend(numbers.last().map_or(number, |last| last + 1)..=number),
            Ok(number) => numbers.push(number),
            Err(_) if word == "and" => {}
            Err(_) if word == "to" => {
                reaches = true;
                continue;
            }
            Err(_) => break,
        }
        reaches = false;
    }
    numbers
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.extension().and_then(|extension| extension.to_str()) {
            _ if path.is_dir() => found.extend(files(&path)),
            Some("rs" | "txt") => found.push(path),
            _ => {}
        }
    }
    found.sort();
    found
}
