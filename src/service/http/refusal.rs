//! An error that the server itself reports, and what belongs to it.

use crate::http::message::Response;
use crate::http::status::Status;

/// An error of the server's own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal {
    pub(super) status: Status,
    /// `Allow`, for 405.
    allow: Option<&'static str>,
}

impl Refusal {
    pub(super) fn new(status: Status) -> Self {
        Self { status, allow: None }
    }

    pub(super) fn with_allow(status: Status, allow: Option<&'static str>) -> Self {
        Self { status, allow }
    }

    /// Gives a response the status and what belongs to it.
    pub(super) fn complete(self, response: &mut Response) {
        response.status = self.status;
        response.reason = None;
        let retry_after = (self.status == Status::SERVICE_UNAVAILABLE).then_some("1");
        for (name, value) in [("Allow", self.allow), ("Retry-After", retry_after)] {
            if let Some(value) = value {
                response.headers.remove(name);
                // A script may have filled the head; then it goes without.
                let _ = response.headers.push(name.as_bytes(), value.as_bytes());
            }
        }
    }
}
