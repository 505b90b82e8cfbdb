//! The request line (RFC 9112 §3): method, target and version, and which of the four forms the target has.
//!
//! httparse is not used here: it knows neither later minor versions of HTTP/1 nor the forms of a target. The line
//! comes without its CR LF and without a bare one; what is accepted holds no control, no space and no fragment, and its
//! path has no invalid percent escape. Decoding the path is the router's.

use bytes::BytesMut;
use memchr::{memchr, memchr2};

use crate::http::authority::Authority;
use crate::http::headers::{Span, is_tchar};
use crate::http::message::Version;
use crate::http::method::Method;
use crate::http::peer_error::PeerError;
use crate::http::target;

/// No registered method is longer (UPDATEREDIRECTREF has 17); a longer one is unknown without reading on.
pub(super) const METHOD_BYTES_MAX: usize = 24;

/// A request line. Spans count from the beginning of the line.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestLine {
    pub(super) method: Method,
    pub(super) version: Version,
    target: Target,
}

/// A request target by its form (RFC 9112 §3.2).
#[derive(Debug, Clone, Copy)]
enum Target {
    /// origin-form and asterisk-form: the target as sent.
    Local(Span),
    /// absolute-form: the authority, and what follows it (empty, or beginning with `/` or `?`).
    Absolute { authority: Span, rest: Span },
    /// authority-form.
    Authority(Span),
}

/// Whether a line can still become a request line, as its first bytes tell: so garbage need not be read to its end.
/// The answer never changes as bytes are added, once it is an error.
pub(super) fn check_method(line: &[u8]) -> Result<(), PeerError> {
    match line.iter().take(METHOD_BYTES_MAX + 1).position(|byte| !is_tchar(*byte)) {
        Some(at) if at > 0 && line[at] == b' ' => Ok(()),
        Some(_) => Err(PeerError::MethodSyntax),
        None if line.len() > METHOD_BYTES_MAX => Err(PeerError::MethodUnknown),
        None => Ok(()),
    }
}

impl RequestLine {
    /// Parses a line whose method [`check_method`] has let pass.
    pub(super) fn parse(line: &[u8], target_bytes_max: usize) -> Result<Self, PeerError> {
        if line == b"PRI * HTTP/2.0" {
            return Err(PeerError::Http2Preface);
        }
        let (method, rest) = split_at_space(line)?;
        let (target, version) = split_at_space(rest)?;
        if target.is_empty() {
            return Err(PeerError::RequestLineSyntax);
        }
        let version = parse_version(version)?;
        let method = Method::from_bytes(method).ok_or(PeerError::MethodUnknown)?;
        if target.len() > target_bytes_max {
            return Err(PeerError::TargetTooLong);
        }
        target::check_bytes(target)?;
        let target = Target::parse(method, target, method.as_str().len() + 1)?;
        Ok(Self { method, version, target })
    }

    /// The target as [`Request`](crate::http::message::Request) wants it, and its authority, in `block`, which begins
    /// with this line. An absolute-form target without a path gets the path that it stands for (RFC 9110 §4.2.3, RFC
    /// 9112 §3.2.4); there is always room for it in the line.
    pub(super) fn resolve(&self, block: &mut BytesMut) -> (Span, Option<Span>) {
        let (mut authority, rest) = match self.target {
            Target::Local(target) => return (target, None),
            Target::Authority(authority) => return (authority, Some(authority)),
            Target::Absolute { authority, rest } => (authority, rest),
        };
        let start = usize::from(authority.start);
        let end = start + usize::from(authority.len);
        match block[usize::from(rest.start)..].first() {
            Some(b'/') => (rest, Some(authority)),
            Some(b'?') => {
                // The authority moves over the second slash of "://", and leaves room for the path.
                block.copy_within(start..end, start - 1);
                block[end - 1] = b'/';
                authority.start -= 1;
                (Span { start: rest.start - 1, len: rest.len + 1 }, Some(authority))
            }
            _ => {
                if self.method == Method::Options {
                    block[start - 1] = b'*';
                }
                (Span { start: authority.start - 1, len: 1 }, Some(authority))
            }
        }
    }
}

impl Target {
    /// The form of `target`, which begins `offset` bytes into the line.
    fn parse(method: Method, target: &[u8], offset: usize) -> Result<Self, PeerError> {
        if method == Method::Connect {
            // The port is not optional here (RFC 9112 §3.2.3).
            let named = Authority::parse(target).is_some_and(|authority| authority.port.is_some());
            return if named { Ok(Self::Authority(span(offset, target.len()))) } else { Err(PeerError::TargetForm) };
        }
        match target {
            [b'/', ..] => {
                target::check_path(target)?;
                Ok(Self::Local(span(offset, target.len())))
            }
            b"*" if method == Method::Options => Ok(Self::Local(span(offset, 1))),
            _ => Self::parse_absolute(target, offset),
        }
    }

