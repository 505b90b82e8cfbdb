//! Which parts of a representation are wanted (RFC 9110 §14). Pure.
//!
//! A server may ignore a Range field that is a burden to it (§14.2), and a field is easily made one: so many ranges that
//! their frames outweigh them, or the same megabytes a hundred times (CVE-2011-3192). Hence a field of more ranges than
//! a bound is ignored, and ranges that overlap or touch are sent as one: no byte is ever sent twice.

use crate::http::headers::{Headers, trim};

/// The bound on the ranges of one field unless another is configured.
pub const PARTS_MAX: usize = 16;

/// Bytes of a representation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The first one, counted from 0.
    pub first: u64,
    /// How many; at least 1.
    pub len: u64,
}

/// The parts that a Range field selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All of it: there is no Range field, or none that means anything to us.
    Whole,
    /// 206: these bytes.
    Part(Part),
    /// 206 in several parts, at least two: no two of them overlap or touch. In the order of the field.
    Parts(Vec<Part>),
    /// 416: none of the wanted bytes exists.
    Unsatisfiable,
}

/// Evaluates the Range field for a representation of `len` bytes; a field of more than `parts_max` ranges is ignored.
/// Of an empty representation the whole is always sent: every range of it would be unsatisfiable, and a client that
/// asks for its first bytes is not mistaken.
pub fn select(headers: &Headers, len: u64, parts_max: usize) -> Selection {
    let mut lines = headers.get_all("Range");
    let (Some(value), None) = (lines.next(), lines.next()) else { return Selection::Whole };
    let Some(set) = range_set(value).filter(|_| len > 0) else { return Selection::Whole };
    let mut specs = set.split(|byte| *byte == b',').map(trim).filter(|spec| !spec.is_empty());
    let Some(first) = specs.next() else { return Selection::Whole };
    let Some(range) = ByteRange::parse(first) else { return Selection::Whole };
    let first = range.select(len);
    let Some(second) = specs.next() else { return first.map_or(Selection::Unsatisfiable, Selection::Part) };

    let mut parts: Vec<Part> = first.into_iter().collect();
    for (number, spec) in std::iter::once(second).chain(specs).enumerate() {
        match ByteRange::parse(spec) {
            Some(range) if number + 2 <= parts_max => {
                range.select(len).into_iter().for_each(|part| add(&mut parts, part))
            }
            _ => return Selection::Whole,
        }
    }
    match parts.as_slice() {
        [] => Selection::Unsatisfiable,
        [part] => Selection::Part(*part),
        _ => Selection::Parts(parts),
    }
}

/// Whether a request asks for parts, as far as one can tell without a representation.
pub fn is_asked_for(headers: &Headers) -> bool {
    headers.get("Range").is_some_and(|value| range_set(value).is_some())
}

/// Adds a part, united with those that it overlaps or touches. What is united stands where its first piece stood.
fn add(parts: &mut Vec<Part>, part: Part) {
    let Some(at) = parts.iter().position(|other| other.joins(part)) else { return parts.push(part) };
    // The union may reach others, which did not reach each other before.
    let mut united = parts[at].union(part);
    let mut index = at + 1;
    while index < parts.len() {
        if parts[index].joins(united) {
            united = united.union(parts.remove(index));
            index = at + 1;
        } else {
            index += 1;
        }
    }
    parts[at] = united;
}

impl Part {
    /// The first position behind it.
    fn end(self) -> u64 {
        self.first + self.len
    }

    /// Whether no byte lies between the two.
    fn joins(self, other: Self) -> bool {
        self.first <= other.end() && other.first <= self.end()
    }

