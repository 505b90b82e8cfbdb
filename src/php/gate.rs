//! The gate that a PHP thread passes before and after each request, so that one of them can be alone.
//!
//! Each thread has a seat of its own, and passing is one store and one load of what hardly ever changes: no lock, no
//! memory that others write to. A thread first takes its seat and then looks at the gate; whoever wants to be alone
//! first closes the gate and then looks at the seats. Of two such orders in one total order (`SeqCst`) at least one
//! sees the other. All else happens under a lock, by the rules of [`Restart`]. What OPcache is, is not known here.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::restart::{Restart, Verdict};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Gate {
    /// A [`Mark`].
    mark: AtomicU8,
    seats: Box<[Seat]>,
    restart: Mutex<Restart>,
    /// For those who are held.
    opened: Condvar,
}

/// Whether a thread is inside, on a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Seat {
    inside: AtomicBool,
}

/// What a thread that passes has to know.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
enum Mark {
    /// Nothing: pass.
    Open,
    /// The rules decide.
    Ask,
}

/// What the gate asks of whoever passes it.
pub(super) trait Host {
    /// The time.
    fn now(&self) -> Instant {
        Instant::now()
    }
    /// Nobody else is inside, and nobody enters before this returns. Returns whether there was anything to do.
    fn restart(&self) -> bool;
    /// A restart has been done, for which threads were held for so long.
    fn restarted(&self, pause: Duration);
    /// Threads were held for so long, in vain: so many did not leave.
    fn gave_up(&self, pause: Duration, stragglers: usize);
    /// Those on these seats are to be made to leave; `first` if they have not been told before. None of them leaves and
    /// enters again before this returns.
    fn interrupt(&self, seats: &[usize], first: bool);
}

impl Gate {
    /// A gate for so many threads; `force_after` is as for [`Restart::new`].
    pub(super) fn new(seats: usize, force_after: Option<Duration>) -> Self {
        Self {
            mark: AtomicU8::new(Mark::Open as u8),
            seats: (0..seats).map(|_| Seat::default()).collect(),
            restart: Mutex::new(Restart::new(seats, force_after)),
            opened: Condvar::new(),
        }
    }

    /// Takes the calling thread's seat. Waits while threads are held, and may do the restart.
    pub(super) fn enter(&self, seat: usize, host: &impl Host) {
        let inside = &self.seats[seat].inside;
        inside.store(true, Ordering::SeqCst);
        if self.is_open() {
            return;
        }
        let mut restart = self.lock();
        inside.store(false, Ordering::SeqCst);
        loop {
            restart = match self.judge(&mut restart, host) {
                Verdict::Hold(Some(until)) => {
                    let patience = until.saturating_duration_since(host.now());
                    self.opened.wait_timeout(restart, patience).unwrap_or_else(PoisonError::into_inner).0
                }
                Verdict::Hold(None) => self.opened.wait(restart).unwrap_or_else(PoisonError::into_inner),
                Verdict::Alone => self.alone(restart, host),
                // The others open the gate, and nobody closes it without the lock.
                _ => break inside.store(true, Ordering::SeqCst),
            };
        }
    }

    /// A restart is wanted by what has run on a seat that is still taken; `cause_is_over` is as for [`Restart::want`]. From
    /// here on others may be held.
    pub(super) fn want(&self, cause_is_over: bool, host: &impl Host) {
        let mut restart = self.lock();
        restart.want(host.now(), cause_is_over);
        // Nobody is alone while the seat is taken.
        self.judge(&mut restart, host);
    }

    /// Leaves the seat. `wanted` says whether a restart is, and then whether its cause is over ([`Restart::want`]). May
    /// do the restart.
    pub(super) fn leave(&self, seat: usize, wanted: Option<bool>, host: &impl Host) {
        let inside = &self.seats[seat].inside;
        let mut restart = match wanted {
            None => {
                inside.store(false, Ordering::SeqCst);
                if self.is_open() {
                    return;
                }
                self.lock()
            }
            Some(cause_is_over) => {
                // Before the seat is free: what is wanted may have been done when it is said.
                let mut restart = self.lock();
                restart.want(host.now(), cause_is_over);
                inside.store(false, Ordering::SeqCst);
                restart
            }
        };
        if self.judge(&mut restart, host) == Verdict::Alone {
            drop(self.alone(restart, host));
        }
    }

    /// Leaves the seat, of a thread that cannot do a restart.
    pub(super) fn abandon(&self, seat: usize) {
        self.seats[seat].inside.store(false, Ordering::SeqCst);
        if !self.is_open() {
            let _restart = self.lock();
            self.opened.notify_all();
        }
    }

    fn is_open(&self) -> bool {
        self.mark.load(Ordering::SeqCst) == Mark::Open as u8
    }

    /// With the gate closed, so that whoever is not seen inside will see that.
    fn judge(&self, restart: &mut Restart, host: &impl Host) -> Verdict {
        self.mark.store(Mark::Ask as u8, Ordering::SeqCst);
        let inside: Vec<_> = self.seats.iter().map(|seat| seat.inside.load(Ordering::SeqCst)).collect();
        let verdict = restart.judge(host.now(), &inside);
        match &verdict {
            Verdict::GiveUp { pause, stragglers } => {
                host.gave_up(*pause, *stragglers);
                self.opened.notify_all();
            }
            Verdict::Interrupt { seats, first } => host.interrupt(seats, *first),
            Verdict::Go | Verdict::Hold(_) | Verdict::Alone => {}
        }
        if restart.is_idle() {
            self.mark.store(Mark::Open as u8, Ordering::SeqCst);
        }
        verdict
    }

    /// Does the restart, without the lock, and opens the gate.
    fn alone<'a>(&'a self, restart: MutexGuard<'a, Restart>, host: &impl Host) -> MutexGuard<'a, Restart> {
        drop(restart);
        let was_wanted = host.restart();
        let mut restart = self.lock();
        let pause = restart.done(host.now());
        self.mark.store(Mark::Open as u8, Ordering::SeqCst);
        self.opened.notify_all();
        if was_wanted {
            host.restarted(pause);
        }
        restart
    }

    fn lock(&self) -> MutexGuard<'_, Restart> {
        // Nothing panics while it holds the lock.
        self.restart.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
