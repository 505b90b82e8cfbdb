//! The connections of one loop: which of them are to have a turn, and when each must have one at the latest.
//!
//! Knows neither sockets nor the clock: whoever turns the loop brings events, the time and the turns' outcomes. An entry
//! stands in the run queue at most once. Its deadline is one entry in a coarse wheel, armed lazily: one that moves away
//! is found out when the wheel comes to it, one that comes nearer makes a new entry and voids the old one.

use std::collections::VecDeque;
use std::time::Instant;

use super::connection::Turn;
use crate::base::slab::{Key, Slab};
use crate::base::timer::Wheel;

/// Entries with their turns and deadlines.
#[derive(Debug)]
pub struct Schedule<T> {
    slots: Slab<Slot<T>>,
    /// Entries that have something to do, each at most once.
    run_queue: VecDeque<Key>,
    /// Entries that have a deadline, with the number that it had when it was armed.
    wheel: Wheel<(Key, u32)>,
    /// What the wheel hands out, in memory that is used again.
    due: Vec<(Key, u32)>,
}

#[derive(Debug)]
struct Slot<T> {
    entry: T,
    /// It stands in the run queue.
    is_scheduled: bool,
    /// When the wheel will look at it.
    armed: Option<Instant>,
    /// How often it has been armed. What the wheel holds for another number is void.
    arming: u32,
}

impl<T> Slot<T> {
    /// Takes note of a deadline in the wheel, and returns its number.
    fn arm(&mut self, deadline: Instant) -> u32 {
        self.armed = Some(deadline);
        self.arming = self.arming.wrapping_add(1);
        self.arming
    }
}

impl<T> Schedule<T> {
    /// No entries; time begins at `start`.
    pub fn new(start: Instant) -> Self {
        Self { slots: Slab::default(), run_queue: VecDeque::new(), wheel: Wheel::new(start), due: Vec::new() }
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Every entry.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.slots.iter().map(|(key, slot)| (key, &slot.entry))
    }

    /// Every key.
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        self.slots.keys()
    }

    /// The entry of `key`, unless it has been removed.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.slots.get_mut(key).map(|slot| &mut slot.entry)
    }

    /// Stores what `make` returns for its own key. It is not scheduled yet.
    pub fn insert_with(&mut self, make: impl FnOnce(Key) -> T) -> Key {
        self.slots.insert_with(|key| Slot { entry: make(key), is_scheduled: false, armed: None, arming: 0 })
    }

    /// Removes an entry, wherever it stands.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        self.slots.remove(key).map(|slot| slot.entry)
    }

    /// Lets an entry have a turn, if it is still there.
    pub fn schedule(&mut self, key: Key) {
        if let Some(slot) = self.slots.get_mut(key)
            && !slot.is_scheduled
        {
            slot.is_scheduled = true;
            self.run_queue.push_back(key);
        }
    }

    /// How many turns are due now. Those that become due by them are for the next round.
    pub fn round(&self) -> usize {
        self.run_queue.len()
    }

    /// The next entry that is to have a turn, which [`after_turn`](Self::after_turn) is to follow; none if that entry has
    /// been removed, or if no turn is due.
    pub fn next_turn(&mut self) -> Option<(Key, &mut T)> {
        let key = self.run_queue.pop_front()?;
        let slot = self.slots.get_mut(key)?;
        slot.is_scheduled = false;
        Some((key, &mut slot.entry))
    }

    /// Does what an entry wants after its turn; the entry itself if it is over. One that has learnt its client goes on,
    /// unless it is removed.
    pub fn after_turn(&mut self, key: Key, turn: Turn) -> Option<T> {
        match turn {
            Turn::Again | Turn::Announced(_) => self.schedule(key),
            Turn::Wait(None) => {}
            Turn::Wait(Some(deadline)) => {
                let slot = self.slots.get_mut(key)?;
                if slot.armed.is_none_or(|armed| deadline < armed) {
                    self.wheel.schedule((key, slot.arm(deadline)), deadline);
                }
            }
            Turn::Close => return self.remove(key),
        }
        None
    }

    /// Schedules the entries whose deadline, as `deadline` tells it, has come by `now`.
    pub fn expire(&mut self, now: Instant, deadline: impl Fn(&T) -> Option<Instant>) {
        let mut due = std::mem::take(&mut self.due);
        self.wheel.expire(now, &mut due);
        for (key, arming) in due.drain(..) {
            let Some(slot) = self.slots.get_mut(key).filter(|slot| slot.arming == arming) else { continue };
            slot.armed = None;
            match deadline(&slot.entry) {
                Some(deadline) if deadline > now => self.wheel.schedule((key, slot.arm(deadline)), deadline),
                Some(_) => self.schedule(key),
                None => {}
            }
        }
        self.due = due;
    }

    /// When [`expire`](Self::expire) may next have something to do.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.wheel.next_timeout()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The keys whose turn is due, which then is over.
    fn turns(schedule: &mut Schedule<Option<Instant>>) -> Vec<Key> {
        (0..schedule.round()).filter_map(|_| schedule.next_turn().map(|(key, _)| key)).collect()
    }

    #[test]
    fn an_entry_has_one_turn_however_often_it_is_scheduled() {
        let mut schedule = Schedule::new(Instant::now());
        let [a, b] = [0, 1].map(|_| schedule.insert_with(|_| None));
        for key in [b, a, b] {
            schedule.schedule(key);
        }
        assert_eq!(turns(&mut schedule), [b, a]);
        schedule.after_turn(b, Turn::Again);
        schedule.schedule(a);
        assert_eq!(schedule.after_turn(a, Turn::Close), Some(None));
        assert_eq!((schedule.round(), turns(&mut schedule)), (2, vec![b]));
        schedule.schedule(a);
        assert_eq!((schedule.round(), schedule.len()), (0, 1));
    }

    #[test]
    fn deadlines_move_in_both_directions() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut schedule = Schedule::new(start);
        let key = schedule.insert_with(|_| Some(at(2)));
        schedule.after_turn(key, Turn::Wait(Some(at(2))));
        // Away: found out when the wheel comes to it.
        *schedule.get_mut(key).unwrap() = Some(at(5));
        schedule.after_turn(key, Turn::Wait(Some(at(5))));
        schedule.expire(at(3), |deadline| *deadline);
        assert_eq!(turns(&mut schedule), []);
        // Nearer: at once, and the entry that was there before is void.
        *schedule.get_mut(key).unwrap() = Some(at(4));
        schedule.after_turn(key, Turn::Wait(Some(at(4))));
        schedule.expire(at(4), |deadline| *deadline);
        assert_eq!(turns(&mut schedule), [key]);
        *schedule.get_mut(key).unwrap() = None;
        schedule.after_turn(key, Turn::Wait(None));
        schedule.expire(at(60), |_| panic!("nothing is armed"));
        assert_eq!((turns(&mut schedule), schedule.next_timeout()), (vec![], None));
    }
}
