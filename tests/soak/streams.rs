//! Clients of HTTP/2: several requests at once on one connection, some of them given up.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};

use crate::asks;
use crate::frames::{Answer, END_STREAM, Received, data, get, head, hello, reset, window_update};
use crate::random::Random;
use crate::support::TIMEOUT;

/// The setting of a stream's window, and one that holds whatever is asked for here.
const WINDOW: (u16, u32) = (4, 1 << 24);

/// What is to come back on a stream.
struct Wanted {
    stream: u32,
    content: String,
}

/// A visit of several requests that are under way at once.
pub(crate) fn visit(address: SocketAddr, n: u64, random: &mut Random) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let mut sent = [hello(&[WINDOW]), window_update(0, WINDOW.1)].concat();
    let mut wanted = Vec::new();
    for index in 0..2 + random.below(12) as u32 {
        let id = 1 + 2 * index;
        let content = match random.below(8) {
            // Content is sent without waiting for a window, so there is one of it at most.
            0 if index == 0 => {
                let times = random.below(2000);
                sent.extend(head(id, 0, "POST", &format!("/body.php?n={n}&times={times}"), &[]));
                sent.extend(data(id, END_STREAM, asks::unit(n).repeat(times).as_bytes()));
                format!("body {n} POST same 0;")
            }
            1 => {
                sent.extend([get(id, &format!("/large.php?n={n}&thousands=20")), reset(id)].concat());
                continue;
            }
            2 => {
                sent.extend(get(id, &format!("/large.php?n={n}&thousands=50")));
                asks::unit(n).repeat(50_000)
            }
            3 => {
                sent.extend(get(id, &format!("/pooled/sleep.php?n={n}&ms={}", random.below(50))));
                format!("slept {n};")
            }
            _ => {
                sent.extend(get(id, &format!("/hello.php?n={n}")));
                format!("hello {n};")
            }
        };
        wanted.push(Wanted { stream: id, content });
    }
    stream.write_all(&sent)?;
    if random.one_in(6) {
        // Leaves in the middle of it.
        return Ok(());
    }
    let received = receive(&mut stream, &wanted)?;
    for Wanted { stream, content } in wanted {
        let answer = &received.answers[&stream];
        if answer.status() != 200 || answer.content != content.as_bytes() {
            let begin = String::from_utf8_lossy(&answer.content[..answer.content.len().min(300)]).into_owned();
            return Err(Error::other(format!(
                "stream {stream}: {} {begin:?}, reset {:?}",
                answer.status(),
                answer.reset
            )));
        }
    }
    Ok(())
}

/// Reads until all that is wanted is there.
fn receive(stream: &mut TcpStream, wanted: &[Wanted]) -> Result<Received> {
    let mut received = Received::default();
    let is_over = |answer: &Answer| answer.is_complete || answer.reset.is_some();
    let mut buf = vec![0; 65_536];
    while !wanted.iter().all(|Wanted { stream, .. }| received.answers.get(stream).is_some_and(is_over)) {
        match stream.read(&mut buf) {
            Ok(len) if len > 0 => received.feed(&buf[..len]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            over => return Err(Error::other(format!("{over:?} after {}", missing(&received, wanted)))),
        }
    }
    Ok(received)
}

/// What has come on each stream, as against what was to come.
fn missing(received: &Received, wanted: &[Wanted]) -> String {
    let of_stream = |Wanted { stream, content }: &Wanted| {
        let answer = received.answers.get(stream).cloned().unwrap_or_default();
        format!("{stream}: {} of {} bytes, {:?}", answer.content.len(), content.len(), answer.reset)
    };
    let streams: Vec<_> = wanted.iter().map(of_stream).collect();
    format!("{}; {:?}", streams.join("; "), received.goaways)
}
