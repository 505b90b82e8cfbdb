//! Why a server does not start, or has stopped by itself.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use crate::php::StartError;

/// Why the server did not start, or stopped by itself.
#[derive(Debug)]
pub enum ServerError {
    /// An address cannot be listened on.
    Listen(SocketAddr, io::Error),
    /// The access log cannot be opened.
    AccessLog(io::Error),
    /// PHP does not start.
    Php(StartError),
    /// The system refuses something.
    System(&'static str, io::Error),
    /// An event loop has failed; the log says why.
    EventLoop,
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(address, error) => write!(f, "server.listen: cannot listen on {address}: {error}"),
            Self::AccessLog(error) => write!(f, "access_log.path: cannot open it: {error}"),
            Self::Php(error) => write!(f, "{error}"),
            Self::System(what, error) => write!(f, "{what}: {error}"),
            Self::EventLoop => f.write_str("an event loop has failed"),
        }
    }
}

impl std::error::Error for ServerError {}
