//! Readers of the settings that go to PHP as directives of php.ini.
//!
//! As module `readers`, whose contract they share. What a directive means is PHP's affair: a name must be one, and a
//! value must be one line, since PHP's parser reads lines.

use std::path::Path;

use super::readers::{Read, parse_size};
use super::value::{Mismatch, Value};

/// PHP's `memory_limit` in PHP's own shorthand.
pub(super) fn memory_limit() -> impl Fn(&Value, &Path) -> Read<Option<String>> {
    |value, _| {
        let text = match value {
            Value::Integer(bytes) => bytes.to_string(),
            other => other.str().unwrap_or_default().trim().to_owned(),
        };
        let valid = text == "-1" || parse_size(&text).is_some_and(|bytes| bytes > 0);
        let expected = "a size such as \"128M\", or \"-1\" for no limit";
        Some(text).filter(|_| valid).map(Some).ok_or_else(|| value.instead_of(expected))
    }
}

/// Directives of php.ini: `[["name", value], …]`, or as text `name=value` lines, or
/// `name=value;name=value` where there is but one line.
pub(super) fn ini_overrides() -> impl Fn(&Value, &Path) -> Read<Vec<(String, String)>> {
    |value, _| match value {
        Value::Text(text) => {
            let separator = if text.contains('\n') { '\n' } else { ';' };
            let pieces = text.split(separator).map(str::trim).filter(|piece| !piece.is_empty());
            pieces
                .map(|piece| {
                    let value = Value::Text(piece.to_owned());
                    let pair = piece.split_once('=');
                    let pair = pair.map(|(name, value)| (name.trim(), value.trim().to_owned()));
                    ini_pair(pair, &value)
                })
                .collect()
        }
        Value::Array(pairs) => pairs
            .iter()
            .map(|pair| {
                let name_and_value = match pair {
                    Value::Array(pair) => match pair.as_slice() {
                        [name, value] => name.str().zip(ini_text(value)),
                        _ => None,
                    },
                    _ => None,
                };
                ini_pair(name_and_value, pair)
            })
            .collect(),
        other => Err(ini_mismatch(other)),
    }
}

fn ini_mismatch(value: &Value) -> Mismatch {
    value.instead_of("[name, value] pairs such as [[\"memory_limit\", \"256M\"]]")
}

/// Checks a directive: its name is a name, and its value a line (PHP's parser reads lines).
fn ini_pair(pair: Option<(&str, String)>, whole: &Value) -> Read<(String, String)> {
    let (name, value) = pair.ok_or_else(|| ini_mismatch(whole))?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if !is_name {
        return Err(Value::String(name.to_owned()).instead_of("the name of a php.ini directive"));
    }
    if value.contains(['\n', '\r', '\0']) {
        return Err(Value::String(value).instead_of(format!("one line as the value of {name}")));
    }
    Ok((name.to_owned(), value))
}

/// A scalar in php.ini's spelling.
fn ini_text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) | Value::String(text) | Value::Float(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Boolean(flag) => Some(u8::from(*flag).to_string()),
        Value::Array(_) | Value::Table(_) | Value::Other(_) => None,
    }
}
