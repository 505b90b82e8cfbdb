//! Properties of a header for any bytes: run by the fuzzer, and here over mutations of real ones.

use super::{HEADER_BYTES_MAX, parse};

/// However the bytes arrive, the outcome is that of all of them at once: what is incomplete says so until it is not,
/// and what has been decided stays decided. A header is part of the input and within its bound.
pub fn proxy_protocol(data: &[u8]) {
    let whole = parse(data);
    let mut decided = None;
    for end in 0..=data.len() {
        let outcome = parse(&data[..end]);
        match (&decided, outcome) {
            (None, Ok(None)) => assert!(end < HEADER_BYTES_MAX, "more is waited for than a header may have"),
            (None, Ok(Some(header))) => {
                assert_eq!(header.len, end, "a header is seen when its last byte has come");
                assert!((1..=HEADER_BYTES_MAX).contains(&header.len));
                decided = Some(outcome);
            }
            (None, Err(_)) => decided = Some(outcome),
            (Some(decided), outcome) => assert_eq!(*decided, outcome, "later bytes change nothing"),
        }
    }
    assert_eq!(decided.unwrap_or(Ok(None)), whole);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutations_of_headers_hold_the_properties() {
        let seeds: [&[u8]; 4] = [
            b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\nGET / HTTP/1.1\r\n",
            b"PROXY UNKNOWN\r\n",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x14\xc0\0\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb\x20\0\x05\x01\0\0\0\0GET",
            b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
        ];
        for seed in seeds {
            proxy_protocol(seed);
            for at in 0..seed.len() {
                for byte in [0, b' ', b'\r', b'\n', b'0', 0x11, 0x21, 0xff, seed[at].wrapping_add(1)] {
                    let mut mutant = seed.to_vec();
                    mutant[at] = byte;
                    proxy_protocol(&mutant);
                    mutant.insert(at, byte);
                    proxy_protocol(&mutant);
                }
            }
        }
        proxy_protocol(&[b"PROXY UNKNOWN ", &[b'x'; 5000][..]].concat());
    }
}
