//! Encoding content in a content coding, piece by piece: gzip, Brotli or Zstandard behind one face.
//!
//! Knows neither messages nor streams. Whatever is written comes out, in order, once it has been flushed or finished.
//! Memory is bounded whatever is written: windows are at most [`WINDOW_BITS`] wide, so that an encoder takes 0.1 MiB
//! (gzip) to 1.3 MiB (Brotli).

use std::io::{self, Write};

use bytes::Bytes;

use super::coding::Coding;

/// The width of the window that an encoder looks back in, for codings where it is a matter of choice: 256 KiB covers
/// nearly every page and style sheet.
const WINDOW_BITS: u32 = 18;
/// Brotli's least window.
const WINDOW_BITS_MIN: u32 = 10;

/// How much work goes into each coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Levels {
    /// 1 to 19.
    pub zstd: u8,
    /// 0 to 11.
    pub br: u8,
    /// 1 to 9.
    pub gzip: u8,
}

impl Default for Levels {
    /// About 100 MB of text a second and core, for zstd 300.
    fn default() -> Self {
        Self { zstd: 3, br: 4, gzip: 4 }
    }
}

/// An encoder for one stream of content.
pub struct Encoder {
    inner: Inner,
    /// Something has been written and not flushed.
    is_dirty: bool,
}

enum Inner {
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
    Br(Box<brotli::CompressorWriter<Vec<u8>>>),
    Gzip(flate2::write::GzEncoder<Vec<u8>>),
    /// All that was encoded, as far as it has not been taken.
    Ended(Vec<u8>),
}

impl Encoder {
    /// An encoder for content of `len` bytes, if that is known: less of it takes less memory.
    pub fn new(coding: Coding, levels: Levels, len: Option<u64>) -> Self {
        let bits = len.map_or(u32::MAX, |len| u64::BITS - len.leading_zeros()).clamp(WINDOW_BITS_MIN, WINDOW_BITS);
        let inner = match coding {
            Coding::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), i32::from(levels.zstd))
                    .expect("every level from 1 to 19 exists");
                encoder.window_log(bits).expect("a window within zstd's bounds");
                Inner::Zstd(encoder)
            }
            Coding::Br => {
                let encoder = brotli::CompressorWriter::new(Vec::new(), 4096, u32::from(levels.br), bits);
                Inner::Br(Box::new(encoder))
            }
            Coding::Gzip => {
                let level = flate2::Compression::new(u32::from(levels.gzip));
                Inner::Gzip(flate2::write::GzEncoder::new(Vec::new(), level))
            }
        };
        Self { inner, is_dirty: false }
    }

    /// Encodes all of `content` at once.
    pub fn encode(coding: Coding, levels: Levels, content: &[u8]) -> Bytes {
        let mut encoder = Self::new(coding, levels, Some(content.len() as u64));
        encoder.write(content);
        encoder.finish();
        encoder.take()
    }

    /// Adds content.
    pub fn write(&mut self, content: &[u8]) {
        if let Some(writer) = self.writer() {
            writer.write_all(content).expect("memory takes whatever is written");
            self.is_dirty |= !content.is_empty();
        }
    }

    /// Lets all that has been written come out, so that a reader can decode it without the rest.
    pub fn flush(&mut self) {
        if std::mem::take(&mut self.is_dirty)
            && let Some(writer) = self.writer()
        {
            writer.flush().expect("memory takes whatever is written");
        }
    }

    /// Ends the content; what is written behind the end goes nowhere. Gives the encoder's memory back.
    pub fn finish(&mut self) {
        let expect = "memory takes whatever is written";
        let encoded = match std::mem::replace(&mut self.inner, Inner::Ended(Vec::new())) {
            Inner::Zstd(encoder) => encoder.finish().expect(expect),
            Inner::Br(encoder) => encoder.into_inner(),
            Inner::Gzip(encoder) => encoder.finish().expect(expect),
            Inner::Ended(encoded) => encoded,
        };
        self.inner = Inner::Ended(encoded);
    }

    /// How much has come out and not been taken.
    pub fn ready(&self) -> usize {
        match &self.inner {
            Inner::Zstd(encoder) => encoder.get_ref().len(),
            Inner::Br(encoder) => encoder.get_ref().len(),
            Inner::Gzip(encoder) => encoder.get_ref().len(),
            Inner::Ended(encoded) => encoded.len(),
        }
    }

    /// Takes what has come out.
    pub fn take(&mut self) -> Bytes {
        let out = match &mut self.inner {
            Inner::Zstd(encoder) => encoder.get_mut(),
            Inner::Br(encoder) => encoder.get_mut(),
            Inner::Gzip(encoder) => encoder.get_mut(),
            Inner::Ended(encoded) => encoded,
        };
        Bytes::from(std::mem::take(out))
    }

    fn writer(&mut self) -> Option<&mut dyn Write> {
        Some(match &mut self.inner {
            Inner::Zstd(encoder) => encoder,
            Inner::Br(encoder) => encoder,
            Inner::Gzip(encoder) => encoder,
            Inner::Ended(_) => return None,
        })
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").field("ready", &self.ready()).finish_non_exhaustive()
    }
}

