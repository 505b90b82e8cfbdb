//! PHP threads behind the exchange, without HTTP: scripts go in through the queue, responses come out of the handle.
//!
//! Each script in `tests/php` runs alone, and then a hundred times on several threads with a number of its own in each
//! request, because what leaks from one request into another shows only then.
#![cfg(feature = "php")]
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use ephpm::base::slab::Key;
use ephpm::exchange::{self, Bell, Content, Dispatch, Handle, Job, Pull, Script, Tag};
use ephpm::http::headers::Headers;
use ephpm::http::message::{ContentLength, Peer, Request, Version};
use ephpm::http::method::Method;
use ephpm::php::{Info, Php, PhpOptions, Pool, PoolOptions};
use ephpm::site::server_vars::ServerOptions;

/// A response, pulled to its end.
#[derive(Debug, Default)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    length: Option<ContentLength>,
    body: Vec<u8>,
    /// It ended as it should.
    complete: bool,
}

impl Answer {
    fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }
}

/// A request to a script in `tests/php`.
#[derive(Clone)]
struct Ask {
    method: Method,
    script: &'static str,
    query: String,
    fields: Vec<(String, String)>,
    content: Bytes,
}

impl Ask {
    fn get(script: &'static str, query: impl Into<String>) -> Self {
        Self { method: Method::Get, script, query: query.into(), fields: Vec::new(), content: Bytes::new() }
    }

    fn post(script: &'static str, query: impl Into<String>, content_type: &str, content: impl Into<Bytes>) -> Self {
        let fields = vec![("Content-Type".to_owned(), content_type.to_owned())];
        Self { method: Method::Post, content: content.into(), fields, ..Self::get(script, query) }
    }

    fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    fn job(self) -> Job {
        let mut headers = Headers::from_parts(BytesMut::new(), Vec::new());
        let target = headers.push_bytes(format!("{}?{}", self.script, self.query).as_bytes()).unwrap();
        for (name, value) in &self.fields {
            headers.push(name.as_bytes(), value.as_bytes()).unwrap();
        }
        Job {
            request: Request {
                method: self.method,
                version: Version::Http11,
                target,
                authority: None,
                headers,
                content_length: Some(self.content.len() as u64),
                expects_continue: false,
            },
            script: Script {
                document_root: Arc::from(root().to_str().unwrap().as_bytes()),
                name: self.script.as_bytes().to_vec(),
                path_info: Vec::new(),
            },
            peer: Peer {
                remote: "192.0.2.1:1024".parse().unwrap(),
                local: "127.0.0.1:80".parse().unwrap(),
                secure: false,
            },
            content: Content::Memory(self.content),
            received_at: UNIX_EPOCH.elapsed().unwrap(),
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/php")
}

/// PHP is started once, on a thread that stays: it may be stopped only there.
fn dispatch() -> Arc<dyn Dispatch> {
    static STARTED: OnceLock<Arc<dyn Dispatch>> = OnceLock::new();
    Arc::clone(STARTED.get_or_init(|| {
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let options = PhpOptions {
                ini_defaults: vec![
                    ("output_buffering", "4096".to_owned()),
                    ("display_errors", "0".to_owned()),
                    ("html_errors", "0".to_owned()),
                    ("opcache.validate_timestamps", "0".to_owned()),
                    ("session.save_path", std::env::temp_dir().to_str().unwrap().to_owned()),
                ],
                threads: 4,
                ..PhpOptions::default()
            };
            let php = Php::start(&options).unwrap();
            assert!(php.info().opcache);
            assert!(php.extensions().iter().any(|extension| extension.name == "ephpm"));
            let pool = Pool::start(&php, &PoolOptions { threads: 4, queue_max: 1000, server: ServerOptions::default() }).unwrap();
            sender.send(pool.dispatch()).unwrap();
            loop {
                thread::park();
            }
        });
        receiver.recv().unwrap()
    }))
}

/// One exchange with a bell of its own.
struct Exchange {
    /// `None` when the client has left.
    handle: Option<Handle>,
    bell: Arc<Bell>,
    rings: Receiver<()>,
    /// PHP is done with it.
    released: bool,
}

impl Exchange {
    fn submit(ask: Ask) -> Self {
        let (sender, rings) = mpsc::channel();
        let sender = Mutex::new(sender);
        let wake = move || {
            // Nobody listens any more once the test has what it wants.
            let _ = sender.lock().unwrap().send(());
        };
        let bell = Arc::new(Bell::new(1, Box::new(wake)));
        let tag = Tag { connection: Key::from_bits(0), stream: 0 };
        let (handle, responder) = exchange::new(ask.job(), tag, Arc::clone(&bell));
        assert!(dispatch().submit(responder).is_ok(), "the queue is full");
        Self { handle: Some(handle), bell, rings, released: false }
    }

    fn handle(&mut self) -> &mut Handle {
        self.handle.as_mut().expect("the client is there")
    }

    fn leave(&mut self) {
        self.handle = None;
    }

    /// Waits until there is news.
    fn wait(&mut self) {
        while self.bell.park() {
            self.rings.recv_timeout(Duration::from_secs(30)).expect("PHP has news within 30 seconds");
        }
        while let Some(news) = self.bell.pop() {
            self.released |= news.take().released;
        }
    }

    fn wait_until_released(&mut self) {
        while !self.released {
            self.wait();
        }
    }

    /// The next piece, waiting for it.
    fn pull(&mut self) -> Pull {
        loop {
            match self.handle().poll() {
                Pull::Pending => self.wait(),
                pull => return pull,
            };
        }
    }

    /// The rest of the response.
    fn answer(mut self) -> Answer {
        let mut answer = Answer::default();
        loop {
            match self.pull() {
                Pull::Head(response, length) => {
                    answer.status = response.status.code();
                    answer.length = Some(length);
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    answer.headers = response.headers.iter().map(|(name, value)| (text(name), text(value))).collect();
                }
                Pull::Content(bytes) => answer.body.extend_from_slice(&bytes),
                Pull::Pending => unreachable!("pull() waits"),
                Pull::End => break answer.complete = true,
                Pull::Failed => break,
            }
        }
        answer
    }
}

fn ask(ask: Ask) -> Answer {
    Exchange::submit(ask).answer()
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
    let mut exchange = Exchange::submit(Ask::get("/flush.php", ""));
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
    let mut exchange = Exchange::submit(Ask::get("/finish.php", ""));
    assert!(matches!(exchange.pull(), Pull::Head(_, ContentLength::Exact(4))));
    assert!(matches!(exchange.pull(), Pull::Content(bytes) if bytes == "seen"));
    assert!(matches!(exchange.pull(), Pull::End));
    exchange.wait_until_released();
}

#[test]
fn a_client_that_leaves_ends_the_script() {
    let marker = std::env::temp_dir().join(format!("ephpm-abort-{}", std::process::id()));
    let mut exchange = Exchange::submit(Ask::get("/abort.php", format!("marker={}", marker.display())));
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
    let busy: Vec<_> = (0..4).map(|_| Exchange::submit(Ask::get("/sleep.php", ""))).collect();
    let mut skipped = Exchange::submit(Ask::get("/mark.php", format!("marker={}", marker.display())));
    if skipped.handle().cancel() {
        let last = Exchange::submit(Ask::get("/hello.php", "n=1"));
        assert_eq!(last.answer().text(), "Hello 1");
        assert!(!marker.exists());
    }
    busy.into_iter().for_each(|exchange| assert!(exchange.answer().complete));
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
