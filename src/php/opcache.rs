//! OPcache's restarts: the gate's errands, done by libphp.
//!
//! OPcache restarts when a script asks for it and when its memory or its table of files is full of what is no longer
//! used. It throws away what other threads may be executing, so that the gate has to hold them.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use php_sys::{
    ephpm_opcache_ask, ephpm_opcache_last_reason, ephpm_opcache_reset, ephpm_opcache_restart,
    ephpm_opcache_take_restart, ephpm_restart,
};

use super::attachment::Attachment;
use super::gate::{Gate, Host};
use super::info::Info;
use super::scoreboard::OpcacheStatus;
use super::slot::Slot;
use super::target::Ending;

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

    /// To be called when a request is over and its client does not know yet. A restart that it has asked for thus comes
    /// before what the client asks for next, though another thread may be there before this one has left.
    pub(super) fn announce(&self, thread: &Attachment) {
        if let Some(cause_is_over) = wanted() {
            self.gate.want(cause_is_over, &Visitor { opcache: self, _thread: thread });
        }
    }

    /// To be called after a request.
    pub(super) fn leave(&self, seat: usize, thread: &Attachment) {
        self.gate.leave(seat, wanted(), &Visitor { opcache: self, _thread: thread });
    }

    /// To be called when the thread has detached, be it after [`leave`](Self::leave) or after a request that has left it in
    /// an unknown state.
    pub(super) fn abandon(&self, seat: usize) {
        self.gate.abandon(seat);
    }

    /// Has OPcache want to restart, as a script does by `opcache_reset()`; between two requests.
    pub(super) fn reset(&self, seat: usize, thread: &Attachment) {
        self.enter(seat, thread);
        // SAFETY: this thread is attached (`thread`) and between requests; nobody restarts OPcache while it is inside.
        unsafe { ephpm_opcache_reset() };
        self.leave(seat, thread);
    }

    /// What OPcache says of itself, if it does; between two requests.
    pub(super) fn ask(&self, seat: usize, thread: &Attachment) -> Option<OpcacheStatus> {
        self.enter(seat, thread);
        let mut figures = MaybeUninit::uninit();
        // SAFETY: this thread is attached (`thread`) and between requests; nobody restarts OPcache while it is inside.
        let is_known = unsafe { ephpm_opcache_ask(figures.as_mut_ptr()) };
        self.leave(seat, thread);
        // SAFETY: it has written them, as it says.
        let figures = is_known.then(|| unsafe { figures.assume_init() })?;
        Some(OpcacheStatus {
            memory_used_bytes: figures.memory_used,
            memory_free_bytes: figures.memory_free,
            memory_wasted_bytes: figures.memory_wasted,
            strings_used_bytes: figures.strings_used,
            strings_free_bytes: figures.strings_free,
            strings: figures.strings,
            scripts: figures.scripts,
            keys: figures.keys,
            keys_max: figures.keys_max,
            hits: figures.hits,
            misses: figures.misses,
            restarts_out_of_memory: figures.restarts_out_of_memory,
            restarts_hash_overflow: figures.restarts_hash_overflow,
            restarts_reset: figures.restarts_reset,
            restart_pending: figures.restart_pending,
            is_full: figures.is_full,
        })
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
            slot.interrupt(Ending::Opcache);
        }
    }
}

/// Whether a restart is wanted that nobody has been told of, and then whether its cause is over.
fn wanted() -> Option<bool> {
    // SAFETY: no precondition.
    match unsafe { ephpm_opcache_take_restart() } {
        ephpm_restart::EPHPM_RESTART_NONE => None,
        reason => Some(reason != ephpm_restart::EPHPM_RESTART_SEEN),
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
