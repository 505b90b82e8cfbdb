//! Where the content of a request ends (RFC 9112 §6): the one place that decides it.
//!
//! Parsed, not validated: the decoder is built from the [`Framing`] that comes out, so no later code can disagree.
//! Where §6.1 and §6.3 let a server choose between repairing a doubtful message and refusing it, it is refused: a proxy
//! in front may have chosen otherwise, and the difference is a smuggled request.

use crate::http::headers::{is_token, trim};
use crate::http::known::parse_length;
use crate::http::message::Version;
use crate::http::peer_error::PeerError;

/// How the content of a request is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none.
    None,
    /// So many bytes, more than 0.
    Length(u64),
    /// In chunks.
    Chunked,
}

impl Framing {
    /// The framing that the value of Content-Length and the values of the Transfer-Encoding lines ask for.
    pub(super) fn of<'a>(
        version: Version,
        content_length: Option<&[u8]>,
        transfer_encoding: Option<impl Iterator<Item = &'a [u8]>>,
    ) -> Result<Self, PeerError> {
        match (content_length, transfer_encoding) {
            (_, Some(_)) if version == Version::Http10 => Err(PeerError::TransferEncodingInHttp10),
            (Some(_), Some(_)) => Err(PeerError::ContentLengthWithTransferEncoding),
            (None, Some(values)) => check_codings(values).map(|()| Self::Chunked),
            (Some(value), None) => match parse_length(value)? {
                0 => Ok(Self::None),
                length => Ok(Self::Length(length)),
            },
            (None, None) => Ok(Self::None),
        }
    }

    /// The length as [`Request`](crate::http::message::Request) tells it.
    pub(super) fn content_length(self) -> Option<u64> {
        match self {
            Self::None => Some(0),
            Self::Length(length) => Some(length),
            Self::Chunked => None,
        }
    }
}

/// Passes exactly one `chunked` and nothing else. RFC 9110 §5.6.1 would allow empty list elements, and RFC 9112 §7
/// parameters; both have served to hide `chunked` from one of two parsers.
fn check_codings<'a>(values: impl Iterator<Item = &'a [u8]>) -> Result<(), PeerError> {
    let (mut chunked, mut others, mut unknown) = (false, false, false);
    for coding in values.flat_map(|value| value.split(|byte| *byte == b',')).map(trim) {
        if chunked || !is_token(coding) {
            return Err(PeerError::TransferEncodingSyntax);
        }
        chunked = coding.eq_ignore_ascii_case(b"chunked");
        others |= !chunked;
        unknown |= !chunked && !is_registered(coding);
    }
    match (chunked, others) {
        (true, false) => Ok(()),
        (false, _) if !unknown => Err(PeerError::TransferEncodingSyntax),
        _ => Err(PeerError::TransferCodingUnknown),
    }
}

/// The codings of RFC 9112 §7 beside `chunked`. Known, but never the last of a request.
fn is_registered(coding: &[u8]) -> bool {
    [&b"gzip"[..], b"deflate", b"compress", b"x-gzip", b"x-compress", b"identity"]
        .iter()
        .any(|known| coding.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(content_length: Option<&str>, transfer_encoding: &[&str]) -> Result<Framing, PeerError> {
        let values = (!transfer_encoding.is_empty()).then(|| transfer_encoding.iter().map(|value| value.as_bytes()));
        Framing::of(Version::Http11, content_length.map(str::as_bytes), values)
    }

    #[test]
    fn lengths_are_plain_decimal_numbers() {
        assert_eq!(of(None, &[]), Ok(Framing::None));
        assert_eq!(of(Some("0"), &[]), Ok(Framing::None));
        assert_eq!(of(Some("18446744073709551615"), &[]), Ok(Framing::Length(u64::MAX)));
        for value in [
            "",
            "-0",
            "+5",
            "-5",
            "0x5",
            "5_0",
            "5 0",
            "5, 5",
            "1Z",
            "00",
            "05",
            "5.0",
            "18446744073709551616",
            "\u{661}",
        ] {
            assert_eq!(of(Some(value), &[]), Err(PeerError::ContentLengthSyntax), "{value}");
        }
    }

    #[test]
    fn chunked_stands_alone() {
        use PeerError::{TransferCodingUnknown as Unknown, TransferEncodingSyntax as Syntax};
        for value in ["chunked", "Chunked", "CHUNKED"] {
            assert_eq!(of(None, &[value]), Ok(Framing::Chunked));
        }
        for (values, error) in [
            (&[""][..], Syntax),
            (&["gzip"], Syntax),
            (&["identity"], Syntax),
            (&["chunked, identity"], Syntax),
            (&["chunked, chunked"], Syntax),
            (&["chunked", "chunked"], Syntax),
            (&["chunked", "xyz"], Syntax),
            (&["chunked;x=y"], Syntax),
            (&["chun ked"], Syntax),
            (&["\"chunked\""], Syntax),
            (&["chunked\u{a0}"], Syntax),
            (&[", chunked"], Syntax),
            (&["chunked,"], Syntax),
            (&["xchunked"], Unknown),
            (&["gzip, chunked"], Unknown),
            (&["gzip", "chunked"], Unknown),
            (&["xyz, chunked"], Unknown),
        ] {
            assert_eq!(of(None, values), Err(error), "{values:?}");
        }
    }

    #[test]
    fn two_framings_are_refused() {
        assert_eq!(of(Some("5"), &["chunked"]), Err(PeerError::ContentLengthWithTransferEncoding));
        let chunked = Some([&b"chunked"[..]].into_iter());
        assert_eq!(Framing::of(Version::Http10, None, chunked), Err(PeerError::TransferEncodingInHttp10));
    }
}
