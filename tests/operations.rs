//! What operators expect, over loopback: the access log, trusted proxies, fields of responses, error pages, and files
//! that scripts leave to the server.

#![cfg(feature = "php")]

mod support;

use std::fs;
use std::path::Path;

use support::{Request, Server, TemporaryDirectory, site, wait_for_text};

const TELL: &str = r#"<?php
foreach (['REQUEST_METHOD', 'REQUEST_URI', 'SCRIPT_NAME', 'REDIRECT_STATUS', 'REMOTE_ADDR', 'REMOTE_PORT', 'HTTPS',
    'REQUEST_SCHEME', 'SERVER_NAME', 'SERVER_PORT', 'HTTP_HOST', 'SERVER_SOFTWARE'] as $name) {
    echo $name, '=', $_SERVER[$name] ?? '-', "\n";
}
"#;

fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.to_str().expect("UTF-8"))
}

#[test]
fn the_access_log_is_written_reopened_and_flushed() {
    let root = site(&[("a.txt", "0123456789"), ("tell.php", TELL)]);
    let logs = TemporaryDirectory::new("operations");
    let (path, old) = (logs.path().join("access.log"), logs.path().join("access.log.1"));
    let server = Server::builder(root.path())
        .server("event_loops = 2")
        .sections(&format!("[access_log]\nformat = \"combined\"\npath = {}\n", quoted(&path)))
        .start();
    let request = Request::get("/a.txt?x").header("User-Agent", "curl \"8\"").header("Referer", "http://b/");
    server.client().send(&request).expect(200);
    server.client().get("/tell.php").expect(200);
    server.raw("garbage\r\n\r\n");
    let text = wait_for_text(&path, |text| text.lines().count() == 3);
    let line = text.lines().find(|line| line.contains("/a.txt")).expect("the file's");
    assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
    let end = " +0000] \"GET /a.txt?x HTTP/1.1\" 200 10 \"http://b/\" \"curl \\x228\\x22\"";
    assert!(line.ends_with(end), "{line}");
    assert!(text.contains("\"GET /tell.php HTTP/1.1\" 200 ") && text.contains("\"-\" 400 "), "{text}");

    fs::rename(&path, &old).expect("a file that can be moved");
    server.signal("USR1");
    wait_for_text(&path, |_| path.exists());
    for _ in 0..100 {
        server.client().get("/a.txt").expect(200);
    }
    // What was answered is logged, however soon the server is told to stop.
    let (status, log) = server.stop();
    assert!(status.success(), "{log}");
    assert_eq!(fs::read_to_string(&path).expect("the new log").lines().count(), 100);
    assert_eq!(fs::read_to_string(&old).expect("the old log"), text);
}

#[test]
fn the_access_log_can_be_json_on_standard_output() {
    let root =
        site(&[("a.txt", "0123456789"), ("slow.php", "<?php while (true) { echo 'x'; flush(); usleep(5000); }")]);
    let server = Server::builder(root.path()).sections("[access_log]\nformat = \"json\"\n").start();
    server.client().get("/a.txt").expect(200);
    server.wait_for_log("\"target\":\"/a.txt\"");
    // Its head has come, and the connection goes with it.
    drop(server.client().open(&Request::get("/slow.php")));
    server.wait_for_log("\"target\":\"/slow.php\"");
    let log = server.log();
    let record = |target: &str| {
        let line = log.lines().find(|line| line.contains(target)).expect("a record").to_owned();
        assert!(line.starts_with("{\"time\":\"20") && line.ends_with('}'), "{line}");
        line
    };
    let of_file = record("\"/a.txt\"");
    assert!(of_file.contains("\"status\":200,\"bytes\":10,\"duration_ms\":") && of_file.contains("\"complete\":true"));
    assert!(record("\"/slow.php\"").contains("\"complete\":false"), "{log}");
}

