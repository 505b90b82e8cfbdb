//! No disk for content that is too long for memory.

use std::fs::File;
use std::io::{self, ErrorKind};

use ephpm::service::content::Spool;

pub(crate) struct NoSpool;

impl Spool for NoSpool {
    fn create(&mut self) -> io::Result<File> {
        Err(ErrorKind::StorageFull.into())
    }

    fn append(&mut self, _: &mut File, _: &[u8]) -> io::Result<()> {
        Err(ErrorKind::StorageFull.into())
    }

    fn rewind(&mut self, _: &mut File) -> io::Result<()> {
        Err(ErrorKind::StorageFull.into())
    }
}
