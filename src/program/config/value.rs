//! One value of a setting, as its source wrote it, before its key gives it a type.
//!
//! TOML types its values; the environment and the command line know only text. Readers (module
//! `readers`) accept both, so that a key behaves the same wherever it is set. A value knows no
//! key and no source.

use std::fmt;

/// A value on its way to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text that its reader may take for a number or a list: environment, command line.
    Text(String),
    /// A TOML string.
    String(String),
    /// A TOML integer.
    Integer(i64),
    /// A TOML float, as written: only PHP directives take one.
    Float(String),
    /// A TOML boolean.
    Boolean(bool),
    /// A TOML array.
    Array(Vec<Self>),
    /// A TOML table, in the order of the file.
    Table(Vec<(String, Self)>),
    /// What no key takes: a date, an integer beyond 64 bits. Its description.
    Other(String),
}

impl Value {
    /// The number that was written, as a TOML integer or as text.
    pub(super) fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// The string that was written.
    pub(super) fn str(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The elements of a list: a TOML array's, the comma-separated pieces of a text, or the one
    /// value itself where a single TOML value stands for a list of one.
    pub(super) fn elements(&self) -> Vec<Self> {
        match self {
            Self::Array(elements) => elements.clone(),
            Self::Text(text) => text.split(',').map(|piece| Self::Text(piece.trim().to_owned())).collect(),
            single => vec![single.clone()],
        }
    }

    /// The names and values of a TOML table, or of a text such as `a=b,c=d`.
    pub(super) fn entries(&self) -> Option<Vec<(String, Self)>> {
        let entry = |piece: &str| {
            let (name, value) = piece.split_once('=')?;
            Some((name.trim().to_owned(), Self::Text(value.trim().to_owned())))
        };
        match self {
            Self::Table(entries) => Some(entries.clone()),
            Self::Text(text) => text.split(',').map(entry).collect(),
            _ => None,
        }
    }

    /// The error of a reader that wanted something else.
    pub(super) fn instead_of(&self, expected: impl Into<String>) -> Mismatch {
        Mismatch::new(expected, self.to_string())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::String(text) => write!(f, "{text:?}"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Float(text) | Self::Other(text) => f.write_str(text),
            Self::Table(_) => f.write_str("a table"),
            Self::Boolean(flag) => write!(f, "{flag}"),
            Self::Array(elements) => {
                f.write_str("[")?;
                for (index, element) in elements.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { ", " })?;
                    write!(f, "{element}")?;
                }
                f.write_str("]")
            }
        }
    }
}

/// What a key takes, and what it was given instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mismatch {
    /// As in `a duration such as "10s"`.
    pub(super) expected: String,
    /// As in `"10x"`.
    pub(super) found: String,
}

impl Mismatch {
    pub(super) fn new(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { expected: expected.into(), found: found.into() }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}
