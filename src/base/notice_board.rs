//! What each of several processes says of itself, in memory that they share: a few words, and a text that only the
//! process at its place writes and all can read.
//!
//! Nobody waits for anybody, and no system call is made. A text is read whole or not at all. A process may end in the
//! middle of writing, and one that crashes may write anything anywhere, so that readers take nothing for granted: what
//! they get is bounded, and nonsense at worst.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use super::sys::shared;

const WORD_BYTES: usize = size_of::<u64>();
/// Words before the first place: what all are asked for.
const HEAD_WORDS: usize = 2;
/// Words of a place before its text.
const PLACE_WORDS: usize = 5;
/// How often a text is read again that was changed meanwhile.
const ATTEMPTS: usize = 8;

/// The board.
#[derive(Debug, Clone, Copy)]
pub struct NoticeBoard {
    words: &'static [AtomicU64],
    place_words: usize,
}

/// One process's part of it.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    words: &'static [AtomicU64],
}

/// The words of a place.
#[derive(Debug, Clone, Copy)]
enum Word {
    State,
    Starts,
    Answered,
    /// Odd while the text is being written.
    Version,
    Length,
}

impl NoticeBoard {
    /// A board with so many places for texts of so many bytes, for this process and for those that are forked from it.
    /// It is never freed.
    pub fn new(places: usize, text_bytes_max: usize) -> io::Result<Self> {
        let place_words = PLACE_WORDS + text_bytes_max.div_ceil(WORD_BYTES);
        let len = places.checked_mul(place_words).and_then(|len| len.checked_add(HEAD_WORDS));
        let words = shared::words(len.ok_or(io::ErrorKind::OutOfMemory)?)?;
        Ok(Self { words, place_words })
    }

    /// All places, by number.
    pub fn places(self) -> impl ExactSizeIterator<Item = Place> {
        self.words[HEAD_WORDS..].chunks_exact(self.place_words).map(|words| Place { words })
    }

    /// The place with this number, which must exist.
    pub fn place(self, number: usize) -> Place {
        self.places().nth(number).expect("a place of the board")
    }

    /// How often all were asked for a text.
    pub fn asked(self) -> u64 {
        self.words[0].load(Ordering::SeqCst)
    }

    /// Asks all for a text; how often they were by now.
    pub fn ask(self) -> u64 {
        self.words[0].fetch_add(1, Ordering::SeqCst) + 1
    }

    /// How often all were told to start anew.
    pub fn restarts(self) -> u64 {
        self.words[1].load(Ordering::SeqCst)
    }

    /// Tells all to start anew; how often they were by now.
    pub fn restart(self) -> u64 {
        self.words[1].fetch_add(1, Ordering::SeqCst) + 1
    }
}

impl Place {
    /// Another process is about to take the place.
    pub fn vacate(self) {
        self.set(Word::State, 0);
        self.set(Word::Answered, 0);
        self.write(b"");
    }

    /// Counts the processes that have had the place.
    pub fn count_start(self) {
        self.word(Word::Starts).fetch_add(1, Ordering::SeqCst);
    }

    /// How many they were.
    pub fn starts(self) -> u64 {
        self.get(Word::Starts)
    }

    /// What the process has set last, and 0 before that.
    pub fn state(self) -> u64 {
        self.get(Word::State)
    }

    /// Sets it.
    pub fn set_state(self, state: u64) {
        self.set(Word::State, state);
    }

    /// Which [`NoticeBoard::ask`] the process has answered last.
    pub fn answered(self) -> u64 {
        self.get(Word::Answered)
    }

    /// Answers it, after [`write`](Self::write).
    pub fn set_answered(self, asked: u64) {
        self.set(Word::Answered, asked);
    }

    /// The text from now on; none if it is too long. For one thread at a time.
    pub fn write(self, text: &[u8]) {
        let text = if text.len() <= self.text().len() * WORD_BYTES { text } else { b"" };
        // Odd already if a process has ended in here.
        let version = self.get(Word::Version) | 1;
        self.set(Word::Version, version);
        for (word, bytes) in self.text().iter().zip(text.chunks(WORD_BYTES)) {
            let mut padded = [0; WORD_BYTES];
            padded[..bytes.len()].copy_from_slice(bytes);
            word.store(u64::from_ne_bytes(padded), Ordering::Release);
        }
        self.set(Word::Length, text.len() as u64);
        self.set(Word::Version, version.wrapping_add(1));
    }

    /// The text, unless there is none, or it is being written all the time.
    pub fn read(self) -> Option<Vec<u8>> {
        for _ in 0..ATTEMPTS {
            let version = self.get(Word::Version);
            let len = usize::try_from(self.get(Word::Length)).ok()?.min(self.text().len() * WORD_BYTES);
            let words = &self.text()[..len.div_ceil(WORD_BYTES)];
            let mut text: Vec<u8> = words.iter().flat_map(|word| word.load(Ordering::Acquire).to_ne_bytes()).collect();
            text.truncate(len);
            if version.is_multiple_of(2) && self.get(Word::Version) == version {
                return (len > 0).then_some(text);
            }
            std::hint::spin_loop();
        }
        None
    }

    fn text(self) -> &'static [AtomicU64] {
        &self.words[PLACE_WORDS..]
    }

    fn word(self, word: Word) -> &'static AtomicU64 {
        &self.words[word as usize]
    }

    fn get(self, word: Word) -> u64 {
        self.word(word).load(Ordering::SeqCst)
    }

    fn set(self, word: Word, value: u64) {
        self.word(word).store(value, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_apart_and_texts_are_whole() {
        let board = NoticeBoard::new(3, 20).unwrap();
        assert_eq!(board.places().len(), 3);
        let [first, second] = [0, 1].map(|number| board.place(number));
        assert_eq!(first.read(), None);
        first.write(b"twenty bytes exactly");
        second.write(b"short");
        assert_eq!(
            (first.read().unwrap(), second.read().unwrap()),
            (b"twenty bytes exactly".to_vec(), b"short".to_vec())
        );
        second.write(&[b'x'; 25]);
        assert_eq!((second.read(), board.place(2).read()), (None, None));
        first.count_start();
        first.set_state(7);
        first.set_answered(board.ask());
        assert_eq!((first.state(), first.starts(), first.answered(), board.asked()), (7, 1, 1, 1));
        first.vacate();
        assert_eq!((first.state(), first.starts(), first.answered(), first.read()), (0, 1, 0, None));
        assert_eq!((board.restarts(), board.restart(), board.restarts()), (0, 1, 1));
    }

    #[test]
    fn what_a_process_leaves_that_ends_while_it_writes_is_not_read() {
        let place = NoticeBoard::new(1, 16).unwrap().place(0);
        place.write(b"before");
        place.set(Word::Version, place.get(Word::Version) + 1);
        assert_eq!(place.read(), None);
        place.write(b"after");
        assert_eq!(place.read().unwrap(), b"after");
        // One that has lost its mind.
        place.set(Word::Length, u64::MAX);
        assert_eq!(place.read().unwrap().len(), 16);
    }

    #[test]
    fn a_text_is_never_half_of_another() {
        let place = NoticeBoard::new(1, 800).unwrap().place(0);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for n in 0..2000 {
                    place.write(&vec![b'a' + (n % 7) as u8; 100 + 100 * (n % 7)]);
                }
            });
            while !writer.is_finished() {
                if let Some(text) = place.read() {
                    assert_eq!(text.len(), 100 + 100 * usize::from(text[0] - b'a'));
                    assert!(text.iter().all(|byte| *byte == text[0]));
                }
            }
        });
    }
}
