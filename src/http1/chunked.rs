//! The chunked transfer coding (RFC 9112 §7.1), received: a state machine over single bytes, but for chunk data.
//!
//! Strict: each line ends with CR LF, sizes are bare hexadecimal digits, extensions and trailer fields follow their
//! grammar and are then thrown away (§7.1.1, §7.1.2 allow both), within a bound on their bytes. httparse's chunk sizes
//! are not used, since it accepts an empty one. How the input was cut never matters: a state says all there is.

use bytes::{Buf, BytesMut};

use super::body::{Step, take};
use crate::base::limits::CHUNK_OVERHEAD_BYTES_MAX;
use crate::http::headers::{is_field_value, is_tchar};
use crate::http::peer_error::PeerError;

/// As many as a 64-bit size has, leading zeros included.
const SIZE_DIGITS_MAX: u8 = 16;

/// A chunked body that is being received.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    state: State,
    /// Bytes of extensions and trailer fields so far, at most [`CHUNK_OVERHEAD_BYTES_MAX`].
    overhead: usize,
}

/// What the next byte belongs to.
///
/// ```text
///                 ┌──────────────── DataLf ◀── DataCr ◀── Data ◀─┐
///                 ▼                                              │ size > 0
///               Size ──▶ Extension ──▶ SizeLf ───────────────────┤
///                 └──────── CR ──────────▲                       │ size = 0
///                                                                ▼
///                    End ◀── LastLf ◀── CR ───────────────── Trailer ◀─┐
///                                                                └─────┘ one field line
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Size { size: u64, digits: u8 },
    Extension { size: u64, at: Extension },
    SizeLf { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    Trailer(Trailer),
    LastLf,
    End,
}

/// Where in a chunk extension: `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extension {
    /// White space that only a semicolon can end.
    Semicolon,
    NameStart,
    Name,
    /// White space after a name.
    NameEnd,
    ValueStart,
    Token,
    Quoted,
    /// After a backslash.
    QuotedPair,
    /// After the closing quote.
    QuotedEnd,
}

/// Where in the trailer section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trailer {
    /// A field line, or the empty line that ends the body.
    Start,
    Name,
    Value,
    Lf,
}

impl Default for State {
    fn default() -> Self {
        Self::Size { size: 0, digits: 0 }
    }
}

impl Chunked {
    /// Takes the next piece off the inbox.
    pub(super) fn decode(&mut self, inbox: &mut BytesMut) -> Result<Step, PeerError> {
        let (mut consumed, mut outcome) = (0, Ok(()));
        for byte in inbox.iter() {
            if matches!(self.state, State::Data { .. } | State::End) {
                break;
            }
            outcome = self.receive(*byte);
            if outcome.is_err() {
                break;
            }
            consumed += 1;
        }
        inbox.advance(consumed);
        outcome?;
        match &mut self.state {
            State::Data { left } => {
                let step = take(inbox, left);
                if *left == 0 {
                    self.state = State::DataCr;
                }
                Ok(step)
            }
            State::End => Ok(Step::End),
            _ => Ok(Step::Starved),
        }
    }

    /// Moves on by a byte that is no chunk data.
    fn receive(&mut self, byte: u8) -> Result<(), PeerError> {
        self.state = self.state.next(byte)?;
        let error = match self.state {
            State::Extension { .. } => PeerError::ChunkExtensionsTooLarge,
            State::Trailer(Trailer::Name | Trailer::Value | Trailer::Lf) => PeerError::TrailersTooLarge,
            _ => return Ok(()),
        };
        self.overhead += 1;
        if self.overhead > CHUNK_OVERHEAD_BYTES_MAX { Err(error) } else { Ok(()) }
    }
}

impl State {
    /// The state after `byte`, which is no chunk data.
    fn next(self, byte: u8) -> Result<Self, PeerError> {
        match (self, byte) {
            (Self::Size { size, digits }, _) => Self::after_size(size, digits, byte),
            (Self::Extension { size, at }, _) => Ok(match at.next(byte)? {
                Some(at) => Self::Extension { size, at },
                None => Self::SizeLf { size },
            }),
            (Self::SizeLf { size: 0 }, b'\n') => Ok(Self::Trailer(Trailer::Start)),
            (Self::SizeLf { size }, b'\n') => Ok(Self::Data { left: size }),
            (Self::DataCr, b'\r') => Ok(Self::DataLf),
            (Self::DataLf, b'\n') => Ok(Self::default()),
            (Self::Trailer(Trailer::Start), b'\r') => Ok(Self::LastLf),
            (Self::Trailer(at), _) => at.next(byte).map(Self::Trailer),
            (Self::LastLf, b'\n') => Ok(Self::End),
            (Self::SizeLf { .. } | Self::LastLf, _) => Err(PeerError::BareCr),
            (Self::DataCr | Self::DataLf | Self::Data { .. } | Self::End, _) => Err(PeerError::ChunkEnd),
        }
    }

