//! A reader of JSON (RFC 8259) for the replies and log lines that tests look into, and a writer of its strings.

use std::ops::Index;

/// A JSON value. Indexing never fails: what is not there is `Null`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(f64),
    String(String),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Json {
    /// Reads a whole text; panics, showing it, when it is not JSON.
    #[track_caller]
    pub(crate) fn parse(text: &str) -> Self {
        Self::try_parse(text).unwrap_or_else(|| panic!("not JSON: {text}"))
    }

    pub(crate) fn try_parse(text: &str) -> Option<Self> {
        let mut reader = Reader { rest: text };
        let value = reader.value()?;
        reader.skip_space();
        reader.rest.is_empty().then_some(value)
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn items(&self) -> &[Self] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }
}

impl Index<&str> for Json {
    type Output = Self;

    fn index(&self, key: &str) -> &Self {
        match self {
            Self::Object(members) => {
                members.iter().find(|(name, _)| name == key).map_or(&Self::Null, |(_, value)| value)
            }
            _ => &Self::Null,
        }
    }
}

impl Index<usize> for Json {
    type Output = Self;

    fn index(&self, index: usize) -> &Self {
        self.items().get(index).unwrap_or(&Self::Null)
    }
}

/// A text as a JSON string, quotes included.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\0'..='\x1f' => quoted.push_str(&format!("\\u{:04x}", u32::from(letter))),
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\n', '\r', '\t']);
    }

    /// Takes `text`, after any space, if it is next.
    fn take(&mut self, text: &str) -> bool {
        self.skip_space();
        let after = self.rest.strip_prefix(text);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn value(&mut self) -> Option<Json> {
        if self.take("null") {
            Some(Json::Null)
        } else if self.take("true") {
            Some(Json::Bool(true))
        } else if self.take("false") {
            Some(Json::Bool(false))
        } else if self.take("\"") {
            self.string().map(Json::String)
        } else if self.take("[") {
            self.list("]", Self::value).map(Json::Array)
        } else if self.take("{") {
            self.list("}", Self::member).map(Json::Object)
        } else {
            self.number()
        }
    }

    fn list<T>(&mut self, end: &str, item: fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut items = Vec::new();
        if self.take(end) {
            return Some(items);
        }
        loop {
            items.push(item(self)?);
            if self.take(end) {
                return Some(items);
            }
            if !self.take(",") {
                return None;
            }
        }
    }

    fn member(&mut self) -> Option<(String, Json)> {
        let name = self.take("\"").then(|| self.string())??;
        let value = self.take(":").then(|| self.value())??;
        Some((name, value))
    }

    fn number(&mut self) -> Option<Json> {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c)).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        text.starts_with(|c: char| c == '-' || c.is_ascii_digit()).then(|| text.parse().ok().map(Json::Number))?
    }

    /// What follows an opening quote, up to the closing one.
    fn string(&mut self) -> Option<String> {
        let mut text = String::new();
        loop {
            // One character at a time: these two look-ups are fast even in a build for debugging.
            let end = self.rest.find('"')?;
            let end = self.rest[..end].find('\\').unwrap_or(end);
            text.push_str(&self.rest[..end]);
            let quote = self.rest[end..].starts_with('"');
            self.rest = &self.rest[end + 1..];
            if quote {
                return Some(text);
            }
            let escape = self.rest.chars().next()?;
            self.rest = &self.rest[escape.len_utf8()..];
            text.push(match escape {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'u' => self.code_point()?,
                '"' | '\\' | '/' => escape,
                _ => return None,
            });
        }
    }

    /// What follows `\u`: four digits, or two such units for a character beyond U+FFFF.
    fn code_point(&mut self) -> Option<char> {
        let high = self.unit()?;
        if !(0xD800..0xDC00).contains(&high) {
            return char::from_u32(high);
        }
        self.rest = self.rest.strip_prefix("\\u")?;
        let low = self.unit()?.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
        char::from_u32(0x10000 + ((high - 0xD800) << 10) + low)
    }

    fn unit(&mut self) -> Option<u32> {
        let digits = self.rest.get(..4)?;
        self.rest = &self.rest[4..];
        u32::from_str_radix(digits, 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read() {
        let json = Json::parse(r#" {"a": [1, -2.5e1, true, null, {}], "b\n\u00e9\ud83d\ude00": "\"\/é", "c": []} "#);
        assert_eq!(json["a"][1].as_number(), Some(-25.0));
        assert_eq!(json["a"].items().len(), 5);
        assert_eq!(json["b\né😀"].as_str(), Some("\"/é"));
        assert_eq!(json["c"], Json::Array(Vec::new()));
        assert_eq!(json["nothing"]["here"][7], Json::Null);
    }

    #[test]
    fn what_is_quoted_is_read_again() {
        let text = "\"\\\n\u{1}/é😀";
        assert_eq!(Json::parse(&quote(text)).as_str(), Some(text));
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "{", "[1,]", "{\"a\"}", "1 2", "\"\\x\"", "\"open", "\"\\ud800\"", "inf", "nan"] {
            assert_eq!(Json::try_parse(text), None, "{text:?}");
        }
    }
}
