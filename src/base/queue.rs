//! A bounded queue from many producers to threads that sleep while it is empty.
//!
//! The queue proper is strictly first in, first out, and nobody waits for anybody but while unwanted items are searched
//! in a full queue; only a thread with nothing to do, and whoever wakes it, take a lock alone. Sleepers are woken last in, first out, so that at low load the same few threads, whose caches are warm, do
//! all the work. They are woken one by one: while one has been called and does not run yet, nobody calls another, and
//! when it runs it calls the next if there is more to do than it can take. So a burst of short work does not wake more
//! threads than it keeps busy.
//!
//! No wake-up is lost. A producer pushes, then looks whether somebody may be called; a consumer says that somebody may
//! be, be it itself since it is about to sleep or another since it has come up, and then looks for items. Between the
//! two steps of each is a full fence, so that at least one sees what the other has done.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::thread::{self, Thread};

use crossbeam_queue::ArrayQueue;

/// Places beyond a queue's capacity. Each producer may push one item too many when it looked at the same moment as the
/// others, and what [`Queue::retain`] has taken out must find a place again; this is more than there are producers.
pub const SPARE_PLACES: usize = 512;

/// See the module's documentation.
#[derive(Debug)]
pub struct Queue<T> {
    items: ArrayQueue<T>,
    /// Shared by those who push and pop, and held alone by [`Queue::retain`], which would change the order for them.
    order: RwLock<()>,
    capacity: usize,
    closed: AtomicBool,
    /// How often all were roused.
    roused: AtomicU64,
    dormitory: Mutex<Dormitory>,
    /// Whether a producer should call someone, to be read without the lock.
    may_call: AtomicBool,
}

#[derive(Debug, Default)]
struct Dormitory {
    /// Those who sleep or are about to, the last one hottest.
    sleepers: Vec<Arc<Sleeper>>,
    /// Someone was called and has not come up yet.
    calling: bool,
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
    /// The last call of [`Queue::rouse`] that it has heard.
    heard: Cell<u64>,
}

/// What a consumer gets.
#[derive(Debug, PartialEq, Eq)]
pub enum Popped<T> {
    /// The oldest item.
    Item(T),
    /// Nothing: all were roused since it asked last, be it once or more often.
    Roused,
    /// Nothing, ever again.
    Closed,
}

