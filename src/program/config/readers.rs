//! From a written value to a typed one: a reader for each kind of setting.
//!
//! A reader takes the value and the directory that relative paths start from, and returns the
//! type or what it had expected. Readers do not look at the disk, except to resolve `..` in a
//! path; whether a directory exists is asked once, of the final configuration.

use std::path::{Component, Path, PathBuf};
use std::thread;
use std::time::Duration;

use log::LevelFilter;

use super::value::{Mismatch, Value};
use crate::base::sys::confine::Links;
use crate::http::coding::Coding;
use crate::program::logger::Format;
use crate::site::cache_control::CacheRule;
use crate::site::compression::TypePattern;

/// What a reader returns.
pub(super) type Read<T> = Result<T, Mismatch>;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// An integer within bounds.
pub(super) fn integer<T: TryFrom<i64>>(min: i64, max: i64) -> impl Fn(&Value, &Path) -> Read<T> {
    move |value, _| {
        value
            .integer()
            .filter(|number| (min..=max).contains(number))
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| value.instead_of(format!("an integer from {min} to {max}")))
    }
}

/// A number of PHP threads: an integer, or "auto", twice the number of cores and at least 2.
pub(super) fn workers(min: i64, max: i64) -> impl Fn(&Value, &Path) -> Read<usize> {
    move |value, base| {
        if value.str() == Some("auto") {
            let cores = thread::available_parallelism().map_or(1, usize::from);
            let most = usize::try_from(max).unwrap_or(usize::MAX);
            return Ok((2 * cores).clamp(2, most));
        }
        integer(min, max)(value, base).map_err(|mismatch| value.instead_of(mismatch.expected + ", or \"auto\""))
    }
}

/// A number of bytes: an integer, or a string with the suffix K, M or G (powers of 1024).
pub(super) fn size<T: TryFrom<u64>>(min: u64, max: u64) -> impl Fn(&Value, &Path) -> Read<T> {
    move |value, _| {
        let bytes = match value {
            Value::Integer(bytes) => u64::try_from(*bytes).ok(),
            _ => value.str().and_then(|text| parse_size(text.trim())),
        };
        let bytes = bytes.ok_or_else(|| value.instead_of("a size such as \"64M\""))?;
        Some(bytes)
            .filter(|bytes| (min..=max).contains(bytes))
            .and_then(|bytes| T::try_from(bytes).ok())
            .ok_or_else(|| value.instead_of(format!("a size from {} to {}", size_text(min), size_text(max))))
    }
}

/// Digits with a suffix, or without one.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    let (digits, shift) = match text.as_bytes().last()? {
        b'K' | b'k' => (&text[..text.len() - 1], 10),
        b'M' | b'm' => (&text[..text.len() - 1], 20),
        b'G' | b'g' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    parse_digits(digits)?.checked_mul(1 << shift)
}

