//! HTTP/2 (RFC 9113) from bytes to bytes, above a tree of files in memory and scripts that are Rust: frames are made and
//! read by hand. Each conversation is held with its input whole, byte by byte and in random pieces, and every stream
//! must come out the same. The second half is about peers that mean harm.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "http1/application.rs"]
#[allow(dead_code, reason = "what only HTTP/1 can show")]
mod application;
#[path = "http2/attacks.rs"]
mod attacks;
#[path = "http2/frames.rs"]
mod frames;
#[path = "service/harness.rs"]
mod harness;
#[path = "http2/hints.rs"]
mod hints;
#[path = "http2/hpack.rs"]
mod hpack;
#[path = "http2/told.rs"]
mod told;
#[path = "http1/transcript.rs"]
#[allow(dead_code, reason = "what only HTTP/1 can show")]
mod transcript;
#[path = "http2/transcripts.rs"]
mod transcripts;
#[path = "http2/translate.rs"]
mod translate;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ephpm::base::limits::{REQUESTS_AFTER_GOAWAY_MAX, SEND_QUEUE_HIGH};
use ephpm::http::message::Response;
use ephpm::http::status::Status;
use ephpm::http2::Http2Options;
use ephpm::protocol::Disposition;
use ephpm::service::access_log::Format;
use frames::*;
use harness::{Connection, Site};

/// Holds a conversation after the usual beginning; all answers.
#[track_caller]
fn converse(site: &Site, frames: &[Vec<u8>]) -> BTreeMap<u32, Answer> {
    let input = [hello(&[]), frames.concat()].concat();
    let hold = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut connection = site.connect();
        pieces.for_each(|piece| connection.receive(piece));
        let mut received = Received::default();
        received.feed(&connection.take_output());
        (received.answers, received.goaways)
    };
    let whole = hold(&mut [&input[..]].into_iter());
    assert_eq!(hold(&mut input.chunks(1)), whole, "byte by byte");
    for size in [7, 9, 50] {
        assert_eq!(hold(&mut input.chunks(size)), whole, "in pieces of {size}");
    }
    assert_eq!(whole.1, [], "nothing went wrong");
    whole.0
}

/// The answer to these frames of stream 1.
#[track_caller]
fn answer(site: &Site, frames: &[Vec<u8>]) -> Answer {
    converse(site, frames).remove(&1).unwrap()
}

/// A connection on which the usual beginning has been said.
fn greet<'a>(site: &'a Site, settings: &[(u16, u32)]) -> (Connection<'a>, Received) {
    let mut connection = site.connect();
    connection.receive(&hello(settings));
    let mut received = Received::default();
    received.feed(&connection.take_output());
    (connection, received)
}

/// Sends frames and reads what comes.
fn say(connection: &mut Connection<'_>, received: &mut Received, frames: &[u8]) {
    connection.receive(frames);
    received.feed(&connection.take_output());
}

