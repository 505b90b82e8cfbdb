use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

mod spill;

use super::*;
use crate::base::limits::{INTERIM_HEADS_MAX, OUTPUT_BLOCK_BYTES, RESPONSE_BUFFER_HIGH};
use crate::base::slab::Key;
use crate::http::headers::{Headers, Span};
use crate::http::message::{Peer, Request, Response, Version};
use crate::http::method::Method;
use crate::http::status::Status;

struct Pair {
    handle: Handle,
    responder: Box<Responder>,
    bell: Arc<Bell>,
    wakes: Arc<AtomicUsize>,
}

fn rung(bell: &Bell) -> Option<Rung> {
    bell.pop().map(News::take)
}

fn pair(method: Method) -> Pair {
    pair_with(method, None)
}

fn pair_with(method: Method, spill: Option<Arc<Spill>>) -> Pair {
    let wakes = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&wakes);
    let bell = Arc::new(Bell::new(
        1,
        Box::new(move || {
            counter.fetch_add(1, Ordering::SeqCst);
        }),
    ));
    let tag = Tag { connection: Key::from_bits(7), stream: 3 };
    let (handle, responder) = new(job(method), tag, Arc::clone(&bell), spill);
    Pair { handle, responder, bell, wakes }
}

/// A request for `/a.php` without fields and content.
pub(crate) fn job(method: Method) -> Job {
    let address = "127.0.0.1:80".parse().unwrap();
    Job {
        request: Request {
            method,
            version: Version::Http11,
            target: Span::default(),
            authority: None,
            headers: Headers::from_parts(BytesMut::new(), Vec::new()),
            content_length: Some(0),
            expects_continue: false,
        },
        script: Script { document_root: Arc::from(&b"/srv"[..]), name: b"/a.php".to_vec(), path_info: Vec::new() },
        error: None,
        peer: Peer { remote: address, local: address, secure: false },
        content: Content::Memory(Bytes::new()),
        pool: 0,
        received_at: Duration::ZERO,
    }
}

fn head(fields: &[(&str, &str)]) -> Response {
    let mut response = Response::new(Status::OK);
    for (name, value) in fields {
        response.headers.add(name, value.as_bytes());
    }
    response
}

/// Everything that can be pulled, in words.
fn pulled(handle: &mut Handle) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let (word, more) = match handle.poll() {
            Pull::Interim(response) => (format!("interim {}", response.status.code()), true),
            Pull::Head(response, length) => (format!("{} {length:?}", response.status.code()), true),
            Pull::Content(bytes) if bytes.len() > 20 => (format!("{} bytes", bytes.len()), true),
            Pull::Content(bytes) => (String::from_utf8(bytes.to_vec()).unwrap(), true),
            Pull::Pending => ("pending".into(), false),
            Pull::End => ("end".into(), false),
            Pull::Failed => ("failed".into(), false),
            Pull::Expired => ("expired".into(), false),
        };
        all.push(word);
        if !more {
            return all;
        }
    }
}

#[test]
fn a_small_page_crosses_once_with_its_length() {
    let mut p = pair(Method::Get);
    assert!(p.bell.park());
    assert!(p.responder.start());
    p.responder.send_head(head(&[("Content-Length", "999")]));
    p.responder.write(b"Hello, ").unwrap();
    p.responder.write(b"World!").unwrap();
    assert_eq!(pulled(&mut p.handle), ["pending"]);
    p.responder.complete();
    assert_eq!(p.wakes.load(Ordering::SeqCst), 1);
    let tag = Tag { connection: Key::from_bits(7), stream: 3 };
    assert_eq!(rung(&p.bell), Some(Rung { tag, released: true }));
    assert_eq!(rung(&p.bell), None);
    assert_eq!(pulled(&mut p.handle), ["200 Exact(13)", "Hello, World!", "end"]);
    assert_eq!(pulled(&mut p.handle), ["end"]);
}

