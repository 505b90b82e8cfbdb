//! One PHP thread as others see it: what it is at, and what may be done to it.
//!
//! Everything happens under one lock, which the thread needs too for beginning and ending a request, for setting and
//! lifting its limit and for detaching. Hence an interrupt reaches the request whose limit it was, and memory that is
//! there.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::alarm::Alarm;
use super::request_limit::{RequestLimit, Step};
use super::scoreboard::{Activity, Counters, Memory, ThreadState, ThreadStatus, Told};
use super::slow::{SlowRequest, SlowSink, SlowStep, SlowWatch};
use super::target::{Ending, Interrupt, Target};
use super::time_limit::TimeLimit;
use crate::exchange::Expiry;

/// What is watched on all threads.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// How long a request may take.
    pub(super) request_timeout: Option<Duration>,
    /// How long after that its thread is given up.
    pub(super) lost_after: Duration,
    /// After how long a request is slow, and where to tell it.
    pub(super) slow: Option<(Duration, Arc<dyn SlowSink>)>,
    pub(super) counters: Counters,
}

/// One thread, attached or not.
#[derive(Debug)]
pub(super) struct Slot<T = Target> {
    number: usize,
    watch: Arc<Watch>,
    state: Mutex<State<T>>,
    /// Who looks after the limits.
    alarm: Arc<Alarm>,
}

#[derive(Debug)]
struct State<T> {
    /// While it is attached.
    target: Option<T>,
    limit: TimeLimit,
    request_limit: RequestLimit,
    slow: SlowWatch,
    /// Of the request that runs, if its time is limited.
    expiry: Option<Expiry>,
    activity: Activity,
    /// The request that runs was told to end.
    is_ended: bool,
    /// It was replaced, and is to end when it comes back.
    is_lost: bool,
}

/// What came of a look at a thread.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// When to come again.
    pub(super) next: Option<Instant>,
    /// What happened to the request that runs.
    pub(super) event: Option<Event>,
}

/// What happened to the request that runs, with the thread and that request in words for the log: a moment later it may
/// run another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// Its time is over.
    Expired(String),
    /// Its thread is to be given up.
    Lost(String),
}

impl<T: Interrupt> Slot<T> {
    /// Of a thread that is yet to be attached, and takes the place of one that has served so many requests. `alarm` is
    /// rung when a limit is sooner than what it was set to.
    pub(super) fn new(number: usize, requests: u64, watch: Arc<Watch>, alarm: Arc<Alarm>) -> Self {
        let state = State {
            target: None,
            limit: TimeLimit::default(),
            request_limit: RequestLimit::default(),
            slow: SlowWatch::default(),
            expiry: None,
            activity: Activity::new(Instant::now(), requests),
            is_ended: false,
            is_lost: false,
        };
        Self { number, watch, state: Mutex::new(state), alarm }
    }

    /// Its number.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// From now on the thread can be interrupted.
    pub(super) fn attach(&self, target: T) {
        self.lock().target = Some(target);
    }

    /// The thread is about to go.
    pub(super) fn detach(&self) {
        let mut state = self.lock();
        (state.target, state.limit) = (None, TimeLimit::default());
    }

    /// The thread is about to join PHP, for a life of this generation.
    pub(super) fn join(&self, now: Instant, generation: u64) {
        self.lock().activity.join(now, generation);
    }

    /// The thread does something else, but running a script.
    pub(super) fn enter(&self, now: Instant, to: ThreadState) {
        self.lock().activity.enter(now, to);
    }

    /// A request begins on the thread. `expiry` is asked for if its time is limited.
    pub(super) fn begin(&self, now: Instant, request: &Told<'_>, expiry: impl FnOnce() -> Expiry) {
        let next_turn = {
            let mut state = self.lock();
            let watch = &*self.watch;
            state.activity.begin(now, request);
            state.request_limit.begin(now, watch.request_timeout, watch.lost_after);
            state.slow.begin(now, watch.slow.as_ref().map(|(after, _)| *after));
            state.expiry = watch.request_timeout.map(|_| expiry());
            state.next_turn()
        };
        self.wake_watchdog(next_turn);
    }

    /// It is over, and nothing that was asked of the thread for its sake is to hit the next. False if the thread was
    /// replaced.
    pub(super) fn end(&self, now: Instant, memory: Memory) -> bool {
        let (slow, is_lost) = {
            let mut state = self.lock();
            let slow = state.slow.end().then(|| state.slow_request(now, self.number, String::new())).flatten();
            let is_ended = std::mem::take(&mut state.is_ended);
            if state.expiry.take().is_some() || self.watch.slow.is_some() || is_ended {
                state.request_limit.end();
                state.target.iter().for_each(Interrupt::clear);
            }
            state.activity.end(now, memory);
            (slow, state.is_lost)
        };
        self.tell_slow(slow);
        !is_lost
    }

    /// Ends the script that runs on the thread, if there is one.
    pub(super) fn interrupt(&self, why: Ending) {
        let mut state = self.lock();
        if matches!(state.activity.state(), ThreadState::Running | ThreadState::Lost) {
            state.target.iter().for_each(|target| target.end(why));
            state.is_ended = true;
        }
    }

