//! The kernel, as far as the standard library does not reach it. The only module that calls libc.
//!
//! Every call goes through [`check`], so that an error is an [`io::Error`]; nothing here knows HTTP or PHP.

pub mod file;
pub mod process;
pub mod signal;
pub mod socket;

use std::io;

/// The value that a system call returned, or its `errno`.
fn check<T: PartialEq + From<i8>>(returned: T) -> io::Result<T> {
    if returned == T::from(-1) { Err(io::Error::last_os_error()) } else { Ok(returned) }
}
