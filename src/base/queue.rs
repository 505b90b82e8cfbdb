//! A bounded queue from many producers to threads that sleep while it is empty.
//!
//! The queue proper is strictly first in, first out, and nobody waits for anybody but while unwanted items are searched
//! in a full queue; only a thread with nothing to do, and whoever wakes it, take a lock alone. Sleepers are woken last
//! in, first out, so that at low load the same few threads, whose caches are warm, do all the work. They are woken one
//! by one: while one has been called and does not run yet, nobody calls another.
//!
//! A wake-up takes longer than short work does, so who calls the next when there is more to do than one can take is a
//! matter of who has time. A producer that is at work [pushes](Queue::push), which calls nobody, and
//! [tends](Queue::tend) the queue now and then: one more is called each time, as long as items wait. When it has nothing
//! else to do it [hands over](Queue::hand_over), and from then on those who wake call the next themselves. So a burst of
//! short work costs a wake-up, and long work has all threads at once when nobody else does anything.
//!
//! No wake-up is lost. A producer pushes, then looks whether somebody may be called; a consumer says that somebody may
//! be, be it itself since it is about to sleep or another since it has come up, and then looks for items. Between the
//! two steps of each is a full fence, so that at least one sees what the other has done. In the same way a consumer that
//! comes up says so and then asks whether the queue was handed over, and a producer hands it over and then asks whether
//! somebody may be called.

mod dormitory;

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crossbeam_queue::ArrayQueue;

use dormitory::{Dormitory, Sleeper};

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
    /// Whoever comes up is to call the next. While this is false and items wait some producer has
    /// yet to tend the queue.
    handed_over: AtomicBool,
    dormitory: Dormitory,
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
        Self { sleeper: Arc::new(Sleeper::new()), heard: Cell::new(0) }
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
            handed_over: AtomicBool::new(true),
            dormitory: Dormitory::default(),
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

    /// Appends an item; gives it back when the queue is full or closed. Calls nobody: whoever pushes, be it in vain, owes it
    /// to the items in the queue, whosever they are, to [`tend`](Self::tend) it soon, and before waiting for anything to
    /// [`hand_over`](Self::hand_over).
    pub fn push(&self, item: T) -> Result<(), T> {
        if self.is_closed() || self.items.len() >= self.capacity {
            return Err(item);
        }
        // While items wait the consumers go on to call each other for these too, and for others' as well.
        if self.handed_over.load(Ordering::Relaxed) && self.items.is_empty() {
            // Whoever has just handed it over may rely on this thread from here on: what that one had pushed before is
            // seen here when this thread looks, since both store with SeqCst.
            self.handed_over.store(false, Ordering::SeqCst);
        }
        let _order = self.keep_order();
        self.items.push(item)
    }

    /// Wakes one sleeper if items wait and none is about to come up. Returns whether items wait: then it has to be done
    /// again.
    pub fn tend(&self) -> bool {
        let is_due = !self.is_empty();
        if is_due {
            self.call_one();
        }
        is_due
    }

    /// Leaves it to the consumers to wake each other for as many items as there are.
    pub fn hand_over(&self) {
        if !self.is_empty() {
            self.handed_over.store(true, Ordering::SeqCst);
            self.call_one();
        }
    }

    /// Drops the items that are not wanted any more; the others keep their order. Takes time in proportion to the length,
    /// in which nobody else can push or pop. What is owed to the queue after a push is owed to it after this, too.
    pub fn retain(&self, is_wanted: impl Fn(&T) -> bool) {
        let _order = self.order.write().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..self.items.len() {
            let Some(item) = self.items.pop() else { return };
            if is_wanted(&item) {
                assert!(self.items.push(item).is_ok(), "fewer producers than spare places");
                // Someone may have found the queue empty in between.
                self.call_one();
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
                self.call_one();
                return Popped::Roused;
            }
            if let Some(item) = self.take() {
                if called && self.handed_over.load(Ordering::SeqCst) && !self.is_empty() {
                    self.call_one();
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
    fn call_one(&self) {
        fence(Ordering::SeqCst);
        self.dormitory.call_one();
    }

    fn call_all(&self) {
        fence(Ordering::SeqCst);
        self.dormitory.call_all();
    }

    /// Returns when called, or at once if there is something to do after all; says whether it was called.
    fn sleep(&self, consumer: &Consumer) -> bool {
        let sleeper = &consumer.sleeper;
        self.dormitory.lie_down(sleeper);
        fence(Ordering::SeqCst);
        let is_roused = || self.roused.load(Ordering::Relaxed) != consumer.heard.get();
        if (!self.is_empty() || self.is_closed() || is_roused()) && self.dormitory.withdraw(sleeper) {
            return false;
        }
        // Asleep, or taken off the list meanwhile: then the call has come or is about to.
        self.dormitory.sleep(sleeper);
        fence(Ordering::SeqCst);
        true
    }
}

#[cfg(test)]
mod tests;
