//! The demo site over HTTP: each of its pages, the way a browser uses it.
//!
//! Each test has a server and a copy of the site of its own, so nothing it writes meets another test.

#![cfg(feature = "php")]

mod support;

use std::path::Path;
use std::thread;

use support::html::{form_fields, set_field, tags};
use support::{Client, Multipart, Request, Response, Server, TemporaryDirectory, copy_tree, png};

/// A copy of the demo site with a server in front. The server is declared first, so it stops first.
struct Demo {
    server: Server,
    directory: TemporaryDirectory,
}

impl Demo {
    #[track_caller]
    fn start() -> Self {
        let directory = TemporaryDirectory::new("demo");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo");
        copy_tree(&source, directory.path(), "data").expect("a copy of the demo site");
        std::fs::create_dir(directory.path().join("sessions")).expect("a new directory");
        let server = Self::serve(&directory);
        Self { server, directory }
    }

    /// The same site and the same data behind a new server process.
    fn restart(self) -> Self {
        let Self { server, directory } = self;
        let (status, log) = server.stop();
        assert!(status.success(), "{status}\n{log}");
        Self { server: Self::serve(&directory), directory }
    }

    #[track_caller]
    fn serve(directory: &TemporaryDirectory) -> Server {
        let sessions = directory.path().join("sessions");
        Server::builder(directory.path().join("public"))
            .ini("display_errors", "1")
            .ini("post_max_size", "256K")
            .ini("session.save_path", sessions.to_str().expect("a path in UTF-8"))
            .start()
    }

    fn client(&self) -> Client {
        self.server.client()
    }
}

/// A page that came out well: the status, the type, the frame, no complaint of PHP's in it.
#[track_caller]
fn page(response: Response, status: u16) -> String {
    let response = response.expect(status);
    assert_eq!(response.header("Content-Type"), Some("text/html; charset=utf-8"));
    let text = response.text();
    assert!(text.starts_with("<!doctype html>") && text.trim_end().ends_with("</html>"), "{text}");
    for complaint in ["Warning", "Notice", "Deprecated", "Fatal error"] {
        // With html_errors and without.
        let marks = [format!("<b>{complaint}</b>"), format!("\n{complaint}: ")];
        assert!(!marks.iter().any(|mark| text.contains(mark)), "{text}");
    }
    text
}

/// The value beside a name in one of the tables.
fn fact(page: &str, name: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("<th scope=\"row\">{name}</th><td>"))?;
    Some(rest.split("</td>").next()?.to_owned())
}

#[track_caller]
fn check_holds(text: &str, part: &str) {
    assert!(text.contains(part), "no {part:?} in:\n{text}");
}

#[test]
fn the_start_page_tells_what_runs() {
    let demo = Demo::start();
    let mut client = demo.client();
    let first = page(client.get("/"), 200);
    assert!(fact(&first, "PHP").is_some_and(|version| version.starts_with("8.")), "{first}");
    assert_eq!(fact(&first, "OPcache").as_deref(), Some("on"));
    check_holds(&first, "pdo_sqlite");

    let again = page(client.get("/index.php"), 200);
    assert_eq!(fact(&again, "PHP"), fact(&first, "PHP"));

    let head = client.send(&Request::head("/")).expect(200);
    assert_eq!(head.media_type(), "text/html");
    assert!(head.content.is_empty());
    let refused = client.send(&Request::new("DELETE", "/"));
    assert_eq!(refused.header("Allow"), Some("GET, HEAD"));
    page(refused, 405);
}

