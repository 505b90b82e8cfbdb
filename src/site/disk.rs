//! The document root on the disk, with a cache in front: in steady state a request for a small file makes no system
//! call here.
//!
//! Each event loop has a disk of its own, and tells it the time. What was learnt of a path is believed for a second
//! ([`Options::ttl`]), then examined again; a missing path only for a tenth of that, since applications create files on
//! demand and send the client back for them, and a script's for no longer than a second, since PHP opens it by name and
//! no policy is asked again. Small files are held in memory, larger ones open. Metadata always belong to the
//! bytes sent: they come from the descriptor that the bytes were read from, and of a file that is sent from the disk
//! they are compared again in every turn of the loop. The root is a directory held open, and looked up again as often, so
//! that a deployment may switch a link.

mod coded;
mod load;

use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;

use self::coded::{CodedFiles, Original};
use self::load::is_settled;
use super::cache_control::CacheRules;
use super::compression;
use super::file_cache::{Cached, FileCache, Limits};
use super::files::{Files, Kind, OpenError, OpenFile};
use super::source::SCRIPT_EXTENSION;
use crate::base::chunk::FileRange;
use crate::base::sys::confine::{self, Links};
use crate::base::sys::file::{Directory, FileStatus, FileType, is_out_of_descriptors, is_unreachable};
use crate::http::coding::Coding;

/// How long what was learnt of a path is believed, unless another time is configured.
pub const TTL: Duration = Duration::from_secs(1);
/// How long a script's path is believed to be one that may be run, unless everything is believed for less.
pub const SCRIPT_TTL: Duration = Duration::from_secs(1);
/// How long a missing path is believed to be missing, unless everything is believed for less.
pub const MISSING_TTL: Duration = Duration::from_millis(100);
/// Bounds of each of the cache's two generations. 4,096 names serve a large site; 1,000 open files fit the limit that
/// a process has on any system where it may raise it.
const LIMITS: Limits = Limits { entries: 2048, memory: 16 * 1024 * 1024, files: 500, age: Duration::from_secs(30) };
/// How often the log is told that links are refused.
const REFUSAL_LOG_INTERVAL: Duration = Duration::from_secs(60);

/// What a disk is to know of a site.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which symbolic links are followed.
    pub links: Links,
    /// How long what was learnt of a path is believed. With 0 the file system is asked every time.
    pub ttl: Duration,
    /// Which files carry which `Cache-Control`.
    pub cache_rules: Arc<CacheRules>,
    /// Which files are had in a coding.
    pub compression: Arc<compression::Options>,
}

impl Default for Options {
    fn default() -> Self {
        Self { links: Links::Owner, ttl: TTL, cache_rules: Arc::default(), compression: Arc::default() }
    }
}

/// The files below a document root.
#[derive(Debug)]
pub struct Disk {
    root: Root,
    cache: FileCache<Entry>,
    /// The same files in codings.
    coded: CodedFiles,
    cache_rules: Arc<CacheRules>,
    ttl: Duration,
    now: Instant,
    /// When the log was last told of a refused link.
    refusal_logged_at: Option<Instant>,
}

/// What is known of a path.
#[derive(Debug)]
struct Entry {
    kind: Kind,
    /// What the file system said; `None` when it said no.
    status: Option<FileStatus>,
    /// The file, if it has been asked for.
    file: Option<OpenFile>,
    /// What `file` offers has been looked up since it was examined.
    is_offer_known: bool,
    /// The file had stood still for so long that its next change will show in its status.
    is_settled: bool,
    checked_at: Instant,
    /// When the open file was last asked whether it is still what `status` describes.
    compared_at: Cell<Option<Instant>>,
}

impl Disk {
    /// Opens the document root.
    pub fn new(document_root: &Path, options: Options, now: Instant) -> io::Result<Self> {
        Ok(Self {
            root: Root::open(document_root, options.links, now)?,
            cache: FileCache::new(LIMITS, now),
            coded: CodedFiles::new(options.compression, LIMITS, now),
            cache_rules: options.cache_rules,
            ttl: options.ttl,
            now,
            refusal_logged_at: None,
        })
    }

    /// Tells the time, which never runs backwards, and forgets what has not been used for long.
    pub fn tick(&mut self, now: Instant) {
        self.now = now;
        self.cache.expire(now);
        self.coded.tick(now);
    }

