//! The field lines of a complete head (RFC 9112 §5), and what those say that concern the connection.
//!
//! httparse runs here, once; a name is a token and a value has no control when it has passed. Then one pass finds the
//! fields that the protocol itself obeys; each of them that is no list may come once. All other fields are the
//! application's. The request that comes out borrows nothing and copies nothing: its spans point into the head.

use bytes::BytesMut;
use httparse::{EMPTY_HEADER, Status};

use super::framing::Framing;
use super::head::Found;
use super::request_line::RequestLine;
use crate::http::authority::Authority;
use crate::http::headers::{Field, Headers, Span};
use crate::http::known::{Known, expects_continue};
use crate::http::message::{Request, Version};
use crate::http::peer_error::PeerError;

/// The most field lines that can be configured.
pub(super) const FIELDS_CEILING: usize = 256;
/// Requests with no more field lines, nearly all, are parsed with a small array: it is filled each time.
const FIELDS_USUAL: usize = 24;
/// And those that programs send with a smaller one.
const FIELDS_FEW: usize = 8;

/// A valid request head with what the connection must know of it.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) request: Request,
    pub(super) framing: Framing,
    /// The peer lets the connection go on after the response (RFC 9112 §9.3).
    pub(super) persistent: bool,
}

impl Received {
    /// Parses `block`, the complete head that was `found`.
    pub(super) fn parse(mut block: BytesMut, found: &Found) -> Result<Self, PeerError> {
        let lines = &block[found.line_len..];
        let parse = match found.count {
            few if few <= FIELDS_FEW => parse_fields::<FIELDS_FEW>,
            usual if usual <= FIELDS_USUAL => parse_fields::<FIELDS_USUAL>,
            _ => parse_fields::<FIELDS_CEILING>,
        };
        let fields = parse(lines, found)?;
        let known = Known::find(&block, &fields)?;
        let RequestLine { method, version, .. } = found.line;
        if version >= Version::Http11 && known.host.is_none() {
            return Err(PeerError::HostMissing);
        }
        let (target, named) = found.line.resolve(&mut block);
        let headers = Headers::from_parts(block, fields);
        if known.host.is_some_and(|host| Authority::parse(headers.slice(host)).is_none()) {
            return Err(PeerError::HostInvalid);
        }
        let framing = Framing::of(
            version,
            known.content_length.map(|value| headers.slice(value)),
            known.transfer_encoding.then(|| headers.get_all("Transfer-Encoding")),
        )?;
        // HTTP/1.0 has no expectations, and no interim responses either (RFC 9110 §10.1.1).
        let expects = known.expect && version >= Version::Http11 && expects_continue(&headers)?;
        let persistent = is_persistent(version, known.connection.then_some(&headers));
        let request = Request {
            method,
            version,
            target,
            authority: named.or(known.host),
            headers,
            content_length: framing.content_length(),
            expects_continue: expects && framing != Framing::None,
        };
        Ok(Self { request, framing, persistent })
    }
}

/// Where the names and values of `lines` lie, counted from the beginning of the head.
fn parse_fields<const N: usize>(lines: &[u8], found: &Found) -> Result<Vec<Field>, PeerError> {
    let mut headers = [EMPTY_HEADER; N];
    let (len, parsed) = match httparse::parse_headers(lines, &mut headers) {
        Ok(Status::Complete(complete)) => complete,
        Ok(Status::Partial) => return Err(PeerError::FieldName),
        Err(httparse::Error::HeaderValue) => return Err(PeerError::FieldValue),
        Err(httparse::Error::TooManyHeaders) => return Err(PeerError::TooManyFields),
        Err(_) => return Err(PeerError::FieldName),
    };
    if len != lines.len() || parsed.len() != found.count {
        // Two readings of one head must never go on, should there ever be such a head.
        return Err(PeerError::FieldName);
    }
    let span = |bytes: &[u8]| {
        // An empty slice may lie anywhere.
        let start = if bytes.is_empty() { 0 } else { bytes.as_ptr().addr() - lines.as_ptr().addr() + found.line_len };
        let short = |n| u16::try_from(n).expect("a head is shorter than 64 KiB");
        Span { start: short(start), len: short(bytes.len()) }
    };
    let mut fields = Vec::with_capacity(parsed.len());
    fields.extend(parsed.iter().map(|header| Field { name: span(header.name.as_bytes()), value: span(header.value) }));
    Ok(fields)
}