    fn after_size(size: u64, digits: u8, byte: u8) -> Result<Self, PeerError> {
        match (digits, byte) {
            (0..SIZE_DIGITS_MAX, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).expect("a hexadecimal digit");
                Ok(Self::Size { size: size << 4 | u64::from(digit), digits: digits + 1 })
            }
            (1.., b'\r') => Ok(Self::SizeLf { size }),
            (1.., b';') => Ok(Self::Extension { size, at: Extension::NameStart }),
            (1.., b' ' | b'\t') => Ok(Self::Extension { size, at: Extension::Semicolon }),
            _ => Err(PeerError::ChunkSize),
        }
    }
}

impl Extension {
    /// Where `byte` leads; none at the CR that ends the line.
    fn next(self, byte: u8) -> Result<Option<Self>, PeerError> {
        Ok(Some(match (self, byte) {
            (Self::Name | Self::Token | Self::QuotedEnd, b'\r') => return Ok(None),
            (Self::Semicolon | Self::Name | Self::NameEnd | Self::Token | Self::QuotedEnd, b';') => Self::NameStart,
            (Self::Semicolon | Self::NameStart | Self::NameEnd | Self::ValueStart, b' ' | b'\t') => self,
            (Self::NameStart | Self::Name, _) if is_tchar(byte) => Self::Name,
            (Self::Name, b' ' | b'\t') => Self::NameEnd,
            (Self::Name | Self::NameEnd, b'=') => Self::ValueStart,
            (Self::ValueStart | Self::Token, _) if is_tchar(byte) => Self::Token,
            (Self::ValueStart, b'"') => Self::Quoted,
            (Self::Token | Self::QuotedEnd, b' ' | b'\t') => Self::Semicolon,
            (Self::Quoted, b'"') => Self::QuotedEnd,
            (Self::Quoted, b'\\') => Self::QuotedPair,
            // Neither has a control but HTAB, as a field value has none (RFC 9110 §5.6.4).
            (Self::Quoted | Self::QuotedPair, _) if is_field_value(&[byte]) => Self::Quoted,
            _ => return Err(PeerError::ChunkExtension),
        }))
    }
}

