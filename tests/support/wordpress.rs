//! WordPress's files, and a MariaDB for it: both laid out by the scripts in `tests/wordpress`, as a person would.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::TemporaryDirectory;

/// For the script that fetches WordPress, once a machine, over the network.
const FETCH_TIMEOUT: Duration = Duration::from_secs(900);

/// From MariaDB's start, the making of its tables included, to its first connection; and to its end.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(180);

const POLL: Duration = Duration::from_millis(50);

/// Runs the script that lays a site out in `directory`, within bounds; the document root.
#[track_caller]
pub(crate) fn lay_out(directory: &TemporaryDirectory, environment: &[(&str, &str)]) -> PathBuf {
    let site = directory.path().join("site");
    let mut child = Command::new(checkout("tests/wordpress/site"))
        .arg(&site)
        .envs(environment.iter().copied())
        .spawn()
        .expect("bash to run tests/wordpress/site");
    let deadline = Instant::now() + FETCH_TIMEOUT;
    let status = loop {
        match child.try_wait().expect("a child that nobody else waits for") {
            Some(status) => break status,
            None if Instant::now() < deadline => sleep(POLL),
            None => {
                child.kill().expect("our own child");
                panic!("tests/wordpress/site took longer than {FETCH_TIMEOUT:?}");
            }
        }
    };
    assert!(status.success(), "tests/wordpress/site failed: its messages are above");
    site.join("public")
}

/// What PHP says in a log when something is wrong.
pub(crate) const COMPLAINTS: &[&str] =
    &["PHP Fatal error", "PHP Parse error", "PHP Warning", "PHP Notice", "PHP Deprecated"];

/// A running MariaDB with the database `wordpress`, reached by its socket only. Dropping it stops it and removes it.
pub(crate) struct Database {
    child: Child,
    directory: PathBuf,
}

impl Database {
    /// Panics when MariaDB is not installed, since a test that needs it must not pass without it.
    #[track_caller]
    pub(crate) fn start() -> Self {
        // Not below target/: a socket's name has room for 107 bytes only, and checkouts lie deep.
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ephpm-mariadb-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).expect("a writable temporary directory");
        let log = File::create(directory.join("log")).expect("a new file");
        let child = Command::new(checkout("tests/wordpress/mariadb"))
            .arg(&directory)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle on the log"))
            .stderr(log)
            .spawn()
            .expect("bash to run tests/wordpress/mariadb");
        let mut database = Self { child, directory };
        let deadline = Instant::now() + DATABASE_TIMEOUT;
        // Ready when it says so: the socket is there a little earlier.
        while !database.log().contains("ready for connections") {
            let ended = matches!(database.child.try_wait(), Ok(Some(_)));
            assert!(!ended && Instant::now() < deadline, "MariaDB does not start:\n{}", database.log());
            sleep(POLL);
        }
        database
    }

    /// What WordPress's wizard takes as the database's host.
    pub(crate) fn host(&self) -> String {
        format!("localhost:{}", self.directory.join("mariadb.sock").display())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let deadline = Instant::now() + DATABASE_TIMEOUT;
        while let Ok(None) = self.child.try_wait() {
            if Instant::now() >= deadline {
                eprintln!("MariaDB did not stop within {DATABASE_TIMEOUT:?} of SIGTERM: killed");
                let _ = self.child.kill();
                let _ = self.child.wait();
                break;
            }
            sleep(POLL);
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A path of the checkout.
pub(crate) fn checkout(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
