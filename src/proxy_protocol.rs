//! The PROXY protocol, versions 1 and 2, as a server receives it (HAProxy's proxy-protocol.txt, revision 2020/03/05):
//! a header before the first byte of a connection, in which a proxy tells between whom the connection really is.
//!
//! Sans-I/O, and stricter than the text where that says "should": one space, addresses as they are canonically written,
//! stream sockets only. What it says may be believed only of a peer that is a proxy, which is for the caller to know.

#[doc(hidden)]
pub mod fuzz;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Bytes of a header that are accepted, of either version. Version 1 has 107 at most; of version 2 nobody is known to
/// send more than a few hundred.
pub const HEADER_BYTES_MAX: usize = 4096;

/// Bytes of a header of version 1, its line break included (section 2.1).
const LINE_BYTES_MAX: usize = 107;
const SIGNATURE_V1: &[u8] = b"PROXY ";
const SIGNATURE_V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The signature, version and command, family and protocol, and the length of what follows.
const FIXED_BYTES_V2: usize = SIGNATURE_V2.len() + 4;
/// PP2_TYPE_SSL, and in its first byte PP2_CLIENT_SSL (section 2.2.5).
const TYPE_SSL: u8 = 0x20;
const CLIENT_SSL: u8 = 0x01;

/// A complete header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Its bytes, after which the connection proper begins.
    pub len: usize,
    /// The client's address and the one that it connected to; none where the proxy speaks for itself (LOCAL), does not
    /// know them (UNKNOWN), or they are not of IP. Then the connection's own hold.
    pub addresses: Option<(SocketAddr, SocketAddr)>,
    /// The client's connection is encrypted, as the proxy says.
    pub secure: bool,
}

/// What was received is no header, nor will it become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalid;

/// The header that `bytes` begin with, or none when there is more to come.
pub fn parse(bytes: &[u8]) -> Result<Option<Header>, Invalid> {
    if begins(bytes, SIGNATURE_V2) {
        parse_v2(bytes)
    } else if begins(bytes, SIGNATURE_V1) {
        parse_v1(bytes)
    } else {
        Err(Invalid)
    }
}

/// Whether bytes begin with a signature, as far as they go.
fn begins(bytes: &[u8], signature: &[u8]) -> bool {
    let common = bytes.len().min(signature.len());
    bytes[..common] == signature[..common]
}

fn parse_v1(bytes: &[u8]) -> Result<Option<Header>, Invalid> {
    let window = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
    let Some(end) = memchr::memchr(b'\n', window) else {
        return if window.len() < LINE_BYTES_MAX { Ok(None) } else { Err(Invalid) };
    };
    let line = window[..end].strip_suffix(b"\r").ok_or(Invalid)?;
    let rest = std::str::from_utf8(&line[SIGNATURE_V1.len()..]).map_err(|_| Invalid)?;
    let len = end + 1;
    if rest == "UNKNOWN" || rest.starts_with("UNKNOWN ") {
        return Ok(Some(Header { len, addresses: None, secure: false }));
    }
    let mut words = rest.split(' ');
    let mut word = || words.next().ok_or(Invalid);
    let is_v4 = match word()? {
        "TCP4" => true,
        "TCP6" => false,
        _ => return Err(Invalid),
    };
    let (client, server) = (address(word()?, is_v4)?, address(word()?, is_v4)?);
    let (client, server) = ((client, port(word()?)?).into(), (server, port(word()?)?).into());
    if words.next().is_some() {
        return Err(Invalid);
    }
    Ok(Some(Header { len, addresses: Some((client, server)), secure: false }))
}

fn address(text: &str, is_v4: bool) -> Result<IpAddr, Invalid> {
    let address: IpAddr = text.parse().map_err(|_| Invalid)?;
    if address.is_ipv4() == is_v4 { Ok(address) } else { Err(Invalid) }
}

/// A port in decimal, without leading zeros or signs.
fn port(text: &str) -> Result<u16, Invalid> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_number).ok_or(Invalid)
}

fn parse_v2(bytes: &[u8]) -> Result<Option<Header>, Invalid> {
    // What is known to be wrong is not waited for.
    let version_and_command = bytes.get(12).copied().unwrap_or(0x21);
    let is_proxied = match version_and_command {
        0x20 => false,
        0x21 => true,
        _ => return Err(Invalid),
    };
    let Some((fixed, rest)) = bytes.split_at_checked(FIXED_BYTES_V2) else { return Ok(None) };
    let len = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if FIXED_BYTES_V2 + len > HEADER_BYTES_MAX {
        return Err(Invalid);
    }
    let Some(rest) = rest.get(..len) else { return Ok(None) };
    let mut header = Header { len: FIXED_BYTES_V2 + len, addresses: None, secure: false };
    if !is_proxied {
        // A health check: whatever else it says is to be skipped (section 2.2).
        return Ok(Some(header));
    }
    // The addresses' family, and stream sockets (1) where there are addresses.
    let tlvs = match fixed[13] {
        0x00 => return Ok(Some(header)),
        0x11 => {
            let (addresses, tlvs) = rest.split_at_checked(12).ok_or(Invalid)?;
            header.addresses = Some(pair(addresses, |bytes: [u8; 4]| Ipv4Addr::from(bytes).into()));
            tlvs
        }
        0x21 => {
            let (addresses, tlvs) = rest.split_at_checked(36).ok_or(Invalid)?;
            header.addresses = Some(pair(addresses, |bytes: [u8; 16]| Ipv6Addr::from(bytes).into()));
            tlvs
        }
        0x31 => rest.get(216..).ok_or(Invalid)?,
        _ => return Err(Invalid),
    };
    header.secure = is_secure(tlvs)?;
    Ok(Some(header))
}

