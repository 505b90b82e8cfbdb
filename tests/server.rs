//! The whole program over loopback: bounds, overload, aborts, drain, and what it says when it cannot start.

#![cfg(feature = "php")]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::Duration;

use support::{
    Connection, Json, Request, Server, TemporaryDirectory, answer, ask_at, site, wait_for, wait_until, waiting,
};

/// A script that says it runs, and then waits until the file `go` exists.
const WAITING: &str = waiting!("touch(__DIR__ . '/running-' . $_GET['n']);", "echo 'done ', $_GET['n'];");

/// Sends a request without waiting for its answer.
#[track_caller]
fn ask(server: &Server, target: &str) -> Connection {
    let mut connection = server.connect();
    connection.write(format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).expect("a sent request");
    connection
}

#[test]
fn pipelined_requests_are_answered_in_order_by_one_loop_and_by_three() {
    for loops in [1, 3] {
        let root = site(&[("n.php", "<?php echo 'php ', $_GET['n'], ';';"), ("file.txt", "file;")]);
        let server = Server::builder(root.path()).server(&format!("event_loops = {loops}")).start();
        for _ in 0..8 {
            let mut wire = String::new();
            for n in 0..20 {
                let target = if n % 3 == 0 { "/file.txt".to_owned() } else { format!("/n.php?n={n}") };
                let last = if n == 19 { "Connection: close\r\n" } else { "" };
                wire += &format!("GET {target} HTTP/1.1\r\nHost: a\r\n{last}\r\n");
            }
            let answers = String::from_utf8(server.raw(wire)).expect("UTF-8");
            let contents: Vec<&str> =
                answers.split("\r\n\r\n").skip(1).map(|rest| rest.split(';').next().expect("content")).collect();
            let wanted: Vec<String> =
                (0..20).map(|n| if n % 3 == 0 { "file".to_owned() } else { format!("php {n}") }).collect();
            assert_eq!(contents, wanted);
        }
        let (status, log) = server.stop();
        assert!(status.success(), "{log}");
    }
}

/// S27: while a request is at work only so many bytes of those behind it are taken, and none of them is lost. A Unix
/// socket, since the kernel buffers little of one.
#[test]
fn s27_pipelined_requests_are_bounded_and_all_answered() {
    let root = site(&[("n.php", WAITING), ("a.txt", "a")]);
    let directory = TemporaryDirectory::new("server");
    let path = directory.path().join("site.sock");
    let listen = format!("listen = [\"LISTEN\", \"unix:{}\"]", path.display());
    let server = Server::builder(root.path()).listen(&listen).server("keep_alive_requests_max = 0").start();
    server.wait_for_log("listening on");
    let mut client = UnixStream::connect(&path).expect("a connection");
    client.write_all(b"GET /n.php?n=1 HTTP/1.1\r\nHost: a\r\n\r\n").expect("sent");
    wait_for(&root.path().join("running-1"));
    let request = format!("HEAD /a.txt?{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(400));
    client.set_write_timeout(Some(Duration::from_millis(500))).expect("a timeout");
    let mut sent = 0;
    // Until nothing has been taken for half a second.
    while sent < 64 << 20 {
        match client.write(&request.as_bytes()[sent % request.len()..]) {
            Ok(count) => sent += count,
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                break;
            }
        }
    }
    assert!((32 << 10..2 << 20).contains(&sent), "{sent} bytes were taken behind a request that is at work");
    fs::write(root.path().join("go"), "").expect("a written file");
    client.set_write_timeout(None).expect("no timeout");
    let last = "GET /a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let cut = request.len() * sent.div_ceil(request.len()) - sent;
    let rest = [&request.as_bytes()[request.len() - cut..], last.as_bytes()].concat();
    let mut reader = client.try_clone().expect("a second handle");
    let writer = std::thread::spawn(move || client.write_all(&rest).expect("sent"));
    let mut answers = String::new();
    reader.read_to_string(&mut answers).expect("answers");
    writer.join().expect("all was taken");
    assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), 2 + sent.div_ceil(request.len()));
    assert!(answers.ends_with("\r\n\r\na"), "the last of them is answered last");
}

