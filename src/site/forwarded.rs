//! Whom a request comes from when a proxy stands between: X-Forwarded-* and Forwarded (RFC 7239), believed only from
//! proxies that are trusted. Pure.
//!
//! The client is the right-most address that is no trusted proxy's: what stands to the left of it is the client's own
//! invention. Only fields that the operator names are believed, since a proxy passes on what it does not set itself,
//! and a client may have sent that. From any other peer the fields are data: nothing here looks at them.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use crate::http::authority::Authority;
use crate::http::headers::{is_token, trim};
use crate::http::message::{Peer, Request};

/// Which peers are believed, and what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Proxies. Without any, nobody is believed.
    pub proxies: Vec<Network>,
    /// The fields that these proxies set, or remove, on every request.
    pub fields: Vec<Field>,
}

/// A field that tells of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// `X-Forwarded-For`: the client's address, and those of the proxies that the request has passed.
    For,
    /// `X-Forwarded-Proto`: `https` or `http`.
    Proto,
    /// `X-Forwarded-Host`: the Host field that the client sent.
    Host,
    /// `X-Forwarded-Port`: the port that the client connected to.
    Port,
    /// `Forwarded`, which tells all of it.
    Forwarded,
}

/// A range of addresses: `10.0.0.0/8`, `fc00::/7`, `192.0.2.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    /// How many of the leading bits count.
    prefix_bits: u32,
}

/// The text is no range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotANetwork;

impl Network {
    /// Whether the range includes an address, which is canonical: none of IPv4 in IPv6's clothes.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                leading(u128::from(own.to_bits() ^ other.to_bits()) << 96, self.prefix_bits) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => leading(own.to_bits() ^ other.to_bits(), self.prefix_bits) == 0,
            _ => false,
        }
    }
}

/// The first `bits` bits.
fn leading(value: u128, bits: u32) -> u128 {
    value.checked_shr(128 - bits).unwrap_or(0)
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        if text == "unix:" {
            return Ok(Self { address: Peer::UNIX.ip(), prefix_bits: 32 });
        }
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        // Peers' addresses are canonical, so this would never contain one.
        if address.to_canonical() != address {
            return Err(NotANetwork);
        }
        let prefix_max = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            None => prefix_max,
            Some(digits) if digits.len() <= 3 && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| NotANetwork)?
            }
            Some(_) => return Err(NotANetwork),
        };
        (prefix_bits <= prefix_max).then_some(Self { address, prefix_bits }).ok_or(NotANetwork)
    }
}

impl Options {
    /// Whether an address is that of a trusted proxy. `unix:` is that of a peer over a Unix socket ([`Peer::UNIX`]).
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.proxies.iter().any(|network| network.contains(address))
    }

    /// Whether the PROXY protocol's header is believed of a peer: where the proxies are named, of those.
    pub fn believes_announcements_of(&self, address: IpAddr) -> bool {
        self.proxies.is_empty() || self.trusts(address)
    }

    fn believe(&self, field: Field) -> bool {
        self.fields.contains(&field)
    }
}

/// The two ends of the connection as the client sees them: `peer` unless that is a trusted proxy that tells otherwise.
/// A host that it tells becomes the authority of `request`. Of a client's port nothing is known, unless the proxy
/// tells it, which few do; it is 0 then.
pub fn resolve(options: &Options, peer: Peer, request: &mut Request) -> Peer {
    if !options.trusts(peer.remote.ip()) {
        return peer;
    }
    let told = if options.believe(Field::Forwarded) {
        Told::by_forwarded(options, request)
    } else {
        Told::by_x_forwarded(options, request)
    };
    if let Some(host) = &told.host
        && let Ok(span) = request.headers.push_bytes(host)
    {
        request.authority = Some(span);
    }
    let secure = told.secure.unwrap_or(peer.secure);
    let mut local = peer.local;
    if let Some(port) = told.port {
        local.set_port(port);
    } else if told.secure.is_some() || told.host.is_some() {
        let port = request.authority().and_then(Authority::parse).and_then(|authority| authority.port);
        local.set_port(port.unwrap_or(if secure { 443 } else { 80 }));
    }
    Peer { remote: told.client.unwrap_or(peer.remote), local, secure }
}

/// What a trusted proxy tells.
#[derive(Debug, Default)]
struct Told {
    client: Option<SocketAddr>,
    secure: Option<bool>,
    /// An authority.
    host: Option<Vec<u8>>,
    port: Option<u16>,
}

impl Told {
    fn by_x_forwarded(options: &Options, request: &Request) -> Self {
        // Each proxy adds an element at the right of each field, or replaces the field.
        let list = |field, name: &str| -> Vec<&[u8]> {
            if options.believe(field) { request.headers.list(name).collect() } else { Vec::new() }
        };
        let nodes = list(Field::For, "X-Forwarded-For");
        let found = find_client(options, nodes.iter().rev().map(|node| Some(*node)));
        let hop = found.map_or(0, |(_, hop)| hop);
        let at_hop = |list: Vec<&[u8]>| list.iter().rev().nth(hop).or_else(|| list.first()).map(|value| value.to_vec());
        Self {
            client: found.map(|(client, _)| client),
            secure: at_hop(list(Field::Proto, "X-Forwarded-Proto")).as_deref().and_then(parse_scheme),
            host: at_hop(list(Field::Host, "X-Forwarded-Host")).filter(|host| Authority::parse(host).is_some()),
            port: at_hop(list(Field::Port, "X-Forwarded-Port")).as_deref().and_then(parse_port),
        }
    }

