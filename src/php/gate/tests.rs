use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::thread;

use super::*;

/// Counts what it is asked, and checks that nobody is inside when one is alone.
#[derive(Debug, Default)]
struct Counts {
    inside: AtomicUsize,
    /// Restarts that somebody has asked for, and no restart has seen.
    wanted: AtomicBool,
    restarts: AtomicUsize,
    gave_up: AtomicUsize,
    interrupted: Mutex<Vec<usize>>,
    /// The clock, in milliseconds.
    millis: AtomicU64,
    epoch: Option<Instant>,
}

impl Counts {
    fn new() -> Self {
        Self { epoch: Some(Instant::now()), ..Self::default() }
    }

    fn pass(&self, time: Duration) {
        self.millis.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    fn restarts(&self) -> usize {
        self.restarts.load(Ordering::SeqCst)
    }
}

impl Host for &Counts {
    fn now(&self) -> Instant {
        self.epoch.unwrap() + Duration::from_millis(self.millis.load(Ordering::SeqCst))
    }

    fn restart(&self) -> bool {
        assert_eq!(self.inside.load(Ordering::SeqCst), 0);
        thread::yield_now();
        assert_eq!(self.inside.load(Ordering::SeqCst), 0, "nobody enters meanwhile");
        self.wanted.swap(false, Ordering::SeqCst)
    }

    fn restarted(&self, _pause: Duration) {
        self.restarts.fetch_add(1, Ordering::SeqCst);
    }

    fn gave_up(&self, _pause: Duration, stragglers: usize) {
        assert!(stragglers > 0);
        self.gave_up.fetch_add(1, Ordering::SeqCst);
    }

    fn interrupt(&self, seats: &[usize], _first: bool) {
        self.interrupted.lock().unwrap().extend(seats);
    }
}

const LONG: Duration = Duration::from_secs(1000);

#[test]
fn who_wants_a_restart_and_leaves_last_does_it() {
    let (gate, host) = (Gate::new(2, None), Counts::new());
    gate.enter(0, &&host);
    gate.enter(1, &&host);
    host.wanted.store(true, Ordering::SeqCst);
    gate.leave(0, Some(true), &&host);
    assert_eq!(host.restarts(), 0);
    gate.leave(1, None, &&host);
    assert_eq!(host.restarts(), 1);
    assert!(gate.is_open());
}

#[test]
fn what_was_wanted_too_early_is_done_by_the_next_to_enter() {
    let (gate, host) = (Gate::new(1, None), Counts::new());
    for expected in [1, 1] {
        gate.enter(0, &&host);
        host.wanted.store(true, Ordering::SeqCst);
        gate.leave(0, Some(true), &&host);
        assert_eq!(host.restarts(), expected);
    }
    host.pass(LONG);
    gate.enter(0, &&host);
    assert_eq!(host.restarts(), 2);
    gate.leave(0, None, &&host);
    assert!(gate.is_open());
}

#[test]
fn a_restart_that_nobody_wanted_is_not_told() {
    let (gate, host) = (Gate::new(1, None), Counts::new());
    gate.enter(0, &&host);
    gate.leave(0, Some(false), &&host);
    assert_eq!(host.restarts(), 0);
    assert!(gate.is_open());
}

#[test]
fn a_request_is_held_until_the_one_inside_has_left() {
    let (gate, host) = (Gate::new(2, None), Counts::new());
    gate.enter(0, &&host);
    gate.enter(1, &&host);
    host.wanted.store(true, Ordering::SeqCst);
    gate.leave(1, Some(true), &&host);
    thread::scope(|scope| {
        let held = scope.spawn(|| {
            gate.enter(1, &&host);
            let restarts = host.restarts();
            gate.leave(1, None, &&host);
            restarts
        });
        gate.leave(0, None, &&host);
        assert_eq!(held.join().unwrap(), 1);
    });
}

#[test]
fn a_thread_that_is_gone_is_in_nobodys_way() {
    let (gate, host) = (Gate::new(2, None), Counts::new());
    gate.enter(0, &&host);
    gate.enter(1, &&host);
    host.wanted.store(true, Ordering::SeqCst);
    gate.leave(1, Some(true), &&host);
    thread::scope(|scope| {
        let held = scope.spawn(|| {
            gate.enter(1, &&host);
            host.restarts()
        });
        gate.abandon(0);
        assert_eq!(held.join().unwrap(), 1);
    });
}

#[test]
fn requests_go_on_beside_one_that_stays_and_it_is_ended_in_the_end() {
    let (gate, host) = (Gate::new(2, Some(LONG)), Counts::new());
    gate.enter(0, &&host);
    gate.enter(1, &&host);
    host.wanted.store(true, Ordering::SeqCst);
    gate.leave(1, Some(true), &&host);
    host.pass(LONG / 2);
    gate.enter(1, &&host);
    assert_eq!(host.gave_up.load(Ordering::SeqCst), 1);
    gate.leave(1, None, &&host);
    assert!(host.interrupted.lock().unwrap().is_empty());
    host.pass(LONG / 2);
    gate.enter(1, &&host);
    assert_eq!(*host.interrupted.lock().unwrap(), [0]);
    // Requests were held for LONG / 2, and now run for a multiple of that.
    host.pass(10 * LONG);
    gate.leave(0, None, &&host);
    gate.leave(1, None, &&host);
    assert_eq!(host.restarts(), 1);
    assert!(gate.is_open());
}

/// Threads pass as fast as they can, and each wants a restart now and then. None is lost, and each is alone.
#[test]
fn nobody_is_inside_during_a_restart() {
    const THREADS: usize = 4;
    let rounds = if cfg!(miri) { 20 } else { 20_000 };
    let (gate, host) = (Gate::new(THREADS, None), Counts::new());
    thread::scope(|scope| {
        for seat in 0..THREADS {
            let (gate, host) = (&gate, &host);
            scope.spawn(move || {
                for round in 0..rounds {
                    gate.enter(seat, &host);
                    host.inside.fetch_add(1, Ordering::SeqCst);
                    let wants = round % 10 == seat;
                    if wants {
                        host.pass(LONG);
                        host.wanted.store(true, Ordering::SeqCst);
                    }
                    host.inside.fetch_sub(1, Ordering::SeqCst);
                    gate.leave(seat, wants.then_some(round % 20 == seat), &host);
                }
            });
        }
    });
    host.pass(LONG);
    gate.enter(0, &&host);
    assert!(!host.wanted.load(Ordering::SeqCst));
    assert!(host.restarts() > 0);
    assert!(gate.is_open());
}
