//! Reading a file so that what is told about it belongs to what was read.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use crate::base::sys::file::{FileStatus, FileType};
use crate::site::files::{OpenFile, Stored};

/// Files up to this size are held in memory. Beyond it sendfile is cheaper than the memory.
pub(super) const MEMORY_FILE_BYTES_MAX: u64 = 64 * 1024;
/// The coarsest step of a file's time stamps in common use. A file that changed a shorter while ago may change again
/// and look the same.
pub(super) const TIMESTAMP_STEP: Duration = Duration::from_millis(20);
/// How often a file that changes while it is read is read again.
const READ_ATTEMPTS: u32 = 3;

/// What was read of a file, and its status then.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) status: FileStatus,
    pub(super) content: Stored,
}

impl Loaded {
    /// How long the content is. Less than the status says of a file that was cut while it was read.
    pub(super) fn len(&self) -> u64 {
        match &self.content {
            Stored::Memory(bytes) => bytes.len() as u64,
            Stored::File(_) => self.status.len,
        }
    }
}

/// Examines an open file and reads it if it is small; `None` if it is no regular file. Of a file that never stands
/// still, what was there at first is served.
pub(super) fn read(file: File) -> io::Result<Option<Loaded>> {
    let mut attempts = 0;
    loop {
        let status = FileStatus::of(&file)?;
        if status.file_type != FileType::Regular {
            return Ok(None);
        }
        if status.len > MEMORY_FILE_BYTES_MAX {
            return Ok(Some(Loaded { status, content: Stored::File(Arc::new(file)) }));
        }
        let bytes = read_front(&file, status.len as usize)?;
        attempts += 1;
        if attempts == READ_ATTEMPTS || FileStatus::of(&file)? == status {
            return Ok(Some(Loaded { status, content: Stored::Memory(Bytes::from(bytes)) }));
        }
    }
}

/// The first `len` bytes, or as many as there are.
fn read_front(file: &File, len: usize) -> io::Result<Vec<u8>> {
    read_at(file, 0, len)
}

/// `len` bytes from `offset` on, or as many as there are.
pub(super) fn read_at(file: &File, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    let mut read = 0;
    while read < len {
        match file.read_at(&mut bytes[read..], offset + read as u64) {
            Ok(0) => break,
            Ok(n) => read += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(read);
    Ok(bytes)
}

/// All of a file that is held open or in memory, if it is still the one that `status` describes.
pub(super) fn read_all(file: &OpenFile, status: &FileStatus) -> Option<Bytes> {
    let Some(open) = file.file() else { return file.bytes().cloned() };
    let bytes = read_front(open, usize::try_from(status.len).ok()?).ok()?;
    (FileStatus::of(open).ok()? == *status).then(|| Bytes::from(bytes))
}

/// Whether the file's next change will show in its status, because its last one was long enough ago.
pub(super) fn is_settled(status: &FileStatus, now: SystemTime) -> bool {
    let changed = Duration::new(u64::try_from(status.changed.seconds).unwrap_or(0), status.changed.nanos);
    now.duration_since(SystemTime::UNIX_EPOCH + changed).is_ok_and(|age| age > TIMESTAMP_STEP)
}
