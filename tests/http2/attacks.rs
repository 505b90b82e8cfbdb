//! Peers that mean harm: each is bounded, is told to stop by the right code, and costs neither memory nor PHP threads.

use std::time::Duration;

use super::*;

/// Sends `frames` again and again, `times` at most, until the connection is ended; after how many, and the last code.
/// What waits in the server stays bounded all the while.
#[track_caller]
fn flood(site: &Site, mut frames: impl FnMut(u32) -> Vec<u8>, times: u32) -> (u32, u32) {
    let (mut connection, mut received) = greet(site, &[]);
    for time in 0..times {
        say(&mut connection, &mut received, &frames(time));
        let (inbox, in_flight) = connection.load();
        assert!(inbox <= 64 * 1024 && in_flight <= 200, "{inbox} bytes, {in_flight} requests");
        if let Some((_, code)) = received.goaways.last() {
            assert_ne!(connection.disposition(), Disposition::Open);
            return (time + 1, *code);
        }
    }
    panic!("nobody has stopped it");
}

#[test]
fn noise_ends_the_connection() {
    let site = Site::default();
    let frames: [(&str, Vec<u8>); 6] = [
        ("PING", frame(PING, 0, 0, &[0; 8])),
        ("SETTINGS", frame(SETTINGS, 0, 0, b"")),
        ("WINDOW_UPDATE", window_update(0, 1)),
        ("PRIORITY", frame(2, 0, 1, &[0, 0, 0, 0, 1])),
        ("an unknown frame", frame(99, 0, 0, b"")),
        ("PING that acknowledges nothing", frame(PING, ACK, 0, &[0; 8])),
    ];
    for (name, frame) in frames {
        let (times, code) = flood(&site, |_| frame.repeat(10), 200);
        assert_eq!(code, ENHANCE_YOUR_CALM, "{name}");
        assert!((90..=110).contains(&times), "{name}: {times}");
    }
}

#[test]
fn noise_at_a_modest_rate_passes() {
    let site = Site::default();
    let (mut connection, mut received) = greet(&site, &[]);
    say(&mut connection, &mut received, &get(1, "/wait.php"));
    for _ in 0..50 {
        say(&mut connection, &mut received, &frame(PING, 0, 0, &[7; 8]).repeat(900));
        connection.pass(Duration::from_secs(1));
    }
    received.feed(&connection.take_output());
    assert_eq!((received.goaways.len(), received.acks.len()), (0, 50 * 900 + 1));
}

#[test]
fn windows_that_a_long_download_needs_are_no_noise() {
    const MEGABYTE: u32 = 1 << 20;
    let site = Site::default();
    let (mut connection, mut received) = greet(&site, &[(4, MEGABYTE)]);
    say(&mut connection, &mut received, &[window_update(0, MEGABYTE), get(1, "/wait.php")].concat());
    let mut responder = connection.with_waiting(|waiting| waiting.remove(0));
    responder.send_head(Response::new(Status::OK));
    for _ in 0..200 {
        responder.write(&[b'x'; 64 * 1024]).unwrap();
        connection.with_waiting(|_| ());
        // Some clients tell of each piece that they have read, of the stream and of the connection.
        let updates = [window_update(0, 4096), window_update(1, 4096)].concat().repeat(16);
        say(&mut connection, &mut received, &updates);
        assert_eq!(received.goaways, []);
    }
    assert_eq!(received.answers[&1].content.len(), 200 * 64 * 1024);
}

#[test]
fn empty_data_ends_the_connection() {
    let site = Site::default();
    let frames = |time| match time {
        0 => head(1, 0, "POST", "/vars.php", &[]),
        _ => data(1, 0, b""),
    };
    let (times, code) = flood(&site, frames, 1000);
    assert!(code == ENHANCE_YOUR_CALM && times < 200, "{times}, {code}");
}

#[test]
fn a_head_without_end_ends_the_connection() {
    let site = Site::default();
    let frames = |time| match time {
        0 => frame(HEADERS, 0, 1, &hpack::encode(&[(":method", "GET")])),
        _ => frame(CONTINUATION, 0, 1, &hpack::encode(&[("x", "y")])),
    };
    let (times, code) = flood(&site, frames, 1000);
    assert!(code == ENHANCE_YOUR_CALM && times < 20, "{times}, {code}");
}

