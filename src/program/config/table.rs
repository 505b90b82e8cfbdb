//! The macro that makes the configuration's structs and its keys from one table.
//!
//! It knows the form of a row and nothing of what stands in it. The names that it uses, `Key`,
//! `Unset` and `Mode`, are those of the module of the table.

use std::path::Path;

use super::readers::Read;
use super::value::Value;

/// Reads a default. It was written by us, beside its reader.
pub(super) fn initial<T>(default: &str, read: impl Fn(&Value, &Path) -> Read<T>) -> T {
    read(&Value::Text(default.to_owned()), Path::new("")).expect("a default of the table is accepted by its own reader")
}

/// Expands a table of settings to one struct per section, to `Config` that holds them, to
/// `SECTIONS` and to `KEYS`. A row ends in `=> extend` when a source adds to the value of those
/// below it instead of replacing it.
macro_rules! settings {
    ($(
        $(#[$section_doc:meta])*
        $section:ident: $Section:ident {
            $(
                $(#[$doc:meta])*
                $key:ident: $Type:ty = $read:expr $(, $default:literal)? $(, unset $words:literal)?
                    $(=> $how:ident)?;
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
            default: settings!(@default $($default)? $(unset $words)?),
            set: |config, value, base| {
                let value = ($read)(value, base)?;
                settings!(@put config.$section.$key, value $(, $how)?);
                Ok(())
            },
            is_same: |one, other| one.$section.$key == other.$section.$key,
            copy: |from, to| to.$section.$key.clone_from(&from.$section.$key),
        }, )*)*];
    };

    (@initial $read:expr, $default:literal) => { initial($default, $read) };
    (@initial $read:expr) => { Default::default() };
    (@default $default:literal) => { Unset::Value($default) };
    (@default unset $words:literal) => { Unset::Words($words) };
    (@put $place:expr, $value:ident) => { $place = $value };
    (@put $place:expr, $value:ident, extend) => { $place.extend($value) };
}
pub(super) use settings;