#[test]
fn a_flush_hands_over_at_once_and_a_busy_loop_is_not_woken() {
    let mut p = pair(Method::Get);
    p.responder.send_head(head(&[]));
    p.responder.flush().unwrap();
    assert_eq!(pulled(&mut p.handle), ["200 Unknown", "pending"]);
    p.responder.write(b"data: 1").unwrap();
    p.responder.flush().unwrap();
    p.responder.flush().unwrap();
    assert_eq!(pulled(&mut p.handle), ["data: 1", "pending"]);
    assert_eq!(rung(&p.bell).map(|rung| rung.released), Some(false));
    p.responder.write(b"data: 2").unwrap();
    p.responder.complete();
    assert!(!p.bell.park(), "something has rung");
    assert_eq!(rung(&p.bell).map(|rung| rung.released), Some(true));
    assert_eq!(pulled(&mut p.handle), ["data: 2", "end"]);
    assert_eq!(p.wakes.load(Ordering::SeqCst), 0);
}

#[test]
fn a_response_that_has_not_begun_expires() {
    let mut p = pair(Method::Get);
    assert!(p.responder.start());
    let expiry = p.responder.expiry();
    p.responder.send_head(head(&[]));
    p.responder.write(b"gathered").unwrap();
    expiry.expire();
    assert_eq!(pulled(&mut p.handle), ["expired"]);
    assert_eq!(rung(&p.bell).map(|rung| rung.released), Some(false));
    // PHP goes on for a while.
    assert!(p.responder.is_aborted());
    assert_eq!(p.responder.write(b"late"), Err(Aborted));
    assert_eq!(p.responder.flush(), Err(Aborted));
    p.responder.complete();
    assert_eq!(pulled(&mut p.handle), ["expired"]);
    assert_eq!(rung(&p.bell).map(|rung| rung.released), Some(true));
}

#[test]
fn a_response_that_is_under_way_is_cut_where_it_is() {
    let mut p = pair(Method::Get);
    let expiry = p.responder.expiry();
    p.responder.send_head(head(&[]));
    p.responder.write(b"half").unwrap();
    p.responder.flush().unwrap();
    p.responder.write(b"gathered").unwrap();
    expiry.expire();
    expiry.expire();
    assert_eq!(pulled(&mut p.handle), ["200 Unknown", "half", "expired"]);
    drop(p.responder);
    assert_eq!(pulled(&mut p.handle), ["expired"]);
}

#[test]
fn a_response_that_is_complete_does_not_expire() {
    let mut p = pair(Method::Get);
    let expiry = p.responder.expiry();
    p.responder.send_head(head(&[]));
    p.responder.write(b"page").unwrap();
    p.responder.finish();
    expiry.expire();
    assert!(!p.responder.is_aborted());
    assert_eq!(pulled(&mut p.handle), ["200 Exact(4)", "page", "end"]);
}

/// A thread that never comes back: the loop does not wait for it, and hears nothing more of it if it does.
#[test]
fn a_response_is_released_without_its_thread() {
    for finished in [false, true] {
        let mut p = pair(Method::Get);
        let expiry = p.responder.expiry();
        p.responder.send_head(head(&[]));
        p.responder.write(b"page").unwrap();
        if finished {
            p.responder.finish();
        }
        expiry.expire();
        expiry.release();
        assert_eq!(rung(&p.bell).map(|rung| rung.released), Some(true));
        let story = pulled(&mut p.handle);
        assert_eq!(story.last().unwrap(), if finished { "end" } else { "expired" });
        let _ = p.responder.write(b"late");
        let _ = p.responder.flush();
        p.responder.send_interim(head(&[]));
        p.responder.complete();
        expiry.release();
        assert_eq!(rung(&p.bell), None);
    }
}