#[test]
fn a_full_queue_answers_503_serves_files_and_recovers() {
    let root = site(&[("wait.php", WAITING), ("file.txt", "file")]);
    let server = Server::builder(root.path()).workers(1).server("queue_max = 1").start();
    let running = ask(&server, "/wait.php?n=1");
    wait_for(&root.path().join("running-1"));
    let queued = ask(&server, "/wait.php?n=2");
    // The queue has one place. Which of the following gets it if the second has not arrived yet does not matter.
    let busy = String::from_utf8(server.raw("GET /wait.php?n=3 HTTP/1.0\r\n\r\n")).expect("UTF-8");
    assert!(busy.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{busy}");
    assert!(busy.contains("\r\nRetry-After: 1\r\n"), "{busy}");
    assert_eq!(server.client().get("/file.txt").expect(200).text(), "file");
    fs::write(root.path().join("go"), "").expect("a written file");
    assert!(answer(running).ends_with("done 1"));
    assert!(answer(queued).ends_with("done 2"));
    assert_eq!(server.client().get("/wait.php?n=4").expect(200).text(), "done 4");
}

#[test]
fn clients_that_have_left_hold_no_place_in_the_queue() {
    let root = site(&[("wait.php", WAITING)]);
    let directory = TemporaryDirectory::new("server");
    let socket = directory.path().join("internal.sock");
    let internal = format!("[internal]\nlisten = \"unix:{}\"\n", socket.display());
    let server = Server::builder(root.path()).workers(1).server("queue_max = 2").sections(&internal).start();
    server.wait_for_log("answering monitors");
    let status = || {
        let answer = ask_at(&socket, "GET /status.json HTTP/1.0\r\n\r\n");
        Json::parse(answer.split_once("\r\n\r\n").expect("an answer").1)["processes"][0].clone()
    };
    let running = ask(&server, "/wait.php?n=1");
    wait_for(&root.path().join("running-1"));
    for _ in 0..3 {
        let leaving = [ask(&server, "/wait.php?n=2"), ask(&server, "/wait.php?n=3")];
        let busy = String::from_utf8(server.raw("GET /wait.php?n=4 HTTP/1.0\r\n\r\n")).expect("UTF-8");
        assert!(busy.starts_with("HTTP/1.1 503 "), "{busy}");
        drop(leaving);
        // The loop hears of it, and the queue may be searched again.
        wait_until(|| status()["connections"][0] == Json::Number(1.0), "nobody has noticed that they left");
        sleep(Duration::from_millis(20));
    }
    let waiting = [ask(&server, "/wait.php?n=5"), ask(&server, "/wait.php?n=6")];
    wait_until(|| status()["pools"][0]["queue_length"] == Json::Number(2.0), "they do not wait");
    fs::write(root.path().join("go"), "").expect("a written file");
    assert!(answer(running).ends_with("done 1"));
    for (connection, n) in waiting.into_iter().zip(5..) {
        let text = answer(connection);
        assert!(text.ends_with(&format!("done {n}")), "{text}");
    }
    assert!(!root.path().join("running-2").exists());
}

#[test]
fn a_request_that_waits_too_long_for_a_thread_is_answered_503_and_never_run() {
    let root = site(&[("wait.php", WAITING)]);
    let server = Server::builder(root.path()).workers(1).server("queue_timeout = \"2s\"").start();
    let running = ask(&server, "/wait.php?n=1");
    wait_for(&root.path().join("running-1"));
    let late = answer(ask(&server, "/wait.php?n=2"));
    assert!(late.starts_with("HTTP/1.1 503 "), "{late}");
    fs::write(root.path().join("go"), "").expect("a written file");
    assert!(answer(running).ends_with("done 1"));
    // The thread may still be cleaning up, and held up at that.
    wait_until(|| server.client().get("/wait.php?n=3").text() == "done 3", "never again served");
    assert!(!root.path().join("running-2").exists());
}

#[test]
fn a_slow_upload_occupies_no_thread() {
    let root = site(&[("n.php", "<?php echo 'length ', strlen(file_get_contents('php://input'));")]);
    let server = Server::builder(root.path()).workers(1).start();
    let mut slow = server.connect();
    slow.write("POST /n.php HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nConnection: close\r\n\r\nabc").expect("sent");
    assert_eq!(server.client().get("/n.php").expect(200).text(), "length 0");
    slow.write("def").expect("sent");
    assert!(answer(slow).ends_with("length 6"));
}

#[test]
fn content_is_bounded_and_spills_to_a_file_that_nobody_sees() {
    let root = site(&[("n.php", "<?php echo strlen($c = file_get_contents('php://input')), ' ', md5($c);")]);
    let spool = TemporaryDirectory::new("spool");
    let server = Server::builder(root.path())
        .server("content_bytes_max = \"2M\"\ncontent_memory_max = \"64K\"")
        .server(&format!("temp_dir = {:?}", spool.path().to_str().expect("UTF-8")))
        .start();
    let mut client = server.client();
    for size in [0, 1, 65_536, 65_537, 2 * 1024 * 1024] {
        let content: Vec<u8> = (0..size).map(|n: usize| (n * 7 % 251) as u8).collect();
        let pieces: Vec<&[u8]> = content.chunks(50_000).collect();
        let request = Request::post("/n.php");
        let whole =
            client.send(&request.clone().content("application/octet-stream", content.clone())).expect(200).text();
        let chunked = client.send(&request.chunked("application/octet-stream", &pieces)).expect(200).text();
        assert_eq!(whole, chunked);
        assert!(whole.starts_with(&format!("{size} ")), "{whole}");
    }
    assert_eq!(fs::read_dir(spool.path()).expect("a directory").count(), 0);
    let head = "POST /n.php HTTP/1.1\r\nHost: a\r\n";
    let announced = server.raw(format!("{head}Content-Length: 2097153\r\nExpect: 100-continue\r\n\r\n"));
    assert!(announced.starts_with(b"HTTP/1.1 413 "), "{}", String::from_utf8_lossy(&announced));
    let mut chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n200001\r\n").into_bytes();
    chunked.resize(chunked.len() + 2_097_153, b'x');
    let mut connection = server.connect();
    // The server may have closed before it has taken all of it.
    let _ = connection.write(&chunked);
    let crossed = connection.read_to_end().expect("an answer");
    assert!(crossed.starts_with(b"HTTP/1.1 413 "), "{}", String::from_utf8_lossy(&crossed));
}

/// S26: all uploads together take only so much of the disk; what finds no room is told to come again.
#[test]
fn s26_spooled_content_is_bounded_for_all_requests_together() {
    let root = site(&[("len.php", "<?php echo strlen(file_get_contents('php://input'));"), ("a.txt", "a")]);
    let bounds = "content_memory_max = \"64K\"\ncontent_files_max = \"1M\"";
    let server = Server::builder(root.path()).server(bounds).start();
    let content = "x".repeat(700 << 10);
    let begin = |part: &str| {
        let mut upload = server.connect();
        let len = content.len();
        upload
            .write(format!(
                "POST /len.php HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: text/plain\r\n\
                 Content-Length: {len}\r\nExpect: 100-continue\r\n\r\n"
            ))
            .expect("sent");
        upload.read_until("HTTP/1.1 100 Continue\r\n\r\n").expect("an interim response");
        upload.write(part).expect("sent");
        upload
    };
    let mut first = begin(&content[..600 << 10]);
    // Its temporary file has no name any more.
    let largest_file = || {
        let files = fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("it runs");
        files.filter_map(|file| fs::metadata(file.ok()?.path()).ok()).map(|file| file.len()).max()
    };
    wait_until(|| largest_file() >= Some(600 << 10), "the first never took its room");
    let mut second = begin(&content[..600 << 10]);
    let head = second.read_until("\r\n\r\n").expect("an answer");
    let head = String::from_utf8_lossy(&head).into_owned();
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("\r\nRetry-After: 1\r\n"), "{head}");
    assert!(server.log().contains("server.content_files_max"), "{}", server.log());
    server.client().get("/a.txt").expect(200);
    first.write(&content[600 << 10..]).expect("sent");
    assert!(answer(first).ends_with(&content.len().to_string()));
    // The answer is there before PHP has done with the content.
    wait_until(|| largest_file() < Some(600 << 10), "the first keeps its room");
    // Its room is given back a moment after the file.
    wait_until(|| answer(begin(&content)).ends_with(&content.len().to_string()), "the room is not given back");
}

