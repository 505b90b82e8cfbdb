//! `ephpm php …`: the command line of PHP as scripts, people and other programs use it.
//!
//! `tests/cli/invocations.txt` is a transcript of single invocations. php-src's own tests of its command line run as
//! php-src runs them, by its own runner and on our PHP. Composer and WP-CLI do a bit of their daily work.
#![cfg(feature = "php")]

mod support;
#[path = "cli/tools.rs"]
mod tools;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use support::{Client, Server, TemporaryDirectory, free_address};

const EPHPM: &str = env!("CARGO_BIN_EXE_ephpm");

/// Far more than anything here takes.
const SECONDS_MAX: &str = "900";

/// A command of the transcript and what must become of it.
#[derive(Default)]
struct Case {
    line: usize,
    command: String,
    stdout: String,
    stderr: String,
    code: i32,
}

#[test]
fn invocations() {
    let cases = transcript(&fs::read_to_string(data("invocations.txt")).expect("a transcript"));
    assert!(cases.len() > 70, "the transcript has more cases");
    let place = TemporaryDirectory::new("cli");
    let mut wrong = Vec::new();
    for (way, path) in ways(place.path()) {
        for case in &cases {
            let output = Command::new("timeout")
                .args([SECONDS_MAX, "sh", "-c", &case.command])
                .current_dir(data(""))
                .env("PATH", format!("{}:{}", path.display(), std::env::var("PATH").expect("a PATH")))
                .env_remove("PHPRC")
                .env_remove("PHP_INI_SCAN_DIR")
                .stdin(Stdio::null())
                .output()
                .expect("a shell");
            let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
            let as_told = matches(&case.stdout, &stdout) && matches(&case.stderr, &stderr);
            if !as_told || output.status.code() != Some(case.code) {
                let Case { line, command, .. } = case;
                let status = output.status;
                wrong.push(format!("line {line}, {way}: {command}\n{status}\n{stdout}\n-- stderr\n{stderr}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} are not as told:\n\n{}", wrong.len(), wrong.join("\n\n"));
}

/// Directories for `$PATH`, each with a `php` that reaches us in another way.
fn ways(place: &Path) -> Vec<(&'static str, PathBuf)> {
    let marked = EPHPM.rsplit_once('/').map(|(directory, name)| format!("{directory}/././{name}")).expect("a path");
    let mut ways = Vec::new();
    for (way, script) in [
        ("ephpm php", Some(format!("#!/bin/sh\nexec '{EPHPM}' php \"$@\"\n"))),
        ("the path of PHP_BINARY", Some(format!("#!/bin/sh\nexec '{marked}' \"$@\"\n"))),
        ("a link", None),
    ] {
        let directory = place.join(way.replace(' ', "-"));
        fs::create_dir(&directory).expect("a new directory");
        let php = directory.join("php");
        match script {
            Some(script) => {
                install(&script, &php);
            }
            None => symlink(EPHPM, &php).expect("a link"),
        }
        ways.push((way, directory));
    }
    ways
}

/// Makes a program of a script. Another process writes the file: were it open for writing here, a child that another test
/// starts meanwhile would have it open too until it runs its own program, and nobody could run this one (`ETXTBSY`).
fn install(script: &str, program: &Path) {
    let source = program.with_extension("sh");
    fs::write(&source, script).expect("a script");
    let status = Command::new("install").args(["-m", "755"]).args([&source, program]).status().expect("install(1)");
    assert!(status.success(), "{status}");
}

fn transcript(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.starts_with("# ") {
            continue;
        }
        if let Some(command) = line.strip_prefix("$ ") {
            cases.push(Case { line: index + 1, command: command.to_owned(), ..Case::default() });
            continue;
        }
        let Some(case) = cases.last_mut() else { continue };
        if let Some(code) = line.strip_prefix("? ") {
            case.code = code.parse().expect("an exit code");
        } else if let Some(line) = line.strip_prefix("! ") {
            case.stderr += &format!("{line}\n");
        } else {
            case.stdout += &format!("{line}\n");
        }
    }
    cases
}

/// Whether a text is as expected, where `%s` stands for any text within a line; empty lines at the end do not count.
fn matches(expected: &str, found: &str) -> bool {
    let lines = |text: &str| text.trim_end().lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    let (expected, found) = (lines(expected), lines(found));
    expected.len() == found.len() && expected.iter().zip(&found).all(|(expected, found)| line_matches(expected, found))
}

fn line_matches(expected: &str, found: &str) -> bool {
    let mut parts = expected.split("%s");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = found.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[test]
fn a_link_beside_the_program_is_php_binary() {
    let place = TemporaryDirectory::new("cli");
    let (program, link) = (place.path().join("ephpm"), place.path().join("php"));
    fs::hard_link(EPHPM, &program).expect("a link to the program");
    symlink("ephpm", &link).expect("a link");
    let script = ["-r", "echo PHP_BINARY;"];
    let output = Command::new(&program).arg("php").args(script).output().expect("our program");
    assert_eq!(text(&output.stdout), link.to_str().expect("UTF-8"));
    let output = Command::new(&link).args(script).output().expect("our program");
    assert_eq!(text(&output.stdout), link.to_str().expect("UTF-8"));
}

/// Applications do their slow work in a PHP of their own.
#[test]
fn a_page_starts_php_by_php_binary() {
    let place = TemporaryDirectory::new("cli");
    let page = r#"<?php echo exec(escapeshellarg(PHP_BINARY) . ' -r "echo PHP_SAPI, \" \", PHP_BINARY;"') . ' ' . PHP_BINARY;"#;
    place.write("index.php", page);
    let server = Server::builder(place.path()).start();
    let binary = EPHPM.rsplit_once('/').map(|(directory, name)| format!("{directory}/././{name}")).expect("a path");
    assert_eq!(server.client().get("/").expect(200).text(), format!("cli {binary} {binary}"));
}

#[test]
fn the_built_in_web_server_serves() {
    let place = TemporaryDirectory::new("cli");
    place.write("index.php", "<?php echo PHP_SAPI, ' ', $_GET['a'];");
    place.write("style.css", "a {}");
    let address = free_address();
    let server = Command::new(EPHPM)
        .args(["php", "-S", &address.to_string(), "-t"])
        .arg(place.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("our program");
    let _server = Killed(server);
    let deadline = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < deadline, "it does not listen");
        sleep(Duration::from_millis(5));
    }
    let mut client = Client::new(address);
    assert_eq!(client.get("/?a=1").expect(200).text(), "cli-server 1");
    assert_eq!(client.get("/style.css").expect(200).text(), "a {}");
}

/// A process that does not outlive its test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It has ended already if this fails.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What suite "wordpress" adds; a libphp of suite "core" has none of it.
#[test]
fn the_shell_is_interactive_and_localhost_is_debians_database() {
    let modules = php(&["-m"], "");
    if !["readline", "mysqli", "pdo_mysql"].iter().all(|name| modules.lines().any(|line| line == *name)) {
        println!("this libphp has no readline and no MySQL: nothing was run");
        return;
    }
    let session =
        php(&["-a"], "$x = 6;\necho $x * 7, \"\\n\";\nfunction f() {\n    return \"two lines\";\n}\necho f();\n");
    assert!(session.starts_with("Interactive shell\n"), "{session}");
    assert!(session.contains("42\n") && session.contains("two lines"), "{session}");
    let answer = php(&["-r", "echo strtoupper(readline());"], "a line\n");
    assert!(answer.contains("A LINE"), "{answer}");
    let sockets =
        php(&["-n", "-r", "echo ini_get('mysqli.default_socket'), ' ', ini_get('pdo_mysql.default_socket');"], "");
    assert_eq!(sockets, "/run/mysqld/mysqld.sock /run/mysqld/mysqld.sock");
}

/// Signal handlers and the terminal belong to a whole process, which in the server is everybody's.
#[test]
fn extensions_of_the_command_line_are_not_in_the_server() {
    let place = TemporaryDirectory::new("cli");
    place.write(
        "index.php",
        "<?php echo implode(' ', array_intersect(['pcntl', 'readline', 'session'], get_loaded_extensions()));",
    );
    let server = Server::builder(place.path()).start();
    assert_eq!(server.client().get("/").expect(200).text(), "session");
    assert!(php(&["-m"], "").lines().any(|line| line == "pcntl"));
}

/// What the command line writes to standard output when it reads `input`.
fn php(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("timeout")
        .args([SECONDS_MAX, EPHPM, "php"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("our program");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("a program that reads");
    let output = child.wait_with_output().expect("a program that ends");
    assert!(output.status.success(), "{arguments:?}: {}", output.status);
    text(&output.stdout)
}

/// php-src's tests of its command line and of what the server does not have, by php-src's own runner, which is
/// itself a script that starts PHP all the time.
#[test]
fn php_src_agrees() {
    let Some(source) = source() else { return };
    let place = TemporaryDirectory::new("cli-phpt");
    let php = place.path().join("php");
    symlink(EPHPM, &php).expect("a link");
    fs::copy(source.join("run-tests.php"), place.path().join("run-tests.php")).expect("php-src's runner");
    for tests in ["sapi/cli/tests", "ext/pcntl/tests", "ext/readline/tests"] {
        let target = place.path().join(tests);
        fs::create_dir_all(&target).expect("a new directory");
        // That one uploads two gigabytes, which takes longer than a test may on a busy machine.
        support::copy_tree(&source.join(tests), &target, "upload_2G.phpt").expect("a copy of the tests");
    }
    let (report, first) = run_tests(&place, &["-j4", "sapi/cli", "ext/pcntl", "ext/readline"]);
    let known: BTreeSet<String> = fs::read_to_string(data("known-failures.txt"))
        .expect("a list")
        .lines()
        .filter_map(|line| line.split('#').next().map(str::trim).filter(|test| !test.is_empty()).map(str::to_owned))
        .collect();
    // They give a server of theirs three seconds to start, and a connection one, whatever else a machine has to do: what
    // fails beside others is run again alone.
    let (again, failed) = match first.is_subset(&known) {
        true => (String::new(), first.clone()),
        false => run_tests(&place, &first.iter().map(String::as_str).collect::<Vec<_>>()),
    };
    assert_eq!(failed, known, "{report}\n{again}");
    let passed = report.lines().find_map(|line| line.strip_prefix("Tests passed")).expect("a summary");
    let passed: usize = passed.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number");
    assert!(passed + (first.len() - failed.len()) >= 135, "only {passed} passed:\n{report}");
}

/// Runs php-src's tests in `place`; what the runner says, and the tests that failed.
#[track_caller]
fn run_tests(place: &TemporaryDirectory, arguments: &[&str]) -> (String, BTreeSet<String>) {
    let (php, list) = (place.path().join("php"), place.path().join("failed.txt"));
    let output = Command::new("timeout")
        .arg(SECONDS_MAX)
        .arg(&php)
        .args(["run-tests.php", "-q", "--no-color", "--no-progress", "-w", "failed.txt"])
        .args(arguments)
        .current_dir(place.path())
        .env("TEST_PHP_EXECUTABLE", &php)
        .env("NO_INTERACTION", "1")
        .env_remove("MAKEFLAGS")
        .stdin(Stdio::null())
        .output()
        .expect("our program");
    let report = text(&output.stdout);
    let failed = fs::read_to_string(&list).unwrap_or_else(|error| panic!("no list of failures, {error}: {report}"));
    // Another run writes its own.
    fs::remove_file(&list).expect("a list of ours");
    let relative = |path: &str| {
        let path = Path::new(path);
        path.strip_prefix(place.path()).unwrap_or(path).display().to_string()
    };
    (report, failed.lines().map(relative).collect())
}

/// The source of the PHP that libphp was built from, if the list of known failures is for it.
fn source() -> Option<PathBuf> {
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("php-sys/libphp/build");
    let output = Command::new(build).arg("--source-dir").stderr(Stdio::inherit()).output().expect("a program");
    assert!(output.status.success(), "no source of PHP");
    let source = PathBuf::from(text(&output.stdout).trim());
    let name = source.file_name().and_then(|name| name.to_str()).expect("a directory's name");
    if !name.starts_with("php-8.4.") {
        println!("the list is of PHP 8.4, and this is {name}: nothing was run");
        return None;
    }
    Some(source)
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli").join(name)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
