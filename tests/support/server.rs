//! The server under test as a process of its own: started on a free port, stopped by SIGTERM, never left behind.
//!
//! Its output goes to a file that is shown when the test fails. `EPHPM_TEST_SERVER` names another program to
//! start in its place, with the same `--config FILE`: the way to hold a test against a second implementation.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{Client, Connection, TemporaryDirectory};

/// From start to the first accepted connection: generous, a debug build with PHP on a busy machine.
const READY_TIMEOUT: Duration = Duration::from_secs(120);

/// From SIGTERM to the end of the process.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// Between two looks at a process or a port that cannot be waited for.
const POLL: Duration = Duration::from_millis(10);

/// Someone may take the free port before the server does.
const PORT_ATTEMPTS: u32 = 5;

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    child: Child,
    directory: TemporaryDirectory,
}

/// What goes into the configuration file.
#[derive(Clone, Debug)]
pub(crate) struct Builder {
    document_root: PathBuf,
    /// Unless set, a free one.
    address: Option<SocketAddr>,
    workers: u32,
    server: Vec<String>,
    php: Vec<String>,
    ini_overrides: Vec<(String, String)>,
    sections: String,
    environment: Vec<(String, String)>,
    files_max: Option<u32>,
    listen: String,
    passed: Option<String>,
}

impl Server {
    pub(crate) fn builder(document_root: impl Into<PathBuf>) -> Builder {
        Builder {
            document_root: document_root.into(),
            address: None,
            workers: 4,
            server: Vec::new(),
            php: Vec::new(),
            ini_overrides: Vec::new(),
            sections: String::new(),
            environment: Vec::new(),
            files_max: None,
            listen: "listen = \"LISTEN\"".to_owned(),
            passed: None,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A client without cookies and without a connection yet.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// A bare connection, for requests that no client would send.
    #[track_caller]
    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.address).expect("a connection to the server")
    }

    /// Sends these bytes and nothing more; what comes back until the server closes.
    #[track_caller]
    pub(crate) fn raw(&self, bytes: impl AsRef<[u8]>) -> Vec<u8> {
        let mut connection = self.connect();
        connection.write(bytes).expect("the request to be taken");
        connection.read_to_end().expect("the server to answer and to close")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the server has written so far, to stdout and stderr.
    pub(crate) fn log(&self) -> String {
        read_log(self.directory.path())
    }

    /// Writes the configuration file anew, for the server to read when it is told to.
    #[track_caller]
    pub(crate) fn configure(&self, builder: &Builder) {
        self.directory.write(CONFIG_NAME, builder.toml(self.address));
    }

    /// Waits until the log holds `text`, for news that travel by the log alone.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, text: &str) {
        let deadline = Instant::now() + READY_TIMEOUT;
        while !self.log().contains(text) {
            assert!(Instant::now() < deadline, "the log never said {text:?}:\n{}", self.log());
            sleep(POLL);
        }
    }

    /// Sends a signal by its name (`TERM`, `INT`, `HUP`).
    #[track_caller]
    pub(crate) fn signal(&self, name: &str) {
        assert!(signal(&self.child, name), "kill -{name} {} failed", self.pid());
    }

    /// Waits for the server to end by itself, or because of a signal that was sent before.
    #[track_caller]
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        match wait_until(&mut self.child, Instant::now() + STOP_TIMEOUT) {
            Some(status) => (status, self.log()),
            None => panic!("still running after {STOP_TIMEOUT:?}:\n{}", self.log()),
        }
    }

    /// Ends the server with SIGTERM; its exit status and its whole log.
    #[track_caller]
    pub(crate) fn stop(self) -> (ExitStatus, String) {
        self.signal("TERM");
        self.wait()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            signal(&self.child, "TERM");
            if wait_until(&mut self.child, Instant::now() + STOP_TIMEOUT).is_none() {
                eprintln!("the server did not stop within {STOP_TIMEOUT:?} of SIGTERM: killed");
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
        }
        if std::thread::panicking() {
            eprintln!("--- the server's log ---\n{}--- end of the log ---", self.log());
        }
    }
}

