//! A fake PHP: workers behind a bounded queue that are slow, silent, chatty, flush, finish early, announce a wrong length,
//! or die. A worker takes one step at a time and never blocks; where a thread would wait for room, it waits here too.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use ephpm::base::limits::{OUTPUT_BLOCK_BYTES, RESPONSE_BUFFER_HIGH, RESPONSE_BUFFER_LOW};
use ephpm::exchange::Responder;
use ephpm::http::message::Response;
use ephpm::http::method::Method;
use ephpm::http::status::Status;

use super::queue::SimQueue;
use super::random::Random;

/// What became of one request in PHP.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    /// PHP's own Content-Length.
    pub(crate) announced: Option<u64>,
    /// Bytes written before the response was finished.
    pub(crate) produced: u64,
    /// Whether the head was sent, and the response finished.
    pub(crate) has_head: bool,
    pub(crate) is_finished: bool,
    /// PHP is done with it.
    pub(crate) is_over: bool,
    /// The head lets the content be encoded.
    pub(crate) is_encodable: bool,
}

impl Record {
    /// Whether PHP has done its part for a whole response.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_finished && self.has_head && self.announced.is_none_or(|announced| announced <= self.produced)
    }
}

/// All of PHP.
pub(crate) struct SimPhp {
    pub(crate) queue: Arc<SimQueue>,
    pub(crate) workers: Vec<Option<Worker>>,
    /// By the number that a request carries in its query.
    pub(crate) records: HashMap<u64, Record>,
    /// Clients say truly how much content they send.
    pub(crate) believes: bool,
    /// What the loop does not pull goes to files, and no worker waits for room.
    pub(crate) spills: bool,
}

/// A script under way.
pub(crate) struct Worker {
    responder: Box<Responder>,
    id: u64,
    record: Record,
    steps: VecDeque<Step>,
    wakes_at: Instant,
    /// A thread would wait for the loop to pull.
    waits_for_room: bool,
    spills: bool,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Sleep(Duration),
    Head { announced: Option<u64>, kind: &'static [(&'static str, &'static str)] },
    Write(usize),
    Flush,
    Finish,
    Complete,
    Die,
}

/// What heads say of the content. Only the first lets it be encoded.
const KINDS: [&[(&str, &str)]; 4] = [
    &[("Content-Type", "text/html; charset=UTF-8"), ("ETag", STRONG_TAG)],
    &[],
    &[("Content-Type", "text/html"), ("Cache-Control", "no-transform"), ("ETag", STRONG_TAG)],
    &[("Content-Type", "text/event-stream")],
];
pub(crate) const STRONG_TAG: &str = "\"tag\"";

/// `len` bytes from `offset` on of the content that belongs to `id`: noise, which no coding makes shorter, or what all
/// of them do.
pub(crate) fn pattern(id: u64, offset: u64, len: usize) -> &'static [u8] {
    static NOISE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut random = Random::new(0);
        (0..1 << 20).map(|_| random.below(256) as u8).collect()
    });
    static TEXT: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut random = Random::new(1);
        (0..1 << 16).flat_map(|_| b"<p>The quick brown fox</p>\n"[random.below(9)..].to_vec()).collect()
    });
    let from = id as usize % 1000 * 7 + offset as usize;
    let all = if id.is_multiple_of(2) { &TEXT } else { &NOISE };
    &all[from..from + len]
}

impl SimPhp {
    pub(crate) fn new(random: &mut Random, spills: bool) -> Self {
        let queue = SimQueue::new(random.pick(&[1, 2, 8]));
        let workers = random.pick(&[1, 2, 3, 12]);
        Self {
            queue: Arc::new(queue),
            workers: (0..workers).map(|_| None).collect(),
            records: HashMap::new(),
            believes: true,
            spills,
        }
    }

    /// Exchanges whose PHP side is alive.
    pub(crate) fn alive(&self) -> usize {
        self.queue.len() + self.workers.iter().flatten().count()
    }

    pub(crate) fn can_step(&self, index: usize, now: Instant) -> bool {
        match &self.workers[index] {
            None => self.queue.is_awake(index),
            Some(worker) => worker.wakes_at <= now && !worker.is_waiting(),
        }
    }

    /// When a sleeping worker wakes.
    pub(crate) fn next_wake(&self, now: Instant) -> Option<Instant> {
        self.workers.iter().flatten().map(|worker| worker.wakes_at).filter(|wake| *wake > now).min()
    }

    pub(crate) fn step(&mut self, index: usize, random: &mut Random, now: Instant) {
        let Some(worker) = &mut self.workers[index] else {
            let Some(mut responder) = self.queue.look(index) else { return };
            if responder.start() {
                if self.believes {
                    check_content(&mut responder, random);
                }
                self.workers[index] = Some(Worker::new(responder, random, now, self.spills));
            }
            return;
        };
        worker.record.is_over = !worker.step(random, now);
        self.records.insert(worker.id, worker.record.clone());
        if !worker.record.is_over {
            return;
        }
        let Some(worker) = self.workers[index].take() else { return };
        if worker.steps.is_empty() {
            worker.responder.complete();
        }
    }
}

impl Worker {
    fn new(responder: Box<Responder>, random: &mut Random, now: Instant, spills: bool) -> Self {
        let (id, record, steps) = (id_of(&responder), Record::default(), script(random));
        Self { responder, id, record, steps, wakes_at: now, waits_for_room: false, spills }
    }

