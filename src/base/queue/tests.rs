use std::collections::HashSet;
use std::sync::{Barrier, mpsc};
use std::thread::{self, Scope};

use super::*;

/// A thread that takes items, and does something with each.
fn consume<'scope, T: Send>(
    scope: &'scope Scope<'scope, '_>,
    queue: &'scope Queue<T>,
    mut take: impl FnMut(T) + Send + 'scope,
) {
    scope.spawn(move || {
        let consumer = Consumer::new();
        while let Some(item) = queue.pop(&consumer) {
            take(item);
        }
    });
}

fn wait_for_sleepers(queue: &Queue<u32>, count: usize) {
    while queue.dormitory.sleepers() != count {
        thread::yield_now();
    }
}

#[test]
fn is_bounded_and_in_order() {
    let queue = Queue::new(2);
    let consumer = Consumer::new();
    assert_eq!(queue.push(1), Ok(()));
    assert_eq!(queue.push(2), Ok(()));
    assert_eq!(queue.push(3), Err(3));
    assert_eq!((queue.pop(&consumer), queue.len()), (Some(1), 1));
    assert_eq!(queue.push(3), Ok(()));
    assert_eq!((queue.pop(&consumer), queue.pop(&consumer)), (Some(2), Some(3)));
    assert!(queue.is_empty());
}

/// What is taken out for others to leave keeps its place before what comes later.
#[test]
fn order_holds_while_unwanted_items_are_searched() {
    const ITEMS: u32 = 20_000;
    let queue = Queue::new(100);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !queue.is_closed() {
                queue.retain(|_| true);
                thread::yield_now();
            }
        });
        scope.spawn(|| {
            for item in 0..ITEMS {
                while queue.push(item).is_err() {
                    thread::yield_now();
                }
                queue.tend();
            }
        });
        let consumer = Consumer::new();
        let popped: Vec<_> = (0..ITEMS).map_while(|_| queue.pop(&consumer)).collect();
        queue.close();
        assert!(popped.iter().copied().eq(0..ITEMS), "{popped:?}");
    });
}

#[test]
fn unwanted_items_make_room() {
    let queue = Queue::new(4);
    let consumer = Consumer::new();
    for item in 1..=4 {
        queue.push(item).unwrap();
    }
    assert_eq!(queue.push(5), Err(5));
    queue.retain(|item| item % 2 == 1);
    assert_eq!(queue.push(5), Ok(()));
    assert_eq!([queue.pop(&consumer), queue.pop(&consumer), queue.pop(&consumer)], [Some(1), Some(3), Some(5)]);
    assert!(queue.is_empty());
}

#[test]
fn close_wakes_everyone_and_refuses_everything() {
    let queue = Queue::new(4);
    thread::scope(|scope| {
        let consumers: Vec<_> = (0..3).map(|_| scope.spawn(|| queue.pop(&Consumer::new()))).collect();
        wait_for_sleepers(&queue, 3);
        queue.close();
        for consumer in consumers {
            assert_eq!(consumer.join().unwrap(), None);
        }
    });
    assert_eq!(queue.push(1), Err(1));
    assert_eq!(queue.pop(&Consumer::new()), None);
}

#[test]
fn the_last_to_sleep_is_the_first_to_wake() {
    let queue = Queue::new(4);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for number in 0..3 {
            let sender = sender.clone();
            consume(scope, &queue, move |item| sender.send((number, item)).unwrap());
            wait_for_sleepers(&queue, number + 1);
        }
        for item in 0..10 {
            queue.push(item).unwrap();
            queue.hand_over();
            assert_eq!(receiver.recv().unwrap(), (2, item));
            wait_for_sleepers(&queue, 3);
        }
        queue.close();
    });
}

/// Items come while nobody runs yet: one thread is called, and that one calls the next.
#[test]
fn a_burst_wakes_one_thread_which_wakes_the_next() {
    const THREADS: usize = 3;
    let queue = Queue::new(8);
    let (sender, receiver) = mpsc::channel();
    // Each keeps its item until all have one, so that it takes all threads to get there.
    let barrier = Barrier::new(THREADS);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (barrier, sender) = (&barrier, sender.clone());
            consume(scope, &queue, move |item| {
                sender.send(item).unwrap();
                barrier.wait();
            });
            wait_for_sleepers(&queue, number + 1);
        }
        for round in 0..if cfg!(miri) { 3 } else { 1000 } {
            wait_for_sleepers(&queue, THREADS);
            (0..THREADS as u32).for_each(|n| queue.push(round * 10 + n).unwrap());
            queue.hand_over();
            let mut items: Vec<_> = receiver.iter().take(THREADS).collect();
            items.sort_unstable();
            assert!(items.into_iter().eq((0..THREADS as u32).map(|n| round * 10 + n)));
        }
        wait_for_sleepers(&queue, THREADS);
        queue.close();
    });
}

