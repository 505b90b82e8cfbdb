//! The whole program over loopback: requests that take too long, and those that are slow.

#![cfg(feature = "php")]

mod support;

use std::fs;

use support::{Server, TemporaryDirectory, wait_for};

const PAGE: &str = "<?php usleep((int) $_GET['us']); echo 'done';";

fn site(files: &[(&str, &str)]) -> TemporaryDirectory {
    let directory = TemporaryDirectory::new("request-time");
    for (name, content) in files {
        fs::write(directory.path().join(name), content).expect("a written file");
    }
    directory
}

#[test]
fn a_request_that_takes_too_long_is_answered_504_by_the_page_for_it() {
    let flushing = "<?php echo 'half'; flush(); sleep(600); echo 'whole';";
    let root = site(&[("page.php", PAGE), ("flushing.php", flushing), ("late.html", "<late>")]);
    let server = Server::builder(root.path())
        .workers(1)
        .ini("output_buffering", "0")
        .php("request_timeout = \"2s\"")
        .server("error_pages = { 504 = \"/late.html\" }")
        .start();
    let mut client = server.client();
    assert_eq!(client.get("/page.php?us=600000000").expect(504).text(), "<late>");
    assert_eq!(client.get("/page.php?us=1").expect(200).text(), "done", "the connection and the thread go on");
    let cut = server.raw("GET /flushing.php HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(cut.ends_with(b"\r\n4\r\nhalf\r\n"), "{}", String::from_utf8_lossy(&cut));
    let (status, log) = server.stop();
    assert!(status.success(), "{log}");
    assert!(log.contains("Maximum request time of 2 seconds exceeded (php.request_timeout) in "), "{log}");
    assert!(log.contains("GET /page.php?us=600000000 ("), "{log}");
}

#[test]
fn slow_requests_are_in_the_slow_log() {
    let root = site(&[("page.php", PAGE)]);
    let logs = TemporaryDirectory::new("slow-log");
    let path = logs.path().join("slow.log");
    let server = Server::builder(root.path())
        .php("slow_log_after = \"1s\"")
        .php(&format!("slow_log = {:?}", path.to_str().expect("UTF-8")))
        .start();
    let mut client = server.client();
    assert_eq!(client.get("/page.php?us=4000000").expect(200).text(), "done");
    assert_eq!(client.get("/page.php?us=1").expect(200).text(), "done");
    let script = root.path().canonicalize().expect("a path").join("page.php");
    let script = script.to_str().expect("UTF-8");
    let text = fs::read_to_string(&path).expect("the slow log");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].is_empty() && lines[1].contains(" UTC]  [pool ephpm] pid "), "{text}");
    assert_eq!(lines[2], format!("script_filename = {script}"));
    assert_eq!(lines[3], "request_uri = GET /page.php?us=4000000");
    assert!(["1.", "2.", "3."].iter().any(|start| lines[4].starts_with(&format!("duration = {start}"))), "{text}");
    assert!(lines[5].starts_with("[0x") && lines[5].ends_with(&format!("] usleep() {script}:1")), "{text}");
    assert!(lines[6].ends_with(&format!("] {{main}} {script}:1")) && lines.len() == 7, "{text}");

    fs::rename(&path, logs.path().join("old.log")).expect("a renamed file");
    server.signal("USR1");
    wait_for(&path);
    assert_eq!(client.get("/page.php?us=4000000").expect(200).text(), "done");
    assert!(fs::read_to_string(&path).expect("the new slow log").contains("usleep()"));
}

#[test]
fn without_a_file_slow_requests_are_in_the_ordinary_log() {
    let root = site(&[("page.php", PAGE)]);
    let server = Server::builder(root.path()).php("slow_log_after = \"200ms\"").start();
    assert_eq!(server.client().get("/page.php?us=4000000").expect(200).text(), "done");
    server.wait_for_log(": GET /page.php?us=4000000 has taken ");
    server.wait_for_log(", at usleep() ");
}
