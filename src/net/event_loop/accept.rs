//! Accepting connections, and what happens when there is no room for them.
//!
//! Room is scarce in two ways: the loop has as many connections as it may have, or the process has no file descriptor
//! left. In both, connections that have been idle for longest make room. When there are none, new ones wait in the
//! kernel's queue in the first case; in the second they are refused, since nobody knows who holds the descriptors.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mio::{Interest, Token};

use super::{EventLoop, Slot};
use crate::base::limits::ACCEPT_BUDGET;
use crate::base::slab::Key;
use crate::base::sys::socket;
use crate::http::message::Peer;
use crate::net::admission::{Place, refuse};
use crate::net::connection::{Announcement, Connection};
use crate::net::transport::Transport;
use crate::protocol::Protocol;
use crate::service::http::Http;
use crate::site::disk::Disk;

/// How long accepting rests when there is no room and nobody makes any.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Idle connections that make room at once. Finding them takes a look at all, which is to be worth it.
const EVICTED_MAX: usize = 32;

/// An address has as many connections as it may have.
struct Crowded;

impl EventLoop {
    /// Whether connections may be waiting that we would take now.
    pub(super) fn may_accept(&self) -> bool {
        self.accept_paused_until.is_none()
            && (self.has_room() || self.crowded_until.is_none())
            && self.listeners.iter().any(|listener| listener.ready)
    }

    fn has_room(&self) -> bool {
        self.slots.len() < self.shared.options.connections_max
    }

    /// Accepts one connection from each listener in turn. Those who come by one must not keep others from coming by
    /// another, however many they are and however long they go on.
    pub(super) fn accept(&mut self) -> io::Result<()> {
        let mut budget = ACCEPT_BUDGET;
        let mut is_exhausted = false;
        while budget > 0 && self.may_accept() {
            let index = self.next_listener;
            if !self.listeners[index].ready {
                // One of them is.
                self.pass_on();
                continue;
            }
            if !self.has_room() {
                // Nobody is to go for nothing.
                if !self.listeners[index].is_readable() {
                    self.listeners[index].ready = false;
                    continue;
                }
                if self.evict() == 0 {
                    self.crowded_until = Some(self.clock.now + ACCEPT_PAUSE);
                    break;
                }
            }
            budget -= 1;
            let listener = &mut self.listeners[index];
            match listener.accept() {
                Ok((transport, peer)) => {
                    self.pass_on();
                    self.take(index, transport, peer);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => listener.ready = false,
                Err(error) if socket::is_exhausted(&error) => {
                    self.disk.shed();
                    self.internal_disks.iter_mut().for_each(Disk::shed);
                    // Once more, since what the disk held may be enough.
                    if self.evict() == 0 && is_exhausted {
                        log::error!("cannot accept connections for a moment: {error}");
                        self.refuse_waiting(index);
                        self.pass_on();
                        self.accept_paused_until = Some(self.clock.now + ACCEPT_PAUSE);
                    }
                    is_exhausted = true;
                }
                // The connection died in the queue (accept(2) lists these); the next one may be well.
                Err(error) if socket::is_passing(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// It is another listener's turn.
    fn pass_on(&mut self) {
        self.next_listener += 1;
        if self.next_listener == self.listeners.len() {
            self.next_listener = 0;
        }
    }

    /// Accepts everything that waits, as far as there are file descriptors.
    pub(super) fn accept_waiting(&mut self) {
        for index in 0..self.listeners.len() {
            // A queue is no longer than this, and others may go on connecting for ever.
            for _ in 0..socket::BACKLOG {
                match self.listeners[index].accept() {
                    Ok((transport, peer)) => self.take(index, transport, peer),
                    Err(error) if socket::is_passing(&error) => {}
                    Err(_) => break,
                }
            }
        }
    }

    /// Closes the connections that have been idle for longest; how many.
    fn evict(&mut self) -> usize {
        let idle = |(key, slot): (Key, &Slot)| slot.connection.idle_until().map(|until| (until, key));
        let mut idle: Vec<_> = self.slots.iter().filter_map(idle).collect();
        let count = idle.len().div_ceil(8).min(EVICTED_MAX);
        if count < idle.len() {
            idle.select_nth_unstable_by_key(count, |(until, _)| *until);
        }
        for (_, key) in &idle[..count] {
            if let Some(mut slot) = self.slots.remove(*key) {
                slot.connection.dismiss(self.clock.now);
            }
        }
        count
    }

    /// Answers those who wait that they need not, with the descriptor that was put by for it.
    fn refuse_waiting(&mut self, index: usize) {
        self.reserve.spend();
        for _ in 0..ACCEPT_BUDGET {
            match self.listeners[index].accept() {
                Ok((transport, _)) => refuse(&transport),
                Err(_) => break,
            }
        }
        self.reserve.fill();
    }

    fn take(&mut self, index: usize, transport: Transport, peer: Peer) {
        let proxy_protocol = self.listeners[index].proxy_protocol;
        // Whose connection a proxy brings, it has yet to tell.
        let place = if proxy_protocol { Ok(None) } else { self.admit(peer.remote.ip()) };
        let Ok(place) = place else { return refuse(&transport) };
        if let Err(error) = self.open(transport, peer, proxy_protocol, place) {
            log::warn!("cannot take a connection: {error}");
        }
    }

    /// Takes note of whom a proxy has announced, if there is room for another connection of theirs.
    pub(super) fn admit_announced(&mut self, key: Key, client: IpAddr) {
        let admitted = self.admit(client);
        let Some(slot) = self.slots.get_mut(key) else { return };
        if let Ok(place) = admitted {
            slot.place = place;
        } else {
            refuse(slot.connection.transport());
            self.slots.remove(key);
        }
    }

    /// A place for a connection from this address, if its connections are counted.
    fn admit(&self, address: IpAddr) -> Result<Option<Place>, Crowded> {
        let max = self.shared.options.connections_per_address_max;
        // A proxy has as many connections as its clients need.
        let is_client = || address != Peer::UNIX.ip() && !self.shared.options.http.forwarded.trusts(address);
        if max == 0 || !is_client() {
            return Ok(None);
        }
        let place = self.shared.addresses.admit(address, max);
        if place.is_none() {
            log::debug!("{address}: refused, since it has {max} connections");
        }
        place.map(Some).ok_or(Crowded)
    }

    fn open(&mut self, transport: Transport, peer: Peer, proxy_protocol: bool, place: Option<Place>) -> io::Result<()> {
        let options = &self.shared.options;
        let announcement = proxy_protocol.then(|| Announcement {
            until: self.clock.now + options.http.head_timeout,
            is_believed: options.http.forwarded.believes_announcements_of(peer.remote.ip()),
        });
        let key = self.slots.insert_with(|key| {
            let protocol = match &options.http2 {
                Some(http2) => Protocol::either(options.http1, Arc::clone(http2)),
                None => Protocol::http1(options.http1),
            };
            let http = Http::new(protocol, key, peer);
            let connection = match announcement {
                Some(announcement) => Connection::announced(transport, http, announcement),
                None => Connection::new(transport, http),
            };
            Slot { connection, place }
        });
        let slot = self.slots.get_mut(key).expect("it was just inserted");
        let interest = Interest::READABLE | Interest::WRITABLE;
        let source = slot.connection.transport().source();
        if let Err(error) = self.poll.registry().register(source, Token(key.to_bits()), interest) {
            self.slots.remove(key);
            return Err(error);
        }
        self.slots.schedule(key);
        Ok(())
    }
}
