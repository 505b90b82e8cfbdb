//! A thread that is attached to PHP, as the one that others interrupt.

use std::time::Duration;

use php_sys::{
    ephpm_ending, ephpm_interrupt, ephpm_interrupt_clear, ephpm_interrupt_end, ephpm_interrupt_expire,
    ephpm_interrupt_fire, ephpm_interrupt_is_expiring, ephpm_interrupt_is_pending, ephpm_interrupt_is_trace_wanted,
    ephpm_interrupt_trace, ephpm_interrupt_unwant_trace, ephpm_interrupt_want_trace,
};

/// Bytes of a trace; some hundred frames.
const TRACE_BYTES_MAX: usize = 16 * 1024;

/// A way to interrupt a thread.
pub(super) trait Interrupt {
    /// Ends what runs on it, as `max_execution_time` does.
    fn fire(&self);
    /// Whether it has yet to take that in.
    fn is_pending(&self) -> bool;
    /// Ends what runs on it, which has done no wrong.
    fn end(&self, why: Ending);
    /// Ends what runs on it, which was allowed so much time.
    fn expire(&self, allowed: Duration);
    /// Whether it has yet to take that in.
    fn is_expiring(&self) -> bool;
    /// Asks for its trace.
    fn want_trace(&self);
    /// Whether it has yet to give it.
    fn is_trace_wanted(&self) -> bool;
    /// Asks no more; false if it has given the trace or is about to.
    fn unwant_trace(&self) -> bool;
    /// Its trace, read from outside; empty if there is none to be had.
    fn read_trace(&self) -> String;
    /// Takes back all of it but `fire`.
    fn clear(&self);
}

/// Why the server ends a request for which time is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// OPcache has waited for it to restart for as long as it is told to.
    Opcache,
    /// The server stops.
    Stop,
}

/// A thread that is attached to PHP.
#[derive(Debug)]
pub(super) struct Target(ephpm_interrupt);

// SAFETY: it is made to be used by other threads; whoever holds the slot's lock knows that the thread is attached.
unsafe impl Send for Target {}

impl Target {
    /// # Safety
    ///
    /// The thread is attached, and stays so until the slot that this is for was emptied by its `detach`.
    pub(super) unsafe fn new(interrupt: ephpm_interrupt) -> Self {
        Self(interrupt)
    }
}

impl Interrupt for Target {
    fn fire(&self) {
        // SAFETY: the thread is attached, as it is in the slot (`new`).
        unsafe { ephpm_interrupt_fire(&self.0) };
    }

    fn is_pending(&self) -> bool {
        // SAFETY: as above.
        unsafe { ephpm_interrupt_is_pending(&self.0) }
    }

    fn end(&self, why: Ending) {
        let why = match why {
            Ending::Opcache => ephpm_ending::EPHPM_ENDING_OPCACHE,
            Ending::Stop => ephpm_ending::EPHPM_ENDING_STOP,
        };
        // SAFETY: as above.
        unsafe { ephpm_interrupt_end(&self.0, why) };
    }

    fn expire(&self, allowed: Duration) {
        let allowed_ms = u32::try_from(allowed.as_millis()).unwrap_or(u32::MAX);
        // SAFETY: as above.
        unsafe { ephpm_interrupt_expire(&self.0, allowed_ms) };
    }

    fn is_expiring(&self) -> bool {
        // SAFETY: as above.
        unsafe { ephpm_interrupt_is_expiring(&self.0) }
    }

    fn want_trace(&self) {
        // SAFETY: as above.
        unsafe { ephpm_interrupt_want_trace(&self.0) };
    }

    fn is_trace_wanted(&self) -> bool {
        // SAFETY: as above.
        unsafe { ephpm_interrupt_is_trace_wanted(&self.0) }
    }

    fn unwant_trace(&self) -> bool {
        // SAFETY: as above.
        unsafe { ephpm_interrupt_unwant_trace(&self.0) }
    }

    fn read_trace(&self) -> String {
        let mut trace = vec![0; TRACE_BYTES_MAX];
        // SAFETY: as above; there is room for as many bytes as it says.
        let len = unsafe { ephpm_interrupt_trace(&self.0, trace.as_mut_ptr().cast(), trace.len()) };
        trace.truncate(len);
        String::from_utf8_lossy(&trace).into_owned()
    }

    fn clear(&self) {
        // SAFETY: as above.
        unsafe { ephpm_interrupt_clear(&self.0) };
    }
}
