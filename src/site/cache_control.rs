//! Which files carry which `Cache-Control`: rules by path, the first that matches wins. Pure; asked once when a file is
//! read, never per request.

use std::sync::Arc;

use crate::http::headers::is_field_value;

/// Rules in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheRules {
    rules: Vec<CacheRule>,
}

/// A pattern and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheRule {
    /// See [`CacheRule::new`].
    pattern: String,
    /// `Cache-Control`.
    value: Arc<str>,
}

impl CacheRule {
    /// A rule. A pattern that begins with a slash is about the whole path, another one about the file's name; `*` is
    /// any number of any bytes, and a slash at the end stands for all that lies below. `None` if the pattern or the
    /// value is empty, or if the value cannot be sent.
    pub fn new(pattern: &str, value: &str) -> Option<Self> {
        let value = value.trim();
        let is_valid = !pattern.is_empty() && !value.is_empty() && is_field_value(value.as_bytes());
        is_valid.then(|| Self { pattern: pattern.to_owned(), value: value.into() })
    }

    fn matches(&self, path: &[u8]) -> bool {
        let pattern = self.pattern.as_bytes();
        let name = &path[memchr::memrchr(b'/', path).map_or(0, |at| at + 1)..];
        match pattern {
            [b'/', .., b'/'] | b"/" => glob(&[pattern, b"*"].concat(), path),
            [b'/', ..] => glob(pattern, path),
            _ => glob(pattern, name),
        }
    }
}

impl CacheRules {
    /// What is said of the file at `path`, if anything is.
    pub fn of(&self, path: &[u8]) -> Option<Arc<str>> {
        self.rules.iter().find(|rule| rule.matches(path)).map(|rule| Arc::clone(&rule.value))
    }
}

impl From<Vec<CacheRule>> for CacheRules {
    fn from(rules: Vec<CacheRule>) -> Self {
        Self { rules }
    }
}

/// Whether `text` is what `pattern` describes. Only the last star is ever taken back to, so the time is at most the
/// product of the lengths.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut star) = ((0, 0), None);
    while at.1 < text.len() {
        match pattern.get(at.0) {
            Some(b'*') => {
                star = Some(at);
                at.0 += 1;
            }
            Some(byte) if *byte == text[at.1] => at = (at.0 + 1, at.1 + 1),
            _ => match &mut star {
                Some((pattern_at, text_at)) => {
                    *text_at += 1;
                    at = (*pattern_at + 1, *text_at);
                }
                None => return false,
            },
        }
    }
    pattern[at.0..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(rules: &[(&str, &str)]) -> CacheRules {
        rules.iter().map(|(pattern, value)| CacheRule::new(pattern, value).unwrap()).collect::<Vec<_>>().into()
    }

    #[test]
    fn patterns_are_of_names_or_of_paths() {
        for (pattern, matching, others) in [
            ("*.css", &["/a.css", "/b/c.min.css", "/.css"][..], &["/a.css/b", "/a.CSS", "/a.css2", "/css"][..]),
            ("app.*.js", &["/app.1a2b.js", "/x/app..js"], &["/app.js", "/my-app.1.js"]),
            ("logo.png", &["/logo.png", "/x/logo.png"], &["/a-logo.png", "/logo.png.gz"]),
            ("/assets/", &["/assets/a", "/assets/b/c.css"], &["/assets", "/x/assets/a", "/assets2/a"]),
            ("/*/build/", &["/x/build/a", "/x/y/build/a/b"], &["/build/a"]),
            ("/favicon.ico", &["/favicon.ico"], &["/a/favicon.ico"]),
            ("/img/*.png", &["/img/a.png", "/img/b/c.png"], &["/img/a.jpg", "/a.png"]),
            ("/", &["/a", "/b/c"], &[]),
            ("*", &["/a", "/b/c"], &[]),
            ("*a*b*", &["/xaxbx", "/ab", "/aab"], &["/ba", "/a"]),
        ] {
            let rules = rules(&[(pattern, "no-store")]);
            for path in matching {
                assert_eq!(rules.of(path.as_bytes()).as_deref(), Some("no-store"), "{pattern} {path}");
            }
            for path in others {
                assert_eq!(rules.of(path.as_bytes()), None, "{pattern} {path}");
            }
        }
    }

    #[test]
    fn the_first_rule_wins() {
        let rules = rules(&[("*.css", "max-age=1"), ("/assets/", "max-age=2"), ("*", " no-cache ")]);
        for (path, wanted) in [("/assets/a.css", "max-age=1"), ("/assets/a.js", "max-age=2"), ("/a.js", "no-cache")] {
            assert_eq!(rules.of(path.as_bytes()).as_deref(), Some(wanted), "{path}");
        }
        assert_eq!(CacheRules::default().of(b"/a"), None);
    }

    #[test]
    fn what_cannot_be_sent_is_no_rule() {
        for (pattern, value) in [("", "no-store"), ("*", ""), ("*", " "), ("*", "a\r\nb: c"), ("*", "\0")] {
            assert!(CacheRule::new(pattern, value).is_none(), "{pattern:?} {value:?}");
        }
    }
}
