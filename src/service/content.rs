//! Collects a request's content before PHP sees it, so that a slow upload never occupies a PHP thread.
//!
//! What is small stays in memory; beyond [`CollectorOptions::memory_max`] everything goes to an unlinked temporary
//! file, which the kernel reclaims however the request ends. Half of the memory that there is for all is kept for what
//! is no longer than a form ([`limits::CONTENT_FORM_BYTES`]).

use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::base::account::{Account, Share};
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
#[derive(Debug, Clone)]
pub struct CollectorOptions {
    /// The most bytes of content that a request may have (413).
    pub bytes_max: u64,
    /// The most of them that are held in memory.
    pub memory_max: usize,
    /// The most bytes of content that all requests together hold in memory; what exceeds it goes to files.
    pub all_memory_max: u64,
    /// The most bytes of content that all requests together hold in files (503).
    pub all_files_max: u64,
    /// Those bytes, of all loops.
    pub held: Arc<AllHeld>,
}

/// What all requests hold together, until PHP is done with them.
#[derive(Debug, Default)]
pub struct AllHeld {
    memory: Arc<Account>,
    files: Arc<Account>,
}

impl Default for CollectorOptions {
    fn default() -> Self {
        Self {
            bytes_max: limits::CONTENT_BYTES_MAX,
            memory_max: limits::CONTENT_MEMORY_MAX,
            all_memory_max: limits::CONTENTS_MEMORY_MAX,
            all_files_max: limits::CONTENT_FILES_MAX,
            held: Arc::default(),
        }
    }
}

/// Why content cannot be collected.
#[derive(Debug)]
pub enum CollectError {
    /// It exceeds [`CollectorOptions::bytes_max`].
    TooLarge,
    /// All requests together have more than [`CollectorOptions::all_files_max`].
    NoRoom,
    /// The temporary file cannot be written.
    Spool(io::Error),
}

/// The content received so far.
#[derive(Debug)]
pub struct Collector {
    held: Held,
    /// Of the account that belongs to `held`.
    share: Share,
    len: u64,
    /// What it will be, if that was announced.
    announced: Option<u64>,
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
        Ok(Self { held: Held::Memory(memory), share: Share::default(), len: 0, announced })
    }

    /// Adds a piece.
    pub fn push(
        &mut self,
        bytes: &Bytes,
        options: &CollectorOptions,
        spool: &mut dyn Spool,
    ) -> Result<(), CollectError> {
        let count = bytes.len() as u64;
        self.len += count;
        if self.len > options.bytes_max {
            return Err(CollectError::TooLarge);
        }
        let all = &options.held;
        let is_form = self.announced.unwrap_or(self.len) <= limits::CONTENT_FORM_BYTES;
        let all_memory_max = if is_form { options.all_memory_max } else { options.all_memory_max / 2 };
        match &mut self.held {
            Held::Memory(memory)
                if memory.len() + bytes.len() <= options.memory_max
                    && self.share.grow(&all.memory, count, all_memory_max) =>
            {
                memory.extend_from_slice(bytes);
            }
            Held::Memory(memory) => {
                let mut share = Share::default();
                if !share.grow(&all.files, self.len, options.all_files_max) {
                    return Err(CollectError::NoRoom);
                }
                let mut file = spool.create().map_err(CollectError::Spool)?;
                spool.append(&mut file, memory).map_err(CollectError::Spool)?;
                spool.append(&mut file, bytes).map_err(CollectError::Spool)?;
                (self.held, self.share) = (Held::File(file), share);
            }
            Held::File(file) => {
                if !self.share.grow(&all.files, count, options.all_files_max) {
                    return Err(CollectError::NoRoom);
                }
                spool.append(file, bytes).map_err(CollectError::Spool)?;
            }
        }
        Ok(())
    }

    /// The content, complete and ready to be read from its start.
    pub fn finish(self, spool: &mut dyn Spool) -> Result<Content, CollectError> {
        match self.held {
            Held::Memory(memory) if memory.is_empty() => Ok(Content::Memory(Bytes::new())),
            Held::Memory(memory) => Ok(Content::Memory(Bytes::from_owner(Counted { memory, _share: self.share }))),
            Held::File(mut file) => {
                spool.rewind(&mut file).map_err(CollectError::Spool)?;
                Ok(Content::File { file, len: self.len, share: self.share })
            }
        }
    }
}

