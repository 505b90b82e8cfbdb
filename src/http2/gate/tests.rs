use std::time::Duration;

use super::*;

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags, 0, 0, 0, stream]);
    frame.extend(payload);
    frame
}

fn gate() -> Gate {
    Gate::new(Purse::new(20, Duration::from_secs(1)))
}

/// How much of `bytes` passes, `room` at a time.
fn passes(gate: &mut Gate, bytes: &[u8], room: usize) -> Vec<u8> {
    let (mut input, mut passed) = (BytesMut::from(bytes), Vec::new());
    loop {
        let mut place = vec![0; room];
        let mut buf = ReadBuf::new(&mut place);
        gate.pass(&mut input, &mut buf);
        if buf.filled().is_empty() {
            return passed;
        }
        passed.extend(buf.filled());
    }
}

/// Passes the preface and these frames, cut in every way; how much passes at least, and the verdict.
#[track_caller]
fn pass_frames(frames: &[Vec<u8>]) -> (usize, Option<Reason>) {
    let bytes = [PREFACE, &frames.concat()].concat();
    let results: Vec<_> = (1..=bytes.len())
        .map(|size| {
            let mut gate = gate();
            let passed: Vec<u8> =
                bytes.chunks(size).flat_map(|piece| passes(&mut gate, piece, 1 + size % 13)).collect();
            assert!(bytes.starts_with(&passed));
            (passed.len() - PREFACE.len(), gate.take_verdict())
        })
        .collect();
    for (passed, verdict) in &results {
        assert_eq!(*verdict, results[0].1);
        assert!(verdict.is_some() || *passed == results[0].0);
    }
    results.into_iter().min_by_key(|(passed, _)| *passed).unwrap()
}

#[test]
fn frames_of_the_wrong_size_end_the_connection() {
    for (kind, flags, len) in [(6, 0, 7), (6, 0, 0), (4, 0, 5), (4, 1, 6), (3, 0, 3), (8, 0, 5), (2, 0, 4)] {
        let (passed, verdict) = pass_frames(&[frame(6, 0, 0, &[1; 8]), frame(kind, flags, 1, &vec![0; len])]);
        assert_eq!((passed, verdict), (17, Some(Reason::FRAME_SIZE_ERROR)), "{kind} {len}");
    }
    let (_, verdict) =
        pass_frames(&[frame(4, 0, 0, &[0, 3, 0, 0, 0, 9, 0, 4, 0x7f, 0xff, 0xff, 0xff]), frame(4, 1, 0, b"")]);
    assert_eq!(verdict, None);
    let (_, verdict) = pass_frames(&[frame(4, 0, 0, &[0, 3, 0, 0, 0, 9, 0, 4, 0x80, 0, 0, 0])]);
    assert_eq!(verdict, Some(Reason::FLOW_CONTROL_ERROR));
}

#[test]
fn nothing_follows_the_end_of_a_stream() {
    let get = frame(1, 5, 1, &[0x82]);
    let open = frame(1, 4, 1, &[0x83]);
    for (frames, wanted) in [
        (vec![get.clone(), frame(1, 5, 3, &[0x82])], None),
        (vec![open.clone(), frame(0, 0, 1, b"a"), frame(1, 5, 1, &[0x90])], None),
        (vec![get.clone(), frame(0, 1, 1, b"a")], Some(Reason::STREAM_CLOSED)),
        (vec![get.clone(), get.clone()], Some(Reason::STREAM_CLOSED)),
        (vec![open.clone(), frame(3, 0, 1, &[0; 4]), frame(1, 5, 1, &[0x90])], Some(Reason::STREAM_CLOSED)),
        (vec![open.clone(), frame(1, 5, 1, &[0x90]), frame(0, 1, 1, b"")], Some(Reason::STREAM_CLOSED)),
        // A pseudo-field in trailers.
        (vec![open, frame(1, 5, 1, &[0x83])], Some(Reason::PROTOCOL_ERROR)),
    ] {
        assert_eq!(pass_frames(&frames).1, wanted, "{frames:?}");
    }
}

