//! From the headers of a script to a response head. Pure.
//!
//! PHP has kept CR, LF and NUL out of the lines (`sapi_header_op`); everything else is checked here. Fields that
//! belong to the connection rather than to the response (RFC 9110 §7.6.1) are for the protocol to judge.

use crate::http::headers::{is_field_value, is_token, trim};
use crate::http::message::Response;
use crate::http::status::Status;

/// The head for the status `code`, the line given to `header("HTTP/…")`, empty if there was none, and the other lines.
///
/// The status is the line's, else the one of a `Status` field, as under CGI (RFC 3875 §6.3.3), else `code`. One that a
/// final response cannot have becomes 500. Lines that are no fields are dropped. None if they exceed 64 KiB: half a head
/// would be worse than none, since what is left out may be a cookie or a policy.
pub(super) fn response<'a>(code: i32, status_line: &[u8], lines: impl Iterator<Item = &'a [u8]>) -> Option<Response> {
    let mut response = Response::new(Status::INTERNAL_SERVER_ERROR);
    let mut status = parse_status_line(status_line).filter(|(line_code, _)| i32::from(*line_code) == code);
    for line in lines {
        let Some((name, value)) = parse_field(line) else { continue };
        if name.eq_ignore_ascii_case(b"Status") {
            status = status.or_else(|| parse_status(value));
        } else if response.headers.push(name, value).is_err() {
            log::error!(target: "php", "a response has more than 64 KiB of header fields: answered 500 instead");
            return None;
        }
    }
    let (code, reason) = status.unwrap_or_else(|| (u16::try_from(code).unwrap_or(0), b""));
    if let Some(status) = Status::from_code(code).filter(|status| !status.is_informational()) {
        response.status = status;
        if !reason.is_empty() && reason != status.reason().as_bytes() {
            response.reason = Some(reason.into());
        }
    }
    Some(response)
}

/// An interim head: `code` and the lines that are there so far. None unless it is a 1xx
/// that fits 64 KiB.
pub(super) fn interim<'a>(code: i32, lines: impl Iterator<Item = &'a [u8]>) -> Option<Response> {
    let status = u16::try_from(code).ok().and_then(Status::from_code).filter(|status| status.is_informational())?;
    let mut response = Response::new(status);
    for (name, value) in lines.filter_map(parse_field).filter(|(name, _)| !name.eq_ignore_ascii_case(b"Status")) {
        response.headers.push(name, value).ok()?;
    }
    Some(response)
}

/// Name and value of a `Name: value` line.
fn parse_field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    let (name, value) = (trim(&line[..colon]), trim(&line[colon + 1..]));
    (is_token(name) && is_field_value(value)).then_some((name, value))
}

/// Code and reason phrase of `HTTP/x.y NNN reason`; what is not in that form is none.
fn parse_status_line(line: &[u8]) -> Option<(u16, &[u8])> {
    let space = memchr::memchr(b' ', line)?;
    let (version, rest) = line.split_at(space);
    version.to_ascii_uppercase().starts_with(b"HTTP/").then(|| parse_status(trim(rest)))?
}

/// Code and reason phrase of `NNN reason`.
fn parse_status(text: &[u8]) -> Option<(u16, &[u8])> {
    let (digits, rest) = text.split_at_checked(3)?;
    let code = str::from_utf8(digits).ok()?.parse().ok()?;
    let reason = match rest {
        [] => rest,
        [b' ', reason @ ..] if is_field_value(reason) => trim(reason),
        _ => return None,
    };
    Some((code, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status, reason and fields of a head, in words.
    fn check(code: i32, status_line: &str, lines: &[&str], expected: &str) {
        let response = response(code, status_line.as_bytes(), lines.iter().map(|line| line.as_bytes())).unwrap();
        let mut text = response.status.code().to_string();
        if let Some(reason) = &response.reason {
            text += &format!(" {}", str::from_utf8(reason).unwrap());
        }
        for (name, value) in response.headers.iter() {
            text += &format!("|{}={}", str::from_utf8(name).unwrap(), String::from_utf8_lossy(value));
        }
        assert_eq!(text, expected);
    }

    #[test]
    fn fields() {
        check(200, "", &["Foo: bar", "Foo3:bar3", "Empty:", "Foo: again"], "200|Foo=bar|Foo3=bar3|Empty=|Foo=again");
        check(200, "", &["Invalid", ": x", "a b: x", "a: \u{7f}"], "200");
        check(200, "", &["Name : x \t"], "200|Name=x");
        check(200, "", &["Connection: close"], "200|Connection=close");
    }

    #[test]
    fn status() {
        check(404, "", &[], "404");
        for impossible in [0, -1, 99, 100, 103, 199, 600, 70_000, 65_536 + 200] {
            check(impossible, "", &[], "500");
        }
        check(418, "HTTP/1.1 418 I'm a teapot", &[], "418 I'm a teapot");
        check(404, "HTTP/1.0 404 Not Found", &[], "404");
        check(404, "HTTP/1.1 404", &[], "404");
        for odd in ["HTTP/", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 20", "HTTP/1.1 2000 OK", "HTTP/1.1 +20 OK"] {
            check(200, odd, &[], "200");
        }
        // A line that the code no longer agrees with is stale.
        check(500, "HTTP/1.1 418 I'm a teapot", &[], "500");
    }

    #[test]
    fn status_field_as_in_cgi() {
        check(200, "", &["Status: 404 Not Found", "A: b"], "404|A=b");
        check(302, "", &["Status: 301"], "301");
        check(410, "HTTP/1.1 410 Gone", &["Status: 404 Not Found"], "410");
        check(200, "", &["Status: nonsense"], "200");
    }

    #[test]
    fn an_interim_head_has_the_fields_and_no_final_status() {
        let lines: [&[u8]; 3] = [b"Link: </a.css>; rel=preload", b"Status: 404", b"invalid"];
        let response = interim(103, lines.into_iter()).unwrap();
        assert_eq!((response.status.code(), response.headers.len()), (103, 1));
        assert_eq!(response.headers.get("link"), Some(&b"</a.css>; rel=preload"[..]));
        for code in [-1, 0, 200, 404, 65_536 + 103] {
            assert!(interim(code, lines.into_iter()).is_none());
        }
    }

    #[test]
    fn too_many_fields_are_an_error_and_not_half_a_head() {
        let lines: Vec<_> = (0..30).map(|i| format!("X-{i}: {}", "x".repeat(8000))).collect();
        assert!(response(200, b"", lines.iter().map(|line| line.as_bytes())).is_none());
    }
}
