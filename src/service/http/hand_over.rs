//! Responses that a script leaves to the server: it names a file in X-Accel-Redirect or X-Sendfile.
//!
//! The file is answered for as any other, with preconditions and ranges, and in place of whatever the script has
//! printed. Of the script's fields those stay that do not describe its own content, and its media type. What it may
//! not name, or what is not there, is an error of the site: the client gets the status, the log says why.

use super::{Http, refusal::Refusal};
use crate::base::send_queue::SendQueue;
use crate::http::headers::Headers;
use crate::http::message::{Request, Response};
use crate::http::status::Status;
use crate::service::context::Context;
use crate::service::reply::Reply;
use crate::site::compression::forbids_transformation;
use crate::site::internal_files::{self, Handover};
use crate::site::static_files::{self, FileReply};

/// Fields of a script's response that say of its own content what is not true of the file.
const REPLACED: [&str; 6] =
    ["Content-Length", "Content-Range", "Content-Encoding", "Accept-Ranges", "ETag", "Last-Modified"];
/// Fields of a request that mean nothing for a method other than GET and HEAD.
const CONDITIONS: [&str; 6] =
    ["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range"];

impl Http {
    /// Answers with the file that a script has named in `response`. `request` is there if any file might be named when it
    /// came; the configuration may have been another one then.
    pub(super) fn hand_over(
        &mut self,
        reply: Reply,
        response: &Response,
        request: Option<Box<Request>>,
        out: &mut SendQueue,
        cx: &mut Context<'_>,
    ) {
        let located = locate(&response.headers, request.is_some(), cx);
        let (mut request, index, path) = match (request, located) {
            (Some(request), Some((index, path))) => (retrieving(*request), index, path),
            (request, _) => {
                let request = request.map(|request| *request);
                return self.refuse(reply, Refusal::new(Status::NOT_FOUND), request, out, cx);
            }
        };
        if response.headers.get_all("Cache-Control").any(forbids_transformation) {
            request.headers.remove("Accept-Encoding");
        }
        let seconds = i64::try_from(cx.wall.as_secs()).unwrap_or(i64::MAX);
        match static_files::answer(&request, &path, cx.internal.root(index), &cx.options.files, seconds) {
            Ok(answer) => {
                let mut head = answer.head.into_response();
                merge(&response.headers, &mut head);
                self.send_answer(reply, FileReply { head: head.into(), ..answer }, out, cx);
            }
            Err(error) => {
                log::error!("a script names a file that cannot be opened ({error:?}): {}", path.escape_ascii());
                self.refuse(reply, Refusal::new(error.status()), Some(request), out, cx);
            }
        }
    }
}

/// Where the file lies that a script has named, if it may name any and that one.
fn locate(headers: &Headers, may_name_any: bool, cx: &Context<'_>) -> Option<(usize, Vec<u8>)> {
    let handover = Handover::of(headers)?;
    let located = may_name_any.then(|| cx.options.internal_files.locate(handover)).flatten();
    if located.is_none() {
        let (Handover::Accel(name) | Handover::Sendfile(name)) = handover;
        log::error!("a script names a file outside server.internal_files: {}", name.escape_ascii());
    }
    located
}

/// The request as one that retrieves the file, whatever its method did.
fn retrieving(mut request: Request) -> Request {
    if !request.method.is_get_or_head() {
        request.method = crate::http::method::Method::Get;
        CONDITIONS.iter().for_each(|name| request.headers.remove(name));
    }
    request
}

/// Adds a script's fields to a file's response.
fn merge(of_script: &Headers, response: &mut Response) {
    // Of several parts, each has its own media type.
    let is_described = match response.status {
        Status::OK => true,
        Status::PARTIAL_CONTENT => response.headers.contains("Content-Range"),
        _ => false,
    };
    for (name, value) in of_script.iter() {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        if internal_files::FIELDS.iter().chain(&REPLACED).any(|other| is(other)) {
            continue;
        }
        if is("Cache-Control") {
            response.headers.remove("Cache-Control");
        }
        if is("Content-Type") {
            if !is_described {
                continue;
            }
            response.headers.remove("Content-Type");
        }
        // What does not fit into 64 KiB is left out.
        let _ = response.headers.push(name, value);
    }
}
