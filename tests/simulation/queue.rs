//! The queue in front of the workers, as `base/queue.rs` has it: a worker that finds it empty sleeps until it is called,
//! and who is to be called when is told by what the loop does. What the loop forgets nobody does in its place.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use ephpm::exchange::{Dispatch, Responder};

/// See the module's documentation.
pub(crate) struct SimQueue {
    state: Mutex<State>,
    max: usize,
}

struct State {
    waiting: VecDeque<Box<Responder>>,
    /// Workers that sleep, the last one hottest.
    sleepers: Vec<usize>,
    /// Who was called and has not come up yet.
    called: Option<usize>,
    /// Whoever comes up is to call the next.
    handed_over: bool,
}

impl Dispatch for SimQueue {
    fn submit(&self, responder: Box<Responder>) -> Result<(), Box<Responder>> {
        let mut state = self.lock();
        if state.waiting.len() == self.max {
            return Err(responder);
        }
        state.handed_over &= !state.waiting.is_empty();
        state.waiting.push_back(responder);
        Ok(())
    }

    fn tend(&self) -> bool {
        let mut state = self.lock();
        let is_due = !state.waiting.is_empty();
        if is_due {
            state.call_one();
        }
        is_due
    }

    fn hand_over(&self) {
        let mut state = self.lock();
        if !state.waiting.is_empty() {
            state.handed_over = true;
            state.call_one();
        }
    }
}

impl SimQueue {
    pub(crate) fn new(max: usize) -> Self {
        let (waiting, sleepers) = Default::default();
        Self { state: Mutex::new(State { waiting, sleepers, called: None, handed_over: true }), max }
    }

    /// How many requests wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Whether this idle worker runs: it has not found the queue empty since it was called.
    pub(crate) fn is_awake(&self, worker: usize) -> bool {
        !self.lock().sleepers.contains(&worker)
    }

    /// What an idle worker does that is awake: it takes the oldest request, or lies down.
    pub(crate) fn look(&self, worker: usize) -> Option<Box<Responder>> {
        let mut state = self.lock();
        let came_up = state.called.take_if(|called| *called == worker).is_some();
        let oldest = state.waiting.pop_front();
        if oldest.is_none() {
            state.sleepers.push(worker);
        } else if came_up && state.handed_over && !state.waiting.is_empty() {
            state.call_one();
        }
        oldest
    }

    /// Whether requests wait and workers sleep of whom nobody was called.
    pub(crate) fn is_forgotten(&self) -> bool {
        let state = self.lock();
        !state.waiting.is_empty() && !state.sleepers.is_empty() && state.called.is_none()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    fn call_one(&mut self) {
        if self.called.is_none() {
            self.called = self.sleepers.pop();
        }
    }
}