#[test]
fn a_gigabyte_streams_in_bounded_memory() {
    const GIGABYTE: u64 = 1 << 30;
    let root = site(&[("big.php", "<?php header('Content-Length: 1073741824'); readfile(__DIR__ . '/big');")]);
    fs::File::create(root.path().join("big")).and_then(|file| file.set_len(GIGABYTE)).expect("a sparse file");
    // With and without PHP's own output buffer in between.
    let server = Server::builder(root.path()).ini("output_buffering", "4096").start();
    let mut client = server.client();
    client.send(&Request::head("/big.php")).expect(200);
    let before = resident_bytes(server.pid());
    let (mut seen, mut most) = (0, 0);
    // A slow machine takes longer for this than for any other response.
    let mut connection = server.connect().timeout(Duration::from_secs(600));
    connection.write("GET /big.php HTTP/1.1\r\nHost: a\r\n\r\n").expect("sent");
    let mut incoming = connection.incoming("GET").expect("a response");
    while let Some(piece) = incoming.read().expect("content") {
        if seen >> 26 != (seen + piece.len() as u64) >> 26 {
            most = most.max(resident_bytes(server.pid())); // every 64 MiB
        }
        seen += piece.len() as u64;
    }
    assert_eq!(seen, GIGABYTE);
    let extra = most.saturating_sub(before) >> 20;
    assert!(extra < 32, "{extra} MiB more than before");
}

