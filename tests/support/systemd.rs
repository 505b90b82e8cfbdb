//! What systemd would hear of a server: the socket of sd_notify(3).

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use super::{Builder, TemporaryDirectory};

/// Nobody takes longer for a notification.
const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody who listens as systemd does.
pub(crate) struct Systemd {
    directory: TemporaryDirectory,
    socket: UnixDatagram,
}

impl Systemd {
    pub(crate) fn new() -> Self {
        let directory = TemporaryDirectory::new("systemd");
        let socket = UnixDatagram::bind(directory.path().join("notify")).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self { directory, socket }
    }

    /// A server that listens on a socket called `web`, and tells here how far it is.
    pub(crate) fn unit(&self, builder: Builder) -> Builder {
        let path = self.directory.path().join("notify");
        builder
            .listen("listen = \"systemd:web\"")
            .pass_socket("web")
            .environment("NOTIFY_SOCKET", path.to_str().expect("UTF-8"))
    }

    /// The next notification.
    #[track_caller]
    pub(crate) fn told(&self) -> String {
        let mut bytes = [0; 256];
        let len = self.socket.recv(&mut bytes).expect("a notification");
        String::from_utf8_lossy(&bytes[..len]).into_owned()
    }

    /// Nothing has been told beyond what [`told`](Self::told) has given.
    #[track_caller]
    pub(crate) fn is_silent(&self) {
        self.socket.set_nonblocking(true).expect("a socket of ours");
        let more = self.socket.recv(&mut [0; 256]);
        assert!(more.is_err(), "one notification more");
        self.socket.set_nonblocking(false).expect("a socket of ours");
    }
}
