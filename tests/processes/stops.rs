//! How several processes start, stop and read their configuration again, also when one of them hangs or fails.

use std::fs;
use std::process::Command;

use super::support::{
    Connection, Server, TemporaryDirectory, children, free_address, is_running, kill, site, stat, stop, wait_until,
};
use super::{busy, hang_at_the_start, pid_at, scripts, start, supervised, wait_for_processes};

#[test]
fn a_server_that_cannot_start_says_so_once() {
    let root = scripts();
    let section = "[access_log]\nformat = \"json\"\npath = \"none/access.log\"\n";
    for (section, said, code) in
        [(section, "access_log.path: cannot open it", 1), ("[nothing]\n", "unknown section", 78)]
    {
        let toml = supervised(root.path(), 3).sections(section).toml(free_address());
        let config = root.write("ephpm.toml", toml);
        let output = Command::new(env!("CARGO_BIN_EXE_ephpm")).arg(config).output().expect("it starts");
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), log.matches(said).count()), (Some(code), 1), "{log}");
    }
}

/// While it starts, the one signal ends all.
#[test]
fn a_server_that_has_not_started_stops_at_once() {
    let (root, directory) = (scripts(), TemporaryDirectory::new("processes"));
    let server = supervised(root.path(), 2).sections(&hang_at_the_start(&directory)).start();
    let (status, log) = server.stop();
    assert!(status.success() && !log.contains("serves"), "{log}");
}

#[test]
fn a_process_that_hangs_at_the_start_ends_with_its_supervisor() {
    let (root, directory) = (scripts(), TemporaryDirectory::new("processes"));
    let server = supervised(root.path(), 2).sections(&hang_at_the_start(&directory)).start();
    wait_until(|| !children(server.pid()).is_empty(), "no process is started");
    let hanging = children(server.pid());
    assert_eq!(hanging.len(), 1, "the others wait for it");
    server.signal("KILL");
    wait_until(|| !is_running(hanging[0]), "an orphan");
}

/// One that does not react is ended in the end, and the exit code says so.
#[test]
fn a_process_that_hangs_is_killed_at_the_end() {
    let root = scripts();
    let (server, pids) = start(supervised(root.path(), 2).server("drain_timeout = \"0s\""), 2);
    stop(pids[1]);
    let (status, log) = server.stop();
    assert_eq!(status.code(), Some(1), "{log}");
    assert_eq!(log.matches("does not end, and is killed").count(), 1, "{log}");
    assert!(log.contains(&format!("process {} does not end", pids[1])), "{log}");
    assert!(pids.iter().all(|pid| stat(*pid).is_none()), "{log}");
}

/// Two requests under way, each in a process of its own.
#[track_caller]
fn busy_in_both(server: &Server) -> [(Connection, u32); 2] {
    let first = busy(server.address());
    stop(first.1);
    let second = busy(server.address());
    kill("CONT", first.1);
    assert_ne!(first.1, second.1);
    [first, second]
}

/// Whole groups are signalled by terminals and by systemd: a process hears of it twice then.
#[test]
fn all_processes_drain() {
    for (signal, to_all) in [("TERM", false), ("QUIT", false), ("INT", true), ("TERM", true)] {
        let root = scripts();
        let (server, pids) = start(supervised(root.path(), 2), 2);
        let address = server.address();
        let both = busy_in_both(&server);
        if to_all {
            pids.iter().for_each(|pid| kill(signal, *pid));
        }
        server.signal(signal);
        server.wait_for_log("stopping: requests under way");
        wait_until(|| Connection::open(address).is_err(), "somebody still listens");
        fs::write(root.path().join("go"), "").expect("a written file");
        for (mut connection, _) in both {
            connection.read_until("done").expect("what was under way");
        }
        let (status, log) = server.wait();
        assert!(status.success() && !log.contains("takes its place"), "{log}");
        assert!(pids.iter().all(|pid| stat(*pid).is_none()), "{log}");
    }
}

#[test]
fn a_second_signal_waits_for_no_process() {
    let root = scripts();
    let (server, _) = start(supervised(root.path(), 2).server("drain_timeout = \"600s\""), 2);
    let both = busy_in_both(&server);
    server.signal("TERM");
    server.wait_for_log("stopping: requests under way");
    server.signal("TERM");
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
    drop(both);
}

/// One that is asked itself to end drains, and has a successor.
#[test]
fn one_process_can_be_exchanged() {
    let root = scripts();
    let (server, first) = start(supervised(root.path(), 1), 1);
    let (mut connection, _) = busy(server.address());
    kill("TERM", first[0]);
    fs::write(root.path().join("go"), "").expect("a written file");
    connection.read_until("done").expect("what was under way");
    let replacement = wait_for_processes(&server, 2)[1];
    assert_eq!(pid_at(server.address()), replacement);
    assert!(server.log().contains("ended with exit code 0; another takes its place\n"), "{}", server.log());
}

#[test]
fn nobody_survives_a_supervisor_that_is_killed() {
    let root = scripts();
    let (server, pids) = start(supervised(root.path(), 2), 2);
    let address = server.address();
    let [first, second] = busy_in_both(&server);
    server.signal("KILL");
    // They listen no longer, so that another server can, and end what they have begun.
    wait_until(|| Connection::open(address).is_err(), "somebody still listens");
    fs::write(root.path().join("go"), "").expect("a written file");
    for (mut connection, _) in [first, second] {
        connection.read_until("done").expect("what was under way");
    }
    wait_until(|| !pids.iter().any(|pid| is_running(*pid)), "an orphan");
}

#[test]
fn sighup_reaches_all_processes_and_is_reported_once() {
    let (root, other) = (scripts(), site(&[("file.txt", "other file")]));
    let (server, pids) = start(supervised(root.path(), 2), 2);
    server.configure(&supervised(other.path(), 2).server("worker = 3"));
    server.signal("HUP");
    server.wait_for_log("the configuration stays as it is");
    server.configure(&supervised(other.path(), 3));
    server.signal("HUP");
    server.wait_for_log("the configuration has been read again");
    for pid in &pids {
        stop(*pid);
        assert_eq!(server.client().get("/file.txt").expect(200).text(), "other file");
        kill("CONT", *pid);
    }
    let log = server.log();
    for said in ["stays as it is", "has been read again", "server.processes has changed, which takes a restart"] {
        assert_eq!(log.matches(said).count(), 1, "{log}");
    }
    // Whoever comes later has it, too.
    kill("KILL", pids[0]);
    let replacement = wait_for_processes(&server, 3)[2];
    stop(pids[1]);
    assert_eq!(server.client().get("/file.txt").expect(200).text(), "other file");
    kill("CONT", pids[1]);
    assert!(is_running(replacement));
}

/// The file may change between two processes' looks at it.
#[test]
fn one_process_that_does_not_reload_is_named() {
    let (root, other) = (scripts(), site(&[("file.txt", "other file")]));
    let (server, pids) = start(supervised(root.path(), 2), 2);
    stop(pids[1]);
    server.configure(&supervised(other.path(), 2));
    server.signal("HUP");
    let text = || server.client().get("/file.txt").expect(200).text();
    wait_until(|| text() == "other file", "the other process does not reload");
    server.configure(&supervised(root.path(), 2).server("worker = 3"));
    kill("CONT", pids[1]);
    server.wait_for_log(&format!("process {} goes on with the configuration that it had", pids[1]));
    assert!(!server.log().contains("has been read again"), "{}", server.log());
    // Mended, it is as ever.
    server.configure(&supervised(root.path(), 2));
    server.signal("HUP");
    server.wait_for_log("the configuration has been read again");
}
