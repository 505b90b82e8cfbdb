//! The codings of files: those that lie beside a file (`a.css.br` beside `a.css`), and those that are made of it.
//!
//! What lies beside a file is used while the file itself exists and is no younger; whoever put it there has decided, so
//! nothing is made of such a file. Otherwise a file is encoded when it is first wanted, on the loop: that is why it
//! must not be long, why what comes out is kept, and why only so many bytes are encoded a second ([`Budget`]).

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::is_unchanged;
use super::load::{self, is_settled};
use crate::base::sys::file::{Directory, FileStatus, FileType};
use crate::http::coding::{Coding, Codings};
use crate::http::encoder::Encoder;
use crate::site::compression::{Options, forbids_transformation};
use crate::site::file_cache::{Cached, FileCache, Limits};
use crate::site::files::{Offer, OpenFile};

/// Bytes of files that are encoded a second at most: a tenth of what one core does. Beyond it files are sent as they are.
const BYTES_PER_SECOND: u64 = 8 * 1024 * 1024;

/// Files in codings, within the bounds of the options.
#[derive(Debug)]
pub(super) struct CodedFiles {
    options: Arc<Options>,
    cache: FileCache<Coded>,
    budget: Budget,
    /// The path of what lies beside a file, and the name of what was made: in memory that is used again.
    path: Vec<u8>,
}

/// A file as it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Original<'a> {
    pub(super) file: &'a OpenFile,
    pub(super) status: &'a FileStatus,
    /// Its next change will show in its status.
    pub(super) is_settled: bool,
}

/// A file in a coding.
#[derive(Debug)]
struct Coded {
    /// What it is a coding of.
    of: FileStatus,
    /// What lies beside it; `None` for what was made.
    beside: Option<FileStatus>,
    /// What it was read from had stood still for so long that its next change will show in its status.
    is_settled: bool,
    /// `None` if the coding is no shorter than the file.
    file: Option<OpenFile>,
}

impl CodedFiles {
    /// `limits` bounds what lies beside files; what is made of them is bounded by the options.
    pub(super) fn new(options: Arc<Options>, limits: Limits, now: Instant) -> Self {
        let cache = FileCache::new(Limits { memory: options.cache_bytes / 2, ..limits }, now);
        Self { options, cache, budget: Budget { left: BYTES_PER_SECOND, filled_at: now }, path: Vec::new() }
    }

    pub(super) fn tick(&mut self, now: Instant) {
        self.budget.fill(now);
        self.cache.expire(now);
    }

    pub(super) fn expires_at(&self) -> Option<Instant> {
        self.cache.expires_at()
    }

    pub(super) fn clear(&mut self) {
        self.cache.clear();
    }

    /// The codings that a file can be had in. Looks for what lies beside it, and forgets what no longer does.
    pub(super) fn offer(&mut self, path: &[u8], original: &Original<'_>, directory: &Directory) -> Offer {
        let options = Arc::clone(&self.options);
        let metadata = original.file.metadata();
        if !options.covers(metadata.content_type.as_bytes()) {
            return Offer::default();
        }
        let mut codings = Codings::NONE;
        for coding in &options.codings {
            self.set_path(path, *coding);
            let beside = options.precompressed.then(|| directory.status_of(&self.path).ok()).flatten();
            let beside = beside.filter(|status| is_current(status, original.status));
            let is_current = |coded: &Coded| coded.beside == beside && coded.is_settled;
            if self.cache.look(&self.path, is_current) == Some(false) {
                self.cache.remove(&self.path);
            }
            if beside.is_some() {
                codings.insert(*coding);
            }
        }
        if !codings.is_empty() {
            return Offer { codings, is_made: false };
        }
        if metadata.cache_control.as_ref().is_some_and(|value| forbids_transformation(value.as_bytes())) {
            return Offer::default();
        }
        let bytes_max = options.file_bytes_max.min(options.cache_bytes as u64 / 2);
        if options.enabled && (options.bytes_min..=bytes_max).contains(&metadata.len) {
            return Offer { codings: options.codings.iter().copied().collect(), is_made: true };
        }
        Offer::default()
    }

