//! Listening sockets, and the ways of receiving and sending that the standard library lacks.
#![allow(unsafe_code, reason = "system calls")]

use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use super::check;

/// The accept queue's length; the kernel lowers it to net.core.somaxconn.
pub const BACKLOG: i32 = 4096;

/// Opens a listening socket, not blocking and closed on exec. With `share_port` (SO_REUSEPORT) several sockets may
/// listen on one address and the kernel spreads the connections; without it a second listener fails loudly. An IPv6
/// socket takes IPv6 connections only, so that no peer's address is an IPv4 address in IPv6 clothes.
pub fn listen(address: SocketAddr, share_port: bool) -> io::Result<TcpListener> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no pointers are passed.
    let fd = check(unsafe { libc::socket(family, kind, 0) })?;
    // SAFETY: the descriptor was just made and belongs to nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    set_option(&socket, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    if share_port {
        set_option(&socket, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
    }
    if address.is_ipv6() {
        set_option(&socket, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
    }
    // Linux hands this on to accepted sockets, which saves a call for each: small responses must not wait for ACKs.
    set_option(&socket, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)?;
    bind(&socket, address)?;
    // SAFETY: no pointers are passed; the socket is open.
    check(unsafe { libc::listen(socket.as_raw_fd(), BACKLOG) })?;
    Ok(TcpListener::from(socket))
}

fn bind(socket: &OwnedFd, address: SocketAddr) -> io::Result<()> {
    let fd = socket.as_raw_fd();
    match address {
        SocketAddr::V4(address) => {
            let raw = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: address.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
                sin_zero: [0; 8],
            };
            let len = size_of_val(&raw) as libc::socklen_t;
            // SAFETY: `raw` is a valid sockaddr_in of `len` bytes that outlives the call.
            check(unsafe { libc::bind(fd, (&raw const raw).cast(), len) })?;
        }
        SocketAddr::V6(address) => {
            let raw = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: address.port().to_be(),
                sin6_flowinfo: address.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
                sin6_scope_id: address.scope_id(),
            };
            let len = size_of_val(&raw) as libc::socklen_t;
            // SAFETY: `raw` is a valid sockaddr_in6 of `len` bytes that outlives the call.
            check(unsafe { libc::bind(fd, (&raw const raw).cast(), len) })?;
        }
    }
    Ok(())
}

/// Has closing the socket reset the connection, and throw away what has not been sent (SO_LINGER with no time).
pub fn reset_on_close(socket: &impl AsRawFd) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_LINGER, libc::linger { l_onoff: 1, l_linger: 0 })
}

/// Sets an option whose value the kernel knows as a `T`.
fn set_option<T: Copy>(socket: &impl AsRawFd, level: libc::c_int, name: libc::c_int, value: T) -> io::Result<()> {
    let len = size_of_val(&value) as libc::socklen_t;
    // SAFETY: `value` is valid for reads of `len` bytes and outlives the call.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), len) })?;
    Ok(())
}

/// Whether accepting failed because the process or the machine has run out of something: try again later.
pub fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

/// Whether accepting failed because of that one connection (accept(2) says to treat these as a try-again).
pub fn is_passing(error: &io::Error) -> bool {
    const NETWORK: [libc::c_int; 10] = [
        libc::ECONNABORTED,
        libc::EINTR,
        libc::EPROTO,
        libc::ENOPROTOOPT,
        libc::ENETDOWN,
        libc::ENETUNREACH,
        libc::EHOSTDOWN,
        libc::EHOSTUNREACH,
        libc::EOPNOTSUPP,
        libc::ENONET,
    ];
    error.raw_os_error().is_some_and(|code| NETWORK.contains(&code))
}

/// Receives once into `buf`; zero is the end.
///
/// By the bare system call, as the usual one of [`send`] is: libc's functions are points at which a thread can be
/// cancelled, which costs each call two atomic exchanges as soon as there are threads. Nobody cancels a loop's.
pub fn receive(socket: &impl AsRawFd, buf: &mut [u8]) -> io::Result<usize> {
    let (fd, to, len) = (libc::c_long::from(socket.as_raw_fd()), buf.as_mut_ptr(), buf.len());
    // SAFETY: `buf` is writable for its length, and ours alone; no address is asked for.
    let received =
        unsafe { libc::syscall(libc::SYS_recvfrom, fd, to, len, 0_usize, ptr::null::<u8>(), ptr::null::<u8>()) };
    check(received).map(|received| received as usize)
}

/// Sends the slices in one segment run as far as the kernel has room; `more` announces that more follows at once, so
/// that a head and the file behind it share a packet (MSG_MORE).
pub fn send(socket: &impl AsRawFd, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
    let flags = libc::MSG_NOSIGNAL | if more { libc::MSG_MORE } else { 0 };
    let fd = socket.as_raw_fd();
    if let [slice] = slices {
        let (number, options) = (libc::c_long::from(fd), libc::c_long::from(flags));
        // SAFETY: the slice is readable for its length; there is no address.
        let sent = unsafe {
            libc::syscall(libc::SYS_sendto, number, slice.as_ptr(), slice.len(), options, ptr::null::<u8>(), 0_usize)
        };
        return check(sent).map(|sent| sent as usize);
    }
    let sent = {
        // SAFETY: an all-zero msghdr is a valid empty one.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        // IoSlice is guaranteed to have the layout of iovec, which sendmsg does not write to.
        message.msg_iov = slices.as_ptr().cast_mut().cast();
        message.msg_iovlen = slices.len() as _;
        // SAFETY: the message names `slices`, which outlive the call.
        unsafe { libc::sendmsg(fd, &raw const message, flags) }
    };
    check(sent).map(|sent| sent as usize)
}

