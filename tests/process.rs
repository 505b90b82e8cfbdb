//! The process as the operating system and its operator see it: whom it runs as, what its children inherit, signals,
//! listeners, and limits on connections.

#![cfg(feature = "php")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use support::{Connection, Server, Systemd, TemporaryDirectory, WAITING, answer, ask_at, busy, site, wait_until};

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

const FILE: &str = "GET /file.txt HTTP/1.1\r\nHost: a\r\n\r\n";

/// A connection that has been served, and is idle.
#[track_caller]
fn served(server: &Server) -> Connection {
    let mut connection = server.connect();
    connection.write(FILE).expect("sent");
    connection.read_until("file").expect("an answer");
    connection
}

#[test]
fn while_all_connections_are_busy_new_ones_wait() {
    let root = site(&[("wait.php", WAITING), ("file.txt", "file")]);
    let server = Server::builder(root.path()).server("connections_max = 2").start();
    let (first, second) = (busy(&server), busy(&server));
    let mut third = server.connect().timeout(Duration::from_millis(250));
    third.write(FILE).expect("sent");
    assert!(third.read_until("file").is_err(), "the third connection was served beside two others");
    fs::write(root.path().join("go"), "").expect("a written file");
    assert!(answer(first).contains("done") && answer(second).contains("done"));
    assert!(third.timeout(Duration::from_secs(30)).read_until("file").is_ok());
}

#[test]
fn the_connection_that_is_idle_for_longest_makes_room() {
    let root = site(&[("wait.php", WAITING), ("file.txt", "file")]);
    let server = Server::builder(root.path()).server("connections_max = 3").start();
    let busy = busy(&server);
    let (older, mut younger) = (served(&server), served(&server));
    drop(served(&server));
    assert_eq!(answer(older), "");
    younger.write(FILE).expect("sent");
    younger.read_until("file").expect("an answer");
    fs::write(root.path().join("go"), "").expect("a written file");
    assert!(answer(busy).contains("done"));
}

#[test]
fn an_address_has_no_more_connections_than_it_may() {
    let root = site(&[("file.txt", "file")]);
    let server = Server::builder(root.path()).server("connections_per_address_max = 2\nevent_loops = 2").start();
    // The one that the test looked with for an open port may still be counted.
    let mut two = Vec::new();
    wait_until(
        || {
            let mut connection = server.connect();
            let served = connection.write(FILE).is_ok() && connection.read_until("file").is_ok();
            two.extend(served.then_some(connection));
            two.len() == 2
        },
        "two connections were never taken",
    );
    let refused = answer(server.connect());
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("\r\nConnection: close\r\n"), "{refused}");
    drop(two);
    wait_until(|| server.client().try_send(&support::Request::get("/file.txt")).is_ok_and(|r| r.status == 200), "503");
}

