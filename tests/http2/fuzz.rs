//! What holds of a connection for any bytes behind the preface, in any pieces, with time that passes in between.

use std::sync::Arc;
use std::time::Duration;

use ephpm::base::limits;
use ephpm::http::message::Response;
use ephpm::http::status::Status;
use ephpm::http2::Http2Options;
use ephpm::protocol::Disposition;

use super::frames::{PREFACE, Received};
use super::harness::{Connection, Site};

/// Limits that short inputs can reach.
const TIGHT: Http2Options = Http2Options {
    head_bytes_max: 2000,
    fields_max: 6,
    target_bytes_max: 100,
    requests_max: 20,
    streams_max: 5,
    control_frames_max: 40,
    resets_max: 6,
};

/// The first byte says how many of the others schedule what happens to the rest. Nothing panics, what waits is bounded,
/// what comes out are frames that a client can read, and every request is answered or reset in the end.
pub(crate) fn http2_connection(data: &[u8]) {
    let Some((len, rest)) = data.split_first() else { return };
    let (schedule, mut input) = rest.split_at(usize::from(*len).min(rest.len()));
    let site = Site { http2: Arc::new(TIGHT), ..Site::default() };
    let mut connection = site.connect();
    let mut received = Received::taking(usize::MAX);
    connection.receive(PREFACE);
    let mut steps = schedule.iter().chain(std::iter::repeat(&0xbf));
    while !input.is_empty() && connection.disposition() == Disposition::Open {
        let step = *steps.next().unwrap();
        let (piece, after) = input.split_at((usize::from(step & 0x3f) * 8 + 1).min(input.len()));
        input = after;
        // A peer that does not read is not read from.
        connection.takes = (step & 0xc0 == 0x40).then_some(100);
        if connection.wants_input() {
            connection.receive(piece);
        }
        match step >> 6 {
            0 => connection.pass(Duration::from_millis(300)),
            2 => answer_one(&mut connection),
            _ => {}
        }
        check(&mut connection, &mut received);
    }
    connection.takes = None;
    // Whoever waits for anything has waited long enough after this.
    for _ in 0..10 {
        answer_one(&mut connection);
        connection.pass(Duration::from_secs(20));
        check(&mut connection, &mut received);
    }
    let is_ended_well = received.goaways.iter().all(|(_, code)| *code == 0);
    if is_ended_well {
        for (stream, answer) in &received.answers {
            assert!(answer.is_complete || answer.reset.is_some(), "stream {stream}: {answer:?}");
        }
    }
    connection.eof();
    assert_ne!(connection.disposition(), Disposition::Open);
    connection.with_waiting(|waiting| {
        assert!(waiting.iter().all(|responder| responder.is_aborted()));
        waiting.clear();
    });
    assert_eq!(connection.load().1, 0, "no request is left with PHP");
}

fn check(connection: &mut Connection<'_>, received: &mut Received) {
    received.feed(&connection.take_output());
    let (inbox, in_flight) = connection.load();
    assert!(inbox <= 2 * limits::READ_BUDGET && in_flight <= 2 * TIGHT.streams_max as usize);
    assert!(connection.unsent() <= 2 * limits::SEND_QUEUE_HIGH);
}

/// Ends the script that has waited for longest.
fn answer_one(connection: &mut Connection<'_>) {
    connection.with_waiting(|waiting| {
        if !waiting.is_empty() {
            let mut responder = Box::new(waiting.remove(0));
            responder.send_head(Response::new(Status::OK));
            // Its client may have gone.
            let _ = responder.write(&[b'w'; 20_000]);
            responder.complete();
        }
    });
}
