//! Who runs the server: rotates its log and has it read its configuration again, in the middle of everything.

use std::fs;
use std::sync::Mutex;

use crate::site::{MONITORS, POOLED, Site, WORKERS};
use crate::support::{Connection, Json, Server, ask_at, children, wait_for, wait_until};

/// How a line ends that says that a process has started.
const SERVES: &str = " serves\n";
const READ_AGAIN: &str = "the configuration has been read again";

pub(crate) struct Operator<'a> {
    server: &'a Server,
    site: &'a Site,
    /// How often what was done.
    done: Mutex<Done>,
}

#[derive(Default)]
struct Done {
    reloads: u32,
    rotations: u32,
    crashes: usize,
}

impl<'a> Operator<'a> {
    pub(crate) fn new(server: &'a Server, site: &'a Site) -> Self {
        Self { server, site, done: Mutex::default() }
    }

    /// Changes the configuration and sends SIGHUP.
    pub(crate) fn reload(&self) {
        let mut done = self.done.lock().expect("nobody panics with it");
        done.reloads += 1;
        self.server.configure(&self.site.builder(done.reloads));
        self.server.signal("HUP");
        let count = done.reloads as usize;
        wait_until(|| self.server.log().matches(READ_AGAIN).count() == count, "the configuration was not read again");
    }

    /// Moves the access log away and sends SIGUSR1.
    pub(crate) fn rotate(&self) {
        let mut done = self.done.lock().expect("nobody panics with it");
        done.rotations += 1;
        let path = self.site.path("logs/access.log");
        fs::rename(&path, self.site.path(&format!("logs/access.log.{}", done.rotations))).expect("a log that moves");
        self.server.signal("USR1");
        wait_for(&path);
    }

    /// Has PHP's threads start anew, and OPcache emptied, as after a deployment.
    pub(crate) fn restart_php(&self) {
        let _alone = self.done.lock().expect("nobody panics with it");
        let answer = ask_at(&self.site.path(MONITORS), "POST /restart-php HTTP/1.0\r\n\r\n");
        assert!(answer.ends_with(&format!(": {}\n", WORKERS + POOLED)), "{answer}");
        wait_until(|| self.status()["restarting"] == Json::Number(0.0), "PHP's threads do not start anew");
    }

    /// Crashes the process that serves, which is to have nothing to do, and waits for the one that takes its place.
    pub(crate) fn crash(&self) {
        let mut done = self.done.lock().expect("nobody panics with it");
        done.crashes += 1;
        let victim = self.process();
        let mut connection = Connection::open(self.server.address()).expect("a connection");
        connection.write("GET /crash.php HTTP/1.1\r\nHost: soak\r\n\r\n").expect("sent");
        assert_eq!(connection.read_to_end().unwrap_or_default(), b"");
        let is_there = || self.server.log().matches(SERVES).count() == done.crashes + 1;
        wait_until(is_there, "nobody takes the place of the process that has crashed");
        assert_ne!(self.process(), victim);
    }

    /// The process that serves.
    pub(crate) fn process(&self) -> u32 {
        let all = children(self.server.pid());
        assert_eq!(all.len(), 1, "the supervisor's children: {all:?}");
        all[0]
    }

    fn status(&self) -> Json {
        let answer = ask_at(&self.site.path(MONITORS), "GET /status.json HTTP/1.0\r\n\r\n");
        let (_, content) = answer.split_once("\r\n\r\n").expect("an answer");
        Json::parse(content)["processes"][0].clone()
    }

    /// What responses say of the configuration.
    pub(crate) fn generation(&self) -> u32 {
        self.done.lock().expect("nobody panics with it").reloads
    }
}
