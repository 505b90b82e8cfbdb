//! What is kept of a request until its response has been sent: its stream, whom it came from, which of the operator's
//! fields its response gets, and its record for the access log.
//!
//! Every response goes through [`Reply::head`], [`Reply::content`] and [`Reply::finish`], so that nothing is sent
//! without its fields and nothing without being counted. Records wait in the [`Journal`] until the bytes have left.

use std::time::Instant;

use super::access_log::{AccessLog, Record};
use super::context::Context;
use crate::base::chunk::Chunk;
use crate::base::send_queue::SendQueue;
use crate::http::message::{ContentLength, Peer, Request};
use crate::http::peer_error::PeerError;
use crate::http::shared_head::Head;
use crate::protocol::{Protocol, StreamId};
use crate::site::header_rules::Selection;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) id: StreamId,
    /// The two ends, as the client sees them.
    pub(super) peer: Peer,
    rules: Selection,
    /// None when nothing is logged.
    record: Option<Box<Record>>,
}

impl Reply {
    /// For a request that has just come, or for what could not be read as one.
    pub(super) fn new(id: StreamId, peer: Peer, request: Option<&Request>, cx: &Context<'_>) -> Self {
        let begin = || Box::new(Record::new(request, peer.remote.ip(), cx.now, cx.wall));
        let record = cx.access_log.is_some().then(begin);
        Self { id, peer, rules: cx.options.headers.select(request), record }
    }

    /// Takes note of what the peer did wrong.
    pub(super) fn set_error(&mut self, error: PeerError) {
        if let Some(record) = &mut self.record {
            record.error = Some(error);
        }
    }

    /// Sends the head of the response, with the operator's fields.
    pub(super) fn head(
        &mut self,
        protocol: &mut Protocol,
        head: Head,
        length: ContentLength,
        out: &mut SendQueue,
        cx: &Context<'_>,
    ) {
        if let Some(record) = &mut self.record {
            record.status = Some(head.status());
        }
        match head {
            Head::Shared(head) if self.rules.changes_nothing() => {
                protocol.send_shared(self.id, &head, length, cx.date, out);
            }
            head => {
                let mut response = head.into_response();
                self.rules.apply(&mut response);
                protocol.send_response(self.id, response, length, cx.date, out);
            }
        }
    }

    /// Sends a piece of content.
    pub(super) fn content(&mut self, protocol: &mut Protocol, chunk: Chunk, out: &mut SendQueue) {
        let bytes = protocol.send_content(self.id, chunk, out);
        self.count(bytes);
    }

    /// The response is complete. True if it lies in the send queue.
    pub(super) fn finish(&mut self, protocol: &mut Protocol, out: &mut SendQueue) -> bool {
        let before = out.len();
        let is_queued = protocol.finish(self.id, out);
        self.count(out.len() - before);
        is_queued
    }

    fn count(&mut self, bytes: u64) {
        if let Some(record) = &mut self.record {
            record.content_bytes += bytes;
        }
    }
}

/// Records of responses that are on their way out, or will never be complete. Empty when nothing is logged.
#[derive(Debug, Default)]
pub(super) struct Journal {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    record: Box<Record>,
    /// Bytes in the send queue up to the response's last.
    unsent: u64,
    /// There is nothing to come but those.
    is_finished: bool,
}

impl Journal {
    /// A response ends with the last of `unsent` bytes in the send queue, or, unless it is finished, before its time.
    pub(super) fn add(&mut self, reply: Reply, is_finished: bool, unsent: u64) {
        if let Some(record) = reply.record {
            self.entries.push(Entry { record, unsent, is_finished });
        }
    }

    /// So many bytes have left. Logs the responses that have left with them.
    pub(super) fn sent(&mut self, bytes: u64, cx: &mut Context<'_>) {
        let Some(log) = cx.access_log.as_deref_mut() else { return };
        self.entries.retain_mut(|entry| {
            entry.unsent = entry.unsent.saturating_sub(bytes);
            let is_sent = entry.is_finished && entry.unsent == 0;
            if is_sent {
                log.write(&entry.record, true, cx.now);
            }
            !is_sent
        });
    }

    /// Nothing more will leave. Logs the responses that have not.
    pub(super) fn abandon(&mut self, log: &mut AccessLog, now: Instant) {
        for Entry { mut record, unsent, .. } in self.entries.drain(..) {
            // What is unsent is the end of the response.
            record.content_bytes = record.content_bytes.saturating_sub(unsent);
            log.write(&record, false, now);
        }
    }
}
