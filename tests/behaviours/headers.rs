//! Heads of responses.

use crate::site::{Site, get, text};
use crate::support::{Json, Request, Response};

#[test]
fn fields_are_sent_as_they_were_set() {
    let site = Site::start();
    site.many(
        |i| get("headers.php", i),
        |i, response| {
            assert_eq!(text(response, 201), "Hello");
            let long = "x".repeat(8000);
            let i = i.to_string();
            for (name, value) in
                [("Foo", "bar"), ("Foo2", "bar2"), ("Foo3", "bar3"), ("I", &i), ("X-Long", &long), ("X-Bytes", "ä")]
            {
                assert_eq!(response.headers.all(name).collect::<Vec<_>>(), [value]);
            }
            let cookies: Vec<&str> = response.headers.all("Set-Cookie").collect();
            assert_eq!(cookies, ["a=1", "b=2", &format!("i={i}; HttpOnly; SameSite=Lax")]);
            assert!(response.header("Removed").is_none() && response.header("Invalid").is_none());
        },
    );
}

#[test]
fn request_and_response_fields_can_be_read() {
    let site = Site::start();
    site.many(
        |i| get("received.php", i * 3 + 100).header("X-Sent", &i.to_string()).header("accept-language", "de"),
        |i, response| {
            // What is no final status is a server's mistake; the others come as they were set.
            let code = u16::try_from(i * 3 + 200).expect("a small number");
            assert_eq!(response.status, if code > 599 { 500 } else { code });
            if code == 204 || code == 304 || code == 205 {
                return;
            }
            let page = Json::parse(&response.text());
            let text = |part: &str, name: &str| page[part][name].as_str().map(str::to_owned);
            assert_eq!(text("request", "X-Sent"), Some(i.to_string()));
            assert_eq!(text("request", "Accept-Language").as_deref(), Some("de"));
            assert_eq!(text("response", "X-Number"), Some((i * 3 + 100).to_string()));
            assert_eq!(text("response", "X-Case-x").as_deref(), Some("1"));
        },
    );
}

/// The head of an answer in words: its status and reason, and then those of its fields that a script may have set.
fn head(response: &Response) -> String {
    let ours = ["Date", "Server", "Content-Length", "Transfer-Encoding", "Connection", "Vary"];
    let is_ours = |name: &str| ours.iter().any(|other| name.eq_ignore_ascii_case(other));
    let fields = response.headers.0.iter().filter(|(name, _)| !is_ours(name));
    let fields: String = fields.map(|(name, value)| format!("|{name}={value}")).collect();
    format!("{} {}{fields}", response.status, response.reason)
}

#[test]
fn odd_heads_are_answered_and_keep_the_connection_in_step() {
    let site = Site::start();
    let html = "|Content-type=text/html; charset=UTF-8";
    for (case, expected, content) in [
        ("no-content", &*format!("204 No Content{html}"), ""),
        ("not-modified", &format!("304 Not Modified|ETag=\"x\"{html}"), ""),
        ("broken-line", &format!("200 OK{html}"), "fine"),
        ("teapot", &format!("418 I'm a teapot{html}"), ""),
        ("third-argument", &format!("201 Created|X-Created=yes{html}"), ""),
        ("redirect&status=301", &format!("301 Moved Permanently|Location=/hello.php?i=NUMBER{html}"), ""),
        ("redirect&status=302", &format!("302 Found|Location=/hello.php?i=NUMBER{html}"), ""),
        ("redirect&status=303", &format!("303 See Other|Location=/hello.php?i=NUMBER{html}"), ""),
        ("redirect&status=307", &format!("307 Temporary Redirect|Location=/hello.php?i=NUMBER{html}"), ""),
        ("redirect&status=308", &format!("308 Permanent Redirect|Location=/hello.php?i=NUMBER{html}"), ""),
        ("location", &format!("302 Found|Location=/hello.php?i=NUMBER{html}"), ""),
        ("json", "200 OK|Content-Type=application/json", "{}"),
        ("image", "200 OK|Content-Type=image/png", ""),
        ("type-removed", "200 OK", ""),
        ("all-removed", &format!("200 OK{html}"), ""),
        ("split", &format!("200 OK{html}"), ""),
        ("late", &format!("200 OK{html}"), "xedges.php52"),
        ("callback", &format!("200 OK{html}|X-Callback=NUMBER"), "x"),
        ("buffers", &format!("200 OK{html}"), "ABCC2"),
        ("abuse", &format!("200 OK{html}"), "sane"),
    ] {
        site.many(
            |i| get(&format!("edges.php?case={case}"), i),
            |i, response| {
                assert_eq!(head(response), expected.replace("NUMBER", &i.to_string()), "{case}");
                assert_eq!(response.text(), content, "{case}");
            },
        );
    }
}

#[test]
fn a_content_length_that_is_too_small_cuts_the_content() {
    let site = Site::start();
    site.many(
        |i| get("edges.php?case=short", i),
        |_, response| assert!(["12345", "1234567"].contains(&&*text(response, 200)), "{}", response.text()),
    );
}

#[test]
fn head_has_the_fields_of_get_and_no_content() {
    let site = Site::start();
    for target in ["hello.php", "edges.php?case=json", "headers.php"] {
        site.many(
            |i| Request { method: "HEAD".into(), ..get(target, i) },
            |_, response| assert!(response.content.is_empty() && response.status < 300, "{response:?}"),
        );
    }
}

#[test]
fn early_hints_precede_the_response() {
    let site = Site::start();
    site.many(
        |i| get("hints.php", i),
        |i, response| {
            assert_eq!((text(response, 200), &response.interim[..]), ("hinted".into(), &[103, 103][..]));
            assert_eq!(head(response), format!("200 OK|Request={i}|Content-type=text/html; charset=UTF-8"));
        },
    );
    site.many_that_leave(|server, _, i| {
        let request =
            |version: &str| format!("GET /hints.php?i={i} HTTP/{version}\r\nHost: a\r\nConnection: close\r\n\r\n");
        let answer = String::from_utf8(server.raw(request("1.1"))).expect("UTF-8");
        let hint = format!(
            "HTTP/1.1 103 Early Hints\r\nLink: </style-{i}.css>; rel=preload\r\nRequest: {i}\r\n\r\n\
             HTTP/1.1 103 Early Hints\r\nRequest: {i}\r\n\r\nHTTP/1.1 200 OK\r\n"
        );
        assert!(answer.starts_with(&hint), "{answer}");
        let old = String::from_utf8(server.raw(request("1.0"))).expect("UTF-8");
        assert!(old.starts_with("HTTP/1.1 200 OK\r\n") && !old.contains(" 103 "), "{old}");
    });
}
