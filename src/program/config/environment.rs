//! The environment: `EPHPM_SECTION_KEY` sets `section.key`.
//!
//! A variable of ours that names no key is a slip and stops the start, as it would in the file.
//! An empty variable counts as unset: that is how Compose files and units pass on what they lack.

use std::ffi::OsString;

use super::assignment::Assignment;
use super::error::{ConfigError, Origin};
use super::nearest::nearest;
use super::settings::{KEYS, Key};
use super::value::Value;

const PREFIX: &str = "EPHPM_";

/// Where the build keeps libphp: ours, but not spoken to the program.
const BUILD_VARIABLE: &str = "EPHPM_CACHE";

/// Variables by which one process hands over to the next, without a person between them.
pub(in crate::program) const HANDOVER_PREFIX: &str = "EPHPM_HANDOVER_";

/// Variables of the tests, which start the program with them in its environment.
const TEST_PREFIX: &str = "EPHPM_TEST_";

/// Assignments from all variables, in the order of the names, so that of several errors the same
/// one is always reported.
pub(super) fn read(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Vec<Assignment>, ConfigError> {
    let ours = |(name, value): (OsString, OsString)| {
        let name = name.into_string().ok().filter(|name| name.starts_with(PREFIX))?;
        (!value.is_empty()).then_some((name, value))
    };
    let mut ours: Vec<(String, OsString)> = variables.into_iter().filter_map(ours).collect();
    ours.sort();
    ours.into_iter().filter_map(|(name, value)| assignment(name, value).transpose()).collect()
}

fn assignment(name: String, value: OsString) -> Result<Option<Assignment>, ConfigError> {
    let Some(key) = KEYS.iter().find(|key| key.variable() == name) else {
        if is_foreign(&name, &value.to_string_lossy()) {
            return Ok(None);
        }
        return Err(ConfigError::source(Origin::Variable(name.clone()), unknown(&name)));
    };
    match value.into_string() {
        Ok(text) => {
            let origin = Origin::Variable(name);
            Ok(Some(Assignment { key, value: Value::Text(text), origin }))
        }
        Err(_) => {
            let problem = "expected UTF-8 text";
            Err(ConfigError::key(Origin::Variable(name), key.name, problem))
        }
    }
}

fn unknown(name: &str) -> String {
    let variables = KEYS.iter().map(Key::variable);
    match nearest(&name[PREFIX.len()..], variables, |variable| &variable[PREFIX.len()..]) {
        Some(known) => format!("unknown variable, did you mean {known}?"),
        None => "unknown variable (ephpm --help lists the keys)".to_owned(),
    }
}

/// Whether a variable of our prefix is meant for somebody else. Kubernetes tells every
/// container where each service is, so that a service named `ephpm` makes `EPHPM_SERVICE_HOST`,
/// `EPHPM_SERVICE_PORT`, `EPHPM_SERVICE_PORT_HTTP`, `EPHPM_PORT`, `EPHPM_PORT_80_TCP_ADDR` and more
/// (Kubernetes, "Services", environment variables); Docker's links do likewise. `…_PORT` is told by
/// its value, a URL, from one that a person wrote.
fn is_foreign(name: &str, value: &str) -> bool {
    name == BUILD_VARIABLE
        || name.starts_with(TEST_PREFIX)
        || name.starts_with(HANDOVER_PREFIX)
        || name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.ends_with("_PORT") && value.contains("://"))
        || name.split_once("_PORT_").is_some_and(|(_, rest)| {
            rest.starts_with(|c: char| c.is_ascii_digit()) && (rest.contains("_TCP") || rest.contains("_UDP"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(variables: &[(&str, &str)]) -> Result<Vec<Assignment>, String> {
        read(variables.iter().map(|(name, value)| (name.into(), value.into()))).map_err(|error| error.to_string())
    }

    #[test]
    fn variables_set_keys_in_the_order_of_their_names() {
        let variables = [
            ("PATH", "/bin"),
            ("EPHPM_SERVER_WORKERS", "4"),
            ("EPHPM_LOGGING_LEVEL", "debug"),
            ("EPHPM_PHP_MEMORY_LIMIT", ""),
            ("ephpm_server_event_loops", "9"),
        ];
        let read = read_all(&variables).unwrap();
        let read: Vec<_> = read.iter().map(|a| (a.key.name, a.value.to_string())).collect();
        let expected = [("logging.level", "\"debug\""), ("server.workers", "\"4\"")];
        assert_eq!(read, expected.map(|(key, value)| (key, value.to_owned())));
    }

    #[test]
    fn unknown_variables_are_errors() {
        let table = [
            ("EPHPM_SERVER_WORKER", "EPHPM_SERVER_WORKER: unknown variable, did you mean EPHPM_SERVER_WORKERS?"),
            ("EPHPM_SEVER_WORKERS", "EPHPM_SEVER_WORKERS: unknown variable, did you mean EPHPM_SERVER_WORKERS?"),
            ("EPHPM_SERVER_ADDRESS", "EPHPM_SERVER_ADDRESS: unknown variable (ephpm --help lists the keys)"),
            ("EPHPM_X", "EPHPM_X: unknown variable (ephpm --help lists the keys)"),
        ];
        for (name, expected) in table {
            assert_eq!(read_all(&[(name, "1")]).unwrap_err(), expected);
        }
    }

    #[test]
    fn variables_of_others_are_left_alone() {
        let names = [
            "EPHPM_CACHE",
            "EPHPM_TEST_SERVER",
            "EPHPM_SERVICE_HOST",
            "EPHPM_SERVICE_PORT",
            "EPHPM_SERVICE_PORT_HTTP",
            "EPHPM_PORT",
            "EPHPM_PORT_80_TCP",
            "EPHPM_PORT_80_TCP_ADDR",
            "EPHPM_SERVER_SERVICE_HOST",
            "EPHPM_PORT_53_UDP_PROTO",
        ];
        for name in names {
            assert_eq!(read_all(&[(name, "tcp://10.0.0.1:80")]), Ok(Vec::new()), "{name}");
        }
    }

    #[test]
    fn no_key_looks_like_somebody_elses_variable() {
        for key in KEYS {
            assert!(!is_foreign(&key.variable(), "tcp://10.0.0.1:80"), "{}", key.name);
        }
    }

    #[test]
    fn values_are_text() {
        use std::os::unix::ffi::OsStringExt as _;
        let value = OsString::from_vec(vec![0xff]);
        let error = read([("EPHPM_SERVER_DOCUMENT_ROOT".into(), value)]).unwrap_err();
        let expected = "EPHPM_SERVER_DOCUMENT_ROOT: server.document_root: expected UTF-8 text";
        assert_eq!(error.to_string(), expected);
    }
}
