//! The kernel, as far as the standard library does not reach it: the only module that calls libc.
//!
//! One file per matter. Each wraps a few system calls in safe functions that return [`std::io::Result`] and owned file
//! descriptors, all of them close-on-exec; nothing here knows HTTP or PHP.

pub mod confine;
pub mod file;
pub mod listening;
pub mod memory;
pub mod process;
pub mod schedule;
pub mod shared;
pub mod signal;
pub mod socket;
pub mod temporary;
pub mod user;

use std::io;

/// The value that a system call returned, or its `errno`.
fn check<T: PartialEq + From<i8>>(returned: T) -> io::Result<T> {
    if returned == T::from(-1) { Err(io::Error::last_os_error()) } else { Ok(returned) }
}
