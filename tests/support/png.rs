//! Makes a PNG picture without a compressor, and reads the size of one (PNG specification, third edition).

/// The eight bytes that every PNG file begins with (section 5.2).
pub(crate) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// An opaque 8-bit RGB picture: gradients, so that a scaled copy differs from a blank one.
/// Its pixels are stored, not deflated, so the file has some three bytes a pixel.
pub(crate) fn picture(width: u32, height: u32) -> Vec<u8> {
    let mut lines = Vec::new();
    for y in 0..height {
        lines.push(0); // This line's filter: none.
        for x in 0..width {
            let shade = |value: u32, whole: u32| u8::try_from(value * 255 / whole.max(1)).expect("a share of 255");
            lines.extend([shade(x, width), shade(y, height), if (x / 16 + y / 16) % 2 == 0 { 40 } else { 200 }]);
        }
    }
    let mut header = Vec::new();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]); // Bit depth, RGB, deflate, adaptive filters, not interlaced.
    let mut file = SIGNATURE.to_vec();
    chunk(&mut file, b"IHDR", &header);
    chunk(&mut file, b"IDAT", &zlib_stored(&lines));
    chunk(&mut file, b"IEND", &[]);
    file
}

/// Width and height from the header of a PNG file; `None` for anything else.
pub(crate) fn dimensions(file: &[u8]) -> Option<(u32, u32)> {
    let header = file.strip_prefix(SIGNATURE)?.strip_prefix(b"\0\0\0\x0dIHDR")?;
    let number = |at: usize| Some(u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?));
    Some((number(0)?, number(4)?))
}

/// A chunk: length, type, data, CRC (section 5.3).
fn chunk(file: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    file.extend(u32::try_from(data.len()).expect("a small picture").to_be_bytes());
    let start = file.len();
    file.extend_from_slice(kind);
    file.extend_from_slice(data);
    let checksum = crc32(&file[start..]);
    file.extend(checksum.to_be_bytes());
}

/// A zlib stream (RFC 1950) of stored blocks (RFC 1951 section 3.2.4).
fn zlib_stored(data: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let mut blocks = data.chunks(usize::from(u16::MAX)).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).expect("chunks of at most 65,535");
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend_from_slice(block);
    }
    stream.extend(adler32(data).to_be_bytes());
    stream
}

/// CRC-32 as PNG, zip and gzip have it.
pub(super) fn crc32(data: &[u8]) -> u32 {
    let step = |crc: u32| {
        if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 }
    };
    !data.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

fn adler32(data: &[u8]) -> u32 {
    let (a, b) = data.iter().fold((1, 0), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    b << 16 | a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_the_published_ones() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(adler32(b"Wikipedia"), 0x11E6_0398);
    }

    #[test]
    fn a_picture_says_its_size() {
        assert_eq!(dimensions(&picture(640, 3)), Some((640, 3)));
        assert_eq!(dimensions(b"GIF89a"), None);
    }
}
