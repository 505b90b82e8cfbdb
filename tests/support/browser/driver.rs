//! ChromeDriver as a process: started on a port of its choice, told to end with all of its browsers.

use std::cell::RefCell;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::super::{Client, Json, Request, TemporaryDirectory};

/// From its start to the line that names its port.
const READY_TIMEOUT: Duration = Duration::from_secs(120);

const POLL: Duration = Duration::from_millis(20);

/// A running ChromeDriver. Dropping it ends it and the browsers that are left.
pub(crate) struct Driver {
    child: Child,
    client: RefCell<Client>,
    directory: TemporaryDirectory,
}

impl Driver {
    /// Panics when there is no ChromeDriver, since a test that needs a browser must not pass without one.
    #[track_caller]
    pub(crate) fn start() -> Self {
        let directory = TemporaryDirectory::new("browser");
        let log = directory.path().join("driver.log");
        let file = File::create(&log).expect("a new file");
        let child = Command::new("chromedriver")
            .arg("--port=0")
            // What it and its browsers leave in the temporary directory is gone with ours.
            .env("TMPDIR", directory.path())
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle on the log"))
            .stderr(file)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "chromedriver: {error}\nThis test needs a browser. Debian: apt-get install chromium chromium-driver. \
                     Ubuntu's packages of that name only install a snap: have a Chromium or Chrome and its chromedriver in \
                     PATH instead."
                )
            });
        let mut child = Some(child);
        let deadline = Instant::now() + READY_TIMEOUT;
        let port = loop {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let line = text.split_once("successfully on port ").and_then(|(_, rest)| rest.split_once('.'));
            if let Some((port, _)) = line {
                break port.parse().unwrap_or_else(|_| panic!("no port in:\n{text}"));
            }
            let ended = child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(Some(_))));
            if ended || Instant::now() >= deadline {
                child.take().map(|mut child| child.kill());
                panic!("chromedriver does not start:\n{text}");
            }
            sleep(POLL);
        };
        let client = RefCell::new(Client::new(SocketAddr::from(([127, 0, 0, 1], port))));
        Self { child: child.expect("taken only on the way to a panic"), client, directory }
    }

    /// A new directory for what a browser keeps.
    pub(super) fn profile(&self, name: &str) -> PathBuf {
        self.directory.path().join(format!("profile-{name}"))
    }

    /// A WebDriver command: its value, or its error in a line.
    pub(super) fn command(&self, method: &str, path: &str, content: &str) -> Result<Json, String> {
        let mut request = Request::new(method, path);
        if method == "POST" {
            request = request.content("application/json", content);
        }
        let response = self.client.borrow_mut().try_send(&request).map_err(|error| error.to_string())?;
        let text = response.text();
        let Some(Json::Object(members)) = Json::try_parse(&text) else {
            return Err(format!("{} {text}", response.status));
        };
        let value = members.into_iter().find(|(name, _)| name == "value").map_or(Json::Null, |(_, value)| value);
        match value["error"].as_str() {
            Some(error) if response.status != 200 => {
                let message = value["message"].as_str().unwrap_or_default();
                Err(format!("{error}: {}", message.lines().next().unwrap_or_default()))
            }
            _ => Ok(value),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The group: a browser that a failed test left is in it.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-TERM", "--", &group]).status();
        let _ = self.child.wait();
    }
}
