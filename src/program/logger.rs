//! The log: one record, one line, on standard error.
//!
//! Two forms, lines for people and JSON objects for collectors. A record never becomes two lines,
//! whatever its message holds: line breaks and other control characters are escaped, so that
//! nothing a visitor sends can forge a record or drive a terminal. Times are UTC.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use log::{Level, LevelFilter, Record};

use crate::http::date;

/// How a record looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `2026-11-23T09:14:05.123Z INFO  message`, with the target in front of the message where
    /// it is not the server itself that speaks: `WARN  php: message`.
    Pretty,
    /// `{"ts":"2026-11-23T09:14:05.123Z","level":"info","target":"ephpm","message":"message"}`.
    Json,
}

/// The format is asked for once a record and may change once, when the configuration is known.
static JSON: AtomicBool = AtomicBool::new(false);

/// Puts the logger in place, with level info and the pretty format until [`configure`] knows
/// better. A second call changes nothing.
pub fn install() {
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = io::stderr().is_terminal() && !no_colour;
    let installed = env_logger::Builder::new()
        .filter_level(LevelFilter::Trace)
        .format(move |out, record| {
            let format = if JSON.load(Ordering::Relaxed) { Format::Json } else { Format::Pretty };
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            out.write_all(line(format, colour, now, record).as_bytes())
        })
        .try_init();
    if installed.is_ok() {
        // The filter above lets everything pass; the level proper is `log`'s own, because it can
        // be changed later and costs a disabled record one comparison.
        log::set_max_level(LevelFilter::Info);
    }
}

/// Sets what is logged and how, from here on.
pub fn configure(level: LevelFilter, format: Format) {
    JSON.store(format == Format::Json, Ordering::Relaxed);
    log::set_max_level(level);
}

/// A record as a line, with its line break. `now` is the time since 1970.
fn line(format: Format, colour: bool, now: Duration, record: &Record<'_>) -> String {
    let message = record.args().to_string();
    let target = speaker(record.target());
    let mut line = String::with_capacity(message.len() + 64);
    match format {
        Format::Pretty => pretty(&mut line, colour, now, record.level(), target, &message),
        Format::Json => json(&mut line, now, record.level(), target, &message),
    }
    line.push('\n');
    line
}

/// Who speaks: our own modules are all one.
fn speaker(target: &str) -> &str {
    match target.split("::").next() {
        Some("ephpm") => "ephpm",
        _ => target,
    }
}

fn pretty(line: &mut String, colour: bool, now: Duration, level: Level, target: &str, message: &str) {
    timestamp(line, now);
    let (on, off) = if colour { (colour_of(level), "\x1b[0m") } else { ("", "") };
    write_to(line, format_args!(" {on}{level:<5}{off} "));
    if target != "ephpm" {
        escape_controls(line, target);
        line.push_str(": ");
    }
    escape_controls(line, message);
}

fn colour_of(level: Level) -> &'static str {
    match level {
        Level::Error => "\x1b[1;31m",
        Level::Warn => "\x1b[33m",
        Level::Info => "\x1b[32m",
        Level::Debug => "\x1b[34m",
        Level::Trace => "\x1b[36m",
    }
}

fn json(line: &mut String, now: Duration, level: Level, target: &str, message: &str) {
    line.push_str("{\"ts\":\"");
    timestamp(line, now);
    line.push_str("\",\"level\":\"");
    line.push_str(match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    });
    line.push_str("\",\"target\":\"");
    escape_json(line, target);
    line.push_str("\",\"message\":\"");
    escape_json(line, message);
    line.push_str("\"}");
}

/// Control characters, U+0080 to U+009F among them (some terminals obey those too), written
/// visibly: `\n`, `\t`, `\u{1b}`. Everything else stays as it is.
fn escape_controls(line: &mut String, text: &str) {
    for c in text.chars() {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
}

/// The inside of a JSON string (RFC 8259 §7). Controls beyond those that must be are escaped
/// too, for logs are also read in terminals.
fn escape_json(line: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            c if c.is_control() => write_to(line, format_args!("\\u{:04x}", u32::from(c))),
            c => line.push(c),
        }
    }
}

/// `2026-11-23T09:14:05.123Z` (RFC 3339) of a time since 1970.
fn timestamp(line: &mut String, since_1970: Duration) {
    let seconds = since_1970.as_secs();
    let (year, month, day) = date::civil_from_days(i64::try_from(seconds / 86_400).unwrap_or(i64::MAX));
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let millis = since_1970.subsec_millis();
    write_to(line, format_args!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"));
}

fn write_to(line: &mut String, arguments: std::fmt::Arguments<'_>) {
    line.write_fmt(arguments).expect("a String takes everything that is written to it");
}

#[cfg(test)]
mod tests;