#[test]
fn a_head_that_stops_in_the_middle_ends_the_connection_in_time() {
    let site = Site::default();
    let (mut connection, mut received) = greet(&site, &[]);
    // An answer that goes on keeps the connection busy.
    say(&mut connection, &mut received, &get(1, "/wait.php"));
    say(&mut connection, &mut received, &frame(HEADERS, 0, 3, &hpack::encode(&[(":method", "GET")])));
    connection.pass(site.options.head_timeout);
    received.feed(&connection.take_output());
    assert_eq!(received.goaways.last(), Some(&(1, ENHANCE_YOUR_CALM)));
}

#[test]
fn settings_that_are_not_acknowledged_end_the_connection() {
    let site = Site::default();
    let mut connection = site.connect();
    connection.receive(&[PREFACE, &frame(SETTINGS, 0, 0, b"")].concat());
    connection.pass(site.options.head_timeout);
    let mut received = Received::default();
    received.feed(&connection.take_output());
    assert_eq!((received.goaways, connection.disposition()), (vec![(0, SETTINGS_TIMEOUT)], Disposition::Linger));
}

#[test]
fn rapid_reset_is_bounded_and_frees_php_only_when_php_is_done() {
    let site = Site { http2: Arc::new(Http2Options { streams_max: 10, ..Http2Options::default() }), ..Site::default() };
    let (mut connection, mut received) = greet(&site, &[]);
    let mut refused = 0;
    let mut stream = 1;
    // In pieces, so that every request is accepted before it is reset.
    while received.goaways.is_empty() {
        say(&mut connection, &mut received, &get(stream, "/wait.php"));
        refused += u32::from(received.answers.get(&stream).is_some_and(|answer| answer.reset == Some(REFUSED_STREAM)));
        say(&mut connection, &mut received, &reset(stream));
        assert!(connection.load().1 <= 20, "twice as many as may be under way");
        stream += 2;
        assert!(stream < 2000, "nobody has stopped it");
    }
    assert_eq!(received.goaways.last().unwrap().1, ENHANCE_YOUR_CALM);
    assert!(refused > 0, "there were as many as there may be");
    // Those that run hear of it, and only their end counts.
    connection.with_waiting(|waiting| {
        assert_eq!(waiting.iter().filter(|responder| responder.is_aborted()).count(), 20);
        waiting.clear();
    });
    assert_eq!(connection.load().1, 0);
}

#[test]
fn resets_before_anybody_has_looked_are_bounded_too() {
    let site = Site::default();
    let frames = |time: u32| {
        (0..50)
            .flat_map(|n| [get(1 + 2 * (time * 50 + n), "/wait.php"), reset(1 + 2 * (time * 50 + n))].concat())
            .collect()
    };
    let (times, code) = flood(&site, frames, 10);
    assert_eq!((times, code), (1, ENHANCE_YOUR_CALM));
}

#[test]
fn who_resets_and_lets_end_in_turn_may_go_on() {
    let site = Site::default();
    let (mut connection, mut received) = greet(&site, &[]);
    for n in 0..1000 {
        let (first, second) = (1 + 4 * n, 3 + 4 * n);
        say(&mut connection, &mut received, &[get(first, "/a.txt"), get(second, "/wait.php")].concat());
        say(&mut connection, &mut received, &reset(second));
        connection.with_waiting(|waiting| waiting.clear());
    }
    assert_eq!(received.goaways, []);
}

#[test]
fn errors_that_we_are_made_to_commit_are_bounded() {
    let site = Site::default();
    // A stream that we must reset, again and again ("MadeYouReset").
    let overflow = |stream| [get(stream, "/wait.php"), window_update(stream, u32::MAX >> 1)].concat();
    let too_long = |stream| {
        let fields = [("content-length", "1")];
        [head(stream, 0, "POST", "/vars.php", &fields), data(stream, 0, b"22")].concat()
    };
    let (times, code) = flood(&site, |time| overflow(1 + 2 * time), 1000);
    assert!(code == ENHANCE_YOUR_CALM && times <= 301, "{times}, {code}");
    let (times, code) = flood(&site, |time| too_long(1 + 2 * time), 1000);
    assert!(code == ENHANCE_YOUR_CALM && times <= 301, "{times}, {code}");
}

