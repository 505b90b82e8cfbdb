//! When OPcache may empty its memory ("restart"), as a state machine without a clock or threads.
//!
//! It may only while no request runs. Until then requests run without the cache, as under php-fpm, and two things are
//! weighed: how long others are kept waiting, and who is ended for it. So requests are held for a short time, in which
//! most are over; if that was not enough they go on, until those that were in the way have ended by themselves, and
//! next time they are held for longer. Nobody is ended before `opcache.force_restart_timeout`, after which php-fpm's
//! processes would be killed.

use std::time::{Duration, Instant};

use crate::base::limits::{
    OPCACHE_INTERRUPT_INTERVAL, OPCACHE_PAUSE_FIRST, OPCACHE_PAUSE_LIMIT, OPCACHE_PAUSE_SHARE, OPCACHE_RESTART_INTERVAL,
};

/// The way to a restart, and back. "Inside" is who runs a request; each has a seat, which is a number.
#[derive(Debug)]
pub(super) struct Restart {
    phase: Phase,
    /// `opcache.force_restart_timeout`: none for as long as it takes.
    force_after: Option<Duration>,
    /// The next restart, and the next attempt to hold requests for one.
    not_before: Option<Instant>,
    /// How long requests are held at most, the next time.
    pause_limit: Duration,
    /// Who was inside all the time while requests were held in vain, and is so still.
    stragglers: Vec<bool>,
    /// When they were last told to end.
    interrupted_at: Option<Instant>,
}

/// ```text
/// Idle ──want──▶ Wanted ──hold──▶ Holding ──nobody inside──▶ Alone ──done──▶ Idle
///                  │  ▲──in vain─────┘                         ▲
///                  └────────────────nobody inside──────────────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// OPcache wants nothing.
    Idle,
    /// It wants to restart, and requests run.
    Wanted {
        since: Instant,
        /// When to hold requests for it.
        hold_at: Instant,
    },
    /// No request begins, and those inside finish.
    Holding { since: Instant, held_at: Instant },
    /// Somebody is alone, and no request begins.
    Alone { held_at: Instant },
}

/// What is to happen now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Requests may begin.
    Go,
    /// No request may begin. Ask again at this time, if there is one, and when somebody leaves.
    Hold(Option<Instant>),
    /// No request may begin, and whoever has asked does the restart now, and says [`done`](Restart::done).
    Alone,
    /// Requests may begin again, after they were held in vain.
    GiveUp {
        /// How long they were held.
        pause: Duration,
        /// How many requests were in the way.
        stragglers: usize,
    },
    /// Requests may begin. These seats' are to be ended, since the restart has waited for them long enough.
    Interrupt {
        /// Who.
        seats: Vec<usize>,
        /// They were not told before.
        first: bool,
    },
}

impl Restart {
    /// Nothing is wanted yet, by requests on so many seats.
    pub(super) fn new(seats: usize, force_after: Option<Duration>) -> Self {
        Self {
            phase: Phase::Idle,
            force_after,
            not_before: None,
            pause_limit: OPCACHE_PAUSE_FIRST,
            stragglers: vec![false; seats],
            interrupted_at: None,
        }
    }

    /// Whether there is nothing to do.
    pub(super) fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
    }

    /// OPcache wants to restart. If the request that has caused it is not over it is probably inside still, and
    /// holding others for it can wait a little.
    pub(super) fn want(&mut self, now: Instant, cause_is_over: bool) {
        let hold_at = if cause_is_over { now } else { now + OPCACHE_RESTART_INTERVAL };
        match &mut self.phase {
            Phase::Idle => self.phase = Phase::Wanted { since: now, hold_at },
            Phase::Wanted { hold_at: before, .. } => *before = hold_at.min(*before),
            Phase::Holding { .. } | Phase::Alone { .. } => {}
        }
    }

    /// What is to happen, with these seats taken.
    pub(super) fn judge(&mut self, now: Instant, inside: &[bool]) -> Verdict {
        let nobody_inside = !inside.contains(&true);
        match self.phase {
            Phase::Idle => Verdict::Go,
            Phase::Alone { .. } => Verdict::Hold(None),
            Phase::Holding { held_at, .. } if nobody_inside => self.alone(held_at),
            Phase::Holding { since, held_at } => {
                let until = held_at + self.pause_limit;
                if now < until { Verdict::Hold(Some(until)) } else { self.give_up(now, since, held_at, inside) }
            }
            Phase::Wanted { since, hold_at } => {
                self.stragglers.iter_mut().zip(inside).for_each(|(straggler, inside)| *straggler &= inside);
                let too_soon = self.not_before.is_some_and(|before| now < before);
                match (nobody_inside, too_soon) {
                    (true, false) => self.alone(now),
                    _ if self.stragglers.contains(&true) => self.wait_for_stragglers(now, since),
                    (false, false) if hold_at <= now => {
                        self.phase = Phase::Holding { since, held_at: now };
                        Verdict::Hold(Some(now + self.pause_limit))
                    }
                    _ => Verdict::Go,
                }
            }
        }
    }

    /// The restart is over; returns how long requests were held.
    ///
    /// # Panics
    ///
    /// Unless [`Verdict::Alone`] was given and this was not called since.
    pub(super) fn done(&mut self, now: Instant) -> Duration {
        let Phase::Alone { held_at } = self.phase else { panic!("a restart ends that has not begun: {self:?}") };
        self.phase = Phase::Idle;
        self.pause_limit = OPCACHE_PAUSE_FIRST;
        self.rest(now, held_at)
    }

    fn alone(&mut self, held_at: Instant) -> Verdict {
        self.phase = Phase::Alone { held_at };
        self.stragglers.fill(false);
        self.interrupted_at = None;
        Verdict::Alone
    }

    fn give_up(&mut self, now: Instant, since: Instant, held_at: Instant, inside: &[bool]) -> Verdict {
        self.phase = Phase::Wanted { since, hold_at: now };
        self.stragglers.copy_from_slice(inside);
        self.pause_limit = (self.pause_limit * 2).min(OPCACHE_PAUSE_LIMIT);
        let stragglers = inside.iter().filter(|inside| **inside).count();
        Verdict::GiveUp { pause: self.rest(now, held_at), stragglers }
    }

    /// After requests were held they run for a multiple of that time.
    fn rest(&mut self, now: Instant, held_at: Instant) -> Duration {
        let pause = now.saturating_duration_since(held_at);
        self.not_before = Some(now + OPCACHE_RESTART_INTERVAL.max(pause * OPCACHE_PAUSE_SHARE));
        pause
    }

    fn wait_for_stragglers(&mut self, now: Instant, since: Instant) -> Verdict {
        let is_due = self.force_after.is_some_and(|force_after| now >= since + force_after);
        let too_soon = self.interrupted_at.is_some_and(|before| now < before + OPCACHE_INTERRUPT_INTERVAL);
        if !is_due || too_soon {
            return Verdict::Go;
        }
        let first = self.interrupted_at.replace(now).is_none();
        let seats = self.stragglers.iter().enumerate().filter(|(_, straggler)| **straggler);
        Verdict::Interrupt { seats: seats.map(|(seat, _)| seat).collect(), first }
    }
}

#[cfg(test)]
mod tests;
