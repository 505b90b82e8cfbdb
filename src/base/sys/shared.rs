//! Memory that a process shares with the processes that it forks.
#![allow(unsafe_code, reason = "system calls")]

use std::io;
use std::ptr;
use std::sync::atomic::AtomicU64;

use super::check;

/// So many words, zero, that this process and all that are forked from it have in common, for good.
pub fn words(len: usize) -> io::Result<&'static [AtomicU64]> {
    let bytes = len.checked_mul(size_of::<AtomicU64>()).ok_or(io::ErrorKind::OutOfMemory)?;
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    // SAFETY: without an address of ours, no memory that is in use is touched.
    let address = check(unsafe { libc::mmap(ptr::null_mut(), bytes.max(1), access, kind, -1, 0) } as isize)?;
    // SAFETY: `bytes` of zeros begin there, at the beginning of a page, and are never unmapped. All processes have
    // them as atomics.
    Ok(unsafe { std::slice::from_raw_parts(address as *const AtomicU64, len) })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn words_are_zero_and_can_be_written() {
        let words = words(1000).unwrap();
        assert_eq!(words.len(), 1000);
        assert!(words.iter().all(|word| word.load(Ordering::Relaxed) == 0));
        words[999].store(7, Ordering::Relaxed);
        assert_eq!(words[999].load(Ordering::Relaxed), 7);
        assert!(super::words(usize::MAX).is_err());
    }
}