#[test]
fn a_responder_that_is_dropped_has_failed() {
    let p = pair(Method::Get);
    let mut handle = p.handle;
    drop(p.responder);
    assert_eq!(pulled(&mut handle), ["failed"]);
    assert_eq!(rung(&p.bell).map(|rung| rung.released), Some(true));

    let mut p = pair(Method::Get);
    p.responder.send_head(head(&[]));
    p.responder.write(b"half").unwrap();
    p.responder.flush().unwrap();
    drop(p.responder);
    assert_eq!(pulled(&mut p.handle), ["200 Unknown", "half", "failed"]);
}

#[test]
fn after_finish_php_goes_on_unheard() {
    let mut p = pair(Method::Get);
    p.responder.send_head(head(&[]));
    p.responder.write(b"seen").unwrap();
    p.responder.finish();
    assert_eq!(rung(&p.bell).map(|rung| rung.released), Some(false));
    assert_eq!(pulled(&mut p.handle), ["200 Exact(4)", "seen", "end"]);
    drop(p.handle);
    p.responder.write(b"unseen").unwrap();
    p.responder.flush().unwrap();
    assert!(!p.responder.is_aborted(), "the client got all that it was to get");
    p.responder.complete();
    assert_eq!(rung(&p.bell).map(|rung| rung.released), Some(true));
}

#[test]
fn content_where_there_must_be_none_goes_nowhere() {
    let mut p = pair(Method::Head);
    p.responder.send_head(head(&[("content-length", "5")]));
    p.responder.write(b"12345").unwrap();
    p.responder.complete();
    assert_eq!(pulled(&mut p.handle), ["200 Exact(5)", "end"]);

    let mut p = pair(Method::Head);
    p.responder.send_head(head(&[]));
    p.responder.flush().unwrap();
    p.responder.write(&[b'x'; 100_000]).unwrap();
    p.responder.complete();
    assert_eq!(pulled(&mut p.handle), ["200 Unknown", "end"]);

    let mut p = pair(Method::Get);
    p.responder.send_head(Response::new(Status::NO_CONTENT));
    p.responder.write(b"{}").unwrap();
    p.responder.flush().unwrap();
    p.responder.complete();
    assert_eq!(pulled(&mut p.handle), ["200 Exact(0)".replace("200", "204").as_str(), "end"]);
}

#[test]
fn a_streamed_response_keeps_the_length_that_it_announced() {
    for (announced, written, last) in [("70000", 70_000, "end"), ("70000", 70_001, "end"), ("70000", 69_999, "failed")]
    {
        let mut p = pair(Method::Get);
        p.responder.send_head(head(&[("Content-Length", announced)]));
        p.responder.write(&vec![b'x'; written]).unwrap();
        p.responder.complete();
        let rest = format!("{} bytes", written.min(70_000) - OUTPUT_BLOCK_BYTES);
        assert_eq!(pulled(&mut p.handle), ["200 Exact(70000)", "65536 bytes", rest.as_str(), last]);
    }
    // What is no number announces nothing.
    for announced in ["", "+5", "5 ", "99999999999999999999"] {
        let mut p = pair(Method::Get);
        let mut response = Response::new(Status::OK);
        response.headers.add("Content-Length", announced.as_bytes());
        p.responder.send_head(response);
        p.responder.flush().unwrap();
        assert_eq!(pulled(&mut p.handle), ["200 Unknown", "pending"]);
    }
}

#[test]
fn interim_heads_precede_the_head_and_are_bounded() {
    let mut p = pair(Method::Get);
    let hint = || Response::new(Status::from_code(103).unwrap());
    p.responder.send_interim(hint());
    assert!(rung(&p.bell).is_some());
    assert_eq!(pulled(&mut p.handle), ["interim 103", "pending"]);
    (0..1000).for_each(|_| p.responder.send_interim(hint()));
    p.responder.send_head(head(&[]));
    p.responder.send_interim(hint());
    p.responder.write(b"content").unwrap();
    p.responder.complete();
    let mut expected = vec!["interim 103"; INTERIM_HEADS_MAX];
    expected.extend(["200 Exact(7)", "content", "end"]);
    assert_eq!(pulled(&mut p.handle), expected);
}

