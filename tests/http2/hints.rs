//! Interim heads (RFC 9110 §15.2), of which a script may send as many as it likes: of each version a turn of the loop
//! takes but so many, and then others have theirs.

use super::*;

use ephpm::base::limits::{INTERIM_HEAD_COST, INTERIM_HEADS_MAX, PULL_BUDGET};

/// What one turn has time for.
const HEADS_MAX: usize = PULL_BUDGET / INTERIM_HEAD_COST;

fn hint(number: usize) -> Response {
    let mut response = Response::new(Status::EARLY_HINTS);
    response.headers.add("Number", number.to_string().as_bytes());
    response
}

/// What each turn has sent since this was last asked for, where it has sent anything.
fn sent_by_turns(connection: &mut Connection<'_>) -> Vec<Vec<u8>> {
    let mut output = &*connection.take_output();
    let mut lens = std::mem::take(&mut connection.sent_by_turns);
    lens.retain(|len| *len > 0);
    let pieces = lens.into_iter().map(|len| output.split_off(..len).unwrap().to_vec());
    pieces.collect()
}

#[test]
fn heads_of_many_streams_take_several_turns_and_all_arrive() {
    const STREAMS: u32 = 20;
    let all = STREAMS as usize * INTERIM_HEADS_MAX;
    assert!(all > 2 * HEADS_MAX);
    let site = Site::default();
    let (mut connection, mut received) = greet(&site, &[]);
    let streams = || (0..STREAMS).map(|n| 1 + 2 * n);
    let requests: Vec<u8> = streams().flat_map(|stream| get(stream, "/wait.php")).collect();
    say(&mut connection, &mut received, &requests);
    connection.sent_by_turns.clear();
    connection.with_waiting(|waiting| {
        for responder in waiting.iter_mut() {
            // Two too many: they are hints, and nobody has pulled any of them.
            (0..INTERIM_HEADS_MAX + 2).for_each(|number| responder.send_interim(hint(number)));
        }
    });
    let turns = sent_by_turns(&mut connection);
    let mut heads = 0;
    for turn in &turns {
        received.feed(turn);
        let before = heads;
        heads = received.answers.values().map(|answer| answer.heads.len()).sum();
        assert!((1..=HEADS_MAX).contains(&(heads - before)), "{} in one turn", heads - before);
    }
    assert_eq!((heads, turns.len()), (all, all.div_ceil(HEADS_MAX)));
    connection.with_waiting(|waiting| {
        for mut responder in waiting.drain(..).map(Box::new) {
            responder.send_head(Response::new(Status::OK));
            responder.write(b"content").unwrap();
            responder.complete();
        }
    });
    received.feed(&connection.take_output());
    for stream in streams() {
        let answer = &received.answers[&stream];
        let numbers = answer.heads[..INTERIM_HEADS_MAX].iter().map(|head| head[1].1.parse::<usize>().unwrap());
        assert!(numbers.eq(0..INTERIM_HEADS_MAX), "{:?}", answer.heads);
        assert_eq!((answer.status(), answer.text(), answer.is_complete), (200, "content", true));
    }
}

/// There a connection has one request at a time, so that more than fit the exchange take a script that sends while the
/// loop pulls.
#[test]
fn heads_of_http_1_come_in_order_and_only_so_many_at_a_time() {
    const HEADS: usize = 20_000;
    let site = Site::default();
    let mut connection = site.connect();
    connection.receive(b"GET /wait.php HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut responder = Box::new(connection.with_waiting(|waiting| waiting.remove(0)));
    let script = std::thread::spawn(move || {
        (0..HEADS).for_each(|number| responder.send_interim(hint(number)));
        responder.send_head(Response::new(Status::OK));
        responder.complete();
    });
    let (mut numbers, mut output) = (Vec::new(), String::new());
    while !output.contains("HTTP/1.1 200 OK\r\n") {
        connection.pass(Duration::ZERO);
        for turn in sent_by_turns(&mut connection) {
            let text = String::from_utf8(turn).unwrap();
            let heads = text.matches("HTTP/1.1 103 Early Hints\r\n").count();
            assert!(heads <= HEADS_MAX, "{heads} in one turn");
            let number = |line: &str| line.strip_prefix("Number: ").map(|number| number.parse::<usize>().unwrap());
            numbers.extend(text.lines().filter_map(number));
            output = text;
        }
    }
    script.join().unwrap();
    assert!(numbers.is_sorted() && !numbers.is_empty() && numbers.len() <= HEADS, "{} heads", numbers.len());
}
