//! Collects a request's content before PHP sees it, so that a slow upload never occupies a PHP thread.
//!
//! What is small stays in memory; beyond [`CollectorOptions::memory_max`] everything goes to an unlinked temporary
//! file, which the kernel reclaims however the request ends.

use std::fs::File;
use std::io;

use bytes::{Bytes, BytesMut};

use crate::base::limits;
use crate::exchange::Content;

/// Temporary files, as a collector needs them.
pub trait Spool {
    /// An empty file that has no name.
    fn create(&mut self) -> io::Result<File>;
    /// Writes all of `bytes` at the file's current position.
    fn append(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()>;
    /// Sets the file's position back to its start.
    fn rewind(&mut self, file: &mut File) -> io::Result<()>;
}

/// Bounds on request content.
#[derive(Debug, Clone, Copy)]
pub struct CollectorOptions {
    /// The most bytes of content that a request may have (413).
    pub bytes_max: u64,
    /// The most of them that are held in memory.
    pub memory_max: usize,
}

impl Default for CollectorOptions {
    fn default() -> Self {
        Self { bytes_max: limits::CONTENT_BYTES_MAX, memory_max: limits::CONTENT_MEMORY_MAX }
    }
}

/// Why content cannot be collected.
#[derive(Debug)]
pub enum CollectError {
    /// It exceeds [`CollectorOptions::bytes_max`].
    TooLarge,
    /// The temporary file cannot be written.
    Spool(io::Error),
}

/// The content received so far.
#[derive(Debug)]
pub struct Collector {
    held: Held,
    len: u64,
}

#[derive(Debug)]
enum Held {
    Memory(BytesMut),
    File(File),
}

impl Collector {
    /// Nothing received yet; `announced` is the length that the peer has announced, if it has. Fails when that is too
    /// large already.
    pub fn new(announced: Option<u64>, options: &CollectorOptions) -> Result<Self, CollectError> {
        if announced.is_some_and(|len| len > options.bytes_max) {
            return Err(CollectError::TooLarge);
        }
        // Room for what is announced, but an announcement alone costs a peer nothing: reserve a block at most.
        let room = usize::try_from(announced.unwrap_or(0)).unwrap_or(usize::MAX);
        let memory = BytesMut::with_capacity(room.min(options.memory_max).min(16 * 1024));
        Ok(Self { held: Held::Memory(memory), len: 0 })
    }

    /// Adds a piece.
    pub fn push(
        &mut self,
        bytes: &Bytes,
        options: &CollectorOptions,
        spool: &mut dyn Spool,
    ) -> Result<(), CollectError> {
        self.len += bytes.len() as u64;
        if self.len > options.bytes_max {
            return Err(CollectError::TooLarge);
        }
        match &mut self.held {
            Held::Memory(memory) if memory.len() + bytes.len() <= options.memory_max => memory.extend_from_slice(bytes),
            Held::Memory(memory) => {
                let mut file = spool.create().map_err(CollectError::Spool)?;
                spool.append(&mut file, memory).map_err(CollectError::Spool)?;
                spool.append(&mut file, bytes).map_err(CollectError::Spool)?;
                self.held = Held::File(file);
            }
            Held::File(file) => spool.append(file, bytes).map_err(CollectError::Spool)?,
        }
        Ok(())
    }

    /// The content, complete and ready to be read from its start.
    pub fn finish(self, spool: &mut dyn Spool) -> Result<Content, CollectError> {
        match self.held {
            Held::Memory(memory) => Ok(Content::Memory(memory.freeze())),
            Held::File(mut file) => {
                spool.rewind(&mut file).map_err(CollectError::Spool)?;
                Ok(Content::File { file, len: self.len })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use super::*;

    struct TestSpool {
        created: usize,
        fails: bool,
    }

    impl Spool for TestSpool {
        fn create(&mut self) -> io::Result<File> {
            self.created += 1;
            let path =
                std::env::temp_dir().join(format!("ephpm-collector-{}-{:p}", std::process::id(), &raw const *self));
            let file = File::options().read(true).write(true).create_new(true).open(&path)?;
            std::fs::remove_file(path)?;
            Ok(file)
        }

        fn append(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
            if self.fails { Err(io::ErrorKind::StorageFull.into()) } else { file.write_all(bytes) }
        }

        fn rewind(&mut self, file: &mut File) -> io::Result<()> {
            file.rewind()
        }
    }

    const OPTIONS: CollectorOptions = CollectorOptions { bytes_max: 20, memory_max: 8 };

    fn collect(pieces: &[&'static str], fails: bool) -> (Result<Vec<u8>, CollectError>, usize) {
        let mut spool = TestSpool { created: 0, fails };
        let mut run = || {
            let mut collector = Collector::new(None, &OPTIONS)?;
            for piece in pieces {
                collector.push(&Bytes::from_static(piece.as_bytes()), &OPTIONS, &mut spool)?;
            }
            let mut content = collector.finish(&mut spool)?;
            let mut all = vec![0; 64];
            let n = content.read(&mut all);
            all.truncate(n);
            Ok(all)
        };
        (run(), spool.created)
    }

    #[test]
    fn small_content_stays_in_memory_and_large_content_does_not() {
        for (pieces, files) in [
            (&[][..], 0),
            (&["12345678"], 0),
            (&["1234", "5678"], 0),
            (&["1234", "56789"], 1),
            (&["123456789", "0123", "4"], 1),
        ] {
            let (content, created) = collect(pieces, false);
            assert_eq!(content.unwrap(), pieces.concat().as_bytes());
            assert_eq!(created, files, "{pieces:?}");
        }
    }

    #[test]
    fn too_much_is_refused_when_announced_and_when_it_comes() {
        assert!(matches!(Collector::new(Some(21), &OPTIONS), Err(CollectError::TooLarge)));
        assert!(Collector::new(Some(20), &OPTIONS).is_ok());
        let (content, _) = collect(&["0123456789", "01234567890"], false);
        assert!(matches!(content, Err(CollectError::TooLarge)));
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let (content, _) = collect(&["0123456789"], true);
        assert!(matches!(content, Err(CollectError::Spool(_))));
    }
}
