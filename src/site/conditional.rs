//! Conditional requests (RFC 9110 §13), evaluated in the order of §13.2.2 for a representation that a plain request
//! would be answered with. Garbled entity tags match nothing, garbled dates count as absent. Pure.

use crate::http::date;
use crate::http::headers::{Headers, trim};
use crate::http::message::Request;

/// What a request's preconditions come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Answer as if there were none.
    Proceed,
    /// 304: the client has this representation.
    NotModified,
    /// 412: the client expected another one.
    PreconditionFailed,
}

/// What tells one state of a representation from another.
#[derive(Debug, Clone, Copy)]
pub struct Validators<'a> {
    /// The entity tag: quotes included, and `W/` if it is weak.
    pub etag: &'a [u8],
    /// When it was last modified, in seconds since 1970.
    pub modified_seconds: i64,
}

/// Evaluates If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since.
pub fn evaluate(request: &Request, validators: Validators<'_>, now_seconds: i64) -> Outcome {
    let headers = &request.headers;
    let conditions = Conditions::of(headers);
    if conditions.if_match {
        if !any_matches(headers, "If-Match", validators.etag, Comparison::Strong) {
            return Outcome::PreconditionFailed;
        }
    } else if conditions.if_unmodified_since
        && single_date(headers, "If-Unmodified-Since", now_seconds)
            .is_some_and(|since| validators.modified_seconds > since)
    {
        return Outcome::PreconditionFailed;
    }
    let retrieves = request.method.is_get_or_head();
    if conditions.if_none_match {
        return match any_matches(headers, "If-None-Match", validators.etag, Comparison::Weak) {
            true if retrieves => Outcome::NotModified,
            true => Outcome::PreconditionFailed,
            false => Outcome::Proceed,
        };
    }
    if !conditions.if_modified_since {
        return Outcome::Proceed;
    }
    // A date that has not come yet is invalid (RFC 9110 §13.1.3): it cannot be what we once sent.
    let since = single_date(headers, "If-Modified-Since", now_seconds).filter(|since| *since <= now_seconds);
    match since {
        Some(since) if retrieves && validators.modified_seconds <= since => Outcome::NotModified,
        _ => Outcome::Proceed,
    }
}

/// Which preconditions there are.
#[derive(Debug, Default)]
struct Conditions {
    if_match: bool,
    if_none_match: bool,
    if_modified_since: bool,
    if_unmodified_since: bool,
}

impl Conditions {
    fn of(headers: &Headers) -> Self {
        let mut found = Self::default();
        for (name, _) in headers.iter() {
            match name.len() {
                8 => found.if_match |= name.eq_ignore_ascii_case(b"If-Match"),
                13 => found.if_none_match |= name.eq_ignore_ascii_case(b"If-None-Match"),
                17 => found.if_modified_since |= name.eq_ignore_ascii_case(b"If-Modified-Since"),
                19 => found.if_unmodified_since |= name.eq_ignore_ascii_case(b"If-Unmodified-Since"),
                _ => {}
            }
        }
        found
    }
}

/// Whether If-Range (RFC 9110 §13.1.5) lets the Range field apply; true without an If-Range.
pub fn range_applies(headers: &Headers, validators: Validators<'_>, now_seconds: i64) -> bool {
    let mut lines = headers.get_all("If-Range");
    match (lines.next(), lines.next()) {
        (None, _) => true,
        // Equal, and strong both of them.
        (Some(tag), None) if tag.starts_with(b"\"") => tag == validators.etag,
        // A date is a strong validator once the second that it names is over (RFC 9110 §8.8.2.2).
        (Some(value), None) => {
            date::parse(value, now_seconds) == Some(validators.modified_seconds)
                && validators.modified_seconds < now_seconds
        }
        (Some(_), Some(_)) => false,
    }
}

/// RFC 9110 §8.8.3.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    /// A weak tag matches nothing.
    Strong,
    /// `W/` is no difference.
    Weak,
}

