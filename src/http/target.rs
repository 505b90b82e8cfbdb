//! Which bytes a request target may have, in any version of HTTP (RFC 9110 §7.1, RFC 3986 §2).
//!
//! What passes holds no control, no space and no fragment, and its path has no invalid percent escape. Decoding the
//! path is the router's.

use memchr::{memchr, memchr_iter};

use super::peer_error::PeerError;

/// Browsers send more than RFC 3986 allows (`|`, `"`, `\`, `^`, …), so that passes, as does UTF-8; controls and `#`
/// do not.
pub fn check_bytes(target: &[u8]) -> Result<(), PeerError> {
    let legal = target.iter().all(|byte| !matches!(byte, 0..=b' ' | b'#' | 0x7f));
    if legal && (target.is_ascii() || std::str::from_utf8(target).is_ok()) {
        Ok(())
    } else {
        Err(PeerError::TargetByte)
    }
}

/// Checks the percent escapes up to the query, which is the application's affair.
pub fn check_path(target: &[u8]) -> Result<(), PeerError> {
    let path = &target[..memchr(b'?', target).unwrap_or(target.len())];
    let legal = memchr_iter(b'%', path).all(|at| match path.get(at + 1..at + 3) {
        Some(b"00") | None => false,
        Some(digits) => digits.iter().all(u8::is_ascii_hexdigit),
    });
    if legal { Ok(()) } else { Err(PeerError::TargetEscape) }
}
