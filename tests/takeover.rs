//! How one process takes over from another: sockets, requests under way, and what must not pass from one to the other.

#![cfg(feature = "php")]

mod support;

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use support::{
    Connection, Server, TemporaryDirectory, WAITING, answer, ask_at, busy, is_running, site, wait_until, waiting,
};

/// A process that leaves waits so long for one more request on a connection; clients of a busy machine may pause.
const PATIENT: &str = "linger_timeout = \"20s\"";

/// While clients ask without a pause, one process takes over from another: each of them is answered.
#[test]
fn a_new_process_takes_over_without_refusing_anybody() {
    for loops in [1, 3] {
        let root = site(&[("pid.php", "<?php echo getmypid();"), ("wait.php", WAITING)]);
        let directory = TemporaryDirectory::new("upgrade");
        let socket = directory.path().join("site.sock");
        let listen = format!("listen = [\"LISTEN\", \"unix:{}\"]", socket.display());
        let loops = format!("event_loops = {loops}");
        let server = Server::builder(root.path()).server(&loops).server(PATIENT).listen(&listen).start();
        server.wait_for_log("listening on");
        let address = server.address();
        let ask = move || {
            let mut connection = Connection::open(address).expect("a connection");
            connection.write("GET /pid.php HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").expect("sent");
            let answer = answer(connection);
            answer.rsplit("\r\n").next().expect("content").parse::<u32>().unwrap_or_else(|_| panic!("{answer}"))
        };
        assert_eq!(ask(), server.pid());
        let running = busy(&server);
        let clients: Vec<_> = (0..3)
            .map(|_| {
                let old = server.pid();
                std::thread::spawn(move || {
                    let deadline = Instant::now() + Duration::from_secs(60);
                    let (mut seen, mut after) = (0, 0);
                    while after < 20 {
                        assert!(Instant::now() < deadline, "the new process never answered");
                        seen = ask();
                        after += u32::from(seen != old);
                    }
                    seen
                })
            })
            .collect();
        server.signal("USR2");
        let pids: Vec<u32> = clients.into_iter().map(|client| client.join().expect("no request failed")).collect();
        assert!(pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");
        let successor = pids[0];
        // What the old process was at work for is finished by it.
        fs::write(root.path().join("go"), "").expect("a written file");
        assert!(answer(running).contains("done"));
        let (status, log) = server.wait();
        assert!(status.success(), "{log}");
        assert!(ask_at(&socket, "GET /pid.php HTTP/1.0\r\n\r\n").ends_with(&successor.to_string()));
        assert_eq!(ask(), successor);
        let killed = Command::new("kill").arg(successor.to_string()).status().expect("kill");
        assert!(killed.success());
        wait_until(|| Connection::open(address).is_err() && !socket.exists(), "the successor does not stop");
    }
}

#[test]
fn a_process_whose_successor_does_not_start_goes_on() {
    let root = site(&[("file.txt", "file")]);
    let builder = Server::builder(root.path());
    let server = builder.clone().start();
    server.wait_for_log("listening on");
    server.configure(&builder.server("worker = 1"));
    server.signal("USR2");
    server.wait_for_log("the new process did not start: exit status: 78");
    assert_eq!(server.client().get("/file.txt").expect(200).text(), "file");
    let (status, log) = server.stop();
    assert!(status.success(), "{log}");
}

/// A successor that hangs while it starts: nobody reads the pipe that it is to log to.
fn hang_successor(server: &Server, builder: &support::Builder, directory: &TemporaryDirectory) {
    let pipe = directory.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let section = format!("[access_log]\nformat = \"json\"\npath = \"{}\"\n", pipe.display());
    server.configure(&builder.clone().sections(&section));
}

/// The process that a server has started from its own program.
fn successor_of(server: &Server) -> u32 {
    let log = server.log();
    let line = log.lines().rfind(|line| line.contains("is starting from")).expect("a line about it");
    line.split("process ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a number").parse().expect("a number")
}

#[test]
fn a_successor_that_hangs_is_in_nobodys_way_and_ends_with_the_process() {
    let root = site(&[("file.txt", "file")]);
    let directory = TemporaryDirectory::new("takeover");
    let socket = directory.path().join("site.sock");
    let builder = Server::builder(root.path()).listen(&format!("listen = [\"LISTEN\", \"unix:{}\"]", socket.display()));
    let server = builder.clone().start();
    server.wait_for_log("listening on");
    hang_successor(&server, &builder, &directory);
    server.signal("USR2");
    server.wait_for_log("is starting from");
    server.signal("USR2");
    server.wait_for_log("is starting already");
    let successor = successor_of(&server);
    for _ in 0..20 {
        assert_eq!(server.client().get("/file.txt").expect(200).text(), "file");
    }
    assert!(is_running(successor), "{}", server.log());
    // What the operator stops does not come back under another number.
    let address = server.address();
    let (status, log) = server.stop();
    assert!(status.success(), "{log}");
    wait_until(|| !is_running(successor), "the successor goes on");
    assert!(Connection::open(address).is_err() && !socket.exists());
}

#[test]
fn after_a_successor_has_been_killed_there_may_be_another() {
    let root = site(&[("pid.php", "<?php echo getmypid();")]);
    let directory = TemporaryDirectory::new("takeover");
    let builder = Server::builder(root.path());
    let server = builder.clone().start();
    server.wait_for_log("listening on");
    hang_successor(&server, &builder, &directory);
    server.signal("USR2");
    server.wait_for_log("is starting from");
    let first = successor_of(&server);
    assert!(Command::new("kill").args(["-KILL", &first.to_string()]).status().expect("kill").success());
    server.wait_for_log("the new process did not start: signal: 9");
    server.configure(&builder);
    server.signal("USR2");
    let address = server.address();
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
    let successor = pid_at(address);
    assert_ne!(successor, first);
    end(successor);
}

/// Which process answers.
fn pid_at(address: std::net::SocketAddr) -> u32 {
    let mut connection = Connection::open(address).expect("a connection");
    connection.write("GET /pid.php HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").expect("sent");
    let answer = answer(connection);
    answer.rsplit("\r\n").next().expect("content").parse().unwrap_or_else(|_| panic!("{answer}"))
}

/// Stops a process that is no child of the test.
fn end(pid: u32) {
    assert!(Command::new("kill").arg(pid.to_string()).status().expect("kill").success());
    wait_until(|| !is_running(pid), "the successor does not stop");
}

/// A file that a script has open, and a lock on it, are not the successor's: the lock would outlive the script.
#[test]
fn a_successor_inherits_nothing_that_scripts_have_open() {
    let locking = waiting!(
        "$file = fopen(__DIR__ . '/lock', 'c'); flock($file, LOCK_EX); echo 'running;'; flush();",
        "echo 'done';"
    );
    let trying = "<?php echo flock(fopen(__DIR__ . '/lock', 'c'), LOCK_EX | LOCK_NB) ? 'free' : 'held';";
    let root = site(&[("wait.php", locking), ("try.php", trying), ("pid.php", "<?php echo getmypid();")]);
    let server = Server::builder(root.path()).start();
    server.wait_for_log("listening on");
    let running = busy(&server);
    assert_eq!(server.client().get("/try.php").expect(200).text(), "held");
    let (address, old) = (server.address(), server.pid());
    server.signal("USR2");
    server.wait_for_log("serves now");
    fs::write(root.path().join("go"), "").expect("a written file");
    assert!(answer(running).contains("done"));
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
    let successor = pid_at(address);
    assert_ne!(successor, old);
    let mut client = support::Client::new(address);
    assert_eq!(client.get("/try.php").expect(200).text(), "free");
    let files = fs::read_dir(format!("/proc/{successor}/fd")).expect("files").filter_map(Result::ok);
    let files: Vec<_> = files.filter_map(|entry| fs::read_link(entry.path()).ok()).collect();
    assert!(!files.iter().any(|file| file.starts_with(root.path()) && file.is_file()), "{files:?}");
    end(successor);
}

/// Clients that keep their connections get an answer to every request, too: the last one of a connection says so.
#[test]
fn connections_that_are_in_use_are_closed_politely() {
    let root = site(&[("pid.php", "<?php echo getmypid();"), ("file.txt", "file")]);
    let server = Server::builder(root.path()).server("event_loops = 2").server(PATIENT).start();
    server.wait_for_log("listening on");
    let (address, old) = (server.address(), server.pid());
    let clients: Vec<_> = ["/pid.php", "/file.txt", "/pid.php", "/file.txt"]
        .into_iter()
        .map(|target| {
            std::thread::spawn(move || {
                let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
                let mut connection = Connection::open(address).expect("a connection");
                let deadline = Instant::now() + Duration::from_secs(60);
                // On after the takeover, which nothing but the process number tells.
                let mut after = 0;
                while after < 50 {
                    assert!(Instant::now() < deadline, "nobody took over");
                    connection.write(&request).expect("sent");
                    let response = connection.incoming("GET").expect("an answer to every request").finish();
                    let (response, kept) = response.expect("a whole response");
                    assert_eq!(response.status, 200);
                    connection = kept.unwrap_or_else(|| Connection::open(address).expect("a connection"));
                    after += u32::from(!is_running(old));
                }
            })
        })
        .collect();
    server.signal("USR2");
    let (status, log) = server.wait();
    clients.into_iter().for_each(|client| client.join().expect("no request failed"));
    assert!(status.success(), "{log}");
    end(pid_at(address));
}
