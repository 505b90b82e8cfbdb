//! Content codings (RFC 9110 §8.4.1) and which of them a client wants (§12.5.3). Pure; encoding itself is
//! [`encoder`](super::encoder)'s.

use super::headers::{Headers, trim};

/// A content coding that we know, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// `zstd` (RFC 8878).
    Zstd,
    /// `br` (RFC 7932).
    Br,
    /// `gzip` (RFC 1952).
    Gzip,
}

impl Coding {
    /// Every coding; a coding's number is its index here.
    pub const ALL: [Self; 3] = [Self::Zstd, Self::Br, Self::Gzip];

    /// The name as it stands in `Content-Encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Br => "br",
            Self::Gzip => "gzip",
        }
    }

    /// What is appended to the name of a file that holds another one in this coding.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Zstd => ".zst",
            Self::Br => ".br",
            Self::Gzip => ".gz",
        }
    }

    /// The coding of this name. `x-gzip` is `gzip` (RFC 9110 §8.4.1.3).
    pub fn from_name(name: &[u8]) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        Self::ALL.into_iter().find(|coding| is(coding.name())).or_else(|| is("x-gzip").then_some(Self::Gzip))
    }
}

/// Some codings, each at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Codings(u8);

impl Codings {
    /// None.
    pub const NONE: Self = Self(0);

    /// Adds one.
    pub fn insert(&mut self, coding: Coding) {
        self.0 |= 1 << coding as u8;
    }

    /// Takes one out.
    pub fn remove(&mut self, coding: Coding) {
        self.0 &= !(1 << coding as u8);
    }

    /// Whether this one is among them.
    pub fn contains(self, coding: Coding) -> bool {
        self.0 & 1 << coding as u8 != 0
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Coding> for Codings {
    fn from_iter<I: IntoIterator<Item = Coding>>(codings: I) -> Self {
        let mut all = Self::NONE;
        codings.into_iter().for_each(|coding| all.insert(coding));
        all
    }
}

/// What a client makes of the codings of a representation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// It wants this one.
    Coding(Coding),
    /// It wants none of them.
    Identity,
    /// It wants none of them, and has excluded content without a coding as well.
    Nothing,
}

/// Chooses among the codings `available` by the client's `Accept-Encoding`: the one of the highest weight; among equals
/// the first in `order`, and content without a coding last. A client that sends no `Accept-Encoding` gets none.
/// Elements that are malformed are ignored; of two about the same coding the first counts.
pub fn choose(headers: &Headers, available: Codings, order: &[Coding]) -> Choice {
    let mut weights = Weights::default();
    for element in headers.list("Accept-Encoding") {
        weights.add(element);
    }
    let mut best = (Choice::Nothing, 0);
    for coding in order.iter().copied().filter(|coding| available.contains(*coding)) {
        let weight = weights.codings[coding as usize].or(weights.any).unwrap_or(0);
        if weight > best.1 {
            best = (Choice::Coding(coding), weight);
        }
    }
    // Unless it is named, identity is acceptable but never preferred.
    match weights.identity.or(weights.any) {
        Some(weight) if weight > best.1 => Choice::Identity,
        Some(_) => best.0,
        None if best.1 == 0 => Choice::Identity,
        None => best.0,
    }
}

/// Weights in thousandths, as far as they are given.
#[derive(Debug, Default)]
struct Weights {
    codings: [Option<u16>; Coding::ALL.len()],
    identity: Option<u16>,
    /// `*`: all that are not named.
    any: Option<u16>,
}

impl Weights {
    fn add(&mut self, element: &[u8]) {
        let semicolon = memchr::memchr(b';', element);
        let name = trim(&element[..semicolon.unwrap_or(element.len())]);
        let weight = semicolon.map_or(Some(1000), |at| weight(trim(&element[at + 1..])));
        let Some(weight) = weight else { return };
        let place = match name {
            b"*" => &mut self.any,
            name if name.eq_ignore_ascii_case(b"identity") => &mut self.identity,
            name => match Coding::from_name(name) {
                Some(coding) => &mut self.codings[coding as usize],
                None => return,
            },
        };
        place.get_or_insert(weight);
    }
}

/// `q=` and a qvalue (RFC 9110 §12.4.2) in thousandths: 0 or 1 with at most three decimals.
fn weight(parameter: &[u8]) -> Option<u16> {
    let [b'q' | b'Q', b'=', value @ ..] = parameter else { return None };
    let (whole, decimals) = match value {
        [whole @ (b'0' | b'1')] => (whole, &b""[..]),
        [whole @ (b'0' | b'1'), b'.', decimals @ ..] if decimals.len() <= 3 => (whole, decimals),
        _ => return None,
    };
    let mut thousandths = u16::from(whole - b'0');
    for place in 0..3 {
        let digit = decimals.get(place).copied().unwrap_or(b'0');
        if !digit.is_ascii_digit() {
            return None;
        }
        thousandths = thousandths * 10 + u16::from(digit - b'0');
    }
    (thousandths <= 1000).then_some(thousandths)
}

#[cfg(test)]
mod tests {
    use super::Choice::{Identity, Nothing};
    use super::*;

