//! Frames as they come in, seen from outside h2: how many of them do nothing for anybody, and what is incomplete.
//!
//! h2 bounds what it stores, but not what it does: a peer that sends PING after PING is answered for ever. So each
//! frame that carries neither a request nor content costs a coin of a purse that time fills again, and a peer that has
//! none left is told to calm down (RFC 9113 §10.5). WINDOW_UPDATE is a frame that downloads need, so content that is
//! sent earns coins. Streams that the peer resets are counted apart, since each of them has cost more.

use std::time::{Duration, Instant};

/// What an HTTP/2 client sends first (RFC 9113 §3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// RFC 9113 §4.1.
const FRAME_HEAD_LEN: usize = 9;
/// Sent content that earns a coin. Some clients send two updates for each 4 KiB they have read.
const BYTES_A_COIN: u64 = 1024;

/// Numbers of RFC 9113 §6.
mod kind {
    pub(super) const DATA: u8 = 0;
    pub(super) const HEADERS: u8 = 1;
    pub(super) const SETTINGS: u8 = 4;
    pub(super) const CONTINUATION: u8 = 9;
}

/// ACK of SETTINGS (§6.5).
const ACK: u8 = 0x1;
/// END_HEADERS of HEADERS and CONTINUATION (§6.2, §6.10).
const END_HEADERS: u8 = 0x4;

/// What a peer may still spend. Fills up within `period`.
#[derive(Debug)]
pub(super) struct Purse {
    coins: f64,
    coins_max: f64,
    period: Duration,
    filled_at: Option<Instant>,
}

impl Purse {
    /// A full one.
    pub(super) fn new(coins_max: u32, period: Duration) -> Self {
        let coins_max = f64::from(coins_max);
        Self { coins: coins_max, coins_max, period, filled_at: None }
    }

    /// Takes note of the time.
    pub(super) fn fill(&mut self, now: Instant) {
        let since = self.filled_at.replace(now).map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.earn(self.coins_max * since.as_secs_f64() / self.period.as_secs_f64());
    }

    pub(super) fn earn(&mut self, coins: f64) {
        self.coins = (self.coins + coins).min(self.coins_max);
    }

    /// False if there is none left.
    pub(super) fn spend(&mut self) -> bool {
        let has_one = self.coins >= 1.0;
        if has_one {
            self.coins -= 1.0;
        }
        has_one
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Meter {
    /// Bytes of the preface that are still to come.
    preface_left: usize,
    head: [u8; FRAME_HEAD_LEN],
    head_len: usize,
    /// Bytes of the frame's payload that are still to come.
    payload_left: usize,
    /// The frame is one of a field section.
    has_fields: bool,
    /// A field section goes on in the next frame.
    is_in_fields: bool,
    /// Our SETTINGS have been acknowledged.
    pub(super) is_acknowledged: bool,
    pub(super) purse: Purse,
    /// It was empty when a coin was to be paid: nothing passes any more.
    is_spent: bool,
    /// That has been told.
    is_spent_told: bool,
}

impl Meter {
    /// For a connection from its first byte.
    pub(super) fn new(purse: Purse) -> Self {
        Self {
            preface_left: PREFACE.len(),
            head: [0; FRAME_HEAD_LEN],
            head_len: 0,
            payload_left: 0,
            has_fields: false,
            is_in_fields: false,
            is_acknowledged: false,
            purse,
            is_spent: false,
            is_spent_told: false,
        }
    }

    /// Whether the peer owes us something that it should send without delay: the rest of what it has begun, or the
    /// acknowledgement of our SETTINGS (§6.5.3).
    pub(super) fn is_waiting(&self) -> bool {
        let is_in_fields = self.is_in_fields || (self.has_fields && self.payload_left > 0);
        self.preface_left > 0 || is_in_fields || !self.is_acknowledged
    }

    /// Whether the purse has been found empty; true once.
    pub(super) fn take_spent(&mut self) -> bool {
        self.is_spent && !std::mem::replace(&mut self.is_spent_told, true)
    }

    /// Content has been sent.
    pub(super) fn earn(&mut self, bytes: u64) {
        self.purse.earn(bytes as f64 / BYTES_A_COIN as f64);
    }

    /// Looks at what comes next, and returns how much of it may be read.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        while !rest.is_empty() && !self.is_spent {
            rest = &rest[self.step(rest)..];
        }
        bytes.len() - rest.len()
    }