    fn parse_absolute(target: &[u8], offset: usize) -> Result<Self, PeerError> {
        let scheme = [&b"http://"[..], b"https://"]
            .into_iter()
            .find(|scheme| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
            .ok_or(PeerError::TargetForm)?;
        let after = &target[scheme.len()..];
        let (authority, rest) = after.split_at(memchr2(b'/', b'?', after).unwrap_or(after.len()));
        if Authority::parse(authority).is_none() {
            return Err(PeerError::TargetAuthority);
        }
        target::check_path(rest)?;
        let start = offset + scheme.len();
        Ok(Self::Absolute { authority: span(start, authority.len()), rest: span(start + authority.len(), rest.len()) })
    }
}

fn split_at_space(bytes: &[u8]) -> Result<(&[u8], &[u8]), PeerError> {
    let at = memchr(b' ', bytes).ok_or(PeerError::RequestLineSyntax)?;
    Ok((&bytes[..at], &bytes[at + 1..]))
}

/// RFC 9110 §2.5: a later minor version is answered as the highest of its major version that we know.
fn parse_version(version: &[u8]) -> Result<Version, PeerError> {
    match version {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9'] => Ok(Version::Http11),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => Err(PeerError::VersionUnsupported),
        _ => Err(PeerError::VersionSyntax),
    }
}

fn span(start: usize, len: usize) -> Span {
    let short = |n| u16::try_from(n).expect("a head is shorter than 64 KiB");
    Span { start: short(start), len: short(len) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses a line: method, target and authority, or the error.
    fn parse(line: &str) -> Result<(Method, String, Option<String>), PeerError> {
        check_method(line.as_bytes())?;
        let parsed = RequestLine::parse(line.as_bytes(), 100)?;
        let mut block = BytesMut::from(line.as_bytes());
        let (target, authority) = parsed.resolve(&mut block);
        let text =
            |span: Span| String::from_utf8(block[usize::from(span.start)..][..usize::from(span.len)].to_vec()).unwrap();
        Ok((parsed.method, text(target), authority.map(text)))
    }

    #[test]
    fn each_form_of_target_resolves() {
        for (line, method, target, authority) in [
            ("GET / HTTP/1.1", Method::Get, "/", None),
            ("GET /%2f?%zz|\"\\^`{}<> HTTP/1.0", Method::Get, "/%2f?%zz|\"\\^`{}<>", None),
            ("GET /ä HTTP/1.9", Method::Get, "/ä", None),
            ("OPTIONS * HTTP/1.1", Method::Options, "*", None),
            ("GET http://a HTTP/1.1", Method::Get, "/", Some("a")),
            ("OPTIONS http://a:80 HTTP/1.1", Method::Options, "*", Some("a:80")),
            ("GET http://a/ HTTP/1.1", Method::Get, "/", Some("a")),
            ("GET HTTPS://a:1/b?c HTTP/1.1", Method::Get, "/b?c", Some("a:1")),
            ("GET http://host?q=/ HTTP/1.1", Method::Get, "/?q=/", Some("host")),
            ("OPTIONS http://h?q HTTP/1.1", Method::Options, "/?q", Some("h")),
            ("CONNECT a:443 HTTP/1.1", Method::Connect, "a:443", Some("a:443")),
        ] {
            assert_eq!(parse(line), Ok((method, target.to_owned(), authority.map(str::to_owned))), "{line}");
        }
    }

    #[test]
    fn each_fault_is_told_apart() {
        for (line, error) in [
            ("", PeerError::RequestLineSyntax),
            (" GET / HTTP/1.1", PeerError::MethodSyntax),
            ("G=T / HTTP/1.1", PeerError::MethodSyntax),
            ("GET\t/ HTTP/1.1", PeerError::MethodSyntax),
            ("get / HTTP/1.1", PeerError::MethodUnknown),
            ("AAAAAAAAAAAAAAAAAAAAAAAAAA", PeerError::MethodUnknown),
            ("GET", PeerError::RequestLineSyntax),
            ("GET /", PeerError::RequestLineSyntax),
            ("GET  / HTTP/1.1", PeerError::RequestLineSyntax),
            ("GET  HTTP/1.1", PeerError::RequestLineSyntax),
            ("GET /a b HTTP/1.1", PeerError::VersionSyntax),
            ("GET / HTTP/1.1 ", PeerError::VersionSyntax),
            ("GET / http/1.1", PeerError::VersionSyntax),
            ("GET / HTTP/1", PeerError::VersionSyntax),
            ("GET / HTTP/01.1", PeerError::VersionSyntax),
            ("GET / HTTP/1.32", PeerError::VersionSyntax),
            ("GET / HTTP/0.9", PeerError::VersionUnsupported),
            ("GET / HTTP/2.0", PeerError::VersionUnsupported),
            ("PRI * HTTP/2.0", PeerError::Http2Preface),
            ("GET * HTTP/1.1", PeerError::TargetForm),
            ("GET a HTTP/1.1", PeerError::TargetForm),
            ("GET ftp://a/ HTTP/1.1", PeerError::TargetForm),
            ("GET a:443 HTTP/1.1", PeerError::TargetForm),
            ("CONNECT / HTTP/1.1", PeerError::TargetForm),
            ("CONNECT a HTTP/1.1", PeerError::TargetForm),
            ("GET http:///a HTTP/1.1", PeerError::TargetAuthority),
            ("GET http://u@a/ HTTP/1.1", PeerError::TargetAuthority),
            ("GET /#a HTTP/1.1", PeerError::TargetByte),
            ("GET /\u{7f} HTTP/1.1", PeerError::TargetByte),
            ("GET /\t HTTP/1.1", PeerError::TargetByte),
            ("GET /% HTTP/1.1", PeerError::TargetEscape),
            ("GET /%2 HTTP/1.1", PeerError::TargetEscape),
            ("GET /%zz HTTP/1.1", PeerError::TargetEscape),
            ("GET /%00 HTTP/1.1", PeerError::TargetEscape),
            ("GET http://a/%0 HTTP/1.1", PeerError::TargetEscape),
        ] {
            assert_eq!(parse(line), Err(error), "{line:?}");
        }
        assert_eq!(RequestLine::parse(b"GET /\xff HTTP/1.1", 9).unwrap_err(), PeerError::TargetByte);
        assert!(RequestLine::parse(b"GET /12345678 HTTP/1.1", 9).is_ok());
        assert_eq!(RequestLine::parse(b"GET /123456789 HTTP/1.1", 9).unwrap_err(), PeerError::TargetTooLong);
    }
}
