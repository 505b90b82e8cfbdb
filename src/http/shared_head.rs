//! Response heads that many requests get: made once, and rendered once by a protocol that writes them out.
//!
//! Whoever wants to change such a head gets one of their own. What is rendered is the protocol's affair; this knows no
//! version.

use std::sync::{Arc, OnceLock};

use super::message::Response;
use super::status::Status;

/// A head that many requests get. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SharedHead(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    response: Response,
    /// None inside: it cannot be rendered apart from a request.
    rendered: OnceLock<Option<Box<[u8]>>>,
}

/// The head of a response, of its own or shared with others.
#[derive(Debug)]
pub enum Head {
    /// Of its own.
    Own(Response),
    /// Shared.
    Shared(SharedHead),
}

impl SharedHead {
    /// Has many requests get this one.
    pub fn new(response: Response) -> Self {
        Self(Arc::new(Inner { response, rendered: OnceLock::new() }))
    }

    /// The head itself.
    pub fn response(&self) -> &Response {
        &self.0.response
    }

    /// What `render` makes of it, which is asked once and must depend on nothing else.
    pub fn rendered(&self, render: impl FnOnce(&Response) -> Option<Box<[u8]>>) -> Option<&[u8]> {
        self.0.rendered.get_or_init(|| render(&self.0.response)).as_deref()
    }
}

impl Head {
    /// The head itself.
    pub fn response(&self) -> &Response {
        match self {
            Self::Own(response) => response,
            Self::Shared(head) => head.response(),
        }
    }

    /// The status.
    pub fn status(&self) -> Status {
        self.response().status
    }

    /// The same head as one of its own.
    pub fn into_response(self) -> Response {
        match self {
            Self::Own(response) => response,
            Self::Shared(head) => head.response().clone(),
        }
    }
}

impl From<Response> for Head {
    fn from(response: Response) -> Self {
        Self::Own(response)
    }
}
