//! A bounded queue from many producers to threads that sleep while it is empty.
//!
//! The queue proper is lock-free and first in, first out; only a thread with nothing to do, and whoever wakes it, take
//! a lock. Sleepers are woken last in, first out, so that at low load the same few threads, whose caches are warm, do
//! all the work. No wake-up is lost: a consumer looks again after it has put itself down as a sleeper, and a producer
//! looks for sleepers after it has pushed, each with a full fence between, so that one of the two sees the other.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};

use crossbeam_queue::ArrayQueue;

/// See the module's documentation.
#[derive(Debug)]
pub struct Queue<T> {
    items: ArrayQueue<T>,
    closed: AtomicBool,
    /// Those who sleep or are about to, the last one hottest.
    sleepers: Mutex<Vec<Arc<Sleeper>>>,
    /// How many `sleepers` there are, to be read without the lock.
    asleep: AtomicUsize,
}

/// One consumer: whose it is and whether it has been called.
#[derive(Debug)]
struct Sleeper {
    thread: Thread,
    /// Set by whoever takes it off the list. Parking alone would not do: it may end for no reason.
    called: AtomicBool,
}

/// A consumer's place at a [`Queue`], to be used by the thread that made it.
#[derive(Debug)]
pub struct Consumer {
    sleeper: Arc<Sleeper>,
}

impl Consumer {
    /// A place for the calling thread.
    pub fn new() -> Self {
        Self { sleeper: Arc::new(Sleeper { thread: thread::current(), called: AtomicBool::new(false) }) }
    }
}

impl Default for Consumer {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Queue<T> {
    /// An empty queue for at most `capacity` items, at least 1.
    pub fn new(capacity: usize) -> Self {
        Self {
            items: ArrayQueue::new(capacity),
            closed: AtomicBool::new(false),
            sleepers: Mutex::new(Vec::new()),
            asleep: AtomicUsize::new(0),
        }
    }

    /// How many items wait.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether no item waits.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Appends an item and wakes a sleeper; gives it back when the queue is full or closed.
    pub fn push(&self, item: T) -> Result<(), T> {
        if self.is_closed() {
            return Err(item);
        }
        self.items.push(item)?;
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) > 0 {
            self.wake_hottest();
        }
        Ok(())
    }

    /// Takes the oldest item, and sleeps while there is none. `None` once the queue is closed, items or not.
    pub fn pop(&self, consumer: &Consumer) -> Option<T> {
        loop {
            if self.is_closed() {
                return None;
            }
            if let Some(item) = self.items.pop() {
                return Some(item);
            }
            self.sleep(&consumer.sleeper);
        }
    }

    /// Ends it: nothing more goes in or out, and all sleepers wake. Items that are left go with the queue.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        for sleeper in self.lock_sleepers().drain(..) {
            sleeper.call();
        }
        self.asleep.store(0, Ordering::Relaxed);
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn wake_hottest(&self) {
        let hottest = {
            let mut sleepers = self.lock_sleepers();
            let hottest = sleepers.pop();
            self.asleep.store(sleepers.len(), Ordering::Relaxed);
            hottest
        };
        if let Some(sleeper) = hottest {
            sleeper.call();
        }
    }

    /// Returns when called, or at once if there is something to do after all.
    fn sleep(&self, sleeper: &Arc<Sleeper>) {
        {
            let mut sleepers = self.lock_sleepers();
            sleepers.push(Arc::clone(sleeper));
            self.asleep.store(sleepers.len(), Ordering::Relaxed);
        }
        fence(Ordering::SeqCst);
        if (!self.items.is_empty() || self.is_closed()) && self.withdraw(sleeper) {
            return;
        }
        // Asleep, or taken off the list meanwhile: then the call has come or is about to.
        while !sleeper.called.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }

    /// Takes a sleeper off the list; false if someone else has.
    fn withdraw(&self, sleeper: &Arc<Sleeper>) -> bool {
        let mut sleepers = self.lock_sleepers();
        let Some(at) = sleepers.iter().rposition(|other| Arc::ptr_eq(other, sleeper)) else {
            return false;
        };
        sleepers.remove(at);
        self.asleep.store(sleepers.len(), Ordering::Relaxed);
        true
    }

    fn lock_sleepers(&self) -> MutexGuard<'_, Vec<Arc<Sleeper>>> {
        // Nothing panics while it holds the lock.
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sleeper {
    fn call(&self) {
        self.called.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::mpsc;

    use super::*;

    fn wait_for_sleepers(queue: &Queue<u32>, count: usize) {
        while queue.asleep.load(Ordering::SeqCst) != count {
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
                let (queue, sender) = (&queue, sender.clone());
                scope.spawn(move || {
                    let consumer = Consumer::new();
                    while let Some(item) = queue.pop(&consumer) {
                        sender.send((number, item)).unwrap();
                    }
                });
                wait_for_sleepers(queue, number + 1);
            }
            for item in 0..10 {
                queue.push(item).unwrap();
                assert_eq!(receiver.recv().unwrap(), (2, item));
                wait_for_sleepers(&queue, 3);
            }
            queue.close();
        });
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
                let (queue, sender) = (&queue, sender.clone());
                scope.spawn(move || {
                    let consumer = Consumer::new();
                    while let Some(item) = queue.pop(&consumer) {
                        sender.send(item).unwrap();
                    }
                });
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
                    }
                });
            }
            let received: HashSet<_> = receiver.iter().take((PRODUCERS * ITEMS) as usize).collect();
            assert_eq!(received.len(), (PRODUCERS * ITEMS) as usize);
            queue.close();
        });
    }
}