    /// The file in a coding that it offers.
    pub(super) fn open(
        &mut self,
        path: &[u8],
        coding: Coding,
        original: &Original<'_>,
        directory: &Directory,
    ) -> Option<OpenFile> {
        let offer = original.file.offer();
        if !offer.codings.contains(coding) {
            return None;
        }
        self.set_path(path, coding);
        let known = self.cache.look(&self.path, |coded| coded.held(original));
        if let Some(Some(file)) = known {
            return file;
        }
        let coded = if offer.is_made { self.make(coding, original) } else { self.load(coding, original, directory) }?;
        let file = coded.file.clone();
        self.cache.insert(&self.path, coded);
        file
    }

    /// Encodes a file, if that may be done now.
    fn make(&mut self, coding: Coding, original: &Original<'_>) -> Option<Coded> {
        if !self.budget.take(original.status.len) {
            return None;
        }
        let content = load::read_all(original.file, original.status)?;
        let encoded = Encoder::encode(coding, self.options.levels, &content);
        let file = (encoded.len() < content.len()).then(|| original.file.made(coding, encoded));
        Some(Coded { of: *original.status, beside: None, is_settled: original.is_settled, file })
    }

    /// Reads what lies beside a file.
    fn load(&self, coding: Coding, original: &Original<'_>, directory: &Directory) -> Option<Coded> {
        let loaded = load::read(directory.open_file(&self.path).ok()?).ok()??;
        let status = loaded.status;
        if !is_current(&status, original.status) {
            return None;
        }
        let (len, modified) = (loaded.len(), (status.modified.seconds, status.modified.nanos));
        let file = original.file.beside(coding, loaded.content, len, modified);
        let is_settled = is_settled(&status, SystemTime::now());
        Some(Coded { of: *original.status, beside: Some(status), is_settled, file: Some(file) })
    }

    fn set_path(&mut self, path: &[u8], coding: Coding) {
        self.path.clear();
        self.path.extend_from_slice(path);
        self.path.extend_from_slice(coding.extension().as_bytes());
    }
}

impl Coded {
    /// The file, if it is still a coding of the original and has not changed under our descriptor.
    fn held(&self, original: &Original<'_>) -> Option<Option<OpenFile>> {
        let is_current = self.of == *original.status
            && original.file.offer().is_made == self.beside.is_none()
            && self.file.as_ref().is_none_or(|file| is_unchanged(file, self.beside.as_ref()));
        is_current.then(|| self.file.clone())
    }
}

impl Cached for Coded {
    fn memory(&self) -> usize {
        self.file.as_ref().map_or(0, OpenFile::memory)
    }

    fn files(&self) -> usize {
        usize::from(self.file.as_ref().is_some_and(|file| file.file().is_some()))
    }
}

/// How many bytes may still be encoded.
#[derive(Debug)]
struct Budget {
    left: u64,
    filled_at: Instant,
}

impl Budget {
    fn fill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.filled_at).min(Duration::from_secs(1));
        let earned = BYTES_PER_SECOND * elapsed.as_millis() as u64 / 1000;
        if earned > 0 {
            self.left = (self.left + earned).min(BYTES_PER_SECOND);
            self.filled_at = now;
        }
    }

    fn take(&mut self, bytes: u64) -> bool {
        let left = self.left.checked_sub(bytes);
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }
}

/// Whether what lies beside a file may be sent in its place.
fn is_current(beside: &FileStatus, original: &FileStatus) -> bool {
    beside.file_type == FileType::Regular && beside.modified >= original.modified
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_bytes_are_encoded_a_second() {
        let start = Instant::now();
        let mut budget = Budget { left: BYTES_PER_SECOND, filled_at: start };
        assert!(!budget.take(BYTES_PER_SECOND + 1));
        assert!(budget.take(BYTES_PER_SECOND) && !budget.take(1));
        budget.fill(start);
        assert!(!budget.take(1));
        budget.fill(start + Duration::from_millis(500));
        assert!(!budget.take(BYTES_PER_SECOND / 2 + 1) && budget.take(BYTES_PER_SECOND / 2));
        // Turns that follow each other closely lose nothing.
        for micros in (500_000..=501_000).step_by(100) {
            budget.fill(start + Duration::from_micros(micros));
        }
        assert!(budget.take(BYTES_PER_SECOND / 1000));
        budget.fill(start + Duration::from_secs(3600));
        assert!(!budget.take(BYTES_PER_SECOND + 1) && budget.take(BYTES_PER_SECOND));
    }
}