/// While producers are at work one more is called each time that one of them tends the queue.
#[test]
fn a_queue_that_is_tended_has_one_more_called_each_time() {
    let queue = Queue::new(8);
    let (sender, receiver) = mpsc::channel();
    let barrier = Barrier::new(3);
    assert!(!queue.tend(), "nothing waits");
    thread::scope(|scope| {
        for number in 0..2 {
            let (barrier, sender) = (&barrier, sender.clone());
            consume(scope, &queue, move |item| {
                sender.send(item).unwrap();
                barrier.wait();
            });
            wait_for_sleepers(&queue, number + 1);
        }
        (0..2).for_each(|item| queue.push(item).unwrap());
        assert_eq!(queue.dormitory.sleepers(), 2, "nobody is called by a push");
        assert!(queue.tend());
        assert_eq!(receiver.recv().unwrap(), 0);
        assert_eq!((queue.dormitory.sleepers(), queue.len()), (1, 1), "who was called does not call the next");
        assert!(queue.tend());
        assert_eq!(receiver.recv().unwrap(), 1);
        assert!(!queue.tend(), "everything was taken");
        barrier.wait();
        wait_for_sleepers(&queue, 2);
        queue.close();
    });
}

/// One producer hands its items over, each of which holds its thread until all are taken, and sleeps. Another one, at
/// work all the while, takes that back again and again: it then has to care for the items of the first.
#[test]
fn a_busy_producer_cares_for_the_items_of_one_that_sleeps() {
    const BURST: usize = 3;
    const ROUNDS: usize = if cfg!(miri) { 5 } else { 5_000 };
    let queue = Queue::new(16);
    // The items of the first are true.
    let burst = Barrier::new(BURST + 1);
    thread::scope(|scope| {
        for _ in 0..=BURST {
            consume(scope, &queue, |is_held| {
                if is_held {
                    burst.wait();
                }
            });
        }
        scope.spawn(|| {
            while !queue.is_closed() {
                let _ = queue.push(false);
                while queue.tend() && !queue.is_closed() {
                    thread::yield_now();
                }
            }
        });
        for round in 0..ROUNDS {
            for _ in 0..BURST {
                while queue.push(true).is_err() {
                    thread::yield_now();
                }
                if round.is_multiple_of(2) {
                    queue.tend();
                }
            }
            queue.hand_over();
            burst.wait();
        }
        queue.close();
    });
}

/// Consumers that were told to call each other for what waits go on to do so, although another producer adds to it.
#[test]
fn a_backlog_is_not_taken_back() {
    let queue = Queue::new(8);
    let consumer = Consumer::new();
    let is_handed_over = || queue.handed_over.load(Ordering::SeqCst);
    queue.push(1).unwrap();
    assert!(!is_handed_over(), "a queue that was empty is its producer's again");
    queue.push(2).unwrap();
    queue.hand_over();
    for item in 3..6 {
        queue.push(item).unwrap();
        assert!(is_handed_over(), "{item}");
    }
    assert!((1..6).all(|item| queue.pop(&consumer) == Some(item)));
    queue.hand_over();
    assert!(is_handed_over(), "nobody has pushed since");
    queue.push(6).unwrap();
    assert!(!is_handed_over());
}

#[test]
fn everyone_is_roused_once_asleep_or_not() {
    let queue = Queue::new(4);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..3 {
            let (queue, sender) = (&queue, sender.clone());
            scope.spawn(move || {
                let consumer = Consumer::new();
                loop {
                    match queue.pop_or_rouse(&consumer) {
                        Popped::Closed => return,
                        popped => sender.send(popped).unwrap(),
                    }
                }
            });
        }
        for _ in 0..if cfg!(miri) { 3 } else { 1000 } {
            wait_for_sleepers(&queue, 3);
            queue.rouse();
            assert!(receiver.iter().take(3).all(|popped| popped == Popped::Roused));
        }
        queue.push(7).unwrap();
        queue.hand_over();
        assert_eq!(receiver.recv().unwrap(), Popped::Item(7));
        queue.close();
    });
    let queue = Queue::new(4);
    let consumer = Consumer::new();
    queue.push(1).unwrap();
    queue.rouse();
    queue.rouse();
    assert_eq!(queue.pop_or_rouse(&consumer), Popped::Roused, "before it would have slept");
    assert_eq!(queue.pop_or_rouse(&consumer), Popped::Item(1));
    queue.push(2).unwrap();
    queue.rouse();
    assert_eq!(queue.pop(&consumer), Some(2), "nobody who only takes items hears of it");
}

/// With a queue of one place and more consumers than work, threads sleep and wake at every item: a lost wake-up
/// would end in a deadlock.
#[test]
fn no_item_and_no_wake_up_is_lost() {
    const PRODUCERS: u32 = 3;
    const ITEMS: u32 = if cfg!(miri) { 50 } else { 20_000 };
    let queue = Queue::new(1);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..4 {
            let sender = sender.clone();
            consume(scope, &queue, move |item| sender.send(item).unwrap());
        }
        for producer in 0..PRODUCERS {
            let queue = &queue;
            scope.spawn(move || {
                for item in 0..ITEMS {
                    let mut item = producer * ITEMS + item;
                    while let Err(back) = queue.push(item) {
                        item = back;
                        thread::yield_now();
                    }
                    if item.is_multiple_of(3) {
                        queue.hand_over();
                    } else {
                        while queue.tend() {
                            thread::yield_now();
                        }
                    }
                }
            });
        }
        let received: HashSet<_> = receiver.iter().take((PRODUCERS * ITEMS) as usize).collect();
        assert_eq!(received.len(), (PRODUCERS * ITEMS) as usize);
        queue.close();
    });
}
