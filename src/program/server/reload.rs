//! Reading the configuration again: what changes at once, and what keeps its value until the server is restarted.
//!
//! A configuration that is wrong changes nothing. Sockets, threads and PHP belong to the process for life.

use log::Level;

use super::super::config::{Config, KEYS, Key};
use super::super::php_ini::php_ini;

/// Settings that are used once, at the start; a name that ends in a dot is that of a section.
const AT_THE_START: &[&str] = &[
    "server.listen",
    "server.processes",
    "server.workers",
    "server.event_loops",
    "server.queue_max",
    "server.pools",
    "server.server_software",
    "access_log.",
    "php.",
    "process.",
    "internal.",
];

/// The configuration that holds from now on, if there is a new one: `new` as far as it can be applied to a process that
/// was started with `old`. The log is told what cannot, on this level.
pub(super) fn merge(old: &Config, mut new: Config, level: Level) -> Config {
    for key in KEYS.iter().filter(|key| is_at_the_start(key)) {
        if !(key.is_same)(old, &new) {
            log::log!(level, "{} has changed, which takes a restart", key.name);
            (key.copy)(old, &mut new);
        }
    }
    if php_ini(old) != php_ini(&new) {
        log::log!(level, "PHP's settings that follow from the changed ones stay as they are until a restart");
    }
    new
}

fn is_at_the_start(key: &Key) -> bool {
    AT_THE_START.iter().any(|name| if name.ends_with('.') { key.name.starts_with(name) } else { key.name == *name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_that_of_a_setting() {
        for name in AT_THE_START {
            assert!(KEYS.iter().any(|key| is_at_the_start(key) && key.name.starts_with(name)), "{name}");
        }
    }
}
