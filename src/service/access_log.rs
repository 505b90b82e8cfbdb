//! The access log: a record for each request, and how it looks as a line. Pure.
//!
//! A record is begun when a request's head is there and written when the last byte of the response has been sent, or
//! when it is known that none will be; its duration is counted in turns of the loop. Lines gather in batches, which a
//! writer elsewhere takes over. A line is one line and an entry one entry whatever a peer sends: control characters,
//! quotes and backslashes are escaped.

use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::http::date;
use crate::http::message::{Address, Request, Version};
use crate::http::method::Method;
use crate::http::peer_error::PeerError;
use crate::http::status::Status;

/// A batch of this size is handed over at once.
const BATCH_BYTES: usize = 32 * 1024;
/// A batch is handed over when its first line is this old.
const BATCH_AGE: Duration = Duration::from_millis(200);
/// What is logged where a peer left before there was a response. nginx's number; nobody ever receives it.
const CLIENT_GONE: u16 = 499;

/// How a record looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Apache's "combined", which everything reads. Times are UTC, and there are neither identities nor user names.
    Combined,
    /// A JSON object a line (RFC 8259), which has all that is known.
    Json,
}

/// What is known of one request.
#[derive(Debug)]
pub struct Record {
    begun: Instant,
    /// Since 1970.
    received_at: Duration,
    remote: IpAddr,
    line: Option<(Method, Version)>,
    /// The following, one behind another.
    text: Vec<u8>,
    target: Span,
    host: Option<Span>,
    referer: Option<Span>,
    user_agent: Option<Span>,
    /// The status of the response, once its head is on its way.
    pub(super) status: Option<Status>,
    /// Bytes that follow the response's head: content, and its framing if it has any. Like nginx's `body_bytes_sent`.
    pub(super) content_bytes: u64,
    /// The rule that the peer broke.
    pub(super) error: Option<PeerError>,
}

type Span = (usize, usize);

impl Record {
    /// A record of a request from `remote`; none of `request` is known when its head could not be read. It was received
    /// at `now`, which is `wall` since 1970.
    pub fn new(request: Option<&Request>, remote: IpAddr, now: Instant, wall: Duration) -> Self {
        let mut record = Self {
            begun: now,
            received_at: wall,
            remote: remote.to_canonical(),
            line: None,
            text: Vec::new(),
            target: (0, 0),
            host: None,
            referer: None,
            user_agent: None,
            status: None,
            content_bytes: 0,
            error: None,
        };
        if let Some(request) = request {
            let fields = [request.authority(), request.headers.get("Referer"), request.headers.get("User-Agent")];
            let len = request.target().len() + fields.iter().flatten().map(|value| value.len()).sum::<usize>();
            record.text.reserve_exact(len);
            record.line = Some((request.method, request.version));
            record.target = record.keep(request.target());
            [record.host, record.referer, record.user_agent] =
                fields.map(|value| value.map(|value| record.keep(value)));
        }
        record
    }

    fn keep(&mut self, bytes: &[u8]) -> Span {
        let start = self.text.len();
        self.text.extend_from_slice(bytes);
        (start, self.text.len())
    }

    fn text(&self, (start, end): Span) -> &[u8] {
        &self.text[start..end]
    }

    /// The status that was sent, or would have been.
    fn status_code(&self) -> u16 {
        self.status.map_or(CLIENT_GONE, Status::code)
    }
}

/// One event loop's share of the log: the lines that have not been handed over.
#[derive(Debug)]
pub struct AccessLog {
    format: Format,
    batch: Batch,
    /// When the first line of the batch was written.
    begun: Option<Instant>,
}

/// Whole lines.
#[derive(Debug, Default)]
pub struct Batch {
    /// Each with a line feed at its end.
    pub text: String,
    /// How many.
    pub lines: usize,
}

impl AccessLog {
    /// An empty one.
    pub fn new(format: Format) -> Self {
        Self { format, batch: Batch::default(), begun: None }
    }

    /// Writes a record. The response was sent as a whole, or else was cut.
    pub fn write(&mut self, record: &Record, is_complete: bool, now: Instant) {
        let line = &mut self.batch.text;
        match self.format {
            Format::Combined => combined(line, record),
            Format::Json => json(line, record, is_complete, now.saturating_duration_since(record.begun)),
        }
        .expect("a String takes everything that is written to it");
        line.push('\n');
        self.batch.lines += 1;
        self.begun.get_or_insert(now);
    }

    /// When [`take`](Self::take) will have something.
    pub fn deadline(&self) -> Option<Instant> {
        self.begun.map(|begun| begun + BATCH_AGE)
    }