impl Builder {
    /// Where to listen, instead of on a free port.
    pub(crate) fn at(mut self, address: SocketAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// The number of PHP threads (default 4).
    pub(crate) fn workers(mut self, workers: u32) -> Self {
        self.workers = workers;
        self
    }

    /// A line for the section `[server]`, as TOML: `.server("event_loops = 3")`.
    pub(crate) fn server(mut self, line: &str) -> Self {
        self.server.push(line.to_owned());
        self
    }

    /// A line for the section `[php]`, as TOML.
    pub(crate) fn php(mut self, line: &str) -> Self {
        self.php.push(line.to_owned());
        self
    }

    /// A php.ini setting.
    pub(crate) fn ini(mut self, key: &str, value: &str) -> Self {
        self.ini_overrides.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Whole sections of TOML, put at the end. `[logging]` replaces the default one.
    pub(crate) fn sections(mut self, toml: &str) -> Self {
        self.sections.push_str(toml);
        self
    }

    /// A variable for the environment of the server.
    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The line that says where to listen, in which `LISTEN` stands for the server's address.
    pub(crate) fn listen(mut self, line: &str) -> Self {
        line.clone_into(&mut self.listen);
        self
    }

    /// Opens the server's address beforehand, and passes it as systemd does.
    pub(crate) fn pass_socket(mut self, name: &str) -> Self {
        self.passed = Some(name.to_owned());
        self
    }

    /// How many files the server may have open.
    pub(crate) fn files_max(mut self, files: u32) -> Self {
        self.files_max = Some(files);
        self
    }

    /// The configuration file for a server on `address`.
    pub(crate) fn toml(&self, address: SocketAddr) -> String {
        let root = quote(self.document_root.to_str().expect("a path in UTF-8"));
        let mut lines = vec![
            "[server]".to_owned(),
            self.listen.replace("LISTEN", &address.to_string()),
            format!("document_root = {root}"),
            format!("workers = {}", self.workers),
        ];
        // What most tests ask about is one process.
        if !self.server.iter().any(|line| line.starts_with("processes")) {
            lines.push("processes = 0".to_owned());
        }
        // Many clients at once wait long for few threads on a machine that has other things to do.
        if !self.server.iter().any(|line| line.contains("queue_timeout")) {
            lines.push("queue_timeout = \"10m\"".to_owned());
        }
        lines.extend(self.server.iter().cloned());
        lines.push("[php]".to_owned());
        let pairs = self.ini_overrides.iter().map(|(key, value)| format!("[{}, {}]", quote(key), quote(value)));
        lines.push(format!("ini_overrides = [{}]", pairs.collect::<Vec<_>>().join(", ")));
        lines.extend(self.php.iter().cloned());
        if !self.sections.contains("[logging]") {
            lines.push("[logging]\nlevel = \"info\"\nformat = \"pretty\"".to_owned());
        }
        lines.push(self.sections.clone());
        lines.join("\n")
    }

    /// Starts the server and waits until it accepts connections; panics with its log when it does not.
    #[track_caller]
    pub(crate) fn start(self) -> Server {
        let mut last_words = String::new();
        for _ in 0..PORT_ATTEMPTS {
            match self.try_start() {
                Ok(server) => return server,
                Err(log) if log.to_ascii_lowercase().contains("in use") => last_words = log,
                Err(log) => panic!("the server did not start:\n{log}"),
            }
        }
        panic!("no free port in {PORT_ATTEMPTS} attempts:\n{last_words}");
    }

    /// What a server says that does not start.
    #[track_caller]
    pub(crate) fn start_error(self) -> String {
        match self.try_start() {
            Ok(server) => panic!("the server started:\n{}", server.log()),
            Err(log) => log,
        }
    }

    /// One attempt on one port; the log of a server that ended before it was ready.
    pub(crate) fn try_start(&self) -> Result<Server, String> {
        let address = self.address.unwrap_or_else(free_address);
        let directory = TemporaryDirectory::new("server");
        let config = directory.write(CONFIG_NAME, self.toml(address));
        let log = File::create(directory.path().join(LOG_NAME)).expect("a new file");
        let program = std::env::var_os("EPHPM_TEST_SERVER").unwrap_or_else(|| env!("CARGO_BIN_EXE_ephpm").into());
        // Alive until the server has its own.
        let passed = self.passed.as_ref().map(|_| TcpListener::bind(address).expect("a free address"));
        let mut words = Vec::new();
        words.extend(self.files_max.map(|files| format!("ulimit -n {files};")));
        if let Some(name) = &self.passed {
            // The shell's descriptor 3 is a copy that is not closed on exec, and its process becomes the server.
            let shell = format!("exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES={name}");
            words.push(format!("{shell}; export LISTEN_PID LISTEN_FDS LISTEN_FDNAMES;"));
        }
        let mut command = match words.is_empty() {
            true => Command::new(&program),
            false => {
                let mut shell = Command::new("sh");
                shell.arg("-c").arg(format!("{} exec \"$0\" \"$@\"", words.concat())).arg(&program);
                shell
            }
        };
        let stdin = passed.as_ref().map_or_else(Stdio::null, |socket| {
            Stdio::from(OwnedFd::from(socket.try_clone().expect("a second handle on the socket")))
        });
        let child = command
            .arg("--config")
            .arg(config)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(stdin)
            .stdout(log.try_clone().expect("a second handle on the log"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let mut server = Server { address, child, directory };
        let deadline = Instant::now() + READY_TIMEOUT;
        loop {
            // First the process, then the port: another process may listen there.
            if let Ok(Some(_)) = server.child.try_wait() {
                return Err(server.log());
            }
            if TcpStream::connect_timeout(&address, READY_TIMEOUT).is_ok() {
                return Ok(server);
            }
            if Instant::now() >= deadline {
                return Err(format!("nothing listens on {address} after {READY_TIMEOUT:?}\n{}", server.log()));
            }
            sleep(POLL);
        }
    }
}

const CONFIG_NAME: &str = "ephpm.toml";
const LOG_NAME: &str = "server.log";

fn read_log(directory: &Path) -> String {
    String::from_utf8_lossy(&fs::read(directory.join(LOG_NAME)).unwrap_or_default()).into_owned()
}

/// A loopback address that nobody listened on a moment ago, and that no other test of this process is given: a server
/// takes a while until it listens, and meanwhile the system would give the same port away again.
pub(crate) fn free_address() -> SocketAddr {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on loopback");
        let address = listener.local_addr().expect("the address of a bound socket");
        if GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(address.port()) {
            return address;
        }
    }
}

/// `std` can only kill; a polite signal is `kill(1)`'s.
fn signal(child: &Child, name: &str) -> bool {
    let status = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status();
    status.is_ok_and(|status| status.success())
}

fn wait_until(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait().expect("a child that nobody else waits for") {
            Some(status) => return Some(status),
            None if Instant::now() >= deadline => return None,
            None => sleep(POLL),
        }
    }
}

/// A TOML basic string.
fn quote(text: &str) -> String {
    assert!(!text.contains(char::is_control), "no control characters in {text:?}");
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
