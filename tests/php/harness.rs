//! Requests to PHP threads through the exchange: what an event loop does, without its loop.

use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use ephpm::base::slab::Key;
use ephpm::exchange::{self, Bell, Content, Dispatch, Handle, Job, Pull, Script, Tag};
use ephpm::http::headers::Headers;
use ephpm::http::message::{ContentLength, Peer, Request, Version};
use ephpm::http::method::Method;
use ephpm::php::{PhpOptions, PoolOptions};

pub(crate) fn php_options() -> PhpOptions {
    let defaults = [
        ("output_buffering", "4096"),
        ("display_errors", "0"),
        ("html_errors", "0"),
        ("memory_limit", "24M"),
        ("post_max_size", "0"),
        ("opcache.validate_timestamps", "0"),
        // Also scripts that have just been checked out.
        ("opcache.file_update_protection", "0"),
    ];
    PhpOptions {
        ini_defaults: defaults.map(|(name, value)| (name, value.to_owned())).to_vec(),
        threads: 4,
        ..PhpOptions::default()
    }
}

pub(crate) fn pool_options(threads: usize) -> PoolOptions {
    PoolOptions { threads, queue_max: 1000, ..PoolOptions::default() }
}

/// A response, pulled to its end.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The statuses of the interim heads before it.
    pub(crate) interim: Vec<u16>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) length: Option<ContentLength>,
    pub(crate) body: Vec<u8>,
    /// It ended as it should.
    pub(crate) complete: bool,
    /// It was given no more time.
    pub(crate) expired: bool,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }
}

/// A request to a script in `tests/php`.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) script: &'static str,
    pub(crate) query: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) content: Bytes,
    /// The number of the pool that it is for.
    pub(crate) pool: usize,
}

impl Ask {
    pub(crate) fn get(script: &'static str, query: impl Into<String>) -> Self {
        let (query, fields, content) = (query.into(), Vec::new(), Bytes::new());
        Self { method: Method::Get, script, query, fields, content, pool: 0 }
    }

    pub(crate) fn post(
        script: &'static str,
        query: impl Into<String>,
        content_type: &str,
        content: impl Into<Bytes>,
    ) -> Self {
        let fields = vec![("Content-Type".to_owned(), content_type.to_owned())];
        Self { method: Method::Post, content: content.into(), fields, ..Self::get(script, query) }
    }

    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn job(self) -> Job {
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
            error: None,
            peer: Peer {
                remote: "192.0.2.1:1024".parse().unwrap(),
                local: "127.0.0.1:80".parse().unwrap(),
                secure: false,
            },
            content: Content::Memory(self.content),
            pool: self.pool,
            received_at: UNIX_EPOCH.elapsed().unwrap(),
        }
    }
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/php")
}

/// One exchange with a bell of its own.
pub(crate) struct Exchange {
    /// `None` when the client has left.
    pub(crate) handle: Option<Handle>,
    pub(crate) bell: Arc<Bell>,
    pub(crate) rings: Receiver<()>,
    /// PHP is done with it.
    pub(crate) released: bool,
}

impl Exchange {
    pub(crate) fn submit(dispatch: &dyn Dispatch, ask: Ask) -> Self {
        let (sender, rings) = mpsc::channel();
        let sender = Mutex::new(sender);
        let wake = move || {
            // Nobody listens any more once the test has what it wants.
            let _ = sender.lock().unwrap().send(());
        };
        let bell = Arc::new(Bell::new(1, Box::new(wake)));
        let tag = Tag { connection: Key::from_bits(0), stream: 0 };
        let (handle, responder) = exchange::new(ask.job(), tag, Arc::clone(&bell), None);
        assert!(dispatch.submit(responder).is_ok(), "the queue is full");
        dispatch.hand_over();
        Self { handle: Some(handle), bell, rings, released: false }
    }

    pub(crate) fn handle(&mut self) -> &mut Handle {
        self.handle.as_mut().expect("the client is there")
    }

    pub(crate) fn leave(&mut self) {
        self.handle = None;
    }

    /// Waits until there is news.
    pub(crate) fn wait(&mut self) {
        while self.bell.park() {
            self.rings.recv_timeout(Duration::from_secs(60)).expect("PHP has news within a minute");
        }
        while let Some(news) = self.bell.pop() {
            self.released |= news.take().released;
        }
    }

    pub(crate) fn wait_until_released(&mut self) {
        while !self.released {
            self.wait();
        }
    }

    /// The next piece, waiting for it.
    pub(crate) fn pull(&mut self) -> Pull {
        loop {
            match self.handle().poll() {
                Pull::Pending => self.wait(),
                pull => return pull,
            };
        }
    }

    /// The rest of the response.
    pub(crate) fn answer(mut self) -> Answer {
        let mut answer = Answer::default();
        loop {
            match self.pull() {
                Pull::Interim(response) => answer.interim.push(response.status.code()),
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
                Pull::Expired => break answer.expired = true,
            }
        }
        answer
    }
}
