//! Threads attached to the engine, and how they are interrupted.
//!
//! The engine does not stop while a thread is attached, and a thread is not attached unless the engine runs: both go
//! through [`engine`]. A libphp without thread safety has room for one thread at a time.

use std::marker::PhantomData;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use php_sys::{ephpm_interrupt, ephpm_interrupt_fire, ephpm_thread_attach, ephpm_thread_detach};

use super::info::Info;

/// The calling thread, attached to PHP until it is dropped. It can execute requests.
#[derive(Debug)]
pub(super) struct Attachment {
    interrupt: Arc<InterruptSlot>,
    _not_send: PhantomData<*const ()>,
}

impl Attachment {
    /// Attaches the calling thread; `interrupt` can interrupt it from then on.
    ///
    /// # Panics
    ///
    /// When PHP does not run, or has no room for another thread.
    pub(super) fn new(interrupt: Arc<InterruptSlot>) -> Self {
        match &mut *engine() {
            Engine::Running { attached } => {
                assert!(Info::of_libphp().zts || *attached == 0, "this libphp has room for one thread");
                *attached += 1;
            }
            other => panic!("a thread is attached to PHP, which does not run: {other:?}"),
        }
        let mut raw = ephpm_interrupt { vm_interrupt: ptr::null_mut(), timed_out: ptr::null_mut(), thread: 0 };
        // SAFETY: PHP runs, and does not stop while a thread is counted as attached; `drop` detaches, on this thread.
        unsafe { ephpm_thread_attach(&mut raw) };
        *interrupt.lock() = Some(Target(raw));
        Self { interrupt, _not_send: PhantomData }
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        // First, because what it points to is about to be freed.
        *self.interrupt.lock() = None;
        // SAFETY: attached by `new`, on this thread; no request runs, since that would borrow `self`.
        unsafe { ephpm_thread_detach() };
        if let Engine::Running { attached } = &mut *engine() {
            *attached -= 1;
        }
    }
}

/// A way to interrupt a thread while it is attached.
#[derive(Debug, Default)]
pub(super) struct InterruptSlot(Mutex<Option<Target>>);

#[derive(Debug)]
struct Target(ephpm_interrupt);

// SAFETY: it is made to be used by other threads; whoever holds the slot's lock knows that the thread is attached.
unsafe impl Send for Target {}

impl InterruptSlot {
    /// Ends the script that runs on the thread, if it is attached.
    pub(super) fn fire(&self) {
        if let Some(target) = &*self.lock() {
            // SAFETY: the thread is attached: it empties the slot, which needs the lock, before it detaches.
            unsafe { ephpm_interrupt_fire(&target.0) };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Target>> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
