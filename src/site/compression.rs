//! What is worth encoding, and how: the rules that files and scripts' responses share. Pure.

use crate::http::coding::Coding;
use crate::http::encoder::Levels;
use crate::http::headers::trim;

/// Which content is sent in a coding, if the client accepts one.
#[derive(Debug, Clone)]
pub struct Options {
    /// Content is encoded on its way. Otherwise only what lies beside a file is used.
    pub enabled: bool,
    /// Files beside a file, as `a.css.br` beside `a.css`, are sent in its place.
    pub precompressed: bool,
    /// The codings, the preferred one first. One that is left out is not used.
    pub codings: Vec<Coding>,
    /// How much work goes into each.
    pub levels: Levels,
    /// Content that is known to be shorter is not encoded.
    pub bytes_min: u64,
    /// Longer files are not encoded, since that holds everything else up.
    pub file_bytes_max: u64,
    /// Bytes of encoded files that are held in memory.
    pub cache_bytes: usize,
    /// Media types that are worth it.
    pub types: Vec<TypePattern>,
}

/// Some media types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypePattern {
    /// One: `text/css`.
    Type(String),
    /// All of a kind: `text/*`. Holds what is left of the star.
    Kind(String),
    /// A format under whatever name: `json` is `application/json` and `application/ld+json` (RFC 6838 §4.2.8).
    Format(String),
}

/// Media types that are worth encoding: text in all its forms, and what else is not packed in itself.
pub const TYPES: [&str; 8] = ["text/*", "javascript", "json", "xml", "wasm", "otf", "ttf", "x-icon"];

impl Default for Options {
    fn default() -> Self {
        Self {
            enabled: true,
            precompressed: true,
            codings: Coding::ALL.to_vec(),
            levels: Levels::default(),
            bytes_min: 1024,
            file_bytes_max: 1024 * 1024,
            cache_bytes: 16 * 1024 * 1024,
            types: TYPES.iter().filter_map(|name| TypePattern::parse(name)).collect(),
        }
    }
}

impl Options {
    /// Whether content of this type is worth encoding. A stream of events is not: it trickles, and each event would
    /// have to be flushed.
    pub fn covers(&self, content_type: &[u8]) -> bool {
        let end = memchr::memchr2(b';', b' ', content_type).unwrap_or(content_type.len());
        let media_type = &content_type[..end];
        !media_type.eq_ignore_ascii_case(b"text/event-stream")
            && self.types.iter().any(|pattern| pattern.matches(media_type))
    }
}

/// Whether a value of `Cache-Control` asks everybody to leave the content as it is (RFC 9111 §5.2.2.6). That is meant
/// for proxies; but who says it wants bytes to arrive as they are.
pub fn forbids_transformation(cache_control: &[u8]) -> bool {
    cache_control.split(|byte| *byte == b',').any(|directive| trim(directive).eq_ignore_ascii_case(b"no-transform"))
}

impl TypePattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Option<Self> {
        let is_word = |word: &str| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
        };
        let all = text.to_owned();
        match text.split_once('/') {
            None if is_word(text) => Some(Self::Format(all)),
            Some((kind, "*")) if is_word(kind) => Some(Self::Kind(format!("{kind}/"))),
            Some((kind, name)) if is_word(kind) && is_word(name) => Some(Self::Type(all)),
            _ => None,
        }
    }

    fn matches(&self, media_type: &[u8]) -> bool {
        match self {
            Self::Type(wanted) => media_type.eq_ignore_ascii_case(wanted.as_bytes()),
            Self::Kind(wanted) => {
                media_type.get(..wanted.len()).is_some_and(|start| start.eq_ignore_ascii_case(wanted.as_bytes()))
            }
            Self::Format(wanted) => {
                let (before, end) = media_type.split_at(media_type.len().saturating_sub(wanted.len()));
                end.eq_ignore_ascii_case(wanted.as_bytes()) && matches!(before.last(), Some(b'/' | b'+'))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_worth_it_and_pictures_are_not() {
        let options = Options::default();
        assert_eq!(options.types.len(), TYPES.len());
        for content_type in [
            "text/html",
            "text/html; charset=utf-8",
            "Text/HTML;charset=utf-8",
            "text/css",
            "application/json",
            "APPLICATION/JSON; charset=UTF-8",
            "application/ld+json",
            "application/javascript",
            "image/svg+xml",
            "application/wasm",
            "font/ttf",
        ] {
            assert!(options.covers(content_type.as_bytes()), "{content_type}");
        }
        for content_type in [
            "",
            "text",
            "text/event-stream",
            "Text/Event-Stream; charset=utf-8",
            "image/png",
            "image/svg",
            "application/jsonx",
            "application/xjson",
            "json",
            "application/octet-stream",
            "application/gzip",
            "video/mp4",
            "font/woff2",
        ] {
            assert!(!options.covers(content_type.as_bytes()), "{content_type}");
        }
    }

    #[test]
    fn patterns_are_media_types() {
        for text in ["text/*", "application/vnd.api+json", "X/Y", "json"] {
            assert!(TypePattern::parse(text).is_some(), "{text}");
        }
        for text in
            ["", "te xt", "text/", "/*", "*/*", "*", "text/html; charset=utf-8", "text/ht ml", "a/b/c", "text/*l"]
        {
            assert!(TypePattern::parse(text).is_none(), "{text}");
        }
    }
}
