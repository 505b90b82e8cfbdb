//! How the threads that run scripts are to be: their number, their limits, and which of them are kept for what.

use std::sync::Arc;
use std::time::Duration;

use crate::base::black_box::BlackBox;
use crate::base::limits;
use crate::php::info::Info;
use crate::php::line::Line;
use crate::php::slow::SlowSink;
use crate::site::server_vars::ServerOptions;

/// How a pool is to be.
#[derive(Debug, Clone)]
pub struct PoolOptions {
    /// How many threads, at least 1. A libphp without thread safety has one in any case.
    pub threads: usize,
    /// How many requests may wait for a thread.
    pub queue_max: usize,
    /// Threads besides those, each group for its own requests: [`Job::pool`](crate::exchange::Job::pool) is 1 for the
    /// first. A libphp without thread safety has none.
    pub named: Vec<NamedPool>,
    /// What `$_SERVER` says of the server.
    pub server: ServerOptions,
    /// The stack of a thread, in bytes. Only what is used takes memory. PHP's own limit
    /// (`zend.max_allowed_stack_size`) must leave room below it for code that does not look.
    pub stack_bytes: usize,
    /// How long a request may take once PHP has begun it.
    pub request_timeout: Option<Duration>,
    /// How long after that a thread that has not come back is replaced. At most as many of a pool are at a time as it
    /// has threads.
    pub lost_after: Duration,
    /// After how long a request is slow, and where to tell.
    pub slow: Option<(Duration, Arc<dyn SlowSink>)>,
    /// After how many requests a thread leaves PHP and joins it anew; 0 means never.
    pub max_requests: u64,
    /// Where each thread notes what it runs, for whoever looks after a crash: records for twice as many, since as many may
    /// be lost.
    pub black_box: Option<BlackBox>,
}

/// Some of the threads, with a queue of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPool {
    /// What the status calls it.
    pub name: String,
    /// How many threads, at least 1.
    pub threads: usize,
    /// How many requests may wait for one of them.
    pub queue_max: usize,
}

/// What the status calls the threads that serve what no named pool does.
const DEFAULT_NAME: &str = "default";

impl Default for PoolOptions {
    /// One thread, and no limits.
    fn default() -> Self {
        Self {
            threads: 1,
            queue_max: limits::QUEUE_MAX,
            named: Vec::new(),
            server: ServerOptions::default(),
            stack_bytes: limits::THREAD_STACK,
            request_timeout: None,
            lost_after: limits::LOST_AFTER,
            slow: None,
            max_requests: 0,
            black_box: None,
        }
    }
}

impl PoolOptions {
    /// The queues, and how many threads they have together.
    pub(super) fn lines(&self) -> (Vec<Line>, usize) {
        let (mut lines, mut count) = (Vec::new(), 0);
        let mut add = |name: &str, threads: usize, queue_max| {
            let first = count;
            count += threads.max(1);
            lines.push(Line::new(name, first..count, queue_max));
        };
        if Info::of_libphp().zts {
            add(DEFAULT_NAME, self.threads, self.queue_max);
            self.named.iter().for_each(|pool| add(&pool.name, pool.threads, pool.queue_max));
        } else {
            add(DEFAULT_NAME, 1, self.queue_max);
            let wanted = self.threads + self.named.iter().map(|pool| pool.threads).sum::<usize>();
            if wanted > 1 {
                log::warn!("this libphp is not thread-safe (ZTS): one PHP thread instead of {wanted}");
            }
        }
        (lines, count)
    }
}
