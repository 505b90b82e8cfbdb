//! What a service does beside files and scripts, asked for over HTTP/2: it must not make a difference.

use std::fs;

use super::*;

const REMOTE: &str = "<?php echo $_SERVER['REMOTE_ADDR'], ' ', $_SERVER['SERVER_PROTOCOL'];";

#[test]
fn a_unix_socket_behind_a_proxy_speaks_it() {
    let site = site();
    fs::write(site.path().join("remote.php"), REMOTE).unwrap();
    let (plain, announced) = (site.path().join("plain.sock"), site.path().join("announced.sock"));
    let listen =
        format!("listen = [\"LISTEN\", \"unix:{}\", \"unix:{} proxy_protocol\"]", plain.display(), announced.display());
    let server = Server::builder(site.path()).listen(&listen).start();
    let ask = |path: &Path, announcement: &str| {
        let mut client = Client::connect_at(path, announcement);
        client.send(&get(1, "/remote.php"));
        client.answer(1).text().to_owned()
    };
    assert!(ask(&plain, "").ends_with(" HTTP/2.0"));
    let announcement = "PROXY TCP4 203.0.113.7 192.0.2.1 4711 80\r\n";
    assert_eq!(ask(&announced, announcement), "203.0.113.7 HTTP/2.0");
    drop(server);
}

#[test]
fn error_pages_handed_over_files_and_codings_are_those_of_http_1() {
    let site = site();
    let outside = TemporaryDirectory::new("http2-internal");
    fs::write(outside.path().join("report.txt"), "handed over").unwrap();
    for (name, content) in [
        ("hand-over.php", "<?php header('X-Accel-Redirect: /protected/report.txt'); echo 'unseen';"),
        ("missing.php", "<?php echo 'explained ', $_SERVER['REDIRECT_STATUS'];"),
        ("long.php", "<?php echo str_repeat('to be encoded ', 1000);"),
        ("hint.php", "<?php header('HTTP/1.1 204 No Content'); echo 'unseen';"),
    ] {
        fs::write(site.path().join(name), content).unwrap();
    }
    let log = site.path().join("access.log");
    let server = Server::builder(site.path())
        .server("error_pages = { 405 = \"/missing.php\" }")
        .server(&format!("internal_files = {{ \"/protected/\" = \"{}\" }}", outside.path().display()))
        .sections(&format!("[access_log]\nformat = \"combined\"\npath = \"{}\"\n", log.display()))
        .start();
    let mut client = Client::connect(&server, &[]);
    let encoded = head(5, END_STREAM, "GET", "/long.php", &[("accept-encoding", "gzip")]);
    let requests = [
        get(1, "/hand-over.php"),
        head(3, END_STREAM, "POST", "/a.txt", &[]),
        encoded,
        get(7, "/hint.php"),
        head(9, END_STREAM, "HEAD", "/long.php", &[]),
    ];
    client.send(&requests.concat());
    let answer = client.answer(1);
    assert_eq!((answer.status(), answer.text(), answer.field("x-accel-redirect")), (200, "handed over", None));
    let answer = client.answer(3);
    assert_eq!((answer.status(), answer.text()), (405, "explained 405"));
    let answer = client.answer(5);
    assert_eq!((answer.field("content-encoding"), answer.field("vary")), (Some("gzip"), Some("Accept-Encoding")));
    let (content, is_whole) = decode_prefix(Coding::Gzip, &answer.content);
    assert!(is_whole && content == "to be encoded ".repeat(1000).as_bytes());
    let answer = client.answer(7);
    assert_eq!((answer.status(), answer.content.len(), answer.field("content-length")), (204, 0, None));
    let answer = client.answer(9);
    assert_eq!((answer.status(), answer.content.len()), (200, 0));
    drop(client);
    let (status, _) = server.stop();
    assert!(status.success());
    let log = fs::read_to_string(log).unwrap();
    assert_eq!(log.lines().filter(|line| line.contains("HTTP/2.0\" ")).count(), 5, "{log}");
    assert!(log.contains("\"POST /a.txt HTTP/2.0\" 405 13 "), "{log}");
}

#[test]
fn events_arrive_while_a_script_runs_and_beside_others() {
    let site = site();
    let server = Server::builder(site.path()).workers(2).start();
    let mut client = Client::connect(&server, &[]);
    client.send(&get(1, "/endless.php"));
    for events in [1, 3, 5] {
        let len = events * "data: x\n\n".len();
        client.read_until(|received| received.answers.get(&1).is_some_and(|answer| answer.content.len() >= len));
        let stream = 1 + 2 * events as u32;
        client.send(&get(stream, "/"));
        assert_eq!(client.answer(stream).text(), "HTTP/2.0 0");
    }
    assert!(!client.received.answers[&1].is_complete);
}

#[test]
fn a_reload_and_a_restart_of_php_leave_connections_at_work() {
    let site = site();
    let builder = Server::builder(site.path());
    let server = builder.clone().start();
    let mut client = Client::connect(&server, &[]);
    client.send(&get(1, "/waiting.php"));
    wait_for(&site.path().join("running"));
    server.configure(&builder.server("keep_alive_requests_max = 7"));
    server.signal("HUP");
    server.wait_for_log("the configuration has been read again");
    fs::write(site.path().join("go"), "").unwrap();
    assert_eq!(client.answer(1).text(), "done");
    client.send(&get(3, "/a.txt"));
    assert_eq!(client.answer(3).text(), "0123456789");
}
