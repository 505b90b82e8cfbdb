//! The scripts of this directory, the server in front of them, and the places where it may leave something.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Builder, Server, TemporaryDirectory, copy_tree};

/// PHP threads; scripts that hold one for long are fewer.
pub(crate) const WORKERS: u32 = 8;
/// Besides those, for what lies below `/pooled/`.
pub(crate) const POOLED: u32 = 2;
pub(crate) const EVENT_LOOPS: usize = 2;
/// The size of OPcache's memory.
pub(crate) const OPCACHE_MEGABYTES: u32 = 16;
/// Where monitors ask.
pub(crate) const MONITORS: &str = "internal.sock";
/// A file of some size, below the document root.
pub(crate) const FILE: &str = "public/lines.txt";
/// How many lines the file has.
pub(crate) const LINES: usize = 20_000;

/// A line of the file, as long as every other.
pub(crate) fn line(number: usize) -> String {
    format!("line {number:09}\n")
}

/// A directory with the document root and all that the server may write.
pub(crate) struct Site(TemporaryDirectory);

impl Site {
    pub(crate) fn new() -> Self {
        let directory = TemporaryDirectory::new("soak");
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/soak/scripts");
        copy_tree(&scripts, &directory.path().join("public"), "").expect("a copy of the scripts");
        directory.write(FILE, (0..LINES).map(line).collect::<String>());
        directory.write("finished", "");
        for name in ["temporary", "sessions", "logs"] {
            fs::create_dir(directory.path().join(name)).expect("a new directory");
        }
        Self(directory)
    }

    /// The server's configuration. `generation` is what every response says of it.
    pub(crate) fn builder(&self, generation: u32) -> Builder {
        let text = |name: &str| self.path(name).to_str().expect("UTF-8").to_owned();
        Server::builder(self.path("public"))
            .workers(WORKERS)
            .server("processes = 1")
            .server(&format!("pools = [[\"pooled\", \"/pooled/\", {POOLED}]]"))
            .server(&format!("event_loops = {EVENT_LOOPS}"))
            .server(&format!("temp_dir = \"{}\"", text("temporary")))
            .server("head_timeout = \"5s\"")
            .php("max_requests = 40")
            .php("request_timeout = \"10s\"")
            .ini("session.save_path", &text("sessions"))
            .ini("memory_limit", "16M")
            .ini("opcache.memory_consumption", &OPCACHE_MEGABYTES.to_string())
            .ini("opcache.interned_strings_buffer", "4")
            .ini("opcache.file_update_protection", "0")
            .ini("display_errors", "0")
            .sections(&format!(
                "[headers]\nset = [[\"/*\", \"X-Generation\", \"{generation}\"]]\n\
                 [internal]\nlisten = \"unix:{}\"\n[access_log]\nformat = \"combined\"\npath = \"{}\"\n",
                text(MONITORS),
                text("logs/access.log")
            ))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Files of requests that are still there.
    pub(crate) fn left(&self) -> Vec<PathBuf> {
        let entries = |name: &str| fs::read_dir(self.path(name)).expect("a directory");
        let moved = entries("public").filter(|entry| {
            entry.as_ref().is_ok_and(|entry| entry.file_name().as_encoded_bytes().starts_with(b"moved"))
        });
        let all = entries("temporary").chain(entries("sessions")).chain(moved);
        all.map(|entry| entry.expect("an entry").path()).collect()
    }
}
