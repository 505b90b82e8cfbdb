//! The parts of a simulated world; `tests/simulation.rs` and the fuzz target `connection` run it.

mod client;
#[allow(dead_code, reason = "the tests of HTTP/2 use the rest")]
#[path = "../http2/frames.rs"]
pub(crate) mod frames;
#[allow(dead_code, reason = "the tests of HTTP/2 use the rest")]
#[path = "../http2/hpack.rs"]
mod hpack;
mod http2_client;
mod http2_plan;
mod peer;
mod php;
mod plan;
mod queue;
mod random;
mod reader;
mod socket;
pub(crate) mod surroundings;
mod world;

use bytes::BytesMut;
use ephpm::base::send_queue::SendQueue;
use ephpm::http::message::{ContentLength, Response};
use ephpm::http::method::Method;
use ephpm::http::status::Status;
use ephpm::http1::{Http1, Http1Options};
use ephpm::protocol::{Event, StreamId};

use plan::{Owed, Plan, Request};
use random::Random;
use surroundings::DATE;
use world::World;

/// Runs the world of a seed; `tells` prints what happens in it.
#[allow(dead_code, reason = "the fuzz target has bytes")]
pub(crate) fn run_seed(seed: u64, tells: bool) {
    let world = World::new(Random::new(seed));
    if tells { world.tell().run() } else { world.run() }
}

/// A client that sends any bytes, in a world that any bytes schedule: the first byte says how many of the others do.
#[allow(dead_code, reason = "the simulation has seeds")]
pub(crate) fn connection(data: &[u8]) {
    let Some((len, rest)) = data.split_first() else { return };
    let (schedule, input) = rest.split_at(usize::from(*len).min(rest.len()));
    let plan = |random: &mut Random| Plan { requests: requests(input), ..Plan::of_bytes(input.to_vec(), random) };
    World::of_plan(Random::scripted(schedule), plan).run();
}

/// The requests among these bytes, as a connection sees them that gets them all at once.
fn requests(input: &[u8]) -> Vec<Request> {
    let (mut http1, mut inbox, mut out) =
        (Http1::new(Http1Options::default()), BytesMut::from(input), SendQueue::default());
    let mut found: Vec<Request> = Vec::new();
    let add = |found: &mut Vec<Request>, StreamId(id), method, at| {
        let request = Request {
            id,
            method,
            owed: Owed::Anything,
            head_end: at,
            end: at,
            expects_continue: false,
            closes: false,
            accepts: None,
            is_10: false,
        };
        found.push(request);
    };
    while let Some(event) = http1.poll_event(&mut inbox) {
        let at = input.len() - inbox.len();
        let id = match event {
            Event::Request(id, request) => {
                add(&mut found, id, request.method, at);
                continue;
            }
            Event::Content(..) | Event::Reset(_) | Event::Room(_) | Event::Sent(_) => continue,
            Event::EndOfContent(id) => id,
            Event::Invalid(id, _) => {
                if found.last().is_none_or(|request| request.id != id.0) {
                    add(&mut found, id, Method::Get, at);
                }
                id
            }
        };
        if let Some(request) = found.last_mut() {
            request.end = at;
        }
        http1.send_response(id, Response::new(Status::OK), ContentLength::Exact(0), DATE, &mut out);
        http1.finish(id, &mut out);
    }
    if let Some(request) = found.last_mut().filter(|request| request.end == request.head_end) {
        request.end = input.len() - inbox.len();
    }
    found
}
