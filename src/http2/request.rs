//! From what h2 has received to a request (RFC 9113 §8.3).
//!
//! h2 has refused what is malformed in the eyes of RFC 9113: pseudo-fields that are missing, twice, unknown or out of
//! place, names in upper case, fields that are about the connection, `TE` other than `trailers`. Here follow the rules
//! that HTTP/1 requests obey too, so that no request means one thing in one version and another in the other.

use bytes::BytesMut;
use h2_http::header::COOKIE;
use h2_http::request::Parts;
use h2_http::uri::Scheme;

use super::Http2Options;
use crate::http::authority::Authority;
use crate::http::headers::{Field, Headers, Span, trim};
use crate::http::known::{Known, expects_continue, parse_length};
use crate::http::message::{Request, Version};
use crate::http::method::Method;
use crate::http::peer_error::PeerError;
use crate::http::target;

/// Why there is no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is malformed in the eyes of RFC 9113 (§8.1.1): its stream is reset.
    Malformed(PeerError),
    /// It is one, but not one that we answer otherwise than with an error.
    Refused(PeerError),
}

impl From<PeerError> for Fault {
    fn from(error: PeerError) -> Self {
        Self::Refused(error)
    }
}

/// The request that `parts` make, `is_complete` without content.
pub(super) fn convert(parts: &Parts, is_complete: bool, options: &Http2Options) -> Result<Request, Fault> {
    let method = Method::from_bytes(parts.method.as_str().as_bytes()).ok_or(PeerError::MethodUnknown)?;
    let mut block = Block::new(parts);
    let (target, named) = block.target(method, parts, options)?;
    block.fields(parts, options)?;
    let Block { bytes, fields } = block;
    let known = Known::find(&bytes, &fields)?;
    let headers = Headers::from_parts(bytes, fields);
    let authority = authority(&headers, named, known.host)?;
    let announced = known.content_length.map(|value| parse_length(headers.slice(value))).transpose()?;
    let expects_continue = known.expect && expects_continue(&headers)? && !is_complete;
    let content_length = if is_complete { Some(0) } else { announced };
    Ok(Request { method, version: Version::Http2, target, authority, headers, content_length, expects_continue })
}

/// Whom the request is for: what `:authority` names and Host says, which must be the same (RFC 9113 §8.3.1).
fn authority(headers: &Headers, named: Option<Span>, host: Option<Span>) -> Result<Option<Span>, Fault> {
    let span = named.or(host).ok_or(PeerError::HostMissing)?;
    if Authority::parse(headers.slice(span)).is_none() {
        return Err(PeerError::HostInvalid.into());
    }
    match host {
        Some(host) if !headers.slice(host).eq_ignore_ascii_case(headers.slice(span)) => {
            Err(Fault::Malformed(PeerError::HostMismatch))
        }
        _ => Ok(Some(span)),
    }
}

/// A header block in the making.
struct Block {
    bytes: BytesMut,
    fields: Vec<Field>,
}

impl Block {
    fn new(parts: &Parts) -> Self {
        let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
        let authority = parts.uri.authority().map_or(0, |authority| authority.as_str().len());
        let fields: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 2).sum();
        Self {
            bytes: BytesMut::with_capacity(target + authority + fields),
            fields: Vec::with_capacity(parts.headers.len()),
        }
    }

    /// `:path`, and the authority if there is one; of CONNECT, that is both.
    fn target(&mut self, method: Method, parts: &Parts, options: &Http2Options) -> Result<(Span, Option<Span>), Fault> {
        let authority = parts.uri.authority().map(|authority| self.push(authority.as_str().as_bytes())).transpose()?;
        if method == Method::Connect {
            // The port is not optional here (RFC 9113 §8.5).
            let named = authority.filter(|span| Authority::parse(self.slice(*span)).is_some_and(|a| a.port.is_some()));
            return named.map(|span| (span, named)).ok_or(Fault::Malformed(PeerError::TargetForm));
        }
        // What has another scheme is not ours to serve. Without `:authority`, h2 does not tell.
        if parts.uri.scheme().is_some_and(|scheme| *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS) {
            return Err(PeerError::TargetForm.into());
        }
        let path = parts.uri.path_and_query().map_or("", |path| path.as_str()).as_bytes();
        if path.len() > options.target_bytes_max {
            return Err(PeerError::TargetTooLong.into());
        }
        match path {
            [b'/', ..] => {
                target::check_bytes(path)?;
                target::check_path(path)?;
            }
            b"*" if method == Method::Options => {}
            _ => return Err(Fault::Malformed(PeerError::TargetForm)),
        }
        Ok((self.push(path)?, authority))
    }

    /// The field lines. The cookies, which may come in crumbs, become one (§8.2.3), and count as one.
    fn fields(&mut self, parts: &Parts, options: &Http2Options) -> Result<(), Fault> {
        let headers = &parts.headers;
        let cookies = headers.get_all(COOKIE).iter().count();
        if headers.len() - cookies.saturating_sub(1) > options.fields_max {
            return Err(PeerError::TooManyFields.into());
        }
        for (name, value) in headers {
            if *name == COOKIE && cookies > 1 {
                continue;
            }
            // §8.2.1; the other bytes h2 has looked at.
            if trim(value.as_bytes()).len() < value.len() {
                return Err(Fault::Malformed(PeerError::FieldValue));
            }
            let field = Field { name: self.push(name.as_str().as_bytes())?, value: self.push(value.as_bytes())? };
            self.fields.push(field);
        }
        if cookies > 1 {
            let name = self.push(COOKIE.as_str().as_bytes())?;
            let mut value = Span { len: 0, ..self.push(b"")? };
            for crumb in headers.get_all(COOKIE) {
                if value.len > 0 {
                    value.len += self.push(b"; ")?.len;
                }
                value.len += self.push(crumb.as_bytes())?.len;
            }
            self.fields.push(Field { name, value });
        }
        Ok(())
    }

    fn push(&mut self, bytes: &[u8]) -> Result<Span, PeerError> {
        let end = u16::try_from(self.bytes.len() + bytes.len()).map_err(|_| PeerError::HeadTooLarge)?;
        self.bytes.extend_from_slice(bytes);
        let len = u16::try_from(bytes.len()).expect("the end is further away");
        Ok(Span { start: end - len, len })
    }

    fn slice(&self, span: Span) -> &[u8] {
        &self.bytes[usize::from(span.start)..][..usize::from(span.len)]
    }
}