    fn union(self, other: Self) -> Self {
        let first = self.first.min(other.first);
        Self { first, len: self.end().max(other.end()) - first }
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
    fn parse(spec: &[u8]) -> Option<Self> {
        let dash = memchr::memchr(b'-', spec)?;
        match (&spec[..dash], &spec[dash + 1..]) {
            (b"", suffix) => Some(Self::Suffix(position(suffix)?)),
            (first, b"") => Some(Self::From(position(first)?, None)),
            (first, last) => {
                let (first, last) = (position(first)?, position(last)?);
                (first <= last).then_some(Self::From(first, Some(last)))
            }
        }
    }

    /// The bytes of a representation of `len` bytes, at least 1, that it names; `None` if there are none.
    fn select(self, len: u64) -> Option<Part> {
        match self {
            Self::From(first, _) if first >= len => None,
            Self::From(first, last) => {
                let last = last.unwrap_or(u64::MAX).min(len - 1);
                Some(Part { first, len: last - first + 1 })
            }
            Self::Suffix(0) => None,
            Self::Suffix(wanted) => {
                let wanted = wanted.min(len);
                Some(Part { first: len - wanted, len: wanted })
            }
        }
    }
}

/// What follows `bytes=`.
fn range_set(value: &[u8]) -> Option<&[u8]> {
    let (unit, set) = value.split_at_checked(6)?;
    unit.eq_ignore_ascii_case(b"bytes=").then_some(set)
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
    use super::Selection::{Unsatisfiable, Whole};
    use super::*;
    use crate::site::fuzz::request;

    fn check(lines: &[&str], len: u64) -> Selection {
        let fields: Vec<_> = lines.iter().map(|line| ("Range", *line)).collect();
        select(&request("GET", "/", &fields).headers, len, PARTS_MAX)
    }

    fn part(first: u64, len: u64) -> Selection {
        Selection::Part(Part { first, len })
    }

    fn parts(parts: &[(u64, u64)]) -> Selection {
        Selection::Parts(parts.iter().map(|(first, len)| Part { first: *first, len: *len }).collect())
    }

    #[test]
    fn rule_55_ranges() {
        for (value, wanted) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=2-4", part(2, 3)),
            ("bytes=2-", part(2, 8)),
            ("bytes=2-99", part(2, 8)),
            ("bytes=9-9", part(9, 1)),
            ("bytes=0-99999999999999999999999", part(0, 10)),
            ("bytes=-3", part(7, 3)),
            ("bytes=-10", part(0, 10)),
            ("bytes=-99", part(0, 10)),
            ("Bytes=1-2", part(1, 2)),
            ("bytes= 1-2 ,", part(1, 2)),
            ("bytes=0001-2", part(1, 2)),
            ("bytes=10-", Unsatisfiable),
            ("bytes=10-20", Unsatisfiable),
            ("bytes=99999999999999999999999-", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
            ("bytes=5-1", Whole),
            ("bytes=abc", Whole),
            ("bytes=-", Whole),
            ("bytes=", Whole),
            ("bytes=,", Whole),
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
        ] {
            assert_eq!(check(&[value], 10), wanted, "{value}");
        }
        assert_eq!(check(&["bytes=0-1", "bytes=0-1"], 10), Whole);
        assert_eq!(check(&[], 10), Whole);
    }

    #[test]
    fn rule_56_several_ranges() {
        for (value, wanted) in [
            ("bytes=0-1,3-4", parts(&[(0, 2), (3, 2)])),
            ("bytes=0-1 ,\t3-4,", parts(&[(0, 2), (3, 2)])),
            ("bytes=8-,0-1", parts(&[(8, 2), (0, 2)])),
            ("bytes=-1,0-0,4-5", parts(&[(9, 1), (0, 1), (4, 2)])),
            // What does not exist is left out.
            ("bytes=0-1,20-30", part(0, 2)),
            ("bytes=20-30,0-1,-0,5-5", parts(&[(0, 2), (5, 1)])),
            ("bytes=20-30,40-", Unsatisfiable),
            ("bytes=-0,10-", Unsatisfiable),
            // One that is garbled spoils them all.
            ("bytes=0-1,x", Whole),
            ("bytes=x,0-1", Whole),
            ("bytes=0-1,5-4", Whole),
            ("bytes=20-,0-1,--1", Whole),
            // What overlaps or touches is one.
            ("bytes=0-1,2-3", part(0, 4)),
            ("bytes=2-3,0-1", part(0, 4)),
            ("bytes=0-5,3-8", part(0, 9)),
            ("bytes=0-,0-,0-,0-,0-", part(0, 10)),
            ("bytes=0-9,3-4", part(0, 10)),
            ("bytes=0-1,4-5,8-9,2-3", parts(&[(0, 6), (8, 2)])),
            ("bytes=0-1,4-5,8-9,1-8", part(0, 10)),
            ("bytes=8-9,0-0,4-5,1-6", parts(&[(8, 2), (0, 7)])),
            ("bytes=0-0,0-0,9-9,9-9", parts(&[(0, 1), (9, 1)])),
        ] {
            assert_eq!(check(&[value], 10), wanted, "{value}");
        }
    }

    #[test]
    fn rule_56_many_ranges_are_ignored() {
        let ranges = |count: u64| {
            let specs: Vec<_> = (0..count).map(|index| format!("{}-{}", index * 2, index * 2)).collect();
            check(&[&format!("bytes={}", specs.join(","))], 1000)
        };
        assert!(matches!(ranges(PARTS_MAX as u64), Selection::Parts(parts) if parts.len() == PARTS_MAX));
        assert_eq!(ranges(PARTS_MAX as u64 + 1), Whole);
        assert_eq!(check(&[&format!("bytes=0-{}", ",0-".repeat(5000))], 1000), Whole);
        let request = request("GET", "/", &[("Range", "bytes=0-0,2-2")]);
        assert_eq!(select(&request.headers, 10, 1), Whole);
        assert_eq!(select(&request.headers, 10, 2), parts(&[(0, 1), (2, 1)]));
    }

    #[test]
    fn rule_55_an_empty_file_has_no_ranges() {
        for value in ["bytes=0-0", "bytes=-1", "bytes=-0", "bytes=5-", "bytes=0-1,5-6"] {
            assert_eq!(check(&[value], 0), Whole, "{value}");
        }
    }

    #[test]
    fn a_part_lies_within_the_whole() {
        for len in 1..6_u64 {
            for first in 0..8 {
                for last in 0..8 {
                    if let Selection::Part(part) = check(&[&format!("bytes={first}-{last}")], len) {
                        assert!(part.len > 0 && part.end() <= len);
                    }
                }
            }
        }
    }
}
