//! Which part of a representation is wanted (RFC 9110 §14). Only a single range of bytes is honoured: a request for
//! several is answered with the whole, as §14.2 allows. Pure.

use crate::http::headers::{Headers, trim};

/// The part that a Range field selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// All of it: there is no Range field, or none that means anything to us.
    Whole,
    /// 206: these bytes.
    Part {
        /// The first one, counted from 0.
        first: u64,
        /// How many; at least 1.
        len: u64,
    },
    /// 416: none of the wanted bytes exists.
    Unsatisfiable,
}

/// Evaluates the Range field for a representation of `len` bytes. Of an empty one the whole is always sent: every range
/// of it would be unsatisfiable, and a client that asks for its first bytes is not mistaken.
pub fn select(headers: &Headers, len: u64) -> Selection {
    let mut lines = headers.get_all("Range");
    let (Some(value), None) = (lines.next(), lines.next()) else { return Selection::Whole };
    match single_range(value) {
        Some(range) if len > 0 => range.select(len),
        _ => Selection::Whole,
    }
}

/// `range-spec`, for bytes.
#[derive(Debug, Clone, Copy)]
enum ByteRange {
    /// From the first position to the last, both included, or to the end.
    From(u64, Option<u64>),
    /// So many last bytes.
    Suffix(u64),
}

impl ByteRange {
    fn select(self, len: u64) -> Selection {
        match self {
            Self::From(first, _) if first >= len => Selection::Unsatisfiable,
            Self::From(first, last) => {
                let last = last.unwrap_or(u64::MAX).min(len - 1);
                Selection::Part { first, len: last - first + 1 }
            }
            Self::Suffix(0) => Selection::Unsatisfiable,
            Self::Suffix(wanted) => {
                let wanted = wanted.min(len);
                Selection::Part { first: len - wanted, len: wanted }
            }
        }
    }
}

/// The range, if the field is well formed and names exactly one.
fn single_range(value: &[u8]) -> Option<ByteRange> {
    let (unit, set) = value.split_at_checked(6)?;
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return None;
    }
    let mut specs = set.split(|byte| *byte == b',').map(trim).filter(|spec| !spec.is_empty());
    let (Some(spec), None) = (specs.next(), specs.next()) else { return None };
    let dash = memchr::memchr(b'-', spec)?;
    match (&spec[..dash], &spec[dash + 1..]) {
        (b"", suffix) => Some(ByteRange::Suffix(position(suffix)?)),
        (first, b"") => Some(ByteRange::From(position(first)?, None)),
        (first, last) => {
            let (first, last) = (position(first)?, position(last)?);
            (first <= last).then_some(ByteRange::From(first, Some(last)))
        }
    }
}

/// 1*DIGIT. What no file can reach is as good as the largest number.
fn position(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, digit| {
        digit.is_ascii_digit().then(|| value.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
    })
}

#[cfg(test)]
mod tests {
    use super::Selection::{Part, Unsatisfiable, Whole};
    use super::*;
    use crate::site::fuzz::request;

    fn check(lines: &[&str], len: u64) -> Selection {
        let fields: Vec<_> = lines.iter().map(|line| ("Range", *line)).collect();
        select(&request("GET", "/", &fields).headers, len)
    }

    #[test]
    fn rule_55_ranges() {
        for (value, wanted) in [
            ("bytes=0-0", Part { first: 0, len: 1 }),
            ("bytes=2-4", Part { first: 2, len: 3 }),
            ("bytes=2-", Part { first: 2, len: 8 }),
            ("bytes=2-99", Part { first: 2, len: 8 }),
            ("bytes=9-9", Part { first: 9, len: 1 }),
            ("bytes=0-99999999999999999999999", Part { first: 0, len: 10 }),
            ("bytes=-3", Part { first: 7, len: 3 }),
            ("bytes=-10", Part { first: 0, len: 10 }),
            ("bytes=-99", Part { first: 0, len: 10 }),
            ("Bytes=1-2", Part { first: 1, len: 2 }),
            ("bytes= 1-2 ,", Part { first: 1, len: 2 }),
            ("bytes=0001-2", Part { first: 1, len: 2 }),
            ("bytes=10-", Unsatisfiable),
            ("bytes=10-20", Unsatisfiable),
            ("bytes=99999999999999999999999-", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
            ("bytes=5-1", Whole),
            ("bytes=abc", Whole),
            ("bytes=-", Whole),
            ("bytes=", Whole),
            ("bytes", Whole),
            ("", Whole),
            ("bytes=1", Whole),
            ("bytes=+1-2", Whole),
            ("bytes=1 - 2", Whole),
            ("bytes=1-2-3", Whole),
            ("bytes=--1", Whole),
            ("bytes =1-2", Whole),
            ("lines=1-2", Whole),
            ("bytes=0x1-2", Whole),
            ("bytes=0-1,3-4", Whole),
        ] {
            assert_eq!(check(&[value], 10), wanted, "{value}");
        }
        assert_eq!(check(&["bytes=0-1", "bytes=0-1"], 10), Whole);
        assert_eq!(check(&[], 10), Whole);
    }

    #[test]
    fn an_empty_file_has_no_ranges() {
        for value in ["bytes=0-0", "bytes=-1", "bytes=-0", "bytes=5-"] {
            assert_eq!(check(&[value], 0), Whole, "{value}");
        }
    }

    #[test]
    fn a_part_lies_within_the_whole() {
        for len in 1..6_u64 {
            for first in 0..8 {
                for last in 0..8 {
                    if let Part { first, len: part } = check(&[&format!("bytes={first}-{last}")], len) {
                        assert!(part > 0 && first + part <= len);
                    }
                }
            }
        }
    }
}
