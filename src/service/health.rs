//! What monitors and orchestrators ask: whether the server lives, whether requests are welcome, and what it is at; and
//! what deployments ask of it.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::http::message::{Request, Response};
use crate::http::method::Method;
use crate::http::status::Status;

/// How far the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// PHP is starting.
    Starting,
    /// Requests are welcome.
    Ready,
    /// Requests under way are ended, and no others taken.
    Stopping,
}

/// Something that can stand still.
pub trait Pulse: Send + Sync {
    /// Whether it has moved of late.
    fn is_beating(&self) -> bool;
}

/// The processes that serve on the same sockets, this one among them.
pub trait Peers: Send + Sync {
    /// This process has come so far.
    fn enter(&self, stage: Stage);
    /// Whether requests are welcome in one of them, which is where they go then.
    fn is_any_ready(&self) -> bool;
}

/// Who knows what the server is at, and has PHP's threads start anew.
pub trait Office: Send + Sync {
    /// What the server is at; `None` once it has stopped.
    fn status(&self, form: Form) -> Option<String>;
    /// Has PHP's threads start anew, which takes a while; how many, or `None` once they have stopped.
    fn restart_php(&self) -> Option<usize>;
}

/// How the status is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An HTML page, for people.
    Page,
    /// JSON, for programs.
    Json,
    /// Prometheus' text format.
    Metrics,
}

/// What is known of the server's health, for all threads.
#[derive(Default)]
pub struct Health {
    stage: AtomicU8,
    peers: Option<Arc<dyn Peers>>,
    pulses: OnceLock<Vec<Box<dyn Pulse>>>,
    office: OnceLock<Box<dyn Office>>,
}

impl Health {
    /// Of one of several processes.
    pub fn among(peers: Arc<dyn Peers>) -> Self {
        peers.enter(Stage::Starting);
        Self { peers: Some(peers), ..Self::default() }
    }

    /// Tells how far the server is.
    pub fn enter(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::SeqCst);
        self.peers.iter().for_each(|peers| peers.enter(stage));
    }

    /// Tells what must not stand still, once.
    pub fn watch(&self, pulses: Vec<Box<dyn Pulse>>) {
        let first = self.pulses.set(pulses).is_ok();
        debug_assert!(first, "there is one set of them");
    }

    /// Tells who knows more, once PHP runs.
    pub fn open(&self, office: Box<dyn Office>) {
        let first = self.office.set(office).is_ok();
        debug_assert!(first, "there is one");
    }

    /// The response to a request that came over the internal listener, and its content.
    pub fn answer(&self, request: &Request) -> (Response, Bytes) {
        if request.path() == RESTART {
            return self.restart(request);
        }
        if !request.method.is_get_or_head() {
            return refuse_method(b"GET, HEAD");
        }
        match request.path() {
            b"/live" if self.pulses.get().is_none_or(|pulses| pulses.iter().all(|pulse| pulse.is_beating())) => {
                say(Status::OK, "live\n")
            }
            b"/live" => say(Status::SERVICE_UNAVAILABLE, "stuck\n"),
            b"/ready" if self.is_ready() => say(Status::OK, "ready\n"),
            b"/ready" => self.nobody(),
            b"/status" => self.status(Form::Page),
            b"/status.json" => self.status(Form::Json),
            b"/metrics" => self.status(Form::Metrics),
            _ => say(
                Status::NOT_FOUND,
                "/live, /ready, /status, /status.json and /metrics are here, and POST /restart-php\n",
            ),
        }
    }

    fn is_ready(&self) -> bool {
        let is_ready = self.stage.load(Ordering::SeqCst) == Stage::Ready as u8;
        is_ready || self.peers.as_ref().is_some_and(|peers| peers.is_any_ready())
    }

    fn status(&self, form: Form) -> (Response, Bytes) {
        match self.office.get().and_then(|office| office.status(form)) {
            Some(text) => response(Status::OK, form.content_type(), text.into()),
            None => self.nobody(),
        }
    }

    fn restart(&self, request: &Request) -> (Response, Bytes) {
        if request.method != Method::Post {
            return refuse_method(b"POST");
        }
        if is_of_page(request) {
            return say(Status::FORBIDDEN, "not for web pages\n");
        }
        match self.office.get().and_then(|office| office.restart_php()) {
            Some(threads) => {
                let text = format!("PHP threads that start anew, one after another: {threads}\n");
                response(Status::ACCEPTED, "text/plain", text.into())
            }
            None => self.nobody(),
        }
    }

    /// Requests are not welcome yet, or not any more.
    fn nobody(&self) -> (Response, Bytes) {
        let is_starting = self.stage.load(Ordering::SeqCst) == Stage::Starting as u8;
        say(Status::SERVICE_UNAVAILABLE, if is_starting { "starting\n" } else { "stopping\n" })
    }
}

/// The one path that changes something.
const RESTART: &[u8] = b"/restart-php";

/// Whether a browser sends this for a page, which may be anybody's and asks without leave. Browsers add `Origin` to every
/// POST, and `Sec-Fetch-Site` (Fetch Metadata) to every request, `none` when a person has typed the address.
fn is_of_page(request: &Request) -> bool {
    let headers = &request.headers;
    headers.contains("Origin") || headers.get_all("Sec-Fetch-Site").any(|site| site != b"none")
}

fn refuse_method(allow: &[u8]) -> (Response, Bytes) {
    let (mut response, content) = say(Status::METHOD_NOT_ALLOWED, "");
    response.headers.add("Allow", allow);
    (response, content)
}

fn say(status: Status, text: &'static str) -> (Response, Bytes) {
    response(status, "text/plain", Bytes::from_static(text.as_bytes()))
}

