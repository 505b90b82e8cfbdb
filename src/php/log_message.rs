//! A message of PHP's as a record of the log: not longer than anybody reads, and with the request that it is about. Pure.
//!
//! PHP sets no bound: the trace of a recursion that has no end has a frame for each level, tens of megabytes of them. What
//! is left is the beginning, which says what has happened and where; php-fpm keeps 1024 bytes of a line by default, and
//! nginx 2048.

use std::fmt::{self, Display, Formatter};

use crate::base::limits::{LOG_MESSAGE_BYTES_MAX, LOG_TARGET_BYTES_MAX};
use crate::exchange::Job;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct LogMessage<'a> {
    text: &'a [u8],
    /// Method and target.
    request: Option<(&'static str, &'a [u8])>,
}

impl<'a> LogMessage<'a> {
    /// A message, of a request if one runs. What is no UTF-8 is replaced.
    pub(super) fn new(text: &'a [u8], job: Option<&'a Job>) -> Self {
        Self { text, request: job.map(|job| (job.request.method.as_str(), job.request.target())) }
    }
}

impl Display for LogMessage<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_cut(f, self.text, LOG_MESSAGE_BYTES_MAX)?;
        if let Some((method, target)) = self.request {
            write!(f, ", request: \"{method} ")?;
            write_cut(f, target, LOG_TARGET_BYTES_MAX)?;
            f.write_str("\"")?;
        }
        Ok(())
    }
}

/// At most so many bytes of a text, and how many more there are.
fn write_cut(f: &mut Formatter<'_>, text: &[u8], bytes_max: usize) -> fmt::Result {
    if text.len() <= bytes_max {
        return f.write_str(&String::from_utf8_lossy(text));
    }
    let is_inside_a_character = |at: &usize| text[*at] & 0b1100_0000 == 0b1000_0000;
    let end = (bytes_max - 3..=bytes_max).rev().find(|at| !is_inside_a_character(at)).unwrap_or(bytes_max);
    let (kept, more) = (String::from_utf8_lossy(&text[..end]), text.len() - end);
    write!(f, "{kept}... ({more} bytes more)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &[u8], request: Option<(&'static str, &[u8])>) -> String {
        LogMessage { text, request }.to_string()
    }

    #[test]
    fn a_request_is_told_with_its_message() {
        assert_eq!(message(b"PHP Warning:  no", None), "PHP Warning:  no");
        let request = Some(("GET", &b"/a.php?b=\xff"[..]));
        assert_eq!(message(b"no\xfe", request), "no\u{fffd}, request: \"GET /a.php?b=\u{fffd}\"");
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        let whole = vec![b'x'; LOG_MESSAGE_BYTES_MAX];
        assert_eq!(message(&whole, None).len(), LOG_MESSAGE_BYTES_MAX);
        let cut = message(&[&whole[..], b"ZZ"].concat(), Some(("GET", &vec![b'/'; LOG_TARGET_BYTES_MAX + 7])));
        let slashes = "/".repeat(LOG_TARGET_BYTES_MAX);
        let end = format!("x... (2 bytes more), request: \"GET {slashes}... (7 bytes more)\"");
        assert!(cut.ends_with(&end) && !cut.contains('Z'), "{}", &cut[LOG_MESSAGE_BYTES_MAX..]);
        // No character is cut in two.
        for shift in 0..4 {
            let text = [&whole[..LOG_MESSAGE_BYTES_MAX - shift], "\u{1f40e}\u{1f40e}".as_bytes()].concat();
            assert!(!message(&text, None).contains('\u{fffd}'), "{shift}");
        }
        let continued = vec![0x80; LOG_MESSAGE_BYTES_MAX + 1];
        assert!(message(&continued, None).ends_with("... (1 bytes more)"));
    }
}
