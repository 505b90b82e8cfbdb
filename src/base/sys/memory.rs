//! The allocator of libc.
#![allow(unsafe_code, reason = "calls of libc")]

/// Has each of the allocator's arenas keep up to `kept_bytes` that lie free at its end, instead of giving them back to the
/// kernel at once and asking for them again, page by page. Pieces of `mapped_bytes` and more are not of an arena: they go
/// back when they are freed. To be called before there are threads; elsewhere than with glibc it does nothing.
pub fn keep_freed(kept_bytes: i32, mapped_bytes: i32) {
    #[cfg(target_env = "gnu")]
    // SAFETY: no pointers are passed.
    unsafe {
        // Naming one of them ends glibc's guesses at both.
        libc::mallopt(libc::M_TRIM_THRESHOLD, kept_bytes);
        libc::mallopt(libc::M_MMAP_THRESHOLD, mapped_bytes);
    }
    #[cfg(not(target_env = "gnu"))]
    let _ = (kept_bytes, mapped_bytes);
}
