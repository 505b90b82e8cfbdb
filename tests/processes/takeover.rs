//! One tree of processes takes over from another.

use std::fs;
use std::time::{Duration, Instant};

use super::support::{Connection, Server, Systemd, TemporaryDirectory, is_running, kill, wait_until};
use super::{busy, hang_at_the_start, pid_at, scripts, start, supervised, wait_for_processes};

/// While clients ask without a pause one tree takes over from another, and each of them is answered.
#[test]
fn a_new_tree_takes_over_without_refusing_anybody() {
    for (before, after) in [(2, 2), (1, 0), (0, 2)] {
        let root = scripts();
        // Clients of a busy machine may pause before they ask.
        let builder = supervised(root.path(), before).server("event_loops = 2").server("linger_timeout = \"20s\"");
        let server = builder.clone().start();
        wait_for_processes(&server, before);
        server.wait_for_log("listening on");
        let address = server.address();
        let (mut running, old) = busy(address);
        let mut all_old = wait_for_processes(&server, before);
        all_old.push(old);
        server.configure(&supervised(root.path(), after));
        let clients: Vec<_> = (0..3)
            .map(|_| {
                let old = all_old.clone();
                std::thread::spawn(move || {
                    let deadline = Instant::now() + Duration::from_secs(60);
                    let mut answered = 0;
                    while answered < 30 {
                        assert!(Instant::now() < deadline, "nobody took over");
                        answered += u32::from(!old.contains(&pid_at(address)));
                    }
                })
            })
            .collect();
        server.signal("USR2");
        clients.into_iter().for_each(|client| client.join().expect("no request failed"));
        fs::write(root.path().join("go"), "").expect("a written file");
        running.read_until("done").expect("what was under way");
        let successor = successor_of(&server);
        let (status, log) = server.wait();
        assert!(status.success() && is_running(successor), "{log}");
        assert!(!all_old.iter().any(|pid| is_running(*pid)), "{log}");
        kill("TERM", successor);
        wait_until(|| !is_running(successor) && Connection::open(address).is_err(), "the successor does not stop");
    }
}

/// The process that a server has started from its own program.
#[track_caller]
fn successor_of(server: &Server) -> u32 {
    let log = server.log();
    let line = log.lines().rfind(|line| line.contains("is starting from")).expect("a line about it");
    line.split("process ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a number").parse().expect("a number")
}

#[test]
fn a_tree_whose_successor_does_not_start_goes_on() {
    let root = scripts();
    let builder = supervised(root.path(), 2);
    let (server, pids) = start(builder.clone(), 2);
    server.configure(&builder.clone().server("worker = 1"));
    server.signal("USR2");
    server.wait_for_log("the new process did not start: exit status: 78");
    // One that fails in the processes that it starts.
    let section = "[access_log]\nformat = \"json\"\npath = \"none/access.log\"\n";
    server.configure(&builder.clone().sections(section));
    server.signal("USR2");
    server.wait_for_log("the new process did not start: exit status: 1");
    assert!(pids.contains(&pid_at(server.address())));
    // One that is killed, or hangs, is in nobody's way.
    let directory = TemporaryDirectory::new("processes");
    server.configure(&builder.sections(&hang_at_the_start(&directory)));
    server.signal("USR2");
    wait_until(|| server.log().matches("is starting from").count() == 3, "no successor");
    server.signal("USR2");
    server.wait_for_log("is starting already");
    let successor = successor_of(&server);
    assert!(pids.contains(&pid_at(server.address())) && is_running(successor));
    let (status, log) = server.stop();
    assert!(status.success(), "{log}");
    wait_until(|| !is_running(successor), "the successor goes on");
}

#[test]
fn systemd_is_told_when_all_serve_and_who_takes_over() {
    let root = scripts();
    let systemd = Systemd::new();
    let server = systemd.unit(supervised(root.path(), 2)).start();
    assert_eq!(systemd.told(), "READY=1");
    let pids = wait_for_processes(&server, 2);
    kill("KILL", pids[0]);
    wait_for_processes(&server, 3);
    server.signal("USR2");
    // A crash has told nothing, and the successor nothing by itself: systemd would not believe it.
    let told = systemd.told();
    let successor = successor_of(&server);
    assert_eq!(told, format!("MAINPID={successor}"));
    let address = server.address();
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
    assert!(pid_at(address) > 0);
    kill("TERM", successor);
    assert_eq!(systemd.told(), "STOPPING=1");
    wait_until(|| !is_running(successor), "the successor does not stop");
    systemd.is_silent();
}
