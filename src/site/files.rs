//! The only way of pure code to the file system: a trait that [`Disk`](super::disk::Disk) implements, and tests with a
//! map.

use std::fs::File;
use std::io;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::base::chunk::{Chunk, FileRange};
use crate::http::coding::{Coding, Codings};
use crate::http::date;
use crate::http::shared_head::SharedHead;
use crate::http::status::Status;

/// Looks up paths below the document root. A path is decoded, resolved, and begins with a slash; it has no slash at
/// its end, but for the root's. Symbolic links are followed as the site's owner wants it.
pub trait Files {
    /// What lies at `path`.
    fn kind(&mut self, path: &[u8]) -> Kind;

    /// Opens the regular file at `path`.
    fn open(&mut self, path: &[u8]) -> Result<OpenFile, OpenError>;

    /// Opens the same file in one of the codings that [`open`](Self::open) has [offered](OpenFile::offer). None if that
    /// cannot be had after all. Where nothing is offered there is nothing to open.
    fn open_coded(&mut self, _path: &[u8], _coding: Coding) -> Option<OpenFile> {
        None
    }

    /// Reads the bytes of a range of an open file; fewer if it has shrunk. Where no file lies on a disk there is nothing
    /// to read.
    fn read(&mut self, _range: &FileRange) -> io::Result<Bytes> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The codings that a file can be had in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offer {
    /// Which ones.
    pub codings: Codings,
    /// They are made when they are wanted; otherwise they lie beside the file.
    pub is_made: bool,
}

/// What lies at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file. Whether it may be read is known when it is opened.
    File,
    /// A directory.
    Directory,
    /// Something that is never served: a FIFO, a socket, a device.
    Other,
    /// We may not look, a symbolic link may not be followed, or the file system has failed.
    Denied,
    /// Nothing, or nothing that a path can reach: names too long, links that turn in a circle.
    Missing,
}

/// Why a file cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenError {
    /// There is no regular file (any more).
    NotFound,
    /// We may not read it, or not by this way.
    Denied,
    /// The process or the system has no file descriptor left.
    TooManyFiles,
    /// The file system has failed.
    Other,
}

impl OpenError {
    /// How a request for the file is answered.
    pub fn status(self) -> Status {
        match self {
            Self::NotFound => Status::NOT_FOUND,
            Self::Denied => Status::FORBIDDEN,
            Self::TooManyFiles => Status::SERVICE_UNAVAILABLE,
            Self::Other => Status::INTERNAL_SERVER_ERROR,
        }
    }
}

/// A regular file with its metadata, which belong to exactly this content. Cheap to clone.
#[derive(Debug, Clone)]
pub struct OpenFile {
    content: Stored,
    description: Arc<Description>,
    offer: Offer,
}

/// What is told about a file, in both forms.
#[derive(Debug)]
struct Description {
    metadata: Metadata,
    /// Which answer it is depends on Accept-Encoding.
    varies: bool,
    heads: Heads,
}

/// The heads of a file's usual answers, made when they are first wanted.
#[derive(Debug, Default)]
pub(super) struct Heads {
    /// 200, with all of it.
    pub(super) whole: OnceLock<SharedHead>,
    /// 304.
    pub(super) not_modified: OnceLock<SharedHead>,
}

/// Memory that [`Heads`] takes, roughly: each head has some 300 bytes in two forms, and a table of fields.
const HEADS_BYTES: usize = 2 * 1024;

/// Where the content of a file is.
#[derive(Debug, Clone)]
pub enum Stored {
    /// All of it, in memory.
    Memory(Bytes),
    /// On the disk.
    File(Arc<File>),
}

/// What is told about a file (RFC 9110 §8), rendered once.
#[derive(Debug, Clone)]
pub struct Metadata {
    /// The length in bytes.
    pub len: u64,
    /// When it was last modified, in seconds since 1970; may lie in the future.
    pub modified_seconds: i64,
    /// `Last-Modified`.
    pub last_modified: [u8; date::IMF_FIXDATE_LEN],
    /// `ETag`, quotes included. Made of the time of modification, the length and the coding, so that it is the same on
    /// every host that serves a copy. Weak for what we have encoded ourselves: another version may do it otherwise.
    pub etag: String,
    /// `Content-Type`; of the content without its coding.
    pub content_type: String,
    /// `Content-Encoding`.
    pub coding: Option<Coding>,
    /// `Cache-Control`, if a rule says something.
    pub cache_control: Option<Arc<str>>,
}

