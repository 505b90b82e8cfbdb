//! The load: clients that take the next number and do what the plan says of it, until there are no more.

use std::collections::BTreeMap;
use std::io::Result;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use crate::asks;
use crate::client::{Client, Pace};
use crate::operator::Operator;
use crate::plan::{self, Kind};
use crate::random::Random;
use crate::rude;
use crate::streams;
use crate::support::Server;

/// How many clients there are at once, fewer than may wait in the queue.
const CLIENTS: usize = 12;
/// With so many failures there is no need for more.
const FAILURES_MAX: usize = 10;

pub(crate) struct Load<'a> {
    server: &'a Server,
    operator: &'a Operator<'a>,
    seed: u64,
    next: AtomicU64,
    told: Mutex<Told>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// How often what was done.
    pub(crate) counts: BTreeMap<Kind, u64>,
    pub(crate) failures: Vec<String>,
    /// The numbers of requests that the access log must know.
    pub(crate) answered: Vec<u64>,
    /// Those whose scripts go on after the end of their response.
    pub(crate) finished: Vec<u64>,
}

impl<'a> Load<'a> {
    pub(crate) fn new(server: &'a Server, operator: &'a Operator<'a>, seed: u64) -> Self {
        Self { server, operator, seed, next: AtomicU64::new(0), told: Mutex::default() }
    }

    /// Goes on to the request of number `end`, or until the time is over; how many there were.
    pub(crate) fn run(&self, end: u64, deadline: Instant) -> u64 {
        let begin = self.next.load(Ordering::Relaxed);
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    let mut client = Client::new(self.server.address());
                    while Instant::now() < deadline && self.told().failures.len() < FAILURES_MAX {
                        let take = |n| (n < end).then_some(n + 1);
                        let Ok(n) = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) else { break };
                        self.request(n, &mut client);
                    }
                });
            }
        });
        self.next.load(Ordering::Relaxed) - begin
    }

    pub(crate) fn server(&self) -> &'a Server {
        self.server
    }

    pub(crate) fn operator(&self) -> &'a Operator<'a> {
        self.operator
    }

    pub(crate) fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().expect("nobody panics with it")
    }

    fn request(&self, n: u64, client: &mut Client) {
        let (kind, mut random) = plan::of(self.seed, n);
        if random.one_in(3) {
            client.hang_up();
        }
        let result = self.act(kind, n, client, &mut random);
        let mut told = self.told();
        *told.counts.entry(kind).or_default() += 1;
        match result {
            Ok(()) if is_answered(kind) => told.answered.push(n),
            Ok(()) => {}
            Err(error) => told.failures.push(format!("{n} {kind:?}: {error}")),
        }
        if kind == Kind::Finish {
            told.finished.push(n);
        }
    }

    fn act(&self, kind: Kind, n: u64, client: &mut Client, random: &mut Random) -> Result<()> {
        let address = self.server.address();
        let ask = match kind {
            Kind::Hello => asks::hello(n, random),
            Kind::Classes => asks::classes(n),
            Kind::Upload => asks::upload(n, random),
            Kind::Body => asks::body(n, random),
            Kind::Large => asks::large(n, random),
            Kind::Events => asks::events(n, random),
            Kind::Sleep => asks::sleep(n, random),
            Kind::Ending => asks::ending(n, random),
            Kind::TimeLimit => asks::endless_loop(n),
            Kind::Finish => asks::finish(n),
            Kind::Children => asks::children(n),
            Kind::Process => asks::process(n),
            Kind::UserIni => asks::user_ini(n),
            Kind::Hints => asks::hints(n),
            Kind::File => asks::file(n, random),
            Kind::Reset => asks::cache(n, "reset"),
            Kind::Invalidate => asks::cache(n, "invalidate"),
            Kind::Stuck(how) => asks::stuck(n, how),
            Kind::Session => return client.session(n, random),
            Kind::Pipeline => return client.pipeline(n, random),
            Kind::Streams => return streams::visit(address, n, random),
            Kind::LeavesSending => return rude::leave_while_sending(address, n, random),
            Kind::LeavesWaiting => return rude::leave_while_waiting(address, n, random),
            Kind::LeavesTaking => return rude::leave_while_taking(address, n, random),
            Kind::StopsInHead => return rude::stop_in_a_head(address, n),
            Kind::Reload => {
                self.operator.reload();
                return Ok(());
            }
            Kind::Rotate => {
                self.operator.rotate();
                return Ok(());
            }
            Kind::Restart => {
                self.operator.restart_php();
                return Ok(());
            }
        };
        let pace = match random.below(10) {
            0 => Pace::Sends(1 + random.below(20)),
            1 => Pace::Takes,
            _ => Pace::Fast,
        };
        client.ask(&ask, pace).map(drop)
    }
}

fn is_answered(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::LeavesSending
            | Kind::LeavesWaiting
            | Kind::LeavesTaking
            | Kind::StopsInHead
            | Kind::Reload
            | Kind::Rotate
            | Kind::Restart
            | Kind::Streams
    )
}