/// `VmRSS`: what the process holds in memory, mapped files included.
fn resident_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running server");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
    let kibibytes: u64 = line.split_whitespace().nth(1).expect("a number").parse().expect("a number");
    kibibytes * 1024
}

#[test]
fn php_sees_that_the_client_has_gone() {
    let script = r#"<?php
register_shutdown_function(fn() => file_put_contents(__DIR__ . '/gone', connection_status()));
touch(__DIR__ . '/running');
for ($i = 0; $i < 20000; $i++) { echo str_repeat('x', 100); flush(); usleep(1000); }
"#;
    let root = site(&[("talk.php", script), ("n.php", "<?php echo 'well';")]);
    let server = Server::builder(root.path()).workers(1).start();
    let mut client = ask(&server, "/talk.php");
    wait_for(&root.path().join("running"));
    client.read_until("xxx").expect("some output");
    drop(client);
    wait_for(&root.path().join("gone"));
    wait_until(|| fs::read_to_string(root.path().join("gone")).expect("a file") == "1", "connection_status() is not 1");
    assert_eq!(server.client().get("/n.php").expect(200).text(), "well");
}

#[test]
fn a_client_that_reads_nothing_costs_its_thread_only_for_the_write_timeout() {
    let script = "<?php touch(__DIR__ . '/running'); for (;;) { echo str_repeat('x', 65536); }";
    let root = site(&[("talk.php", script), ("n.php", "<?php echo 'well';")]);
    let bounds = "write_timeout = \"300ms\"\nresponse_file_max = 0";
    let server = Server::builder(root.path()).workers(1).server(bounds).start();
    let stalled = ask(&server, "/talk.php");
    wait_for(&root.path().join("running"));
    assert_eq!(server.client().get("/n.php").expect(200).text(), "well");
    drop(stalled);
}

