use std::sync::Mutex;

use super::*;
use crate::base::slab::Key;
use crate::exchange::Responder;
use crate::exchange::tests::job;
use crate::http::method::Method;

const LIGHT: bool = false;
const HEAVY: bool = true;

/// A queue that notes what it is told.
#[derive(Default)]
struct Noting {
    waiting: Mutex<Vec<Responder>>,
    is_full: bool,
    told: Mutex<Vec<&'static str>>,
}

impl Noting {
    /// What it has been told since this was last asked.
    fn told(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.told.lock().unwrap())
    }
}

impl Dispatch for Noting {
    fn submit(&self, responder: Box<Responder>) -> Result<(), Box<Responder>> {
        if self.is_full {
            return Err(responder);
        }
        self.waiting.lock().unwrap().push(*responder);
        Ok(())
    }

    fn tend(&self) -> bool {
        self.told.lock().unwrap().push("tend");
        !self.waiting.lock().unwrap().is_empty()
    }

    fn hand_over(&self) {
        self.told.lock().unwrap().push("hand over");
    }
}

fn exchanges(is_full: bool) -> (Exchanges, Arc<Noting>) {
    let queue = Arc::new(Noting { is_full, ..Noting::default() });
    let dispatch: Arc<dyn Dispatch> = queue.clone();
    (Exchanges::new(dispatch, Arc::new(Bell::new(1024, Box::new(|| {})))), queue)
}

fn submit(exchanges: &mut Exchanges) -> Option<Handle> {
    exchanges.submit(job(Method::Get), Tag { connection: Key::from_bits(7), stream: 1 }, None)
}

#[test]
fn requests_of_several_turns_are_one_wake_up() {
    let (mut exchanges, queue) = exchanges(false);
    for round in 0..3 {
        for _ in 1..UNTENDED_TURNS_MAX {
            assert!(round > 0 || submit(&mut exchanges).is_some());
            exchanges.tend(LIGHT);
        }
        assert!(queue.told().is_empty(), "there is time");
        exchanges.tend(LIGHT);
        // And again as long as any wait, whether new ones come or not.
        assert_eq!(queue.told(), ["tend"]);
    }
    queue.waiting.lock().unwrap().clear();
    (0..UNTENDED_TURNS_MAX).for_each(|_| exchanges.tend(LIGHT));
    assert_eq!(queue.told(), ["tend"]);
    // All have been taken.
    (0..10 * UNTENDED_TURNS_MAX).for_each(|_| exchanges.tend(HEAVY));
    exchanges.hand_over();
    assert!(queue.told().is_empty());
}

#[test]
fn a_long_turn_counts_for_several() {
    let (mut exchanges, queue) = exchanges(false);
    let heavy_turns = UNTENDED_TURNS_MAX.div_ceil(HEAVY_TURN);
    assert!(heavy_turns < UNTENDED_TURNS_MAX);
    assert!(submit(&mut exchanges).is_some());
    (1..heavy_turns).for_each(|_| exchanges.tend(HEAVY));
    assert!(queue.told().is_empty());
    exchanges.tend(HEAVY);
    assert_eq!(queue.told(), ["tend"]);
    // One that leads beyond the mark.
    (1..UNTENDED_TURNS_MAX).for_each(|_| exchanges.tend(LIGHT));
    exchanges.tend(HEAVY);
    assert_eq!(queue.told(), ["tend"]);
    // It was not saved up for the next.
    exchanges.tend(LIGHT);
    assert!(queue.told().is_empty());
}

#[test]
fn what_was_submitted_is_handed_over_once_also_in_vain() {
    for is_full in [false, true] {
        let (mut exchanges, queue) = exchanges(is_full);
        exchanges.hand_over();
        assert!(queue.told().is_empty(), "nothing was submitted");
        assert_eq!(submit(&mut exchanges).is_none(), is_full);
        (1..UNTENDED_TURNS_MAX).for_each(|_| exchanges.tend(LIGHT));
        exchanges.hand_over();
        exchanges.hand_over();
        assert_eq!(queue.told(), ["hand over"]);
        // The turns from before are forgotten with it.
        assert_eq!(submit(&mut exchanges).is_none(), is_full);
        exchanges.tend(LIGHT);
        assert!(queue.told().is_empty());
    }
}

#[test]
fn a_loop_that_ends_hands_over() {
    let (mut exchanges, queue) = exchanges(false);
    assert!(submit(&mut exchanges).is_some());
    drop(exchanges);
    assert_eq!(queue.told(), ["hand over"]);
}
