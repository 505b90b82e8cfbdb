//! A key of the configuration, and the macro that makes keys and structs from one table.
//!
//! Sources find a key by its name or by its variable and hand it a value; only the key knows the
//! field and the type behind it.

use std::path::Path;

use super::error::Mismatch;
use super::nearest::nearest;
use super::readers::Read;
use super::settings::{Config, KEYS};
use super::value::Value;

/// A key of the configuration.
#[derive(Debug)]
pub struct Key {
    /// Section and name: `server.head_timeout`.
    pub name: &'static str,
    /// The default as one would write it on the command line; `None` where nothing is set.
    pub default: Option<&'static str>,
    pub(super) set: Set,
}

/// Reads a value into its field. The path is where relative paths start.
pub(super) type Set = fn(&mut Config, &Value, &Path) -> Result<(), Mismatch>;

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
    pub(super) fn bare_name(&self) -> &'static str {
        self.name
            .split_once('.')
            .map_or(self.name, |(_, bare)| bare)
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Key {}

/// Reads a default. It was written by us, beside its reader.
pub(super) fn initial<T>(default: &str, read: impl Fn(&Value, &Path) -> Read<T>) -> T {
    read(&Value::Text(default.to_owned()), Path::new(""))
        .expect("a default of the table is accepted by its own reader")
}

/// Expands the table of settings to one struct per section, to `Config` that holds them, to
/// `SECTIONS` and to `KEYS`. A row ends in `=> extend` when a source adds to the value of those
/// below it instead of replacing it.
macro_rules! settings {
    ($(
        $(#[$section_doc:meta])*
        $section:ident: $Section:ident {
            $(
                $(#[$doc:meta])*
                $key:ident: $Type:ty = $read:expr $(, $default:literal)? $(=> $how:ident)?;
            )*
        }
    )*) => {
        $(
            $(#[$section_doc])*
            #[derive(Debug, Clone, PartialEq, Eq)]
            pub struct $Section {
                $( $(#[$doc])* pub $key: $Type, )*
            }
        )*

        /// The configuration: what the program is to do, complete and checked.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Config {
            /// For visitors or for the site's author. Not a key: the command line decides.
            pub mode: Mode,
            $( $(#[$section_doc])* pub $section: $Section, )*
        }

        impl Config {
            /// What holds when nothing is set; not yet a usable configuration, for there is no
            /// document root.
            pub(super) fn initial(mode: Mode) -> Self {
                Self {
                    mode,
                    $( $section: $Section {
                        $( $key: settings!(@initial $read $(, $default)?), )*
                    }, )*
                }
            }
        }

        /// The sections of the configuration file, in order.
        pub(super) const SECTIONS: &[&str] = &[$( stringify!($section), )*];

        /// Every key there is, in the order of the table.
        pub const KEYS: &[Key] = &[$($( Key {
            name: concat!(stringify!($section), ".", stringify!($key)),
            default: settings!(@default $($default)?),
            set: |config, value, base| {
                let value = ($read)(value, base)?;
                settings!(@put config.$section.$key, value $(, $how)?);
                Ok(())
            },
        }, )*)*];
    };

    (@initial $read:expr, $default:literal) => { initial($default, $read) };
    (@initial $read:expr) => { Default::default() };
    (@default $default:literal) => { Some($default) };
    (@default) => { None };
    (@put $place:expr, $value:ident) => { $place = $value };
    (@put $place:expr, $value:ident, extend) => { $place.extend($value) };
}
pub(super) use settings;
