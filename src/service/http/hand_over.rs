//! Responses that a script leaves to the server: it names a file in X-Accel-Redirect or X-Sendfile.
//!
//! The file is answered for as any other, with preconditions and ranges, and in place of whatever the script has
//! printed. Of the script's fields those stay that do not describe its own content, and its media type. What it may
//! not name, or what is not there, is an error of the site: the client gets the status, the log says why.

use super::{Http, refuse::Refusal};
use crate::base::send_queue::SendQueue;
use crate::http::headers::Headers;
use crate::http::message::{Request, Response};
use crate::http::status::Status;
use crate::service::context::Context;
use crate::service::reply::Reply;
use crate::site::files::{OpenError, OpenFile};
use crate::site::internal_files::{self, Handover};
use crate::site::static_files;

/// Fields of a script's response that say of its own content what is not true of the file.
const REPLACED: [&str; 6] =
    ["Content-Length", "Content-Range", "Content-Encoding", "Accept-Ranges", "ETag", "Last-Modified"];
/// Fields of a request that mean nothing for a method other than GET and HEAD.
const CONDITIONS: [&str; 6] =
    ["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range"];

impl Http {
    /// Answers with the file that a script has named in `response`. `request` is there if any file may be named.
    pub(super) fn hand_over(
        &mut self,
        mut reply: Reply,
        response: &Response,
        request: Option<Box<Request>>,
        out: &mut SendQueue,
        cx: &mut Context<'_>,
    ) {
        let request = request.map(|request| *request);
        let (file, request) = match (open(&response.headers, cx), request) {
            (Ok(file), Some(request)) => (file, request),
            (Ok(_), None) => return self.refuse(reply, Refusal::new(Status::NOT_FOUND), None, out, cx),
            (Err(status), request) => return self.refuse(reply, Refusal::new(status), request, out, cx),
        };
        let seconds = i64::try_from(cx.wall.as_secs()).unwrap_or(i64::MAX);
        let mut answer = static_files::respond(&retrieving(request), &file, seconds);
        merge(&response.headers, &mut answer.response);
        reply.head(&mut self.protocol, answer.response, answer.length, out, cx);
        if let Some(content) = answer.content {
            reply.content(&mut self.protocol, content, out);
        }
        reply.finish(&mut self.protocol, &mut self.journal, out);
    }
}

/// Opens the file that a script has named, or says how the request is answered.
fn open(headers: &Headers, cx: &mut Context<'_>) -> Result<OpenFile, Status> {
    let Some(handover) = Handover::of(headers) else { return Err(Status::INTERNAL_SERVER_ERROR) };
    let (Handover::Accel(name) | Handover::Sendfile(name)) = handover;
    let Some((index, path)) = cx.options.internal_files.locate(handover) else {
        log::error!("a script names a file outside server.internal_files: {}", name.escape_ascii());
        return Err(Status::NOT_FOUND);
    };
    cx.internal.root(index).open(&path).map_err(|error: OpenError| {
        log::error!("a script names a file that cannot be opened ({error:?}): {}", name.escape_ascii());
        error.status()
    })
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
