//! The answer of a file to GET and HEAD: RFC 9110 §8 metadata, §12 codings, §13 preconditions, §14 ranges, in the order
//! of §13.2.2. Pure: the file has been opened, and its content leaves as a description ([`Chunk`]). Framing and `Date`
//! are the protocol's.

use super::conditional::{self, Outcome, Validators};
use super::files::{Files, Metadata, OpenError, OpenFile};
use super::multipart::{Frames, content_range};
use super::range::{self, Part, Selection};
use crate::base::chunk::Chunk;
use crate::http::coding::{Choice, Coding, Codings, choose};
use crate::http::date;
use crate::http::message::{ContentLength, Request, Response};
use crate::http::method::Method;
use crate::http::shared_head::{Head, SharedHead};
use crate::http::status::Status;

/// How files are answered for.
#[derive(Debug, Clone)]
pub struct Options {
    /// The most ranges of one Range field; a field of more is ignored.
    pub range_parts_max: usize,
    /// Which of several codings is preferred where the client has no preference: the first.
    pub codings: Vec<Coding>,
}

impl Default for Options {
    fn default() -> Self {
        Self { range_parts_max: range::PARTS_MAX, codings: Coding::ALL.to_vec() }
    }
}

/// What a file answers.
#[derive(Debug)]
pub struct FileReply {
    /// The head. That of the whole file, and that of 304, are the same for everybody.
    pub head: Head,
    /// How much content it announces; 0 for 304, which announces nothing.
    pub length: ContentLength,
    /// The content, never empty. None for HEAD, 304, 406, 412 and 416, for an empty file, and for several ranges.
    pub content: Option<Chunk>,
    /// The content of several ranges, with the frames between them; otherwise empty.
    pub parts: Vec<Chunk>,
}

/// Answers a GET or HEAD request with the file at `path`, in the coding that the client likes best. `now_seconds` is
/// the time that `Date` will tell, in seconds since 1970.
pub fn answer(
    request: &Request,
    path: &[u8],
    files: &mut dyn Files,
    options: &Options,
    now_seconds: i64,
) -> Result<FileReply, OpenError> {
    answer_with(request, path, files, options, Terms { now_seconds, shares: true })
}

/// The same, with every head made anew.
pub(super) fn answer_apart(
    request: &Request,
    path: &[u8],
    files: &mut dyn Files,
    options: &Options,
    now_seconds: i64,
) -> Result<FileReply, OpenError> {
    answer_with(request, path, files, options, Terms { now_seconds, shares: false })
}

#[derive(Debug, Clone, Copy)]
struct Terms {
    now_seconds: i64,
    /// Heads that are the same for many requests may be shared.
    shares: bool,
}

fn answer_with(
    request: &Request,
    path: &[u8],
    files: &mut dyn Files,
    options: &Options,
    terms: Terms,
) -> Result<FileReply, OpenError> {
    let file = files.open(path)?;
    let offer = file.offer();
    if offer.codings.is_empty() {
        return Ok(respond(request, &file, options, terms));
    }
    // What is encoded as it is wanted is never the same twice for certain, so parts of it are of no use.
    let available = match offer.is_made && request.method == Method::Get && range::is_asked_for(&request.headers) {
        true => Codings::NONE,
        false => offer.codings,
    };
    let headers = &request.headers;
    let choice = choose(headers, available, &options.codings);
    let coded = match choice {
        Choice::Coding(coding) => files.open_coded(path, coding),
        Choice::Identity | Choice::Nothing => None,
    };
    let mut reply = match (coded, choice) {
        (Some(coded), _) => respond(request, &coded, options, terms),
        (None, Choice::Identity) => respond(request, &file, options, terms),
        (None, _) if choose(headers, Codings::NONE, &[]) == Choice::Nothing => {
            without_content(Response::new(Status::NOT_ACCEPTABLE))
        }
        (None, _) => respond(request, &file, options, terms),
    };
    // A shared head has it already.
    if let Head::Own(response) = &mut reply.head {
        add_vary(response);
    }
    Ok(reply)
}

