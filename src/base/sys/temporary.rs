//! Files without a name.

#![allow(unsafe_code, reason = "fallocate has no safe wrapper in std")]

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::check;

/// A new file in `directory` that has no name and is gone when it is closed; only this process can read it.
pub fn create(directory: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).mode(0o600);
    match options.clone().custom_flags(libc::O_TMPFILE).open(directory) {
        // Not every file system knows O_TMPFILE (overlayfs before 6.1, some network file systems).
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EISDIR | libc::ENOENT)) => {
            unlinked(&options, directory)
        }
        result => result,
    }
}

/// Gives the space of a part of a file back, which then reads as zeros. Fails where the file system cannot do that.
pub fn free(file: &File, part: &Range<u64>) -> io::Result<()> {
    let offset = |offset: u64| libc::off_t::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput);
    let (start, len) = (offset(part.start)?, offset(part.end.saturating_sub(part.start))?);
    let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    // SAFETY: the descriptor is open while `file` is borrowed, and no memory is passed.
    check(unsafe { libc::fallocate(file.as_raw_fd(), mode, start, len) }).map(drop)
}

fn unlinked(options: &std::fs::OpenOptions, directory: &Path) -> io::Result<File> {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = directory.join(format!(".ephpm-{}-{number}", std::process::id()));
        match options.clone().create_new(true).open(&path) {
            Ok(file) => {
                std::fs::remove_file(&path)?;
                return Ok(file);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileExt, MetadataExt};

    use super::*;

    #[test]
    fn space_is_given_back_and_the_rest_stays() {
        let file = create(&std::env::temp_dir()).unwrap();
        file.write_all_at(&[b'x'; 3 << 20], 0).unwrap();
        file.sync_all().unwrap();
        let before = file.metadata().unwrap().blocks();
        match free(&file, &(0..2 << 20)) {
            Ok(()) => assert!(file.metadata().unwrap().blocks() < before),
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EOPNOTSUPP)),
        }
        let mut rest = vec![0; 1 << 20];
        file.read_exact_at(&mut rest, 2 << 20).unwrap();
        assert!(rest.iter().all(|byte| *byte == b'x'));
        assert_eq!(file.metadata().unwrap().len(), 3 << 20);
    }
}
