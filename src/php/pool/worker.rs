//! The life of a PHP thread: it joins PHP, serves the requests of its queue one after another, and leaves PHP when all
//! threads start anew, when its part of PHP is in an unknown state, and at the end.
//!
//! A request lies between `enter` and `leave` of [`Opcache`](super::Opcache), from before it is looked at until PHP has
//! cleaned up after it. Whatever way it ends, the thread gives its place in OPcache back before it waits for the next.

use std::sync::Arc;
use std::time::Instant;

use super::Shared;
use crate::base::black_box::Record;
use crate::base::queue::{Consumer, Popped};
use crate::exchange::Responder;
use crate::php::attachment::Attachment;
use crate::php::crash_note::note;
use crate::php::recycling::Life;
use crate::php::request::RequestArena;
use crate::php::sapi::{self, Health};
use crate::php::scoreboard::{Counters, ThreadState, Told};
use crate::php::slot::Slot;

/// Why a thread leaves PHP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leave {
    /// There is no more to do.
    Closed,
    /// Its part of PHP is in an unknown state.
    Unhealthy,
    /// It has served as many requests as it may, or all threads were asked to.
    Recycled,
    /// It was replaced.
    Lost,
}

impl Shared {
    /// A thread's life.
    pub(super) fn work(&self, slot: &Arc<Slot>) {
        let consumer = Consumer::new();
        let mut arena = RequestArena::default();
        let seat = self.opcache.sit_down(slot);
        let mut leave = None;
        for turn in 0.. {
            let life = self.recycling.live(slot.number(), turn);
            slot.join(Instant::now(), life.generation);
            let attachment = Attachment::new(Arc::clone(slot));
            slot.enter(Instant::now(), ThreadState::Waiting);
            if leave == Some(Leave::Recycled) {
                self.recycling.done();
                self.rouse_next();
            }
            let why = self.serve(slot, seat, life, &consumer, &attachment, &mut arena);
            let ends = matches!(why, Leave::Closed | Leave::Lost);
            slot.enter(Instant::now(), if ends { ThreadState::Stopping } else { ThreadState::Restarting });
            drop(attachment);
            self.opcache.abandon(seat);
            if ends {
                self.opcache.get_up(seat);
            }
            self.account(why, slot);
            if ends {
                return;
            }
            leave = Some(why);
        }
    }

    /// Serves requests until there is a reason to leave PHP. The thread may not have left OPcache then: what it detaches
    /// from may still point there.
    fn serve(
        &self,
        slot: &Slot,
        seat: usize,
        life: Life,
        consumer: &Consumer,
        attachment: &Attachment,
        arena: &mut RequestArena,
    ) -> Leave {
        let line = self.line_of(slot);
        let record = self.black_box.and_then(|black_box| black_box.record(seat));
        let mut served = 0;
        loop {
            if self.recycling.begin(life, served, line.is_empty()) {
                return Leave::Recycled;
            }
            let mut responder = match line.pop(consumer) {
                Popped::Item(responder) => responder,
                Popped::Roused => {
                    self.run_errands(seat, attachment);
                    continue;
                }
                Popped::Closed => return Leave::Closed,
            };
            self.opcache.enter(seat, attachment);
            if !responder.start() {
                // Nobody waits for it any more.
                self.opcache.leave(seat, attachment);
                continue;
            }
            let told = told(&responder);
            record.into_iter().for_each(|record| note(record, &told));
            slot.begin(Instant::now(), &told, || responder.expiry());
            let request = arena.request(responder.job(), &self.server);
            let health = sapi::execute(attachment, request, responder, || self.opcache.announce(attachment));
            served += 1;
            // That of a thread which was given up is its own, too, as its seat is.
            record.into_iter().for_each(Record::clear);
            if !slot.end(Instant::now(), attachment.memory()) {
                return Leave::Lost;
            }
            if health == Health::Unhealthy {
                return Leave::Unhealthy;
            }
            self.opcache.leave(seat, attachment);
        }
    }

    /// Does what somebody has roused the threads for, if no other has.
    fn run_errands(&self, seat: usize, attachment: &Attachment) {
        if self.errands.take_reset() {
            self.opcache.reset(seat, attachment);
        }
        if self.errands.take_status() {
            let status = self.opcache.ask(seat, attachment);
            self.errands.answer(Instant::now(), status);
        }
    }

    /// A thread is back: those that were asked to start anew as well may sleep.
    fn rouse_next(&self) {
        if self.seats.any(|slot| slot.generation() != self.recycling.generation()) {
            self.rouse();
        }
    }

    fn account(&self, leave: Leave, slot: &Arc<Slot>) {
        let number = slot.number();
        match leave {
            Leave::Closed => {}
            Leave::Unhealthy => {
                Counters::add(&self.watch.counters.unhealthy);
                log::warn!("php-{number}: a request has left PHP in an unknown state; the thread starts anew");
            }
            Leave::Recycled => {
                Counters::add(&self.watch.counters.recycled);
                log::debug!("php-{number}: the thread starts anew");
            }
            Leave::Lost => {
                self.seats.forget(slot);
                log::info!("php-{number}: a thread that was given up has come back, and ends");
            }
        }
    }
}

fn told(responder: &Responder) -> Told<'_> {
    let job = responder.job();
    let script = [&*job.script.document_root, &*job.script.name];
    Told { method: job.request.method.as_str(), uri: job.request.target(), script }
}
