//! PHP's side of an exchange. Its verbs may block, so only a PHP thread may call them.

use std::sync::{Arc, PoisonError};

use bytes::BytesMut;

use super::Job;
use super::state::{End, Exchange, Phase, Reply};
use crate::base::limits::{OUTPUT_BLOCK_BYTES, RESPONSE_BUFFER_HIGH, RESPONSE_BUFFER_LOW};
use crate::http::message::{ContentLength, Response};
use crate::http::method::Method;

/// The client is gone: nobody reads what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aborted;

/// PHP's side of one request. Dropping it before [`finish`](Self::finish) tells the loop that PHP has failed.
///
/// Output gathers here, without a lock, until it fills a block, is flushed or ends; so a page below 64 KiB crosses to
/// the loop once, as a whole, and its length is known.
#[derive(Debug)]
pub struct Responder {
    exchange: Arc<Exchange>,
    job: Job,
    output: Output,
    /// Content gathered and not handed over.
    pending: BytesMut,
}

/// How far the response has come, on this side:
///
/// ```text
/// Await ──send_head──▶ Gathering ──block, flush──▶ Streaming ──finish──▶ Finished
///   └──────────────────────┴────────────finish──────────────────────────────▲
/// ```
#[derive(Debug)]
enum Output {
    /// No head yet.
    Await,
    /// A head that has not been handed over: if the end comes first, the length of the content is known.
    Gathering { response: Response, content: Promise },
    /// The head has been handed over.
    Streaming { content: Promise },
    /// The response has ended; what is written now goes nowhere.
    Finished,
}

/// What the head says of the content.
#[derive(Debug, Clone, Copy)]
enum Promise {
    /// There is none (HEAD, 204, 304): what PHP writes goes nowhere. Holds the length that PHP announced.
    Nothing(Option<u64>),
    /// So many more bytes, as PHP's own Content-Length says.
    Exact(u64),
    /// As many as come.
    Open,
}

impl Responder {
    pub(super) fn new(exchange: Arc<Exchange>, job: Job) -> Self {
        Self { exchange, job, output: Output::Await, pending: BytesMut::new() }
    }

    /// The request.
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// Takes the request out of the queue. False if nobody waits for it any more: drop it then.
    pub fn start(&mut self) -> bool {
        self.exchange.leave_queue(Phase::Running) && !self.exchange.is_aborted()
    }

    /// Reads request content until `buf` is full or the content ends, and returns how much was read.
    pub fn read_content(&mut self, buf: &mut [u8]) -> usize {
        self.job.content.read(buf)
    }

    /// Whether the client has gone. After [`finish`](Self::finish) this no longer changes PHP's mind: it is false.
    pub fn is_aborted(&self) -> bool {
        !matches!(self.output, Output::Finished) && self.exchange.is_aborted()
    }

    /// Sets the response head; the first one counts. A Content-Length among its fields is taken out of them: it
    /// bounds the content, and if the content is short of it in the end, the response fails.
    pub fn send_head(&mut self, mut response: Response) {
        if !matches!(self.output, Output::Await) {
            return;
        }
        let announced = response.headers.get("Content-Length").and_then(parse_length);
        response.headers.remove("Content-Length");
        let content = if self.job.request.method == Method::Head {
            Promise::Nothing(announced)
        } else if response.status.forbids_content() {
            Promise::Nothing(None)
        } else {
            announced.map_or(Promise::Open, Promise::Exact)
        };
        self.output = Output::Gathering { response, content };
    }