#[test]
fn every_link_and_asset_of_the_start_page_answers() {
    let demo = Demo::start();
    let mut client = demo.client();
    let start = page(client.get("/"), 200);
    let mut paths: Vec<String> = Vec::new();
    for (tag, attribute) in [("a", "href"), ("link", "href"), ("img", "src")] {
        let found = tags(&start, tag).into_iter();
        paths.extend(found.filter_map(|tag| tag.attribute(attribute).map(str::to_owned)));
    }
    paths.retain(|path| path.starts_with('/'));
    paths.sort();
    paths.dedup();
    for expected in ["/guestbook.php", "/assets/style.css", "/assets/hills.jpg", "/hello/World"] {
        assert!(paths.iter().any(|path| path == expected), "{expected} in {paths:?}");
    }
    for path in paths {
        let response = client.get(&path);
        let (status, media_types): (u16, &[&str]) = match path.rsplit_once('.').map(|(_, end)| end) {
            Some("css") => (200, &["text/css"]),
            Some("svg") => (200, &["image/svg+xml"]),
            Some("jpg") => (200, &["image/jpeg"]),
            Some("txt") => (200, &["text/plain"]),
            _ if path == "/no/such/page" => (404, &["text/html"]),
            _ => (200, &["text/html"]),
        };
        let response = response.expect(status);
        assert!(media_types.contains(&response.media_type().as_str()), "{path}: {:?}", response.headers);
        assert!(!response.content.is_empty(), "{path} is empty");
    }
    let script = client.get("/assets/events.js").expect(200);
    assert!(["text/javascript", "application/javascript"].contains(&script.media_type().as_str()));
    let source = include_str!("../demo/public/assets/style.css");
    assert_eq!(client.get("/assets/style.css").text(), source);
}

#[test]
fn the_form_keeps_values_and_escapes_them() {
    let demo = Demo::start();
    let mut client = demo.client();
    let asked = page(client.get("/form.php?q=%3Cscript%3Ealert(1)%3C/script%3E&x"), 200);
    check_holds(&asked, "value=\"&lt;script&gt;alert(1)&lt;/script&gt;\"");
    assert!(!asked.contains("<script>"), "{asked}");

    let mut fields = form_fields(&asked, "send");
    set_field(&mut fields, "email", "not an address");
    set_field(&mut fields, "colour", "green");
    set_field(&mut fields, "message", "</textarea><b>\"ü\" & 'ß'\n+%00");
    set_field(&mut fields, "news", "1");
    let refused = page(client.post_form("/form.php", &fields), 422);
    check_holds(&refused, "Please give a name.");
    check_holds(&refused, "This is not an e-mail address.");
    check_holds(&refused, "&lt;/textarea&gt;&lt;b&gt;&quot;ü&quot; &amp; &apos;ß&apos;\n+%00</textarea>");
    check_holds(&refused, "value=\"green\" selected");
    check_holds(&refused, "value=\"1\" checked");

    set_field(&mut fields, "name", "Zoë <i>");
    set_field(&mut fields, "email", "zoe@example.org");
    let accepted = page(client.post_form("/form.php", &fields), 200);
    check_holds(&accepted, "Thank you, Zoë &lt;i&gt;.");
    assert_eq!(fact(&accepted, "news").as_deref(), Some("yes"));
    assert_eq!(fact(&accepted, "colour").as_deref(), Some("green"));

    // The token belongs to a session: another visitor cannot use it.
    let stolen = page(demo.client().post_form("/form.php", &fields), 403);
    check_holds(&stolen, "not sent from your session");
    check_holds(&stolen, "value=\"zoe@example.org\"");
    // An array where text is expected is nobody's business to crash on.
    fields.retain(|(name, _)| name != "name");
    fields.push(("name[]".to_owned(), "x".to_owned()));
    check_holds(&page(client.post_form("/form.php", &fields), 422), "Please give a name.");
}

#[test]
fn a_picture_goes_up_and_comes_back() {
    let demo = Demo::start();
    let mut client = demo.client();
    let picture = png::picture(160, 120);
    let upload = |client: &mut Client, filename: &str, content: &[u8]| {
        let fields = form_fields(&client.get("/upload.php").text(), "upload");
        let form = fields.iter().fold(Multipart::default(), |form, (name, value)| form.text(name, value));
        client.send(&Request::post("/upload.php").multipart(form.file("picture", filename, "image/png", content)))
    };

    let accepted = page(upload(&mut client, "a <b>.png", &picture), 200);
    assert_eq!(fact(&accepted, "name").as_deref(), Some("a &lt;b&gt;.png"));
    assert_eq!(fact(&accepted, "error").as_deref(), Some("0"));
    let preview = tags(&accepted, "img").into_iter().find(|tag| tag.attribute("class") == Some("preview"));
    let source = preview.and_then(|tag| tag.attribute("src").map(str::to_owned)).expect("a preview");
    let served = client.get(&source).expect(200);
    assert_eq!(served.header("Content-Type"), Some("image/png"));
    assert!(served.content == picture, "the bytes that were sent");
    let tag = served.header("ETag").expect("a validator");
    let unchanged = client.send(&Request::get(&source).header("If-None-Match", tag)).expect(304);
    assert!(unchanged.content.is_empty());
    check_holds(&page(client.get("/upload.php"), 200), &source);

    check_holds(&page(upload(&mut client, "a.png", b"<?php echo 1;"), 422), "not a PNG");
    let large = vec![b'x'; 300 * 1024];
    check_holds(&page(upload(&mut client, "large.png", &large), 413), "larger than");
    let plain = Multipart::default().file("picture", "a.png", "image/png", &picture);
    page(client.send(&Request::post("/upload.php").multipart(plain)), 403);

    let stored = demo.directory.path().join("data/uploads");
    assert_eq!(std::fs::read_dir(stored).expect("a directory").count(), 1, "one picture was kept");
    for name in ["", "x.png", "../guestbook/guestbook.sqlite", "../../lib/page.php", "a%00.png"] {
        page(client.get(&format!("/picture.php?name={name}")), 404);
    }
}