    /// Goes on to the end of what is being received, or of `bytes`.
    fn step(&mut self, bytes: &[u8]) -> usize {
        for left in [&mut self.preface_left, &mut self.payload_left] {
            if *left > 0 {
                let n = bytes.len().min(*left);
                *left -= n;
                return n;
            }
        }
        let n = bytes.len().min(FRAME_HEAD_LEN - self.head_len);
        self.head[self.head_len..][..n].copy_from_slice(&bytes[..n]);
        self.head_len += n;
        if self.head_len == FRAME_HEAD_LEN {
            self.head_len = 0;
            self.begin_frame();
        }
        n
    }

    fn begin_frame(&mut self) {
        let [a, b, c, kind, flags, ..] = self.head;
        self.payload_left = u32::from_be_bytes([0, a, b, c]) as usize;
        self.has_fields = matches!(kind, kind::HEADERS | kind::CONTINUATION);
        if self.has_fields {
            self.is_in_fields = flags & END_HEADERS == 0;
        }
        if kind == kind::SETTINGS && flags & ACK != 0 {
            self.is_acknowledged = true;
        }
        // h2 counts empty and small DATA frames itself.
        let is_free = matches!(kind, kind::DATA | kind::HEADERS);
        self.is_spent = !is_free && !self.purse.spend();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags, 0, 0, 0, 1]);
        frame.extend(payload);
        frame
    }

    #[test]
    fn frames_are_counted_however_they_are_cut() {
        let mut bytes = PREFACE.to_vec();
        for piece in [frame(4, 0, &[0; 12]), frame(0, 0, &[6; 300]), frame(6, 0, &[9; 8]), frame(4, 1, b"")] {
            bytes.extend(piece);
        }
        for size in 1..bytes.len() {
            let mut meter = Meter::new(Purse::new(3, Duration::from_secs(1)));
            for piece in bytes.chunks(size) {
                assert!(meter.is_waiting());
                assert_eq!(meter.pass(piece), piece.len());
            }
            assert!(!meter.is_waiting() && !meter.is_spent);
            meter.pass(&frame(6, 0, &[9; 8]));
            assert!(meter.is_spent, "pieces of {size}");
        }
    }

    #[test]
    fn a_field_section_is_waited_for_to_its_end() {
        let mut meter = Meter::new(Purse::new(9, Duration::from_secs(1)));
        meter.pass(PREFACE);
        meter.pass(&frame(4, 1, b""));
        assert!(!meter.is_waiting());
        meter.pass(&frame(1, 0, b"x"));
        assert!(meter.is_waiting());
        meter.pass(&frame(9, 0, b"x"));
        assert!(meter.is_waiting());
        let last = frame(9, 4, b"xy");
        meter.pass(&last[..last.len() - 1]);
        assert!(meter.is_waiting());
        meter.pass(b"y");
        assert!(!meter.is_waiting());
    }

    #[test]
    fn time_fills_the_purse_and_content_earns() {
        let now = Instant::now();
        let mut purse = Purse::new(10, Duration::from_secs(5));
        purse.fill(now);
        assert_eq!((0..20).filter(|_| purse.spend()).count(), 10);
        purse.fill(now + Duration::from_millis(1500));
        assert_eq!((0..20).filter(|_| purse.spend()).count(), 3);
        purse.fill(now + Duration::from_secs(500));
        assert_eq!((0..20).filter(|_| purse.spend()).count(), 10);
        let mut meter = Meter::new(purse);
        meter.earn(5000);
        assert_eq!((0..20).filter(|_| meter.purse.spend()).count(), 4);
    }
}
