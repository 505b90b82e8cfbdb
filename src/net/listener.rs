//! A listening socket of a loop, of either kind.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use mio::event::Source;
use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token};

use super::transport::Transport;
use crate::base::sys::listening::Listening;
use crate::http::message::Peer;

/// A listening socket for a loop.
#[derive(Debug)]
pub struct Entrance {
    /// The socket.
    pub socket: Listening,
    /// Each connection begins with a header of the PROXY protocol.
    pub proxy_protocol: bool,
}

/// The same, as its loop has it.
#[derive(Debug)]
pub(super) struct Listener {
    socket: Socket,
    /// Connections may be waiting.
    pub(super) ready: bool,
    /// What we listen on, unless that is every address of the machine.
    local: Option<SocketAddr>,
    pub(super) proxy_protocol: bool,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// What our side of a Unix socket is told to be: no address, and the port that stands in no URL.
const UNIX_LOCAL: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 80));

impl Listener {
    /// Registers a socket with a loop.
    pub(super) fn new(entrance: Entrance, registry: &Registry, token: Token) -> io::Result<Self> {
        let local = entrance.socket.address().filter(|local| !local.ip().is_unspecified());
        let mut socket = match entrance.socket {
            Listening::Tcp(socket) => Socket::Tcp(TcpListener::from_std(socket)),
            Listening::Unix(socket) => Socket::Unix(UnixListener::from_std(socket)),
        };
        let source: &mut dyn Source = match &mut socket {
            Socket::Tcp(socket) => socket,
            Socket::Unix(socket) => socket,
        };
        registry.register(source, token, Interest::READABLE)?;
        Ok(Self { socket, ready: true, local, proxy_protocol: entrance.proxy_protocol })
    }

    /// The next connection, and between whom it is.
    pub(super) fn accept(&self) -> io::Result<(Transport, Peer)> {
        let (transport, remote, local) = match &self.socket {
            Socket::Tcp(socket) => {
                let (stream, remote) = socket.accept()?;
                let local = self.local.map_or_else(|| stream.local_addr(), Ok)?;
                (Transport::Tcp(stream), remote, local)
            }
            Socket::Unix(socket) => {
                let (stream, _) = socket.accept()?;
                (Transport::Unix(stream), Peer::UNIX, UNIX_LOCAL)
            }
        };
        Ok((transport, Peer { remote, local, secure: false }))
    }

    /// Whether a connection waits.
    pub(super) fn is_readable(&self) -> bool {
        match &self.socket {
            Socket::Tcp(socket) => crate::base::sys::socket::is_readable(socket),
            Socket::Unix(socket) => crate::base::sys::socket::is_readable(socket),
        }
    }
}