impl OpenFile {
    /// A file of `len` bytes that was last modified at `modified`, seconds and nanoseconds since 1970. Its type is
    /// guessed from `path`.
    pub fn new(path: &[u8], content: Stored, len: u64, modified: (i64, u32), cache_control: Option<Arc<str>>) -> Self {
        let (modified_seconds, nanos) = modified;
        let metadata = Metadata {
            len,
            modified_seconds,
            last_modified: date::format(modified_seconds),
            etag: format!("\"{modified_seconds:x}.{nanos:x}-{len:x}\""),
            content_type: content_type(path),
            coding: None,
            cache_control,
        };
        Self::describe(content, metadata)
    }

    fn describe(content: Stored, metadata: Metadata) -> Self {
        let varies = metadata.coding.is_some();
        let description = Description { metadata, varies, heads: Heads::default() };
        Self { content, description: Arc::new(description), offer: Offer::default() }
    }

    /// This file in a coding, as it lies beside it: a file of its own, with its own length and time.
    pub(super) fn beside(&self, coding: Coding, content: Stored, len: u64, modified: (i64, u32)) -> Self {
        let (modified_seconds, nanos) = modified;
        let metadata = Metadata {
            len,
            modified_seconds,
            last_modified: date::format(modified_seconds),
            etag: format!("\"{modified_seconds:x}.{nanos:x}-{len:x}-{}\"", coding.name()),
            coding: Some(coding),
            ..self.metadata().clone()
        };
        Self::describe(content, metadata)
    }

    /// This file in a coding that was just made of it.
    pub(super) fn made(&self, coding: Coding, content: Bytes) -> Self {
        let opaque = self.metadata().etag.trim_end_matches('"');
        let metadata = Metadata {
            len: content.len() as u64,
            etag: format!("W/{opaque}-{}\"", coding.name()),
            coding: Some(coding),
            ..self.metadata().clone()
        };
        Self::describe(Stored::Memory(content), metadata)
    }

    /// The same file, which can be had in these codings as well.
    pub(super) fn with_offer(mut self, offer: Offer) -> Self {
        self.offer = offer;
        let varies = !offer.codings.is_empty() || self.metadata().coding.is_some();
        if varies != self.description.varies {
            let metadata = self.metadata().clone();
            self.description = Arc::new(Description { metadata, varies, heads: Heads::default() });
        }
        self
    }

    /// Whether which answer a request gets depends on its Accept-Encoding.
    pub(super) fn varies(&self) -> bool {
        self.description.varies
    }

    /// The heads of its usual answers.
    pub(super) fn heads(&self) -> &Heads {
        &self.description.heads
    }

    /// The codings that it can be had in, too.
    pub fn offer(&self) -> Offer {
        self.offer
    }

    /// What is told about it.
    pub fn metadata(&self) -> &Metadata {
        &self.description.metadata
    }

    /// Whether it is held as an open file.
    pub fn file(&self) -> Option<&Arc<File>> {
        match &self.content {
            Stored::File(file) => Some(file),
            Stored::Memory(_) => None,
        }
    }

    /// The content, if it is held in memory.
    pub(super) fn bytes(&self) -> Option<&Bytes> {
        match &self.content {
            Stored::Memory(bytes) => Some(bytes),
            Stored::File(_) => None,
        }
    }

    /// The bytes of memory that it takes.
    pub(super) fn memory(&self) -> usize {
        self.bytes().map_or(0, Bytes::len) + size_of_val(&*self.description) + HEADS_BYTES
    }

    /// `len` bytes from `offset` on; both together at most the length.
    pub fn chunk(&self, offset: u64, len: u64) -> Chunk {
        debug_assert!(offset + len <= self.metadata().len, "a range outside the file");
        match &self.content {
            Stored::Memory(bytes) => Chunk::Bytes(bytes.slice(offset as usize..(offset + len) as usize)),
            Stored::File(file) => Chunk::File(FileRange { file: Arc::clone(file), offset, len }),
        }
    }
}