    fn by_forwarded(options: &Options, request: &Request) -> Self {
        let mut elements = Vec::new();
        for line in request.headers.get_all("Forwarded") {
            // Where a quote does not end, nobody knows what the proxy has added.
            if parse_forwarded(line, &mut elements).is_none() {
                return Self::default();
            }
        }
        let Some((client, hop)) = find_client(options, elements.iter().rev().map(|element| element.node)) else {
            return Self::default();
        };
        let element = &elements[elements.len() - 1 - hop];
        Self {
            client: Some(client),
            secure: element.proto.and_then(parse_scheme),
            host: element.host.filter(|host| Authority::parse(host).is_some()).map(<[u8]>::to_vec),
            port: None,
        }
    }
}

/// The first of `nodes`, nearest first, that is no trusted proxy, and how many precede it; the last proxy if all are.
/// What is no address ends the search: nothing behind it was told by someone whom we trust.
fn find_client<'a>(options: &Options, nodes: impl Iterator<Item = Option<&'a [u8]>>) -> Option<(SocketAddr, usize)> {
    let mut found = None;
    for (hop, node) in nodes.enumerate() {
        let Some(address) = node.and_then(parse_node) else { break };
        found = Some((address, hop));
        if !options.trusts(address.ip()) {
            break;
        }
    }
    found
}

/// An address with an optional port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn parse_node(node: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(node).ok()?;
    let (address, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            let address: std::net::Ipv6Addr = address.parse().ok()?;
            (IpAddr::V6(address), port.strip_prefix(':'))
        }
        None => match text.parse() {
            Ok(address) => (address, None),
            Err(_) => {
                let (address, port) = text.split_once(':')?;
                let address: std::net::Ipv4Addr = address.parse().ok()?;
                (IpAddr::V4(address), Some(port))
            }
        },
    };
    // A port may be obfuscated (RFC 7239 §6.2): then there is an address all the same.
    let port = port.and_then(|port| parse_port(port.as_bytes())).unwrap_or(0);
    // Nobody is at an unspecified address; our own for the other end of a Unix socket is one.
    Some(SocketAddr::new(address.to_canonical(), port)).filter(|node| !node.ip().is_unspecified())
}

fn parse_port(digits: &[u8]) -> Option<u16> {
    let decimal = !digits.is_empty() && digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit);
    decimal.then(|| std::str::from_utf8(digits).ok()?.parse().ok()).flatten().filter(|port| *port != 0)
}

fn parse_scheme(scheme: &[u8]) -> Option<bool> {
    if scheme.eq_ignore_ascii_case(b"https") {
        Some(true)
    } else {
        scheme.eq_ignore_ascii_case(b"http").then_some(false)
    }
}

/// What one proxy has said (RFC 7239 §4).
#[derive(Debug, Default, Clone, Copy)]
struct Element<'a> {
    node: Option<&'a [u8]>,
    proto: Option<&'a [u8]>,
    host: Option<&'a [u8]>,
}

/// Appends the elements of one line; `None` if it is malformed.
fn parse_forwarded<'a>(line: &'a [u8], elements: &mut Vec<Element<'a>>) -> Option<()> {
    let mut rest = line;
    loop {
        let mut element = Element::default();
        loop {
            rest = trim(rest);
            // Pairs may be empty.
            if !rest.is_empty() && !matches!(rest[0], b',' | b';') {
                let equals = memchr::memchr(b'=', rest)?;
                let (name, after) = (&rest[..equals], &rest[equals + 1..]);
                let (value, after) = parse_value(after)?;
                match name {
                    _ if !is_token(name) => return None,
                    _ if name.eq_ignore_ascii_case(b"for") => element.node = Some(value),
                    _ if name.eq_ignore_ascii_case(b"proto") => element.proto = Some(value),
                    _ if name.eq_ignore_ascii_case(b"host") => element.host = Some(value),
                    _ => {}
                }
                rest = trim(after);
            }
            match rest {
                [b';', after @ ..] => rest = after,
                [b',', ..] | [] => break,
                _ => return None,
            }
        }
        elements.push(element);
        match rest {
            [_, after @ ..] => rest = after,
            [] => return Some(()),
        }
    }
}

/// A token or a quoted string, without its quotes, and what follows. A string with a backslash has no value that an
/// address or a host could have, and is as good as empty.
fn parse_value(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let Some(quoted) = bytes.strip_prefix(b"\"") else {
        let end = bytes.iter().position(|byte| matches!(byte, b';' | b',' | b' ' | b'\t')).unwrap_or(bytes.len());
        // Ports and brackets ought to be quoted (RFC 7239 §6), but many proxies do not.
        let is_plain = bytes[..end].iter().all(|byte| is_token(&[*byte]) || b":[]".contains(byte));
        return is_plain.then(|| bytes.split_at(end));
    };
    let mut at = 0;
    let mut escaped = false;
    loop {
        match quoted.get(at)? {
            b'"' => break,
            b'\\' => {
                escaped = true;
                at += 2;
            }
            _ => at += 1,
        }
    }
    let value = if escaped { &quoted[..0] } else { &quoted[..at] };
    Some((value, &quoted[at + 1..]))
}

#[cfg(test)]
mod tests;
