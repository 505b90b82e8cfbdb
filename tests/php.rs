//! PHP threads behind the exchange, without HTTP: scripts go in through the queue, responses come out of the handle.
//!
//! Each script in `tests/php` runs alone, and then a hundred times on several threads with a number of its own in each
//! request, because what leaks from one request into another shows only then.
#![cfg(feature = "php")]
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

#[path = "php/harness.rs"]
mod harness;

use std::sync::{Arc, OnceLock, mpsc};
use std::thread;

use bytes::Bytes;
use ephpm::exchange::{Dispatch, Pull};
use ephpm::http::message::ContentLength;
use ephpm::http::method::Method;
use ephpm::php::{Info, Php, Pool};
use harness::{Answer, Ask, Exchange, php_options, pool_options, root};

/// PHP is started once, on a thread that stays: it may be stopped only there.
fn dispatch() -> Arc<dyn Dispatch> {
    static STARTED: OnceLock<Arc<dyn Dispatch>> = OnceLock::new();
    Arc::clone(STARTED.get_or_init(|| {
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let php = Php::start(&php_options()).unwrap();
            assert!(php.info().opcache);
            assert!(php.extensions().iter().any(|extension| extension.name == "ephpm"));
            let pool = Pool::start(&php, &pool_options(4)).unwrap();
            sender.send(pool.dispatch()).unwrap();
            loop {
                thread::park();
            }
        });
        receiver.recv().unwrap()
    }))
}

fn submit(ask: Ask) -> Exchange {
    Exchange::submit(&*dispatch(), ask)
}

fn ask(ask: Ask) -> Answer {
    submit(ask).answer()
}

/// Asks once, then a hundred times from several threads; `expect` sees each answer with the number of its request.
fn many(make: impl Fn(u32) -> Ask + Sync, expect: impl Fn(u32, &Answer) + Sync) {
    expect(0, &ask(make(0)));
    thread::scope(|scope| {
        for worker in 0..4 {
            let (make, expect) = (&make, &expect);
            scope.spawn(move || (0..25).map(|n| 1 + worker * 25 + n).for_each(|n| expect(n, &ask(make(n)))));
        }
    });
}

#[test]
fn hello() {
    many(
        |n| Ask::get("/hello.php", format!("n={n}")),
        |n, answer| {
            assert_eq!((answer.status, answer.text(), answer.complete), (200, &*format!("Hello {n}"), true));
            assert_eq!(answer.length, Some(ContentLength::Exact(answer.body.len() as u64)));
            assert!(answer.headers.contains(&("Content-type".to_owned(), "text/html; charset=UTF-8".to_owned())));
        },
    );
}

#[test]
fn request_is_seen() {
    many(
        |n| {
            Ask::post("/request.php", format!("n={n}"), "application/x-www-form-urlencoded", format!("p={n}"))
                .field("Cookie", &format!("c={n}"))
                .field("Cookie", "d=2")
                .field("Authorization", "Basic a2V2aW46cGFzc3dvcmQ=")
                .field("X-Number", &n.to_string())
        },
        |n, answer| {
            let n = n.to_string();
            let path = root().join("request.php");
            let expected = [
                "POST",
                &*format!("/request.php?n={n}"),
                &*n,
                &*n,
                &*n,
                "2",
                "kevin",
                &*n,
                "192.0.2.1",
                "/request.php",
                path.to_str().unwrap(),
                &*format!("p={n}"),
                &*root().to_string_lossy(),
            ]
            .join("\n");
            assert_eq!(answer.text(), expected);
        },
    );
}

#[test]
fn endings() {
    let cases = [
        ("exit", 200, "before text shutdown destructor"),
        ("fatal", 500, "before shutdown"),
        ("exception", 500, "before shutdown destructor"),
        ("code", 418, "before shutdown destructor"),
        ("none", 200, "before after shutdown destructor"),
    ];
    for (how, status, text) in cases {
        many(
            |n| Ask::get("/ending.php", format!("how={how}&n={n}")),
            |n, answer| {
                assert_eq!((answer.status, answer.text()), (status, &*format!("{n} {text}")), "{how}");
                assert!(answer.complete);
            },
        );
    }
}

