//! Properties of an HTTP/1 connection that hold for any bytes at all; fuzz targets and tests share them.
//!
//! Each function takes arbitrary data and panics when a property is broken. Nothing here is part of the server.

mod chunks;
mod parser;
mod responses;

pub use self::chunks::chunked;
pub use self::parser::http_parser;
pub use self::responses::http_responses;
use crate::http::date::IMF_FIXDATE_LEN;

const DATE: &[u8; IMF_FIXDATE_LEN] = b"Sun, 06 Nov 1994 08:49:37 GMT";

/// Numbers that look random and depend on the seed alone (xorshift64; the seed must not be 0).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }
}
