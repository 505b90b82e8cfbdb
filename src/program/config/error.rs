//! Where a setting came from, and what was wrong with it.
//!
//! An error is one line for the person who wrote the setting: the place, the key, what was wanted
//! and what was found. Nobody matches on it; the program prints it and leaves.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

/// The source of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The configuration file: a line and a column (counted from 1) where they are known.
    File {
        /// The file as it was named to us.
        path: PathBuf,
        /// The line.
        line: Option<usize>,
        /// The column, in characters.
        column: Option<usize>,
    },
    /// An environment variable, by its name.
    Variable(String),
    /// A command-line option, as it was written: `--workers`, `-d`, `serve`.
    Option(String),
}

impl Origin {
    /// A configuration file as a whole.
    pub(super) fn file(path: &Path) -> Self {
        Self::File { path: path.to_owned(), line: None, column: None }
    }

    /// A line of a configuration file.
    pub(super) fn line(path: &Path, line: usize) -> Self {
        Self::File { path: path.to_owned(), line: Some(line), column: None }
    }

    /// The directory that relative paths start from: the configuration file's own, otherwise the
    /// current one (an empty path).
    pub(super) fn base(&self) -> &Path {
        match self {
            Self::File { path, .. } => path.parent().unwrap_or_else(|| Path::new("")),
            Self::Default | Self::Variable(_) | Self::Option(_) => Path::new(""),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line, column } => {
                write!(f, "{}", path.display())?;
                for number in [line, column].into_iter().flatten() {
                    write!(f, ":{number}")?;
                }
                Ok(())
            }
            Self::Variable(name) | Self::Option(name) => f.write_str(name),
        }
    }
}

/// Why there is no configuration. Displayed as
/// `ephpm.toml:4: server.head_timeout: expected a duration such as "10s", found "10x"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    origin: Origin,
    key: Option<String>,
    problem: String,
}

impl ConfigError {
    /// A source that cannot be used at all.
    pub(super) fn source(origin: Origin, problem: impl fmt::Display) -> Self {
        Self { origin, key: None, problem: problem.to_string() }
    }

    /// A key that is unknown, or a known one with a bad value.
    pub(super) fn key(origin: Origin, key: &str, problem: impl fmt::Display) -> Self {
        Self { origin, key: Some(key.to_owned()), problem: problem.to_string() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if let Some(key) = &self.key {
            // TOML allows whatever is in quotes; the error is one line all the same.
            for c in key.chars() {
                if c.is_control() { write!(f, "{}", c.escape_default())? } else { f.write_char(c)? }
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for ConfigError {}
