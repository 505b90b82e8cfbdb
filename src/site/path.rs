//! From the path of a request target to a path below the document root.
//!
//! Percent-escapes are decoded once, then segments are resolved (RFC 3986 §5.2.4) as they will be looked up, so what
//! is checked is what is opened. Paths are bytes: no Unicode is normalised, no case is folded. A path that would climb
//! above the root, a control byte and a broken escape are refused (400); clients that resolve dot segments themselves,
//! as all browsers do, never send the first.

use std::borrow::Cow;

/// A decoded, resolved path: it begins with a slash, has no segment `.` or `..`, no empty segment and no control byte.
///
/// A segment that contains an escaped slash, or a backslash, names no file on any account: `%2F` is not a separator,
/// and one who wrote it as a separator shall gain nothing. Such segments keep their place, since a script may want
/// them as `PATH_INFO`, but [`lookup`](Self::lookup) ends before the first of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedPath<'a> {
    /// The segments, each behind a slash; a slash at the end if the target has one there. The path as it came, if there
    /// is nothing to decode or to resolve in it.
    bytes: Cow<'a, [u8]>,
    /// Where the segments end that may name a file or directory; at most `bytes.len()`.
    lookup_end: usize,
}

/// Why a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadPath {
    /// It does not begin with a slash.
    NotAbsolute,
    /// A `%` without two hexadecimal digits.
    BadEscape,
    /// A control byte, plain or escaped: NUL, CR and LF above all.
    Control,
    /// More `..` than segments before it, or a `..` next to an escaped slash or a backslash.
    AboveRoot,
}

impl<'a> MappedPath<'a> {
    /// Maps the path of a target, without its query.
    pub fn parse(path: &'a [u8]) -> Result<Self, BadPath> {
        match is_mapped(path) {
            true => Ok(Self { bytes: Cow::Borrowed(path), lookup_end: path.len() }),
            false => Self::map(path),
        }
    }

    /// The same, whatever there is to be done.
    pub(super) fn map(path: &[u8]) -> Result<Self, BadPath> {
        let Some(segments) = path.strip_prefix(b"/") else { return Err(BadPath::NotAbsolute) };
        let mut bytes = Vec::with_capacity(path.len() + 1);
        let mut ends_in_slash = false;
        for segment in segments.split(|byte| *byte == b'/') {
            let start = bytes.len();
            bytes.push(b'/');
            decode(segment, &mut bytes)?;
            let decoded = &bytes[start + 1..];
            ends_in_slash = matches!(decoded, b"" | b"." | b"..");
            if decoded == b".." {
                bytes.truncate(start);
                let parent = memchr::memrchr(b'/', &bytes).ok_or(BadPath::AboveRoot)?;
                bytes.truncate(parent);
            } else if ends_in_slash {
                bytes.truncate(start);
            } else if decoded.split(|byte| is_false_separator(*byte)).any(|piece| piece == b"..") {
                return Err(BadPath::AboveRoot);
            }
        }
        if ends_in_slash {
            bytes.push(b'/');
        }
        Ok(Self::resolved(bytes))
    }

    fn resolved(mut bytes: Vec<u8>) -> Self {
        let mut lookup_end = bytes.len();
        if let Some(at) = bytes.iter().position(|byte| is_false_separator(*byte)) {
            lookup_end = memchr::memrchr(b'/', &bytes[..at]).expect("a segment begins with a slash");
            for byte in &mut bytes[at..] {
                if *byte == ESCAPED_SLASH {
                    *byte = b'/';
                }
            }
        }
        Self { bytes: Cow::Owned(bytes), lookup_end }
    }

    /// The whole path, decoded. A slash may stand for an escaped one behind [`lookup`](Self::lookup).
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The part that may name files and directories; empty when its first segment may not.
    pub fn lookup(&self) -> &[u8] {
        &self.bytes[..self.lookup_end]
    }

    /// Whether the whole path may name a file or directory.
    pub fn is_lookup(&self) -> bool {
        self.lookup_end == self.bytes.len()
    }

    /// Whether the path ends in a slash, as a directory's does.
    pub fn ends_in_slash(&self) -> bool {
        self.bytes.ends_with(b"/")
    }

    /// Whether a segment begins with a dot, as of `.git` and `.env`. `/.well-known/` (RFC 8615) is not hidden.
    pub fn is_hidden(&self) -> bool {
        let is_well_known = self.bytes.starts_with(b"/.well-known/") || *self.bytes == *b"/.well-known";
        self.bytes[usize::from(is_well_known)..].windows(2).any(|pair| pair == b"/.")
    }
}

/// Whether a path is its own mapping, as most are. Says no where that takes a closer look.
fn is_mapped(path: &[u8]) -> bool {
    let mut before = 0;
    path.first() == Some(&b'/')
        && path.iter().all(|byte| {
            let begins_segment = std::mem::replace(&mut before, *byte) == b'/';
            match byte {
                b'/' | b'.' => !begins_segment,
                b'%' | b'\\' => false,
                _ => !byte.is_ascii_control(),
            }
        })
}

/// Stands for an escaped slash until dot segments are resolved; being a control byte, it occurs for no other reason.
const ESCAPED_SLASH: u8 = 0x01;