    /// When [`tick`](Self::tick) has something to forget, so that a file which was deleted long ago does not take space
    /// because it is still open here. `None` if nothing is held.
    pub fn deadline(&self) -> Option<Instant> {
        self.cache.expires_at().into_iter().chain(self.coded.expires_at()).min()
    }

    /// Closes the files that are held open and forgets everything: for when file descriptors run out.
    pub fn shed(&mut self) {
        self.cache.clear();
        self.coded.clear();
    }

    /// Asks the file system what lies at `path`, and keeps the file that is held if it is still the same.
    fn examine(&mut self, path: &[u8]) -> Kind {
        self.follow_root(path);
        let previous = self.cache.remove(path);
        let (kind, status) = match self.root.directory.status_of(path) {
            Ok(status) => (kind_of(status.file_type), Some(status)),
            Err(error) => {
                self.log_refusal(path, &error);
                (kind_of_error(&error), None)
            }
        };
        let held = previous.filter(|previous| previous.is_settled && previous.status == status);
        let is_settled = held.is_some();
        let file = held.and_then(|previous| previous.file);
        let (checked_at, compared_at) = (self.now, Cell::new(None));
        let entry = Entry { kind, status, file, is_offer_known: false, is_settled, checked_at, compared_at };
        self.cache.insert(path, entry);
        kind
    }

    /// Opens the file at `path`, and reads it if it is small.
    fn load(&mut self, path: &[u8]) -> Result<OpenFile, OpenError> {
        self.cache.remove(path);
        let file = match self.root.directory.open_file(path) {
            Err(error) if open_error(&error) == OpenError::TooManyFiles => {
                // Perhaps it is us who hold them.
                self.shed();
                self.root.directory.open_file(path)
            }
            result => result,
        };
        let file = file.map_err(|error| open_error(&error))?;
        let loaded = load::read(file).map_err(|error| open_error(&error))?.ok_or(OpenError::NotFound)?;
        let (status, len) = (loaded.status, loaded.len());
        let modified = (status.modified.seconds, status.modified.nanos);
        let file = OpenFile::new(path, loaded.content, len, modified, self.cache_rules.of(path));
        let entry = Entry {
            kind: Kind::File,
            status: Some(status),
            file: Some(file.clone()),
            is_offer_known: false,
            is_settled: is_settled(&status, SystemTime::now()),
            checked_at: self.now,
            compared_at: Cell::new(Some(self.now)),
        };
        self.cache.insert(path, entry);
        Ok(file)
    }

    /// Looks up the codings of a file that has just been examined.
    fn look_for_codings(&mut self, path: &[u8], file: OpenFile) -> OpenFile {
        let Some(mut entry) = self.cache.remove(path) else { return file };
        let Some(status) = entry.status else { return file };
        let original = Original { file: &file, status: &status, is_settled: entry.is_settled };
        let offer = self.coded.offer(path, &original, &self.root.directory);
        let file = file.with_offer(offer);
        entry.file = Some(file.clone());
        entry.is_offer_known = true;
        self.cache.insert(path, entry);
        file
    }

    /// Tells the owner of the site why a file is not found that is plainly there; but not a thousand times.
    fn log_refusal(&mut self, path: &[u8], error: &io::Error) {
        let is_due = |at: Instant| self.now.saturating_duration_since(at) >= REFUSAL_LOG_INTERVAL;
        if confine::is_refused(error) && self.refusal_logged_at.is_none_or(is_due) {
            self.refusal_logged_at = Some(self.now);
            log::warn!("{}: refused, a symbolic link that server.follow_symlinks does not allow", path.escape_ascii());
        }
    }

    /// Forgets everything if the document root is another directory than it was.
    fn follow_root(&mut self, path: &[u8]) {
        if self.root.has_moved(self.now, self.ttl_of(path)) {
            self.shed();
        }
    }

    /// How long what lies at `path` is believed.
    fn ttl_of(&self, path: &[u8]) -> Duration {
        if path.ends_with(SCRIPT_EXTENSION) { self.ttl.min(SCRIPT_TTL) } else { self.ttl }
    }
}

impl Files for Disk {
    fn kind(&mut self, path: &[u8]) -> Kind {
        let (now, ttl) = (self.now, self.ttl_of(path));
        let known = self.cache.look(path, |entry| entry.is_fresh(now, ttl).then_some(entry.kind));
        known.flatten().unwrap_or_else(|| self.examine(path))
    }

