//! The settings that PHP starts with: a built-in profile below php.ini, our keys above it.
//!
//! PHP without a php.ini is set up for nobody: errors are displayed and not logged, output is not
//! buffered, the environment lands in `$_ENV`. The profile is php.ini-production where that
//! differs from PHP's own defaults, with what a threaded server for WordPress needs besides, or
//! php.ini-development's answers for `ephpm serve`. This module makes text; it does not know PHP.

use std::path::PathBuf;

use super::config::readers::size_text;
use super::config::{Config, Mode};

/// What PHP reads at startup, weakest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhpIni {
    /// The profile, for the `ini_defaults` callback of `sapi_module_struct`: PHP's configuration
    /// hash takes these values as they are, so there are numbers here where php.ini would have
    /// constants. The ini file wins over them.
    pub defaults: Vec<(&'static str, String)>,
    /// The ini file, for `php_ini_path_override`.
    pub file: Option<PathBuf>,
    /// What wins over the ini file, for `ini_entries`: `name=value` lines, the later one of a
    /// name wins. Holds no NUL.
    pub entries: String,
}

/// PHP's settings for a configuration.
pub fn php_ini(config: &Config) -> PhpIni {
    let time = config.php.max_execution_time.map(|time| time.as_secs().to_string());
    let memory = config.php.memory_limit.clone();
    let profile = match config.mode {
        Mode::Production => PRODUCTION,
        Mode::Development => DEVELOPMENT,
    };
    // What a request may bring is decided once, by the server; PHP's own limits follow.
    let content_bytes_max = size_text(config.server.content_bytes_max);
    let temp_dir = config.server.temp_dir.to_str().map(str::to_owned);
    let ours = [
        ("post_max_size", Some(content_bytes_max.clone())),
        ("upload_max_filesize", Some(content_bytes_max)),
        ("upload_tmp_dir", temp_dir.clone()),
        // Scripts do not see the server's TMPDIR.
        ("sys_temp_dir", temp_dir),
        // A quarter: what frees objects does not look at the stack, and needs the rest.
        ("zend.max_allowed_stack_size", Some((config.php.thread_stack / 4).to_string())),
    ];
    let ours = ours.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let fixed = COMMON.iter().chain(profile).map(|(name, value)| (*name, (*value).to_owned()));

    let explicit = [("max_execution_time", time), ("memory_limit", memory)];
    let explicit = explicit.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let entries = explicit.chain(config.php.ini_overrides.iter().cloned());
    PhpIni {
        defaults: fixed.chain(ours).collect(),
        file: config.php.ini_file.clone(),
        entries: entries.map(|(name, value)| format!("{name}={}\n", ini_value(&value))).collect(),
    }
}

/// `E_ALL` of PHP 8.4. Earlier versions add `E_STRICT` (2048), which nothing raises any more.
const E_ALL: &str = "30719";
/// `E_ALL & ~E_DEPRECATED`.
const E_ALL_BUT_DEPRECATED: &str = "22527";

/// Both profiles.
const COMMON: &[(&str, &str)] = &[
    ("log_errors", "1"),
    ("html_errors", "1"),
    ("short_open_tag", "0"),
    ("variables_order", "GPCS"),
    ("request_order", "GP"),
    ("register_argc_argv", "0"),
    // The server gathers output itself. A buffer of PHP's in front of it would hold back what `flush()` sends, and all
    // of what `readfile()` reads. Sites that send headers after output may want 4096, as php.ini-production has it.
    ("output_buffering", "0"),
    ("implicit_flush", "0"),
    ("enable_dl", "0"),
    // A response does not say which PHP made it.
    ("expose_php", "0"),
    ("mail.add_x_header", "0"),
    ("date.timezone", "UTC"),
    ("memory_limit", "128M"),
    ("max_execution_time", "30"),
    // Content has arrived before a script starts: no time to count apart from the script's own.
    ("max_input_time", "-1"),
    // Every PHP thread has a realpath cache of its own; WordPress with plugins fills thousands of
    // entries.
    ("realpath_cache_size", "4096K"),
    ("realpath_cache_ttl", "120"),
    ("session.gc_divisor", "1000"),
    // What `localhost` means as a database's host. PHP's own default is in /tmp, where any user of the machine could
    // listen in the place of the database.
    ("mysqli.default_socket", "/run/mysqld/mysqld.sock"),
    ("pdo_mysql.default_socket", "/run/mysqld/mysqld.sock"),
    ("opcache.enable", "1"),
    // Room for WordPress with many plugins. It is generous because running out restarts the cache,
    // and for a restart all threads have to be done with their requests. From how much waste on it
    // restarts is PHP's own default, 5 percent: a full cache that did not restart would take in
    // nothing more.
    ("opcache.memory_consumption", "256"),
    ("opcache.interned_strings_buffer", "32"),
    ("opcache.max_accelerated_files", "32531"),
    // PHP 8.4's default said aloud: earlier versions call it "tracing" with an empty buffer.
    ("opcache.jit", "disable"),
];

