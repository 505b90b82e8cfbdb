//! The supervisor and the processes that serve: what a crash costs, and that signals mean all of them.

#![cfg(feature = "php")]

#[path = "processes/stops.rs"]
mod stops;
mod support;
#[path = "processes/takeover.rs"]
mod takeover;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use support::{
    Builder, Connection, Server, TemporaryDirectory, ask_at, children, is_running, kill, site, stat, stop, wait_for,
    wait_for_text, wait_until, waiting,
};

/// The first signal meets the standard library's handler, which takes itself away and lets it pass.
const CRASH: &str = "<?php while (true) { posix_kill(getmypid(), 11); }";
const PID: &str = "<?php echo getmypid();";
/// Says in which process it runs, and then waits until the file `go` exists.
const WAITING: &str = waiting!("echo 'running in ', getmypid(), ';'; flush();", "echo 'done';");

/// A site with the scripts above.
fn scripts() -> TemporaryDirectory {
    site(&[("crash.php", CRASH), ("pid.php", PID), ("wait.php", WAITING), ("file.txt", "file")])
}

fn supervised(root: &Path, processes: usize) -> Builder {
    Server::builder(root).workers(2).server(&format!("processes = {processes}"))
}

/// Starts a server and waits for all of its processes, which are returned.
#[track_caller]
fn start(builder: Builder, processes: usize) -> (Server, Vec<u32>) {
    let server = builder.start();
    let pids = wait_for_processes(&server, processes);
    (server, pids)
}

/// Waits until so many processes have said that they serve, and returns them.
#[track_caller]
fn wait_for_processes(server: &Server, count: usize) -> Vec<u32> {
    let pid = |line: &str| line.strip_suffix(" serves")?.rsplit(' ').next()?.parse().ok();
    let serving = || server.log().lines().filter_map(pid).collect::<Vec<_>>();
    let deadline = Instant::now() + Duration::from_secs(60);
    while serving().len() < count {
        assert!(Instant::now() < deadline, "no {count} processes have ever served:\n{}", server.log());
        std::thread::sleep(Duration::from_millis(5));
    }
    serving()
}

#[track_caller]
fn send(address: SocketAddr, target: &str) -> Connection {
    let mut connection = Connection::open(address).expect("a connection");
    connection.write(format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).expect("sent");
    connection
}

/// What a process answers that dies of the request. The connection may be reset.
fn last_words(mut connection: Connection) -> Vec<u8> {
    connection.read_to_end().unwrap_or_default()
}

#[track_caller]
fn pid_at(address: SocketAddr) -> u32 {
    let answer = support::answer(send(address, "/pid.php"));
    answer.rsplit("\r\n").next().and_then(|pid| pid.parse().ok()).unwrap_or_else(|| panic!("{answer:?}"))
}

/// A request that PHP is at work for, and the process that it is in.
#[track_caller]
fn busy(address: SocketAddr) -> (Connection, u32) {
    let mut connection = send(address, "/wait.php");
    connection.read_until("running in ").expect("a running script");
    let pid = connection.read_until(";").expect("a number");
    (connection, String::from_utf8_lossy(&pid).trim_end_matches(';').parse().expect("a number"))
}

#[test]
fn a_crash_costs_the_requests_of_its_process_and_nothing_else() {
    for processes in [1, 2] {
        let root = scripts();
        let (server, first) = start(supervised(root.path(), processes), processes);
        let address = server.address();
        // The crash is to happen in another process than the long request.
        let long = (processes > 1).then(|| busy(address));
        long.iter().for_each(|(_, pid)| stop(*pid));
        assert_eq!(last_words(send(address, "/crash.php?why=test")), b"");
        long.iter().for_each(|(_, pid)| kill("CONT", *pid));
        assert!(pid_at(address) > 0);
        let replacement = wait_for_processes(&server, processes + 1)[processes];
        let victim = first.iter().find(|pid| !is_running(**pid)).expect("a process has died");
        let script = root.path().join("crash.php");
        server.wait_for_log(&format!(
            "ERROR process {victim} died of SIGSEGV while serving GET /crash.php?why=test ({}); another takes its place\n",
            script.display()
        ));
        if let Some((mut connection, pid)) = long {
            assert!(pid != *victim && is_running(pid));
            fs::write(root.path().join("go"), "").expect("a written file");
            connection.read_until("done").expect("a request that nothing has disturbed");
        } else {
            assert_eq!(pid_at(address), replacement);
        }
        // Nobody is left over from it.
        assert!(stat(*victim).is_none(), "a zombie");
        let (status, log) = server.stop();
        assert!(status.success(), "{log}");
    }
}

