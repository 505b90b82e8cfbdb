//! What the operator wishes: fields, proxies, pages for errors, files that scripts hand over; and what a change of that
//! means to requests under way.

use ephpm::http::message::Response;
use ephpm::http::status::Status;
use ephpm::protocol::Disposition;
use ephpm::site::error_page::ErrorPages;
use ephpm::site::forwarded::{self, Field};
use ephpm::site::header_rules::{HeaderRules, Rule};
use ephpm::site::internal_files::{Directory, InternalFiles};

use super::harness::Site;
use super::{answer, field, get, request};

#[test]
fn fields_are_set_on_every_response() {
    let mut site = Site::default();
    let rule = |pattern: &str, name: &str, value: &str, replaces| {
        let [pattern, name, value] = [pattern, name, value].map(str::to_owned);
        Rule { pattern, name, value, replaces }
    };
    site.options.headers.rules = [
        rule("/*", "X-Content-Type-Options", "nosniff", true),
        rule("*.txt", "Cache-Control", "max-age=60", true),
        rule("/own-*", "X-Powered-By", "", true),
    ]
    .into();
    site.options.content.bytes_max = 3;
    for input in [
        get("/a.txt", ""),
        get("/a.txt", "If-None-Match: *\r\n"),
        get("/echo.php", ""),
        get("/none", ""),
        get("/dir", ""),
        get("/fail.php", ""),
        request("OPTIONS", "/a.txt", "", ""),
        request("POST", "/echo.php", "", "four"),
        get("/", "Bad Name: x\r\n"),
        "\x16\x03\x01".to_owned(),
    ] {
        let (head, _) = answer(&site, &input);
        assert_eq!(field(&head, "X-Content-Type-Options"), ["nosniff"], "{input}: {head:?}");
        assert_eq!(!field(&head, "Cache-Control").is_empty(), input.contains("/a.txt"), "{input}: {head:?}");
    }
    assert_eq!(field(&answer(&site, &get("/own-fields.php", "")).0, "X-Powered-By"), [""; 0]);
    let expectation = request("POST", "/echo.php", "Expect: 100-continue\r\nContent-Length: 2\r\n", "");
    let output = site.connect().hold(&[expectation.as_bytes(), b"ab"]).output;
    assert!(output.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), "{output}");
}

#[test]
fn s13_proxies_are_believed_when_they_are_trusted() {
    let mut site = Site::default();
    let fields = "X-Forwarded-For: 1.1.1.1, 203.0.113.9\r\nX-Forwarded-Proto: https\r\n";
    let plain = "GET /echo.php 192.0.2.1 http a 8080 200";
    assert_eq!(answer(&site, &get("/echo.php", fields)).1, plain);
    site.options.forwarded =
        forwarded::Options { proxies: vec!["192.0.2.0/24".parse().unwrap()], fields: vec![Field::For, Field::Proto] };
    assert_eq!(answer(&site, &get("/echo.php", fields)).1, "GET /echo.php 203.0.113.9 https a 443 200");
    assert_eq!(answer(&site, &get("/echo.php", "X-Forwarded-Host: b\r\n")).1, plain);
    site.options.forwarded.proxies = vec!["192.0.3.0/24".parse().unwrap()];
    assert_eq!(answer(&site, &get("/echo.php", fields)).1, plain);
}

fn with_pages() -> Site {
    let mut site = Site::default();
    site.options.error_pages = ErrorPages {
        pages: vec![
            (Status::BAD_REQUEST, "/echo.php".to_owned()),
            (Status::NOT_FOUND, "/echo.php".to_owned()),
            (Status::METHOD_NOT_ALLOWED, "/echo.php".to_owned()),
            (Status::CONTENT_TOO_LARGE, "/echo.php".to_owned()),
            (Status::INTERNAL_SERVER_ERROR, "/b.html".to_owned()),
            (Status::SERVICE_UNAVAILABLE, "/b.html".to_owned()),
            (Status::GATEWAY_TIMEOUT, "/b.html".to_owned()),
            (Status::URI_TOO_LONG, "/missing.html".to_owned()),
            (Status::FORBIDDEN, "/fail.php".to_owned()),
        ],
    };
    site
}

