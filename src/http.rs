//! The vocabulary of RFC 9110, the same for every version of the protocol. Pure.

pub mod authority;
pub mod coding;
pub mod date;
pub mod encoder;
pub mod event;
pub mod headers;
pub mod known;
pub mod message;
pub mod method;
pub mod peer_error;
pub mod shared_head;
pub mod status;
pub mod target;