#[test]
fn idle_and_slow_connections_are_closed() {
    let root = site(&[("file.txt", "file")]);
    // Each alone, so that a test which is kept waiting between two steps has all the time for the others.
    let server = Server::builder(root.path()).server("keep_alive_timeout = \"200ms\"").start();
    assert_eq!(server.raw(""), b"", "an idle connection is closed without a word");
    let timeouts = "head_timeout = \"200ms\"\ncontent_timeout = \"200ms\"";
    let server = Server::builder(root.path()).server(timeouts).start();
    let slow_head = server.raw("GET / HTTP/1.1\r\nHost:");
    assert!(slow_head.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&slow_head));
    fs::write(root.path().join("n.php"), "<?php echo 1;").expect("a written file");
    let slow_content = server.raw("POST /n.php HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
    assert!(slow_content.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&slow_content));
    // Time enough to send, even when this test is kept waiting.
    let timeouts = "keep_alive_timeout = \"5s\"";
    let server = Server::builder(root.path()).server(timeouts).start();
    let reused = server.raw("GET /file.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(reused.starts_with(b"HTTP/1.1 200 ") && reused.ends_with(b"file"));
}

#[test]
fn sigterm_lets_what_was_accepted_end_and_takes_nothing_new() {
    let root = site(&[("wait.php", WAITING)]);
    let server = Server::builder(root.path()).workers(1).start();
    let running = ask(&server, "/wait.php?n=1");
    wait_for(&root.path().join("running-1"));
    let mut queued = server.connect();
    queued.write("GET /wait.php?n=2 HTTP/1.1\r\nHost: a\r\n\r\n").expect("sent");
    let idle = server.connect();
    server.signal("TERM");
    server.wait_for_log("stopping");
    wait_until(|| Connection::open(server.address()).is_err(), "still accepting");
    assert_eq!(answer(idle), "", "an idle connection is closed");
    fs::write(root.path().join("go"), "").expect("a written file");
    assert!(answer(running).ends_with("done 1"));
    let last = answer(queued);
    assert!(last.contains("\r\nConnection: close\r\n") && last.ends_with("done 2"), "{last}");
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
}

#[test]
fn a_drain_ends_with_the_last_idle_connection() {
    let root = site(&[]);
    // Nothing but the end of this connection could wake the loop within the time that a test waits.
    let server = Server::builder(root.path()).server("drain_timeout = \"600s\"\nkeep_alive_timeout = \"600s\"").start();
    let mut idle = server.connect();
    idle.write("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").expect("sent");
    idle.read_until("\r\n\r\n").expect("an answer");
    let (status, log) = server.stop();
    assert!(status.success(), "{log}");
    assert_eq!(answer(idle), "");
}

/// What is left of a large response when the client goes on to send before it reads.
#[track_caller]
fn large_response_in_spite_of(server: &Server, interfere: impl FnOnce(&mut Connection)) -> usize {
    let mut connection = server.connect();
    connection.write("GET /large HTTP/1.1\r\nHost: a\r\n\r\n").expect("sent");
    let mut received = connection.read_until("\r\n\r\n").expect("a head").len();
    interfere(&mut connection);
    received += connection.read_to_end().expect("the rest, and no reset").len();
    received
}

#[test]
fn no_reset_destroys_a_response_that_is_on_its_way() {
    let root = site(&[("wait.php", WAITING)]);
    fs::write(root.path().join("large"), vec![b'x'; 1_500_000]).expect("a written file");
    let server = Server::builder(root.path()).start();
    // A client that half-closes while PHP is at work on a later request.
    let received = large_response_in_spite_of(&server, |connection| {
        connection.write("GET /wait.php?n=1 HTTP/1.1\r\nHost: a\r\n\r\n").expect("sent");
        wait_for(&root.path().join("running-1"));
        connection.shutdown_write().expect("a half-closed connection");
    });
    assert!(received > 1_500_000, "{received} bytes");
    fs::write(root.path().join("go"), "").expect("a written file");
    // A drain, and a request that comes just then.
    let received = large_response_in_spite_of(&server, |connection| {
        server.signal("TERM");
        server.wait_for_log("stopping");
        connection.write("GET /large HTTP/1.1\r\nHost: a\r\n\r\n").expect("sent");
    });
    assert!(received > 1_500_000, "{received} bytes");
    assert!(server.wait().0.success());
}

