//! A client over a socket, whose frames are made and read by hand.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::frames::{Answer, Received, hello};
use super::support::Server;

/// Nothing takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client of one connection, which reads only when it is told to.
pub(crate) struct Client {
    stream: Box<dyn Stream>,
    pub(crate) received: Received,
    is_over: bool,
}

trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

impl Client {
    pub(crate) fn connect(server: &Server, settings: &[(u16, u32)]) -> Self {
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let mut client = Self { stream: Box::new(stream), received: Received::default(), is_over: false };
        client.send(&hello(settings));
        client
    }

    /// By a Unix socket, behind what a proxy says first.
    pub(crate) fn connect_at(path: &Path, announcement: &str) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut client = Self { stream: Box::new(stream), received: Received::default(), is_over: false };
        client.send(&[announcement.as_bytes(), &hello(&[])].concat());
        client
    }

    /// False if the server has had enough.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Reads until this holds, or the end.
    pub(crate) fn read_until(&mut self, mut holds: impl FnMut(&Received) -> bool) {
        let mut buf = vec![0; 65_536];
        while !holds(&self.received) && !self.is_over {
            match self.stream.read(&mut buf) {
                Ok(0) => self.is_over = true,
                Ok(n) => self.received.feed(&buf[..n]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => self.is_over = true,
                Err(error) => panic!("{error}: {:?}, {:?}", self.received.answers, self.received.goaways),
            }
        }
    }

    /// The whole answer to a request that has been sent.
    pub(crate) fn answer(&mut self, stream: u32) -> Answer {
        let is_over = |answer: &Answer| answer.is_complete || answer.reset.is_some();
        self.read_until(|received| received.answers.get(&stream).is_some_and(is_over));
        self.received.answers[&stream].clone()
    }
}
