//! A slab whose keys carry a generation, so that a key kept after its entry was removed finds nothing (h2's ABA guard).

/// Where an entry lies, and which of the entries that have lain there it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    index: u32,
    generation: u32,
}

const _: () = assert!(usize::BITS == 64, "a key is packed into a poll token");

impl Key {
    /// The key as one number, for a poll token.
    pub fn to_bits(self) -> usize {
        (self.generation as usize) << 32 | self.index as usize
    }

    /// The key that [`to_bits`](Self::to_bits) gave.
    pub fn from_bits(bits: usize) -> Self {
        Self { index: bits as u32, generation: (bits >> 32) as u32 }
    }
}

/// A growable table of entries with stable, reusable places. A vacant place costs what an entry costs; places are
/// reused last-freed first, so that the warm ones stay warm.
#[derive(Debug)]
pub struct Slab<T> {
    places: Vec<Place<T>>,
    vacant: Vec<u32>,
}

#[derive(Debug)]
struct Place<T> {
    /// Counts removals from this place. Never `u32::MAX` in a key, so no key equals the waker's token `usize::MAX`.
    generation: u32,
    entry: Option<T>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { places: Vec::new(), vacant: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// The number of entries.
    pub fn len(&self) -> usize {
        self.places.len() - self.vacant.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Stores what `make` returns for its own key.
    pub fn insert_with(&mut self, make: impl FnOnce(Key) -> T) -> Key {
        let index = self.vacant.pop().unwrap_or_else(|| {
            let index = u32::try_from(self.places.len()).expect("fewer than 2^32 entries fit in memory");
            self.places.push(Place { generation: 0, entry: None });
            index
        });
        let place = &mut self.places[index as usize];
        let key = Key { index, generation: place.generation };
        place.entry = Some(make(key));
        key
    }

    /// The entry of `key`, unless it has been removed.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let place = self.places.get_mut(key.index as usize)?;
        if place.generation == key.generation { place.entry.as_mut() } else { None }
    }

    /// Removes and returns the entry of `key`, unless it has been removed already.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let place = self.places.get_mut(key.index as usize)?;
        if place.generation != key.generation {
            return None;
        }
        let entry = place.entry.take()?;
        place.generation = (place.generation + 1) % u32::MAX;
        self.vacant.push(key.index);
        Some(entry)
    }

    /// All entries with their keys, in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> + '_ {
        self.places.iter().enumerate().filter_map(|(index, place)| {
            let key = Key { index: index as u32, generation: place.generation };
            place.entry.as_ref().map(|entry| (key, entry))
        })
    }

    /// The keys of all entries, in the order of their places.
    pub fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.iter().map(|(key, _)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_key_finds_nothing() {
        let mut slab = Slab::default();
        let first = slab.insert_with(|_| 'a');
        assert_eq!(slab.remove(first), Some('a'));
        let second = slab.insert_with(|_| 'b');
        assert_ne!(first, second);
        assert_eq!(slab.get_mut(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.get_mut(second), Some(&mut 'b'));
        assert_eq!(slab.len(), 1);
    }

    #[test]
    fn keys_survive_packing() {
        let key = Key { index: 7, generation: 9 };
        assert_eq!(Key::from_bits(key.to_bits()), key);
        let mut slab = Slab::default();
        let key = slab.insert_with(Key::to_bits);
        assert_eq!(slab.get_mut(key).copied(), Some(key.to_bits()));
        assert_eq!(slab.keys().collect::<Vec<_>>(), [key]);
    }
}