/// Client and server from two addresses of `N` bytes and their two ports.
fn pair<const N: usize>(bytes: &[u8], address: impl Fn([u8; N]) -> IpAddr) -> (SocketAddr, SocketAddr) {
    let end = |number: usize| {
        let raw = bytes[number * N..][..N].try_into().expect("a slice of this length");
        let port = &bytes[2 * N + 2 * number..];
        SocketAddr::new(address(raw), u16::from_be_bytes([port[0], port[1]]))
    };
    (end(0), end(1))
}

/// Walks through type-length-value vectors: whether one of them says that the client speaks TLS.
fn is_secure(mut tlvs: &[u8]) -> Result<bool, Invalid> {
    let mut secure = false;
    while let [kind, high, low, rest @ ..] = tlvs {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, rest) = rest.split_at_checked(len).ok_or(Invalid)?;
        if *kind == TYPE_SSL {
            secure = value.first().is_some_and(|client| client & CLIENT_SSL != 0);
        }
        tlvs = rest;
    }
    if tlvs.is_empty() { Ok(secure) } else { Err(Invalid) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let len = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [SIGNATURE_V2, &[command, family], &len, rest].concat()
    }

    fn told(client: &str, server: &str) -> Option<(SocketAddr, SocketAddr)> {
        Some((client.parse().unwrap(), server.parse().unwrap()))
    }

    const IPV4: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0x01, 0xbb];

    #[test]
    fn headers_of_version_1() {
        for (line, addresses) in [
            ("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", told("192.0.2.1:56324", "198.51.100.2:443")),
            ("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n", told("[2001:db8::1]:1", "[::1]:65535")),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN ffff:: ffff:: 65535 65535\r\n", None),
        ] {
            let header = Header { len: line.len(), addresses, secure: false };
            assert_eq!(parse(line.as_bytes()), Ok(Some(header)), "{line}");
            assert_eq!(parse(format!("{line}GET /").as_bytes()), Ok(Some(header)), "{line}");
        }
        for line in [
            "GET / HTTP/1.1\r\n",
            "proxy TCP4 192.0.2.1 198.51.100.2 1 2\r\n",
            "PROXY  TCP4 192.0.2.1 198.51.100.2 1 2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 \r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 +1 2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 65536 2\r\n",
            "PROXY TCP4 192.0.2.01 198.51.100.2 1 2\r\n",
            "PROXY TCP4 ::1 ::1 1 2\r\n",
            "PROXY TCP6 192.0.2.1 ::1 1 2\r\n",
            "PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n",
            "PROXY UNKNOWNS\r\n",
            "\r\n\r\nGET / HTTP/1.1",
        ] {
            assert_eq!(parse(line.as_bytes()), Err(Invalid), "{line}");
        }
        let longest = format!("PROXY UNKNOWN {}\r\n", "x".repeat(91));
        assert_eq!(longest.len(), LINE_BYTES_MAX);
        assert!(matches!(parse(longest.as_bytes()), Ok(Some(_))));
        assert_eq!(parse(format!("PROXY UNKNOWN {}", "x".repeat(93)).as_bytes()), Err(Invalid));
    }

    #[test]
    fn headers_of_version_2() {
        let addresses = told("192.0.2.1:56324", "198.51.100.2:443");
        let with = |tlv: &[u8]| [&IPV4[..], tlv].concat();
        let mut ipv6 = [0; 36];
        (ipv6[15], ipv6[31], ipv6[33], ipv6[35]) = (1, 2, 80, 90);
        for (bytes, addresses, secure) in [
            (v2(0x21, 0x11, &IPV4), addresses, false),
            (v2(0x21, 0x11, &with(&[0x04, 0, 2, 0, 0])), addresses, false),
            (v2(0x21, 0x11, &with(&[0x20, 0, 5, 1, 0, 0, 0, 0])), addresses, true),
            (v2(0x21, 0x11, &with(&[0x20, 0, 5, 6, 0, 0, 0, 0])), addresses, false),
            (v2(0x21, 0x21, &ipv6), told("[::1]:80", "[::2]:90"), false),
            (v2(0x21, 0x31, &[0; 216]), None, false),
            (v2(0x21, 0x00, &[1, 2, 3]), None, false),
            (v2(0x20, 0x11, &IPV4), None, false),
            (v2(0x20, 0x00, &[]), None, false),
        ] {
            let header = Header { len: bytes.len(), addresses, secure };
            assert_eq!(parse(&bytes), Ok(Some(header)), "{bytes:x?}");
        }
        for bytes in [
            v2(0x11, 0x11, &IPV4),
            v2(0x22, 0x11, &IPV4),
            v2(0x21, 0x12, &IPV4),
            v2(0x21, 0x11, &IPV4[..11]),
            v2(0x21, 0x21, &ipv6[..35]),
            v2(0x21, 0x31, &[0; 215]),
            v2(0x21, 0x11, &with(&[0x20])),
            v2(0x21, 0x11, &with(&[0x20, 0, 1])),
            v2(0x21, 0x00, &[0; 4081]),
        ] {
            assert_eq!(parse(&bytes), Err(Invalid), "{bytes:x?}");
        }
    }
}
