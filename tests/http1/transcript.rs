//! Transcripts: what goes into a connection and what must come out, as text.
//!
//! ```text
//! # A comment.
//! -- 16, 38: a title, after the numbers of the rules (RFC 9110, RFC 9112) that the case shows
//! @ an instruction to the application or to the run; see `Action`
//! < bytes from the peer; adjacent lines are one block
//! ! an event that must follow
//! > bytes that must be sent; adjacent lines are one block
//! = what is to become of the connection, and if it stays open, what it waits for
//! ```
//!
//! Bytes are written with `\r`, `\n`, `\t`, `\0`, `\xHH` and `\\`, and nothing is added at the end of a line. In braces
//! stand `{date}`, the Date field of a response; `{c*N}`, the character c N times; and the responses that the application
//! gives unless told otherwise: `{ok}`, `{ok close}`, `{ok keep-alive}` and, to a peer's error, `{error N}`.

use std::path::Path;

pub(crate) const DATE: &[u8; 29] = b"Sun, 06 Nov 1994 08:49:37 GMT";

/// One case of a transcript file.
#[derive(Debug)]
pub(crate) struct Case {
    /// File, line and title.
    pub(crate) name: String,
    /// The numbers of the rules that it shows.
    pub(crate) rules: Vec<u32>,
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug)]
pub(crate) enum Step {
    Input(Vec<u8>),
    Action(Action),
    Expect(Vec<Outcome>),
}

/// What may be told to the application, or done to the connection.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// Do not run the case with split input.
    Whole,
    /// Answer when the head has come; else, when the content is complete.
    Early,
    /// Do not answer until told to.
    Hold,
    /// Answer the request that waits, and those after it.
    Release,
    /// Ask for content that is held back.
    Continue,
    /// Answer with this status.
    Status(u16),
    /// With this reason phrase.
    Reason(String),
    /// With this field, among others.
    Field(String, String),
    /// Announce this length, or none; none also for errors.
    Length(Option<u64>),
    /// Send this content, among others (`ok` if there is none); its length is announced unless told otherwise.
    Content(Vec<u8>),
    /// Precede the answer by this status.
    Interim(u16),
    /// Give up instead of finishing.
    Reset,
    /// Leave the response unfinished until told to finish it.
    Unfinished,
    Finish,
    /// Set a limit.
    Option(String, usize),
    /// Show field lines in request events.
    Fields,
    Eof,
    Drain,
    /// Let the deadline pass.
    Expire,
}

/// What must come of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Event(String),
    Output(String),
    State(String),
}

impl Case {
    /// The limits that it sets, by name.
    pub(crate) fn limits(&self) -> impl Iterator<Item = (&str, usize)> {
        self.steps.iter().filter_map(|step| match step {
            Step::Action(Action::Option(name, value)) => Some((&name[..], *value)),
            _ => None,
        })
    }
}

/// Every case of the files in a directory.
pub(crate) fn read_directory(directory: &Path) -> Vec<Case> {
    let mut paths: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    paths.iter().flat_map(|path| read_file(path)).collect()
}