/// Answers with this very representation.
fn respond(request: &Request, file: &OpenFile, options: &Options, terms: Terms) -> FileReply {
    let (metadata, now_seconds) = (file.metadata(), terms.now_seconds);
    // The head of a file from the future follows the clock.
    let shares = terms.shares && metadata.modified_seconds <= now_seconds;
    let is_plain = !request.headers.iter().any(|(name, _)| is_condition(name));
    if shares && is_plain {
        return whole(request.method, file);
    }
    let validators = Validators { etag: metadata.etag.as_bytes(), modified_seconds: metadata.modified_seconds };
    match conditional::evaluate(request, validators, now_seconds) {
        Outcome::Proceed => {}
        Outcome::NotModified if shares => {
            let head = file.heads().not_modified.get_or_init(|| shared(not_modified(metadata, now_seconds), file));
            return without_content(Head::Shared(head.clone()));
        }
        Outcome::NotModified => return without_content(not_modified(metadata, now_seconds)),
        Outcome::PreconditionFailed => return without_content(Response::new(Status::PRECONDITION_FAILED)),
    }
    // Range means nothing to other methods (RFC 9110 §14.2).
    let selection = match request.method {
        Method::Get if conditional::range_applies(&request.headers, validators, now_seconds) => {
            range::select(&request.headers, metadata.len, options.range_parts_max)
        }
        _ => Selection::Whole,
    };
    let mut response = Response::new(Status::PARTIAL_CONTENT);
    let part = match selection {
        Selection::Whole if shares => return whole(request.method, file),
        Selection::Whole => {
            response.status = Status::OK;
            Part { first: 0, len: metadata.len }
        }
        Selection::Part(part) => {
            response.headers.add("Content-Range", content_range(part, metadata.len).as_bytes());
            part
        }
        Selection::Parts(parts) => return several(response, &parts, file, now_seconds),
        Selection::Unsatisfiable => {
            response.status = Status::RANGE_NOT_SATISFIABLE;
            response.headers.add("Content-Range", format!("bytes */{}", metadata.len).as_bytes());
            return without_content(response);
        }
    };
    describe(&mut response, metadata, now_seconds);
    with_content(request.method, response, file, part)
}

/// Whether a field makes an answer depend on more than the representation.
fn is_condition(name: &[u8]) -> bool {
    match name.first() {
        Some(b'I' | b'i') => name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"If-")),
        Some(b'R' | b'r') => name.eq_ignore_ascii_case(b"Range"),
        _ => false,
    }
}

/// The whole file, with the head that everybody gets.
fn whole(method: Method, file: &OpenFile) -> FileReply {
    let metadata = file.metadata();
    let head = file.heads().whole.get_or_init(|| {
        let mut response = Response::new(Status::OK);
        describe(&mut response, metadata, metadata.modified_seconds);
        shared(response, file)
    });
    with_content(method, Head::Shared(head.clone()), file, Part { first: 0, len: metadata.len })
}

fn not_modified(metadata: &Metadata, now_seconds: i64) -> Response {
    let mut response = Response::new(Status::NOT_MODIFIED);
    add_metadata(&mut response, metadata, now_seconds);
    response
}

fn shared(mut response: Response, file: &OpenFile) -> SharedHead {
    if file.varies() {
        add_vary(&mut response);
    }
    SharedHead::new(response)
}

fn with_content(method: Method, head: impl Into<Head>, file: &OpenFile, part: Part) -> FileReply {
    let content = (method == Method::Get && part.len > 0).then(|| file.chunk(part.first, part.len));
    FileReply { head: head.into(), length: ContentLength::Exact(part.len), content, parts: Vec::new() }
}

/// 206 in several parts. The coding is that of the parts, so it stands with them: what holds them has none.
fn several(mut response: Response, parts: &[Part], file: &OpenFile, now_seconds: i64) -> FileReply {
    let metadata = file.metadata();
    let frames = Frames::new(parts, metadata);
    response.headers.add("Content-Type", frames.content_type.as_bytes());
    add_metadata(&mut response, metadata, now_seconds);
    response.headers.add("Accept-Ranges", b"bytes");
    let len = frames.len() + parts.iter().map(|part| part.len).sum::<u64>();
    let mut chunks = Vec::with_capacity(2 * parts.len() + 1);
    for (head, part) in frames.heads.into_iter().zip(parts) {
        chunks.extend([Chunk::Bytes(head), file.chunk(part.first, part.len)]);
    }
    chunks.push(Chunk::Bytes(frames.end));
    FileReply { head: response.into(), length: ContentLength::Exact(len), content: None, parts: chunks }
}

/// What 200 and 206 tell of a representation, but for which part of it this is.
fn describe(response: &mut Response, metadata: &Metadata, now_seconds: i64) {
    response.headers.add("Content-Type", metadata.content_type.as_bytes());
    if let Some(coding) = metadata.coding {
        response.headers.add("Content-Encoding", coding.name().as_bytes());
    }
    add_metadata(response, metadata, now_seconds);
    // Ranges of what we have encoded ourselves are not to be had: a request for them gets ranges of the file.
    if !metadata.etag.starts_with("W/") {
        response.headers.add("Accept-Ranges", b"bytes");
    }
}

/// What 200, 206 and 304 tell alike.
fn add_metadata(response: &mut Response, metadata: &Metadata, now_seconds: i64) {
    response.headers.add("ETag", metadata.etag.as_bytes());
    // Never later than Date (RFC 9110 §8.8.2.1).
    if metadata.modified_seconds <= now_seconds {
        response.headers.add("Last-Modified", &metadata.last_modified);
    } else {
        response.headers.add("Last-Modified", &date::format(now_seconds));
    }
    if let Some(cache_control) = &metadata.cache_control {
        response.headers.add("Cache-Control", cache_control.as_bytes());
    }
}

fn add_vary(response: &mut Response) {
    response.headers.add("Vary", b"Accept-Encoding");
}

fn without_content(head: impl Into<Head>) -> FileReply {
    FileReply { head: head.into(), length: ContentLength::Exact(0), content: None, parts: Vec::new() }
}

#[cfg(test)]
mod tests;
