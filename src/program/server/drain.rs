//! How a server ends, and the time that it takes for it: until a deadline, or until it is told a second time to stop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::base::sys::signal::{self, Signal};
use crate::program::status::Reporter;

/// How often what is waited for is looked at.
const POLL: Duration = Duration::from_millis(20);

/// Why a server is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It was told to, or has failed.
    Stopped,
    /// Another process serves in its place, with its sockets.
    Replaced,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Drain {
    deadline: Instant,
    /// Only who supervises the process can be impatient.
    is_supervised: bool,
    /// Who does what other processes ask for meanwhile.
    reporter: Option<Arc<Reporter>>,
}

impl Drain {
    /// It may take so long from now.
    pub(super) fn within(timeout: Duration, is_supervised: bool, reporter: Arc<Reporter>) -> Self {
        Self { deadline: Instant::now() + timeout, is_supervised, reporter: Some(reporter) }
    }

    /// It may take no time.
    pub(super) fn at_once() -> Self {
        Self { deadline: Instant::now(), is_supervised: false, reporter: None }
    }

    /// Waits until `is_over`; false when there is no time left for it. Meanwhile log files are opened again when a signal
    /// asks for that.
    pub(super) fn wait(&mut self, is_over: impl Fn() -> bool, reopen_logs: impl Fn()) -> bool {
        while !is_over() {
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            match signal::wait(Some(left.min(POLL))) {
                Ok(Some(Signal::StopNow)) => self.deadline = Instant::now(),
                Ok(Some(Signal::Stop)) if !self.is_supervised => self.deadline = Instant::now(),
                Ok(Some(Signal::ReopenLogs)) => reopen_logs(),
                Ok(Some(Signal::Look)) => self.reporter.iter().for_each(|reporter| reporter.look()),
                _ => {}
            }
        }
        true
    }
}
