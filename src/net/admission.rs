//! Who gets in: how many connections an address may have, and what is said to those that cannot be taken.

use std::collections::HashMap;
use std::fs::File;
use std::io::IoSlice;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::sys::socket;

/// The answer to a connection for which there is no room. Made to be sent without looking at what the peer says.
const REFUSAL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Says that there is no room, if the kernel takes it at once.
pub(super) fn refuse(stream: &impl AsRawFd) {
    // Whether the peer gets to see it is its own affair: it may have sent something that closing answers with a reset.
    let _ = socket::send(stream, &[IoSlice::new(REFUSAL)], false);
}

/// How many connections each address has, in all loops. Empty, and never locked, while there is no limit.
#[derive(Debug, Default)]
pub struct Addresses(Mutex<HashMap<IpAddr, usize>>);

/// A place of an address, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    addresses: Arc<Addresses>,
    network: IpAddr,
}

impl Addresses {
    /// A place for a connection from `address`; none when it has `max` already.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr, max: usize) -> Option<Place> {
        let network = network(address);
        let mut counts = self.lock();
        let count = counts.entry(network).or_default();
        if *count >= max {
            return None;
        }
        *count += 1;
        Some(Place { addresses: Arc::clone(self), network })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.addresses.lock();
        if let Some(count) = counts.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.network);
            }
        }
    }
}

/// What is counted as one: an address of IPv4; of IPv6 the /64 network, in which one customer has all addresses.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

/// A file descriptor to spare, for the moment when there is none: given up, it lets a connection in that can then be
/// refused, instead of leaving it to wait for nothing.
#[derive(Debug)]
pub(super) struct Reserve(Option<File>);

impl Reserve {
    pub(super) fn new() -> Self {
        let mut reserve = Self(None);
        reserve.fill();
        reserve
    }

    /// Gives it up.
    pub(super) fn spend(&mut self) {
        self.0 = None;
    }

    /// Takes one again if there is one.
    pub(super) fn fill(&mut self) {
        if self.0.is_none() {
            self.0 = File::open("/dev/null").ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_gets_them_back() {
        let addresses = Arc::new(Addresses::default());
        let admit = |text: &str| addresses.admit(text.parse().unwrap(), 2);
        let first = admit("192.0.2.1");
        let second = admit("::ffff:192.0.2.1");
        assert!(first.is_some() && second.is_some() && admit("192.0.2.1").is_none());
        let neighbours = [admit("192.0.2.2"), admit("2001:db8::1"), admit("2001:db8::ffff:0:0:1")];
        assert!(neighbours.iter().all(Option::is_some));
        assert!(admit("2001:db8::2").is_none() && admit("2001:db8:0:1::1").is_some());
        drop(first);
        assert!(admit("192.0.2.1").is_some());
        drop((second, neighbours));
        assert_eq!(addresses.lock().len(), 0);
    }
}
