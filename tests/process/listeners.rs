//! Where connections come from: Unix sockets, proxies that speak for others, systemd, and monitors beside all of them.

use std::fs;

use super::support::{Server, Systemd, TemporaryDirectory, WAITING, answer, ask_at, busy, site, wait_until};

const WHO: &str = "<?php foreach (['REMOTE_ADDR', 'REMOTE_PORT', 'SERVER_ADDR', 'SERVER_PORT', 'REQUEST_SCHEME'] as $name) \
                   { echo $_SERVER[$name], ' '; }";

#[test]
fn a_unix_socket_is_served_beside_an_address() {
    let root = site(&[("who.php", WHO), ("file.txt", "file")]);
    let sockets = TemporaryDirectory::new("sockets");
    let path = sockets.path().join("site.sock");
    // One that a process has left behind.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
    let listen = format!("listen = [\"LISTEN\", \"unix:{} mode=606\"]", path.display());
    let server = Server::builder(root.path()).server("event_loops = 2").listen(&listen).start();
    server.wait_for_log(&format!("listening on unix:{}", path.display()));
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).expect("a socket").permissions());
    assert_eq!(mode & 0o777, 0o606);
    for _ in 0..8 {
        let answer = ask_at(&path, "GET /who.php HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        assert!(answer.ends_with("\r\n\r\nunix: 0 unix: 80 http "), "{answer}");
    }
    let large = "x".repeat(300_000);
    fs::write(root.path().join("large.txt"), &large).expect("a file");
    assert!(ask_at(&path, "GET /large.txt HTTP/1.0\r\n\r\n").ends_with(&large));
    assert_eq!(server.client().get("/file.txt").expect(200).text(), "file");
    let (status, log) = server.stop();
    assert!(status.success(), "{log}");
    assert!(!path.exists(), "the socket is removed");
}

#[test]
fn the_proxy_protocol_tells_who_the_client_is() {
    let root = site(&[("who.php", WHO)]);
    let server = Server::builder(root.path()).listen("listen = \"LISTEN proxy_protocol\"").start();
    let request = b"GET /who.php HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let tls = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x14\xc0\0\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb\x20\0\x05\x01\0\0\0\0";
    let v1 = b"PROXY TCP6 2001:db8::1 ::1 56324 8443\r\n";
    for (header, told) in
        [(&tls[..], "192.0.2.1 56324 198.51.100.2 443 https "), (v1, "2001:db8::1 56324 ::1 8443 http ")]
    {
        // At once, and a byte at a time.
        let whole = String::from_utf8(server.raw([header, request].concat())).expect("UTF-8");
        assert!(whole.ends_with(told), "{whole}");
        let mut connection = server.connect();
        for byte in header {
            connection.write([*byte]).expect("sent");
        }
        connection.write(request).expect("sent");
        assert!(answer(connection).ends_with(told));
    }
    // Of an address that nobody has, and of health checks, the connection's own hold.
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb";
    for header in [&b"PROXY TCP4 0.0.0.0 198.51.100.2 1 443\r\n"[..], local] {
        let own = String::from_utf8(server.raw([header, request].concat())).expect("UTF-8");
        assert!(own.contains("\r\n\r\n127.0.0.1 "), "{own}");
    }
    // A client that has closed its side by then is served. The server may be there between its two steps: then it has left.
    let is_served = || {
        let mut closed = server.connect();
        closed.write([v1, &request[..]].concat()).expect("sent");
        closed.shutdown_write().expect("closed");
        answer(closed).starts_with("HTTP/1.1 ")
    };
    assert!((0..100).any(|_| is_served()));
    let unknown = String::from_utf8(server.raw([b"PROXY UNKNOWN\r\n", &request[..]].concat())).expect("UTF-8");
    assert!(unknown.contains("127.0.0.1 "), "{unknown}");
    // Without a header, or with half of one, there is nothing but the end.
    let ends = |server: &Server, bytes: &[u8]| {
        let mut connection = server.connect();
        // The time that the header may take may be over before it is sent.
        let _ = connection.write(bytes);
        connection.read_to_end().map_or(true, |bytes| bytes.is_empty())
    };
    assert!(ends(&server, request));
    let proxied = Server::builder(root.path()).listen("listen = \"LISTEN proxy_protocol\"");
    let server = proxied.server("head_timeout = \"300ms\"").start();
    assert!(ends(&server, b"PROXY TCP4 192.0.2.1 "));
    assert_eq!(server.raw(""), b"");
}

/// Where the proxies are named, others may say what they like.
#[test]
fn the_proxy_protocol_is_believed_of_trusted_proxies() {
    let root = site(&[("who.php", WHO)]);
    let header = "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n";
    let request = "GET /who.php HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    for (proxies, client) in [("10.0.0.0/8", "127.0.0.1 "), ("127.0.0.0/8", "192.0.2.1 ")] {
        let server = Server::builder(root.path())
            .listen("listen = \"LISTEN proxy_protocol\"")
            .server(&format!("trusted_proxies = [\"{proxies}\"]"))
            .start();
        let answer = String::from_utf8(server.raw(format!("{header}{request}"))).expect("UTF-8");
        assert!(answer.contains(&format!("\r\n\r\n{client}")), "{answer}");
        assert_eq!(server.raw("PROXY nonsense\r\n"), b"", "the header is demanded of everybody");
    }
}

#[test]
fn monitors_are_answered_on_a_listener_of_their_own() {
    let root = site(&[("wait.php", WAITING), ("live", "public")]);
    let directory = TemporaryDirectory::new("internal");
    let socket = directory.path().join("internal.sock");
    let internal = format!("[internal]\nlisten = \"unix:{}\"\n", socket.display());
    let server = Server::builder(root.path()).workers(1).sections(&internal).start();
    server.wait_for_log("answering monitors");
    let ask = |path: &str| ask_at(&socket, &format!("GET {path} HTTP/1.0\r\n\r\n"));
    assert!(ask("/live").starts_with("HTTP/1.1 200 ") && ask("/ready").ends_with("\r\n\r\nready\n"));
    assert!(ask("/wait.php").starts_with("HTTP/1.1 404 "), "nothing else is served there");
    assert_eq!(server.client().get("/live").expect(200).text(), "public");
    // It is not held up by what the server is busy with, and outlives the public listener.
    let running = busy(&server);
    server.signal("TERM");
    wait_until(|| ask("/ready").ends_with("stopping\n"), "never stopping");
    assert!(ask("/ready").starts_with("HTTP/1.1 503 ") && ask("/live").starts_with("HTTP/1.1 200 "));
    fs::write(root.path().join("go"), "").expect("a written file");
    assert!(answer(running).contains("done"));
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
}

#[test]
fn systemd_passes_sockets_and_is_told() {
    let root = site(&[("file.txt", "file")]);
    let systemd = Systemd::new();
    let server = systemd.unit(Server::builder(root.path())).start();
    assert_eq!(systemd.told(), "READY=1");
    assert_eq!(server.client().get("/file.txt").expect(200).text(), "file");
    server.signal("TERM");
    assert_eq!(systemd.told(), "STOPPING=1");
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
    let error = Server::builder(root.path()).listen("listen = \"systemd\"").start_error();
    assert!(error.contains("cannot listen on systemd: systemd has passed no such socket"), "{error}");
}
