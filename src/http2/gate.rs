//! Frames as they come in, looked at before h2 sees them: what is broken in a way that h2 would name wrongly, what is
//! incomplete, and how much of it does nothing for anybody.
//!
//! h2 bounds what it stores, but not what it does: a peer that sends PING after PING is answered for ever. So each
//! frame that carries neither a request nor content costs a coin of a [`Purse`], and a peer that has none left is told
//! to calm down (RFC 9113 §10.5). WINDOW_UPDATE is a frame that downloads need, so content that is sent earns coins.
//! What does not pass ends the connection: nothing behind it is read.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::BytesMut;
use h2::Reason;
use tokio::io::ReadBuf;

use super::field_block::FieldBlock;
use super::purse::Purse;

/// What an HTTP/2 client sends first (RFC 9113 §3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// RFC 9113 §4.1.
const FRAME_HEAD_LEN: usize = 9;
/// A setting's name and value (§6.5.1).
const SETTING_LEN: usize = 6;
/// SETTINGS_INITIAL_WINDOW_SIZE (§6.5.2).
const INITIAL_WINDOW_SIZE: u16 = 4;
/// §6.9.1.
const WINDOW_MAX: u32 = (1 << 31) - 1;
/// Sent content that earns a coin. Some clients send two updates for each 4 KiB they have read.
const BYTES_A_COIN: u64 = 1024;
/// Streams that are remembered as ended by the peer.
const ENDED_MAX: usize = 128;

/// Types of frames (§6).
mod kind {
    pub(super) const DATA: u8 = 0;
    pub(super) const HEADERS: u8 = 1;
    pub(super) const PRIORITY: u8 = 2;
    pub(super) const RST_STREAM: u8 = 3;
    pub(super) const SETTINGS: u8 = 4;
    pub(super) const PUSH_PROMISE: u8 = 5;
    pub(super) const PING: u8 = 6;
    pub(super) const GOAWAY: u8 = 7;
    pub(super) const WINDOW_UPDATE: u8 = 8;
    pub(super) const CONTINUATION: u8 = 9;
}

/// Flags of frames (§6).
mod flag {
    pub(super) const ACK: u8 = 0x1;
    pub(super) const END_STREAM: u8 = 0x1;
    pub(super) const END_HEADERS: u8 = 0x4;
    pub(super) const PADDED: u8 = 0x8;
    pub(super) const PRIORITY: u8 = 0x20;
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Gate {
    /// Bytes of the preface that are still to come.
    preface_left: usize,
    /// The frame's head.
    head: [u8; FRAME_HEAD_LEN],
    /// Bytes of it that have come, while it is incomplete.
    head_len: usize,
    /// Bytes of it that are still to be passed on.
    head_due: usize,
    frame: Frame,
    /// The last field section.
    fields: FieldBlock,
    /// It goes on in the next frame.
    is_in_fields: bool,
    /// The highest stream that the peer has opened.
    last_stream: u32,
    /// Streams that the peer has ended, or reset; the last ones.
    ended: VecDeque<u32>,
    /// Our SETTINGS have been acknowledged.
    is_acknowledged: bool,
    purse: Purse,
    /// What has not passed.
    verdict: Option<Reason>,
    /// It has been told.
    is_told: bool,
}

/// The frame that is being received.
#[derive(Debug, Default)]
struct Frame {
    kind: u8,
    flags: u8,
    /// Bytes of its payload that have come.
    at: usize,
    /// Bytes of its payload that are still to come.
    left: usize,
    /// Bytes of padding at its end, once that is known.
    padding: usize,
    /// A setting that is incomplete.
    setting: [u8; SETTING_LEN],
}

impl Gate {
    /// For a connection from its first byte.
    pub(super) fn new(purse: Purse) -> Self {
        Self {
            preface_left: PREFACE.len(),
            head: [0; FRAME_HEAD_LEN],
            head_len: 0,
            head_due: 0,
            frame: Frame::default(),
            fields: FieldBlock::default(),
            is_in_fields: false,
            last_stream: 0,
            ended: VecDeque::new(),
            is_acknowledged: false,
            purse,
            verdict: None,
            is_told: false,
        }
    }

    /// Takes note of the time, and of so many bytes of content that have been sent since.
    pub(super) fn fill(&mut self, now: Instant, sent: u64) {
        self.purse.fill(now);
        if sent > 0 {
            self.purse.earn(sent as f64 / BYTES_A_COIN as f64);
        }
    }

    /// Whether the peer has acknowledged our SETTINGS.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.is_acknowledged
    }