/// RFC 9112 §9.3; `close` wins over `keep-alive`. `headers` is none when there is no Connection field.
fn is_persistent(version: Version, headers: Option<&Headers>) -> bool {
    let has = |option: &[u8]| {
        headers.is_some_and(|headers| headers.list("Connection").any(|found| found.eq_ignore_ascii_case(option)))
    };
    !has(b"close") && (version >= Version::Http11 || has(b"keep-alive"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::event::{Event, StreamId};
    use crate::http1::{Http1, Http1Options};

    /// A head with so many fields, each of which tells its place.
    fn head(count: usize) -> (String, Vec<(String, String)>) {
        let fields = (0..count).map(|n| match n {
            0 => ("Host".to_owned(), "a".to_owned()),
            // Names that come again, empty values, and white space around values.
            n if n % 5 == 0 => ("X-Again".to_owned(), n.to_string()),
            n if n % 7 == 0 => (format!("X-Empty-{n}"), String::new()),
            n => (format!("X-{n}"), format!("{n} \t{n}")),
        });
        let fields: Vec<_> = fields.collect();
        let lines: String = fields.iter().map(|(name, value)| format!("{name}: \t{value} \r\n")).collect();
        (format!("GET / HTTP/1.1\r\n{lines}\r\n"), fields)
    }

    fn event(head: &str, fields_max: usize) -> Option<Event> {
        let mut http1 = Http1::new(Http1Options { fields_max, ..Http1Options::default() });
        http1.poll_event(&mut BytesMut::from(head))
    }

    #[test]
    fn any_array_finds_the_same_fields() {
        for count in 0..=FIELDS_CEILING {
            let (head, fields) = head(count);
            let line_len = "GET / HTTP/1.1\r\n".len();
            let line = RequestLine::parse(&head.as_bytes()[..line_len - 2], 100).unwrap();
            let found = Found { line, line_len, len: head.len(), count };
            let lines = &head.as_bytes()[line_len..];
            let largest = parse_fields::<FIELDS_CEILING>(lines, &found).unwrap();
            let text = |span: Span| &head[usize::from(span.start)..][..usize::from(span.len)];
            let read: Vec<_> = largest.iter().map(|field| (text(field.name), text(field.value))).collect();
            assert!(read.iter().copied().eq(fields.iter().map(|(name, value)| (&name[..], &value[..]))), "{read:?}");
            for (max, smaller) in [
                (FIELDS_FEW, parse_fields::<FIELDS_FEW>(lines, &found)),
                (FIELDS_USUAL, parse_fields::<FIELDS_USUAL>(lines, &found)),
            ] {
                let wanted = if count <= max { Ok(largest.clone()) } else { Err(PeerError::TooManyFields) };
                assert_eq!(smaller, wanted, "{count} in an array of {max}");
            }
        }
    }

    #[test]
    fn heads_of_any_size_are_read_and_limits_are_exact() {
        for count in [1, FIELDS_FEW, FIELDS_FEW + 1, FIELDS_USUAL, FIELDS_USUAL + 1, FIELDS_CEILING] {
            let (head, fields) = head(count);
            let Some(Event::Request(_, request)) = event(&head, count) else { panic!("a request of {count} fields") };
            let read = request.headers.iter().map(|(name, value)| (name.to_vec(), value.to_vec()));
            assert!(
                read.eq(fields.into_iter().map(|(name, value)| (name.into_bytes(), value.into_bytes()))),
                "{count}"
            );
            let refused = event(&head, count - 1);
            assert!(matches!(refused, Some(Event::Invalid(StreamId(1), PeerError::TooManyFields))), "{refused:?}");
        }
        let (beyond, _) = head(FIELDS_CEILING + 1);
        let refused = event(&beyond, usize::MAX);
        assert!(matches!(refused, Some(Event::Invalid(StreamId(1), PeerError::TooManyFields))), "{refused:?}");
    }
}