/// For visitors (php.ini-production).
const PRODUCTION: &[(&str, &str)] = &[
    ("display_errors", "0"),
    ("display_startup_errors", "0"),
    ("error_reporting", E_ALL_BUT_DEPRECATED),
    ("zend.exception_ignore_args", "1"),
    ("zend.exception_string_param_max_len", "0"),
    ("zend.assertions", "-1"),
    // A changed file is noticed within two seconds, as plugin updates rely on.
    ("opcache.validate_timestamps", "1"),
    ("opcache.revalidate_freq", "2"),
];

/// For the site's author (php.ini-development).
const DEVELOPMENT: &[(&str, &str)] = &[
    ("display_errors", "1"),
    ("display_startup_errors", "1"),
    ("error_reporting", E_ALL),
    ("zend.exception_ignore_args", "0"),
    ("zend.exception_string_param_max_len", "15"),
    ("zend.assertions", "1"),
    // A changed file is noticed by the next request.
    ("opcache.validate_timestamps", "1"),
    ("opcache.revalidate_freq", "0"),
];

/// A value as it must stand in an ini line so that PHP reads what was meant.
///
/// A single word and an expression of error levels stay bare, because PHP gives them a meaning:
/// `On`, `E_ALL & ~E_DEPRECATED`. All else is quoted: in single quotes nothing is special
/// (Zend/zend_ini_scanner.l, "Raw string"), and adjacent strings are one, so that a single quote
/// itself stands between two of them in double quotes, as in a shell.
fn ini_value(value: &str) -> String {
    if is_word(value) || is_error_levels(value) {
        return value.to_owned();
    }
    if value.is_empty() {
        return "\"\"".to_owned();
    }
    let mut quoted = String::with_capacity(value.len() + 2);
    for (index, piece) in value.split('\'').enumerate() {
        quoted.push_str(if index == 0 { "" } else { "\"'\"" });
        if !piece.is_empty() {
            quoted.push('\'');
            quoted.push_str(piece);
            quoted.push('\'');
        }
    }
    quoted
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether this is an expression of error levels, such as `E_ALL & ~(E_NOTICE | E_WARNING)`.
fn is_error_levels(text: &str) -> bool {
    text.contains("E_") && after_expression(text).is_some_and(|rest| rest.trim_end().is_empty())
}

/// What follows the expression that the text starts with: `operand { ("&" | "|" | "^") operand }`.
fn after_expression(text: &str) -> Option<&str> {
    let mut rest = after_operand(text)?;
    while let Some(operand) = rest.trim_start().strip_prefix(['&', '|', '^']) {
        rest = after_operand(operand)?;
    }
    Some(rest)
}

/// `"~" operand`, `"(" expression ")"`, a number or an `E_` constant.
fn after_operand(text: &str) -> Option<&str> {
    let text = text.trim_start();
    if let Some(operand) = text.strip_prefix('~') {
        return after_operand(operand);
    }
    if let Some(expression) = text.strip_prefix('(') {
        return after_expression(expression)?.trim_start().strip_prefix(')');
    }
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    (is_number || word.starts_with("E_")).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PHP 8.4.24 was given these as `ini_entries` and `ini_get` returned the value on the left,
    /// or, of the bare ones, what php.ini would make of it.
    #[test]
    fn values_are_quoted() {
        let table = [
            ("On", "On"),
            ("256M", "256M"),
            ("UTC", "UTC"),
            ("E_ALL", "E_ALL"),
            ("E_ALL & ~E_DEPRECATED", "E_ALL & ~E_DEPRECATED"),
            ("E_ALL^E_NOTICE|8", "E_ALL^E_NOTICE|8"),
            ("-1", "'-1'"),
            ("", "\"\""),
            (" ", "' '"),
            ("Europe/Berlin", "'Europe/Berlin'"),
            ("5;/tmp", "'5;/tmp'"),
            ("a=b ; c # d", "'a=b ; c # d'"),
            ("say \"${HOME}\" \\", "'say \"${HOME}\" \\'"),
            ("it's", "'it'\"'\"'s'"),
            ("'", "\"'\""),
            ("''a", "\"'\"\"'\"'a'"),
            ("E_ALL & ~(E_NOTICE | 8192)", "E_ALL & ~(E_NOTICE | 8192)"),
            ("E_ALL & (E_NOTICE", "'E_ALL & (E_NOTICE'"),
            ("E_ALL & E_NOTICE)", "'E_ALL & E_NOTICE)'"),
            ("E_ALL & TRUE", "'E_ALL & TRUE'"),
            ("E_ALL &", "'E_ALL &'"),
            ("this & that", "'this & that'"),
            ("naïve", "'naïve'"),
        ];
        for (value, expected) in table {
            assert_eq!(ini_value(value), expected, "{value}");
        }
    }

    #[test]
    fn a_directive_stands_once_in_a_profile() {
        for profile in [PRODUCTION, DEVELOPMENT] {
            let mut names: Vec<_> = COMMON.iter().chain(profile).map(|(name, _)| name).collect();
            let all = names.len();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), all);
        }
    }

    #[test]
    fn both_profiles_answer_the_same_questions() {
        let names =
            |profile: &[(&'static str, &str)]| -> Vec<&'static str> { profile.iter().map(|(name, _)| *name).collect() };
        assert_eq!(names(PRODUCTION), names(DEVELOPMENT));
    }
}
