//! What signals do, and to whom.

use std::fs;
use std::process::Command;

use super::support::{Server, TemporaryDirectory, WAITING, answer, busy, site, wait_for, wait_until, waiting};
use super::{FILE, served};

/// The server's own signals are for the server: a script that sleeps is not woken by them.
#[test]
fn a_sleeping_script_does_not_notice_the_servers_signals() {
    let script = "<?php touch(__DIR__ . '/asleep'); echo 'left ', sleep(1);";
    let root = site(&[("sleep.php", script)]);
    let server = Server::builder(root.path()).workers(1).start();
    let mut asleep = server.connect();
    asleep.write("GET /sleep.php HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").expect("sent");
    wait_until(|| root.path().join("asleep").exists(), "the script never ran");
    for _ in 0..10 {
        server.signal("USR1");
        server.signal("PIPE");
    }
    assert!(answer(asleep).ends_with("left 0"));
}

#[test]
fn sighup_applies_what_it_can_and_drops_no_connection() {
    let root = site(&[("wait.php", WAITING), ("file.txt", "file")]);
    let other = site(&[("file.txt", "other file")]);
    let server = Server::builder(root.path()).workers(2).start();
    let busy = busy(&server);
    let mut idle = served(&server);
    let mut half = server.connect();
    half.write(&FILE[..20]).expect("sent");

    let long = format!("GET /file.txt?{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(3000));
    let builder = Server::builder(other.path()).workers(3).server("target_bytes_max = 2048");
    server.configure(&builder);
    server.signal("HUP");
    server.wait_for_log("the configuration has been read again");
    assert!(server.log().contains("server.workers has changed, which takes a restart"), "{}", server.log());
    assert!(!server.log().contains("server.document_root has changed"), "{}", server.log());
    idle.write(FILE).expect("sent");
    idle.read_until("other file").expect("the new document root");
    half.write(&FILE[20..]).expect("sent");
    half.read_until("other file").expect("the new document root");
    assert!(server.raw(&long).starts_with(b"HTTP/1.1 414 "));

    server.configure(&builder.clone().server("worker = 3"));
    server.signal("HUP");
    server.wait_for_log("the configuration stays as it is");
    assert!(server.log().contains("server.worker: unknown key"), "{}", server.log());
    idle.write(FILE).expect("sent");
    idle.read_until("other file").expect("what was valid");

    fs::write(root.path().join("go"), "").expect("a written file");
    assert!(answer(busy).ends_with("4\r\ndone\r\n0\r\n\r\n"));
    let (status, log) = server.stop();
    assert!(status.success(), "{log}");
}

/// Begins its response only when the file `go` is there.
const LATE: &str = waiting!(
    "touch(__DIR__ . '/begun' . $_GET['number']);",
    "if ($_GET['file'] ?? '') { header('X-Sendfile: ' . $_GET['file']); } echo 'done';"
);

#[test]
fn sighup_takes_nothing_from_requests_under_way() {
    let root = site(&[("late.php", LATE), ("file.txt", "file")]);
    let files = site(&[("secret.txt", "secret")]);
    let rules = "[headers]\nset = [[\"/*\", \"X-All\", \"1\"], [\"/late.php\", \"X-Own\", \"1\"]]\n";
    let server = Server::builder(root.path()).workers(2).sections(rules).start();
    let queries = ["number=1".to_owned(), format!("number=2&file={}/secret.txt", files.path().display())];
    let [page, file] = queries.map(|query| {
        let mut connection = server.connect();
        let request = format!("GET /late.php?{query} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        connection.write(request).expect("sent");
        connection
    });
    wait_until(|| ["begun1", "begun2"].iter().all(|name| root.path().join(name).exists()), "the scripts do not run");

    let directory = format!("internal_files = {{ \"/protected/\" = \"{}\" }}", files.path().display());
    let rules = "[headers]\nset = [[\"/late.php\", \"X-New\", \"1\"]]\n";
    server.configure(&Server::builder(root.path()).workers(2).server(&directory).sections(rules));
    server.signal("HUP");
    server.wait_for_log("the configuration has been read again");
    served(&server);
    fs::write(root.path().join("go"), "").expect("a written file");
    let (page, file) = (answer(page), answer(file));
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.ends_with("\r\n\r\ndone"), "{page}");
    assert!(file.starts_with("HTTP/1.1 404 Not Found\r\n"), "{file}");
    for answer in [page, file] {
        let has = |name: &str| answer.contains(&format!("\r\n{name}: 1\r\n"));
        assert!(has("X-All") && has("X-Own") && !has("X-New"), "{answer}");
    }
    let (status, log) = server.stop();
    assert!(status.success(), "{log}");
}

/// Every key is applied at once, or else the log says that it takes a restart.
#[test]
fn sighup_says_of_everything_that_stays_that_it_does() {
    let root = site(&[("software.php", "<?php echo $_SERVER['SERVER_SOFTWARE'];")]);
    let builder = Server::builder(root.path());
    let server = builder.clone().server("server_software = \"one\"").start();
    assert_eq!(server.client().get("/software.php").expect(200).text(), "one");
    server.configure(&builder.clone().server("server_software = \"two\""));
    server.signal("HUP");
    server.wait_for_log("the configuration has been read again");
    let said = server.log().contains("server.server_software has changed, which takes a restart");
    let text = server.client().get("/software.php").expect(200).text();
    assert_eq!((said, &*text), (true, "one"));
}

/// A process that hangs while it starts can be stopped: here nobody reads the pipe that it is to log to.
#[test]
fn a_process_that_has_not_started_stops_at_once() {
    let root = site(&[]);
    let directory = TemporaryDirectory::new("process");
    let pipe = directory.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let section = format!("[access_log]\nformat = \"json\"\npath = \"{}\"\n", pipe.display());
    let server = Server::builder(root.path()).sections(&section).start();
    let (status, log) = server.stop();
    assert!(status.success() && !log.contains("listening on"), "{log}");
}

/// The second signal is for scripts that have no client left, too.
#[test]
fn a_second_signal_waits_for_nobody() {
    let script = r#"<?php
touch(__DIR__ . '/running');
ignore_user_abort(true);
fastcgi_finish_request();
while (true) { usleep(1000); }
"#;
    let root = site(&[("endless.php", script)]);
    let directory = TemporaryDirectory::new("process");
    let path = directory.path().join("access.log");
    let server = Server::builder(root.path())
        .server("drain_timeout = \"600s\"")
        .ini("max_execution_time", "0")
        .sections(&format!("[access_log]\nformat = \"json\"\npath = \"{}\"\n", path.display()))
        .start();
    server.client().get("/endless.php").expect(200);
    wait_for(&root.path().join("running"));
    server.signal("TERM");
    server.wait_for_log("stopping: requests under way");
    server.signal("TERM");
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
}

/// What was asked of the log before the stop, and during it.
#[test]
fn logs_are_reopened_during_a_drain() {
    let root = site(&[("wait.php", WAITING)]);
    let directory = TemporaryDirectory::new("process");
    let (path, old) = (directory.path().join("access.log"), directory.path().join("access.log.1"));
    let server = Server::builder(root.path())
        .sections(&format!("[access_log]\nformat = \"json\"\npath = \"{}\"\n", path.display()))
        .start();
    let running = busy(&server);
    server.signal("TERM");
    server.wait_for_log("stopping: requests under way");
    fs::rename(&path, &old).expect("a file that can be moved");
    server.signal("USR1");
    wait_for(&path);
    fs::write(root.path().join("go"), "").expect("a written file");
    assert!(answer(running).contains("done"));
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
    assert!(fs::read_to_string(&path).expect("the new log").contains("/wait.php"));
}
