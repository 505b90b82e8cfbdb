//! Temporary files for the content of requests and responses.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::base::sys;
use crate::exchange::{Problem, SpillFile, SpillFiles};
use crate::service::content::Spool;

/// Between two complaints about the same disk.
const REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// Makes unlinked files in one directory.
#[derive(Debug)]
pub(super) struct TemporaryFiles {
    /// Where they lie.
    pub(super) directory: PathBuf,
}

impl Spool for TemporaryFiles {
    fn create(&mut self) -> io::Result<File> {
        sys::temporary::create(&self.directory)
    }

    fn append(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn rewind(&mut self, file: &mut File) -> io::Result<()> {
        file.rewind()
    }
}

/// Makes unlinked files in one directory for output that clients take too slowly.
#[derive(Debug)]
pub struct OutputFiles {
    directory: PathBuf,
    reported_at: Mutex<Option<Instant>>,
}

impl OutputFiles {
    /// They lie in `directory`.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory, reported_at: Mutex::new(None) }
    }
}

impl SpillFiles for OutputFiles {
    fn create(&self) -> io::Result<Arc<dyn SpillFile>> {
        Ok(Arc::new(OutputFile(sys::temporary::create(&self.directory)?)))
    }

    fn report(&self, problem: Problem<'_>) {
        let now = Instant::now();
        let mut reported_at = self.reported_at.lock().unwrap_or_else(PoisonError::into_inner);
        if reported_at.is_some_and(|before| now - before < REPORT_INTERVAL) {
            return;
        }
        *reported_at = Some(now);
        drop(reported_at);
        match problem {
            Problem::Full => {
                log::warn!("PHP waits for slow clients: no room for its output (server.response_files_max)")
            }
            Problem::Failed(error) => {
                log::error!("PHP waits for slow clients: cannot buffer its output in a temporary file: {error}");
            }
        }
    }
}

/// One file for output.
#[derive(Debug)]
struct OutputFile(File);

impl SpillFile for OutputFile {
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn read(&self, block: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(block, offset)
    }

    fn free(&self, part: &Range<u64>) -> bool {
        sys::temporary::free(&self.0, part).is_ok()
    }
}