    const ZSTD: Choice = Choice::Coding(Coding::Zstd);
    const BR: Choice = Choice::Coding(Coding::Br);
    const GZIP: Choice = Choice::Coding(Coding::Gzip);

    fn check(lines: &[&str], available: &[Coding], order: &[Coding]) -> Choice {
        let mut headers = Headers::new();
        for line in lines {
            headers.add("Accept-Encoding", line.as_bytes());
        }
        choose(&headers, available.iter().copied().collect(), order)
    }

    #[test]
    fn rule_59_accept_encoding() {
        for (line, wanted) in [
            ("gzip", GZIP),
            ("GZip", GZIP),
            ("x-gzip", GZIP),
            ("X-GZIP;q=0.1", GZIP),
            ("gzip, br", BR),
            ("gzip, deflate, br, zstd", ZSTD),
            ("gzip;q=1.0, br;q=0.9, zstd;q=0.8", GZIP),
            ("gzip;q=0.5,br;q=0.501,zstd;q=.9", BR),
            ("gzip ; q=0.5 , br ;\tq=0.4", GZIP),
            ("gzip;Q=0.5", GZIP),
            ("*", ZSTD),
            ("*, zstd;q=0", BR),
            ("zstd;q=0, br;q=0.000, *;q=0.1", GZIP),
            ("*;q=0", Nothing),
            ("*;q=0, identity", Identity),
            ("*;q=0, gzip", GZIP),
            ("identity;q=0", Nothing),
            ("identity;q=0, gzip", GZIP),
            ("identity;q=0, deflate", Nothing),
            ("identity;q=1, gzip;q=0.5", Identity),
            ("identity;q=0.5, gzip;q=0.5", GZIP),
            ("identity", Identity),
            ("*;q=0.8, gzip;q=0.5, br;q=0, zstd;q=0", Identity),
            ("gzip;q=0", Identity),
            ("gzip;q=0, gzip", Identity),
            ("deflate", Identity),
            ("", Identity),
            (",,", Identity),
            ("gzip;q=2", Identity),
            ("gzip;q=1.001", Identity),
            ("gzip;q=0.1234", Identity),
            ("gzip;q=-1", Identity),
            ("gzip;q=1.x", Identity),
            ("gzip;q=", Identity),
            ("gzip;", Identity),
            ("gzip;level=1", Identity),
            ("gzipx", Identity),
            ("g\u{ff}ip", Identity),
        ] {
            assert_eq!(check(&[line], &Coding::ALL, &Coding::ALL), wanted, "{line}");
        }
        assert_eq!(check(&[], &Coding::ALL, &Coding::ALL), Identity);
        assert_eq!(check(&["gzip;q=0.1", "br;q=0.2"], &Coding::ALL, &Coding::ALL), BR);
    }

    #[test]
    fn rule_59_ties_follow_the_order_and_what_there_is() {
        let all = "gzip, deflate, br, zstd";
        assert_eq!(check(&[all], &Coding::ALL, &[Coding::Gzip, Coding::Br, Coding::Zstd]), GZIP);
        assert_eq!(check(&[all], &Coding::ALL, &[Coding::Br]), BR);
        assert_eq!(check(&[all], &[Coding::Gzip], &Coding::ALL), GZIP);
        assert_eq!(check(&[all], &[], &Coding::ALL), Identity);
        assert_eq!(check(&["identity;q=0, zstd"], &[Coding::Gzip], &Coding::ALL), Nothing);
    }

    #[test]
    fn codings_are_a_set() {
        let mut codings = Codings::NONE;
        assert!(codings.is_empty());
        codings.insert(Coding::Gzip);
        codings.insert(Coding::Zstd);
        codings.remove(Coding::Zstd);
        assert!(codings.contains(Coding::Gzip) && !codings.contains(Coding::Zstd) && !codings.contains(Coding::Br));
    }
}
