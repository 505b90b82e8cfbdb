//! ePHPm: an HTTP server and the PHP engine in one process.

pub mod program;
