//! Deadlines: a table by reason for one owner, and a coarse wheel for all owners of a loop.
//!
//! Pure code sets and clears deadlines in its [`Timers`]; nothing else happens. The loop keeps one [`Wheel`] entry
//! per owner and re-arms it lazily: an entry that fires before the true deadline is put back, so a request that
//! comes and goes within a tick touches the wheel not at all. Neither reads a clock.

use std::time::{Duration, Instant};

/// Deadlines by reason. `N` is the number of reasons; an enum's discriminants are the indices.
#[derive(Debug, Clone)]
pub struct Timers<const N: usize> {
    deadlines: [Option<Instant>; N],
}

impl<const N: usize> Default for Timers<N> {
    fn default() -> Self {
        Self { deadlines: [None; N] }
    }
}

impl<const N: usize> Timers<N> {
    /// Sets the deadline of `reason`, whatever it was.
    pub fn set(&mut self, reason: usize, deadline: Instant) {
        self.deadlines[reason] = Some(deadline);
    }

    /// Sets the deadline of `reason` unless it has one.
    pub fn set_once(&mut self, reason: usize, deadline: impl FnOnce() -> Instant) {
        self.deadlines[reason].get_or_insert_with(deadline);
    }

    /// Clears the deadline of `reason`.
    pub fn clear(&mut self, reason: usize) {
        self.deadlines[reason] = None;
    }

    /// The deadline of `reason`.
    pub fn get(&self, reason: usize) -> Option<Instant> {
        self.deadlines[reason]
    }

    /// Whether the deadline of `reason` has come; if so it is cleared.
    pub fn take_expired(&mut self, reason: usize, now: Instant) -> bool {
        let expired = self.deadlines[reason].is_some_and(|deadline| deadline <= now);
        if expired {
            self.deadlines[reason] = None;
        }
        expired
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Instant> {
        self.deadlines.iter().flatten().min().copied()
    }
}

/// One tick of the wheel. Timeouts are seconds; nobody minds a tenth.
pub const TICK: Duration = Duration::from_millis(100);
const SLOTS: u64 = 64;

/// A two-level timer wheel of 64 slots each: 6.4 s in ticks, then 6.8 minutes in steps of 6.4 s. What lies further
/// ahead waits in the last slot and is handed out early; the owner then schedules it again.
#[derive(Debug)]
pub struct Wheel<T> {
    start: Instant,
    /// Ticks since `start` that have been handed out.
    now: u64,
    levels: [Level<T>; 2],
}

#[derive(Debug)]
struct Level<T> {
    slots: Vec<Vec<T>>,
    /// Bit `i` is set while `slots[i]` holds anything.
    occupied: u64,
}

impl<T> Level<T> {
    fn new() -> Self {
        Self { slots: (0..SLOTS).map(|_| Vec::new()).collect(), occupied: 0 }
    }

    fn put(&mut self, slot: u64, item: T) {
        self.slots[slot as usize].push(item);
        self.occupied |= 1 << slot;
    }

    fn take(&mut self, slot: u64) -> Vec<T> {
        self.occupied &= !(1 << slot);
        std::mem::take(&mut self.slots[slot as usize])
    }

    /// How many slots lie between `slot` and the next occupied one, `slot` itself excluded (1..=64).
    fn distance(&self, slot: u64) -> Option<u64> {
        let ahead = self.occupied.rotate_right(((slot + 1) % SLOTS) as u32);
        (ahead != 0).then(|| u64::from(ahead.trailing_zeros()) + 1)
    }
}

impl<T> Wheel<T> {
    /// An empty wheel that begins at `start`.
    pub fn new(start: Instant) -> Self {
        Self { start, now: 0, levels: [Level::new(), Level::new()] }
    }

    /// Has `item` handed out at the first tick not before `deadline`, or earlier if that is over 6 minutes away.
    pub fn schedule(&mut self, item: T, deadline: Instant) {
        let since_start = deadline.saturating_duration_since(self.start).as_nanos();
        let tick = u64::try_from(since_start.div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX).max(self.now + 1);
        if tick - self.now < SLOTS {
            self.levels[0].put(tick % SLOTS, item);
        } else {
            // Handed down to the first level when its step begins; the current step has been handed down already.
            let step = (tick / SLOTS).min(self.now / SLOTS + SLOTS - 1);
            self.levels[1].put(step % SLOTS, item);
        }
    }