#[test]
fn field_blocks_are_followed_through_padding_priority_and_continuation() {
    let literal = [0x40, 1, b'a', 2, b'b', b'c'];
    let padded = [&[2][..], &literal, &[0; 2]].concat();
    let both = [&[3, 0, 0, 0, 0, 9][..], &literal, &[0; 3]].concat();
    for (frames, wanted) in [
        (vec![frame(1, 5, 1, &literal)], None),
        (vec![frame(1, 0xd, 1, &padded)], None),
        (vec![frame(1, 0x2d, 1, &both)], None),
        (vec![frame(1, 1, 1, &literal[..2]), frame(9, 0, 1, &literal[2..3]), frame(9, 4, 1, &literal[3..])], None),
        (vec![frame(1, 1, 1, &literal[..2]), frame(9, 4, 1, b"")], Some(Reason::COMPRESSION_ERROR)),
        (vec![frame(1, 5, 1, &literal[..5])], Some(Reason::COMPRESSION_ERROR)),
        (vec![frame(1, 0xd, 1, &padded[..8])], Some(Reason::COMPRESSION_ERROR)),
        // h2's to refuse: more padding than payload.
        (vec![frame(1, 0xd, 1, &[9, 0x82])], None),
    ] {
        assert_eq!(pass_frames(&frames).1, wanted, "{frames:?}");
    }
}

#[test]
fn goaway_is_for_nobody_and_nothing_comes_between_the_fields() {
    let goaway = frame(7, 0, 0, &[0; 8]);
    let ping = frame(6, 0, 0, &[1; 8]);
    let mut gate = gate();
    let passed = passes(&mut gate, &[PREFACE, &ping, &goaway, &ping].concat(), 5);
    assert_eq!(passed, [PREFACE, &ping, &ping].concat());
    assert_eq!(pass_frames(&[frame(5, 0, 1, &[0, 0, 0, 2, 0x88])]), (0, Some(Reason::PROTOCOL_ERROR)));
    assert_eq!(pass_frames(&[frame(7, 0, 1, &[0; 8])]).1, Some(Reason::PROTOCOL_ERROR));
    assert_eq!(pass_frames(&[frame(7, 0, 0, &[0; 7])]).1, Some(Reason::FRAME_SIZE_ERROR));
    assert_eq!(pass_frames(&[frame(1, 1, 1, &[0x82]), ping]), (10, Some(Reason::PROTOCOL_ERROR)));
}

#[test]
fn noise_is_paid_for_and_content_earns() {
    let ping = frame(6, 0, 0, &[1; 8]);
    let mut gate = gate();
    passes(&mut gate, PREFACE, 99);
    passes(&mut gate, &frame(0, 0, 1, &[6; 300]), 99);
    assert_eq!(passes(&mut gate, &ping.repeat(20), 99).len(), 17 * 20);
    assert_eq!(gate.take_verdict(), None);
    gate.fill(Instant::now(), 2048);
    assert_eq!(passes(&mut gate, &ping.repeat(20), 99).len() / 17, 2);
    assert_eq!((gate.take_verdict(), gate.take_verdict()), (Some(Reason::ENHANCE_YOUR_CALM), None));
    assert_eq!(passes(&mut gate, &ping, 99), b"");
}

#[test]
fn what_the_peer_owes_is_waited_for() {
    let mut gate = gate();
    let mut pass = |bytes: &[u8]| {
        passes(&mut gate, bytes, 99);
        (gate.is_waiting(), gate.is_acknowledged())
    };
    assert_eq!(pass(b""), (true, false));
    assert_eq!(pass(PREFACE), (true, false));
    assert_eq!(pass(&frame(4, 0, 0, &[])), (true, false));
    assert_eq!(pass(&frame(4, 1, 0, b"")), (false, true));
    assert_eq!(pass(&frame(1, 0, 1, &[0x82])), (true, true));
    let last = frame(9, 4, 1, &[0x82, 0x84]);
    assert_eq!(pass(&last[..last.len() - 1]), (true, true));
    assert_eq!(pass(&last[last.len() - 1..]), (false, true));
    assert_eq!(pass(&frame(0, 0, 1, b"content")[..12]), (false, true));
}
