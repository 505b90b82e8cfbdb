//! Processes as the system sees them: whether they are there, and signals for them.

use std::fs;
use std::process::Command;

use super::wait_until;

/// The fields of `/proc/PID/stat` after the program's name: the state, the parent and so on.
pub(crate) fn stat(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit_once(") ")?.1.split(' ').map(str::to_owned).collect())
}

/// Whether it is there, and no zombie.
pub(crate) fn is_running(pid: u32) -> bool {
    stat(pid).is_some_and(|fields| fields[0] != "Z")
}

/// Sends a signal by its name (`TERM`).
#[track_caller]
pub(crate) fn kill(signal: &str, pid: u32) {
    let status = Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).status().expect("kill");
    assert!(status.success(), "kill -{signal} {pid}");
}

/// A stopped process accepts nothing; it must have come to rest before anybody relies on that. Each thread does for
/// itself: one that has yet to be woken for it could still be the one that a connection is offered to, and keep it.
#[track_caller]
pub(crate) fn stop(pid: u32) {
    kill("STOP", pid);
    wait_until(|| is_stopped(pid), "the process does not stop");
}

/// Whether all of its threads are.
fn is_stopped(pid: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("a process that is there");
    let mut states = tasks.flatten().filter_map(|task| state(&fs::read_to_string(task.path().join("stat")).ok()?));
    states.all(|state| state == "T")
}

/// The first of the fields after the program's name.
fn state(stat: &str) -> Option<String> {
    Some(stat.rsplit_once(") ")?.1.split(' ').next()?.to_owned())
}

/// The processes that this one has started.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().map(|child| child.parse().expect("a number")).collect()
}
