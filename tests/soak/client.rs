//! Clients that want an answer, and look whether it is right: on kept and on new connections, in one go, slowly, or
//! several at once.

use std::io::{Error, Read, Result};
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::Duration;

use flate2::read::GzDecoder;

use crate::asks::{self, Ask};
use crate::random::Random;
use crate::support::{Connection, Request, Response};

/// Between two pieces of what a slow client sends or takes.
const PAUSE: Duration = Duration::from_millis(5);

/// One client with at most one connection. It never asks twice: a kept connection that turns out to be closed is a failure.
pub(crate) struct Client {
    address: SocketAddr,
    kept: Option<Connection>,
}

/// How fast a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    Fast,
    /// Sends its request in up to this many pieces.
    Sends(usize),
    /// Takes its response a read at a time.
    Takes,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, kept: None }
    }

    /// Goes on with a new connection.
    pub(crate) fn hang_up(&mut self) {
        self.kept = None;
    }

    /// Sends a request, and holds what comes back against what is right.
    pub(crate) fn ask(&mut self, ask: &Ask, pace: Pace) -> Result<Response> {
        let mut connection = self.connection()?;
        let bytes = ask.request.encode("soak", None);
        match pace {
            Pace::Sends(pieces) => {
                for piece in bytes.chunks(bytes.len().div_ceil(pieces)) {
                    connection.write(piece)?;
                    sleep(PAUSE);
                }
            }
            _ => connection.write(&bytes)?,
        }
        let mut incoming = connection.incoming(&ask.request.method)?;
        let mut content = Vec::new();
        if pace == Pace::Takes {
            while let Some(piece) = incoming.read()? {
                content.extend(piece);
                sleep(PAUSE);
            }
        }
        let (mut response, connection) = incoming.finish()?;
        response.content.splice(..0, content);
        self.kept = connection.filter(|_| !ask.request.headers.has_token("Connection", "close"));
        decode(&mut response)?;
        check(ask, &response).map_err(Error::other)?;
        Ok(response)
    }

    /// A visit: several requests that belong together by their cookie.
    pub(crate) fn session(&mut self, n: u64, random: &mut Random) -> Result<()> {
        let mut cookie = String::new();
        let visits = 2 + random.below(4);
        for visit in 1..=visits {
            let how = if visit == visits { "end" } else { random.pick(&["go", "exit", "fatal"]) };
            let request = Request::get(&format!("/session.php?n={n}&how={how}")).header("Cookie", &cookie);
            let status = if how == "fatal" { 500 } else { 200 };
            let response = self.ask(&Ask::new(request, status, format!("session {n} {visit};")), Pace::Fast)?;
            if let Some(line) = response.header("Set-Cookie") {
                line.split(';').next().unwrap_or_default().clone_into(&mut cookie);
            }
        }
        Ok(())
    }

    /// Several requests at once, of which the answers come in the same order.
    pub(crate) fn pipeline(&mut self, n: u64, random: &mut Random) -> Result<()> {
        let mut connection = self.connection()?;
        let count = 2 + random.below(10);
        let asks: Vec<Ask> = (0..count)
            .map(|_| match random.below(3) {
                0 => asks::user_ini(n),
                1 => asks::classes(n),
                _ => Ask::new(Request::get(&format!("/hello.php?n={n}")), 200, format!("hello {n};")),
            })
            .collect();
        let wire: Vec<u8> = asks.iter().flat_map(|ask| ask.request.encode("soak", None)).collect();
        connection.write(wire)?;
        for ask in &asks {
            let content = ask.content.as_deref().unwrap_or_default();
            let answer = connection.read_until(content)?;
            let is_one = answer.starts_with(b"HTTP/1.1 200 OK\r\n") && find(&answer[1..], b"HTTP/1.1 ").is_none();
            if !is_one {
                return Err(Error::other(format!("pipelined: {:?}", String::from_utf8_lossy(&answer))));
            }
        }
        self.kept = Some(connection);
        Ok(())
    }

    fn connection(&mut self) -> Result<Connection> {
        self.kept.take().map_or_else(|| Connection::open(self.address), Ok)
    }
}

/// Content as it was before it was encoded.
fn decode(response: &mut Response) -> Result<()> {
    match response.header("Content-Encoding") {
        None => Ok(()),
        // To HEAD.
        Some(_) if response.content.is_empty() => Ok(()),
        Some("gzip") => {
            let mut content = Vec::new();
            GzDecoder::new(&*response.content).read_to_end(&mut content)?;
            response.content = content;
            Ok(())
        }
        Some(other) => Err(Error::other(format!("nobody asked for {other}"))),
    }
}

fn check(ask: &Ask, response: &Response) -> std::result::Result<(), String> {
    let begin = |content: &[u8]| String::from_utf8_lossy(&content[..content.len().min(300)]).into_owned();
    if response.status != ask.status || response.interim.len() != ask.interim {
        let Response { status, interim, content, .. } = response;
        return Err(format!("{status} after {interim:?}, wanted {}: {:?}", ask.status, begin(content)));
    }
    match &ask.content {
        Some(wanted) if *wanted != response.content => Err(format!(
            "{} bytes {:?}, wanted {} bytes {:?}",
            response.content.len(),
            begin(&response.content),
            wanted.len(),
            begin(wanted)
        )),
        _ => Ok(()),
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
