//! What PHP threads are asked to do between two requests, since only they can: to ask OPcache, and to have it emptied.
//!
//! Whoever asks leaves word here and rouses the threads; the first that comes takes the errand. It costs a request
//! nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::scoreboard::OpcacheStatus;

/// An answer is not asked for again while it is younger: monitors are many, and none wants to know better.
const FRESH: Duration = Duration::from_secs(1);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Errands {
    status_wanted: AtomicBool,
    reset_wanted: AtomicBool,
    answer: Mutex<Option<Answer>>,
    answered: Condvar,
}

/// What OPcache has said, if it did, and when.
type Answer = (Instant, Option<OpcacheStatus>);

impl Errands {
    /// OPcache is to be emptied.
    pub(super) fn want_reset(&self) {
        self.reset_wanted.store(true, Ordering::SeqCst);
    }

    /// Whether the calling thread is to empty it.
    pub(super) fn take_reset(&self) -> bool {
        self.reset_wanted.swap(false, Ordering::SeqCst)
    }

    /// Whether the calling thread is to ask OPcache, and to [`answer`](Self::answer).
    pub(super) fn take_status(&self) -> bool {
        self.status_wanted.swap(false, Ordering::SeqCst)
    }

    /// OPcache says this.
    pub(super) fn answer(&self, now: Instant, status: Option<OpcacheStatus>) {
        *self.lock() = Some((now, status));
        self.answered.notify_all();
    }

    /// What OPcache says, and how long ago. Rouses the threads by `rouse`, and waits for so long, unless it is known.
    pub(super) fn ask(&self, rouse: impl FnOnce(), patience: Duration) -> Option<(OpcacheStatus, Duration)> {
        let is_fresh = |answer: &Option<Answer>| answer.is_some_and(|(at, _)| at.elapsed() < FRESH);
        let mut answer = self.lock();
        if !is_fresh(&answer) {
            drop(answer);
            self.status_wanted.store(true, Ordering::SeqCst);
            rouse();
            let waited = self.answered.wait_timeout_while(self.lock(), patience, |answer| !is_fresh(answer));
            answer = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        answer.and_then(|(at, status)| Some((status?, at.elapsed())))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Answer>> {
        // Nothing panics while it holds the lock.
        self.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_else_answers_and_once_is_enough() {
        let errands = Errands::default();
        assert_eq!(errands.ask(|| {}, Duration::ZERO), None, "nobody is there");
        assert!(errands.take_status() && !errands.take_status());
        let status = OpcacheStatus { scripts: 7, ..OpcacheStatus::default() };
        let told = errands.ask(|| errands.answer(Instant::now(), Some(status)), Duration::from_secs(60));
        assert_eq!(told.map(|(status, _)| status.scripts), Some(7));
        let told = errands.ask(|| panic!("it is known"), Duration::from_secs(60));
        assert_eq!(told.map(|(status, _)| status.scripts), Some(7));
    }

    #[test]
    fn without_opcache_there_is_nothing_to_tell() {
        let errands = Errands::default();
        assert_eq!(errands.ask(|| errands.answer(Instant::now(), None), Duration::from_secs(60)), None);
    }

    #[test]
    fn one_empties_the_cache() {
        let errands = Errands::default();
        assert!(!errands.take_reset());
        errands.want_reset();
        errands.want_reset();
        assert!(errands.take_reset() && !errands.take_reset());
    }
}
