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
