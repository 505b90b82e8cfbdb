//! What every source boils down to: this key, this value, says that line, variable or option.

use super::error::Origin;
use super::settings::Key;
use super::value::Value;

/// A value for a key, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The key.
    pub key: &'static Key,
    /// The value as written.
    pub value: Value,
    /// Where it was written.
    pub origin: Origin,
}
