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
use super::frame::{FRAME_HEAD_LEN, Frame, flag, kind};
use super::purse::Purse;

/// What an HTTP/2 client sends first (RFC 9113 §3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Sent content that earns a coin. Some clients send two updates for each 4 KiB they have read.
const BYTES_A_COIN: u64 = 1024;
/// Streams that are remembered as ended by the peer.
const ENDED_MAX: usize = 128;

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
        let is_in_fields = self.is_in_fields || (self.frame.has_fields() && self.frame.left > 0);
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
        self.frame = Frame::new(self.head);
        let Frame { kind, flags, stream, .. } = self.frame;
        self.frame.judge_size()?;
        // Nothing interrupts a field section (§4.3).
        if self.frame.is_amiss() || (self.is_in_fields && kind != kind::CONTINUATION) {
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
        if self.frame.has_fields() {
            self.is_in_fields = flags & flag::END_HEADERS == 0;
            if self.frame.left == 0 {
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
        let is_over = frame.left == 0 && frame.has_fields();
        if is_over { self.judge_end_of_fields() } else { Ok(()) }
    }

    fn judge_end_of_fields(&self) -> Result<(), Reason> {
        if self.is_in_fields || self.fields.is_whole() { Ok(()) } else { Err(Reason::COMPRESSION_ERROR) }
    }
}

#[cfg(test)]
mod tests;