/// Whether an entity tag of the field, or `*`, matches ours.
fn any_matches(headers: &Headers, name: &str, etag: &[u8], comparison: Comparison) -> bool {
    let (is_weak, opaque) = etag.strip_prefix(b"W/").map_or((false, etag), |opaque| (true, opaque));
    headers.get_all(name).any(|value| {
        value == b"*"
            || EntityTags { rest: value }
                .any(|tag| tag.opaque == opaque && (comparison == Comparison::Weak || !(tag.is_weak || is_weak)))
    })
}

/// The value of a date field that occurs once, if it is a date.
fn single_date(headers: &Headers, name: &str, now_seconds: i64) -> Option<i64> {
    let mut lines = headers.get_all(name);
    let value = lines.next()?;
    lines.next().is_none().then(|| date::parse(value, now_seconds)).flatten()
}

#[derive(Debug)]
struct EntityTag<'a> {
    is_weak: bool,
    /// With its quotes.
    opaque: &'a [u8],
}

/// The well-formed elements of a list of entity tags. A comma may stand within a tag, so this is no plain split.
#[derive(Debug)]
struct EntityTags<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for EntityTags<'a> {
    type Item = EntityTag<'a>;

    fn next(&mut self) -> Option<EntityTag<'a>> {
        while !self.rest.is_empty() {
            let element = trim(self.rest);
            let (is_weak, quoted) = element.strip_prefix(b"W/").map_or((false, element), |quoted| (true, quoted));
            let close = quoted.strip_prefix(b"\"").and_then(|inner| memchr::memchr(b'"', inner));
            let (opaque, after) = quoted.split_at(close.map_or(0, |at| at + 2));
            let comma = memchr::memchr(b',', after);
            self.rest = comma.map_or(&[], |at| &after[at + 1..]);
            let ends_cleanly = trim(&after[..comma.unwrap_or(after.len())]).is_empty();
            if !opaque.is_empty() && ends_cleanly {
                return Some(EntityTag { is_weak, opaque });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome::{NotModified, PreconditionFailed, Proceed};
    use super::*;
    use crate::site::fuzz::request;

    const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
    const FUTURE: &str = "Fri, 06 Nov 2099 08:49:38 GMT";
    const MODIFIED_SECONDS: i64 = 784_111_777;
    const NOW: i64 = 1_795_000_000;

    fn check(method: &str, fields: &[(&str, &str)]) -> Outcome {
        check_tag(b"\"a,b\"", method, fields)
    }

    fn check_tag(etag: &[u8], method: &str, fields: &[(&str, &str)]) -> Outcome {
        let validators = Validators { etag, modified_seconds: MODIFIED_SECONDS };
        evaluate(&request(method, "/", fields), validators, NOW)
    }

    #[test]
    fn rules_50_and_51_a_weak_tag_of_ours_matches_weakly() {
        for (fields, wanted) in [
            (&[("If-None-Match", "W/\"x\"")][..], NotModified),
            (&[("If-None-Match", "\"x\"")], NotModified),
            (&[("If-None-Match", "\"y\"")], Proceed),
            (&[("If-Match", "W/\"x\"")], PreconditionFailed),
            (&[("If-Match", "\"x\"")], PreconditionFailed),
            (&[("If-Match", "*")], Proceed),
        ] {
            assert_eq!(check_tag(b"W/\"x\"", "GET", fields), wanted, "{fields:?}");
        }
    }

    #[test]
    fn rule_50_if_match_then_if_unmodified_since() {
        for (fields, wanted) in [
            (&[("If-Match", "\"a,b\"")][..], Proceed),
            (&[("if-match", "\"x\", \"a,b\" ,")], Proceed),
            (&[("If-Match", "\"x\""), ("If-Match", "\"a,b\"")], Proceed),
            (&[("If-Match", "*")], Proceed),
            (&[("If-Match", "\"x\"")], PreconditionFailed),
            (&[("If-Match", "W/\"a,b\"")], PreconditionFailed),
            (&[("If-Match", "a,b")], PreconditionFailed),
            (&[("If-Match", "")], PreconditionFailed),
            (&[("If-Match", "\"a,b\"x")], PreconditionFailed),
            (&[("If-Unmodified-Since", MODIFIED)], Proceed),
            (&[("If-Unmodified-Since", LATER)], Proceed),
            (&[("If-Unmodified-Since", EARLIER)], PreconditionFailed),
            (&[("If-Unmodified-Since", "yesterday")], Proceed),
            (&[("If-Unmodified-Since", EARLIER), ("If-Unmodified-Since", EARLIER)], Proceed),
            (&[("If-Match", "\"a,b\""), ("If-Unmodified-Since", EARLIER)], Proceed),
            (&[("If-Match", "\"x\""), ("If-Unmodified-Since", MODIFIED)], PreconditionFailed),
        ] {
            assert_eq!(check("GET", fields), wanted, "{fields:?}");
        }
    }

    #[test]
    fn rules_51_and_52_if_none_match_then_if_modified_since() {
        for (fields, wanted) in [
            (&[("If-None-Match", "\"a,b\"")][..], NotModified),
            (&[("If-None-Match", "W/\"a,b\"")], NotModified),
            (&[("If-None-Match", "\"x\",garbage, \t\"a,b\"")], NotModified),
            (&[("If-None-Match", "*")], NotModified),
            (&[("If-None-Match", "\"a\"")], Proceed),
            (&[("If-None-Match", "a,b")], Proceed),
            (&[("If-None-Match", "\"a,b")], Proceed),
            (&[("If-None-Match", "w/\"a,b\"")], Proceed),
            (&[("If-None-Match", "W/ \"a,b\"")], Proceed),
            (&[("If-None-Match", "'a,b'")], Proceed),
            (&[("If-None-Match", "\"x\""), ("If-Modified-Since", MODIFIED)], Proceed),
            (&[("If-None-Match", "\"a,b\""), ("If-Modified-Since", EARLIER)], NotModified),
            (&[("If-Modified-Since", MODIFIED)], NotModified),
            (&[("If-Modified-Since", "Sunday, 06-Nov-94 08:49:37 GMT")], NotModified),
            (&[("If-Modified-Since", "Sun Nov  6 08:49:37 1994")], NotModified),
            (&[("If-Modified-Since", LATER)], NotModified),
            (&[("If-Modified-Since", EARLIER)], Proceed),
            (&[("If-Modified-Since", FUTURE)], Proceed),
            (&[("If-Modified-Since", "784111777")], Proceed),
            (&[("If-Modified-Since", "")], Proceed),
            (&[("If-Modified-Since", MODIFIED), ("If-Modified-Since", MODIFIED)], Proceed),
            (&[("If-Match", "*"), ("If-None-Match", "\"a,b\"")], NotModified),
            (&[("If-Unmodified-Since", EARLIER), ("If-None-Match", "\"a,b\"")], PreconditionFailed),
            (&[], Proceed),
        ] {
            assert_eq!(check("GET", fields), wanted, "{fields:?}");
            assert_eq!(check("HEAD", fields), wanted, "{fields:?}");
        }
        assert_eq!(check("PUT", &[("If-None-Match", "*")]), PreconditionFailed);
        assert_eq!(check("PUT", &[("If-Modified-Since", MODIFIED)]), Proceed);
    }

    #[test]
    fn rule_57_if_range_is_strong() {
        let applies = |value: &str, now| {
            let validators = Validators { etag: b"\"e\"", modified_seconds: MODIFIED_SECONDS };
            range_applies(&request("GET", "/", &[("If-Range", value)]).headers, validators, now)
        };
        assert!(applies("\"e\"", NOW) && applies(MODIFIED, NOW) && applies(MODIFIED, MODIFIED_SECONDS + 1));
        for value in ["W/\"e\"", "\"x\"", "\"e\", \"e\"", "e", "*", "", EARLIER, LATER] {
            assert!(!applies(value, NOW), "{value}");
        }
        assert!(!applies(MODIFIED, MODIFIED_SECONDS), "the second is not over");
        for value in ["W/\"e\"", "\"e\""] {
            let validators = Validators { etag: b"W/\"e\"", modified_seconds: MODIFIED_SECONDS };
            let headers = request("GET", "/", &[("If-Range", value)]).headers;
            assert!(!range_applies(&headers, validators, NOW), "{value}: ours is weak");
        }
    }
}
