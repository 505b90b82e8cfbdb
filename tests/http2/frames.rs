//! Frames (RFC 9113 §4, §6), made and read by hand, so that a test may send what no client would.

use std::collections::BTreeMap;

use super::hpack::{self, Decoder};

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const ACK: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// Codes (§7).
pub(crate) const NO_ERROR: u32 = 0;
pub(crate) const PROTOCOL_ERROR: u32 = 1;
pub(crate) const INTERNAL_ERROR: u32 = 2;
pub(crate) const SETTINGS_TIMEOUT: u32 = 4;
pub(crate) const STREAM_CLOSED: u32 = 5;
pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const CANCEL: u32 = 8;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// What a client begins with: the preface, its settings, and the acknowledgement of ours.
pub(crate) fn hello(settings: &[(u16, u32)]) -> Vec<u8> {
    let settings: Vec<u8> =
        settings.iter().flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
    [PREFACE, &frame(SETTINGS, 0, 0, &settings), &frame(SETTINGS, ACK, 0, b"")].concat()
}

/// A request's head, with these fields beside the pseudo-fields of `method` and `path`.
pub(crate) fn head(stream: u32, flags: u8, method: &str, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let pseudo = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "a")];
    fields_frame(stream, flags, &[&pseudo[..], fields].concat())
}

pub(crate) fn fields_frame(stream: u32, flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, stream, &hpack::encode(fields))
}

pub(crate) fn get(stream: u32, path: &str) -> Vec<u8> {
    head(stream, END_STREAM, "GET", path, &[])
}

pub(crate) fn data(stream: u32, flags: u8, content: &[u8]) -> Vec<u8> {
    frame(DATA, flags, stream, content)
}

pub(crate) fn reset(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())
}

pub(crate) fn window_update(stream: u32, bytes: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes())
}

/// What a client has of one response.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Interim heads and the final one: the status, and the fields.
    pub(crate) heads: Vec<Vec<(String, String)>>,
    pub(crate) content: Vec<u8>,
    pub(crate) is_complete: bool,
    pub(crate) reset: Option<u32>,
}

impl Answer {
    #[track_caller]
    pub(crate) fn status(&self) -> u16 {
        let head = self.heads.last().unwrap_or_else(|| panic!("a head in {self:?}"));
        assert_eq!(head[0].0, ":status");
        head[0].1.parse().unwrap()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.heads.last()?.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.content).unwrap()
    }
}

/// All that a server has sent on one connection.
pub(crate) struct Received {
    /// The largest payload of a frame that was allowed.
    frame_max: usize,
    rest: Vec<u8>,
    decoder: Decoder,
    pub(crate) answers: BTreeMap<u32, Answer>,
    /// The last streams and codes of GOAWAY frames.
    pub(crate) goaways: Vec<(u32, u32)>,
    pub(crate) settings: Vec<(u16, u32)>,
    /// Acknowledged settings and pings.
    pub(crate) acks: Vec<Vec<u8>>,
    /// Payloads of PING frames to be acknowledged.
    pub(crate) pings: Vec<Vec<u8>>,
    /// Bytes that each stream, or the connection, may send more.
    pub(crate) windows: BTreeMap<u32, u64>,
    /// The first frame has been seen.
    has_begun: bool,
}

impl Default for Received {
    fn default() -> Self {
        Self::taking(16_384)
    }
}

impl Received {
    /// By a client that takes frames with so many bytes of payload.
    pub(crate) fn taking(frame_max: usize) -> Self {
        Self {
            frame_max,
            rest: Vec::new(),
            decoder: Decoder::default(),
            answers: BTreeMap::new(),
            goaways: Vec::new(),
            settings: Vec::new(),
            acks: Vec::new(),
            pings: Vec::new(),
            windows: BTreeMap::new(),
            has_begun: false,
        }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.rest.extend(bytes);
        while self.rest.len() >= 9 {
            let len = u32::from_be_bytes([0, self.rest[0], self.rest[1], self.rest[2]]) as usize;
            assert!(len <= self.frame_max, "a frame larger than we take");
            if self.rest.len() < 9 + len {
                return;
            }
            let frame: Vec<u8> = self.rest.drain(..9 + len).collect();
            let stream = u32::from_be_bytes(frame[5..9].try_into().unwrap());
            self.on_frame(frame[3], frame[4], stream, &frame[9..]);
        }
    }

    fn on_frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        assert!(std::mem::replace(&mut self.has_begun, true) || kind == SETTINGS, "SETTINGS come first");
        let answer = self.answers.entry(stream);
        match kind {
            HEADERS => {
                assert_eq!(flags & END_HEADERS, END_HEADERS, "our heads are short");
                let answer = answer.or_default();
                assert!(!answer.is_complete && answer.reset.is_none());
                answer.heads.push(self.decoder.decode(payload));
                answer.is_complete = flags & END_STREAM != 0;
            }
            DATA => {
                let answer = answer.or_default();
                assert!(!answer.heads.is_empty() && !answer.is_complete && answer.reset.is_none());
                answer.content.extend(payload);
                answer.is_complete = flags & END_STREAM != 0;
            }
            RST_STREAM => {
                let answer = answer.or_default();
                let code = number(payload);
                // What a client sends on a stream that has been reset for long is an error of its own.
                assert!(answer.reset.is_none() || code == STREAM_CLOSED, "{code} after {answer:?}");
                answer.reset.get_or_insert(code);
            }
            SETTINGS | PING if flags & ACK != 0 => self.acks.push(payload.to_vec()),
            SETTINGS => {
                let setting = |entry: &[u8]| (u16::from_be_bytes([entry[0], entry[1]]), number(&entry[2..]));
                self.settings.extend(payload.chunks(6).map(setting));
            }
            PING => self.pings.push(payload.to_vec()),
            GOAWAY => self.goaways.push((number(&payload[..4]), number(&payload[4..8]))),
            WINDOW_UPDATE => *self.windows.entry(stream).or_default() += u64::from(number(payload)),
            _ => panic!("a frame of type {kind}"),
        }
    }
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes.try_into().unwrap())
}