/// A thread that does not come back has another in its place, and either may be at something when the process crashes.
#[test]
fn a_crash_names_what_lost_threads_run_while_they_do() {
    // PHP cannot be told while it waits for a child.
    let stuck = "<?php exec('n=0; until test -e go || test $n = 1200; do sleep 0.1; n=$((n + 1)); done');";
    let root = site(&[("crash.php", CRASH), ("stuck.php", stuck)]);
    let builder = supervised(root.path(), 1).workers(1).php("request_timeout = \"1s\"");
    let servers = [(); 2].map(|()| start(builder.clone(), 1).0);
    let waiting = servers.each_ref().map(|server| send(server.address(), "/stuck.php"));
    let [crash, stuck] =
        ["crash.php", "stuck.php"].map(|name| format!("GET /{name} ({})", root.path().join(name).display()));
    for (server, when, told) in [
        (&servers[0], "another thread takes its place", format!("{stuck}, {crash}")),
        (&servers[1], "a thread that was given up has come back", crash.clone()),
    ] {
        server.wait_for_log(when);
        last_words(send(server.address(), "/crash.php"));
        server.wait_for_log(&format!(" while serving {told}; another takes its place\n"));
        // The other server has given its thread up long since, or will have before that comes back.
        servers[1].wait_for_log("another thread takes its place");
        root.write("go", "");
    }
    drop(waiting);
}

/// Connections that no process has taken yet are the next one's, those among them that have sent their request.
#[test]
fn what_waits_in_the_queue_is_not_lost_with_a_process() {
    let root = scripts();
    for loops in [1, 2] {
        let (server, first) = start(supervised(root.path(), 1).server(&format!("event_loops = {loops}")), 1);
        stop(first[0]);
        let waiting: Vec<_> = (0..20).map(|_| send(server.address(), "/pid.php")).collect();
        kill("KILL", first[0]);
        let replacement = wait_for_processes(&server, 2)[1].to_string();
        for connection in waiting {
            assert!(support::answer(connection).ends_with(&replacement), "another answer");
        }
        server.wait_for_log(&format!("process {} died of SIGKILL; another takes its place", first[0]));
    }
}

/// The supervisor has no PHP and no threads. It holds the sockets; the others are its children.
#[test]
fn the_supervisor_only_supervises() {
    let root = scripts();
    let (server, pids) = start(supervised(root.path(), 2), 2);
    let tasks = |pid: u32| fs::read_dir(format!("/proc/{pid}/task")).expect("threads").count();
    assert_eq!(tasks(server.pid()), 1);
    assert!(pids.iter().all(|pid| tasks(*pid) > 1 && stat(*pid).expect("a process")[1] == server.pid().to_string()));
    assert_eq!(server.log().matches("listening on").count(), 1, "one speaks for all: {}", server.log());
    // Whoever was started when others were there has nothing of theirs: no line of another, no pipe.
    let files = |pid: u32| {
        let links = fs::read_dir(format!("/proc/{pid}/fd")).expect("files").flatten();
        let kind = |path: String| path.split_once(":[").map_or(&path[..], |(kind, _)| kind).to_owned();
        let mut kinds: Vec<_> = links
            .filter_map(|link| fs::read_link(link.path()).ok())
            .map(|path| kind(path.to_string_lossy().into_owned()))
            .collect();
        kinds.sort();
        kinds
    };
    wait_until(|| files(pids[0]) == files(pids[1]), "one has more open than the other");
    kill("KILL", pids[0]);
    let replacement = wait_for_processes(&server, 3)[2];
    wait_until(|| files(replacement) == files(pids[1]), "a replacement has more open than another");
}

