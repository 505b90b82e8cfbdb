//! Which script or file answers a request: what nginx's `try_files $uri $uri/ /index.php` means, decided in one place.
//!
//! In this order: a script, exactly `.php`, with what follows it as `PATH_INFO`; a file; a directory's index file,
//! after a redirect to the slash; the front controller. A missing `/x.php` goes to the front controller like any other
//! missing path, and a directory without an index file counts as missing. Names that would disclose something are 404
//! ([`MappedPath::is_hidden`] without a look at the disk, PHP's relatives if they exist), and so are scripts where none
//! are run. The router knows neither the
//! disk nor PHP.

use std::sync::Arc;

use super::files::{Files, Kind};
use super::path::MappedPath;
use super::source::{SCRIPT_EXTENSION, discloses_source};
use crate::exchange::Script;
use crate::http::message::Request;
use crate::http::method::Method;
use crate::http::status::Status;

/// What a file may be asked for.
const FILE_METHODS: &str = "GET, HEAD, OPTIONS";
/// What the server as a whole may be asked for, for `OPTIONS *`; a script may know more.
const SERVER_METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// What a router is to know of a site.
#[derive(Debug, Clone)]
pub struct Options {
    /// The document root: absolute, without a slash at the end.
    pub document_root: Arc<[u8]>,
    /// The names that are tried in a directory, in this order; plain names, without slashes.
    pub index_files: Vec<String>,
    /// The script that answers for what does not exist, as a path below the document root with its slash.
    pub front_controller: String,
    /// Paths below which no script is run, each with a slash at its start and its end: where uploads are kept.
    pub deny_php: Vec<String>,
}

impl Options {
    /// The usual names in this document root.
    pub fn new(document_root: impl Into<Arc<[u8]>>) -> Self {
        Self {
            document_root: document_root.into(),
            index_files: vec!["index.php".to_owned(), "index.html".to_owned()],
            front_controller: "/index.php".to_owned(),
            deny_php: vec!["/wp-content/uploads/".to_owned()],
        }
    }
}

/// Maps requests to what answers them.
#[derive(Debug)]
pub struct Router {
    options: Options,
}

/// What answers a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// A script that existed a moment ago.
    Script(Script),
    /// The file at `path`, by GET or HEAD.
    File {
        /// A path for [`Files::open`].
        path: Vec<u8>,
    },
    /// 301 to the same path with a slash.
    Redirect {
        /// `Location`: one slash and a name, never an authority, and the query as it was sent.
        location: Vec<u8>,
    },
    /// 204 to OPTIONS of a file or of the server.
    Options {
        /// `Allow`.
        allow: &'static str,
    },
    /// An error: 400, 403, 404 or 405.
    Error {
        /// The status.
        status: Status,
        /// `Allow`, for 405.
        allow: Option<&'static str>,
    },
}

impl Router {
    /// A router for one site.
    pub fn new(options: Options) -> Self {
        Self { options }
    }

    /// Decides what answers `request`.
    pub fn route(&self, request: &Request, files: &mut dyn Files) -> Route {
        match request.method {
            // TRACE would reflect cookies to scripts, and CONNECT is a proxy's.
            Method::Trace | Method::Connect => return method_not_allowed(SERVER_METHODS),
            Method::Options if request.target() == b"*" => return Route::Options { allow: SERVER_METHODS },
            _ => {}
        }
        let Ok(path) = MappedPath::parse(request.path()) else { return error(Status::BAD_REQUEST) };
        if path.is_hidden() {
            return error(Status::NOT_FOUND);
        }
        match self.find(&path, files) {
            // Not 403: whether there is a script is nobody's business.
            Found::Script { name, .. } if self.denies(&name) => error(Status::NOT_FOUND),
            Found::Script { name, path_info } => self.script(name, path_info),
            Found::File(_) if request.method == Method::Options => Route::Options { allow: FILE_METHODS },
            Found::File(path) if request.method.is_get_or_head() => Route::File { path },
            Found::File(_) => method_not_allowed(FILE_METHODS),
            Found::DirectoryWithoutSlash => Route::Redirect { location: with_slash(&path, request.query()) },
            Found::Refused(status) => error(status),
            Found::Nothing => self.front_controller(files),
        }
    }

    /// The script at a path below the document root, if there is one.
    pub fn script_at(&self, name: &[u8], files: &mut dyn Files) -> Option<Script> {
        let (document_root, name) = (Arc::clone(&self.options.document_root), name.to_vec());
        (files.kind(&name) == Kind::File).then_some(Script { document_root, name, path_info: Vec::new() })
    }