/// Signs the guest book and follows the redirect behind it.
#[track_caller]
fn sign(client: &mut Client, name: &str, message: &str) -> String {
    let mut fields = form_fields(&client.get("/guestbook.php").text(), "sign");
    set_field(&mut fields, "name", name);
    set_field(&mut fields, "message", message);
    page(client.follow(&Request::post("/guestbook.php").form(&fields)), 200)
}

#[test]
fn the_guest_book_remembers() {
    let demo = Demo::start();
    let mut client = demo.client();
    check_holds(&page(client.get("/guestbook.php"), 200), "Nobody has signed yet");
    let signed = sign(&mut client, "Ada <script>", "First!\n'); DROP TABLE entry; --");
    check_holds(&signed, "Thank you for signing.");
    check_holds(&signed, "<strong>Ada &lt;script&gt;</strong>");
    check_holds(&signed, "First!<br />\n&apos;); DROP TABLE entry; --");
    check_holds(&signed, "1 entry so far");
    assert!(!page(client.get("/guestbook.php"), 200).contains("Thank you"), "said once");
    for number in 2..=12 {
        sign(&mut client, "Bob", &format!("entry {number}."));
    }

    let demo = demo.restart();
    let mut client = demo.client();
    let newest = page(client.get("/guestbook.php"), 200);
    check_holds(&newest, "12 entries so far");
    check_holds(&newest, "entry 12.");
    check_holds(&newest, "entry 3.");
    assert!(!newest.contains("entry 2."), "ten on a page");
    let next = tags(&newest, "a").into_iter().find(|tag| tag.attribute("rel") == Some("next")).expect("a second page");
    let oldest = page(client.get(next.attribute("href").expect("a link")), 200);
    check_holds(&oldest, "Page 2 of 2");
    check_holds(&oldest, "Ada &lt;script&gt;");
    page(client.get("/guestbook.php?page=999999999999999999999"), 200);

    let empty = client.post_form("/guestbook.php", &form_fields(&oldest, "sign"));
    check_holds(&page(empty, 422), "Please give a name and a message.");
    page(client.post_form("/guestbook.php", &[("name", "Eve"), ("message", "forged")]), 403);
    check_holds(&page(client.get("/guestbook.php"), 200), "12 entries so far");
}

#[test]
fn visitors_sign_at_the_same_time() {
    let demo = Demo::start();
    thread::scope(|scope| {
        for visitor in 0..6 {
            let mut client = demo.client();
            scope.spawn(move || {
                for number in 0..4 {
                    let message = format!("{number} of {visitor}");
                    check_holds(&sign(&mut client, "Visitor", &message), "Thank you for signing.");
                }
            });
        }
    });
    check_holds(&page(demo.client().get("/guestbook.php"), 200), "24 entries so far");
}

#[test]
fn lines_arrive_while_the_script_runs() {
    let demo = Demo::start();
    let mut client = demo.client();
    check_holds(&page(client.get("/stream.php"), 200), "Start");
    let mut incoming = client.open(&Request::get("/stream.php?lines=6&pause_ms=1000"));
    assert_eq!(incoming.status(), 200);
    assert_eq!(incoming.header("Cache-Control"), Some("no-store"), "the page's fields come before its first line");
    let mut text = String::new();
    while !text.contains("Line 1 of 6") {
        let piece = incoming.read().expect("readable").expect("the first line before the end");
        text.push_str(&String::from_utf8(piece).expect("ASCII"));
    }
    assert!(!incoming.is_complete() && !text.contains("Line 6"), "all at once: {text}");
    let (response, _) = incoming.finish().expect("the rest");
    text.push_str(&response.text());
    assert_eq!(text.matches("<li>Line").count(), 6, "{text}");
    check_holds(&text, "That was all.");
    assert!(text.trim_end().ends_with("</html>"));
}

