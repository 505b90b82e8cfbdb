//! Listening sockets of either kind, made here or by another process.
#![allow(unsafe_code, reason = "system calls")]

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::check;
use super::user::Identity;

/// A socket that accepts connections. Not blocking, and closed on exec.
#[derive(Debug)]
pub enum Listening {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket.
    Unix(UnixListener),
}

impl Listening {
    /// Opens a Unix socket at `path`, with these permissions and for this user, if any. A socket that lies there from a
    /// process that has ended is removed; one that is listened on, or another file, is an error.
    pub fn at_path(path: &Path, mode: u32, owner: Option<&Identity>) -> io::Result<Self> {
        remove_stale(path)?;
        // SAFETY: no pointers are passed; it never fails. This thread is the only one (the caller starts none before its
        // sockets are open), so that nobody else makes a file meanwhile.
        let umask = unsafe { libc::umask(0o777) };
        let bound = UnixListener::bind(path);
        // SAFETY: as above.
        unsafe { libc::umask(umask) };
        let socket = bound?;
        socket.set_nonblocking(true)?;
        if let Some(owner) = owner {
            chown(path, Some(owner.uid), Some(owner.gid))?;
        }
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
        Ok(Self::Unix(socket))
    }

    /// Takes over a listening socket that another process has left open for this one under this number. Anything else
    /// under the number is an error, and stays as it is.
    ///
    /// Each number may be taken over once, and only if nothing in this process has opened it: it is the caller who has
    /// been told about the number by the other process.
    pub fn adopt(number: RawFd) -> io::Result<Self> {
        let (mut listens, mut domain) = (0, 0);
        option(number, libc::SO_ACCEPTCONN, &mut listens)?;
        option(number, libc::SO_DOMAIN, &mut domain)?;
        if listens == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it does not listen"));
        }
        // SAFETY: it is an open socket, and by this function's contract nobody else's.
        let socket = unsafe { OwnedFd::from_raw_fd(number) };
        // SAFETY: no pointers are passed; the socket is open.
        check(unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) })?;
        let socket = match domain {
            libc::AF_INET | libc::AF_INET6 => Self::Tcp(TcpListener::from(socket)),
            libc::AF_UNIX => Self::Unix(UnixListener::from(socket)),
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is neither of TCP nor a Unix socket")),
        };
        match &socket {
            Self::Tcp(socket) => socket.set_nonblocking(true)?,
            Self::Unix(socket) => socket.set_nonblocking(true)?,
        }
        Ok(socket)
    }

    /// The same socket under another descriptor.
    pub fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(socket) => socket.try_clone().map(Self::Tcp),
            Self::Unix(socket) => socket.try_clone().map(Self::Unix),
        }
    }

    /// What a TCP socket listens on.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(socket) => socket.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }

    /// Where a Unix socket lies.
    pub fn path(&self) -> Option<PathBuf> {
        match self {
            Self::Tcp(_) => None,
            Self::Unix(socket) => socket.local_addr().ok()?.as_pathname().map(Path::to_owned),
        }
    }

    /// Ends a thread's waiting for a connection on any descriptor of this socket.
    pub fn interrupt(&self) {
        // SAFETY: no pointers are passed; the socket is open. Linux answers a waiting accept with EINVAL.
        unsafe { libc::shutdown(self.as_fd().as_raw_fd(), libc::SHUT_RDWR) };
    }
}

impl AsFd for Listening {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Unix(socket) => socket.as_fd(),
        }
    }
}

fn option(number: RawFd, name: libc::c_int, value: &mut libc::c_int) -> io::Result<()> {
    let mut len = size_of_val(value) as libc::socklen_t;
    // SAFETY: `value` is an int of `len` bytes that outlives the call.
    check(unsafe { libc::getsockopt(number, libc::SOL_SOCKET, name, (&raw mut *value).cast(), &raw mut len) })?;
    Ok(())
}

fn remove_stale(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path),
            // Somebody listens, whether he takes us or not.
            _ => Err(io::ErrorKind::AddrInUse.into()),
        },
        // Not to be overwritten: bind says so.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::IntoRawFd;

    use super::*;

    #[test]
    fn a_stale_socket_is_replaced_and_nothing_else_is() {
        let path = std::env::temp_dir().join(format!("ephpm-listening-{}", std::process::id()));
        let socket = Listening::at_path(&path, 0o640, None).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(socket.path().as_deref(), Some(&*path));
        assert_eq!(Listening::at_path(&path, 0o640, None).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(socket);
        assert!(Listening::at_path(&path, 0o640, None).is_ok(), "a socket that nobody listens on");
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "precious").unwrap();
        assert_eq!(Listening::at_path(&path, 0o640, None).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_listening_socket_is_adopted_and_nothing_else_is() {
        let number = TcpListener::bind("127.0.0.1:0").unwrap().into_raw_fd();
        let adopted = Listening::adopt(number).unwrap();
        assert!(adopted.address().unwrap().ip().is_loopback());
        let stream = std::net::TcpStream::connect(adopted.address().unwrap()).unwrap();
        assert!(Listening::adopt(stream.as_raw_fd()).is_err());
        assert!(Listening::adopt(0).is_err() && Listening::adopt(-1).is_err());
    }
}