#[test]
fn files_and_scripts_are_served_side_by_side() {
    let site = Site::default();
    let answers = converse(
        &site,
        &[
            get(1, "/a.txt"),
            head(3, 0, "POST", "/vars.php", &[("content-length", "9")]),
            get(5, "/dir/"),
            data(3, 0, b"four"),
            get(7, "/stream.php"),
            data(3, END_STREAM, b"and 5"),
            get(9, "/fail.php"),
            get(11, "/cut.php"),
        ],
    );
    assert_eq!((answers[&1].status(), answers[&1].text()), (200, "0123456789"));
    assert_eq!(answers[&1].field("content-length"), Some("10"));
    assert_eq!(answers[&1].field("date"), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
    assert_eq!((answers[&3].status(), answers[&3].text()), (200, "HTTP/2.0|a|-|-|9"));
    assert_eq!((answers[&5].status(), answers[&5].text()), (200, "dir"));
    assert_eq!((answers[&7].status(), answers[&7].text()), (200, "abcabc"));
    assert_eq!(answers[&9].status(), 500);
    assert!([1, 3, 5, 7, 9].iter().all(|id| answers[id].is_complete && answers[id].reset.is_none()));
    // What PHP does not complete must not seem complete.
    assert_eq!((answers[&11].is_complete, answers[&11].reset), (false, Some(INTERNAL_ERROR)));
}

/// However many of them do in one turn, and whoever takes the place of whom in the list of streams.
#[test]
fn all_answers_arrive_that_are_complete_at_the_same_time() {
    let site = Site::default();
    for count in 1..20 {
        let (mut connection, mut received) = greet(&site, &[]);
        let streams = || (0..count).map(|n| 1 + 2 * n);
        let requests: Vec<Vec<u8>> = streams().map(|stream| get(stream, "/wait.php")).collect();
        say(&mut connection, &mut received, &requests.concat());
        connection.with_waiting(|waiting| {
            for mut responder in waiting.drain(..) {
                responder.send_head(Response::new(Status::OK));
                responder.write(b"over").unwrap();
                Box::new(responder).complete();
            }
        });
        received.feed(&connection.take_output());
        let over = streams().filter(|stream| received.answers.get(stream).is_some_and(|answer| answer.is_complete));
        assert_eq!(over.count(), count as usize, "of {count}");
    }
}

#[test]
fn methods_and_statuses_are_those_of_http_1() {
    let site = Site::default();
    for (method, path, status, allow) in [
        ("HEAD", "/a.txt", 200, None),
        ("POST", "/a.txt", 405, Some("GET, HEAD, OPTIONS")),
        ("OPTIONS", "/a.txt", 204, Some("GET, HEAD, OPTIONS")),
        ("BREW", "/a.txt", 501, None),
        ("GET", "/missing.txt", 404, None),
        ("GET", "/denied.txt", 403, None),
        ("GET", "/%zz", 400, None),
        ("GET", "/%00", 400, None),
    ] {
        let answer = answer(&site, &[head(1, END_STREAM, method, path, &[])]);
        assert_eq!((answer.status(), answer.field("allow")), (status, allow), "{method} {path}");
        assert!(answer.is_complete);
    }
    let head = answer(&site, &[head(1, END_STREAM, "HEAD", "/a.txt", &[])]);
    assert_eq!((head.field("content-length"), head.text()), (Some("10"), ""));
    let part = answer(&site, &[frames::head(1, END_STREAM, "GET", "/a.txt", &[("range", "bytes=2-3")])]);
    assert_eq!((part.status(), part.text(), part.field("content-range")), (206, "23", Some("bytes 2-3/10")));
    let fresh = answer(&site, &[frames::head(1, END_STREAM, "GET", "/a.txt", &[("if-none-match", "*")])]);
    assert_eq!((fresh.status(), fresh.text()), (304, ""));
}

#[test]
fn malformed_requests_are_reset() {
    let site = Site::default();
    let pseudo = [(":method", "GET"), (":scheme", "http"), (":path", "/a.txt"), (":authority", "a")];
    let with = |extra: &[(&str, &str)]| fields_frame(1, END_STREAM, &[&pseudo[..], extra].concat());
    for frame in [
        with(&[("connection", "close")]),
        with(&[("transfer-encoding", "chunked")]),
        with(&[("upgrade", "websocket")]),
        with(&[("keep-alive", "1")]),
        with(&[("proxy-connection", "close")]),
        with(&[("te", "gzip")]),
        with(&[("x", " leading")]),
        with(&[("x", "trailing\t")]),
        with(&[("host", "b")]),
        with(&[("content-length", "1")]),
        with(&[(":path", "/twice")]),
        fields_frame(1, END_STREAM, &pseudo[1..]),
        fields_frame(1, END_STREAM, &[pseudo[0], pseudo[2], pseudo[3]]),
        fields_frame(1, END_STREAM, &[pseudo[0], pseudo[1], pseudo[3]]),
        fields_frame(1, END_STREAM, &[pseudo[0], pseudo[1], (":path", "no-slash"), pseudo[3]]),
        fields_frame(1, END_STREAM, &[pseudo[0], pseudo[1], (":path", ""), pseudo[3]]),
        fields_frame(1, END_STREAM, &[("x", "y"), pseudo[0], pseudo[1], pseudo[2], pseudo[3]]),
        fields_frame(1, END_STREAM, &[(":method", "CONNECT")]),
    ] {
        let answer = answer(&site, std::slice::from_ref(&frame));
        assert_eq!((answer.heads.len(), answer.reset), (0, Some(PROTOCOL_ERROR)), "{}", frame.escape_ascii());
    }
    // What is not even a field ends the connection.
    for frame in [with(&[("X-Upper", "case")]), with(&[(":unknown", "x")]), with(&[("x", "a\nb")])] {
        let (mut connection, mut received) = greet(&site, &[]);
        say(&mut connection, &mut received, &frame);
        let is_reset = received.answers.get(&1).is_some_and(|answer| answer.reset == Some(PROTOCOL_ERROR));
        assert!(is_reset || received.goaways.last() == Some(&(0, PROTOCOL_ERROR)), "{}", frame.escape_ascii());
        assert!(received.answers.get(&1).is_none_or(|answer| answer.heads.is_empty()));
    }
    let short = [head(1, 0, "POST", "/vars.php", &[("content-length", "5")]), data(1, END_STREAM, b"four")];
    assert_eq!(answer(&site, &short).reset, Some(PROTOCOL_ERROR));
    let long = [head(1, 0, "POST", "/vars.php", &[("content-length", "3")]), data(1, END_STREAM, b"four")];
    assert_eq!(answer(&site, &long).reset, Some(PROTOCOL_ERROR));
}

#[test]
fn the_host_is_the_authority_or_the_field_and_there_is_one() {
    let site = Site::default();
    let pseudo = [(":method", "GET"), (":scheme", "http"), (":path", "/vars.php")];
    for (fields, host) in [
        (&[(":authority", "A.example:81")][..], "A.example:81"),
        (&[("host", "b")], "b"),
        (&[(":authority", "a"), ("host", "A")], "a"),
    ] {
        let answer = answer(&site, &[fields_frame(1, END_STREAM, &[&pseudo[..], fields].concat())]);
        assert_eq!(answer.text().split('|').nth(1), Some(host));
    }
    for fields in [&[][..], &[(":authority", "u@a")], &[("host", "a/b")]] {
        assert_eq!(answer(&site, &[fields_frame(1, END_STREAM, &[&pseudo[..], fields].concat())]).status(), 400);
    }
}

#[test]
fn cookies_are_joined_and_te_trailers_passes() {
    let site = Site::default();
    let fields = [("cookie", "a=1"), ("te", "trailers"), ("cookie", "b=2"), ("cookie", "c=3")];
    let answer = answer(&site, &[head(1, END_STREAM, "GET", "/vars.php", &fields)]);
    assert_eq!(answer.text(), "HTTP/2.0|a|a=1; b=2; c=3|trailers|0");
}

#[test]
fn limits_are_answered() {
    let site = Site::default();
    let many: Vec<String> = (0..101).map(|n| format!("x{n}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "")).collect();
    assert_eq!(answer(&site, &[head(1, END_STREAM, "GET", "/a.txt", &many)]).status(), 431);
    assert_eq!(answer(&site, &[head(1, END_STREAM, "GET", "/a.txt", &many[..100])]).status(), 200);
    // A hundred cookies are one field.
    let crumbs = [("cookie", "a=b")].repeat(300);
    assert_eq!(answer(&site, &[head(1, END_STREAM, "GET", "/a.txt", &crumbs)]).status(), 200);
    let long = format!("/{}", "a".repeat(8 * 1024));
    assert_eq!(answer(&site, &[get(1, &long)]).status(), 414);
    let large = "a".repeat(15_000);
    let blocks = hpack::encode(&[
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "a"),
        ("x", &large),
        ("y", &large),
        ("z", &large),
    ]);
    let (first, rest) = blocks.split_at(16_000);
    let mut frames = vec![frame(HEADERS, END_STREAM, 1, first)];
    frames.extend(rest.chunks(16_000).map(|rest| frame(CONTINUATION, 0, 1, rest)));
    frames.last_mut().unwrap()[4] = END_HEADERS;
    assert_eq!(answer(&site, &frames).status(), 431);
    let mut site = Site::default();
    site.options.content.bytes_max = 10;
    let refused = answer(&site, &[head(1, 0, "POST", "/vars.php", &[("content-length", "11")])]);
    // The rest is not wanted, which is no error.
    assert_eq!((refused.status(), refused.is_complete, refused.reset), (413, true, Some(NO_ERROR)));
}

#[test]
fn content_is_asked_for_once_and_trailers_are_nobody_s() {
    let site = Site::default();
    let (mut connection, mut received) = greet(&site, &[]);
    let request = head(1, 0, "POST", "/vars.php", &[("expect", "100-continue")]);
    say(&mut connection, &mut received, &request);
    let status =
        |received: &Received| received.answers[&1].heads.iter().map(|head| head[0].1.clone()).collect::<Vec<_>>();
    assert_eq!(status(&received), ["100"]);
    let trailers = fields_frame(1, END_STREAM, &[("x-checksum", "1")]);
    say(&mut connection, &mut received, &[data(1, 0, b"some"), trailers].concat());
    assert_eq!(status(&received), ["100", "200"]);
    assert_eq!(received.answers[&1].text(), "HTTP/2.0|a|-|-|4");
    let fields = [("expect", "a miracle")];
    assert_eq!(answer(&site, &[head(1, END_STREAM, "POST", "/vars.php", &fields)]).status(), 417);
}

#[test]
fn early_hints_come_before_the_response() {
    use ephpm::http::message::Response;
    use ephpm::http::status::Status;
    let site = Site::default();
    let (mut connection, mut received) = greet(&site, &[]);
    say(&mut connection, &mut received, &get(1, "/wait.php"));
    connection.with_waiting(|waiting| {
        let mut hints = Response::new(Status::EARLY_HINTS);
        hints.headers.add("Link", b"</a.css>; rel=preload");
        waiting[0].send_interim(hints);
        waiting[0].send_interim(Response::new(Status::SWITCHING_PROTOCOLS));
    });
    received.feed(&connection.take_output());
    let expected = [(":status", "103"), ("link", "</a.css>; rel=preload")];
    let heads = &received.answers[&1].heads;
    assert_eq!(heads.len(), 1, "101 is not for HTTP/2");
    assert!(heads[0].iter().map(|(name, value)| (name.as_str(), value.as_str())).eq(expected));
    connection.with_waiting(|waiting| {
        let mut responder = Box::new(waiting.remove(0));
        responder.send_head(Response::new(Status::OK));
        responder.complete();
    });
    received.feed(&connection.take_output());
    assert_eq!((received.answers[&1].status(), received.answers[&1].is_complete), (200, true));
}

#[test]
fn a_script_s_framing_and_connection_fields_are_left_out() {
    let answer = answer(&Site::default(), &[get(1, "/own-fields.php")]);
    let names: Vec<&str> = answer.heads[0].iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, [":status", "content-type", "date", "server", "x-powered-by", "content-length"]);
    assert_eq!((answer.field("date"), answer.text()), (Some("Mon, 07 Nov 1994 08:49:37 GMT"), "12345"));
}

#[test]
fn content_waits_for_its_window_and_holds_nobody_up() {
    const INITIAL_WINDOW_SIZE: u16 = 4;
    let site = Site::default();
    let (mut connection, mut received) = greet(&site, &[(INITIAL_WINDOW_SIZE, 4)]);
    say(&mut connection, &mut received, &[get(1, "/a.txt"), get(3, "/large.php"), get(5, "/b.html")].concat());
    let lens = |received: &Received| [1, 3, 5].map(|id| received.answers[&id].content.len());
    assert_eq!(lens(&received), [4, 4, 3]);
    assert!(received.answers[&5].is_complete);
    say(&mut connection, &mut received, &[window_update(1, 5), window_update(3, 60_000)].concat());
    assert_eq!(lens(&received), [9, 60_004, 3]);
    // Streams share the window of the connection.
    say(&mut connection, &mut received, &[window_update(1, 100), window_update(3, 1_000_000)].concat());
    assert_eq!(lens(&received)[0], 10);
    assert_eq!(lens(&received).iter().sum::<usize>(), 65_535);
    say(&mut connection, &mut received, &window_update(0, 1_000_000));
    assert_eq!(lens(&received), [10, 200_000, 3]);
    assert!([1, 3, 5].iter().all(|id| received.answers[id].is_complete));
}

#[test]
fn uploads_are_let_in_as_they_are_taken() {
    let site = Site::default();
    let (mut connection, mut received) = greet(&site, &[]);
    assert_eq!(received.windows[&0], 1024 * 1024 - 65_535);
    assert!(received.settings.contains(&(4, 256 * 1024)));
    say(&mut connection, &mut received, &head(1, 0, "POST", "/vars.php", &[]));
    for _ in 0..12 {
        say(&mut connection, &mut received, &data(1, 0, &[b'x'; 16_384]));
    }
    let (let_in, sent) = (256 * 1024 + received.windows[&1], 12 * 16_384);
    assert!(let_in >= sent + 100_000, "{let_in} of {sent}");
    say(&mut connection, &mut received, &data(1, END_STREAM, b""));
    assert_eq!(received.answers[&1].text(), format!("HTTP/2.0|a|-|-|{sent}"));
}

#[test]
fn the_access_log_tells_version_bytes_and_whether_the_response_was_complete() {
    let site = Site { log: Some(Format::Combined), ..Site::default() };
    let (mut connection, mut received) = greet(&site, &[(4, 4)]);
    say(&mut connection, &mut received, &[get(1, "/b.html"), get(3, "/a.txt"), get(5, "/wait.php"), reset(5)].concat());
    let log = connection.end().log;
    let lines: Vec<&str> = log.lines().map(|line| line.split_once("] ").unwrap().1).collect();
    assert_eq!(lines[0], "\"GET /b.html HTTP/2.0\" 200 3 \"-\" \"-\"");
    assert!(lines.contains(&"\"GET /a.txt HTTP/2.0\" 200 4 \"-\" \"-\""), "{lines:?}");
    assert_eq!(lines.len(), 3);
}

#[test]
fn draining_takes_two_steps() {
    let site = Site::default();
    let (mut connection, mut received) = greet(&site, &[]);
    say(&mut connection, &mut received, &get(1, "/wait.php"));
    connection.drain();
    received.feed(&connection.take_output());
    assert_eq!(received.goaways, [(u32::MAX >> 1, NO_ERROR)]);
    // What was on its way is served; then nothing more is.
    say(&mut connection, &mut received, &get(3, "/a.txt"));
    assert_eq!(received.answers[&3].status(), 200);
    let pong = frame(PING, ACK, 0, &received.pings[0]);
    say(&mut connection, &mut received, &pong);
    assert_eq!(received.goaways[1..], [(3, NO_ERROR)]);
    say(&mut connection, &mut received, &get(5, "/a.txt"));
    assert!(!received.answers.contains_key(&5));
    assert_eq!(connection.disposition(), Disposition::Open);
    connection.with_waiting(|waiting| {
        let mut responder = Box::new(waiting.remove(0));
        responder.send_head(Response::new(Status::OK));
        responder.write(b"late").unwrap();
        responder.complete();
    });
    received.feed(&connection.take_output());
    assert_eq!((received.answers[&1].text(), received.answers[&1].is_complete), ("late", true));
    assert_eq!(connection.disposition(), Disposition::Linger);
}

#[test]
fn a_connection_has_so_many_requests() {
    let site = Site { http2: Arc::new(Http2Options { requests_max: 2, ..Http2Options::default() }), ..Site::default() };
    let (mut connection, mut received) = greet(&site, &[]);
    say(&mut connection, &mut received, &[get(1, "/a.txt"), get(3, "/a.txt")].concat());
    assert_eq!(received.goaways, [(u32::MAX >> 1, NO_ERROR)]);
    let pong = frame(PING, ACK, 0, &received.pings[0]);
    say(&mut connection, &mut received, &pong);
    assert!([1, 3].iter().all(|id| received.answers[id].is_complete));
    assert_eq!((received.goaways[1], connection.disposition()), ((3, NO_ERROR), Disposition::Linger));
}

#[test]
fn who_does_not_hear_of_the_end_is_not_served_without_end() {
    let site = Site { http2: Arc::new(Http2Options { requests_max: 2, ..Http2Options::default() }), ..Site::default() };
    let (mut connection, mut received) = greet(&site, &[]);
    let mut stream = 1;
    // It neither stops nor answers the PING that asks whether it has heard.
    while connection.disposition() == Disposition::Open {
        say(&mut connection, &mut received, &get(stream, "/a.txt"));
        stream += 2;
        assert!(stream < 10_000, "nobody has stopped it");
    }
    assert!(stream > 200, "what was on its way was served");
    assert_eq!(received.goaways.last().unwrap().1, ENHANCE_YOUR_CALM);
}

#[test]
fn requests_that_are_left_when_the_end_cannot_be_told_do_no_harm() {
    let site = Site { http2: Arc::new(Http2Options { requests_max: 3, ..Http2Options::default() }), ..Site::default() };
    let (mut connection, mut received) = greet(&site, &[(4, 0)]);
    say(&mut connection, &mut received, &window_update(0, 1 << 30));
    let large: Vec<u32> = vec![1, 3, 5];
    large.iter().for_each(|stream| say(&mut connection, &mut received, &get(*stream, "/large.php")));
    let ask = |stream| head(stream, END_STREAM, "HEAD", "/a.txt", &[]);
    let last = 5 + 2 * (REQUESTS_AFTER_GOAWAY_MAX - 5);
    (7..=last).step_by(2).for_each(|stream| say(&mut connection, &mut received, &ask(stream)));
    assert!(received.answers[&last].is_complete && received.goaways.len() == 1);
    // What has its window now fills the send queue, and of more requests than are left one is heard of at a time.
    connection.takes = Some(0);
    let windows = large.iter().flat_map(|stream| window_update(*stream, 1 << 20));
    let more = (1..=30).flat_map(|n| ask(last + 2 * n));
    connection.receive(&windows.chain(more).collect::<Vec<_>>());
    assert!(connection.unsent() >= SEND_QUEUE_HIGH && connection.disposition() == Disposition::Open);
    for _ in 0..40 {
        connection.pass(Duration::ZERO);
    }
    connection.takes = None;
    connection.pass(Duration::ZERO);
    received.feed(&connection.take_output());
    assert_eq!(received.goaways.last().unwrap().1, ENHANCE_YOUR_CALM);
    assert_eq!(connection.disposition(), Disposition::Linger);
}

#[test]
fn many_downloads_share_a_slow_link() {
    let site = Site::default();
    let (mut connection, mut received) = greet(&site, &[(4, 1 << 30)]);
    say(&mut connection, &mut received, &window_update(0, 1 << 30));
    connection.takes = Some(0);
    let streams: Vec<u32> = (0..40).map(|n| 1 + 2 * n).collect();
    streams.iter().for_each(|stream| connection.receive(&get(*stream, "/large.php")));
    // Eight megabytes at 20 kB a second. Each stream has its share, but not often.
    for _ in 0..45 {
        connection.takes = Some(200_000);
        connection.pass(Duration::from_secs(10));
        received.feed(&connection.take_output());
    }
    for stream in streams {
        let answer = &received.answers[&stream];
        assert_eq!((answer.content.len(), answer.reset), (200_000, None), "stream {stream}");
    }
}

#[test]
fn an_idle_connection_is_told_goodbye() {
    let site = Site::default();
    let (mut connection, mut received) = greet(&site, &[]);
    say(&mut connection, &mut received, &get(1, "/a.txt"));
    connection.pass(site.options.keep_alive_timeout - Duration::from_secs(1));
    // Noise is no request.
    say(&mut connection, &mut received, &frame(PING, 0, 0, b"12345678"));
    assert_eq!((received.goaways.len(), received.acks.last().unwrap().as_slice()), (0, &b"12345678"[..]));
    connection.pass(Duration::from_secs(1));
    received.feed(&connection.take_output());
    assert_eq!((received.goaways, connection.disposition()), (vec![(1, NO_ERROR)], Disposition::Linger));
}

#[test]
fn a_preface_may_come_in_pieces_and_what_is_none_is_http_1() {
    let site = Site::default();
    for (text, status) in [
        ("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "505"),
        ("PRI * HTTP/2.0\r\nHost: a\r\n\r\n", "505"),
        ("PRI / HTTP/1.1\r\nHost: a\r\n\r\n", "501"),
        ("\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"),
        ("PUT /a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "405"),
        (
            "GET /a.txt HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\n\r\n",
            "200",
        ),
    ] {
        let output = site.converse(text).output;
        assert!(output.starts_with(&format!("HTTP/1.1 {status} ")), "{text:?}: {output}");
    }
    for end in 1..PREFACE.len() {
        let mut connection = site.connect();
        connection.receive(&PREFACE[..end]);
        assert_eq!(connection.take_output(), b"");
        connection.pass(site.options.head_timeout);
        assert!(connection.take_output().starts_with(b"HTTP/1.1 408 "), "after {end}");
    }
}
