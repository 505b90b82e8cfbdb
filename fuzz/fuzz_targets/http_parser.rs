#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ephpm::fuzz::http_parser(data));
