//! Responses decoded in pieces of each size.

use super::*;

/// Decodes `wire` in pieces of each size; all must agree. The content and what was left behind it.
fn decode(method: &str, wire: &str) -> Result<(String, String)> {
    let (head, end) = Head::parse(wire.as_bytes())?.expect("a whole head");
    let mut outcomes = Vec::new();
    for size in 1..=wire.len() {
        let mut body = Body::of(&head, method)?;
        let (mut input, mut content) = (Vec::new(), Vec::new());
        for piece in wire.as_bytes()[end..].chunks(size) {
            input.extend_from_slice(piece);
            body.decode(&mut input, &mut content)?;
        }
        body.end_of_input()?;
        let text = |bytes| String::from_utf8(bytes).expect("ASCII in these tests");
        outcomes.push((text(content), text(input)));
    }
    outcomes.dedup();
    assert_eq!(outcomes.len(), 1, "the split decides: {outcomes:?}");
    Ok(outcomes.remove(0))
}

#[track_caller]
fn check(method: &str, wire: &str, content: &str, left: &str) {
    assert_eq!(decode(method, wire).expect("valid"), (content.to_owned(), left.to_owned()));
}

#[track_caller]
fn check_error(wire: &str, expected: &str) {
    let error = decode("GET", wire).expect_err("invalid").to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn chunked_content_is_joined() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    check("GET", &format!("{head}4\r\nWiki\r\n0005;a=b\r\npedia\r\n0\r\n\r\n"), "Wikipedia", "");
    check("GET", &format!("{head}A\r\n0123\r\n4567\r\n0\r\nExpires: 0\r\n\r\nHTTP"), "0123\r\n4567", "HTTP");
    check("GET", &format!("{head}0\r\n\r\n"), "", "");
}

#[test]
fn chunked_content_is_exact() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    check_error(&format!("{head}4\r\nWiki!\r\n0\r\n\r\n"), "end of a chunk");
    check_error(&format!("{head}4\nWiki\r\n0\r\n\r\n"), "bare line feed");
    check_error(&format!("{head}0x4\r\nWiki\r\n0\r\n\r\n"), "chunk size");
    check_error(&format!("{head}+4\r\nWiki\r\n0\r\n\r\n"), "chunk size");
    check_error(&format!("{head}11111111111111111\r\n"), "chunk size");
    check_error(&format!("{head}4\r\nWiki\r\n"), "cut");
    check_error(&format!("{head}4\r\nWiki\r\n0\r\nno colon\r\n\r\n"), "field line");
}

#[test]
fn length_and_close_end_the_content() {
    check("GET", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcHTTP", "abc", "HTTP");
    check("GET", "HTTP/1.0 200 OK\r\n\r\nabc", "abc", "");
    check_error("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", "cut");
    check_error("HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc", "content-length");
    check_error("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "more than one");
    check_error("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", "both");
}

#[test]
fn some_responses_have_no_content() {
    check("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "", "");
    check("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", "", "");
    check("GET", "HTTP/1.1 204 No Content\r\n\r\nHTTP", "", "HTTP");
}

#[test]
fn heads_are_strict() {
    let (head, end) = Head::parse(b"HTTP/1.1 404 \r\nX:\t a b \r\nx: c\r\n\r\nrest").expect("valid").expect("whole");
    assert_eq!((head.version_minor, head.status, head.reason.as_str(), end), (1, 404, "", 33));
    assert_eq!(head.headers.all("x").collect::<Vec<_>>(), ["a b", "c"]);
    assert!(Head::parse(b"HTTP/1.1 200 OK\r\n").expect("valid so far").is_none());
    for bad in [
        "HTTP/2 200 OK",
        "HTTP/1.1 200",
        "HTTP/1.1 20 OK",
        "HTTP/1.1 200 O\nK",
        "HTTP/1.1 200 OK\r\nX : a",
        "HTTP/1.1 200 OK\r\nX: a\n b",
    ] {
        assert!(Head::parse(format!("{bad}\r\n\r\n").as_bytes()).is_err(), "{bad:?}");
    }
}