/// S22: a script takes every file descriptor. Idle connections make room for new ones, and when there are none they are
/// told that there is no room.
#[test]
fn the_server_survives_without_file_descriptors() {
    let script = r#"<?php
$files = [];
if (file_exists(__DIR__ . '/go')) { exit('done'); }
while ($file = @fopen('/dev/null', 'r')) { $files[] = $file; }
echo 'running;';
flush();
for ($i = 0; $i < 12000 && !file_exists(__DIR__ . '/go'); $i++) {
    while ($file = @fopen('/dev/null', 'r')) { $files[] = $file; }
    usleep(5000);
    clearstatcache();
}
echo 'done';
"#;
    let root = site(&[("wait.php", script)]);
    let server = Server::builder(root.path()).files_max(100).start();
    server.wait_for_log("server.connections_max is 75 instead of 10000");
    let options = "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut idle = server.connect();
    idle.write(options).expect("sent");
    idle.read_until("\r\n\r\n").expect("an answer");
    let hungry = busy(&server);
    // The script may be faster than the server at taking what the idle connection gives back.
    let mut next = server.connect();
    next.write(options).expect("sent");
    let head = next.read_until("\r\n\r\n").expect("an answer");
    assert!(head.starts_with(b"HTTP/1.1 204 ") || head.starts_with(b"HTTP/1.1 503 "));
    assert_eq!(answer(idle), "", "the idle connection makes room");
    drop(next);
    // One that was faster than the script at taking a descriptor is not refused, and waits for nothing.
    let refused = || {
        let answer = server.connect().timeout(Duration::from_secs(1)).read_to_end();
        answer.is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 503 "))
    };
    wait_until(refused, "nobody was refused");
    fs::write(root.path().join("go"), "").expect("a written file");
    assert!(answer(hungry).contains("done"));
    wait_until(
        || server.client().try_send(&support::Request::get("/wait.php")).is_ok_and(|r| r.status == 200),
        "never again served",
    );
    assert!(server.log().contains("cannot accept connections for a moment"), "{}", server.log());
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
const LATE: &str = r"<?php
touch(__DIR__ . '/begun' . $_GET['number']);
for ($i = 0; $i < 12000 && !file_exists(__DIR__ . '/go'); $i++) { usleep(5000); clearstatcache(); }
if ($_GET['file'] ?? '') { header('X-Sendfile: ' . $_GET['file']); }
echo 'done';
";

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

const WHO: &str = "<?php foreach (['REMOTE_ADDR', 'REMOTE_PORT', 'SERVER_ADDR', 'SERVER_PORT', 'REQUEST_SCHEME'] as $name) \
                   { echo $_SERVER[$name], ' '; }";

#[test]
fn a_unix_socket_is_served_beside_an_address() {
    let root = site(&[("who.php", WHO), ("file.txt", "file")]);
    let sockets = TemporaryDirectory::new("sockets");
    let path = sockets.path().join("site.sock");
    // One that a process has left behind.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
    let listen = format!("listen = [\"LISTEN\", \"unix:{} mode=606\"]", path.display());
    let server = Server::builder(root.path()).server("event_loops = 2").listen(&listen).start();
    server.wait_for_log(&format!("listening on unix:{}", path.display()));
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).expect("a socket").permissions());
    assert_eq!(mode & 0o777, 0o606);
    for _ in 0..8 {
        let answer = ask_at(&path, "GET /who.php HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        assert!(answer.ends_with("\r\n\r\nunix: 0 unix: 80 http "), "{answer}");
    }
    let large = "x".repeat(300_000);
    fs::write(root.path().join("large.txt"), &large).expect("a file");
    assert!(ask_at(&path, "GET /large.txt HTTP/1.0\r\n\r\n").ends_with(&large));
    assert_eq!(server.client().get("/file.txt").expect(200).text(), "file");
    let (status, log) = server.stop();
    assert!(status.success(), "{log}");
    assert!(!path.exists(), "the socket is removed");
}

#[test]
fn the_proxy_protocol_tells_who_the_client_is() {
    let root = site(&[("who.php", WHO)]);
    let server = Server::builder(root.path()).listen("listen = \"LISTEN proxy_protocol\"").start();
    let request = b"GET /who.php HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let tls = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x14\xc0\0\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb\x20\0\x05\x01\0\0\0\0";
    let v1 = b"PROXY TCP6 2001:db8::1 ::1 56324 8443\r\n";
    for (header, told) in
        [(&tls[..], "192.0.2.1 56324 198.51.100.2 443 https "), (v1, "2001:db8::1 56324 ::1 8443 http ")]
    {
        // At once, and a byte at a time.
        let whole = String::from_utf8(server.raw([header, request].concat())).expect("UTF-8");
        assert!(whole.ends_with(told), "{whole}");
        let mut connection = server.connect();
        for byte in header {
            connection.write([*byte]).expect("sent");
        }
        connection.write(request).expect("sent");
        assert!(answer(connection).ends_with(told));
    }
    // Of an address that nobody has, and of health checks, the connection's own hold.
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb";
    for header in [&b"PROXY TCP4 0.0.0.0 198.51.100.2 1 443\r\n"[..], local] {
        let own = String::from_utf8(server.raw([header, request].concat())).expect("UTF-8");
        assert!(own.contains("\r\n\r\n127.0.0.1 "), "{own}");
    }
    // A client that has closed its side by then is served. The server may be there between its two steps: then it has left.
    let is_served = || {
        let mut closed = server.connect();
        closed.write([v1, &request[..]].concat()).expect("sent");
        closed.shutdown_write().expect("closed");
        answer(closed).starts_with("HTTP/1.1 ")
    };
    assert!((0..100).any(|_| is_served()));
    let unknown = String::from_utf8(server.raw([b"PROXY UNKNOWN\r\n", &request[..]].concat())).expect("UTF-8");
    assert!(unknown.contains("127.0.0.1 "), "{unknown}");
    // Without a header, or with half of one, there is nothing but the end.
    let ends = |server: &Server, bytes: &[u8]| {
        let mut connection = server.connect();
        // The time that the header may take may be over before it is sent.
        let _ = connection.write(bytes);
        connection.read_to_end().map_or(true, |bytes| bytes.is_empty())
    };
    assert!(ends(&server, request));
    let proxied = Server::builder(root.path()).listen("listen = \"LISTEN proxy_protocol\"");
    let server = proxied.server("head_timeout = \"300ms\"").start();
    assert!(ends(&server, b"PROXY TCP4 192.0.2.1 "));
    assert_eq!(server.raw(""), b"");
}

