use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Counts how often it was interrupted, and never listens; it gives its trace if it is told to.
#[derive(Debug, Default)]
struct Deaf {
    fired: AtomicUsize,
    ended: AtomicUsize,
    expired: AtomicUsize,
    cleared: AtomicUsize,
    trace_wanted: AtomicBool,
}

impl Interrupt for Arc<Deaf> {
    fn fire(&self) {
        self.fired.fetch_add(1, Ordering::Relaxed);
    }

    fn is_pending(&self) -> bool {
        true
    }

    fn end(&self, why: Ending) {
        assert_eq!(why, Ending::Opcache);
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    fn expire(&self, allowed: Duration) {
        assert_eq!(allowed, 5 * SECOND);
        self.expired.fetch_add(1, Ordering::Relaxed);
    }

    fn is_expiring(&self) -> bool {
        true
    }

    fn want_trace(&self) {
        self.trace_wanted.store(true, Ordering::Relaxed);
    }

    fn is_trace_wanted(&self) -> bool {
        self.trace_wanted.load(Ordering::Relaxed)
    }

    fn unwant_trace(&self) -> bool {
        self.trace_wanted.swap(false, Ordering::Relaxed)
    }

    fn read_trace(&self) -> String {
        "read".to_owned()
    }

    fn clear(&self) {
        self.trace_wanted.store(false, Ordering::Relaxed);
        self.cleared.fetch_add(1, Ordering::Relaxed);
    }
}

/// Keeps what it is told.
#[derive(Debug, Default)]
struct Kept(Mutex<Vec<(Duration, String)>>);

impl SlowSink for Kept {
    fn tell(&self, request: &SlowRequest) {
        assert_eq!((request.thread, request.method, &*request.script), (7, "GET", &b"/srv/a.php"[..]));
        self.0.lock().unwrap().push((request.duration, request.trace.clone()));
    }
}

impl Kept {
    fn take(&self) -> Vec<(Duration, String)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

const TOLD: Told<'static> = Told { method: "GET", uri: b"/a", script: [b"/srv", b"/a.php"] };

fn slot_with(watch: Watch) -> (Slot<Arc<Deaf>>, Arc<Deaf>) {
    let slot = Slot::new(7, 0, Arc::new(watch), Arc::new(Alarm::new()));
    let target = Arc::new(Deaf::default());
    slot.attach(Arc::clone(&target));
    (slot, target)
}

fn slot() -> (Slot<Arc<Deaf>>, Arc<Deaf>) {
    slot_with(Watch::default())
}

fn unasked() -> Expiry {
    panic!("there is no limit")
}

#[test]
fn interrupts_when_the_time_is_over_and_says_when_to_come_again() {
    let (slot, target) = slot();
    let start = Instant::now();
    let fired = || target.fired.load(Ordering::Relaxed);
    assert_eq!(slot.turn(start).next, None);
    slot.limit_time(start, 2, 1);
    assert_eq!((slot.turn(start).next, fired()), (Some(start + 2 * SECOND), 0));
    let again = slot.turn(start + 2 * SECOND).next.unwrap();
    assert_eq!((again > start + 2 * SECOND, fired()), (true, 1));
    slot.turn(again);
    assert_eq!(fired(), 2);
    slot.limit_time(again, 0, 0);
    assert_eq!((slot.turn(again + 100 * SECOND).next, fired()), (None, 2));
}

#[test]
fn a_detached_thread_is_left_alone() {
    let (slot, target) = slot();
    let start = Instant::now();
    slot.limit_time(start, 1, 1);
    slot.detach();
    assert_eq!(slot.turn(start + SECOND).next, None);
    slot.attach(Arc::clone(&target));
    assert_eq!(slot.turn(start + SECOND).next, None, "its limit has gone as well");
    slot.begin(start, &TOLD, unasked);
    slot.interrupt(Ending::Opcache);
    slot.detach();
    slot.interrupt(Ending::Opcache);
    assert_eq!(target.ended.load(Ordering::Relaxed), 1);
}

#[test]
fn only_a_script_is_interrupted() {
    let (slot, target) = slot();
    let start = Instant::now();
    slot.enter(start, ThreadState::Waiting);
    slot.interrupt(Ending::Opcache);
    slot.begin(start, &TOLD, unasked);
    slot.interrupt(Ending::Opcache);
    assert_eq!(target.cleared.load(Ordering::Relaxed), 0);
    assert!(slot.end(start, Memory::default()));
    assert_eq!(target.cleared.load(Ordering::Relaxed), 1, "the next request is not told");
    slot.interrupt(Ending::Opcache);
    slot.begin(start, &TOLD, unasked);
    assert!(slot.end(start, Memory::default()));
    assert_eq!((target.ended.load(Ordering::Relaxed), target.cleared.load(Ordering::Relaxed)), (1, 1));
}

/// The watchdog sees every limit as over. Still it can only hit a request that has one.
#[test]
fn a_limit_never_hits_the_next_request() {
    let (slot, target) = slot();
    let (slot, fired) = (&slot, || target.fired.load(Ordering::Relaxed));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut now = Instant::now();
            while !done.load(Ordering::Relaxed) {
                now += SECOND;
                slot.turn(now);
            }
        });
        let mut hits = 0;
        while hits < 1000 {
            let before = fired();
            slot.limit_time(Instant::now(), 1, 0);
            thread::yield_now();
            slot.limit_time(Instant::now(), 0, 0);
            let after = fired();
            hits += usize::from(after > before);
            for _ in 0..10 {
                thread::yield_now();
                assert_eq!(fired(), after, "the request with a limit is over");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

fn slow(after: Duration) -> (Watch, Arc<Kept>) {
    let kept = Arc::new(Kept::default());
    let sink: Arc<dyn SlowSink> = Arc::<Kept>::clone(&kept);
    (Watch { slow: Some((after, sink)), ..Watch::default() }, kept)
}

#[test]
fn a_slow_request_is_told_once() {
    let (watch, kept) = slow(2 * SECOND);
    let (slot, target) = slot_with(watch);
    let start = Instant::now();
    slot.begin(start, &TOLD, unasked);
    assert_eq!(slot.turn(start + SECOND).next, Some(start + 2 * SECOND));
    let read_at = slot.turn(start + 2 * SECOND).next.unwrap();
    assert!(target.is_trace_wanted());
    // It blocks, so that its trace is read.
    assert_eq!(slot.turn(read_at).next, None);
    assert_eq!(kept.take(), [(read_at - start, "read".to_owned())]);
    assert!(!target.is_trace_wanted());
    slot.take_trace(read_at, "late".to_owned());
    assert!(slot.end(start + 9 * SECOND, Memory::default()));
    assert_eq!(kept.take(), []);
    assert_eq!(slot.watch.counters.totals(0, 0).slow, 1);
}

#[test]
fn a_thread_that_moves_tells_itself() {
    let (watch, kept) = slow(SECOND);
    let (slot, target) = slot_with(watch);
    let start = Instant::now();
    slot.begin(start, &TOLD, unasked);
    let read_at = slot.turn(start + SECOND).next.unwrap();
    // It has seen the question; the answer takes it a moment.
    assert!(target.unwant_trace());
    assert!(slot.turn(read_at).next.is_some());
    assert_eq!(kept.take(), []);
    slot.take_trace(read_at, "given".to_owned());
    assert_eq!(kept.take(), [(read_at - start, "given".to_owned())]);
}

#[test]
fn a_slow_request_that_ends_meanwhile_is_told_too() {
    let (watch, kept) = slow(SECOND);
    let (slot, target) = slot_with(watch);
    let start = Instant::now();
    slot.begin(start, &TOLD, unasked);
    slot.turn(start + SECOND);
    assert!(slot.end(start + SECOND, Memory::default()));
    assert_eq!(kept.take(), [(SECOND, String::new())]);
    assert!(!target.is_trace_wanted(), "the next request is not asked");
}

#[test]
fn what_a_thread_is_at() {
    let (slot, _target) = slot();
    let start = Instant::now();
    slot.begin(start, &TOLD, unasked);
    assert_eq!(slot.status(start).state, ThreadState::Running);
    assert!(slot.end(start, Memory { peak: 4, held: 2 }));
    let status = slot.status(start);
    assert_eq!((status.state, status.requests, status.memory_peak_bytes), (ThreadState::Waiting, 1, 4));
}

/// As if the request that runs had not ended in all the time after its own.
fn be_late(slot: &Slot<Arc<Deaf>>, now: Instant) {
    slot.lock().request_limit = RequestLimit::Lost { again_at: now };
}

#[test]
fn a_thread_that_is_given_up_ends_when_it_comes_back() {
    let (slot, _target) = slot();
    let start = Instant::now();
    assert!(!slot.give_up(start), "it has no request that could hold it");
    slot.begin(start, &TOLD, unasked);
    assert!(!slot.give_up(start), "that was another request");
    be_late(&slot, start);
    assert!(slot.give_up(start));
    assert_eq!(slot.status(start).state, ThreadState::Lost);
    assert!(!slot.end(start, Memory::default()));
}

#[test]
fn a_thread_that_could_not_be_replaced_goes_on() {
    let (slot, _target) = slot();
    let start = Instant::now();
    slot.begin(start, &TOLD, unasked);
    be_late(&slot, start);
    assert!(slot.give_up(start));
    assert!(slot.take_back());
    assert!(slot.end(start, Memory::default()));
    assert!(!slot.take_back(), "it is back already");
}
