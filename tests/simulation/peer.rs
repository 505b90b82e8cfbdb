//! A client of either version of HTTP, as the world sees it.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Instant;

use super::client::Client;
use super::http2_client::Http2Client;
use super::php::SimPhp;
use super::random::Random;
use super::socket::Wire;

pub(crate) enum Peer {
    Http1(Box<Client>),
    Http2(Box<Http2Client>),
}

impl Peer {
    pub(crate) fn wire(&self) -> Option<&Rc<RefCell<Wire>>> {
        match self {
            Self::Http1(client) => client.wire.as_ref(),
            Self::Http2(client) => client.wire.as_ref(),
        }
    }

    pub(crate) fn connect(&mut self, wire: Rc<RefCell<Wire>>) {
        match self {
            Self::Http1(client) => client.wire = Some(wire),
            Self::Http2(client) => client.wire = Some(wire),
        }
    }

    /// It never comes.
    pub(crate) fn stay_away(&mut self) {
        match self {
            Self::Http1(client) => client.is_over = true,
            Self::Http2(client) => client.is_over = true,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Http1(client) => client.is_over,
            Self::Http2(client) => client.is_over,
        }
    }

    pub(crate) fn can_act(&self, now: Instant) -> bool {
        match self {
            Self::Http1(client) => client.can_act(now),
            Self::Http2(client) => client.can_act(now),
        }
    }

    /// When it will be able to do something that it only waits for the time to do.
    pub(crate) fn next_wake(&self, now: Instant) -> Option<Instant> {
        match self {
            Self::Http1(client) => client.next_wake(now),
            Self::Http2(client) => client.next_wake(now),
        }
    }

    pub(crate) fn step(&mut self, random: &mut Random, now: Instant) {
        match self {
            Self::Http1(client) => client.step(random, now),
            Self::Http2(client) => client.step(random, now),
        }
    }

    /// Everything is over: whether it was right.
    pub(crate) fn verify(&self, php: &SimPhp, spool_failed: bool, drained: bool) {
        match self {
            Self::Http1(client) => client.verify(php, spool_failed, drained),
            Self::Http2(client) => client.verify(php, spool_failed, drained),
        }
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http1(client) => client.fmt(f),
            Self::Http2(client) => client.fmt(f),
        }
    }
}