#[test]
fn statuses_without_content() {
    for (method, status) in [(Method::Get, 204), (Method::Get, 304), (Method::Head, 200)] {
        let answer = ask(Ask { method, ..Ask::get("/status.php", format!("status={status}")) });
        assert_eq!((answer.status, answer.text(), answer.complete), (status, "", true));
    }
}

#[test]
fn flush_reaches_the_loop_before_the_end() {
    let mut exchange = submit(Ask::get("/flush.php", ""));
    assert!(matches!(exchange.pull(), Pull::Head(_, ContentLength::Unknown)));
    assert!(matches!(exchange.pull(), Pull::Content(bytes) if bytes == "He"));
    let answer = exchange.answer();
    assert_eq!((answer.text(), answer.complete), ("llo", true));
}

#[test]
fn large_output_is_whole() {
    many(
        |n| Ask::get("/large.php", format!("n={n}&size=1000000")),
        |n, answer| {
            let line = format!("{n} lorem ipsum\n");
            assert_eq!(answer.body.len(), 1_000_000 / line.len() * line.len());
            assert!(answer.body.chunks(line.len()).all(|chunk| chunk == line.as_bytes()));
        },
    );
}

#[test]
fn large_content_is_whole() {
    let content: Bytes = (0..6_048_576_u32).map(|i| i as u8).collect();
    let answer = ask(Ask::post("/input.php", "", "application/octet-stream", content.clone()));
    assert_eq!(answer.text(), "6048576 d004f85a");
}

#[test]
fn a_finished_response_ends_while_the_script_runs() {
    let mut exchange = submit(Ask::get("/finish.php", ""));
    assert!(matches!(exchange.pull(), Pull::Head(_, ContentLength::Exact(4))));
    assert!(matches!(exchange.pull(), Pull::Content(bytes) if bytes == "seen"));
    assert!(matches!(exchange.pull(), Pull::End));
    exchange.wait_until_released();
}

#[test]
fn a_client_that_leaves_ends_the_script() {
    let marker = std::env::temp_dir().join(format!("ephpm-abort-{}", std::process::id()));
    let mut exchange = submit(Ask::get("/abort.php", format!("marker={}", marker.display())));
    assert!(matches!(exchange.pull(), Pull::Head(..)));
    exchange.leave();
    exchange.wait_until_released();
    assert_eq!(std::fs::read_to_string(&marker).unwrap(), "aborted 1");
    std::fs::remove_file(marker).unwrap();
}

#[test]
fn a_request_whose_client_left_in_the_queue_is_not_run() {
    let marker = std::env::temp_dir().join(format!("ephpm-skip-{}", std::process::id()));
    // As many as there are threads, and then one that nobody waits for.
    let busy: Vec<_> = (0..4).map(|_| submit(Ask::get("/sleep.php", ""))).collect();
    let mut skipped = submit(Ask::get("/mark.php", format!("marker={}", marker.display())));
    if skipped.handle().cancel() {
        let last = submit(Ask::get("/hello.php", "n=1"));
        assert_eq!(last.answer().text(), "Hello 1");
        assert!(!marker.exists());
    }
    busy.into_iter().for_each(|exchange| assert!(exchange.answer().complete));
}

/// PHP parses a form before the script begins. When that exceeds the memory limit, the thread has to start anew.
#[test]
fn a_request_that_cannot_be_set_up_is_answered_500() {
    let content: Bytes = [b"p=", &vec![b'x'; 20_000_000][..]].concat().into();
    for n in 0..6 {
        let form = Ask::post("/hello.php", "n=0", "application/x-www-form-urlencoded", content.clone());
        let answer = ask(form);
        assert_eq!((answer.status, answer.text(), answer.complete), (500, "", true));
        assert_eq!(ask(Ask::get("/hello.php", format!("n={n}"))).text(), format!("Hello {n}"));
    }
}

#[test]
fn opcache_hits() {
    let hits = || ask(Ask::get("/opcache.php", "")).text().parse::<u64>().unwrap();
    hits();
    let before = hits();
    assert!(hits() > before);
}

#[test]
fn libphp_is_what_we_build() {
    let info = Info::of_libphp();
    assert!(info.version.starts_with("8."), "{info:?}");
    assert!(!info.debug);
}
