//! One TCP connection to a server: raw bytes both ways, or a request and its response.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::decode::{Body, Head, find, invalid};
use super::message::Response;

/// How long one response, or one raw read, may take before the test fails.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(120);

/// A connection with the bytes that were received and not yet taken.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    inbox: Vec<u8>,
    timeout: Duration,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(Self { stream, inbox: Vec::new(), timeout: TIMEOUT })
    }

    /// Another bound for each read that follows.
    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Tells the server that nothing more will come, and goes on listening.
    pub(crate) fn shutdown_write(&mut self) -> Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// The bytes up to and including `needle`; an error when the server closes first.
    pub(crate) fn read_until(&mut self, needle: impl AsRef<[u8]>) -> Result<Vec<u8>> {
        let (needle, deadline) = (needle.as_ref(), Instant::now() + self.timeout);
        loop {
            if let Some(start) = find(&self.inbox, needle) {
                return Ok(self.inbox.drain(..start + needle.len()).collect());
            }
            if self.receive(deadline)? == 0 {
                let seen = String::from_utf8_lossy(&self.inbox).into_owned();
                return Err(Error::new(ErrorKind::UnexpectedEof, format!("closed after {seen:?}")));
            }
        }
    }

    /// Every byte until the server closes.
    pub(crate) fn read_to_end(&mut self) -> Result<Vec<u8>> {
        let deadline = Instant::now() + self.timeout;
        while self.receive(deadline)? > 0 {}
        Ok(std::mem::take(&mut self.inbox))
    }

    /// The next response: its head now, its content as it comes. `method` is the request's (RFC 9112 section 6.3).
    pub(crate) fn incoming(mut self, method: &str) -> Result<Incoming> {
        let deadline = Instant::now() + self.timeout;
        let mut interim = Vec::new();
        let head = loop {
            match Head::parse(&self.inbox)? {
                Some((head, end)) => {
                    self.inbox.drain(..end);
                    if head.status >= 200 {
                        break head;
                    }
                    interim.push(head.status);
                }
                None if self.receive(deadline)? == 0 => {
                    let kind =
                        if self.inbox.is_empty() { ErrorKind::ConnectionReset } else { ErrorKind::UnexpectedEof };
                    return Err(Error::new(kind, format!("closed after {} bytes of a head", self.inbox.len())));
                }
                None => {}
            }
        };
        let body = Body::of(&head, method)?;
        Ok(Incoming { connection: self, head, interim, body, deadline })
    }

    /// One read from the socket into the inbox; 0 at the end.
    fn receive(&mut self, deadline: Instant) -> Result<usize> {
        let mut buffer = [0; 64 * 1024];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::new(ErrorKind::TimedOut, "no whole response in time"));
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut buffer) {
                Ok(count) => {
                    self.inbox.extend_from_slice(&buffer[..count]);
                    return Ok(count);
                }
                // As often as a debugger or the freezer of a control group likes.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Err(Error::new(ErrorKind::TimedOut, "no whole response in time"));
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// What a connection answers until the server closes it, as text.
#[track_caller]
pub(crate) fn answer(mut connection: Connection) -> String {
    String::from_utf8(connection.read_to_end().expect("an answer")).expect("UTF-8")
}

/// A response of which the head is here and the content is still arriving.
#[derive(Debug)]
pub(crate) struct Incoming {
    connection: Connection,
    head: Head,
    interim: Vec<u16>,
    body: Body,
    deadline: Instant,
}

impl Incoming {
    pub(crate) fn status(&self) -> u16 {
        self.head.status
    }

    /// The first value of a field.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.first(name)
    }

    /// Each `Set-Cookie` line of the head.
    pub(super) fn set_cookies(&self) -> impl Iterator<Item = &str> {
        self.head.headers.all("Set-Cookie")
    }

    /// Whether the end of the content has been seen.
    pub(crate) fn is_complete(&self) -> bool {
        self.body.is_complete()
    }

    /// The content that has come since the last call, as soon as there is any; `None` after its end.
    pub(crate) fn read(&mut self) -> Result<Option<Vec<u8>>> {
        let mut content = Vec::new();
        loop {
            self.body.decode(&mut self.connection.inbox, &mut content)?;
            if !content.is_empty() {
                return Ok(Some(content));
            }
            if self.body.is_complete() {
                return Ok(None);
            }
            if self.connection.receive(self.deadline)? == 0 {
                self.body.end_of_input()?;
            }
        }
    }

    /// Waits for the rest. The connection comes with it when it can be used again.
    pub(crate) fn finish(mut self) -> Result<(Response, Option<Connection>)> {
        let close_delimited = matches!(self.body, Body::UntilClose);
        let mut content = Vec::new();
        while let Some(piece) = self.read()? {
            content.extend(piece);
        }
        if !self.connection.inbox.is_empty() {
            let stray = String::from_utf8_lossy(&self.connection.inbox).into_owned();
            return Err(invalid(format!("bytes after the end of the response: {stray:?}")));
        }
        let Self { connection, head, interim, .. } = self;
        let persistent = match head.version_minor {
            0 => head.headers.has_token("Connection", "keep-alive"),
            _ => !head.headers.has_token("Connection", "close"),
        };
        let response = Response {
            version_minor: head.version_minor,
            status: head.status,
            reason: head.reason,
            headers: head.headers,
            content,
            interim,
        };
        Ok((response, (persistent && !close_delimited).then_some(connection)))
    }
}
