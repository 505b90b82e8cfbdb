//! Clients that go away in the middle of something, or stop.

use std::io::{Error, Result};
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::Duration;

use crate::asks;
use crate::random::Random;
use crate::support::Connection;

/// Sends a part of a request, and leaves.
pub(crate) fn leave_while_sending(address: SocketAddr, n: u64, random: &mut Random) -> Result<()> {
    let ask = if random.one_in(2) { asks::upload(n, random) } else { asks::hello(n, random) };
    let bytes = ask.request.encode("soak", None);
    let mut connection = Connection::open(address)?;
    connection.write(&bytes[..random.below(bytes.len())])
}

/// Sends a whole request, and leaves before the answer, sooner or later.
pub(crate) fn leave_while_waiting(address: SocketAddr, n: u64, random: &mut Random) -> Result<()> {
    let ask = match random.below(5) {
        0 => asks::sleep(n, random),
        1 => asks::upload(n, random),
        2 => asks::ending(n, random),
        3 => asks::children(n),
        _ => asks::large(n, random),
    };
    let mut connection = Connection::open(address)?;
    connection.write(ask.request.encode("soak", None))?;
    if random.one_in(4) {
        // Half of the connection: the answer may still come, and nobody reads it to its end.
        connection.shutdown_write()?;
    }
    sleep(Duration::from_millis(random.below(20) as u64));
    Ok(())
}

/// Takes a part of a response that has no end, and leaves.
pub(crate) fn leave_while_taking(address: SocketAddr, n: u64, random: &mut Random) -> Result<()> {
    let mut connection = Connection::open(address)?;
    connection.write(format!("GET /endless.php?n={n} HTTP/1.1\r\nHost: soak\r\n\r\n"))?;
    for _ in 0..=random.below(20) {
        connection.read_until(asks::unit(n).repeat(100))?;
    }
    Ok(())
}

/// Begins a request and stops, until the server says that this takes too long.
pub(crate) fn stop_in_a_head(address: SocketAddr, n: u64) -> Result<()> {
    let mut connection = Connection::open(address)?;
    connection.write(format!("GET /hello.php?n={n} HTTP/1.1\r\nHo"))?;
    let answer = connection.read_to_end()?;
    if answer.starts_with(b"HTTP/1.1 408 ") {
        return Ok(());
    }
    Err(Error::other(format!("wanted 408: {:?}", String::from_utf8_lossy(&answer))))
}
