//! Requests and responses as the tests see them: values, with builders and look-ups.

use super::Multipart;
use super::form::form_encode;

/// Field lines in the order of the wire; names compare without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Headers(pub(crate) Vec<(String, String)>);

impl Headers {
    /// The first value of a field.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of a field, in order.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether a comma-separated field holds `token` (`Connection: keep-alive, close`).
    pub(crate) fn has_token(&self, name: &str, token: &str) -> bool {
        self.all(name).flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(token))
    }
}

/// What to send. `Host`, `Cookie` and the framing fields are added on the way out, unless given here.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Headers,
    pub(crate) content: Content,
}

/// The content of a request and how it is framed.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    None,
    Length(Vec<u8>),
    /// One chunk for each piece; an empty piece would end the body and is left out.
    Chunked(Vec<Vec<u8>>),
}

impl Request {
    /// Whoever wants to send a target that is none writes to a [`Connection`](super::Connection).
    pub(crate) fn new(method: &str, target: &str) -> Self {
        let clean = target.bytes().all(|byte| byte.is_ascii_graphic());
        assert!(clean && !target.is_empty(), "not a request target: {target:?}");
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Headers::default(),
            content: Content::None,
        }
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub(crate) fn head(target: &str) -> Self {
        Self::new("HEAD", target)
    }

    pub(crate) fn post(target: &str) -> Self {
        Self::new("POST", target)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.0.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Content with a `Content-Length`.
    pub(crate) fn content(mut self, content_type: &str, content: impl Into<Vec<u8>>) -> Self {
        self.content = Content::Length(content.into());
        self.header("Content-Type", content_type)
    }

    /// Content with `Transfer-Encoding: chunked`.
    pub(crate) fn chunked(mut self, content_type: &str, pieces: &[&[u8]]) -> Self {
        self.content = Content::Chunked(pieces.iter().map(|piece| piece.to_vec()).collect());
        self.header("Content-Type", content_type)
    }

    /// The content of an HTML form (application/x-www-form-urlencoded).
    pub(crate) fn form<N: AsRef<str>, V: AsRef<str>>(self, fields: &[(N, V)]) -> Self {
        self.content("application/x-www-form-urlencoded", form_encode(fields))
    }

    /// The content of an HTML form with files (multipart/form-data, RFC 7578).
    pub(crate) fn multipart(self, form: Multipart) -> Self {
        let (content_type, content) = form.finish();
        self.content(&content_type, content)
    }

    /// The bytes of the request for a server that goes by the name `authority`.
    pub(crate) fn encode(&self, authority: &str, cookie: Option<&str>) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let mut field = |name: &str, value: &str| {
            head.push_str(&format!("{name}: {value}\r\n"));
        };
        if self.headers.first("Host").is_none() {
            field("Host", authority);
        }
        if let Some(cookie) = cookie {
            field("Cookie", cookie);
        }
        for (name, value) in &self.headers.0 {
            field(name, value);
        }
        match &self.content {
            Content::None => {}
            Content::Length(content) => field("Content-Length", &content.len().to_string()),
            Content::Chunked(_) => field("Transfer-Encoding", "chunked"),
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        match &self.content {
            Content::None => {}
            Content::Length(content) => bytes.extend_from_slice(content),
            Content::Chunked(pieces) => {
                for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
                    bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                    bytes.extend_from_slice(piece);
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
            }
        }
        bytes
    }
}

/// A whole response.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    /// 0 or 1: the second number of the HTTP version.
    pub(crate) version_minor: u8,
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) headers: Headers,
    /// Decoded from its framing, not from a content coding.
    pub(crate) content: Vec<u8>,
    /// The statuses of the interim (1xx) responses before this one.
    pub(crate) interim: Vec<u16>,
}

impl Response {
    /// The first value of a field.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.first(name)
    }

    /// The content as text; anything that is not UTF-8 is replaced.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.content).into_owned()
    }

    /// The media type without its parameters, in lower case; empty when there is none.
    pub(crate) fn media_type(&self) -> String {
        let value = self.header("Content-Type").unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// This response, after checking its status; a surprise shows the beginning of the content.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        let text = self.text();
        assert_eq!(
            self.status,
            status,
            "{} {}\n{:?}\n{}",
            self.status,
            self.reason,
            self.headers,
            text.get(..2000).unwrap_or(&text)
        );
        self
    }
}