    /// Whether the peer owes us something that it should send without delay: the preface, the rest of a field section,
    /// or the acknowledgement of our SETTINGS (§6.5.3).
    pub(super) fn is_waiting(&self) -> bool {
        let has_fields = matches!(self.frame.kind, kind::HEADERS | kind::CONTINUATION);
        let is_in_fields = self.is_in_fields || (has_fields && self.frame.left > 0);
        self.preface_left > 0 || is_in_fields || !self.is_acknowledged
    }

    /// Why the connection is to be ended, once, if it is.
    pub(super) fn take_verdict(&mut self) -> Option<Reason> {
        let is_told = std::mem::replace(&mut self.is_told, self.verdict.is_some());
        self.verdict.filter(|_| !is_told)
    }

    /// Moves from `input` to `buf` what may be read, as far as there is room.
    pub(super) fn pass(&mut self, input: &mut BytesMut, buf: &mut ReadBuf<'_>) {
        while buf.remaining() > 0 && self.verdict.is_none() {
            if self.head_due > 0 {
                let n = self.head_due.min(buf.remaining());
                buf.put_slice(&self.head[FRAME_HEAD_LEN - self.head_due..][..n]);
                self.head_due -= n;
            } else if input.is_empty() {
                return;
            } else if self.preface_left > 0 {
                let n = self.preface_left.min(input.len()).min(buf.remaining());
                buf.put_slice(&input.split_to(n));
                self.preface_left -= n;
            } else if self.frame.left > 0 {
                let n = self.frame.left.min(input.len()).min(buf.remaining());
                let payload = input.split_to(n);
                self.verdict = self.judge_payload(&payload).err();
                // The end of what is wrong is not for h2 to see, or it would say so itself.
                if self.verdict.is_none() && !self.frame.is_ignored() {
                    buf.put_slice(&payload);
                }
            } else {
                self.receive_head(input);
            }
        }
    }

    fn receive_head(&mut self, input: &mut BytesMut) {
        let n = input.len().min(FRAME_HEAD_LEN - self.head_len);
        self.head[self.head_len..][..n].copy_from_slice(&input.split_to(n));
        self.head_len += n;
        if self.head_len == FRAME_HEAD_LEN {
            self.head_len = 0;
            self.verdict = self.judge_head().err();
            if !self.frame.is_ignored() {
                self.head_due = FRAME_HEAD_LEN;
            }
        }
    }

    fn judge_head(&mut self) -> Result<(), Reason> {
        let [a, b, c, kind, flags, stream @ ..] = self.head;
        let len = u32::from_be_bytes([0, a, b, c]) as usize;
        // The first bit is reserved (§4.1).
        let stream = u32::from_be_bytes(stream) & WINDOW_MAX;
        self.frame = Frame { kind, flags, left: len, ..Frame::default() };
        let is_legal = match kind {
            kind::PRIORITY => len == 5,
            kind::RST_STREAM | kind::WINDOW_UPDATE => len == 4,
            kind::SETTINGS if flags & flag::ACK != 0 => len == 0,
            kind::SETTINGS => len.is_multiple_of(SETTING_LEN),
            kind::PING => len == 8,
            kind::GOAWAY => len >= 8,
            _ => true,
        };
        if !is_legal {
            return Err(Reason::FRAME_SIZE_ERROR);
        }
        // A client does not push (§8.4), GOAWAY is of no stream (§6.8), and nothing interrupts a field section (§4.3).
        let is_amiss = match kind {
            kind::PUSH_PROMISE => true,
            kind::GOAWAY => stream != 0,
            _ => false,
        };
        if is_amiss || (self.is_in_fields && kind != kind::CONTINUATION) {
            return Err(Reason::PROTOCOL_ERROR);
        }
        if !matches!(kind, kind::DATA | kind::HEADERS) && !self.purse.spend() {
            return Err(Reason::ENHANCE_YOUR_CALM);
        }
        match kind {
            kind::DATA | kind::HEADERS => self.judge_stream(stream)?,
            kind::RST_STREAM => self.end(stream),
            kind::SETTINGS => self.is_acknowledged |= flags & flag::ACK != 0,
            _ => {}
        }
        if matches!(kind, kind::HEADERS | kind::CONTINUATION) {
            self.is_in_fields = flags & flag::END_HEADERS == 0;
            if len == 0 {
                return self.judge_end_of_fields();
            }
        }
        Ok(())
    }

    /// Of a stream that the peer has ended nothing more can come (§5.1).
    fn judge_stream(&mut self, stream: u32) -> Result<(), Reason> {
        let is_new = stream > self.last_stream;
        if !is_new && self.ended.contains(&stream) {
            return Err(Reason::STREAM_CLOSED);
        }
        if self.frame.kind == kind::HEADERS {
            self.fields = FieldBlock::new(!is_new);
            self.last_stream = self.last_stream.max(stream);
        }
        if self.frame.flags & flag::END_STREAM != 0 {
            self.end(stream);
        }
        Ok(())
    }