    fn open(&mut self, path: &[u8]) -> Result<OpenFile, OpenError> {
        let (now, ttl) = (self.now, self.ttl);
        let held = |entry: &Entry| entry.held(now).zip(Some(entry.is_offer_known));
        let known = self.cache.look(path, |entry| entry.is_fresh(now, ttl).then(|| held(entry))).flatten();
        let known = known.unwrap_or_else(|| {
            self.examine(path);
            self.cache.look(path, held).flatten()
        });
        match known {
            Some((file, true)) => Ok(file),
            Some((file, false)) => Ok(self.look_for_codings(path, file)),
            None => self.load(path).map(|file| self.look_for_codings(path, file)),
        }
    }

    fn open_coded(&mut self, path: &[u8], coding: Coding) -> Option<OpenFile> {
        let known = self.cache.look(path, |entry| Some((entry.file.clone()?, entry.status?, entry.is_settled)));
        let (file, status, is_settled) = known.flatten()?;
        self.coded.open(path, coding, &Original { file: &file, status: &status, is_settled }, &self.root.directory)
    }

    fn read(&mut self, range: &FileRange) -> io::Result<Bytes> {
        let len = usize::try_from(range.len).map_err(|_| io::ErrorKind::InvalidInput)?;
        load::read_at(&range.file, range.offset, len).map(Bytes::from)
    }
}

impl Entry {
    fn is_fresh(&self, now: Instant, ttl: Duration) -> bool {
        let ttl = if self.kind == Kind::Missing { MISSING_TTL.min(ttl) } else { ttl };
        now.saturating_duration_since(self.checked_at) < ttl
    }

    /// The file that is held, unless it has changed under our descriptor.
    fn held(&self, now: Instant) -> Option<OpenFile> {
        let file = self.file.as_ref()?;
        if self.compared_at.get() != Some(now) {
            if !is_unchanged(file, self.status.as_ref()) {
                return None;
            }
            self.compared_at.set(Some(now));
        }
        Some(file.clone())
    }
}

impl Cached for Entry {
    fn memory(&self) -> usize {
        self.file.as_ref().map_or(0, OpenFile::memory)
    }

    fn files(&self) -> usize {
        usize::from(self.file.as_ref().is_some_and(|file| file.file().is_some()))
    }
}

/// The document root.
#[derive(Debug)]
struct Root {
    path: PathBuf,
    directory: Directory,
    status: FileStatus,
    checked_at: Instant,
    /// The last look-up has failed, and the log knows.
    is_lost: bool,
}

impl Root {
    fn open(path: &Path, links: Links, now: Instant) -> io::Result<Self> {
        let directory = Directory::open(path, links)?;
        let status = directory.status()?;
        Ok(Self { path: path.to_owned(), directory, status, checked_at: now, is_lost: false })
    }

    /// Looks the root up again if it is time, and follows it; true if it is another directory now. If it cannot be
    /// looked up, the one that was known goes on.
    fn has_moved(&mut self, now: Instant, ttl: Duration) -> bool {
        if now.saturating_duration_since(self.checked_at) < ttl {
            return false;
        }
        self.checked_at = now;
        match Self::open(&self.path, self.directory.links(), now) {
            Ok(root) => {
                let has_moved = !root.status.is_same_file(&self.status);
                if has_moved {
                    *self = root;
                }
                self.is_lost = false;
                has_moved
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_lost, true) {
                    log::error!("cannot open the document root {}: {error}", self.path.display());
                }
                false
            }
        }
    }
}

/// Whether what is held is still what `status` describes. A descriptor is asked, memory needs not to be.
fn is_unchanged(file: &OpenFile, status: Option<&FileStatus>) -> bool {
    file.file().is_none_or(|open| FileStatus::of(open).ok().as_ref() == status)
}

fn kind_of(file_type: FileType) -> Kind {
    match file_type {
        FileType::Regular => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Other => Kind::Other,
    }
}

fn kind_of_error(error: &io::Error) -> Kind {
    match open_error(error) {
        OpenError::NotFound => Kind::Missing,
        OpenError::Denied | OpenError::TooManyFiles | OpenError::Other => Kind::Denied,
    }
}

fn open_error(error: &io::Error) -> OpenError {
    if is_unreachable(error) {
        OpenError::NotFound
    } else if is_out_of_descriptors(error) {
        OpenError::TooManyFiles
    } else if error.kind() == io::ErrorKind::PermissionDenied || confine::is_refused(error) {
        OpenError::Denied
    } else {
        OpenError::Other
    }
}

#[cfg(test)]
mod tests;
