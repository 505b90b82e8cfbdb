//! Makes a zip archive without a compressor (PKWARE's APPNOTE 6.3, sections 4.3.7, 4.3.12 and 4.3.16).

use super::png::crc32;

/// An archive of these files, by their paths.
pub(crate) fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (path, content) in files {
        let offset = size(bytes.len());
        let mut facts = Vec::new();
        facts.extend(10_u16.to_le_bytes()); // The version that reads it: 1.0.
        facts.extend([0; 4]); // No flags; stored.
        facts.extend([0, 0, 0x21, 0x58]); // Midnight of 1 January 2024, in MS-DOS's way.
        facts.extend(crc32(content.as_bytes()).to_le_bytes());
        facts.extend(size(content.len()).to_le_bytes());
        facts.extend(size(content.len()).to_le_bytes());
        facts.extend(u16::try_from(path.len()).expect("a short path").to_le_bytes());
        facts.extend([0; 2]); // No extra field.

        bytes.extend(b"PK\x03\x04");
        bytes.extend(&facts);
        bytes.extend(path.as_bytes());
        bytes.extend(content.as_bytes());

        directory.extend(b"PK\x01\x02");
        directory.extend(10_u16.to_le_bytes()); // Made by MS-DOS, version 1.0.
        directory.extend(&facts);
        directory.extend([0; 10]); // No comment, the first disk, no attributes.
        directory.extend(offset.to_le_bytes());
        directory.extend(path.as_bytes());
    }
    let (count, start) = (u16::try_from(files.len()).expect("few files"), size(bytes.len()));
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06");
    bytes.extend([0; 4]); // This disk, of which there is one.
    bytes.extend(count.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.extend(size(directory.len()).to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0; 2]); // No comment.
    bytes
}

fn size(length: usize) -> u32 {
    u32::try_from(length).expect("a small archive")
}

#[cfg(test)]
mod tests {
    use super::archive;

    #[test]
    fn offsets_and_sizes_are_right() {
        let bytes = archive(&[("a/b.txt", "123456789"), ("c", "")]);
        let end = &bytes[bytes.len() - 22..];
        assert_eq!(&end[..12], b"PK\x05\x06\0\0\0\0\x02\0\x02\0");
        let number = |at: usize| u32::from_le_bytes(end[at..at + 4].try_into().expect("four bytes")) as usize;
        let (length, start) = (number(12), number(16));
        assert_eq!(start + length + 22, bytes.len());
        assert_eq!(&bytes[start..start + 4], b"PK\x01\x02");
        // The second file lies after the first one's header of 30 bytes, its name and its content.
        let second = start + 46 + 7;
        assert_eq!(bytes[second + 42..second + 46], 46_u32.to_le_bytes());
        assert_eq!(&bytes[46..50], b"PK\x03\x04");
        // The published check value.
        assert_eq!(bytes[14..18], 0xCBF4_3926_u32.to_le_bytes());
    }
}