    /// Appends content. Waits while the loop has too much of it unsent.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), Aborted> {
        let content = match &mut self.output {
            Output::Finished => return Ok(()),
            Output::Await => {
                debug_assert!(false, "content before the head");
                return Ok(());
            }
            Output::Gathering { content, .. } | Output::Streaming { content } => content,
        };
        match content {
            Promise::Nothing(_) => bytes = &[],
            // A page that fits one block gets the length that it has, whatever PHP announced; see `finish`.
            Promise::Exact(_) | Promise::Open => {}
        }
        while !bytes.is_empty() {
            let room = OUTPUT_BLOCK_BYTES - self.pending.len();
            let (now, later) = bytes.split_at(bytes.len().min(room));
            self.pending.extend_from_slice(now);
            bytes = later;
            if self.pending.len() == OUTPUT_BLOCK_BYTES {
                self.hand_over()?;
            }
        }
        if self.exchange.is_aborted() { Err(Aborted) } else { Ok(()) }
    }

    /// Hands over all that has been written, the head first.
    pub fn flush(&mut self) -> Result<(), Aborted> {
        match self.output {
            Output::Finished | Output::Await => Ok(()),
            Output::Gathering { .. } | Output::Streaming { .. } => self.hand_over(),
        }
    }

    /// Ends the response. PHP may go on; what it writes from now on goes nowhere.
    pub fn finish(&mut self) {
        let output = std::mem::replace(&mut self.output, Output::Finished);
        let chunk = self.pending.split().freeze();
        let mut state = self.exchange.lock();
        match output {
            Output::Finished => return,
            Output::Await => state.reply = Reply::Over(End::Failed),
            Output::Gathering { response, content } => {
                let length = match content {
                    Promise::Nothing(Some(announced)) => ContentLength::Exact(announced),
                    Promise::Nothing(None) if self.job.request.method == Method::Head => ContentLength::Unknown,
                    Promise::Nothing(None) => ContentLength::Exact(0),
                    Promise::Exact(_) | Promise::Open => ContentLength::Exact(chunk.len() as u64),
                };
                state.reply = Reply::Head { response, length, end: Some(End::Complete) };
                state.buffered += chunk.len();
                if !chunk.is_empty() {
                    state.chunks.push_back(chunk);
                }
            }
            Output::Streaming { content } => {
                let mut chunk = chunk;
                let end = match content {
                    Promise::Exact(left) => {
                        chunk.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                        if (chunk.len() as u64) < left { End::Failed } else { End::Complete }
                    }
                    Promise::Nothing(_) | Promise::Open => End::Complete,
                };
                state.buffered += chunk.len();
                if !chunk.is_empty() {
                    state.chunks.push_back(chunk);
                }
                match &mut state.reply {
                    Reply::Head { end: head_end, .. } => *head_end = Some(end),
                    reply => *reply = Reply::Over(end),
                }
            }
        }
        self.exchange.ring(state);
    }

    fn hand_over(&mut self) -> Result<(), Aborted> {
        let mut chunk = self.pending.split().freeze();
        let output = std::mem::replace(&mut self.output, Output::Finished);
        let (head, mut content) = match output {
            Output::Gathering { response, content } => (Some(response), content),
            Output::Streaming { content } => (None, content),
            Output::Await | Output::Finished => unreachable!("only a response that is under way is handed over"),
        };
        let length = match content {
            Promise::Nothing(None) if self.job.request.method != Method::Head => ContentLength::Exact(0),
            Promise::Nothing(announced) => announced.map_or(ContentLength::Unknown, ContentLength::Exact),
            Promise::Exact(left) => ContentLength::Exact(left),
            Promise::Open => ContentLength::Unknown,
        };
        if let Promise::Exact(left) = &mut content {
            chunk.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= chunk.len() as u64;
        }
        self.output = Output::Streaming { content };

        let mut state = self.exchange.lock();
        let high = RESPONSE_BUFFER_HIGH.saturating_sub(chunk.len());
        if state.buffered > high {
            // Past the high mark it waits for the low one, so that the two threads do not wake each other per block.
            while state.buffered > RESPONSE_BUFFER_LOW && !self.exchange.is_aborted() {
                state = self.exchange.drained.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        if self.exchange.is_aborted() {
            return Err(Aborted);
        }
        if let Some(response) = head {
            state.reply = Reply::Head { response, length, end: None };
        } else if chunk.is_empty() {
            return Ok(());
        }
        state.buffered += chunk.len();
        if !chunk.is_empty() {
            state.chunks.push_back(chunk);
        }
        self.exchange.ring(state);
        Ok(())
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        let mut state = self.exchange.lock();
        state.released = true;
        match (&self.output, &mut state.reply) {
            (Output::Finished, _) => {}
            (_, Reply::Head { end, .. }) => *end = Some(End::Failed),
            (_, reply) => *reply = Reply::Over(End::Failed),
        }
        self.exchange.ring(state);
    }
}

/// A Content-Length of 1*DIGIT; anything else that PHP may have set counts as none.
fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}
