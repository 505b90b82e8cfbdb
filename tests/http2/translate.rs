//! From the client's bytes of an HTTP/1 transcript to frames that say the same (RFC 9113 §8.3): a stream for each request that the transcript tells of. What HTTP/2 cannot say is not translated; which
//! rule that falls under is said instead. What is wrong with a request is wrong with its translation.

use super::frames::*;
use super::hpack;
use super::told::{Tale, Told, is_of_connection};
use super::transcript::{Action, Case, Step};

/// Why a case has no meaning in HTTP/2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Skip {
    /// Its subject is when a connection ends: by its peer, by a deadline, by a server that stops.
    Connection,
    /// Its subject is that one request waits for another.
    Order,
    /// Another version than HTTP/1.1, which has other rules.
    Version,
    /// Its bytes are no lines with a method, a target and a version, and names and values: HTTP/2 says those apart.
    Syntax,
    /// Transfer-Encoding other than chunked, and chunks that are malformed: HTTP/2 frames content otherwise.
    Framing,
    /// A limit that is measured in bytes of HTTP/1.
    Measure,
    /// Host is missing beside an authority, which is all that HTTP/2 needs.
    Host,
}

/// Where the host is said: HTTP/2 leaves the choice (RFC 9113 §8.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    Authority,
    Field,
}

/// A case in HTTP/2.
pub(crate) struct Translation {
    /// Frames, and how many bytes of HTTP/1 there are up to the end of what each says.
    pub(crate) frames: Vec<(usize, Vec<u8>)>,
    pub(crate) requests: Vec<Sent>,
}

/// A request as it was sent.
pub(crate) struct Sent {
    pub(crate) method: String,
    /// The field lines, escaped.
    pub(crate) fields: Vec<(String, String)>,
    /// The target, escaped.
    pub(crate) target: String,
}

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// A head as it stands in HTTP/1.
struct Head<'a> {
    method: &'a [u8],
    target: &'a [u8],
    fields: Fields,
}

pub(crate) fn translate(case: &Case, naming: Naming) -> Result<Translation, Skip> {
    let (mut tale, mut input, mut cuts) = (Tale::default(), Vec::new(), Vec::new());
    for step in &case.steps {
        match step {
            Step::Input(bytes) => {
                input.extend_from_slice(bytes);
                cuts.push(input.len());
            }
            Step::Action(Action::Eof | Action::Expire | Action::Drain) => return Err(Skip::Connection),
            Step::Action(Action::Hold | Action::Unfinished) => return Err(Skip::Order),
            Step::Action(Action::Option(name, _)) if name == "head_bytes_max" => return Err(Skip::Measure),
            Step::Action(_) => {}
            Step::Expect(outcomes) => outcomes.iter().for_each(|outcome| tale.hear(outcome)),
        }
    }
    if tale.requests.is_empty() {
        return Err(Skip::Syntax);
    }
    let mut reader = Reader { input: &input, at: 0, cuts, stream: 1, frames: Vec::new() };
    let mut requests = Vec::new();
    for told in &tale.requests {
        requests.push(reader.request(told, naming)?);
        reader.stream += 2;
    }
    Ok(Translation { frames: reader.frames, requests })
}

struct Reader<'a> {
    input: &'a [u8],
    at: usize,
    /// Where steps of the transcript end.
    cuts: Vec<usize>,
    stream: u32,
    frames: Vec<(usize, Vec<u8>)>,
}