/// What was encoded, as far as `content` goes, and whether it goes to the end. For tests alone.
#[doc(hidden)]
pub fn decode_prefix(coding: Coding, content: &[u8]) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    let mut read = |reader: &mut dyn io::Read| loop {
        let mut piece = [0; 4096];
        match reader.read(&mut piece) {
            Ok(0) => return true,
            Err(_) => return false,
            Ok(n) => out.extend_from_slice(&piece[..n]),
        }
    };
    let is_whole = match coding {
        Coding::Zstd => zstd::stream::read::Decoder::new(content).is_ok_and(|mut decoder| read(&mut decoder)),
        Coding::Br => read(&mut brotli::Decompressor::new(content, 4096)),
        Coding::Gzip => read(&mut flate2::read::GzDecoder::new(content)),
    };
    (out, is_whole)
}

/// What was encoded, as far as `content` goes.
#[cfg(test)]
pub(crate) fn decode(coding: Coding, content: &[u8]) -> Vec<u8> {
    decode_prefix(coding, content).0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(len: usize) -> Vec<u8> {
        (0..len).map(|at| b"The quick brown fox. "[at * at % 97 % 21]).collect()
    }

    #[test]
    fn what_goes_in_comes_out() {
        for coding in Coding::ALL {
            for len in [0, 1, 5, 1023, 1024, 70_000, 700_000] {
                let text = text(len);
                let encoded = Encoder::encode(coding, Levels::default(), &text);
                assert!(len < 1000 || encoded.len() < len, "{coding:?} {len}");
                assert_eq!(decode_prefix(coding, &encoded), (text, true), "{coding:?} {len}");
                let (_, is_whole) = decode_prefix(coding, &encoded[..encoded.len() - 1]);
                assert!(!is_whole, "{coding:?} {len}");
            }
        }
    }

    #[test]
    fn what_is_flushed_can_be_read() {
        for coding in Coding::ALL {
            let mut encoder = Encoder::new(coding, Levels::default(), None);
            let (mut written, mut sent) = (Vec::new(), Vec::new());
            for piece in [&b"first"[..], b"", b" second", &text(100_000), b"last"] {
                encoder.write(piece);
                encoder.flush();
                written.extend_from_slice(piece);
                sent.extend_from_slice(&encoder.take());
                assert_eq!(decode(coding, &sent), written, "{coding:?}");
            }
            encoder.flush();
            assert_eq!(encoder.ready(), 0, "{coding:?}: nothing new");
            encoder.finish();
            assert!(encoder.ready() > 0, "{coding:?}: the end");
            sent.extend_from_slice(&encoder.take());
            assert_eq!(decode(coding, &sent), written, "{coding:?}");
        }
    }

    #[test]
    fn every_level_exists() {
        for (zstd, br, gzip) in [(1, 0, 1), (19, 11, 9)] {
            for coding in Coding::ALL {
                let encoded = Encoder::encode(coding, Levels { zstd, br, gzip }, b"content");
                assert_eq!(decode(coding, &encoded), b"content", "{coding:?}");
            }
        }
    }
}