    /// The lines, if they are many or old enough to be handed over.
    pub fn take(&mut self, now: Instant) -> Option<Batch> {
        let is_due = self.batch.text.len() >= BATCH_BYTES || self.deadline().is_some_and(|deadline| deadline <= now);
        is_due.then(|| self.take_all()).flatten()
    }

    /// The lines, if there are any.
    pub fn take_all(&mut self) -> Option<Batch> {
        self.begun = None;
        let batch = std::mem::take(&mut self.batch);
        (batch.lines > 0).then_some(batch)
    }
}

/// `192.0.2.1 - - [06/Nov/1994:08:49:37 +0000] "GET / HTTP/1.1" 200 5 "-" "agent"`.
fn combined(line: &mut String, record: &Record) -> fmt::Result {
    write!(line, "{} - - [", Address(record.remote))?;
    let Time { year, month, day, hour, minute, second } = Time::of(record.received_at);
    let month =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][month as usize - 1];
    write!(line, "{day:02}/{month}/{year:04}:{hour:02}:{minute:02}:{second:02} +0000] \"")?;
    match record.line {
        Some((method, version)) => {
            write!(line, "{} ", method.as_str())?;
            escape_hex(line, record.text(record.target))?;
            write!(line, " {}", version.as_str())?;
        }
        None => line.push('-'),
    }
    write!(line, "\" {} {}", record.status_code(), record.content_bytes)?;
    for value in [record.referer, record.user_agent] {
        line.push_str(" \"");
        match value {
            Some(value) => escape_hex(line, record.text(value))?,
            None => line.push('-'),
        }
        line.push('"');
    }
    Ok(())
}

fn json(line: &mut String, record: &Record, is_complete: bool, duration: Duration) -> fmt::Result {
    let Time { year, month, day, hour, minute, second } = Time::of(record.received_at);
    let millis = record.received_at.subsec_millis();
    write!(line, "{{\"time\":\"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z\"")?;
    write!(line, ",\"remote\":\"{}\"", Address(record.remote))?;
    if let Some((method, version)) = record.line {
        write!(line, ",\"method\":\"{}\"", method.as_str())?;
        member(line, "target", record.text(record.target))?;
        write!(line, ",\"protocol\":\"{}\"", version.as_str())?;
    }
    for (name, value) in [("host", record.host), ("referer", record.referer), ("user_agent", record.user_agent)] {
        if let Some(value) = value {
            member(line, name, record.text(value))?;
        }
    }
    write!(line, ",\"status\":{},\"bytes\":{}", record.status_code(), record.content_bytes)?;
    write!(line, ",\"duration_ms\":{}.{:03}", duration.as_millis(), duration.subsec_micros() % 1000)?;
    write!(line, ",\"complete\":{is_complete}")?;
    if let Some(error) = record.error {
        member(line, "error", error.to_string().as_bytes())?;
    }
    line.push('}');
    Ok(())
}

fn member(line: &mut String, name: &str, value: &[u8]) -> fmt::Result {
    write!(line, ",\"{name}\":\"")?;
    escape_json(line, value)?;
    line.push('"');
    Ok(())
}

/// As nginx does it: whatever is not printable ASCII, quotes and backslashes as `\xHH`.
fn escape_hex(line: &mut String, bytes: &[u8]) -> fmt::Result {
    for byte in bytes {
        match byte {
            b'"' | b'\\' | ..=0x1f | 0x7f.. => write!(line, "\\x{byte:02X}")?,
            byte => line.push(char::from(*byte)),
        }
    }
    Ok(())
}

/// The inside of a JSON string (RFC 8259 §7). What is not UTF-8 becomes U+FFFD; all controls are escaped, those beyond
/// ASCII too, for logs are also read in terminals.
pub(crate) fn escape_json(line: &mut String, bytes: &[u8]) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => line.push_str("\\\""),
                '\\' => line.push_str("\\\\"),
                c if c.is_control() => write!(line, "\\u{:04x}", u32::from(c))?,
                c => line.push(c),
            }
        }
        if !chunk.invalid().is_empty() {
            line.push('\u{fffd}');
        }
    }
    Ok(())
}

/// A point in time, UTC.
struct Time {
    year: i64,
    month: i64,
    day: i64,
    hour: u64,
    minute: u64,
    second: u64,
}

