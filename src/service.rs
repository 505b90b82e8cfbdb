//! What happens on one connection, above the protocol and below the sockets: events become routes, routes become
//! content. Pure: it sees the file system and PHP through traits, and time as an argument.

pub mod access_log;
mod compression;
pub mod content;
pub mod context;
pub mod http;
mod reply;
