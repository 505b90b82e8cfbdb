//! Errors that the server itself reports: the operator's page for them, or else a small one of ours.
//!
//! A page that is a script runs with the request that was refused, as GET or HEAD and without content, and its
//! response keeps the error's status. What goes wrong with a page is answered by ours, which needs nothing; a page is
//! never asked for twice, so there is no recursion.

use bytes::Bytes;

use super::Http;
use super::refusal::Refusal;
use super::stream::{State, Stream};
use crate::base::chunk::Chunk;
use crate::base::send_queue::SendQueue;
use crate::exchange::{Content, Job};
use crate::http::message::{ContentLength, Request, Response};
use crate::http::method::Method;
use crate::service::compression::Compression;
use crate::service::context::Context;
use crate::service::reply::Reply;
use crate::site::error_page;
use crate::site::files::OpenFile;

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
        reply.head(&mut self.protocol, response.into(), ContentLength::Exact(len), out, cx);
        let content = (len > 0).then(|| file.chunk(0, len));
        self.send_chunks(reply, content.into_iter(), out, cx);
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
        let pool = cx.options.pools.select(request.path(), &script);
        let job = Job { request, script, pool, error, peer: reply.peer, content, received_at: cx.wall };
        match self.submit(job, reply.id, cx) {
            Some((handle, head)) => {
                let state = State::Php { handle, head, compression, refusal: Some(refusal), request: None };
                self.push(Stream::new(reply, state));
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
        reply.head(&mut self.protocol, response.into(), length, out, cx);
        reply.content(&mut self.protocol, Chunk::Bytes(content), out);
        self.finish(reply, out, cx);
    }
}
