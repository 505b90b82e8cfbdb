//! ePHPm: an HTTP server and the PHP engine in one process.
//!
//! An event-loop thread owns every socket, buffer and timer that it touches; PHP threads own PHP; they share one
//! object, the [exchange], and two bounded queues. All protocol and policy code is sans-I/O: bytes and time in,
//! events and bytes out. Content is pulled: nothing is produced until the next stage has room.
//!
//! Modules stand in layer order, highest first, and a module imports only from those below its own layer
//! (`tests/tidy.rs` holds the table and fails on any other edge). ARCHITECTURE.md is the map.

pub mod program;
pub mod net;
#[cfg(feature = "php")]
#[allow(unsafe_code, reason = "the seam to C; every block says why it is sound")]
pub mod php;
pub mod service;
pub mod site;
pub mod exchange;
pub mod protocol;
pub mod proxy_protocol;
pub mod http2;
pub mod http1;
pub mod http;
pub mod base;

/// Properties for the fuzz targets; they live beside the code that they guard.
#[doc(hidden)]
pub mod fuzz {
    pub use crate::http1::fuzz::{chunked, http_parser, http_responses};
    pub use crate::program::config::fuzz::config;
    pub use crate::proxy_protocol::fuzz::proxy_protocol;
    pub use crate::site::fuzz::{forwarded, path_mapping, ranges, server_vars};
}
