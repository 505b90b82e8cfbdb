//! As much HTML as a test needs to act on a page: tags with their attributes, and the fields of a form.
//!
//! Not a parser: it finds start tags by their names. Pages under test are well formed and put no `<` into
//! attribute values; where a page did, a test would miss a tag and fail.

/// A start tag's attributes, values unescaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag(Vec<(String, String)>);

impl Tag {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn has(&self, name: &str, value: &str) -> bool {
        self.attribute(name) == Some(value)
    }
}

/// Every start tag `name` of a page, in order.
pub(crate) fn tags(html: &str, name: &str) -> Vec<Tag> {
    let opening = format!("<{name}");
    html.match_indices(&opening)
        .map(|(start, _)| &html[start + opening.len()..])
        .filter(|rest| rest.starts_with([' ', '\n', '\r', '\t', '>', '/']))
        .map(|rest| Tag(attributes(rest)))
        .collect()
}

/// What a browser would send if the user pressed "submit" in the form with this `id` (or `name`, or `action`)
/// without touching it: hidden and text fields, checked boxes, text areas. Selects and buttons are left out.
#[track_caller]
pub(crate) fn form_fields(html: &str, form: &str) -> Vec<(String, String)> {
    let whole = html.match_indices("<form").map(|(start, _)| &html[start..]).find(|rest| {
        tags(rest, "form").first().is_some_and(|tag| ["id", "name", "action"].iter().any(|key| tag.has(key, form)))
    });
    let whole = whole.unwrap_or_else(|| panic!("no form {form:?} in the page:\n{html}"));
    let inner = whole.split("</form>").next().unwrap_or_default();
    let mut fields = Vec::new();
    for tag in tags(inner, "input") {
        let Some(name) = tag.attribute("name") else {
            continue;
        };
        let checked = tag.attribute("checked").is_some();
        let value = match tag.attribute("type").unwrap_or("text") {
            "submit" | "button" | "reset" | "image" | "file" => continue,
            "checkbox" | "radio" if !checked => continue,
            "checkbox" | "radio" => tag.attribute("value").unwrap_or("on"),
            _ => tag.attribute("value").unwrap_or_default(),
        };
        fields.push((name.to_owned(), value.to_owned()));
    }
    for (start, _) in inner.match_indices("<textarea") {
        let name = tags(&inner[start..], "textarea")[0].attribute("name").unwrap_or_default().to_owned();
        let text = inner[start..].split_once('>').map_or("", |(_, rest)| rest);
        fields.push((name, unescape(text.split("</textarea>").next().unwrap_or_default())));
    }
    fields
}

/// Sets a field of a form, or adds it.
pub(crate) fn set_field(fields: &mut Vec<(String, String)>, name: &str, value: &str) {
    match fields.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => value.clone_into(old),
        None => fields.push((name.to_owned(), value.to_owned())),
    }
}

/// The text between the first `before` and the next `after`.
pub(crate) fn between<'h>(html: &'h str, before: &str, after: &str) -> Option<&'h str> {
    html.split_once(before)?.1.split_once(after).map(|(text, _)| text)
}

/// The character references that PHP's `htmlspecialchars` and WordPress's `esc_attr` write.
pub(crate) fn unescape(text: &str) -> String {
    let references = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#039;", "'"), ("&#038;", "&"), ("&amp;", "&")];
    references.iter().fold(text.to_owned(), |text, (reference, character)| text.replace(reference, character))
}

/// The attributes from just behind a tag's name to its end.
fn attributes(mut rest: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\n', '\r', '\t', '/']);
        if rest.is_empty() || rest.starts_with('>') {
            return found;
        }
        let end = rest.find(['=', ' ', '\n', '\r', '\t', '>']).unwrap_or(rest.len());
        let name = rest[..end].to_ascii_lowercase();
        rest = &rest[end..];
        let Some(value) = rest.strip_prefix('=') else {
            found.push((name, String::new()));
            continue;
        };
        let (text, left) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].split_once(quote).unwrap_or_else(|| (&value[1..], "")),
            _ => value.split_at(value.find([' ', '\n', '\r', '\t', '>']).unwrap_or(value.len())),
        };
        found.push((name, unescape(text)));
        rest = left;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_filled_in_as_a_browser_would() {
        let page = r#"<form id="other"><input name="x" value="no"></form>
            <form method='post' action="/a?b=1&amp;c=2" id="f">
            <input type="hidden" name="token" value='a"b'/><input name=plain value=12>
            <input type="checkbox" name="off" value="1"><input type="checkbox" checked name="on">
            <input type="submit" name="go" value="Go"><textarea name="t" rows="2">a &lt;b&gt;</textarea></form>"#;
        let pairs = [("token", "a\"b"), ("plain", "12"), ("on", "on"), ("t", "a <b>")];
        let mut fields = form_fields(page, "f");
        assert_eq!(fields, pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(form_fields(page, "/a?b=1&c=2").len(), 4);
        set_field(&mut fields, "plain", "13");
        assert_eq!(fields[1].1, "13");
        assert_eq!(between(page, "rows=\"2\">", "</"), Some("a &lt;b&gt;"));
    }

    #[test]
    fn tags_are_whole_names() {
        let links = tags("<link href='a.css'><linked href=b><link\n href=c.css data-x/>", "link");
        let hrefs: Vec<_> = links.iter().filter_map(|tag| tag.attribute("href")).collect();
        assert_eq!(hrefs, ["a.css", "c.css"]);
    }
}