/// Digits and nothing else: `u64::from_str` would take a plus sign too.
pub(super) fn parse_digits(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A size as one would write it: `64M`, `65535`.
pub(in crate::program) fn size_text(bytes: u64) -> String {
    let units = [(30, "G"), (20, "M"), (10, "K")];
    let unit = units.iter().find(|(shift, _)| bytes != 0 && bytes.is_multiple_of(1 << shift));
    unit.map_or_else(|| bytes.to_string(), |(shift, unit)| format!("{}{unit}", bytes >> shift))
}

/// A time that something may take: from 1 millisecond to 24 hours.
pub(super) fn timeout() -> impl Fn(&Value, &Path) -> Read<Duration> {
    duration(Duration::from_millis(1), 24 * HOUR)
}

/// The same, or 0 for no such time.
pub(super) fn timeout_or_never() -> impl Fn(&Value, &Path) -> Read<Option<Duration>> {
    |value, base| match read_duration(value) {
        Some(Duration::ZERO) => Ok(None),
        _ => match timeout()(value, base) {
            Ok(duration) => Ok(Some(duration)),
            Err(mismatch) => Err(value.instead_of(mismatch.expected + ", or 0")),
        },
    }
}

/// A time that may also be zero: up to an hour.
pub(super) fn grace() -> impl Fn(&Value, &Path) -> Read<Duration> {
    duration(Duration::ZERO, HOUR)
}

/// A duration: an integer of seconds, or a string with the unit ms, s, m or h.
fn duration(min: Duration, max: Duration) -> impl Fn(&Value, &Path) -> Read<Duration> {
    move |value, _| {
        let duration = read_duration(value).ok_or_else(|| value.instead_of("a duration such as \"10s\""))?;
        Some(duration).filter(|duration| (min..=max).contains(duration)).ok_or_else(|| {
            let (min, max) = (duration_text(min), duration_text(max));
            value.instead_of(format!("a duration from {min} to {max}"))
        })
    }
}

fn read_duration(value: &Value) -> Option<Duration> {
    match value {
        Value::Integer(seconds) => u64::try_from(*seconds).ok().map(Duration::from_secs),
        _ => value.str().and_then(|text| parse_duration(text.trim())),
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(unit_at);
    let number = parse_digits(digits)?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" | "" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(3600).map(Duration::from_secs),
        _ => None,
    }
}

/// A duration as one would write it: `500ms`, `10s`, `2m`, `24h`. Whole milliseconds only.
fn duration_text(duration: Duration) -> String {
    let units = [(HOUR, "h"), (MINUTE, "m"), (SECOND, "s")];
    let millis = duration.as_millis();
    let unit = units.iter().find(|(unit, _)| millis != 0 && millis.is_multiple_of(unit.as_millis()));
    match unit {
        Some((unit, name)) => format!("{}{name}", millis / unit.as_millis()),
        None if millis == 0 => "0".to_owned(),
        None => format!("{millis}ms"),
    }
}

/// PHP's `max_execution_time`, which counts whole seconds; 0 is without limit.
pub(super) fn seconds(max: u64) -> impl Fn(&Value, &Path) -> Read<Option<Duration>> {
    move |value, _| {
        let whole = |duration: &Duration| duration.subsec_nanos() == 0 && duration.as_secs() <= max;
        read_duration(value)
            .filter(whole)
            .map(Some)
            .ok_or_else(|| value.instead_of(format!("whole seconds from 0 to {max}, such as 30 or \"30s\"")))
    }
}

/// A path; a relative one starts from `base`.
pub(super) fn path() -> impl Fn(&Value, &Path) -> Read<PathBuf> {
    |value, base| {
        let text = value.str().filter(|text| !text.is_empty() && !text.contains('\0'));
        text.map(|text| resolve(base, text)).ok_or_else(|| value.instead_of("a path"))
    }
}

/// A path that may be left out.
pub(super) fn optional_path() -> impl Fn(&Value, &Path) -> Read<Option<PathBuf>> {
    |value, base| path()(value, base).map(Some)
}

/// Makes a path absolute. Symbolic links stay, so that a site whose `current` link is moved to
/// the next release follows it; but `..` is resolved, as PHP would: a script's `__DIR__` never
/// holds one, and applications compare it with `DOCUMENT_ROOT`.
pub(super) fn resolve(base: &Path, text: &str) -> PathBuf {
    let joined = base.join(text);
    let absolute = std::path::absolute(&joined).unwrap_or(joined);
    let parts: Vec<Component<'_>> = absolute.components().collect();
    let parents = parts.iter().rposition(|part| *part == Component::ParentDir);
    let (above, below) = parts.split_at(parents.map_or(0, |last| last + 1));
    let above: PathBuf = above.iter().collect();
    let above = above.canonicalize().unwrap_or(above);
    above.join(below.iter().collect::<PathBuf>())
}

/// Names of files in a directory, without a path and not hidden.
pub(super) fn file_names() -> impl Fn(&Value, &Path) -> Read<Vec<String>> {
    |value, _| {
        let expected = "file names such as [\"index.php\", \"index.html\"]";
        let is_file_name = |name: &&str| !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0']);
        let name = |element: Value| {
            let name = element.str().filter(is_file_name).map(str::to_owned);
            name.ok_or_else(|| element.instead_of(expected))
        };
        let names: Vec<String> = value.elements().into_iter().map(name).collect::<Read<_>>()?;
        Some(names).filter(|names| !names.is_empty()).ok_or_else(|| value.instead_of(expected))
    }
}

/// True or false.
pub(super) fn boolean() -> impl Fn(&Value, &Path) -> Read<bool> {
    |value, _| match value {
        Value::Boolean(flag) => Ok(*flag),
        Value::Text(text) if text == "true" => Ok(true),
        Value::Text(text) if text == "false" => Ok(false),
        _ => Err(value.instead_of("true or false")),
    }
}

/// The name or the number of a user or a group.
pub(super) fn account() -> impl Fn(&Value, &Path) -> Read<Option<String>> {
    |value, _| {
        let text = match value {
            Value::Integer(number) => number.to_string(),
            other => other.str().unwrap_or_default().to_owned(),
        };
        let is_name = !text.is_empty() && !text.starts_with('-') && !text.contains([':', '\0', '\n']);
        Some(text)
            .filter(|_| is_name)
            .map(Some)
            .ok_or_else(|| value.instead_of("a name such as \"www-data\", or a number"))
    }
}

/// A policy for symbolic links.
pub(super) fn links() -> impl Fn(&Value, &Path) -> Read<Links> {
    |value, _| match value.str() {
        Some("all") => Ok(Links::All),
        Some("owner") => Ok(Links::Owner),
        Some("inside") => Ok(Links::Inside),
        Some("none") => Ok(Links::None),
        _ => Err(value.instead_of(r#""owner", "inside", "all" or "none""#)),
    }
}

/// Directories of URLs, as paths below the document root; a slash at the end may be left out. As text, nothing is none.
pub(super) fn prefixes() -> impl Fn(&Value, &Path) -> Read<Vec<String>> {
    |value, _| {
        let prefix = |element: Value| {
            let is_path = |text: &&str| text.starts_with('/') && !text.contains("//") && !text.contains(['\0', '\\']);
            let text = element.str().filter(is_path).map(|text| format!("{}/", text.trim_end_matches('/')));
            text.ok_or_else(|| element.instead_of(r#"paths such as "/wp-content/uploads/""#))
        };
        list(value).into_iter().map(prefix).collect()
    }
}

/// Content codings, each once.
pub(super) fn codings() -> impl Fn(&Value, &Path) -> Read<Vec<Coding>> {
    |value, _| {
        let expected = r#"codings such as ["zstd", "br", "gzip"]"#;
        let mut codings = Vec::new();
        for element in list(value) {
            let coding = element.str().and_then(|name| Coding::ALL.into_iter().find(|coding| coding.name() == name));
            let coding = coding.ok_or_else(|| element.instead_of(expected))?;
            if codings.contains(&coding) {
                return Err(Mismatch::new("each coding once", format!("{} twice", coding.name())));
            }
            codings.push(coding);
        }
        Some(codings).filter(|codings| !codings.is_empty()).ok_or_else(|| value.instead_of(expected))
    }
}

/// Media types, or kinds of them.
pub(super) fn media_types() -> impl Fn(&Value, &Path) -> Read<Vec<TypePattern>> {
    |value, _| {
        let pattern = |element: Value| {
            let pattern = element.str().and_then(TypePattern::parse);
            pattern.ok_or_else(|| element.instead_of(r#"media types such as "application/json" or "text/*""#))
        };
        list(value).into_iter().map(pattern).collect()
    }
}

/// Rules for `Cache-Control`: `[["*.css", "max-age=60"], …]`, or as text a line each, or divided by semicolons.
pub(super) fn cache_rules() -> impl Fn(&Value, &Path) -> Read<Vec<CacheRule>> {
    |value, _| {
        let expected = r#"[pattern, value] pairs such as [["*.css", "max-age=86400"]]"#;
        let rules: Option<Vec<Value>> = match value {
            Value::Array(rules) => Some(rules.clone()),
            Value::Text(text) => {
                let separator = if text.contains('\n') { '\n' } else { ';' };
                let pieces = text.split(separator).map(str::trim).filter(|piece| !piece.is_empty());
                Some(pieces.map(|piece| Value::Text(piece.to_owned())).collect())
            }
            _ => None,
        };
        let rule = |rule: &Value| {
            let pair = match rule {
                Value::Array(pair) => match pair.as_slice() {
                    [pattern, value] => pattern.str().zip(value.str()),
                    _ => None,
                },
                Value::Text(text) => text.split_once('=').map(|(pattern, value)| (pattern.trim(), value)),
                _ => None,
            };
            pair.and_then(|(pattern, value)| CacheRule::new(pattern, value)).ok_or_else(|| rule.instead_of(expected))
        };
        rules.ok_or_else(|| value.instead_of(expected))?.iter().map(rule).collect()
    }
}

/// The elements of a list that may be empty.
fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Text(text) if text.trim().is_empty() => Vec::new(),
        value => value.elements(),
    }
}

/// How much is logged.
pub(super) fn level() -> impl Fn(&Value, &Path) -> Read<LevelFilter> {
    |value, _| {
        let level = value.str().and_then(|text| text.parse().ok());
        level.ok_or_else(|| value.instead_of(r#""error", "warn", "info", "debug", "trace" or "off""#))
    }
}

/// How the log looks.
pub(super) fn format() -> impl Fn(&Value, &Path) -> Read<Format> {
    |value, _| match value.str() {
        Some("pretty") => Ok(Format::Pretty),
        Some("json") => Ok(Format::Json),
        _ => Err(value.instead_of(r#""pretty" or "json""#)),
    }
}
