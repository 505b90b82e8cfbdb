//! What a service does beside files and scripts, asked for over HTTP/2: it must not make a difference.

use std::fs;

use super::*;
use crate::support::Json;

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

/// Sends interim heads and nothing else until the file `go` is there.
const HINTING: &str = r#"<?php
do {
    for ($i = 0; $i < 1000; $i++) { header('X-Hint: 1'); headers_send(103); }
    touch(__DIR__ . "/hinting-{$_GET['client']}");
    clearstatcache();
} while (!file_exists(__DIR__ . '/go'));
echo 'hinted';
"#;

#[test]
fn scripts_that_send_nothing_but_hints_keep_nobody() {
    let site = site();
    fs::write(site.path().join("hinting.php"), HINTING).unwrap();
    let server = Server::builder(site.path()).workers(4).server(PATIENT).start();
    // Of each version one that reads and one that does not.
    let mut clients = [(); 2].map(|()| Client::connect(&server, &[]));
    let mut old = [(); 2].map(|()| server.connect());
    for number in 0..2 {
        clients[number].send(&get(1, &format!("/hinting.php?client=h2-{number}")));
        old[number].write(format!("GET /hinting.php?client=h1-{number} HTTP/1.1\r\nHost: a\r\n\r\n")).unwrap();
    }
    let path = |version, number| site.path().join(format!("hinting-{version}-{number}"));
    ["h1", "h2"].into_iter().for_each(|version| (0..2).for_each(|number| wait_for(&path(version, number))));
    clients[0].read_until(|received| received.answers.get(&1).is_some_and(|answer| answer.heads.len() > 100));
    (0..100).for_each(|_| drop(old[0].read_until("HTTP/1.1 103 Early Hints\r\n").unwrap()));
    // There is no thread for a script, but files are the loop's.
    clients[0].send(&get(3, "/a.txt"));
    assert_eq!(clients[0].answer(3).text(), "0123456789");
    assert_eq!(server.client().get("/a.txt").expect(200).text(), "0123456789");
    fs::write(site.path().join("go"), "").unwrap();
    for client in &mut clients {
        let answer = client.answer(1);
        assert_eq!((answer.status(), answer.text(), answer.reset), (200, "hinted", None));
    }
    for mut connection in old {
        connection.read_until("HTTP/1.1 200 OK\r\n").unwrap();
        connection.read_until("hinted").unwrap();
    }
}

/// Monitors may speak any version; the page has what visitors ask for as text.
#[test]
fn the_status_is_told_over_http_2() {
    let site = site();
    let internal = site.path().join("internal.sock");
    let server = Server::builder(site.path())
        .sections(&format!("[internal]\nlisten = \"unix:{}\"\n", internal.display()))
        .start();
    server.wait_for_log("answering monitors");
    let mut visitor = Client::connect(&server, &[]);
    visitor.send(&get(1, "/waiting.php?a=1&b=2"));
    wait_for(&site.path().join("running"));
    let mut monitor = Client::connect_at(&internal, "");
    let requests = [
        get(1, "/status"),
        get(3, "/status.json"),
        get(5, "/metrics"),
        get(7, "/ready"),
        head(9, END_STREAM, "HEAD", "/status", &[]),
        get(11, "/missing"),
        get(13, "/restart-php"),
    ];
    monitor.send(&requests.concat());
    let page = monitor.answer(1);
    let content_type = page.field("content-type").unwrap().to_owned();
    assert!(page.status() == 200 && content_type.starts_with("text/html"), "{page:?}");
    assert!(page.text().contains("<h2>Process 0: ready</h2>"), "{}", page.text());
    assert!(page.text().contains("/waiting.php?a=1&amp;b=2"), "{}", page.text());
    let json = Json::parse(monitor.answer(3).text());
    let process = &json["processes"].items()[0];
    assert_eq!(process["pid"].as_number(), Some(f64::from(server.pid())));
    // The same figures, whoever asks for them and how, and the visitor's script is among them.
    let running = process["threads"].items().iter().find(|thread| thread["state"].as_str() == Some("running")).unwrap();
    assert!(running["uri"].as_str().unwrap().contains("/waiting.php?a=1&b=2"), "{running:?}");
    let metrics = monitor.answer(5);
    assert!(metrics.status() == 200 && metrics.text().lines().any(|line| line.starts_with("# TYPE ")));
    assert_eq!(monitor.answer(7).status(), 200);
    let answer = monitor.answer(9);
    assert_eq!((answer.status(), answer.content.len(), answer.field("content-type")), (200, 0, Some(&*content_type)));
    assert_eq!((monitor.answer(11).status(), monitor.answer(13).status()), (404, 405));
    monitor.send(&[head(15, END_STREAM, "POST", "/restart-php", &[]), get(17, "/status")].concat());
    assert!((200..300).contains(&monitor.answer(15).status()));
    assert_eq!(monitor.answer(17).status(), 200);
    assert!(monitor.received.goaways.is_empty());
    fs::write(site.path().join("go"), "").unwrap();
    assert_eq!(visitor.answer(1).text(), "done");
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
