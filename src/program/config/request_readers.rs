//! Readers of the settings that say what is done with requests and responses: proxies, fields, pages, logs.
//!
//! As module `readers`, whose contract they share.

use std::path::{Path, PathBuf};

use super::readers::{Read, path};
use super::value::{Mismatch, Value};
use crate::http::headers::{is_field_value, is_token};
use crate::http::status::Status;
use crate::service::access_log::Format;
use crate::site::forwarded::{Field, Network};
use crate::site::header_rules::{RULES_MAX, Rule};

/// Fields that an operator cannot set: the protocol sets them itself.
const OWN_FIELDS: [&str; 10] = [
    "Connection",
    "Content-Length",
    "Date",
    "Keep-Alive",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Content-Encoding",
];
/// Fields that a response has at most once (RFC 9110 §5.3), which can be set but not added.
const SINGLE_FIELDS: [&str; 11] = [
    "Accept-Ranges",
    "Age",
    "Content-Location",
    "Content-Range",
    "Content-Type",
    "ETag",
    "Expires",
    "Last-Modified",
    "Location",
    "Retry-After",
    "Server",
];

/// Addresses and networks.
pub(super) fn networks() -> impl Fn(&Value, &Path) -> Read<Vec<Network>> {
    |value, _| {
        let expected = r#"addresses and networks such as ["127.0.0.1", "10.0.0.0/8", "fd00::/8"]"#;
        let network = |element: Value| {
            let network = element.str().and_then(|text| text.parse().ok());
            network.ok_or_else(|| element.instead_of(expected))
        };
        value.elements().into_iter().map(network).collect()
    }
}

/// Names of the fields that proxies set.
pub(super) fn forwarded_fields() -> impl Fn(&Value, &Path) -> Read<Vec<Field>> {
    |value, _| {
        let names = [
            ("X-Forwarded-For", Field::For),
            ("X-Forwarded-Proto", Field::Proto),
            ("X-Forwarded-Host", Field::Host),
            ("X-Forwarded-Port", Field::Port),
            ("Forwarded", Field::Forwarded),
        ];
        let field = |element: Value| {
            let name = element.str().unwrap_or_default();
            let found = names.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
            found.map(|(_, field)| *field).ok_or_else(|| {
                element
                    .instead_of("X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, X-Forwarded-Port or Forwarded")
            })
        };
        let fields: Vec<Field> = value.elements().into_iter().map(field).collect::<Read<_>>()?;
        if fields.len() > 1 && fields.contains(&Field::Forwarded) {
            return Err(Mismatch::new("Forwarded alone, or fields that begin with X-", "both"));
        }
        Ok(fields)
    }
}

/// What scripts read of the server.
pub(super) fn server_software() -> impl Fn(&Value, &Path) -> Read<Option<String>> {
    |value, _| {
        let text = value.str().filter(|text| !text.is_empty() && is_field_value(text.as_bytes()));
        text.map(|text| Some(text.to_owned())).ok_or_else(|| value.instead_of("one line of text"))
    }
}

/// Errors, each with its page.
pub(super) fn error_pages() -> impl Fn(&Value, &Path) -> Read<Vec<(Status, String)>> {
    |value, _| {
        let expected = r#"errors and their pages such as { 404 = "/errors/404.html" }"#;
        let page = |(code, page): (String, Value)| {
            let status = code.parse().ok().filter(|code| (400..=599).contains(code)).and_then(Status::from_code);
            let status = status.ok_or_else(|| Value::String(code).instead_of("an error from 400 to 599"))?;
            let path = page.str().filter(|path| is_page(path)).map(str::to_owned);
            let path = path.ok_or_else(|| page.instead_of("a path such as \"/errors/404.html\""))?;
            // PHP fails, or has too much to do: one does not ask it what to say to that.
            if status.code() >= 500 && path.ends_with(".php") {
                return Err(page.instead_of(format!("a page for {} that is no script", status.code())));
            }
            Ok((status, path))
        };
        let entries = value.entries().ok_or_else(|| value.instead_of(expected))?;
        entries.into_iter().map(page).collect()
    }
}

/// A path below the document root that is looked up as it is written.
fn is_page(path: &str) -> bool {
    let names = path.strip_prefix('/').map(|names| names.split('/'));
    let is_plain = |name: &str| !matches!(name, "" | "." | "..") && !name.contains(['\0', '\\']);
    names.is_some_and(|mut names| names.all(is_plain))
}

/// Prefixes of URLs, each with its directory.
pub(super) fn internal_files() -> impl Fn(&Value, &Path) -> Read<Vec<(String, PathBuf)>> {
    |value, base| {
        let expected = r#"prefixes and directories such as { "/protected/" = "/srv/files" }"#;
        let directory = |(prefix, directory): (String, Value)| {
            if prefix != "/" && !prefix.strip_suffix('/').is_some_and(is_page) {
                return Err(Value::String(prefix).instead_of("a prefix such as \"/protected/\""));
            }
            Ok((prefix, path()(&directory, base)?))
        };
        let entries = value.entries().ok_or_else(|| value.instead_of(expected))?;
        entries.into_iter().map(directory).collect()
    }
}

