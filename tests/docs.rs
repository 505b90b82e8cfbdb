//! What `docs/` says of the program, held against the program: configurations load, keys exist, messages are ours.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ephpm::program::cli::{self, Command};
use ephpm::program::config::{Config, KEYS, Source};

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/wordpress.md")).unwrap()
}

/// The fenced blocks of a language, without their fences.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("\n```{language}\n");
    page.split(&*fence).skip(1).map(|rest| rest.split_once("\n```").expect("a closing fence").0).collect()
}

/// What stands in backticks, fenced blocks apart.
fn code_spans(text: &str) -> Vec<&str> {
    let prose = text.split("\n```").step_by(2);
    prose.flat_map(|part| part.lines().flat_map(|line| line.split('`').skip(1).step_by(2))).collect()
}

/// Directories for a configuration that names some; the files it may name are made when they are opened.
fn load(toml: &str, name: &str) -> Config {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docs").join(name);
    fs::create_dir_all(place.join("srv/wordpress/public")).unwrap();
    let moved = toml.replace("\"/srv/", &format!("\"{}/srv/", place.display()));
    let file = place.join("ephpm.toml");
    fs::write(&file, moved).unwrap();
    let none: [(OsString, OsString); 0] = [];
    Config::load(&Source::File(file), none, &[]).unwrap_or_else(|error| panic!("{error}, in:\n{toml}"))
}

#[test]
fn configurations_load() {
    let page = page();
    let found = blocks(&page, "toml");
    assert_eq!(found.len(), 3, "the site's, the PROXY protocol's, the one for deployments");
    for (number, toml) in found.iter().enumerate() {
        load(toml, &format!("block-{number}"));
    }
}

#[test]
fn keys_exist() {
    let page = page();
    let sections: Vec<&str> = KEYS.iter().map(|key| key.name.split_once('.').unwrap().0).collect();
    let mut count = 0;
    for span in code_spans(&page) {
        let Some((section, key)) = span.split_once('.') else { continue };
        let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        // php.ini is a file.
        if is_key && sections.contains(&section) && span != "php.ini" {
            assert!(KEYS.iter().any(|known| known.name == span), "there is no key {span}");
            count += 1;
        }
    }
    assert!(count > 50, "{count} keys were found in the page");
}

#[test]
fn commands_and_units_fit() {
    let page = page();
    let config = load(blocks(&page, "toml")[0], "units");
    let service = blocks(&page, "ini").into_iter().find(|unit| unit.contains("Type=notify")).unwrap();
    let value = |name: &str| service.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap();
    // systemd would cut a drain that it does not wait for.
    assert!(Duration::from_secs(value("TimeoutStopSec").parse().unwrap()) > config.server.drain_timeout);
    assert_eq!(value("RestartPreventExitStatus"), "78");
    let mut commands: Vec<&str> = blocks(&page, "sh").iter().flat_map(|block| block.lines()).collect();
    commands.retain(|line| line.starts_with("ephpm "));
    commands.push(value("ExecStart").strip_prefix("/usr/local/bin/").unwrap());
    assert!(commands.len() > 2, "{commands:?}");
    for command in commands {
        let arguments: Vec<&str> = command.split_whitespace().skip(1).collect();
        assert!(!matches!(cli::parse(&arguments), Err(_) | Ok(Command::Help)), "{command}");
    }
}

#[test]
fn messages_are_those_of_the_program() {
    let page = page();
    let (_, troubleshooting) = page.split_once("\n## Troubleshooting\n").unwrap();
    let mut sources = String::new();
    read_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut sources);
    let mut count = 0;
    for row in troubleshooting.lines().filter(|line| line.starts_with("| ")) {
        let what_you_see = row.split('|').nth(1).unwrap();
        for message in code_spans(what_you_see).into_iter().filter(|span| span.contains(' ')) {
            for part in message.split('…') {
                assert!(sources.contains(part), "{part:?} of {message:?} is in no source");
            }
            count += 1;
        }
    }
    assert!(count > 6, "{count} messages were found in the table");
}

fn read_sources(directory: &Path, text: &mut String) {
    let mut entries: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            read_sources(&entry, text);
        } else {
            text.push_str(&fs::read_to_string(&entry).unwrap());
        }
    }
}
