//! The kernel: the only module that calls libc.
//!
//! One file per matter. Each wraps a few system calls in safe functions that return [`std::io::Result`] and owned
//! file descriptors, all of them close-on-exec; nothing here knows HTTP.

pub mod file;