/// A server whose processes fail from now on while they start: the directory of their log is gone.
fn fail_from_now_on(processes: usize) -> (TemporaryDirectory, TemporaryDirectory, Server, Vec<u32>) {
    let (root, logs) = (scripts(), TemporaryDirectory::new("processes"));
    let directory = logs.path().join("logs");
    fs::create_dir(&directory).expect("a directory");
    let path = directory.join("access.log");
    let section = format!("[access_log]\nformat = \"json\"\npath = \"{}\"\n", path.display());
    let (server, pids) = start(supervised(root.path(), processes).sections(&section), processes);
    fs::rename(&directory, logs.path().join("away")).expect("a directory that can be moved");
    (root, logs, server, pids)
}

#[test]
fn a_process_that_does_not_start_again_is_tried_less_and_less_often() {
    let (_root, logs, server, pids) = fail_from_now_on(1);
    kill("KILL", pids[0]);
    for wait in ["", " in 100ms", " in 200ms", " in 400ms"] {
        server.wait_for_log(&format!("another takes its place{wait}\n"));
    }
    assert!(server.log().contains("ephpm: access_log.path: cannot open it"), "{}", server.log());
    fs::rename(logs.path().join("away"), logs.path().join("logs")).expect("a directory that can be moved");
    let replacement = wait_for_processes(&server, 2)[1];
    assert_eq!(pid_at(server.address()), replacement);
}

#[test]
fn a_loop_of_crashes_can_be_stopped() {
    let (_root, _logs, server, pids) = fail_from_now_on(2);
    pids.iter().for_each(|pid| kill("KILL", *pid));
    server.wait_for_log("another takes its place in 400ms");
    let (status, log) = server.stop();
    assert!(status.success(), "{log}");
}

/// A section that has a process hang while it starts: nobody reads the pipe that it is to log to.
fn hang_at_the_start(directory: &TemporaryDirectory) -> String {
    let pipe = directory.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    format!("[access_log]\nformat = \"json\"\npath = \"{}\"\n", pipe.display())
}

#[test]
fn all_processes_write_whole_lines_to_one_access_log() {
    let root = scripts();
    let logs = TemporaryDirectory::new("processes");
    let (path, old) = (logs.path().join("access.log"), logs.path().join("access.log.1"));
    let section = format!("[access_log]\nformat = \"json\"\npath = \"{}\"\n", path.display());
    let (server, pids) = start(supervised(root.path(), 2).sections(&section), 2);
    let address = server.address();
    let ask_both = || {
        for pid in &pids {
            stop(*pid);
            (0..50).for_each(|_| assert!(support::answer(send(address, "/file.txt")).ends_with("file")));
            kill("CONT", *pid);
        }
    };
    let whole = |text: &str| text.lines().filter(|line| line.starts_with("{\"time\"") && line.ends_with('}')).count();
    ask_both();
    wait_for_text(&path, |text| text.lines().count() == 100);
    fs::rename(&path, &old).expect("a file that can be moved");
    server.signal("USR1");
    wait_for(&path);
    // A process that has not opened it yet writes to the old one.
    ask_both();
    let (status, log) = server.stop();
    assert!(status.success(), "{log}");
    let [old, new] = [old, path].map(|path| fs::read_to_string(path).expect("a log"));
    assert_eq!((old.lines().count() + new.lines().count(), whole(&old) + whole(&new)), (200, 200));
    assert!(whole(&new) >= 50, "{new}");
}

