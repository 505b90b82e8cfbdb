//! The process as the operating system and its operator see it: whom it runs as, what its children inherit, signals,
//! listeners, and limits on connections.

#![cfg(feature = "php")]

#[path = "process/limits.rs"]
mod limits;
#[path = "process/listeners.rs"]
mod listeners;
#[path = "process/signals.rs"]
mod signals;
mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::{Connection, Server, site};

const FILE: &str = "GET /file.txt HTTP/1.1\r\nHost: a\r\n\r\n";

/// A connection that has been served, and is idle.
#[track_caller]
fn served(server: &Server) -> Connection {
    let mut connection = server.connect();
    connection.write(FILE).expect("sent");
    connection.read_until("file").expect("an answer");
    connection
}

/// The value of a line of `/proc/PID/status`.
#[track_caller]
fn status_of(pid: u32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).expect(name);
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn we_are_root() -> bool {
    status_of(std::process::id(), "Uid").starts_with("0 ")
}

/// Runs a program by `proc_open` with pipes as its standard streams, ends it with a signal if there is one, and prints
/// what it wrote and how it ended.
const PROC_OPEN: &str = r#"<?php
$pipes = [];
$child = proc_open($_GET['run'], [['pipe', 'r'], ['pipe', 'w'], ['pipe', 'w']], $pipes);
if (isset($_GET['signal'])) {
    proc_terminate($child, (int)$_GET['signal']);
}
echo stream_get_contents($pipes[1]);
do {
    $status = proc_get_status($child);
} while ($status['running'] && usleep(1000) === null);
echo 'signalled ', $status['signaled'] ? $status['termsig'] : 'not';
"#;

/// PHP's children are ordinary processes: no descriptor of the server, no signal blocked or ignored. Of PHP's own files
/// there is that of the script, which PHP does not close on exec under any server.
#[test]
fn programs_that_php_starts_inherit_nothing_of_the_server() {
    let root = site(&[("run.php", PROC_OPEN)]);
    let server = Server::builder(root.path()).server("event_loops = 2").start();
    let mut client = server.client();
    let mut run = |program: &str| client.get(&format!("/run.php?run={program}")).expect(200).text();

    let files = run("exec+ls+-l+/proc/self/fd");
    let inherited: Vec<&str> = files
        .lines()
        .filter_map(|line| line.split_once(" -> "))
        .filter(|(name, _)| name.rsplit(' ').next().is_some_and(|fd| fd.parse().is_ok_and(|fd: u32| fd > 2)))
        .map(|(_, target)| target)
        .filter(|target| !target.starts_with("/proc/") && !target.ends_with("/run.php"))
        .collect();
    assert_eq!(inherited, [""; 0], "{files}");

    let status = run("exec+cat+/proc/self/status");
    for name in ["SigBlk", "SigIgn"] {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        let signals = u64::from_str_radix(line.trim_start_matches(':').trim(), 16).expect("a mask");
        // 32 and 33 are the C library's own, which its posix_spawn ignores.
        assert_eq!(signals & !(3 << 31), 0, "{name}: {signals:x}");
    }
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");

    for signal in [15, 1, 2, 13] {
        let ended = run(&format!("exec+sleep+600&signal={signal}"));
        assert_eq!(ended, format!("signalled {signal}"));
    }
    assert_eq!(server.client().get("/run.php?run=true").expect(200).text(), "signalled not");
}

#[test]
fn privileges_are_dropped_before_php_starts() {
    let script = "<?php echo posix_getuid(), ' ', posix_geteuid(), ' ', posix_getegid(), ' ', \
                  implode(',', posix_getgroups()), ' ', var_export(@posix_setuid(0), true);";
    let root = site(&[("who.php", script)]);
    let builder = Server::builder(root.path()).sections("[process]\nuser = \"nobody\"\n");
    if !we_are_root() {
        let error = builder.start_error();
        assert!(error.contains("process.user: cannot become this user"), "{error}");
        return;
    }
    let entry = Command::new("getent").args(["passwd", "nobody"]).output().expect("getent").stdout;
    let entry = String::from_utf8(entry).expect("UTF-8");
    let (uid, gid) = {
        let fields: Vec<&str> = entry.split(':').collect();
        (fields[2].to_owned(), fields[3].to_owned())
    };
    // The test's directory may lie below one that only root may enter.
    let public = std::env::temp_dir().join(format!("ephpm-process-{}", std::process::id()));
    fs::create_dir_all(&public).expect("a directory");
    fs::copy(root.path().join("who.php"), public.join("who.php")).expect("a copy");
    let server = Server::builder(&public).sections("[process]\nuser = \"nobody\"\n").start();
    let who = server.client().get("/who.php").expect(200).text();
    fs::remove_dir_all(&public).expect("a directory");
    assert_eq!(who, format!("{uid} {uid} {gid} {gid} false"));
    let threads = fs::read_dir(format!("/proc/{}/task", server.pid())).expect("threads");
    for thread in threads {
        let status = fs::read_to_string(thread.expect("a thread").path().join("status")).expect("a status");
        let uids = status.lines().find(|line| line.starts_with("Uid:")).expect("Uid");
        assert!(uids.split_whitespace().skip(1).all(|number| number == uid), "{status}");
    }
    assert!(!server.log().contains("as root"), "{}", server.log());
}

#[test]
fn running_php_as_root_is_said() {
    let root = site(&[]);
    let server = Server::builder(root.path()).start();
    server.wait_for_log("listening on");
    assert_eq!(server.log().contains("PHP will run as root"), we_are_root(), "{}", server.log());
    let limits = fs::read_to_string(Path::new("/proc").join(server.pid().to_string()).join("limits")).expect("limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    let unknown = Server::builder(root.path()).sections("[process]\nuser = \"nobody-of-this-name\"\n").start_error();
    assert!(unknown.contains("process.user: user \"nobody-of-this-name\" is unknown"), "{unknown}");
}
