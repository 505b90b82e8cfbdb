//! php-src's own tests, as requests to the server: `tests/phpt/phpt_http.py` makes a request of each `.phpt` file and
//! compares what comes back with what the file expects.
//!
//! The tests are those of the version that libphp was built from, read where that build unpacked them. Settings that a
//! test asks for come with a server of its own, which takes a fraction of a second. `tests/phpt/known-failures.txt`
//! says why a test may fail; one that is listed and passes is a failure too, so that the list stays true.
#![cfg(feature = "php")]

mod support;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use support::{Request, Server, TemporaryDirectory, free_address};

/// The branch of PHP that the lists in `tests/phpt` are of.
const BRANCH: &str = "php-8.4.";

/// What is run besides `web.list`.
const DIRECTORIES: [&str; 5] =
    ["tests/basic", "tests/output", "tests/security", "ext/standard/tests/general_functions", "ext/json"];

/// PHP's own defaults, which php-src's tests expect, where our profile differs.
const PHP_DEFAULTS: [&str; 7] = [
    "expose_php=1",
    "post_max_size=8M",
    "register_argc_argv=1",
    "request_order=GPC",
    "upload_max_filesize=2M",
    "upload_tmp_dir=",
    "variables_order=EGPCS",
];

/// All of a run takes a twentieth of this on two cores.
const TIME_MAX: Duration = Duration::from_secs(700);

/// The runs share the machine and the time, so they follow one another.
#[test]
fn php_src_agrees() {
    let Some(source) = source() else { return };
    let site = TemporaryDirectory::new("phpt");
    let run = Run::new(&source, site.path());
    let passed = site.path().join("passed");
    let web = data("web.list").into_os_string();

    let output = run.runner(&["--list".into(), web, "--write-pass".into(), passed.clone().into()]);
    check(&output, 249);
    let web_passed = fs::read_to_string(&passed).expect("a list of tests");

    let directories = DIRECTORIES.map(|directory| source.join(directory).into_os_string());
    let mut arguments: Vec<OsString> = vec!["--write-pass".into(), passed.clone().into(), "--tests".into()];
    arguments.extend(directories);
    check(&run.runner(&arguments), 470);

    // All that passes alone once more, several at a time and in another order: what one request leaves to the next, or
    // has in common with another, shows only then.
    let alone = fs::read_to_string(data("not-in-parallel.txt")).expect("a list of tests");
    let is_alone = |test: &&str| alone.lines().any(|line| line.split('#').next().map(str::trim) == Some(*test));
    let together = fs::read_to_string(&passed).expect("a list of tests") + &web_passed;
    let together: Vec<&str> = together.lines().filter(|test| !is_alone(test)).collect();
    fs::write(&passed, together.join("\n")).expect("a written file");
    let options = ["--jobs", "8", "--repeat", "2", "--keepalive", "--shuffle", "1", "--list"];
    let mut arguments: Vec<OsString> = options.map(Into::into).to_vec();
    arguments.push(passed.into());
    check(&run.runner(&arguments), 640);
}

/// Every test passed, was skipped or is a known failure, and at least so many have passed.
#[track_caller]
fn check(output: &str, passed_min: usize) {
    let last = output.lines().last().unwrap_or_default();
    let numbers: Vec<usize> = last.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect();
    let is_quiet = |line: &&str| ["PASS ", "SKIP ", "XFAIL", "KNOWN"].iter().any(|word| line.starts_with(word));
    let is_stale = |line: &&str| line.contains("listed as a known failure, but passes");
    let news: Vec<&str> = output.lines().filter(|line| !is_quiet(line) || is_stale(line)).collect();
    let news = news.join("\n");
    let [passed, failed, _skipped] = numbers[..] else { panic!("no totals:\n{news}") };
    assert!(!output.lines().any(|line| is_stale(&line)), "a known failure is none any more:\n{news}");
    assert!(failed == 0 && passed >= passed_min, "{news}");
    println!("{last}");
}

/// A document root, and the address where there is always a server for it.
struct Run<'a> {
    source: &'a Path,
    site: &'a Path,
    address: SocketAddr,
    /// Where the runner asks for another server.
    restarts: SocketAddr,
    servers: Option<JoinHandle<()>>,
    deadline: Instant,
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        // No wish is the last.
        drop(TcpStream::connect(self.restarts));
        let _ = self.servers.take().map(JoinHandle::join);
    }
}