/// The media type that a file's name promises, `application/octet-stream` if none.
///
/// Text is declared to be UTF-8, as everything written today is; but not XML, which declares its encoding itself and
/// whose declaration a parameter would overrule (RFC 7303 §3), and not JSON, which has no such parameter (RFC 8259 §11).
fn content_type(path: &[u8]) -> String {
    let name = &path[memchr::memrchr(b'/', path).map_or(0, |at| at + 1)..];
    let extension = memchr::memrchr(b'.', name).map_or(&b""[..], |at| &name[at + 1..]);
    let guess = std::str::from_utf8(extension).ok().and_then(|extension| mime_guess::from_ext(extension).first_raw());
    match guess.unwrap_or("application/octet-stream") {
        // RFC 9239 §6: the other names of JavaScript are obsolete.
        "application/javascript" => "text/javascript; charset=utf-8".to_owned(),
        media_type if media_type.starts_with("text/") && media_type != "text/xml" => {
            format!("{media_type}; charset=utf-8")
        }
        media_type => media_type.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_follow_the_last_extension() {
        for (path, wanted) in [
            ("/a.css", "text/css; charset=utf-8"),
            ("/a.HTML", "text/html; charset=utf-8"),
            ("/a.js", "text/javascript; charset=utf-8"),
            ("/a.mjs", "text/javascript; charset=utf-8"),
            ("/a.txt", "text/plain; charset=utf-8"),
            ("/a.xml", "text/xml"),
            ("/a.json", "application/json"),
            ("/a.svg", "image/svg+xml"),
            ("/a.png", "image/png"),
            ("/a.php.jpg", "image/jpeg"),
            ("/a.webp", "image/webp"),
            ("/a.avif", "image/avif"),
            ("/a.woff2", "font/woff2"),
            ("/a.wasm", "application/wasm"),
            ("/a.js.gz", "application/gzip"),
            ("/a.pdf", "application/pdf"),
            ("/a.mp4", "video/mp4"),
            ("/a.unheard-of", "application/octet-stream"),
            ("/css", "application/octet-stream"),
            ("/a.css/b", "application/octet-stream"),
            ("/a.", "application/octet-stream"),
        ] {
            assert_eq!(content_type(path.as_bytes()), wanted, "{path}");
        }
        assert_eq!(content_type(b"/a.\xff"), "application/octet-stream");
    }

    #[test]
    fn an_etag_tells_length_and_time_apart() {
        let etag = |len, modified| {
            OpenFile::new(b"/", Stored::Memory(Bytes::new()), len, modified, None).metadata().etag.clone()
        };
        assert_eq!(etag(0xabc, (0x5000_0000, 0x1234)), "\"50000000.1234-abc\"");
        let all = [etag(1, (1, 1)), etag(11, (1, 1)), etag(1, (1, 11)), etag(1, (11, 1)), etag(1, (-1, 1))];
        for (index, one) in all.iter().enumerate() {
            assert!(!all[index + 1..].contains(one), "{one}");
            assert!(one.bytes().all(|byte| byte == b'"' || byte.is_ascii_graphic()));
        }
    }

    #[test]
    fn rule_54_an_etag_tells_codings_apart() {
        let file = OpenFile::new(b"/a.css", Stored::Memory(Bytes::from_static(b"0123456789")), 10, (1, 2), None);
        let made = file.made(Coding::Br, Bytes::from_static(b"0123"));
        assert_eq!((made.metadata().etag.as_str(), made.metadata().len), ("W/\"1.2-a-br\"", 4));
        let beside = file.beside(Coding::Gzip, Stored::Memory(Bytes::from_static(b"0123")), 4, (3, 4));
        assert_eq!((beside.metadata().etag.as_str(), beside.metadata().len), ("\"3.4-4-gzip\"", 4));
        for coded in [made, beside] {
            assert_eq!(coded.metadata().content_type, "text/css; charset=utf-8");
        }
    }
}