    fn is_waiting(&self) -> bool {
        self.waits_for_room && self.responder.buffered() > RESPONSE_BUFFER_LOW && !self.responder.is_aborted()
    }

    /// Takes a step; false when the script is over: with steps left it was cut short.
    fn step(&mut self, random: &mut Random, now: Instant) -> bool {
        // The end waits for nothing, so that the thread is free: it may add what had gathered.
        let most = RESPONSE_BUFFER_HIGH + OUTPUT_BLOCK_BYTES;
        assert!(self.responder.buffered() <= most, "the exchange's buffer is above its limit");
        let Some(step) = self.steps.front().copied() else { return false };
        if matches!(step, Step::Write(_) | Step::Flush) && !self.record.is_finished {
            // One block more could make the thread wait, and then it would until the low mark.
            self.waits_for_room = !self.spills && self.responder.buffered() + OUTPUT_BLOCK_BYTES > RESPONSE_BUFFER_HIGH;
            if self.is_waiting() {
                return true;
            }
        }
        let (mut aborted, record) = (false, &mut self.record);
        match step {
            Step::Sleep(time) => self.wakes_at = now + time,
            Step::Head { announced, kind } => {
                let mut response = Response::new(Status::OK);
                response.headers.add("X-Request", self.id.to_string().as_bytes());
                if let Some(announced) = announced {
                    response.headers.add("Content-Length", announced.to_string().as_bytes());
                }
                kind.iter().for_each(|(name, value)| response.headers.add(name, value.as_bytes()));
                record.is_encodable = kind == KINDS[0];
                self.responder.send_head(response);
                record.has_head = true;
                record.announced = announced;
            }
            Step::Write(len) => {
                let from = record.produced;
                aborted = self.responder.write(pattern(self.id, from, len)).is_err();
                if !record.is_finished {
                    record.produced += len as u64;
                }
            }
            Step::Flush => aborted = self.responder.flush().is_err(),
            Step::Finish => {
                self.responder.finish();
                record.is_finished = true;
            }
            Step::Complete => record.is_finished = true,
            Step::Die => return false,
        }
        // Most scripts end when the client has gone; some do not care.
        if aborted && !random.one_in(4) {
            return false;
        }
        self.steps.pop_front();
        !matches!(step, Step::Complete)
    }
}

/// What a script does.
fn script(random: &mut Random) -> VecDeque<Step> {
    let mut steps = VecDeque::new();
    if random.one_in(4) {
        steps.push_back(Step::Sleep(Duration::from_millis(random.pick(&[1, 50, 3_000, 29_000, 100_000]))));
    }
    if random.one_in(12) {
        steps.push_back(if random.one_in(2) { Step::Die } else { Step::Complete });
        return steps;
    }
    let writes = random.pick(&[0, 1, 1, 2, 3, 6, 12]);
    let unit = random.pick(&[1, 10, 1_000, 30_000, OUTPUT_BLOCK_BYTES - 1, OUTPUT_BLOCK_BYTES]);
    let sizes: Vec<usize> = (0..writes).map(|_| random.pick(&[unit, unit / 2 + 1])).collect();
    let total = sizes.iter().sum::<usize>() as u64;
    let announced = match random.below(8) {
        0 | 1 => Some(total),
        2 => Some(total + random.pick(&[1, 500])),
        3 => Some(total / 2),
        _ => None,
    };
    let kind = random.pick(&[KINDS[0], KINDS[0], KINDS[0], KINDS[1], KINDS[2], KINDS[3]]);
    steps.push_back(Step::Head { announced, kind });
    for size in sizes {
        steps.push_back(Step::Write(size));
        match random.below(16) {
            0..4 => steps.push_back(Step::Flush),
            4 => steps.push_back(Step::Sleep(Duration::from_millis(random.pick(&[1, 900, 45_000])))),
            5 if random.one_in(4) => {
                steps.push_back(Step::Die);
                return steps;
            }
            _ => {}
        }
    }
    if random.one_in(6) {
        steps.push_back(Step::Finish);
        steps.push_back(Step::Write(1 + random.below(1000)));
        steps.push_back(Step::Sleep(Duration::from_millis(random.pick(&[1, 700, 40_000]))));
        if random.one_in(4) {
            steps.push_back(Step::Die);
        }
    }
    steps.push_back(Step::Complete);
    steps
}

/// The number that a request carries in its query.
fn id_of(responder: &Responder) -> u64 {
    let query = responder.job().request.query().and_then(|query| std::str::from_utf8(query).ok());
    query.and_then(|query| query.parse().ok()).unwrap_or(0)
}

/// Reads the content and compares it with what the client was to send.
fn check_content(responder: &mut Responder, random: &mut Random) {
    let id = id_of(responder);
    let request = &responder.job().request;
    let sent = request.headers.get("X-Length").and_then(|value| std::str::from_utf8(value).ok()?.parse::<u64>().ok());
    let is_post = request.method == Method::Post;
    let Some(sent) = sent.filter(|_| is_post) else { return };
    let mut offset = 0;
    let mut buf = vec![0; random.pick(&[100, 10_000])];
    loop {
        let n = responder.read_content(&mut buf);
        assert!(buf[..n] == *pattern(id, offset, n), "content of request {id} at {offset}");
        offset += n as u64;
        if n < buf.len() {
            break;
        }
    }
    assert_eq!(offset, sent, "the length of request {id}'s content");
}