/// Content in memory, which is counted while anybody has it.
struct Counted {
    memory: BytesMut,
    _share: Share,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.memory
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

    fn options() -> CollectorOptions {
        CollectorOptions { bytes_max: 20, memory_max: 8, ..CollectorOptions::default() }
    }

    fn collect(pieces: &[&'static str], fails: bool) -> (Result<Vec<u8>, CollectError>, usize) {
        let mut spool = TestSpool { created: 0, fails };
        let options = options();
        let mut run = || {
            let mut collector = Collector::new(None, &options)?;
            for piece in pieces {
                collector.push(&Bytes::from_static(piece.as_bytes()), &options, &mut spool)?;
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
        assert!(matches!(Collector::new(Some(21), &options()), Err(CollectError::TooLarge)));
        assert!(Collector::new(Some(20), &options()).is_ok());
        let (content, _) = collect(&["0123456789", "01234567890"], false);
        assert!(matches!(content, Err(CollectError::TooLarge)));
    }

    #[test]
    fn s26_s27_all_requests_together_are_bounded() {
        let options = CollectorOptions { all_memory_max: 10, all_files_max: 12, ..options() };
        let held =
            |memory, files| assert_eq!((options.held.memory.bytes(), options.held.files.bytes()), (memory, files));
        let mut spool = TestSpool { created: 0, fails: false };
        let mut push = |collector: &mut Collector, piece: &'static str| {
            collector.push(&Bytes::from_static(piece.as_bytes()), &options, &mut spool)
        };
        let [mut first, mut second, mut third] = [(); 3].map(|()| Collector::new(None, &options).unwrap());
        push(&mut first, "12345678").unwrap();
        held(8, 0);
        // What does not fit into the memory that there is for all goes to a file.
        push(&mut second, "123").unwrap();
        push(&mut second, "456").unwrap();
        held(8, 6);
        push(&mut third, "12").unwrap();
        held(10, 6);
        assert!(matches!(push(&mut third, "34567"), Err(CollectError::NoRoom)));
        held(10, 6);
        drop(third);
        assert!(matches!(push(&mut second, "7890123"), Err(CollectError::NoRoom)));
        // It is counted until PHP is done with it.
        let mut spool = TestSpool { created: 0, fails: false };
        let (first, second) = (first.finish(&mut spool).unwrap(), second.finish(&mut spool).unwrap());
        held(8, 6);
        drop(first);
        held(0, 6);
        drop(second);
        held(0, 0);
    }

    #[test]
    fn long_content_leaves_half_of_the_memory_to_forms() {
        const FORM: u64 = limits::CONTENT_FORM_BYTES;
        let memory_max = usize::try_from(8 * FORM).unwrap();
        let options = CollectorOptions {
            bytes_max: 8 * FORM,
            memory_max,
            all_memory_max: 8 * FORM,
            ..CollectorOptions::default()
        };
        let held =
            |memory, files| assert_eq!((options.held.memory.bytes(), options.held.files.bytes()), (memory, files));
        let mut spool = TestSpool { created: 0, fails: false };
        let form = Bytes::from(vec![b'x'; usize::try_from(FORM).unwrap()]);
        let mut push = |collector: &mut Collector| collector.push(&form, &options, &mut spool).unwrap();
        let [mut long, mut other, ..] = [(); 2].map(|()| Collector::new(None, &options).unwrap());
        (0..4).for_each(|_| push(&mut long));
        held(4 * FORM, 0);
        push(&mut other);
        held(5 * FORM, 0);
        // Half is taken: what is longer than a form goes to files, and forms stay.
        push(&mut other);
        held(4 * FORM, 2 * FORM);
        let mut forms = [(); 4].map(|()| Collector::new(None, &options).unwrap());
        forms.iter_mut().for_each(&mut push);
        held(8 * FORM, 2 * FORM);
        push(&mut long);
        held(4 * FORM, 7 * FORM);
        // What is announced as long is so from its beginning.
        let mut announced = Collector::new(Some(8 * FORM), &options).unwrap();
        push(&mut announced);
        held(4 * FORM, 8 * FORM);
        drop(announced);
        // Now there is room for long content again.
        drop(forms);
        let mut third = Collector::new(None, &options).unwrap();
        (0..4).for_each(|_| push(&mut third));
        held(4 * FORM, 7 * FORM);
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let (content, _) = collect(&["0123456789"], true);
        assert!(matches!(content, Err(CollectError::Spool(_))));
    }
}