impl Time {
    fn of(since_1970: Duration) -> Self {
        let seconds = since_1970.as_secs();
        let (year, month, day) = date::civil_from_days(i64::try_from(seconds / 86_400).unwrap_or(i64::MAX));
        Self { year, month, day, hour: seconds / 3600 % 24, minute: seconds / 60 % 60, second: seconds % 60 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::fuzz::request;

    const WALL: Duration = Duration::from_millis(784_111_777_042);

    fn record(target: &str, fields: &[(&str, &str)]) -> Record {
        let mut record =
            Record::new(Some(&request("GET", target, fields)), [192, 0, 2, 1].into(), Instant::now(), WALL);
        record.status = Some(Status::OK);
        record.content_bytes = 5;
        record
    }

    fn line(format: Format, record: &Record, is_complete: bool) -> String {
        let mut log = AccessLog::new(format);
        log.write(record, is_complete, record.begun + Duration::from_micros(12_034));
        let batch = log.take_all().unwrap();
        assert_eq!((batch.lines, batch.text.matches('\n').count()), (1, 1));
        batch.text.trim_end().to_owned()
    }

    #[test]
    fn the_two_formats() {
        let fields = [("Host", "a.example:80"), ("User-Agent", "curl/8"), ("Referer", "http://b/")];
        let record = record("/x?y=%20", &fields);
        assert_eq!(
            line(Format::Combined, &record, true),
            "192.0.2.1 - - [06/Nov/1994:08:49:37 +0000] \"GET /x?y=%20 HTTP/1.1\" 200 5 \"http://b/\" \"curl/8\""
        );
        assert_eq!(
            line(Format::Json, &record, true),
            "{\"time\":\"1994-11-06T08:49:37.042Z\",\"remote\":\"192.0.2.1\",\"method\":\"GET\",\"target\":\"/x?y=%20\",\
             \"protocol\":\"HTTP/1.1\",\"host\":\"a.example:80\",\"referer\":\"http://b/\",\"user_agent\":\"curl/8\",\
             \"status\":200,\"bytes\":5,\"duration_ms\":12.034,\"complete\":true}"
        );
    }

    #[test]
    fn what_is_unknown_is_absent() {
        let remote = "::ffff:192.0.2.1".parse().unwrap();
        let mut record = Record::new(None, remote, Instant::now(), WALL);
        assert_eq!(
            line(Format::Combined, &record, false),
            "192.0.2.1 - - [06/Nov/1994:08:49:37 +0000] \"-\" 499 0 \"-\" \"-\""
        );
        record.status = Some(Status::BAD_REQUEST);
        record.error = Some(PeerError::HostTwice);
        assert_eq!(
            line(Format::Json, &record, false),
            "{\"time\":\"1994-11-06T08:49:37.042Z\",\"remote\":\"192.0.2.1\",\"status\":400,\"bytes\":0,\
             \"duration_ms\":12.034,\"complete\":false,\"error\":\"Host is given more than once\"}"
        );
    }

    #[test]
    fn s30_nothing_that_a_peer_sends_ends_a_line_or_a_string() {
        let nasty = "\"\\\n\r\0\x1b[2J\x7f\u{9b}é";
        let mut record = record("/", &[]);
        let mut bytes = nasty.as_bytes().to_vec();
        bytes.push(0xff);
        record.user_agent = Some(record.keep(&bytes));
        let combined = line(Format::Combined, &record, true);
        assert!(
            combined.ends_with("\"\\x22\\x5C\\x0A\\x0D\\x00\\x1B[2J\\x7F\\xC2\\x9B\\xC3\\xA9\\xFF\""),
            "{combined}"
        );
        let json = line(Format::Json, &record, true);
        let agent = "\"user_agent\":\"\\\"\\\\\\u000a\\u000d\\u0000\\u001b[2J\\u007f\\u009bé\u{fffd}\"";
        assert!(json.contains(agent), "{json}");
    }

    #[test]
    fn batches_are_taken_when_they_are_old_or_large() {
        let mut log = AccessLog::new(Format::Combined);
        let now = Instant::now();
        assert!(log.deadline().is_none() && log.take(now).is_none() && log.take_all().is_none());
        let record = record("/", &[]);
        log.write(&record, true, now);
        log.write(&record, true, now + BATCH_AGE / 2);
        assert_eq!(log.deadline(), Some(now + BATCH_AGE));
        assert!(log.take(now + BATCH_AGE / 2).is_none());
        assert_eq!(log.take(now + BATCH_AGE).unwrap().lines, 2);
        assert_eq!(log.deadline(), None);
        while log.batch.text.len() < BATCH_BYTES {
            assert!(log.take(now).is_none());
            log.write(&record, true, now);
        }
        assert!(log.take(now).unwrap().lines > 100);
    }
}
