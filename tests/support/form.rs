//! The two encodings of an HTML form.

/// application/x-www-form-urlencoded (URL Standard, section 5): unreserved bytes, `+` for a space, the rest as %XX.
pub(crate) fn form_encode<N: AsRef<str>, V: AsRef<str>>(fields: &[(N, V)]) -> String {
    let pair = |(name, value): &(N, V)| format!("{}={}", encode(name.as_ref()), encode(value.as_ref()));
    fields.iter().map(pair).collect::<Vec<_>>().join("&")
}

fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'*' | b'-' | b'.' | b'_' => encoded.push(char::from(byte)),
            b' ' => encoded.push('+'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// multipart/form-data (RFC 7578), one part after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Multipart(Vec<u8>);

/// Long and odd enough not to occur in any content of these tests.
const BOUNDARY: &str = "----ephpm-test-2f1c9a7e5b3d-boundary";

impl Multipart {
    pub(crate) fn text(self, name: &str, value: &str) -> Self {
        self.part(&format!("name=\"{name}\""), None, value.as_bytes())
    }

    pub(crate) fn file(self, name: &str, filename: &str, media_type: &str, content: &[u8]) -> Self {
        self.part(&format!("name=\"{name}\"; filename=\"{filename}\""), Some(media_type), content)
    }

    /// The content type, which names the boundary, and the content.
    pub(super) fn finish(mut self) -> (String, Vec<u8>) {
        self.0.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        (format!("multipart/form-data; boundary={BOUNDARY}"), self.0)
    }

    fn part(mut self, disposition: &str, media_type: Option<&str>, content: &[u8]) -> Self {
        let media_type = media_type.map(|name| format!("Content-Type: {name}\r\n")).unwrap_or_default();
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n{media_type}\r\n");
        self.0.extend_from_slice(head.as_bytes());
        self.0.extend_from_slice(content);
        self.0.extend_from_slice(b"\r\n");
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_encoded() {
        assert_eq!(form_encode(&[("a b", "1&2=3"), ("ü", "~*")]), "a+b=1%262%3D3&%C3%BC=%7E*");
        let (content_type, content) =
            Multipart::default().text("a", "1").file("f", "x.txt", "text/plain", b"hi").finish();
        assert_eq!(content_type, format!("multipart/form-data; boundary={BOUNDARY}"));
        let expected = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
             --{BOUNDARY}\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.txt\"\r\n\
             Content-Type: text/plain\r\n\r\nhi\r\n--{BOUNDARY}--\r\n"
        );
        assert_eq!(String::from_utf8(content).expect("ASCII"), expected);
    }
}
