//! The sockets that the configuration names: opened, or taken over from whoever started the process.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use super::error::ServerError;
use crate::base::sys::listening::Listening;
use crate::base::sys::socket;
use crate::base::sys::user::Identity;
use crate::net::listener::Entrance;
use crate::program::config::{Endpoint, Listen};

/// A listening socket that another process has left open for this one.
#[derive(Debug)]
pub(super) struct Passed {
    pub(super) socket: Listening,
    /// As systemd calls it; none of a socket that this program has opened.
    pub(super) name: Option<String>,
}

/// All that is listened on. Held to the end, for a successor.
#[derive(Debug)]
pub(super) struct Listeners {
    places: Vec<Place>,
}

/// One entry of the configuration.
#[derive(Debug)]
struct Place {
    at: Endpoint,
    proxy_protocol: bool,
    sockets: Vec<Passed>,
}

impl Listeners {
    /// Opens what `wanted` names. Of TCP there is a socket for each of so many `copies`, which the kernel spreads
    /// connections over. Sockets that fit are taken from `passed`.
    pub(super) fn open(
        wanted: &[Listen],
        copies: usize,
        owner: Option<&Identity>,
        passed: &mut Vec<Passed>,
    ) -> Result<Self, ServerError> {
        let place =
            |one: &Listen| Place { at: one.at.clone(), proxy_protocol: one.proxy_protocol, sockets: Vec::new() };
        let mut places: Vec<Place> = wanted.iter().map(place).collect();
        // The entry that takes what is left over comes last.
        let mut order: Vec<&mut Place> = places.iter_mut().collect();
        order.sort_by_key(|place| place.at == Endpoint::Systemd(None));
        for place in order {
            place.sockets = passed.extract_if(.., |passed| place.at.is(passed)).collect();
            if place.sockets.is_empty() {
                let opened = open(&place.at, copies, owner);
                let sockets = opened.map_err(|error| ServerError::Listen(place.at.to_string(), error))?;
                place.sockets = sockets.into_iter().map(|socket| Passed { socket, name: None }).collect();
            }
        }
        Ok(Self { places })
    }

    /// The sockets for so many loops. Each loop serves all places; where there are fewer sockets than loops some share
    /// one, and where there are more a loop has several.
    pub(super) fn entrances(&self, loops: usize) -> io::Result<Vec<Vec<Entrance>>> {
        let mut all: Vec<Vec<Entrance>> = (0..loops).map(|_| Vec::new()).collect();
        for Place { proxy_protocol, sockets, .. } in &self.places {
            for number in 0..loops.max(sockets.len()) {
                let socket = sockets[number % sockets.len()].socket.try_clone()?;
                all[number % loops].push(Entrance { socket, proxy_protocol: *proxy_protocol });
            }
        }
        Ok(all)
    }

    /// What each place is called.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        self.places.iter().map(|place| {
            let address = place.sockets.first().and_then(|passed| passed.socket.address());
            address.map_or_else(|| place.at.to_string(), |address| format!("http://{address}"))
        })
    }

    /// All sockets, with the names by which a successor recognises those of systemd.
    pub(super) fn all(&self) -> impl Iterator<Item = (RawFd, Option<&str>)> {
        let sockets = self.places.iter().flat_map(|place| &place.sockets);
        sockets.map(|passed| (passed.socket.as_fd().as_raw_fd(), passed.name.as_deref()))
    }

    /// Closes them, and removes the Unix sockets that this program has made and no other process listens on.
    pub(super) fn remove(self) {
        let paths = self.places.into_iter().filter_map(|place| match place.at {
            Endpoint::Path { path, .. } if place.sockets.iter().all(|passed| passed.name.is_none()) => Some(path),
            _ => None,
        });
        for path in paths {
            // Without the right to it, it is stale: the next start removes it.
            if let Err(error) = std::fs::remove_file(&path) {
                log::debug!("cannot remove {}: {error}", path.display());
            }
        }
    }
}

impl Endpoint {
    /// Whether a socket is one for this place.
    fn is(&self, passed: &Passed) -> bool {
        match self {
            Self::Address(address) => passed.socket.address() == Some(*address),
            Self::Path { path, .. } => passed.socket.path().as_ref() == Some(path),
            Self::Systemd(Some(name)) => passed.name.as_ref() == Some(name),
            Self::Systemd(None) => passed.name.is_some(),
        }
    }
}

fn open(at: &Endpoint, copies: usize, owner: Option<&Identity>) -> io::Result<Vec<Listening>> {
    match at {
        Endpoint::Address(address) => {
            let mut address = *address;
            let mut sockets = Vec::with_capacity(copies);
            for _ in 0..copies {
                let socket = socket::listen(address, copies > 1)?;
                // Port 0 takes any port: the others must share the one that it became.
                address = socket.local_addr()?;
                sockets.push(Listening::Tcp(socket));
            }
            Ok(sockets)
        }
        Endpoint::Path { path, mode } => Ok(vec![Listening::at_path(path, *mode, owner)?]),
        Endpoint::Systemd(_) => {
            Err(io::Error::new(io::ErrorKind::NotFound, "systemd has passed no such socket (LISTEN_FDS)"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(name: Option<&str>) -> Passed {
        let socket = Listening::Tcp(socket::listen("127.0.0.1:0".parse().unwrap(), false).unwrap());
        Passed { socket, name: name.map(str::to_owned) }
    }

    fn listen(at: Endpoint) -> Listen {
        Listen { at, proxy_protocol: false }
    }

    #[test]
    fn sockets_that_were_passed_are_used_where_they_fit() {
        let (ours, web, other, unused) = (tcp(None), tcp(Some("web")), tcp(Some("other")), tcp(None));
        let address = ours.socket.address().unwrap();
        let any = listen(Endpoint::Systemd(None));
        let named = listen(Endpoint::Systemd(Some("web".to_owned())));
        let wanted = [any.clone(), named.clone(), listen(Endpoint::Address(address))];
        let expected = [&other, &web, &ours].map(|passed| passed.socket.as_fd().as_raw_fd());
        let mut passed = vec![unused, ours, web, other];
        let listeners = Listeners::open(&wanted, 2, None, &mut passed).unwrap();
        assert_eq!(listeners.all().map(|(fd, _)| fd).collect::<Vec<_>>(), expected);
        assert_eq!(passed.len(), 1);
        let error = Listeners::open(&[named], 1, None, &mut passed).unwrap_err().to_string();
        assert!(error.contains("cannot listen on systemd:web: systemd has passed no such socket"), "{error}");
    }

    #[test]
    fn every_loop_serves_every_place_and_every_socket_has_a_loop() {
        let place = |count: usize| Place {
            at: Endpoint::Systemd(None),
            proxy_protocol: false,
            sockets: (0..count).map(|_| tcp(None)).collect(),
        };
        let counts = |sockets, loops| -> Vec<usize> {
            let entrances = Listeners { places: vec![place(sockets)] }.entrances(loops).unwrap();
            entrances.iter().map(Vec::len).collect()
        };
        assert_eq!(counts(3, 3), [1, 1, 1]);
        assert_eq!(counts(1, 3), [1, 1, 1]);
        assert_eq!(counts(3, 1), [3]);
        assert_eq!(counts(3, 2), [2, 1]);
    }
}