fn is_false_separator(byte: u8) -> bool {
    matches!(byte, ESCAPED_SLASH | b'\\')
}

/// Appends a segment, decoded.
fn decode(segment: &[u8], out: &mut Vec<u8>) -> Result<(), BadPath> {
    let mut rest = segment;
    while let [byte, after @ ..] = rest {
        let mut byte = *byte;
        rest = after;
        if byte == b'%' {
            let [high, low, after @ ..] = rest else { return Err(BadPath::BadEscape) };
            byte = hex_value(*high)? << 4 | hex_value(*low)?;
            rest = after;
        }
        if byte.is_ascii_control() {
            return Err(BadPath::Control);
        }
        out.push(if byte == b'/' { ESCAPED_SLASH } else { byte });
    }
    Ok(())
}

fn hex_value(digit: u8) -> Result<u8, BadPath> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(BadPath::BadEscape),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a path is mapped to, with or without a look whether it is its own mapping.
    fn mapped(path: &str) -> Result<String, BadPath> {
        let parsed = MappedPath::parse(path.as_bytes());
        assert_eq!(parsed, MappedPath::map(path.as_bytes()), "{path}");
        parsed.map(|mapped| mapped.as_bytes().escape_ascii().to_string())
    }

    #[test]
    fn paths_are_decoded_once_and_resolved() {
        for (path, wanted) in [
            ("/", "/"),
            ("/a/b.css", "/a/b.css"),
            ("/a/", "/a/"),
            ("//a///b//", "/a/b/"),
            ("/./a/./b/.", "/a/b/"),
            ("/a/b/../c", "/a/c"),
            ("/a/b/..", "/a/"),
            ("/a/..", "/"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/%2e/b", "/a/b"),
            ("/a%20b%25", "/a b%"),
            ("/a/%252e%252e/b", "/a/%2e%2e/b"),
            ("/%C3%A9", r"/\xc3\xa9"),
            ("/%C0%AF..", r"/\xc0\xaf.."),
            ("/...", "/..."),
            ("/..;/x", "/..;/x"),
            ("/a?b%3Fc", "/a?b?c"),
            ("/a//../b", "/b"),
            ("/a%2Fb", "/a/b"),
        ] {
            assert_eq!(mapped(path).as_deref(), Ok(wanted), "{path}");
        }
    }

    #[test]
    fn what_may_not_be_looked_up_is_refused() {
        for (path, wanted) in [
            ("", BadPath::NotAbsolute),
            ("*", BadPath::NotAbsolute),
            ("http://a/", BadPath::NotAbsolute),
            ("/..", BadPath::AboveRoot),
            ("/../x", BadPath::AboveRoot),
            ("/a/../../x", BadPath::AboveRoot),
            ("/%2e%2e/x", BadPath::AboveRoot),
            ("/.%2E/x", BadPath::AboveRoot),
            ("//../x", BadPath::AboveRoot),
            ("/a/..%2fx", BadPath::AboveRoot),
            ("/%2e%2e%2f", BadPath::AboveRoot),
            ("/a/b%2f..", BadPath::AboveRoot),
            (r"/a/..\..\x", BadPath::AboveRoot),
            ("/a/..%5cx", BadPath::AboveRoot),
            ("/%", BadPath::BadEscape),
            ("/%2", BadPath::BadEscape),
            ("/%zz", BadPath::BadEscape),
            ("/%2/", BadPath::BadEscape),
            ("/%+1", BadPath::BadEscape),
            ("/a%00.php", BadPath::Control),
            ("/a%0a", BadPath::Control),
            ("/a%0D", BadPath::Control),
            ("/%01", BadPath::Control),
            ("/%7f", BadPath::Control),
        ] {
            assert_eq!(mapped(path), Err(wanted), "{path}");
        }
    }

    #[test]
    fn a_false_separator_ends_what_is_looked_up() {
        for (path, lookup) in [
            ("/a/b", "/a/b"),
            ("/a%2Fb", ""),
            ("/index.php/a%2fb/c", "/index.php"),
            (r"/a/b\c", "/a"),
            ("/a/b%5Cc/d/", "/a"),
            ("/a%2fb/../c", "/c"),
            ("/x/a%2fb/..", "/x/"),
        ] {
            let mapped = MappedPath::parse(path.as_bytes()).unwrap();
            assert_eq!(mapped.lookup(), lookup.as_bytes(), "{path}");
            assert_eq!(mapped.is_lookup(), mapped.lookup() == mapped.as_bytes(), "{path}");
        }
    }

    #[test]
    fn dot_files_are_hidden_but_well_known_is_not() {
        for (path, hidden) in [
            ("/.git/config", true),
            ("/a/.env", true),
            ("/%2egit", true),
            ("/a/..;/b", true),
            ("/a.b/c.", false),
            ("/.well-known/acme-challenge/x", false),
            ("/.well-known", false),
            ("/.well-known/.git", true),
            ("/a/.well-known/x", true),
            ("/.well-known.php", true),
            ("/.well-knownx/y", true),
        ] {
            assert_eq!(MappedPath::parse(path.as_bytes()).unwrap().is_hidden(), hidden, "{path}");
        }
    }
}
