//! What has been learnt of paths, within fixed bounds: of names, of memory and of open files.
//!
//! Two generations stand in for a least-recently-used list. Entries are found in the young one or move there; when it
//! is full, or old enough, the old one is dropped whole and the young one takes its place. So an entry in use is never
//! dropped, one that nobody asks for is gone after two turns, and no request can make the cache grow. The map's hash
//! is keyed, since peers choose the paths.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Bounds of one generation; the cache holds at most twice as much.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Paths.
    pub(super) entries: usize,
    /// Bytes of memory, as far as [`Cached::memory`] counts them.
    pub(super) memory: usize,
    /// Open files.
    pub(super) files: usize,
    /// The time after which it grows old.
    pub(super) age: Duration,
}

/// What an entry costs.
pub(super) trait Cached {
    /// Bytes of memory besides the entry itself.
    fn memory(&self) -> usize;
    /// Open files: 0 or 1.
    fn files(&self) -> usize;
}

/// A bounded map from paths to what is known of them.
#[derive(Debug)]
pub(super) struct FileCache<T> {
    limits: Limits,
    young: Generation<T>,
    old: Generation<T>,
    /// When a generation last gave way because of its age.
    turned_at: Instant,
}

impl<T: Cached> FileCache<T> {
    pub(super) fn new(limits: Limits, now: Instant) -> Self {
        Self { limits, young: Generation::default(), old: Generation::default(), turned_at: now }
    }

    /// Applies `look` to the entry for `path`, which thereby is in use.
    pub(super) fn look<R>(&mut self, path: &[u8], look: impl FnOnce(&T) -> R) -> Option<R> {
        if let Some(entry) = self.young.entries.get(path) {
            return Some(look(entry));
        }
        let (path, entry) = self.old.remove(path)?;
        let result = look(&entry);
        self.make_room(&path, &entry);
        self.young.insert(path, entry);
        Some(result)
    }

    /// Adds an entry, or replaces the one for `path`.
    pub(super) fn insert(&mut self, path: &[u8], entry: T) {
        let path = self.remove_entry(path).map_or_else(|| path.into(), |(path, _)| path);
        self.make_room(&path, &entry);
        self.young.insert(path, entry);
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, path: &[u8]) -> Option<T> {
        self.remove_entry(path).map(|(_, entry)| entry)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.young = Generation::default();
        self.old = Generation::default();
    }

    /// Forgets what has not been used for long.
    pub(super) fn expire(&mut self, now: Instant) {
        if now.saturating_duration_since(self.turned_at) >= self.limits.age {
            self.turn();
            self.turned_at = now;
        }
    }

    /// When [`expire`](Self::expire) has something to do; `None` for an empty cache.
    pub(super) fn expires_at(&self) -> Option<Instant> {
        let is_empty = self.young.entries.is_empty() && self.old.entries.is_empty();
        (!is_empty).then(|| self.turned_at + self.limits.age)
    }

    fn remove_entry(&mut self, path: &[u8]) -> Option<(Box<[u8]>, T)> {
        self.young.remove(path).or_else(|| self.old.remove(path))
    }

    fn make_room(&mut self, path: &[u8], entry: &T) {
        let young = &self.young;
        if young.entries.len() + 1 > self.limits.entries
            || young.memory + weight(path, entry) > self.limits.memory
            || young.files + entry.files() > self.limits.files
        {
            self.turn();
        }
    }

    fn turn(&mut self) {
        self.old = std::mem::take(&mut self.young);
    }
}

#[derive(Debug)]
struct Generation<T> {
    entries: HashMap<Box<[u8]>, T>,
    /// The sum of the entries' weights.
    memory: usize,
    /// The sum of the entries' open files.
    files: usize,
}

impl<T> Default for Generation<T> {
    fn default() -> Self {
        Self { entries: HashMap::new(), memory: 0, files: 0 }
    }
}

impl<T: Cached> Generation<T> {
    /// `path` must not be there.
    fn insert(&mut self, path: Box<[u8]>, entry: T) {
        self.memory += weight(&path, &entry);
        self.files += entry.files();
        let replaced = self.entries.insert(path, entry);
        debug_assert!(replaced.is_none(), "an entry that is still counted");
    }

