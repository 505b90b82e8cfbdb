//! The grammar of a field block (RFC 7541 §6), without its meaning: whether it is whole when it ends.
//!
//! h2 decodes; it takes a block that breaks off for an error of another kind, and pseudo-fields in trailers for none.
//! Those that a dynamic table hides are not seen here, which does no harm, since trailers are given to nobody.

use h2::Reason;

/// The last pseudo-field of the static table (RFC 7541 appendix A).
const STATIC_PSEUDO_MAX: u32 = 14;
/// The longest continuation of an integer that is taken, in bits.
const INTEGER_BITS_MAX: u32 = 28;

/// How far a block has been followed.
#[derive(Debug, Default)]
pub(super) struct FieldBlock {
    is_trailer: bool,
    at: At,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum At {
    /// A representation begins, or the block ends.
    #[default]
    Start,
    /// An integer goes on.
    Integer { value: u32, bits: u32, then: Then },
    /// A string begins.
    String(Part),
    /// A string of so many bytes, more than 0.
    Bytes { left: usize, part: Part, is_huffman: bool, is_first: bool },
}

/// What an integer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The index of a field, or the size of the table: all that there is.
    Indexed,
    TableSize,
    /// The index of a name, or 0 if that follows.
    Name,
    /// The length of a string.
    Length {
        part: Part,
        is_huffman: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Name,
    Value,
}

impl FieldBlock {
    /// A block from its first byte.
    pub(super) fn new(is_trailer: bool) -> Self {
        Self { is_trailer, at: At::Start }
    }

    /// Whether it may end here.
    pub(super) fn is_whole(&self) -> bool {
        self.at == At::Start
    }

    /// Follows the next bytes.
    pub(super) fn judge(&mut self, mut bytes: &[u8]) -> Result<(), Reason> {
        while let [byte, rest @ ..] = bytes {
            let mut consumed = 1;
            self.at = match self.at {
                At::Start => match byte {
                    0x80.. => self.integer(*byte, 7, Then::Indexed)?,
                    0x40.. => self.integer(*byte, 6, Then::Name)?,
                    0x20.. => self.integer(*byte, 5, Then::TableSize)?,
                    _ => self.integer(*byte, 4, Then::Name)?,
                },
                At::Integer { value, bits, then } => {
                    let value = value.checked_add(u32::from(byte & 0x7f) << bits).ok_or(Reason::COMPRESSION_ERROR)?;
                    match byte & 0x80 {
                        0 => self.after(value, then)?,
                        _ if bits + 7 > INTEGER_BITS_MAX => return Err(Reason::COMPRESSION_ERROR),
                        _ => At::Integer { value, bits: bits + 7, then },
                    }
                }
                At::String(part) => self.integer(*byte, 7, Then::Length { part, is_huffman: byte & 0x80 != 0 })?,
                At::Bytes { left, part, is_huffman, is_first } => {
                    if is_first && part == Part::Name {
                        self.judge_name(*byte, is_huffman)?;
                    }
                    consumed = left.min(bytes.len());
                    match left - consumed {
                        0 => after_string(part),
                        left => At::Bytes { left, part, is_huffman, is_first: false },
                    }
                }
            };
            bytes = if consumed == 1 { rest } else { &bytes[consumed..] };
        }
        Ok(())
    }

    /// An integer whose first `prefix` bits end `byte` (RFC 7541 §5.1).
    fn integer(&self, byte: u8, prefix: u32, then: Then) -> Result<At, Reason> {
        let max = (1 << prefix) - 1;
        match u32::from(byte) & max {
            value if value == max => Ok(At::Integer { value, bits: 0, then }),
            value => self.after(value, then),
        }
    }

    fn after(&self, value: u32, then: Then) -> Result<At, Reason> {
        let is_pseudo = (1..=STATIC_PSEUDO_MAX).contains(&value);
        match then {
            Then::Indexed | Then::Name if is_pseudo && self.is_trailer => Err(Reason::PROTOCOL_ERROR),
            Then::Indexed | Then::TableSize => Ok(At::Start),
            Then::Name if value == 0 => Ok(At::String(Part::Name)),
            Then::Name => Ok(At::String(Part::Value)),
            Then::Length { part, .. } if value == 0 => Ok(after_string(part)),
            Then::Length { part, is_huffman } => {
                Ok(At::Bytes { left: value as usize, part, is_huffman, is_first: true })
            }
        }
    }

    /// The first byte of a name.
    fn judge_name(&self, byte: u8, is_huffman: bool) -> Result<(), Reason> {
        // A colon has seven bits in Huffman's code (RFC 7541 appendix B).
        let is_colon = if is_huffman { byte >> 1 == 0x5c } else { byte == b':' };
        if is_colon && self.is_trailer { Err(Reason::PROTOCOL_ERROR) } else { Ok(()) }
    }
}

fn after_string(part: Part) -> At {
    match part {
        Part::Name => At::String(Part::Value),
        Part::Value => At::Start,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(is_trailer: bool, bytes: &[u8]) -> Result<bool, Reason> {
        let mut whole = FieldBlock::new(is_trailer);
        let mut split = FieldBlock::new(is_trailer);
        let judged = whole.judge(bytes);
        assert_eq!(bytes.chunks(1).try_for_each(|byte| split.judge(byte)), judged);
        judged.map(|()| {
            assert_eq!(whole.is_whole(), split.is_whole());
            whole.is_whole()
        })
    }

    #[test]
    fn examples_of_rfc_7541_are_whole_and_their_beginnings_are_not() {
        // C.2.1, C.2.2, C.2.3, C.2.4, C.4.1.
        for (block, whole) in [
            (&b"\x40\x0acustom-key\x0dcustom-header"[..], 1),
            (b"\x04\x0c/sample/path", 1),
            (b"\x10\x08password\x06secret", 1),
            (b"\x82", 1),
            (b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff", 4),
        ] {
            assert_eq!(judge(false, block), Ok(true));
            // A beginning is whole where it ends between two fields.
            let beginnings = (0..block.len()).filter(|len| judge(false, &block[..*len]) == Ok(true));
            assert_eq!(beginnings.count(), whole);
        }
    }

    #[test]
    fn integers_may_be_long_but_not_without_end() {
        assert_eq!(judge(false, &[0x7f, 0x80, 0x01, 0x00]), Ok(true));
        assert_eq!(judge(false, &[0x3f, 0xe1, 0x1f]), Ok(true));
        assert_eq!(judge(false, &[0xff, 0x80, 0x80, 0x80, 0x80]), Ok(false));
        assert_eq!(judge(false, &[0xff, 0x80, 0x80, 0x80, 0x80, 0x80]), Err(Reason::COMPRESSION_ERROR));
    }

    #[test]
    fn trailers_have_no_pseudo_fields() {
        for block in [&b"\x83"[..], b"\x44\x01/", b"\x40\x02:a\x00", b"\x00\x82\xb9\x4f\x00"] {
            assert_eq!(judge(false, block), Ok(true));
            assert_eq!(judge(true, block), Err(Reason::PROTOCOL_ERROR));
        }
        assert_eq!(judge(true, b"\x40\x01a\x01:\x90"), Ok(true));
    }
}