#[test]
fn error_pages_keep_the_status_and_what_belongs_to_it() {
    let mut site = with_pages();
    let (head, content) = answer(&site, &get("/none?x=1", ""));
    assert_eq!((&head[0][..], &content[..]), ("HTTP/1.1 404 Not Found", "GET /none?x=1 192.0.2.1 http a 8080 404"));
    let (head, content) = answer(&site, &request("PUT", "/a.txt", "", "abc"));
    assert_eq!(head[0], "HTTP/1.1 405 Method Not Allowed");
    assert_eq!(field(&head, "Allow"), ["GET, HEAD, OPTIONS"]);
    assert_eq!(content, "GET /a.txt 192.0.2.1 http a 8080 405");
    let (head, content) = answer(&site, &get("/fail.php", ""));
    assert_eq!((&head[0][9..12], &content[..]), ("500", "<b>"));
    let (late, content) = answer(&site, &get("/late.php", ""));
    assert_eq!((&late[0][9..], &content[..]), ("504 Gateway Timeout", "<b>"));
    assert_eq!(field(&head, "Content-Type"), ["text/html; charset=utf-8"]);
    // HEAD stays HEAD, and in sync.
    let output = site.converse(&(request("HEAD", "/none", "", "") + &get("/b.html", ""))).output;
    assert!(output.starts_with("HTTP/1.1 404 ") && output.ends_with("\r\n\r\n<b>"), "{output}");
    assert_eq!(output.matches("<b>").count(), 1);

    site.options.content.bytes_max = 3;
    for chunked in [false, true] {
        let input = match chunked {
            false => request("POST", "/x.php", "", "four"),
            true => request("POST", "/x.php", "Transfer-Encoding: chunked\r\n", "") + "4\r\nfour\r\n0\r\n\r\n",
        };
        let conversation = site.converse(&input);
        assert!(conversation.output.starts_with("HTTP/1.1 413 Content Too Large\r\n"), "{}", conversation.output);
        assert!(conversation.output.ends_with("GET /x.php 192.0.2.1 http a 8080 413"), "{}", conversation.output);
        assert_eq!(conversation.disposition, Disposition::Linger);
    }
    site.is_busy = true;
    let (head, content) = answer(&site, &get("/echo.php", ""));
    assert_eq!((&head[0][9..12], field(&head, "Retry-After"), &content[..]), ("503", vec!["1"], "<b>"));
}

#[test]
fn what_is_wrong_with_an_error_page_is_answered_by_our_own() {
    let mut site = with_pages();
    // Unreadable requests have no page that is a script, a missing page and one that fails no second one.
    for (input, title) in [
        (get("/", "Bad Name: x\r\n"), "400 Bad Request"),
        (get(&format!("/{}", "x".repeat(9000)), ""), "414 URI Too Long"),
        (get("/denied.txt", ""), "403 Forbidden"),
    ] {
        let (head, content) = answer(&site, &input);
        assert_eq!(head[0], format!("HTTP/1.1 {title}"));
        assert!(content.contains(&format!("<h1>{title}</h1>")), "{content}");
    }
    site.is_busy = true;
    assert!(answer(&site, &get("/none", "")).1.contains("<h1>404 Not Found</h1>"));
}

fn with_internal_files() -> Site {
    let mut site = Site::default();
    let directory = Directory { prefix: "/protected/".to_owned(), paths: vec![b"/srv/files".to_vec()] };
    site.options.internal_files = InternalFiles { directories: vec![directory] };
    site
}

#[test]
fn scripts_hand_files_over() {
    let site = with_internal_files();
    for field_line in ["X-Accel-Redirect:/protected/secret.txt", "X-Sendfile:/srv/files/secret.txt"] {
        let target = format!("/hand-over.php?{field_line}");
        let (head, content) = answer(&site, &get(&target, ""));
        assert_eq!((&head[0][..], &content[..]), ("HTTP/1.1 200 OK", "0123456789secret"));
        assert!(!head.iter().any(|line| line.starts_with("X-")), "{head:?}");
        assert_eq!(field(&head, "Content-Type"), ["application/pdf"], "the script's");
        assert_eq!(field(&head, "Content-Disposition"), ["attachment"]);
        assert_eq!(field(&head, "Content-Length"), ["16"]);
        let etag = field(&head, "ETag")[0].to_owned();

        let (head, content) = answer(&site, &get(&target, "Range: bytes=10-\r\n"));
        assert_eq!((&head[0][9..12], &content[..]), ("206", "secret"));
        assert_eq!(field(&head, "Content-Range"), ["bytes 10-15/16"]);
        let (head, content) = answer(&site, &get(&target, &format!("If-None-Match: {etag}\r\n")));
        assert_eq!((&head[0][9..12], &content[..], field(&head, "Content-Type")), ("304", "", vec![]));
        let output = site.converse(&(request("HEAD", &target, "", "") + &get("/b.html", ""))).output;
        assert!(output.contains("\r\nContent-Length: 16\r\n") && output.ends_with("\r\n\r\n<b>"), "{output}");
        // Rule 48: POST has neither parts nor 304.
        let fields = format!("Range: bytes=10-\r\nIf-None-Match: {etag}\r\n");
        let (head, content) = answer(&site, &request("POST", &target, &fields, "x"));
        assert_eq!((&head[0][..], &content[..]), ("HTTP/1.1 200 OK", "0123456789secret"));
    }
}