impl<'a> Reader<'a> {
    fn request(&mut self, told: &Told, naming: Naming) -> Result<Sent, Skip> {
        let head = self.head(told)?;
        let block = head.translate(told, naming)?;
        let values = |name: &'static [u8]| head.fields.iter().filter(move |(found, _)| found == name);
        let coded = values(b"transfer-encoding").count();
        let is_chunked = values(b"transfer-encoding").any(|(_, value)| value.eq_ignore_ascii_case(b"chunked"));
        let mut lengths = values(b"content-length").map(|(_, value)| std::str::from_utf8(value).ok()?.parse().ok());
        let length = match (lengths.next(), lengths.next()) {
            (None, _) => Some(0),
            (Some(Some(length)), None) => Some(length),
            // No number: it is all that there is.
            _ => None,
        };
        if coded > 0 && (coded > 1 || !is_chunked || length != Some(0)) {
            return Err(Skip::Framing);
        }
        let len = length.unwrap_or(self.input.len() - self.at);
        let has_content = is_chunked || len > 0;
        self.say_head(if has_content { 0 } else { END_STREAM }, &block);
        if is_chunked {
            self.chunks(told)?;
        } else if has_content {
            self.content(len, END_STREAM);
        }
        let escape = |bytes: &[u8]| bytes.escape_ascii().to_string();
        Ok(Sent {
            method: escape(head.method),
            fields: head.fields.iter().map(|(name, value)| (escape(name), escape(value))).collect(),
            target: escape(head.target),
        })
    }

    /// A head. One that is refused before its end is completed.
    fn head(&mut self, told: &Told) -> Result<Head<'a>, Skip> {
        while self.input[self.at..].starts_with(b"\r\n") {
            self.at += 2;
        }
        let rest = &self.input[self.at..];
        let end = rest.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        if end.is_none() && told.error.is_none() {
            return Err(Skip::Syntax);
        }
        self.at = end.map_or(self.input.len(), |end| self.at + end + 4);
        let mut lines = split(&rest[..end.unwrap_or(rest.len())]).into_iter();
        let line = lines.next().ok_or(Skip::Syntax)?;
        let is_complete = end.is_some() || rest.contains(&b'\n');
        let (method, target) = split_line(line, is_complete)?;
        let mut fields = Fields::new();
        for line in lines.filter(|line| end.is_some() || !line.is_empty()) {
            fields.push(split_field(line)?);
        }
        if end.is_none() && !fields.iter().any(|(name, _)| name == b"host") {
            fields.push((b"host".to_vec(), b"a".to_vec()));
        }
        Ok(Head { method, target, fields })
    }

    /// So many bytes of content, or as many as there are.
    fn content(&mut self, len: usize, flags: u8) {
        let end = self.at.saturating_add(len);
        while self.at < end.min(self.input.len()) {
            let cut = *self.cuts.iter().find(|cut| **cut > self.at).expect("the last cut is the end");
            let until = cut.min(end).min(self.at + 16_384);
            let flags = if until == end { flags } else { 0 };
            self.frames.push((until, data(self.stream, flags, &self.input[self.at..until])));
            self.at = until;
        }
    }

    /// Chunks and trailers, as far as there are any.
    fn chunks(&mut self, told: &Told) -> Result<(), Skip> {
        match told.error.as_deref() {
            None | Some("TrailerSyntax") => {}
            Some("TrailersTooLarge" | "ChunkExtensionsTooLarge") => return Err(Skip::Measure),
            Some(_) => return Err(Skip::Framing),
        }
        while let Some(line) = self.line() {
            let digits = line.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(line.len());
            let size = std::str::from_utf8(&line[..digits]).unwrap();
            match usize::from_str_radix(size, 16).map_err(|_| Skip::Framing)? {
                0 => return self.trailers(),
                size => self.content(size, 0),
            }
            if self.line().is_none() {
                break;
            }
        }
        Ok(())
    }

    fn trailers(&mut self) -> Result<(), Skip> {
        let mut fields = Fields::new();
        while let Some(line) = self.line() {
            if !line.is_empty() {
                fields.push(split_field(line)?);
                continue;
            }
            fields.retain(|(name, _)| !is_of_connection(&String::from_utf8_lossy(name)));
            match fields.is_empty() {
                true => self.frames.push((self.at, data(self.stream, END_STREAM, b""))),
                false => self.say_head(END_STREAM, &hpack::encode(&fields)),
            }
            break;
        }
        Ok(())
    }

    /// The next line, if it is complete.
    fn line(&mut self) -> Option<&'a [u8]> {
        let rest = &self.input[self.at..];
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        self.at += end + 2;
        Some(&rest[..end])
    }

    /// A field block, in as many frames as it needs.
    fn say_head(&mut self, flags: u8, block: &[u8]) {
        let mut pieces = block.chunks(16_384).peekable();
        let (mut kind, mut flags, mut frames) = (HEADERS, flags, Vec::new());
        while let Some(piece) = pieces.next() {
            flags |= if pieces.peek().is_none() { END_HEADERS } else { 0 };
            frames.extend(frame(kind, flags, self.stream, piece));
            (kind, flags) = (CONTINUATION, 0);
        }
        self.frames.push((self.at, frames));
    }
}