#[test]
fn a_bomb_of_references_is_refused_by_its_size() {
    let site = Site::default();
    let (mut connection, mut received) = greet(&site, &[]);
    // One field of 4000 bytes in the dynamic table, then a byte for each reference to it.
    let mut block = hpack::encode(&[(":method", "GET"), (":scheme", "http"), (":path", "/a.txt"), (":authority", "a")]);
    block.extend([0x40, 1, b'x']);
    hpack::integer(4000, 7, 0, &mut block);
    block.extend([b'y'; 4000]);
    block.extend([0x80 | 62; 12_000]);
    assert!(block.len() > 16_000);
    for stream in (1..200).step_by(2) {
        let mut frames = frame(HEADERS, END_STREAM, stream, &block[..16_000]);
        frames.extend(frame(CONTINUATION, END_HEADERS, stream, &block[16_000..]));
        say(&mut connection, &mut received, &frames);
        if !received.goaways.is_empty() {
            break;
        }
        assert_eq!(received.answers[&stream].status(), 431);
    }
}

#[test]
fn who_takes_nothing_of_a_response_loses_it() {
    let site = Site::default();
    let (mut connection, mut received) = greet(&site, &[(4, 0)]);
    say(&mut connection, &mut received, &[get(1, "/a.txt"), get(3, "/large.php"), get(5, "/wait.php")].concat());
    assert_eq!(connection.load().1, 1, "PHP does not wait for a window");
    for _ in 0..5 {
        // Something else goes on meanwhile.
        connection.pass(site.options.write_pace.timeout / 5);
        say(&mut connection, &mut received, &frame(PING, 0, 0, &[0; 8]));
    }
    for id in [1, 3] {
        assert_eq!((received.answers[&id].is_complete, received.answers[&id].reset), (false, Some(INTERNAL_ERROR)));
    }
    assert!(!received.answers.contains_key(&5) && received.goaways.is_empty());
}

#[test]
fn all_that_peers_leave_lying_is_bounded() {
    let mut site = Site::default();
    site.options.stalled_bytes_max = 1_000_000;
    let ask_for_many = || {
        let (mut connection, mut received) = greet(&site, &[(4, 0)]);
        (1..20).step_by(2).for_each(|stream| say(&mut connection, &mut received, &get(stream, "/large.php")));
        (connection, received)
    };
    let resets = |received: &Received| received.answers.values().filter(|answer| answer.reset.is_some()).count();
    let second = Duration::from_secs(1);
    // As much as may lie there lies there for as long as ever: a MiB that is not counted, and almost all that may be.
    let (mut connection, mut received) = ask_for_many();
    connection.pass(second);
    connection.pass(second);
    let held = site.options.stalled.bytes();
    assert!((800_000..=1_000_000).contains(&held), "{held}");
    let (mut greedy, mut of_greedy) = ask_for_many();
    greedy.pass(second);
    of_greedy.feed(&greedy.take_output());
    assert_eq!((resets(&of_greedy), greedy.load()), (10, (0, 0)));
    // The others' turn comes with their next look.
    say(&mut connection, &mut received, &[window_update(1, 10_000), get(21, "/a.txt"), window_update(21, 10)].concat());
    assert_eq!((received.answers[&21].text(), received.answers[&21].reset), ("0123456789", None));
    assert_eq!(resets(&received), 0, "there is room again");
    greedy.pass(second);
    connection.pass(second);
    received.feed(&connection.take_output());
    assert_eq!(resets(&received), 0);
    let held = site.options.stalled.bytes();
    assert!(held <= 1_000_000, "{held}");
    drop((greedy, connection));
    assert_eq!(site.options.stalled.bytes(), 0);
}

