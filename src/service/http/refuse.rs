//! Errors that the server itself reports: the operator's page for them, or else a small one of ours.
//!
//! A page that is a script runs with the request that was refused, as GET or HEAD and without content, and its
//! response keeps the error's status. What goes wrong with a page is answered by ours, which needs nothing; a page is
//! never asked for twice, so there is no recursion.

use bytes::Bytes;

use super::{Http, State, Stream};
use crate::base::chunk::Chunk;
use crate::base::send_queue::SendQueue;
use crate::exchange::{Content, Job};
use crate::http::message::{ContentLength, Request, Response};
use crate::http::method::Method;
use crate::http::status::Status;
use crate::service::compression::Compression;
use crate::service::context::Context;
use crate::service::reply::Reply;
use crate::site::error_page;
use crate::site::files::OpenFile;

/// An error of the server's own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal {
    status: Status,
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

impl Http {
    /// Answers with an error; `request` as far as there is one.
    pub(super) fn refuse(
        &mut self,
        reply: Reply,
        refusal: Refusal,
        request: Option<Request>,
        out: &mut SendQueue,
        cx: &mut Context<'_>,
    ) {
        match (cx.options.error_pages.get(refusal.status), request) {
            (Some(page), Some(request)) if page.ends_with(".php") => {
                self.run_page(reply, refusal, page, request, out, cx);
            }
            (Some(page), _) if !page.ends_with(".php") => match cx.files.open(page.as_bytes()) {
                Ok(file) => self.send_page(reply, refusal, &file, out, cx),
                Err(_) => self.refuse_plainly(reply, refusal, out, cx),
            },
            _ => self.refuse_plainly(reply, refusal, out, cx),
        }
    }

    /// Answers with our own page.
    pub(super) fn refuse_plainly(&mut self, reply: Reply, refusal: Refusal, out: &mut SendQueue, cx: &Context<'_>) {
        let (mut response, content) = error_page::error_response(refusal.status);
        refusal.complete(&mut response);
        self.send(reply, response, content, out, cx);
    }

    fn send_page(
        &mut self,
        mut reply: Reply,
        refusal: Refusal,
        file: &OpenFile,
        out: &mut SendQueue,
        cx: &Context<'_>,
    ) {
        let metadata = file.metadata();
        let mut response = Response::new(refusal.status);
        response.headers.add("Content-Type", metadata.content_type.as_bytes());
        refusal.complete(&mut response);
        let len = metadata.len;
        reply.head(&mut self.protocol, response, ContentLength::Exact(len), out, cx);
        if len > 0 {
            reply.content(&mut self.protocol, file.chunk(0, len), out);
        }
        reply.finish(&mut self.protocol, &mut self.journal, out);
    }

    fn run_page(
        &mut self,
        reply: Reply,
        refusal: Refusal,
        page: &str,
        mut request: Request,
        out: &mut SendQueue,
        cx: &mut Context<'_>,
    ) {
        let Some(script) = cx.router.script_at(page.as_bytes(), cx.files) else {
            return self.refuse_plainly(reply, refusal, out, cx);
        };
        if request.method != Method::Head {
            request.method = Method::Get;
        }
        let compression = Compression::new(&request, &cx.options.compression);
        let content = Content::Memory(Bytes::new());
        let error = Some(refusal.status);
        let pool = cx.options.pools.select(request.path());
        let job = Job { request, script, pool, error, peer: reply.peer, content, received_at: cx.wall };
        match self.submit(job, reply.id, cx) {
            Some((handle, head)) => {
                let state = State::Php { handle, head, compression, refusal: Some(refusal), request: None };
                self.streams.push(Stream { reply, state });
            }
            None => self.refuse_plainly(reply, refusal, out, cx),
        }
    }

    /// Sends a response whose content is there.
    pub(super) fn send(
        &mut self,
        mut reply: Reply,
        response: Response,
        content: Bytes,
        out: &mut SendQueue,
        cx: &Context<'_>,
    ) {
        let length = ContentLength::Exact(content.len() as u64);
        reply.head(&mut self.protocol, response, length, out, cx);
        reply.content(&mut self.protocol, Chunk::Bytes(content), out);
        reply.finish(&mut self.protocol, &mut self.journal, out);
    }
}
