//! An HTTP/1.1 client with the habits of a browser: it keeps its connection and its cookies.

use std::io::{ErrorKind, Result};
use std::net::SocketAddr;

use super::connection::{Connection, Incoming};
use super::cookies::CookieJar;
use super::message::{Request, Response};

/// More than any page here needs.
const REDIRECTS_MAX: usize = 10;

/// One user: one connection at a time, one cookie jar.
#[derive(Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    authority: String,
    idle: Option<Connection>,
    /// What the server has set so far; cookies are sent back by name, whatever their path.
    pub(crate) cookies: CookieJar,
    /// How many connections were opened: stays 1 while keep-alive works.
    pub(crate) connections_opened: usize,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            authority: address.to_string(),
            idle: None,
            cookies: CookieJar::default(),
            connections_opened: 0,
        }
    }

    #[track_caller]
    pub(crate) fn get(&mut self, target: &str) -> Response {
        self.send(&Request::get(target))
    }

    #[track_caller]
    pub(crate) fn post_form<N: AsRef<str>, V: AsRef<str>>(&mut self, target: &str, fields: &[(N, V)]) -> Response {
        self.send(&Request::post(target).form(fields))
    }

    /// The response to a request; panics, naming the request, when there is none.
    #[track_caller]
    pub(crate) fn send(&mut self, request: &Request) -> Response {
        match self.try_send(request) {
            Ok(response) => response,
            Err(error) => panic!("{} {}: {error}", request.method, request.target),
        }
    }

    pub(crate) fn try_send(&mut self, request: &Request) -> Result<Response> {
        let (response, connection) = self.try_open(request)?.finish()?;
        if !request.headers.has_token("Connection", "close") {
            self.idle = connection;
        }
        Ok(response)
    }

    /// Sends a request, and then a GET for as long as the answer is a redirect to the same server.
    #[track_caller]
    pub(crate) fn follow(&mut self, request: &Request) -> Response {
        let mut response = self.send(request);
        let mut target = request.target.clone();
        for _ in 0..REDIRECTS_MAX {
            let location = match response.header("Location") {
                Some(location) if (301..=303).contains(&response.status) => location,
                _ => return response,
            };
            target = self.resolve(&target, location);
            response = self.get(&target);
        }
        panic!("{} {}: more than {REDIRECTS_MAX} redirects", request.method, request.target);
    }

    /// Sends a request and returns with the head of the response: for content that arrives in pieces.
    #[track_caller]
    pub(crate) fn open(&mut self, request: &Request) -> Incoming {
        match self.try_open(request) {
            Ok(incoming) => incoming,
            Err(error) => panic!("{} {}: {error}", request.method, request.target),
        }
    }

    pub(crate) fn try_open(&mut self, request: &Request) -> Result<Incoming> {
        let cookie = self.cookies.header();
        let bytes = request.encode(&self.authority, cookie.as_deref());
        let incoming = match self.idle.take() {
            None => self.exchange_anew(&bytes, &request.method)?,
            Some(connection) => match exchange(connection, &bytes, &request.method) {
                // The server closed the idle connection before it saw the request: RFC 9112 section 9.3.1.
                Err(error) if was_closed(error.kind()) => self.exchange_anew(&bytes, &request.method)?,
                other => other?,
            },
        };
        for line in incoming.set_cookies() {
            self.cookies.store(line);
        }
        Ok(incoming)
    }

    /// The path and query that `location` means on this server, seen from `target`.
    #[track_caller]
    pub(crate) fn resolve(&self, target: &str, location: &str) -> String {
        let location = location.split('#').next().unwrap_or_default();
        if let Some(rest) = location.strip_prefix("http://") {
            let path = rest.strip_prefix(&self.authority);
            let path = path.unwrap_or_else(|| panic!("{location} leads away from {}", self.authority));
            return if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        }
        assert!(!location.contains("://") && !location.starts_with("//"), "{location} leads away");
        let path = target.split('?').next().unwrap_or_default();
        match location.chars().next() {
            Some('/') => location.to_owned(),
            Some('?') => format!("{path}{location}"),
            _ => format!("{}/{location}", path.rsplit_once('/').map_or("", |(directory, _)| directory)),
        }
    }

    fn exchange_anew(&mut self, bytes: &[u8], method: &str) -> Result<Incoming> {
        self.connections_opened += 1;
        exchange(Connection::open(self.address)?, bytes, method)
    }
}

fn exchange(mut connection: Connection, bytes: &[u8], method: &str) -> Result<Incoming> {
    // A server may refuse content before all of it was sent: its answer counts, if there is one.
    match connection.write(bytes) {
        Ok(()) => connection.incoming(method),
        Err(error) => connection.incoming(method).map_err(|_| error),
    }
}

fn was_closed(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests;
