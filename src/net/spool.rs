//! Temporary files for request content.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::PathBuf;

use crate::base::sys;
use crate::service::content::Spool;

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
