//! Whole connections, simulated: the real connection, service and protocol over a model of the kernel, with clients and
//! a PHP that misbehave, a clock that jumps, and every choice a seed's.
//!
//! `EPHPM_SEEDS=n` runs n seeds instead of some thousands, `EPHPM_SEED=n` one again, which a failure names.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "simulation/mod.rs"]
mod simulation;

const SEEDS: u64 = 2_000;

#[test]
fn every_seed_ends_well() {
    let number = |name| std::env::var(name).ok().map(|value| value.parse::<u64>().expect("a number"));
    let (seeds, tells) = match number("EPHPM_SEED") {
        Some(seed) => (seed..seed + 1, true),
        None => (0..number("EPHPM_SEEDS").unwrap_or(SEEDS), false),
    };
    for seed in seeds {
        let failed = NameOnPanic(seed);
        simulation::run_seed(seed, tells);
        std::mem::forget(failed);
    }
}

/// Says which seed it was when a panic goes by.
struct NameOnPanic(u64);

impl Drop for NameOnPanic {
    fn drop(&mut self) {
        println!("\nrepeat with EPHPM_SEED={}\n", self.0);
    }
}
