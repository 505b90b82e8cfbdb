//! What PHP reads of every request: `sapi_request_info` (php-src main/SAPI.h), its cookies and its credentials. Pure.
//!
//! Many scripts never look at `$_SERVER`, and then these few strings are all that is made of a request. Each says what a
//! variable of `$_SERVER` says, which has its own copy.

use crate::exchange::Job;
use crate::http::headers::Headers;

/// The strings of one request, each followed by a NUL, so that C may read them where they lie.
///
/// Reused: [`fill`](Self::fill) keeps the memory, so that in steady state nothing is allocated.
#[derive(Debug, Default)]
pub struct RequestInfo {
    bytes: Vec<u8>,
    request_method: Text,
    php_self: Text,
    query_string: Text,
    script_filename: Text,
    content_type: Option<Text>,
    cookie: Option<Text>,
    authorization: Option<Text>,
}

/// Where in the bytes a string lies, with its NUL.
#[derive(Debug, Clone, Copy, Default)]
struct Text {
    start: usize,
    end: usize,
}

impl RequestInfo {
    /// Forgets the request before and takes what there is of this one.
    pub fn fill(&mut self, job: &Job) {
        let (request, script) = (&job.request, &job.script);
        self.bytes.clear();
        self.request_method = self.push(&[request.method.as_str().as_bytes()]);
        self.php_self = self.push(&[&script.name, &script.path_info]);
        self.query_string = self.push(&[request.query().unwrap_or(b"")]);
        self.script_filename = self.push(&[&script.document_root, &script.name]);
        self.content_type = request.headers.get("Content-Type").map(|value| self.push(&[value]));
        // RFC 9113 §8.2.3: cookies are the one field that is not joined by a comma.
        self.cookie = self.push_lines(&request.headers, "Cookie", b"; ");
        self.authorization = self.push_lines(&request.headers, "Authorization", b", ");
    }

    /// `REQUEST_METHOD`, with the NUL at its end, as all of the following.
    pub fn request_method(&self) -> &[u8] {
        self.text(self.request_method)
    }

    /// `PHP_SELF`: the script's name, followed by what the target has behind it.
    pub fn php_self(&self) -> &[u8] {
        self.text(self.php_self)
    }

    /// `QUERY_STRING`: what follows the first `?`; empty without one.
    pub fn query_string(&self) -> &[u8] {
        self.text(self.query_string)
    }

    /// `SCRIPT_FILENAME`: the absolute path of the script.
    pub fn script_filename(&self) -> &[u8] {
        self.text(self.script_filename)
    }

    /// `CONTENT_TYPE`, if it was sent.
    pub fn content_type(&self) -> Option<&[u8]> {
        self.content_type.map(|text| self.text(text))
    }

    /// `HTTP_COOKIE`, if it was sent.
    pub fn cookie(&self) -> Option<&[u8]> {
        self.cookie.map(|text| self.text(text))
    }

    /// `HTTP_AUTHORIZATION`, if it was sent.
    pub fn authorization(&self) -> Option<&[u8]> {
        self.authorization.map(|text| self.text(text))
    }

    fn text(&self, Text { start, end }: Text) -> &[u8] {
        &self.bytes[start..end]
    }

    /// Pushes a string that is made of several pieces.
    fn push(&mut self, parts: &[&[u8]]) -> Text {
        let start = self.bytes.len();
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        self.finish(start)
    }

    /// Pushes the lines of a field as one, if there are any.
    fn push_lines(&mut self, headers: &Headers, name: &str, separator: &[u8]) -> Option<Text> {
        let start = self.bytes.len();
        let mut lines = headers.get_all(name);
        self.bytes.extend_from_slice(lines.next()?);
        for line in lines {
            self.bytes.extend_from_slice(separator);
            self.bytes.extend_from_slice(line);
        }
        Some(self.finish(start))
    }

    fn finish(&mut self, start: usize) -> Text {
        debug_assert!(!self.bytes[start..].contains(&0), "a value that C would cut");
        self.bytes.push(0);
        Text { start, end: self.bytes.len() }
    }
}