fn read_file(path: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(path).unwrap();
    let file = path.file_name().unwrap().to_string_lossy();
    let mut cases: Vec<Case> = Vec::new();
    let mut last = ' ';
    for (index, line) in text.lines().enumerate() {
        let place = format!("{file}:{}", index + 1);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(title) = line.strip_prefix("-- ") {
            let (numbers, _) = title.split_once(": ").unwrap_or_else(|| panic!("{place}: no rule numbers"));
            let rules = numbers.split(", ").map(|number| number.parse().unwrap()).collect();
            cases.push(Case { name: format!("{place}: {title}"), rules, steps: Vec::new() });
            last = ' ';
            continue;
        }
        let steps = &mut cases.last_mut().unwrap_or_else(|| panic!("{place}: no case has begun")).steps;
        let (kind, rest) = line.split_once(' ').unwrap_or_else(|| panic!("{place}: {line}"));
        let joins = last == kind.chars().next().unwrap();
        last = kind.chars().next().unwrap();
        let outcome = match kind {
            "<" => {
                match steps.last_mut() {
                    Some(Step::Input(bytes)) if joins => bytes.extend(unescape(rest)),
                    _ => steps.push(Step::Input(unescape(rest))),
                }
                continue;
            }
            "@" => {
                steps.push(Step::Action(Action::parse(rest).unwrap_or_else(|| panic!("{place}: {rest}"))));
                continue;
            }
            "!" => Outcome::Event(expand(rest)),
            ">" => Outcome::Output(unescape(rest).escape_ascii().to_string()),
            "=" => Outcome::State(rest.to_owned()),
            _ => panic!("{place}: {line}"),
        };
        match (steps.last_mut(), outcome) {
            (Some(Step::Expect(outcomes)), outcome) => match (outcomes.last_mut(), outcome) {
                (Some(Outcome::Output(output)), Outcome::Output(more)) if joins => output.push_str(&more),
                (_, outcome) => outcomes.push(outcome),
            },
            (_, outcome) => steps.push(Step::Expect(vec![outcome])),
        }
    }
    cases
}

impl Action {
    fn parse(text: &str) -> Option<Self> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        Some(match word {
            "whole" => Self::Whole,
            "early" => Self::Early,
            "hold" => Self::Hold,
            "release" => Self::Release,
            "continue" => Self::Continue,
            "status" => Self::Status(rest.parse().ok()?),
            "reason" => Self::Reason(rest.to_owned()),
            "field" => {
                let (name, value) = rest.split_once(": ")?;
                Self::Field(name.to_owned(), value.to_owned())
            }
            "length" if rest == "unknown" => Self::Length(None),
            "length" => Self::Length(Some(rest.parse().ok()?)),
            "content" => Self::Content(unescape(rest)),
            "interim" => Self::Interim(rest.parse().ok()?),
            "reset" => Self::Reset,
            "unfinished" => Self::Unfinished,
            "finish" => Self::Finish,
            "option" => {
                let (name, value) = rest.split_once(' ')?;
                Self::Option(name.to_owned(), value.parse().ok()?)
            }
            "fields" => Self::Fields,
            "eof" => Self::Eof,
            "drain" => Self::Drain,
            "expire" => Self::Expire,
            _ => return None,
        })
    }
}

/// Replaces what stands in braces.
fn expand(text: &str) -> String {
    let date = std::str::from_utf8(DATE).unwrap();
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, braced)) = rest.split_once('{') {
        let (name, after) = braced.split_once('}').unwrap_or_else(|| panic!("no closing brace: {text}"));
        expanded.push_str(before);
        expanded.push_str(&match name.split_once('*') {
            Some((character, times)) => character.repeat(times.parse().unwrap()),
            None => response(name, date),
        });
        rest = after;
    }
    expanded + rest
}

fn response(name: &str, date: &str) -> String {
    let ok = |connection| format!(r"HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 2\r\n{connection}\r\nok");
    match name {
        "date" => format!(r"Date: {date}\r\n"),
        "ok" => ok(""),
        "ok close" => ok(r"Connection: close\r\n"),
        "ok keep-alive" => ok(r"Connection: keep-alive\r\n"),
        _ => {
            let code = name.strip_prefix("error ").unwrap_or_else(|| panic!("{{{name}}}"));
            let reason = ephpm::http::status::Status::from_code(code.parse().unwrap()).unwrap().reason();
            format!(r"HTTP/1.1 {code} {reason}\r\nDate: {date}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
        }
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let expanded = expand(text);
    let mut bytes = Vec::new();
    let mut rest = expanded.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        bytes.push(match (byte, after) {
            (b'\\', [b'x', high, low, ..]) => {
                rest = &after[3..];
                let digits = [*high, *low];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            (b'\\', [escaped, after @ ..]) => {
                rest = after;
                match escaped {
                    b'r' => b'\r',
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'0' => 0,
                    b'\\' => b'\\',
                    _ => panic!("unknown escape: {text}"),
                }
            }
            _ => *byte,
        });
    }
    bytes
}