#[test]
fn files_that_a_script_may_not_hand_over_are_not_found() {
    let configured = with_internal_files();
    let mut with_page = with_internal_files();
    with_page.options.error_pages = ErrorPages { pages: vec![(Status::NOT_FOUND, "/hand-over.php".to_owned())] };
    for field_line in [
        "X-Accel-Redirect:/protected/missing.txt",
        "X-Accel-Redirect:/protected/%2e%2e/a.txt",
        "X-Accel-Redirect:/a.txt",
        "X-Sendfile:/etc/passwd",
        "X-Sendfile:/srv/files/../a.txt",
        "X-Sendfile:a.txt",
        "X-Sendfile:",
    ] {
        for site in [&configured, &Site::default(), &with_page] {
            let (head, content) = answer(site, &get(&format!("/hand-over.php?{field_line}"), ""));
            assert_eq!(head[0], "HTTP/1.1 404 Not Found", "{field_line}");
            assert!(!head.iter().any(|line| line.starts_with("X-")), "{head:?}");
            // A page that hands something over itself does so in vain.
            assert!(content.contains("<h1>404 Not Found</h1>") || content == "printed", "{content}");
        }
    }
}

/// What `/wait.php` is answered when the configuration changes while it runs, and then its response begins with `head`.
fn answer_across_reload(before: &Site, after: &Site, target: &str, head: Response) -> String {
    let mut connection = before.connect();
    connection.receive(get(target, "").as_bytes());
    connection.reload(after.options.clone());
    connection.with_waiting(|scripts| {
        let mut script = Box::new(scripts.pop().unwrap());
        script.send_head(head);
        script.write(b"printed").unwrap();
        script.complete();
    });
    connection.output()
}

#[test]
fn a_request_gets_the_fields_that_were_for_it_when_it_came() {
    let rule = |pattern: &str, name: &str| {
        let [pattern, name, value] = [pattern, name, "1"].map(str::to_owned);
        Rule { pattern, name, value, replaces: true }
    };
    let site = |rules: &[Rule]| {
        let mut site = Site::default();
        site.options.headers = HeaderRules { rules: rules.into(), server: None };
        site
    };
    let [all, own, other] = [rule("/*", "X-All"), rule("/wait.php", "X-Own"), rule("/other/*", "X-Other")];
    let before = site(&[all.clone(), own.clone()]);
    for after in [vec![], vec![all.clone()], vec![other.clone(), all.clone()], vec![other, own, all]] {
        let output = answer_across_reload(&before, &site(&after), "/wait.php", Response::new(Status::OK));
        let (head, content) = output.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("\r\nX-All: 1\r\nX-Own: 1"), "{output}");
        assert!(!head.contains("X-Other") && content == "printed", "{output}");
        let output = answer_across_reload(&site(&[]), &site(&after), "/wait.php", Response::new(Status::OK));
        assert!(!output.contains("X-"), "{output}");
    }
}

#[test]
fn a_script_names_files_of_directories_that_there_were_when_it_began() {
    let (with, without) = (with_internal_files(), Site::default());
    let mut with_page = with_internal_files();
    with_page.options.error_pages = ErrorPages { pages: vec![(Status::NOT_FOUND, "/b.html".to_owned())] };
    for (before, after, status, content) in [
        (&without, &with, "404 Not Found", "<h1>404 Not Found</h1>"),
        (&without, &with_page, "404 Not Found", "<b>"),
        (&with, &without, "404 Not Found", "<h1>404 Not Found</h1>"),
        (&with, &with_page, "200 OK", "0123456789secret"),
    ] {
        for (name, value) in [("X-Accel-Redirect", "/protected/secret.txt"), ("X-Sendfile", "/srv/files/secret.txt")] {
            let mut head = Response::new(Status::OK);
            head.headers.add(name, value.as_bytes());
            let output = answer_across_reload(before, after, "/wait.php", head);
            assert!(output.starts_with(&format!("HTTP/1.1 {status}\r\n")) && output.contains(content), "{output}");
            assert!(!output.contains(name), "{output}");
        }
    }
}
