//! What a process is at, as it stands on the board that all processes read: numbers and texts with their lengths, one
//! after another, in the order of the fields. Writer and reader are copies of one program, so that nothing names them.
//!
//! What is read may have been written by a process that was about to crash: it is refused or wrong, and bounded.

use std::time::Duration;

use super::{Figures, TEXT_BYTES_MAX, cut};
use crate::http::method::Method;
use crate::php::{OpcacheStatus, PoolStatus, QueueStatus, RequestStatus, Snapshot, ThreadState, ThreadStatus, Totals};
use crate::program::status::json::figures as opcache_figures;

const NUMBER_BYTES: usize = size_of::<u64>();
/// The name of a pool, of a method.
const NAME_BYTES_MAX: usize = 32;
const THREAD_BYTES_MAX: usize = 16 * NUMBER_BYTES + NAME_BYTES_MAX + 2 * TEXT_BYTES_MAX;
const POOL_BYTES_MAX: usize = 8 * NUMBER_BYTES + NAME_BYTES_MAX;
/// What comes once.
const REST_BYTES_MAX: usize = 64 * NUMBER_BYTES;

const STATES: [ThreadState; 6] = [
    ThreadState::Starting,
    ThreadState::Waiting,
    ThreadState::Running,
    ThreadState::Lost,
    ThreadState::Restarting,
    ThreadState::Stopping,
];

/// Room for a process with so many PHP threads, as many of which may be lost, of so many pools, and so many event loops.
pub(in crate::program) fn bytes_max(threads: usize, pools: usize, loops: usize) -> usize {
    2 * threads * THREAD_BYTES_MAX + pools * POOL_BYTES_MAX + loops * NUMBER_BYTES + REST_BYTES_MAX
}

pub(super) fn write(figures: &Figures) -> Vec<u8> {
    let mut text = Writer(Vec::new());
    text.number(figures.pid.into());
    text.duration(figures.told_at);
    text.duration(figures.started_at);
    text.duration(figures.uptime);
    text.list(&figures.connections, |text, count| text.number(*count as u64));
    let Snapshot { threads, lost, pools, restarting, totals } = &figures.php;
    text.list(threads, Writer::thread);
    text.list(lost, Writer::thread);
    text.list(pools, |text, PoolStatus { name, threads, queue }| {
        text.bytes(name.as_bytes());
        [threads.start, threads.end, queue.len, queue.capacity].iter().for_each(|number| text.number(*number as u64));
        text.option(queue.oldest_wait, Writer::duration);
    });
    text.number(*restarting as u64);
    let Totals { requests, timeouts, slow, lost, recycled, unhealthy, opcache_restarts } = *totals;
    [requests, timeouts, slow, lost, recycled, unhealthy, opcache_restarts]
        .iter()
        .for_each(|count| text.number(*count));
    text.option(figures.opcache, |text, (status, age)| {
        text.duration(age);
        opcache_figures(&status).iter().for_each(|(_, value)| text.number(*value));
        [status.restart_pending, status.is_full].iter().for_each(|is| text.number((*is).into()));
    });
    text.0
}

/// Nothing, if it is no such text.
pub(super) fn read(text: &[u8]) -> Option<Figures> {
    let mut text = Reader(text);
    let figures = Figures {
        pid: u32::try_from(text.number()?).ok()?,
        told_at: text.duration()?,
        started_at: text.duration()?,
        uptime: text.duration()?,
        connections: text.list(Reader::size)?,
        php: Snapshot {
            threads: text.list(Reader::thread)?,
            lost: text.list(Reader::thread)?,
            pools: text.list(Reader::pool)?,
            restarting: text.size()?,
            totals: Totals {
                requests: text.number()?,
                timeouts: text.number()?,
                slow: text.number()?,
                lost: text.number()?,
                recycled: text.number()?,
                unhealthy: text.number()?,
                opcache_restarts: text.number()?,
            },
        },
        opcache: text.option(|text| Some((text.duration()?, text.opcache()?)))?.map(|(age, status)| (status, age)),
    };
    text.0.is_empty().then_some(figures)
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_ne_bytes());
    }

    fn duration(&mut self, duration: Duration) {
        self.number(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn list<T>(&mut self, items: &[T], write: impl Fn(&mut Self, &T)) {
        self.number(items.len() as u64);
        items.iter().for_each(|item| write(self, item));
    }

    fn option<T>(&mut self, item: Option<T>, write: impl Fn(&mut Self, T)) {
        self.number(item.is_some().into());
        item.into_iter().for_each(|item| write(self, item));
    }

    fn thread(&mut self, thread: &ThreadStatus) {
        self.number(thread.number as u64);
        self.number(thread.state as u64);
        self.duration(thread.state_age);
        self.number(thread.requests);
        self.number(thread.generation);
        self.option(thread.request.as_ref(), |text, request| {
            [request.method.as_bytes(), cut(&request.uri), cut(&request.script)]
                .iter()
                .for_each(|bytes| text.bytes(bytes));
        });
        self.number(thread.memory_peak_bytes as u64);
        self.number(thread.memory_held_bytes as u64);
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_ne_bytes(*number))
    }

    fn size(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    fn duration(&mut self) -> Option<Duration> {
        self.number().map(Duration::from_micros)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.size()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    fn list<T>(&mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        // Each item takes a number at least, so that no memory is asked for that could not be needed.
        (0..self.number()?).map(|_| read(self)).collect()
    }

    fn option<T>(&mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.number()? {
            0 => Some(None),
            _ => read(self).map(Some),
        }
    }

    fn thread(&mut self) -> Option<ThreadStatus> {
        Some(ThreadStatus {
            number: self.size()?,
            state: *STATES.get(self.size()?)?,
            state_age: self.duration()?,
            requests: self.number()?,
            generation: self.number()?,
            request: self.option(|text| {
                let method = Method::from_bytes(text.bytes()?)?.as_str();
                Some(RequestStatus { method, uri: text.bytes()?.to_vec(), script: text.bytes()?.to_vec() })
            })?,
            memory_peak_bytes: self.size()?,
            memory_held_bytes: self.size()?,
        })
    }

    fn pool(&mut self) -> Option<PoolStatus> {
        Some(PoolStatus {
            name: str::from_utf8(self.bytes()?).ok()?.to_owned(),
            threads: self.size()?..self.size()?,
            queue: QueueStatus { len: self.size()?, capacity: self.size()?, oldest_wait: self.option(Self::duration)? },
        })
    }

    fn opcache(&mut self) -> Option<OpcacheStatus> {
        Some(OpcacheStatus {
            memory_used_bytes: self.number()?,
            memory_free_bytes: self.number()?,
            memory_wasted_bytes: self.number()?,
            strings_used_bytes: self.number()?,
            strings_free_bytes: self.number()?,
            strings: self.number()?,
            scripts: self.number()?,
            keys: self.number()?,
            keys_max: self.number()?,
            hits: self.number()?,
            misses: self.number()?,
            restarts_out_of_memory: self.number()?,
            restarts_hash_overflow: self.number()?,
            restarts_reset: self.number()?,
            restart_pending: self.number()? != 0,
            is_full: self.number()? != 0,
        })
    }
}
