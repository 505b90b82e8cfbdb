//! What the stages of a request cost one by one: parsing, routing, `$_SERVER`, the exchange, the queue, encoding.
//!
//! `cargo bench --manifest-path benches/micro/Cargo.toml [-- FILTER]`. Times are of this machine and this hour; they
//! serve to compare a change with what was before it (`--save-baseline`, `--baseline`).

mod requests;

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ephpm::base::chunk::Chunk;
use ephpm::base::queue::{Consumer, Queue};
use ephpm::base::send_queue::SendQueue;
use ephpm::base::slab::Key;
use ephpm::exchange::{self, Bell, Pull, Tag};
use ephpm::http::event::{Event, StreamId};
use ephpm::http::message::{ContentLength, Response};
use ephpm::http::status::Status;
use ephpm::http1::{Http1, Http1Options};
use ephpm::site::router::{Options, Router};
use ephpm::site::server_vars::{ServerOptions, ServerVars, build};
use requests::{BROWSER, SMALL, Site, job, request};

const HEADS: [(&str, &[u8]); 2] = [("small head", SMALL), ("browser's head", BROWSER)];
const DATE: &[u8; 29] = b"Sun, 06 Nov 1994 08:49:37 GMT";

/// From the bytes of a head to a request.
fn parser(c: &mut Criterion) {
    let mut group = c.benchmark_group("parser");
    for (name, head) in HEADS {
        group.bench_function(name, |b| {
            b.iter_batched(
                || (connection(), BytesMut::from(head)),
                |(mut http1, mut inbox)| {
                    let Some(Event::Request(_, request)) = http1.poll_event(&mut inbox) else { panic!("a request") };
                    (request, http1, inbox)
                },
                BatchSize::SmallInput,
            );
        });
    }
}

/// From a response to its bytes.
fn encoder(c: &mut Criterion) {
    let mut out = SendQueue::default();
    c.bench_function("encoder", |b| {
        b.iter_batched(
            || {
                let (mut http1, mut inbox) = (connection(), BytesMut::from(SMALL));
                let Some(Event::Request(id, _)) = http1.poll_event(&mut inbox) else { panic!("a request") };
                (http1, id, response())
            },
            |(mut http1, id, response)| {
                respond(&mut http1, id, response, &mut out);
                http1
            },
            BatchSize::SmallInput,
        );
    });
}

/// Request and response on a connection that stays, as most do.
fn connections(c: &mut Criterion) {
    let mut group = c.benchmark_group("connection");
    for (name, head) in HEADS {
        let (mut http1, mut inbox, mut out) = (connection(), BytesMut::new(), SendQueue::default());
        group.bench_function(name, |b| {
            b.iter(|| {
                inbox.extend_from_slice(black_box(head));
                let Some(Event::Request(id, request)) = http1.poll_event(&mut inbox) else { panic!("a request") };
                while http1.poll_event(&mut inbox).is_some() {}
                respond(&mut http1, id, response(), &mut out);
                request
            });
        });
    }
}

fn connection() -> Http1 {
    Http1::new(Http1Options { requests_max: u64::MAX, ..Http1Options::default() })
}

fn respond(http1: &mut Http1, id: StreamId, response: Response, out: &mut SendQueue) {
    http1.send_response(id, response, ContentLength::Exact(13), DATE, out);
    http1.send_content(id, Chunk::Bytes(Bytes::from_static(b"Hello, World!")), out);
    http1.finish(id, out);
    out.advance(out.len());
}

fn response() -> Response {
    let mut response = Response::new(Status::OK);
    response.headers.add("Content-Type", b"text/html; charset=UTF-8");
    response
}

fn router(c: &mut Criterion) {
    let router = Router::new(Options::new(&b"/srv/www"[..]));
    let mut group = c.benchmark_group("router");
    for (name, head) in [
        ("script", SMALL),
        ("front controller", BROWSER),
        ("file", b"GET /style.css?ver=7.1 HTTP/1.1\r\nHost: a\r\n\r\n".as_slice()),
    ] {
        let request = request(head);
        group.bench_function(name, |b| b.iter(|| router.route(black_box(&request), &mut Site)));
    }
}

fn server_vars(c: &mut Criterion) {
    let options = ServerOptions::default();
    let mut group = c.benchmark_group("server_vars");
    for (name, head) in HEADS {
        let (job, mut vars) = (job(head), ServerVars::new());
        group.bench_function(name, |b| {
            b.iter(|| {
                vars.clear();
                build(black_box(&job), job.content.len(), &options, &mut vars);
                vars.len()
            });
        });
    }
}

/// One page from a PHP thread to its loop, both played by this thread.
fn exchange(c: &mut Criterion) {
    let bell = Arc::new(Bell::new(64, Box::new(|| {})));
    let tag = Tag { connection: Key::from_bits(7), stream: 3 };
    let mut group = c.benchmark_group("exchange");
    for (name, page) in [("13 bytes", vec![b'x'; 13]), ("10 KiB", vec![b'x'; 10 * 1024])] {
        group.bench_function(name, |b| {
            b.iter_batched(
                || job(SMALL),
                |job| {
                    let (mut handle, mut responder) = exchange::new(job, tag, Arc::clone(&bell), None);
                    assert!(responder.start());
                    responder.send_head(response());
                    responder.write(&page).expect("nobody has gone");
                    responder.complete();
                    bell.pop().expect("it has rung").take();
                    let mut pieces = 0;
                    loop {
                        match handle.poll() {
                            Pull::End => break pieces,
                            Pull::Pending | Pull::Failed => panic!("it is complete"),
                            _ => pieces += 1,
                        }
                    }
                },
                BatchSize::SmallInput,
            );
        });
    }
}

/// The queue beside the simplest thing that could do its work. Nobody sleeps, nobody contends: the cost of every request.
fn queue(c: &mut Criterion) {
    let mut group = c.benchmark_group("queue");
    let (queue, consumer) = (Queue::new(1024), Consumer::new());
    group.bench_function("push and pop", |b| {
        b.iter(|| {
            queue.push(Box::new(black_box(1_u64))).expect("there is room");
            queue.pop(&consumer)
        });
    });
    let mutex = Mutex::new(VecDeque::with_capacity(1024));
    group.bench_function("push and pop of a locked VecDeque", |b| {
        b.iter(|| {
            mutex.lock().expect("nobody panics").push_back(Box::new(black_box(1_u64)));
            mutex.lock().expect("nobody panics").pop_front()
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .without_plots()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = parser, encoder, connections, router, server_vars, exchange, queue
}
criterion_main!(benches);
