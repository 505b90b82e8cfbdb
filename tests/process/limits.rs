//! So many connections, in all, from one address, and with so many file descriptors.

use std::fs;
use std::time::Duration;

use super::support::{Connection, Request, Server, WAITING, answer, busy, site, wait_until};
use super::{FILE, served};

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
    wait_until(|| server.client().try_send(&Request::get("/file.txt")).is_ok_and(|r| r.status == 200), "503");
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
        || server.client().try_send(&Request::get("/wait.php")).is_ok_and(|r| r.status == 200),
        "never again served",
    );
    assert!(server.log().contains("cannot accept connections for a moment"), "{}", server.log());
}
