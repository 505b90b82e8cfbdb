//! What each thread is at, in memory that outlives the process: after a crash its supervisor reads what was under way.
//!
//! There is a record for each thread, and nobody else writes it. Writing takes no system call, no lock and no allocation.
//! A process may end in the middle of it: what is read then is the beginning of a text, or nothing.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use super::sys::shared;

const WORD_BYTES: usize = size_of::<u64>();
/// The length of the text, and the text.
const RECORD_WORDS: usize = 64;
/// Longer texts are cut.
pub const TEXT_BYTES_MAX: usize = (RECORD_WORDS - 1) * WORD_BYTES;

/// The records of a process.
#[derive(Debug, Clone, Copy)]
pub struct BlackBox {
    words: &'static [AtomicU64],
}

/// One of them.
#[derive(Debug, Clone, Copy)]
pub struct Record {
    words: &'static [AtomicU64],
}

impl BlackBox {
    /// So many empty records, for this process and for those that are forked from it. They are never freed.
    pub fn new(records: usize) -> io::Result<Self> {
        let len = records.checked_mul(RECORD_WORDS).ok_or(io::ErrorKind::OutOfMemory)?;
        shared::words(len).map(|words| Self { words })
    }

    /// The record with this number, if there are so many.
    pub fn record(self, number: usize) -> Option<Record> {
        self.words.chunks(RECORD_WORDS).nth(number).map(|words| Record { words })
    }

    /// The texts of all records that have one, which are empty afterwards. For whoever comes after the process.
    pub fn take(self) -> Vec<Vec<u8>> {
        let records = self.words.chunks(RECORD_WORDS).map(|words| Record { words });
        records.filter_map(|record| record.read().inspect(|_| record.clear())).collect()
    }
}

impl Record {
    /// Holds a text of these parts from now on, cut to [`TEXT_BYTES_MAX`].
    pub fn write(self, parts: &[&[u8]]) {
        let mut text = [0; TEXT_BYTES_MAX];
        let mut len = 0;
        for part in parts {
            let part = &part[..part.len().min(TEXT_BYTES_MAX - len)];
            text[len..len + part.len()].copy_from_slice(part);
            len += part.len();
        }
        self.clear();
        for (word, bytes) in self.words[1..].iter().zip(text[..len.next_multiple_of(WORD_BYTES)].chunks(WORD_BYTES)) {
            word.store(u64::from_ne_bytes(bytes.try_into().expect("a word's bytes")), Ordering::Release);
        }
        self.words[0].store(len as u64, Ordering::Release);
    }

    /// Holds nothing from now on.
    pub fn clear(self) {
        self.words[0].store(0, Ordering::Release);
    }

    fn read(self) -> Option<Vec<u8>> {
        let len = usize::try_from(self.words[0].load(Ordering::Acquire)).unwrap_or(0).min(TEXT_BYTES_MAX);
        let mut text: Vec<u8> =
            self.words[1..].iter().flat_map(|word| word.load(Ordering::Acquire).to_ne_bytes()).collect();
        text.truncate(len);
        (len > 0).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_is_read_once() {
        let black_box = BlackBox::new(3).unwrap();
        assert!(black_box.record(3).is_none());
        let [first, second] = [0, 2].map(|number| black_box.record(number).unwrap());
        first.write(&[b"GET ", b"/a.php", b" (", b"/srv/a.php)"]);
        second.write(&[b"x"]);
        assert_eq!(black_box.take(), [&b"GET /a.php (/srv/a.php)"[..], b"x"]);
        assert_eq!(black_box.take(), [[0; 0]; 0]);
        first.write(&[b"over"]);
        first.clear();
        second.write(&[&[b'y'; 300], &[b'z'; 300]]);
        assert_eq!(black_box.take(), [[&[b'y'; 300][..], &[b'z'; TEXT_BYTES_MAX - 300]].concat()]);
    }
}