    fn find(&self, path: &MappedPath<'_>, files: &mut dyn Files) -> Found {
        if let Some(found) = find_script(path, files) {
            return found;
        }
        if !path.is_lookup() {
            return Found::Nothing;
        }
        let (name, ends_in_slash) = match path.as_bytes() {
            b"/" => return self.find_index(b"", files).unwrap_or(Found::Nothing),
            [name @ .., b'/'] => (name, true),
            name => (name, false),
        };
        match files.kind(name) {
            Kind::Directory => match self.find_index(name, files) {
                Some(Found::File(_) | Found::Script { .. }) if !ends_in_slash => Found::DirectoryWithoutSlash,
                Some(found) => found,
                None => Found::Nothing,
            },
            Kind::File if ends_in_slash => Found::Nothing,
            kind => found_file(name, kind),
        }
    }

    /// The first index file of a directory, which is given without its slash.
    fn find_index(&self, directory: &[u8], files: &mut dyn Files) -> Option<Found> {
        self.options.index_files.iter().find_map(|index| {
            let path = [directory, b"/", index.as_bytes()].concat();
            match files.kind(&path) {
                Kind::Missing | Kind::Directory => None,
                Kind::File if path.ends_with(SCRIPT_EXTENSION) => {
                    Some(Found::Script { name: path, path_info: Vec::new() })
                }
                kind => Some(found_file(&path, kind)),
            }
        })
    }

    fn front_controller(&self, files: &mut dyn Files) -> Route {
        let name = self.options.front_controller.as_bytes();
        match files.kind(name) {
            Kind::File => self.script(name.to_vec(), Vec::new()),
            Kind::Denied => error(Status::FORBIDDEN),
            Kind::Directory | Kind::Other | Kind::Missing => error(Status::NOT_FOUND),
        }
    }

    /// Whether this script is not run because of where it lies.
    fn denies(&self, name: &[u8]) -> bool {
        self.options.deny_php.iter().any(|prefix| name.starts_with(prefix.as_bytes()))
    }

    fn script(&self, name: Vec<u8>, path_info: Vec<u8>) -> Route {
        Route::Script(Script { document_root: Arc::clone(&self.options.document_root), name, path_info })
    }
}

/// What a path names.
#[derive(Debug)]
enum Found {
    Script { name: Vec<u8>, path_info: Vec<u8> },
    File(Vec<u8>),
    DirectoryWithoutSlash,
    Refused(Status),
    Nothing,
}

/// The script at the first segment that ends in `.php`. A directory may be called so, too: then the search goes on
/// behind it. It never goes on behind a file, so `/upload.jpg/x.php` runs nothing.
fn find_script(path: &MappedPath<'_>, files: &mut dyn Files) -> Option<Found> {
    let lookup = path.lookup();
    for end in segment_ends(lookup).filter(|end| lookup[..*end].ends_with(SCRIPT_EXTENSION)) {
        let name = &lookup[..end];
        return Some(match files.kind(name) {
            Kind::Directory => continue,
            Kind::File => Found::Script { name: name.to_vec(), path_info: path.as_bytes()[end..].to_vec() },
            // What lies below a missing path is missing, too.
            kind => found_file(name, kind),
        });
    }
    None
}

/// Where each segment of a path ends.
fn segment_ends(path: &[u8]) -> impl Iterator<Item = usize> {
    memchr::memchr_iter(b'/', path).skip(1).chain((!path.is_empty()).then_some(path.len()))
}

fn found_file(path: &[u8], kind: Kind) -> Found {
    let name = &path[memchr::memrchr(b'/', path).map_or(0, |at| at + 1)..];
    match kind {
        Kind::File if discloses_source(name) => Found::Refused(Status::NOT_FOUND),
        Kind::File => Found::File(path.to_vec()),
        Kind::Other => Found::Refused(Status::NOT_FOUND),
        Kind::Denied => Found::Refused(Status::FORBIDDEN),
        Kind::Directory | Kind::Missing => Found::Nothing,
    }
}

fn error(status: Status) -> Route {
    Route::Error { status, allow: None }
}

fn method_not_allowed(allow: &'static str) -> Route {
    Route::Error { status: Status::METHOD_NOT_ALLOWED, allow: Some(allow) }
}

/// The path with a slash, and the query. Made of the resolved path: `//evil.example/..` as sent would be an authority.
fn with_slash(path: &MappedPath<'_>, query: Option<&[u8]>) -> Vec<u8> {
    let mut location = Vec::with_capacity(path.as_bytes().len() + query.map_or(0, <[u8]>::len) + 2);
    for byte in path.as_bytes() {
        // RFC 3986 §3.3: pchar and the slash.
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(byte) {
            location.push(*byte);
        } else {
            location.push(b'%');
            location.extend([byte >> 4, byte & 15].map(|digit| b"0123456789ABCDEF"[usize::from(digit)]));
        }
    }
    location.push(b'/');
    if let Some(query) = query {
        location.push(b'?');
        location.extend_from_slice(query);
    }
    location
}

#[cfg(test)]
mod tests;