fn response(status: Status, content_type: &str, content: Bytes) -> (Response, Bytes) {
    let mut response = Response::new(status);
    for (name, value) in [
        ("Content-Type", content_type),
        ("Cache-Control", "no-store"),
        // It tells what visitors have sent: nothing of it runs, and no page of others gets to see it.
        ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("X-Content-Type-Options", "nosniff"),
    ] {
        response.headers.add(name, value.as_bytes());
    }
    (response, content)
}

impl Form {
    fn content_type(self) -> &'static str {
        match self {
            Self::Page => "text/html; charset=utf-8",
            Self::Json => "application/json",
            Self::Metrics => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").field("stage", &self.stage).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize};

    use super::*;
    use crate::site::fuzz::request;

    struct Heart(Arc<AtomicBool>);

    impl Pulse for Heart {
        fn is_beating(&self) -> bool {
            self.0.load(Ordering::SeqCst)
        }
    }

    #[test]
    fn stages_and_pulses_are_told() {
        let health = Health::default();
        let ask = |path: &str| {
            let (response, content) = health.answer(&request("GET", path, &[]));
            format!("{} {}", response.status.code(), String::from_utf8_lossy(&content).trim_end())
        };
        assert_eq!((&*ask("/live"), &*ask("/ready?x")), ("200 live", "503 starting"));
        health.enter(Stage::Ready);
        assert_eq!(ask("/ready"), "200 ready");
        health.enter(Stage::Stopping);
        assert_eq!((&*ask("/live"), &*ask("/ready")), ("200 live", "503 stopping"));
        assert!(ask("/").starts_with("404"));
        let (refused, _) = health.answer(&request("POST", "/live", &[]));
        assert_eq!(
            (refused.status, refused.headers.get("Allow")),
            (Status::METHOD_NOT_ALLOWED, Some(&b"GET, HEAD"[..]))
        );
        let heart = Arc::new(AtomicBool::new(true));
        health.watch(vec![Box::new(Heart(Arc::clone(&heart)))]);
        assert_eq!(ask("/live"), "200 live");
        heart.store(false, Ordering::SeqCst);
        assert_eq!(ask("/live"), "503 stuck");
    }

    /// Whether another process is ready.
    #[derive(Default)]
    struct Others(AtomicBool);

    impl Peers for Others {
        fn enter(&self, _stage: Stage) {}

        fn is_any_ready(&self) -> bool {
            self.0.load(Ordering::SeqCst)
        }
    }

    #[test]
    fn requests_are_welcome_while_one_process_takes_them() {
        let others = Arc::new(Others::default());
        let health = Health::among(Arc::clone(&others) as Arc<dyn Peers>);
        let ready = || health.answer(&request("GET", "/ready", &[])).0.status;
        assert_eq!(ready(), Status::SERVICE_UNAVAILABLE);
        others.0.store(true, Ordering::SeqCst);
        assert_eq!(ready(), Status::OK);
        health.enter(Stage::Stopping);
        assert_eq!(ready(), Status::OK);
        others.0.store(false, Ordering::SeqCst);
        assert_eq!(ready(), Status::SERVICE_UNAVAILABLE);
    }

    struct Clerk(AtomicUsize);

    impl Office for Arc<Clerk> {
        fn status(&self, form: Form) -> Option<String> {
            Some(format!("{form:?}"))
        }

        fn restart_php(&self) -> Option<usize> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Some(8)
        }
    }

    #[test]
    fn the_status_is_told_once_there_is_one() {
        let health = Health::default();
        let status = |path: &str| health.answer(&request("GET", path, &[]));
        assert_eq!(status("/status").0.status, Status::SERVICE_UNAVAILABLE);
        health.open(Box::new(Arc::new(Clerk(AtomicUsize::new(0)))));
        for (path, content_type, text) in [
            ("/status?x", "text/html; charset=utf-8", "Page"),
            ("/status.json", "application/json", "Json"),
            ("/metrics", "text/plain; version=0.0.4; charset=utf-8", "Metrics"),
        ] {
            let (response, content) = status(path);
            assert_eq!((response.status, &*content), (Status::OK, text.as_bytes()), "{path}");
            assert_eq!(response.headers.get("Content-Type"), Some(content_type.as_bytes()));
            assert_eq!(response.headers.get("Cache-Control"), Some(&b"no-store"[..]));
        }
    }

    #[test]
    fn no_web_page_restarts_php() {
        let (health, clerk) = (Health::default(), Arc::new(Clerk(AtomicUsize::new(0))));
        let ask = |method: &str, fields: &[(&str, &str)]| health.answer(&request(method, "/restart-php", fields));
        assert_eq!(ask("POST", &[]).0.status, Status::SERVICE_UNAVAILABLE);
        health.open(Box::new(Arc::clone(&clerk)));
        for method in ["GET", "HEAD", "PUT"] {
            let (response, _) = ask(method, &[]);
            assert_eq!(response.status, Status::METHOD_NOT_ALLOWED, "{method}");
            assert_eq!(response.headers.get("Allow"), Some(&b"POST"[..]));
        }
        for field in [
            ("Origin", "http://evil.example"),
            ("Origin", "null"),
            ("Sec-Fetch-Site", "cross-site"),
            ("sec-fetch-site", "same-origin"),
        ] {
            assert_eq!(ask("POST", &[field]).0.status, Status::FORBIDDEN, "{field:?}");
        }
        assert_eq!(clerk.0.load(Ordering::SeqCst), 0);
        let (response, content) = ask("POST", &[("Sec-Fetch-Site", "none")]);
        assert_eq!((response.status, clerk.0.load(Ordering::SeqCst)), (Status::ACCEPTED, 1));
        assert_eq!(&*content, b"PHP threads that start anew, one after another: 8\n");
    }
}
