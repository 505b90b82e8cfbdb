//! The document root on the disk, with a cache in front: in steady state a request for a small file makes no system
//! call here.
//!
//! Each event loop has a disk of its own, and tells it the time. What was learnt of a path is believed for a second
//! ([`TTL`]), then examined again; a missing path only for a tenth of that, since applications create files on demand
//! and send the client back for them. Small files are held in memory, larger ones open. Metadata always belong to the
//! bytes sent: they come from the descriptor that the bytes were read from, and of a file that is sent from the disk
//! they are compared again on every request. The root is a directory held open, and looked up again every second, so
//! that a deployment may switch a link.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;

use super::file_cache::{Cached, FileCache, Limits};
use super::files::{Files, Kind, OpenError, OpenFile, Stored};
use crate::base::sys::file::{Directory, FileStatus, FileType, is_out_of_descriptors, is_unreachable};

/// How long what was learnt of a path is believed.
pub const TTL: Duration = Duration::from_secs(1);
/// How long a missing path is believed to be missing.
pub const MISSING_TTL: Duration = Duration::from_millis(100);
/// Files up to this size are held in memory. Beyond it sendfile is cheaper than the memory.
pub const MEMORY_FILE_BYTES_MAX: u64 = 64 * 1024;
/// Bounds of each of the cache's two generations. 4,096 names serve a large site; 1,000 open files fit the limit that
/// a process has on any system where it may raise it.
const LIMITS: Limits = Limits { entries: 2048, memory: 16 * 1024 * 1024, files: 500, age: Duration::from_secs(30) };
/// The coarsest step of a file's time stamps in common use. A file that changed a shorter while ago may change again
/// and look the same.
const TIMESTAMP_STEP: Duration = Duration::from_millis(20);
/// How often a file that changes while it is read is read again.
const READ_ATTEMPTS: u32 = 3;

/// The files below a document root.
#[derive(Debug)]
pub struct Disk {
    root: Root,
    cache: FileCache<Entry>,
    now: Instant,
}

/// What is known of a path.
#[derive(Debug)]
struct Entry {
    kind: Kind,
    /// What the file system said; `None` when it said no.
    status: Option<FileStatus>,
    /// The file, if it has been asked for.
    file: Option<OpenFile>,
    /// The file had stood still for so long that its next change will show in its status.
    is_settled: bool,
    checked_at: Instant,
}

impl Disk {
    /// Opens the document root.
    pub fn new(document_root: &Path, now: Instant) -> io::Result<Self> {
        let root = Root::open(document_root, now)?;
        Ok(Self { root, cache: FileCache::new(LIMITS, now), now })
    }

    /// Tells the time, which never runs backwards, and forgets what has not been used for long.
    pub fn tick(&mut self, now: Instant) {
        self.now = now;
        self.cache.expire(now);
    }

    /// When [`tick`](Self::tick) has something to forget, so that a file which was deleted long ago does not take space
    /// because it is still open here. `None` if nothing is held.
    pub fn deadline(&self) -> Option<Instant> {
        self.cache.expires_at()
    }

    /// Closes the files that are held open and forgets everything: for when file descriptors run out.
    pub fn shed(&mut self) {
        self.cache.clear();
    }

    /// Asks the file system what lies at `path`, and keeps the file that is held if it is still the same.
    fn examine(&mut self, path: &[u8]) -> Kind {
        self.follow_root();
        let previous = self.cache.remove(path);
        let (kind, status) = match self.root.directory.status_of(path) {
            Ok(status) => (kind_of(status.file_type), Some(status)),
            Err(error) => (kind_of_error(&error), None),
        };
        let held = previous.filter(|previous| previous.is_settled && previous.status == status);
        let is_settled = held.is_some();
        let file = held.and_then(|previous| previous.file);
        self.cache.insert(path, Entry { kind, status, file, is_settled, checked_at: self.now });
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
        let (status, content) = read(file).map_err(|error| open_error(&error))?.ok_or(OpenError::NotFound)?;
        let len = match &content {
            Stored::Memory(bytes) => bytes.len() as u64,
            Stored::File(_) => status.len,
        };
        let file = OpenFile::new(path, content, len, (status.modified.seconds, status.modified.nanos));
        let entry = Entry {
            kind: Kind::File,
            status: Some(status),
            file: Some(file.clone()),
            is_settled: is_settled(&status, SystemTime::now()),
            checked_at: self.now,
        };
        self.cache.insert(path, entry);
        Ok(file)
    }

