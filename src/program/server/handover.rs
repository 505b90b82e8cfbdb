//! Sockets from one process to the next: from systemd to this one (sd_listen_fds(3)), and from this one to the program
//! that replaces it.
//!
//! The successor is started with the sockets left open and their numbers in its environment, and with a pipe on which it
//! says that it serves. Both accept from the same queues meanwhile, so that no connection is refused. If the successor
//! ends without a word this process goes on as if nothing had happened.

use std::fs::File;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
use std::process::{Child, Command};
use std::thread;

use super::listeners::Passed;
use super::notify::{READY, notify};
use crate::base::sys::listening::Listening;
use crate::base::sys::process;
use crate::base::sys::signal::{self, Signal};
use crate::program::config::HANDOVER_PREFIX;

/// The first number that systemd passes.
const SYSTEMD_FIRST: RawFd = 3;
/// What systemd calls a socket that has no other name.
const SYSTEMD_NAME: &str = "unknown";

/// What the process was given at its start.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) sockets: Vec<Passed>,
    /// There is a predecessor, which waits to be told on this pipe.
    predecessor: Option<File>,
}

impl Given {
    /// Takes over what the environment names, and takes the names out of it: they are not for the programs that this
    /// process starts. Must run while the calling thread is the only one.
    pub(super) fn take() -> Self {
        let mut given = Self::default();
        let own = |name: &str| process::take_variable(&format!("{HANDOVER_PREFIX}{name}"));
        for entry in own("SOCKETS").unwrap_or_default().split(',').filter(|entry| !entry.is_empty()) {
            let (number, name) = entry.split_once('=').unwrap_or((entry, ""));
            given.adopt(number.parse().unwrap_or(-1), Some(name).filter(|name| !name.is_empty()));
        }
        given.predecessor = own("READY").and_then(|number| process::adopt_file(number.parse().ok()?).ok());
        given.take_systemd();
        given
    }

    fn take_systemd(&mut self) {
        let variables = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"].map(process::take_variable);
        let [Some(process), Some(count), names] = variables else { return };
        // They are inherited by children that they are not meant for.
        let Some(count) = count.parse().ok().filter(|_| process == std::process::id().to_string()) else { return };
        let names = names.unwrap_or_default();
        let mut names = names.split(':');
        for number in SYSTEMD_FIRST..SYSTEMD_FIRST.saturating_add(count) {
            let name = names.next().filter(|name| !name.is_empty()).unwrap_or(SYSTEMD_NAME);
            self.adopt(number, Some(name));
        }
    }

    fn adopt(&mut self, number: RawFd, name: Option<&str>) {
        match Listening::adopt(number) {
            Ok(socket) => self.sockets.push(Passed { socket, name: name.map(str::to_owned) }),
            Err(error) => log::warn!("the file descriptor {number} was passed, and is no listening socket: {error}"),
        }
    }

    /// Whether this process replaces another, which still serves.
    pub(super) fn has_predecessor(&self) -> bool {
        self.predecessor.is_some()
    }

    /// Tells whoever waits for it that this process serves: the predecessor, which tells systemd who takes its place, or
    /// systemd itself, which listens to nobody but the main process.
    pub(super) fn ready(self) {
        match self.predecessor {
            None => notify(READY),
            Some(mut pipe) => {
                if let Err(error) = pipe.write_all(b"1") {
                    log::warn!("cannot tell the process that this one replaces: {error}");
                }
            }
        }
        for Passed { socket, name } in self.sockets {
            let (address, path) = (socket.address(), socket.path());
            let what = match (&name, address, &path) {
                (Some(name), ..) => name.clone(),
                (_, Some(address), _) => address.to_string(),
                (_, _, Some(path)) => path.display().to_string(),
                (None, None, None) => String::new(),
            };
            log::warn!("a listening socket was passed that no server.listen names: {what}");
            // A predecessor has made it, who leaves it to this process.
            if let (Some(path), None) = (path, name)
                && let Err(error) = std::fs::remove_file(&path)
            {
                log::debug!("cannot remove {}: {error}", path.display());
            }
        }
    }
}

/// Starts `program` as this process was started, with these sockets. [`Signal::Upgraded`] or [`Signal::NotUpgraded`]
/// tells what becomes of it. Returns its process id.
pub(super) fn start_successor(program: &Path, sockets: &[(RawFd, Option<&str>)]) -> io::Result<u32> {
    let (mut child, mut ready) = spawn_successor(program, sockets)?;
    let pid = child.id();
    let wait = move || {
        if ready.read_exact(&mut [0]).is_ok() {
            return signal::raise(Signal::Upgraded);
        }
        let ended = child.wait();
        // Whoever reads the log may ask for another at once.
        signal::raise(Signal::NotUpgraded);
        match ended {
            Ok(status) => log::error!("the new process did not start: {status}"),
            Err(error) => log::error!("the new process did not start: {error}"),
        }
    };
    let watched = thread::Builder::new().name("successor".to_owned()).spawn(wait);
    // Nobody would hear of it.
    watched.map(|_| pid).inspect_err(|_| process::terminate(pid))
}

/// The same, and leaves it to the caller to wait for the byte that says that it serves, or for its end.
pub(super) fn spawn_successor(program: &Path, sockets: &[(RawFd, Option<&str>)]) -> io::Result<(Child, PipeReader)> {
    let (ready, theirs) = io::pipe()?;
    let list: Vec<String> = sockets.iter().map(|(fd, name)| format!("{fd}={}", name.unwrap_or_default())).collect();
    let mut command = Command::new(program);
    command
        .args(std::env::args_os().skip(1))
        .env(format!("{HANDOVER_PREFIX}SOCKETS"), list.join(","))
        .env(format!("{HANDOVER_PREFIX}READY"), theirs.as_raw_fd().to_string());
    process::leave_open(&mut command, sockets.iter().map(|(fd, _)| *fd).chain([theirs.as_raw_fd()]).collect());
    let child = command.spawn()?;
    // Only the successor's end is left, which the kernel closes with it.
    drop(theirs);
    Ok((child, ready))
}