#[test]
fn an_access_log_that_cannot_be_opened_is_an_error() {
    let root = site(&[]);
    let toml = Server::builder(root.path())
        .sections("[access_log]\nformat = \"json\"\npath = \"none/access.log\"\n")
        .toml(([127, 0, 0, 1], 0).into());
    let config = root.write("ephpm.toml", toml);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_ephpm")).arg(config).output().expect("it starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains("access_log.path: cannot open"), "{error}");
}

#[test]
fn trusted_proxies_tell_whom_a_request_comes_from() {
    let root = site(&[("tell.php", TELL)]);
    let request = Request::get("/tell.php")
        .header("X-Forwarded-For", "1.1.1.1, 203.0.113.9")
        .header("X-Forwarded-Proto", "https")
        .header("X-Forwarded-Host", "shop.example");
    let tell = |lines: &[&str]| {
        let builder = lines.iter().fold(Server::builder(root.path()), |builder, line| builder.server(line));
        let server = builder.start();
        let text = server.client().send(&request).expect(200).text();
        (text, server.address())
    };
    let (text, address) = tell(&["trusted_proxies = [\"10.0.0.0/8\"]"]);
    for line in [
        "REMOTE_ADDR=127.0.0.1\n".to_owned(),
        "HTTPS=-\nREQUEST_SCHEME=http\nSERVER_NAME=127.0.0.1\n".to_owned(),
        format!("SERVER_PORT={}\nHTTP_HOST={address}\n", address.port()),
    ] {
        assert!(text.contains(&line), "{text}");
    }
    let fields = "forwarded_fields = [\"X-Forwarded-For\", \"X-Forwarded-Proto\", \"X-Forwarded-Host\"]";
    let (text, _) = tell(&["trusted_proxies = [\"127.0.0.0/8\"]", fields]);
    let wanted = "REMOTE_ADDR=203.0.113.9\nREMOTE_PORT=0\nHTTPS=on\nREQUEST_SCHEME=https\nSERVER_NAME=shop.example\n\
                  SERVER_PORT=443\nHTTP_HOST=shop.example\n";
    assert!(text.contains(wanted), "{text}");
}

#[test]
fn responses_have_the_operators_fields() {
    let root = site(&[("a.txt", "a"), ("tell.php", TELL)]);
    let server = Server::builder(root.path())
        .server("server_header = true")
        .server("server_software = \"nginx/1 (not quite)\"")
        .sections(
            "[headers]\nset = [[\"/*\", \"X-Content-Type-Options\", \"nosniff\"], [\"/*\", \"X-Powered-By\", \"\"]]\n\
             add = [[\"*.txt\", \"Cache-Control\", \"max-age=9\"]]\n",
        )
        .ini("expose_php", "1")
        .start();
    let mut client = server.client();
    for (target, status, cache_control) in
        [("/a.txt", 200, Some("max-age=9")), ("/tell.php", 200, None), ("/none", 404, None)]
    {
        let response = client.get(target).expect(status);
        assert_eq!(response.header("X-Content-Type-Options"), Some("nosniff"), "{target}");
        assert_eq!(response.header("Server"), Some("ePHPm"), "{target}");
        assert_eq!(response.header("X-Powered-By"), None, "{target}");
        assert_eq!(response.header("Cache-Control"), cache_control, "{target}");
    }
    assert!(client.get("/tell.php").text().contains("SERVER_SOFTWARE=nginx/1 (not quite)\n"));
}