    /// Forgets everything if the document root is another directory than it was.
    fn follow_root(&mut self) {
        if self.root.has_moved(self.now) {
            self.cache.clear();
        }
    }
}

impl Files for Disk {
    fn kind(&mut self, path: &[u8]) -> Kind {
        let now = self.now;
        let known = self.cache.look(path, |entry| entry.is_fresh(now).then_some(entry.kind));
        known.flatten().unwrap_or_else(|| self.examine(path))
    }

    fn open(&mut self, path: &[u8]) -> Result<OpenFile, OpenError> {
        let now = self.now;
        let is_fresh = self.cache.look(path, |entry| entry.is_fresh(now)).unwrap_or(false);
        if !is_fresh {
            self.examine(path);
        }
        match self.cache.look(path, Entry::held).flatten() {
            Some(file) => Ok(file),
            None => self.load(path),
        }
    }
}

impl Entry {
    fn is_fresh(&self, now: Instant) -> bool {
        let ttl = if self.kind == Kind::Missing { MISSING_TTL } else { TTL };
        now.saturating_duration_since(self.checked_at) < ttl
    }

    /// The file that is held, unless it has changed under our descriptor.
    fn held(&self) -> Option<OpenFile> {
        let file = self.file.as_ref()?;
        match file.file() {
            Some(open) if FileStatus::of(open).ok() != self.status => None,
            _ => Some(file.clone()),
        }
    }
}

impl Cached for Entry {
    fn memory(&self) -> usize {
        match &self.file {
            Some(file) if file.file().is_none() => file.metadata().len as usize + size_of_val(file.metadata()),
            Some(file) => size_of_val(file.metadata()),
            None => 0,
        }
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
    fn open(path: &Path, now: Instant) -> io::Result<Self> {
        let directory = Directory::open(path, crate::base::sys::confine::Links::All)?;
        let status = directory.status()?;
        Ok(Self { path: path.to_owned(), directory, status, checked_at: now, is_lost: false })
    }

    /// Looks the root up again if it is time, and follows it; true if it is another directory now. If it cannot be
    /// looked up, the one that was known goes on.
    fn has_moved(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.checked_at) < TTL {
            return false;
        }
        self.checked_at = now;
        match Self::open(&self.path, now) {
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

/// Examines an open file and reads it if it is small; `None` if it is no regular file. Of a file that never stands
/// still, what was there at first is served.
fn read(file: File) -> io::Result<Option<(FileStatus, Stored)>> {
    let mut attempts = 0;
    loop {
        let status = FileStatus::of(&file)?;
        if status.file_type != FileType::Regular {
            return Ok(None);
        }
        if status.len > MEMORY_FILE_BYTES_MAX {
            return Ok(Some((status, Stored::File(Arc::new(file)))));
        }
        let bytes = read_front(&file, status.len as usize)?;
        attempts += 1;
        if attempts == READ_ATTEMPTS || FileStatus::of(&file)? == status {
            return Ok(Some((status, Stored::Memory(Bytes::from(bytes)))));
        }
    }
}

/// The first `len` bytes, or as many as there are.
fn read_front(file: &File, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    let mut read = 0;
    while read < len {
        match file.read_at(&mut bytes[read..], read as u64) {
            Ok(0) => break,
            Ok(n) => read += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(read);
    Ok(bytes)
}

/// Whether the file's next change will show in its status, because its last one was long enough ago.
fn is_settled(status: &FileStatus, now: SystemTime) -> bool {
    let changed = Duration::new(u64::try_from(status.changed.seconds).unwrap_or(0), status.changed.nanos);
    now.duration_since(SystemTime::UNIX_EPOCH + changed).is_ok_and(|age| age > TIMESTAMP_STEP)
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
    } else if error.kind() == io::ErrorKind::PermissionDenied {
        OpenError::Denied
    } else {
        OpenError::Other
    }
}

#[cfg(test)]
mod tests;
