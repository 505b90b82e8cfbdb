//! Files and temporary files as a simulation needs them.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use ephpm::service::content::Spool;
use ephpm::site::files::{Files, Kind, OpenError, OpenFile, Stored};

/// The length of `/small.txt`, and of `/large.bin`.
pub(crate) const SMALL: u64 = 1_200;
pub(crate) const LARGE: u64 = 150_000;

/// A document root with one script and two files.
pub(crate) struct SimFiles {
    large: Arc<File>,
}

impl SimFiles {
    pub(crate) fn new() -> Self {
        thread_local! {
            static LARGE_FILE: Arc<File> = {
                let mut file = unnamed().unwrap();
                file.write_all(&vec![b'x'; LARGE as usize]).unwrap();
                Arc::new(file)
            };
        }
        Self { large: LARGE_FILE.with(Arc::clone) }
    }
}

impl Files for SimFiles {
    fn kind(&mut self, path: &[u8]) -> Kind {
        match path {
            b"/p.php" | b"/small.txt" | b"/large.bin" => Kind::File,
            b"/" => Kind::Directory,
            _ => Kind::Missing,
        }
    }

    fn open(&mut self, path: &[u8]) -> Result<OpenFile, OpenError> {
        match path {
            b"/small.txt" => {
                let content = Stored::Memory(Bytes::from(vec![b'x'; SMALL as usize]));
                Ok(OpenFile::new(path, content, SMALL, (1, 1), None))
            }
            b"/large.bin" => Ok(OpenFile::new(path, Stored::File(Arc::clone(&self.large)), LARGE, (1, 1), None)),
            _ => Err(OpenError::NotFound),
        }
    }
}

/// Temporary files, on a disk that may be full.
#[derive(Default)]
pub(crate) struct SimSpool {
    pub(crate) is_full: bool,
    pub(crate) has_failed: bool,
}

impl Spool for SimSpool {
    fn create(&mut self) -> io::Result<File> {
        self.has_failed |= self.is_full;
        if self.is_full { Err(io::ErrorKind::StorageFull.into()) } else { unnamed() }
    }

    fn append(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn rewind(&mut self, file: &mut File) -> io::Result<()> {
        file.rewind()
    }
}

fn unnamed() -> io::Result<File> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("ephpm-simulation-{}-{number}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}