#[test]
fn error_pages_are_files_or_scripts() {
    let root = site(&[("errors.php", TELL), ("large.html", "too large"), ("a.txt", "a")]);
    let server = Server::builder(root.path())
        .server("error_pages = { 404 = \"/errors.php\", 405 = \"/errors.php\", 413 = \"/large.html\" }")
        .server("content_bytes_max = 10")
        .start();
    let mut client = server.client();
    let text = client.get("/none/at?all").expect(404).text();
    for line in ["REQUEST_METHOD=GET\nREQUEST_URI=/none/at?all\n", "SCRIPT_NAME=/errors.php\n", "REDIRECT_STATUS=404\n"]
    {
        assert!(text.contains(line), "{text}");
    }
    let response = client.send(&Request::post("/a.txt").content("text/plain", "x")).expect(405);
    assert_eq!(response.header("Allow"), Some("GET, HEAD, OPTIONS"));
    assert!(response.text().contains("REDIRECT_STATUS=405\n"));
    client.get("/a.txt").expect(200);
    assert_eq!(client.connections_opened, 1, "errors of the application's kind end no connection");
    let response = client.send(&Request::post("/errors.php").content("text/plain", "12345678901")).expect(413);
    assert_eq!((response.text().as_str(), response.header("Connection")), ("too large", Some("close")));
    assert!(server.client().get("/errors.php").expect(200).text().contains("REDIRECT_STATUS=200\n"));
}

#[test]
fn scripts_leave_files_to_the_server() {
    let root = site(&[(
        "send.php",
        "<?php header('Content-Type: video/mp4'); header('Content-Disposition: inline'); \
         header($_GET['by'] . ': ' . $_GET['file']); header('Cache-Control: ' . ($_GET['cache'] ?? 'private')); \
         echo 'not this';",
    )]);
    let outside = TemporaryDirectory::new("operations");
    let files = outside.path().join("files");
    fs::create_dir(&files).expect("a new directory");
    let content: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    fs::write(files.join("film.mp4"), &content).expect("a written file");
    fs::write(files.join("page.css"), "body { color: red; }\n".repeat(200)).expect("a written file");
    fs::write(outside.path().join("secret"), "secret").expect("a written file");
    let server = Server::builder(root.path())
        .server(&format!("internal_files = {{ \"/protected/\" = {} }}", quoted(&files)))
        .start();
    let mut client = server.client();
    let path = files.to_str().expect("UTF-8");
    for target in [
        "/send.php?by=X-Accel-Redirect&file=/protected/film.mp4".to_owned(),
        format!("/send.php?by=X-Sendfile&file={path}/film.mp4"),
    ] {
        let response = client.get(&target).expect(200);
        assert!(response.content == content, "another content");
        assert_eq!(response.header("Content-Type"), Some("video/mp4"));
        assert_eq!(response.header("Content-Disposition"), Some("inline"));
        assert_eq!((response.header("X-Accel-Redirect"), response.header("X-Sendfile")), (None, None));
        let etag = response.header("ETag").expect("a validator").to_owned();
        let response = client.send(&Request::get(&target).header("Range", "bytes=250000-250003")).expect(206);
        assert_eq!(response.content, content[250_000..250_004]);
        client.send(&Request::get(&target).header("If-None-Match", &etag)).expect(304);
    }
    for (cache, coding) in [("private", Some("gzip")), ("private,No-Transform", None)] {
        let target = format!("/send.php?by=X-Accel-Redirect&file=/protected/page.css&cache={cache}");
        for method in ["GET", "HEAD"] {
            let request = Request::new(method, &target).header("Accept-Encoding", "gzip");
            assert_eq!(client.send(&request).expect(200).header("Content-Encoding"), coding, "{cache}");
        }
    }
    for (by, file) in [
        ("X-Accel-Redirect", "/protected/none".to_owned()),
        ("X-Accel-Redirect", "/protected/../secret".to_owned()),
        ("X-Accel-Redirect", "/send.php".to_owned()),
        ("X-Sendfile", format!("{path}/../secret")),
        ("X-Sendfile", "/etc/passwd".to_owned()),
    ] {
        let response = client.get(&format!("/send.php?by={by}&file={file}")).expect(404);
        assert_eq!((response.header("X-Accel-Redirect"), response.header("X-Sendfile")), (None, None));
        assert!(!response.text().contains("not this"));
    }
    server.wait_for_log("a script names a file outside server.internal_files: /etc/passwd");
    client.get("/protected/film.mp4").expect(404);
    assert_eq!(client.connections_opened, 1);
}