/// Paths, names and values: `[["/*", "X-Frame-Options", "DENY"]]`, or as text `/* X-Frame-Options: DENY` lines.
pub(super) fn header_rules(replaces: bool) -> impl Fn(&Value, &Path) -> Read<Vec<Rule>> {
    move |value, _| {
        let expected = r#"[path, name, value] such as [["/*", "X-Content-Type-Options", "nosniff"]]"#;
        let parts: Option<Vec<[String; 3]>> = match value {
            Value::Text(text) => text.lines().filter(|line| !line.trim().is_empty()).map(split_rule).collect(),
            Value::Array(rules) => rules.iter().map(three_strings).collect(),
            _ => None,
        };
        let parts = parts.ok_or_else(|| value.instead_of(expected))?;
        if parts.len() > RULES_MAX / 2 {
            return Err(Mismatch::new(format!("at most {} rules", RULES_MAX / 2), parts.len().to_string()));
        }
        parts.into_iter().map(|[pattern, name, value]| header_rule(pattern, name, value, replaces)).collect()
    }
}

fn split_rule(line: &str) -> Option<[String; 3]> {
    let (pattern, field) = line.trim().split_once(' ')?;
    let (name, value) = field.split_once(':')?;
    Some([pattern, name, value].map(|part| part.trim().to_owned()))
}

fn three_strings(rule: &Value) -> Option<[String; 3]> {
    let Value::Array(parts) = rule else { return None };
    let strings: Option<Vec<String>> = parts.iter().map(|part| part.str().map(str::to_owned)).collect();
    strings?.try_into().ok()
}

fn header_rule(pattern: String, name: String, value: String, replaces: bool) -> Read<Rule> {
    let is = |fields: &[&str]| fields.iter().any(|field| field.eq_ignore_ascii_case(&name));
    let found = |text: &str| Value::String(text.to_owned()).to_string();
    if !pattern.starts_with(['/', '*']) {
        return Err(Mismatch::new("a path such as \"/*\" or \"*.css\"", found(&pattern)));
    }
    if !is_token(name.as_bytes()) {
        return Err(Mismatch::new("the name of a header field", found(&name)));
    }
    if is(&OWN_FIELDS) {
        return Err(Mismatch::new("a field that is not the protocol's own", found(&name)));
    }
    // Codings are negotiated, and caches must know.
    if replaces && is(&["Vary"]) {
        return Err(Mismatch::new("headers.add for a field that others set too", found(&name)));
    }
    if !replaces && is(&SINGLE_FIELDS) {
        return Err(Mismatch::new("a field that may occur more than once (or headers.set)", found(&name)));
    }
    if !is_field_value(value.as_bytes()) || value.trim() != value || (!replaces && value.is_empty()) {
        return Err(Mismatch::new(format!("a value of {name}"), found(&value)));
    }
    Ok(Rule { pattern, name, value, replaces })
}

/// Variables of an environment, each with its value.
pub(super) fn environment_variables() -> impl Fn(&Value, &Path) -> Read<Vec<(String, String)>> {
    |value, _| {
        let expected = r#"variables and their values such as { APP_ENV = "production", HOME = "$HOME" }"#;
        let variable = |(name, value): (String, Value)| {
            if name.is_empty() || name.contains(['=', '\0']) {
                return Err(Value::String(name).instead_of("the name of a variable"));
            }
            let text = match &value {
                Value::Integer(number) => Some(number.to_string()),
                other => other.str().filter(|text| !text.contains('\0')).map(str::to_owned),
            };
            text.map(|text| (name, text)).ok_or_else(|| value.instead_of("text as the value of a variable"))
        };
        let entries = value.entries().ok_or_else(|| value.instead_of(expected))?;
        entries.into_iter().map(variable).collect()
    }
}

/// How requests are logged.
pub(super) fn access_log_format() -> impl Fn(&Value, &Path) -> Read<Option<Format>> {
    |value, _| match value.str() {
        Some("combined") => Ok(Some(Format::Combined)),
        Some("json") => Ok(Some(Format::Json)),
        Some("off") => Ok(None),
        _ => Err(value.instead_of(r#""off", "combined" or "json""#)),
    }
}

/// A file, or standard output.
pub(super) fn log_path() -> impl Fn(&Value, &Path) -> Read<Option<PathBuf>> {
    |value, base| match value.str() {
        Some("stdout") => Ok(None),
        Some(_) => path()(value, base).map(Some),
        None => Err(value.instead_of("a path, or \"stdout\"")),
    }
}
