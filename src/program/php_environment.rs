//! The environment of scripts: what the server's own is to be for them, with the variables of `[php.env]`.
//!
//! As with php-fpm's `clear_env` and `env[NAME]`: by default nothing of the server's environment gets through, and that
//! includes `PATH`; `USER` and `HOME` are those of `process.user` where that is set. This module makes a list; it does
//! not know PHP, and does not look at the environment itself.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// Beginnings of names that are the server's own business: its configuration, and how it talks with who started it.
const OWN: [&[u8]; 3] = [b"EPHPM_", b"LISTEN_", b"NOTIFY_SOCKET"];

/// The variables, each name once. `clear` is `php.clear_env`, `configured` is `php.env`. `login` is the name and the home of the user that PHP runs as, if the configuration
/// names one; `server` is the environment in which the server was started.
pub fn php_environment(
    clear: bool,
    configured: &[(String, String)],
    login: Option<(OsString, OsString)>,
    server: impl IntoIterator<Item = (OsString, OsString)>,
) -> Vec<(OsString, OsString)> {
    let server: Vec<_> = server.into_iter().collect();
    let mut environment = Vec::new();
    if !clear {
        let is_own = |name: &OsStr| OWN.iter().any(|own| name.as_bytes().starts_with(own));
        environment.extend(server.iter().filter(|(name, _)| !is_own(name)).cloned());
    }
    if let Some((user, home)) = login {
        set(&mut environment, "USER".into(), user);
        set(&mut environment, "HOME".into(), home);
    }
    for (name, value) in configured {
        let value = match value.strip_prefix('$') {
            Some(passed) => server.iter().find(|(name, _)| name == passed).map(|(_, value)| value.clone()),
            None => Some(value.into()),
        };
        set(&mut environment, name.into(), value.unwrap_or_default());
    }
    environment
}

fn set(environment: &mut Vec<(OsString, OsString)>, name: OsString, value: OsString) {
    match environment.iter_mut().find(|(known, _)| *known == name) {
        Some((_, known)) => *known = value,
        None => environment.push((name, value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(clear_env: bool, env: &[(&str, &str)], login: Option<(&str, &str)>, expected: &str) {
        let server = [("PATH", "/bin"), ("EPHPM_PHP_ENV", "secret"), ("NOTIFY_SOCKET", "/run/s"), ("HOME", "/root")];
        let os = |(name, value): (&str, &str)| (OsString::from(name), OsString::from(value));
        let env: Vec<_> = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let environment = php_environment(clear_env, &env, login.map(os), server.map(os));
        let shown: Vec<_> = environment.iter().map(|(name, value)| format!("{name:?}={value:?}")).collect();
        assert_eq!(shown.join(" ").replace('"', ""), expected);
    }

    #[test]
    fn nothing_gets_through_unless_it_is_asked_for() {
        check(true, &[], None, "");
        check(true, &[("A", "b"), ("A", "c"), ("B", "")], None, "A=c B=");
        check(
            true,
            &[("PATH", "$PATH"), ("NONE", "$NONE"), ("S", "a$PATH"), ("D", "$")],
            None,
            "PATH=/bin NONE= S=a$PATH D=",
        );
    }

    #[test]
    fn the_servers_own_variables_never_do() {
        check(false, &[], None, "PATH=/bin HOME=/root");
        check(false, &[("HOME", "/srv")], None, "PATH=/bin HOME=/srv");
    }

    #[test]
    fn a_user_has_a_home() {
        check(true, &[], Some(("www", "/var/www")), "USER=www HOME=/var/www");
        check(false, &[], Some(("www", "/var/www")), "PATH=/bin HOME=/var/www USER=www");
        check(true, &[("HOME", "/srv")], Some(("www", "/var/www")), "USER=www HOME=/srv");
    }
}