#[test]
fn what_waits_behind_a_peer_that_reads_nothing_is_counted_and_bounded() {
    for (bytes_max, is_bounded) in [(10_000_000, false), (500_000, true)] {
        let mut site = Site::default();
        site.options.stalled_bytes_max = bytes_max;
        let (mut connection, mut received) = greet(&site, &[(4, u32::MAX >> 1)]);
        say(&mut connection, &mut received, &window_update(0, 1 << 30));
        (1..23).step_by(2).for_each(|stream| say(&mut connection, &mut received, &get(stream, "/wait.php")));
        connection.takes = Some(0);
        (101..107).step_by(2).for_each(|stream| connection.receive(&get(stream, "/large.php")));
        assert!(connection.unsent() >= SEND_QUEUE_HIGH);
        // The send queue is full: none of these is pulled.
        connection.with_waiting(|waiting| {
            for mut responder in waiting.drain(..10).map(Box::new) {
                responder.send_head(Response::new(Status::OK));
                responder.write(&[b'x'; 200_000]).unwrap();
                responder.complete();
            }
        });
        for _ in 0..3 {
            connection.pass(Duration::from_secs(1));
            // Something of the others has found room in the queue, and the rest of them is little.
            let held = site.options.stalled.bytes();
            assert_eq!((held >= 900_000, held == 0), (!is_bounded, is_bounded), "{held}");
        }
        connection.takes = None;
        connection.pass(Duration::ZERO);
        received.feed(&connection.take_output());
        for stream in (1..21).step_by(2) {
            let answer = &received.answers[&stream];
            let wanted = if is_bounded { (0, Some(INTERNAL_ERROR)) } else { (200_000, None) };
            assert_eq!((answer.content.len(), answer.reset), wanted, "stream {stream}");
        }
        assert!(!received.answers.contains_key(&21), "its script is at work");
    }
}

/// Each turn finds the send queue full again, and that is no reason to wait anew.
#[test]
fn a_peer_that_reads_nothing_gets_no_more_time_for_what_it_says() {
    let mut site = Site::default();
    site.options.stalled_bytes_max = 500_000;
    let (mut connection, mut received) = greet(&site, &[(4, u32::MAX >> 1)]);
    say(&mut connection, &mut received, &window_update(0, 1 << 30));
    (1..23).step_by(2).for_each(|stream| say(&mut connection, &mut received, &get(stream, "/wait.php")));
    connection.takes = Some(0);
    (101..107).step_by(2).for_each(|stream| connection.receive(&get(stream, "/large.php")));
    connection.with_waiting(|waiting| {
        for mut responder in waiting.drain(..10).map(Box::new) {
            responder.send_head(Response::new(Status::OK));
            responder.write(&[b'x'; 200_000]).unwrap();
            responder.complete();
        }
    });
    let mut held = Vec::new();
    for _ in 0..30 {
        connection.receive(&window_update(0, 1));
        connection.pass(Duration::from_millis(100));
        held.push(site.options.stalled.bytes());
    }
    assert!(held[29] < 100_000, "{held:?}");
}

#[test]
fn who_holds_little_is_not_given_up_for_what_others_hold_nor_others_for_that() {
    let mut site = Site::default();
    site.options.stalled_bytes_max = 1_000_000;
    // Some 190 KB each: three hold less than a MiB, one a little more, and one much more.
    let mut peers: Vec<_> = [5, 5, 5, 8, 16]
        .map(|responses| {
            let (mut connection, mut received) = greet(&site, &[(4, 0)]);
            (0..responses).for_each(|n| say(&mut connection, &mut received, &get(2 * n + 1, "/large.php")));
            (connection, received)
        })
        .into();
    let mut greedy = peers.pop().unwrap();
    let second = Duration::from_secs(1);
    let look = |peers: &mut Vec<(Connection<'_>, Received)>| {
        for (connection, received) in peers {
            connection.pass(second);
            received.feed(&connection.take_output());
            assert!(received.answers.values().all(|answer| answer.reset.is_none()));
        }
    };
    look(&mut peers);
    let held = site.options.stalled.bytes();
    assert!((1..700_000).contains(&held), "{held}");
    greedy.0.pass(second);
    greedy.1.feed(&greedy.0.take_output());
    assert!(greedy.1.answers.values().all(|answer| answer.reset == Some(INTERNAL_ERROR)));
    (0..3).for_each(|_| look(&mut peers));
}

