//! Tells systemd how far the server is, by the protocol of sd_notify(3): a datagram to the socket in `NOTIFY_SOCKET`.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Requests are welcome.
pub(super) const READY: &str = "READY=1";
/// The server is on its way to its end.
pub(super) const STOPPING: &str = "STOPPING=1";

/// Tells it, where somebody wants to know.
pub(super) fn notify(state: &str) {
    let Some(socket) = env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()) else { return };
    let send = || -> io::Result<()> {
        let address = match socket.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(&socket)?,
        };
        UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address)?;
        Ok(())
    };
    if let Err(error) = send() {
        log::warn!("cannot tell systemd {state}: {error}");
    }
}
