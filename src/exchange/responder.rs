//! PHP's side of an exchange. Its verbs may block, so only a PHP thread may call them.

use std::sync::Arc;

use bytes::BytesMut;

use super::expiry::Expiry;
use super::job::Job;
use super::state::{End, Exchange, Phase, Reply};
use crate::base::limits::{INTERIM_HEADS_MAX, OUTPUT_BLOCK_BYTES};
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
    /// There is none (204, 304): what PHP writes goes nowhere.
    NoContent,
    /// There is none, since the request was HEAD. Holds the length that PHP announced.
    Head(Option<u64>),
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

    /// A way to end the response without PHP, for whoever watches the thread.
    pub fn expiry(&self) -> Expiry {
        Expiry::new(Arc::clone(&self.exchange))
    }

    /// Whether somebody still waits for the request to be started.
    pub fn is_wanted(&self) -> bool {
        self.exchange.is_queued()
    }

    /// Takes the request out of the queue. False if nobody waits for it any more: drop it then.
    pub fn start(&mut self) -> bool {
        self.exchange.leave_queue(Phase::Running) && !self.exchange.is_aborted()
    }

    /// Reads request content until `buf` is full or the content ends, and returns how much was read.
    pub fn read_content(&mut self, buf: &mut [u8]) -> usize {
        self.job.content.read(buf)
    }

    /// Bytes in memory that were handed over and that the loop has not pulled: at most
    /// [`RESPONSE_BUFFER_HIGH`](crate::base::limits::RESPONSE_BUFFER_HIGH), and a block more at the end.
    pub fn buffered(&self) -> usize {
        self.exchange.lock().buffered
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
            Promise::Head(announced)
        } else if response.status.forbids_content() {
            Promise::NoContent
        } else {
            announced.map_or(Promise::Open, Promise::Exact)
        };
        self.output = Output::Gathering { response, content };
    }

    /// Sends an interim head (RFC 9110 §15.2), before the response's own. Too many that nobody pulls are dropped: they
    /// are hints.
    pub fn send_interim(&mut self, response: Response) {
        if !matches!(self.output, Output::Await) {
            return;
        }
        let mut state = self.exchange.lock();
        if state.interim.len() < INTERIM_HEADS_MAX && !self.exchange.is_aborted() {
            state.interim.push_back(response);
            self.exchange.ring(state);
        }
    }

    /// Appends content. Waits while the loop has too much of it unsent and it may not go to a file.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), Aborted> {
        let content = match &mut self.output {
            Output::Finished => return Ok(()),
            Output::Await => {
                debug_assert!(false, "content before the head");
                return Ok(());
            }
            Output::Gathering { content, .. } | Output::Streaming { content } => content,
        };
        if matches!(content, Promise::NoContent | Promise::Head(_)) {
            bytes = &[];
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
        self.end(false);
    }

    /// Ends the response with the last that PHP does for it: the loop hears of both at once.
    pub fn complete(mut self: Box<Self>) {
        self.end(true);
    }

    fn end(&mut self, released: bool) {
        let output = std::mem::replace(&mut self.output, Output::Finished);
        let mut chunk = self.pending.split().freeze();
        let mut state = self.exchange.lock();
        if state.released {
            return;
        }
        state.released = released;
        match output {
            Output::Finished if released => {}
            Output::Finished => return,
            // It has expired.
            _ if state.is_over() => chunk.clear(),
            Output::Await => state.reply = Reply::Over(End::Failed),
            Output::Gathering { response, content } => {
                let length = content.length(chunk.len() as u64);
                state.reply = Reply::Head { response, length, end: Some(End::Complete) };
            }
            Output::Streaming { content } => {
                let end = match content {
                    Promise::Exact(left) => {
                        chunk.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                        if (chunk.len() as u64) < left { End::Failed } else { End::Complete }
                    }
                    Promise::NoContent | Promise::Head(_) | Promise::Open => End::Complete,
                };
                state.end(end);
            }
        }
        state.push(chunk);
        self.exchange.ring(state);
    }

    fn hand_over(&mut self) -> Result<(), Aborted> {
        let mut chunk = self.pending.split().freeze();
        if chunk.len() == OUTPUT_BLOCK_BYTES {
            // More will follow.
            self.pending.reserve(OUTPUT_BLOCK_BYTES);
        }
        let output = std::mem::replace(&mut self.output, Output::Finished);
        let (head, mut content) = match output {
            Output::Gathering { response, content } => (Some(response), content),
            Output::Streaming { content } => (None, content),
            Output::Await | Output::Finished => unreachable!("only a response that is under way is handed over"),
        };
        let length = match content {
            Promise::Exact(left) => ContentLength::Exact(left),
            Promise::Open => ContentLength::Unknown,
            Promise::NoContent | Promise::Head(_) => content.length(0),
        };
        if let Promise::Exact(left) = &mut content {
            chunk.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= chunk.len() as u64;
        }
        self.output = Output::Streaming { content };

        let mut state = self.exchange.lock();
        if self.exchange.is_aborted() {
            return Err(Aborted);
        }
        if let Some(response) = head {
            // Nothing is there before it, so that what comes with it finds room.
            state.reply = Reply::Head { response, length, end: None };
        } else if chunk.is_empty() {
            return Ok(());
        }
        let state = self.exchange.put(state, chunk)?;
        self.exchange.ring(state);
        Ok(())
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        let mut state = self.exchange.lock();
        if std::mem::replace(&mut state.released, true) {
            return;
        }
        if !matches!(self.output, Output::Finished) && !state.is_over() {
            state.end(End::Failed);
        }
        self.exchange.ring(state);
    }
}

impl Promise {
    /// The length to announce when the content is known to be `written` bytes. PHP's own figure counts only where
    /// there is no content to count: a page that fits one block gets the length that it has.
    fn length(self, written: u64) -> ContentLength {
        match self {
            Self::NoContent => ContentLength::Exact(0),
            Self::Head(announced) => announced.map_or(ContentLength::Unknown, ContentLength::Exact),
            Self::Exact(_) | Self::Open => ContentLength::Exact(written),
        }
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