/// Sends up to `len` bytes of `file` from `offset` without copying them through this process. Zero means that the file
/// ends there.
pub fn send_file(socket: &impl AsRawFd, file: &impl AsRawFd, offset: u64, len: usize) -> io::Result<usize> {
    let mut offset = libc::off_t::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: `offset` outlives the call.
    check(unsafe { libc::sendfile(socket.as_raw_fd(), file.as_raw_fd(), &raw mut offset, len) })
        .map(|sent| sent as usize)
}

/// Whether there is something to read, or for a listening socket to accept.
pub fn is_readable(socket: &impl AsRawFd) -> bool {
    let mut entry = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry is passed, which outlives the call.
    unsafe { libc::poll(&raw mut entry, 1, 0) > 0 }
}

/// Bytes in a TCP socket's send queue: those that the peer has not acknowledged, sent or not.
pub fn unacknowledged(socket: &impl AsRawFd) -> io::Result<u64> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: SIOCOUTQ (tcp(7), by the number that it shares with TIOCOUTQ) writes an int.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) })?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpStream;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_port_is_taken_once_unless_it_is_shared() {
        let first = listen("127.0.0.1:0".parse().unwrap(), false).unwrap();
        let address = first.local_addr().unwrap();
        assert_eq!(listen(address, false).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let shared = listen("[::1]:0".parse().unwrap(), true).unwrap();
        assert!(listen(shared.local_addr().unwrap(), true).is_ok());
    }

    #[test]
    fn a_reset_is_seen_as_one() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        for (resets, kind) in [(true, Err(io::ErrorKind::ConnectionReset)), (false, Ok(0))] {
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (server, _) = listener.accept().unwrap();
            if resets {
                reset_on_close(&server).unwrap();
            }
            drop(server);
            assert_eq!(client.read(&mut [0; 8]).map_err(|error| error.kind()), kind);
        }
    }

    #[test]
    fn one_slice_is_sent_as_several_are() {
        type Way = fn(&[u8]) -> Vec<IoSlice<'_>>;
        let bytes: Vec<u8> = (0..1 << 20).map(|at: u32| (at ^ (at >> 9)) as u8).collect();
        // By sendto, and by sendmsg.
        let ways: [Way; 3] = [
            |bytes| vec![IoSlice::new(bytes)],
            |bytes| vec![IoSlice::new(bytes), IoSlice::new(&[])],
            |bytes| {
                let (front, back) = bytes.split_at(bytes.len() / 3);
                vec![IoSlice::new(front), IoSlice::new(back)]
            },
        ];
        for way in ways {
            let (one, mut other) = UnixStream::pair().unwrap();
            one.set_nonblocking(true).unwrap();
            let (mut sent, mut buf, mut arrived) = (0, vec![0; 70_000], Vec::new());
            let mut is_short = false;
            while arrived.len() < bytes.len() {
                let rest = &bytes[sent..];
                match send(&one, &way(rest), false) {
                    Ok(n) => {
                        is_short |= n < rest.len();
                        sent += n;
                        assert!(n > 0 || rest.is_empty());
                    }
                    Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
                }
                let n = other.read(&mut buf).unwrap();
                arrived.extend_from_slice(&buf[..n]);
            }
            assert!(arrived == bytes && is_short);
            drop(other);
            // And no signal.
            assert_eq!(send(&one, &way(b"abc"), false).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        }
    }

    #[test]
    fn slices_and_file_ranges_arrive_in_order() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(is_readable(&listener));
        let (server, _) = listener.accept().unwrap();
        assert!(!is_readable(&listener));
        let path = std::env::temp_dir().join(format!("ephpm-socket-{}", std::process::id()));
        std::fs::write(&path, b"0123456789").unwrap();
        let file = std::fs::File::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(send(&server, &[IoSlice::new(b"a"), IoSlice::new(b"bc")], true).unwrap(), 3);
        assert_eq!(send_file(&server, &file, 4, 3).unwrap(), 3);
        assert_eq!(send_file(&server, &file, 10, 3).unwrap(), 0);
        assert_eq!(send(&server, &[IoSlice::new(b"z")], false).unwrap(), 1);
        assert!(unacknowledged(&server).unwrap() <= 7);
        drop(server);
        let (mut all, mut buf) = (Vec::new(), [0; 3]);
        loop {
            match receive(&client, &mut buf).unwrap() {
                0 => break,
                len => all.extend_from_slice(&buf[..len]),
            }
        }
        assert_eq!(all, b"abc456z");
        let _other = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (idle, _) = listener.accept().unwrap();
        idle.set_nonblocking(true).unwrap();
        assert_eq!(receive(&idle, &mut buf).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