impl Trailer {
    fn next(self, byte: u8) -> Result<Self, PeerError> {
        match (self, byte) {
            (Self::Start | Self::Name, _) if is_tchar(byte) => Ok(Self::Name),
            (Self::Name, b':') => Ok(Self::Value),
            (Self::Value, b'\r') => Ok(Self::Lf),
            (Self::Value, _) if is_field_value(&[byte]) => Ok(Self::Value),
            (Self::Lf, b'\n') => Ok(Self::Start),
            _ => Err(PeerError::TrailerSyntax),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The content that `coded` holds and what is left of it after the end, fed in pieces of each length.
    fn decode(coded: &[u8]) -> Result<(Vec<u8>, Vec<u8>), PeerError> {
        let outcomes: Vec<_> = (1..=coded.len()).map(|len| decode_in_pieces(coded, len)).collect();
        assert!(outcomes.windows(2).all(|pair| pair[0] == pair[1]), "{}: {outcomes:?}", coded.escape_ascii());
        outcomes.into_iter().next().expect("not empty")
    }

    fn decode_in_pieces(coded: &[u8], len: usize) -> Result<(Vec<u8>, Vec<u8>), PeerError> {
        let (mut chunked, mut inbox, mut content) = (Chunked::default(), BytesMut::new(), Vec::new());
        let mut pieces = coded.chunks(len);
        loop {
            match chunked.decode(&mut inbox)? {
                Step::Content(piece) => {
                    assert!(!piece.is_empty());
                    content.extend_from_slice(&piece);
                }
                Step::End => {
                    inbox.extend_from_slice(&pieces.collect::<Vec<_>>().concat());
                    return Ok((content, inbox.to_vec()));
                }
                Step::Starved => {
                    assert!(inbox.is_empty(), "a starved decoder leaves nothing");
                    inbox.extend_from_slice(pieces.next().expect("the coding is complete or wrong"));
                }
            }
        }
    }

    #[test]
    fn content_ends_where_the_coding_says() {
        for (coded, content, rest) in [
            (&b"0\r\n\r\n"[..], &b""[..], &b""[..]),
            (b"5\r\nhello\r\n0\r\n\r\nGET", b"hello", b"GET"),
            (b"1\r\na\r\n00A\r\n\r\n\r\n012345\r\n0000000000000000\r\n\r\n", b"a\r\n\r\n012345", b""),
            (b"f\r\n0123456789abcde\r\n0\r\nA: b\r\nC:\r\n\r\n", b"0123456789abcde", b""),
            (b"1;a\r\nx\r\n0;b=c;d=\"e;\\\"f[\" ; g = h\r\n\r\n", b"x", b""),
            (b"1 ; a\r\nx\r\n0\t;b\r\n\r\n", b"x", b""),
        ] {
            assert_eq!(decode(coded), Ok((content.to_vec(), rest.to_vec())), "{}", coded.escape_ascii());
        }
    }

    #[test]
    fn what_deviates_is_refused() {
        use PeerError::{BareCr, ChunkEnd, ChunkExtension, ChunkSize, TrailerSyntax};
        for (coded, error) in [
            (&b"\r\n"[..], ChunkSize),
            (b"x\r\n", ChunkSize),
            (b"-1\r\n", ChunkSize),
            (b"+1\r\n", ChunkSize),
            (b"0x1\r\n", ChunkSize),
            (b"1_0\r\n", ChunkSize),
            (b" 1\r\n", ChunkSize),
            (b"1\n", ChunkSize),
            (b";a\r\n", ChunkSize),
            (b"00000000000000001\r\n", ChunkSize),
            (b"1 \r\n", ChunkExtension),
            (b"1;\r\n", ChunkExtension),
            (b"1;a \r\n", ChunkExtension),
            (b"1;a=\r\n", ChunkExtension),
            (b"1;a=b \r\n", ChunkExtension),
            (b"1;a[\r\n", ChunkExtension),
            (b"1;a=\"b\0\"\r\n", ChunkExtension),
            (b"1;a=\"b\r\n", ChunkExtension),
            (b"1;a=\"b\\\n", ChunkExtension),
            (b"1;a\n", ChunkExtension),
            (b"1;a\rb", BareCr),
            (b"1\rb", BareCr),
            (b"1\r\nab\r\n", ChunkEnd),
            (b"1\r\na\n0\r\n", ChunkEnd),
            (b"1\r\na0\r\n", ChunkEnd),
            (b"1\r\na\rb", ChunkEnd),
            (b"0\r\n\n", TrailerSyntax),
            (b"0\r\n\rx", BareCr),
            (b"0\r\n A: b\r\n", TrailerSyntax),
            (b"0\r\nA : b\r\n", TrailerSyntax),
            (b"0\r\nA\r\n", TrailerSyntax),
            (b"0\r\nA: b\n", TrailerSyntax),
            (b"0\r\nA: \0\r\n", TrailerSyntax),
            (b"0\r\nA: b\rc", TrailerSyntax),
        ] {
            assert_eq!(decode(coded), Err(error), "{}", coded.escape_ascii());
        }
    }

    #[test]
    fn the_largest_size_is_taken_at_its_word() {
        let mut inbox = BytesMut::from(&b"ffffffffffffffff\r\nabc"[..]);
        let mut chunked = Chunked::default();
        assert_eq!(chunked.decode(&mut inbox), Ok(Step::Content("abc".into())));
        assert_eq!(chunked.state, State::Data { left: u64::MAX - 3 });
    }

    #[test]
    fn extensions_and_trailers_are_bounded_together() {
        let extension = |len: usize| [b"1;", &vec![b'a'; len - 1][..], b"\r\nx\r\n"].concat();
        let inbox = |parts: &[&[u8]]| BytesMut::from(&parts.concat()[..]);
        let run = |mut inbox: BytesMut| {
            let mut chunked = Chunked::default();
            loop {
                match chunked.decode(&mut inbox) {
                    Ok(Step::Content(_)) => {}
                    outcome => return outcome,
                }
            }
        };
        let half = CHUNK_OVERHEAD_BYTES_MAX / 2;
        assert_eq!(run(inbox(&[&extension(half), &extension(half), b"0\r\n\r\n"])), Ok(Step::End));
        let too_much = run(inbox(&[&extension(half), &extension(half + 1)]));
        assert_eq!(too_much, Err(PeerError::ChunkExtensionsTooLarge));
        let too_much = run(inbox(&[&extension(half), b"0\r\nA:", &vec![b'b'; half]]));
        assert_eq!(too_much, Err(PeerError::TrailersTooLarge));
    }
}
