#![no_main]

#[path = "../../tests/http2/frames.rs"]
#[allow(dead_code, reason = "the tests of HTTP/2 use the rest")]
mod frames;
#[path = "../../tests/service/harness.rs"]
mod harness;
#[path = "../../tests/http2/hpack.rs"]
#[allow(dead_code, reason = "the tests of HTTP/2 use the rest")]
mod hpack;
#[path = "../../tests/http2/fuzz.rs"]
mod http2;

libfuzzer_sys::fuzz_target!(|data: &[u8]| http2::http2_connection(data));
