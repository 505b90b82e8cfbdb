//! OPcache's restarts: the gate's errands, done by libphp.
//!
//! OPcache restarts when a script asks for it and when its memory or its table of files is full of what is no longer
//! used. It throws away what other threads may be executing, so that the gate has to hold them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use php_sys::{ephpm_opcache_last_reason, ephpm_opcache_restart, ephpm_opcache_take_restart, ephpm_restart};

use super::attachment::Attachment;
use super::gate::{Gate, Host};
use super::info::Info;
use super::slot::Slot;

/// OPcache, as the threads of a pool share it.
#[derive(Debug)]
pub(super) struct Opcache {
    gate: Gate,
    /// The threads, by their seats at the gate. A thread keeps its seat until it ends, also one that does not come back.
    slots: Mutex<Vec<Option<Arc<Slot>>>>,
    restarts: AtomicU64,
}

/// Whoever may be alone is attached.
struct Visitor<'a> {
    opcache: &'a Opcache,
    _thread: &'a Attachment,
}

impl Opcache {
    /// For a pool of so many threads, and as many that have not come back; PHP runs.
    pub(super) fn new(threads: usize) -> Self {
        let seats = 2 * threads;
        Self {
            gate: Gate::new(seats, Info::of_libphp().force_restart_timeout),
            slots: Mutex::new(vec![None; seats]),
            restarts: AtomicU64::new(0),
        }
    }

    /// A seat at the gate, for the calling thread's life.
    pub(super) fn sit_down(&self, slot: &Arc<Slot>) -> usize {
        let mut slots = self.lock();
        let seat = slots.iter().position(Option::is_none).expect("no more are lost than there are threads");
        slots[seat] = Some(Arc::clone(slot));
        seat
    }

    /// The thread is about to end.
    pub(super) fn get_up(&self, seat: usize) {
        self.lock()[seat] = None;
    }

    /// To be called before a request, by the thread on this seat. Waits while OPcache restarts.
    pub(super) fn enter(&self, seat: usize, thread: &Attachment) {
        self.gate.enter(seat, &Visitor { opcache: self, _thread: thread });
    }

    /// To be called after a request.
    pub(super) fn leave(&self, seat: usize, thread: &Attachment) {
        // SAFETY: no precondition.
        let wanted = match unsafe { ephpm_opcache_take_restart() } {
            ephpm_restart::EPHPM_RESTART_NONE => None,
            reason => Some(reason != ephpm_restart::EPHPM_RESTART_SEEN),
        };
        self.gate.leave(seat, wanted, &Visitor { opcache: self, _thread: thread });
    }

    /// To be called when the thread has detached, be it after [`leave`](Self::leave) or after a request that has left it in
    /// an unknown state.
    pub(super) fn abandon(&self, seat: usize) {
        self.gate.abandon(seat);
    }

    /// How often OPcache has restarted.
    pub(super) fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Option<Arc<Slot>>>> {
        // Nothing panics while it holds the lock, but for a broken rule.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host for Visitor<'_> {
    fn restart(&self) -> bool {
        // SAFETY: this thread is attached (`_thread`) and between requests, since the gate calls this only from `enter`
        // and `leave`. No other thread is inside, which is where they execute, and detach if that has failed.
        unsafe { ephpm_opcache_restart() }
    }

    fn restarted(&self, pause: Duration) {
        let count = self.opcache.restarts.fetch_add(1, Ordering::Relaxed) + 1;
        log::info!("OPcache restarted ({}), number {count}: requests were held for {pause:.1?}", reason());
    }

    fn gave_up(&self, pause: Duration, stragglers: usize) {
        log::warn!(
            "OPcache waits to restart ({}), scripts in the way: {stragglers}; requests were held for {pause:.1?} and go \
             on without the cache",
            reason()
        );
    }

    fn interrupt(&self, seats: &[usize], first: bool) {
        let slots = self.opcache.lock();
        for slot in seats.iter().filter_map(|seat| slots[*seat].as_ref()) {
            if first {
                let number = slot.number();
                log::warn!(
                    "php-{number}: OPcache has waited for its script for opcache.force_restart_timeout; ending it"
                );
            }
            slot.fire();
        }
    }
}

/// Why OPcache restarts.
fn reason() -> &'static str {
    // SAFETY: no precondition.
    match unsafe { ephpm_opcache_last_reason() } {
        ephpm_restart::EPHPM_RESTART_OUT_OF_MEMORY => "out of memory",
        ephpm_restart::EPHPM_RESTART_HASH_OVERFLOW => "hash overflow",
        ephpm_restart::EPHPM_RESTART_RESET => "opcache_reset()",
        _ => "for a reason that it has not told",
    }
}