impl Consumer {
    /// A place for the calling thread.
    pub fn new() -> Self {
        let sleeper = Arc::new(Sleeper { thread: thread::current(), called: AtomicBool::new(false) });
        Self { sleeper, heard: Cell::new(0) }
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
            items: ArrayQueue::new(capacity + SPARE_PLACES),
            order: RwLock::new(()),
            capacity,
            closed: AtomicBool::new(false),
            roused: AtomicU64::new(0),
            dormitory: Mutex::default(),
            may_call: AtomicBool::new(false),
        }
    }

    /// How many items may wait.
    pub fn capacity(&self) -> usize {
        self.capacity
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
        if self.is_closed() || self.items.len() >= self.capacity {
            return Err(item);
        }
        let order = self.keep_order();
        self.items.push(item)?;
        drop(order);
        self.call_if_needed();
        Ok(())
    }

    /// Drops the items that are not wanted any more; the others keep their order. Takes time in proportion to the length,
    /// in which nobody else can push or pop.
    pub fn retain(&self, is_wanted: impl Fn(&T) -> bool) {
        let _order = self.order.write().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..self.items.len() {
            let Some(item) = self.items.pop() else { return };
            if is_wanted(&item) {
                assert!(self.items.push(item).is_ok(), "fewer producers than spare places");
                // Someone may have found the queue empty in between.
                self.call_if_needed();
            }
        }
    }

    /// Takes the oldest item, and sleeps while there is none. `None` once the queue is closed, items or not.
    pub fn pop(&self, consumer: &Consumer) -> Option<T> {
        loop {
            match self.pop_or_rouse(consumer) {
                Popped::Item(item) => return Some(item),
                Popped::Roused => {}
                Popped::Closed => return None,
            }
        }
    }

    /// The same, for those who have more to do than to take items.
    pub fn pop_or_rouse(&self, consumer: &Consumer) -> Popped<T> {
        let mut called = false;
        loop {
            if self.is_closed() {
                return Popped::Closed;
            }
            let roused = self.roused.load(Ordering::Acquire);
            if consumer.heard.replace(roused) != roused {
                // It may have been called for an item that it does not take now.
                self.call_if_needed();
                return Popped::Roused;
            }
            if let Some(item) = self.take() {
                if called && !self.items.is_empty() {
                    self.call_if_needed();
                }
                return Popped::Item(item);
            }
            called = self.sleep(consumer);
        }
    }

    /// Lets every consumer return from [`pop_or_rouse`](Self::pop_or_rouse) without an item, now or as soon as it comes there. What is done
    /// before this is called is seen by those who return.
    pub fn rouse(&self) {
        self.roused.fetch_add(1, Ordering::SeqCst);
        self.call_all();
    }

    /// Ends it: nothing more goes in or out, and all sleepers wake. Items that are left go with the queue.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.call_all();
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn take(&self) -> Option<T> {
        let _order = self.keep_order();
        self.items.pop()
    }

    fn keep_order(&self) -> RwLockReadGuard<'_, ()> {
        self.order.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be called after a push, or when there is more than one can take.
    fn call_if_needed(&self) {
        fence(Ordering::SeqCst);
        if !self.may_call.load(Ordering::Relaxed) {
            return;
        }
        let hottest = {
            let mut dormitory = self.dormitory();
            let hottest = if dormitory.calling { None } else { dormitory.sleepers.pop() };
            dormitory.calling |= hottest.is_some();
            self.publish(&dormitory);
            hottest
        };
        if let Some(sleeper) = hottest {
            sleeper.call();
        }
    }

    fn call_all(&self) {
        fence(Ordering::SeqCst);
        let mut dormitory = self.dormitory();
        dormitory.sleepers.drain(..).for_each(|sleeper| sleeper.call());
        self.publish(&dormitory);
    }

    /// Returns when called, or at once if there is something to do after all; says whether it was called.
    fn sleep(&self, consumer: &Consumer) -> bool {
        let sleeper = &consumer.sleeper;
        {
            let mut dormitory = self.dormitory();
            dormitory.sleepers.push(Arc::clone(sleeper));
            self.publish(&dormitory);
        }
        fence(Ordering::SeqCst);
        let is_roused = || self.roused.load(Ordering::Relaxed) != consumer.heard.get();
        if (!self.items.is_empty() || self.is_closed() || is_roused()) && self.withdraw(sleeper) {
            return false;
        }
        // Asleep, or taken off the list meanwhile: then the call has come or is about to.
        while !sleeper.called.swap(false, Ordering::Acquire) {
            thread::park();
        }
        {
            let mut dormitory = self.dormitory();
            dormitory.calling = false;
            self.publish(&dormitory);
        }
        fence(Ordering::SeqCst);
        true
    }

    /// Takes a sleeper off the list; false if someone else has.
    fn withdraw(&self, sleeper: &Arc<Sleeper>) -> bool {
        let mut dormitory = self.dormitory();
        let Some(at) = dormitory.sleepers.iter().rposition(|other| Arc::ptr_eq(other, sleeper)) else {
            return false;
        };
        dormitory.sleepers.remove(at);
        self.publish(&dormitory);
        true
    }

    fn publish(&self, dormitory: &Dormitory) {
        let may_call = !dormitory.calling && !dormitory.sleepers.is_empty();
        self.may_call.store(may_call, Ordering::Relaxed);
    }

    fn dormitory(&self) -> MutexGuard<'_, Dormitory> {
        // Nothing panics while it holds the lock.
        self.dormitory.lock().unwrap_or_else(PoisonError::into_inner)
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
    use std::sync::{Barrier, mpsc};

    use super::*;

    fn wait_for_sleepers(queue: &Queue<u32>, count: usize) {
        while queue.dormitory().sleepers.len() != count {
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
                let (queue, barrier, sender) = (&queue, &barrier, sender.clone());
                scope.spawn(move || {
                    let consumer = Consumer::new();
                    while let Some(item) = queue.pop(&consumer) {
                        sender.send(item).unwrap();
                        barrier.wait();
                    }
                });
                wait_for_sleepers(queue, number + 1);
            }
            for round in 0..if cfg!(miri) { 3 } else { 1000 } {
                wait_for_sleepers(&queue, THREADS);
                (0..THREADS as u32).for_each(|n| queue.push(round * 10 + n).unwrap());
                let mut items: Vec<_> = receiver.iter().take(THREADS).collect();
                items.sort_unstable();
                assert!(items.into_iter().eq((0..THREADS as u32).map(|n| round * 10 + n)));
            }
            wait_for_sleepers(&queue, THREADS);
            queue.close();
        });
    }

    #[test]
    fn one_is_called_at_a_time() {
        let queue = Queue::new(8);
        let mut sleepers = Vec::new();
        // Sleepers who never come up.
        for _ in 0..3 {
            let sleeper = Consumer::new().sleeper;
            queue.dormitory().sleepers.push(Arc::clone(&sleeper));
            sleepers.push(sleeper);
        }
        queue.publish(&queue.dormitory());
        let called = || sleepers.iter().map(|sleeper| sleeper.called.load(Ordering::SeqCst)).collect::<Vec<_>>();
        (0..4).for_each(|item| queue.push(item).unwrap());
        assert_eq!(called(), [false, false, true]);
        // The third has come up and takes one.
        queue.dormitory().calling = false;
        queue.publish(&queue.dormitory());
        queue.call_if_needed();
        queue.call_if_needed();
        assert_eq!(called(), [false, true, true]);
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