/// The peer has its stream given up in the moment in which nobody may be told of it, for want of room.
#[test]
fn a_stream_that_is_reset_while_nothing_is_read_has_no_progress() {
    let site = Site::default();
    let (mut connection, mut received) = greet(&site, &[(4, 100)]);
    say(&mut connection, &mut received, &window_update(0, 1 << 30));
    // A file needs nothing of what its request goes on with.
    say(&mut connection, &mut received, &head(1, 0, "GET", "/large.txt", &[]));
    (3..9).step_by(2).for_each(|stream| say(&mut connection, &mut received, &get(stream, "/large.php")));
    connection.pass(Duration::from_secs(1));
    connection.takes = Some(0);
    let burst = (3..9).step_by(2).map(|stream| window_update(stream, 1 << 20));
    connection.receive(&burst.chain([data(1, 0, b"x"), reset(1)]).collect::<Vec<_>>().concat());
    assert!(connection.unsent() >= SEND_QUEUE_HIGH);
    connection.pass(Duration::from_secs(1));
    assert_eq!(connection.disposition(), Disposition::Open);
}

#[test]
fn a_file_that_lies_in_memory_anyway_hardly_counts() {
    let site = Site::default();
    let (mut connection, mut received) = greet(&site, &[(4, 0)]);
    (1..33).step_by(2).for_each(|stream| say(&mut connection, &mut received, &get(stream, "/large.txt")));
    connection.pass(Duration::from_secs(1));
    // Beyond the MiB that is not counted.
    let held = site.options.stalled.bytes();
    assert!((1..=1024 * 1024).contains(&held), "{held} bytes of sixteen times the same megabyte");
}

#[test]
fn who_takes_a_response_by_the_byte_loses_it() {
    let site = Site::default();
    let (mut connection, mut received) = greet(&site, &[(4, 0)]);
    say(&mut connection, &mut received, &get(1, "/large.php"));
    let mut seconds = 0;
    while received.answers[&1].reset.is_none() {
        connection.pass(Duration::from_secs(1));
        say(&mut connection, &mut received, &window_update(1, 100));
        seconds += 1;
        assert!(seconds < 120);
    }
    assert!(seconds > 20, "{seconds}");
}

#[test]
fn an_upload_that_pauses_is_given_up_and_the_others_are_not() {
    let site = Site::default();
    let (mut connection, mut received) = greet(&site, &[]);
    let post = |stream| head(stream, 0, "POST", "/vars.php", &[]);
    say(&mut connection, &mut received, &[post(1), post(3)].concat());
    for _ in 0..10 {
        connection.pass(site.options.content_pace.timeout / 10);
        say(&mut connection, &mut received, &data(3, 0, &[b'x'; 3000]));
    }
    assert_eq!((received.answers[&1].status(), received.answers[&1].reset), (408, Some(NO_ERROR)));
    say(&mut connection, &mut received, &data(3, END_STREAM, b""));
    assert_eq!(received.answers[&3].text(), "HTTP/2.0|a|-|-|30000");
}

#[test]
fn who_reads_nothing_is_not_answered_without_end() {
    let site = Site::default();
    let (mut connection, _) = greet(&site, &[(4, u32::MAX >> 1)]);
    connection.receive(&window_update(0, 1 << 30));
    connection.takes = Some(0);
    let mut stream = 1;
    while connection.wants_input() {
        connection.receive(&[get(stream, "/large.php"), frame(PING, 0, 0, &[0; 8])].concat());
        assert!(connection.unsent() <= 256 * 1024 && connection.load().1 <= 200);
        stream += 2;
    }
    assert!(stream < 200);
    // What it took before earns a little.
    connection.pass(site.options.write_pace.timeout * 2);
    connection.pass(site.options.write_pace.timeout * 2);
    assert_eq!(connection.disposition(), Disposition::Cut);
}