impl Head<'_> {
    /// The field block: pseudo-fields, and the fields that do not concern the connection.
    fn translate(&self, told: &Told, naming: Naming) -> Result<Vec<u8>, Skip> {
        let hosts: Vec<&[u8]> =
            self.fields.iter().filter(|(name, _)| name == b"host").map(|(_, value)| &value[..]).collect();
        let is_connect = self.method == b"CONNECT";
        let absolute = self.target.windows(3).position(|bytes| bytes == b"://").filter(|_| self.target[0] != b'/');
        let mut scheme = b"http".to_vec();
        let mut path = self.target.to_vec();
        let authority = match (absolute, &hosts[..]) {
            (Some(_), []) => return Err(Skip::Host),
            _ if is_connect => Some(self.target),
            (Some(at), _) => {
                scheme = self.target[..at].to_ascii_lowercase();
                let after = &self.target[at + 3..];
                let end = after.iter().position(|byte| b"/?".contains(byte)).unwrap_or(after.len());
                path = match &after[end..] {
                    [] if self.method == b"OPTIONS" => b"*".to_vec(),
                    rest @ ([] | [b'?', ..]) => [b"/", rest].concat(),
                    rest => rest.to_vec(),
                };
                Some(&after[..end])
            }
            (None, [host]) if naming == Naming::Authority => Some(*host),
            (None, _) => None,
        };
        // An authority in the target replaces Host, unless that is what is wrong.
        let is_wrong = absolute.is_some() && told.error.as_deref() == Some("HostInvalid");
        let keeps_host = authority.is_none() || is_wrong;
        let mut fields: Fields = vec![(b":method".to_vec(), self.method.to_vec())];
        if !is_connect {
            fields.extend([(b":scheme".to_vec(), scheme), (b":path".to_vec(), path)]);
        }
        fields.extend(authority.map(|authority| (b":authority".to_vec(), authority.to_vec())));
        let is_kept = |name: &[u8]| match name {
            b"host" => keeps_host,
            name => !is_of_connection(&String::from_utf8_lossy(name)),
        };
        fields.extend(self.fields.iter().filter(|(name, _)| is_kept(name)).cloned());
        Ok(hpack::encode(&fields))
    }
}

fn split(mut text: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    while let Some(end) = text.windows(2).position(|pair| pair == b"\r\n") {
        lines.push(&text[..end]);
        text = &text[end + 2..];
    }
    lines.push(text);
    lines
}

/// Method and target: what stands before the first space and before the version.
fn split_line(line: &[u8], is_complete: bool) -> Result<(&[u8], &[u8]), Skip> {
    let is_space = |byte: &u8| *byte == b' ';
    let first = line.iter().position(is_space).ok_or(Skip::Syntax)?;
    if !is_complete && !line[first + 1..].contains(&b' ') {
        return Ok((&line[..first], &line[first + 1..]));
    }
    let last = line.iter().rposition(is_space).expect("there is a first one");
    match &line[last + 1..] {
        _ if first == last => Err(Skip::Syntax),
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1'..=b'9'] => Ok((&line[..first], &line[first + 1..last])),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => Err(Skip::Version),
        _ => Err(Skip::Syntax),
    }
}

/// The name in lower case, and the value without white space around it.
fn split_field(line: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Skip> {
    let colon = line.iter().position(|byte| *byte == b':').ok_or(Skip::Syntax)?;
    let is_text = |byte: &u8| !b" \t".contains(byte);
    let value = &line[colon + 1..];
    let start = value.iter().position(is_text).unwrap_or(value.len());
    let end = value.iter().rposition(is_text).map_or(start, |last| last + 1);
    Ok((line[..colon].to_ascii_lowercase(), value[start..end].to_vec()))
}
