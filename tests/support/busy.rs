//! Servers that are at work, and sockets that are no addresses.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::{Connection, Server, TIMEOUT};

/// A script that waits until the file `go` exists, between what it does before that and what it does then.
macro_rules! waiting {
    ($before:literal, $then:literal) => {
        concat!(
            "<?php ",
            $before,
            " for ($i = 0; $i < 12000 && !file_exists(__DIR__ . '/go'); $i++) { usleep(5000); clearstatcache(); } ",
            $then
        )
    };
}
pub(crate) use waiting;

/// One that says it runs.
pub(crate) const WAITING: &str = waiting!("echo 'running;'; flush();", "echo 'done';");

/// A connection whose request PHP is at work for.
#[track_caller]
pub(crate) fn busy(server: &Server) -> Connection {
    let mut connection = server.connect();
    connection.write("GET /wait.php HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").expect("sent");
    connection.read_until("running;").expect("a running script");
    connection
}

/// What a Unix socket answers to a request without an end of its own.
#[track_caller]
pub(crate) fn ask_at(path: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(path).expect("a connection");
    stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}