    /// Appends to `due` every item whose tick has come by `now`.
    pub fn expire(&mut self, now: Instant, due: &mut Vec<T>) {
        let target = (now.saturating_duration_since(self.start).as_nanos() / TICK.as_nanos()) as u64;
        while self.now < target {
            let Some(next) = self.next_tick() else {
                self.now = target;
                return;
            };
            if next > target {
                self.now = target;
                return;
            }
            self.now = next;
            due.append(&mut self.levels[0].take(self.now % SLOTS));
            if self.now.is_multiple_of(SLOTS) {
                // A step begins: its items are at most one step away. Handing them out early is allowed, and cheap
                // because owners re-arm lazily; keeping their exact tick here would cost every entry a field.
                due.append(&mut self.levels[1].take(self.now / SLOTS % SLOTS));
            }
        }
    }

    /// When [`expire`](Self::expire) may next have something to hand out.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.next_tick().map(|tick| self.start + TICK * u32::try_from(tick).unwrap_or(u32::MAX))
    }

    fn next_tick(&self) -> Option<u64> {
        let fine = self.levels[0].distance(self.now % SLOTS).map(|distance| self.now + distance);
        let coarse =
            self.levels[1].distance(self.now / SLOTS % SLOTS).map(|distance| (self.now / SLOTS + distance) * SLOTS);
        match (fine, coarse) {
            (Some(fine), Some(coarse)) => Some(fine.min(coarse)),
            (fine, coarse) => fine.or(coarse),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(after_ms: &[u64]) -> Vec<(u64, usize)> {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        let deadlines: Vec<Instant> = after_ms.iter().map(|ms| start + Duration::from_millis(*ms)).collect();
        for (index, deadline) in deadlines.iter().enumerate() {
            wheel.schedule(index, *deadline);
        }
        let mut fired = Vec::new();
        let mut due = Vec::new();
        while let Some(next) = wheel.next_timeout() {
            wheel.expire(next, &mut due);
            for index in due.drain(..) {
                if deadlines[index] > next {
                    wheel.schedule(index, deadlines[index]); // too early: what an owner does
                } else {
                    fired.push(((next - start).as_millis() as u64, index));
                }
            }
        }
        fired
    }

    #[test]
    fn each_fires_at_the_first_tick_not_before_its_deadline() {
        assert_eq!(run(&[1, 100, 101, 6_300, 6_400]), [(100, 0), (100, 1), (200, 2), (6_300, 3), (6_400, 4)]);
    }

    #[test]
    fn far_deadlines_come_down_the_levels() {
        let fired = run(&[30_000, 60_050, 500_000, 3_600_000]);
        assert_eq!(fired, [(30_000, 0), (60_100, 1), (500_000, 2), (3_600_000, 3)]);
    }

    #[test]
    fn a_late_call_hands_out_all_that_is_due() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        for second in 0..60 {
            wheel.schedule(second, start + Duration::from_secs(second));
        }
        let mut due = Vec::new();
        wheel.expire(start + Duration::from_secs(3600), &mut due);
        due.sort_unstable();
        assert_eq!(due, (0..60).collect::<Vec<_>>());
        assert_eq!(wheel.next_timeout(), None);
    }

    #[test]
    fn timers_hand_out_the_earliest() {
        let now = Instant::now();
        let mut timers = Timers::<2>::default();
        assert_eq!(timers.next(), None);
        timers.set(0, now + TICK * 2);
        timers.set_once(1, || now + TICK);
        timers.set_once(1, || now + TICK * 9);
        assert_eq!(timers.next(), Some(now + TICK));
        assert!(!timers.take_expired(1, now));
        assert!(timers.take_expired(1, now + TICK));
        assert_eq!((timers.get(0), timers.get(1)), (Some(now + TICK * 2), None));
        assert_eq!(timers.next(), Some(now + TICK * 2));
    }
}