    fn end(&mut self, stream: u32) {
        if self.ended.len() == ENDED_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back(stream);
    }

    fn judge_payload(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        let Self { frame, fields, .. } = self;
        let judged = match frame.kind {
            kind::SETTINGS => frame.judge_settings(bytes),
            kind::HEADERS | kind::CONTINUATION => frame.judge_fields(bytes, fields),
            _ => Ok(()),
        };
        frame.at += bytes.len();
        frame.left -= bytes.len();
        judged?;
        let is_over = frame.left == 0 && matches!(frame.kind, kind::HEADERS | kind::CONTINUATION);
        if is_over { self.judge_end_of_fields() } else { Ok(()) }
    }

    fn judge_end_of_fields(&self) -> Result<(), Reason> {
        if self.is_in_fields || self.fields.is_whole() { Ok(()) } else { Err(Reason::COMPRESSION_ERROR) }
    }
}

impl Frame {
    /// GOAWAY of a client is about streams that we would open, and we open none. h2 would close an idle connection.
    fn is_ignored(&self) -> bool {
        self.kind == kind::GOAWAY
    }

    fn judge_settings(&mut self, bytes: &[u8]) -> Result<(), Reason> {
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
    fn judge_fields(&mut self, bytes: &[u8], fields: &mut FieldBlock) -> Result<(), Reason> {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags, 0, 0, 0, stream]);
        frame.extend(payload);
        frame
    }

    fn gate() -> Gate {
        Gate::new(Purse::new(20, Duration::from_secs(1)))
    }

    /// How much of `bytes` passes, `room` at a time.
    fn passes(gate: &mut Gate, bytes: &[u8], room: usize) -> Vec<u8> {
        let (mut input, mut passed) = (BytesMut::from(bytes), Vec::new());
        loop {
            let mut place = vec![0; room];
            let mut buf = ReadBuf::new(&mut place);
            gate.pass(&mut input, &mut buf);
            if buf.filled().is_empty() {
                return passed;
            }
            passed.extend(buf.filled());
        }
    }

    /// Passes the preface and these frames, cut in every way; how much passes at least, and the verdict.
    #[track_caller]
    fn pass_frames(frames: &[Vec<u8>]) -> (usize, Option<Reason>) {
        let bytes = [PREFACE, &frames.concat()].concat();
        let results: Vec<_> = (1..=bytes.len())
            .map(|size| {
                let mut gate = gate();
                let passed: Vec<u8> =
                    bytes.chunks(size).flat_map(|piece| passes(&mut gate, piece, 1 + size % 13)).collect();
                assert!(bytes.starts_with(&passed));
                (passed.len() - PREFACE.len(), gate.take_verdict())
            })
            .collect();
        for (passed, verdict) in &results {
            assert_eq!(*verdict, results[0].1);
            assert!(verdict.is_some() || *passed == results[0].0);
        }
        results.into_iter().min_by_key(|(passed, _)| *passed).unwrap()
    }

    #[test]
    fn frames_of_the_wrong_size_end_the_connection() {
        for (kind, flags, len) in [(6, 0, 7), (6, 0, 0), (4, 0, 5), (4, 1, 6), (3, 0, 3), (8, 0, 5), (2, 0, 4)] {
            let (passed, verdict) = pass_frames(&[frame(6, 0, 0, &[1; 8]), frame(kind, flags, 1, &vec![0; len])]);
            assert_eq!((passed, verdict), (17, Some(Reason::FRAME_SIZE_ERROR)), "{kind} {len}");
        }
        let (_, verdict) =
            pass_frames(&[frame(4, 0, 0, &[0, 3, 0, 0, 0, 9, 0, 4, 0x7f, 0xff, 0xff, 0xff]), frame(4, 1, 0, b"")]);
        assert_eq!(verdict, None);
        let (_, verdict) = pass_frames(&[frame(4, 0, 0, &[0, 3, 0, 0, 0, 9, 0, 4, 0x80, 0, 0, 0])]);
        assert_eq!(verdict, Some(Reason::FLOW_CONTROL_ERROR));
    }

    #[test]
    fn nothing_follows_the_end_of_a_stream() {
        let get = frame(1, 5, 1, &[0x82]);
        let open = frame(1, 4, 1, &[0x83]);
        for (frames, wanted) in [
            (vec![get.clone(), frame(1, 5, 3, &[0x82])], None),
            (vec![open.clone(), frame(0, 0, 1, b"a"), frame(1, 5, 1, &[0x90])], None),
            (vec![get.clone(), frame(0, 1, 1, b"a")], Some(Reason::STREAM_CLOSED)),
            (vec![get.clone(), get.clone()], Some(Reason::STREAM_CLOSED)),
            (vec![open.clone(), frame(3, 0, 1, &[0; 4]), frame(1, 5, 1, &[0x90])], Some(Reason::STREAM_CLOSED)),
            (vec![open.clone(), frame(1, 5, 1, &[0x90]), frame(0, 1, 1, b"")], Some(Reason::STREAM_CLOSED)),
            // A pseudo-field in trailers.
            (vec![open, frame(1, 5, 1, &[0x83])], Some(Reason::PROTOCOL_ERROR)),
        ] {
            assert_eq!(pass_frames(&frames).1, wanted, "{frames:?}");
        }
    }

    #[test]
    fn field_blocks_are_followed_through_padding_priority_and_continuation() {
        let literal = [0x40, 1, b'a', 2, b'b', b'c'];
        let padded = [&[2][..], &literal, &[0; 2]].concat();
        let both = [&[3, 0, 0, 0, 0, 9][..], &literal, &[0; 3]].concat();
        for (frames, wanted) in [
            (vec![frame(1, 5, 1, &literal)], None),
            (vec![frame(1, 0xd, 1, &padded)], None),
            (vec![frame(1, 0x2d, 1, &both)], None),
            (vec![frame(1, 1, 1, &literal[..2]), frame(9, 0, 1, &literal[2..3]), frame(9, 4, 1, &literal[3..])], None),
            (vec![frame(1, 1, 1, &literal[..2]), frame(9, 4, 1, b"")], Some(Reason::COMPRESSION_ERROR)),
            (vec![frame(1, 5, 1, &literal[..5])], Some(Reason::COMPRESSION_ERROR)),
            (vec![frame(1, 0xd, 1, &padded[..8])], Some(Reason::COMPRESSION_ERROR)),
            // h2's to refuse: more padding than payload.
            (vec![frame(1, 0xd, 1, &[9, 0x82])], None),
        ] {
            assert_eq!(pass_frames(&frames).1, wanted, "{frames:?}");
        }
    }

    #[test]
    fn goaway_is_for_nobody_and_nothing_comes_between_the_fields() {
        let goaway = frame(7, 0, 0, &[0; 8]);
        let ping = frame(6, 0, 0, &[1; 8]);
        let mut gate = gate();
        let passed = passes(&mut gate, &[PREFACE, &ping, &goaway, &ping].concat(), 5);
        assert_eq!(passed, [PREFACE, &ping, &ping].concat());
        assert_eq!(pass_frames(&[frame(5, 0, 1, &[0, 0, 0, 2, 0x88])]), (0, Some(Reason::PROTOCOL_ERROR)));
        assert_eq!(pass_frames(&[frame(7, 0, 1, &[0; 8])]).1, Some(Reason::PROTOCOL_ERROR));
        assert_eq!(pass_frames(&[frame(7, 0, 0, &[0; 7])]).1, Some(Reason::FRAME_SIZE_ERROR));
        assert_eq!(pass_frames(&[frame(1, 1, 1, &[0x82]), ping]), (10, Some(Reason::PROTOCOL_ERROR)));
    }

    #[test]
    fn noise_is_paid_for_and_content_earns() {
        let ping = frame(6, 0, 0, &[1; 8]);
        let mut gate = gate();
        passes(&mut gate, PREFACE, 99);
        passes(&mut gate, &frame(0, 0, 1, &[6; 300]), 99);
        assert_eq!(passes(&mut gate, &ping.repeat(20), 99).len(), 17 * 20);
        assert_eq!(gate.take_verdict(), None);
        gate.fill(Instant::now(), 2048);
        assert_eq!(passes(&mut gate, &ping.repeat(20), 99).len() / 17, 2);
        assert_eq!((gate.take_verdict(), gate.take_verdict()), (Some(Reason::ENHANCE_YOUR_CALM), None));
        assert_eq!(passes(&mut gate, &ping, 99), b"");
    }

    #[test]
    fn what_the_peer_owes_is_waited_for() {
        let mut gate = gate();
        let mut pass = |bytes: &[u8]| {
            passes(&mut gate, bytes, 99);
            (gate.is_waiting(), gate.is_acknowledged())
        };
        assert_eq!(pass(b""), (true, false));
        assert_eq!(pass(PREFACE), (true, false));
        assert_eq!(pass(&frame(4, 0, 0, &[])), (true, false));
        assert_eq!(pass(&frame(4, 1, 0, b"")), (false, true));
        assert_eq!(pass(&frame(1, 0, 1, &[0x82])), (true, true));
        let last = frame(9, 4, 1, &[0x82, 0x84]);
        assert_eq!(pass(&last[..last.len() - 1]), (true, true));
        assert_eq!(pass(&last[last.len() - 1..]), (false, true));
        assert_eq!(pass(&frame(0, 0, 1, b"content")[..12]), (false, true));
    }
}