#[test]
fn events_arrive_while_the_script_runs() {
    let demo = Demo::start();
    let mut client = demo.client();
    let mut incoming = client.open(&Request::get("/events.php?count=6&pause_ms=1000"));
    assert_eq!(incoming.header("Content-Type"), Some("text/event-stream; charset=utf-8"));
    let mut text = String::new();
    while !text.contains("id: 1\n") {
        let piece = incoming.read().expect("readable").expect("the first event before the end");
        text.push_str(&String::from_utf8(piece).expect("ASCII"));
    }
    assert!(!incoming.is_complete() && !text.contains("event: end"), "all at once: {text}");
    // While that stream is open, the server goes on serving.
    page(demo.client().get("/hello/meanwhile"), 200);
    let (response, _) = incoming.finish().expect("the rest");
    text.push_str(&response.text());
    assert_eq!(text.matches("\ndata: {\"number\":").count(), 6, "{text}");
    assert!(text.ends_with("event: end\ndata: {}\n\n"), "{text}");

    let resumed = Request::get("/events.php?count=4&pause_ms=0").header("Last-Event-ID", "3");
    let text = client.send(&resumed).expect(200).text();
    assert!(text.contains("id: 4\n") && !text.contains("id: 3\n"), "{text}");
}

#[test]
fn the_front_controller_answers_for_paths_without_a_file() {
    let demo = Demo::start();
    let mut client = demo.client();
    let hello = page(client.get("/hello/W%C3%B6rld?a=1&b=%20"), 200);
    check_holds(&hello, "<h1>Hello, Wörld</h1>");
    assert_eq!(fact(&hello, "REQUEST_URI").as_deref(), Some("/hello/W%C3%B6rld?a=1&amp;b=%20"));
    assert_eq!(fact(&hello, "SCRIPT_NAME").as_deref(), Some("/index.php"));
    assert_eq!(fact(&hello, "QUERY_STRING").as_deref(), Some("a=1&amp;b=%20"));
    let behind = page(client.get("/index.php/hello/W%C3%B6rld"), 200);
    check_holds(&behind, "<h1>Hello, Wörld</h1>");
    assert_eq!(fact(&behind, "PATH_INFO").as_deref(), Some("/hello/Wörld"));
    check_holds(&page(client.get("/hello/%3Cscript%3E"), 200), "<h1>Hello, &lt;script&gt;</h1>");

    let missing = page(client.get("/no/such/page?%3Cb%3E"), 404);
    assert_eq!(fact(&missing, "REQUEST_URI").as_deref(), Some("/no/such/page?%3Cb%3E"));
    page(client.get("/hello/"), 404);
    page(client.get("/hello/a%2Fb"), 404);
}

#[test]
fn the_environment_is_for_local_visitors_and_without_secrets() {
    let demo = Demo::start();
    let mut client = demo.client();
    client.cookies.set("secret", "do-not-show");
    let request = Request::get("/environment.php?x=%3C&y=1").header("X-Custom", "a \"b\"");
    let shown = page(client.send(&request), 200);
    assert_eq!(fact(&shown, "REQUEST_METHOD").as_deref(), Some("GET"));
    assert_eq!(fact(&shown, "REMOTE_ADDR").as_deref(), Some("127.0.0.1"));
    assert_eq!(fact(&shown, "SERVER_PORT"), Some(demo.server.address().port().to_string()));
    assert_eq!(fact(&shown, "HTTP_X_CUSTOM").as_deref(), Some("a &quot;b&quot;"));
    assert!(fact(&shown, "HTTP_COOKIE").is_some_and(|text| text.contains("not shown")));
    assert!(!shown.contains("do-not-show"));

    let forwarded = Request::get("/environment.php").header("X-Forwarded-For", "127.0.0.1");
    let refused = page(client.send(&forwarded), 403);
    assert!(!refused.contains("DOCUMENT_ROOT"), "{refused}");
}