    fn remove(&mut self, path: &[u8]) -> Option<(Box<[u8]>, T)> {
        let (path, entry) = self.entries.remove_entry(path)?;
        self.memory -= weight(&path, &entry);
        self.files -= entry.files();
        Some((path, entry))
    }
}

fn weight<T: Cached>(path: &[u8], entry: &T) -> usize {
    size_of::<(Box<[u8]>, T)>() + path.len() + entry.memory()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq)]
    struct Weighed {
        memory: usize,
        files: usize,
    }

    impl Cached for Weighed {
        fn memory(&self) -> usize {
            self.memory
        }

        fn files(&self) -> usize {
            self.files
        }
    }

    const LIMITS: Limits = Limits { entries: 10, memory: 10_000, files: 3, age: Duration::from_secs(30) };
    const LIGHT: Weighed = Weighed { memory: 0, files: 0 };

    fn cache() -> (FileCache<Weighed>, Instant) {
        let now = Instant::now();
        (FileCache::new(LIMITS, now), now)
    }

    fn has(cache: &mut FileCache<Weighed>, path: &str) -> bool {
        cache.look(path.as_bytes(), |_| ()).is_some()
    }

    /// The sums are what they say, and within the bounds.
    fn assert_counts(cache: &FileCache<Weighed>) {
        for generation in [&cache.young, &cache.old] {
            let memory: usize = generation.entries.iter().map(|(path, entry)| weight(path, entry)).sum();
            let files: usize = generation.entries.values().map(|entry| entry.files).sum();
            assert_eq!((generation.memory, generation.files), (memory, files));
            assert!(generation.entries.len() <= LIMITS.entries && memory <= LIMITS.memory && files <= LIMITS.files);
        }
    }

    #[test]
    fn a_flood_of_names_does_not_drive_out_what_is_in_use() {
        let (mut cache, _) = cache();
        cache.insert(b"/hot", Weighed { memory: 100, files: 1 });
        for flood in 0..1000 {
            cache.insert(format!("/{flood}").as_bytes(), LIGHT);
            assert!(has(&mut cache, "/hot"), "after {flood}");
            assert_counts(&cache);
        }
        assert!(!has(&mut cache, "/0") && has(&mut cache, "/999"));
    }

    #[test]
    fn memory_and_open_files_are_bounded() {
        let (mut cache, _) = cache();
        for index in 0..100_usize {
            let entry = Weighed { memory: index * 37 % 4000, files: index % 2 };
            cache.insert(format!("/{}", index % 23).as_bytes(), entry);
            if index % 7 == 0 {
                cache.remove(format!("/{}", index % 5).as_bytes());
            }
            has(&mut cache, &format!("/{}", index % 11));
            assert_counts(&cache);
        }
    }

    #[test]
    fn an_entry_is_replaced_wherever_it_is() {
        let (mut cache, now) = cache();
        cache.insert(b"/a", LIGHT);
        cache.expire(now + LIMITS.age);
        cache.insert(b"/a", Weighed { memory: 7, files: 0 });
        assert_eq!(cache.look(b"/a", |entry| entry.memory), Some(7));
        assert_eq!(cache.remove(b"/a").map(|entry| entry.memory), Some(7));
        assert!(!has(&mut cache, "/a"));
    }

    #[test]
    fn what_nobody_asks_for_expires() {
        let (mut cache, now) = cache();
        assert_eq!(cache.expires_at(), None);
        cache.insert(b"/a", LIGHT);
        cache.insert(b"/b", LIGHT);
        assert_eq!(cache.expires_at(), Some(now + LIMITS.age));
        cache.expire(now + LIMITS.age / 2);
        cache.expire(now + LIMITS.age);
        assert!(has(&mut cache, "/a"));
        cache.expire(now + LIMITS.age * 2);
        assert!(has(&mut cache, "/a") && !has(&mut cache, "/b"));
        cache.expire(now + LIMITS.age * 3);
        cache.expire(now + LIMITS.age * 4);
        assert_eq!(cache.expires_at(), None);
    }
}
