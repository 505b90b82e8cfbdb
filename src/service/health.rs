//! What monitors and orchestrators ask: whether the server lives, and whether requests are welcome.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

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

/// What is known of the server's health, for all threads.
#[derive(Default)]
pub struct Health {
    stage: AtomicU8,
    pulses: OnceLock<Vec<Box<dyn Pulse>>>,
}

impl Health {
    /// Tells how far the server is.
    pub fn enter(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::SeqCst);
    }

    /// Tells what must not stand still, once.
    pub fn watch(&self, pulses: Vec<Box<dyn Pulse>>) {
        let first = self.pulses.set(pulses).is_ok();
        debug_assert!(first, "there is one set of them");
    }

    /// The response to a request that came over the internal listener, and its content.
    pub fn answer(&self, request: &Request) -> (Response, Bytes) {
        let (status, text): (_, &'static [u8]) = match request.path() {
            _ if !matches!(request.method, Method::Get | Method::Head) => {
                let mut response = Response::new(Status::METHOD_NOT_ALLOWED);
                response.headers.add("Allow", b"GET, HEAD");
                return (response, Bytes::new());
            }
            b"/live" if self.pulses.get().is_none_or(|pulses| pulses.iter().all(|pulse| pulse.is_beating())) => {
                (Status::OK, b"live\n")
            }
            b"/live" => (Status::SERVICE_UNAVAILABLE, b"stuck\n"),
            b"/ready" => match self.stage.load(Ordering::SeqCst) {
                stage if stage == Stage::Ready as u8 => (Status::OK, b"ready\n"),
                stage if stage == Stage::Starting as u8 => (Status::SERVICE_UNAVAILABLE, b"starting\n"),
                _ => (Status::SERVICE_UNAVAILABLE, b"stopping\n"),
            },
            _ => (Status::NOT_FOUND, b"/live and /ready are here\n"),
        };
        let mut response = Response::new(status);
        response.headers.add("Content-Type", b"text/plain");
        response.headers.add("Cache-Control", b"no-store");
        (response, Bytes::from_static(text))
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").field("stage", &self.stage).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

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
        assert_eq!(health.answer(&request("POST", "/live", &[])).0.status, Status::METHOD_NOT_ALLOWED);
        let heart = Arc::new(AtomicBool::new(true));
        health.watch(vec![Box::new(Heart(Arc::clone(&heart)))]);
        assert_eq!(ask("/live"), "200 live");
        heart.store(false, Ordering::SeqCst);
        assert_eq!(ask("/live"), "503 stuck");
    }
}
