//! HPACK (RFC 7541) as a test needs it: fields in, as plain literals that no table remembers; any field block out.

use std::collections::VecDeque;

/// Encodes fields as literals without indexing, whose strings are not compressed (§6.2.2).
pub(crate) fn encode<T: AsRef<[u8]>>(fields: &[(T, T)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name.as_ref(), value.as_ref()] {
            integer(text.len(), 7, 0, &mut block);
            block.extend(text);
        }
    }
    block
}

/// An integer behind `prefix` bits of a byte that begins with `first` (§5.1).
pub(crate) fn integer(mut value: usize, prefix: u32, first: u8, block: &mut Vec<u8>) {
    let max = (1 << prefix) - 1;
    if value < max {
        return block.push(first | value as u8);
    }
    block.push(first | max as u8);
    value -= max;
    while value >= 0x80 {
        block.push(value as u8 | 0x80);
        value >>= 7;
    }
    block.push(value as u8);
}

/// A decoder with its dynamic table, of the default size.
#[derive(Default)]
pub(crate) struct Decoder {
    table: VecDeque<(String, String)>,
}

impl Decoder {
    /// The fields of a whole block.
    pub(crate) fn decode(&mut self, block: &[u8]) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        let mut rest = block;
        while let Some(&first) = rest.first() {
            let field = match first {
                0x80.. => {
                    let index = take_integer(&mut rest, 7);
                    self.entry(index)
                }
                0x40.. => {
                    let field = self.literal(&mut rest, 6);
                    self.table.push_front(field.clone());
                    self.shrink();
                    field
                }
                0x20.. => {
                    assert!(take_integer(&mut rest, 5) <= 4096, "a table larger than was allowed");
                    continue;
                }
                _ => self.literal(&mut rest, 4),
            };
            fields.push(field);
        }
        fields
    }

    fn literal(&self, rest: &mut &[u8], prefix: u32) -> (String, String) {
        let name = match take_integer(rest, prefix) {
            0 => take_string(rest),
            index => self.entry(index).0,
        };
        (name, take_string(rest))
    }

    fn entry(&self, index: usize) -> (String, String) {
        match STATIC.get(index - 1) {
            Some((name, value)) => ((*name).to_owned(), (*value).to_owned()),
            None => self.table[index - 1 - STATIC.len()].clone(),
        }
    }

    fn shrink(&mut self) {
        while self.table.iter().map(|(name, value)| name.len() + value.len() + 32).sum::<usize>() > 4096 {
            self.table.pop_back();
        }
    }
}

fn take_integer(rest: &mut &[u8], prefix: u32) -> usize {
    let max = (1 << prefix) - 1;
    let mut value = usize::from(rest[0]) & max;
    *rest = &rest[1..];
    if value == max {
        let mut shift = 0;
        loop {
            let byte = rest[0];
            *rest = &rest[1..];
            value += usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
    }
    value
}

fn take_string(rest: &mut &[u8]) -> String {
    let is_huffman = rest[0] & 0x80 != 0;
    let len = take_integer(rest, 7);
    let (bytes, after) = rest.split_at(len);
    *rest = after;
    String::from_utf8(if is_huffman { decode_huffman(bytes) } else { bytes.to_vec() }).unwrap()
}

/// The code is canonical: symbols in order of the lengths of their codes, and then of their values, have codes in order.
fn decode_huffman(bytes: &[u8]) -> Vec<u8> {
    let mut order: Vec<usize> = (0..LENGTHS.len()).collect();
    order.sort_by_key(|symbol| (LENGTHS[*symbol], *symbol));
    let mut text = Vec::new();
    let (mut code, mut len) = (0_u32, 0);
    for bit in bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)) {
        code = code << 1 | u32::from(bit);
        len += 1;
        let (mut next, mut length) = (0_u32, u32::from(LENGTHS[order[0]]));
        for symbol in &order {
            next <<= u32::from(LENGTHS[*symbol]) - length;
            length = u32::from(LENGTHS[*symbol]);
            if (next, length) == (code, len) {
                text.push(u8::try_from(*symbol).expect("never the end of the string"));
                (code, len) = (0, 0);
                break;
            }
            if length > len {
                break;
            }
            next += 1;
        }
    }
    assert!(len < 8 && code == (1 << len) - 1, "the padding is ones");
    text
}

/// Appendix A.
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// Lengths of the codes of appendix B, in bits; the last is the end of the string.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28,
    28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7,
    8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19,
    13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13,
    28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21,
    22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23,
    22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25,
    25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];