#[test]
fn a_pipelined_request_outlives_the_head_timeout_behind_a_slow_download() {
    let root = site(&[("file.txt", "the last")]);
    fs::File::create(root.path().join("large")).and_then(|file| file.set_len(64 << 20)).expect("a sparse file");
    let server = Server::builder(root.path()).server("head_timeout = \"100ms\"").start();
    let mut connection = server.connect();
    let requests =
        "GET /large HTTP/1.1\r\nHost: a\r\n\r\nGET /file.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    connection.write(requests).expect("sent");
    sleep(Duration::from_millis(400)); // longer than the head may take; nothing is read meanwhile
    let received = connection.read_to_end().expect("both responses");
    let tail = String::from_utf8_lossy(&received[received.len() - 300..]).into_owned();
    assert!(tail.contains("HTTP/1.1 200 OK") && tail.ends_with("the last"), "{tail}");
}

#[test]
fn request_content_is_there_until_the_script_s_very_end() {
    let script = r#"<?php
register_shutdown_function(fn() => print('shutdown: [' . file_get_contents('php://input') . ']'));"#;
    let root = site(&[("end.php", script)]);
    let server = Server::builder(root.path()).start();
    let request = Request::new("PUT", "/end.php").content("application/json", *b"{\"a\":1}");
    assert_eq!(server.client().send(&request).expect(200).text(), "shutdown: [{\"a\":1}]");
}

#[test]
fn small_flushes_to_a_client_that_reads_nothing_are_bounded() {
    let script = "<?php touch(__DIR__ . '/running'); for (;;) { echo 'x'; flush(); }";
    let root = site(&[("drip.php", script)]);
    let server = Server::builder(root.path()).workers(1).start();
    let stalled = ask(&server, "/drip.php");
    wait_for(&root.path().join("running"));
    let before = resident_bytes(server.pid());
    // Until the script waits for room: its thread then sleeps and the server grows no more.
    let mut last = 0;
    wait_until(
        || {
            let now = resident_bytes(server.pid());
            let grows = now > last;
            last = last.max(now);
            sleep(Duration::from_millis(200));
            !grows
        },
        "it grows and grows",
    );
    let extra = last.saturating_sub(before) >> 20;
    assert!(extra < 8, "{extra} MiB for one client");
    drop(stalled);
}

#[test]
fn a_drain_is_bounded() {
    let endless = "<?php touch(__DIR__ . '/running'); while (true) { usleep(1000); }";
    let root = site(&[("endless.php", endless)]);
    let server =
        Server::builder(root.path()).server("drain_timeout = \"100ms\"").ini("max_execution_time", "0").start();
    let running = ask(&server, "/endless.php");
    wait_for(&root.path().join("running"));
    let (status, log) = server.stop();
    assert!(status.success(), "{log}");
    drop(running);
}

#[test]
fn a_fatal_error_costs_one_request() {
    let fatal = "<?php class A { public $a; } function f() { f(); } ini_set('memory_limit', '2M'); \
                 $x = str_repeat('x', 1 << 26);";
    let root = site(&[("fatal.php", fatal), ("n.php", "<?php echo 'well';")]);
    let server = Server::builder(root.path()).workers(1).start();
    let mut client = server.client();
    for _ in 0..20 {
        client.get("/fatal.php").expect(500);
        assert_eq!(client.get("/n.php").expect(200).text(), "well");
    }
    assert!(server.log().contains("Allowed memory size"), "{}", server.log());
}

