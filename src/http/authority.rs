//! Authorities (RFC 3986 §3.2, RFC 9110 §7.2): the host, and perhaps the port, that a request is for.
//!
//! Stricter than the grammar on purpose: only hosts that a server can have (names of letters, digits, `-`, `_` and
//! dots, IPv4 and bracketed IPv6 addresses), never user information, so that what passes may be shown as `SERVER_NAME`
//! or put into a redirect. Nothing is resolved or normalised here; comparing hosts without case is the caller's part.

use std::net::Ipv6Addr;

/// RFC 3986 §3.2.2: producers ought to stay within what the DNS can hold.
const HOST_BYTES_MAX: usize = 255;

/// A host with an optional port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authority<'a> {
    /// The host as sent: a name (perhaps with a trailing dot), an IPv4 address, or an IPv6 address in brackets.
    pub host: &'a [u8],
    /// The port, when one was given: `a` and `a:` both leave it to the scheme.
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// The authority that `bytes` spell, if they spell one.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let host_len = match bytes {
            [b'[', ..] => memchr::memchr(b']', bytes)? + 1,
            _ => memchr::memchr(b':', bytes).unwrap_or(bytes.len()),
        };
        let (host, rest) = bytes.split_at(host_len);
        let port = match rest {
            [] | [b':'] => None,
            [b':', digits @ ..] => Some(parse_port(digits)?),
            _ => return None,
        };
        let legal = match host {
            [b'[', address @ .., b']'] => is_ipv6_address(address),
            name => is_name(name),
        };
        legal.then_some(Self { host, port })
    }
}

fn parse_port(digits: &[u8]) -> Option<u16> {
    if digits.len() > 5 {
        return None;
    }
    let value = digits
        .iter()
        .try_fold(0, |value: u32, digit| digit.is_ascii_digit().then(|| value * 10 + u32::from(digit - b'0')));
    u16::try_from(value?).ok()
}

fn is_ipv6_address(address: &[u8]) -> bool {
    std::str::from_utf8(address).is_ok_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

/// Labels of letters, digits, `-` and `_`, none of them empty but the root's after a trailing dot.
fn is_name(name: &[u8]) -> bool {
    const DOT: u8 = 1;
    const OTHER: u8 = 2;
    const KINDS: [u8; 256] = {
        let mut kinds = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            kinds[byte] = match byte as u8 {
                b'.' => DOT,
                b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => OTHER,
                _ => 0,
            };
            byte += 1;
        }
        kinds
    };
    let labels = name.strip_suffix(b".").unwrap_or(name);
    let mut before = DOT;
    for byte in labels {
        let kind = KINDS[usize::from(*byte)];
        if kind == 0 || (kind == DOT && before == DOT) {
            return false;
        }
        before = kind;
    }
    before != DOT && name.len() <= HOST_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_a_server_can_have_pass() {
        for (text, host, port) in [
            ("example.com", "example.com", None),
            ("EXAMPLE.com.", "EXAMPLE.com.", None),
            ("a:80", "a", Some(80)),
            ("a:", "a", None),
            ("127.0.0.1:8080", "127.0.0.1", Some(8080)),
            ("[::1]", "[::1]", None),
            ("[2001:db8::1]:443", "[2001:db8::1]", Some(443)),
            ("my_service-2:65535", "my_service-2", Some(65535)),
        ] {
            assert_eq!(Authority::parse(text.as_bytes()), Some(Authority { host: host.as_bytes(), port }), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            ".",
            ":80",
            "a..b",
            ".a",
            "user@a",
            "a/b",
            "a,b",
            "a b",
            "a\0",
            "a:x",
            "a:-1",
            "a:+1",
            "a:65536",
            "a:000080",
            "a:80:80",
            "[::1",
            "[::1]x",
            "[]",
            "[::g]",
            "[fe80::1%25eth0]",
            "[v1.x]",
            "::1",
            "%61",
            "ä",
            "a\\b",
            "a?b",
            "a#b",
            "<a>",
        ] {
            assert_eq!(Authority::parse(text.as_bytes()), None, "{text}");
        }
        assert!(Authority::parse(&[b'a'; 255]).is_some());
        assert!(Authority::parse(&[b'a'; 256]).is_none());
    }
}