#[test]
fn php_waits_for_room_and_memory_stays_bounded() {
    let mut p = pair(Method::Get);
    let total = 40 * OUTPUT_BLOCK_BYTES;
    let mut responder = p.responder;
    let php = thread::spawn(move || {
        responder.send_head(head(&[]));
        for _ in 0..total / 1000 + 1 {
            responder.write(&[b'x'; 1000]).unwrap();
        }
        responder.complete();
    });
    let (mut seen, mut held) = (0, 0);
    loop {
        while p.bell.pop().is_some() {}
        held = held.max(p.handle.buffered());
        match p.handle.poll() {
            Pull::Content(bytes) => seen += bytes.len(),
            Pull::End => break,
            Pull::Failed | Pull::Expired => panic!("the response failed"),
            Pull::Interim(_) | Pull::Head(..) => {}
            Pull::Pending => thread::yield_now(),
        }
    }
    php.join().unwrap();
    assert_eq!(seen, (total / 1000 + 1) * 1000);
    // The end does not wait for room: it brings less than a block.
    assert!(held < RESPONSE_BUFFER_HIGH + OUTPUT_BLOCK_BYTES, "{held} bytes were held");
}

#[test]
fn small_flushes_are_gathered_behind_what_waits() {
    let mut p = pair(Method::Get);
    p.responder.send_head(head(&[]));
    for byte in b"abcdef" {
        p.responder.write(&[*byte]).unwrap();
        p.responder.flush().unwrap();
    }
    p.responder.write(&[b'x'; 5000]).unwrap();
    p.responder.flush().unwrap();
    p.responder.write(b"y").unwrap();
    p.responder.complete();
    assert_eq!(pulled(&mut p.handle), ["200 Unknown", "a", "bcdef", "5000 bytes", "y", "end"]);
}

#[test]
fn a_client_that_leaves_wakes_a_waiting_php_thread() {
    let p = pair(Method::Get);
    let mut responder = p.responder;
    let (full, is_full) = std::sync::mpsc::channel();
    let php = thread::spawn(move || {
        responder.send_head(head(&[]));
        let mut blocks = 0;
        while responder.write(&[b'x'; OUTPUT_BLOCK_BYTES]).is_ok() {
            blocks += 1;
            if blocks == RESPONSE_BUFFER_HIGH / OUTPUT_BLOCK_BYTES {
                full.send(()).unwrap(); // the next write waits
            }
        }
        assert!(responder.is_aborted());
        blocks
    });
    is_full.recv().unwrap();
    drop(p.handle);
    assert_eq!(php.join().unwrap(), RESPONSE_BUFFER_HIGH / OUTPUT_BLOCK_BYTES);
}

#[test]
fn only_one_side_takes_a_request_out_of_the_queue() {
    let mut p = pair(Method::Get);
    assert!(p.handle.is_queued());
    assert!(p.handle.cancel());
    assert!(!p.responder.start());

    let mut p = pair(Method::Get);
    assert!(p.responder.start());
    assert!(!p.handle.is_queued() && !p.handle.cancel());

    let mut p = pair(Method::Get);
    drop(p.handle);
    assert!(!p.responder.start(), "nobody waits for it");
}

#[test]
fn content_is_read_from_memory_and_from_a_file_alike() {
    let path = std::env::temp_dir().join(format!("ephpm-exchange-{}", std::process::id()));
    std::fs::write(&path, b"0123456789").unwrap();
    let file = File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    for mut content in [
        Content::Memory(Bytes::from_static(b"0123456789")),
        Content::File { file, len: 10, share: crate::base::account::Share::default() },
    ] {
        let mut buf = [0; 4];
        assert_eq!((content.read(&mut buf), &buf), (4, b"0123"));
        assert_eq!((content.read(&mut buf), &buf), (4, b"4567"));
        assert_eq!((content.read(&mut buf), &buf[..2]), (2, &b"89"[..]));
        assert_eq!(content.read(&mut buf), 0);
        assert!(content.is_empty());
    }
}
