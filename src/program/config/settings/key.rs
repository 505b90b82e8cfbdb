//! One key of the configuration: its name, and what can be done with it whatever its type is.
//!
//! Made by the table of settings, row by row, and asked by everything that names keys: the file, the environment, the
//! command line and `--help`. It knows how to set a key, and not what the key means.

use std::path::Path;

use super::{Config, KEYS};
use crate::program::config::nearest::nearest;
use crate::program::config::value::{Mismatch, Value};

/// A key of the configuration.
#[derive(Debug)]
pub struct Key {
    /// Section and name: `server.head_timeout`.
    pub name: &'static str,
    /// What holds while nobody sets it.
    pub default: Unset,
    pub(in crate::program::config) set: Set,
    /// Whether two configurations agree on it.
    pub is_same: fn(&Config, &Config) -> bool,
    /// Takes it over from one configuration to another.
    pub copy: fn(&Config, &mut Config),
}

/// What holds while nobody sets a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unset {
    /// This value, as one would write it on the command line.
    Value(&'static str),
    /// Something that is not a value of the key; in words.
    Words(&'static str),
}

/// Reads a value into its field. The path is where relative paths start.
type Set = fn(&mut Config, &Value, &Path) -> Result<(), Mismatch>;

impl Key {
    /// The key of this name, spelt in full.
    pub fn find(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// The environment variable that sets it: `EPHPM_SERVER_HEAD_TIMEOUT`.
    pub fn variable(&self) -> String {
        format!("EPHPM_{}", self.name.replace('.', "_").to_ascii_uppercase())
    }

    /// What to say of a key that does not exist: it may be misspelt, or stand in the wrong
    /// section or in none.
    pub(in crate::program) fn unknown(name: &str) -> String {
        let (section, bare) = name.rsplit_once('.').unwrap_or(("", name));
        let is_elsewhere = |key: &&Self| key.name != format!("{section}.{}", key.bare_name());
        let mut keys: Vec<&Self> = KEYS.iter().collect();
        keys.sort_by_key(is_elsewhere);
        match nearest(bare, keys, |key| key.bare_name()) {
            Some(key) => format!("unknown key, did you mean {}?", key.name),
            None => "unknown key (ephpm --help lists them all)".to_owned(),
        }
    }

    /// The name without its section: `head_timeout`.
    pub(in crate::program::config) fn bare_name(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(_, bare)| bare)
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Key {}
