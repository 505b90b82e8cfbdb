//! Threads attached to the engine.
//!
//! The engine does not stop while a thread is attached, and a thread is not attached unless the engine runs: both go
//! through [`engine`]. A libphp without thread safety has room for one thread at a time.

use std::marker::PhantomData;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use php_sys::{ephpm_interrupt, ephpm_memory, ephpm_thread_attach, ephpm_thread_detach, ephpm_thread_memory};

use super::info::Info;
use super::scoreboard::Memory;
use super::slot::Slot;
use super::target::Target;

/// The calling thread, attached to PHP until it is dropped. It can execute requests.
#[derive(Debug)]
pub(super) struct Attachment {
    /// PHP has a pointer to it.
    slot: Arc<Slot>,
    _not_send: PhantomData<*const ()>,
}

impl Attachment {
    /// Attaches the calling thread; `slot` can interrupt it from then on, and is told its time limits.
    ///
    /// # Panics
    ///
    /// When PHP does not run, or has no room for another thread.
    pub(super) fn new(slot: Arc<Slot>) -> Self {
        match &mut *engine() {
            Engine::Running { attached } => {
                assert!(Info::of_libphp().zts || *attached == 0, "this libphp has room for one thread");
                *attached += 1;
            }
            other => panic!("a thread is attached to PHP, which does not run: {other:?}"),
        }
        let null = ptr::null_mut();
        let mut raw = ephpm_interrupt { vm_interrupt: null, timed_out: null, thread: 0, flags: null, frames: null };
        // SAFETY: PHP runs, and does not stop while a thread is counted as attached; `drop` detaches, on this thread,
        // and until then keeps the slot.
        unsafe { ephpm_thread_attach(&mut raw, Arc::as_ptr(&slot).cast_mut().cast()) };
        // SAFETY: attached above, and `drop` empties the slot before it detaches.
        slot.attach(unsafe { Target::new(raw) });
        Self { slot, _not_send: PhantomData }
    }

    /// What PHP holds for this thread.
    pub(super) fn memory(&self) -> Memory {
        // SAFETY: this thread is attached, as `self` cannot leave it.
        let ephpm_memory { peak, held } = unsafe { ephpm_thread_memory() };
        Memory { peak, held }
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        // First, because what it points to is about to be freed.
        self.slot.detach();
        // SAFETY: attached by `new`, on this thread; no request runs, since that would borrow `self`.
        unsafe { ephpm_thread_detach() };
        if let Engine::Running { attached } = &mut *engine() {
            *attached -= 1;
        }
    }
}

/// The one engine of this process.
#[derive(Debug)]
pub(super) enum Engine {
    /// Not started.
    New,
    /// Running, with so many threads attached.
    Running { attached: usize },
    /// Stopped, or its start has failed: PHP cannot be started again.
    Over,
}

static ENGINE: Mutex<Engine> = Mutex::new(Engine::New);

/// The engine, for as long as nobody else may change its state.
pub(super) fn engine() -> MutexGuard<'static, Engine> {
    // Nothing panics while it holds the lock, except over a broken rule.
    ENGINE.lock().unwrap_or_else(PoisonError::into_inner)
}
