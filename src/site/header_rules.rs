//! Fields that the operator adds to responses, by the path of the request. Pure.
//!
//! Rules apply in their order, to every final response: files, scripts, redirects, errors. What a rule is for is
//! decided when a request comes, in a [`Selection`] of a few bytes, so that nothing of the request need be kept until
//! its response is there. It keeps the rules that it is of, so a configuration that is read meanwhile changes nothing.
//! Framing, `Connection` and `Date` are the protocol's, whatever a rule says.

use std::borrow::Cow;
use std::sync::Arc;

use super::path::MappedPath;
use crate::http::message::{Request, Response};

/// The most rules that there may be.
pub const RULES_MAX: usize = 64;

/// Every rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderRules {
    /// At most [`RULES_MAX`].
    pub rules: Arc<[Rule]>,
    /// `Server` of each response that a script has given none.
    pub server: Option<&'static str>,
}

/// A field for some paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Which paths: decoded, without the query. `*` stands for any bytes, slashes included.
    pub pattern: String,
    /// The field's name, a token.
    pub name: String,
    /// Its value, legal as such. Empty: the field is only removed.
    pub value: String,
    /// Whether lines of this name that the response has already go.
    pub replaces: bool,
}

/// Which rules are for a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// The rules that there were when it came; none, and nothing is shared, if it is for none of them.
    rules: Option<Arc<[Rule]>>,
    /// One for each that is for it, by its place in `rules`.
    bits: u64,
    /// As [`HeaderRules::server`].
    server: Option<&'static str>,
}

impl HeaderRules {
    /// The rules for this request; for one that could not be read, those for every path.
    pub fn select(&self, request: Option<&Request>) -> Selection {
        let mut path: Option<Cow<'_, [u8]>> = None;
        let mut bits = 0;
        for (index, rule) in self.rules.iter().take(RULES_MAX).enumerate() {
            let applies = rule.is_for_all()
                || request.is_some_and(|request| {
                    let path = path.get_or_insert_with(|| decoded(request.path()));
                    matches(rule.pattern.as_bytes(), path)
                });
            bits |= u64::from(applies) << index;
        }
        let rules = (bits != 0).then(|| Arc::clone(&self.rules));
        Selection { rules, bits, server: self.server }
    }
}

impl Selection {
    /// Whether [`apply`](Self::apply) leaves every response as it is.
    pub fn changes_nothing(&self) -> bool {
        self.rules.is_none() && self.server.is_none()
    }

    /// Changes the fields of a response as the selected rules say. A response whose fields leave no room (64 KiB) goes
    /// without more.
    pub fn apply(&self, response: &mut Response) {
        let rules = self.rules.iter().flat_map(|rules| rules.iter().take(RULES_MAX)).enumerate();
        for (_, rule) in rules.filter(|(index, _)| self.bits >> index & 1 == 1) {
            if rule.replaces {
                response.headers.remove(&rule.name);
            }
            if !rule.value.is_empty() {
                let _ = response.headers.push(rule.name.as_bytes(), rule.value.as_bytes());
            }
        }
        if let Some(server) = self.server
            && !response.headers.contains("Server")
        {
            let _ = response.headers.push(b"Server", server.as_bytes());
        }
    }
}

impl Rule {
    fn is_for_all(&self) -> bool {
        matches!(&self.pattern[..], "*" | "/*")
    }
}

/// The path as the router sees it; as sent, if it is none.
pub(super) fn decoded(path: &[u8]) -> Cow<'_, [u8]> {
    MappedPath::parse(path).map_or(Cow::Borrowed(path), |path| Cow::Owned(path.as_bytes().to_vec()))
}

/// Whether `path` is what `pattern` describes. Linear but for the number of stars.
pub(super) fn matches(pattern: &[u8], path: &[u8]) -> bool {
    let (mut at, mut of) = (0, 0);
    // Where to go on when the bytes behind the last star do not fit: the star takes one byte more.
    let mut retry: Option<(usize, usize)> = None;
    while of < path.len() {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            retry = Some((at, of));
        } else if pattern.get(at) == Some(&path[of]) {
            (at, of) = (at + 1, of + 1);
        } else if let Some((star, from)) = retry {
            (at, of) = (star, from + 1);
            retry = Some((star, from + 1));
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::status::Status;
    use crate::site::fuzz::request;

    fn rule(pattern: &str, name: &str, value: &str, replaces: bool) -> Rule {
        Rule { pattern: pattern.to_owned(), name: name.to_owned(), value: value.to_owned(), replaces }
    }

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, fits, fits_not) in [
            ("/*", "/", ""),
            ("/a", "/a", "/ab"),
            ("/a/*", "/a/b/c", "/a"),
            ("*.css", "/x/y.css", "/y.css/z"),
            ("/a*b*c", "/axxbbyc", "/axxbbyd"),
            ("/*a*a*", "/xaya", "/xay"),
            ("**", "/", "\0x\0"),
            ("/%41", "/%41", "/A"),
        ] {
            assert!(matches(pattern.as_bytes(), fits.as_bytes()), "{pattern} {fits}");
            assert_eq!(matches(pattern.as_bytes(), fits_not.as_bytes()), pattern == "**", "{pattern} {fits_not}");
        }
    }

    #[test]
    fn rules_are_chosen_by_the_decoded_path() {
        let rules = HeaderRules {
            rules: [rule("/*", "A", "1", false), rule("/b c/*", "B", "1", false), rule("*.css", "C", "1", false)]
                .into(),
            server: None,
        };
        for (target, selected) in [("/", 1), ("/b%20c/x?y", 3), ("/x/../b%20c/%2e/y.%63ss", 7), ("/x?.css", 1)] {
            assert_eq!(rules.select(Some(&request("GET", target, &[]))).bits, selected, "{target}");
        }
        assert_eq!(rules.select(None).bits, 1);
        assert_eq!(HeaderRules::default().select(None), Selection::default());
    }

    #[test]
    fn fields_are_added_replaced_and_removed() {
        let mut rules = HeaderRules {
            rules: [
                rule("/*", "Link", "<a>", false),
                rule("/*", "x-powered-by", "", true),
                rule("/*", "X-Frame-Options", "DENY", true),
            ]
            .into(),
            server: Some("ePHPm"),
        };
        let applied = |rules: &HeaderRules, fields: &[(&str, &str)]| {
            let mut response = Response::new(Status::OK);
            fields.iter().for_each(|(name, value)| response.headers.add(name, value.as_bytes()));
            rules.select(None).apply(&mut response);
            let line = |(name, value): (&[u8], &[u8])| format!("{}: {}", name.escape_ascii(), value.escape_ascii());
            response.headers.iter().map(line).collect::<Vec<_>>()
        };
        let fields = [("X-Powered-By", "PHP"), ("link", "<b>"), ("x-frame-options", "ALLOW"), ("X-Frame-Options", "x")];
        assert_eq!(applied(&rules, &fields), ["link: <b>", "Link: <a>", "X-Frame-Options: DENY", "Server: ePHPm"]);
        assert_eq!(applied(&rules, &[("server", "mine")])[0], "server: mine");
        assert_eq!(applied(&rules, &[("server", "mine")]).len(), 3);
        rules = HeaderRules::default();
        assert_eq!(applied(&rules, &[("A", "b")]), ["A: b"]);
    }
}
