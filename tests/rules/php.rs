//! `docs/php-behaviours.md`: what PHP code may rely on, and what a server of PHP's threads has to get right, with the
//! tests that show it.
//!
//! The numbers of the first table are those of the project's list; those that are missing are about a mode in which a
//! script serves many requests, which there is not, or about more than one site.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

#[path = "php/behaviours.rs"]
mod behaviours;
#[path = "php/seam.rs"]
mod seam;
#[path = "php/threads.rs"]
mod threads;

/// A number, the behaviour, and the tests that show it: of each file some, or all that there is of it.
type Row = (u32, &'static str, &'static [(&'static str, &'static [&'static str])]);

const INTRODUCTION: &str = "# What PHP code may rely on, and the tests that show it

Written by `tests/rules.rs`, which also fails when a test that is named here is missing. A script in `tests/behaviours/scripts/` is
asked once and a hundred times, twenty clients at a time, on kept and on new connections, with OPcache and without, and with a
number of its own in each request; what is not is named below, with the reason. What was uncertain was settled by asking
nginx with php-fpm of the same version of PHP.
";

const DIFFERENCES: &str = "
## What is not asked a hundred times at once

- That a `.user.ini` is read again when its time is over: the file is changed between requests to one thread, so their order is what
  the test is about. That it holds for its scripts alone is asked a hundred times.
- Preloading without OPcache, since OPcache is what preloads: a hundred requests see that nothing is.
- What is a server's state and no script's (rows 37, 38, 40, 41, 57, 62, 63 and 66 of the first table: a full queue, a slow upload, a drain,
  threads that start anew, a release that is switched, the status, the log's files): a server is in it once, and the tests have clients of their
  own in it, several at a time.
- A program that hangs while it is started: what has it hang is the kernel's, for one file and 45 seconds.
- The command line (row 11) serves nobody, and what a URL means (rows 54 to 60) is decided before PHP.
- Of the last two tables, what is about libphp itself or one of its threads: there a hundred requests prove nothing. OPcache's restarts
  have a hundred clients, and the soak test does all of it at once.

## Where it differs from php-fpm

- A status set in a shutdown function after an error counts; php-fpm sends the 500 that PHP noted first.
- Of two cookies of one name in two lines the first counts, as in one line; nginx hands on the last line.
- A page that fits one block of output is sent whole although the script announced a `Content-Length` that is too small; nginx cuts
  it.
- `request_parse_body()` without a `Content-Type` says that there is none; php-fpm says that an empty one is not supported.
- `pcntl_fork()`, `pcntl_exec()`, `pcntl_signal()` and their like, and `dl()`, are refused with a warning.
- What a script sets by `putenv()` is not seen by libc itself: gettext does not look at `LANGUAGE`. Shared libraries see it.
- `max_execution_time` is wall-clock time, as PHP's own timers have it under thread safety: sleeping and waiting for a database count.
- A script that OPcache's restart has waited for too long is answered 503; php-fpm would kill its process, and nginx answer 502.
- There is no `REMOTE_USER`, since nobody has checked a password.
- Scripts that fill `memory_limit` with objects that hold each other in one long chain are well within `php.thread_stack`; php-fpm
  crashes on a tenth of them. With a `memory_limit` beyond half of the stack they end the process, and the supervisor
  (`server.processes`) starts another.

## What cannot be interrupted

`php.request_timeout` answers the client in time whatever the script does, and ends it in all that row 4 of the last table names.
Three things go on until they are over: the look-up of a name by libc's resolver (`gethostbyname()`, and what connects to a name; it
asks again when it is interrupted, and gives up after the times of resolv.conf, ten seconds for one server), the wait for a child
(`exec()`, `pclose()`), and the wait for a session's lock, which ends at the latest when the time of the request that has it
is over. A thread that has not come back 10 s later is replaced. Programs are started one at a time, so that one which a script has
just written is not held open by another's child (with PHP 8.2 not by `proc_open()`, which forks by itself there); a start that
hangs holds up those that come within two seconds, for two seconds, and then none.
";

#[test]
fn every_behaviour_of_php_is_shown() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = INTRODUCTION.to_owned();
    for (title, rows) in [
        ("Scripts and their requests", behaviours::ROWS),
        ("PHP inside a server", seam::ROWS),
        ("Threads", threads::ROWS),
    ] {
        writeln!(text, "\n## {title}\n\n| | behaviour | shown by |\n| --- | --- | --- |").unwrap();
        for (number, behaviour, files) in rows {
            let shown: Vec<String> = files.iter().flat_map(|(file, functions)| shown(root, file, functions)).collect();
            assert!(!shown.is_empty(), "nothing shows {title}, {number}");
            writeln!(text, "| {number} | {behaviour} | {} |", shown.join(", ")).unwrap();
        }
        assert!(rows.is_sorted_by(|one, other| one.0 < other.0), "{title} is in order");
    }
    text.push_str(DIFFERENCES);
    let path = root.join("docs/php-behaviours.md");
    if std::env::var_os("EPHPM_UPDATE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert!(fs::read_to_string(&path).unwrap() == text, "EPHPM_UPDATE=1 cargo test --test rules writes it anew");
}

fn shown(root: &Path, file: &str, functions: &[&str]) -> Vec<String> {
    let text = fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let name = |function: &&str| {
        assert!(super::security::is_test(&text, function) || is_part(&text, function), "{file}: {function} is no test");
        format!("`{file}: {function}`")
    };
    if functions.is_empty() { vec![format!("`{file}`")] } else { functions.iter().map(name).collect() }
}

/// Whether it is what a test calls, of those that can start PHP but once.
fn is_part(text: &str, function: &str) -> bool {
    text.contains(&format!("\nfn {function}(php: ")) && text.contains(&format!("    {function}("))
}
