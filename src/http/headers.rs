//! Header fields (RFC 9110 §5): one block of bytes and where in it the names and values lie.
//!
//! For HTTP/1 the block *is* the received head, so parsing copies nothing; responses and HTTP/2 append to a block of
//! their own. Nothing above can tell. Lookup is a linear scan: requests have some twenty fields, and a table that is
//! never hashed cannot be flooded. Values are bytes, since RFC 9110 §5.5 allows obs-text.

use bytes::{BufMut, BytesMut};

/// A range of a header block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Where the range begins.
    pub start: u16,
    /// Its length in bytes.
    pub len: u16,
}

/// One field line: where its name and its value (without surrounding white space) lie in the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The name, a token.
    pub name: Span,
    /// The value; may be empty.
    pub value: Span,
}

/// The block would exceed 65,535 bytes, more than any peer accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadersTooLarge;

/// Field lines in order of arrival, duplicates kept.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    block: BytesMut,
    fields: Vec<Field>,
}

impl Headers {
    /// No fields, with room for a typical response's.
    pub fn new() -> Self {
        Self { block: BytesMut::with_capacity(256), fields: Vec::with_capacity(8) }
    }

    /// The fields that lie in `block`. Every span must lie within it.
    pub fn from_parts(block: BytesMut, fields: Vec<Field>) -> Self {
        debug_assert!(block.len() <= usize::from(u16::MAX));
        debug_assert!(
            fields
                .iter()
                .flat_map(|field| [field.name, field.value])
                .all(|span| { usize::from(span.start) + usize::from(span.len) <= block.len() })
        );
        Self { block, fields }
    }

    /// The block, and the fields that lie in it.
    pub fn into_parts(self) -> (BytesMut, Vec<Field>) {
        (self.block, self.fields)
    }

    /// The number of field lines.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The bytes of a span of this block.
    pub fn slice(&self, span: Span) -> &[u8] {
        &self.block[usize::from(span.start)..][..usize::from(span.len)]
    }

    /// Appends bytes that are no field (a target, for HTTP/2) and returns where they lie.
    pub fn push_bytes(&mut self, bytes: &[u8]) -> Result<Span, HeadersTooLarge> {
        let start = u16::try_from(self.block.len()).map_err(|_| HeadersTooLarge)?;
        let len = u16::try_from(bytes.len()).map_err(|_| HeadersTooLarge)?;
        start.checked_add(len).ok_or(HeadersTooLarge)?;
        self.block.put_slice(bytes);
        Ok(Span { start, len })
    }

    /// Appends a field line. The caller vouches that the name is a token and the value has no CR, LF or NUL.
    pub fn push(&mut self, name: &[u8], value: &[u8]) -> Result<(), HeadersTooLarge> {
        debug_assert!(is_token(name) && is_field_value(value), "a field that would split the message");
        let before = self.block.len();
        let name = self.push_bytes(name)?;
        match self.push_bytes(value) {
            Ok(value) => {
                self.fields.push(Field { name, value });
                Ok(())
            }
            Err(error) => {
                self.block.truncate(before);
                Err(error)
            }
        }
    }

    /// Appends a field line of our own making, which is known to be short.
    pub fn add(&mut self, name: &str, value: &[u8]) {
        self.push(name.as_bytes(), value).expect("our own fields are short");
    }

    /// Removes every line with this name.
    pub fn remove(&mut self, name: &str) {
        let block = &self.block;
        self.fields.retain(|field| {
            !block[usize::from(field.name.start)..][..usize::from(field.name.len)].eq_ignore_ascii_case(name.as_bytes())
        });
    }

    /// The first value of the field with this name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// Every value of the field with this name, in order.
    pub fn get_all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.iter().filter(move |(found, _)| found.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// Whether there is a field with this name.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Every field line as name and value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|field| (self.slice(field.name), self.slice(field.value)))
    }

    /// The elements of a comma-separated list field (RFC 9110 §5.6.1) over all its lines, trimmed, empty ones left out.
    pub fn list<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.get_all(name).flat_map(|value| value.split(|byte| *byte == b',')).map(trim).filter(|item| !item.is_empty())
    }
}

/// Without leading and trailing SP and HTAB, and no other white space (RFC 9110 §5.6.3).
pub fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Whether `bytes` is a token (RFC 9110 §5.6.2).
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| is_tchar(*byte))
}

/// Whether `byte` may stand in a token (RFC 9110 §5.6.2).
pub fn is_tchar(byte: u8) -> bool {
    const TCHARS: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            table[byte] = matches!(
                byte as u8,
                b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-'
                    | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
            );
            byte += 1;
        }
        table
    };
    TCHARS[usize::from(byte)]
}

/// Whether `bytes` may be sent as a field value: no CR, LF, NUL or other control but HTAB (RFC 9110 §5.5).
pub fn is_field_value(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'\t' | 0x20..=0x7e | 0x80..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_without_case_and_duplicates_stay_in_order() {
        let mut headers = Headers::new();
        headers.add("Set-Cookie", b"a=1");
        headers.add("X", b"");
        headers.add("set-cookie", b"b=2");
        assert_eq!(headers.get_all("SET-COOKIE").collect::<Vec<_>>(), [b"a=1", b"b=2"]);
        assert_eq!(headers.get("x"), Some(&b""[..]));
        headers.remove("sEt-CoOkIe");
        assert_eq!(headers.iter().collect::<Vec<_>>(), [(&b"X"[..], &b""[..])]);
    }

    #[test]
    fn a_token_has_what_rfc_9110_lists() {
        for byte in 0..=255_u8 {
            let listed = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            assert_eq!(is_tchar(byte), listed, "{byte}");
        }
    }

    #[test]
    fn a_block_never_exceeds_what_a_span_can_name() {
        let mut headers = Headers::new();
        headers.push(b"A", &[b'x'; 65_000]).unwrap();
        assert_eq!(headers.push(b"B", &[b'x'; 1_000]), Err(HeadersTooLarge));
        assert_eq!(headers.len(), 1);
        headers.push(b"C", b"fits").unwrap();
        assert_eq!(headers.get("c"), Some(&b"fits"[..]));
    }

    #[test]
    fn lists_join_lines_and_skip_empty_elements() {
        let mut headers = Headers::new();
        headers.add("Connection", b"close , ,\tUpgrade");
        headers.add("connection", b",x");
        assert_eq!(headers.list("Connection").collect::<Vec<_>>(), [&b"close"[..], b"Upgrade", b"x"]);
    }

    #[test]
    fn white_space_is_sp_and_htab_only() {
        assert_eq!(trim(b" \t a\xa0 \t"), b"a\xa0");
        assert!(!is_token(b"a b") && !is_token(b"") && is_token(b"!x~"));
        assert!(
            !is_field_value(b"a\r\nb")
                && !is_field_value(b"\0")
                && !is_field_value(b"\x7f")
                && is_field_value(b"\xff\t")
        );
    }
}
