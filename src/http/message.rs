//! Requests and responses without their content, which flows beside them as events and chunks.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use super::headers::{Headers, Span};
use super::method::Method;
use super::status::Status;

/// The protocol version of a request, as `SERVER_PROTOCOL` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1, and any later minor version of 1 (RFC 9110 §2.5).
    Http11,
    /// HTTP/2
    Http2,
}

impl Version {
    /// The name as it stands in a start line and in `SERVER_PROTOCOL`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2.0",
        }
    }
}

/// A request head, checked by the protocol that received it: the target is in one of RFC 9112 §3.2's forms, the
/// framing is unambiguous, and `headers` holds tokens and legal values only.
#[derive(Debug, Clone)]
pub struct Request {
    /// What is to be done.
    pub method: Method,
    /// The version that the peer speaks.
    pub version: Version,
    /// The target's path and query as sent (origin-form), `*` for OPTIONS, or for CONNECT the authority. Of an
    /// absolute-form target only the path and query: the authority is in `authority`. Lies in the block of `headers`.
    pub target: Span,
    /// Whom the request is for: the target's authority (absolute-form, `:authority`), else the Host field's value; `None`
    /// for an HTTP/1.0 request without either. Lies in the block of `headers`.
    pub authority: Option<Span>,
    /// The field lines, framing fields included.
    pub headers: Headers,
    /// How much content follows: `Some(0)` for none, `None` when the peer sends it in chunks.
    pub content_length: Option<u64>,
    /// The peer waits for `100 Continue` before it sends the content (RFC 9110 §10.1.1).
    pub expects_continue: bool,
}

impl Request {
    /// The target: path and query as sent, or `*`.
    pub fn target(&self) -> &[u8] {
        self.headers.slice(self.target)
    }

    /// The target up to the first `?`.
    pub fn path(&self) -> &[u8] {
        let target = self.target();
        &target[..memchr::memchr(b'?', target).unwrap_or(target.len())]
    }

    /// What follows the first `?` of the target.
    pub fn query(&self) -> Option<&[u8]> {
        let target = self.target();
        memchr::memchr(b'?', target).map(|at| &target[at + 1..])
    }

    /// Host and optional port of the authority that the request is for.
    pub fn authority(&self) -> Option<&[u8]> {
        self.authority.map(|span| self.headers.slice(span))
    }
}

/// A response head. The protocol adds what it alone knows: the framing, `Connection` and `Date`.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: Status,
    /// A reason phrase other than the registered one; not sent in HTTP/2.
    pub reason: Option<Box<[u8]>>,
    /// The field lines.
    pub headers: Headers,
}

impl Response {
    /// A response with this status and no fields.
    pub fn new(status: Status) -> Self {
        Self { status, reason: None, headers: Headers::new() }
    }
}

/// How much content a response announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentLength {
    /// Exactly so many bytes. For a response to HEAD: so many as GET's would have, none of which is sent.
    Exact(u64),
    /// As many as come before the end is told.
    Unknown,
}

/// The two ends of the connection that a request came over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The client's address (`REMOTE_ADDR`, `REMOTE_PORT`).
    pub remote: SocketAddr,
    /// Ours (`SERVER_ADDR`, `SERVER_PORT`).
    pub local: SocketAddr,
    /// Whether the connection is encrypted (`HTTPS`, `REQUEST_SCHEME`).
    pub secure: bool,
}

/// An address as `REMOTE_ADDR` and logs have it: of IPv4 where it is one in IPv6 clothes, and `unix:`, as nginx says,
/// for the end of a Unix socket.
#[derive(Debug, Clone, Copy)]
pub struct Address(pub IpAddr);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == Peer::UNIX.ip() { f.write_str("unix:") } else { self.0.to_canonical().fmt(f) }
    }
}

impl Peer {
    /// Who is at the other end of a Unix socket: nobody with an address. No peer of TCP has this one.
    pub const UNIX: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));
}
