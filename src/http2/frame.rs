//! A frame as it comes in (RFC 9113 §4.1, §6): its type and size, and what can be said of its payload piece by piece.
//! Knows nothing of the frames before it.

use h2::Reason;

use super::field_block::FieldBlock;

/// RFC 9113 §4.1.
pub(super) const FRAME_HEAD_LEN: usize = 9;
/// A setting's name and value (§6.5.1).
const SETTING_LEN: usize = 6;
/// SETTINGS_INITIAL_WINDOW_SIZE (§6.5.2).
const INITIAL_WINDOW_SIZE: u16 = 4;
/// §6.9.1.
const WINDOW_MAX: u32 = (1 << 31) - 1;

/// Types of frames (§6).
pub(super) mod kind {
    pub(in crate::http2) const DATA: u8 = 0;
    pub(in crate::http2) const HEADERS: u8 = 1;
    pub(in crate::http2) const PRIORITY: u8 = 2;
    pub(in crate::http2) const RST_STREAM: u8 = 3;
    pub(in crate::http2) const SETTINGS: u8 = 4;
    pub(in crate::http2) const PUSH_PROMISE: u8 = 5;
    pub(in crate::http2) const PING: u8 = 6;
    pub(in crate::http2) const GOAWAY: u8 = 7;
    pub(in crate::http2) const WINDOW_UPDATE: u8 = 8;
    pub(in crate::http2) const CONTINUATION: u8 = 9;
}

/// Flags of frames (§6).
pub(super) mod flag {
    pub(in crate::http2) const ACK: u8 = 0x1;
    pub(in crate::http2) const END_STREAM: u8 = 0x1;
    pub(in crate::http2) const END_HEADERS: u8 = 0x4;
    pub(in crate::http2) const PADDED: u8 = 0x8;
    pub(in crate::http2) const PRIORITY: u8 = 0x20;
}

/// The frame that is being received.
#[derive(Debug, Default)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    /// 0 for the connection.
    pub(super) stream: u32,
    /// Bytes of its payload that have come.
    pub(super) at: usize,
    /// Bytes of its payload that are still to come.
    pub(super) left: usize,
    /// Bytes of padding at its end, once that is known.
    padding: usize,
    /// A setting that is incomplete.
    setting: [u8; SETTING_LEN],
}

impl Frame {
    /// A frame of which the head has come.
    pub(super) fn new([a, b, c, kind, flags, stream @ ..]: [u8; FRAME_HEAD_LEN]) -> Self {
        let left = u32::from_be_bytes([0, a, b, c]) as usize;
        // The first bit is reserved (§4.1).
        let stream = u32::from_be_bytes(stream) & WINDOW_MAX;
        Self { kind, flags, stream, left, ..Self::default() }
    }

    /// Whether it has the size that its type demands.
    pub(super) fn judge_size(&self) -> Result<(), Reason> {
        let len = self.left;
        let is_legal = match self.kind {
            kind::PRIORITY => len == 5,
            kind::RST_STREAM | kind::WINDOW_UPDATE => len == 4,
            kind::SETTINGS if self.flags & flag::ACK != 0 => len == 0,
            kind::SETTINGS => len.is_multiple_of(SETTING_LEN),
            kind::PING => len == 8,
            kind::GOAWAY => len >= 8,
            _ => true,
        };
        if is_legal { Ok(()) } else { Err(Reason::FRAME_SIZE_ERROR) }
    }

    /// Whether it is one that no client sends: a client does not push (§8.4), and GOAWAY is of no stream (§6.8).
    pub(super) fn is_amiss(&self) -> bool {
        match self.kind {
            kind::PUSH_PROMISE => true,
            kind::GOAWAY => self.stream != 0,
            _ => false,
        }
    }

    /// Whether its payload is a part of a field section.
    pub(super) fn has_fields(&self) -> bool {
        matches!(self.kind, kind::HEADERS | kind::CONTINUATION)
    }

    /// GOAWAY of a client is about streams that we would open, and we open none. h2 would close an idle connection.
    pub(super) fn is_ignored(&self) -> bool {
        self.kind == kind::GOAWAY
    }

    pub(super) fn judge_settings(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        for (at, byte) in (self.at..).zip(bytes) {
            self.setting[at % SETTING_LEN] = *byte;
            let [a, b, value @ ..] = self.setting;
            let is_whole = at % SETTING_LEN == SETTING_LEN - 1;
            let is_window = u16::from_be_bytes([a, b]) == INITIAL_WINDOW_SIZE;
            if is_whole && is_window && u32::from_be_bytes(value) > WINDOW_MAX {
                return Err(Reason::FLOW_CONTROL_ERROR);
            }
        }
        Ok(())
    }

    /// `bytes` of the payload, of which the middle is a fragment of a field block (§6.2).
    pub(super) fn judge_fields(&mut self, bytes: &[u8], fields: &mut FieldBlock) -> Result<(), Reason> {
        let is_first = self.kind == kind::HEADERS;
        let has = |flag: u8| is_first && self.flags & flag != 0;
        let before = usize::from(has(flag::PADDED)) + if has(flag::PRIORITY) { 5 } else { 0 };
        if has(flag::PADDED) && self.at == 0 {
            self.padding = usize::from(bytes[0]);
        }
        let (begin, end) = (self.at, self.at + bytes.len());
        let fragment_end = (self.at + self.left).saturating_sub(self.padding).max(before);
        let fragment = before.clamp(begin, end)..fragment_end.clamp(begin, end);
        fields.judge(&bytes[fragment.start - begin..fragment.end.max(fragment.start) - begin])
    }
}