#[test]
fn a_head_that_is_too_long_is_an_error_without_the_script_s_content() {
    const LONG: &str = "<?php for ($i = 0; $i < 70; $i++) { header(\"X$i: \" . str_repeat('a', 1000)); } echo 'secret';
        flush(); echo 'more'; touch(__DIR__ . '/ended');";
    let root = site(&[("long.php", LONG), ("n.php", "<?php echo 'well';")]);
    let server = Server::builder(root.path()).workers(1).start();
    let mut client = server.client();
    for request in [Request::get("/long.php"), Request::head("/long.php")] {
        let response = client.send(&request).expect(500);
        assert_eq!(response.header("X0"), None);
        assert_eq!(response.header("Content-Type"), Some("text/html; charset=utf-8"));
        assert!(!response.text().contains("secret"), "{}", response.text());
        // Nobody has left, so it is not aborted. HEAD it leaves at its first output, as PHP does everywhere.
        if response.text().is_empty() {
            continue;
        }
        wait_for(&root.path().join("ended"));
        assert_eq!(client.get("/n.php").expect(200).text(), "well");
    }
}

#[test]
fn error_log_and_banner_reach_the_log() {
    let script =
        "<?php error_log(\"one\\ntwo\"); echo $undefined; error_log(str_repeat('long ', 1 << 20)); echo 'well';";
    let root = site(&[("log.php", script)]);
    let server = Server::builder(root.path()).start();
    assert_eq!(server.client().get("/log.php").expect(200).text(), "well");
    let (_, log) = server.stop();
    assert!(log.contains("OPcache on") && log.contains("PHP threads"), "{log}");
    assert_eq!(log.matches("php: one").count(), 1, "{log}");
    assert!(log.contains("Undefined variable $undefined"), "{log}");
    assert!(log.contains("one\\ntwo, request: \"GET /log.php\"\n"), "{log}");
    assert_eq!(log.matches(" bytes more), request: \"GET /log.php\"\n").count(), 1, "{log}");
    assert!((60_000..80_000).contains(&log.len()), "{} bytes", log.len());
}

/// Runs the program to its end.
fn ephpm(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ephpm")).args(arguments).output().expect("a program that runs")
}

#[test]
fn what_cannot_start_says_why_in_one_line() {
    let root = site(&[("file.txt", "file")]);
    let path = |name: &str| root.path().join(name).to_str().expect("UTF-8").to_owned();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = format!("--listen={}", taken.local_addr().expect("an address"));
    let document_root = format!("--document-root={}", path(""));
    fs::write(path("bad.toml"), "[server]\ndocument_rot = \"x\"\n").expect("a written file");
    fs::write(path("rootless.toml"), "[server]\ndocument_root = \"nowhere\"\n").expect("a written file");
    fs::write(path("good.toml"), "[server]\ndocument_root = \".\"\n").expect("a written file");
    let (bad, rootless, good, none) = (path("bad.toml"), path("rootless.toml"), path("good.toml"), path("none.toml"));
    for (arguments, code, part) in [
        (vec!["--config", &bad], 78, "document_rot"),
        (vec!["--config", &rootless], 78, "nowhere"),
        (vec!["--config", &none], 78, "none.toml"),
        (vec!["--config", &good, &document_root, &listen], 1, "cannot listen on 127.0.0.1:"),
        (vec!["--confg"], 2, "--confg"),
    ] {
        let output = ephpm(&arguments);
        let text = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert_eq!(text.lines().count(), 1, "{arguments:?}: {text}");
        assert!(text.starts_with("ephpm: ") && text.contains(part), "{arguments:?}: {text}");
    }
    assert_eq!(ephpm(&["--check", &good]).status.code(), Some(0));
    assert_eq!(ephpm(&["--check", &bad]).status.code(), Some(78));
}

#[test]
fn version_and_help_tell_what_this_is() {
    let version = String::from_utf8(ephpm(&["--version"]).stdout).expect("UTF-8");
    for part in [env!("CARGO_PKG_VERSION"), "PHP 8.", "opcache", "mysqli"] {
        assert!(version.to_lowercase().contains(&part.to_lowercase()), "no {part} in:\n{version}");
    }
    let help = String::from_utf8(ephpm(&["--help"]).stdout).expect("UTF-8");
    assert!(help.contains("serve [DIR]") && help.contains("EPHPM_SECTION_KEY"), "{help}");
}
