//! Which thread sits at which place of a pool.
//!
//! A thread that does not come back loses its seat to another one. It stays known until it is back and has ended, since
//! it must be interrupted on, and since PHP cannot be stopped under it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::alarm::Alarm;
use super::scoreboard::ThreadStatus;
use super::slot::{Event, Slot, Watch};
use super::target::Ending;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Seats {
    watch: Arc<Watch>,
    alarm: Arc<Alarm>,
    /// Nobody but the watchdog changes who sits there.
    seats: Vec<Mutex<Arc<Slot>>>,
    /// Threads without a seat.
    lost: Mutex<Vec<Arc<Slot>>>,
}

impl Seats {
    /// So many, with a thread each that is yet to come.
    pub(super) fn new(count: usize, watch: Arc<Watch>, alarm: Arc<Alarm>) -> Self {
        let slot = |number| Arc::new(Slot::new(number, 0, Arc::clone(&watch), Arc::clone(&alarm)));
        let seats = (0..count).map(|number| Mutex::new(slot(number))).collect();
        Self { watch, alarm, seats, lost: Mutex::new(Vec::new()) }
    }

    pub(super) fn len(&self) -> usize {
        self.seats.len()
    }

    /// The thread at a seat.
    pub(super) fn get(&self, number: usize) -> Arc<Slot> {
        Arc::clone(&lock(&self.seats[number]))
    }

    /// How many threads with such a number have lost their seat and not come back.
    pub(super) fn lost(&self, is_counted: impl Fn(usize) -> bool) -> usize {
        lock(&self.lost).iter().filter(|slot| is_counted(slot.number())).count()
    }

    /// Gives a thread's seat to a new one, which is returned. `None` if the thread has just come back.
    pub(super) fn replace(&self, slot: &Arc<Slot>, now: Instant) -> Option<Arc<Slot>> {
        // Before it can be back and look for itself.
        lock(&self.lost).push(Arc::clone(slot));
        if !slot.give_up(now) {
            self.forget(slot);
            return None;
        }
        let new = Slot::new(slot.number(), slot.requests(), Arc::clone(&self.watch), Arc::clone(&self.alarm));
        let new = Arc::new(new);
        *lock(&self.seats[slot.number()]) = Arc::clone(&new);
        Some(new)
    }

    /// Gives a thread its seat back, as there is no other thread for it. False if it has just ended.
    pub(super) fn restore(&self, slot: &Arc<Slot>) -> bool {
        *lock(&self.seats[slot.number()]) = Arc::clone(slot);
        self.forget(slot);
        slot.take_back()
    }

    /// A thread without a seat ends.
    pub(super) fn forget(&self, slot: &Arc<Slot>) {
        lock(&self.lost).retain(|other| !Arc::ptr_eq(other, slot));
    }

    /// Does what the limits of all threads demand; returns what has happened to those in their seats, and when to come
    /// again.
    pub(super) fn turn(&self, now: Instant) -> (Vec<(Arc<Slot>, Event)>, Option<Instant>) {
        let (mut events, mut next) = (Vec::new(), None::<Instant>);
        for slot in self.all() {
            let turn = slot.turn(now);
            events.extend(turn.event.map(|event| (slot, event)));
            next = next.into_iter().chain(turn.next).min();
        }
        (events, next)
    }

    /// Ends all scripts, since the server stops.
    pub(super) fn interrupt(&self) {
        self.all().iter().for_each(|slot| slot.interrupt(Ending::Stop));
    }

    /// What the threads in their seats are at, and those without.
    pub(super) fn statuses(&self, now: Instant) -> (Vec<ThreadStatus>, Vec<ThreadStatus>) {
        let seated = (0..self.len()).map(|number| self.get(number).status(now)).collect();
        (seated, lock(&self.lost).iter().map(|slot| slot.status(now)).collect())
    }

    /// Whether it is so with any thread in its seat.
    pub(super) fn any(&self, is_so: impl Fn(&Slot) -> bool) -> bool {
        self.seats.iter().any(|seat| is_so(&lock(seat)))
    }

    fn all(&self) -> Vec<Arc<Slot>> {
        (0..self.len()).map(|number| self.get(number)).chain(lock(&self.lost).iter().map(Arc::clone)).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
