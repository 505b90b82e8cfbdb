//! The fields of a request that a protocol itself obeys, in any version of HTTP.
//!
//! Each of them that is no list may come once: of two lines, another reader may take the other one. All other fields
//! are the application's.

use super::headers::{Field, Headers, Span};
use super::peer_error::PeerError;

/// The fields that the protocol obeys: the value where there can be one, and whether there is any where it is a list.
#[derive(Debug, Default)]
pub struct Known {
    /// The Host field's value.
    pub host: Option<Span>,
    /// The Content-Type field's value.
    pub content_type: Option<Span>,
    /// The Content-Length field's value.
    pub content_length: Option<Span>,
    /// There is a Transfer-Encoding field.
    pub transfer_encoding: bool,
    /// There is an Expect field.
    pub expect: bool,
    /// There is a Connection field.
    pub connection: bool,
}

impl Known {
    /// Finds them among `fields`, which lie in `block`.
    pub fn find(block: &[u8], fields: &[Field]) -> Result<Self, PeerError> {
        let mut known = Self::default();
        for Field { name, value } in fields {
            let name = &block[usize::from(name.start)..][..usize::from(name.len)];
            let (place, error) = match name.len() {
                4 if name.eq_ignore_ascii_case(b"Host") => (&mut known.host, PeerError::HostTwice),
                12 if name.eq_ignore_ascii_case(b"Content-Type") => {
                    (&mut known.content_type, PeerError::ContentTypeTwice)
                }
                14 if name.eq_ignore_ascii_case(b"Content-Length") => {
                    (&mut known.content_length, PeerError::ContentLengthTwice)
                }
                6 => {
                    known.expect |= name.eq_ignore_ascii_case(b"Expect");
                    continue;
                }
                10 => {
                    known.connection |= name.eq_ignore_ascii_case(b"Connection");
                    continue;
                }
                17 => {
                    known.transfer_encoding |= name.eq_ignore_ascii_case(b"Transfer-Encoding");
                    continue;
                }
                _ => continue,
            };
            if place.replace(*value).is_some() {
                return Err(error);
            }
        }
        Ok(known)
    }
}

/// Whether the one expectation that there is was stated (RFC 9110 §10.1.1).
pub fn expects_continue(headers: &Headers) -> Result<bool, PeerError> {
    let mut expectations = headers.list("Expect");
    match (expectations.next(), expectations.next()) {
        (None, _) => Ok(false),
        (Some(only), None) if only.eq_ignore_ascii_case(b"100-continue") => Ok(true),
        _ => Err(PeerError::ExpectationUnknown),
    }
}

/// The value of a Content-Length field (RFC 9110 §8.6). A leading zero is legal there and refused here, since some recipients read octal.
pub fn parse_length(value: &[u8]) -> Result<u64, PeerError> {
    let decimal = match value {
        [] | [b'0', _, ..] => false,
        digits => digits.iter().all(u8::is_ascii_digit),
    };
    let number = || std::str::from_utf8(value).ok()?.parse().ok();
    decimal.then(number).flatten().ok_or(PeerError::ContentLengthSyntax)
}