/// The internal listener is one for all, and so is a Unix socket, which only the supervisor may remove.
#[test]
fn monitors_and_unix_sockets_survive_a_crash() {
    let root = scripts();
    let directory = TemporaryDirectory::new("processes");
    let [monitors, public] = ["internal.sock", "site.sock"].map(|name| directory.path().join(name));
    let builder = supervised(root.path(), 2)
        .listen(&format!("listen = [\"LISTEN\", \"unix:{}\"]", public.display()))
        .sections(&format!("[internal]\nlisten = \"unix:{}\"\n", monitors.display()));
    let (server, pids) = start(builder, 2);
    let ready = || ask_at(&monitors, "GET /ready HTTP/1.0\r\n\r\n");
    for (count, pid) in pids.iter().enumerate() {
        kill("TERM", *pid);
        wait_for_processes(&server, 3 + count);
        assert!(ready().ends_with("\r\n\r\nready\n"), "{}", ready());
        assert!(ask_at(&public, "GET /file.txt HTTP/1.0\r\n\r\n").ends_with("file"));
    }
    let (status, log) = server.stop();
    assert!(status.success(), "{log}");
    assert!(!monitors.exists() && !public.exists());
}

/// A process that takes the place of another has no more rights than that.
#[test]
fn a_replacement_has_dropped_privileges_too() {
    let uid = |pid: u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
        let line = status.lines().find(|line| line.starts_with("Uid:")).expect("a line").to_owned();
        line.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let are_root = uid(std::process::id())[0] == "0";
    // The test's directory may lie below one that only root may enter.
    let public = std::env::temp_dir().join(format!("ephpm-processes-{}", std::process::id()));
    fs::create_dir_all(&public).expect("a directory");
    fs::set_permissions(&public, fs::Permissions::from_mode(0o755)).expect("a directory of ours");
    fs::write(public.join("file.txt"), "file").expect("a file");
    let section = if are_root { "[process]\nuser = \"nobody\"\n" } else { "" };
    let (server, first) = start(supervised(&public, 1).sections(section), 1);
    kill("KILL", first[0]);
    let replacement = wait_for_processes(&server, 2)[1];
    assert_eq!(server.client().get("/file.txt").expect(200).text(), "file");
    assert_eq!(uid(replacement), uid(server.pid()));
    assert_ne!(uid(replacement)[0], "0");
    server.stop();
    fs::remove_dir_all(&public).expect("a directory");
}

/// The first process of a container is left the children of all others, and is sent no signal that it does not handle.
/// Where that cannot be tried (it takes privileges), it is not.
#[test]
fn as_the_first_process_it_waits_for_orphans() {
    let namespace = ["--pid", "--fork", "--kill-child"];
    if !Command::new("unshare").args(namespace).arg("true").status().is_ok_and(|status| status.success()) {
        return;
    }
    let script = "<?php echo isset($_GET['pid']) ? (posix_kill((int)$_GET['pid'], 0) ? 'there' : 'gone') \
                  : exec('sleep 0.05 >/dev/null 2>&1 & echo $!');";
    let root = site(&[("orphan.php", script)]);
    let address = support::free_address();
    let config = root.write("ephpm.toml", supervised(root.path(), 1).toml(address));
    let program = env!("CARGO_BIN_EXE_ephpm");
    let mut container = Command::new("unshare").args(namespace).arg(program).arg(config).spawn().expect("unshare");
    wait_until(|| Connection::open(address).is_ok(), "nobody listens");
    let ask = |query: &str| {
        let answer = support::answer(send(address, &format!("/orphan.php{query}")));
        answer.rsplit("\r\n").next().expect("content").to_owned()
    };
    let orphan = ask("");
    assert!(orphan.parse::<u32>().is_ok(), "{orphan}");
    // A zombie would be there for ever.
    wait_until(|| ask(&format!("?pid={orphan}")) == "gone", "a zombie");
    kill("TERM", children(container.id())[0]);
    assert!(container.wait().expect("its end").success());
}