    /// Limits the time of what runs on the thread, as [`TimeLimit::set`] says.
    pub(super) fn limit_time(&self, now: Instant, seconds: i64, hard_seconds: i64) {
        let next_turn = {
            let mut state = self.lock();
            state.limit.set(now, seconds, hard_seconds);
            state.limit.next_turn()
        };
        self.wake_watchdog(next_turn);
    }

    /// Lifts the limit.
    pub(super) fn lift_limit(&self) {
        self.lock().limit = TimeLimit::default();
    }

    /// The thread has been asked for its trace, and this is it.
    pub(super) fn take_trace(&self, now: Instant, trace: String) {
        let slow = {
            let mut state = self.lock();
            state.slow.take().then(|| state.slow_request(now, self.number, trace)).flatten()
        };
        self.tell_slow(slow);
    }

    /// Does what the limits demand.
    pub(super) fn turn(&self, now: Instant) -> Turn {
        let (turn, slow) = {
            let mut state = self.lock();
            let event = state.turn(now, self.number, self.watch.request_timeout.unwrap_or_default());
            let slow = state.turn_slow(now, self.number);
            let next = state.target.as_ref().and_then(|_| state.next_turn());
            (Turn { next, event }, slow)
        };
        self.tell_slow(slow);
        turn
    }

    /// Gives the thread up, unless its request has just ended: it will end itself when it comes back.
    pub(super) fn give_up(&self, now: Instant) -> bool {
        let mut state = self.lock();
        // The next request may run already.
        let is_late = matches!(state.request_limit, RequestLimit::Lost { .. });
        if state.activity.state() != ThreadState::Running || !is_late {
            return false;
        }
        state.expiry.iter().for_each(Expiry::release);
        state.activity.enter(now, ThreadState::Lost);
        state.is_lost = true;
        true
    }

    /// It could not be replaced: when it comes back it is to go on. False if it has ended.
    pub(super) fn take_back(&self) -> bool {
        let mut state = self.lock();
        let is_there = state.activity.state() == ThreadState::Lost;
        state.is_lost &= !is_there;
        is_there
    }

    /// What it is at.
    pub(super) fn status(&self, now: Instant) -> ThreadStatus {
        self.lock().activity.status(now, self.number)
    }

    /// How many requests it has served.
    pub(super) fn requests(&self) -> u64 {
        self.lock().activity.requests()
    }

    /// Of which generation its life is.
    pub(super) fn generation(&self) -> u64 {
        self.lock().activity.generation()
    }

    fn wake_watchdog(&self, next_turn: Option<Instant>) {
        if let Some(at) = next_turn {
            self.alarm.set(at);
        }
    }

    /// Without the lock, as it may take long.
    fn tell_slow(&self, request: Option<SlowRequest>) {
        if let (Some(request), Some((_, sink))) = (request, &self.watch.slow) {
            Counters::add(&self.watch.counters.slow);
            sink.tell(&request);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Interrupt> State<T> {
    fn turn(&mut self, now: Instant, number: usize, allowed: Duration) -> Option<Event> {
        let target = self.target.as_ref()?;
        if self.limit.turn(now, || target.is_pending()) {
            target.fire();
        }
        let step = self.request_limit.turn(now, || target.is_expiring())?;
        let event = match step {
            Step::Expire => {
                self.expiry.iter().for_each(Expiry::expire);
                Some(Event::Expired(self.describe(now, number)))
            }
            Step::Tell => None,
            Step::Lose => Some(Event::Lost(self.describe(now, number))),
        };
        target.expire(allowed);
        event
    }

    /// The thread and its request.
    fn describe(&self, now: Instant, number: usize) -> String {
        let status = self.activity.status(now, number);
        let Some(request) = status.request else { return format!("php-{number}") };
        let (uri, script) = (request.uri.escape_ascii(), request.script.escape_ascii());
        format!("php-{number}: {} {uri} ({script}, {:?})", request.method, status.state_age)
    }

    fn turn_slow(&mut self, now: Instant, number: usize) -> Option<SlowRequest> {
        let target = self.target.as_ref()?;
        match self.slow.turn(now, || target.is_trace_wanted())? {
            SlowStep::Ask => {
                target.want_trace();
                None
            }
            SlowStep::Read => {
                let trace = target.read_trace();
                // Or else the thread is about to tell.
                let is_ours = target.unwant_trace() && self.slow.take();
                is_ours.then(|| self.slow_request(now, number, trace)).flatten()
            }
        }
    }

    fn slow_request(&self, now: Instant, thread: usize, trace: String) -> Option<SlowRequest> {
        let request = self.activity.request()?;
        let duration = now.saturating_duration_since(self.activity.since());
        let (method, uri, script) = (request.method, request.uri, request.script);
        Some(SlowRequest { thread, method, uri, script, duration, trace })
    }

    fn next_turn(&self) -> Option<Instant> {
        let turns = [self.limit.next_turn(), self.request_limit.next_turn(), self.slow.next_turn()];
        turns.into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests;
