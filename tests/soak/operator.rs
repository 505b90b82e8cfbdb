//! Who runs the server: rotates its log and has it read its configuration again, in the middle of everything.

use std::fs;
use std::sync::Mutex;

use crate::site::Site;
use crate::support::{Server, wait_for, wait_until};

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

    /// What responses say of the configuration.
    pub(crate) fn generation(&self) -> u32 {
        self.done.lock().expect("nobody panics with it").reloads
    }
}
