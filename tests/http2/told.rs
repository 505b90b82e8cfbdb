//! What a transcript of HTTP/1 tells of each of its requests, without what only HTTP/1 has: the expectation of the same
//! exchange over HTTP/2.

use super::transcript::Outcome;

/// Fields that concern an HTTP/1 connection, which HTTP/2 has not (RFC 9113 §8.2.2).
const CONNECTION: [&str; 6] = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "upgrade"];

pub(crate) fn is_of_connection(name: &str) -> bool {
    CONNECTION.contains(&name)
}

/// What is told of one request.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// Method, target and the like, as the event has them.
    pub(crate) request: Option<String>,
    /// The field lines, if they are shown.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) content: String,
    /// The content is complete.
    pub(crate) is_ended: bool,
    /// What is wrong with it.
    pub(crate) error: Option<String>,
}

/// What has been told of a connection.
#[derive(Debug, Default)]
pub(crate) struct Tale {
    pub(crate) requests: Vec<Told>,
    /// What was sent.
    output: Vec<u8>,
}

impl Tale {
    /// Takes note of an outcome. States of the connection are HTTP/1's own.
    pub(crate) fn hear(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Event(event) => self.hear_event(event),
            Outcome::Output(text) => self.output.extend(unescape(text)),
            Outcome::State(_) => {}
        }
    }

    fn hear_event(&mut self, event: &str) {
        let (word, rest) = event.split_once(' ').unwrap();
        if word == "field" {
            let (name, value) = rest.split_once(": ").unwrap();
            self.requests.last_mut().unwrap().fields.push((name.to_owned(), value.to_owned()));
            return;
        }
        let (number, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let number: usize = number.parse().unwrap();
        if self.requests.len() < number {
            self.requests.push(Told::default());
        }
        let told = &mut self.requests[number - 1];
        match word {
            "request" => told.request = Some(rest.replace(" HTTP/1.1", " HTTP/2.0")),
            "content" => told.content += rest,
            "end" => told.is_ended = true,
            // Whether it stands in the target or in Host makes no difference here.
            "invalid" => told.error = Some(rest.replace("TargetAuthority", "HostInvalid")),
            _ => panic!("{event}"),
        }
    }

    /// The responses to requests of these methods.
    pub(crate) fn replies(&self, methods: &[String]) -> Vec<Reply> {
        let mut rest = &self.output[..];
        let mut methods = methods.iter();
        let mut replies = Vec::new();
        while !rest.is_empty() {
            replies.push(Reply::take(&mut rest, methods.next().expect("a request for each response")));
        }
        replies
    }
}

/// A response as HTTP/1 sends it.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    /// Interim heads and the final one, as [`super::frames::Answer`] has them.
    pub(crate) heads: Vec<Vec<(String, String)>>,
    pub(crate) content: Vec<u8>,
    pub(crate) is_complete: bool,
}

impl Reply {
    fn take(rest: &mut &[u8], method: &str) -> Self {
        let mut reply = Self::default();
        let is_chunked = loop {
            if rest.is_empty() {
                return reply;
            }
            let mut line = take_line(rest).strip_prefix("HTTP/1.1 ").expect("a status line")[..3].to_owned();
            let mut head = vec![(":status".to_owned(), line.clone())];
            let mut is_chunked = false;
            loop {
                line = take_line(rest);
                let Some((name, value)) = line.split_once(": ") else { break };
                let name = name.to_lowercase();
                is_chunked |= name == "transfer-encoding";
                if !is_of_connection(&name) {
                    head.push((name, value.to_owned()));
                }
            }
            reply.heads.push(head);
            if !reply.status().starts_with('1') {
                break is_chunked;
            }
        };
        let length = reply.field("content-length").map(|length| length.parse().unwrap());
        let has_none = ["204", "304"].contains(&reply.status()) || method == "HEAD";
        match length {
            _ if has_none => reply.is_complete = true,
            _ if is_chunked => reply.take_chunks(rest),
            Some(length) => reply.is_complete = reply.take_content(rest, length),
            // The end of the connection.
            None => reply.is_complete = method == "CONNECT",
        }
        reply
    }

    pub(crate) fn status(&self) -> &str {
        &self.heads.last().expect("a head")[0].1
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.heads.last()?.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Whether there are so many bytes.
    fn take_content(&mut self, rest: &mut &[u8], len: usize) -> bool {
        let (content, after) = rest.split_at(len.min(rest.len()));
        self.content.extend(content);
        *rest = after;
        content.len() == len
    }

    fn take_chunks(&mut self, rest: &mut &[u8]) {
        while !rest.is_empty() && !self.is_complete {
            let size = usize::from_str_radix(&take_line(rest), 16).unwrap();
            self.take_content(rest, size);
            assert_eq!(take_line(rest), "");
            self.is_complete = size == 0;
        }
    }
}

fn take_line(rest: &mut &[u8]) -> String {
    let end = rest.windows(2).position(|pair| pair == b"\r\n").expect("a whole line");
    let line = String::from_utf8(rest[..end].to_vec()).unwrap();
    *rest = &rest[end + 2..];
    line
}

/// The bytes that `escape_ascii` has made this of.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next().unwrap() {
                b'r' => b'\r',
                b'n' => b'\n',
                b't' => b'\t',
                b'x' => panic!("responses are text"),
                other => other,
            },
            plain => plain,
        });
    }
    bytes
}

/// Fields as far as they must be the same in every version, in an order that does not depend on it: without Host, which
/// the request's authority tells, and with one line of cookies (RFC 9113 §8.2.3).
pub(crate) fn common_fields(fields: &[(String, String)]) -> Vec<(String, String)> {
    let mut common: Vec<(String, String)> = Vec::new();
    for (name, value) in fields {
        let name = name.to_lowercase();
        if name == "host" || is_of_connection(&name) {
            continue;
        }
        match common.iter_mut().find(|(found, _)| name == "cookie" && *found == name) {
            Some((_, cookies)) => *cookies += &format!("; {value}"),
            None => common.push((name, value.clone())),
        }
    }
    common.sort_by(|(a, _), (b, _)| a.cmp(b));
    common
}
