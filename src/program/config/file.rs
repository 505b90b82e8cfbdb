//! The configuration file: from TOML to assignments, in the order of the file.
//!
//! Only the shape is judged here, sections of known keys; what a key takes is the key's own
//! affair. Every assignment remembers its line.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::assignment::Assignment;
use super::error::{ConfigError, Origin};
use super::settings::{Key, SECTIONS};
use super::value::Value;

/// A configuration file is no larger than this; anything that is, is something else.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads a file. `Ok(None)`: there is none at this path.
pub(super) fn read(path: &Path) -> Result<Option<Vec<Assignment>>, ConfigError> {
    let fail = |problem: String| ConfigError::source(Origin::file(path), problem);
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 <= FILE_BYTES_MAX => {}
        Ok(_) => {
            return Err(fail("expected a configuration file, found more than 1M".to_owned()));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            let serve = format!("to serve it without one: ephpm serve {}", path.display());
            return Err(fail(format!("expected a configuration file, found a directory ({serve})")));
        }
        Err(error) => return Err(fail(format!("cannot be read: {error}"))),
    }
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let line = line_of(&bytes, error.valid_up_to());
        let byte = bytes[error.valid_up_to()];
        let problem = format!("expected UTF-8 text, found the byte 0x{byte:02x}");
        ConfigError::source(Origin::line(path, line), problem)
    })?;
    parse(path, text).map(Some)
}

/// The assignments of a file with this text.
pub(super) fn parse(path: &Path, text: &str) -> Result<Vec<Assignment>, ConfigError> {
    let document = DeTable::parse(text).map_err(|error| syntax_error(path, text, &error))?;
    let mut assignments = Vec::new();
    for (section, value) in in_order(document.get_ref()) {
        let name = section.get_ref().as_ref();
        let origin = Origin::line(path, line_of(text.as_bytes(), section.span().start));
        let is_section = SECTIONS.contains(&name);
        match value.get_ref() {
            DeValue::Table(keys) if is_section => {
                for (key, value) in in_order(keys) {
                    let line = line_of(text.as_bytes(), key.span().start);
                    assignments.push(assignment(path, line, name, key.get_ref(), value)?);
                }
            }
            other if is_section => {
                let problem = format!("expected the section [{name}], found {}", to_value(other));
                return Err(ConfigError::key(origin, name, problem));
            }
            DeValue::Table(_) => {
                let known = SECTIONS.join("], [");
                let problem = format!("unknown section, expected one of [{known}]");
                return Err(ConfigError::key(origin, name, problem));
            }
            _ => return Err(ConfigError::key(origin, name, Key::unknown(name))),
        }
    }
    Ok(assignments)
}

fn assignment(
    path: &Path,
    line: usize,
    section: &str,
    key: &str,
    value: &Spanned<DeValue<'_>>,
) -> Result<Assignment, ConfigError> {
    let name = format!("{section}.{key}");
    let origin = Origin::line(path, line);
    match Key::find(&name) {
        Some(key) => Ok(Assignment { key, value: to_value(value.get_ref()), origin }),
        None => Err(ConfigError::key(origin, &name, Key::unknown(&name))),
    }
}

/// The entries of a table as they stand in the file; the parser sorts them by name.
fn in_order<'t, 'i>(table: &'t DeTable<'i>) -> Vec<(&'t Spanned<DeString<'i>>, &'t Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

fn to_value(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::Other(number.to_string()), Value::Integer),
        DeValue::Float(number) => Value::Float(number.as_str().to_owned()),
        DeValue::Boolean(flag) => Value::Boolean(*flag),
        DeValue::Datetime(date) => Value::Other(date.to_string()),
        DeValue::Array(elements) => Value::Array(elements.iter().map(|element| to_value(element.get_ref())).collect()),
        DeValue::Table(table) => Value::Table(
            in_order(table)
                .into_iter()
                .map(|(key, value)| (key.get_ref().to_string(), to_value(value.get_ref())))
                .collect(),
        ),
    }
}

fn syntax_error(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let before = error.span().map(|span| &text.as_bytes()[..span.start.min(text.len())]);
    let origin = before.map_or_else(
        || Origin::file(path),
        |before| {
            let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
            let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
            let line = line_of(before, before.len());
            Origin::File { path: path.to_owned(), line: Some(line), column: Some(column) }
        },
    );
    ConfigError::source(origin, error.message())
}

/// The line of a byte, counted from 1.
fn line_of(text: &[u8], offset: usize) -> usize {
    memchr::memchr_iter(b'\n', &text[..offset.min(text.len())]).count() + 1
}