impl<'a> Run<'a> {
    fn new(source: &'a Path, site: &'a Path) -> Self {
        fs::create_dir(site.join("root")).expect("a new directory");
        let address = free_address();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let restarts = listener.local_addr().expect("the address of a bound socket");
        let root = site.join("root");
        let servers = Some(thread::spawn(move || serve(&listener, &root, address)));
        Self { source, site, address, restarts, servers, deadline: Instant::now() + TIME_MAX }
    }

    /// Runs the runner to its end and returns what it says.
    #[track_caller]
    fn runner(&self, arguments: &[OsString]) -> String {
        let log = self.site.join("runner.log");
        let file = File::create(&log).expect("a new file");
        let port = self.restarts.port();
        let restart = format!(
            "exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port} && printf \"%s\\n%s\\n\" \"$PHPT_INI_FILE\" \
             \"$PHPT_ENV_FILE\" >&3 && read -r answer <&3 && [[ $answer == ready ]]'"
        );
        let mut runner = Command::new("python3")
            .arg(data("phpt_http.py"))
            .arg(format!("--base-url=http://{}", self.address))
            .arg("--docroot")
            .arg(self.site.join("root"))
            .arg("--src-root")
            .arg(self.source)
            .arg(format!("--ini-cmd={restart}"))
            .args(PHP_DEFAULTS.map(|setting| format!("--base-ini={setting}")))
            .arg("--known-fail")
            .arg(data("known-failures.txt"))
            // Five tests of ext/zlib ask for "cgi" in the name of the SAPI, and mean a web server.
            .arg("--no-skip=need sapi/cgi")
            .arg("--diff")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle on the log"))
            .stderr(file)
            .spawn()
            .expect("python3");
        let output = || fs::read_to_string(&log).expect("UTF-8");
        while runner.try_wait().expect("a child that nobody else waits for").is_none() {
            if Instant::now() > self.deadline {
                let _ = runner.kill();
                let _ = runner.wait();
                panic!("not done after {TIME_MAX:?}:\n{}", output());
            }
            thread::sleep(Duration::from_millis(20));
        }
        output()
    }
}

/// Starts another server each time when somebody names a php.ini and a file of environment variables; ends with the
/// first who names none.
fn serve(listener: &TcpListener, root: &Path, address: SocketAddr) {
    let mut server: Option<Server> = None;
    for connection in listener.incoming() {
        let mut connection = connection.expect("a connection");
        let Some((ini, environment)) = read_wishes(&connection) else { return };
        server.take().map(Server::stop);
        // Tests say what is to be in the environment of PHP.
        let mut builder =
            Server::builder(root).at(address).php(&format!("ini_file = {ini:?}")).php("clear_env = false");
        for line in environment.lines() {
            let (name, value) = line.split_once('=').expect("NAME=value");
            builder = builder.environment(name, value);
        }
        // Not every php.ini is one that PHP starts with; a test may be about that. It listens before it knows.
        server = builder.try_start().ok();
        let answers = |server: &Server| server.client().try_send(&Request::new("OPTIONS", "*")).is_ok();
        server = server.filter(answers);
        // The runner may have gone.
        let _ = connection.write_all(if server.is_some() { b"ready\n" } else { b"failed\n" });
    }
}

/// The path of a php.ini, and the environment.
fn read_wishes(connection: &TcpStream) -> Option<(String, String)> {
    let mut lines = BufReader::new(connection).lines();
    let (ini, environment) = (lines.next()?.ok()?, lines.next()?.ok()?);
    Some((ini, fs::read_to_string(environment).ok()?))
}

/// The source of the PHP that is under test, unless it is of another branch than the lists.
fn source() -> Option<PathBuf> {
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("php-sys/libphp/build");
    let output = Command::new(build).arg("--source-dir").stderr(Stdio::inherit()).output().expect("a program");
    assert!(output.status.success(), "no source of PHP");
    let source = PathBuf::from(String::from_utf8(output.stdout).expect("UTF-8").trim());
    let name = source.file_name().and_then(|name| name.to_str()).expect("a directory's name");
    if !name.starts_with(BRANCH) {
        println!("the lists are of {BRANCH}x, and this is {name}: nothing was run");
        return None;
    }
    Some(source)
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/phpt").join(name)
}
