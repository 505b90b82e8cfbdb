//! Files below a directory that is held open.
//!
//! Every look-up of the document root goes through [`Directory`], so this is the one place that decides how a path is
//! resolved: symbolic links obey a policy ([`Links`]), and a path that tries to leave by itself (`..`, `//`, NUL) is
//! refused before the kernel sees it. What lies behind a descriptor is examined by the descriptor, never by its path
//! again.

#![allow(unsafe_code, reason = "fstatat has no safe wrapper in std")]

use std::ffi::CString;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::check;
use super::confine::{self, Links};

/// A directory, held open to look up what lies below it.
#[derive(Debug)]
pub struct Directory {
    handle: File,
    links: Links,
}

impl Directory {
    /// Opens the directory at `path`, itself reached through whatever links there are; `links` is the policy for what
    /// lies below it. It need only be searchable, not readable.
    pub fn open(path: &Path, links: Links) -> io::Result<Self> {
        let handle = OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_DIRECTORY).open(path)?;
        Ok(Self { handle, links })
    }

    /// The policy for symbolic links below it.
    pub fn links(&self) -> Links {
        self.links
    }

    /// What the directory itself is.
    pub fn status(&self) -> io::Result<FileStatus> {
        FileStatus::of(&self.handle)
    }

    /// What lies at `path`, which begins with the slash that stands for this directory.
    pub fn status_of(&self, path: &[u8]) -> io::Result<FileStatus> {
        let relative = relative(path)?;
        if self.links != Links::All {
            return FileStatus::of(&confine::open(&self.handle, &relative, libc::O_PATH, self.links)?);
        }
        let mut stat = MaybeUninit::<libc::stat>::uninit();
        // SAFETY: the descriptor is open for as long as `self` is borrowed, `relative` ends in a NUL, and `stat` has
        // room for what the kernel writes.
        let result = unsafe { libc::fstatat(self.handle.as_raw_fd(), relative.as_ptr(), stat.as_mut_ptr(), 0) };
        check(result)?;
        // SAFETY: fstatat has succeeded, so it has filled `stat`.
        let stat = unsafe { stat.assume_init() };
        Ok(FileStatus::from(&stat))
    }

    /// Opens what lies at `path` for reading; see [`status_of`](Self::status_of). Whatever it is, this does not wait
    /// for it (a FIFO's writer) and does not make it our terminal: look at the status before anything is read.
    pub fn open_file(&self, path: &[u8]) -> io::Result<File> {
        let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY;
        confine::open(&self.handle, &relative(path)?, flags, self.links)
    }
}

/// What sort of thing a path or a descriptor names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileType {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A FIFO, a socket, a device.
    Other,
}

/// What the file system says of a file. Two that are equal mean the same content, as far as time stamps can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStatus {
    /// What it is.
    pub file_type: FileType,
    /// Its length in bytes.
    pub len: u64,
    /// When the content last changed.
    pub modified: Timestamp,
    /// When the content, the mode, the owner or the time of modification last changed.
    pub changed: Timestamp,
    /// The file system that it lies on.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
}

/// Seconds and nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    /// Whole seconds; negative before 1970.
    pub seconds: i64,
    /// 0 to 999,999,999.
    pub nanos: u32,
}

impl FileStatus {
    /// What an open file is.
    pub fn of(file: &File) -> io::Result<Self> {
        Ok(Self::from(&file.metadata()?))
    }

    /// Whether both are the same file, whatever it holds.
    pub fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

impl From<&Metadata> for FileStatus {
    fn from(metadata: &Metadata) -> Self {
        Self {
            file_type: file_type(metadata.mode()),
            len: metadata.len(),
            modified: Timestamp::new(metadata.mtime(), metadata.mtime_nsec()),
            changed: Timestamp::new(metadata.ctime(), metadata.ctime_nsec()),
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

impl From<&libc::stat> for FileStatus {
    fn from(stat: &libc::stat) -> Self {
        Self {
            file_type: file_type(stat.st_mode),
            len: u64::try_from(stat.st_size).unwrap_or(0),
            modified: Timestamp::new(stat.st_mtime, stat.st_mtime_nsec),
            changed: Timestamp::new(stat.st_ctime, stat.st_ctime_nsec),
            device: stat.st_dev,
            inode: stat.st_ino,
        }
    }
}

impl Timestamp {
    fn new(seconds: i64, nanos: i64) -> Self {
        Self { seconds, nanos: u32::try_from(nanos).unwrap_or(0) }
    }
}

/// Whether a look-up failed because nothing is there that a path can name: no file, a name too long, links in a circle,
/// a socket (which cannot be opened), or a path that [`Directory`] refuses.
pub fn is_unreachable(error: &io::Error) -> bool {
    match error.raw_os_error() {
        Some(code) => [libc::ENOENT, libc::ENOTDIR, libc::ENAMETOOLONG, libc::ELOOP, libc::ENXIO].contains(&code),
        None => error.kind() == io::ErrorKind::InvalidInput,
    }
}

/// Whether the process or the system has no file descriptor left.
pub fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

fn file_type(mode: u32) -> FileType {
    match mode & libc::S_IFMT {
        libc::S_IFREG => FileType::Regular,
        libc::S_IFDIR => FileType::Directory,
        _ => FileType::Other,
    }
}

/// `path` as the kernel is to see it: relative to the directory. To the kernel `//etc` is absolute and `..` leads out,
/// and our callers have removed both; that they did is checked once more, since all depends on it.
fn relative(path: &[u8]) -> io::Result<CString> {
    let Some(relative) = path.strip_prefix(b"/") else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    if relative.starts_with(b"/") || relative.split(|byte| *byte == b'/').any(|segment| segment == b"..") {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let relative = if relative.is_empty() { b"." } else { relative };
    Ok(CString::new(relative)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_would_lead_out_never_reaches_the_kernel() {
        let directory = Directory::open(Path::new("/usr"), Links::Inside).unwrap();
        for path in [&b""[..], b"bin", b"//etc", b"/..", b"/../etc", b"/bin/../../etc", b"/bin\0"] {
            let error = directory.status_of(path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{}", path.escape_ascii());
            assert_eq!(directory.open_file(path).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
        assert!(directory.status_of(b"/").unwrap().is_same_file(&directory.status().unwrap()));
    }

    #[test]
    fn a_path_and_a_descriptor_tell_the_same() {
        let root = tempdir("sys-file");
        std::fs::write(root.join("file"), "content").unwrap();
        symlink("file", root.join("link")).unwrap();
        symlink("link/x", root.join("nowhere")).unwrap();
        for links in [Links::All, Links::Owner, Links::Inside] {
            let directory = Directory::open(&root, links).unwrap();
            let by_path = directory.status_of(b"/link").unwrap();
            assert_eq!(by_path, FileStatus::of(&directory.open_file(b"/file").unwrap()).unwrap());
            assert_eq!((by_path.file_type, by_path.len), (FileType::Regular, 7));
            assert_eq!(directory.status_of(b"/").unwrap().file_type, FileType::Directory);
            assert_eq!(directory.status_of(b"/nowhere").unwrap_err().raw_os_error(), Some(libc::ENOTDIR));
            assert!(Directory::open(&root.join("file"), links).is_err());
        }
        std::fs::remove_dir_all(root).unwrap();
    }

    fn tempdir(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("ephpm-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        path
    }
}