/// Where the proxies are named, others may say what they like.
#[test]
fn the_proxy_protocol_is_believed_of_trusted_proxies() {
    let root = site(&[("who.php", WHO)]);
    let header = "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n";
    let request = "GET /who.php HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    for (proxies, client) in [("10.0.0.0/8", "127.0.0.1 "), ("127.0.0.0/8", "192.0.2.1 ")] {
        let server = Server::builder(root.path())
            .listen("listen = \"LISTEN proxy_protocol\"")
            .server(&format!("trusted_proxies = [\"{proxies}\"]"))
            .start();
        let answer = String::from_utf8(server.raw(format!("{header}{request}"))).expect("UTF-8");
        assert!(answer.contains(&format!("\r\n\r\n{client}")), "{answer}");
        assert_eq!(server.raw("PROXY nonsense\r\n"), b"", "the header is demanded of everybody");
    }
}

/// Behind a proxy it is the clients whose connections are counted.
#[test]
fn an_announced_address_has_no_more_connections_than_it_may() {
    let root = site(&[("file.txt", "file")]);
    let server = Server::builder(root.path())
        .listen("listen = \"LISTEN proxy_protocol\"")
        .server("connections_per_address_max = 2\nevent_loops = 2")
        .start();
    let announced = |client: &str| {
        let mut connection = server.connect();
        connection.write(format!("PROXY TCP6 {client} ::1 56324 443\r\n{FILE}")).expect("sent");
        connection
    };
    let served = |client: &str| {
        let mut connection = announced(client);
        connection.read_until("file").expect("an answer");
        connection
    };
    let one = served("2001:db8::1");
    let _neighbour = served("2001:db8::ffff:0:0:1");
    let refused = answer(announced("2001:db8::2"));
    assert!(refused.starts_with("HTTP/1.1 503 ") && !refused.contains("file"), "{refused}");
    let _other_network = served("2001:db8:0:1::1");
    drop(one);
    wait_until(|| answer_head(announced("2001:db8::3")).starts_with("HTTP/1.1 200 "), "the place was never given back");
}

fn answer_head(mut connection: Connection) -> String {
    String::from_utf8(connection.read_until("\r\n").expect("an answer")).expect("UTF-8")
}

#[test]
fn monitors_are_answered_on_a_listener_of_their_own() {
    let root = site(&[("wait.php", WAITING), ("live", "public")]);
    let directory = TemporaryDirectory::new("internal");
    let socket = directory.path().join("internal.sock");
    let internal = format!("[internal]\nlisten = \"unix:{}\"\n", socket.display());
    let server = Server::builder(root.path()).workers(1).sections(&internal).start();
    server.wait_for_log("answering monitors");
    let ask = |path: &str| ask_at(&socket, &format!("GET {path} HTTP/1.0\r\n\r\n"));
    assert!(ask("/live").starts_with("HTTP/1.1 200 ") && ask("/ready").ends_with("\r\n\r\nready\n"));
    assert!(ask("/wait.php").starts_with("HTTP/1.1 404 "), "nothing else is served there");
    assert_eq!(server.client().get("/live").expect(200).text(), "public");
    // It is not held up by what the server is busy with, and outlives the public listener.
    let running = busy(&server);
    server.signal("TERM");
    wait_until(|| ask("/ready").ends_with("stopping\n"), "never stopping");
    assert!(ask("/ready").starts_with("HTTP/1.1 503 ") && ask("/live").starts_with("HTTP/1.1 200 "));
    fs::write(root.path().join("go"), "").expect("a written file");
    assert!(answer(running).contains("done"));
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
}

#[test]
fn systemd_passes_sockets_and_is_told() {
    let root = site(&[("file.txt", "file")]);
    let systemd = Systemd::new();
    let server = systemd.unit(Server::builder(root.path())).start();
    assert_eq!(systemd.told(), "READY=1");
    assert_eq!(server.client().get("/file.txt").expect(200).text(), "file");
    server.signal("TERM");
    assert_eq!(systemd.told(), "STOPPING=1");
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
    let error = Server::builder(root.path()).listen("listen = \"systemd\"").start_error();
    assert!(error.contains("cannot listen on systemd: systemd has passed no such socket"), "{error}");
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
    support::wait_for(&root.path().join("running"));
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
    support::wait_for(&path);
    fs::write(root.path().join("go"), "").expect("a written file");
    assert!(answer(running).contains("done"));
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
    assert!(fs::read_to_string(&path).expect("the new log").contains("/wait.php"));
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
