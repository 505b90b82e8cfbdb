//! What a peer may spend on things that cost us and serve nobody. Time fills it again, and what is of use earns more;
//! reads no clock.

use std::time::{Duration, Instant};

/// What a peer may still spend. Fills up within `period`.
#[derive(Debug)]
pub(super) struct Purse {
    coins: f64,
    /// How many time alone gives.
    coins_max: f64,
    /// How many there may be with what is earned.
    savings_max: f64,
    period: Duration,
    filled_at: Option<Instant>,
}

impl Purse {
    /// A full one.
    pub(super) fn new(coins_max: u32, period: Duration) -> Self {
        let coins_max = f64::from(coins_max);
        Self { coins: coins_max, coins_max, savings_max: coins_max, period, filled_at: None }
    }

    /// The same, in which what is earned is kept, up to so many coins.
    pub(super) fn saving(self, savings_max: u32) -> Self {
        Self { savings_max: f64::from(savings_max).max(self.coins_max), ..self }
    }

    /// Takes note of the time.
    pub(super) fn fill(&mut self, now: Instant) {
        if self.filled_at == Some(now) {
            return;
        }
        let since = self.filled_at.replace(now).map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        if self.coins < self.coins_max {
            let coins = self.coins_max * since.as_secs_f64() / self.period.as_secs_f64();
            self.coins = (self.coins + coins).min(self.coins_max);
        }
    }

    pub(super) fn earn(&mut self, coins: f64) {
        self.coins = (self.coins + coins).min(self.savings_max);
    }

    /// False if there is none left.
    pub(super) fn spend(&mut self) -> bool {
        let has_one = self.coins >= 1.0;
        if has_one {
            self.coins -= 1.0;
        }
        has_one
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_fills_the_purse() {
        let now = Instant::now();
        let mut purse = Purse::new(10, Duration::from_secs(5));
        purse.fill(now);
        assert_eq!((0..20).filter(|_| purse.spend()).count(), 10);
        purse.fill(now + Duration::from_millis(1500));
        assert_eq!((0..20).filter(|_| purse.spend()).count(), 3);
        purse.fill(now + Duration::from_secs(500));
        assert_eq!((0..20).filter(|_| purse.spend()).count(), 10);
        purse.earn(4.0);
        assert_eq!((0..20).filter(|_| purse.spend()).count(), 4);
    }

    #[test]
    fn what_is_earned_may_be_kept() {
        let now = Instant::now();
        for (mut purse, kept) in
            [(Purse::new(10, Duration::from_secs(5)), 10), (Purse::new(10, Duration::from_secs(5)).saving(50), 50)]
        {
            purse.fill(now);
            purse.earn(100.0);
            purse.fill(now + Duration::from_secs(50));
            assert_eq!((0..100).filter(|_| purse.spend()).count(), kept);
        }
    }
}
