#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ephpm::fuzz::proxy_protocol(data));
